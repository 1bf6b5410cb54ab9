"""Stock of both sides at one moment: what is on its way is added back, differences have a cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.reconciliation.stock import StockRow, compared
from analytics.reconciliation.store import News
from erp.reconcile import LotRow, PostingRow
from erp.stock import StockLine
from tests.match_records import AT, FACT, HAND, LINE, SENT, matching, numbered, told, whole

LOT = LotRow(entry_seq=1, item="LACTOSE", lot="L-1", quantity=Decimal(50), unit="KGM")
LEFT = Decimal("48.191")


def erp(quantity: Decimal | str, lot: str = "L-1", *, status: str = "available") -> StockLine:
    return StockLine(item="LACTOSE", lot=lot, status=status, quantity=Decimal(quantity), unit="KGM")


def stock(
    lines: Sequence[PostingRow], *given: StockLine, lots: Sequence[LotRow] = (LOT,), **changes: Any
) -> dict[str | None, StockRow]:
    """Return the lots, by number, after one fact and the lines that the ERP booked."""
    facts, messages = changes.pop("facts", [FACT]), changes.pop("messages", [SENT])
    with matching() as store:
        store.take(
            News(
                at=AT, upto_seq=10, facts=facts, messages=messages, lots=lots,
                books=whole(numbered(lines)), stock=given,
            )
        )  # fmt: skip
        with store.reading() as found:
            made = compared(found)
            assert made.total == len(made.rows) == sum(made.counts.values())
            assert found.position.stock_seq == 10
            return {row.lot: row for row in made.rows}


@pytest.mark.requirement("L7")
def test_lot_that_was_consumed_and_booked_is_equal_on_both_sides() -> None:
    row = stock([LINE], erp(LEFT))["L-1"]
    assert (row.stock_class, row.mes, row.erp, row.difference) == ("equal", LEFT, LEFT, 0)
    parts = stock([LINE], erp("40"), erp("8.191", status="blocked"))["L-1"]
    assert (parts.stock_class, parts.erp) == ("equal", LEFT)
    assert parts.statuses == {"available": Decimal(40), "blocked": Decimal("8.191")}


@pytest.mark.requirement("L7")
def test_what_is_on_its_way_is_added_back() -> None:
    fact = replace(FACT, at=AT - timedelta(minutes=5))
    waits = told(fact, state="pending", receipt_at=None, receipt_status=None)
    row = stock([], erp(50), facts=[fact], messages=[waits])["L-1"]
    assert (row.stock_class, row.in_flight, row.difference) == ("equal", Decimal("-1.809"), 0)


@pytest.mark.requirement("L7")
@pytest.mark.parametrize(
    ("lines", "has", "causes"),
    [
        ([], "50", {"missing_in_erp": Decimal("-1.809")}),
        (
            [replace(LINE, quantity=Decimal("1.8"))], "48.2",
            {"qty_mismatch": Decimal("-0.009")},
        ),
        ([LINE, HAND], "43.191", {"missing_in_mes": Decimal(5)}),
        ([LINE, replace(LINE, document="2/2026/1")], "46.382", {"duplicate": Decimal("1.809")}),
    ],
)  # fmt: skip
def test_difference_that_rows_of_the_match_say_is_explained(
    lines: list[PostingRow], has: str, causes: dict[str, Decimal]
) -> None:
    row = stock(lines, erp(has))["L-1"]
    assert (row.stock_class, row.causes, row.rest) == ("explained", causes, 0)
    assert row.difference == sum(causes.values())


@pytest.mark.requirement("L7")
def test_posting_on_another_lot_explains_both_lots() -> None:
    other = LotRow(entry_seq=2, item="LACTOSE", lot="L-2", quantity=Decimal(10), unit="KGM")
    rows = stock([replace(LINE, lot="L-2")], erp(50), erp("8.191", "L-2"), lots=[LOT, other])
    assert {row.stock_class for row in rows.values()} == {"explained"}
    assert rows["L-1"].causes == {"lot_mismatch": Decimal("-1.809")}
    assert rows["L-2"].causes == {"lot_mismatch": Decimal("1.809")}


@pytest.mark.requirement("L7")
def test_what_no_row_says_is_left_over_and_named() -> None:
    row = stock([LINE], erp("48.190"))["L-1"]
    assert (row.stock_class, row.rest, row.causes) == ("differs", Decimal("0.001"), {})
    assert stock([LINE])["L-1"].stock_class == "mes_only"
    rows = stock([LINE], erp(LEFT), erp(3, "L-9"))
    assert (rows["L-9"].stock_class, rows["L-9"].mes) == ("erp_only", None)
    assert stock([LINE], erp(LEFT), erp("-1", "L-9"))["L-9"].stock_class == "negative"
    nobody = StockLine(item="GLUE", lot="G-1", status="x", quantity=Decimal(1), unit="KGM")
    assert set(stock([LINE], erp(LEFT), nobody)) == {"L-1"}
