"""Collect the three lists to compare: what the floor did, what was sent, what was booked.

One row per line, in the ERP's base units, keyed by event id and reference. Nothing is judged
here. `postings` is None where the ERP could not be read: not compared is not agreement.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from core.clock import now, parse_iso
from core.ledger.entry import Entry
from erp import evidence
from erp.contract import Line, Message, from_bytes
from erp.derive import PAGE, Entries
from erp.errors import ErpUnreachable, NotTranslated
from erp.events import BY_FACT, KINDS
from erp.messages import LINKED, Known, Site, erp_order_of, identifier, lane_of, lines_of
from erp.outbox import Outbox
from erp.port import ErpAdapter, ErpProfile, LedgerLine, Scope
from erp.rows import ReceiptRow, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One movement or order event as the ledger has it; `quantity` is None where none moved."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One line of a message as it was made, with the newest receipt for it."""

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
class Collected:
    """The three lists, and up to where each was read."""

    facts: tuple[FactRow, ...]
    messages: tuple[MessageRow, ...]
    postings: tuple[PostingRow, ...] | None
    upto_seq: int
    read_at: datetime
    fault: str | None = None


# message type -> movement of a line that moves no stock
ORDER_MOVEMENTS = {"mes.work_order_started.v1": "start", "mes.work_order_completed.v1": "complete"}


def collect(
    entries: Entries,
    outbox: Outbox,
    port: ErpAdapter,
    *,
    site: Site,
    erp_order: Callable[[str], str | None] = lambda _: None,
) -> Collected:
    """Return the three lists as they stand now."""
    facts, upto = fact_rows(entries, site, erp_order=erp_order, profile=port.profile)
    fault: str | None = None
    postings: tuple[PostingRow, ...] | None = None
    try:
        lines = [posting_row(line, port.profile) for line in port.ledger(Scope())]
        postings = tuple(_named(lines, evidence.receipts(outbox)))
    except ErpUnreachable as silence:
        fault = str(silence)
    return Collected(
        facts=facts,
        messages=message_rows(outbox),
        postings=postings,
        upto_seq=upto,
        read_at=now(),
        fault=fault,
    )


def fact_rows(
    entries: Entries,
    site: Site,
    *,
    erp_order: Callable[[str], str | None],
    profile: ErpProfile | None = None,
) -> tuple[tuple[FactRow, ...], int]:
    """Return the facts of the whole ledger, and the number of its last entry.

    A fact that cannot be read as a movement, or that the ERP has no posting for, is a row all the
    same, with its fault.
    """
    found: list[FactRow] = []
    linked: dict[str, str] = {}
    by_seq: dict[int, Entry] = {}
    upto = 0

    def number(order: str) -> str | None:
        return linked.get(order) or erp_order(order)

    known = Known(erp_order=number, original=lambda _: None)
    for entry in _all(entries):
        upto = entry.seq
        if entry.type == LINKED:
            linked[entry.data["order"]] = entry.data["erp_ref"]
        kind = BY_FACT.get(entry.type)
        if kind is not None and kind.posts:  # a notice is acknowledged, and stands in no books
            by_seq[entry.seq] = entry
    for entry in by_seq.values():
        found.extend(_facts_of(entry, by_seq, site=site, known=known))
    if profile is not None:
        found = [it if profile.books(it.type) else _not_booked(it, profile.name) for it in found]
    return tuple(found), upto


def _not_booked(fact: FactRow, erp: str) -> FactRow:
    title = KINDS[fact.type].title  # type: ignore[index]
    return replace(fact, fault=fact.fault or f"{title}: not sent, {erp} has no posting for it.")


def _all(entries: Entries) -> Iterable[Entry]:
    after = 0
    while page := entries.entries(after, PAGE):
        yield from page
        after = page[-1].seq


def _facts_of(entry: Entry, by_seq: dict[int, Entry], *, site: Site, known: Known) -> list[FactRow]:
    kind = BY_FACT[entry.type].type
    source, sign, fault = entry, 1, None
    lines: tuple[Line, ...] = ()
    order: str | None = None
    erp: str | None = None
    try:
        if BY_FACT[entry.type].reverses:
            original = by_seq.get(entry.data.get("corrects", 0))
            if original is None:
                raise NotTranslated(entry.seq, entry.type, "corrects an entry that moved nothing")
            source, sign = original, -1
        order, erp = lane_of(source, known), erp_order_of(source, known)
        lines = lines_of(source)
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
    )
    return [_with_line(plain, line, sign) for line in lines] or [plain]


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


def message_rows(outbox: Outbox) -> tuple[MessageRow, ...]:
    """Return every message, one row per line, with its newest receipt."""
    newest = {it.event_id: it for it in evidence.receipts(outbox)}
    return tuple(
        row
        for kept in evidence.messages(outbox)
        if KINDS[kept.type].posts  # type: ignore[index]
        for row in _message_lines(kept, from_bytes(kept.body), newest.get(kept.event_id))
    )


def _message_lines(kept: Row, made: Message, answer: ReceiptRow | None) -> list[MessageRow]:
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
        )

    return [row(line) for line in data.lines] or [row(None)]


def _named(lines: Iterable[PostingRow], answers: Iterable[ReceiptRow]) -> Iterator[PostingRow]:
    """Name the lines whose document keeps no reference of ours by the receipts that list it."""
    by_document = {
        f"{doc.id}/{doc.year}/{doc.line}": answer.event_id
        for answer in answers
        for doc in answer.documents
    }
    for line in lines:
        unnamed = line.event_id is None and line.erp_ref is None
        yield replace(line, event_id=by_document.get(line.document)) if unnamed else line


def posting_row(line: LedgerLine, profile: ErpProfile | None = None) -> PostingRow:
    """Return a line of the ERP's books as a row."""
    document = line.document
    return PostingRow(
        seq=line.seq,
        kind=line.kind,
        event_id=line.reference,
        erp_ref=line.ref,
        document=f"{document.id}/{document.year}/{document.line}",
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
        gl_read=profile is None or profile.reads_gl,
    )
