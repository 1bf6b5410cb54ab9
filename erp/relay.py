"""The relay: a cursor on the ledger at one end, the ERP's signed receipts at the other.

Messages of one order go one after another; different orders go side by side. A message is done
only with a receipt. A dead one blocks its own order and waits for a person. When the ERP is
away nothing is counted against a message: the relay asks for its health and goes on when it is
back.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import inf
from uuid import uuid4

from core.clock import iso, now, parse_iso
from core.ledger.checkpoint import Checkpoint
from erp import evidence
from erp.contract import SentCheckpoint
from erp.derive import Deriver, Entries, Manner
from erp.errors import ErpUnreachable
from erp.judging import judge, posting_of
from erp.messages import Site
from erp.outbox import Lease, Outbox
from erp.port import (
    Accepted,
    Duplicate,
    ErpAdapter,
    Outcome,
    PeriodState,
    Rejected,
    Retry,
    Tickets,
    Unknown,
)
from erp.rows import DUE, Result, Row, State
from erp.schedule import Retries, next_attempt

LEASE = timedelta(minutes=5)
TRIAL_S = 60.0  # a paused endpoint is tried with one message so often
PERIOD_KEPT_S = 10  # an open month is asked after again; the ERP itself decides when it books
log = logging.getLogger("batchwright.erp")


class Endpoint(StrEnum):
    """Whether messages go out at all."""

    UP = "up"
    DOWN = "down"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatus:
    """What a screen says about the relay."""

    upto_seq: int
    counts: dict[State, int]
    oldest_open_at: str | None
    endpoint: Endpoint
    reason: str | None
    asides: int


class Relay:
    """Runs the boundary's outbound half until stopped."""

    def __init__(
        self,
        entries: Entries,
        outbox: Outbox,
        port: ErpAdapter,
        *,
        site: Site,
        checkpoint: Callable[[], Checkpoint | None] = lambda: None,
        erp_order: Callable[[str], str | None] = lambda _: None,
        order_of: Callable[[str], str | None] = lambda _: None,
        manner: Manner | None = None,
        on_dead: Callable[[Row, Result], None] = lambda _row, _result: None,
        workers: int = 4,
        poll_s: float = 1.0,
        clock: Callable[[], datetime] = now,
        retry: Retries = next_attempt,
        trial_s: float = TRIAL_S,
    ) -> None:
        self._retry, self._trial_s = retry, trial_s
        self._outbox = outbox
        self._port = port
        self._on_dead = on_dead
        self._poll_s = poll_s
        self._clock = clock
        self._owner = f"relay-{uuid4().hex[:12]}"
        self._deriver = Deriver(
            entries,
            outbox,
            site,
            erp_order=erp_order,
            order_of=order_of,
            checkpoint=lambda: _sent(checkpoint()),
            manner=manner,
            books=port.profile.books,
        )
        # Twice as many threads as calls: while one waits for our disk, another one calls.
        self._workers = workers
        self._pool = ThreadPoolExecutor(2 * workers, thread_name_prefix="erp-relay")
        self._calls = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._last: dict[str, float] = {}
        self._open_until: dict[date, float] = {}
        self._endpoint = Endpoint.UP
        self._reason: str | None = None
        self._resumed = 0  # how often
        self._waking = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="erp-relay", daemon=True)
        self._jitter = random.Random()  # noqa: S311 - spreads retries, protects nothing

    def start(self) -> None:
        """Take up what an earlier process left under way, then follow the ledger."""
        self._outbox.recover(at=self._clock(), everything=self._outbox.is_embedded)
        self._thread.start()

    def stop(self) -> None:
        """Finish the calls under way and stop."""
        self._stopping.set()
        self._waking.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown()

    def wake(self) -> None:
        """Look now: the ledger has grown."""
        self._waking.set()

    def resume(self) -> None:
        """Send again at once after a pause whose cause is gone, such as a key that was changed."""
        with self._lock:
            self._resumed += 1
        self._set(Endpoint.UP, None)
        self.wake()

    def status(self) -> RelayStatus:
        """Return what a screen says about the relay."""
        with self._lock:
            endpoint, reason = self._endpoint, self._reason
        return RelayStatus(
            upto_seq=self._deriver.read_upto,
            counts=evidence.counts(self._outbox),
            oldest_open_at=evidence.oldest_open(self._outbox),
            endpoint=endpoint,
            reason=reason,
            asides=len(evidence.asides(self._outbox)),
        )

    def step(self) -> None:
        """Derive once and deliver everything due, in this thread."""
        self._deriver.derive(self._clock())
        if self._ready():
            for row in self._due():
                self._drain(row.lane)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._is_time("recover", LEASE.total_seconds()):
                    self._outbox.recover(at=self._clock())
                is_new = True
                while is_new and not self._stopping.is_set():  # a backlog leaves page by page
                    is_new = self._deriver.read_page(self._clock()) is not None
                    if self._ready():
                        self._hand_out()
            except Exception:
                # The thread must outlive a locked or missing database; the next round tries again.
                log.exception("event=relay-round-broken")
            self._waking.wait(self._poll_s)
            self._waking.clear()

    def _hand_out(self) -> None:
        for row in self._due():
            with self._lock:
                if row.lane in self._busy:
                    continue
                self._busy.add(row.lane)
            self._pool.submit(self._work, row.lane)

    def _due(self) -> list[Row]:
        at = iso(self._clock())
        return [row for row in self._outbox.heads() if row.state in DUE and row.due_at <= at]

    def _work(self, lane: str) -> None:
        try:
            self._drain(lane)
        except Exception:
            # The lease stays and runs out; the message then counts as unknown and is looked up.
            log.exception("event=relay-lane-broken lane=%s", lane)
        finally:
            with self._lock:
                self._busy.discard(lane)

    def _drain(self, lane: str) -> None:
        """Send one order's messages one after another, until one does not go through."""
        row = self._outbox.take(lane, self._lease()) if self._goes_on() else None
        while row is not None:
            row = self._deliver(row)

    def _lease(self) -> Lease:
        at = self._clock()
        return Lease(owner=self._owner, at=at, until=at + LEASE)

    def _goes_on(self) -> bool:
        with self._lock:
            return self._endpoint is Endpoint.UP and not self._stopping.is_set()

    def _deliver(self, row: Row) -> Row | None:
        """Send one message, record what came of it, and return the next one, taken."""
        with self._calls:
            resumed = self._resumed
            outcome = self._ask(row)
        at = self._clock()
        spread = self._jitter.uniform(-1, 1)
        result = judge(row, outcome, at=at, jitter=spread, retry=self._retry)
        if isinstance(outcome, Retry) and outcome.paused:
            self._last["trial"] = time.monotonic()
            self._set(Endpoint.PAUSED, outcome.reason, resumed=resumed)
        elif _is_silent(outcome) and not self._port.health().up:
            # Not this message's fault: state as judged, but neither counted nor put off.
            is_open = isinstance(outcome, Unknown) or row.state is State.UNKNOWN
            state = State.UNKNOWN if is_open else State.PENDING
            result = replace(
                result, state=state, attempts=row.attempts, due_at=at, code="unreachable"
            )
            self._set(Endpoint.DOWN, result.error)
        if not self._port.profile.signs_receipts:
            result = replace(result, exchange=evidence.unsigned(result.exchange))
        then = self._lease() if result.state is State.DONE and self._goes_on() else None
        following = self._outbox.finish(row, result, at=at, then=then, beside=self._spare())
        if result.state is State.DEAD:
            log.warning("event=message-dead id=%s code=%s", row.event_id, result.code)
            self._on_dead(row, result)
        return following

    def _spare(self) -> int:
        """Return how many orders may wait for one commit while the others keep the ERP busy."""
        with self._lock:
            return min(len(self._busy), 2 * self._workers) - self._workers - 1

    def _ask(self, row: Row) -> Outcome:
        """Return what the ERP makes of a message; an unforeseen exception is `Unknown`."""
        posting = posting_of(row)
        try:
            if row.state is State.ACCEPTED or (
                row.state is State.UNKNOWN and "native_key" not in self._port.profile.supports
            ):
                found = self._port.find_posting(posting.ref)
                if found:
                    return Duplicate(tuple(found), None)
                if row.state is State.ACCEPTED:
                    return self._waiting(row)
                if self._may_still_come(row):
                    return Retry(after_s=self._port.profile.longest_s, reason="may still come")
            misfit = self._port.profile.misfit(posting)
            if misfit is not None:
                return Rejected("does_not_fit", misfit)
            if self._port.profile.asks_period_first:
                period = self._period(posting.posting_date)
                if period is not PeriodState.OPEN:
                    return Rejected(f"period_{period}", f"{posting.posting_date}: {period}.")
            return self._port.post(posting)
        except ErpUnreachable as fault:  # a question before the posting: nothing was sent
            return Retry(reason=str(fault))
        except Exception as fault:
            log.exception("event=adapter-broken id=%s", row.event_id)
            return Unknown(f"{type(fault).__name__}: {fault}")

    def _period(self, on: date) -> PeriodState:
        """Return the state of a date's period; an open one is not asked after for every message."""
        if time.monotonic() < self._open_until.get(on, -inf):
            return PeriodState.OPEN
        state = self._port.period(on)
        if state is PeriodState.OPEN:
            self._open_until[on] = time.monotonic() + PERIOD_KEPT_S
        return state

    def _waiting(self, row: Row) -> Outcome:
        """Return how a message stands that the ERP took and has not booked yet."""
        ticket = row.ticket or ""
        asked = self._port.accepted(ticket) if isinstance(self._port, Tickets) else None
        return asked or Accepted(ticket)

    def _may_still_come(self, row: Row) -> bool:
        """Return whether a request whose answer was lost can still be under way there."""
        longest = timedelta(seconds=self._port.profile.longest_s)
        tried = evidence.attempts(self._outbox, row.event_id) if longest else []
        lost = [one.at for one in tried if one.outcome == "unknown"]
        return bool(lost) and self._clock() < parse_iso(lost[-1]) + longest

    def _ready(self) -> bool:
        """Return whether to send; while the ERP is away, ask whether it is back."""
        with self._lock:
            endpoint = self._endpoint
        if (
            endpoint is Endpoint.DOWN
            and self._is_time("health", self._poll_s)
            and self._port.health().up
        ):
            self._outbox.hasten(at=self._clock())
            self._set(Endpoint.UP, None)
            return True
        if endpoint is Endpoint.PAUSED and self._is_time("trial", self._trial_s):
            self._trial()
        return endpoint is Endpoint.UP

    def _trial(self) -> None:
        """Let one message find out whether the ERP takes our login again."""
        for due in self._due()[:1]:
            row = self._outbox.take(due.lane, self._lease())
            if row is None:
                return
            self._deliver(row)
            stands = evidence.find(self._outbox, row.event_id)
            if stands is not None and stands.state in (State.DONE, State.DEAD, State.ACCEPTED):
                self.resume()

    def _is_time(self, what: str, every_s: float) -> bool:
        """Return whether something was last done long enough ago, and count it as done now."""
        present = time.monotonic()
        if present - self._last.get(what, -inf) < every_s:
            return False
        self._last[what] = present
        return True

    def _set(self, endpoint: Endpoint, reason: str | None, *, resumed: int | None = None) -> None:
        """Say how the endpoint is; what was asked before the last resuming says nothing of now."""
        with self._lock:
            if resumed is not None and resumed != self._resumed:
                return
            if endpoint is not self._endpoint:
                log.info("event=erp-endpoint state=%s reason=%s", endpoint, reason)
            self._endpoint, self._reason = endpoint, reason


def _is_silent(outcome: Outcome) -> bool:
    """Return whether no answer at all came back."""
    if not isinstance(outcome, Unknown | Retry):
        return False
    return outcome.exchange is None or outcome.exchange.status is None


def _sent(checkpoint: Checkpoint | None) -> SentCheckpoint | None:
    if checkpoint is None:
        return None
    return SentCheckpoint(size=checkpoint.size, root=checkpoint.root.hex())
