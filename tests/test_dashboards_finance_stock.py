"""Stock by lot on the page of finance: a living plant beside a real ERP process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from analytics.reconciliation.stock import StockRow
from core.material import Lot
from dashboards.finance.reading import StockListing
from tests.browser import Screen, grave_findings, ready
from tests.finance_plant import FinancePlant, finance_plant
from tests.plant import LivingPlant


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    folder = tmp_path / "erp"
    folder.mkdir()
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)  # an outage is meant here
    with finance_plant(living_plant, folder) as plant:
        yield plant
    log.setLevel(logging.NOTSET)


def listing(finance: FinancePlant) -> StockListing:
    """Return the stock as both systems have it now."""
    fault = finance.reader.compare_stock()
    found = finance.reader.stock(text="", stock_class="", page=1)
    return StockListing(
        at=found.at, upto_seq=found.upto_seq, fault=fault, found=found.found, page=1
    )


def by_lot(finance: FinancePlant) -> dict[str | None, StockRow]:
    found = listing(finance)
    assert found.fault is None
    return {row.lot: row for row in found.found.rows}


@pytest.mark.requirement("L7")
def test_stock_is_compared_lot_by_lot_with_the_core_and_the_erp(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    finance.made("1001")
    finance.told()
    rows = by_lot(finance)
    nouns = finance.plant.execution.nouns
    for lot in nouns.all(Lot):
        mine = rows[lot.lot].mes
        assert mine is not None
        assert mine * 1000 == lot.left  # nothing is weighed out and waiting here
    assert {row.stock_class for row in rows.values()} == {"equal"}

    by_hand = {"order": "1001", "item": "PVP", "lot": "PV-3302", "quantity": "3"}
    finance.erp.admin("postings", movement="issue", **by_hand)
    finance.by_hand("UPDATE stock SET quantity = '70' WHERE lot = 'PA-1001'")
    rows = by_lot(finance)
    explained, differs = rows["PV-3302"], rows["PA-1001"]
    assert (explained.stock_class, explained.causes) == (
        "explained", {"missing_in_mes": Decimal(3)},
    )  # fmt: skip
    assert (differs.stock_class, differs.rest) == ("differs", Decimal(5))

    page = finance.plant.screen(open_screen, "finn").go("/reconcile?view=stock")
    ready(page)
    table = page.get_by_test_id("stock-rows")
    expect(table.locator("tbody tr")).to_have_count(4)
    expect(page.get_by_test_id("stock-sum")).to_contain_text("1 differs + 1 explained + 2 equal")
    expect(table).to_contain_text("not on any row of the match: 5 kg")
    assert grave_findings(page) == []
    page.get_by_test_id("stock-explained").click()
    expect(table.locator("tbody tr")).to_have_count(1)
    assert page.url.endswith("/reconcile?view=stock&kind=explained")
    table.locator("tbody a").click()
    expect(page.get_by_test_id("rows")).to_contain_text("Missing in MES")


@pytest.mark.requirement("L3", "L7")
def test_stock_that_cannot_be_read_is_not_compared(finance: FinancePlant) -> None:
    finance.erp.stop()
    found = listing(finance)
    assert found.at is None
    assert found.fault is not None
    assert found.fault.endswith("Messages wait; check that it runs.")
    assert found.found.total == 0
    finance.erp.start()
    assert listing(finance).fault is None
