"""What the ledger is compared with: the raw disk, a bare group commit, another event store."""

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.command_id import new_command_id
from core.ledger.answer import Answer
from core.ledger.checkpoint import LogKey, sign
from core.ledger.entry import Entry, encode
from core.ledger.inbox import Inbox
from core.ledger.merkle import leaf_hash
from core.ledger.sqlite import PRAGMAS
from core.ledger.store import ReceiptRow, Store
from core.ledger.tables import SIZE, EntryRow, Sealed
from core.ledger.writer import GROUP_LIMIT, LINGER_PERCENT
from dashboards.bench.measure import Append

BLOCK = 4096
WAIT_S = 60
DIGEST = "0" * 64


def body_of(seq: int, stream: str, *, ver: int = 1, prev: str | None = None) -> bytes:
    """Return the stored bytes of an entry as large as a real weighing."""
    data = {
        "batch": "B26-0178", "step": "dispense-3", "material": "PARACETAMOL", "lot": "L26-0001",
        "container": "C-000123", "net_g": "1000.50", "low_g": "995.00", "high_g": "1005.00",
        "n": seq,
    }  # fmt: skip
    return encode(
        Entry(
            seq=seq, stream=stream, ver=ver, prev=prev, type="weighing.weight-recorded", v=1,
            at="2026-03-02T08:15:00.000000Z", actor="ama", station="K1", idem=f"k1:{seq}",
            reason=None, data=data,
        )
    )  # fmt: skip


@contextmanager
def raw_probe(folder: Path) -> Iterator[Append]:
    """Append one block to a file and wait for the disk: what any durable append costs."""
    descriptor = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sync = getattr(os, "fdatasync", os.fsync)
    block = bytes(BLOCK)

    def append(key: str) -> None:
        os.write(descriptor, block)
        sync(descriptor)

    try:
        yield append
    finally:
        os.close(descriptor)


@contextmanager
def bare_row(path: Path) -> Iterator[Append]:
    """Commit one row of an entry's size with the driver itself."""
    made = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma, value in PRAGMAS.items():
        made.execute(f"pragma {pragma}={value}")
    made.execute("create table bare(seq integer primary key, body blob) strict")
    body = body_of(1, "batch/B1")

    def append(call: str) -> None:
        made.execute("begin immediate")
        made.execute("insert into bare(body) values (?)", (body,))
        made.execute("commit")

    try:
        yield append
    finally:
        made.close()


class _Call(Answer[None]):
    __slots__ = ("stream",)

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.stream = stream


class _Rows:
    """What the ledger writes of calls, in the same streams, without thinking.

    Each caller has a stream that grows, as in the ledger: where its entries lie in the index of
    streams is a part of what they cost. Without a key only entries are written. With one, all that
    the ledger writes: command ids are looked up, receipts kept, and one checkpoint signed.
    """

    def __init__(self, store: Store, key: LogKey | None) -> None:
        self._store, self._key = store, key
        self._connection = store.connect()
        self._seq = int(self._connection.exec_driver_sql(store.sql(SIZE)).scalar_one())
        self._connection.commit()
        self._vers: dict[str, int] = {}
        self._run = uuid.uuid4().hex
        self._body = body_of(1, "batch/B1")
        self._leaf = leaf_hash(self._body)

    def stream(self, call: str) -> str:
        """Return the stream of the caller before the dot."""
        return f"batch/{self._run}-{call.split('.')[0]}"

    def commit(self, streams: Sequence[str]) -> None:
        """Write one entry in each of these streams, and commit once."""
        if self._key is None:
            rows = [self._row(stream, None) for stream in streams]
            self._store.begin(self._connection)
            self._store.commit(self._connection, Sealed(rows, (), None))
            return
        ids = [new_command_id() for _ in streams]
        self._store.enter(self._connection, ids)
        rows = [self._row(*one) for one in zip(streams, ids, strict=True)]
        note = sign(self._key, self._seq, self._leaf)
        receipts = [
            ReceiptRow(idem, DIGEST, row.seq, row.seq, 1, "{}", note.size)
            for idem, row in zip(ids, rows, strict=True)
        ]
        self._store.commit(self._connection, Sealed(rows, receipts, note))

    def _row(self, stream: str, idem: str | None) -> EntryRow:
        self._seq += 1
        ver = self._vers[stream] = self._vers.get(stream, 0) + 1
        return EntryRow(self._seq, stream, ver, "bare", idem, self._body, self._leaf)

    def close(self) -> None:
        self._connection.close()
        self._store.release()
        self._store.close()


