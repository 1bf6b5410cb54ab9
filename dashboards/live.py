"""Live screens: topics that any thread publishes and pages take, coalesced, at a bounded pace.

A page is told at most twice a second; pages that watch a moving weight (`scale/<id>`) five
times. Between two turns only the newest value of a topic is kept. Topics of the ledger:
`ledger` (the newest entry), `kind/<noun>` (as `kind/batch`) and the stream's own name.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dashboards import turns, visit

PACE_S = 0.5
SCALE_PACE_S = 0.2
SETTLE_S = 1.5  # what a page missed while it was built comes once its browser has the page
KEPT = 10_000  # topics whose newest value is kept: those of batches that are over come no more

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """The newest value of one topic; `at_s` is monotonic, to tell how old it is."""

    seq: int
    at_s: float
    value: Any


type Listener = Callable[[Mapping[str, News]], None]
type HandOver = Callable[[Any, Callable[[], None]], None]


def pace_s(topic: str) -> float:
    """Return the shortest time between two turns of a topic."""
    return SCALE_PACE_S if topic.startswith("scale/") else PACE_S


@dataclass(slots=True, eq=False)
class _Page:
    topics: frozenset[str]
    document: Any
    listener: Listener
    dirty: set[str] = field(default_factory=set)
    told_s: dict[str, float] = field(default_factory=dict)
    due_s: float | None = None


class Hub:
    """Fans news out to pages; safe to use from any thread.

    `hand_over` gives a page a turn, and raises `PageGone` where there is no page any more.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, hand_over: HandOver = turns.hand_over
    ) -> None:
        self._clock, self._give_turn = clock, hand_over
        self._lock = threading.Condition()
        self._pages: dict[int, _Page] = {}
        self._due: list[tuple[float, int]] = []
        self._latest: dict[str, News] = {}
        self._count = self._seq = 0
        self._pacer: threading.Thread | None = None
        self._open = True

    def publish(self, topic: str, value: Any) -> None:
        """Make a value the newest of its topic and wake the pages that watch it."""
        with self._lock:
            self._seq += 1
            self._latest.pop(topic, None)  # the newest stands last
            self._latest[topic] = News(self._seq, self._clock(), value)
            if len(self._latest) > KEPT:
                del self._latest[next(iter(self._latest))]
            for number, page in self._pages.items():
                if topic in page.topics:
                    page.dirty.add(topic)
                    self._plan(number, page)

    def latest(self, topic: str) -> News | None:
        """Return the newest value of a topic; None before the first and of one long silent."""
        with self._lock:
            return self._latest.get(topic)

    @property
    def newest(self) -> int:
        """The number of the newest news: a page looks at it before it reads what it draws."""
        return self._seq

    def subscribe(self, topics: Iterable[str], listener: Listener, *, after: int) -> int:
        """Call the listener on this page's own turn with what is new, until the page is gone.

        Args:
            after: `newest` as it was before the page read; what came since is told first.
        """
        rest_s = 0.0 if visit.is_built() else SETTLE_S
        number = self.attach(visit.document(), topics, listener, after=after, rest_s=rest_s)
        visit.on_leave(lambda: self.unsubscribe(number))
        return number

    def attach(
        self,
        document: Any,
        topics: Iterable[str],
        listener: Listener,
        *,
        after: int,
        rest_s: float = 0.0,
    ) -> int:
        """Subscribe for a document; the caller unsubscribes.

        Args:
            after: as for `subscribe`.
            rest_s: how long what came since waits, and what comes of the same topics.
        """
        with self._lock:
            self._count += 1
            page = self._pages[self._count] = _Page(frozenset(topics), document, listener)
            # a weight is not waited for: the next one comes in a moment
            slow = (topic for topic in page.topics if pace_s(topic) == PACE_S)
            known = ((topic, self._latest.get(topic)) for topic in slow)
            page.dirty = {topic for topic, news in known if news is not None and news.seq > after}
            if rest_s:
                page.told_s = dict.fromkeys(page.dirty, self._clock() + rest_s)
            self._plan(self._count, page)
            return self._count

    def unsubscribe(self, number: int) -> None:
        """Stop calling a listener."""
        with self._lock:
            self._pages.pop(number, None)

    def __len__(self) -> int:
        """The number of subscriptions."""
        return len(self._pages)

    def close(self) -> None:
        """Let the pacing thread end."""
        with self._lock:
            self._open = False
            self._lock.notify_all()

    def _plan(self, number: int, page: _Page) -> None:
        """Queue one turn of a page at the earliest time its dirty topics allow; lock held.

        A turn queued for later is overtaken by an earlier one, and then skipped.
        """
        if not page.dirty:
            return
        due = min(page.told_s.get(topic, -1e9) + pace_s(topic) for topic in page.dirty)
        if page.due_s is not None and page.due_s <= due:
            return
        page.due_s = due
        heapq.heappush(self._due, (due, number))
        if self._pacer is None:
            self._pacer = threading.Thread(target=self._pace, name="hub", daemon=True)
            self._pacer.start()
        self._lock.notify_all()

    def _pace(self) -> None:
        """Hand out turns when they are due."""
        while True:
            with self._lock:
                while self._open and (not self._due or self._due[0][0] > self._clock()):
                    wait = self._due[0][0] - self._clock() if self._due else None
                    self._lock.wait(wait)
                if not self._open:
                    return
                due, number = heapq.heappop(self._due)
                page = self._pages.get(number)
            if page is not None and page.due_s == due:
                self._hand_over(number, page)

    def _hand_over(self, number: int, page: _Page) -> None:
        try:
            self._give_turn(page.document, lambda: self._turn(number))
        except turns.PageGone:  # there is nobody left to tell
            log.debug("page of subscription %s is gone", number)
            self.unsubscribe(number)
        except Exception:  # one page's fault is not all pages' silence
            log.exception("the page of subscription %s could not be told", number)
            self.unsubscribe(number)

    def _turn(self, number: int) -> None:
        """Tell one page what is new; runs on the page's own event loop."""
        with self._lock:
            page = self._pages.get(number)
            if page is None:
                return
            page.due_s = None
            at = self._clock()
            ripe = {t for t in page.dirty if at - page.told_s.get(t, -1e9) >= pace_s(t) - 0.01}
            page.dirty -= ripe
            page.told_s.update(dict.fromkeys(ripe, at))
            news = {topic: self._latest[topic] for topic in ripe if topic in self._latest}
            self._plan(number, page)
        if news:
            page.listener(news)


