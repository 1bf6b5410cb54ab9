"""The match against a slow one in plain Python, whole and turn by turn; and its limits in use."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.reconciliation.intake import Read
from analytics.reconciliation.rules import MatchRules
from analytics.reconciliation.store import MatchStore, News
from erp.reconcile import FactRow, MessageRow, PostingRow
from tests.match_oracle import classes_of, outside_of
from tests.match_records import (
    AT,
    FACT,
    LINE,
    everything,
    matching,
    numbered,
    told,
    whole,
)

RULES: dict[str, Any] = {"scales": {"KGM": 2, "GRM": 0}}
NAMES = ("m1", "m2", "m3", "m4")
AGAIN = {"a5": "m1"}  # a message that tells a fact anew


def mostly[T](usual: T, *others: T) -> st.SearchStrategy[T]:
    """Return the usual value nine times out of ten, so that whole rows agree often enough."""
    often = max(9 * len(others), 1)
    return st.sampled_from([usual] * often + list(others))


QUANTITIES = mostly(
    Decimal("1.809"), Decimal("1.8"), Decimal("1.81"), Decimal(1809), Decimal("-1.809")
)
AGES = mostly(timedelta(hours=2), timedelta(minutes=1), timedelta(hours=40))
FACTS = st.builds(
    lambda name, quantity, age, **changes: replace(
        FACT, event_id=name, entry_seq=NAMES.index(name) + 5, quantity=quantity, at=AT - age,
        **changes,
    ),
    name=st.sampled_from(NAMES),
    quantity=QUANTITIES,
    age=AGES,
    erp_order=mostly("4711", "4712", None),
    lot=mostly("L-1", "L-2"),
    fault=mostly(None, "has no quantity"),
    corrects=st.sampled_from([None, None, None, None, "m1"]),
)  # fmt: skip
MESSAGES = st.builds(
    lambda name, fact, state, attempts, late, **changes: told(
        replace(fact, event_id=name, entry_seq=[*NAMES, *AGAIN].index(name) + 5), state=state,
        attempts=attempts, replaces=AGAIN.get(name),
        due_at=fact.at + late,
        **({} if state in ("done", "skipped") else {"receipt_at": None, "receipt_status": None}),
        **changes,
    ),
    name=st.sampled_from([*NAMES, *AGAIN]),
    fact=FACTS,
    state=st.sampled_from(["done"] * 7 + ["pending", "dead", "skipped"]),
    attempts=st.sampled_from([0, 1]),
    late=st.sampled_from([timedelta(0), timedelta(hours=1, minutes=30)]),
    receipt_period=mostly(None, "2026-03", "2026-02"),
    documents=mostly("4900000001 4900000002 4900000003", "", "4900000001"),
)  # fmt: skip
LINES = st.builds(
    lambda quantity, hours, **changes: replace(
        LINE, quantity=quantity, posted_at=AT - timedelta(hours=hours), **changes
    ),
    quantity=QUANTITIES,
    hours=st.sampled_from([0, 1]),
    event_id=st.sampled_from([*NAMES, *NAMES, *AGAIN, None, None, "m9"]),
    erp_ref=st.sampled_from([None, None, None, "R1", "R2", "R5"]),
    kind=mostly("stock", "gl"),
    erp_order=mostly("4711", "9999", None),
    lot=mostly("L-1", "L-2"),
    unit=mostly("KGM", "GRM", "C62"),
    document=st.sampled_from(["4900000001/2026/1", "4900000002/2026/1", "4900000003/2026/1"]),
    posting_date=mostly(FACT.posting_date, date(2026, 4, 1)),
    gl_document=mostly("100000001", None),
    gl_period=mostly("2026-03", None, "2026-04"),
)


def by_name(records: list[Any]) -> list[Any]:
    return list({one.event_id: one for one in records}.values())


def referred(lines: list[PostingRow]) -> list[PostingRow]:
    """Return lines that an ERP may have: a line has our short reference only beside the long."""
    return numbered([replace(one, erp_ref=None) if one.event_id else one for one in lines])


def likely(facts: list[FactRow], messages: list[MessageRow]) -> list[MessageRow]:
    """Return messages that mostly say what their facts say."""
    known = {one.event_id: one for one in facts}
    copied = ("quantity", "item", "lot", "movement", "unit", "posting_date")
    found = []
    for one in messages:
        fact = known.get(one.replaces or one.event_id)
        if one.state != "skipped" and fact is not None:
            said = {name: getattr(fact, name) for name in copied}
            one = replace(one, erp_order=fact.erp_order or "", **said)
        found.append(one)
    return found


def judged(store: MatchStore) -> dict[str, str]:
    found = everything(store)
    assert Counter(row.match_class for row in found.rows) == Counter(
        {name: n for name, n in found.counts.items() if n}
    )
    assert len({row.key for row in found.rows}) == len(found.rows)
    return {row.key: row.match_class for row in found.rows}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(FACTS, min_size=3, max_size=7).map(by_name),
    st.lists(MESSAGES, min_size=3, max_size=7).map(by_name),
    st.lists(LINES, min_size=2, max_size=7).map(referred) | st.none(),
)
@pytest.mark.requirement("L1", "L3")
def test_match_says_what_a_slow_one_in_plain_python_says(
    facts: list[FactRow], messages: list[MessageRow], lines: list[PostingRow] | None
) -> None:
    messages = likely(facts, messages)
    news = News(
        at=AT, upto_seq=7, facts=facts, messages=messages, books=whole(lines),
        read=lines is not None,
    )  # fmt: skip
    with matching(**RULES) as store:
        store.take(news)
        wanted = classes_of(facts, messages, lines, at=AT, upto_seq=7, rules=MatchRules(**RULES))
        assert judged(store) == wanted
        rows = everything(store).rows
        assert sorted(row.fact["event_id"] for row in rows if row.fact) == sorted(
            one.event_id for one in facts
        )
        if lines is not None:
            known = {one.erp_ref for one in messages}
            seen = [line["seq"] for row in rows for line in row.lines]
            assert len(seen) == len(set(seen))
            assert len(seen) + outside_of(facts, lines, known) == len(lines)
            assert store.position.outside == outside_of(facts, lines, known)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fact"), FACTS),
        st.tuples(st.just("message"), MESSAGES),
        st.tuples(st.just("line"), LINES),
        st.tuples(st.just("changed"), st.tuples(st.integers(1, 5), LINES)),
        st.tuples(st.just("gone"), st.integers(1, 5)),
        st.tuples(st.just("later"), st.sampled_from([timedelta(minutes=50), timedelta(hours=3)])),
        st.tuples(st.just("silent"), st.none()),
    ),
    min_size=2,
    max_size=9,
)


@settings(max_examples=30, deadline=None)
@given(STEPS)
@pytest.mark.requirement("L1")
def test_turn_by_turn_the_match_says_what_it_says_of_the_whole(
    steps: list[tuple[str, Any]],
) -> None:
    first = [replace(FACT, event_id=name, entry_seq=5 + n) for n, name in enumerate(NAMES[:3])]
    facts = {one.event_id: one for one in first}
    messages = {one.event_id: told(one) for one in first}
    lines = {one.seq: one for one in numbered([replace(LINE, event_id=name) for name in facts])}
    at, n = AT, len(lines)
    with matching(**RULES) as store:
        books = whole(list(lines.values()))
        store.take(News(at=at, upto_seq=7, facts=first, messages=[*messages.values()], books=books))
        for kind, given_ in steps:
            new: dict[str, Any] = {}
            if kind == "fact":
                facts[given_.event_id] = given_
                new["facts"] = [given_]
            elif kind == "message":
                [one] = likely(list(facts.values()), [given_])
                messages[one.event_id] = one
                new["messages"] = [one]
            elif kind == "line":
                n += 1
                [line] = [replace(one, seq=n) for one in referred([given_])]
                lines[n] = line
                new["books"] = (Read(lines=[line], after=n - 1),)
            elif kind == "changed" and given_[0] in lines:
                [line] = [replace(one, seq=given_[0]) for one in referred([given_[1]])]
                lines[given_[0]] = line
                new["books"] = (Read(lines=[line], after=line.seq - 1, upto=line.seq),)
            elif kind == "gone" and lines.pop(given_, None) is not None:
                new["books"] = whole(list(lines.values()))
            elif kind == "later":
                at += given_
            read = kind != "silent"
            store.take(News(at=at, upto_seq=7, read=read, **new))
            wanted = classes_of(
                list(facts.values()), list(messages.values()),
                list(lines.values()) if read else None, at=at, upto_seq=7,
                rules=MatchRules(**RULES),
            )  # fmt: skip
            assert judged(store) == wanted
