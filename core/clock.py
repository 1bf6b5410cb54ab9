"""The server's clock and the one spelling of an instant: UTC, microseconds, `Z`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

import msgspec

_instant = msgspec.json.Encoder().encode


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


class Watch:
    """The server's clock beside one that no one can set: what went by, and whether it stepped."""

    def __init__(self, wall: Callable[[], datetime], elapsed_s: Callable[[], float]) -> None:
        self._wall, self._elapsed_s = wall, elapsed_s
        self._lock = Lock()
        self._start = self._seen = (wall(), elapsed_s())

    def steady(self) -> datetime:
        """Return the start's instant and the time gone by since: for intervals, never stored."""
        at, elapsed_s = self._start
        return at + timedelta(seconds=self._elapsed_s() - elapsed_s)

    def expect(self, at: datetime) -> None:
        """Say that it was `at` already: the clock may have been set back while nobody looked."""
        with self._lock:
            self._seen = (max(at, self._seen[0]), self._seen[1])

    def look(self) -> tuple[datetime, datetime]:
        """Return what the clock should show, going by the last look, and what it shows."""
        with self._lock:
            at, elapsed_s = self._seen
            self._seen = (self._wall(), self._elapsed_s())
            return at + timedelta(seconds=self._seen[1] - elapsed_s), self._seen[0]


def iso(at: datetime) -> str:
    """Return the fixed-width text of an aware instant.

    >>> iso(datetime(2026, 3, 2, 8, 15, tzinfo=UTC))
    '2026-03-02T08:15:00.000000Z'
    """
    if at.tzinfo is None:
        raise TypeError("naive time: give an aware UTC instant")
    text = _instant(at.astimezone(UTC))[1:-1].decode("ascii")  # a sixth of the time of `isoformat`
    return text if at.microsecond else f"{text[:-1]}.000000Z"


def parse_iso(text: str) -> datetime:
    """Return the instant in a text that `iso` wrote, or in any ISO 8601 text with an offset.

    Raises:
        ValueError: the text is no instant, or has no offset.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text}: no offset from UTC")
    return at.astimezone(UTC)


def micros(at: datetime) -> int:
    """Return whole microseconds since 1970-01-01T00:00:00Z.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
