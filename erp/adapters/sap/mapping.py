"""Between our messages and SAP's records, both ways; pure.

A goods movement carries the message twice: its 16-character reference in `ReferenceDocument`, by
which it is found again, and its id in the item's text. The header's text is a digest of the
message's bytes, so that a reference that comes with other bytes is noticed.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from erp.adapters import records
from erp.adapters.answers import Standing
from erp.adapters.movements import MATERIAL
from erp.adapters.sap import fields
from erp.adapters.units import Unit, Units
from erp.contract import digest_text, erp_ref, quantity_text
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
    PostingLine,
)

# movement of ours -> (goods movement code, goods movement type)
MOVES = {
    "issue": ("03", "261"),
    "return": ("06", "262"),
    "scrap": ("03", "551"),
    "receipt": ("02", "101"),
}
# type -> (movement of ours, sign)
MEANS = {
    "261": ("issue", 1),
    "262": ("return", 1),
    "551": ("scrap", 1),
    "552": ("scrap", -1),
    "101": ("receipt", 1),
    "102": ("receipt", -1),
}
TEXT = re.compile(r"(evt_[0-9A-Z]{26})(?: ([0-9A-HJKMNP-TV-Z]{16}))?")
TIME = re.compile(r"PT(\d+)H(\d+)M(\d+)S")


UNITS = Units({"KGM": Unit("KG"), "LTR": Unit("L"), "C62": Unit("PC")}, digits=fields.SCALE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SapPlant:
    """What of SAP's organisation a plant posts to, and how the customer set it up.

    `units` are the base units in which the plant's materials are kept: SAP rounds an entry to
    three digits of its base unit without a word, so a plant that weighs milligrams keeps its
    materials in G. `scrap` are fields beside the order that a scrap posting needs there, such as a
    cost center. `repeatability` only where the customer has set it up in the Gateway,
    `orders_by_change` only where a release and a close are seen to move an order's time of change.
    """

    plant: str
    components_from: str
    goods_to: str
    zone: ZoneInfo
    units: Units = UNITS
    scrap: Mapping[str, str] = field(default_factory=dict)
    order_service: str = "API_PRODUCTION_ORDER_2_SRV"
    order_set: str = "A_ProductionOrder_2"
    client: str | None = None
    repeatability: bool = False
    orders_by_change: bool = False
    longest_s: int = 600

    def profile(self) -> ErpProfile:
        """Return what fits: 13.3 in the base unit, told in our unit."""
        supports = {"reversal", "document_reversal", "partial_fg", "lot_on_issue", "read_back"}
        return ErpProfile(
            name="SAP S/4HANA",
            supports=frozenset(supports | ({"native_key"} if self.repeatability else set())),
            scales=self.units.scales(),
            lengths={"ref": 16, "item": 40, "lot": 10, "order": 12},
            takes=MATERIAL,
            signs_receipts=False,
            reads_gl=False,
            longest_s=0 if self.repeatability else self.longest_s,
            deltas=frozenset({Kind.ORDER} if self.orders_by_change else ()),
        )


def sap_date(day: date) -> str:
    """Return a date as OData V2 writes it.

    >>> sap_date(date(2026, 11, 26))
    '/Date(1795651200000)/'
    """
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"/Date({int(at.timestamp()) * 1000})/"


def instant(text: str) -> datetime:
    """Return the instant in an OData V2 date.

    >>> instant("/Date(1795651200000)/").date()
    datetime.date(2026, 11, 26)
    """
    found = fields.DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r}: no OData date")
    return datetime.fromtimestamp(int(found[1]) / 1000, UTC)


def item_text(posting: Posting) -> str:
    """Return the message's id, and of a reversal also the original's reference."""
    return f"{posting.key} {erp_ref(posting.corrects)}" if posting.corrects else posting.key


def document(posting: Posting, plant: SapPlant) -> dict[str, Any]:
    """Return the goods movement a message asks for.

    The lines of a message are of one kind, so one code fits all. A reversal of an issue is the
    return 262; those of a receipt or scrap are cancellations, not documents of their own.
    """
    back = posting.corrects is not None
    movement = "return" if back else posting.lines[0].movement
    code, _ = MOVES[movement]
    return {
        "GoodsMovementCode": code,
        "PostingDate": sap_date(posting.posting_date),
        "DocumentDate": sap_date(posting.posting_date),
        "ReferenceDocument": posting.ref,
        "MaterialDocumentHeaderText": digest_text(posting.digest),
        "to_MaterialDocumentItem": {
            "results": [_item(line, posting, plant=plant, back=back) for line in posting.lines]
        },
    }


def _item(line: PostingLine, posting: Posting, *, plant: SapPlant, back: bool) -> dict[str, str]:
    kind = MOVES["return" if back else line.movement][1]
    quantity = plant.units.theirs(abs(line.quantity), line.unit)
    made = {
        "Material": line.item,
        "Plant": plant.plant,
        "StorageLocation": plant.goods_to if kind == "101" else plant.components_from,
        "Batch": line.lot or "",
        "GoodsMovementType": kind,
        "ManufacturingOrder": posting.order.erp,
        "EntryUnit": plant.units[line.unit].code,
        "QuantityInEntryUnit": quantity_text(quantity),
        "MaterialDocumentItemText": item_text(posting),
    }
    if kind == "101":
        made["GoodsMovementRefDocType"] = "F"
    if kind == "262":
        # The only value the interface takes, and only with code 06 (KBA 3027233).
        made["MaterialDocumentPostingType"] = "1"
    if kind == "551":
        made |= plant.scrap
    return made


def to_bytes(record: Mapping[str, Any]) -> bytes:
    """Return a record as it is sent; the same bytes on every attempt."""
    return json.dumps(record, separators=(",", ":")).encode()


def from_json(body: bytes) -> Any:
    """Return an answer's content; numbers of SAP are texts already."""
    return json.loads(body)


