"""The live weight: digits readable from two metres, and a bar that shows where the limits are.

Weights come in as exact grams; the browser gets texts and draws. Colour is never alone: each
state has its word and its sign.
"""

import time
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from core.quantity import convert
from dashboards.palette import State

BEAT_S = 1.0


class Link(StrEnum):
    """What the scale said about itself."""

    OK = "ok"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    NO_LINK = "no_link"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reading means on the screen; the rule itself is the execution core's."""

    name: str
    tone: State
    word: str


NO_LIMITS = Judgement("no_limits", State.INFO, "WEIGHT")
IN_TOLERANCE = Judgement("in_tolerance", State.OK, "IN TOLERANCE")
NEAR_LIMIT = Judgement("near_limit", State.NEAR, "NEAR LIMIT")
BELOW_MINIMUM = Judgement("below_minimum", State.INFO, "BELOW MINIMUM")
ABOVE_MAXIMUM = Judgement("above_maximum", State.BAD, "ABOVE MAXIMUM")
OVERLOAD = Judgement("overload", State.BAD, "OVERLOAD")
UNDERLOAD = Judgement("underload", State.BAD, "UNDERLOAD")
NO_LINK = Judgement("no_link", State.UNKNOWN, "NO LINK")


def judge(
    net_g: Decimal | None,
    low_g: Decimal | None,
    high_g: Decimal | None,
    *,
    link: Link = Link.OK,
) -> Judgement:
    """Return the state of a reading; limits are closed, and the outer tenths of the band are near.

    >>> judge(Decimal(990), Decimal(990), Decimal(1010)).word
    'NEAR LIMIT'
    """
    if link is Link.OVERLOAD:
        return OVERLOAD
    if link is Link.UNDERLOAD:
        return UNDERLOAD
    if link is Link.NO_LINK or net_g is None:
        return NO_LINK
    if low_g is None or high_g is None:
        return NO_LIMITS
    if net_g < low_g:
        return BELOW_MINIMUM
    if net_g > high_g:
        return ABOVE_MAXIMUM
    margin = (high_g - low_g) / 10
    if low_g + margin <= net_g <= high_g - margin:
        return IN_TOLERANCE
    return NEAR_LIMIT


class LiveWeight(JSComponent):
    """One scale's reading against one step's limits."""

    label = param.String(default="Scale reading", constant=True)
    unit = param.String(default="kg")
    low = param.String(default="")
    target = param.String(default="")
    high = param.String(default="")
    reading = param.Dict(default={"net": "", "state": "no_link", "tone": "unknown",
                                  "word": NO_LINK.word, "hint": "", "stable": False})  # fmt: skip
    beat = param.Integer(default=0, doc="Counted up while the scale answers the same.")
    stale_ms = param.Integer(default=4000, constant=True)

    _esm = (Path(__file__).parent / "live_weight.js").read_text("utf-8")

    def __init__(self, *, places: int = 3, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        params.setdefault("margin", (0, 10, 12, 10))
        super().__init__(**params)
        self._places = places
        self._low_g: Decimal | None = None
        self._high_g: Decimal | None = None
        self._target_g: Decimal | None = None
        self._told_s = 0.0

    def limits(self, low_g: Decimal, target_g: Decimal, high_g: Decimal) -> None:
        """Set target and limits, in grams."""
        self._low_g, self._target_g, self._high_g = low_g, target_g, high_g
        self.param.update(
            low=self._text(low_g), target=self._text(target_g), high=self._text(high_g)
        )

    def show(self, net_g: Decimal | None, *, stable: bool, link: Link = Link.OK) -> Judgement:
        """Show a reading; sends only what changed, and a sign of life once a second."""
        judged = judge(net_g, self._low_g, self._high_g, link=link)
        shown = {
            "net": "" if net_g is None or link is not Link.OK else self._text(net_g),
            "state": judged.name,
            "tone": judged.tone.value,
            "word": judged.word,
            "hint": self._hint(net_g, stable=stable, link=link),
            "stable": stable,
        }
        now_s = time.monotonic()
        if shown != self.reading:
            self.reading, self._told_s = shown, now_s
        elif now_s - self._told_s >= BEAT_S:
            self.beat, self._told_s = self.beat + 1, now_s
        return judged

    def _text(self, value_g: Decimal) -> str:
        return f"{convert(value_g, 'g', self.unit):.{self._places}f}"

    def _hint(self, net_g: Decimal | None, *, stable: bool, link: Link) -> str:
        if link is Link.NO_LINK or net_g is None:
            return "Check the scale's cable and power"
        if link is not Link.OK:
            return "Take the load off the scale"
        calm = "Stable" if stable else "Moving"
        if self._low_g is None or self._target_g is None or self._high_g is None:
            return calm
        if net_g < self._low_g:
            return f"{calm} · {self._text(self._target_g - net_g)} {self.unit} to go"
        if net_g > self._high_g:
            return f"{calm} · {self._text(net_g - self._target_g)} {self.unit} over target"
        return calm
