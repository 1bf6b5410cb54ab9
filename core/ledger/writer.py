"""The writer: one thread at a time of a process appends, many commands per commit.

It gathers waiting jobs into a group, takes the database's exclusive lock, catches up with other
processes, decides each job against current state, writes entries, projections, receipts and one
signed checkpoint, commits once, copies the checkpoint outside, and then answers every caller. A
command answered is on disk. A job that raises fails alone.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from core.clock import iso
from core.errors import IdemReused, LedgerBroken
from core.ledger import tables
from core.ledger.anchor import AnchorFolder
from core.ledger.answer import Answer
from core.ledger.audit import check_anchors, check_checkpoint, rows
from core.ledger.checkpoint import Checkpoint, LogKey, Verifier
from core.ledger.entry import check_name
from core.ledger.group import Group, Memory, Outcome, as_receipt, load
from core.ledger.inbox import Inbox
from core.ledger.job import Decision, Draft, Hooks, Job, NoHooks, Receipt, View
from core.ledger.store import Ledger
from core.ledger.tables import Head, OutcomeUnknown, Store, StoreFailed, mapped, reason

__all__ = [
    "Decision", "Draft", "Head", "Hooks", "Job", "NoHooks", "Receipt", "View", "Writer",
]  # fmt: skip
GROUP_LIMIT = 256
START_CHECK = 10_000  # entries read again at every start; the nightly audit reads all
LINGER_PERCENT = 30  # of what the last group took, and only for callers seen a moment ago
REST_AFTER_NS = 1_000_000_000

_log = logging.getLogger("batchwright.ledger")


class _Pending(Answer[Receipt]):
    __slots__ = ("job",)

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class _Anchoring(Answer[None]):
    __slots__ = ("row",)

    def __init__(self, row: tables.AnchorRow) -> None:
        super().__init__()
        self.row = row


class Writer:
    """The only way to append to a ledger.

    `listeners` are called with the last committed `seq` after each commit, one commit at a time:
    they hand over and return.
    """

    def __init__(
        self,
        store: Store,
        key: LogKey,
        hooks: Hooks,
        *,
        anchor_dir: Path | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        """`verifier` is the key's public half with the keys before it, where there were any."""
        self.store = store
        self.listeners: list[Callable[[int], None]] = []
        self._key, self._verifier = key, verifier or key.verifier
        self._hooks = hooks
        self._anchors = AnchorFolder(anchor_dir) if anchor_dir is not None else None
        self._inbox: Inbox[_Pending | _Anchoring] = Inbox()
        self._broken: LedgerBroken | None = None
        self._connection: Connection | None = None
        self._memory = Memory()
        self._thread: Thread | None = None
        self._turn = Lock()  # who holds it is the writer; all below is theirs
        self._last_group = 1
        self._last_took_ns = 0
        self._is_rested = True

    def start(self) -> None:
        """Open the ledger, check it against its checkpoint and its anchors, and start to write.

        Raises:
            LedgerBroken: the stored evidence does not hold, or the store would lose entries.
            StoreFailed: the database does not answer.
        """
        try:
            self._connect()
        except SQLAlchemyError as fault:
            self._disconnect()
            self.store.release()
            raise StoreFailed(reason(fault), "Start the database, then start again.") from fault
        except BaseException:
            self._disconnect()
            self.store.release()
            raise
        if self._anchors is not None:
            self._anchors.start()
        self._thread = Thread(target=self._run, name="ledger-writer", daemon=True)
        self._inbox.open()
        self._thread.start()

    def close(self) -> None:
        """Write what waits, then stop; later jobs are refused."""
        was_open = self._inbox.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        try:
            if self._anchors is not None:
                self._anchors.close()
        finally:
            with self._turn:
                if self._connection is not None and was_open:
                    with suppress(SQLAlchemyError):  # everything is committed already
                        self.store.settle(self._connection)
                self._disconnect()
            self.store.release()

    def submit(self, job: Job) -> Answer[Receipt]:
        """Queue a job; the answer is its receipt once it is on disk, or what it raised.

        Raises:
            NotCanonical: the command id is no plain text.
            StoreFailed: the writer is stopped.
        """
        check_name(job.idem, "idem")
        pending = _Pending(job)
        self._put(pending)
        return pending

    def carry_out(self, job: Job, seconds: int) -> Receipt:
        """Return the receipt of a job once it is on disk, or raise what it raised.

        Where no other job is about, the caller's own thread does the writer's work: to wake
        another thread and wait for it can take as long as the disk.

        Raises:
            NotCanonical: the command id is no plain text.
            StoreFailed: the writer is stopped.
            TimeoutError: there is no answer yet; its outcome can be asked for with the same id.
        """
        if self._last_group > 1 or not self._turn.acquire(blocking=False):
            return self.submit(job).result(seconds)
        alone = None
        try:
            if self._inbox.is_open and self._inbox.is_empty:
                check_name(job.idem, "idem")
                alone = _Pending(job)
                self._process([alone])
        finally:
            self._turn.release()
        return self.submit(job).result(seconds) if alone is None else alone.result(seconds)

    def record_anchor(self, size: int, place: str, receipt: str, *, at: datetime) -> Answer[None]:
        """Keep the proof that a place outside holds the checkpoint of this size."""
        item = _Anchoring(tables.AnchorRow(size, place, receipt, iso(at)))
        self._put(item)
        return item

    def _put(self, item: _Pending | _Anchoring) -> None:
        if not self._inbox.put(item):
            raise StoreFailed("the writer is stopped", "Wait for the server to start.")

    # The thread, or a caller that is alone.

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            pending, goes_on = self._gather()
            with self._turn:
                self._process(pending)

    def _gather(self) -> tuple[list[_Pending | _Anchoring], bool]:
        """Return the next group, and whether more can come.

        The callers of the last group come back within moments of their answer; waiting for them
        for a part of what that group took makes groups larger and everyone faster.
        """
        while self._inbox.is_open and self._inbox.is_empty:
            self._inbox.wait(1, REST_AFTER_NS)
            if self._inbox.is_empty:
                with self._turn:
                    self._rest()
        if self._last_group > 1:
            self._inbox.wait(self._last_group, self._last_took_ns * LINGER_PERCENT // 100)
        return self._inbox.take(GROUP_LIMIT)

    def _rest(self) -> None:
        if self._is_rested or self._connection is None:
            return
        self._is_rested = True
        try:
            self.store.rest(self._connection)
        except SQLAlchemyError:
            self._disconnect()

    def _process(self, items: Sequence[_Pending | _Anchoring]) -> None:
        try:
            self._answer(items)
        except BaseException as fault:  # what hooks remember may be of no commit: it ends here
            self._broken = tables.WriterStopped(fault)
            _log.critical("%s", self._broken, exc_info=True)
            self._disconnect()
        finally:
            for item in items:  # no caller is ever left waiting
                if not item.done():
                    item.set_exception(self._broken or StoreFailed("the writer stopped"))

    def _answer(self, items: Sequence[_Pending | _Anchoring]) -> None:
        pending = [item for item in items if isinstance(item, _Pending)]
        anchoring = [item for item in items if isinstance(item, _Anchoring)]
        for proof in anchoring:
            self._anchor_row(proof)
        if not pending:
            return
        start, size = time.monotonic_ns(), self._memory.size
        outcomes = self._outcomes([item.job for item in pending])
        self._last_group, self._last_took_ns = len(pending), time.monotonic_ns() - start
        self._is_rested = False
        for item, outcome in zip(pending, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                item.set_exception(outcome)
            else:
                item.set_result(outcome)
        if self._memory.size > size:
            self._tell(self._memory.size)

    def _tell(self, seq: int) -> None:
        for listener in self.listeners:
            try:
                listener(seq)
            except Exception:  # a listener must not stop the plant
                _log.exception("ledger listener failed seq=%d", seq)

    def _outcomes(self, jobs: Sequence[Job], *, is_retry: bool = False) -> list[Outcome]:
        """Return each job's receipt or fault; a group that fails is taken apart, job by job."""
        if self._broken is not None:
            return [self._broken for _ in jobs]
        try:
            self._connect()
            return self._transact(jobs)
        except OutcomeUnknown as fault:
            return self._look_up(jobs, fault)
        except LedgerBroken as fault:
            self._give_up(fault)
            return [fault for _ in jobs]
        except BaseException as fault:  # nothing was committed
            self._roll_back()
            if len(jobs) > 1:
                return [outcome for job in jobs for outcome in self._outcomes([job])]
            if isinstance(fault, DBAPIError) and not is_retry:
                self._disconnect()
                return self._outcomes(jobs, is_retry=True)
            return [mapped(fault)]

    def _transact(self, jobs: Sequence[Job]) -> list[Outcome]:
        connection = self._connection
        assert connection is not None
        group = Group(self.store, connection, self._key, hooks=self._hooks, memory=self._memory)
        group.enter(jobs)
        faults = [group.take(job) for job in jobs]
        sealed = group.seal()
        self.store.commit(connection, sealed)
        group.committed()
        if sealed.checkpoint is not None:
            self._keep_outside(sealed.checkpoint)
        return group.receipts(jobs, faults)

    def _keep_outside(self, checkpoint: Checkpoint) -> None:
        if self._anchors is None:
            return
        try:
            self._anchors.keep(checkpoint)
        except OSError:  # the entries are committed: their callers must hear that
            _log.exception("anchor not written size=%d", checkpoint.size)

    def _look_up(self, jobs: Sequence[Job], unknown: OutcomeUnknown) -> list[Outcome]:
        """Answer a group whose commit was not confirmed, from what is stored now."""
        why, size = str(unknown), self._memory.size
        self._roll_back()
        self._disconnect()
        try:
            connection = self._connect()
            found = {r.idem: r for r in self.store.receipts(connection, [j.idem for j in jobs])}
            self.store.roll_back(connection)
        except LedgerBroken as fault:
            self._give_up(fault)
            return [fault for _ in jobs]
        except Exception as fault:
            self._disconnect()
            lost = StoreFailed(f"{why}; the outcome is not known, {reason(fault)}")
            return [lost for _ in jobs]
        outcomes: list[Outcome] = []
        answered: set[str] = set()
        for job in jobs:
            row = found.get(job.idem)
            if row is None:
                outcomes.append(StoreFailed(why))
            elif row.request_sha256 != job.request_sha256:
                outcomes.append(IdemReused(job.idem))
            else:
                is_older = row.first_seq is not None and row.first_seq <= size
                outcomes.append(as_receipt(row, replayed=is_older or job.idem in answered))
                answered.add(job.idem)
        return outcomes

    def _anchor_row(self, item: _Anchoring) -> None:
        try:
            connection = self._connect()
            self.store.begin(connection)
            connection.exec_driver_sql(self.store.sql(tables.INSERT_ANCHOR), item.row)
            connection.commit()
        except BaseException as fault:
            self._roll_back()
            item.set_exception(mapped(fault))
        else:
            item.set_result(None)

    # The connection.

    def _connect(self) -> Connection:
        """Return the writing connection; a new one is checked against checkpoint and anchors."""
        if self._connection is not None:
            return self._connection
        connection = self.store.connect()
        try:
            self.store.begin(connection)
            memory = load(self.store, connection)
            group = Group(self.store, connection, self._key, hooks=self._hooks, memory=memory)
            self._check(group, memory)
            if self._inbox.was_opened:  # not the start: hooks must hear what they missed meanwhile
                group.tell_foreign(self._memory.size)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        self._connection, self._memory = connection, memory
        return connection

    def _check(self, group: Group, memory: Memory) -> None:
        if memory.size < self._memory.size:
            raise LedgerBroken(
                f"Ledger: {self._memory.size} entries were committed, {memory.size} are stored."
                " Stop, and call QA."
            )
        checkpoint = group.newest_checkpoint()
        if checkpoint is None and memory.size:
            raise LedgerBroken(f"Ledger: {memory.size} entries, no checkpoint. Stop, call QA.")
        if checkpoint is not None:
            check_checkpoint(checkpoint, memory.tree, self._verifier)
        ledger = Ledger(self.store)
        for _ in rows(ledger, max(0, memory.size - START_CHECK)):
            pass
        if self._anchors is not None:
            check_anchors(ledger, self._anchors, self._verifier)
        if checkpoint is not None:  # of a commit, maybe, that nobody heard of
            self._keep_outside(checkpoint)

    def _roll_back(self) -> None:
        self._hooks.dropped(None)
        if self._connection is None:
            return
        try:
            self.store.roll_back(self._connection)
        except SQLAlchemyError:
            self._disconnect()
        else:
            if self._connection.invalidated:  # it would come back unchecked
                self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except SQLAlchemyError:
            with suppress(SQLAlchemyError):
                connection.invalidate()

    def _give_up(self, fault: LedgerBroken) -> None:
        self._broken = fault
        _log.critical("ledger broken: %s", fault)
        self._roll_back()
        self._disconnect()
