"""Rows that are kept for a signature: made in DuckDB, and the same as those that a page shows."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.reconciliation.store import News
from core.difference import NO_DIFFERENCE
from dashboards.finance.kept_rows import is_open, record
from dashboards.finance.reading import Reading, Scope
from erp.reconcile import FactRow, MessageRow, PostingRow
from tests.match_records import AT, FACT, HAND, LINE, SENT, matching, numbered, told, whole
from tests.test_analytics_match import FACTS, LINES, MESSAGES, by_name, likely, referred

ODD = 'Ü"\\\n=1+1'


def check(
    facts: list[FactRow], messages: list[MessageRow], lines: list[PostingRow] | None
) -> list[dict[str, object]]:
    """Compare every kept row with the one that a page shows, and return them."""
    with matching() as store:
        store.take(
            News(at=AT, upto_seq=10, facts=facts, messages=messages, books=whole(lines),
                 read=lines is not None)
        )  # fmt: skip
        with store.reading() as found:
            reading = Reading(found)
            keys = dict(reading.open_keys(Scope()))
            cleared = dict.fromkeys(keys, ("finn", "timing", ODD, None))
            texts = list(reading.lines(Scope(), cleared))
            shown = [record(row) for row in reading.rows(Scope())]
    kept = [json.loads(text) for text in texts]
    assert [list(one) for one in kept] == [sorted(one) for one in kept]
    for text, one, page in zip(texts, kept, shown, strict=True):
        said = one.pop("cleared")
        assert one == page
        differs = one["class"] not in NO_DIFFERENCE
        assert is_open(text.encode()) is differs is (one["key"] in keys)
        assert said == (
            {"code": "timing", "deviation": None, "note": ODD, "owner": "finn"} if differs else None
        )
    return kept


@pytest.mark.requirement("L1", "L8")
def test_kept_row_spells_quantities_exactly_and_texts_as_they_are() -> None:
    fine = replace(
        FACT, event_id="m2", entry_seq=8, quantity=Decimal("0.000000001"), lot=ODD, batch=None
    )
    none = replace(
        FACT, event_id="m3", entry_seq=9, quantity=None, unit=None, item=None, lot=None,
        movement="start", type="mes.work_order_started.v1",
    )  # fmt: skip
    zero = replace(FACT, event_id="m4", entry_seq=10, quantity=Decimal("0.0"), erp_order=None)
    facts = [FACT, fine, none, zero]
    lines = numbered([LINE, replace(LINE, event_id="m2", erp_ref="R2", lot=ODD), HAND])
    rows = check(facts, [SENT, told(fine), told(none)], lines)
    assert {row["floor"] for row in rows} == {"1.809", "0.000000001", None, "0"}
    assert ODD in {row["lot"] for row in rows}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(FACTS, min_size=2, max_size=6).map(by_name),
    st.lists(MESSAGES, min_size=2, max_size=6).map(by_name),
    st.lists(LINES, min_size=1, max_size=6).map(referred) | st.none(),
)
@pytest.mark.requirement("L1")
def test_every_kept_row_says_what_its_page_says(
    facts: list[FactRow], messages: list[MessageRow], lines: list[PostingRow] | None
) -> None:
    check(facts, likely(facts, messages), lines)
