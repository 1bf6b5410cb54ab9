"""A lot that is born at its first weighing: where the policy lets it, from what its label says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.authority import PlantRules
from core.boundary import SignBoundaryPolicy
from core.container import LotNotReleased
from core.errors import AlreadyKnown
from core.first_weighing import BeginLot, OtherMaterial
from core.material import Lot, LotCreated, LotStatus, Material
from core.policy import LotBirthRefused
from core.quantity import NotAboveZero
from core.scan import UnreadableScan
from tests.hands import PACK, refusal
from tests.paper import Paper, paper

STREAM = f"plant/{PACK.id}"


def at_step(lot_birth: str = "both") -> tuple[Paper, str]:
    plant = paper()
    held = plant.get(PlantRules, PACK.id).policies[-1].decisions
    if held.lot_birth != lot_birth:
        changed = msgspec.structs.replace(held, lot_birth=lot_birth)
        plant.sign(
            SignBoundaryPolicy(
                plant=PACK.id, profile="pharma", decisions=changed, why="Agreed.",
                seen=plant.seen(STREAM),
            ),
            "quinn",
        )  # fmt: skip
    return plant, plant.upto(plant.dispatched(), "3")


def begin(batch: str, **changes: Any) -> BeginLot:
    told: dict[str, Any] = {
        "batch": batch, "step": "3", "raw": "(10)N-1(21)1", "lot": "N-1", "container": "1",
        "expires_on": date(2027, 6, 30), "supplier": "Acme", "quantity": Decimal(25), "unit": "kg",
    }  # fmt: skip
    return BeginLot(**told | changes)


@pytest.mark.requirement("E1", "B8")
@pytest.mark.parametrize("lot_birth", ["first_weighing", "both"])
def test_a_lot_is_born_in_quarantine_and_says_where(lot_birth: str) -> None:
    plant, batch = at_step(lot_birth)
    facts = plant.act(begin(batch), "olga")
    assert [type(one.event) for one in facts] == [LotCreated, LotCreated]
    assert {one.reason for one in facts} == {f"First scanned at step 3 of batch {batch}."}
    lot = plant.get(Lot, "N-1")
    assert (lot.origin, lot.status, lot.supplier) == (
        "first_weighing", LotStatus.QUARANTINE, "Acme",
    )  # fmt: skip
    assert lot.containers == {"1": Decimal(25000)}
    with pytest.raises(LotNotReleased):
        plant.scan(batch, "3", "N-1", container="1")
    assert refusal(AlreadyKnown, lambda: plant.act(begin(batch), "olga")).startswith("Lot N-1")


@pytest.mark.requirement("B8")
def test_where_lots_are_born_at_receipt_a_weighing_begins_none() -> None:
    plant, batch = at_step("receipt")
    assert refusal(LotBirthRefused, lambda: plant.act(begin(batch), "olga")) == (
        "Lot N-1: was to be born at first weighing; the boundary policy says at receipt."
        " Record it at receipt, or sign another policy."
    )
    assert plant.get(Lot, "N-1") is None


def test_a_label_of_another_material_or_without_a_lot_begins_none() -> None:
    plant, batch = at_step()
    wanted = plant.get(Material, "povidone")
    plant.act(begin(batch, lot="N-2", gtin=wanted.gtin), "olga")
    other = begin(batch, gtin="04012345000023")
    assert refusal(OtherMaterial, lambda: plant.act(other, "olga")) == (
        f"Lot N-1: its label has GTIN 04012345000023; step 3 needs povidone, GTIN {wanted.gtin}."
        " Put the container aside and call QA."
    )
    for missing in ({"lot": None}, {"container": None}):
        with pytest.raises(UnreadableScan):
            plant.act(begin(batch, **missing), "olga")
    with pytest.raises(NotAboveZero):
        plant.act(begin(batch, quantity=Decimal(0)), "olga")
