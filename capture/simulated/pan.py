"""The physics of a simulated pan: a load that swings, settles, and is zeroed and tared.

Weights are decimals in grams. Time is given by the caller in seconds of any steady clock, so
a pan can be tested without waiting. Noise is seeded; once settled the value is exact.
"""

import math
import random
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

ZERO_G = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Pan:
    """One weighing pan. `capacity_g` is Max, `d_g` the readability."""

    capacity_g: Decimal
    d_g: Decimal
    settle_s: float = 0.8
    seed: int = 1
    load_g: Decimal = ZERO_G
    zero_g: Decimal = ZERO_G
    tare_g: Decimal = ZERO_G
    lifted: bool = False  # pushed up from below: reads as underload
    _from_g: Decimal = ZERO_G
    _changed_s: float = -math.inf
    _ramp_s: float = 0.0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - noise, not a secret

    def put(self, load_g: Decimal, at_s: float, *, ramp_s: float = 0.0) -> None:
        """Make `load_g` the load on the pan: at once, or growing evenly over `ramp_s`."""
        self._from_g = self.gross_g(at_s)
        self.load_g, self._changed_s, self._ramp_s = load_g, at_s, ramp_s
        self.lifted = False

    def lift(self, at_s: float) -> None:
        """Take the pan itself off: the scale reads under its range."""
        self.put(ZERO_G, at_s)
        self.lifted = True

    def gross_g(self, at_s: float) -> Decimal:
        """Return what the cell carries at a moment, without noise."""
        since_s = at_s - self._changed_s
        if since_s < self._ramp_s:
            share = Decimal(repr(since_s / self._ramp_s))
            return self._from_g + (self.load_g - self._from_g) * share
        if self._ramp_s == 0 and since_s < self.settle_s:
            left = Decimal(repr(math.exp(-8 * since_s / self.settle_s)))
            return self.load_g + (self._from_g - self.load_g) * left
        return self.load_g

    def settled(self, at_s: float) -> bool:
        """Return whether the pan is at rest."""
        return at_s - self._changed_s >= self._ramp_s + self.settle_s

    def overloaded(self, at_s: float) -> bool:
        """Return whether the gross load is above Max by more than nine divisions."""
        return self.gross_g(at_s) > self.capacity_g + 9 * self.d_g

    def underloaded(self, at_s: float) -> bool:
        """Return whether the load is below the zero point by more than twenty divisions."""
        return self.lifted or self.gross_g(at_s) - self.zero_g < -20 * self.d_g

    def net_g(self, at_s: float) -> Decimal:
        """Return what the display shows, rounded to `d_g`; it trembles until settled."""
        value = self.gross_g(at_s) - self.zero_g - self.tare_g
        if not self.settled(at_s):
            swing = max(2 * self.d_g, abs(self.load_g - self._from_g) / 500)
            value += swing * Decimal(repr(self._random.uniform(-1, 1)))
        return self._rounded(value)

    def set_zero(self, at_s: float) -> bool:
        """Make the present load the zero point, within two percent of Max."""
        load_g = self.gross_g(at_s)
        if abs(load_g) > self.capacity_g / 50:
            return False
        self.zero_g, self.tare_g = load_g, ZERO_G
        return True

    def set_tare(self, at_s: float) -> bool:
        """Make the present load the tare; a load below zero cannot be one."""
        load_g = self._rounded(self.gross_g(at_s) - self.zero_g)
        if load_g < 0:
            return False
        self.tare_g = load_g
        return True

    def _rounded(self, value: Decimal) -> Decimal:
        steps = (value / self.d_g).to_integral_value(rounding=ROUND_HALF_EVEN)
        return (steps * self.d_g + 0).quantize(self.d_g)
