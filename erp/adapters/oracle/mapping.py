"""Between our messages and Oracle's transactions, both ways; pure.

A transaction carries the message's reference, a reversal's with `-R` behind it: a return that takes
an issue back is told from material that came back. A reversal does not name its original, so of
equal facts of an order as many are undone as there are.

Unverified on a real system: the field in which the reference goes there (`SourceHeaderReference`
is one of the SOAP service for the same transactions), that it comes back as `Reference`, and the
names of the inventory transaction types. Where the reference does not come back, a posting stays
*taken, not posted*.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from erp.adapters import records
from erp.adapters.movements import CONSUMED, PRODUCED, RETURNED, REVERSED
from erp.adapters.oracle import fields
from erp.adapters.units import Unit, Units
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

UNDONE = "-R"
TEXT = re.compile(rf"([0-9A-HJKMNP-TV-Z]{{16}})({UNDONE})?")
# Only ORA_RELEASED is published where we have read; the others are unverified.
STATES = {
    "ORA_UNRELEASED": ErpOrderState.PLANNED,
    "ORA_RELEASED": ErpOrderState.RELEASED,
    "ORA_ON_HOLD": ErpOrderState.LOCKED,
    "ORA_COMPLETED": ErpOrderState.TECO,
    "ORA_CLOSED": ErpOrderState.CLOSED,
    "ORA_CANCELED": ErpOrderState.CANCELLED,
}
UNITS = Units({"KGM": Unit("Kilogram"), "LTR": Unit("Liter"), "C62": Unit("Each")}, digits=5)
TYPES = {
    "issue": "Work in Process Material Issue",
    "return": "Work in Process Material Return",
    "receipt": "Work in Process Product Completion",
    "unreceipt": "Work in Process Product Return",
}
OPPOSITE = {"issue": "return", "return": "issue", "receipt": "unreceipt"}
LONGEST_S = 300  # Oracle ends a request after five minutes with 504
ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True, kw_only=True)
class OraclePlant:
    """A discrete manufacturing plant of Oracle, and where it takes from and puts to.

    `source` is the source system's code as it is registered there, `operation` the sequence of the
    operation at which materials go in and the product comes out, and `refusals` names Oracle's
    messages by our codes.
    """

    organization: str
    components_from: str
    goods_to: str
    source: str
    zone: ZoneInfo
    operation: int = 10
    units: Units = UNITS
    types: Mapping[str, str] = field(default_factory=lambda: dict(TYPES))
    refusals: Mapping[str, str] = field(default_factory=dict)
    reference_to: str = "SourceHeaderReference"
    reference_from: str = "Reference"
    longest_s: int = LONGEST_S

    def profile(self) -> ErpProfile:
        """Return what fits."""
        supports = {"reversal", "partial_fg", "lot_on_issue", "read_back", "async_accept"}
        return ErpProfile(
            name="Oracle Fusion",
            supports=frozenset(supports),
            scales=self.units.scales(),
            lengths={"ref": 16, "lot": 80},
            takes=frozenset({CONSUMED, RETURNED, PRODUCED, REVERSED}),
            signs_receipts=False,
            reads_gl=False,
            longest_s=self.longest_s,
        )


def text_of(posting: Posting) -> str:
    """Return the reference as it stands in Oracle."""
    return posting.ref + (UNDONE if posting.corrects else "")


def kind_of(posting: Posting) -> str:
    """Return which of the four types a posting is; what is negative goes the other way."""
    [line] = posting.lines
    return OPPOSITE[line.movement] if line.quantity < 0 else line.movement


def moment(day: date, zone: ZoneInfo, at: datetime) -> str:
    """Return a time of a posting's day: noon, and now where noon is still to come.

    >>> from datetime import UTC
    >>> zone = ZoneInfo("Europe/Berlin")
    >>> moment(date(2026, 11, 26), zone, datetime(2026, 11, 26, 7, 30, tzinfo=UTC))
    '2026-11-26T08:30:00+01:00'
    >>> moment(date(2026, 11, 25), zone, datetime(2026, 11, 26, 7, 30, tzinfo=UTC))
    '2026-11-25T12:00:00+01:00'
    """
    noon, present = datetime.combine(day, time(12), zone), at.astimezone(zone)
    is_early = present.date() == day and present < noon
    return (present if is_early else noon).isoformat(timespec="seconds")


def content_of(posting: Posting, plant: OraclePlant, at: datetime) -> tuple[str, dict[str, Any]]:
    """Return the resource that a posting goes to, and what is sent there."""
    [line] = posting.lines
    kind = kind_of(posting)
    quantity = plant.units.theirs(abs(line.quantity), line.unit)
    made: dict[str, Any] = {
        "OrganizationCode": plant.organization,
        "WorkOrderNumber": posting.order.erp,
        "WoOperationSequenceNumber": plant.operation,
        "TransactionDate": moment(posting.posting_date, plant.zone, at),
        "TransactionQuantity": quantity,
        "TransactionUnitOfMeasure": plant.units[line.unit].code,
        plant.reference_to: text_of(posting),
    }
    if line.lot:
        made["TransactionLot"] = [{"LotNumber": line.lot, "TransactionQuantity": quantity}]
    resource = fields.MATERIAL if kind in ("issue", "return") else fields.OPERATION
    if resource == fields.MATERIAL:
        made |= {
            "InventoryItemNumber": line.item,
            "SubinventoryCode": plant.components_from,
            "TransactionTypeCode": fields.ISSUE if kind == "issue" else fields.RETURN,
        }
    else:
        way = (fields.READY, fields.COMPLETE)
        start, end = way if kind == "receipt" else reversed(way)
        made |= {
            "SourceSystemCode": plant.source,
            "FromDispatchState": start,
            "ToDispatchState": end,
            "ComplSubinventoryCode": plant.goods_to,
        }
    head = {"SourceSystemCode": plant.source, "SourceSystemType": "EXTERNAL"}
    return resource, {**head, fields.DETAIL[resource]: [made]}


def refusal_in(content: Mapping[str, Any], resource: str) -> tuple[str, str] | None:
    """Return name and words of the first error in an answer, None where there is none.

    Raises:
        KeyError, TypeError: it is no answer of this resource.
    """
    flag = content["ErrorsExistFlag"]
    bad = [it for it in content[fields.DETAIL[resource]] if it.get("ErrorMessageNames")]
    if str(flag).lower() != "true" and not bad:
        return None
    first = bad[0] if bad else {}
    return str(first.get("ErrorMessageNames") or ""), str(first.get("ErrorMessages") or "")


def day_of(row: Mapping[str, Any], plant: OraclePlant) -> date:
    """Return the day of a transaction in the plant's zone."""
    return datetime.fromisoformat(row["TransactionDate"]).astimezone(plant.zone).date()


