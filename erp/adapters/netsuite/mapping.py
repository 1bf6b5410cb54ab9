"""Between our messages and NetSuite's records, both ways; pure.

A transaction carries the message's 16-character reference as its external id, by which it is found
again. Its memo holds the message's id, the order, 125 bits of the bytes' SHA-256 and, of a
reversal, the original's reference, or the internal id of a transaction that nothing stands behind.

Unverified on a real account: that an issue and a completion take a negative quantity, and that
an assignment's quantity is negative where stock goes out. Where either is otherwise the posting is
refused, or the three-way match shows it; nothing is counted as equal.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from erp.adapters import records
from erp.adapters.answers import Standing
from erp.adapters.movements import CONSUMED, PRODUCED, RETURNED, REVERSED, SCRAPPED
from erp.adapters.netsuite import fields
from erp.adapters.netsuite.queries import ADJUSTMENT, COMPLETION, ISSUE
from erp.adapters.units import Unit, Units
from erp.contract import digest_text, erp_ref
from erp.port import (
    DocumentRef,
    ErpBom,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    Exchange,
    Kind,
    LedgerLine,
    Posting,
)

MEMO = re.compile(
    r"(evt_[0-9A-Z]{26}) (\S+) ([0-9A-HJKMNP-TV-Z]{25})(?: ([0-9A-HJKMNP-TV-Z]{16}|#\d{1,18}))?"
)
STATES = {
    "A": ErpOrderState.PLANNED,
    "B": ErpOrderState.RELEASED,
    "D": ErpOrderState.RELEASED,  # in process
    "G": ErpOrderState.TECO,  # built
    "C": ErpOrderState.CANCELLED,
    "H": ErpOrderState.CLOSED,
}
UNITS = Units({"KGM": Unit("kg"), "LTR": Unit("L"), "C62": Unit("ea")}, digits=fields.DIGITS)
RECORD_OF = {
    "issue": "workOrderIssue",
    "return": "workOrderIssue",
    "receipt": "workOrderCompletion",
    "scrap": "inventoryAdjustment",
}
ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrap:
    """Where scrap is written off, as internal ids of NetSuite."""

    account: str
    subsidiary: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSuitePlant:
    """How a customer's account is set up.

    `units` are the stock units in which the plant's items are kept. Without `scrap` no scrap is
    told. `asynchronous` sends with an idempotency key as a job; without it a posting goes at once,
    and one whose answer was lost is looked up for 15 minutes before it is sent again.
    """

    zone: ZoneInfo
    units: Units = UNITS
    scrap: Scrap | None = None
    asynchronous: bool = True
    orders_by_change: bool = False
    longest_s: int = 900

    def profile(self) -> ErpProfile:
        """Return what fits."""
        supports = {"reversal", "document_reversal", "partial_fg", "lot_on_issue", "read_back"}
        supports |= {"async_accept"} | ({"native_key"} if self.asynchronous else set())
        told = {CONSUMED, RETURNED, PRODUCED, REVERSED} | ({SCRAPPED} if self.scrap else set())
        return ErpProfile(
            name="NetSuite",
            supports=frozenset(supports),
            scales=self.units.scales(),
            lengths={"ref": 16, "item": 60, "lot": 60, "order": 45},
            asks_period_first=True,
            takes=frozenset(told),
            signs_receipts=False,
            longest_s=0 if self.asynchronous else self.longest_s,
            deltas=frozenset({Kind.ORDER} if self.orders_by_change else ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Internal ids of what a message names: NetSuite's records refer by them."""

    period: str
    order: str
    items: Sequence[str]
    lots: Sequence[str | None]


def document_mark(doc: DocumentRef) -> str:
    """Return how a memo names a transaction by its internal id: a reference of ours has no #."""
    return f"#{doc.id}"


def memo(posting: Posting) -> str:
    """Return what a transaction says about its message."""
    undoes = f" {erp_ref(posting.corrects)}" if posting.corrects else ""
    if posting.document is not None:
        undoes = f" {document_mark(posting.document)}"
    return f"{posting.key} {posting.order.erp} {digest_text(posting.digest)}{undoes}"


