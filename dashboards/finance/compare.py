"""Rows of the match for people: the judgement of analytics beside its three sides, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from analytics import reconciliation as judged
from dashboards.finance import words
from erp.reconcile import Collected, FactRow, MessageRow, PostingRow
from erp.rows import OPEN, State

SIDES = ("quantity", "item", "lot", "order", "movement", "day")
# what analytics calls a difference -> the field of a side
FIELDS = {"unit": "quantity", "posting_date": "day"}
BUCKETS = (*(name for name, _ in judged.BUCKETS), judged.OLDEST)
NOTES = {
    "gl": "no GL entry",
    "gl_period": "GL in another period",
    "posted_at": "posted after the cut-off",
    "changed": "not as its receipt says",
}
TITLES = {
    "issue": "Material consumed",
    "return": "Material returned",
    "scrap": "Scrap recorded",
    "receipt": "Goods produced",
    "release": "Batch released",
    "reject": "Batch rejected",
    "start": "Order started",
    "complete": "Order completed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRow:
    """One row of the match, with what each side says; a side that says nothing is None."""

    key: str
    match_class: str
    title: str
    subject: str
    floor: Mapping[str, str] | None
    sent: Mapping[str, str] | None
    booked: Mapping[str, str] | None
    differs: tuple[str, ...]
    cause: str
    posting_date: date
    at: datetime
    age: timedelta
    bucket: str
    event_id: str | None
    entry_seq: int | None
    batch: str | None
    fact: FactRow | None
    message: MessageRow | None
    postings: tuple[PostingRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All rows, the newest first, and by what rule they were judged."""

    rows: tuple[MatchRow, ...]
    tolerance: str
    buckets: tuple[str, ...]
    outside: int = 0


def floor_side(fact: FactRow) -> dict[str, str]:
    """Return what the floor did."""
    return {
        "quantity": words.quantity(fact.quantity, fact.unit),
        "item": fact.item or "",
        "lot": fact.lot or "",
        "order": fact.erp_order or "",
        "movement": fact.movement,
        "day": fact.posting_date.isoformat(),
        "note": f"entry {fact.entry_seq}" + (f", batch {fact.batch}" if fact.batch else ""),
    }


def sent_side(message: MessageRow) -> dict[str, str]:
    """Return what the message says."""
    _, state = words.SENT[State(message.state)]
    tries = words.count(message.attempts, "try", "tries")
    return {
        "quantity": words.quantity(message.quantity, message.unit),
        "item": message.item or "",
        "lot": message.lot or "",
        "order": message.erp_order or "",
        "movement": message.movement,
        "day": message.posting_date.isoformat(),
        "note": f"{state.lower()}, {tries}" if message.attempts else state.lower(),
    }


def booked_side(postings: Sequence[PostingRow], differs: Sequence[str] = ()) -> dict[str, str]:
    """Return what the ERP's books say; several postings of one fact stand beside each other."""
    first = postings[0]
    total = words.quantity(first.quantity, first.unit)
    if len(postings) > 1:
        total = " and ".join(words.quantity(one.quantity, one.unit) for one in postings)
    documents = ", ".join(one.document.rpartition("/")[0] for one in postings)
    return {
        "quantity": total,
        "item": first.item or "",
        "lot": first.lot or "",
        "order": first.erp_order or "",
        "movement": first.movement,
        "day": first.posting_date.isoformat(),
        "note": ", ".join([f"doc. {documents}", *(NOTES[n] for n in NOTES if n in differs)]),
    }


def odd(sides: Sequence[Mapping[str, str] | None], name: str) -> tuple[bool, ...]:
    """Return which sides say something else than the first that speaks; all, where none does."""
    speaking = [side[name] for side in sides if side is not None]
    alike = len(set(speaking)) <= 1
    return tuple(side is not None and (alike or side[name] != speaking[0]) for side in sides)


def differing(sides: Sequence[Mapping[str, str] | None]) -> tuple[str, ...]:
    """Return the fields in which the sides that speak do not agree."""
    speaking = [side for side in sides if side is not None]
    return tuple(name for name in SIDES if len({side[name] for side in speaking}) > 1)


def refused_at(messages: Sequence[MessageRow]) -> dict[str, int]:
    """Return which message of an order the ERP refused first: what comes after it waits."""
    found: dict[str, int] = {}
    for one in messages:
        if one.state == State.DEAD:
            found[one.lane] = min(one.lane_seq, found.get(one.lane, one.lane_seq))
    return found


def cause_of(
    match_class: str,
    fact: FactRow | None,
    message: MessageRow | None,
    *,
    stuck: Mapping[str, int],
) -> str:
    """Return the probable cause of a row, as a sentence."""
    if match_class == "matched":
        return ""
    if fact is not None and fact.fault is not None:
        return fact.fault
    if message is not None and message.state == State.DEAD:
        why = (message.last_error or message.last_code or "refused").rstrip(".")
        return f"The ERP refused it: {why}. {words.step_for(message.last_code)}"
    if message is not None and message.state in OPEN:
        first = stuck.get(message.lane, message.lane_seq)
        if first < message.lane_seq:
            return f"Waits behind message {first} of its order, which the ERP refused."
    if message is None and fact is not None and fact.erp_order is None:
        return f"Order {fact.order}: the ERP does not know it. Link the order to an ERP order."
    if match_class == "in_flight":
        if message is None:
            return "The message is about to be made."
        error = f" Last answer: {message.last_error}." if message.last_error else ""
        return f"{words.SENT[State(message.state)][1]} since the fact was recorded.{error}"
    it = words.of(match_class)
    return f"{it.means} {it.step}"


