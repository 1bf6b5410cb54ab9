"""The match in plain Python, slow and without state: what the one in DuckDB must say as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from analytics.reconciliation.rules import UNITS, MatchRules
from erp.reconcile import FactRow, MessageRow, PostingRow

OPEN = ("pending", "sending", "unknown", "accepted")


def classes_of(
    facts: Sequence[FactRow],
    messages: Sequence[MessageRow],
    lines: Sequence[PostingRow] | None,
    *,
    at: datetime,
    upto_seq: int,
    rules: MatchRules,
) -> dict[str, str]:
    """Return the class of every row by its key."""
    by_fact = {one.event_id: one for one in facts}
    first = {one.event_id: one.replaces or one.event_id for one in messages}
    by_message = _standing(messages)
    by_ref = {one.erp_ref: first[one.event_id] for one in messages}
    booked: dict[str, list[PostingRow]] = defaultdict(list)
    hand: list[PostingRow] = []
    for line in sorted(lines or (), key=lambda one: one.seq):
        name = line.event_id or by_ref.get(line.erp_ref or "")
        if name is None or line.kind == "gl":
            hand.append(line)
        else:
            booked[first.get(name, name)].append(line)
    undone, rows = _by_hand(hand, by_fact, booked, facts=facts)
    found = {key: kind for key, kind in rows.items() if lines is not None}
    for name in sorted(by_fact.keys() | by_message.keys()):
        fact, message = by_fact.get(name), by_message.get(name)
        mine = _named_first(booked.get(name, []), message)
        origin = fact.corrects if fact else None
        absent = "reversed_one_side" if origin and booked.get(origin) else "missing_in_erp"
        found[name] = _class(
            fact, message, mine, undone=undone[name], absent=absent, at=at, upto_seq=upto_seq,
            rules=rules, read=lines is not None,
        )  # fmt: skip
    for name in booked.keys() - by_fact.keys() - by_message.keys():
        found |= {f"line {line.seq}": "missing_in_mes" for line in booked[name]}
    return found


def _standing(messages: Sequence[MessageRow]) -> dict[str, MessageRow]:
    """Return the message that stands for each fact: the newest that was not given up."""

    def rank(one: MessageRow) -> tuple[bool, int]:
        is_given_up = one.replaces is not None and one.state in ("skipped", "superseded")
        return (not is_given_up, one.entry_seq)

    found: dict[str, MessageRow] = {}
    for one in sorted(messages, key=rank):
        found[one.replaces or one.event_id] = one
    return found


def outside_of(facts: Sequence[FactRow], lines: Sequence[PostingRow], known: set[str]) -> int:
    """Return how many lines of the ERP are on none of our orders and name none of our messages."""
    ours = {one.erp_order for one in facts if one.erp_order}
    return sum(
        1
        for line in lines
        if line.kind != "gl" and line.erp_order not in ours and not line.event_id
        and line.erp_ref not in known
    )  # fmt: skip


def _named_first(lines: list[PostingRow], message: MessageRow | None) -> list[PostingRow]:
    told = (message.documents or "").split() if message else []
    return sorted(lines, key=lambda one: (one.document.split("/")[0] not in told, one.seq))


def _essence(one: FactRow | PostingRow) -> tuple[object, ...]:
    return (one.erp_order, one.item, one.lot, one.movement, one.unit)


def _by_hand(
    hand: list[PostingRow],
    by_fact: dict[str, FactRow],
    booked: dict[str, list[PostingRow]],
    *,
    facts: Sequence[FactRow],
) -> tuple[dict[str, int], dict[str, str]]:
    """Return how many lines of each row were taken back by hand, and the rows of hand postings."""
    ours = {one.erp_order for one in facts if one.erp_order}
    rows = {f"line {one.seq}": "gl_orphan" for one in hand if one.kind == "gl"}
    free = [one for one in hand if one.kind != "gl" and one.erp_order in ours]
    undone: dict[str, int] = defaultdict(int)
    for minus in [one for one in free if one.quantity is not None]:
        same = [
            name
            for name, lines in booked.items()
            for line in lines
            if line.document.rpartition("/")[0] == minus.document.rpartition("/")[0]
            and (line.item, line.lot, line.movement) == (minus.item, minus.lot, minus.movement)
            and line.quantity == -minus.quantity  # type: ignore[operator]
        ]
        if same:
            undone[min(same)] += 1
            free.remove(minus)
    taken = set(undone)
    for minus in [one for one in free if one.quantity is not None and one.quantity < 0]:
        plus = next(
            (
                one for one in free
                if one.quantity == -minus.quantity and _essence(one) == _essence(minus)  # type: ignore[operator]
            ),
            None,
        )  # fmt: skip
        if plus is not None:
            free = [one for one in free if one not in (plus, minus)]
            rows[f"line {plus.seq}"] = "matched"
    reversed_ = {one.corrects for one in facts if one.corrects}
    for minus in [one for one in free if one.quantity is not None and one.quantity < 0]:
        like = [
            one for one in by_fact.values()
            if one.quantity == -minus.quantity and _essence(one) == _essence(minus)  # type: ignore[operator]
            and any(_place(line) == _place(minus) for line in booked.get(one.event_id, []))
            and one.event_id not in taken and one.event_id not in reversed_
            and None not in _essence(minus)
        ]  # fmt: skip
        if like:
            like.sort(key=lambda one: (-len(booked[one.event_id]), -one.entry_seq))
            undone[like[0].event_id] += 1
            taken.add(like[0].event_id)
            free.remove(minus)
    for one in free:
        twins = (
            fact for fact in by_fact.values()
            if fact.quantity == one.quantity and _essence(fact) == _essence(one)
            and None not in (*_essence(one), one.quantity) and booked.get(fact.event_id)
        )  # fmt: skip
        rows[f"line {one.seq}"] = "missing_in_mes" if next(twins, None) is None else "duplicate"
    return undone, rows


def _place(line: PostingRow) -> tuple[object, ...]:
    return (line.erp_order, line.item, line.lot)


def _class(
    fact: FactRow | None,
    message: MessageRow | None,
    lines: list[PostingRow],
    *,
    undone: int,
    absent: str,
    at: datetime,
    upto_seq: int,
    rules: MatchRules,
    read: bool,
) -> str:
    if fact is None:
        assert message is not None
        return "in_flight" if message.entry_seq > upto_seq else "missing_in_mes"
    if fact.fault is not None:
        return "not_compared"
    is_again = message is not None and message.replaces is not None
    since = fact.at
    if message is not None and is_again:
        since = message.made_at
    if message is not None and message.attempts == 0 and message.due_at > message.made_at:
        since = max(since, since + (message.due_at - fact.at))
    flies = at - since <= rules.sla
    state = message.state if message is not None else None
    if not read:
        if state == "dead":
            return "missing_in_erp"
        return "in_flight" if state in OPEN and flies else "not_compared"
    left = len(lines) - undone
    if lines and left <= 0:
        if not is_again:
            return "reversed_one_side"
        absent = "reversed_one_side"
    elif lines:
        return "duplicate" if left > 1 else _compared(fact, message, lines[0], rules)
    if state == "dead":
        return absent
    if state in OPEN:
        return "in_flight" if flies else absent
    if message is None:
        if fact.erp_order is None:
            return "not_compared"
        return "in_flight" if flies else absent
    told = message.receipt_at
    return "in_flight" if told is not None and at - told <= rules.settle else absent


def _compared(
    fact: FactRow, message: MessageRow | None, line: PostingRow, rules: MatchRules
) -> str:
    said = message or fact
    if message is not None and message.receipt_status is not None:
        documents = (message.documents or "").split()
        if documents and line.document.split("/")[0] not in documents:
            return "changed_after_post"
        if message.receipt_period not in (None, line.period):
            return "changed_after_post"
    for name, kind in (
        ("erp_order", "wrong_order"), ("item", "item_mismatch"), ("lot", "lot_mismatch"),
    ):  # fmt: skip
        mine = getattr(fact, name)
        if mine != getattr(line, name) or mine != getattr(said, name):
            return kind
    if _unit_differs(fact, line) or said.unit != fact.unit:
        return "uom_mismatch"
    off = Decimal(0)
    if fact.unit == line.unit and (fact.quantity is None) != (line.quantity is None):
        return "qty_mismatch"
    if fact.unit == line.unit and fact.quantity is not None and line.quantity is not None:
        off = abs(fact.quantity - line.quantity)
    rounds = off > rules.quantity and _rounds(fact, line, rules)
    if said.quantity != fact.quantity or (off > rules.quantity and not rounds):
        return "qty_mismatch"
    if fact.movement != line.movement or fact.movement != said.movement:
        return "qty_mismatch"
    if line.kind == "stock" and line.gl_read and line.gl_document is None:
        return "gl_missing"
    if fact.posting_date != line.posting_date or said.posting_date != fact.posting_date:
        return "wrong_period"
    if line.gl_period not in (None, line.period):
        return "wrong_period"
    if rounds:
        return "rounding"
    return "late" if line.posted_at - fact.at > rules.late else "matched"


def _unit_differs(fact: FactRow, line: PostingRow) -> bool:
    if fact.unit != line.unit:
        one, two = UNITS.get(fact.unit or ""), UNITS.get(line.unit or "")
        if not one or not two or one[0] != two[0] or fact.quantity is None or line.quantity is None:
            return True
        return fact.quantity * one[1] != line.quantity * two[1]
    if not fact.quantity or line.quantity is None or fact.quantity == line.quantity:
        return False
    return any(
        fact.quantity * n == line.quantity or line.quantity * n == fact.quantity
        for n in (1000, 1_000_000)
    )


def _rounds(fact: FactRow, line: PostingRow, rules: MatchRules) -> bool:
    scale = rules.scales.get(fact.unit or "", 0)
    if not scale or fact.quantity is None or line.quantity is None:
        return False
    is_finer = fact.quantity != round(fact.quantity, scale)
    return is_finer and abs(fact.quantity - line.quantity) <= Decimal(1).scaleb(-scale)
