"""Between our messages and Dynamics' messages and journals, both ways; pure.

Its messages have no field for a reference of ours. The line's number is made from the reference
(36 bits of the same hash), so a journal's line is found again by it; a picking list also carries
the whole reference as its position. A reversal stands at the original's number plus a half.

Unverified on a real system: that a journal keeps line number and position as they were sent, and
that a negative quantity takes back. Where it does not, nothing is found, and the message stays
*taken, not posted*.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from core.clock import parse_iso
from erp.adapters import records
from erp.adapters.dynamics import fields
from erp.adapters.movements import CONSUMED, PRODUCED, RETURNED, REVERSED
from erp.adapters.units import Unit, Units
from erp.contract import CROCKFORD, erp_ref
from erp.port import (
    DocumentRef,
    ErpBom,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    LedgerLine,
    Posting,
)

STATES = {
    "Created": ErpOrderState.PLANNED,
    "CostEstimated": ErpOrderState.PLANNED,
    "Scheduled": ErpOrderState.PLANNED,
    "Released": ErpOrderState.RELEASED,
    "StartedUp": ErpOrderState.RELEASED,
    "ReportedFinished": ErpOrderState.TECO,
    "Completed": ErpOrderState.CLOSED,
    "Ended": ErpOrderState.CLOSED,
}
UNITS = Units({"KGM": Unit("kg"), "LTR": Unit("l"), "C62": Unit("ea")}, digits=2)
NUMBER_BITS, UNDO = 36, Decimal("0.5")
PICKINGS = "ProductionPickingListJournalEntries"
RECEIPTS = "ReportAsFinishedProductionJournalEntries"
KIND_OF = {"issue": fields.PICKING, "return": fields.PICKING, "receipt": fields.FINISHED}
JOURNAL_OF = {fields.PICKING: PICKINGS, fields.FINISHED: RECEIPTS}
QUANTITY_OF = {
    PICKINGS: "ConsumptionInventoryQuantity",
    RECEIPTS: "ReportedGoodInventoryQuantity",
}
DATE_OF = {PICKINGS: "ConsumptionDate", RECEIPTS: "ReportAsFinishedDate"}
ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicsPlant:
    """How a customer's legal entity is set up.

    `units` are the inventory units in which the plant's items are kept. `batch_field` is the field
    by which the customer has extended the picking list's lines to take a batch number; without it
    Dynamics chooses the batch.
    `messages` and `periods` are read-only entities of the customer's partner.
    """

    company: str
    zone: ZoneInfo
    units: Units = UNITS
    batch_field: str | None = None
    messages: str | None = None
    periods: str | None = None
    longest_s: int = 3600

    def profile(self) -> ErpProfile:
        """Return what fits."""
        supports = {"reversal", "partial_fg", "read_back", "async_accept"}
        return ErpProfile(
            name="Dynamics 365 SCM",
            supports=frozenset(supports | ({"lot_on_issue"} if self.batch_field else set())),
            scales=self.units.scales(),
            lengths={"ref": 16, "item": 20, "lot": 20, "order": 20},
            asks_period_first=self.periods is not None,
            takes=frozenset({CONSUMED, RETURNED, PRODUCED, REVERSED}),
            signs_receipts=False,
            reads_gl=False,
            longest_s=self.longest_s,
        )


def number_of(ref: str) -> int:
    """Return the whole number that a reference's lines stand at.

    >>> number_of("0" * 16), number_of("Z" * 16) == 2**36 - 1
    (0, True)
    """
    value = 0
    for sign in ref:
        value = value * 32 + CROCKFORD.index(sign)
    return value >> (80 - NUMBER_BITS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message's lines stand in a journal: numbers from `low` to below `low` and a half."""

    journal: str
    low: Decimal

    @classmethod
    def of(cls, posting: Posting) -> "Place":
        """Return the place of a posting; a reversal's is beside its original's."""
        journal = JOURNAL_OF[KIND_OF[posting.lines[0].movement]]
        if posting.corrects is None:
            return cls.at(journal, posting.ref)
        return cls(journal, Decimal(number_of(erp_ref(posting.corrects))) + UNDO)

    @classmethod
    def at(cls, journal: str, ref: str) -> "Place":
        """Return where the lines of a reference's own fact stand."""
        return cls(journal, Decimal(number_of(ref)))

    @classmethod
    def named(cls, ticket: str) -> "Place":
        """Return the place that a ticket names."""
        journal, low = ticket.split("/")[:2]
        return cls(journal, Decimal(low))

    @property
    def query(self) -> str:
        """The filter for the lines there."""
        return f"JournalLineNumber ge {self.low} and JournalLineNumber lt {self.low + UNDO}"

    def number(self, n: int) -> Decimal:
        """Return the number of the nth line, of 499 at most."""
        return self.low + Decimal(n).scaleb(-3)

    def holds(self, number: Decimal) -> bool:
        """Return whether a line's number is one of these."""
        return self.low <= number < self.low + UNDO