def lots_of(row: Mapping[str, Any]) -> list[tuple[str | None, Decimal]]:
    """Return the lots of a transaction with their quantities; one without a name where none is."""
    lots = row.get("lots") or []
    if not lots:
        return [(None, abs(Decimal(row["TransactionQuantity"])))]
    return [(it["LotNumber"], abs(Decimal(it["TransactionQuantity"]))) for it in lots]


def document_of(row: Mapping[str, Any], plant: OraclePlant, n: int = 1) -> DocumentRef:
    """Return how we name a transaction's line."""
    number, year = str(row["TransactionId"]), f"{day_of(row, plant):%Y}"
    return DocumentRef("inventory_transaction", number, year, str(n))


def says(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a transaction says of stock."""
    return (
        row["TransactionSourceName"],
        row["TransactionType"],
        row["ItemNumber"],
        tuple(lots_of(row)),
    )


def asked(posting: Posting, plant: OraclePlant) -> tuple[object, ...]:
    """Return what a transaction must say that stands for a posting."""
    [line] = posting.lines
    quantity = plant.units.theirs(abs(line.quantity), line.unit)
    return (
        posting.order.erp,
        plant.types[kind_of(posting)],
        line.item,
        ((line.lot or None, quantity),),
    )


def ledger_lines(row: Mapping[str, Any], plant: OraclePlant) -> Iterator[LedgerLine]:
    """Yield a line for each lot of a transaction; nothing where its type moves no work order.

    Raises:
        KeyError, ValueError, ArithmeticError: the row lacks what a line needs.
    """
    kinds = {name: kind for kind, name in plant.types.items()}
    kind = kinds.get(row["TransactionType"])
    if kind is None:
        return
    found = TEXT.fullmatch(row.get(plant.reference_from) or "")
    is_undone = bool(found and found[2]) or kind == "unreceipt"
    movement = kind
    if is_undone:
        movement = "receipt" if kind == "unreceipt" else OPPOSITE[kind]
    moved = datetime.fromisoformat(row.get("CreationDate") or row["TransactionDate"])
    for n, (lot, theirs) in enumerate(lots_of(row), 1):
        yield records.stock_line(
            plant.units,
            document_of(row, plant, n),
            seq=int(row["TransactionId"]) * 100 + n,
            named=(None, found[1] if found else None),
            order=row["TransactionSourceName"],
            item=row["ItemNumber"],
            lot=lot,
            movement=movement,
            quantity=-theirs if is_undone else theirs,
            unit=row["TransactionUOM"],
            on=day_of(row, plant),
            posted_at=moved,
        )


def order(row: Mapping[str, Any], plant: OraclePlant, units: Mapping[str, str]) -> ErpOrder:
    """Return a work order in our words; `units` are the primary units of items."""
    due = row.get("PlannedCompletionDate")
    return records.order(
        plant.units,
        row["WorkOrderNumber"],
        row["ItemNumber"],
        quantity=row["PlannedStartQuantity"],
        unit=units[row["ItemNumber"]],
        state=STATES[row["WorkOrderStatusCode"]],
        due_at=datetime.fromisoformat(due) if due else None,
    )


def item(row: Mapping[str, Any], plant: OraclePlant) -> ErpItem:
    """Return an item in our words."""
    name = row.get("ItemDescription") or ""
    return records.item(plant.units, row["ItemNumber"], name, unit=row["PrimaryUOMValue"])


def bom(row: Mapping[str, Any], plant: OraclePlant, units: Mapping[str, str]) -> ErpBom:
    """Return an item structure: what one of the product takes, in the components' own units."""
    lines = [
        (part["ComponentItemNumber"], part["Quantity"], units[part["ComponentItemNumber"]])
        for part in row["Component"]
        if not part.get("EndDateTime")
    ]
    return records.bom(plant.units, row["ItemNumber"], lines, unit=units[row["ItemNumber"]])


def customer(row: Mapping[str, Any]) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(row["PartyNumber"], row.get("OrganizationName") or row["PartyNumber"])
