"""Who did a step and who verified it, with the database itself refusing one person for both."""

from collections.abc import Sequence

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


def write(connection: Connection, store: Store, entries: Sequence[Entry]) -> None:
    """Write the verifications among these entries.

    Raises:
        sqlalchemy.exc.IntegrityError: performer and verifier are one person; the transaction
            cannot be committed. A corrected step is verified again, in a row of its own.
    """
    rows = [
        (one.seq, *(one.data[name] for name in ("batch", "step", "performed_by", "verified_by")))
        for one in entries
        if one.type == VERIFIED
    ]
    if rows:
        connection.exec_driver_sql(store.sql(INSERT), rows)
