"""Short promises kept on the server between two forms: who was proven, and what comes next.

A ticket is an opaque random text in a hidden field. It ends with its first use, or with its time.
"""

import secrets
import threading
import time
from collections.abc import Callable

LIFE_S = 10 * 60
MOST = 1000


class Tickets[Promise]:
    """All open tickets of one kind; safe from any thread."""

    def __init__(
        self, life_s: float = LIFE_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._life_s, self._clock = life_s, clock
        self._lock = threading.Lock()
        self._open: dict[str, tuple[float, Promise]] = {}

    def give(self, promise: Promise, *, ticket: str = "") -> str:
        """Return a new ticket for a promise; `ticket` is one that nobody else can guess."""
        ticket, at = ticket or secrets.token_urlsafe(32), self._clock()
        with self._lock:
            while len(self._open) >= MOST:  # the oldest; whoever asks chooses how many
                del self._open[next(iter(self._open))]
            self._open[ticket] = (at, promise)
        return ticket

    def take(self, ticket: str) -> Promise | None:
        """Return what was promised and end the ticket; None where it is none, or too old."""
        with self._lock:
            at, promise = self._open.pop(ticket, (0.0, None))
        if promise is None or self._clock() - at > self._life_s:
            return None
        return promise
