"""The sandbox's tables and connections: stdlib sqlite3, decimals as text, one writer at a time."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS item (
  code TEXT PRIMARY KEY, name TEXT NOT NULL, unit TEXT NOT NULL, gtin TEXT,
  standard_cost TEXT NOT NULL, changed_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bom (
  product TEXT PRIMARY KEY, quantity TEXT NOT NULL, unit TEXT NOT NULL, lines TEXT NOT NULL,
  changed_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customer (
  code TEXT PRIMARY KEY, name TEXT NOT NULL, changed_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS production_order (
  id TEXT PRIMARY KEY, product TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL,
  due_at TEXT, priority INTEGER, customer TEXT, state TEXT NOT NULL, changed_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lot (
  item TEXT NOT NULL, lot TEXT NOT NULL, changed_at TEXT NOT NULL, PRIMARY KEY (item, lot));
CREATE TABLE IF NOT EXISTS stock (
  item TEXT NOT NULL, lot TEXT NOT NULL, status TEXT NOT NULL, quantity TEXT NOT NULL,
  PRIMARY KEY (item, lot, status));
CREATE TABLE IF NOT EXISTS closed_period (period TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS posting (
  key TEXT PRIMARY KEY, erp_ref TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, body BLOB NOT NULL,
  response TEXT NOT NULL, reversed_by TEXT, posted_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS undone_document (
  document TEXT NOT NULL, year TEXT NOT NULL, undone_by TEXT NOT NULL,
  PRIMARY KEY (document, year));
CREATE TABLE IF NOT EXISTS ledger_line (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, reference TEXT, erp_ref TEXT,
  document_type TEXT NOT NULL, document TEXT NOT NULL, year TEXT NOT NULL, line TEXT NOT NULL,
  order_id TEXT, item TEXT, lot TEXT, movement TEXT NOT NULL, quantity TEXT, unit TEXT,
  posting_date TEXT NOT NULL, period TEXT NOT NULL, gl_document TEXT, gl_period TEXT,
  posted_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_by_order ON ledger_line (order_id, seq);
CREATE INDEX IF NOT EXISTS ledger_by_ref ON ledger_line (erp_ref);
CREATE TABLE IF NOT EXISTS gl_line (
  document TEXT NOT NULL, n INTEGER NOT NULL, account TEXT NOT NULL, debit TEXT NOT NULL,
  credit TEXT NOT NULL, period TEXT NOT NULL, PRIMARY KEY (document, n));
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Database:
    """The file, one connection per thread, and the lock that makes writers queue."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._threads = threading.local()
        self._writer = threading.Lock()
        self.connection().executescript(SCHEMA)

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit."""
        found = getattr(self._threads, "connection", None)
        if isinstance(found, sqlite3.Connection):
            return found
        made = sqlite3.connect(self._path, isolation_level=None, timeout=10)
        made.row_factory = sqlite3.Row
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=FULL")
        self._threads.connection = made
        return made

    def close(self) -> None:
        """Close this thread's connection."""
        self.connection().close()
        del self._threads.connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: committed at the end, or nothing of it happened."""
        connection = self.connection()
        with self._writer:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def next_number(connection: sqlite3.Connection, name: str, start: int) -> int:
    """Return the next number of a gap-free counter, inside the caller's transaction."""
    row = connection.execute(
        "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 "
        "RETURNING value",
        (name, start),
    ).fetchone()
    return int(row[0])


def move_stock(
    connection: sqlite3.Connection, item: str, lot: str, *, status: str, change: Decimal
) -> None:
    """Change the stock of one lot in one status; this ERP lets stock go below zero and shows it."""
    key = (item, lot, status)
    row = connection.execute(
        "SELECT quantity FROM stock WHERE item = ? AND lot = ? AND status = ?", key
    ).fetchone()
    after = (Decimal(row[0]) if row else Decimal(0)) + change
    connection.execute(
        "INSERT INTO stock VALUES (?, ?, ?, ?) ON CONFLICT (item, lot, status) "
        "DO UPDATE SET quantity = excluded.quantity",
        (*key, f"{after:f}"),
    )
