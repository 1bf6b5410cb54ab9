"""The three-way match: every class, from both sides of its limit; the classes always sum up."""

import threading
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from analytics.reconciliation.rules import MatchRules
from analytics.reconciliation.store import MatchClosed, MatchStore, News
from erp.reconcile import FactRow, MessageRow, PostingRow
from tests.match_records import (
    AT,
    FACT,
    HAND,
    LINE,
    SENT,
    match,
    matching,
    numbered,
    told,
    whole,
)
from tests.patience import PATIENCE_S, eventually


def one(fact: FactRow, message: MessageRow | None, *lines: PostingRow, **more: object) -> str:
    found = match([fact], [message] if message else [], list(lines), **more)
    [row] = found.rows
    assert row.fact is not None
    assert row.fact["event_id"] == fact.event_id
    return row.match_class


@pytest.mark.requirement("L1")
def test_equal_sides_match_and_carry_all_three() -> None:
    [row] = match([FACT], [SENT], [LINE]).rows
    assert (row.match_class, row.differs) == ("matched", ())
    assert FactRow(**row.fact or {}) == FACT
    assert MessageRow(**row.message or {}) == SENT
    assert [PostingRow(**line) for line in row.lines] == [LINE]


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
        (replace(LINE, erp_order="4712"), "wrong_order", ("order",)),
        (replace(LINE, gl_period="2026-04"), "wrong_period", ("gl_period",)),
        (
            replace(LINE, posting_date=date(2026, 4, 1), period="2026-04", gl_period="2026-04"),
            "wrong_period",
            ("posting_date",),
        ),
        (replace(LINE, gl_document=None, gl_period=None), "gl_missing", ("gl",)),
        (replace(LINE, gl_document=None, gl_period=None, gl_read=False), "matched", ()),
        (replace(LINE, document="4900000002/2026/1"), "changed_after_post", ("changed",)),
    ],
)
def test_one_differing_field_gives_its_class(
    line: PostingRow, match_class: str, differs: tuple[str, ...]
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
    fact = replace(FACT, at=AT - timedelta(hours=30))
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
    fact = replace(FACT, at=AT - timedelta(minutes=minutes_old))
    message = replace(SENT, state=state) if state else None
    assert one(fact, message) == match_class


def test_receipt_of_this_moment_may_be_newer_than_the_books() -> None:
    assert one(FACT, replace(SENT, receipt_at=AT - timedelta(seconds=30))) == "in_flight"
    assert one(FACT, replace(SENT, receipt_at=AT - timedelta(seconds=31))) == "missing_in_erp"


@pytest.mark.requirement("L1")
def test_same_reference_twice_is_a_duplicate_with_both_lines() -> None:
    [row] = match([FACT], [SENT], [LINE, replace(LINE, document="2")]).rows
    assert (row.match_class, len(row.lines)) == ("duplicate", 2)


@pytest.mark.requirement("L1")
def test_same_movement_by_hand_is_a_duplicate_beside_the_matched_one() -> None:
    again = replace(HAND, quantity=LINE.quantity)
    assert match([FACT], [SENT], [LINE, again]).classes == ["duplicate", "matched"]


@pytest.mark.requirement("L1")
def test_posting_by_hand_is_missing_in_mes_only_on_an_order_of_ours() -> None:
    assert match([FACT], [SENT], [LINE, HAND]).classes == ["matched", "missing_in_mes"]
    others = [replace(HAND, erp_order="9999"), replace(HAND, erp_order=None)]
    foreign = match([FACT], [SENT], [LINE, *others])
    assert (foreign.classes, foreign.position.outside) == (["matched"], 2)


def test_reference_that_nobody_knows_is_missing_in_mes() -> None:
    strange = replace(LINE, event_id="m9", erp_order="9999")
    assert match([FACT], [SENT], [LINE, strange]).classes == ["matched", "missing_in_mes"]


def test_message_without_a_fact_is_missing_in_mes_unless_it_is_newer_than_the_reading() -> None:
    old = match([], [SENT], [LINE])
    assert old.classes == ["missing_in_mes"]
    assert [PostingRow(**line) for line in old.rows[0].lines] == [LINE]
    assert match([], [replace(SENT, entry_seq=10)], [LINE]).classes == ["missing_in_mes"]
    assert match([], [replace(SENT, entry_seq=11)], [LINE]).classes == ["in_flight"]


def test_short_reference_finds_its_message() -> None:
    assert one(FACT, SENT, replace(LINE, event_id=None, erp_ref="R1")) == "matched"


def test_ledger_entry_without_stock_is_an_orphan() -> None:
    orphan = replace(LINE, kind="gl", document="100000009")
    assert match([FACT], [SENT], [LINE, orphan]).classes == ["gl_orphan", "matched"]


@pytest.mark.requirement("L3")
def test_unread_books_are_not_agreement() -> None:
    done, waiting = FACT, replace(FACT, event_id="m2", at=AT)
    found = match([done, waiting], [SENT, told(waiting, state="pending")], None)
    assert found.classes == ["in_flight", "not_compared"]
    assert not found.position.read


@pytest.mark.requirement("L3")
def test_fact_that_cannot_be_read_and_order_without_erp_are_not_compared() -> None:
    assert one(replace(FACT, fault="has no quantity"), None, LINE) == "not_compared"
    assert one(replace(FACT, erp_order=None), None) == "not_compared"


def test_order_event_without_quantity_matches_by_order_and_date() -> None:
    start = replace(FACT, item=None, lot=None, movement="start", quantity=None, unit=None)
    line = replace(
        LINE, kind="order", item=None, lot=None, movement="start", quantity=None, unit=None,
        gl_document=None, gl_period=None,
    )  # fmt: skip
    assert one(start, told(start), line) == "matched"
    assert one(start, told(start), replace(line, quantity=Decimal(1))) == "qty_mismatch"


def test_lines_of_one_message_are_matched_each_by_item_and_lot() -> None:
    second = replace(FACT, item="STARCH", quantity=Decimal(2))
    booked = [LINE, replace(LINE, item="STARCH", quantity=Decimal(3))]
    found = match([FACT, second], [SENT, told(second)], booked)
    assert found.classes == ["matched", "qty_mismatch"]
    assert [row.key for row in found.rows] == ["m1#LACTOSE#L-1", "m1#STARCH#L-1"]


@pytest.mark.requirement("L7")
@pytest.mark.parametrize(
    ("age", "bucket"),
    [
        (timedelta(minutes=59), "under 1 h"),
        (timedelta(hours=1), "under 1 shift"),
        (timedelta(hours=8) - timedelta(seconds=1), "under 1 shift"),
        (timedelta(hours=8), "under 1 day"),
        (timedelta(hours=24) - timedelta(seconds=1), "under 1 day"),
        (timedelta(hours=24), "over 1 day"),
    ],
)
def test_differences_are_aged(age: timedelta, bucket: str) -> None:
    fact = replace(FACT, at=AT - age)
    with matching() as store:
        dead = told(fact, state="dead", receipt_at=None, receipt_status=None)
        store.take(News(at=AT, upto_seq=10, facts=[fact], messages=[dead]))
        with store.reading() as found:
            assert found.ageing()["missing_in_erp"][bucket] == 1
            assert sum(found.ageing()["missing_in_erp"].values()) == 1
            assert found.oldest() == age
            assert found.page()[0].bucket == bucket


def test_what_agrees_has_no_age() -> None:
    with matching() as store:
        books = whole(numbered([LINE]))
        store.take(News(at=AT, upto_seq=10, facts=[FACT], messages=[SENT], books=books))
        with store.reading() as found:
            assert (found.ageing(), found.oldest()) == ({}, None)


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("said", "booked", "match_class"),
    [
        ("150.375", "150.38", "rounding"),
        ("150.375", "150.37", "rounding"),
        ("150.375", "150.39", "qty_mismatch"),
        ("150.37", "150.38", "qty_mismatch"),  # the ERP could have kept it: nothing was rounded
    ],
)
def test_difference_below_the_erps_smallest_step_is_rounding_and_summed(
    said: str, booked: str, match_class: str
) -> None:
    fact, line = replace(FACT, quantity=Decimal(said)), replace(LINE, quantity=Decimal(booked))
    with matching(scales={"KGM": 2, "C62": 0}) as store:
        books = whole(numbered([line]))
        store.take(News(at=AT, upto_seq=10, facts=[fact], messages=[told(fact)], books=books))
        with store.reading() as found:
            [it] = found.sums()
    assert (it.match_class, it.rows, it.unit) == (match_class, 1, "KGM")
    assert it.difference == Decimal(said) - Decimal(booked)


