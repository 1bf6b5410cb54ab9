"""OEE in words: target bands, durations, categories, and how each category is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from markupsafe import Markup

from analytics.losses import LOSSES
from analytics.oee import percent
from dashboards.kiosk.lines import REASONS
from dashboards.palette import State

MINUTE_US = 60_000_000
NONE = "—"
SIMULATED_PAST = "HISTORY"  # the order of what lies before a demo's first start

RATIO_NAMES = {
    "availability": "Availability",
    "performance": "Performance",
    "quality": "Quality",
    "oee": "OEE",
    "coverage": "Coverage",
}
FORMULAS = {
    "availability": "run time / planned time (APT / PBT)",
    "performance": "ideal time of all pieces / run time (PRI x PQ / APT)",
    "quality": "ideal time of good pieces / ideal time of all pieces",
    "oee": "ideal time of good pieces / planned time",
    "coverage": "planned time with a known state / planned time",
}
CATEGORY_WORDS = {
    "run": "Running",
    "planned_stop": "Planned stop",
    "off": "Not planned",
    **{name: words for name, (_, words) in LOSSES.items()},
    "unlabeled": "Unlabelled stop",
    "unknown": "Unknown",
}
MACHINE_REASONS = {"jam": "Jam", "mechanical": "Mechanical fault", "starved": "Starved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Below `low` is missed, from `high` on target is met; between them is near."""

    low: Fraction
    high: Fraction

    def judge(self, value: Fraction | None) -> tuple[State, str]:
        """Return the state and the word of a ratio.

        >>> DEFAULT_BANDS["oee"].judge(Fraction(65, 100))
        (<State.NEAR: 'near'>, 'Near target')
        """
        if value is None:
            return State.UNKNOWN, "Unknown"
        if value < self.low:
            return State.BAD, "Below target"
        return (State.OK, "On target") if value >= self.high else (State.NEAR, "Near target")


def _bands(low: int, high: int) -> Bands:
    return Bands(low=Fraction(low, 1000), high=Fraction(high, 1000))


DEFAULT_BANDS: Mapping[str, Bands] = {
    "oee": _bands(650, 850),
    "availability": _bands(800, 900),
    "performance": _bands(850, 950),
    "quality": _bands(980, 990),
    "coverage": _bands(950, 950),
}


def duration(us: int | None, *, seconds: bool = False) -> str:
    """Return a time for people, the sign kept; a dash where it is unknown.

    >>> duration(5_400_000_000), duration(-90_000_000), duration(30_000_000)
    ('1 h 30 min', '−1.5 min', '0.5 min')
    >>> duration(95_000_000, seconds=True)
    '1 min 35 s'
    """
    if us is None:
        return NONE
    sign, us = ("−" if us < 0 else ""), abs(us)
    if seconds:
        minutes, rest = divmod(us // 1_000_000, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{f'{hours} h ' if hours else ''}{minutes} min {rest:02d} s"
    if us < 10 * MINUTE_US:
        tenths = round(us / (MINUTE_US / 10))
        return f"{sign}{tenths // 10}.{tenths % 10} min"
    minutes = round(us / MINUTE_US)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours} h {minutes:02d} min" if hours else f"{sign}{minutes} min"


def minutes(us: int) -> float:
    """Return minutes for an axis."""
    return us / MINUTE_US


def bounds(low: Fraction | None, high: Fraction | None) -> str:
    """Return a low and a high bound for people.

    >>> bounds(Fraction(1, 2), Fraction(3, 4)), bounds(None, None)
    ('50.0 % to 75.0 %', '—')
    """
    if low is None or high is None:
        return NONE
    return f"{percent(low)} to {percent(high)}"


def category(name: str) -> str:
    """Return a category in words."""
    return CATEGORY_WORDS.get(name, name.replace("_", " ").capitalize())


def reason(name: str | None) -> str:
    """Return a stop's reason in words, as the machine or a person gave it."""
    if not name:
        return ""
    if name in MACHINE_REASONS:
        return MACHINE_REASONS[name]
    return REASONS[name][0] if name in REASONS else name.replace("_", " ").capitalize()


def inner(words: str) -> str:
    """Return words as they stand inside a sentence.

    >>> inner("Waiting for QA")
    'waiting for QA'
    """
    return words[:1].lower() + words[1:]


def loss_name(category_name: str, reason_name: str | None) -> str:
    """Return the name of a loss: its reason where there is one, with the category.

    >>> loss_name("breakdown", "feeder_blocked"), loss_name("unlabeled", None)
    ('Feeder blocked (breakdown)', 'Unlabelled stop')
    """
    said = reason(reason_name)
    words = category(category_name)
    if not said or said.lower() == words.lower() or reason_name == category_name:
        return words
    return f"{said} ({inner(words)})"


def order(name: str | None, none: str = "no order") -> str:
    """Return an order's number as it is shown.

    >>> order("1000178"), order("HISTORY"), order(None)
    ('1000178', 'simulated past', 'no order')
    """
    return "simulated past" if name == SIMULATED_PAST else name or none


def some(n: int, noun: str) -> str:
    """Return a count with its noun.

    >>> some(1, "day"), some(2, "day")
    ('1 day', '2 days')
    """
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def fixed(text: object) -> Markup:
    """Return text that stays on one line: a number of a batch, a time."""
    return Markup('<span class="nowrap">{}</span>').format(text)


def count(n: int) -> str:
    """Return a count with thin spaces between thousands.

    >>> count(1234567)
    '1\u202f234\u202f567'
    """
    return f"{n:,}".replace(",", "\u202f")
