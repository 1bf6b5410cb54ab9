"""The three-way match as finance reads it: made in one thread for everybody, kept until news.

Nothing here draws. The ledger, the outbox and the ERP's books are read together, matched by
`analytics.reconciliation`, and kept as one `Snapshot`. It is made again when the ledger or the
outbox has moved, and every `REREAD_S` in case somebody changed the ERP by hand; only while
somebody looks.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from core.clock import now
from dashboards.finance import words
from dashboards.finance.compare import MatchRow, Verdict, match
from dashboards.link_state import LinkSide, LinkState, read_link
from erp import evidence
from erp.port import ErpAdapter
from erp.reconcile import Collected
from erp.signing import Keys

LOOK_S = 2.0
REREAD_S = 15.0
PAGE = 100
log = logging.getLogger("batchwright.finance")


class BoundarySide(LinkSide, Protocol):
    """The ERP boundary of a running plant, as far as finance reads it."""

    receipt_keys: Keys | None

    @property
    def port(self) -> ErpAdapter: ...
    def collected(self) -> Collected: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One reading of all three sides; `took_s` is what it cost.

    `books_at` is when the ERP's books were last read, None where they never were.
    """

    verdict: Verdict
    upto_seq: int
    read_at: datetime
    books_at: datetime | None
    fault: str | None
    took_s: float
    number: int

    @property
    def rows(self) -> tuple[MatchRow, ...]:
        """Every row, the newest fact first."""
        return self.verdict.rows


def _books_at(found: Collected, kept: Snapshot | None) -> datetime | None:
    if found.fault is None:
        return found.read_at
    return kept.books_at if kept is not None else None


def by_class(rows: Iterable[MatchRow]) -> dict[str, int]:
    """Return how many rows each class has; every class is named, unknown ones last."""
    found = Counter(row.match_class for row in rows)
    named = {name: found.pop(name, 0) for name in words.CLASSES}
    return named | dict(sorted(found.items()))


def of_day(rows: Iterable[MatchRow], day: date | None) -> list[MatchRow]:
    """Return the rows of one posting date, or all."""
    return [row for row in rows if day is None or row.posting_date == day]


class ReconcileReader:
    """Reads, matches and keeps; every page of finance asks here.

    Safe to use from any thread. `read` and the methods below it do I/O: call them off the pages'
    event loop.
    """

    def __init__(
        self, boundary: BoundarySide, *, look_s: float = LOOK_S, reread_s: float = REREAD_S
    ) -> None:
        self._boundary = boundary
        self._look_s, self._reread_s = look_s, reread_s
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._watchers: dict[int, Callable[[], Any]] = {}
        self._numbers = 0
        self._newest: Snapshot | None = None
        self._link: LinkState | None = None
        self._mark: object = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot, None before the first; no I/O."""
        return self._newest

    @property
    def newest_link(self) -> LinkState | None:
        """The newest state of the link, None before the first; no I/O."""
        return self._link

    def watch(self, told: Callable[[], Any]) -> Callable[[], None]:
        """Keep the snapshot fresh and call back, from the reader's thread, when there is news.

        Returns:
            What to call when nobody looks any more.
        """
        with self._lock:
            self._numbers += 1
            number = self._numbers
            self._watchers[number] = told
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)
                self._thread.start()
        self._wake.set()

        def leave() -> None:
            with self._lock:
                self._watchers.pop(number, None)
            self._wake.set()

        return leave

    def wake(self) -> None:
        """Look now: somebody has just resent a message."""
        self._wake.set()

    def read(self) -> Snapshot:
        """Return a snapshot of now; a kept one where neither ledger nor outbox has moved."""
        with self._making:
            mark, kept = self._marked(), self._newest
            if kept is not None and mark == self._mark and self._is_young(kept):
                return kept
            began = time.monotonic()
            found = self._boundary.collected()
            verdict = match(found)
            made = Snapshot(
                verdict=verdict,
                upto_seq=found.upto_seq,
                read_at=found.read_at,
                books_at=_books_at(found, kept),
                fault=found.fault,
                took_s=time.monotonic() - began,
                number=1 if kept is None else kept.number + 1,
            )
            self._mark, self._newest = mark, made
            return made

    def row(self, key: str) -> MatchRow | None:
        """Return a row as it is judged now, or None."""
        return next((one for one in self.read().rows if one.key == key), None)

    def read_link(self) -> LinkState:
        """Return how the link stands now."""
        self._link = read_link(self._boundary)
        return self._link

    def replay(self, event_id: str) -> int:
        """Send one message again, same key and same bytes; return how many were made due."""
        count = self._boundary.relay.replay([event_id])
        self.wake()
        return count

    def stop(self) -> None:
        """Let the reader's thread end; nobody is told any more."""
        with self._lock:
            self._watchers.clear()
        self._wake.set()

    @property
    def boundary(self) -> BoundarySide:
        """The boundary, for the evidence of one row."""
        return self._boundary

    def _marked(self) -> object:
        """Return what changes when the ledger or the outbox does."""
        outbox = self._boundary.outbox
        return (self._boundary.relay.status().upto_seq, evidence.moved(outbox))

    def _is_young(self, kept: Snapshot) -> bool:
        return (now() - kept.read_at).total_seconds() < self._reread_s

    def _run(self) -> None:
        """Look again and again while somebody watches; a slow look is followed by a long pause."""
        while True:
            with self._lock:
                if not self._watchers:
                    self._thread = None
                    return
            began = time.monotonic()
            try:
                self.read()
                self.read_link()
            except Exception:
                # The thread must outlive a locked database; the pages keep the last good reading.
                log.exception("event=reconcile-broken")
            self._tell()
            pause = max(self._look_s, 4 * (time.monotonic() - began))
            self._wake.wait(pause)
            self._wake.clear()

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers.items())
        for number, told in watchers:
            try:
                told()
            except Exception:
                log.debug("watcher %s is gone", number)
                with self._lock:
                    self._watchers.pop(number, None)


def reconciliation(boundary: BoundarySide) -> ReconcileReader:
    """Return the reader that the composition root puts at `readers['reconcile']`."""
    return ReconcileReader(boundary)
