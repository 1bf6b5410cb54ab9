"""Entries, checkpoints, receipts, anchors and tiles; what is evidence refuses change.

On SQLite the store hangs the triggers on the tables at every start, so that one that somebody
dropped is there again. On PostgreSQL the server is not the tables' owner and could not.
"""

from alembic import op

revision, down_revision = "0001", None

SQLITE = (
    "create table if not exists entry("
    " seq integer primary key check (seq > 0), stream text not null, ver integer not null,"
    " type text not null, idem text, body blob not null, leaf blob not null,"
    " unique(stream, ver)) strict",
    "create table if not exists checkpoint("
    " size integer primary key, root blob not null, note text not null) strict",
    "create table if not exists receipt("
    " idem text primary key, request_sha256 text not null, first_seq integer, last_seq integer,"
    " count integer not null, answer text not null, checkpoint_size integer not null) strict",
    "create table if not exists anchor("
    " size integer not null, place text not null, receipt text not null, at text not null,"
    " primary key(size, place, at)) strict",
    "create table if not exists tile(idx integer primary key, root blob not null) strict",
)
POSTGRESQL = (
    "create table if not exists entry("
    " seq bigint primary key check (seq > 0), stream text not null, ver bigint not null,"
    " type text not null, idem text, body bytea not null, leaf bytea not null,"
    " unique(stream, ver))",
    "create table if not exists checkpoint("
    " size bigint primary key, root bytea not null, note text not null)",
    "create table if not exists receipt("
    " idem text primary key, request_sha256 text not null, first_seq bigint, last_seq bigint,"
    " count bigint not null, answer text not null, checkpoint_size bigint not null)",
    "create table if not exists anchor("
    " size bigint not null, place text not null, receipt text not null, at text not null,"
    " primary key(size, place, at))",
    "create table if not exists tile(idx bigint primary key, root bytea not null)",
    "create or replace function ledger_refuse() returns trigger language plpgsql as"
    " $$ begin raise exception '%% is append-only', tg_table_name; end $$",
    *(
        f"create or replace trigger {table}_no_{name} before {deeds} on {table}"
        f" for each {each} execute function ledger_refuse()"
        for table in ("entry", "checkpoint", "receipt", "anchor")
        for name, deeds, each in (
            ("change", "update or delete", "row"),
            ("truncate", "truncate", "statement"),
        )
    ),
)


def upgrade() -> None:
    """Make the tables, where they are not there yet."""
    connection = op.get_bind()
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)
