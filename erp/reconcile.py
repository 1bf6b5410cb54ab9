"""What is compared: what the floor did, what was sent, what was booked, one row per line.

Rows are in the ERP's base units, keyed by event id and reference. Nothing is judged here.
`erp.following` reads them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from msgspec import UNSET

from core.clock import parse_iso
from core.ledger.entry import Entry
from erp.contract import Line, Message
from erp.errors import ErpUnreachable, NotTranslated
from erp.events import BY_FACT, KINDS
from erp.messages import (
    WIRE_UNITS,
    Known,
    Site,
    erp_order_of,
    identifier,
    lane_of,
    lines_of,
    wire_quantity,
)
from erp.port import DocumentRef, ErpProfile, LedgerLine
from erp.rows import ReceiptRow, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One movement or order event as the ledger has it; `quantity` is None where none moved.

    `corrects` is the event id of what a reversal undoes.
    """

    event_id: str
    entry_seq: int
    type: str
    order: str | None
    erp_order: str | None
    batch: str | None
    item: str | None
    lot: str | None
    movement: str
    quantity: Decimal | None
    unit: str | None
    posting_date: date
    at: datetime
    fault: str | None = None
    corrects: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One line of a message as it was made, with the newest receipt for it.

    `replaces` is the first message of a fact that this one tells anew.
    """

    event_id: str
    erp_ref: str
    entry_seq: int
    lane: str
    lane_seq: int
    type: str
    sha256: str
    state: str
    attempts: int
    last_code: str | None
    last_error: str | None
    order: str
    erp_order: str
    item: str | None
    lot: str | None
    movement: str
    quantity: Decimal | None
    unit: str | None
    posting_date: date
    made_at: datetime
    receipt_at: datetime | None
    receipt_status: str | None
    documents: str | None
    receipt_period: str | None
    due_at: datetime
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """One line of the ERP's books, as read back; `event_id` is None for a manual posting."""

    seq: int
    kind: str
    event_id: str | None
    erp_ref: str | None
    document: str
    erp_order: str | None
    item: str | None
    lot: str | None
    movement: str
    quantity: Decimal | None
    unit: str | None
    posting_date: date
    period: str
    gl_document: str | None
    gl_period: str | None
    posted_at: datetime
    gl_read: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LotRow:
    """A lot that was taken in, with its whole quantity; the ERP has its own receipt of it."""

    entry_seq: int
    item: str
    lot: str
    quantity: Decimal
    unit: str


# message type -> movement of a line that moves no stock
ORDER_MOVEMENTS = {"mes.work_order_started.v1": "start", "mes.work_order_completed.v1": "complete"}
FINEST = 9  # digits after the point that a quantity may have


def not_booked(fact: FactRow, erp: str) -> FactRow:
    """Return a fact that an ERP has no posting for, saying so."""
    title = KINDS[fact.type].title  # type: ignore[index]
    return replace(fact, fault=fact.fault or f"{title}: not sent, {erp} has no posting for it.")


def facts_of(
    entry: Entry, by_seq: Callable[[int], Entry | None], *, site: Site, known: Known
) -> list[FactRow]:
    """Return the movements of one entry.

    What cannot be read as a movement is a row all the same, with its fault.
    """
    kind = BY_FACT[entry.type].type
    source, sign, fault, corrects = entry, 1, None, None
    lines: tuple[Line, ...] = ()
    order: str | None = None
    erp: str | None = None
    try:
        if BY_FACT[entry.type].reverses:
            original = by_seq(entry.data.get("corrects", 0))
            if original is None:
                raise NotTranslated(entry.seq, entry.type, "corrects an entry that moved nothing")
            source, sign, corrects = original, -1, identifier(original)
        order, erp = lane_of(source, known), erp_order_of(source, known)
        lines = tuple(_readable(entry, line) for line in lines_of(source))
    except NotTranslated as refusal:
        fault = str(refusal)
    plain = FactRow(
        event_id=identifier(entry),
        entry_seq=entry.seq,
        type=kind,
        order=order,
        erp_order=erp,
        batch=source.data.get("batch"),
        item=None,
        lot=None,
        movement=ORDER_MOVEMENTS.get(kind, "none"),
        quantity=None,
        unit=None,
        posting_date=site.posting_date(entry.at),
        at=parse_iso(entry.at),
        fault=fault,
        corrects=corrects,
    )
    return [_with_line(plain, line, sign) for line in lines] or [plain]


