"""Counters that wrap and reset: differences of two samples, in whole pieces.

The difference is taken modulo the counter's width and believed when the line could have made
as many in the time. Otherwise the counter was reset, and it has counted its new value since.
A first sample has no difference: what was made before it was seen is not known.
"""

from dataclasses import dataclass
from enum import StrEnum

MINUTE_US = 60_000_000


class Step(StrEnum):
    """What kind of difference it was."""

    FIRST = "first"
    FORWARD = "forward"
    WRAPPED = "wrapped"
    RESET = "reset"
    LOST = "lost"  # reset to a value the line cannot have counted: nothing is known


@dataclass(frozen=True, slots=True)
class Delta:
    """Pieces between two samples. Only a forward or wrapped step is a measured count."""

    count: int
    step: Step

    @property
    def estimated(self) -> bool:
        """Whether the count is a guess: after a reset, or when nothing is known."""
        return self.step in (Step.RESET, Step.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterLimits:
    """Width of the counter and the fastest the line can be.

    `slack` pieces are allowed beyond the rate, for the jitter of short polls.
    """

    bits: int = 32
    max_per_min: int
    margin_percent: int = 150
    slack: int = 10

    def most(self, elapsed_us: int) -> int:
        """Return how many pieces can have been counted in the time."""
        made = self.max_per_min * self.margin_percent * max(0, elapsed_us) // (100 * MINUTE_US)
        return made + self.slack


def delta(before: int | None, after: int, *, elapsed_us: int, limits: CounterLimits) -> Delta:
    """Return the pieces counted between two samples.

    >>> delta(4_294_967_290, 31, elapsed_us=60_000_000, limits=CounterLimits(max_per_min=60))
    Delta(count=37, step=<Step.WRAPPED: 'wrapped'>)
    """
    if before is None:
        return Delta(0, Step.FIRST)
    counted = (after - before) % (1 << limits.bits)
    most = limits.most(elapsed_us)
    if counted <= most:
        return Delta(counted, Step.FORWARD if after >= before else Step.WRAPPED)
    return Delta(after, Step.RESET) if after <= most else Delta(0, Step.LOST)
