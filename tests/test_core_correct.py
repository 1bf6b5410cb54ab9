"""Corrections: the old value stays, rules hold for the new one, a weighing is taken back."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from core.batch.correct import (
    MixedAlready,
    NoSuchWeighing,
    NothingToCorrect,
    NotYoursToCorrect,
)
from core.batch.events import ConsumptionReversed, MaterialConsumed, ValueCorrected
from core.batch.flow import NotTheCurrentStep, StepHeld
from core.batch.state import BatchState, StepState
from core.batch.steps import EntryNotAsked, LabelsDoNotAddUp, SamePerson
from core.deviation import Deviation, Disposition, DispositionDeviation
from core.errors import WrongState
from core.material import Lot
from core.release import TookPart, produced, release_gates
from core.signature import RecordMoved
from tests.floor import Floor
from tests.hands import refusal
from tests.paper import Paper, paper


def at(plant: Paper, step: str | None) -> str:
    return plant.upto(plant.dispatched(), step)


def exceptions(plant: Paper, batch: str) -> list[tuple[str, str, str]]:
    return [(one.exception, one.step, one.kind) for one in plant.batch(batch).exceptions]


@pytest.mark.requirement("C4")
def test_the_old_value_stays_beside_the_new_one_with_who_when_and_why() -> None:
    plant = paper()
    batch = at(plant, "10")
    plant.pass_time(minutes=3)
    plant.correct(batch, "9", "Wrote 1.4 for 1.3.", value="1.3")
    run = plant.batch(batch).run("9")
    (one,) = run.corrections
    assert (one.what, one.old, one.new) == ("value", Decimal("1.4"), Decimal("1.3"))
    assert (one.why, one.by, one.at) == ("Wrote 1.4 for 1.3.", "olga", plant.at)
    assert plant.written[one.corrects - 1].event.values == {"value": Decimal("1.4")}
    assert isinstance(plant.written[one.entry - 1].event, ValueCorrected)
    assert run.values == {"value": Decimal("1.3")}
    assert run.state is StepState.COMPLETE
    assert exceptions(plant, batch) == [("X1", "9", "correction")]
    assert plant.batch(batch).exceptions[0].says == (
        "Loss on drying: value 1.4 corrected to 1.3 %. Wrote 1.4 for 1.3."
    )


@pytest.mark.requirement("C4")
def test_a_second_correction_points_at_the_first() -> None:
    plant = paper()
    batch = at(plant, "10")
    plant.correct(batch, "9", value="1.3")
    plant.correct(batch, "9", value="1.2")
    first, second = plant.batch(batch).run("9").corrections
    assert (second.old, second.new, second.corrects) == (
        Decimal("1.3"), Decimal("1.2"), first.entry,
    )  # fmt: skip


@pytest.mark.requirement("C4")
def test_performer_and_supervisor_correct_and_nobody_else() -> None:
    plant = paper()
    batch = at(plant, "10")
    assert refusal(NotYoursToCorrect, lambda: plant.correct(batch, "9", value=1, by="viktor")) == (
        "Step 9: Olga Brandt recorded it, Viktor Lenz did not."
        " Ask Olga Brandt or a supervisor to correct it."
    )
    plant.correct(batch, "9", value="1.1", by="sana")
    plant.correct(batch, "9", value="1.0")
    assert [one.by for one in plant.batch(batch).run("9").corrections] == ["sana", "olga"]


@pytest.mark.requirement("C4")
def test_the_same_value_again_is_no_correction() -> None:
    plant = paper()
    batch = at(plant, "10")
    assert refusal(NothingToCorrect, lambda: plant.correct(batch, "9", value="1.40")) == (
        "Step 9: value 1.40 is recorded already. Enter what it should have been."
    )
    refusal(EntryNotAsked, lambda: plant.correct(batch, "9", other=1))


@pytest.mark.requirement("C4")
def test_only_a_step_with_a_recorded_value_is_corrected() -> None:
    plant = paper()
    batch = at(plant, "9")
    assert refusal(WrongState, lambda: plant.correct(batch, "9", value=1)) == (
        "Step 9: is without a recorded value, must be one with a value. Choose another step."
    )
    assert "is a weigh step" in refusal(WrongState, lambda: plant.correct(batch, "3", value=1))


@pytest.mark.requirement("C4", "C3")
@pytest.mark.parametrize(("value", "held"), [("2.0", False), ("2.1", True)])
def test_limits_hold_for_the_new_value_and_outside_holds_the_batch(value: str, held: bool) -> None:
    plant = paper()
    batch = at(plant, "10")
    plant.correct(batch, "9", value=value)
    state = plant.batch(batch)
    assert (state.state is BatchState.HELD) is held
    assert state.run("9").within is not held
    assert len(state.deviations) == held
    assert len(exceptions(plant, batch)) == 1 + held
    if held:
        assert [one[0] for one in exceptions(plant, batch)] == ["X1", "X2"]
        refusal(StepHeld, lambda: plant.complete(batch, "9", value=1))


@pytest.mark.requirement("C4")
def test_a_verified_step_waits_for_its_verifier_again_who_must_not_have_corrected() -> None:
    plant = paper()
    batch = at(plant, "13")
    plant.correct(batch, "12", quantity="59.3", by="sana")
    run = plant.batch(batch).run("12")
    assert (run.state, run.verified_by) == (StepState.DONE, None)
    refusal(NotTheCurrentStep, lambda: plant.complete(batch, "13"))
    refusal(SamePerson, lambda: plant.verify(batch, "12", by="sana"))
    refusal(SamePerson, lambda: plant.verify(batch, "12", by="olga"))
    plant.verify(batch, "12")
    assert plant.batch(batch).run("12").verified_by == "viktor"
    plant.complete(batch, "13")


@pytest.mark.requirement("C4", "H6")
def test_after_the_last_step_the_trail_is_read_again_and_the_yield_is_the_new_one() -> None:
    plant = paper()
    batch = at(plant, None)
    plant.review(batch)
    plant.correct(batch, "12", quantity="59.3")
    state = plant.batch(batch)
    assert (state.state, state.audit_trail_reviewed_by) == (BatchState.RUNNING, None)
    plant.verify(batch, "12")
    state = plant.batch(batch)
    assert state.state is BatchState.COMPLETE
    red = [one.gate for one in release_gates(plant, state) if not one.passed]
    assert red == ["exceptions reviewed", "audit trail reviewed"]
    plant.review(batch)
    plant.release(batch)
    assert produced(plant.batch(batch)) == Decimal("59.3")
    assert refusal(WrongState, lambda: plant.correct(batch, "12", quantity=59)) == (
        f"Batch {batch}: is released, must be undecided."
        " QA can reopen it; the correction is then part of an amendment."
    )


@pytest.mark.requirement("C4")
def test_corrected_labels_must_still_add_up() -> None:
    plant = paper()
    batch = at(plant, None)
    refusal(LabelsDoNotAddUp, lambda: plant.correct(batch, "14", used=4921))
    plant.correct(batch, "14", used=4921, returned=69)
    assert [one.what for one in plant.batch(batch).run("14").corrections] == ["used", "returned"]


@pytest.mark.requirement("C4")
def test_a_held_value_is_corrected_and_the_decider_looks_again() -> None:
    plant = paper()
    batch = at(plant, "9")
    plant.complete(batch, "9", value="14")
    (name,) = plant.batch(batch).deviations
    seen = plant.seen(f"deviation/{name}")
    plant.correct(batch, "9", value="1.4")
    decided = DispositionDeviation(
        deviation=name, disposition=Disposition.USE_AS_IS, assessment="A comma.", seen=seen
    )
    refusal(RecordMoved, lambda: plant.sign(decided, "quinn"))
    assert plant.batch(batch).state is BatchState.HELD
    assert plant.get(Deviation, name).says.startswith("Loss on drying: 14 %")
    refusal(StepHeld, lambda: plant.correct(batch, "3", value=1))


@pytest.mark.requirement("C4", "I3")
def test_who_corrected_a_batch_does_not_decide_about_it() -> None:
    plant = paper()
    batch = at(plant, None)
    plant.correct(batch, "11", value=600, by="sana")
    plant.review(batch)
    refusal(TookPart, lambda: plant.release(batch, by="sana"))


@pytest.mark.requirement("E7", "D4")
def test_a_weighing_taken_back_is_in_its_container_again_and_both_stay_visible() -> None:
    plant = paper()
    batch = at(plant, "3")
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    plant.weigh(batch, "3", "1800")
    before = plant.get(Lot, "PV-1107")
    assert before.used_by == (batch,)
    plant.take_back(batch, "3")
    run, lot = plant.batch(batch).run("3"), plant.get(Lot, "PV-1107")
    assert lot.left == before.left + 1800 == 60_000
    assert lot.used_by == ()
    assert (run.state, run.net_g, run.performed_by) == (StepState.RUNNING, 0, None)
    (back,) = run.reversals
    assert (back.weighing.net_g, back.by) == (1800, "olga")
    assert exceptions(plant, batch) == [("X1", "3", "weighing reversed")]
    plant.do_step(batch)
    assert plant.batch(batch).run("3").state is StepState.COMPLETE
    assert plant.get(Lot, "PV-1107").left == 58_200


@pytest.mark.requirement("E7")
def test_consumption_that_was_told_is_reversed_by_a_negative_entry_that_names_it() -> None:
    plant = paper()
    batch = at(plant, "4")
    plant.take_back(batch, "3")
    told = [one for one in plant.written if isinstance(one.event, MaterialConsumed)]
    (back,) = [one.event for one in plant.written if isinstance(one.event, ConsumptionReversed)]
    assert back.corrects == told[0].seq
    assert back.net_g == -told[0].event.net_g == Decimal(-1800)
    assert (back.lot, back.container) == (told[0].event.lot, told[0].event.container)
    plant.do_step(batch)
    sums: Counter[str] = Counter()
    for one in plant.written:
        if isinstance(one.event, MaterialConsumed | ConsumptionReversed):
            sums[one.event.material] += one.event.net_g  # type: ignore[assignment]
    assert sums == {"povidone": 1800}


@pytest.mark.requirement("E7")
def test_what_was_told_and_stays_is_not_told_twice() -> None:
    plant = paper()
    batch = at(plant, "3")
    for net, more in (("800", True), ("1000", False)):
        plant.scan(batch, "3", "PV-1107")
        plant.tare(batch, "3")
        plant.weigh(batch, "3", net, more=more)
    plant.verify(batch, "3")
    plant.take_back(batch, "3")
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    plant.weigh(batch, "3", "1001")
    plant.verify(batch, "3")
    told = [one.event.net_g for one in plant.written if isinstance(one.event, MaterialConsumed)]
    assert told == [800, 1000, 1001]


@pytest.mark.requirement("E7")
def test_a_weighing_that_is_mixed_or_not_there_is_not_taken_back() -> None:
    plant = paper()
    batch = at(plant, "8")
    entry = plant.batch(batch).run("7").partials[0].seq
    assert refusal(NoSuchWeighing, lambda: plant.take_back(batch, "3", entry=entry)) == (
        f"Step 3: no weighing of entry {entry} stands there. Choose one of its list."
    )
    plant.complete(batch, "8")
    assert refusal(MixedAlready, lambda: plant.take_back(batch, "3")) == (
        "Step 3: step 8, Sift and granulate, was begun after it, so the material is in the batch."
        " Tell QA; a comment belongs to the review."
    )


@pytest.mark.requirement("E7")
def test_only_who_weighed_or_a_supervisor_takes_it_back() -> None:
    plant = paper()
    batch = at(plant, "4")
    refusal(NotYoursToCorrect, lambda: plant.take_back(batch, "3", by="viktor"))
    plant.take_back(batch, "3", by="sana")
    refusal(NoSuchWeighing, lambda: plant.take_back(batch, "3", by="sana", entry=1))


@pytest.mark.requirement("C2", "C4")
def test_a_corrected_step_is_verified_again_in_a_real_plant(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "13")
    floor.correct(batch, "12", quantity="59.3")
    floor.verify(batch, "12")
    assert floor.batch(batch).run("12").verified_by == "viktor"
