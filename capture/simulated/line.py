"""The behaviour of a simulated production line: a seeded course of states, counters that wrap.

A line executes while an order is on it, and is disturbed as its script says: short stops,
breakdowns, starvation, stops without a reason code, speed loss, bursts of rejects. `pace`
makes disturbances come and go that many times faster; the line itself never makes more than
its rate, so that its figures stay true to the clock. Times are microseconds of any steady clock.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

MINUTE_US = 60_000_000
WRAP = 1 << 32

STOPPED, IDLE, SUSPENDED, EXECUTE, HELD, COMPLETE = 2, 4, 5, 6, 11, 17
PRODUCING, SETUP = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """One kind of trouble. `weight` is its share; lasting `low_s` to `high_s` seconds.

    `state` None: the line goes on, at `speed_percent` and with `reject_ppm`.
    """

    name: str
    weight: int
    low_s: int
    high_s: int
    state: int | None = None
    reason: int = 0
    speed_percent: int = 100
    reject_ppm: int | None = None


SCRIPT = (
    Disturbance(name="short_stop", weight=40, low_s=8, high_s=60, state=HELD, reason=11),
    Disturbance(name="breakdown", weight=6, low_s=300, high_s=1200, state=HELD, reason=12),
    Disturbance(name="starved", weight=14, low_s=30, high_s=240, state=SUSPENDED, reason=21),
    Disturbance(name="unlabelled", weight=8, low_s=120, high_s=540, state=STOPPED, reason=0),
    Disturbance(name="speed_loss", weight=20, low_s=120, high_s=600, speed_percent=70),
    Disturbance(name="rejects", weight=12, low_s=60, high_s=180, reject_ppm=60_000),
)
REASONS = {11: "jam", 12: "mechanical", 21: "starved"}


@dataclass(slots=True, kw_only=True)
class LineModel:
    """What a simulated line can do, before anything happens."""

    rate_per_min: int = 600
    reject_ppm: int = 6_000
    run_s: int = 420  # undisturbed, on average
    setup_s: int = 0
    pace: int = 1
    seed: int = 1
    good: int = WRAP - 5_000  # so that a wrap is seen within minutes
    scrap: int = 0
    script: tuple[Disturbance, ...] = SCRIPT


@dataclass(frozen=True, slots=True)
class _Stretch:
    """How the line behaves until `end_us`; None: until it is told otherwise."""

    end_us: int | None
    state: int
    mode: int = PRODUCING
    reason: int = 0
    speed_percent: int = 0
    reject_ppm: int = 0


@dataclass(slots=True)
class Line:
    """One line in time. Every call moves it to the moment given, which never steps back."""

    model: LineModel
    at_us: int = 0
    order: str | None = None
    good: int = field(init=False)
    scrap: int = field(init=False)
    _rate_per_min: int = field(init=False)
    _now: _Stretch = field(init=False)
    _next: Iterator[_Stretch] = field(init=False)
    _pieces: int = 0  # remainders, so that no piece is lost to rounding
    _rejects: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.model.seed)  # noqa: S311 - a script, not a secret
        self._rate_per_min = self.model.rate_per_min
        self.good, self.scrap = self.model.good % WRAP, self.model.scrap % WRAP
        self._now = _Stretch(None, IDLE)
        self._next = iter(())

    def advance(self, at_us: int) -> None:
        """Let time pass."""
        while self._now.end_us is not None and self._now.end_us <= at_us:
            self._make(self._now.end_us)
            self._now = next(self._next)
        self._make(max(at_us, self.at_us))

    def start(self, order: str, at_us: int, *, rate_per_min: int | None = None) -> None:
        """Begin an order: setting up first if the model says so, then executing."""
        self.advance(at_us)
        self.order = order
        self._rate_per_min = rate_per_min or self.model.rate_per_min
        self._next = self._course(self.at_us)
        self._now = next(self._next)

    def stop(self, at_us: int) -> None:
        """End the order; the line stands idle."""
        self.advance(at_us)
        self.order = None
        self._now, self._next = _Stretch(None, IDLE), iter(())

    def disturb(self, name: str, seconds: int, at_us: int) -> None:
        """Make one kind of trouble happen now, for so long (in real seconds)."""
        self.advance(at_us)
        kind = next((k for k in self.model.script if k.name == name), None)
        if kind is None or self.order is None:
            raise ValueError("needs an order on the line, and a disturbance of its script")
        self._now = self._stretch(kind, self.at_us + seconds * 1_000_000)
        self._next = self._course(self.at_us + seconds * 1_000_000, setup=False)

    @property
    def state(self) -> int:
        """PackML state code."""
        return self._now.state

    @property
    def mode(self) -> int:
        """Unit mode: producing or setup."""
        return self._now.mode

    @property
    def reason(self) -> int:
        """Why it stands, as far as the machine knows; 0 is no reason."""
        return self._now.reason

    @property
    def speed_per_min(self) -> int:
        """Pieces a minute at this moment."""
        return self._rate_per_min * self._now.speed_percent // 100

    def _make(self, to_us: int) -> None:
        """Count what is made until a moment, in whole pieces."""
        elapsed_us = to_us - self.at_us
        self.at_us = to_us
        per_min = self._rate_per_min * self._now.speed_percent
        made, self._pieces = divmod(self._pieces + elapsed_us * per_min, MINUTE_US * 100)
        rejected, self._rejects = divmod(self._rejects + made * self._now.reject_ppm, 1_000_000)
        self.good = (self.good + made - rejected) % WRAP
        self.scrap = (self.scrap + rejected) % WRAP

    def _course(self, from_us: int, *, setup: bool = True) -> Iterator[_Stretch]:
        """Yield the order's stretches for ever: run, trouble, run, trouble."""
        at_us = from_us
        if setup and self.model.setup_s:
            at_us += self._paced(self.model.setup_s)
            yield _Stretch(at_us, STOPPED, SETUP)
        weights = [kind.weight for kind in self.model.script]
        while True:
            run_s = self._random.uniform(0.3, 1.7) * self.model.run_s
            at_us += self._paced(run_s)
            end_us = at_us if weights else None
            yield _Stretch(end_us, EXECUTE, PRODUCING, 0, 100, self.model.reject_ppm)
            kind = self._random.choices(self.model.script, weights)[0]
            at_us += self._paced(self._random.uniform(kind.low_s, kind.high_s))
            yield self._stretch(kind, at_us)

    def _stretch(self, kind: Disturbance, end_us: int) -> _Stretch:
        if kind.state is not None:
            return _Stretch(end_us, kind.state, PRODUCING, kind.reason)
        ppm = self.model.reject_ppm if kind.reject_ppm is None else kind.reject_ppm
        return _Stretch(end_us, EXECUTE, PRODUCING, 0, kind.speed_percent, ppm)

    def _paced(self, seconds: float) -> int:
        return max(1, int(seconds * 1_000_000) // self.model.pace)
