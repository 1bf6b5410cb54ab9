"""The ERP's BOM beside the recipe's: both must sum to the same, exactly."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.order import Provenance
from core.quantity import Name, convert, plain
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

    The ERP's lines are scaled to the recipe's batch by cross-multiplication, so nothing is
    rounded. Several execution lines of one material are summed first.
    """
    drift = _units_apart(content.bom, bom.lines)
    ours: dict[str, Decimal] = {}
    for line in content.bom:
        ours[line.material] = ours.get(line.material, Decimal(0)) + line.quantity
    theirs: dict[str, Decimal] = {}
    for line in bom.lines:
        theirs[line.material] = theirs.get(line.material, Decimal(0)) + line.quantity
    units = {line.material: line.unit for line in (*bom.lines, *content.bom)}
    erp_size = convert(bom.quantity, bom.unit, content.unit)
    for material in sorted({*ours, *theirs}):
        mine, other = ours.get(material, Decimal(0)), theirs.get(material, Decimal(0))
        if mine * erp_size != other * content.quantity:
            unit = units[material]
            drift.append(
                f"{material}: recipe has {plain(mine.normalize())} {unit} for"
                f" {plain(content.quantity)} {content.unit},"
                f" ERP has {plain(other.normalize())} {unit} for {plain(bom.quantity)} {bom.unit}"
            )
    return tuple(drift)


def _units_apart(ours: tuple[BomLine, ...], theirs: tuple[BomLine, ...]) -> list[str]:
    """Return the materials that both have and do not keep in one unit."""
    mine = {line.material: line.unit for line in ours}
    apart = {
        line.material: line.unit
        for line in theirs
        if mine.get(line.material, line.unit) != line.unit
    }
    return [
        f"{name}: recipe has it in {mine[name]}, ERP in {apart[name]}" for name in sorted(apart)
    ]


def decide(plant: Plant, it: ReceiveBom, context: Context) -> Facts:
    """Return what the ERP's statement of a BOM causes; nothing where it is known already."""
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