@pytest.mark.requirement("L1")
def test_completed_order_that_is_open_in_the_erp_is_named() -> None:
    done = replace(FACT, item=None, lot=None, movement="complete", quantity=None, unit=None)
    line = replace(
        LINE, kind="order", item=None, lot=None, movement="complete", quantity=None, unit=None,
        gl_document=None, gl_period=None,
    )  # fmt: skip
    for state, match_class in (("released", "order_state"), ("teco", "matched")):
        found = match([done], [told(done)], [line], orders=[("4711", state), ("9", "released")])
        assert found.classes == [match_class]


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("changes", "match_class"),
    [
        ({"quantity": Decimal("1.9")}, "qty_mismatch"),
        ({"lot": "L-9"}, "lot_mismatch"),
        ({"erp_order": "4712"}, "wrong_order"),
        ({"posting_date": date(2026, 3, 30)}, "wrong_period"),
    ],
)
def test_message_that_does_not_say_what_the_fact_says_is_a_difference(
    changes: dict[str, object], match_class: str
) -> None:
    assert one(FACT, told(FACT, **changes), LINE) == match_class


@pytest.mark.requirement("L1")
def test_movement_that_is_gathered_is_in_flight_until_its_shift_has_ended() -> None:
    fact = replace(FACT, at=AT - timedelta(hours=5))
    waits = told(fact, state="pending", attempts=0, receipt_at=None, receipt_status=None,
                 due_at=AT - timedelta(minutes=59))  # fmt: skip
    assert one(fact, waits) == "in_flight"
    assert one(fact, replace(waits, due_at=AT - timedelta(minutes=61))) == "missing_in_erp"


