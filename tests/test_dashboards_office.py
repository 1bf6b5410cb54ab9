"""The office: the boundary policy edited and signed, the link to the ERP, figures for a monitor."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from playwright.sync_api import Page, expect

from config.boundary import CHOICES, SENTENCES, TITLES, choices
from core.authority import PlantRules, PolicyVersion
from core.dispatch import DispatchOrder, NotReady
from core.erp_record import Customer, ErpMaterial
from core.policy import OPEN, Decisions
from core.signature import Seen
from dashboards.finance.link import link_view
from dashboards.link_state import read_link
from dashboards.office.policy import (
    Draft,
    NoReason,
    NoSuchTime,
    NotAChoice,
    Standing,
    ask_policy,
    history,
    instant_of,
    ready_profiles,
)
from erp import evidence
from erp.stream import Publisher, StreamStatus
from tests.browser import Screen, grave_findings, ready
from tests.finance_plant import FinancePlant, finance_plant
from tests.patience import eventually
from tests.plant import PEOPLE, PIN, ZONE, LivingPlant

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SEEN = Seen(stream="plant/test", ver=4, head="ab")


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    folder = tmp_path / "erp"
    folder.mkdir()
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)  # refusals and outages are meant here
    with finance_plant(living_plant, folder) as plant:
        yield plant
    log.setLevel(logging.NOTSET)


def version(number: int, at: datetime, **changes: str) -> PolicyVersion:
    return PolicyVersion(
        version=number,
        profile="pharma",
        decisions=msgspec.structs.replace(OPEN, **changes),
        effective_at=at,
        signed_by="quinn",
        signed_at=AT,
        seq=number,
    )


def rules(*policies: PolicyVersion) -> PlantRules:
    return PlantRules(plant="test", zone="Europe/Berlin", matrix={}, policies=policies)


def draft(*, when: str = "", why: str = "Agreed.", **changes: str) -> Draft:
    chosen = msgspec.structs.asdict(OPEN) | changes
    return Draft(profile="food", choices=chosen, when=when, why=why)


def test_every_choice_has_a_sentence_and_a_short_name() -> None:
    assert list(CHOICES) == list(SENTENCES)
    assert {name for name, _ in CHOICES} == set(TITLES) == set(Decisions.__struct_fields__)
    for name in TITLES:
        short = [title for (decision, _), title in CHOICES.items() if decision == name]
        assert len(set(short)) == len(choices(name))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23 06:00", datetime(2026, 11, 23, 5, 0, tzinfo=UTC)),
        (" 2026-07-01 06:00 ", datetime(2026, 7, 1, 4, 0, tzinfo=UTC)),
        ("2026-03-29 03:00", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        ("2026-10-25 01:59", datetime(2026, 10, 24, 23, 59, tzinfo=UTC)),
        ("", None),
    ],
)
def test_an_effective_time_is_read_in_the_zone_of_the_plant(
    text: str, instant: datetime | None
) -> None:
    assert instant_of(text, BERLIN) == instant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "is no time"),
        ("2026-11-23", "is no time"),
        ("2026-03-29 02:30", "is skipped by the clocks that night"),
        ("2026-10-25 02:30", "comes twice that night; choose an hour before or after"),
    ],
)
def test_a_time_that_the_clocks_skip_or_show_twice_is_refused(text: str, why: str) -> None:
    with pytest.raises(NoSuchTime) as refusal:
        instant_of(text, BERLIN)
    assert str(refusal.value) == (
        f"Effective from: {text!r} {why}. Write it as 2026-11-23 06:00, in Europe/Berlin."
    )


@pytest.mark.requirement("B8")
def test_what_is_signed_names_the_version_the_time_and_each_change() -> None:
    ask = ask_policy(
        rules(version(1, AT)),
        draft(when="2026-12-01 06:00", inventory_cadence="per_shift"),
        seen=SEEN,
        zone=BERLIN,
    )
    assert ask.subject == "Boundary policy, version 2"
    assert ask.lines == (
        ("Effective", "2026-12-01 06:00 CET"),
        ("When stock movements are sent", "gathered, at the end of a shift; was: each at once"),
        ("Reason", "Agreed."),
        ("Record", "version 4"),
    )
    assert ask.command.effective_at == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)  # type: ignore[attr-defined]
    assert ask.command.profile == "food"  # type: ignore[attr-defined]


def test_a_draft_without_a_reason_or_with_a_foreign_choice_is_refused() -> None:
    with pytest.raises(NoReason):
        ask_policy(rules(), draft(why=" "), seen=SEEN, zone=BERLIN)
    with pytest.raises(NotAChoice) as refusal:
        ask_policy(rules(), draft(lot_birth="anywhere"), seen=SEEN, zone=BERLIN)
    assert str(refusal.value) == (
        "Where a lot is born: 'anywhere' is no choice. Choose one from the menu."
    )


@pytest.mark.requirement("B8")
def test_every_version_stands_in_the_past_in_force_or_in_the_future() -> None:
    day = timedelta(days=1)
    held = rules(
        version(1, AT - day),
        version(2, AT, order_origin="erp"),
        version(3, AT + day, lot_birth="receipt"),
        version(4, AT + day, lot_birth="first_weighing"),
    )
    shown = history(held, [], AT)
    assert [(one.version.version, one.standing) for one in shown] == [
        (4, Standing.FUTURE), (3, Standing.FUTURE), (2, Standing.IN_FORCE), (1, Standing.PAST),
    ]  # fmt: skip
    assert [one.until for one in shown] == [None, AT + day, AT + day, AT]
    assert shown[1].until == shown[1].version.effective_at, "it never rules"
    early = history(held, [], AT - timedelta(microseconds=1))
    assert [one.standing for one in early][-2:] == [Standing.FUTURE, Standing.IN_FORCE]


def test_ready_profiles_are_read_whole() -> None:
    found = ready_profiles()
    assert {"pharma", "food", "device", "cosmetics", "supplements"} <= set(found)
    assert found["food"][1].inventory_cadence == "per_shift"


def sign(page: Page, person: str) -> None:
    dialog = page.get_by_test_id("signature")
    expect(dialog).to_be_visible()
    if page.get_by_test_id("signature-badge").is_visible():
        page.keyboard.type(PEOPLE[person][1])
        page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()


@pytest.mark.requirement("B8")
def test_qa_signs_a_new_version_and_rules_follow_it(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    screen = finance.plant.screen(open_screen, "quinn")
    page = screen.go("/office")
    ready(page)
    expect(page.get_by_text("No boundary policy is in force.")).to_be_visible()
    page.get_by_role("link", name="Prepare a new version").click()
    page.get_by_label("Start from a profile").click()
    page.get_by_role("menuitem", name="food").click()
    expect(page.get_by_test_id("preview")).to_contain_text("gathered, at the end of a shift")
    page.get_by_role("button", name="Sign this version …").click()
    refused = page.get_by_test_id("answer")
    expect(refused).to_contain_text("Reason: is empty.")
    expect(refused).to_be_in_viewport()
    page.get_by_label("Reason for the change").fill("Agreed with finance.")
    page.get_by_role("button", name="Sign this version …").click()
    what = page.get_by_test_id("signature-what")
    expect(what).to_contain_text("at first weighing here")
    sign(page, "quinn")
    expect(page.get_by_test_id("answer")).to_contain_text("Version 1 stands below")
    expect(page.get_by_test_id("versions")).to_contain_text("I put this boundary policy in force")
    expect(page.get_by_test_id("versions")).to_contain_text("Quinn Quast")
    expect(page.get_by_test_id("decisions")).to_contain_text("At first weighing here")
    assert finance.boundary.manner.decisions(datetime.now(UTC)).inventory_cadence == "per_shift"
    held = finance.plant.execution.nouns.get(PlantRules, "test")
    assert held is not None
    assert held.policies[-1].profile == "food"
    assert grave_findings(page) == []

    page.get_by_role("link", name="Prepare a new version").click()
    page.get_by_label("When stock movements are sent").click()
    page.get_by_role("menuitem", name="Each at once").click()
    page.get_by_label("Effective from").fill("2027-01-04 06:00")
    page.get_by_label("Reason for the change").fill("From the new year on.")
    page.get_by_role("button", name="Sign this version …").click()
    sign(page, "quinn")
    expect(page.get_by_test_id("versions")).to_contain_text("Future")
    expect(page.get_by_test_id("decisions")).to_contain_text("Version 2, from 2027-01-04 06:00 CET")
    assert finance.boundary.manner.decisions(datetime.now(UTC)).inventory_cadence == "per_shift"


def test_who_may_not_sign_reads_the_policy_without_a_form(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    page = finance.plant.screen(open_screen, "erik", dark=True).go("/office?edit=1")
    ready(page)
    expect(page.get_by_test_id("decisions")).to_be_visible()
    expect(page.get_by_text("who signs a new version: qa. Ask one of them.")).to_be_visible()
    expect(page.get_by_label("Reason for the change")).to_be_hidden()
    assert grave_findings(page) == []


def figure(text: str, name: str) -> float:
    (line,) = (one for one in text.splitlines() if one.startswith(f"batchwright_{name} "))
    return float(line.rpartition(" ")[2])


@pytest.mark.requirement("K7")
def test_link_and_metrics_tell_of_a_refusal_an_outage_and_its_end(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    finance.erp.admin("orders", id="1001", state="locked")
    finance.made("1001")
    page = finance.plant.screen(open_screen, "erik").go("/office?view=link")
    ready(page)
    expect(page.get_by_test_id("dead-letters")).to_contain_text("Reopen the order in the ERP")
    expect(page.get_by_test_id("dead-letters")).to_contain_text("Finance resends, on Reconcile")
    expect(page.get_by_test_id("erp-clock")).to_contain_text("Close enough")
    expect(page.get_by_test_id("answered")).to_contain_text("ago")
    assert grave_findings(page) == []
    metrics = finance.plant.url + "/metrics"
    text = httpx.get(metrics).text
    assert 'batchwright_erp_messages{state="dead"} 1.0' in text
    assert 'batchwright_erp_pull_answers_total{answer="200",kind="order"} ' in text
    assert figure(text, "erp_endpoint_up") == 1
    assert figure(text, "erp_keys_overdue") == 0
    assert figure(text, "erp_oldest_open_seconds") > 0
    finance.erp.stop()
    finance.made("1002")
    eventually(lambda: figure(httpx.get(metrics).text, "erp_endpoint_up") == 0)
    expect(page.get_by_text("The ERP does not answer.")).to_be_visible()


@pytest.mark.requirement("K7")
def test_the_stream_to_other_systems_is_shown_and_counted(finance: FinancePlant) -> None:
    link = read_link(finance.boundary)
    assert 'data-testid="stream"' not in link_view(link, zone=ZONE, size=0)
    for waiting, fault, words in (
        (0, None, "Up to date"),
        (3, None, "Under way"),
        (3, "X", "Away"),
    ):
        status = StreamStatus(upto_seq=9, waiting=waiting, fault=fault)
        shown = link_view(replace(link, stream=status), zone=ZONE, size=0)
        assert words in shown
        assert ("X. Nothing is lost" in shown) is (fault is not None)
    outbox, metrics = finance.boundary.outbox, finance.plant.url + "/metrics"
    finance.boundary.publisher = Publisher(outbox, "nats://127.0.0.1:9", plant="test")
    finance.made("1001")
    finance.told()
    text = httpx.get(metrics).text
    assert figure(text, "stream_waiting") == len(evidence.messages(outbox)) > 0
    assert figure(text, "stream_up") == 1
    assert 'batchwright_erp_pull_stale{kind="order"} 0.0' in text


def test_a_clock_that_is_too_far_away_is_named_before_signatures_fail(
    finance: FinancePlant,
) -> None:
    eventually(lambda: finance.boundary.puller.clock is not None)
    link = read_link(finance.boundary)
    assert link.clock is not None
    assert abs(link.clock.ahead) < timedelta(seconds=5)
    for ahead, words in ((59, "Close enough"), (60, "Set one"), (300, "Refuses us")):
        for sign_ in (1, -1):
            clock = replace(link.clock, ahead=timedelta(seconds=sign_ * ahead))
            shown = link_view(replace(link, clock=clock), zone=ZONE, size=1)
            assert words in shown
            assert ("before ours" if sign_ > 0 else "behind ours") in shown
    clock = replace(link.clock, ahead=timedelta(milliseconds=-49))
    assert "the same as ours" in link_view(replace(link, clock=clock), zone=ZONE, size=1)


def bom_in_the_erp(finance: FinancePlant, quantity: str) -> None:
    """Have somebody change one line of the BOM, below a record whose time does not move."""
    lines = json.dumps(
        [
            {"item": "PVP", "quantity": quantity, "unit": "KGM"},
            {"item": "CCNA", "quantity": "2.4", "unit": "KGM"},
        ]
    )
    assert finance.by_hand("UPDATE bom SET lines = ? WHERE product = 'PARA500'", lines) == 1
    finance.boundary.puller.wake()


@pytest.mark.requirement("B4", "K4")
def test_a_changed_bom_blocks_new_batches_says_where_and_is_a_version(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    page = finance.plant.screen(open_screen, "erik").go("/office?view=master")
    ready(page)
    expect(page.get_by_test_id("drift")).to_contain_text("Equal")
    expect(page.get_by_test_id("pulls").locator("tbody tr")).to_have_count(4)
    finance.made("1001")
    bom_in_the_erp(finance, "1.9")
    expect(page.get_by_text("The ERP's BOM differs from the recipe.")).to_be_visible()
    expect(page.get_by_test_id("drift")).to_contain_text(
        "PVP: recipe has 1800 g for 60 kg, ERP has 1900 g for 60 kg"
    )
    assert grave_findings(page) == []
    with pytest.raises(NotReady, match="BOM differs: PVP: recipe has"):
        finance.plant.do(DispatchOrder(order="1002", room="B2"), "sana")
    page.get_by_test_id("records").get_by_role("link", name="PARA500").click()
    rows = page.get_by_test_id("versions").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("PVP 1900 g")
    expect(rows.first).to_contain_text("was: PVP 1800 g")
    expect(rows.first).to_contain_text("/boms, ETag")
    expect(rows.last).to_contain_text("the first statement")
    assert grave_findings(page) == []
    bom_in_the_erp(finance, "1.8")
    expect(rows).to_have_count(3)
    finance.plant.do(DispatchOrder(order="1002", room="B2"), "sana")


@pytest.mark.requirement("K4")
def test_items_and_customers_have_versions_and_what_vanished_is_told(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    insert = "INSERT INTO customer (code, name, changed_at) VALUES ('C9', ?, ?)"
    finance.by_hand(insert, "Clinic <b>", stamp)
    renamed = "UPDATE item SET name = 'Povidone K30 fine', changed_at = ? WHERE code = 'PVP'"
    finance.by_hand(renamed, stamp)
    finance.by_hand("DELETE FROM production_order WHERE id = '1004'")
    finance.boundary.puller.wake()
    nouns = finance.plant.execution.nouns
    eventually(lambda: bool(nouns.all(Customer)))
    eventually(lambda: nouns.get(ErpMaterial, "PVP").version == 2)  # type: ignore[union-attr]
    page = finance.plant.screen(open_screen, "quinn", dark=True).go("/office?view=master")
    ready(page)
    expect(page.get_by_test_id("vanished")).to_contain_text("1004")
    page.get_by_role("link", name="Customers").click()
    expect(page.get_by_test_id("records")).to_contain_text("Clinic <b>")
    page.get_by_role("link", name="Items").click()
    page.get_by_role("link", name="PVP").click()
    expect(page.get_by_test_id("versions")).to_contain_text("Povidone K30 fine; was: Pov")
    page.go_back()
    expect(page.get_by_test_id("records")).to_be_visible()
    assert grave_findings(page) == []