def content_of(posting: Posting, plant: DynamicsPlant) -> tuple[str, dict[str, Any]]:
    """Return the type and the content of the message that a posting asks for."""
    kind, place, day = (
        KIND_OF[posting.lines[0].movement], Place.of(posting), posting.posting_date.isoformat()
    )  # fmt: skip
    lines: list[dict[str, Any]] = []
    for line in posting.lines:
        back = -1 if line.movement == "return" else 1
        quantity = back * plant.units.theirs(line.quantity, line.unit)
        made: dict[str, Any] = {"ItemNumber": line.item, "LineNumber": place.number(line.n)}
        if kind == fields.PICKING:
            made |= {
                "ConsumptionInventoryQuantity": quantity,
                "ConsumptionDate": day,
                "PositionNumber": posting.ref,
            }
            if plant.batch_field and line.lot:
                made[plant.batch_field] = line.lot
        else:
            # Components are told by themselves: nothing may be consumed once more on their behalf.
            made |= {
                "ReportedGoodQuantity": quantity,
                "ReportAsFinishedDate": day,
                "AutomaticBOMConsumptionRule": "Never",
                "AutomaticRouteConsumptionRule": "Never",
                "PostNow": "Yes",
            }
            if line.lot:
                made["ItemBatchNumber"] = line.lot
        lines.append(made)
    name = "PickingListLines" if kind == fields.PICKING else "ReportFinishedLines"
    return kind, {"ProductionOrderNumber": posting.order.erp, name: lines}


def start_of(posting: Posting) -> dict[str, Any]:
    """Return the content of the message that starts an order; it consumes nothing."""
    return {
        "ProductionOrderNumber": posting.order.erp,
        "StartedDate": posting.posting_date.isoformat(),
        "AutomaticBOMConsumptionRule": "Never",
    }


def to_bytes(kind: str, content: Mapping[str, Any], plant: DynamicsPlant) -> bytes:
    """Return a request: the content is a JSON text within it, its numbers exact."""
    return ENCODER.encode(
        {
            "_companyId": plant.company,
            "_messageQueue": fields.QUEUE,
            "_messageType": kind,
            "_messageContent": ENCODER.encode(content).decode(),
        }
    )


def numbers_in(content: str) -> list[Decimal]:
    """Return the line numbers in a message's content; none where it cannot be read."""
    try:
        found = json.loads(content, parse_float=Decimal)
        lines = found.get("PickingListLines") or found.get("ReportFinishedLines") or []
        return [Decimal(line["LineNumber"]) for line in lines]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return []


def order_in(content: str) -> str | None:
    """Return the order that a message's content names."""
    try:
        return str(json.loads(content)["ProductionOrderNumber"])
    except (ValueError, KeyError, TypeError):
        return None


def is_posted(row: Mapping[str, Any]) -> bool:
    """Return whether a journal's line is posted."""
    return str(row["IsPosted"]) == "Yes"


def document_of(row: Mapping[str, Any], journal: str) -> DocumentRef:
    """Return how we name a journal's line."""
    kind = "picking_list" if journal == PICKINGS else "report_as_finished"
    number = Decimal(row["JournalLineNumber"])
    year = row[DATE_OF[journal]][:4]
    return DocumentRef(kind, row["JournalNumber"], year, f"{number.normalize():f}")


