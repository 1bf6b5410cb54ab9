"""Steps of the server's clock: how far it jumped against time that went by, and when.

The ledger's order is `seq`, and `at` is what the clock said; a step is recorded, never repaired.
Whoever looks for a time in the ledger knows from here where `at` is not in order.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from core.clock import Watch
from core.errors import MesError, Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.quantity import Name, Utc

LEAST = timedelta(seconds=2)
_log = logging.getLogger("batchwright.clock")


class RecordClockStep(Command, frozen=True, kw_only=True, tag="clock.record-step"):
    """Say that the clock showed `now` when it should have shown `expected`."""

    plant: Name
    expected: Utc
    now: Utc


class ClockStepped(Event, frozen=True, kw_only=True, tag="clock.stepped"):
    """The clock stepped, forwards (`by_ms` above 0) or back; `at` of later entries follows it."""

    plant: str
    expected: Utc
    now: Utc
    by_ms: int


class NoStep(Refused):
    """The clock is where it should be, or nearly."""

    def __init__(self, by: timedelta) -> None:
        super().__init__(
            f"Clock: is {by / timedelta(seconds=1):.3f} s off, a step is more than"
            f" {LEAST.seconds} s. Nothing is to be recorded."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSteps:
    """The numbers of the entries that say that a plant's clock stepped, in order."""

    KIND: ClassVar[str] = "clock"
    plant: str
    seqs: tuple[int, ...] = ()


class StepWatch:
    """Looks at a plant's clock before each command; without a watch it never sees a step."""

    def __init__(self, plant: str, watch: Watch | None) -> None:
        self._plant, self._watch = plant, watch

    def expect(self, at: datetime) -> None:
        """Say that it was `at` already, when the newest entry was written."""
        if self._watch is not None:
            self._watch.expect(at)

    def look(self) -> RecordClockStep | None:
        """Return the command that records the step since the last look, None without one."""
        if self._watch is None:
            return None
        expected, now = self._watch.look()
        if step_between(expected, now) is None:
            return None
        return RecordClockStep(plant=self._plant, expected=expected, now=now)

    def say(self, record: Callable[[], object]) -> None:
        """Record a step; a plant whose matrix does not name the command yet goes on without."""
        try:
            record()
        except MesError as fault:
            _log.warning("clock step not recorded: %s", fault)


def step_between(expected: datetime, now: datetime) -> timedelta | None:
    """Return how far the clock stepped, None where that is 2 s or less."""
    by = now - expected
    return by if abs(by) > LEAST else None


def decide(plant: Plant, command: RecordClockStep, context: Context) -> Facts:
    """Return what a step causes: an entry.

    Raises:
        NoStep: 2 s or less.
    """
    by = step_between(command.expected, command.now)
    if by is None:
        raise NoStep(command.now - command.expected)
    stepped = ClockStepped(
        plant=command.plant,
        expected=command.expected,
        now=command.now,
        by_ms=by // timedelta(milliseconds=1),
    )
    return (Fact(f"{ClockSteps.KIND}/{command.plant}", stepped),)


def apply(steps: ClockSteps | None, fact: Recorded) -> ClockSteps:
    """Fold one step."""
    assert isinstance(fact.event, ClockStepped), fact
    before = steps.seqs if steps is not None else ()
    return ClockSteps(plant=fact.event.plant, seqs=(*before, fact.seq))
