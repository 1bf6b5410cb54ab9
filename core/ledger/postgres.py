"""The ledger in a PostgreSQL database of its own: any number of processes.

Order comes from one advisory lock per transaction, taken in its own statement under READ
COMMITTED: under a stricter isolation the snapshot would be older than the wait, and `max(seq)`
stale. The lock ends with the transaction, however that ends.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from core.ledger.arrays import Array, Bigints, Blobs, Texts, register
from core.ledger.checkpoint import Checkpoint
from core.ledger.driver import driving, ended, fetch, roll_back, run
from core.ledger.tables import (
    APPEND_ONLY,
    INSERT_CHECKPOINT,
    SIZE,
    EntryRow,
    OutcomeUnknown,
    ReceiptRow,
    StoreFailed,
    StoreUnsafe,
    reason,
)
from core.migrations.schema import Schema

OPEN = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})
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

_LOCK = "select pg_advisory_xact_lock(%s)"
_RECEIPT = "idem, request_sha256, first_seq, last_seq, count, answer, checkpoint_size"
_RECEIPTS = f"select {_RECEIPT} from receipt where idem = any(%s)"
_ENTER = f"select ({SIZE}), {_RECEIPT} from (select 1) as one left join receipt on idem = any(%s)"
_UNNEST = "select * from unnest(%s, %s, %s, %s, %s, %s, %s)"
_INSERT_ENTRIES = f"insert into entry(seq, stream, ver, type, idem, body, leaf) {_UNNEST}"
_INSERT_RECEIPTS = f"insert into receipt({_RECEIPT}) {_UNNEST}"
_INSERT_GROUP = (
    f"with entries as ({_INSERT_ENTRIES}),"
    f" sealed as ({INSERT_CHECKPOINT.replace('?', '%s')}) {_INSERT_RECEIPTS}"
)


def _entries(rows: Sequence[EntryRow]) -> tuple[Array, ...]:
    seq, stream, ver, kind, idem, body, leaf = zip(*rows, strict=True)
    return (
        Bigints(seq), Texts(stream), Bigints(ver), Texts(kind), Texts(idem), Blobs(body),
        Blobs(leaf),
    )  # fmt: skip


def _receipts(rows: Sequence[ReceiptRow]) -> tuple[Array, ...]:
    idem, sha256, first, last, count, answer, size = zip(*rows, strict=True)
    return (
        Texts(idem), Texts(sha256), Bigints(first), Bigints(last), Bigints(count), Texts(answer),
        Bigints(size),
    )  # fmt: skip


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
        self._writer = create_engine(self.url, isolation_level="READ COMMITTED", poolclass=NullPool)
        self._readers = create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            connect_args={"options": "-c default_transaction_read_only=on"},
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

    def _prepare(self, connection: Connection) -> None:
        for setting, value in TIMEOUTS.items():
            connection.exec_driver_sql(f"set {setting} = '{value}'")
        for setting, safe in SETTINGS.items():
            found = connection.exec_driver_sql(f"show {setting}").scalar_one()
            if found not in safe:
                wanted = " or ".join(sorted(safe))
                raise StoreUnsafe(
                    f"{self.name}: {setting} is {found}, must be {wanted}."
                    " Change the server's configuration."
                )
        connection.commit()
        with driving(connection) as raw:
            register(raw.adapters)
        self.begin(connection)
        Schema("ledger").ready(connection, self.name)
        connection.commit()

    def begin(self, connection: Connection) -> None:
        connection.begin()
        run(connection, _LOCK, (LOCK_KEY,))

    def enter(self, connection: Connection, idems: Sequence[str]) -> tuple[int, list[ReceiptRow]]:
        """One round trip; each statement is its own, and sees what was committed before it."""
        with driving(connection) as raw, raw.pipeline():
            raw.execute(_LOCK, (LOCK_KEY,))
            found = raw.execute(_ENTER, (Texts(idems),)).fetchall()
        receipts = [ReceiptRow(*row) for _, *row in found if row[0] is not None]
        return int(found[0][0]), receipts

    def commit(self, connection: Connection, write: Callable[[], None]) -> None:
        """One round trip: the server skips COMMIT after a statement that it refused."""
        with driving(connection) as raw:
            try:
                with raw.pipeline():
                    write()
                    done = raw.execute("commit")
            except BaseException as fault:
                if raw.closed or raw.info.transaction_status not in OPEN:
                    raise OutcomeUnknown(reason(fault)) from fault
                raise
        if done.statusmessage != "COMMIT":
            raise StoreFailed("the database gave the transaction up")
        ended(connection)

    def roll_back(self, connection: Connection) -> None:
        roll_back(connection)

    def receipts(self, connection: Connection, idems: Sequence[str]) -> list[ReceiptRow]:
        return [ReceiptRow(*row) for row in fetch(connection, _RECEIPTS, (Texts(idems),))]

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
        run(connection, _INSERT_ENTRIES, _entries(rows))

    def insert_receipts(self, connection: Connection, rows: Sequence[ReceiptRow]) -> None:
        run(connection, _INSERT_RECEIPTS, _receipts(rows))

    def insert(
        self,
        connection: Connection,
        entries: Sequence[EntryRow],
        receipts: Sequence[ReceiptRow],
        *,
        checkpoint: Checkpoint,
    ) -> None:
        values = (*_entries(entries), *checkpoint, *_receipts(receipts))
        run(connection, _INSERT_GROUP, values)

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
