"""Who did a step and who verified it, with the database itself refusing one person for both."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from core.ledger.entry import Entry
from core.ledger.store import Store

VERIFIED = "step.verified"
SCHEMA = (
    "create table if not exists step_verification("
    " seq bigint primary key, batch text not null, step text not null,"
    " performed_by text not null, verified_by text not null,"
    " check (performed_by <> verified_by))"
)
INSERT = (
    "insert into step_verification(seq, batch, step, performed_by, verified_by)"
    " values (?, ?, ?, ?, ?)"
)


type Row = tuple[int, str, str, str, str]


def row(seq: int, data: Mapping[str, Any]) -> Row:
    """Return the stored row of a verification."""
    return seq, data["batch"], data["step"], data["performed_by"], data["verified_by"]


def write(connection: Connection, store: Store, entries: Sequence[Entry]) -> None:
    """Write the verifications among these entries, as `insert` does."""
    insert(connection, store, [row(one.seq, one.data) for one in entries if one.type == VERIFIED])


def insert(connection: Connection, store: Store, rows: Sequence[Row]) -> None:
    """Write verifications.

    Raises:
        sqlalchemy.exc.IntegrityError: performer and verifier are one person; the transaction
            cannot be committed. A corrected step is verified again, in a row of its own.
    """
    if rows:
        connection.exec_driver_sql(store.sql(INSERT), list(rows))
