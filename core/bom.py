"""The ERP's BOM beside the recipe's: both must sum to the same, exactly."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.order import Provenance
from core.quantity import UNITS, Name, exact, plain, require_above_zero, require_unit
from core.recipe import BomLine, RecipeContent


class ReceiveBom(Command, frozen=True, kw_only=True, tag="bom.receive"):
    """Take over the ERP's BOM of a product."""

    product: Name
    quantity: Decimal
    unit: str
    lines: tuple[BomLine, ...]
    provenance: Provenance


class ErpBomReceived(Event, frozen=True, kw_only=True, tag="erp-bom.received"):
    """The ERP's BOM as fetched; quantities in grams or pieces."""

    product: str
    quantity: Decimal
    unit: str
    lines: tuple[BomLine, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpBom:
    """The newest BOM that the ERP stated for a product."""

    KIND: ClassVar[str] = "bom"
    product: str
    quantity: Decimal
    unit: str
    lines: tuple[BomLine, ...]
    provenance: Provenance


def bom_drift(content: RecipeContent, bom: ErpBom) -> tuple[str, ...]:
    """Return where the execution BOM differs from the ERP's; empty where both agree exactly.

    Lines of one material are summed on each side, whatever their units; the ERP's are scaled to the
    recipe's batch by cross-multiplication, so nothing is rounded.
    """
    if UNITS[bom.unit][0] != UNITS[content.unit][0]:
        return (
            f"{bom.product}: the recipe makes {content.unit}, the ERP's BOM is for {bom.unit};"
            " they measure different things",
        )
    drift = []
    for material in sorted({line.material for line in (*content.bom, *bom.lines)}):
        mine = [line for line in content.bom if line.material == material]
        other = [line for line in bom.lines if line.material == material]
        unit = (mine or other)[0].unit
        apart = {line.unit for line in (*mine, *other) if UNITS[line.unit][0] != UNITS[unit][0]}
        if apart:
            listed = ", ".join(sorted(apart))
            drift.append(f"{material}: is in {unit} and in {listed}; they measure different things")
            continue
        ours, theirs = _sum(mine), _sum(other)
        if ours * _of(bom.quantity, bom.unit) != theirs * _of(content.quantity, content.unit):
            drift.append(
                f"{material}: recipe has {_shown(ours, unit)} for"
                f" {plain(content.quantity)} {content.unit},"
                f" ERP has {_shown(theirs, unit)} for {plain(bom.quantity)} {bom.unit}"
            )
    return tuple(drift)


def _of(quantity: Decimal, unit: str) -> Fraction:
    """Return a quantity in its dimension's base unit; a fraction has no limit of digits."""
    _, up, down = UNITS[unit]
    return Fraction(quantity) * up / down


def _sum(lines: list[BomLine]) -> Fraction:
    return sum((_of(line.quantity, line.unit) for line in lines), Fraction(0))


def _shown(base: Fraction, unit: str) -> str:
    _, up, down = UNITS[unit]
    return f"{plain(exact(base * down / up, unit).normalize())} {unit}"


def decide(plant: Plant, it: ReceiveBom, context: Context) -> Facts:
    """Return what the ERP's statement of a BOM causes; nothing where it is known already.

    Raises:
        UnknownUnit, NotAboveZero: a quantity of it is none.
    """
    what = f"BOM of {it.product}"
    require_unit(what, it.unit)
    require_above_zero(what, it.quantity, it.unit)
    for line in it.lines:
        require_unit(f"{what}, {line.material}", line.unit)
        if line.quantity:  # a line of zero needs nothing, and hides no other change of the BOM
            require_above_zero(f"{what}, {line.material}", line.quantity, line.unit)
    known = plant.get(ErpBom, it.product)
    if known is not None and (known.quantity, known.unit, known.lines) == (
        it.quantity,
        it.unit,
        it.lines,
    ):
        return ()
    received = ErpBomReceived(
        product=it.product,
        quantity=it.quantity,
        unit=it.unit,
        lines=it.lines,
        provenance=it.provenance,
    )
    return (Fact(f"bom/{it.product}", received),)


def apply(bom: ErpBom | None, fact: Recorded) -> ErpBom:
    """Fold one event of a BOM's stream: the newest statement stands."""
    if isinstance(fact.event, ErpBomReceived):
        it = fact.event
        return ErpBom(
            product=it.product,
            quantity=it.quantity,
            unit=it.unit,
            lines=it.lines,
            provenance=it.provenance,
        )
    assert bom is not None, fact
    return bom