def match(found: Collected) -> Verdict:
    """Return every row of one reading in its class, the newest first."""
    facts = [_fact(one) for one in found.facts]
    messages = [_message(one) for one in found.messages]
    receipts = {one.event_id: one for one in found.messages if one.receipt_status is not None}
    lines = None
    if found.postings is not None:
        lines = [_line(one, receipts.get(one.event_id or "")) for one in found.postings]
    verdict = judged.reconcile(
        facts, messages, lines, read_at=found.read_at, upto_seq=found.upto_seq
    )
    # The judged records stand for ours; each is told apart by being itself.
    ours: dict[int, object] = {}
    for records, originals in (
        (facts, found.facts), (messages, found.messages), (lines or (), found.postings or ()),
    ):  # fmt: skip
        ours.update(zip(map(id, records), originals, strict=True))
    stuck = refused_at(found.messages)
    rows = [_row(one, ours, stuck) for one in verdict.rows]
    rows.sort(key=lambda row: (row.at, row.key), reverse=True)
    rules = verdict.rules
    amount = f"{rules.quantity}" if rules.quantity else "0"
    return Verdict(
        rows=tuple(rows),
        tolerance=f"{amount} in quantity; in flight up to {words.span(rules.sla)}, late after "
        f"{words.span(rules.late)}",
        buckets=BUCKETS,
        outside=verdict.outside,
    )


def _fact(it: FactRow) -> judged.MesFact:
    return judged.MesFact(
        message_id=it.event_id,
        entry_seq=it.entry_seq,
        type=it.type,
        order=it.erp_order,
        item=it.item,
        lot=it.lot,
        movement=it.movement,
        quantity=it.quantity,
        unit=it.unit,
        occurred_at=it.at,
        posting_date=it.posting_date,
        mes_order=it.order,
        batch=it.batch,
        fault=it.fault,
    )


def _message(it: MessageRow) -> judged.SentMessage:
    return judged.SentMessage(
        message_id=it.event_id,
        state=it.state,
        attempts=it.attempts,
        sha256=it.sha256,
        sent_at=it.made_at,
        receipt_status=it.receipt_status,
        documents=it.documents,
        erp_ref=it.erp_ref,
        entry_seq=it.entry_seq,
        receipt_at=it.receipt_at,
        order=it.erp_order,
        item=it.item,
        lot=it.lot,
        movement=it.movement,
        quantity=it.quantity,
        unit=it.unit,
        posting_date=it.posting_date,
        last_code=it.last_code,
        last_error=it.last_error,
    )


def _line(it: PostingRow, answer: MessageRow | None) -> judged.ErpLine:
    return judged.ErpLine(
        message_id=it.event_id,
        document=it.document,
        order=it.erp_order,
        item=it.item,
        lot=it.lot,
        movement=it.movement,
        quantity=it.quantity,
        unit=it.unit,
        posted_at=it.posted_at,
        posting_date=it.posting_date,
        period=it.period,
        erp_ref=it.erp_ref,
        kind=it.kind,
        gl=it.gl_document is not None if it.kind == "stock" and it.gl_read else None,
        gl_period=it.gl_period,
        changed=answer is not None and _is_changed(it, answer),
    )


def _is_changed(it: PostingRow, answer: MessageRow) -> bool:
    """Return whether the books name another document or period than the signed receipt."""
    known = (answer.documents or "").split()
    if known and it.document.partition("/")[0] not in known:
        return True
    return answer.receipt_period is not None and answer.receipt_period != it.period


def _row(it: judged.MatchRow, ours: Mapping[int, object], stuck: Mapping[str, int]) -> MatchRow:
    fact, message = ours.get(id(it.fact)), ours.get(id(it.message))
    postings = tuple(ours[id(line)] for line in it.lines)
    assert fact is None or isinstance(fact, FactRow)
    assert message is None or isinstance(message, MessageRow)
    booked = tuple(one for one in postings if isinstance(one, PostingRow))
    first = fact or message or booked[0]
    floor = floor_side(fact) if fact else None
    sent = sent_side(message) if message else None
    told = {FIELDS.get(name, name) for name in it.differs} | set(differing((floor, sent)))
    kind = TITLES.get(first.movement, first.movement)
    if fact is not None or message is not None:
        kind = words.type_words((fact or message).type)  # type: ignore[union-attr]
    at = fact.at if fact else message.made_at if message else booked[0].posted_at
    named = [first.item, f"lot {first.lot}" if first.lot else None]
    named.append(f"order {first.erp_order}" if first.erp_order else "no ERP order")
    return MatchRow(
        key=it.key,
        match_class=it.match_class.value,
        title=kind,
        subject=", ".join(part for part in named if part),
        floor=floor,
        sent=sent,
        booked=booked_side(booked, it.differs) if booked else None,
        differs=tuple(name for name in SIDES if name in told),
        cause=cause_of(it.match_class.value, fact, message, stuck=stuck),
        posting_date=first.posting_date,
        at=at,
        age=it.age,
        bucket=it.bucket,
        event_id=fact.event_id if fact else message.event_id if message else None,
        entry_seq=fact.entry_seq if fact else message.entry_seq if message else None,
        batch=fact.batch if fact else None,
        fact=fact,
        message=message,
        postings=booked,
    )
