"""Between our messages and the records of the modelled service, both ways; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from erp.adapters.movements import MATERIAL
from erp.adapters.odata import fields
from erp.adapters.units import Unit, Units
from erp.contract import erp_ref
from erp.messages import OUR_UNITS
from erp.port import (
    DocumentRef,
    ErpBom,
    ErpBomLine,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    LedgerLine,
    Posting,
)

UNITS = {"KGM": Unit("KGM"), "LTR": Unit("LTR"), "C62": Unit("C62")}
STATES = {
    "planned": ErpOrderState.PLANNED,
    "released": ErpOrderState.RELEASED,
    "closed": ErpOrderState.CLOSED,
    "cancelled": ErpOrderState.CANCELLED,
}
# what leaves stock is negative in the entries
SIGNS = {"issue": -1, "return": 1, "scrap": -1, "receipt": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class ODataPlant:
    """An ERP's site, as the modelled service shows it.

    `gl_at_once` says that the entries name the general ledger's document as soon as they stand.
    """

    name: str
    components_from: str
    goods_to: str
    zone: ZoneInfo
    units: Mapping[str, Unit]
    gl_at_once: bool = False

    def measures(self) -> Units:
        """Return the units with the digits of a quantity."""
        return Units(self.units, digits=fields.DIGITS)

    def profile(self) -> ErpProfile:
        """Return what fits."""
        supports = {"reversal", "partial_fg", "lot_on_issue", "native_key", "read_back"}
        return ErpProfile(
            name=self.name,
            supports=frozenset(supports | {"future_dates"}),
            scales=self.measures().scales(),
            lengths={"ref": 20, "item": 47, "lot": 40, "order": 40},
            asks_period_first=True,
            takes=MATERIAL,
            signs_receipts=False,
            reads_gl=self.gl_at_once,
        )


def posting_record(posting: Posting, plant: ODataPlant) -> dict[str, Any]:
    """Return the record that the service posts; a reversal has a negative quantity."""
    [line] = posting.lines
    receipt = line.movement == "receipt"
    return {
        "reference": posting.ref,
        "messageId": posting.key,
        "digest": posting.digest,
        "movement": line.movement,
        "orderNumber": posting.order.erp,
        "itemNumber": line.item,
        "lotNumber": line.lot or "",
        "locationCode": plant.goods_to if receipt else plant.components_from,
        "postingDate": posting.posting_date.isoformat(),
        "quantity": plant.measures().theirs(line.quantity, line.unit),
        "unitCode": plant.units[line.unit].code,
        "corrects": erp_ref(posting.corrects) if posting.corrects else "",
    }


def document_of(record: Mapping[str, Any]) -> DocumentRef:
    """Return how we name the ERP's inventory transaction."""
    return DocumentRef(
        "inventory_transaction", str(record["entryNumber"]), record["postingDate"][:4], "1"
    )


def ledger_line(entry: Mapping[str, Any], plant: ODataPlant) -> LedgerLine:
    """Return one inventory transaction, in the item's base unit.

    Raises:
        KeyError, ValueError: the record lacks what a line needs.
    """
    movement = entry["movement"]
    raw = Decimal(str(entry["quantity"])) * SIGNS[movement]
    value, unit = plant.measures().ours(raw, entry["unitCode"])
    on, cost = date.fromisoformat(entry["postingDate"]), entry["glDocument"] or None
    return LedgerLine(
        seq=int(entry["entryNumber"]),
        kind="stock",
        reference=entry["messageId"] or None,
        ref=entry["reference"] or None,
        document=document_of(entry),
        order=entry["orderNumber"] or None,
        item=entry["itemNumber"],
        lot=entry["lotNumber"] or None,
        movement=movement,
        quantity=value,
        unit=unit,
        posting_date=on,
        period=f"{on:%Y-%m}",
        gl_document=cost,
        gl_period=entry["glPostingDate"][:7] if cost else None,
        posted_at=parse_iso(entry["createdAt"]),
    )


def order(raw: Mapping[str, Any], plant: ODataPlant) -> ErpOrder:
    """Return an order in our words."""
    value, unit = plant.measures().ours(raw["quantity"], raw["unitCode"])
    due = raw.get("dueDate")
    return ErpOrder(
        id=raw["orderNumber"],
        product=raw["itemNumber"],
        quantity=value,
        unit=OUR_UNITS[unit],
        state=STATES[raw["state"]],
        due_at=_midnight(due, plant.zone) if due else None,
    )


def _midnight(day: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), zone).astimezone(UTC)


def item(raw: Mapping[str, Any], plant: ODataPlant) -> ErpItem:
    """Return an item in our words."""
    _, unit = plant.measures().ours("1", raw["unitCode"])
    return ErpItem(raw["itemNumber"], raw["name"], OUR_UNITS[unit], raw.get("gtin") or None)


def bom(lines: list[Mapping[str, Any]], plant: ODataPlant) -> ErpBom:
    """Return a BOM from its lines: for its parent's quantity, in base units."""
    measures, made = plant.measures(), []
    for line in lines:
        value, unit = measures.ours(line["quantity"], line["unitCode"])
        made.append(ErpBomLine(line["itemNumber"], value, OUR_UNITS[unit]))
    value, unit = measures.ours(lines[0]["parentQuantity"], lines[0]["parentUnitCode"])
    return ErpBom(lines[0]["parentItemNumber"], value, OUR_UNITS[unit], tuple(made))


def customer(raw: Mapping[str, Any], _plant: ODataPlant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["customerNumber"], raw["name"])