def differs(row: Mapping[str, Any], posting: Posting, plant: DynamicsPlant) -> bool:
    """Return whether a journal's line says something else than the message that it stands for."""
    _, content = content_of(posting, plant)
    wanted = (content.get("PickingListLines") or content["ReportFinishedLines"])[0]
    quantity = wanted.get("ConsumptionInventoryQuantity", wanted.get("ReportedGoodQuantity"))
    journal = Place.of(posting).journal
    return bool(
        row["ProductionOrderNumber"] != posting.order.erp
        or row["ItemNumber"] != wanted["ItemNumber"]
        or Decimal(str(row[QUANTITY_OF[journal]])) != quantity
    )


def order(row: Mapping[str, Any], plant: DynamicsPlant, units: Mapping[str, str]) -> ErpOrder:
    """Return a production order in our words; `units` are the inventory units of items."""
    end = str(row.get("DeliveryDate") or "")[:10]
    day = date.fromisoformat(end) if end > "1900-01-01" else None  # how Dynamics writes no date
    return records.order(
        plant.units,
        row["ProductionOrderNumber"],
        row["ItemNumber"],
        quantity=row["ScheduledQuantity"],
        unit=units[row["ItemNumber"]],
        state=STATES[row["ProductionOrderStatus"]],
        due_at=records.moment(day, plant.zone, records.END_OF_DAY) if day else None,
    )


def item(row: Mapping[str, Any], plant: DynamicsPlant) -> ErpItem:
    """Return a released product in our words."""
    name = row.get("SearchName") or ""
    return records.item(plant.units, row["ItemNumber"], name, unit=row["InventoryUnitSymbol"])


def bom_of(
    version: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    plant: DynamicsPlant,
    *,
    units: Mapping[str, str],
) -> ErpBom:
    """Return the bill of material of an active version, from the lines of all."""
    product = version["ManufacturedItemNumber"]
    own = [line for line in lines if line.get("BOMId") == version["BOMId"]]
    return bom(product, own, plant, unit=units[product])


def bom(
    product: str, rows: Sequence[Mapping[str, Any]], plant: DynamicsPlant, *, unit: str
) -> ErpBom:
    """Return a bill of material for as much product as makes every line whole."""
    series = [int(Decimal(str(row["QuantityDenominator"])) or 1) for row in rows]
    whole = math.lcm(*series)
    lines = [
        (
            row["ItemNumber"],
            Decimal(str(row["Quantity"])) * (whole // each),
            row["ProductUnitSymbol"],
        )
        for row, each in zip(rows, series, strict=True)
    ]
    return records.bom(plant.units, product, lines, unit=unit, quantity=whole)


def customer(row: Mapping[str, Any]) -> ErpCustomer:
    """Return a customer in our words."""
    name = row.get("OrganizationName") or row["CustomerAccount"]
    return ErpCustomer(row["CustomerAccount"], name)


def ledger_line(
    row: Mapping[str, Any], journal: str, plant: DynamicsPlant, *, units: Mapping[str, str]
) -> LedgerLine:
    """Return one posted line of a journal, in the item's inventory unit.

    Raises:
        KeyError, ValueError: the row lacks what a line needs.
    """
    number = Decimal(str(row["JournalLineNumber"]))
    value, movement = Decimal(str(row[QUANTITY_OF[journal]])), "receipt"
    if journal == PICKINGS:
        is_undone = number % 1 >= UNDO
        movement = "issue" if value >= 0 or is_undone else "return"
        value = abs(value) if movement == "return" else value
    return records.stock_line(
        plant.units,
        document_of(row, journal),
        seq=int(re.sub(r"\D", "", row["JournalNumber"]) or 0) * 1000 + int(number % 1 * 1000) % 500,
        named=(None, records.our_ref(row.get("PositionNumber"))),
        order=row["ProductionOrderNumber"],
        item=row["ItemNumber"],
        lot=row.get("ItemBatchNumber"),
        movement=movement,
        quantity=value,
        unit=units[row["ItemNumber"]],
        on=date.fromisoformat(row[DATE_OF[journal]][:10]),
        posted_at=parse_iso(row["PostedDateTime"]),
    )
