"""What the boundary policy of a fact's own moment says about telling the ERP, in every position."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from config.boundary import SENTENCES, TITLES, choices
from config.calendar import ShiftCalendar, instant
from config.load import calendar
from core.authority import AdoptAuthority, PlantRules
from core.clock import micros
from core.policy import Decisions
from dashboards.boundary import PolicyManner
from erp.events import BY_FACT, EVENTS
from erp.port import Kind
from tests.hands import PACK
from tests.paper import Paper
from tests.test_core_boundary import decisions, policy, under

SHIFTS = calendar(PACK)
CONSUMED, STARTED = BY_FACT["material.consumed"], BY_FACT["work-order.started"]


def manner(plant: Paper, shifts: ShiftCalendar = SHIFTS) -> PolicyManner:
    execution: Any = SimpleNamespace(nouns=plant, plant=PACK.id)
    return PolicyManner(execution, shifts)


def in_a_shift() -> datetime:
    """Return an instant of an early shift, after the policy of `under` was signed."""
    at = datetime(2027, 3, 3, 8, 0, tzinfo=UTC)
    assert SHIFTS.shift_end(micros(at)) is not None
    return at


@pytest.mark.requirement("B8", "K1")
@pytest.mark.parametrize("cadence", choices("inventory_cadence"))
def test_movements_leave_at_once_or_when_their_shift_ends(cadence: str) -> None:
    its, at = manner(under(inventory_cadence=cadence)), in_a_shift()
    end_us = SHIFTS.shift_end(micros(at))
    assert end_us is not None
    gathered = cadence == "per_shift"
    assert its.due(CONSUMED, at) == (instant(end_us) if gathered else at)
    assert its.due(STARTED, at) == at, "what moves no stock never waits"
    last = instant(end_us) - timedelta(microseconds=1)
    later = SHIFTS.shift_end(micros(last))
    assert later is not None
    assert its.due(CONSUMED, last) == (instant(later) if gathered else last)


def test_where_nobody_works_there_is_no_shift_to_wait_for() -> None:
    at = in_a_shift()
    its = manner(under(inventory_cadence="per_shift"), ShiftCalendar((), SHIFTS.zone))
    assert its.due(CONSUMED, at) == at


@pytest.mark.requirement("B8")
def test_a_fact_goes_by_the_policy_of_its_own_moment() -> None:
    """A version that begins in the middle of a shift leaves what was before it as it was."""
    plant = under(inventory_cadence="each_movement")
    begins = plant.at + timedelta(days=2)
    plant.sign(policy(plant, at=begins, inventory_cadence="per_shift"), "quinn")
    its, before = manner(plant), begins - timedelta(microseconds=1)
    assert its.due(CONSUMED, before) == before
    end_us = SHIFTS.shift_end(micros(begins))
    assert its.due(CONSUMED, begins) == (begins if end_us is None else instant(end_us))
    assert its.decisions(begins).inventory_cadence == "per_shift"


@pytest.mark.requirement("B8", "K4")
@pytest.mark.parametrize("origin", choices("order_origin"))
@pytest.mark.parametrize("owner", choices("bom_ownership"))
def test_the_erp_is_asked_only_for_what_the_policy_lets_it_own(origin: str, owner: str) -> None:
    its = manner(under(order_origin=origin, bom_ownership=owner))
    assert its.wanted(Kind.ORDER) is (origin != "mes")
    assert its.wanted(Kind.BOM) is (owner != "mes")


@pytest.mark.requirement("B8", "K6")
@pytest.mark.parametrize("where", choices("deviations"))
def test_deviations_are_told_where_capa_lives_on_the_other_side(where: str) -> None:
    its, at = manner(under(deviations=where)), in_a_shift()
    told = {kind.type for kind in EVENTS if its.told(kind, at)}
    kept = {"mes.deviation_opened.v1", "mes.deviation_closed.v1"}
    assert told == {kind.type for kind in EVENTS} - (kept if where == "mes" else set())


@pytest.mark.requirement("B8", "K9")
@pytest.mark.parametrize(
    ("name", "other"), [("batch_record", "erp"), ("finished_goods_cost", "mes")]
)
def test_a_decision_with_one_position_cannot_be_signed_in_another(name: str, other: str) -> None:
    """The record stays here and the value stays there: no plant can decide otherwise."""
    stated = msgspec.structs.asdict(decisions(under()))
    assert msgspec.convert(stated, Decisions) == decisions(under())
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value"):
        msgspec.convert(stated | {name: other}, Decisions)
    assert choices(name) == (stated[name],)


def test_every_position_of_every_decision_is_one_that_can_be_signed() -> None:
    assert {name for name, _ in SENTENCES} == set(TITLES) == set(Decisions.__struct_fields__)
    for name, value in SENTENCES:
        found = under(**{name: value}).get(PlantRules, PACK.id).policy(in_a_shift())
        assert getattr(found.decisions, name) == value


def test_before_any_policy_everything_is_told_at_once_and_asked_for() -> None:
    plant = Paper()
    matrix = {"order.receive": ("service",)}
    plant.act(AdoptAuthority(plant=PACK.id, zone="Europe/Berlin", matrix=matrix), "ada")
    its, at = manner(plant), in_a_shift()
    assert all(its.told(kind, at) and its.due(kind, at) == at for kind in EVENTS)
    assert its.wanted(Kind.ORDER)
    assert its.wanted(Kind.BOM)
    assert not its.wanted(Kind.ITEM), "nobody may take it in"
