"""Between our messages and the records of the modelled service, both ways; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from erp.adapters import keyed, records
from erp.adapters.movements import SIGNS
from erp.adapters.odata import fields
from erp.adapters.units import Unit, Units
from erp.contract import erp_ref
from erp.port import (
    ErpBom,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    LedgerLine,
    Posting,
)

UNITS = Units({"KGM": Unit("KGM"), "LTR": Unit("LTR"), "C62": Unit("C62")}, digits=fields.DIGITS)
DOCUMENT = "inventory_transaction"
STATES = {
    "planned": ErpOrderState.PLANNED,
    "released": ErpOrderState.RELEASED,
    "closed": ErpOrderState.CLOSED,
    "cancelled": ErpOrderState.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ODataPlant:
    """An ERP's site, as the modelled service shows it.

    `gl_at_once` says that the entries name the general ledger's document as soon as they stand.
    """

    name: str
    components_from: str
    goods_to: str
    zone: ZoneInfo
    units: Units = field(default=UNITS)
    gl_at_once: bool = False

    def profile(self) -> ErpProfile:
        """Return what fits."""
        lengths = {"ref": 20, "item": 47, "lot": 40, "order": 40}
        return keyed.profile(self.name, self.units, lengths, gl_at_once=self.gl_at_once)


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
        "quantity": plant.units.theirs(line.quantity, line.unit),
        "unitCode": plant.units[line.unit].code,
        "corrects": erp_ref(posting.corrects) if posting.corrects else "",
        "undoes": posting.document.id if posting.document else "",
    }


def ledger_line(entry: Mapping[str, Any], plant: ODataPlant) -> LedgerLine:
    """Return one inventory transaction, in the item's base unit.

    Raises:
        KeyError, ValueError: the record lacks what a line needs.
    """
    movement, cost = entry["movement"], entry["glDocument"] or None
    return records.stock_line(
        plant.units,
        keyed.entry_of(DOCUMENT, entry),
        seq=int(entry["entryNumber"]),
        named=(entry["messageId"], entry["reference"]),
        order=entry["orderNumber"],
        item=entry["itemNumber"],
        lot=entry["lotNumber"],
        movement=movement,
        quantity=Decimal(str(entry["quantity"])) * SIGNS[movement],
        unit=entry["unitCode"],
        on=date.fromisoformat(entry["postingDate"]),
        posted_at=parse_iso(entry["createdAt"]),
        gl=(cost, entry["glPostingDate"][:7] if cost else None),
    )


def order(raw: Mapping[str, Any], plant: ODataPlant) -> ErpOrder:
    """Return an order in our words."""
    due = raw.get("dueDate")
    return records.order(
        plant.units,
        raw["orderNumber"],
        raw["itemNumber"],
        quantity=raw["quantity"],
        unit=raw["unitCode"],
        state=STATES[raw["state"]],
        due_at=records.moment(date.fromisoformat(due), plant.zone) if due else None,
    )


def item(raw: Mapping[str, Any], plant: ODataPlant) -> ErpItem:
    """Return an item in our words."""
    gtin = raw.get("gtin")
    return records.item(
        plant.units, raw["itemNumber"], raw["name"], unit=raw["unitCode"], gtin=gtin
    )


def bom(lines: list[Mapping[str, Any]], plant: ODataPlant) -> ErpBom:
    """Return a BOM from its lines: for its parent's quantity, in base units."""
    head = lines[0]
    return records.bom(
        plant.units,
        head["parentItemNumber"],
        [(it["itemNumber"], it["quantity"], it["unitCode"]) for it in lines],
        quantity=head["parentQuantity"],
        unit=head["parentUnitCode"],
    )


def customer(raw: Mapping[str, Any], _plant: ODataPlant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["customerNumber"], raw["name"])
