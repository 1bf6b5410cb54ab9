"""The outbox's and the pull's tables, and the engine that serves them from several threads.

With PostgreSQL they stand in the ledger's database; with SQLite in a file of their own, because
the ledger's file has one writer. Messages keep their bytes for ever; attempts and receipts are
only added.
"""

from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.engine import Connection

from core.ledger import driver
from core.migrations.schema import prepare

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=10000",
    "wal_autocheckpoint=4000",  # pages, as the ledger has it; to carry the log over syncs twice
)
metadata = MetaData()

relay_cursor = Table(
    "erp_relay_cursor",
    metadata,
    Column("target", String, primary_key=True),
    Column("upto_seq", Integer, nullable=False),
)
message = Table(
    "erp_message",
    metadata,
    Column("event_id", String(30), primary_key=True),
    Column("erp_ref", String(16), nullable=False, unique=True),
    Column("lane", String, nullable=False),
    Column("lane_seq", Integer, nullable=False),
    Column("entry_seq", Integer, nullable=False, unique=True),
    Column("type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("made_at", String(27), nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", String(27), nullable=False),
    Column("lease_owner", String),
    Column("lease_until", String(27)),
    Column("ticket", String),
    Column("last_code", String),
    Column("last_error", Text),
    Column("settled_by", String),
    UniqueConstraint("lane", "lane_seq"),
)
Index("erp_message_open", message.c.state, message.c.lane, message.c.lane_seq)
# Made when their facts lay before the cursor: who follows the facts would pass them by.
late = Table("erp_late", metadata, Column("event_id", String(30), primary_key=True))
aside = Table(
    "erp_aside",
    metadata,
    Column("entry_seq", Integer, primary_key=True),
    Column("type", String, nullable=False),
    Column("lane", String),
    Column("code", String, nullable=False),
    Column("why", Text, nullable=False),
)
attempt = Table(
    "erp_attempt",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String(30), nullable=False, index=True),
    Column("at", String(27), nullable=False),
    Column("outcome", String, nullable=False),
    Column("code", String),
    Column("status", Integer),
    Column("error", Text),
    Column("sent_headers", Text, nullable=False),
)
receipt = Table(
    "erp_receipt",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String(30), nullable=False, index=True),
    Column("at", String(27), nullable=False),
    Column("status", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),
    Column("documents", Text, nullable=False),
    Column("period", String),
    Column("checkpoint_size", Integer),
    Column("checkpoint_root", String(64)),
)
pull_page = Table(
    "erp_pull_page",
    metadata,
    Column("target", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("url", String, nullable=False),
    Column("etag", String),
    Column("last_modified", String),
    Column("sha256", String(64)),
    Column("body", LargeBinary),
    Column("fetched_at", String(27)),
    Column("checked_at", String(27)),
    Column("status", String, nullable=False),
    Column("fault", Text),
    Column("count_200", Integer, nullable=False),
    Column("count_304", Integer, nullable=False),
    Column("count_unchanged", Integer, nullable=False),
    Column("count_failed", Integer, nullable=False),
    Column("cursor_since", String(27)),
    Column("swept_at", String(27)),
)
pull_record = Table(
    "erp_pull_record",
    metadata,
    Column("target", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("fault", Text),
    Column("vanished_at", String(27)),
)


def open_engine(url: str) -> Engine:
    """Return an engine with the tables made; writers on SQLite queue for the file's lock."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    prepare(engine, "outbox")
    return engine


def _prepare(raw: Any, _record: object) -> None:
    raw.isolation_level = None  # transactions are begun below, not guessed by the driver
    for pragma in PRAGMAS:
        raw.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    driver.run(connection, "BEGIN" if reads else "BEGIN IMMEDIATE")
