"""Between our messages and Business Central's records, both ways; pure.

An item ledger entry carries the message's 16-character reference as its document number. What else
a message says (its id, its SHA-256, what it corrects) is kept by the page that posts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from erp.adapters import keyed, records
from erp.adapters.business_central import fields
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

DOCUMENT = "item_ledger_entry"
# movement of ours -> (entry type, sign of a journal line, sign of its ledger entry)
MOVES = {
    "issue": ("Consumption", 1, -1),
    "return": ("Consumption", -1, 1),
    "scrap": ("Negative_x0020_Adjmt_x002E_", 1, -1),
    "receipt": ("Output", 1, 1),
}
# entry type of somebody else's entry -> movement of ours by the sign of its quantity
FOREIGN = {
    "Consumption": {-1: "issue", 1: "return"},
    "Output": {-1: "receipt", 1: "receipt"},
    "Negative_x0020_Adjmt_x002E_": {-1: "scrap", 1: "scrap"},
}
STATES = {
    "Simulated": ErpOrderState.PLANNED,
    "Planned": ErpOrderState.PLANNED,
    "Firm Planned": ErpOrderState.PLANNED,
    "Released": ErpOrderState.RELEASED,
    "Finished": ErpOrderState.CLOSED,
}

UNITS = Units({"KGM": Unit("KG"), "LTR": Unit("L"), "C62": Unit("PCS")}, digits=fields.DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BcPlant:
    """A company of Business Central, and the pages that its partner made for us.

    `units` are the base units of the plant's items. `pages` is publisher, group and version of the
    customer's pages. `gl_at_once` says that cost goes to the general ledger with each posting
    (Automatic Cost Posting): elsewhere a batch job writes it under other document numbers.
    """

    company: str
    components_from: str
    goods_to: str
    zone: ZoneInfo
    units: Units = UNITS
    pages: str = "batchwright/execution/v1.0"
    gl_at_once: bool = False

    def profile(self) -> ErpProfile:
        """Return what fits."""
        lengths = {"ref": 20, "item": 20, "lot": 50, "order": 20}
        name = "Business Central"
        return keyed.profile(name, self.units, lengths, gl_at_once=self.gl_at_once)


def posting_record(posting: Posting, plant: BcPlant) -> dict[str, Any]:
    """Return the record that the page posts; a message moves one line."""
    [line] = posting.lines
    kind, sign, _ = MOVES[line.movement]
    record = {
        "reference": posting.ref,
        "messageId": posting.key,
        "digest": posting.digest,
        "movement": line.movement,
        "entryType": kind,
        "orderNumber": posting.order.erp,
        "itemNumber": line.item,
        "lotNumber": line.lot or "",
        "locationCode": plant.goods_to if kind == "Output" else plant.components_from,
        "postingDate": posting.posting_date.isoformat(),
        "quantity": sign * plant.units.theirs(line.quantity, line.unit),
        "unitOfMeasureCode": plant.units[line.unit].code,
    }
    if posting.corrects is not None:
        record["corrects"] = erp_ref(posting.corrects)
    if posting.document is not None:
        record["undoes"] = posting.document.id
    return record


def ledger_line(
    entry: Mapping[str, Any], plant: BcPlant, entries_of_gl: Iterable[Mapping[str, Any]]
) -> LedgerLine:
    """Return one item ledger entry, in the item's base unit.

    Raises:
        KeyError, ValueError: the record lacks what a line needs.
    """
    raw = Decimal(str(entry["quantity"]))
    movement = entry["movement"] or FOREIGN[entry["entryType"]][1 if raw > 0 else -1]
    cost = min(entries_of_gl, key=lambda it: int(it["entryNumber"]), default=None)
    ours = entry["documentNumber"] if entry["messageId"] else None
    return records.stock_line(
        plant.units,
        keyed.entry_of(DOCUMENT, entry),
        seq=int(entry["entryNumber"]),
        named=(entry["messageId"], ours),
        order=entry["orderNumber"],
        item=entry["itemNumber"],
        lot=entry["lotNumber"],
        movement=movement,
        quantity=raw * MOVES[movement][2],
        unit=entry["baseUnitOfMeasureCode"],
        on=date.fromisoformat(entry["postingDate"]),
        posted_at=parse_iso(entry["systemCreatedAt"]),
        gl=(str(cost["entryNumber"]), cost["postingDate"][:7]) if cost else (None, None),
    )


def order(raw: Mapping[str, Any], plant: BcPlant, unit_of: Mapping[str, str]) -> ErpOrder:
    """Return an order in our words; its quantity is in the base unit of its item."""
    due = raw.get("dueDate") or fields.NO_DATE
    day = None if due == fields.NO_DATE else date.fromisoformat(due)
    return records.order(
        plant.units,
        raw["no"],
        raw["sourceNo"],
        quantity=raw["quantity"],
        unit=unit_of[raw["sourceNo"]],
        state=STATES[raw["status"]],
        due_at=records.moment(day, plant.zone) if day else None,
    )


def item(raw: Mapping[str, Any], plant: BcPlant) -> ErpItem:
    """Return an item in our words."""
    unit, gtin = raw["baseUnitOfMeasureCode"], raw.get("gtin")
    return records.item(plant.units, raw["number"], raw["displayName"], unit=unit, gtin=gtin)


def bom(lines: list[Mapping[str, Any]], plant: BcPlant) -> ErpBom:
    """Return a production BOM from its lines: for one of the BOM's own unit, told in base units."""
    head = lines[0]
    return records.bom(
        plant.units,
        head["parentItemNumber"],
        [(it["itemNumber"], it["quantityBase"], it["baseUnitOfMeasureCode"]) for it in lines],
        quantity=head["parentQuantityBase"],
        unit=head["parentBaseUnit"],
    )


def customer(raw: Mapping[str, Any], _plant: BcPlant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["number"], raw["displayName"])
