"""A period from its differences to paper and workbook: on screens and by REST, with a real ERP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from core.clock import now
from core.difference import Difference
from core.execution import Actor
from core.reconciliation import Reconciliation
from dashboards.finance.acts import RowActs
from dashboards.finance.desk import FinanceDesk, NotFilled
from dashboards.finance.kept_rows import KeptRows
from dashboards.finance.paper import pdf
from dashboards.finance.periods_view import period_shown, periods_view
from dashboards.finance.view import Ask
from dashboards.finance.workbook import workbook
from tests.browser import Screen, grave_findings, ready
from tests.finance_plant import Client, FinancePlant, refusing_plant
from tests.patience import eventually
from tests.plant import LivingPlant
from tests.plant_data import PIN, ZONE
from tests.records import holding, squeezed, text_of

CHANGE = "UPDATE ledger_line SET quantity = '2.04' WHERE lot = 'CC-4410' AND movement = 'issue'"
BACK = "UPDATE ledger_line SET quantity = '2.4' WHERE lot = 'CC-4410' AND movement = 'issue'"


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    with refusing_plant(living_plant, tmp_path) as plant:
        yield plant


def today() -> str:
    return now().astimezone(ZONE).date().isoformat()


def classes(finance: FinancePlant) -> dict[str, int]:
    return {name: n for name, n in finance.reader.read().counts.items() if n}


def until(finance: FinancePlant, **wanted: int) -> None:
    eventually(lambda: classes(finance) == wanted)


def signs(finn: Client, period: str, **more: Any) -> httpx.Response:
    seen = finance_seen(finn, period)
    return finn.send("reconciliation.sign", by="finn", period=period, seen=seen, **more)


def finance_seen(finn: Client, period: str) -> dict[str, Any]:
    answer = finn.http.get(f"/api/v1/reconciliation/{period}")
    if answer.status_code == 404:
        return {"stream": f"reconciliation/{period}", "ver": 0, "head": ""}
    found: dict[str, Any] = answer.json()["seen"]
    return found


def says(answer: httpx.Response) -> str:
    assert answer.status_code in (403, 409, 422), answer.text
    return str(answer.json()["detail"])


@pytest.mark.requirement("L1", "L3", "L8")
def test_period_is_refused_until_each_difference_has_an_owner_and_then_freezes_its_figures(
    finance: FinancePlant,
) -> None:
    finance.made("1001")
    finance.told()
    finance.by_hand(CHANGE)
    until(finance, matched=2, qty_mismatch=1)
    day = today()
    with finance.signed_in("finn") as finn:
        row = next(one for one in finance.rows() if one.match_class == "qty_mismatch")
        assert says(signs(finn, day)) == (
            f"Period {day}: 1 difference has no owner and no reason: {row.key}. Assign each, then"
            " sign."
        )
        told: dict[str, Any] = {"figures": {}, "reasons": []}
        assert says(signs(finn, day, **told)) == (
            "reconciliation.sign: carries figures, reasons. The server reads the match itself."
            " Leave them out."
        )
        assigned = {"owner": "sana", "code": "posted_by_hand", "note": "=HYPERLINK(1)"}
        finn.send("difference.assign", difference=row.key, **assigned)
        finance.erp.stop()
        until(finance, not_compared=3)
        assert says(signs(finn, day)) == (
            f"Period {day}: 3 rows are not compared. See why in the list, mend it, then sign."
        )
        finance.erp.start()
        until(finance, matched=2, qty_mismatch=1)
        answer = signs(finn, day)
        assert answer.status_code == 200, answer.text
        first = finance.plant.execution.nouns.get(Reconciliation, day)
        assert first is not None
        figures = first.newest.figures
        assert {name: n for name, n in figures.counts.items() if n} == {
            "matched": 2, "qty_mismatch": 1,
        }  # fmt: skip
        (differing,) = (one for one in figures.sums if one.match_class == "qty_mismatch")
        assert (differing.floor, differing.sent, differing.booked) == (
            Decimal("2.4"), Decimal("2.4"), Decimal("2.04"),
        )  # fmt: skip
        assert says(signs(finn, day, why="Again.")).endswith("There is nothing to sign.")
        check_forms(finance, finn, day, 1)

        finance.by_hand(BACK)
        until(finance, matched=3)
        periods = finance.plant.services.periods()
        (change,) = periods.changed(first.newest)
        assert change.was is not None
        assert change.now is not None
        assert (change.was["class"], change.now["class"]) == ("qty_mismatch", "matched")
        assert says(signs(finn, day)).endswith("Say why it is signed again.")
        assert signs(finn, day, why="The clerk put it right.").status_code == 200
        found = finance.plant.execution.nouns.get(Reconciliation, day)
        assert found is not None
        assert [one.revision for one in found.revisions] == [1, 2]
        assert found.revisions[0].figures == figures
        assert not periods.changed(found.newest)


def check_forms(finance: FinancePlant, finn: Client, day: str, revision: int) -> None:
    """Fetch a sign-off in every form and compare all with what the ledger holds."""
    plant = finance.plant
    found = plant.execution.nouns.get(Reconciliation, day)
    assert found is not None
    figures, services = found.newest.figures, plant.services
    paper, book, rows = (
        finn.http.get(f"/reconcile/period/{day}/{revision}.{form}")
        for form in ("pdf", "xlsx", "jsonl")
    )
    assert [one.status_code for one in (paper, book, rows)] == [200, 200, 200]
    assert f"reconciliation-{day}-{revision}.pdf" in paper.headers["content-disposition"]
    assert services.kept is not None
    assert services.keys is not None
    assert rows.content == KeptRows(services.kept).body(figures.rows_sha256)
    assert holding(paper.content, services.keys) == {"finance": True, "plant": True}
    sheets = load_workbook(BytesIO(book.content))
    counts = dict(sheets["Rows by class"].iter_rows(min_row=2, values_only=True))
    assert counts["Total"] == figures.total == 3
    sums = list(sheets["Sums by class"].iter_rows(min_row=2, values_only=True))
    text = text_of(paper.content)
    for label, n in counts.items():
        assert squeezed(f"{label}{n}") in text
    for line in sums:
        assert squeezed("".join("–" if one is None else str(one) for one in line)) in text
    assert ("Quantity differs", "kg", 1, 2.4, 2.4, 2.04, 0.36) in sums
    signature = dict(sheets["Signature"].iter_rows(values_only=True))
    proof = dict(sheets["Proof"].iter_rows(values_only=True))
    entry = plant.execution.ledger.entry(found.newest.signature.seq)
    assert entry is not None
    assert signature["Digest of the manifest, SHA-256"] == entry.data["manifest_sha256"]
    assert proof == {
        "Digest of the rows, SHA-256": figures.rows_sha256,
        "Ledger read up to entry": figures.upto_seq,
        "Checkpoint, entries": figures.checkpoint_size,
        "Checkpoint, root": figures.checkpoint_root,
    }
    for value in (*signature.values(), *proof.values()):
        assert squeezed(str(value)) in text or value is signature["When"]
    notes = [one.value for one in sheets["Differences"]["E"]]
    assert notes == ["Note", "=HYPERLINK(1)"]
    assert sheets["Differences"]["E2"].data_type == "s"
    periods = services.periods()
    again = periods.report(day, found.newest)
    assert squeezed("=HYPERLINK(1)") in text
    # a paper that is drawn again is not sealed again, and says so above the first table
    assert text_of(pdf(again)).partition("PeriodPlant")[2] == text.partition("PeriodPlant")[2] != ""
    assert workbook(again, periods.rows(found.newest)) is not None


@pytest.mark.requirement("L8")
def test_all_differences_of_a_class_are_assigned_at_once_each_by_its_own_entry(
    finance: FinancePlant,
) -> None:
    finance.made("1001")
    finance.told()
    finance.by_hand("UPDATE ledger_line SET lot = 'XX-1' WHERE movement = 'issue'")
    until(finance, matched=1, lot_mismatch=2)
    plant, day = finance.plant, today()
    periods = plant.services.periods()
    acts = RowActs(finance.reader, plant.execution)
    desk = FinanceDesk(plant.execution, Actor("finn"), acts, periods)
    shown = period_shown(periods, day)
    drawn = periods_view(Ask(view="periods", period=day), shown, (), zone=ZONE,
                         today=date.fromisoformat(day), name=str)  # fmt: skip
    assert "Lot differs, 2" in drawn
    values = {"match_class": "lot_mismatch", "owner": "sana", "code": "erp_master_data"}
    with pytest.raises(NotFilled):
        desk.assign_class(day, values)
    said = desk.assign_class(day, values | {"note": "The lots were renamed there."})
    assert said == "2 differences of class lot differs assigned."
    found = plant.execution.nouns.all(Difference)
    assert {(one.owner, one.note) for one in found} == {("sana", "The lots were renamed there.")}
    assert len(found) == 2
    now = periods.now(day)
    assert (now.open, now.unexplained) == (2, 0)
    assert desk.assign_class(day, values | {"note": "Again."}).startswith("0 differences")
    with finance.signed_in("finn") as finn:
        assert signs(finn, day).status_code == 200


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("form", ["pdf", "xlsx", "jsonl"])
def test_signed_period_is_for_finance(finance: FinancePlant, form: str) -> None:
    path = f"/reconcile/period/2026-11-25/1.{form}"
    assert httpx.get(finance.plant.url + path).status_code == 401
    for person in ("olga", "quinn", "ada"):
        with finance.signed_in(person) as client:
            assert client.http.get(path).status_code == 403
    with finance.signed_in("finn") as finn:
        answer = finn.http.get(path)
        assert (answer.status_code, answer.text) == (
            404, "Period 2026-11-25: has no revision 1. Choose one of its list.",
        )  # fmt: skip
        assert finn.http.get("/reconcile/period/2026-11-25/1.exe").status_code == 422


def sign(page: Page, *, badge: str) -> None:
    """Sign what the dialog shows."""
    dialog = page.get_by_test_id("signature")
    expect(dialog).to_be_visible()
    page.get_by_test_id("signature-badge").fill(badge)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_contain_text("Rows SHA-256")
    page.get_by_test_id("signature-pin").fill(PIN)
    page.get_by_test_id("signature-sign").click()
    expect(dialog).to_be_hidden()


@pytest.mark.requirement("L1", "L8", "K1")
def test_finance_assigns_resends_and_signs_the_day_on_screens(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    finance.erp.admin("orders", id="1002", state="locked")
    finance.made("1002")
    until(finance, missing_in_erp=1, in_flight=2)
    day = today()
    screen = finance.plant.screen(open_screen, "finn")
    page = screen.go(f"/reconcile?view=periods&period={day}")
    expect(page.get_by_test_id("blocked")).to_contain_text("1 difference without owner and reason")
    page.get_by_test_id("open").get_by_role("link").first.press("Enter")
    drawer = page.locator("dialog.drawer")
    expect(drawer).to_contain_text("Nobody clears it yet.")
    drawer.get_by_label("Owner").select_option("finn")
    drawer.get_by_label("Reason").select_option("refused_by_erp")
    drawer.get_by_label("Note: what is known").fill("The order is locked in the ERP.")
    drawer.get_by_role("button", name="Assign").click()
    expect(drawer.get_by_test_id("owner")).to_contain_text("Finn Fuchs (finn)")
    assert grave_findings(page) == []
    finance.erp.admin("orders", id="1002", state="released")
    drawer.get_by_text("Resend, same key").click()
    drawer.get_by_label("Why it is sent again").fill("The planner released the order.")
    drawer.get_by_role("button", name="Resend now").click()
    expect(page.get_by_test_id("drawer-class")).to_have_text("Matched")
    expect(drawer.get_by_test_id("decided")).to_contain_text("The planner released the order.")
    page.keyboard.press("Escape")
    until(finance, matched=3)

    page = screen.go(f"/reconcile?view=periods&period={day}")
    signs = page.get_by_role("button", name=f"Sign {day}")
    signs.press("Enter")
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.get_by_test_id("signature-cancel").press("Enter")
    expect(signs).to_be_focused()
    page.keyboard.press("Enter")
    sign(page, badge="BADGE-FINN")
    expect(page.get_by_test_id("frozen")).to_contain_text("I reconciled this period")
    assert page.evaluate("document.activeElement !== document.body")  # the button is gone
    expect(page.get_by_text("Nothing has changed since.")).to_be_visible()
    assert grave_findings(page) == []
    with page.expect_download() as fetched:
        page.get_by_test_id("revisions").get_by_role("link", name="Workbook").click()
    assert fetched.value.suggested_filename == f"reconciliation-{day}-1.xlsx"
    sheets = load_workbook(BytesIO(Path(fetched.value.path()).read_bytes()))
    assert dict(sheets["Rows by class"].iter_rows(min_row=2, values_only=True))["Total"] == 3

    finance.by_hand(CHANGE)
    until(finance, matched=2, qty_mismatch=1)
    page = finance.plant.screen(open_screen, "finn", dark=True).go(
        f"/reconcile?view=periods&period={day}"
    )
    ready(page)
    expect(page.get_by_text("Changed after sign-off: 1 row.")).to_be_visible()
    expect(page.get_by_test_id("changed")).to_contain_text("ERP 2.04 kg")
    expect(page.get_by_test_id("frozen")).to_contain_text("Matched")
    assert grave_findings(page) == []
