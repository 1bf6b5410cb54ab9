"""Exact quantities: `Decimal` with a unit, converted by whole-number factors only.

Masses are kept in grams inside the core; other systems' units are theirs to translate.
Comparisons with limits use the exact value; rounding happens for display alone.
"""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from core.errors import Refused

type Utc = Annotated[datetime, Meta(tz=True)]
# One line that shows as it is: no control or invisible characters, no blank at either end.
ONE_LINE = (
    r"^(?!\s)[^\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]+(?<!\s)$(?!\n)"
)
# Several lines, not all of them blank; nothing that shows other words than are stored, in another
# order or not at all.
SPOKEN = (
    r"^(?=[\s\S]*\S)[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]+$"
)

type Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=ONE_LINE)]
type Label = Annotated[str, Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
type Sentence = Annotated[str, Meta(min_length=1, max_length=2000, pattern=SPOKEN)]

# unit -> (dimension, numerator, denominator) towards the dimension's base unit
UNITS: dict[str, tuple[str, int, int]] = {
    "mg": ("mass", 1, 1000),
    "g": ("mass", 1, 1),
    "kg": ("mass", 1000, 1),
    "t": ("mass", 1_000_000, 1),
    "mL": ("volume", 1, 1),
    "L": ("volume", 1000, 1),
    "EA": ("count", 1, 1),
}


class UnitMismatch(Refused):
    """Two units measure different things; there is no factor between them."""

    def __init__(self, given: str, wanted: str) -> None:
        super().__init__(
            f"Unit {given}: cannot be turned into {wanted}. Give the quantity in {wanted}.",
            given=given,
            wanted=wanted,
        )


class UnknownUnit(Refused):
    """A unit that has no factor to any other."""

    def __init__(self, what: str, unit: str) -> None:
        units = ", ".join(UNITS)
        super().__init__(
            f"{what}: unit {unit} is not one of {units}. Give it in one of these.",
            what=what,
            unit=unit,
        )


class NotAboveZero(Refused):
    """A quantity of something is above zero."""

    def __init__(self, what: str, value: Decimal, unit: str) -> None:
        shown = f"{plain(value)} {unit}".strip()
        super().__init__(
            f"{what}: {shown} is not above zero. Give the quantity that is there.",
            what=what,
            value=value,
            unit=unit,
        )


def require_unit(what: str, unit: str) -> None:
    """Refuse a unit that is not known."""
    if unit not in UNITS:
        raise UnknownUnit(what, unit)


def require_above_zero(what: str, value: Decimal, unit: str) -> None:
    """Refuse a quantity of zero or less."""
    if value <= 0:
        raise NotAboveZero(what, value, unit)


class NotExact(Refused):
    """The result has no finite decimal spelling."""

    def __init__(self, value: Fraction, unit: str) -> None:
        super().__init__(f"{value} {unit}: has no exact decimal value. Use a finer unit.")


def exact(value: Fraction, unit: str = "") -> Decimal:
    """Return the decimal that equals a fraction.

    >>> exact(Fraction(1, 8))
    Decimal('0.125')

    Raises:
        NotExact: the denominator has a prime factor other than 2 and 5.
    """
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    while rest % 2 == 0:
        rest, places = rest // 2, places + 1
    while rest % 5 == 0:
        rest, places = rest // 5, places + 1
    if rest != 1:
        raise NotExact(value, unit)
    return Decimal(value.numerator * 10**places // value.denominator).scaleb(-places)


def convert(value: Decimal, unit: str, to: str) -> Decimal:
    """Return `value` in another unit, exactly.

    >>> convert(Decimal("1.809"), "kg", "g")
    Decimal('1809')

    Raises:
        UnitMismatch: the units measure different things, or one is not known.
    """
    if unit == to and unit in UNITS:
        return value
    if unit not in UNITS or to not in UNITS or UNITS[unit][0] != UNITS[to][0]:
        raise UnitMismatch(unit, to)
    _, up, down = UNITS[unit]
    _, to_up, to_down = UNITS[to]
    return exact(Fraction(value) * up * to_down / (down * to_up), to)


def grams(value: Decimal, unit: str) -> Decimal:
    """Return a mass in grams, exactly.

    >>> grams(Decimal("0.990"), "kg")
    Decimal('990')
    """
    return convert(value, unit, "g")


def plain(value: Decimal) -> str:
    """Return a decimal as people write it: no exponent, no trailing zeros added or lost.

    >>> plain(Decimal("1E+3"))
    '1000'
    """
    return f"{value:f}"


def kg_text(value_g: Decimal) -> str:
    """Return grams as a kilogram text with at least gram resolution.

    >>> kg_text(Decimal("1809"))
    '1.809 kg'
    """
    value = value_g.scaleb(-3)
    places = max(3, -int(value.normalize().as_tuple().exponent))
    return f"{value:.{places}f} kg"
