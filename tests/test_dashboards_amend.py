"""After the decision, on screens: a batch is reopened, corrected, commented, and decided anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from core.batch.state import BatchState
from core.errors import Refused
from core.execution import Actor
from core.release import RejectBatch, ReleaseBatch, ReviewAuditTrail
from dashboards.palette import State
from dashboards.review import amend
from dashboards.review.desk import AMENDMENT, DECISION, NotWritten, ReviewAsk, ReviewDesk
from dashboards.review.queue import read_queue
from dashboards.waiting import to_decide_anew
from tests.browser import Screen, grave_findings
from tests.plant import LivingPlant, running_plant
from tests.plant_data import PEOPLE, PIN
from tests.test_dashboards_home import here

WHY = "The yield was read from the wrong sheet."


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    with running_plant(tmp_path_factory.mktemp("amend")) as running:
        yield running


def decided(plant: LivingPlant, *, rejected: bool = False) -> str:
    batch = plant.dispatched("B1")
    plant.brought_to(batch, "none")
    stream = f"batch/{batch}"
    if rejected:
        no = RejectBatch(batch=batch, why="Black specks.", seen=plant.execution.seen(stream))
        plant.do(no, "quinn", signs=True)
        return batch
    trail = ReviewAuditTrail(batch=batch, seen=plant.execution.seen(stream))
    plant.do(trail, "quinn", signs=True)
    release = ReleaseBatch(batch=batch, seen=plant.execution.seen(stream))
    plant.do(release, "quinn", signs=True)
    return batch


def desk(plant: LivingPlant, batch: str, who: str = "quinn", *, at: str = "") -> ReviewDesk:
    return ReviewDesk(plant.execution, Actor(who), batch, at=at)


def signed(mine: ReviewDesk, ask: ReviewAsk, who: str = "quinn") -> None:
    act = mine.act(lambda: ask)
    act.sign(act.prepare(who, meaning=None, comment="").pending, secret=PIN)
    mine.signed(ask)


def reopened(plant: LivingPlant, *, rejected: bool = False) -> ReviewDesk:
    mine = desk(plant, decided(plant, rejected=rejected))
    signed(mine, amend.ask_reopen(mine.file, WHY))
    return mine


def corrected(mine: ReviewDesk, step: str = "80", **texts: str) -> None:
    command = amend.correction(mine.file, step, texts, why="Sheet 2 was meant.")
    mine.tried(mine.record(command, "corrected."))


def commented(mine: ReviewDesk, step: str = "") -> None:
    command = amend.comment(mine.file, step, "No effect: every tablet was counted.")
    mine.tried(mine.record(command, "commented."))


@pytest.mark.requirement("I4")
def test_reopened_batch_says_so_on_its_page_and_in_the_queue(plant: LivingPlant) -> None:
    mine = desk(plant, decided(plant))
    other = desk(plant, mine.file.batch.batch)
    signed(mine, amend.ask_reopen(mine.file, WHY))
    batch = mine.file.batch
    assert batch.state is BatchState.REOPENED
    assert [one.id for one in mine.items()][-2:] == [AMENDMENT, DECISION]
    assert mine.items()[-1].word == "1 gate is red"
    assert other.refresh() is True  # the batch's own stream did not move
    assert other.file.open_amendment is not None
    [queued] = [one for one in read_queue(plant.execution).batches if one.batch == batch]
    assert queued.since == other.file.open_amendment.opened_at
    assert desk(plant, batch.batch).at == AMENDMENT


@pytest.mark.requirement("I4")
def test_it_waits_at_home_for_quality_until_it_is_decided(plant: LivingPlant) -> None:
    mine = reopened(plant)
    name = f"{mine.file.batch.batch}.1"
    commented(mine)

    def waits() -> dict[str, tuple[str, ...]]:
        found = to_decide_anew(here(plant, "quinn")).tasks
        return {task.title: task.lines for task in found}

    assert waits()[name] == (
        f"Was released. Reopened by Quinn Quast: {WHY}", "So far: 0 corrections, 1 comment",
    )  # fmt: skip
    signed(mine, amend.ask_release(mine.file))
    assert name not in waits()
    assert mine.file.batch.state is BatchState.RELEASED
    assert mine.items()[-1].word == "Released"


@pytest.mark.requirement("I4")
def test_correction_offers_what_is_recorded_and_replaces_what_is_written(
    plant: LivingPlant,
) -> None:
    mine = reopened(plant)
    batch = mine.file.batch
    assert list(amend.correctable(batch)) == ["60", "80", "90"]
    assert amend.correctable(batch)["80"].endswith("59.4 kg")
    assert [label for _, label in amend.fields_of(batch, "90")] == [
        "Issued, recorded 1000 EA", "Used, recorded 990 EA",
        "Returned, recorded 6 EA", "Destroyed, recorded 4 EA",
    ]  # fmt: skip
    assert amend.fields_of(batch, "") == []
    corrected(mine, quantity=" 59.1 ")
    assert mine.tone is State.OK
    assert amend.fields_of(mine.file.batch, "80") == [("quantity", "Quantity, recorded 59.1 kg")]
    corrected(mine, "90", used="989", returned="", destroyed="5")
    run = mine.file.batch.run("90")
    assert run is not None
    assert run.values["used"] == Decimal(989)
    assert run.values["returned"] == Decimal(6)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(
    ("step", "text", "why", "says"),
    [
        ("", "1", "Why.", "Step: is empty."),
        ("80", " ", "Why.", "New value: is empty."),
        ("80", "59.1", " ", "Reason: is empty."),
        ("80", "59,1", "Why.", "Quantity: '59,1' is not a number."),
        ("80", "NaN", "Why.", "Quantity: 'NaN' is not a number."),
    ],
)
def test_form_says_what_a_correction_lacks(
    plant: LivingPlant, step: str, text: str, why: str, says: str
) -> None:
    mine = desk(plant, opened_once(plant))
    with pytest.raises(Refused) as refusal:
        amend.correction(mine.file, step, {"quantity": text}, why=why)
    assert str(refusal.value).startswith(says)


OPENED: dict[int, str] = {}


def opened_once(plant: LivingPlant) -> str:
    """Return one reopened batch for the tests that leave it as it is."""
    if id(plant) not in OPENED:
        OPENED[id(plant)] = reopened(plant).file.batch.batch
    return OPENED[id(plant)]


@pytest.mark.requirement("I4")
def test_reasons_and_comments_are_not_empty_and_need_an_open_amendment(plant: LivingPlant) -> None:
    mine = desk(plant, opened_once(plant))
    for made in (
        lambda: amend.ask_reopen(mine.file, " "),
        lambda: amend.ask_reject(mine.file, ""),
        lambda: amend.comment(mine.file, "", "\n"),
    ):
        with pytest.raises(NotWritten):
            made()
    closed = desk(plant, decided(plant))
    with pytest.raises(amend.NotOpen, match=r"no amendment of it is open\. Reopen it first"):
        amend.ask_release(closed.file)


@pytest.mark.requirement("I4")
def test_rejected_batch_is_reopened_with_its_gates_and_rejected_again(plant: LivingPlant) -> None:
    mine = reopened(plant, rejected=True)
    assert "audit trail reviewed" in [gate.gate for gate in mine.file.red]
    ask = amend.ask_reject(mine.file, "Specks after all.")
    assert dict(ask.lines)["Amendment"].endswith(".1, 0 corrections, 0 comments")
    signed(mine, ask)
    assert mine.file.batch.state is BatchState.REJECTED
    signed(mine, amend.ask_reopen(mine.file, WHY))
    assert mine.file.open_amendment is not None
    assert mine.file.open_amendment.number == 2


@pytest.mark.requirement("I4")
def test_quality_reopens_comments_and_releases_in_the_browser(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    batch = decided(plant)
    screen = plant.screen(open_screen, "quinn")
    page = screen.go(f"/review/batch/{batch}?at=decision")

    def sign(*, again: bool = False) -> None:
        if not again:  # within a signing period the secret alone is asked
            page.get_by_test_id("signature-badge").fill(PEOPLE["quinn"][1])
            page.keyboard.press("Enter")
        expect(page.get_by_test_id("signature-words")).to_be_visible()
        page.keyboard.type(PIN)
        page.keyboard.press("Enter")

    page.get_by_label("Reason for reopening").fill(WHY)
    page.get_by_role("button", name="Reopen the batch …").click()
    sign()
    expect(page.get_by_test_id("batch-state")).to_have_text("Reopened")
    page.get_by_test_id("item-amendment").click()
    expect(page.get_by_test_id("evidence")).to_contain_text(WHY)
    page.get_by_label("Step").click()
    page.get_by_role("menuitem", name="Step 90").click()
    expect(page.get_by_label("Destroyed, recorded 4 EA")).to_be_visible()
    expect(page.locator("[role=presentation][aria-hidden=true]")).to_have_count(0)  # the menu fades
    assert grave_findings(page) == []
    page.get_by_role("textbox", name="Comment", exact=True).first.fill(
        "The sheet was found; nothing changes."
    )
    page.get_by_role("button", name="Add the comment").click()
    expect(page.get_by_test_id("comments")).to_contain_text("The sheet was found")
    expect(page.get_by_role("textbox", name="Comment", exact=True).first).to_have_value("")
    page.get_by_test_id("item-decision").click()
    page.get_by_role("button", name="Sign the release …").click()
    sign(again=True)
    expect(page.get_by_test_id("batch-state")).to_have_text("Released")
