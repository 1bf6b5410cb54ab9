"""Statements of the writer's hot path, sent to the driver itself.

One append is a handful of small statements. The engine's own bookkeeping around each would cost
more than the statement; it still owns the connection and its savepoints, and every fault of the
driver leaves here as the engine's fault. A transaction of the hot path is begun and committed
here; where a job or a hook went through the engine, the engine hears of its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


@contextmanager
def driving(connection: Connection) -> Iterator[Any]:
    """Give the driver's own connection, within the transaction that the engine began."""
    try:
        yield connection.connection.dbapi_connection
    except connection.dialect.loaded_dbapi.Error as fault:
        raise _translated(connection, fault) from fault


def fetch(connection: Connection, statement: str, values: Sequence[object] = ()) -> list[Any]:
    """Return all rows of a query."""
    try:
        raw: Any = connection.connection.dbapi_connection
        found: list[Any] = raw.execute(statement, values).fetchall()
    except Exception as fault:
        raise _translated(connection, fault) from fault
    return found


def run(
    connection: Connection, statement: str, values: Sequence[object] | Mapping[str, object] = ()
) -> Any:
    """Carry out one statement; return the driver's cursor."""
    try:
        raw: Any = connection.connection.dbapi_connection
        return raw.execute(statement, values)
    except Exception as fault:
        raise _translated(connection, fault) from fault


def run_many(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Carry out one statement for each row."""
    try:
        raw: Any = connection.connection.dbapi_connection
        raw.cursor().executemany(statement, rows)
    except Exception as fault:
        raise _translated(connection, fault) from fault


def ended(connection: Connection) -> None:
    """Tell the engine, where it took part, that the driver's transaction was committed."""
    if connection.in_transaction():
        connection.commit()


def roll_back(connection: Connection) -> None:
    """Roll back what the engine began, and what the driver did without it."""
    connection.rollback()
    if not connection.invalidated:
        with driving(connection) as raw:
            raw.rollback()


def _translated(connection: Connection, fault: Exception) -> BaseException:
    root = connection.dialect.loaded_dbapi.Error
    if not isinstance(fault, root):
        return fault
    return DBAPIError.instance(None, None, fault, root, dialect=connection.dialect)
