"""The three-way match as finance reads it: made in one thread for everybody, kept until news.

Nothing here draws. What is new of the ledger, the outbox and the ERP's books is read together and
judged by `analytics.reconciliation`, which keeps the rows; a `Snapshot` has their counts. It is
made again when the ledger or the outbox has moved, and every `REREAD_S` in case somebody changed
the ERP by hand; only while somebody looks.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from analytics.reconciliation.intake import Read
from analytics.reconciliation.rules import MatchRules
from analytics.reconciliation.stock import compared
from analytics.reconciliation.store import MatchStore, News
from core.clock import now
from dashboards.finance.compare import MatchRow
from dashboards.finance.keeping import Keeper, KeptSide
from dashboards.finance.reading import Listing, Reading, Scope, Snapshot, StockListing
from dashboards.link_state import LinkSide, LinkState, read_link
from erp import evidence
from erp.errors import ErpUnreachable
from erp.following import Follower, Fresh
from erp.reconcile import PostingRow
from erp.signing import Keys
from erp.stock import ShowsStock, StockLine

LOOK_S = 2.0
REREAD_S = 15.0
STOCK_S = 60.0
STOCK_TRIES = 3
log = logging.getLogger("batchwright.finance")


class BoundarySide(LinkSide, KeptSide, Protocol):
    """The ERP boundary of a running plant, as far as finance reads it."""

    @property
    def receipt_keys(self) -> Keys | None: ...


class ReconcileReader:
    """Reads, matches and keeps; every page of finance asks here.

    Safe to use from any thread. `read` and the methods below it do I/O: call them off the pages'
    event loop.
    """

    def __init__(
        self,
        boundary: BoundarySide,
        *,
        rules: MatchRules | None = None,
        look_s: float = LOOK_S,
        reread_s: float = REREAD_S,
    ) -> None:
        self._boundary = boundary
        self._look_s, self._reread_s = look_s, reread_s
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._watchers: dict[int, Callable[[], Any]] = {}
        self._numbers = 0
        self._rules = rules or MatchRules()
        self._store = MatchStore(self._rules)
        self._keeper, self._keeping = Keeper(boundary), threading.Lock()
        self._follower: Follower | None = None
        self._newest: Snapshot | None = None
        self._stock_fault: str | None = None
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
            is_young = kept is not None and self._is_young(kept)
            if kept is not None and mark == self._mark and is_young:
                return kept
            began = time.monotonic()
            parts = self._looked(sweep=not is_young)
            self._take(news_of(parts))
            fresh = parts[-1]
            position = self._store.position
            with self.reading() as found:
                counts = found.counts()
            made = Snapshot(
                counts=counts,
                upto_seq=position.upto_seq,
                read_at=fresh.read_at,
                books_at=position.books_at,
                fault=fresh.fault,
                took_s=time.monotonic() - began,
                number=position.number,
                judged=position.judged,
                outside=position.outside,
                rules=self._rules,
            )
            self._mark, self._newest = mark, made
            return made

    def _looked(self, *, sweep: bool, anew: bool = False) -> list[Fresh]:
        """Return what is new of all sides, in the order in which it was read.

        With `anew`, a sweep reads the ERP's books at once, however long it takes.
        """
        if self._follower is None:
            self._follower = self._keeper.begin(self._store)
        if anew:
            self._follower.again()
        first = not self._store.position.number
        parts = [self._follower.look(sweep=sweep)]
        while parts[-1].more:
            if first:  # nothing is judged before the first reading is whole
                self._store.load(news_of(parts))
                parts = []
            parts.append(self._follower.look(sweep=sweep))
        return parts

    def _take(self, news: News) -> None:
        """Have news judged; what could not be taken in is read again, from the beginning."""
        try:
            self._store.take(news)
        except BaseException:
            self._follower = None
            self._store.clear()
            raise

    def compare_stock(self) -> str | None:
        """Compare what both systems have now; return why that was not possible, or None.

        The ERP's stock is believed where its books did not move while it was read. Where what is
        new does not stand after the last line, only the whole books before and after can say so.
        """
        port = self._boundary.port
        if not port.profile.reads_stock or not isinstance(port, ShowsStock):
            return f"{port.profile.name} does not show its stock here, so nothing is compared."
        fault, whole = None, not port.profile.ledger_grows
        with self._making:
            self._mark = None  # what is taken here is news for the next snapshot
            try:
                for _ in range(STOCK_TRIES):
                    before = self._looked(sweep=True, anew=whole)
                    self._take(news_of(before))
                    stock = tuple(port.stock())
                    parts = self._looked(sweep=whole, anew=whole)
                    fault = parts[-1].fault
                    moved = any(one.lines for part in parts for one in part.books)
                    if whole:
                        moved = _whole_books(parts) != _whole_books(before)
                    if moved or fault:
                        self._take(news_of(parts))
                        continue
                    self._take(news_of(parts, stock=stock))
                    return None
            except ErpUnreachable as silence:
                return str(silence)
        return fault or "The ERP's books moved while its stock was read. Compare again."

    def stock(self, *, text: str, stock_class: str, page: int) -> StockListing:
        """Return the comparison of stock, made anew where it is older than `STOCK_S`."""
        at = self._store.position.stock_at
        if at is None or (now() - at).total_seconds() > STOCK_S:
            self._stock_fault = self.compare_stock()
        with self._store.reading() as found:
            return StockListing(
                at=found.position.stock_at,
                upto_seq=found.position.stock_seq,
                fault=self._stock_fault,
                found=compared(found, text=text, stock_class=stock_class, page=page),
                page=page,
            )

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Give the match in one unmoving state, as it was last read."""
        with self._store.reading() as found:
            yield Reading(found)

    def listing(self, scope: Scope, *, sort: str = "newest", page: int = 1) -> Listing | None:
        """Return what a page shows of the newest reading, None before the first."""
        if self._newest is None:
            return None
        with self.reading() as found:
            return found.listing(scope, sort=sort, page=page)

    def row(self, key: str) -> MatchRow | None:
        """Return one row as it was last judged."""
        with self.reading() as found:
            return found.row(key)

    def read_link(self) -> LinkState:
        """Return how the link stands now."""
        self._link = read_link(self._boundary)
        return self._link

    def stop(self) -> None:
        """End the reader's thread, keep what it has, and give the memory back."""
        with self._lock:
            self._watchers.clear()
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join()  # what it reads is closed next
        self.keep()
        with self._making:
            self._store.close()

    def keep(self) -> None:
        """Keep the match for the next start, where there is something new and a folder for it."""
        with self._making:
            write = self._keeper.hold(self._store, self._follower)
        if write is not None:
            with self._keeping:  # one after another, the newest last
                write()

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
                if self._keeper.is_due():
                    self.keep()
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


