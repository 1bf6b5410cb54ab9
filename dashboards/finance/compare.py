"""Rows of the match for people: the judgement of analytics beside its three sides, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from analytics.reconciliation.reading import Judged
from core.difference_replace import WRONG
from dashboards.finance import words
from erp.events import KINDS
from erp.reconcile import FactRow, MessageRow, PostingRow
from erp.rows import OPEN, State

SIDES = ("quantity", "item", "lot", "order", "movement", "day")
# what analytics calls a difference -> the field of a side
FIELDS = {"unit": "quantity", "posting_date": "day"}
NOTES = {
    "gl": "no GL entry",
    "gl_period": "GL in another period",
    "posted_at": "posted after the cut-off",
    "changed": "not as its receipt says",
    "order_state": "the order is still open there",
}
TAKEN_BACK = "Posted by hand and taken back: nothing moved in the end."
TITLES = {
    "issue": "Material consumed",
    "return": "Material returned",
    "scrap": "Scrap recorded",
    "receipt": "Goods produced",
    "release": "Batch released",
    "reject": "Batch rejected",
    "start": "Order started",
    "complete": "Order completed",
    "journal": "Ledger entry",
}
TITLED = TITLES | {kind: words.type_words(kind) for kind in KINDS}


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

    @property
    def message_id(self) -> str | None:
        """The message that stands for the fact: the newest one that told it."""
        return self.event_id if self.message is None else self.message.event_id


def standing(postings: Sequence[PostingRow]) -> tuple[PostingRow, ...]:
    """Return the postings that no other one takes back, line by line; none where nothing is left.

    What takes one back says the same with the sign turned.
    """
    left: list[PostingRow] = []
    for one in postings:
        twin = next((it for it in left if _cancels(it, one)), None)
        if twin is None:
            left.append(one)
        else:
            left.remove(twin)
    return tuple(left)


def wrong_document(row: MatchRow) -> str | None:
    """Return the one document, as `id/year`, that says other than the floor; None: none does."""
    if row.fact is None or row.match_class not in WRONG:
        return None
    names = {document_of(one) for one in standing(row.postings)}
    return names.pop() if len(names) == 1 else None


def document_of(it: PostingRow) -> str:
    """Return the document of a line, as `id/year`."""
    return it.document.rpartition("/")[0]


def _cancels(one: PostingRow, other: PostingRow) -> bool:
    same = ("item", "lot", "movement", "unit", "erp_order")
    if one.quantity is None or other.quantity is None or one.quantity != -other.quantity:
        return False
    return all(getattr(one, name) == getattr(other, name) for name in same)


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
    """Return what the ERP's books say; several postings of one fact stand beside each other.

    A posting and what takes it back are left out where another one stands.
    """
    shown = standing(postings) or postings
    first = shown[0]
    total = " and ".join(words.quantity(one.quantity, one.unit) for one in shown)
    documents = ", ".join(dict.fromkeys(map(document_of, shown)))
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


def cause_of(
    match_class: str,
    fact: FactRow | None,
    message: MessageRow | None,
    *,
    stuck: Mapping[str, int],
) -> str:
    """Return the probable cause of a row, as a sentence."""
    if match_class == "matched":
        return "" if fact is not None or message is not None else TAKEN_BACK
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


def row_of(it: Judged, stuck: Mapping[str, int]) -> MatchRow:
    """Return a judged row for people.

    Args:
        it: the row with its sides as they were kept.
        stuck: which message of an order the ERP refused first.
    """
    fact = None if it.fact is None else FactRow(**it.fact)
    message = None if it.message is None else MessageRow(**it.message)
    booked = tuple(PostingRow(**line) for line in it.lines)
    first = fact or message or booked[0]
    floor = floor_side(fact) if fact else None
    sent = sent_side(message) if message else None
    told = {FIELDS.get(name, name) for name in it.differs} | set(differing((floor, sent)))
    kind = TITLES.get(first.movement, first.movement)
    if fact is not None or message is not None:
        kind = words.type_words((fact or message).type)  # type: ignore[union-attr]
    named = [first.item, f"lot {first.lot}" if first.lot else None]
    if booked and booked[0].kind == "gl":
        named.insert(0, booked[0].document.partition("/")[0])
    named.append(f"order {first.erp_order}" if first.erp_order else "no ERP order")
    return MatchRow(
        key=it.key,
        match_class=it.match_class,
        title=kind,
        subject=", ".join(part for part in named if part),
        floor=floor,
        sent=sent,
        booked=booked_side(booked, it.differs) if booked else None,
        differs=tuple(name for name in SIDES if name in told),
        cause=cause_of(it.match_class, fact, message, stuck=stuck),
        posting_date=first.posting_date,
        at=it.at,
        age=it.age,
        bucket=it.bucket,
        event_id=fact.event_id if fact else message.event_id if message else None,
        entry_seq=fact.entry_seq if fact else message.entry_seq if message else None,
        batch=fact.batch if fact else None,
        fact=fact,
        message=message,
        postings=booked,
    )