@contextmanager
def kept_rows(store: Store, key: LogKey) -> Iterator[Append]:
    """Write for each call, alone and at once, every row that the ledger writes."""
    rows = _Rows(store, key)
    try:
        yield lambda call: rows.commit([rows.stream(call)])
    finally:
        rows.close()


@contextmanager
def bare_group(store: Store, key: LogKey | None = None) -> Iterator[Append]:
    """Insert what waits and commit once: the ledger without links, tree, ids and signature.

    It gathers and answers its callers as the ledger does, so that both share a sync among as many.
    With a key it writes every row that the ledger does, looks the command ids up, and signs once
    a commit: what is left out is only what is thought between the rows.
    """
    inbox, rows = Inbox[_Call](), _Rows(store, key)

    def work() -> None:
        last, took_ns, goes_on = 1, 0, True
        while goes_on:
            inbox.wait(1)
            if last > 1:
                inbox.wait(last, took_ns * LINGER_PERCENT // 100)
            group, goes_on = inbox.take(GROUP_LIMIT)
            if group:
                start = time.monotonic_ns()
                rows.commit([one.stream for one in group])
                for one in group:
                    one.set_result(None)
                last, took_ns = len(group), time.monotonic_ns() - start

    def append(call: str) -> None:
        waiting = _Call(rows.stream(call))
        inbox.put(waiting)
        waiting.result(WAIT_S)

    thread = threading.Thread(target=work, daemon=True)
    inbox.open()
    thread.start()
    try:
        yield append
    finally:
        inbox.close()
        thread.join()
        rows.close()


@contextmanager
def eventsourcing_sqlite(path: Path) -> Iterator[Append]:
    """The `eventsourcing` library's recorder in a SQLite file.

    Raises:
        ImportError: the library is not installed.
    """
    from eventsourcing.sqlite import (  # noqa: PLC0415
        SQLiteApplicationRecorder,
        SQLiteDatastore,
    )

    store = SQLiteDatastore(str(path), lock_timeout=WAIT_S, pool_timeout=WAIT_S)
    recorder = SQLiteApplicationRecorder(store)
    recorder.create_table()
    try:
        yield _recording(recorder)
    finally:
        store.close()


@contextmanager
def eventsourcing_postgres(url: object, callers: int) -> Iterator[Append]:
    """The same library's recorder in a PostgreSQL database.

    Raises:
        ImportError: the library, or the connection pool that it needs, is not installed.
    """
    from eventsourcing.postgres import (  # noqa: PLC0415
        PostgresApplicationRecorder,
        PostgresDatastore,
    )

    host = getattr(url, "host", None) or getattr(url, "query", {}).get("host", "localhost")
    store = PostgresDatastore(
        dbname=str(getattr(url, "database", "")),
        host=str(host),
        port=getattr(url, "port", None) or 5432,
        user=str(getattr(url, "username", None) or "postgres"),
        password=str(getattr(url, "password", None) or ""),
        pool_size=callers,
        max_waiting=callers,
    )
    recorder = PostgresApplicationRecorder(store)
    recorder.create_table()
    try:
        yield _recording(recorder)
    finally:
        store.close()


def _recording(recorder: object) -> Append:
    from eventsourcing.persistence import StoredEvent  # noqa: PLC0415

    body, insert = body_of(1, "batch/B1"), recorder.insert_events  # type: ignore[attr-defined]

    def append(key: str) -> None:
        insert([StoredEvent(uuid.uuid4(), 1, "weighing.weight-recorded", body)])

    return append