def request_key(posting: Posting, attempt: int) -> str:
    """Return the idempotency key of an attempt: a UUID made from the message and its bytes.

    A job that failed keeps its key for ever, so what was mended is sent under the next one.
    """
    name = f"{posting.key}/{posting.digest}/{attempt}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def record_of(posting: Posting, found: Resolved, plant: NetSuitePlant) -> dict[str, Any]:
    """Return the transaction that a message asks for, of the type `RECORD_OF` names."""
    head: dict[str, Any] = {
        "externalId": posting.ref,
        "tranDate": posting.posting_date.isoformat(),
        "postingPeriod": {"id": found.period},
        "memo": memo(posting),
    }
    kind = RECORD_OF[posting.lines[0].movement]
    if kind == "inventoryAdjustment":
        return {**head, **_adjustment(posting, found, plant)}
    head |= {"createdFrom": {"id": found.order}}
    if kind == "workOrderIssue":
        return {**head, "component": _issue(posting, found, plant)}
    return {**head, **_completion(posting, found, plant)}


def _quantities(posting: Posting, plant: NetSuitePlant) -> list[Decimal]:
    """Return the quantities in stock units, negative where material comes back."""
    back = -1 if posting.lines[0].movement == "return" else 1
    return [back * plant.units.theirs(line.quantity, line.unit) for line in posting.lines]


def _out(quantity: Decimal, lot: str | None) -> dict[str, Any]:
    rows = [{"issueInventoryNumber": {"id": lot}, "quantity": quantity}]
    return {"quantity": quantity, "inventoryAssignment": {"items": rows}}


def _issue(posting: Posting, found: Resolved, plant: NetSuitePlant) -> dict[str, Any]:
    rows = []
    for quantity, item, lot in zip(
        _quantities(posting, plant), found.items, found.lots, strict=True
    ):
        row: dict[str, Any] = {"item": item, "quantity": quantity}
        if lot is not None:
            row["componentInventoryDetail"] = _out(quantity, lot)
        rows.append(row)
    return {"items": rows}


def _completion(posting: Posting, found: Resolved, plant: NetSuitePlant) -> dict[str, Any]:
    [quantity], [line], [lot] = _quantities(posting, plant), posting.lines, found.lots
    made: dict[str, Any] = {"completedQuantity": quantity, "isBackflush": False}
    if quantity < 0:
        made["inventoryDetail"] = _out(quantity, lot)
    elif line.lot is not None:
        rows = [{"receiptInventoryNumber": line.lot, "quantity": quantity}]
        made["inventoryDetail"] = {"quantity": quantity, "inventoryAssignment": {"items": rows}}
    return made


def _adjustment(posting: Posting, found: Resolved, plant: NetSuitePlant) -> dict[str, Any]:
    assert plant.scrap is not None, "scrap is taken only where its account is set"
    rows = []
    for quantity, item, lot in zip(
        _quantities(posting, plant), found.items, found.lots, strict=True
    ):
        row: dict[str, Any] = {
            "item": {"id": item},
            "location": {"id": plant.scrap.location},
            "adjustQtyBy": -quantity,
        }
        if lot is not None:
            row["inventoryDetail"] = _out(-quantity, lot)
        rows.append(row)
    return {
        "account": {"id": plant.scrap.account},
        "subsidiary": {"id": plant.scrap.subsidiary},
        "adjLocation": {"id": plant.scrap.location},
        "inventory": {"items": rows},
    }


def to_bytes(record: Mapping[str, Any]) -> bytes:
    """Return a record as it is sent: quantities are numbers of exactly our digits."""
    return ENCODER.encode(record)


def error_of(body: bytes) -> tuple[str, str]:
    """Return code and words of NetSuite's refusal.

    >>> error_of(b'{"status":400,"o:errorDetails":[{"o:errorCode":"USER_ERROR","detail":"No."}]}')
    ('USER_ERROR', 'No.')
    """
    try:
        first = msgspec.json.decode(body)["o:errorDetails"][0]
        return str(first["o:errorCode"]), str(first["detail"])
    except (msgspec.MsgspecError, KeyError, TypeError, IndexError, UnicodeDecodeError):
        return "unreadable", body[:200].decode("utf-8", "replace")


