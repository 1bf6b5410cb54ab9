"""A quantity that an amendment changes: the ERP's is reversed, naming its fact, and told anew."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.batch.events import MaterialProduced, ProductionReversed
from core.batch.reopen import RejectAmendment
from core.batch.state import Batch
from tests.hands import Hands
from tests.paper import Paper, paper
from tests.test_core_amendment import amend, comment, decided, release, reopen


def told(plant: Paper, batch: str) -> list[tuple[type, Decimal]]:
    kinds = (MaterialProduced, ProductionReversed)
    return [
        (type(one.event), one.event.quantity)
        for one in plant.written
        if isinstance(one.event, kinds) and one.event.batch == batch
    ]


def reject(plant: Hands, name: str) -> None:
    seen = plant.seen(f"amendment/{name}")
    plant.sign(RejectAmendment(amendment=name, why="Too little.", seen=seen), "ines")


@pytest.mark.requirement("K8", "C4")
def test_an_amended_yield_reverses_what_was_told_and_tells_the_new_one() -> None:
    plant = paper()
    batch = decided(plant)
    held = plant.get(Batch, batch)
    assert held.goods is not None
    first = held.goods
    name = reopen(plant, batch)
    amend(plant, name, quantity="58.9")
    release(plant, name)
    assert told(plant, batch) == [
        (MaterialProduced, first.quantity),
        (ProductionReversed, first.quantity),
        (MaterialProduced, Decimal("58.9")),
    ]
    undone = next(one for one in plant.written if isinstance(one.event, ProductionReversed))
    assert isinstance(undone.event, ProductionReversed)
    assert undone.event.corrects == first.entry
    assert undone.event.lot == batch
    again = reopen(plant, batch)
    amend(plant, again, quantity="59.1")
    release(plant, again)
    undone = next(
        one for one in reversed(plant.written) if isinstance(one.event, ProductionReversed)
    )
    standing = [one for one in plant.written if isinstance(one.event, MaterialProduced)]
    assert isinstance(undone.event, ProductionReversed)
    assert undone.event.corrects == standing[1].seq
    assert sum(
        quantity if kind is MaterialProduced else -quantity for kind, quantity in told(plant, batch)
    ) == Decimal("59.1")


def test_an_amendment_that_changes_no_quantity_tells_nothing() -> None:
    plant = paper()
    batch = decided(plant)
    before = told(plant, batch)
    name = reopen(plant, batch)
    comment(plant, name)
    release(plant, name)
    assert told(plant, batch) == before


@pytest.mark.requirement("K8")
def test_a_quantity_is_told_anew_whichever_way_qa_decides() -> None:
    plant = paper()
    batch = decided(plant)
    name = reopen(plant, batch)
    amend(plant, name, quantity="58.9")
    reject(plant, name)
    assert [kind for kind, _ in told(plant, batch)] == [
        MaterialProduced, ProductionReversed, MaterialProduced,
    ]  # fmt: skip
