"""One transaction of the writer: a group of jobs decided, written and sealed by a checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, NestedTransaction
from sqlalchemy.exc import SQLAlchemyError

from core.clock import iso
from core.errors import IdemReused, LedgerBroken
from core.ledger import tables
from core.ledger.audit import check_row
from core.ledger.checkpoint import Checkpoint, LogKey, sign
from core.ledger.driver import fetch
from core.ledger.entry import Entry, canonical, decode, encode
from core.ledger.job import Draft, Hooks, Job, Receipt
from core.ledger.merkle import TILE, Range, leaf_hash, range_of
from core.ledger.tables import EntryRow, Head, ReceiptRow, Sealed, Statement, Store, mapped

type Outcome = Receipt | BaseException

HEADS_KEPT = 100_000
ROTATED, RECOVERED = "key.rotated", "key.recovered"
STEP = 5_000


class KeyChanged(LedgerBroken):
    """Another process handed the log over to a new key; ours has signed its last checkpoint."""

    def __init__(self) -> None:
        super().__init__(
            "Log key: was handed over by another process. Stop this server, put the new log.key"
            " into its folder of keys, and start it again."
        )


@dataclass
class Memory:
    """What the writer knows of the committed ledger; true only under the lock, after catch-up."""

    tree: Range = field(default_factory=Range)
    heads: dict[str, Head] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.tree.size

    def learn(self, heads: dict[str, Head]) -> None:
        """Take over the heads of a committed group."""
        if len(self.heads) > HEADS_KEPT:
            self.heads.clear()
        self.heads.update(heads)


def load(store: Store, connection: Connection) -> Memory:
    """Return the memory of a stored ledger, from tile roots and the leaves after the last tile."""
    size = int(connection.exec_driver_sql(store.sql(tables.SIZE)).scalar_one())
    found = connection.exec_driver_sql(store.sql(tables.TILES), (0,)).fetchall()
    tiles = [bytes(root) for index, root in found if index < size // TILE]
    if len(tiles) != size // TILE:
        raise LedgerBroken(f"Ledger: {len(tiles)} of {size // TILE} tiles. Stop, and call QA.")
    bounds = (len(tiles) * TILE, size)
    leaves = connection.exec_driver_sql(store.sql(tables.LEAVES), bounds).fetchall()
    return Memory(range_of(tiles, (bytes(leaf) for (leaf,) in leaves)))


class _Taken(msgspec.Struct, frozen=True):
    """A job that this group decided: its entries, its answer and that answer's stored text."""

    request_sha256: str
    first_seq: int | None
    last_seq: int | None
    entry_count: int
    answer: dict[str, Any]
    text: str

    def row(self, idem: str, size: int) -> ReceiptRow:
        """Return what is stored of it under a checkpoint of this size."""
        return ReceiptRow(
            idem, self.request_sha256, self.first_seq, self.last_seq, self.entry_count, self.text,
            size,
        )  # fmt: skip