def _whole_books(parts: Sequence[Fresh]) -> dict[int, PostingRow]:
    """Return the lines of the ERP's books by their numbers, where they were read whole."""
    books = (one for part in parts for one in part.books if one.orders is None)
    return {line.seq: line for one in books for line in one.lines}


def news_of(parts: Sequence[Fresh], *, stock: Sequence[StockLine] | None = None) -> News:
    """Return what several looks found, as one turn of the match; `stock` is what the ERP has."""
    newest = parts[-1]
    told = [part.orders for part in parts if part.orders is not None]
    books = (
        Read(lines=one.lines, after=one.after, upto=one.upto, orders=one.orders)
        for part in parts
        for one in part.books
    )
    return News(
        at=newest.read_at,
        upto_seq=newest.upto_seq,
        facts=[row for part in parts for row in part.facts],
        lots=[row for part in parts for row in part.lots],
        messages=_latest(parts),
        documents=[one for part in parts for one in part.documents],
        undoings=[one for part in parts for one in part.undoings],
        books=tuple(books),
        orders=told[-1] if told else None,
        stock=stock,
        read=newest.fault is None,
    )


def _latest(parts: Sequence[Fresh]) -> list[Any]:
    """Return the messages as they were read last; each stands once, with all its lines."""
    newest = {row.event_id: n for n, part in enumerate(parts) for row in part.messages}
    return [
        row for n, part in enumerate(parts) for row in part.messages if newest[row.event_id] == n
    ]


def reconciliation(boundary: BoundarySide, rules: MatchRules | None = None) -> ReconcileReader:
    """Return the reader that the composition root puts at `readers['reconcile']`."""
    return ReconcileReader(boundary, rules=rules)
