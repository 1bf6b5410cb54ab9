"""The boundary policy: signed versions with a time, and what each choice allows and refuses."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from config.boundary import profiles, read_profile
from core.authority import PlantRules
from core.boundary import (
    EffectiveTooEarly,
    EffectiveTooLate,
    PolicyUnchanged,
    SignBoundaryPolicy,
)
from core.dispatch import DispatchOrder, NotReady
from core.errors import Unknown, WrongState
from core.material import ContainerQuantity, Lot, ReceiveLot
from core.order import OpenOrder, Order, OrderState
from core.order_link import LinkedElsewhere, LinkOrder, OrdersDiffer
from core.policy import Decisions, LotBirthRefused, OriginRefused
from core.signature import RecordMoved, SignatureApplied, SignatureRequired
from tests.hands import ORDER, PACK, refusal
from tests.paper import Paper, paper

STREAM = f"plant/{PACK.id}"


def decisions(plant: Paper, **changes: str) -> Decisions:
    return msgspec.structs.replace(plant.get(PlantRules, PACK.id).policies[-1].decisions, **changes)


def policy(plant: Paper, *, at: datetime | None = None, **changes: str) -> SignBoundaryPolicy:
    return SignBoundaryPolicy(
        plant=PACK.id,
        profile="pharma",
        decisions=decisions(plant, **changes),
        effective_at=at,
        why="Agreed with finance.",
        seen=plant.seen(STREAM),
    )


def under(**changes: str) -> Paper:
    """Return a plant whose policy has these decisions, whatever its profile says."""
    plant = paper()
    if decisions(plant, **changes) != decisions(plant):
        plant.sign(policy(plant, **changes), "quinn")
    return plant


def open_order(order: str = "M-1", **changes: Any) -> OpenOrder:
    fields = {
        "order": order,
        "product": "PARA500",
        "quantity": Decimal(60),
        "unit": "kg",
        "why": "ERP is down.",
    }
    return OpenOrder(**fields | changes)


@pytest.mark.requirement("B8")
def test_a_change_of_policy_is_a_signed_version_that_says_what_changes() -> None:
    plant = paper()
    command = policy(plant, inventory_cadence="per_shift")
    with pytest.raises(SignatureRequired):
        plant.act(command, "quinn")
    facts = plant.sign(command, "quinn")
    signature = facts[0].event
    assert isinstance(signature, SignatureApplied)
    assert signature.manifest.words == (
        "Boundary policy of tablets, at once: inventory cadence is per_shift, was each_movement."
        " Agreed with finance."
    )
    version = plant.get(PlantRules, PACK.id).policy(plant.at)
    assert (version.version, version.signed_by) == (2, "quinn")
    assert version.decisions.inventory_cadence == "per_shift"
    with pytest.raises(RecordMoved):
        plant.sign(
            msgspec.structs.replace(policy(plant, order_origin="erp"), seen=command.seen), "quinn"
        )


@pytest.mark.requirement("B8")
def test_a_policy_takes_effect_at_its_time_and_not_a_microsecond_before() -> None:
    plant = paper()
    start = plant.at + timedelta(hours=8)
    plant.sign(policy(plant, at=start, order_origin="erp"), "quinn")
    rules = plant.get(PlantRules, PACK.id)
    assert rules.policy(start - timedelta(microseconds=1)).version == 1
    assert rules.policy(start).version == 2
    plant.act(open_order("M-1"), "sana")
    plant.pass_time(hours=8)
    assert refusal(OriginRefused, lambda: plant.act(open_order("M-2"), "sana")) == (
        "Order M-2: the boundary policy says the ERP plans every order. Ask planning for an order."
    )


@pytest.mark.requirement("B8")
def test_a_policy_changes_nothing_that_was() -> None:
    plant = paper()
    early = policy(plant, at=plant.at - timedelta(microseconds=1), order_origin="erp")
    assert "which is now. Choose a later time." in refusal(
        EffectiveTooEarly, lambda: plant.sign(early, "quinn")
    )
    plant.sign(policy(plant, at=plant.at + timedelta(days=2), order_origin="erp"), "quinn")
    before = policy(plant, at=plant.at + timedelta(days=1), lot_birth="receipt")
    assert "when version 2 takes effect" in refusal(
        EffectiveTooEarly, lambda: plant.sign(before, "quinn")
    )
    plant.sign(policy(plant, at=plant.at + timedelta(days=2), lot_birth="receipt"), "quinn")
    assert plant.get(PlantRules, PACK.id).policy(plant.at + timedelta(days=2)).version == 3


@pytest.mark.requirement("B8")
def test_a_policy_a_year_away_stands_and_later_is_a_slip_of_the_pen() -> None:
    plant = paper()
    limit = plant.at + timedelta(days=366)
    late = policy(plant, at=limit + timedelta(microseconds=1), order_origin="erp")
    with pytest.raises(EffectiveTooLate):
        plant.sign(late, "quinn")
    plant.sign(policy(plant, at=limit, order_origin="erp"), "quinn")


@pytest.mark.requirement("B8")
def test_the_same_decisions_are_no_new_version_and_a_plant_without_rules_has_none() -> None:
    plant = paper()
    assert refusal(PolicyUnchanged, lambda: plant.sign(policy(plant), "quinn")) == (
        "Boundary policy: version 1 states the same seven decisions. Change one, then sign."
    )
    elsewhere = msgspec.structs.replace(policy(plant, order_origin="erp"), plant="elsewhere")
    assert refusal(Unknown, lambda: plant.sign(elsewhere, "quinn")) == (
        "plant elsewhere: not known here. Adopt its authority matrix first."
    )


@pytest.mark.requirement("B8")
@pytest.mark.parametrize("name", profiles())
def test_every_profile_can_be_signed_in_a_running_plant(name: str) -> None:
    plant = paper()
    found, _ = read_profile(name)
    assert found is not None
    command = msgspec.structs.replace(
        policy(plant), profile=name, decisions=found.decisions, why=found.says
    )
    if found.decisions != decisions(plant):
        plant.sign(command, "quinn")
    assert plant.get(PlantRules, PACK.id).policy(plant.at).decisions == found.decisions


@pytest.mark.requirement("A1", "A2", "B8")
@pytest.mark.parametrize(
    ("origin", "from_erp", "from_mes"),
    [("erp", True, False), ("erp_and_mes", True, True), ("mes", False, True)],
)
def test_orders_are_born_where_the_policy_says(origin: str, from_erp: bool, from_mes: bool) -> None:
    plant = under(order_origin=origin)
    if from_erp:
        plant.receive()
    else:
        assert refusal(OriginRefused, plant.receive) == (
            f"Order {ORDER}: the boundary policy says orders are opened on the floor."
            " Stop sending orders, or sign another policy."
        )
    if from_mes:
        plant.act(open_order(), "sana")
    else:
        with pytest.raises(OriginRefused):
            plant.act(open_order(), "sana")


@pytest.mark.requirement("B4", "B8")
@pytest.mark.parametrize("owner", ["erp_costs_mes_executes", "mes"])
def test_the_erp_s_bom_blocks_only_where_the_policy_gives_it_a_say(owner: str) -> None:
    plant = under(bom_ownership=owner)
    plant.receive()
    dispatch = DispatchOrder(order=ORDER, room="B1")
    if owner == "mes":
        plant.act(dispatch, "sana")
        gates = {one.gate: one.says for one in plant.written[-4].event.gates}
        assert gates["BOM agrees"] == "The recipe is the only BOM, says the boundary policy."
    else:
        with pytest.raises(NotReady):
            plant.act(dispatch, "sana")


@pytest.mark.requirement("E1", "B8")
@pytest.mark.parametrize("policy_says", ["receipt", "first_weighing", "both"])
@pytest.mark.parametrize("origin", ["receipt", "first_weighing"])
def test_lots_are_born_where_the_policy_says(policy_says: str, origin: str) -> None:
    plant = under(lot_birth=policy_says)
    command = ReceiveLot(
        lot="LA-9",
        material="lactose",
        supplier="Meggle",
        unit="kg",
        containers=(ContainerQuantity(container="C01", quantity=Decimal(25)),),
        origin=origin,
    )
    if policy_says in (origin, "both"):
        plant.act(command, "sana")
        assert plant.get(Lot, "LA-9").origin == origin
    else:
        born, place = origin.replace("_", " "), policy_says.replace("_", " ")
        assert refusal(LotBirthRefused, lambda: plant.act(command, "sana")) == (
            f"Lot LA-9: was to be born at {born}; the boundary policy says at {place}."
            f" Record it at {place}, or sign another policy."
        )


def link(order: str = "M-1", erp_ref: str = ORDER) -> LinkOrder:
    return LinkOrder(order=order, erp_ref=erp_ref, why="Planned afterwards.")


@pytest.mark.requirement("A2")
def test_a_linked_order_is_done_once_under_the_erp_s_number() -> None:
    plant = paper()
    plant.act(open_order(), "sana")
    plant.receive()
    plant.act(link(), "finn")
    assert plant.get(Order, "M-1").erp_ref == ORDER
    erp = plant.get(Order, ORDER)
    assert (erp.state, erp.done_as) == (OrderState.CANCELLED, "M-1")
    plant.receive(quantity=Decimal(61))  # what the ERP says of it now concerns nobody's dispatch
    assert plant.get(Order, ORDER) == erp
    with pytest.raises(WrongState):
        plant.act(DispatchOrder(order=ORDER, room="B1"), "sana")


@pytest.mark.requirement("A2")
def test_a_link_that_would_be_a_guess_is_refused() -> None:
    plant = paper()
    plant.act(open_order(), "sana")
    assert refusal(Unknown, lambda: plant.act(link(), "finn")) == (
        f"order {ORDER}: not known here. Wait until the ERP's order was received."
    )
    plant.receive(quantity=Decimal(61))
    assert refusal(OrdersDiffer, lambda: plant.act(link(), "finn")) == (
        f"Order M-1: is for 60 kg of PARA500; ERP order {ORDER} is for 61 kg of PARA500."
        " Correct the ERP's order, then link."
    )
    plant.receive("1000179", quantity=Decimal(60_000), unit="g")
    plant.act(link(erp_ref="1000179"), "finn")
    assert "linked to ERP order 1000179" in refusal(WrongState, lambda: plant.act(link(), "finn"))
    plant.act(open_order("M-2"), "sana")
    assert (
        refusal(LinkedElsewhere, lambda: plant.act(link("M-2", erp_ref="1000179"), "finn"))
        == "ERP order 1000179: is carried out by M-1 already. Choose another ERP order."
    )
    assert "opened in the MES" in refusal(
        WrongState, lambda: plant.act(link("M-2", erp_ref="M-1"), "finn")
    )
