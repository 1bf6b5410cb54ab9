"""Materials and lots: taken in, decided under signature, dispensed exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.container import ContainerUnknown, LotNotReleased, check_usable, dispense
from core.errors import AlreadyKnown, Unknown, WrongState
from core.material import (
    AssayOutOfRange,
    ChangeLotStatus,
    ContainerQuantity,
    ContainersDoNotFit,
    Lot,
    LotStatus,
    Material,
    ReceiveLot,
    RegisterMaterial,
)
from core.quantity import NotAboveZero, UnitMismatch, UnknownUnit
from core.signature import SignatureRequired
from tests.hands import AT, refusal
from tests.paper import Paper, paper


def receive(plant: Paper, lot: str = "LA-9", unit: str = "kg", material: str = "lactose") -> None:
    containers = (
        ContainerQuantity(container="C01", quantity=Decimal("25.0")),
        ContainerQuantity(container="C02", quantity=Decimal("0.5")),
    )
    plant.act(
        ReceiveLot(lot=lot, material=material, supplier="S", unit=unit, containers=containers),
        "sana",
    )


@pytest.mark.requirement("E1", "B6")
def test_received_lot_waits_in_quarantine_in_the_material_s_unit() -> None:
    plant = paper()
    receive(plant)
    lot = plant.get(Lot, "LA-9")
    assert (lot.status, lot.unit, lot.left) == (LotStatus.QUARANTINE, "g", 25_500)
    assert plant.get(Material, "lactose").lots[-1] == "LA-9"


def test_lot_and_material_are_registered_once() -> None:
    plant = paper()
    assert refusal(AlreadyKnown, lambda: receive(plant, "LA-2291")) == (
        "Lot LA-2291: already registered; names are never reused. Choose another name."
    )
    again = RegisterMaterial(material="lactose", name="lactose", unit="g")
    assert refusal(AlreadyKnown, lambda: plant.act(again, "erik")) == (
        "Material lactose: already registered; names are never reused. Choose another name."
    )


def test_lot_of_unknown_material_or_other_unit_is_refused() -> None:
    plant = paper()
    assert refusal(Unknown, lambda: receive(plant, material="sugar")) == (
        "material sugar: not known here. Register the material first."
    )
    assert refusal(UnitMismatch, lambda: receive(plant, unit="L")) == (
        "Unit L: cannot be turned into g. Give the quantity in g."
    )


@pytest.mark.requirement("E1")
def test_status_changes_under_signature_and_only_to_another() -> None:
    plant = paper()
    receive(plant)

    def change(status: LotStatus) -> ChangeLotStatus:
        return ChangeLotStatus(lot="LA-9", status=status, why="CoA.", seen=plant.seen("lot/LA-9"))

    assert refusal(SignatureRequired, lambda: plant.act(change(LotStatus.RELEASED), "quinn")) == (
        'Signature: "I decide this lot\'s status" needs badge or user id, and secret.'
        " Sign to go on."
    )
    plant.sign(change(LotStatus.RELEASED), "quinn")
    assert refusal(WrongState, lambda: plant.sign(change(LotStatus.RELEASED), "quinn")) == (
        "Lot LA-9: is released, must be another status. Nothing to change."
    )
    check_usable(plant.get(Lot, "LA-9"), today=AT.date())
    plant.sign(change(LotStatus.ON_HOLD), "quinn")
    assert refusal(
        LotNotReleased, lambda: check_usable(plant.get(Lot, "LA-9"), today=AT.date())
    ).startswith("Lot LA-9: is on_hold")


@pytest.mark.requirement("E1")
@pytest.mark.parametrize("status", [one for one in LotStatus if one is not LotStatus.RELEASED])
def test_only_a_released_lot_is_usable(status: LotStatus) -> None:
    lot = Lot(lot="L", material="lactose", supplier="S", unit="g", status=status)
    refusal(LotNotReleased, lambda: check_usable(lot, today=AT.date()))


def test_dispensing_leaves_the_exact_rest() -> None:
    lot = Lot(lot="L", material="m", supplier="S", unit="g", containers={"C01": Decimal("100.10")})
    taken = dispense(lot, "C01", quantity=Decimal("33.37"), batch="B", step="3")
    assert taken.event.left == Decimal("66.73")
    assert refusal(
        ContainerUnknown,
        lambda: dispense(lot, "C02", quantity=Decimal(1), batch="B", step="3"),
    ) == ("Container C02: lot L has no such container. Scan the label on the container again.")


@pytest.mark.parametrize("unit", ["pcs", "KG", ""])
def test_material_is_kept_in_a_known_unit(unit: str) -> None:
    plant = paper()
    command = RegisterMaterial(material="talc", name="talc", unit=unit)
    assert refusal(UnknownUnit, lambda: plant.act(command, "erik")) == (
        f"Material talc: unit {unit} is not one of mg, g, kg, t, mL, L, EA."
        " Give it in one of these."
    )


def taking_in(*containers: tuple[str, str], assay: str | None = None) -> ReceiveLot:
    return ReceiveLot(
        lot="LA-9", material="lactose", supplier="S", unit="kg",
        containers=tuple(
            ContainerQuantity(container=name, quantity=Decimal(kg)) for name, kg in containers
        ),
        assay_percent=None if assay is None else Decimal(assay),
    )  # fmt: skip


@pytest.mark.requirement("B6")
def test_two_containers_of_one_name_would_lose_a_quantity_and_are_refused() -> None:
    plant = paper()
    twice = taking_in(("C01", "25"), ("C02", "25"), ("C01", "20"))
    assert refusal(ContainersDoNotFit, lambda: plant.act(twice, "sana")) == (
        "Lot LA-9: container C01 is listed twice. Give each container once, with what is in it."
    )
    assert refusal(ContainersDoNotFit, lambda: plant.act(taking_in(), "sana")) == (
        "Lot LA-9: has no container. Give each container once, with what is in it."
    )


@pytest.mark.requirement("B6")
def test_container_holds_more_than_nothing() -> None:
    plant = paper()
    for kg in ("0", "-25"):
        received = taking_in(("C01", "25"), ("C02", kg))
        said = refusal(NotAboveZero, lambda received=received: plant.act(received, "sana"))
        assert said == (
            f"Container C02 of lot LA-9: {kg} kg is not above zero."
            " Give the quantity that is there."
        )
    plant.act(taking_in(("C01", "25"), ("C02", "0.001")), "sana")


def test_assay_holds_both_limits() -> None:
    for percent in ("0", "-1", "120.1"):
        plant = paper()
        odd = taking_in(("C01", "25"), assay=percent)
        refusal(AssayOutOfRange, lambda plant=plant, odd=odd: plant.act(odd, "sana"))
    for percent in ("0.1", "100.4", "120"):
        paper().act(taking_in(("C01", "25"), assay=percent), "sana")