def test_line_without_our_reference_is_named_by_the_receipt_that_lists_it() -> None:
    bare = replace(LINE, event_id=None, erp_ref=None)
    documents = [(LINE.document, "m1")]
    assert match([FACT], [SENT], [bare], documents=documents).classes == ["matched"]
    assert match([FACT], [SENT], [bare]).classes == ["missing_in_erp", "missing_in_mes"]


@pytest.mark.requirement("L1", "K5")
@pytest.mark.parametrize(
    ("booked", "match_class"),
    [
        # the period was closed: stock keeps its day, the general ledger goes into the next month
        ([{"period": "2026-03", "gl_period": "2026-04"}], "wrong_period"),
        # before any fiscal year: stock moves, and no general ledger entry is made
        ([{"gl_document": None, "gl_period": None}], "gl_missing"),
        # a unit of two digits: 150.375 is booked as 150.38
        ([{"quantity": Decimal("150.38")}], "rounding"),
        # the move was cancelled by hand: the same document once more, negative, without a key
        (
            [{}, {"quantity": Decimal("-150.375"), "event_id": None, "erp_ref": None}],
            "reversed_one_side",
        ),
    ],
)
def test_each_of_the_four_misbehaviours_of_tryton_has_its_class(
    booked: list[dict[str, object]], match_class: str
) -> None:
    """Lines are as the bridge reads them back; the ERP said yes to each of them."""
    fact = replace(FACT, quantity=Decimal("150.375"))
    line = replace(LINE, quantity=Decimal("150.375"), document="28/2026/1")
    lines = [replace(line, document=f"28/2026/{n}", **it) for n, it in enumerate(booked, 1)]  # type: ignore[arg-type]
    sent = told(fact, documents="28")
    assert one(fact, sent, *lines, scales={"KGM": 2}) == match_class


@pytest.mark.requirement("L1")
def test_the_match_closes_once_nobody_reads_and_refuses_whoever_comes_later() -> None:
    """DuckDB raises where a connection is closed below a query that runs."""
    store = MatchStore()
    closing = threading.Thread(target=store.close)
    with store.reading() as found:
        closing.start()
        assert eventually(lambda: is_refused(store))
        assert closing.is_alive()
        assert found.page() == []
    closing.join(PATIENCE_S)
    assert not closing.is_alive()


def is_refused(store: MatchStore) -> bool:
    try:
        with store.reading():
            return False
    except MatchClosed:
        return True
