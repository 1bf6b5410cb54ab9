"""The ledger in one SQLite file: one host, one process, one connection that writes.

SQLite before 3.51.3 can corrupt a file that two connections write or checkpoint at the same
instant. So a lock file beside the database lets one server in; its single connection alone
writes and checkpoints, all others are opened read-only.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from core.ledger.driver import ended, fetch, roll_back, run, run_many
from core.ledger.tables import (
    APPEND_ONLY,
    INSERT_CHECKPOINT,
    SIZE,
    EntryRow,
    OutcomeUnknown,
    ReceiptRow,
    Sealed,
    StoreFailed,
    StoreUnsafe,
    reason,
)
from core.migrations.schema import Schema

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PRAGMAS: Final = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit returns after the log is on the disk
    "recursive_triggers": 1,  # else INSERT OR REPLACE passes the append-only triggers
    "trusted_schema": 0,
    "cell_size_check": 1,
    "foreign_keys": 1,
    "wal_autocheckpoint": 4000,  # pages; an idle moment carries the log over before that
    "secure_delete": 0,  # what goes are states of a projection, and the ledger keeps what they say
    "cache_size": -65_536,  # KiB: the tails of all streams stay in memory, none is read again
}
BUSY_MS = 10_000

GUARD = """create trigger if not exists {table}_no_{deed} before {deed} on {table}
begin select raise(abort, '{table} is append-only'); end"""

_RECEIPTS = (
    "select idem, request_sha256, first_seq, last_seq, count, answer, checkpoint_size"
    " from receipt where idem in (select value from json_each(?))"
)
_ENTER_ONE = (
    f"select ({SIZE}), idem, request_sha256, first_seq, last_seq, count, answer, checkpoint_size"
    " from (select 1) left join receipt on idem = ?"
)
_INSERT_ENTRY = (
    "insert into entry(seq, stream, ver, type, idem, body, leaf) values (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_RECEIPT = (
    "insert into receipt(idem, request_sha256, first_seq, last_seq, count, answer, checkpoint_size)"
    " values (?, ?, ?, ?, ?, ?, ?)"
)


def _run_all(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    if len(rows) == 1:
        run(connection, statement, rows[0])
    elif rows:
        run_many(connection, statement, rows)


class SqliteStore:
    """One SQLite file as the ledger's home."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[bytes] | None = None
        self._writer = create_engine(
            "sqlite://", creator=lambda: self._open("rwc"), poolclass=NullPool
        )
        self._readers = create_engine(
            "sqlite://", creator=lambda: self._open("ro"), poolclass=QueuePool, max_overflow=-1
        )

    def __reduce__(self) -> tuple[type["SqliteStore"], tuple[object]]:
        """Travel to another process as the address alone; nothing open goes along."""
        return SqliteStore, (self.path,)

    @property
    def name(self) -> str:
        return str(self.path)

    def sql(self, statement: str) -> str:
        return statement

    def connect(self) -> Connection:
        """Return the one writing connection, after the lock file was taken."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        was_held = self._lock is not None
        self.hold()
        connection = self._writer.connect()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            if not was_held:
                self.release()
            raise
        return connection

    def _open(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={mode}",
            uri=True,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )

    def _prepare(self, connection: Connection) -> None:
        for pragma, value in PRAGMAS.items():
            connection.exec_driver_sql(f"pragma {pragma}={value}")
            found = connection.exec_driver_sql(f"pragma {pragma}").scalar_one()
            if found != value:
                raise StoreUnsafe(f"{self.name}: {pragma} is {found}, must be {value}.")
        connection.exec_driver_sql("begin immediate")
        Schema("ledger").ready(connection, self.name)
        for table in APPEND_ONLY:
            for deed in ("update", "delete"):
                connection.exec_driver_sql(GUARD.format(table=table, deed=deed))
        connection.commit()

    def hold(self) -> None:
        """Keep every other server out until `release`.

        Raises:
            StoreUnsafe: one is in.
        """
        if self._lock is not None:
            return
        path = self.path.with_name(self.path.name + ".lock")
        file = path.open("ab")
        try:
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            file.close()
            raise StoreUnsafe(
                f"{self.path}: another server writes this ledger, and SQLite allows one."
                " Stop it first, or use PostgreSQL for several."
            ) from fault
        self._lock = file

    def begin(self, connection: Connection) -> None:
        connection.begin()
        run(connection, "begin immediate", ())

    def enter(self, connection: Connection, idems: Sequence[str]) -> tuple[int, list[ReceiptRow]]:
        run(connection, "begin immediate", ())
        if len(idems) == 1:
            [(size, *row)] = fetch(connection, _ENTER_ONE, idems)
            return size, [] if row[0] is None else [ReceiptRow(*row)]
        [(size,)] = fetch(connection, SIZE)
        return size, self.receipts(connection, idems)

    def commit(self, connection: Connection, sealed: Sealed) -> None:
        self.insert_entries(connection, sealed.entries)
        if sealed.checkpoint is not None:
            run(connection, INSERT_CHECKPOINT, sealed.checkpoint)
        _run_all(connection, _INSERT_RECEIPT, sealed.receipts)
        for statement, rows in sealed.others:
            _run_all(connection, statement, rows)
        try:
            self._commit(connection)
        except BaseException as fault:
            raise OutcomeUnknown(reason(fault)) from fault

    def _commit(self, connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        if not isinstance(raw, sqlite3.Connection) or not raw.in_transaction:
            raise StoreFailed("the database gave the transaction up")
        run(connection, "commit", ())
        ended(connection)

    def roll_back(self, connection: Connection) -> None:
        roll_back(connection)

    def receipts(self, connection: Connection, idems: Sequence[str]) -> list[ReceiptRow]:
        return [ReceiptRow(*row) for row in fetch(connection, _RECEIPTS, (json.dumps(idems),))]

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
        _run_all(connection, _INSERT_ENTRY, rows)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if not self.path.is_file():
            raise StoreFailed(f"{self.path} does not exist", "Check the path.")
        try:
            with self._readers.connect() as connection:
                yield connection
        except DBAPIError as fault:
            raise StoreFailed(str(fault.orig), "Read again.") from fault

    def rest(self, connection: Connection) -> None:
        """Carry the log over into the file while nobody waits for a commit."""
        connection.exec_driver_sql("pragma wal_checkpoint(passive)")
        connection.rollback()

    def settle(self, connection: Connection) -> None:
        """Carry the log over into the file, which closing does not do while somebody reads."""
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")

    def release(self) -> None:
        self._writer.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def close(self) -> None:
        self._readers.dispose()
