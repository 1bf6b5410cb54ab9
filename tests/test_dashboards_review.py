"""Review by exception: what a reviewer is shown, may sign, and is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from core.batch.state import Batch, BatchState
from core.deviation import Disposition
from core.errors import Refused
from core.execution import Actor
from core.release import ReviewException
from core.signature import RecordMoved
from core.signing import NotShown
from dashboards.palette import State
from dashboards.review import dossier, figures
from dashboards.review.desk import (
    ATTEMPTS,
    DECISION,
    RULES,
    TRAIL,
    NotWritten,
    ReviewAsk,
    ReviewDesk,
)
from dashboards.review.dossier import Measured
from dashboards.review.queue import SHOWS, Queue, read_queue
from dashboards.review.queue_page import batches
from tests.plant import PIN, LivingPlant, running_plant
from tests.reviewing import SAYS, WHY, dispositioned, finished, over_weighed


def desk(plant: LivingPlant, batch: str, at: str = "") -> ReviewDesk:
    return ReviewDesk(plant.execution, Actor("quinn"), batch, at=at)


def signed(mine: ReviewDesk, ask: ReviewAsk, who: str = "quinn", pin: str = PIN) -> None:
    """Have it prepared for a person, signed as shown, and told on the desk."""
    act = mine.act(lambda: ask)
    act.sign(act.prepare(who, meaning=None, comment="").pending, secret=pin)
    mine.signed(ask)


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


def test_queue_says_where_it_looks_at_the_newest_decided_batches_alone(
    plant: LivingPlant, held: str, complete: str
) -> None:
    every = len(plant.execution.nouns.all(Batch))
    whole = read_queue(plant.execution, show="decided", limit=every)
    assert "among the" not in batches(whole)
    cut = read_queue(plant.execution, show="decided", limit=every - 1)
    assert f"among the {every - 1} that changed last" in batches(cut)


def test_undecided_batch_stays_in_the_queue_however_long_nothing_changed(
    plant: LivingPlant, held: str, complete: str
) -> None:
    queue = read_queue(plant.execution, limit=0)
    assert {held, complete} <= {one.batch.batch for one in queue.batches}
    assert (queue.newest, queue.counts["to review"]) == (None, 1)


def test_piece_of_the_queue_knows_how_many_there_are(
    plant: LivingPlant, held: str, complete: str
) -> None:
    whole = read_queue(plant.execution)
    first, rest = (read_queue(plant.execution, piece=it) for it in (slice(1), slice(1, None)))
    assert first.found == rest.found == whole.found == len(whole.batches) > 1
    assert first.batches + rest.batches == whole.batches
    assert first.batches[0].gates  # complete: they are worked out for what is shown


def test_queue_of_a_plant_without_batches_blames_no_filter(plant: LivingPlant) -> None:
    none = Queue(deviations=(), batches=(), found=0, counts=dict.fromkeys(SHOWS, 0))
    assert "No batch was made yet." in batches(none)
    assert "No batch fits these filters." in batches(replace(none, counts={"held": 1}))


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
    told = "SOP-114, dry again for 2 h." if how is Disposition.REPROCESS else ""
    ask = desk(plant, held).ask_disposition(how.value, "No effect.", told)
    assert dict(ask.lines) | {"Record": ""} == {
        "What happened": SAYS,
        "Reason given": WHY,
        "Disposition": how.value.replace("_", " "),
        "Assessment": "No effect.",
        **({"Instruction": told} if told else {}),
        "Record": "",
    }


@pytest.mark.requirement("H2", "H3")
def test_statement_of_a_disposition_is_prepared_by_the_rule_itself(
    plant: LivingPlant, held: str
) -> None:
    mine = desk(plant, held)
    act = mine.act(lambda: mine.ask_disposition("use_as_is", "No effect."))
    manifest = act.prepare("quinn", meaning=None, comment="").manifest
    assert manifest.meaning == "I disposition this deviation"
    assert manifest.words.endswith("Disposition: use as is. Assessment: No effect.")
    assert manifest.record == f"deviation/{plant.batch(held).deviations[0]}"


def test_record_that_moved_is_not_signed_and_says_what_is_new(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    dispositioned(plant, batch, Disposition.USE_AS_IS)
    finished(plant, batch)
    mine = desk(plant, batch, at="trail")
    act = mine.act(mine.ask_trail)
    act.ask()
    shown = act.prepare("quinn", meaning=None, comment="")
    reviewed = ReviewException(batch=batch, exception="X1", assessment="Seen.")
    plant.do(reviewed, "quinn")
    with pytest.raises(RecordMoved) as moved:
        act.sign(shown.pending, secret=PIN)
    assert act.news(moved.value) == ("X1 reviewed: Seen.",)
    assert mine.refresh() is True
    again = act.prepare("quinn", meaning=None, comment="")
    assert again.manifest.ver == shown.manifest.ver + 1
    with pytest.raises(NotShown):  # what the screen no longer shows is not signed
        act.sign(shown.pending, secret=PIN)
    act.sign(again.pending, secret=PIN)


def test_a_page_that_follows_late_is_no_second_news(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    mine = desk(plant, batch)
    act = mine.act(lambda: mine.ask_disposition("use_as_is", "No effect."))
    act.ask()
    dispositioned(plant, batch, Disposition.SCRAP)
    with pytest.raises(RecordMoved) as first:
        act.prepare("quinn", meaning=None, comment="")
    assert "scrap" in act.news(first.value)[-1]
    mine.refresh()
    with pytest.raises(Refused, match=r"Read the decision on its page\."):
        act.prepare("quinn", meaning=None, comment="")


def test_what_a_page_took_in_quietly_is_told_once(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    mine = desk(plant, batch)
    act = mine.act(lambda: mine.ask_disposition("use_as_is", "No effect."))
    act.ask()
    dispositioned(plant, batch, Disposition.SCRAP)
    mine.refresh()
    with pytest.raises(RecordMoved) as quiet:
        act.prepare("quinn", meaning=None, comment="")
    assert "scrap" in act.news(quiet.value)[-1]
    with pytest.raises(Refused, match=r"Read the decision on its page\."):
        act.prepare("quinn", meaning=None, comment="")


def test_wrong_secret_is_refused_and_changes_nothing(plant: LivingPlant, held: str) -> None:
    mine = desk(plant, held)
    before = plant.execution.seen(f"deviation/{plant.batch(held).deviations[0]}")
    with pytest.raises(Refused, match="do not fit"):
        signed(mine, mine.ask_disposition("reject", "No."), pin="000000")
    assert plant.execution.seen(before.stream) == before
    assert mine.refresh() is False


@pytest.mark.requirement("I3")
def test_a_batch_goes_from_exception_to_release(plant: LivingPlant) -> None:
    batch = over_weighed(plant)
    mine = desk(plant, batch)
    ask = mine.ask_disposition("use_as_is", "Disintegration was tested: conforms.")
    signed(mine, ask)
    assert mine.message == f"Recorded: {plant.batch(batch).deviations[0]}, use as is."
    finished(plant, batch)
    assert mine.refresh() is True
    mine.tried(mine.review("Same assessment as the deviation."))
    assert [gate.gate for gate in mine.file.red] == ["audit trail reviewed"]
    ask = mine.ask_trail()
    signed(mine, ask)
    assert mine.file.red == []
    ask = mine.ask_release()
    signed(mine, ask)
    assert plant.batch(batch).state is BatchState.RELEASED
    assert mine.message == f"Recorded: batch {batch} is released. Its record is closed."
    assert mine.items()[-1].word == "Released"


def test_a_red_gate_refuses_the_release_whatever_the_screen_did(
    plant: LivingPlant, complete: str
) -> None:
    mine = desk(plant, complete)
    with pytest.raises(Refused) as refusal:
        signed(mine, mine.ask_release())
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
