"""Reversals in the match: on one side, by hand, by two people, and a fact that is told anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from erp.reconcile import PostingRow
from tests.match_records import AT, FACT, HAND, LINE, SENT, match, told


def taken_back(line: PostingRow, **changes: object) -> PostingRow:
    """Return a posting by hand that takes a line back."""
    assert line.quantity is not None
    hand = replace(line, event_id=None, erp_ref=None, document="4900000077/2026/1")
    return replace(hand, quantity=-line.quantity, **changes)  # type: ignore[arg-type]


@pytest.mark.requirement("L1", "K8")
def test_posting_reversed_in_the_erp_alone_is_reversed_on_one_side() -> None:
    [row] = match([FACT], [SENT], [LINE, taken_back(LINE)]).rows
    assert (row.match_class, len(row.lines)) == ("reversed_one_side", 2)
    same = taken_back(LINE, document="4900000001/2026/2", posting_date=date(2026, 4, 2))
    assert match([FACT], [SENT], [LINE, same]).classes == ["reversed_one_side"]
    part = replace(taken_back(LINE), quantity=Decimal(-1))
    assert match([FACT], [SENT], [LINE, part]).classes == ["matched", "missing_in_mes"]


@pytest.mark.requirement("L1", "K8")
def test_reversal_of_the_floor_that_the_erp_does_not_have_is_reversed_on_one_side() -> None:
    undone = replace(
        FACT, event_id="m2", entry_seq=8, quantity=-FACT.quantity, corrects="m1",  # type: ignore[operator]
        type="mes.posting_reversed.v1",
    )  # fmt: skip
    dead = told(undone, state="dead", receipt_at=None, receipt_status=None)
    both = [FACT, undone]
    assert match(both, [SENT, dead], [LINE]).classes == ["matched", "reversed_one_side"]
    # where the original is not booked either, nothing is one-sided: both are missing
    assert match(both, [SENT, dead], []).classes == ["missing_in_erp", "missing_in_erp"]
    booked = replace(LINE, event_id="m2", erp_ref="R2", quantity=-FACT.quantity)  # type: ignore[operator]
    done = told(undone)
    assert match(both, [SENT, done], [LINE, booked]).classes == ["matched", "matched"]


@pytest.mark.requirement("L8")
def test_twin_that_was_reversed_there_leaves_the_fact_matched() -> None:
    twin = replace(LINE, document="4900000002/2026/1")
    undo = taken_back(LINE, document="4900000002/2026/2")
    [row] = match([FACT], [SENT], [LINE, twin, undo]).rows
    assert (row.match_class, len(row.lines)) == ("matched", 3)
    [row] = match([FACT], [SENT], [LINE, twin, taken_back(LINE)]).rows
    assert (row.match_class, len(row.lines)) == ("matched", 3)
    [row] = match([FACT], [SENT], [twin, LINE]).rows
    assert [line["document"] for line in row.lines] == [LINE.document, twin.document]


@pytest.mark.requirement("L8", "K8")
def test_document_that_two_people_had_undone_is_one_row_with_it_and_matches() -> None:
    undo = replace(
        LINE, event_id="m9", erp_ref="R9", document="4900000090/2026/1", quantity=Decimal(-5)
    )
    found = match([FACT], [SENT], [LINE, HAND, undo], undoings=[("m9", "4900000009/2026")])
    assert found.classes == ["matched", "matched"]
    assert {len(row.lines) for row in found.rows} == {1, 2}
    twin = replace(LINE, document="4900000002/2026/1")
    undo = replace(undo, quantity=-LINE.quantity)  # type: ignore[operator]
    [row] = match([FACT], [SENT], [LINE, twin, undo], undoings=[("m9", "4900000002/2026")]).rows
    assert (row.match_class, len(row.lines)) == ("matched", 3)


WRONG = replace(LINE, quantity=Decimal("1.9"))
UNDO = replace(
    WRONG, event_id="m9", erp_ref="R9", document="4900000090/2026/1", quantity=Decimal("-1.9")
)
ANEW = replace(LINE, event_id="a1", erp_ref="RA", document="4900000091/2026/1")
TOLD = told(
    FACT, event_id="a1", erp_ref="RA", entry_seq=9, replaces="m1", documents="4900000091",
    made_at=AT - timedelta(minutes=5), due_at=AT - timedelta(minutes=5),
)  # fmt: skip
ORDERED = [("m9", "4900000001/2026")]


@pytest.mark.requirement("L1", "L8")
def test_wrong_posting_its_reversal_and_the_fact_told_anew_are_one_row_that_matches() -> None:
    [row] = match([FACT], [SENT, TOLD], [WRONG, UNDO, ANEW], undoings=ORDERED).rows
    assert (row.key, row.match_class, row.differs, len(row.lines)) == ("m1", "matched", (), 3)
    assert row.message is not None
    assert (row.message["event_id"], row.lines[0]["document"]) == ("a1", ANEW.document)
    by_ref = [replace(one, event_id=None) for one in (WRONG, ANEW)]
    [row] = match([FACT], [SENT, TOLD], [by_ref[0], UNDO, by_ref[1]], undoings=ORDERED).rows
    assert (row.match_class, len(row.lines)) == ("matched", 3)
    # what is told anew is judged as it stands, not by the posting that was wrong
    off = replace(ANEW, quantity=Decimal("1.7"))
    [row] = match([FACT], [SENT, TOLD], [WRONG, UNDO, off], undoings=ORDERED).rows
    assert (row.match_class, row.differs) == ("qty_mismatch", ("quantity",))
    # without the reversal in the books it is there twice
    [row] = match([FACT], [SENT, TOLD], [WRONG, ANEW], undoings=ORDERED).rows
    assert row.match_class == "duplicate"


@pytest.mark.requirement("L1", "L8")
@pytest.mark.parametrize(
    ("state", "minutes", "match_class"),
    [
        ("pending", 60, "in_flight"),
        ("unknown", 61, "reversed_one_side"),
        ("dead", 5, "reversed_one_side"),
    ],
)
def test_fact_that_is_told_anew_is_in_flight_from_then_on(
    state: str, minutes: int, match_class: str
) -> None:
    made = AT - timedelta(minutes=minutes)
    anew = replace(
        TOLD, state=state, receipt_at=None, receipt_status=None, documents=None, made_at=made,
        due_at=made,
    )  # fmt: skip
    [row] = match([FACT], [SENT, anew], [WRONG, UNDO], undoings=ORDERED).rows
    assert row.match_class == match_class
    given_up = replace(anew, state="skipped")
    [row] = match([FACT], [SENT, given_up], [WRONG, UNDO], undoings=ORDERED).rows
    assert (row.match_class, row.message and row.message["event_id"]) == ("reversed_one_side", "m1")
    [row] = match([FACT], [SENT, given_up], [WRONG]).rows
    assert row.match_class == "qty_mismatch"


def test_what_one_posted_by_hand_and_another_took_back_is_one_row_that_matches() -> None:
    found = match([FACT], [SENT], [LINE, HAND, taken_back(HAND)])
    assert found.classes == ["matched", "matched"]
    assert sorted(len(row.lines) for row in found.rows) == [1, 2]