def document_of(row: Mapping[str, Any]) -> DocumentRef:
    """Return how we name a transaction."""
    return DocumentRef(row["type"], str(row["id"]), row["trandate"][:4], "1")


def order_state(row: Mapping[str, Any]) -> ErpOrderState:
    """Return where a work order stands; SuiteQL gives `B` or `WorkOrd:B`.

    Raises:
        KeyError: a state that is not known.
    """
    return STATES[str(row["status"]).rpartition(":")[2]]


def standing(rows: Sequence[Mapping[str, Any]], digest: str, exchange: Exchange) -> Standing:
    """Return what transactions say that is booked; another digest is another message."""
    text = MEMO.fullmatch(rows[0].get("memo") or "")
    return Standing(
        documents=tuple(document_of(row) for row in rows),
        period=rows[0]["month"],
        is_same=text is not None and text[3] == digest_text(digest),
        exchange=exchange,
    )


def order(row: Mapping[str, Any], plant: NetSuitePlant) -> ErpOrder:
    """Return a work order in our words; it is due at the end of its day in the plant."""
    end = row.get("enddate")
    day = date.fromisoformat(end) if end else None
    return records.order(
        plant.units,
        row["tranid"],
        row["itemid"],
        quantity=row["quantity"],
        unit=row["unit"],
        state=order_state(row),
        due_at=records.moment(day, plant.zone, records.END_OF_DAY) if day else None,
    )


def item(row: Mapping[str, Any], plant: NetSuitePlant) -> ErpItem:
    """Return an item in our words."""
    name, gtin = row.get("displayname", ""), row.get("upccode")
    return records.item(plant.units, row["itemid"], name, unit=row["unit"], gtin=gtin)


def bom(rows: Sequence[Mapping[str, Any]], plant: NetSuitePlant) -> ErpBom:
    """Return a bill of material: what one unit of its product takes."""
    lines = [(row["itemid"], row["bomquantity"], row["unit"]) for row in rows]
    return records.bom(plant.units, rows[0]["product"], lines, unit=rows[0]["productunit"])


def customer(row: Mapping[str, Any], _plant: NetSuitePlant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(row["entityid"], row.get("companyname") or row["entityid"])


def ledger_line(row: Mapping[str, Any], plant: NetSuitePlant) -> LedgerLine:
    """Return one lot's movement; the period is one for stock and general ledger.

    Raises:
        KeyError, ValueError: the row lacks what a line needs.
    """
    text = MEMO.fullmatch(row.get("memo") or "")
    signed = Decimal(row["quantity"])
    movement, quantity = _movement(row["type"], signed, is_undone=bool(text and text[4]))
    number = str(row["id"])
    made = datetime.strptime(row["createddate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=plant.zone)
    return records.stock_line(
        plant.units,
        document_of(row),
        seq=int(number) * 1000 + int(row["line"]),
        named=(text[1] if text else None, records.our_ref(row.get("externalid"))),
        order=row.get("workorder") or (text[2] if text else None),
        item=row["itemid"],
        lot=row["inventorynumber"],
        movement=movement,
        quantity=quantity,
        unit=row["unit"],
        on=date.fromisoformat(row["trandate"]),
        posted_at=made.astimezone(UTC),
        period=row["month"],
        gl=(number, row["month"]) if int(row["gl"]) else (None, None),
    )


def _movement(kind: str, signed: Decimal, *, is_undone: bool) -> tuple[str, Decimal]:
    """Return our movement and its quantity; `signed` is negative where stock goes out."""
    if kind == COMPLETION:
        return "receipt", signed
    if kind == ADJUSTMENT:
        return "scrap", -signed
    assert kind == ISSUE, kind
    if signed > 0 and not is_undone:
        return "return", signed
    return "issue", -signed
