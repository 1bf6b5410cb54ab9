"""How the link to the ERP stands: what waits and since when, what was refused, who answered when.

Nothing here draws; the pages of finance and of the office show it, and `/metrics` counts it.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.clock import now
from erp import evidence
from erp.outbox import Outbox
from erp.pull import ErpClock, PullState
from erp.relay import Endpoint, RelayStatus
from erp.rows import OPEN, Aside, Row, State
from erp.stream import StreamStatus

LOOK_S = 2.0
log = logging.getLogger("batchwright.link")


class Relays(Protocol):
    """What is asked of the relay."""

    def status(self) -> RelayStatus: ...


class Pulls(Protocol):
    """What is asked of the pull of master data."""

    @property
    def clock(self) -> ErpClock | None: ...
    def states(self) -> list[PullState]: ...


class Streams(Protocol):
    """What is asked of the publisher to a stream."""

    def status(self) -> StreamStatus: ...


class LinkSide(Protocol):
    """The ERP boundary of a running plant, as far as its link is watched."""

    outbox: Outbox

    @property
    def relay(self) -> Relays: ...
    @property
    def puller(self) -> Pulls: ...
    @property
    def publisher(self) -> Streams | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """How the link to the ERP stands.

    `behind` is how many messages wait behind the first of each order, `answered_at` when the ERP
    last answered anything at all, `clock` what it last said the time is, `stream` how far other
    systems were told, None where no stream is set up.
    """

    at: datetime
    relay: RelayStatus
    heads: tuple[Row, ...]
    behind: Mapping[str, int]
    dead: tuple[Row, ...]
    asides: tuple[Aside, ...]
    pulls: tuple[PullState, ...]
    anchor: evidence.Anchor | None
    answered_at: str | None
    clock: ErpClock | None
    stream: StreamStatus | None

    @property
    def waiting(self) -> int:
        """The number of messages without a receipt that a person need not look at."""
        return waiting(self.relay)

    @property
    def answers(self) -> bool:
        """Whether the ERP answered what it was last asked, by the relay and by the pull."""
        return answers(self.relay, self.pulls)


def waiting(relay: RelayStatus) -> int:
    """Return how many messages are without a receipt and without a refusal."""
    return sum(relay.counts[state] for state in OPEN) - relay.counts[State.DEAD]


def answers(relay: RelayStatus, pulls: Sequence[PullState]) -> bool:
    """Return whether the ERP answered what it was last asked, by the relay and by the pull."""
    silent = bool(pulls) and all(it.status == "failed" for it in pulls)
    return relay.endpoint is Endpoint.UP and not silent


def read_link(side: LinkSide) -> LinkState:
    """Return how the link stands now; it reads the outbox."""
    outbox, pulls = side.outbox, tuple(side.puller.states())
    checked = [it.checked_at for it in pulls if it.checked_at is not None]
    answered = [at for at in (evidence.last_answer(outbox), *checked) if at is not None]
    return LinkState(
        at=now(),
        relay=side.relay.status(),
        heads=tuple(outbox.heads()),
        behind={lane: count - 1 for lane, count in evidence.open_by_lane(outbox).items()},
        dead=tuple(evidence.messages(outbox, state=State.DEAD)),
        asides=tuple(evidence.asides(outbox)),
        pulls=pulls,
        anchor=evidence.newest_anchor(outbox),
        answered_at=max(answered, default=None),
        clock=side.puller.clock,
        stream=None if side.publisher is None else side.publisher.status(),
    )


class LinkReader:
    """Reads the link again and again while somebody looks; safe to use from any thread."""

    def __init__(self, side: LinkSide, *, look_s: float = LOOK_S) -> None:
        self._side, self._look_s = side, look_s
        self._lock = threading.Lock()
        self._watchers: dict[object, Callable[[], None]] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.newest: LinkState | None = None

    def watch(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call back, from the reader's thread, after each reading.

        Returns:
            What to call when nobody looks any more.
        """
        mark = object()
        with self._lock:
            self._watchers[mark] = told
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="erp-link", daemon=True)
                self._thread.start()
        self._wake.set()

        def leave() -> None:
            with self._lock:
                self._watchers.pop(mark, None)
            self._wake.set()

        return leave

    def stop(self) -> None:
        """End the thread; nobody is told any more."""
        with self._lock:
            self._watchers.clear()
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join()  # what it reads is closed next

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._watchers:
                    self._thread = None
                    return
            try:
                self.newest = read_link(self._side)
            except Exception:
                # The thread must outlive a locked outbox; the pages keep the last good reading.
                log.exception("event=link-broken")
            with self._lock:
                watchers = list(self._watchers.values())
            for told in watchers:
                told()
            self._wake.wait(self._look_s)
            self._wake.clear()