class Follows(Protocol):
    """The part of a ledger that the tailer reads."""

    def entries(self, after: int = 0, limit: int = 1000) -> list[Any]: ...

    def size(self) -> int: ...


class Tailer:
    """Follow the ledger once for the whole process and publish what comes in."""

    def __init__(
        self,
        ledger: Follows,
        hub: Hub,
        *,
        poll_s: float = 0.2,
        heard: Callable[[Any], None] = lambda _entry: None,
    ) -> None:
        """Make a tailer; `heard` is called with each entry, in order, before it is published."""
        self._ledger, self._hub, self._poll_s, self._heard = ledger, hub, poll_s, heard
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.seq = 0

    def start(self) -> None:
        """Start at the ledger's present end."""
        self.seq = self._ledger.size()
        self._thread = threading.Thread(target=self._run, name="tailer", daemon=True)
        self._thread.start()

    def wake(self, *_: object) -> None:
        """Look now; give this to the writer as its listener."""
        self._wake.set()

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    def step(self) -> int:
        """Publish what is new and return how many entries that were."""
        entries = self._ledger.entries(after=self.seq, limit=1000)
        newest: dict[str, Any] = {}
        for entry in entries:
            self._heard(entry)
            newest[entry.stream] = entry
            newest["kind/" + entry.stream.partition("/")[0]] = entry
            newest["ledger"] = entry
        for topic, entry in newest.items():
            self._hub.publish(topic, entry)
        if entries:
            self.seq = entries[-1].seq
        return len(entries)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                more = self.step() == 1000
            except Exception:
                log.exception("the ledger could not be followed; trying again in a second")
                self._stop.wait(1)
                continue
            if not more:
                self._wake.wait(self._poll_s)
                self._wake.clear()
