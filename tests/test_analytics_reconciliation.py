"""The three-way match: every class, from both sides of its limit; the classes always sum up."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.reconciliation import (
    ErpLine,
    MatchClass,
    MatchRules,
    MesFact,
    Reconciliation,
    SentMessage,
    reconcile,
)

AT = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
FACT = MesFact(
    message_id="m1", entry_seq=7, type="mes.material_consumed.v1", order="4711", item="LACTOSE",
    lot="L-1", movement="issue", quantity=Decimal("1.8090"), unit="KGM",
    occurred_at=AT - timedelta(hours=2), posting_date=date(2026, 3, 31),
)  # fmt: skip
SENT = SentMessage(
    message_id="m1", state="done", attempts=1, sha256="ab" * 32, entry_seq=7, erp_ref="R1",
    sent_at=AT - timedelta(hours=2), receipt_at=AT - timedelta(hours=1), receipt_status="posted",
    documents="4900000001",
)  # fmt: skip
LINE = ErpLine(
    message_id="m1", document="4900000001/2026/1", order="4711", item="LACTOSE", lot="L-1",
    movement="issue", quantity=Decimal("1.809"), unit="KGM", posted_at=AT - timedelta(hours=1),
    posting_date=date(2026, 3, 31), period="2026-03", gl=True, gl_period="2026-03",
)  # fmt: skip
HAND = replace(LINE, message_id=None, document="4900000009/2026/1", quantity=Decimal(5))


def match(
    facts: list[MesFact],
    messages: list[SentMessage],
    lines: list[ErpLine] | None,
    **more: object,
) -> Reconciliation:
    rules = MatchRules(**more)  # type: ignore[arg-type]
    return reconcile(facts, messages, lines, read_at=AT, upto_seq=10, rules=rules)


def classes(found: Reconciliation) -> list[str]:
    assert sum(found.counts.values()) == found.total
    return sorted(row.match_class.value for row in found.rows)


def one(fact: MesFact, message: SentMessage | None, *lines: ErpLine, **more: object) -> str:
    found = match([fact], [message] if message else [], list(lines), **more)
    [row] = found.rows
    assert row.fact == fact
    return row.match_class


@pytest.mark.requirement("L1")
def test_equal_sides_match_and_carry_all_three() -> None:
    [row] = match([FACT], [SENT], [LINE]).rows
    assert row.match_class is MatchClass.MATCHED
    assert (row.fact, row.message, row.lines, row.differs) == (FACT, SENT, (LINE,), ())


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("line", "match_class", "differs"),
    [
        (replace(LINE, quantity=Decimal("1.808999999")), "qty_mismatch", ("quantity",)),
        (replace(LINE, quantity=Decimal("-1.809")), "qty_mismatch", ("quantity",)),
        (replace(LINE, movement="return"), "qty_mismatch", ("movement",)),
        (replace(LINE, quantity=Decimal(1809)), "uom_mismatch", ("unit", "quantity")),
        (replace(LINE, unit="C62"), "uom_mismatch", ("unit",)),
        (replace(LINE, unit="GRM"), "uom_mismatch", ("unit",)),
        (replace(LINE, unit="GRM", quantity=Decimal(1809)), "matched", ()),
        (replace(LINE, lot="L-2"), "lot_mismatch", ("lot",)),
        (replace(LINE, item="STARCH"), "item_mismatch", ("item",)),
        (replace(LINE, item="STARCH", lot="L-2"), "item_mismatch", ("item", "lot")),
        (replace(LINE, order="4712"), "wrong_order", ("order",)),
        (replace(LINE, gl_period="2026-04"), "wrong_period", ("gl_period",)),
        (
            replace(LINE, posting_date=date(2026, 4, 1), period="2026-04", gl_period="2026-04"),
            "wrong_period",
            ("posting_date",),
        ),
        (replace(LINE, gl=False, gl_period=None), "gl_missing", ("gl",)),
        (replace(LINE, gl=None, gl_period=None), "matched", ()),
        (replace(LINE, changed=True), "changed_after_post", ("changed",)),
    ],
)
def test_one_differing_field_gives_its_class(
    line: ErpLine, match_class: str, differs: tuple[str, ...]
) -> None:
    [row] = match([FACT], [SENT], [line]).rows
    assert (row.match_class, row.differs) == (match_class, differs)


@pytest.mark.requirement("L2")
@pytest.mark.parametrize(("off", "match_class"), [("0.001", "matched"), ("0.0011", "qty_mismatch")])
def test_tolerance_is_closed_and_zero_by_default(off: str, match_class: str) -> None:
    line = replace(LINE, quantity=Decimal("1.809") + Decimal(off))
    assert one(FACT, SENT, line, quantity=Decimal("0.001")) == match_class
    assert one(FACT, SENT, line) == "qty_mismatch"
    assert MatchRules().quantity == 0


@pytest.mark.parametrize(("hours", "match_class"), [(24, "matched"), (25, "late")])
def test_posting_after_the_cut_off_is_late(hours: int, match_class: str) -> None:
    fact = replace(FACT, occurred_at=AT - timedelta(hours=30))
    line = replace(LINE, posted_at=AT - timedelta(hours=30 - hours))
    assert one(fact, SENT, line) == match_class


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("state", "minutes_old", "match_class"),
    [
        ("pending", 60, "in_flight"),
        ("pending", 61, "missing_in_erp"),
        ("unknown", 5, "in_flight"),
        ("accepted", 5, "in_flight"),
        ("dead", 5, "missing_in_erp"),
        ("done", 5, "missing_in_erp"),
        (None, 60, "in_flight"),
        (None, 61, "missing_in_erp"),
    ],
)
def test_absent_posting_is_in_flight_until_its_time_is_over(
    state: str | None, minutes_old: int, match_class: str
) -> None:
    fact = replace(FACT, occurred_at=AT - timedelta(minutes=minutes_old))
    message = replace(SENT, state=state) if state else None
    assert one(fact, message) == match_class


def test_receipt_of_this_moment_may_be_newer_than_the_books() -> None:
    assert one(FACT, replace(SENT, receipt_at=AT - timedelta(seconds=30))) == "in_flight"
    assert one(FACT, replace(SENT, receipt_at=AT - timedelta(seconds=31))) == "missing_in_erp"


@pytest.mark.requirement("L1")
def test_same_reference_twice_is_a_duplicate_with_both_lines() -> None:
    [row] = match([FACT], [SENT], [LINE, replace(LINE, document="2")]).rows
    assert (row.match_class, len(row.lines)) == (MatchClass.DUPLICATE, 2)


@pytest.mark.requirement("L1")
def test_same_movement_by_hand_is_a_duplicate_beside_the_matched_one() -> None:
    again = replace(HAND, quantity=LINE.quantity)
    assert classes(match([FACT], [SENT], [LINE, again])) == ["duplicate", "matched"]


@pytest.mark.requirement("L1")
def test_posting_by_hand_is_missing_in_mes_only_on_an_order_of_ours() -> None:
    assert classes(match([FACT], [SENT], [LINE, HAND])) == ["matched", "missing_in_mes"]
    foreign = match([FACT], [SENT], [LINE, replace(HAND, order="9999"), replace(HAND, order=None)])
    assert (classes(foreign), foreign.outside) == (["matched"], 2)


def test_reference_that_nobody_knows_is_missing_in_mes() -> None:
    strange = replace(LINE, message_id="m9", order="9999")
    assert classes(match([FACT], [SENT], [LINE, strange])) == ["matched", "missing_in_mes"]


def test_message_without_a_fact_is_missing_in_mes_unless_it_is_newer_than_the_reading() -> None:
    old = match([], [SENT], [LINE])
    assert classes(old) == ["missing_in_mes"]
    assert old.rows[0].lines == (LINE,)
    assert classes(match([], [replace(SENT, entry_seq=10)], [LINE])) == ["missing_in_mes"]
    assert classes(match([], [replace(SENT, entry_seq=11)], [LINE])) == ["in_flight"]


def test_short_reference_finds_its_message() -> None:
    assert one(FACT, SENT, replace(LINE, message_id=None, erp_ref="R1")) == "matched"


def test_ledger_entry_without_stock_is_an_orphan() -> None:
    orphan = replace(LINE, kind="gl", document="100000009")
    assert classes(match([FACT], [SENT], [LINE, orphan])) == ["gl_orphan", "matched"]


@pytest.mark.requirement("L3")
def test_unread_books_are_not_agreement() -> None:
    done, waiting = FACT, replace(FACT, message_id="m2", occurred_at=AT)
    found = match([done, waiting], [SENT, replace(SENT, message_id="m2", state="pending")], None)
    assert classes(found) == ["in_flight", "not_compared"]
    assert not found.erp_was_read


@pytest.mark.requirement("L3")
def test_fact_that_cannot_be_read_and_order_without_erp_are_not_compared() -> None:
    assert one(replace(FACT, fault="has no quantity"), None, LINE) == "not_compared"
    assert one(replace(FACT, order=None), None) == "not_compared"


def test_order_event_without_quantity_matches_by_order_and_date() -> None:
    start = replace(FACT, item=None, lot=None, movement="start", quantity=None, unit=None)
    line = replace(
        LINE, kind="order", item=None, lot=None, movement="start", quantity=None, unit=None,
        gl=None, gl_period=None,
    )  # fmt: skip
    assert one(start, SENT, line) == "matched"
    assert one(start, SENT, replace(line, quantity=Decimal(1))) == "qty_mismatch"


def test_lines_of_one_message_are_matched_each_by_item_and_lot() -> None:
    second = replace(FACT, item="STARCH", quantity=Decimal(2))
    booked = [LINE, replace(LINE, item="STARCH", quantity=Decimal(3))]
    assert classes(match([FACT, second], [SENT], booked)) == ["matched", "qty_mismatch"]


@pytest.mark.parametrize(
    ("age", "bucket"),
    [
        (timedelta(minutes=59), "0-1 h"),
        (timedelta(hours=1), "1-8 h"),
        (timedelta(hours=8), "8-24 h"),
        (timedelta(hours=24), "1-3 d"),
        (timedelta(days=3) - timedelta(seconds=1), "1-3 d"),
        (timedelta(days=3), "> 3 d"),
    ],
)
def test_differences_are_aged(age: timedelta, bucket: str) -> None:
    fact = replace(FACT, occurred_at=AT - age)
    found = match([fact], [replace(SENT, state="dead")], [])
    assert found.ageing[MatchClass.MISSING_IN_ERP][bucket] == 1
    assert match([FACT], [SENT], [LINE]).ageing == {}


KEYS = st.sampled_from(["m1", "m2", "m3"])
LINES = st.builds(
    lambda key, kind, order: replace(LINE, message_id=key, kind=kind, order=order),
    st.one_of(st.none(), KEYS),
    st.sampled_from(["stock", "gl"]),
    st.sampled_from(["4711", "9999", None]),
)


@settings(max_examples=40)
@given(
    st.lists(KEYS, unique=True),
    st.lists(
        st.tuples(KEYS, st.sampled_from(["done", "pending", "dead"])), unique_by=lambda x: x[0]
    ),
    st.one_of(st.none(), st.lists(LINES, max_size=5)),
)
@pytest.mark.requirement("L1")
def test_every_fact_message_and_line_is_in_exactly_one_row(
    facts: list[str], messages: list[tuple[str, str]], lines: list[ErpLine] | None
) -> None:
    found = match(
        [replace(FACT, message_id=key) for key in facts],
        [replace(SENT, message_id=key, state=state) for key, state in messages],
        lines,
    )
    assert sorted(row.fact.message_id for row in found.rows if row.fact) == sorted(facts)
    told = {row.message.message_id for row in found.rows if row.message}
    assert told == {key for key, _ in messages}
    assert sum(len(row.lines) for row in found.rows) + found.outside == len(lines or [])
    assert sum(found.counts.values()) == found.total
