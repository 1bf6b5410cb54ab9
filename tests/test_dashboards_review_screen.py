"""Review with a browser: a whole batch by keyboard, what others do meanwhile, every page's look."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.batch.state import BatchState
from core.batch.steps import CompleteStep
from core.capa import LinkCapa, ReportCapa
from core.deviation import Disposition
from core.errors import Refused
from core.release import ReviewException
from tests.browser import Screen, grave_findings
from tests.plant import PEOPLE, PIN, LivingPlant, running_plant
from tests.reviewing import SAYS, WHY, dispositioned, finished, over_weighed


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    """One plant for the tests that leave its batches as they are or make their own."""
    with running_plant(tmp_path_factory.mktemp("review")) as running:
        yield running


@pytest.fixture(scope="module")
def held(plant: LivingPlant) -> str:
    return over_weighed(plant, "B1")


@pytest.fixture(scope="module")
def complete(plant: LivingPlant, held: str) -> str:
    batch = plant.dispatched("B2")
    plant.brought_to(batch, "none")
    return batch


def sign(page: Page, person: str = "quinn", pin: str = PIN, *, words: str = "") -> None:
    """Sign in the open dialog by keyboard alone, within a period by the secret alone."""
    dialog = page.get_by_test_id("signature")
    expect(dialog).to_be_visible()
    expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    if page.get_by_test_id("signature-badge").is_visible():
        page.keyboard.type(PEOPLE[person][1])
        page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_contain_text(words)
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    page.keyboard.type(pin)
    page.keyboard.press("Enter")


def press(page: Page, name: str) -> None:
    """Press a button by keyboard."""
    page.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")


@pytest.mark.requirement("I2")
def test_a_whole_review_by_keyboard_alone(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    batch = over_weighed(plant)
    screen = plant.screen(open_screen, "quinn")
    page = screen.go(f"/review/batch/{batch}")
    expect(page.get_by_test_id("evidence")).to_contain_text(SAYS)
    expect(page.get_by_test_id("evidence")).to_contain_text("CAL-B2-26")
    page.keyboard.press("e")
    assert page.evaluate("Boolean(document.activeElement)")
    page.get_by_test_id("pick-use_as_is").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    page.keyboard.type("Just kidding about j and k: no effect.")
    press(page, "Sign the disposition …")
    what = page.get_by_test_id("signature-what")
    expect(what).to_contain_text("Just kidding about j and k: no effect.")
    expect(what).to_contain_text("use as is")
    sign(page, words="Disposition: use as is.")
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")
    expect(page.get_by_test_id("evidence")).to_contain_text("Quinn Quast (quinn)")
    finished(plant, batch)
    expect(page.get_by_test_id("batch-state")).to_have_text("Complete, to review")
    page.keyboard.press("a")
    page.keyboard.type("Covered by the deviation.")
    press(page, "Mark as reviewed")
    expect(page.get_by_test_id("item-X1")).to_contain_text("Reviewed")
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.get_by_test_id("item-trail")).to_have_attribute("aria-current", "true")
    press(page, "Sign the audit-trail review …")
    sign(page)
    expect(page.get_by_test_id("item-trail")).to_contain_text("Reviewed")
    page.keyboard.press("j")
    expect(page.get_by_test_id("gates")).to_contain_text("Yield 59.4 kg of 60 kg, 99.0 %.")
    press(page, "Sign the release …")
    sign(page, words="1 exceptions reviewed: released")
    expect(page.get_by_test_id("batch-state")).to_have_text("Released")
    assert plant.batch(batch).state is BatchState.RELEASED
    assert "at=decision" in page.url


def test_release_is_off_while_a_gate_is_red_and_says_why(
    plant: LivingPlant, complete: str, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{complete}?at=decision")
    expect(page.get_by_role("button", name="Sign the release …")).to_be_disabled()
    expect(page.get_by_text("The audit trail was not reviewed. (Owner: QA.)")).to_be_visible()
    page.get_by_role("link", name="Audit trail", exact=True).click()
    expect(page.get_by_test_id("item-trail")).to_have_attribute("aria-current", "true")


def test_half_written_assessment_survives_what_others_do(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    batch = over_weighed(plant)
    about = {"deviation": plant.batch(batch).deviations[-1], "capa": "CA-77"}
    plant.do(LinkCapa(**about, address="https://qms.example/77", why="Again."), "quinn")
    plant.do(ReportCapa(**about, status="in_work"), "quinn")
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{batch}")
    expect(page.get_by_test_id("evidence")).to_contain_text("In the quality system: CA-77")
    expect(page.get_by_test_id("evidence")).to_contain_text("in work")
    expect(page.get_by_test_id("evidence")).to_contain_text("https://qms.example/77")
    page.keyboard.press("a")
    page.keyboard.type("Half of a sen")
    with contextlib.suppress(Refused):  # a refused attempt moves the page, not the record
        plant.do(CompleteStep(batch=batch, step="40"), "olga")
    plant.do(ReviewException(batch=batch, exception="X1", assessment="Seen."), "quinn")
    expect(page.get_by_test_id("exceptions")).to_contain_text("1 of 1")
    page.keyboard.type("tence jk?")
    expect(page.get_by_label("Assessment of the deviation")).to_have_value("Half of a sentence jk?")
    press(page, "Sign the disposition …")
    expect(page.get_by_test_id("answer")).to_contain_text("Choose what becomes of the material")


def test_conflict_is_shown_and_the_page_is_fresh(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    batch = over_weighed(plant)
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{batch}")
    page.get_by_test_id("pick-use_as_is").click()
    page.keyboard.press("a")
    page.keyboard.type("No effect.")
    press(page, "Sign the disposition …")
    expect(page.get_by_test_id("signature")).to_be_visible()
    dispositioned(plant, batch, Disposition.SCRAP)
    page.keyboard.type(PEOPLE["quinn"][1])
    page.keyboard.press("Enter")
    refusal = page.get_by_test_id("signature-refusal")
    expect(refusal).to_contain_text("The record changed while you looked: Quinn Quast signed")
    expect(refusal).to_contain_text("scrap. No effect.")
    expect(refusal).to_contain_text("Read the decision on its page.")
    expect(page.get_by_test_id("signature-words")).to_be_hidden()
    page.get_by_test_id("signature-cancel").click()
    expect(page.get_by_test_id("evidence")).to_contain_text("scrap")


def test_new_deviation_is_on_top_of_an_open_queue(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "quinn").go("/review")
    batch = over_weighed(plant)
    row = page.get_by_test_id("open-deviations").get_by_role("row").filter(has_text=batch)
    expect(row).to_contain_text(SAYS)
    expect(row).to_contain_text(WHY)  # as text: no tag of a person's is ever run
    assert page.locator("td b").count() == 0
    row.get_by_role("link", name="D26").first.click()
    page.wait_for_url(f"**/review/batch/{batch}*")


def test_filters_stand_in_the_address(
    plant: LivingPlant, held: str, complete: str, open_screen: Callable[..., Screen]
) -> None:
    screen = plant.screen(open_screen, "quinn")
    page = screen.go("/review")
    page.get_by_test_id("pick-to review").click()
    expect(page.get_by_test_id("batches")).not_to_contain_text(held)
    page.wait_for_url("**/review?show=to*review")
    again = screen.go("/review" + page.url.partition("/review")[2])
    expect(again.get_by_test_id("batches")).to_contain_text(complete)
    expect(again.get_by_test_id("batches")).not_to_contain_text(held)


def test_single_keys_can_be_switched_off(
    plant: LivingPlant, held: str, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{held}?at=X1")
    page.get_by_test_id("item-X1").focus()
    page.keyboard.press("?")
    page.get_by_label("Single keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_test_id("item-X1")).to_be_focused()
    page.keyboard.press("j")
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("item-X1")).to_have_attribute("aria-current", "true")
    page.get_by_test_id("keys-help").click()
    page.get_by_label("Single keys are on").check()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("keys")).to_be_hidden()
    expect(page.get_by_test_id("keys-help")).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_test_id("item-rules")).to_have_attribute("aria-current", "true")


@pytest.mark.requirement("H1")
def test_whole_record_shows_every_step_and_every_signature_in_full(
    plant: LivingPlant, complete: str, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{complete}?view=record")
    batch = plant.batch(complete)
    steps = page.get_by_test_id("record-steps")
    expect(steps.locator("article.step")).to_have_count(len(batch.steps))
    shown = page.get_by_test_id("record-signatures")
    for one in batch.signatures:
        expect(shown).to_contain_text(f"{one.name} ({one.person})")
        expect(shown).to_contain_text(one.meaning)
        expect(shown).to_contain_text(one.words)
    expect(shown).to_contain_text("Europe/Berlin")  # a time never stands without its zone
    with page.expect_download() as fetched:
        page.get_by_test_id("print").click()
    assert fetched.value.suggested_filename == f"record-{complete}-copy-1.pdf"
    assert Path(fetched.value.path()).read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_review_has_no_grave_finding(
    plant: LivingPlant, held: str, open_screen: Callable[..., Screen], dark: bool
) -> None:
    screen = plant.screen(open_screen, "quinn", dark=dark)
    for path in ("/review", f"/review/batch/{held}", f"/review/batch/{held}?view=record"):
        page = screen.go(path)
        assert grave_findings(page) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
