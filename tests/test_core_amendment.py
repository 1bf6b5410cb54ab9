"""Amendments: a decided batch is corrected in a stream of its own, and decided anew."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from core.batch.amendment import Amendment, AmendmentState, amended, amendments, standing
from core.batch.bundle import batch_streams
from core.batch.reopen import (
    AddComment,
    AmendValue,
    RejectAmendment,
    ReleaseAmendment,
    ReopenBatch,
)
from core.batch.state import BatchState
from core.batch.steps import NoCount
from core.errors import WrongState
from core.projections.nouns import differences
from core.release import GatesOpen, RejectBatch, TookPart, produced
from core.signature import RecordMoved, SignatureRequired
from tests.floor import Floor
from tests.hands import Hands, refusal
from tests.paper import Paper, paper

WHY = "The yield was read from the wrong sheet."


def decided(plant: Hands, *, rejected: bool = False) -> str:
    batch = plant.upto(plant.dispatched(), None)
    plant.review(batch)
    if rejected:
        seen = plant.seen(f"batch/{batch}")
        plant.sign(RejectBatch(batch=batch, why="Black specks.", seen=seen), "quinn")
    else:
        plant.release(batch)
    return batch


def reopen(plant: Hands, batch: str, *, by: str = "quinn") -> str:
    seen = plant.seen(f"batch/{batch}")
    plant.sign(ReopenBatch(batch=batch, why=WHY, seen=seen), by)
    number = 1
    while plant.get(Amendment, f"{batch}.{number + 1}") is not None:
        number += 1
    return f"{batch}.{number}"


def amend(plant: Hands, name: str, step: str = "12", *, by: str = "sana", **values: str) -> None:
    given = {key: Decimal(value) for key, value in values.items()}
    plant.act(AmendValue(amendment=name, step=step, values=given, why="Sheet 2 was meant."), by)


def comment(plant: Hands, name: str, step: str | None = None) -> None:
    text = "No effect: every tablet was counted."
    plant.act(AddComment(amendment=name, step=step, text=text), "quinn")


def release(plant: Hands, name: str, *, by: str = "ines") -> None:
    seen = plant.seen(f"amendment/{name}")
    plant.sign(ReleaseAmendment(amendment=name, seen=seen), by)


@pytest.mark.requirement("I4")
def test_the_closed_stream_stays_and_the_amendment_names_its_head() -> None:
    plant = paper()
    batch = decided(plant)
    closed, before = plant.head(f"batch/{batch}"), plant.batch(batch)
    name = reopen(plant, batch)
    amend(plant, name, quantity="58.9")
    release(plant, name)
    assert plant.head(f"batch/{batch}") == closed
    assert plant.batch(batch) == before
    found = plant.get(Amendment, name)
    assert (found.closed_ver, found.closed_leaf) == (closed.ver, closed.leaf)
    assert [one.meaning for one in found.signatures] == [
        "I reopen this batch", "I release this batch as amended",
    ]  # fmt: skip
    assert found.signatures[0].ver == closed.ver


@pytest.mark.requirement("I4")
def test_both_revisions_are_readable() -> None:
    plant = paper()
    batch = decided(plant)
    name = reopen(plant, batch)
    amend(plant, name, quantity="58.9")
    release(plant, name)
    first, now = plant.batch(batch), standing(plant, plant.batch(batch))
    assert (produced(first), produced(now)) == (Decimal("59.2"), Decimal("58.9"))
    (one,) = now.run("12").corrections
    assert (one.old, one.new, one.by) == (Decimal("59.2"), Decimal("58.9"), "sana")
    assert first.run("12").corrections == ()
    assert amended(first, ()) == first


@pytest.mark.requirement("I4")
def test_while_it_is_open_the_batch_is_neither_released_nor_rejected() -> None:
    plant = paper()
    batch = decided(plant)
    name = reopen(plant, batch)
    assert standing(plant, plant.batch(batch)).state is BatchState.REOPENED
    seen = plant.seen(f"batch/{batch}")
    again = ReopenBatch(batch=batch, why=WHY, seen=seen)
    assert refusal(WrongState, lambda: plant.sign(again, "ines")) == (
        f"Batch {batch}: is reopened, must be released or rejected. Finish its amendment first."
    )
    comment(plant, name)
    release(plant, name)
    assert standing(plant, plant.batch(batch)).state is BatchState.RELEASED
    assert refusal(WrongState, lambda: amend(plant, name, quantity="58")).startswith(
        f"Amendment {name}: is released, must be open."
    )


@pytest.mark.requirement("I4")
def test_a_second_amendment_names_the_first_and_starts_from_its_values() -> None:
    plant = paper()
    batch = decided(plant)
    name = reopen(plant, batch)
    amend(plant, name, quantity="58.9")
    release(plant, name)
    second = reopen(plant, batch)
    assert second == f"{batch}.2"
    opened = plant.written[-2].event
    assert (opened.follows, opened.follows_leaf) == (name, plant.head(f"amendment/{name}").leaf)
    amend(plant, second, quantity="59.0")
    assert plant.get(Amendment, second).corrections[0].old == Decimal("58.9")
    assert [one.state for one in amendments(plant, batch)] == [
        AmendmentState.RELEASED, AmendmentState.OPEN,
    ]  # fmt: skip


@pytest.mark.requirement("I4")
def test_an_undecided_batch_is_corrected_where_it_stands() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), None)
    assert refusal(WrongState, lambda: reopen(plant, batch)) == (
        f"Batch {batch}: is complete, must be released or rejected."
        " Correct it where it was recorded."
    )


@pytest.mark.requirement("I4", "H2")
def test_reopening_needs_a_signature_over_the_closed_record() -> None:
    plant = paper()
    batch = decided(plant)
    seen = plant.seen(f"batch/{batch}")
    command = ReopenBatch(batch=batch, why=WHY, seen=seen)
    refusal(SignatureRequired, lambda: plant.act(command, "quinn"))
    older = ReopenBatch(batch=batch, why=WHY, seen=type(seen)(stream=seen.stream, ver=3, head="x"))
    refusal(RecordMoved, lambda: plant.sign(older, "quinn"))


@pytest.mark.requirement("I4", "G3")
def test_who_corrected_or_worked_on_it_does_not_release_it_again() -> None:
    plant = paper()
    batch = decided(plant)
    name = reopen(plant, batch)
    amend(plant, name, quantity="58.9", by="quinn")
    refusal(TookPart, lambda: release(plant, name, by="quinn"))
    refusal(TookPart, lambda: release(plant, name, by="viktor"))
    release(plant, name)


@pytest.mark.requirement("I4", "I3")
def test_an_amendment_without_a_word_is_not_released() -> None:
    plant = paper()
    name = reopen(plant, decided(plant))
    assert "Nothing was corrected, and no comment says why." in refusal(
        GatesOpen, lambda: release(plant, name)
    )


@pytest.mark.requirement("I4", "C3")
def test_a_value_outside_its_limits_is_released_only_with_an_assessment() -> None:
    plant = paper()
    name = reopen(plant, decided(plant))
    comment(plant, name, "9")
    amend(plant, name, "9", value="2.1")
    assert "Outside limits and without a comment: step 9." in refusal(
        GatesOpen, lambda: release(plant, name)
    )
    comment(plant, name, "9")
    release(plant, name)
    refusal(NoCount, lambda: amend(plant, reopen(plant, name[:-2]), quantity="-1"))


@pytest.mark.requirement("I4", "E7")
def test_the_erp_hears_again_only_where_the_decision_is_turned() -> None:
    plant = paper()
    batch = decided(plant)
    name = reopen(plant, batch)
    comment(plant, name)
    release(plant, name)
    kinds = Counter(type(one.event).__name__ for one in plant.written)
    assert (kinds["BatchReleased"], kinds["MaterialProduced"]) == (1, 1)
    name = reopen(plant, batch)
    seen = plant.seen(f"amendment/{name}")
    plant.sign(RejectAmendment(amendment=name, why="Specks after all.", seen=seen), "ines")
    kinds = Counter(type(one.event).__name__ for one in plant.written)
    assert (kinds["BatchReleased"], kinds["BatchRejected"]) == (1, 1)
    assert standing(plant, plant.batch(batch)).state is BatchState.REJECTED


@pytest.mark.requirement("I4")
def test_a_rejected_batch_can_be_reopened_too() -> None:
    plant: Paper = paper()
    batch = decided(plant, rejected=True)
    name = reopen(plant, batch)
    comment(plant, name)
    release(plant, name)
    assert standing(plant, plant.batch(batch)).state is BatchState.RELEASED


@pytest.mark.requirement("I4", "H8")
def test_amendments_are_rebuilt_and_belong_to_the_bundle(floor: Floor) -> None:
    batch = decided(floor)
    name = reopen(floor, batch)
    amend(floor, name, quantity="58.9")
    release(floor, name)
    assert differences(floor.execution.ledger) == []
    assert f"amendment/{name}" in batch_streams(floor.execution.ledger, batch)
