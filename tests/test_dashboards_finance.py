"""The three-way match as finance sees it: a real ledger, outbox and ERP process, and the page."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core.difference_fix import ResendMessage
from dashboards.finance.acts import RowActs
from dashboards.finance.compare import MatchRow
from dashboards.finance.evidence import evidence_of
from dashboards.finance.link import link_view
from dashboards.finance.matching import ReconcileReader
from dashboards.finance.reading import Scope, Snapshot
from dashboards.finance.view import Ask, ask_of, overview
from erp.rows import State
from tests.browser import Screen, grave_findings, ready
from tests.finance_plant import FinancePlant, finance_plant
from tests.patience import eventually
from tests.plant import ZONE, LivingPlant


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    folder = tmp_path / "erp"
    folder.mkdir()
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)  # refusals and outages are meant here
    with finance_plant(living_plant, folder) as plant:
        yield plant
    log.setLevel(logging.NOTSET)


def classes(snap: Snapshot) -> dict[str, int]:
    return {name: n for name, n in snap.counts.items() if n}


def rows(finance: FinancePlant, **which: Any) -> list[MatchRow]:
    """Return rows as they were last judged; their classes sum to the total."""
    with finance.reader.reading() as found:
        listed = list(found.rows(Scope(**which)))
        counts = found.counts(Scope(**which))
    assert Counter(row.match_class for row in listed) == Counter(counts)
    return listed


def reads(finance: FinancePlant, **wanted: int) -> Snapshot:
    """Return the snapshot in which the classes are these."""

    def as_wanted() -> Snapshot | None:
        snap = finance.reader.read()
        return snap if classes(snap) == wanted else None

    found = eventually(as_wanted)
    assert found is not None
    return found


def one(finance: FinancePlant, match_class: str) -> MatchRow:
    (row,) = rows(finance, match_class=match_class)
    return row


def drawn(finance: FinancePlant, snap: Snapshot) -> str:
    today = snap.read_at.astimezone(ZONE).date()
    return overview(Ask(), snap, finance.reader.listing(Scope()), zone=ZONE, today=today)


@pytest.mark.requirement("L1", "L2", "L3")
def test_every_fact_is_matched_then_each_difference_is_named(finance: FinancePlant) -> None:
    finance.made("1001")
    finance.told()
    snap = reads(finance, matched=3)
    assert snap.upto_seq == finance.plant.execution.ledger.size()
    assert snap.tolerance.startswith("0 in quantity")
    change = "UPDATE ledger_line SET quantity = '2.04' WHERE lot = 'CC-4410' AND movement = 'issue'"
    assert finance.by_hand(change) == 1
    by_hand = {"order": "1001", "item": "PVP", "lot": "PV-3302", "quantity": "3"}
    finance.erp.admin("postings", movement="issue", **by_hand)
    finance.erp.admin("journals", order="1001", amount="12.50")
    snap = reads(finance, matched=2, missing_in_mes=1, qty_mismatch=1, gl_orphan=1)
    assert one(finance, "gl_orphan").title == "Ledger entry"
    row = one(finance, "qty_mismatch")
    assert (row.floor or {})["quantity"] == (row.sent or {})["quantity"] == "2.4 kg"
    assert (row.booked or {})["quantity"] == "2.04 kg"
    assert row.differs == ("quantity",)
    alone = one(finance, "missing_in_mes")
    assert (alone.floor, alone.sent, alone.event_id) == (None, None, None)
    said = "1 missing in MES + 1 quantity differs + 1 GL without stock = <b>5 rows</b>"
    assert said in drawn(finance, snap)


@pytest.mark.requirement("L3")
def test_silent_erp_makes_everything_not_compared_and_nothing_matched(
    finance: FinancePlant,
) -> None:
    finance.made("1001")
    finance.told()
    reads(finance, matched=3)
    finance.erp.stop()
    snap = reads(finance, not_compared=3)
    assert snap.fault is not None
    assert snap.books_at is not None
    assert snap.books_at < snap.read_at
    assert "The ERP cannot be read." in drawn(finance, snap)
    assert "not now; last read" in drawn(finance, snap)
    finance.erp.start()
    reads(finance, matched=3)


@pytest.mark.requirement("K1", "K2", "K7")
def test_refused_message_holds_its_order_until_it_is_resent_under_its_key(
    finance: FinancePlant,
) -> None:
    finance.erp.admin("orders", id="1002", state="locked")
    finance.made("1002")
    reads(finance, missing_in_erp=1, in_flight=2)
    row = one(finance, "missing_in_erp")
    assert row.cause == (
        "The ERP refused it: Order 1002 is locked; it takes no posting. "
        "Reopen the order in the ERP, then resend."
    )
    behind = rows(finance, match_class="in_flight")[0]
    assert behind.cause == "Waits behind message 1 of its order, which the ERP refused."
    link = finance.reader.read_link()
    assert (link.waiting, [dead.event_id for dead in link.dead]) == (2, [row.event_id])
    assert link.behind == {"1002": 2}
    drawn = link_view(link, zone=ZONE, size=link.relay.upto_seq)
    assert "1 message refused by the ERP." in drawn
    assert "2 messages waiting, the oldest for" in drawn
    finance.erp.admin("orders", id="1002", state="released")
    acts = RowActs(finance.reader, finance.plant.execution)
    again = ResendMessage(
        difference=row.key, message=row.key, why="It is unlocked.", shown=acts.shown(row)
    )
    finance.plant.do(again, "finn")
    finance.told()
    reads(finance, matched=3)
    resent = finance.reader.row(row.key)
    assert resent is not None
    plant = finance.plant
    kept = plant.execution
    proof = evidence_of(resent, finance.boundary, execution=kept, ledger=kept.ledger)
    assert [it.outcome for it in proof.attempts] == ["rejected", "posted"]
    keys = {it.sent_headers["idempotency-key"] for it in proof.attempts}
    assert keys == {f'"{row.key}"'}
    assert proof.digest_holds
    assert [it.fault for it in proof.proofs] == [None]
    assert proof.proofs[0].receipt.checkpoint is not None


def test_outage_shows_what_waits_and_since_when(finance: FinancePlant) -> None:
    finance.erp.stop()
    finance.made("1001")
    eventually(lambda: finance.reader.read_link().relay.counts[State.PENDING] == 3)
    eventually(lambda: not finance.reader.read_link().answers)
    link = finance.reader.read_link()
    drawn = link_view(link, zone=ZONE, size=link.relay.upto_seq)
    assert "The ERP does not answer." in drawn
    assert "3 messages waiting, the oldest for" in drawn
    assert classes(finance.reader.read()) == {"in_flight": 3}


def test_snapshot_is_made_once_for_all_who_watch_and_again_after_news(
    finance: FinancePlant,
) -> None:
    slow = ReconcileReader(finance.boundary, look_s=0.2, reread_s=600)
    first = slow.read()
    assert slow.read() is first
    told: list[int] = []
    leave = [slow.watch(lambda: told.append(1)), slow.watch(lambda: told.append(2))]
    eventually(lambda: {1, 2} <= set(told))
    assert slow.newest is first
    finance.made("1003")
    eventually(lambda: (slow.newest or first).total >= 3)
    for done in leave:
        done()
    eventually(lambda: slow._thread is None)


def test_days_split_the_rows_by_posting_date(finance: FinancePlant) -> None:
    finance.made("1001")
    finance.told()
    reads(finance, matched=3)
    day = rows(finance)[0].posting_date
    assert len(rows(finance, first=day, last=day)) == len(rows(finance)) == 3
    assert rows(finance, last=day.replace(year=day.year - 1)) == []


def test_every_state_of_the_page_is_in_its_address() -> None:
    query = {"class": "late", "day": "2026-11-23", "find": "L-1", "sort": "oldest"}
    query |= {"row": "evt_1", "page": "2", "ask": "resend"}
    url = ask_of(query).url()
    given = "class=late&day=2026-11-23&find=L-1&sort=oldest&page=2&row=evt_1&ask=resend"
    assert url == f"/reconcile?{given}"
    odd = {"class": "<b>", "day": "soon", "page": "-1", "view": "x", "sort": "1; drop"}
    assert ask_of(odd) == Ask()


def opened(screen: Screen, path: str) -> Page:
    page = screen.go(path)
    page.get_by_test_id("rows").wait_for()
    return page


@pytest.mark.requirement("L1", "L8", "K1")
def test_finance_follows_a_difference_to_its_proof_and_resends(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    finance.made("1001")
    finance.told()
    change = "UPDATE ledger_line SET quantity = '2.04' WHERE lot = 'CC-4410' AND movement = 'issue'"
    finance.by_hand(change)
    finance.erp.admin("orders", id="1002", state="locked")
    finance.made("1002")
    reads(finance, matched=2, qty_mismatch=1, missing_in_erp=1, in_flight=2)
    screen = finance.plant.screen(open_screen, "finn")
    page = opened(screen, "/reconcile")
    cards = page.locator("[data-testid^=class-]")
    shown = [int(card.get_attribute("data-count") or 0) for card in cards.all()]
    assert sum(shown) == page.get_by_test_id("rows").locator("tbody tr").count() == 6
    expect(page.get_by_test_id("sum")).to_contain_text("= 6 rows")
    assert grave_findings(page) == []

    page.get_by_test_id("class-qty_mismatch").click()
    expect(page.get_by_test_id("rows").locator("tbody tr")).to_have_count(1)
    assert page.url.endswith("/reconcile?class=qty_mismatch")
    page.get_by_test_id("rows").locator("tbody a").click()
    sides = page.get_by_test_id("three-sides").locator("tr", has_text="Quantity")
    expect(sides).to_contain_text("2.4 kg2.4 kg≠ 2.04 kgdiffers")
    drawer = page.get_by_role("dialog", name="Material consumed")
    expect(drawer).to_contain_text("proven to be the ERP's")
    expect(drawer).to_contain_text("Viktor Vogel (viktor)")
    assert grave_findings(page) == []
    with page.expect_download() as fetched:
        drawer.get_by_test_id("files").get_by_role("link").click()
    assert fetched.value.suggested_filename.startswith("evt_")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert page.url.endswith("/reconcile?class=qty_mismatch")
    expect(page.get_by_test_id("rows").locator("tbody a")).to_be_focused()
    page.go_back()
    expect(drawer).to_be_visible()
    page.keyboard.press("Escape")  # opened by its address alone: the focus goes to its row
    expect(page.get_by_test_id("rows").locator("tbody a")).to_be_focused()

    finance.reader.read()
    dead = one(finance, "missing_in_erp")
    finance.erp.admin("orders", id="1002", state="released")
    page = opened(screen, f"/reconcile?row={dead.key}")
    page.get_by_text("Resend, same key").click()
    page.get_by_label("Why it is sent again").fill("The order is unlocked.")
    page.get_by_role("button", name="Resend now").click()
    expect(page.get_by_test_id("drawer-class")).to_have_text("Matched")
    assert "ask=" not in page.url


def test_link_page_tells_what_waits_and_what_was_pulled(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    finance.erp.admin("orders", id="1001", state="locked")
    finance.made("1001")
    page = finance.plant.screen(open_screen, "finn", dark=True).go("/reconcile?view=link")
    ready(page)
    expect(page.get_by_test_id("dead-letters")).to_contain_text("Reopen the order in the ERP")
    expect(page.get_by_test_id("waiting")).to_contain_text("2")
    expect(page.get_by_test_id("pulls").locator("tbody tr")).to_have_count(4)
    assert grave_findings(page) == []
