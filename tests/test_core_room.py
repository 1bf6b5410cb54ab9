"""A dispensing room weighs one batch at a time."""

from __future__ import annotations

from collections import Counter

import pytest

from core.batch.events import BatchCreated
from core.batch.room import RoomTaken
from core.dispatch import ready_gates
from core.equipment import Equipment
from core.order import Order
from core.release import RejectBatch
from tests.hands import refusal
from tests.paper import Paper, paper


def two() -> tuple[Paper, str, str]:
    plant = paper()
    first, second = (plant.dispatched(f"10001{n}", room="B1") for n in (1, 2))
    return plant, first, second


@pytest.mark.requirement("D13", "A3")
def test_a_second_batch_waits_until_the_first_is_weighed() -> None:
    plant, first, second = two()
    plant.complete(first, "1")
    assert plant.get(Equipment, "B1").batch == first
    assert refusal(RoomTaken, lambda: plant.complete(second, "1")) == (
        f"Room B1: batch {first} is being weighed there, one at a time."
        f" Finish the weighings of {first} first; {second} waits."
    )
    plant.verify(first, "1")
    plant.upto(first, "7")
    refusal(RoomTaken, lambda: plant.complete(second, "1"))
    plant.do_step(first)
    assert plant.get(Equipment, "B1").batch is None
    plant.complete(second, "1")
    assert plant.get(Equipment, "B1").batch == second
    plant.upto(first, None)


@pytest.mark.requirement("D13")
def test_a_held_batch_keeps_its_room_and_a_rejected_one_leaves_it() -> None:
    plant, first, second = two()
    plant.upto(first, "3")
    plant.scan(first, "3", "PV-1107")
    plant.tare(first, "3")
    plant.deviate(first, "3", "1900")
    refusal(RoomTaken, lambda: plant.complete(second, "1"))
    seen = plant.seen(f"batch/{first}")
    plant.sign(RejectBatch(batch=first, why="Spilt.", seen=seen), "quinn")
    plant.complete(second, "1")


@pytest.mark.requirement("D13")
def test_a_weighing_taken_back_needs_the_room_again() -> None:
    plant, first, second = two()
    plant.upto(first, "8")
    plant.complete(second, "1")
    plant.take_back(first, "7")
    refusal(RoomTaken, lambda: plant.scan(first, "7", "PA-7741"))
    plant.verify(second, "1")
    plant.upto(second, "8")
    plant.do_step(first)
    assert plant.batch(first).current.step == "8"
    assert plant.get(Equipment, "B1").batch is None


@pytest.mark.requirement("D13", "A3")
def test_dispatch_into_a_room_at_work_says_that_the_batch_will_wait() -> None:
    plant, first, _ = two()
    plant.complete(first, "1")
    third = plant.dispatched("100013", room="B1")
    order = plant.get(Order, "100013")
    gates = ready_gates(plant, order, "B1", context=plant.context("sana"))
    (gate,) = [one for one in gates if one.gate == "room B1"]
    assert (gate.passed, gate.blocks) == (False, False)
    assert gate.says == f"B1 is at work with batch {first}; this one waits until that is weighed."
    assert not any(
        one.gate == "room B2"
        for one in ready_gates(plant, order, "B2", context=plant.context("sana"))
    )
    assert Counter(type(one.event) for one in plant.written)[BatchCreated] == 3
    assert third == plant.get(Order, "100013").batch
