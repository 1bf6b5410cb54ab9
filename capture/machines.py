"""Machine samples become state intervals and counts: a pure fold over a line's samples.

A `TagMap` is data: which registers hold what, and which codes mean which state. States are
PackML's spelled names in lower case, `setup`, and `unknown`. Intervals are half-open, follow
each other without a gap and never overlap. A line that does not answer is `unknown` since it
was last seen, never stopped. What counts as a short stop is not decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from capture.modbus.counter import CounterLimits, Step, delta
from capture.modbus.decode import Tag, span, value_of

UNKNOWN = "unknown"

PACKML = {
    1: "clearing",
    2: "stopped",
    3: "starting",
    4: "idle",
    5: "suspended",
    6: "execute",
    7: "stopping",
    8: "aborting",
    9: "aborted",
    10: "holding",
    11: "held",
    12: "unholding",
    13: "suspending",
    14: "unsuspending",
    15: "resetting",
    16: "completing",
    17: "complete",
}
STATES = frozenset([*PACKML.values(), "setup", UNKNOWN])


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMap:
    """One line's registers. `modes` turn a unit mode into a state whenever it does not execute."""

    state: Tag
    good: Tag
    scrap: Tag
    speed: Tag | None = None
    mode: Tag | None = None
    reason: Tag | None = None
    states: Mapping[int, str] = field(default_factory=lambda: dict(PACKML))
    modes: Mapping[int, str] = field(default_factory=lambda: {3: "setup"})
    reasons: Mapping[int, str] = field(default_factory=dict)

    def tags(self) -> tuple[Tag, ...]:
        """Return every tag that is there."""
        every = (self.state, self.good, self.scrap, self.speed, self.mode, self.reason)
        return tuple(tag for tag in every if tag is not None)

    def block(self) -> tuple[int, int]:
        """Return (start, count) of the registers to ask in one request."""
        return span(self.tags())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one poll found. `state` None: the line did not answer, or not with sense."""

    at_us: int
    state: str | None = None
    reason: str | None = None
    good: int | None = None
    scrap: int | None = None
    speed: float | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldRules:
    """How a line's samples are judged. `missed` polls without an answer make it unknown."""

    limits: CounterLimits
    missed: int = 3
    gap_us: int = 5_000_000  # a longer pause between two counts makes them estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A closed stretch of one state: `start_us` in, `end_us` out."""

    state: str
    reason: str | None
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """Pieces counted since the sample before, made between `since_us` and `at_us`."""

    since_us: int
    at_us: int
    good: int
    scrap: int
    estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """The fold's state: the open interval, and the counters as last seen.

    `since_us` is the start of the open interval, `seen_us` the last answered poll, `asked_us`
    the last poll of any outcome.
    """

    state: str
    reason: str | None
    since_us: int
    seen_us: int
    asked_us: int
    missed: int = 0
    good: int | None = None
    scrap: int | None = None
    counted_us: int = 0

    @property
    def certain_us(self) -> int:
        """Until when the open interval cannot be taken back by polls that go unanswered."""
        return self.asked_us if self.state == UNKNOWN else self.seen_us


type Facts = tuple[tuple[Interval, ...], tuple[Produced, ...]]


def sample(tags: TagMap, block: Sequence[int], *, start: int, at_us: int) -> Sample:
    """Return what a block of registers says. Values out of range make the sample a fault."""
    code = value_of(tags.state, block, start)
    good = value_of(tags.good, block, start)
    scrap = value_of(tags.scrap, block, start)
    state = None if code is None else tags.states.get(int(code))
    if state is None:
        return Sample(at_us=at_us, fault=f"state code {code} is not in the tag map")
    if good is None or scrap is None:
        return Sample(at_us=at_us, fault="a counter is outside its range")
    mode = None if tags.mode is None else value_of(tags.mode, block, start)
    if mode is not None and state != "execute":
        state = tags.modes.get(int(mode), state)
    reason = None if tags.reason is None else value_of(tags.reason, block, start)
    return Sample(
        at_us=at_us,
        state=state,
        reason=None if reason is None or state == "execute" else tags.reasons.get(int(reason)),
        good=int(good),
        scrap=int(scrap),
        speed=None if tags.speed is None else value_of(tags.speed, block, start),
    )


def begin(at_us: int) -> LineState:
    """Return the state of a line that was never seen: unknown from now on."""
    return LineState(state=UNKNOWN, reason=None, since_us=at_us, seen_us=at_us, asked_us=at_us)


def fold(before: LineState, seen: Sample, rules: FoldRules) -> tuple[LineState, Facts]:
    """Return the line after one sample, and what that closed.

    Time that steps back is taken as standing still: nothing is ever covered twice.
    """
    at_us = max(seen.at_us, before.asked_us)
    if seen.state is None:
        return _missed(replace(before, asked_us=at_us), rules)
    made, counted = _counted(before, seen, rules, at_us=at_us)
    after = replace(counted, seen_us=at_us, asked_us=at_us, missed=0)
    if (seen.state, seen.reason) == (before.state, before.reason):
        return after, ((), made)
    closed = _closed(before, at_us)
    after = replace(after, state=seen.state, reason=seen.reason, since_us=at_us)
    return after, (closed, made)


def _missed(before: LineState, rules: FoldRules) -> tuple[LineState, Facts]:
    """Count a poll without an answer; enough of them end what was known when it was last seen."""
    after = replace(before, missed=before.missed + 1)
    if before.state == UNKNOWN or after.missed < rules.missed:
        return after, ((), ())
    closed = _closed(before, before.seen_us)
    after = replace(after, state=UNKNOWN, reason=None, since_us=before.seen_us)
    return after, (closed, ())


def _closed(before: LineState, end_us: int) -> tuple[Interval, ...]:
    if end_us == before.since_us:
        return ()
    return (
        Interval(state=before.state, reason=before.reason, start_us=before.since_us, end_us=end_us),
    )


def _counted(
    before: LineState, seen: Sample, rules: FoldRules, *, at_us: int
) -> tuple[tuple[Produced, ...], LineState]:
    """Return the pieces since the counters were last seen, and the counters now."""
    assert seen.good is not None
    assert seen.scrap is not None
    elapsed_us = at_us - before.counted_us
    good = delta(before.good, seen.good, elapsed_us=elapsed_us, limits=rules.limits)
    scrap = delta(before.scrap, seen.scrap, elapsed_us=elapsed_us, limits=rules.limits)
    after = replace(before, good=seen.good, scrap=seen.scrap, counted_us=at_us)
    estimated = good.estimated or scrap.estimated or elapsed_us > rules.gap_us
    quiet = good.count == 0 and scrap.count == 0 and Step.LOST not in (good.step, scrap.step)
    if before.good is None or quiet:
        return (), after
    return (
        Produced(
            since_us=before.counted_us,
            at_us=at_us,
            good=good.count,
            scrap=scrap.count,
            estimated=estimated,
        ),
    ), after
