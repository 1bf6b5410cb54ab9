"""From ledger entries to messages: pure, and the only place that knows both vocabularies.

Masses are grams in the ledger and KGM on the wire, pieces are C62; both are exact. A fact of an
order that the ERP does not know has no message until the order is linked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from core.clock import parse_iso
from core.errors import Refused
from core.ledger import entry as ledger_entry
from core.ledger.entry import Entry
from core.ledger.merkle import leaf_hash
from core.quantity import convert
from erp.contract import (
    BookedDocument,
    DeviationNumber,
    EquipmentState,
    Line,
    Message,
    MessageData,
    OrderNumbers,
    OrderYield,
    SentCheckpoint,
    SignedRecord,
    again_id,
    erp_ref,
    event_id,
    quantity_text,
    schema_of,
)
from erp.errors import NotTranslated
from erp.events import BY_FACT

LINKED = "work-order.linked"
EQUIPMENT_STATES: dict[str, EquipmentState] = {"run.started": "running", "run.ended": "idle"}

# our unit -> (our base unit, its UN/ECE Recommendation 20 code)
WIRE_UNITS = {
    "mg": ("kg", "KGM"),
    "g": ("kg", "KGM"),
    "kg": ("kg", "KGM"),
    "t": ("kg", "KGM"),
    "mL": ("L", "LTR"),
    "L": ("L", "LTR"),
    "EA": ("EA", "C62"),
}
OUR_UNITS = {"KGM": "kg", "GRM": "g", "LTR": "L", "C62": "EA"}
BOOKED_UNITS = {ours: code for code, ours in OUR_UNITS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Which plant speaks, and in which zone its calendar days turn."""

    plant: str
    zone: ZoneInfo

    def posting_date(self, at: str) -> date:
        """Return the plant's calendar day of an instant."""
        return parse_iso(at).astimezone(self.zone).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an entry alone does not say: an order's ERP number, a batch's order, a message."""

    erp_order: Callable[[str], str | None]
    original: Callable[[int], Message | None]
    order_of: Callable[[str], str | None] = lambda _: None


def identifier(entry: Entry) -> str:
    """Return the message id of an entry, made from its instant and its leaf hash."""
    return event_id(parse_iso(entry.at), leaf_hash(ledger_entry.encode(entry)))


def wire_quantity(value: Decimal, unit: str) -> tuple[str, str]:
    """Return a quantity as wire text with its UN/ECE unit, exactly.

    >>> wire_quantity(Decimal("1809.25"), "g")
    ('1.80925', 'KGM')
    """
    base, code = WIRE_UNITS[unit]
    return quantity_text(convert(value, unit, base)), code


def lane_of(entry: Entry, known: Known) -> str:
    """Return the MES order an entry belongs to; messages of one order keep their sequence.

    Raises:
        NotTranslated: the entry names no order.
    """
    order = entry.data.get("order")
    if order is None and _is_reversal(entry):
        original = known.original(_corrected(entry))
        order = original.partitionkey if original is not None else None
    if order is None and isinstance(batch := entry.data.get("batch"), str):
        order = known.order_of(batch)
    if not isinstance(order, str) or not order:
        raise NotTranslated(entry.seq, entry.type, "names no order")
    return order


def erp_order_of(entry: Entry, known: Known) -> str | None:
    """Return the ERP's number of the entry's order, or None where the ERP does not know it."""
    data = entry.data
    own = data.get("erp_order") or data.get("erp_ref")
    if isinstance(own, str):
        return own
    return known.erp_order(lane_of(entry, known))


def translate(
    entry: Entry,
    site: Site,
    known: Known,
    *,
    sequence: int,
    checkpoint: SentCheckpoint | None,
) -> Message | None:
    """Return the message of an entry, or None where the ERP is not told.

    Args:
        entry: any entry of the ledger.
        site: the plant and its calendar.
        known: lookups for what the entry does not carry.
        sequence: position inside the lane, from 1.
        checkpoint: the newest one when the message is made.

    Raises:
        NotTranslated: the entry should be a message but lacks what it needs.
    """
    if entry.type not in BY_FACT:
        return None
    erp_order = erp_order_of(entry, known)
    if erp_order is None:
        return None
    kind = BY_FACT[entry.type].type
    lane, key = lane_of(entry, known), identifier(entry)
    original = known.original(_corrected(entry)) if _is_reversal(entry) else None
    if _is_reversal(entry) and original is None:
        raise NotTranslated(entry.seq, entry.type, "corrects an entry that has no message")
    data = MessageData(
        erp_ref=erp_ref(key),
        occurred_at=entry.at,
        posting_date=site.posting_date(entry.at).isoformat(),
        order=OrderNumbers(erp=erp_order, mes=lane),
        batch=entry.data.get("batch") or (original.data.batch if original else None),
        lines=_reversed(original) if original else lines_of(entry),
        entry=entry.seq,
        corrects=original.id if original else None,
        checkpoint=checkpoint,
        signed_record=_signed_record(entry),
        work_center=entry.data.get("work_center") or entry.data.get("line") or UNSET,
        equipment_state=EQUIPMENT_STATES.get(entry.type, UNSET),
        order_yield=_order_yield(entry),
        deviation=_deviation(entry),
        why=entry.data.get("says") or entry.data.get("why") or UNSET,
        document=_document(entry),
    )
    return Message(
        id=key,
        source=f"/mes/{site.plant}",
        type=kind,
        subject=lane,
        time=entry.at[:23] + "Z",
        partitionkey=lane,
        sequence=str(sequence),
        data=data,
        dataschema=schema_of(kind),
    )


def told_again(made: Message, *, entry: int, again: int) -> Message:
    """Return a fact's message for the time that an entry orders, under the id made of its first."""
    key = again_id(made.id, again)
    data = replace(made.data, erp_ref=erp_ref(key), entry=entry, replaces=made.id)
    return replace(made, id=key, data=data)