def error_of(body: bytes) -> tuple[str, str]:
    """Return code and words of SAP's refusal.

    >>> error_of(b'{"error":{"code":"M7/053","message":{"lang":"en","value":"Posting only ..."}}}')
    ('M7/053', 'Posting only ...')
    """
    try:
        error = json.loads(body)["error"]
        return str(error["code"]), str(error["message"]["value"])
    except (ValueError, KeyError, TypeError):
        return "unreadable", body[:200].decode("utf-8", "replace")


def rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records of an OData V2 answer."""
    inner = answer["d"]
    found = inner.get("results", inner) if isinstance(inner, dict) else inner
    return list(found) if isinstance(found, list) else [found]


def items_of(header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the expanded items of a document's header."""
    inner = header.get("to_MaterialDocumentItem") or {}
    return list(inner.get("results") or [])


def documents_of(headers: Iterable[Mapping[str, Any]]) -> tuple[DocumentRef, ...]:
    """Return how we name the lines of material documents."""
    return tuple(
        _ref(header, item["MaterialDocumentItem"])
        for header in headers
        for item in items_of(header) or [{"MaterialDocumentItem": "1"}]
    )


def _ref(record: Mapping[str, Any], line: str) -> DocumentRef:
    number, year = record["MaterialDocument"], record["MaterialDocumentYear"]
    return DocumentRef("material_document", number, year, line)


def standing(headers: Sequence[Mapping[str, Any]], digest: str, exchange: Exchange) -> Standing:
    """Return what documents say that is booked; another digest is another message."""
    return Standing(
        documents=documents_of(headers),
        period=period_of(headers),
        is_same=headers[0].get("MaterialDocumentHeaderText") == digest_text(digest),
        exchange=exchange,
    )