def lot_of(entry: Entry) -> Iterator[LotRow]:
    """Yield the lot that an entry took in; nothing where its quantity cannot be compared."""
    data = entry.data
    total = sum((Decimal(one["quantity"]) for one in data["containers"]), Decimal(0))
    if data["unit"] not in WIRE_UNITS:
        return
    quantity, unit = wire_quantity(total, data["unit"])
    if is_too_fine(Decimal(quantity)):
        return
    yield LotRow(
        entry_seq=entry.seq,
        item=data["material"],
        lot=data["lot"],
        quantity=Decimal(quantity),
        unit=unit,
    )


def is_too_fine(quantity: Decimal) -> bool:
    """Return whether a quantity has more digits than can be compared exactly.

    >>> is_too_fine(Decimal("0.000000001")), is_too_fine(Decimal("0.0000000001"))
    (False, True)
    """
    return quantity != round(quantity, FINEST)


def _readable(entry: Entry, line: Line) -> Line:
    if is_too_fine(Decimal(line.quantity)):
        why = f"{line.quantity} {line.unit} is finer than {FINEST} digits"
        raise NotTranslated(entry.seq, entry.type, why)
    return line


def _with_line(plain: FactRow, line: Line, sign: int) -> FactRow:
    fields = {name: getattr(plain, name) for name in FactRow.__slots__}
    return FactRow(
        **{
            **fields,
            "item": line.item,
            "lot": line.lot,
            "movement": line.movement,
            "quantity": sign * Decimal(line.quantity),
            "unit": line.unit,
        }
    )


def message_lines(kept: Row, made: Message, answer: ReceiptRow | None) -> list[MessageRow]:
    """Return a message, one row per line, with its newest receipt."""
    data = made.data

    def row(line: Line | None) -> MessageRow:
        return MessageRow(
            event_id=kept.event_id,
            erp_ref=kept.erp_ref,
            entry_seq=kept.entry_seq,
            lane=kept.lane,
            lane_seq=kept.lane_seq,
            type=kept.type,
            sha256=kept.sha256,
            state=kept.state,
            attempts=kept.attempts,
            last_code=kept.last_code,
            last_error=kept.last_error,
            order=data.order.mes,
            erp_order=data.order.erp,
            item=line.item if line else None,
            lot=line.lot if line else None,
            movement=line.movement if line else ORDER_MOVEMENTS.get(made.type, "none"),
            quantity=Decimal(line.quantity) if line else None,
            unit=line.unit if line else None,
            posting_date=date.fromisoformat(data.posting_date),
            made_at=parse_iso(kept.made_at),
            receipt_at=parse_iso(answer.at) if answer else None,
            receipt_status=answer.status if answer else None,
            documents=" ".join(doc.id for doc in answer.documents) if answer else None,
            receipt_period=answer.period if answer else None,
            due_at=parse_iso(kept.due_at),
            replaces=None if data.replaces is UNSET else data.replaces,
        )

    return [row(line) for line in data.lines] or [row(None)]


def document_name(document: DocumentRef) -> str:
    """Return how a line of the ERP's books is named here."""
    return f"{document.id}/{document.year}/{document.line}"


def posting_row(line: LedgerLine, profile: ErpProfile | None = None) -> PostingRow:
    """Return a line of the ERP's books as a row.

    Raises:
        ErpUnreachable: its quantity cannot be compared exactly; a hole would be no agreement.
    """
    if line.quantity is not None and is_too_fine(line.quantity):
        why = f"line {line.seq}, {line.quantity} {line.unit}, is finer than {FINEST} digits"
        raise ErpUnreachable("the other side" if profile is None else profile.name, why)
    return PostingRow(
        seq=line.seq,
        kind=line.kind,
        event_id=line.reference,
        erp_ref=line.ref,
        document=document_name(line.document),
        erp_order=line.order,
        item=line.item,
        lot=line.lot,
        movement=line.movement,
        quantity=line.quantity,
        unit=line.unit,
        posting_date=line.posting_date,
        period=line.period,
        gl_document=line.gl_document,
        gl_period=line.gl_period,
        posted_at=line.posted_at,
        gl_read=line.gl_due and (profile is None or profile.reads_gl),
    )