class Group:
    """The view of its jobs, and the writer's pen. It lives for one transaction."""

    def __init__(
        self, store: Store, connection: Connection, key: LogKey, *, hooks: Hooks, memory: Memory
    ) -> None:
        self._store = store
        self._db = connection
        self._key = key
        self._hooks = hooks
        self._memory = memory
        self._heads: dict[str, Head] = {}
        self._rows: list[EntryRow] = []
        self._entries: list[Entry] = []
        self._written = 0
        self._known: dict[str, ReceiptRow] = {}
        self._new: dict[str, _Taken] = {}
        self._job: Job | None = None
        self._start = 0
        self._is_told = False  # whether the hooks have heard of the present job
        self._at: datetime | None = None
        self._at_text = ""
        self._savepoint: NestedTransaction | None = None
        self._tree = memory.tree

    # What a job and the hooks see (core.ledger.job.View).

    @property
    def connection(self) -> Connection:
        if self._job is None:
            self._write()
            return self._db
        if self._savepoint is None:
            self._write(self._start)  # earlier jobs stay when this one is undone
            self._savepoint = self._db.begin_nested()
        self._write()
        return self._db

    @property
    def at(self) -> datetime:
        assert self._job is not None, "only a job has an instant"
        if self._at is None:
            self._at = self._job.at()
        return self._at

    @property
    def size(self) -> int:
        return self._memory.size + len(self._rows)

    def head(self, stream: str) -> Head | None:
        return self._heads.get(stream) or self._memory.heads.get(stream) or self._look_up(stream)

    def _look_up(self, stream: str) -> Head | None:
        for ver, leaf in fetch(self._db, self._store.sql(tables.HEAD), (stream,)):
            found = self._memory.heads[stream] = Head(ver, bytes(leaf).hex())
            return found
        return None

    def stream(self, stream: str) -> list[Entry]:
        if self.head(stream) is None:
            return []
        rows = self._db.exec_driver_sql(self._store.sql(tables.STREAM), (stream,)).fetchall()
        unwritten = self._entries[self._written :]
        return [decode(body) for (body,) in rows] + [e for e in unwritten if e.stream == stream]

    # What the writer does with it.

    def enter(self, jobs: Sequence[Job]) -> None:
        """Begin the transaction, catch up, and look up which of the jobs were committed before.

        Raises:
            LedgerBroken: what other processes committed does not continue what we know.
        """
        size, receipts = self._store.enter(self._db, [job.idem for job in jobs])
        self._known = {row.idem: row for row in receipts}
        self._catch_up(size)

    def _catch_up(self, size: int) -> None:
        start = self._memory.size
        if size < start:
            raise LedgerBroken(f"Ledger: {start} entries were committed, {size} are stored.")
        while self._memory.size < size:
            for row in self._stored(self._memory.size):
                check_row(row, self._memory.size + 1)
                self._memory.tree.add(row.leaf)
                self._memory.heads[row.stream] = Head(row.ver, row.leaf.hex())
        if size > start:
            newest = self.newest_checkpoint()
            if newest is None or newest[:2] != (size, self._memory.tree.root()):
                raise LedgerBroken(f"Ledger: entries {start + 1} to {size} lead to another root.")
            self.tell_foreign(start)

    def tell_foreign(self, after: int) -> None:
        """Hand the entries above `after` to the hooks."""
        while after < self._memory.size:
            found = [decode(row.body) for row in self._stored(after)]
            if any(one.type in (ROTATED, RECOVERED) for one in found):
                raise KeyChanged
            self._hooks.foreign(self, found)
            after += len(found)

    def _stored(self, after: int) -> list[EntryRow]:
        query = self._store.sql(tables.ROWS)
        found = self._db.exec_driver_sql(query, (after, STEP)).fetchall()
        return [EntryRow(*row) for row in found]

    def newest_checkpoint(self) -> Checkpoint | None:
        row = self._db.exec_driver_sql(self._store.sql(tables.NEWEST_CHECKPOINT)).fetchone()
        return None if row is None else Checkpoint(row[0], bytes(row[1]), row[2])

    def take(self, job: Job) -> BaseException | None:
        """Decide one job and append what it decides; or undo it, and return what it raised."""
        known = self._known.get(job.idem) or self._new.get(job.idem)
        if known is not None:
            is_same = known.request_sha256 == job.request_sha256
            return None if is_same else IdemReused(job.idem)
        rows, start = self._rows, len(self._rows)
        self._job, self._at, self._at_text, self._start = job, None, "", start
        self._is_told = False
        try:
            decision = job.decide(self)
            answer = canonical(decision.answer).decode("utf-8") if decision.answer else "{}"
            for draft in decision.drafts:
                self._append(job, draft)
            if decision.drafts:
                self._is_told = True
                self._hooks.appended(self, self._entries[start:])
            if self._savepoint is not None:
                self._write()
                self._savepoint.commit()
        except BaseException as fault:  # the caller of this job gets it, whatever it is
            if self._savepoint is None and isinstance(fault, SQLAlchemyError):
                raise  # the database may have rolled back more than this job
            self._undo()
            return fault
        finally:
            self._job = self._savepoint = None
        end = len(rows)
        first, last = (rows[start].seq, rows[-1].seq) if end > start else (None, None)
        self._new[job.idem] = _Taken(
            job.request_sha256, first, last, end - start, decision.answer, answer
        )
        return None

    def _undo(self) -> None:
        """Take back the present job: its rows, its heads, and what the hooks heard of it."""
        if self._savepoint is not None:
            self._savepoint.rollback()
        undone = self._rows[self._start :]
        del self._rows[self._start :]
        del self._entries[self._start :]
        self._written = min(self._written, self._start)
        streams = frozenset(row.stream for row in undone)
        for stream in streams:
            del self._heads[stream]
        for row in self._rows:
            if row.stream in streams:
                self._heads[row.stream] = Head(row.ver, row.leaf.hex())
        if self._is_told:
            self._job = None
            self._hooks.dropped(streams)

    def _append(self, job: Job, draft: Draft) -> None:
        stream = draft.stream
        head = self.head(stream)
        ver, prev = (1, None) if head is None else (head.ver + 1, head.leaf)
        seq = self._memory.tree.size + len(self._rows) + 1
        self._at_text = self._at_text or iso(self.at)
        entry = Entry(
            seq=seq, stream=stream, ver=ver, prev=prev, type=draft.type, v=draft.v,
            at=self._at_text, actor=job.actor, station=job.station, idem=job.idem,
            reason=draft.reason, data=draft.data,
        )  # fmt: skip
        body = encode(entry)
        leaf = leaf_hash(body)
        self._rows.append(EntryRow(seq, stream, ver, draft.type, job.idem, body, leaf))
        self._entries.append(entry)
        self._heads[stream] = Head(ver, leaf.hex())

    def _write(self, upto: int | None = None) -> None:
        """Insert what is decided and not yet in the transaction."""
        end = len(self._rows) if upto is None else upto
        if end > self._written:
            self._store.insert_entries(self._db, self._rows[self._written : end])
            self._written = end

    def seal(self) -> Sealed:
        """Return all that the group decided and that is not yet in the transaction.

        Its signed checkpoint, where the group grew, leaves this process only after the commit.
        """
        checkpoint, tiles = None, list[tuple[int, bytes]]()
        if self._rows:
            self._tree = self._memory.tree.copy()
            for row in self._rows:
                tile = self._tree.add(row.leaf)
                if tile is not None:
                    tiles.append((self._tree.size // TILE - 1, tile))
            checkpoint = sign(self._key, self._tree.size, self._tree.root())
        size = self._tree.size
        receipts = [one.row(idem, size) for idem, one in self._new.items()]
        others = [*self._hooks.flush(self)]
        if tiles:
            others.append(Statement(tables.INSERT_TILE, tiles))
        return Sealed(self._rows[self._written :], receipts, checkpoint, others)

    def committed(self) -> None:
        """Carry the group into the writer's memory."""
        self._memory.tree = self._tree
        self._memory.learn(self._heads)

    def receipts(
        self, jobs: Sequence[Job], faults: Sequence[BaseException | None]
    ) -> list[Outcome]:
        """Return each job's receipt, or what it raised; only the first of an id is no replay."""
        outcomes: list[Outcome] = []
        answered: set[str] = set()
        for job, fault in zip(jobs, faults, strict=True):
            idem = job.idem
            if fault is not None:
                outcomes.append(mapped(fault))
            elif (one := self._new.get(idem)) is None:
                outcomes.append(as_receipt(self._known[idem], replayed=True))
            else:
                outcomes.append(self._receipt(idem, one, replayed=idem in answered))
                answered.add(idem)
        return outcomes

    def _receipt(self, idem: str, one: _Taken, *, replayed: bool) -> Receipt:
        answer = msgspec.json.decode(one.text) if replayed else one.answer
        return Receipt(
            idem, one.first_seq, one.last_seq, one.entry_count, answer, replayed, self._tree.size
        )


def as_receipt(row: ReceiptRow, *, replayed: bool) -> Receipt:
    """Return the receipt in a stored row."""
    answer = msgspec.json.decode(row.answer)
    return Receipt(
        row.idem, row.first_seq, row.last_seq, row.entry_count, answer, replayed,
        row.checkpoint_size,
    )  # fmt: skip