def period_of(headers: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the posting period of documents, None where SAP does not say."""
    for header in headers:
        for item in items_of(header):
            if item.get("FiscalYearPeriod"):
                return _period(item["FiscalYearPeriod"])
    return None


def _period(text: str) -> str:
    """Return YYYYPPP as yyyy-mm.

    >>> _period("2026011")
    '2026-11'
    """
    return f"{text[:4]}-{int(text[4:]):02d}"


def ledger_line(item: Mapping[str, Any], plant: SapPlant) -> LedgerLine:
    """Return one line of a material document, in the material's base unit: what SAP keeps.

    Raises:
        KeyError, ValueError: SAP's record lacks what a line needs.
    """
    header = item["to_MaterialDocumentHeader"]
    movement, sign = MEANS[item["GoodsMovementType"]]
    text = TEXT.fullmatch(item.get("MaterialDocumentItemText") or "")
    if movement == "return" and text and text[2]:
        movement, sign = "issue", -1  # it undoes an issue under its own reference
    elif movement == "return" and item.get("ReversedMaterialDocument"):
        movement, sign = "issue", -1
    ref = records.our_ref(header.get("ReferenceDocument"))
    on, written = instant(header["PostingDate"]).date(), instant(header["CreationDate"])
    year, number = item["MaterialDocumentYear"], item["MaterialDocument"]
    is_ours = not item.get("ReversedMaterialDocument")
    key = text[1] if text and is_ours else None
    return records.stock_line(
        plant.units,
        _ref(item, item["MaterialDocumentItem"]),
        seq=int(f"{year}{number:0>10}{item['MaterialDocumentItem']:0>4}"),
        named=(key, ref if is_ours else None),
        order=item.get("ManufacturingOrder"),
        item=item["Material"],
        lot=item.get("Batch"),
        movement=movement,
        quantity=sign * Decimal(item["QuantityInBaseUnit"]),
        unit=item["MaterialBaseUnit"],
        on=on,
        period=_period(item["FiscalYearPeriod"]) if item.get("FiscalYearPeriod") else None,
        posted_at=_moment(written, header.get("CreationTime") or "PT00H00M00S", plant.zone),
    )


def _moment(day: datetime, clock: str, zone: ZoneInfo) -> datetime:
    """Return the instant of a date and a time of day in the plant's zone."""
    found = TIME.fullmatch(clock)
    hours, minutes, seconds = map(int, found.groups()) if found else (0, 0, 0)
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    at = midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return at.astimezone(UTC)


def order_state(raw: Mapping[str, Any]) -> ErpOrderState:
    """Return where an order stands; the strongest word wins. TECO still takes postings."""
    marks = (
        ("OrderIsDeleted", ErpOrderState.CANCELLED),
        ("OrderIsMarkedForDeletion", ErpOrderState.CANCELLED),
        ("OrderIsClosed", ErpOrderState.CLOSED),
        ("OrderIsLocked", ErpOrderState.LOCKED),
        ("OrderIsTechnicallyCompleted", ErpOrderState.TECO),
        ("OrderIsReleased", ErpOrderState.RELEASED),
    )
    for name, state in marks:
        if raw.get(name) in ("X", True):
            return state
    return ErpOrderState.PLANNED


def order(raw: Mapping[str, Any], plant: SapPlant) -> ErpOrder:
    """Return an order in our words."""
    end = raw.get("MfgOrderPlannedEndDate")
    clock = raw.get("MfgOrderPlannedEndTime") or "PT00H00M00S"
    return records.order(
        plant.units,
        raw["ManufacturingOrder"],
        raw["Material"],
        quantity=raw["TotalQuantity"],
        unit=raw["ProductionUnit"],
        state=order_state(raw),
        due_at=_moment(instant(end), clock, plant.zone) if end else None,
    )


def item(raw: Mapping[str, Any], plant: SapPlant) -> ErpItem:
    """Return a material in our words."""
    texts = (raw.get("to_Description") or {}).get("results") or [{}]
    name, gtin = texts[0].get("ProductDescription"), raw.get("ProductStandardID")
    return records.item(plant.units, raw["Product"], name, unit=raw["BaseUnit"], gtin=gtin)


def bom(raw: Mapping[str, Any], plant: SapPlant) -> ErpBom:
    """Return a bill of material in our words."""
    lines = raw["to_BillOfMaterialItem"]["results"]
    names = ("BillOfMaterialComponent", "BillOfMaterialItemQuantity", "BillOfMaterialItemUnit")
    return records.bom(
        plant.units,
        raw["Material"],
        [(it[names[0]], it[names[1]], it[names[2]]) for it in lines],
        quantity=raw["BOMHeaderQuantityInBaseUnit"],
        unit=raw["BOMHeaderBaseUnit"],
    )


def customer(raw: Mapping[str, Any], _plant: SapPlant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["Customer"], raw["CustomerName"])
