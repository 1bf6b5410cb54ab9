"""Review and release: every gate by evidence, and a decision by somebody who did not take part."""

from __future__ import annotations

import pytest

from core.batch.events import MaterialConsumed
from core.batch.state import BatchState
from core.batch.steps import EntryMissing, LabelsDoNotAddUp
from core.deviation import Disposition
from core.errors import WrongState
from core.material import ContainerDispensed
from core.order import Order, OrderState
from core.release import (
    GatesOpen,
    RejectBatch,
    ReleaseBatch,
    ReviewAuditTrail,
    ReviewException,
    TookPart,
    release_gates,
    rules_passed,
)
from core.signature import SignatureRequired
from tests.hands import ORDER, refusal
from tests.paper import Paper, paper
from tests.test_core_deviation import disposition, held


def complete() -> tuple[Paper, str]:
    plant = paper()
    return plant, plant.upto(plant.dispatched(), None)


def red(plant: Paper, batch: str) -> list[str]:
    return [gate.gate for gate in release_gates(plant, plant.batch(batch)) if not gate.passed]


@pytest.mark.requirement("I3")
def test_gates_turn_green_by_evidence_only() -> None:
    plant = paper()
    batch = plant.dispatched()
    assert red(plant, batch) == ["steps closed", "yield", "labels", "audit trail reviewed"]
    plant.upto(batch, "14")
    assert red(plant, batch) == ["steps closed", "labels", "audit trail reviewed"]
    plant.upto(batch, None)
    assert red(plant, batch) == ["audit trail reviewed"]
    assert refusal(GatesOpen, lambda: plant.release(batch)) == (
        "Batch B26-0001: cannot be released. The audit trail was not reviewed."
        " Clear these gates first."
    )
    plant.review(batch)
    assert red(plant, batch) == []
    gates = {gate.gate: gate.says for gate in release_gates(plant, plant.batch(batch))}
    assert gates["yield"] == "Yield 59.2 kg of 60 kg, 98.7 %."


@pytest.mark.requirement("I3")
def test_release_closes_batch_and_order() -> None:
    plant, batch = complete()
    plant.review(batch)
    plant.release(batch)
    done = plant.batch(batch)
    assert (done.state, done.closed) == (BatchState.RELEASED, True)
    assert plant.get(Order, ORDER).state is OrderState.COMPLETED
    kinds = [type(one.event).__name__ for one in plant.written[-5:]]
    assert kinds == [
        "SignatureApplied", "BatchReleased", "MaterialProduced", "BatchClosed",
        "WorkOrderCompleted",
    ]  # fmt: skip
    assert done.signatures[-1].words == (
        "Batch B26-0001 of paracetamol 500 mg tablets, 59.2 kg, made by recipe PARA500@1,"
        " 0 exceptions reviewed: released."
    )
    assert refusal(WrongState, lambda: plant.release(batch)) == (
        "Batch B26-0001: is released, must be undecided. Read its record."
    )


@pytest.mark.requirement("I3")
def test_deviation_and_exception_keep_their_gates_red() -> None:
    plant, batch = held()
    assert {"deviations decided", "exceptions reviewed"} <= set(red(plant, batch))
    plant.sign(disposition(plant), "quinn")
    plant.upto(batch, None)
    assert red(plant, batch) == ["exceptions reviewed", "audit trail reviewed"]
    plant.review(batch)
    plant.release(batch)


@pytest.mark.requirement("I3")
def test_rejected_material_blocks_release_and_the_batch_can_be_rejected() -> None:
    plant, batch = held()
    plant.sign(disposition(plant, Disposition.REJECT), "quinn")
    assert "nothing rejected" in red(plant, batch)
    reject = RejectBatch(batch=batch, why="Too much.", seen=plant.seen(f"batch/{batch}"))
    refusal(SignatureRequired, lambda: plant.act(reject, "quinn"))
    plant.sign(reject, "quinn")
    assert plant.batch(batch).state is BatchState.REJECTED
    assert plant.get(Order, ORDER).state is OrderState.COMPLETED


@pytest.mark.requirement("I3")
def test_who_worked_on_the_batch_does_not_decide_about_it() -> None:
    plant, batch = complete()
    seen = plant.seen(f"batch/{batch}")
    own = ReviewAuditTrail(batch=batch, seen=seen)
    sentence = "Batch B26-0001: Olga Brandt worked on it; another person of QA must decide."
    assert refusal(TookPart, lambda: plant.sign(own, "olga")) == sentence
    plant.review(batch)
    assert refusal(TookPart, lambda: plant.release(batch, by="olga")) == sentence
    reject = RejectBatch(batch=batch, why="x", seen=plant.seen(f"batch/{batch}"))
    assert refusal(TookPart, lambda: plant.sign(reject, "olga")) == sentence


@pytest.mark.requirement("H6")
def test_audit_trail_is_reviewed_when_the_batch_is_complete() -> None:
    plant = paper()
    batch = plant.dispatched()
    command = ReviewAuditTrail(batch=batch, seen=plant.seen(f"batch/{batch}"))
    assert refusal(WrongState, lambda: plant.sign(command, "quinn")) == (
        "Batch B26-0001: is idle, must be complete. Finish its steps."
    )


