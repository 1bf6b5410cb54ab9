"""The statements that every message needs, compiled once for the outbox's database.

A message takes five of them. Built and compiled anew each time they would cost more than what they
do; the engine still owns the connection and its transaction.
"""

from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine import Dialect

from core.ledger import driver
from erp.rows import OPEN, Row, State
from erp.tables import attempt, message, receipt

_HEAD = (
    select(*(message.c[name] for name in Row.__slots__))
    .where(
        message.c.lane == bindparam("lane"),
        message.c.state.in_([literal_column(f"'{state}'") for state in OPEN]),
    )
    .order_by(message.c.lane_seq)
    .limit(1)
)
_LEASE = (
    update(message)
    .where(message.c.event_id == bindparam("id"), message.c.state == bindparam("was"))
    .values(
        state=literal_column(f"'{State.SENDING}'"),
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
    )
)
_FINISH = (
    update(message)
    .where(message.c.event_id == bindparam("id"))
    .values(
        state=bindparam("now"),
        attempts=bindparam("tries"),
        due_at=bindparam("due"),
        ticket=bindparam("mark"),
        last_code=bindparam("code"),
        last_error=bindparam("error"),
        lease_owner=literal_column("null"),
        lease_until=literal_column("null"),
    )
)


class Prepared:
    """One statement, as its driver takes it."""

    def __init__(
        self, statement: Select[Any] | Insert | Update, dialect: Dialect, *columns: str
    ) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns or None)
        self._text, self._names = str(compiled), compiled.positiontup
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}

    def run(self, connection: Connection, values: dict[str, Any]) -> Any:
        """Carry it out; return the driver's cursor."""
        names, values = self._names, {**self._fixed, **values}
        given = values if names is None else [values[name] for name in names]
        return driver.run(connection, self._text, given)


class Statements:
    """What is done for every message."""

    def __init__(self, dialect: Dialect) -> None:
        self.head = Prepared(_HEAD, dialect)
        self.lease = Prepared(_LEASE, dialect)
        self.finish = Prepared(_FINISH, dialect)
        self.attempt = Prepared(insert(attempt), dialect, *_added(attempt))
        self.receipt = Prepared(insert(receipt), dialect, *_added(receipt))


def _added(table: Table) -> list[str]:
    return [column.name for column in table.c if not column.primary_key]
