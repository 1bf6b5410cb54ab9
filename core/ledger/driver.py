"""Statements of the writer's hot path, sent to the driver itself.

One append is a handful of small statements. The engine's own bookkeeping around each would cost
more than the statement; it still owns the connection, its transactions and its savepoints, and
every fault of the driver leaves here as the engine's fault.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


@contextmanager
def driving(connection: Connection) -> Iterator[Any]:
    """Give the driver's own connection, within the transaction that the engine began."""
    try:
        yield connection.connection.dbapi_connection
    except Exception as fault:
        raise _translated(connection, fault) from fault


def fetch(connection: Connection, statement: str, values: Sequence[object] = ()) -> list[Any]:
    """Return all rows of a query."""
    try:
        raw: Any = connection.connection.dbapi_connection
        found: list[Any] = raw.execute(statement, values).fetchall()
    except Exception as fault:
        raise _translated(connection, fault) from fault
    return found


def run(connection: Connection, statement: str, values: Sequence[object]) -> None:
    """Carry out one statement."""
    try:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(statement, values)
    except Exception as fault:
        raise _translated(connection, fault) from fault


def _translated(connection: Connection, fault: Exception) -> BaseException:
    root = connection.dialect.loaded_dbapi.Error
    if not isinstance(fault, root):
        return fault
    return DBAPIError.instance(None, None, fault, root, dialect=connection.dialect)