@pytest.mark.requirement("I2")
def test_exception_is_reviewed_once() -> None:
    plant, batch = held()
    review = ReviewException(batch=batch, exception="X1", assessment="Harmless.")
    plant.act(review, "quinn")
    assert plant.batch(batch).exceptions[0].reviewed_by == "quinn"
    assert refusal(WrongState, lambda: plant.act(review, "quinn")) == (
        "Exception X1: is reviewed, must be open. Choose another."
    )
    other = ReviewException(batch=batch, exception="X9", assessment="?")
    assert refusal(WrongState, lambda: plant.act(other, "quinn")) == (
        "Exception X9: is not there, must be open. Choose another."
    )


@pytest.mark.parametrize(
    ("quantity", "within"), [("58.2", True), ("60.6", True), ("58.1", False), ("60.7", False)]
)
def test_yield_holds_both_limits(quantity: str, within: bool) -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "12")
    plant.complete(batch, "12", quantity=quantity)
    assert (plant.batch(batch).held_by is None) is within


def test_labels_sum_to_the_issued_ones() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "14")
    assert refusal(
        LabelsDoNotAddUp,
        lambda: plant.complete(batch, "14", issued=100, used=90, returned=8, destroyed=1),
    ) == (
        "Step 14: 100 labels issued, 99 accounted for. Used, returned and destroyed labels must"
        " sum to the issued ones. Count again."
    )
    assert refusal(EntryMissing, lambda: plant.complete(batch, "14", issued=100)) == (
        "Step 14: used, returned, destroyed is missing. Enter it, then complete the step."
    )
    plant.complete(batch, "14", issued=100, used=90, returned=8, destroyed=2)


@pytest.mark.requirement("I2")
def test_passed_rules_are_counted_for_review_by_exception() -> None:
    plant, batch = complete()
    passed = rules_passed(plant.batch(batch))
    # a weighing: what must hold of lot and scale, its limits, the step's two, its verifier
    assert sum(one.step == "3" for one in passed) == 11 + 1 + 2 + 1
    assert len(passed) == 5 * 12 + 14 * 2 + 3 + 1 + 8


@pytest.mark.requirement("I3")
def test_release_needs_a_signature() -> None:
    plant, batch = complete()
    plant.review(batch)
    command = ReleaseBatch(batch=batch, seen=plant.seen(f"batch/{batch}"))
    assert refusal(SignatureRequired, lambda: plant.act(command, "quinn")) == (
        'Signature: "I release this batch" needs badge or user id, and secret. Sign to go on.'
    )


def rejecting(plant: Paper, batch: str) -> RejectBatch:
    return RejectBatch(batch=batch, why="Too much.", seen=plant.seen(f"batch/{batch}"))


def kinds_since(plant: Paper, before: int) -> list[str]:
    return [type(one.event).__name__ for one in plant.written[before:]]


@pytest.mark.requirement("G2", "I3")
def test_disposition_after_the_rejection_does_not_bring_the_batch_back() -> None:
    plant, batch = held()
    plant.sign(rejecting(plant, batch), "quinn")
    before = plant.size()
    assert refusal(WrongState, lambda: plant.sign(disposition(plant), "quinn")) == (
        "Batch B26-0001: is rejected, must be undecided for its material to be used."
        " Choose reject, return or scrap."
    )
    assert plant.size() == before
    plant.sign(disposition(plant, Disposition.SCRAP), "quinn")
    assert kinds_since(plant, before) == ["SignatureApplied", "DeviationDispositioned"]
    assert plant.batch(batch).state is BatchState.REJECTED
    assert plant.get(Order, ORDER).state is OrderState.COMPLETED


@pytest.mark.requirement("E3", "I3")
def test_rejection_books_what_was_weighed_for_an_open_step() -> None:
    plant, batch = held()
    before = plant.size()
    plant.sign(rejecting(plant, batch), "quinn")
    assert kinds_since(plant, before) == [
        "SignatureApplied", "MaterialConsumed", "BatchRejected", "BatchClosed", "RoomVacated",
        "WorkOrderCompleted",
    ]  # fmt: skip
    used = plant.written[before + 1].event
    assert (used.lot, used.step, used.net_g) == ("CC-3044", "4", 2467)
    told = [one.event for one in plant.written if isinstance(one.event, MaterialConsumed)]
    taken = [one.event for one in plant.written if isinstance(one.event, ContainerDispensed)]
    assert sum(one.net_g for one in told) == sum(one.quantity for one in taken)


@pytest.mark.requirement("I3")
def test_rejected_goods_are_received_so_that_they_can_be_blocked() -> None:
    plant, batch = complete()
    before = plant.size()
    plant.sign(rejecting(plant, batch), "quinn")
    assert kinds_since(plant, before) == [
        "SignatureApplied", "BatchRejected", "MaterialProduced", "BatchClosed",
        "WorkOrderCompleted",
    ]  # fmt: skip
    assert plant.written[before + 2].event.quantity == plant.written[before + 1].event.quantity


@pytest.mark.requirement("I2")
def test_who_worked_on_the_batch_does_not_review_its_exceptions() -> None:
    plant, batch = held()
    review = ReviewException(batch=batch, exception="X1", assessment="Harmless.")
    assert refusal(TookPart, lambda: plant.act(review, "olga")) == (
        "Batch B26-0001: Olga Brandt worked on it; another person of QA must decide."
    )
