"""Cutting time at the edges that figures are grouped by: UTC hour, shift instance, order run.

All stretches are half-open `[start_us, end_us)` in microseconds since 1970 UTC. Shift instances
come with their UTC edges, so a night on which the clocks change is seven or nine hours long
without any care here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Protocol

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000


class ShiftCalendar(Protocol):
    """Which shift instance a moment of a line belongs to; times nobody works have one too."""

    def instance(self, line: str, at_us: int) -> tuple[str, str | date, int, int, bool]:
        """Return (shift, business date, start_us, end_us, planned) of the instance at a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An order on a line. `end_us` is None while it goes on."""

    order: str
    batch: str | None
    sku: str | None
    start_us: int
    end_us: int | None = None


type RunAt = Callable[[str, int], Run | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A stretch of one line within one hour, one shift instance and one run or none."""

    line: str
    start_us: int
    end_us: int
    hour_us: int
    shift: str
    business_date: str
    order: str | None = None
    batch: str | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class Edges:
    """What the time of a plant is cut by."""

    shifts: ShiftCalendar
    run_at: RunAt

    def slot(self, line: str, start_us: int, end_us: int) -> Slot:
        """Return the first slot of a stretch that is not empty."""
        assert start_us < end_us
        shift, business_date, _, shift_end_us, _ = self.shifts.instance(line, start_us)
        assert start_us < shift_end_us, "a shift instance must hold the moment it is asked for"
        hour_us = start_us // HOUR_US * HOUR_US
        run = self.run_at(line, start_us)
        if run is None:
            later = self.run_at(line, end_us - 1)
            run_edge_us = end_us if later is None else max(later.start_us, start_us + 1)
        else:
            run_edge_us = end_us if run.end_us is None else max(run.end_us, start_us + 1)
        return Slot(
            line=line,
            start_us=start_us,
            end_us=min(end_us, hour_us + HOUR_US, shift_end_us, run_edge_us),
            hour_us=hour_us,
            shift=shift,
            business_date=str(business_date),
            order=None if run is None else run.order,
            batch=None if run is None else run.batch,
            sku=None if run is None else run.sku,
        )

    def cut(self, line: str, start_us: int, end_us: int) -> tuple[Slot, ...]:
        """Return the slots of a stretch, in order; together they cover it exactly."""
        slots: list[Slot] = []
        at_us = start_us
        while at_us < end_us:
            slots.append(self.slot(line, at_us, end_us))
            at_us = slots[-1].end_us
        return tuple(slots)


def spread(count: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Return whole shares of a count in proportion to weights; their sum is the count.

    >>> spread(10, [1, 1, 1])
    (3, 3, 4)
    """
    total = sum(weights)
    if total == 0:
        return (count, *(0 for _ in weights[1:]))
    reached, upto = 0, [0]
    for weight in weights:
        reached += weight
        upto.append(count * reached // total)
    return tuple(after - before for before, after in pairwise(upto))
