"""Orders: stated by the ERP, held against gates, dispatched into a batch with a number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from core.bom import ErpBom, bom_drift
from core.dispatch import DispatchOrder, NotReady, decide, ready_gates
from core.errors import AlreadyKnown, Unknown, WrongState
from core.master_data import MasterData
from core.material import Lot, LotStatus
from core.numbering import Sequence
from core.order import BornHere, OpenOrder, Order, OrderState, WithdrawOrder
from core.quantity import NotAboveZero, UnitMismatch, UnknownUnit
from core.recipe import MasterRecipe
from tests.hands import AT, FROM_ERP, ORDER, refusal
from tests.paper import Paper, paper


def dispatch(plant: Paper, order: str = ORDER, room: str = "B1") -> object:
    return plant.act(DispatchOrder(order=order, room=room), "sana", station="office")


def with_order() -> Paper:
    plant = paper()
    plant.receive()
    plant.receive_bom()
    return plant


@pytest.mark.requirement("A1")
def test_same_statement_twice_writes_nothing() -> None:
    plant = with_order()
    before = plant.size()
    plant.receive()
    plant.receive(quantity=Decimal("60.000"))
    plant.receive_bom()
    assert plant.size() == before
    order = plant.get(Order, ORDER)
    assert (order.state, order.origin, order.priority) == (OrderState.WAITING, "erp", None)


@pytest.mark.requirement("A1")
def test_change_before_dispatch_is_taken_and_after_it_is_a_request() -> None:
    plant = with_order()
    plant.receive(priority=20)
    assert plant.get(Order, ORDER).priority == 20
    dispatch(plant)
    plant.receive(priority=10)
    order = plant.get(Order, ORDER)
    assert (order.priority, order.asked) == (20, {"priority": ("20", "10")})
    before = plant.size()
    plant.receive(priority=10)
    assert plant.size() == before
    plant.receive(priority=10, due_at=AT + timedelta(days=1))
    assert set(plant.get(Order, ORDER).asked) == {"priority", "due_at"}


def withdraw(plant: Paper) -> None:
    command = WithdrawOrder(order=ORDER, erp_state="cancelled", provenance=FROM_ERP)
    plant.act(command, "service:erp-pull")


@pytest.mark.requirement("A1", "A3")
def test_an_order_that_the_erp_withdraws_is_not_dispatched_until_it_is_stated_again() -> None:
    plant = with_order()
    withdraw(plant)
    assert plant.get(Order, ORDER).state is OrderState.CANCELLED
    assert refusal(WrongState, lambda: dispatch(plant)) == (
        "Order 1000178: is cancelled, must be waiting or ready. Choose another order."
    )
    before = plant.size()
    withdraw(plant)
    assert plant.size() == before
    plant.receive()
    assert plant.get(Order, ORDER).state is OrderState.WAITING


@pytest.mark.requirement("A1")
def test_withdrawing_an_order_that_is_dispatched_is_a_request_once() -> None:
    plant = with_order()
    dispatch(plant)
    withdraw(plant)
    order = plant.get(Order, ORDER)
    assert (order.state, order.asked) == (
        OrderState.DISPATCHED, {"state": ("dispatched", "cancelled")}
    )  # fmt: skip
    before = plant.size()
    withdraw(plant)
    assert plant.size() == before


@pytest.mark.requirement("A7")
def test_dispatch_makes_a_batch_with_the_next_number() -> None:
    plant = with_order()
    assert plant.dispatched("1000178") == "B26-0001"
    assert plant.dispatched("1000179") == "B26-0002"
    assert plant.get(Sequence, "B26").last == 2
    plant.pass_time(days=39)  # the new year has begun in Berlin
    assert plant.dispatched("1000180") == "B27-0001"
    order = plant.get(Order, "1000178")
    assert (order.state, order.room, order.batch) == (OrderState.DISPATCHED, "B1", "B26-0001")


def test_order_is_dispatched_once() -> None:
    plant = with_order()
    dispatch(plant)
    assert refusal(WrongState, lambda: dispatch(plant)) == (
        "Order 1000178: is dispatched, must be waiting or ready. Choose another order."
    )
    assert refusal(Unknown, lambda: dispatch(plant, order="7")) == (
        "order 7: not known here. Check it."
    )


@pytest.mark.requirement("A4", "B4")
def test_drift_of_the_erp_s_bom_blocks() -> None:
    plant = paper()
    plant.receive()
    assert refusal(NotReady, lambda: dispatch(plant)) == (
        "Order 1000178: not ready. The ERP's BOM of PARA500 was not received. Owner: master data."
    )
    plant.receive_bom(povidone="1.801")
    assert refusal(NotReady, lambda: dispatch(plant)) == (
        "Order 1000178: not ready. BOM differs: povidone: recipe has 1800 g for 60 kg, ERP has"
        " 1801 g for 60 kg. Owner: master data."
    )
    plant.receive_bom()
    dispatch(plant)


@pytest.mark.requirement("B4")
def test_bom_for_another_size_agrees_when_its_ratio_does() -> None:
    plant = with_order()
    bom = plant.get(ErpBom, "PARA500")
    content = plant.get(MasterRecipe, "PARA500@1").content
    double = tuple(msgspec.structs.replace(one, quantity=one.quantity * 2) for one in bom.lines)
    assert bom_drift(content, replace(bom, quantity=Decimal(120_000), unit="g", lines=double)) == ()
    assert len(bom_drift(content, replace(bom, lines=double))) == 5
    split = (
        *bom.lines[1:],
        *(msgspec.structs.replace(bom.lines[0], quantity=Decimal(25_000)),) * 2,
    )
    assert bom_drift(content, replace(bom, lines=split)) == ()


@pytest.mark.requirement("A4")
def test_order_of_another_size_blocks() -> None:
    plant = with_order()
    plant.receive(quantity=Decimal(61))
    assert refusal(NotReady, lambda: dispatch(plant)) == (
        "Order 1000178: not ready. Order is for 61 kg, the recipe makes 60 kg. Owner: planning."
    )
    plant.receive(quantity=Decimal(60_000), unit="g")
    dispatch(plant)


@pytest.mark.requirement("A4")
def test_order_in_a_unit_of_another_kind_is_refused() -> None:
    plant = with_order()
    plant.receive(unit="EA")
    refusal(UnitMismatch, lambda: dispatch(plant))


@pytest.mark.requirement("A4")
def test_stock_gate_counts_released_lots_in_date_only() -> None:
    plant = with_order()
    lot = plant.get(Lot, "PV-1107")
    plant.states["lot/PV-1107"] = replace(lot, containers={"C01": Decimal("1799.9")})
    assert refusal(NotReady, lambda: dispatch(plant)) == (
        "Order 1000178: not ready. povidone: 1799.9 g released and in date, 1800 needed."
        " Owner: warehouse."
    )
    plant.states["lot/PV-1107"] = replace(
        lot, containers={"C01": Decimal(1800)}, status=LotStatus.ON_HOLD
    )
    refusal(NotReady, lambda: dispatch(plant))
    plant.states["lot/PV-1107"] = replace(lot, containers={"C01": Decimal(1800)})
    dispatch(plant)


@pytest.mark.requirement("A4")
def test_calibration_blocks_and_a_missing_daily_check_only_warns() -> None:
    plant = with_order()
    gates = ready_gates(plant, plant.get(Order, ORDER), "B2", context=plant.context("sana"))
    [scale] = [gate for gate in gates if gate.gate == "scale B2-S1"]
    assert (scale.passed, scale.blocks, scale.owner) == (False, False, "dispensing")
    assert scale.says == "Scale B2-S1: daily check missing. Weigh the check weight first."
    equipment = plant.states["equipment/B2-S1"]
    plant.states["equipment/B2-S1"] = replace(equipment, calibration_due_on=None)
    assert refusal(NotReady, lambda: dispatch(plant, room="B2")) == (
        "Order 1000178: not ready. Scale B2-S1: has no calibration, today is 2026-11-23."
        " Use another scale, or have this one calibrated. Owner: dispensing."
    )
    dispatch(plant, room="B1")


@pytest.mark.requirement("A4", "K4")
@pytest.mark.parametrize(
    ("past", "passed"), [(timedelta(0), True), (timedelta(microseconds=1), False)]
)
def test_order_of_the_erp_is_released_on_master_data_up_to_its_longest_age(
    past: timedelta, passed: bool
) -> None:
    plant = with_order()
    known = MasterData(read_at=plant.at - timedelta(hours=24) - past)
    context = plant.context("sana", master_data=known)
    gates = ready_gates(plant, plant.get(Order, ORDER), "B1", context=context)
    [gate] = [one for one in gates if one.gate == "master data fresh"]
    assert (gate.passed, gate.blocks, gate.owner) == (passed, True, "IT")
    assert gate.says == (
        "The ERP's items, BOMs and orders were last read 24 h ago; at most 24 h are allowed."
    )
    if not passed:
        decided = refusal(
            NotReady, lambda: decide(plant, DispatchOrder(order=ORDER, room="B1"), context)
        )
        assert decided == f"Order {ORDER}: not ready. {gate.says} Owner: IT."
    never = plant.context("sana", master_data=MasterData(read_at=None))
    gates = ready_gates(plant, plant.get(Order, ORDER), "B1", context=never)
    assert [one.passed for one in gates if one.gate == "master data fresh"] == [False]
    # what was born here rests on nothing that the ERP states
    born = replace(plant.get(Order, ORDER), origin="mes")
    names = {one.gate for one in ready_gates(plant, born, "B1", context=never)}
    assert "master data fresh" not in names


@pytest.mark.requirement("A4")
def test_room_without_a_scale_and_product_without_a_recipe_block() -> None:
    plant = with_order()
    assert refusal(NotReady, lambda: dispatch(plant, room="G1")) == (
        "Order 1000178: not ready. G1 has no scale bound to it. Owner: engineering."
    )
    plant.receive("9", product="IBU400")
    assert refusal(NotReady, lambda: dispatch(plant, order="9")) == (
        "Order 9: not ready. No effective recipe for IBU400. Owner: engineering."
    )


@pytest.mark.requirement("A2")
def test_order_born_here_has_a_reason_and_needs_no_erp_bom() -> None:
    plant = paper()
    opened = OpenOrder(
        order="M-1", product="PARA500", quantity=Decimal(60), unit="kg", why="ERP is down."
    )
    plant.act(opened, "sana")
    order = plant.get(Order, "M-1")
    assert (order.origin, order.why, order.erp_ref) == ("mes", "ERP is down.", None)
    assert refusal(AlreadyKnown, lambda: plant.act(opened, "sana")) == (
        "Order M-1: already registered; names are never reused. Choose another name."
    )
    dispatch(plant, order="M-1")


@pytest.mark.requirement("A2", "K9")
def test_order_of_the_erp_does_not_take_over_one_that_was_born_here() -> None:
    plant = paper()
    opened = OpenOrder(
        order=ORDER, product="PARA500", quantity=Decimal(60), unit="kg", why="ERP is down."
    )
    plant.act(opened, "sana")
    before = plant.size()
    for changes in ({}, {"quantity": Decimal(30)}):
        said = refusal(BornHere, lambda changes=changes: plant.receive(**changes))
        assert said == (
            "Order 1000178: was opened here under this number; the ERP's order of the same number"
            " is another one. Give the ERP's order another number."
        )
    assert plant.size() == before


@pytest.mark.parametrize("quantity", ["0", "-60"])
def test_nothing_cannot_be_ordered(quantity: str) -> None:
    plant = paper()
    said = refusal(NotAboveZero, lambda: plant.receive(quantity=Decimal(quantity)))
    assert said == (
        f"Order 1000178: {quantity} kg is not above zero. Give the quantity that is there."
    )
    refusal(UnknownUnit, lambda: plant.receive(unit="drums"))
    assert plant.get(Order, ORDER) is None


@pytest.mark.requirement("A4", "K9")
def test_bom_of_another_unit_does_not_agree() -> None:
    plant = with_order()
    bom = plant.get(ErpBom, "PARA500")
    lines = tuple(msgspec.structs.replace(line, unit="mL") for line in bom.lines[:1])
    content = plant.get(MasterRecipe, "PARA500@1").content
    [drift] = bom_drift(content, replace(bom, lines=(*lines, *bom.lines[1:])))
    assert drift == f"{lines[0].material}: is in g and in mL; they measure different things"
