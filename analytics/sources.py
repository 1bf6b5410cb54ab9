"""What the numbers are made from: ledger entries, machine telemetry and the shift calendar.

Protocols only: the composition root hands in the real ones, tests their own.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

from core.ledger.entry import Entry


class Entries(Protocol):
    """The part of a ledger that is followed: entries in order, safe from any thread."""

    def entries(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return up to `limit` entries with `seq` above `after`, in order."""
        ...


class OpenStretch(Protocol):
    """A line's open stretch `[since_us, seen_us)` and the keys it was given."""

    @property
    def line(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def since_us(self) -> int: ...
    @property
    def seen_us(self) -> int: ...
    @property
    def hour_us(self) -> int: ...
    @property
    def shift(self) -> str: ...
    @property
    def business_date(self) -> str: ...
    @property
    def order_id(self) -> str | None: ...
    @property
    def batch(self) -> str | None: ...
    @property
    def sku(self) -> str | None: ...


class TelemetrySource(Protocol):
    """The telemetry store as it is read; rows are tuples with the columns named below."""

    def intervals_after(self, id: int, limit: int = 10_000) -> Sequence[tuple[Any, ...]]:
        """Return `INTERVAL_COLUMNS` rows with an id above `id`, in writing order."""
        ...

    def produced_after(self, id: int, limit: int = 10_000) -> Sequence[tuple[Any, ...]]:
        """Return `PRODUCED_COLUMNS` rows with an id above `id`, in writing order."""
        ...

    def lines(self) -> Sequence[OpenStretch]:
        """Return each line's open stretch."""
        ...


INTERVAL_COLUMNS = (
    "id", "line", "state", "reason", "start_us", "end_us",
    "hour_us", "shift", "business_date", "order_id", "batch", "sku", "source",
)  # fmt: skip
PRODUCED_COLUMNS = (
    "id", "line", "at_us", "good", "scrap", "estimated",
    "hour_us", "shift", "business_date", "order_id", "batch", "sku",
)  # fmt: skip


class ShiftInstance(Protocol):
    """One shift on one day; `planned` are its stretches for work, without the breaks."""

    @property
    def shift(self) -> str: ...
    @property
    def business_date(self) -> date: ...
    @property
    def start_us(self) -> int: ...
    @property
    def end_us(self) -> int: ...
    @property
    def planned(self) -> tuple[tuple[int, int], ...]: ...


class ShiftCalendar(Protocol):
    """Shift instances of a line as rows with UTC edges; what lies between them is off time."""

    def instances(self, line: str, start_us: int, end_us: int) -> Sequence[ShiftInstance]:
        """Return the instances that touch `[start_us, end_us)`, whole, in time order."""
        ...


class NoTelemetry:
    """A plant without machines on line."""

    def intervals_after(self, id: int, limit: int = 10_000) -> list[tuple[Any, ...]]:
        """Return nothing."""
        return []

    def produced_after(self, id: int, limit: int = 10_000) -> list[tuple[Any, ...]]:
        """Return nothing."""
        return []

    def lines(self) -> list[OpenStretch]:
        """Return nothing."""
        return []
