"""How much a deviation may matter: a rule per kind, adopted as the plant's own data.

The worst of three counts: what its kind is worth, an active material in it, and how far the value
is from its target, in half widths of the tolerance. High and critical need two people of QA.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from core.errors import AlreadyKnown
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.quantity import Label, Name, require_above_zero

IN_FORCE = "rules"  # the one stream of them: a plant has one set in force


class Severity(StrEnum):
    """How much a deviation may matter to the patient."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


TWO_PEOPLE = (Severity.HIGH, Severity.CRITICAL)
ORDER = tuple(Severity)


class AdoptSeverityRules(Command, frozen=True, kw_only=True, tag="plant.adopt-severity-rules"):
    """Put a plant's rules of severity in force; a kind that is not named is medium.

    A value further than `far_factor` half widths from the target is at least `far`.
    """

    kinds: dict[str, Severity]
    active_materials: tuple[Name, ...]
    active: Severity
    far_factor: Decimal
    far: Severity
    source: Label


class SeverityRulesAdopted(Event, frozen=True, kw_only=True, tag="severity-rules.adopted"):
    """These rules are in force from here on."""

    version: int
    kinds: dict[str, Severity]
    active_materials: tuple[str, ...]
    active: Severity
    far_factor: Decimal
    far: Severity
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRules:
    """The rules in force."""

    KIND: ClassVar[str] = "severity"
    version: int
    kinds: dict[str, Severity]
    active_materials: tuple[str, ...]
    active: Severity
    far_factor: Decimal
    far: Severity
    source: str


def severity_of(
    plant: Plant, kind: str, *, materials: Iterable[str] = (), factor: Decimal | None = None
) -> Severity:
    """Return a deviation's severity by the rules in force; medium where a plant has none.

    `factor` is the distance from the target in half widths of the tolerance, None for no value.
    """
    rules = plant.get(SeverityRules, IN_FORCE)
    if rules is None:
        return Severity.MEDIUM
    found = [rules.kinds.get(kind, Severity.MEDIUM)]
    if set(materials) & set(rules.active_materials):
        found.append(rules.active)
    if factor is not None and factor > rules.far_factor:
        found.append(rules.far)
    return max(found, key=ORDER.index)


def factor_of(
    value: Decimal, *, low: Decimal | None, high: Decimal | None, target: Decimal | None = None
) -> Decimal | None:
    """Return a value's distance from its target in half widths; None where that says nothing.

    >>> factor_of(Decimal(2467), low=Decimal(2376), high=Decimal(2424), target=Decimal(2400))
    Decimal('2.791666666666666666666666667')
    """
    if low is None or high is None or low == high:
        return None
    middle = (low + high) / 2 if target is None else target
    return abs(value - middle) / ((high - low) / 2)


def decide(plant: Plant, command: AdoptSeverityRules, context: Context) -> Facts:
    """Return what new rules of severity cause, or refuse them.

    Raises:
        NotAboveZero: every value would be far.
        AlreadyKnown: these rules are in force.
    """
    require_above_zero("Severity, far factor", command.far_factor, "half widths")
    rules = plant.get(SeverityRules, IN_FORCE)
    names = command.__struct_fields__
    if rules is not None and all(getattr(rules, one) == getattr(command, one) for one in names):
        raise AlreadyKnown("Severity rules", f"version {rules.version}")
    adopted = SeverityRulesAdopted(
        version=1 if rules is None else rules.version + 1,
        kinds=command.kinds,
        active_materials=command.active_materials,
        active=command.active,
        far_factor=command.far_factor,
        far=command.far,
        source=command.source,
    )
    return (Fact(f"{SeverityRules.KIND}/{IN_FORCE}", adopted),)


def apply(rules: SeverityRules | None, fact: Recorded) -> SeverityRules:
    """Fold one event: the newest rules stand."""
    assert isinstance(fact.event, SeverityRulesAdopted), fact
    it = fact.event
    return SeverityRules(
        version=it.version,
        kinds=it.kinds,
        active_materials=it.active_materials,
        active=it.active,
        far_factor=it.far_factor,
        far=it.far,
        source=it.source,
    )
