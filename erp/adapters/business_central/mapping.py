"""Between our messages and Business Central's records, both ways; pure.

An item ledger entry carries the message's 16-character reference as its document number. What else
a message says (its id, its SHA-256, what it corrects) is kept by the page that posts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from erp.adapters.business_central import fields
from erp.adapters.movements import MATERIAL
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

UNITS = {"KGM": Unit("KG"), "LTR": Unit("L"), "C62": Unit("PCS")}


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
    units: Mapping[str, Unit] = field(default_factory=lambda: dict(UNITS))
    pages: str = "batchwright/execution/v1.0"
    gl_at_once: bool = False

    def measures(self) -> Units:
        """Return the units with the digits of a quantity."""
        return Units(self.units, digits=fields.DIGITS)

    def profile(self) -> ErpProfile:
        """Return what fits."""
        supports = {"reversal", "partial_fg", "lot_on_issue", "native_key", "read_back"}
        return ErpProfile(
            name="Business Central",
            supports=frozenset(supports | {"future_dates"}),
            scales=self.measures().scales(),
            lengths={"ref": 20, "item": 20, "lot": 50, "order": 20},
            asks_period_first=True,
            takes=MATERIAL,
            signs_receipts=False,
            reads_gl=self.gl_at_once,
        )


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
        "quantity": sign * plant.measures().theirs(line.quantity, line.unit),
        "unitOfMeasureCode": plant.units[line.unit].code,
    }
    if posting.corrects is not None:
        record["corrects"] = erp_ref(posting.corrects)
    return record


def document_of(record: Mapping[str, Any]) -> DocumentRef:
    """Return how we name the entry that a posting made."""
    return DocumentRef(
        "item_ledger_entry", str(record["entryNumber"]), record["postingDate"][:4], "1"
    )


def ledger_line(
    entry: Mapping[str, Any], plant: BcPlant, entries_of_gl: Iterable[Mapping[str, Any]]
) -> LedgerLine:
    """Return one item ledger entry, in the item's base unit.

    Raises:
        KeyError, ValueError: the record lacks what a line needs.
    """
    raw = Decimal(str(entry["quantity"]))
    movement = entry["movement"] or FOREIGN[entry["entryType"]][1 if raw > 0 else -1]
    value, unit = plant.measures().ours(raw * MOVES[movement][2], entry["baseUnitOfMeasureCode"])
    on = date.fromisoformat(entry["postingDate"])
    cost = min(entries_of_gl, key=lambda it: int(it["entryNumber"]), default=None)
    return LedgerLine(
        seq=int(entry["entryNumber"]),
        kind="stock",
        reference=entry["messageId"] or None,
        ref=entry["documentNumber"] if entry["messageId"] else None,
        document=document_of(entry),
        order=entry["orderNumber"] or None,
        item=entry["itemNumber"],
        lot=entry["lotNumber"] or None,
        movement=movement,
        quantity=value,
        unit=unit,
        posting_date=on,
        period=f"{on:%Y-%m}",
        gl_document=str(cost["entryNumber"]) if cost else None,
        gl_period=cost["postingDate"][:7] if cost else None,
        posted_at=parse_iso(entry["systemCreatedAt"]),
    )


def order(raw: Mapping[str, Any], plant: BcPlant, unit_of: Mapping[str, str]) -> ErpOrder:
    """Return an order in our words; its quantity is in the base unit of its item."""
    value, unit = plant.measures().ours(raw["quantity"], unit_of[raw["sourceNo"]])
    due = raw.get("dueDate") or fields.NO_DATE
    at = datetime.combine(date.fromisoformat(due), time(), plant.zone).astimezone(UTC)
    return ErpOrder(
        id=raw["no"],
        product=raw["sourceNo"],
        quantity=value,
        unit=OUR_UNITS[unit],
        state=STATES[raw["status"]],
        due_at=None if due == fields.NO_DATE else at,
    )


def item(raw: Mapping[str, Any], plant: BcPlant) -> ErpItem:
    """Return an item in our words."""
    _, unit = plant.measures().ours("1", raw["baseUnitOfMeasureCode"])
    return ErpItem(raw["number"], raw["displayName"], OUR_UNITS[unit], raw.get("gtin") or None)


def bom(lines: list[Mapping[str, Any]], plant: BcPlant) -> ErpBom:
    """Return a production BOM from its lines: for one of the BOM's own unit, told in base units."""
    measures = plant.measures()
    value, unit = measures.ours(lines[0]["parentQuantityBase"], lines[0]["parentBaseUnit"])
    made = []
    for line in lines:
        quantity, base = measures.ours(line["quantityBase"], line["baseUnitOfMeasureCode"])
        made.append(ErpBomLine(line["itemNumber"], quantity, OUR_UNITS[base]))
    return ErpBom(lines[0]["parentItemNumber"], value, OUR_UNITS[unit], tuple(made))


def customer(raw: Mapping[str, Any], _plant: BcPlant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["number"], raw["displayName"])
