"""Review by exception: what a reviewer is shown, may sign, and is refused; then with a browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from core.batch.state import BatchState
from core.batch.steps import CompleteStep, VerifyStep
from core.deviation import Disposition, DispositionDeviation
from core.errors import Refused
from core.execution import Actor
from core.release import ReviewException
from core.weighing import RecordDeviatingWeight, RecordTare, RecordWeight, ScanContainer
from dashboards.names import Names
from dashboards.palette import State
from dashboards.review import dossier, figures
from dashboards.review.desk import ATTEMPTS, DECISION, RULES, TRAIL, NotWritten, ReviewDesk
from dashboards.review.dossier import Measured
from dashboards.review.queue import read_queue
from tests.browser import Screen, grave_findings
from tests.plant import PEOPLE, PIN, LivingPlant, running_plant

WHY = "Already <b>mixed</b>."
SAYS = "CCNA: net 2.467 kg is over the limits 2.376 kg to 2.424 kg."
STATION = "K-B1"


def over_weighed(plant: LivingPlant) -> str:
    """Bring a new batch to step 40, try a wrong lot and an over-weigh, then record it."""
    batch = plant.dispatched("B1")
    plant.brought_to(batch, "40")
    wrong = ScanContainer(batch=batch, step="40", raw="LA-2291", lot="LA-2291", container="1")
    right = ScanContainer(batch=batch, step="40", raw="CC-4410", lot="CC-4410", container="1")
    gross = plant.weight("2879")
    with pytest.raises(Refused):
        plant.do(wrong, "olga", station=STATION)
    plant.do(right, "olga", station=STATION)
    tare = RecordTare(batch=batch, step="40", reading=plant.weight("412"))
    plant.do(tare, "olga", station=STATION)
    with pytest.raises(Refused):
        plant.do(RecordWeight(batch=batch, step="40", reading=gross), "olga", station=STATION)
    deviating = RecordDeviatingWeight(batch=batch, step="40", reading=gross, why=WHY)
    plant.do(deviating, "olga", station=STATION)
    return batch


def finished(plant: LivingPlant, batch: str) -> None:
    """Verify the freed step 40 and do the rest."""
    seen = plant.execution.seen(f"batch/{batch}")
    plant.do(VerifyStep(batch=batch, step="40", seen=seen), "viktor", station=STATION, signs=True)
    plant.brought_to(batch, "none")


def dispositioned(plant: LivingPlant, batch: str, how: Disposition = Disposition.USE_AS_IS) -> None:
    name = plant.batch(batch).deviations[0]
    seen = plant.execution.seen(f"deviation/{name}")
    decided = DispositionDeviation(
        deviation=name, disposition=how, assessment="No effect.", seen=seen
    )
    plant.do(decided, "quinn", signs=True)


def desk(plant: LivingPlant, batch: str, at: str = "") -> ReviewDesk:
    names = Names(plant.execution)
    return ReviewDesk(plant.execution, Actor("quinn"), batch, names=names, at=at)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    """One plant for the tests that leave its batches as they are or make their own."""
    with running_plant(tmp_path_factory.mktemp("review")) as running:
        yield running


@pytest.fixture(scope="module")
def held(plant: LivingPlant) -> str:
    return over_weighed(plant)


@pytest.fixture(scope="module")
def complete(plant: LivingPlant, held: str) -> str:
    batch = plant.dispatched("B1")
    plant.brought_to(batch, "none")
    return batch


# -- figures -------------------------------------------------------------------------------------


def weight(value: str, low: str | None = "2376", high: str | None = "2424") -> Measured:
    limits = (None if one is None else Decimal(one) for one in (low, high))
    lowest, highest = limits
    return Measured(value=Decimal(value), low=lowest, high=highest, target=None, unit="g")


@pytest.mark.parametrize(
    ("value", "state", "word", "by"),
    [
        ("2375.9", State.BAD, "Below the limit", "0.0001 kg below the lowest good value"),
        ("2376", State.OK, "Within limits", ""),
        ("2424", State.OK, "Within limits", ""),
        ("2424.1", State.BAD, "Above the limit", "0.0001 kg above the highest good value"),
    ],
)
def test_limits_are_good_at_both_ends(value: str, state: State, word: str, by: str) -> None:
    it = weight(value)
    assert figures.verdict(it) == (state, word)
    assert figures.excess(it) == by
    assert it.within is (state is State.OK)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ("2376", "2424", "2.376 kg to 2.424 kg"),
        (None, "2424", "at most 2.424 kg"),
        ("2376", None, "at least 2.376 kg"),
        (None, None, "no limits"),
    ],
)
def test_a_missing_limit_is_said_not_drawn_as_zero(
    low: str | None, high: str | None, words: str
) -> None:
    it = weight("2400", low, high)
    assert figures.limits_text(it) == words
    assert ("svg" in figures.limit_bar(it)) is (words != "no limits")


@pytest.mark.parametrize("value", ["0", "2375", "2400", "9000"])
def test_the_bar_says_in_words_what_it_draws(value: str) -> None:
    drawn = str(figures.limit_bar(weight(value)))
    assert f'aria-label="{figures.amount(Decimal(value), "g")}, ' in drawn
    assert "limits 2.376 kg to 2.424 kg" in drawn


# -- what is shown -------------------------------------------------------------------------------


@pytest.mark.requirement("I2")
def test_held_batch_shows_its_exception_its_attempts_and_what_blocks(
    plant: LivingPlant, held: str
) -> None:
    file = dossier.read(plant.execution, held)
    assert [one.says for one in file.batch.exceptions] == [SAYS]
    assert file.classes == [("weight outside limits", 1)]
    assert [one.rule for one in file.attempts] == ["WrongMaterial", "OutOfTolerance"]
    assert file.judged == len(file.passed) + 1
    assert {gate.gate for gate in file.red} >= {"deviations decided", "exceptions reviewed"}
    assert [item.id for item in desk(plant, held).items()] == [
        "X1", RULES, ATTEMPTS, TRAIL, DECISION,
    ]  # fmt: skip


def test_risky_entries_come_from_record_deviation_and_refused_attempts(
    plant: LivingPlant, held: str
) -> None:
    file = dossier.read(plant.execution, held)
    kinds = [entry.type for entry in file.risky]
    assert kinds == [
        "attempt.refused", "attempt.refused", "weighing.weight-recorded", "deviation.opened",
        "batch-exception.raised", "batch.held",
    ]  # fmt: skip
    assert [entry.seq for entry in file.trail] == sorted(entry.seq for entry in file.trail)


def test_other_batches_of_the_lot_are_found(plant: LivingPlant, held: str, complete: str) -> None:
    file = dossier.read(plant.execution, held)
    [involved] = dossier.lots_of(plant.execution, file.batch, ["CC-4410", "CC-4410"])
    assert complete in involved.others
    assert held not in involved.others


def test_trend_ends_with_the_batch_under_review(
    plant: LivingPlant, held: str, complete: str
) -> None:
    rows = dossier.trend(plant.execution, plant.batch(complete), "40")
    assert [row.batch for row in rows][-1] == complete
    assert held in [row.batch for row in rows]
    assert {row.measured.unit for row in rows} == {"g"}


def test_review_starts_with_what_is_open(plant: LivingPlant, held: str, complete: str) -> None:
    assert desk(plant, held).at == "X1"
    assert desk(plant, complete).at == TRAIL
    assert desk(plant, held, at=plant.batch(held).deviations[0]).at == "X1"
    assert desk(plant, held, at="nothing-of-this-kind").at == "X1"


def test_unknown_batch_is_refused_with_the_next_step(plant: LivingPlant) -> None:
    with pytest.raises(Refused) as refusal:
        desk(plant, "B99-9999")
    assert str(refusal.value) == ("batch B99-9999: not known here. Choose one in the review queue.")


@pytest.mark.parametrize(
    ("show", "has_held", "has_complete"),
    [("open", True, True), ("to review", False, True), ("held", True, False),
     ("decided", False, False), ("no such filter", True, True)],
)  # fmt: skip
def test_queue_shows_the_states_that_were_asked_for(
    plant: LivingPlant, held: str, complete: str, show: str, has_held: bool, has_complete: bool
) -> None:
    queue = read_queue(plant.execution, show=show)
    names = [one.batch.batch for one in queue.batches]
    assert ((held in names), (complete in names)) == (has_held, has_complete)
    assert plant.batch(held).deviations[0] in [one.deviation for one in queue.deviations]


def test_queue_is_searched_and_ordered(plant: LivingPlant, held: str, complete: str) -> None:
    deviation = plant.batch(held).deviations[0]
    found = read_queue(plant.execution, find=f" {deviation.lower()} ").batches
    assert [one.batch.batch for one in found] == [held]
    assert read_queue(plant.execution, sort="exceptions").batches[0].batch.batch == held
    assert read_queue(plant.execution, sort="age").batches[0].batch.batch == complete


# -- what may be signed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "assessment", "sentence"),
    [
        ("", "No effect.", "Disposition: is empty. Choose what becomes of the material."),
        ("rework", " \n", "Assessment: is empty. Write what the deviation means for the batch."),
    ],
)
def test_nothing_is_signed_half_written(
    plant: LivingPlant, held: str, disposition: str, assessment: str, sentence: str
) -> None:
    with pytest.raises(NotWritten) as missing:
        desk(plant, held).ask_disposition(disposition, assessment)
    assert str(missing.value) == sentence


@pytest.mark.requirement("G2", "H3")
@pytest.mark.parametrize("how", list(Disposition))
def test_the_signature_shows_the_very_words_that_are_recorded(
    plant: LivingPlant, held: str, how: Disposition
) -> None:
    ask = desk(plant, held).ask_disposition(how.value, "No effect.")
    assert dict(ask.lines) | {"Record": ""} == {
        "What happened": SAYS,
        "Reason given": WHY,
        "Disposition": how.value.replace("_", " "),
        "Assessment": "No effect.",
        "Record": "",
    }
    assert ask.meaning == "I disposition this deviation"
    assert ask.command.seen.stream == ask.seen.stream


def test_record_that_moved_is_not_signed_and_says_what_is_new(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    mine = desk(plant, batch)
    ask = mine.ask_disposition("use_as_is", "No effect.")
    dispositioned(plant, batch, Disposition.REWORK)
    answer = mine.sign(ask, PEOPLE["quinn"][1], PIN)
    assert str(answer).endswith("Read the decision on its page.")
    mine.answered(ask, answer)
    assert mine.tone is State.BAD
    assert "rework" in mine.message
    assert mine.deviation is not None
    assert mine.deviation.disposition is Disposition.REWORK


def test_wrong_secret_is_refused_and_changes_nothing(plant: LivingPlant, held: str) -> None:
    mine = desk(plant, held)
    before = plant.execution.seen(f"deviation/{plant.batch(held).deviations[0]}")
    with pytest.raises(Refused, match="do not fit"):
        mine.sign(mine.ask_disposition("reject", "No."), "quinn", "000000")
    assert plant.execution.seen(before.stream) == before
    assert mine.refresh() is False


@pytest.mark.requirement("I3")
def test_a_batch_goes_from_exception_to_release(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    mine = desk(plant, batch)
    ask = mine.ask_disposition("use_as_is", "Disintegration was tested: conforms.")
    mine.answered(ask, mine.sign(ask, "quinn", PIN))
    assert mine.message == f"Recorded: {plant.batch(batch).deviations[0]}, use as is."
    finished(plant, batch)
    assert mine.refresh() is True
    mine.tried(mine.review("Same assessment as the deviation."))
    assert [gate.gate for gate in mine.file.red] == ["audit trail reviewed"]
    ask = mine.ask_trail()
    mine.answered(ask, mine.sign(ask, "quinn", PIN))
    assert mine.file.red == []
    ask = mine.ask_release()
    mine.answered(ask, mine.sign(ask, "quinn", PIN))
    assert plant.batch(batch).state is BatchState.RELEASED
    assert mine.message == f"Recorded: batch {batch} is released. Its record is closed."
    assert mine.items()[-1].word == "Released"


def test_a_red_gate_refuses_the_release_whatever_the_screen_did(
    plant: LivingPlant, complete: str
) -> None:
    mine = desk(plant, complete)
    with pytest.raises(Refused) as refusal:
        mine.sign(mine.ask_release(), "quinn", PIN)
    assert str(refusal.value) == (
        f"Batch {complete}: cannot be released. The audit trail was not reviewed."
        " Clear these gates first."
    )


def test_reviewing_twice_is_refused_and_said(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    mine = desk(plant, batch)
    command = ReviewException(batch=batch, exception="X1", assessment="Seen.")
    plant.do(command, "quinn")
    with pytest.raises(Refused) as refusal:
        mine.review("Seen again.")
    mine.tried(refusal.value)
    assert (mine.tone, mine.message) == (
        State.BAD, "Exception X1: is reviewed, must be open. Choose another.",
    )  # fmt: skip


# -- with a browser ------------------------------------------------------------------------------


def sign(page: Page, person: str = "quinn", pin: str = PIN) -> None:
    """Sign in the open dialog by keyboard alone."""
    dialog = page.get_by_test_id("signature")
    expect(dialog).to_be_visible()
    page.keyboard.type(PEOPLE[person][1])
    page.keyboard.press("Enter")
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
    expect(page.get_by_test_id("evidence")).to_contain_text("CAL-B1-26")
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
    expect(page.get_by_test_id("signature-meaning")).to_contain_text("I disposition this deviation")
    sign(page)
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
    expect(what).to_contain_text("1 exceptions reviewed: released")
    sign(page)
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
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{batch}")
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
    sign(page)
    expect(page.get_by_test_id("answer")).to_contain_text("Read the decision on its page. New:")
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
    page.keyboard.press("?")
    page.get_by_label("Single keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("item-X1")).to_have_attribute("aria-current", "true")
    page.get_by_test_id("keys-help").click()
    page.get_by_label("Single keys are on").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    expect(page.get_by_test_id("item-rules")).to_have_attribute("aria-current", "true")


@pytest.mark.requirement("H1")
def test_whole_record_shows_every_step_and_every_signature_in_full(
    plant: LivingPlant, complete: str, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "quinn").go(f"/review/batch/{complete}?view=record")
    batch = plant.batch(complete)
    assert page.locator("article.step").count() == len(batch.steps)
    shown = page.get_by_test_id("record-signatures")
    for one in batch.signatures:
        expect(shown).to_contain_text(f"{one.name} ({one.person}): {one.meaning}.")
        expect(shown).to_contain_text(one.words)
    expect(shown).to_contain_text("CE")  # CET or CEST: a time never stands without its zone


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