def lines_of(entry: Entry) -> tuple[Line, ...]:
    """Return the movement an entry states, as zero or one line; of a document, all that it undoes.

    Raises:
        NotTranslated: a member is missing or is no quantity.
    """
    if BY_FACT[entry.type].undoes:
        return _undone(entry)
    movement = BY_FACT[entry.type].movement
    if movement is None:
        return ()
    data = entry.data
    item = data.get("material") or data.get("product")
    lot = data.get("lot") or data.get("batch")
    if not isinstance(item, str) or not isinstance(lot, str):
        raise NotTranslated(entry.seq, entry.type, "names no material or no lot")
    quantity, unit = _quantity(entry)
    line = Line(n=1, item=item, lot=lot, quantity=quantity, unit=unit, movement=movement)
    return (line,)


def _undone(entry: Entry) -> tuple[Line, ...]:
    """Return the lines of a document of the ERP, each with its quantity turned, in its own unit."""
    lines = []
    try:
        for n, one in enumerate(entry.data["document"]["lines"], 1):
            quantity = quantity_text(-Decimal(one["quantity"]))
            lines.append(
                Line(n=n, item=one["material"], lot=one["lot"], quantity=quantity,
                     unit=BOOKED_UNITS[one["unit"]], movement=one["movement"])
            )  # fmt: skip
    except (KeyError, TypeError, InvalidOperation) as fault:
        raise NotTranslated(
            entry.seq, entry.type, f"its document cannot be read: {fault}"
        ) from fault
    return tuple(lines)


def _document(entry: Entry) -> BookedDocument | UnsetType:
    if not BY_FACT[entry.type].undoes:
        return UNSET
    document = entry.data["document"]
    return BookedDocument(id=document["id"], year=document["year"])


def _quantity(entry: Entry) -> tuple[str, str]:
    data = entry.data
    value, unit = (data.get("net_g"), "g") if "net_g" in data else (data.get("quantity"), None)
    unit = unit or data.get("unit")
    if not isinstance(value, str) or unit not in WIRE_UNITS:
        raise NotTranslated(entry.seq, entry.type, f"has no quantity with a known unit ({unit})")
    try:
        return wire_quantity(Decimal(value), unit)
    except (InvalidOperation, Refused) as fault:
        raise NotTranslated(entry.seq, entry.type, f"{value} {unit}: no exact quantity") from fault


def _is_reversal(entry: Entry) -> bool:
    kind = BY_FACT.get(entry.type)
    return kind is not None and kind.reverses


def _corrected(entry: Entry) -> int:
    seq = entry.data.get("corrects")
    if not isinstance(seq, int):
        raise NotTranslated(entry.seq, entry.type, "does not say which entry it corrects")
    return seq


def _reversed(original: Message) -> tuple[Line, ...]:
    return tuple(
        Line(
            n=line.n,
            item=line.item,
            lot=line.lot,
            quantity=quantity_text(-Decimal(line.quantity)),
            unit=line.unit,
            movement=line.movement,
            location=line.location,
        )
        for line in original.data.lines
    )


def _signed_record(entry: Entry) -> SignedRecord | None:
    digest = entry.data.get("record_sha256")
    batch = entry.data.get("batch")
    return SignedRecord(ebr=batch, sha256=digest) if digest and batch else None


def _deviation(entry: Entry) -> DeviationNumber | UnsetType:
    if BY_FACT[entry.type].fact.split(".")[0] != "deviation":
        return UNSET
    return DeviationNumber(id=entry.data["deviation"], severity=entry.data.get("severity") or UNSET)


def _order_yield(entry: Entry) -> OrderYield | UnsetType:
    if entry.type != "work-order.completed" or entry.data.get("quantity") is None:
        return UNSET
    quantity, unit = _quantity(entry)
    return OrderYield(quantity=quantity, unit=unit)
