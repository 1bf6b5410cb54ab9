"""The ledger in a PostgreSQL database of its own: any number of processes.

Order comes from one advisory lock per transaction, taken in its own statement under READ
COMMITTED: under a stricter isolation the snapshot would be older than the wait, and `max(seq)`
stale. The lock ends with the transaction, however that ends.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from core.ledger import reach
from core.ledger.arrays import Array, bigints, blobs, texts
from core.ledger.driver import driving, ended, roll_back, run
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
from core.ledger.wire import Command, Value, Wire, texts_of
from core.migrations.schema import Schema

LOCK_KEY = 4_776_412_079_263_158_337  # one constant per database, never a hash of a text
TIMEOUTS: Final = {
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "statement_timeout": "0",
}
SETTINGS: Final = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "remote_write", "remote_apply"},
    "transaction_isolation": {"read committed"},
}

UNCHECKED = (
    "data_checksums is off: the server does not see a bit that its disk changes. In an entry its"
    " hash shows it; in the states that screens read, only the comparison on Audit does. With the"
    " server stopped, run: pg_checksums --enable"
)

_log = logging.getLogger("batchwright.ledger")
_BEGIN = Command("BEGIN ISOLATION LEVEL READ COMMITTED")
_LOCKED = Command("select pg_advisory_xact_lock(?::bigint)", (LOCK_KEY,))
_COMMIT = Command("COMMIT")
_RECEIPT = "idem, request_sha256, first_seq, last_seq, count, answer, checkpoint_size"
_RECEIPTS = f"select {_RECEIPT} from receipt where idem = any(?::text[])"
_ENTER = (
    f"select ({SIZE}), {_RECEIPT} from (select 1) as one left join receipt on idem = any(?::text[])"
)
_INSERT_ENTRIES = (
    "insert into entry(seq, stream, ver, type, idem, body, leaf) select * from unnest("
    "?::bigint[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::bytea[], ?::bytea[])"
)
_INSERT_RECEIPTS = (
    f"insert into receipt({_RECEIPT}) select * from unnest(?::text[], ?::text[], ?::bigint[],"
    " ?::bigint[], ?::bigint[], ?::text[], ?::bigint[])"
)
_INSERT_GROUP = (
    f"with entries as ({_INSERT_ENTRIES}), sealed as ({INSERT_CHECKPOINT}) {_INSERT_RECEIPTS}"
)


def _entries(rows: Sequence[EntryRow]) -> tuple[Array, ...]:
    seq, stream, ver, kind, idem, body, leaf = zip(*rows, strict=True)
    return (
        bigints(seq), texts(stream), bigints(ver), texts(kind), texts(idem), blobs(body),
        blobs(leaf),
    )  # fmt: skip


def _receipts(rows: Sequence[ReceiptRow]) -> tuple[Array, ...]:
    idem, sha256, first, last, count, answer, size = zip(*rows, strict=True)
    return (
        texts(idem), texts(sha256), bigints(first), bigints(last), bigints(count), texts(answer),
        bigints(size),
    )  # fmt: skip


def _commands(sealed: Sealed) -> Iterator[Command]:
    """Return what a transaction writes; a group that was not written ahead is one statement."""
    entries, receipts, checkpoint, others = sealed
    if entries and receipts and checkpoint is not None:
        values: list[Value] = [*_entries(entries), *checkpoint, *_receipts(receipts)]
        yield Command(_INSERT_GROUP, values)
    else:
        if entries:
            yield Command(_INSERT_ENTRIES, _entries(entries))
        if checkpoint is not None:
            yield Command(INSERT_CHECKPOINT, checkpoint)
        if receipts:
            yield Command(_INSERT_RECEIPTS, _receipts(receipts))
    for statement, rows in others:
        for row in rows:
            yield Command(statement, row)


def _found(row: Sequence[str | None]) -> ReceiptRow:
    idem, sha256, first, last, count, answer, size = row
    assert idem is not None and sha256 is not None and answer is not None  # noqa: PT018
    return ReceiptRow(
        idem, sha256, None if first is None else int(first), None if last is None else int(last),
        int(count or 0), answer, int(size or 0),
    )  # fmt: skip


def has_checksums(connection: Connection) -> bool:
    """Return whether the server sees a page that its disk changed."""
    return bool(connection.exec_driver_sql("show data_checksums").scalar_one() == "on")


def grants(role: str) -> tuple[str, ...]:
    """Return the statements that let a role append and read, and do nothing else.

    The owner of the tables can drop triggers, so the server must not run as the owner.
    """
    quoted = '"' + role.replace('"', '""') + '"'
    appended = (f"grant select, insert on {table} to {quoted}" for table in (*APPEND_ONLY, "tile"))
    return (*appended, f"grant select on schema_ledger to {quoted}")


class PostgresStore:
    """One PostgreSQL database as the ledger's home."""

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self._is_known = False
        self._writer = create_engine(
            self.url,
            isolation_level="READ COMMITTED",
            poolclass=NullPool,
            connect_args=reach.arguments(self.url),
        )
        self._readers = create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            connect_args=reach.arguments(self.url, options="-c default_transaction_read_only=on"),
        )

    def __reduce__(self) -> tuple[type["PostgresStore"], tuple[object]]:
        """Travel to another process as the address alone; nothing open goes along."""
        return PostgresStore, (self.url,)

    @property
    def name(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def connect(self) -> Connection:
        """Return a writing connection; the schema is made by the first process that comes."""
        connection = self._writer.connect()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self, connection: Connection) -> None:
        """Set how long this connection waits, and refuse a server that may lose entries.

        Raises:
            StoreUnsafe: one of its settings is not as it must be.
        """
        for setting, value in (TIMEOUTS | reach.SERVERS).items():
            connection.exec_driver_sql(f"set {setting} = '{value}'")
        for setting, safe in SETTINGS.items():
            found = connection.exec_driver_sql(f"show {setting}").scalar_one()
            if found not in safe:
                wanted = " or ".join(sorted(safe))
                raise StoreUnsafe(
                    f"{self.name}: {setting} is {found}, must be {wanted}."
                    " Change the server's configuration."
                )

    def _prepare(self, connection: Connection) -> None:
        self.check(connection)
        if not self._is_known and not has_checksums(connection):
            _log.warning("database without checksums where=%s %s", self.name, UNCHECKED)
        self._is_known = True
        connection.commit()
        with driving(connection) as raw:
            connection.info["wire"] = Wire(raw)
        self.begin(connection)
        Schema("ledger").ready(connection, self.name)
        connection.commit()

    def begin(self, connection: Connection) -> None:
        connection.begin()
        run(connection, "select pg_advisory_xact_lock(%s)", (LOCK_KEY,))

    def enter(self, connection: Connection, idems: Sequence[str]) -> tuple[int, list[ReceiptRow]]:
        """One round trip; each statement is its own, and sees what was committed before it."""
        with driving(connection):
            sent = self._wire(connection).send(_BEGIN, _LOCKED, Command(_ENTER, (texts(idems),)))
        found = texts_of(sent[-1])
        return int(found[0][0] or 0), [_found(row) for _, *row in found if row[0] is not None]

    def commit(self, connection: Connection, sealed: Sealed) -> None:
        """One round trip: the server skips COMMIT after a statement that it refused."""
        wire = self._wire(connection)
        with driving(connection):
            try:
                done = wire.send(*_commands(sealed), _COMMIT)[-1]
            except BaseException as fault:
                if not wire.is_open:
                    raise OutcomeUnknown(reason(fault)) from fault
                raise
        if done.command_status != b"COMMIT":
            raise StoreFailed("the database gave the transaction up")
        ended(connection)

    @staticmethod
    def _wire(connection: Connection) -> Wire:
        wire = connection.info["wire"]
        assert isinstance(wire, Wire)
        return wire

    def roll_back(self, connection: Connection) -> None:
        roll_back(connection)

    def receipts(self, connection: Connection, idems: Sequence[str]) -> list[ReceiptRow]:
        with driving(connection):
            [sent] = self._wire(connection).send(Command(_RECEIPTS, (texts(idems),)))
        return [_found(row) for row in texts_of(sent)]

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
        with driving(connection):
            self._wire(connection).send(Command(_INSERT_ENTRIES, _entries(rows)))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        try:
            with self._readers.connect() as connection:
                yield connection
        except DBAPIError as fault:
            raise StoreFailed(str(fault.orig), "Read again.") from fault

    def rest(self, connection: Connection) -> None:
        pass

    def settle(self, connection: Connection) -> None:
        pass

    def release(self) -> None:
        self._writer.dispose()

    def close(self) -> None:
        self._readers.dispose()
