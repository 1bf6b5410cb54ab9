"""Weighing: the right container, a tare, a net weight within its limits; and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.batch.flow import NotTheCurrentStep, StepHeld
from core.batch.state import StepState
from core.container import ContainerShort, ContainerUnknown, LotExpired, LotNotReleased
from core.errors import Refused, Unknown, WrongState
from core.material import Lot
from core.quantity import UnitMismatch
from core.reading import SAYS, NotStable, ReadingStatus
from core.scan import LabelDisagrees, UnknownLot, UnreadableScan, WrongMaterial
from core.weighing import (
    NoTare,
    NothingScanned,
    NothingWeighed,
    OutOfTolerance,
    RecordTare,
    RecordWeight,
    ScaleElsewhere,
    TareNegative,
    WithinTolerance,
)
from tests.hands import TARE_G, reading, refusal
from tests.paper import Paper, paper


def at_step(step: str) -> tuple[Paper, str]:
    plant = paper()
    return plant, plant.upto(plant.dispatched(), step)


def poured(step: str, lot: str) -> tuple[Paper, str]:
    """Return a plant whose step is scanned and tared."""
    plant, batch = at_step(step)
    plant.scan(batch, step, lot)
    plant.tare(batch, step)
    return plant, batch


type Scan = Callable[[Paper, str], object]


@pytest.mark.requirement("D4")
@pytest.mark.parametrize(
    ("kind", "scan", "sentence"),
    [
        (WrongMaterial, lambda p, b: p.scan(b, "3", "LA-2291"),
         "This is lactose, lot LA-2291. Step 3 needs povidone. Scan a povidone container."),
        (UnreadableScan, lambda p, b: p.scan(b, "3", None, raw="hello"),
         "Scan hello: names no lot and container. Scan the container's own label."),
        (UnreadableScan, lambda p, b: p.scan(b, "3", "PV-1107", container=None, raw="PV-1107"),
         "Scan PV-1107: names no lot and container. Scan the container's own label."),
        (UnknownLot, lambda p, b: p.scan(b, "3", "ZZ-1"),
         "Lot ZZ-1: not known here. Scan a container that was received, or call QA."),
        (LotExpired, lambda p, b: p.scan(b, "3", "PV-0871"),
         "Lot PV-0871: expired on 2026-11-11, today is 2026-11-23."
         " Scan a container of a lot that is in date."),
        (ContainerUnknown, lambda p, b: p.scan(b, "3", "PV-1107", container="C09"),
         "Container C09: lot PV-1107 has no such container. Scan the label on the container"
         " again."),
        (LabelDisagrees, lambda p, b: p.scan(b, "3", "PV-1107", gtin="04012345000023"),
         "Lot PV-1107: the label says GTIN 04012345000023, the record says 04012345000030."
         " Put the container aside and call QA."),
        (LabelDisagrees, lambda p, b: p.scan(b, "3", "PV-1107", expires_on=date(2030, 1, 1)),
         "Lot PV-1107: the label says expiry 2030-01-01, the record says 2028-08-24."
         " Put the container aside and call QA."),
    ],
)  # fmt: skip
def test_wrong_scan_is_refused(kind: type[Refused], scan: Scan, sentence: str) -> None:
    plant, batch = at_step("3")
    assert refusal(kind, lambda: scan(plant, batch)) == sentence
    assert kind.is_evidence


@pytest.mark.requirement("D4", "E1")
def test_lot_that_nobody_released_is_refused() -> None:
    plant, batch = at_step("4")
    assert refusal(LotNotReleased, lambda: plant.scan(batch, "4", "CC-3102")) == (
        "Lot CC-3102: is quarantine, only a released lot may be used."
        " Scan a released container, or ask QA to release this lot."
    )


def test_lot_is_good_on_its_last_day_and_not_after() -> None:
    plant, batch = at_step("3")
    lot = plant.get(Lot, "PV-1107")
    days = (lot.expires_on - plant.at.date()).days
    plant.pass_time(days=days)
    plant.scan(batch, "3", "PV-1107")
    plant.pass_time(days=1)
    refusal(LotExpired, lambda: plant.scan(batch, "3", "PV-1107"))


def test_empty_container_is_refused() -> None:
    plant, batch = at_step("6")
    lot = plant.get(Lot, "LA-2291")
    plant.states["lot/LA-2291"] = _left(lot, "C01", Decimal(0))
    assert refusal(ContainerShort, lambda: plant.scan(batch, "6", "LA-2291")) == (
        "Container C01 of lot LA-2291: holds 0 g, 5200 g are to be taken."
        " Weigh less and scan a second container."
    )


def _left(lot: Lot, container: str, left: Decimal) -> Lot:
    return replace(lot, containers={**lot.containers, container: left})


def test_container_gives_what_it_holds_and_no_more() -> None:
    plant, batch = at_step("3")
    lot = plant.get(Lot, "PV-1107")
    plant.states["lot/PV-1107"] = _left(lot, "C01", Decimal("1800.0"))
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    assert refusal(ContainerShort, lambda: plant.weigh(batch, "3", "1800.1")) == (
        "Container C01 of lot PV-1107: holds 1800.0 g, 1800.1 g are to be taken."
        " Weigh less and scan a second container."
    )
    plant.weigh(batch, "3", "1800.0")
    assert plant.get(Lot, "PV-1107").containers["C01"] == 0


@pytest.mark.requirement("C3", "D6")
@pytest.mark.parametrize("net_g", ["1782", "1782.0", "1800", "1809", "1818.0"])
def test_weight_within_both_limits_is_recorded(net_g: str) -> None:
    plant, batch = poured("3", "PV-1107")
    plant.weigh(batch, "3", net_g)
    run = plant.batch(batch).run("3")
    assert (run.state, run.net_g, run.within) == (StepState.DONE, Decimal(net_g), True)
    assert run.partials[0].gross_g - run.partials[0].tare_g == run.net_g


@pytest.mark.requirement("C3", "D6")
@pytest.mark.parametrize(
    ("net_g", "sentence"),
    [
        ("1781.9", "povidone: net 1.7819 kg is under the limits 1.782 kg to 1.818 kg."
                   " Add more, or record the deviation."),
        ("1818.1", "povidone: net 1.8181 kg is over the limits 1.782 kg to 1.818 kg."
                   " Take some out, or record the deviation."),
    ],
)  # fmt: skip
def test_weight_outside_a_limit_is_refused(net_g: str, sentence: str) -> None:
    plant, batch = poured("3", "PV-1107")
    assert refusal(OutOfTolerance, lambda: plant.weigh(batch, "3", net_g)) == sentence
    assert plant.batch(batch).run("3").partials == ()


@pytest.mark.requirement("D6")
def test_over_weigh_of_the_story_is_recorded_as_a_deviation() -> None:
    plant, batch = poured("4", "CC-3044")
    assert refusal(OutOfTolerance, lambda: plant.weigh(batch, "4", "2467")) == (
        "croscarmellose: net 2.467 kg is over the limits 2.376 kg to 2.424 kg."
        " Take some out, or record the deviation."
    )
    plant.deviate(batch, "4", "2467")
    assert plant.batch(batch).held_by == "D26-0001"
    assert refusal(StepHeld, lambda: plant.scan(batch, "4", "CC-3044")) == (
        "Batch B26-0001: held at step 4 by deviation D26-0001."
        " QA must disposition it; QA has been told."
    )


def test_good_weight_is_no_deviation() -> None:
    plant, batch = poured("3", "PV-1107")
    assert refusal(WithinTolerance, lambda: plant.deviate(batch, "3", "1800")) == (
        "povidone: net 1.800 kg is within its limits."
        " Accept the weight; there is nothing to deviate from."
    )


@pytest.mark.parametrize("how", ["weigh", "deviate"])
@pytest.mark.parametrize("net_g", ["0", "-412"])
def test_nothing_on_the_scale_is_neither_weight_nor_deviation(how: str, net_g: str) -> None:
    plant, batch = poured("3", "PV-1107")
    before = plant.get(Lot, "PV-1107").left
    shown = "0.000" if net_g == "0" else "-0.412"
    assert refusal(NothingWeighed, lambda: getattr(plant, how)(batch, "3", net_g)) == (
        f"povidone: net {shown} kg is not above zero."
        " Put the container back on, or take the tare anew."
    )
    assert plant.get(Lot, "PV-1107").left == before


@pytest.mark.requirement("D5")
def test_source_and_tare_come_before_the_weight() -> None:
    plant, batch = at_step("3")
    nothing = "Step 3: no source container was scanned. Scan it first."
    assert refusal(NothingScanned, lambda: plant.tare(batch, "3")) == nothing
    assert refusal(NothingScanned, lambda: plant.weigh(batch, "3", "1800")) == nothing
    plant.scan(batch, "3", "PV-1107")
    assert refusal(NoTare, lambda: plant.weigh(batch, "3", "1800")) == (
        "Step 3: no tare was taken. Put the empty container on and press Tare."
    )


@pytest.mark.requirement("D5")
def test_tare_may_be_zero_and_not_less() -> None:
    plant, batch = at_step("3")
    plant.scan(batch, "3", "PV-1107")
    assert refusal(TareNegative, lambda: plant.tare(batch, "3", "-0.1")) == (
        "Tare: -0.0001 kg is below zero. Zero the empty scale, then take the tare."
    )
    plant.tare(batch, "3", "0")
    assert plant.batch(batch).run("3").tare_g == 0


@pytest.mark.requirement("D5")
def test_a_batch_is_weighed_on_the_scale_of_its_own_room() -> None:
    plant, batch = poured("3", "PV-1107")
    plant.check_scale(scale="B2-S1")
    other = RecordWeight(batch=batch, step="3", reading=reading("2212", scale="B2-S1"))
    assert refusal(ScaleElsewhere, lambda: plant.act(other, "olga")) == (
        "Step 3: scale B2-S1 does not stand in room B1; B1-S1 does. Weigh on B1-S1."
    )
    plant.act(RecordWeight(batch=batch, step="3", reading=reading("2212")), "olga")
    assert plant.batch(batch).run("3").net_g == 1800


@pytest.mark.requirement("D1", "D2")
@pytest.mark.parametrize(
    "status", [one for one in ReadingStatus if one is not ReadingStatus.STABLE]
)
def test_only_a_stable_reading_is_a_weight(status: ReadingStatus) -> None:
    plant, batch = poured("3", "PV-1107")
    moving = RecordWeight(batch=batch, step="3", reading=reading("2212", status=status))
    assert refusal(NotStable, lambda: plant.act(moving, "olga")) == f"Scale B1-S1: {SAYS[status]}"


def test_stable_reading_without_a_value_is_no_weight() -> None:
    plant, batch = poured("3", "PV-1107")
    empty = RecordTare(batch=batch, step="3", reading=reading(None))
    assert refusal(NotStable, lambda: plant.act(empty, "olga")) == (
        "Scale B1-S1: sent no value. Weigh again."
    )


@pytest.mark.requirement("C1")
def test_steps_are_done_in_order_and_by_their_kind() -> None:
    plant, batch = at_step("1")
    assert refusal(NotTheCurrentStep, lambda: plant.scan(batch, "3", "PV-1107")) == (
        "Batch B26-0001: step 3 is not the current one; 1 is next. Go on there."
    )
    assert refusal(WrongState, lambda: plant.scan(batch, "1", "PV-1107")) == (
        "Step 1: is a clearance step, must be weigh. Use the entry this step asks for."
    )
    assert refusal(Unknown, lambda: plant.scan("B26-9999", "1", "PV-1107")) == (
        "batch B26-9999: not known here. Check it."
    )


def test_weighed_step_takes_no_second_weight() -> None:
    plant, batch = poured("3", "PV-1107")
    plant.weigh(batch, "3", "1800")
    assert refusal(WrongState, lambda: plant.weigh(batch, "3", "1800")) == (
        "Step 3: is weighed, must be open. A second person verifies it."
    )


@pytest.mark.requirement("D7")
def test_limits_hold_for_the_sum_of_partial_weighings() -> None:
    plant, batch = poured("3", "PV-1107")
    plant.weigh(batch, "3", "1000", more=True)
    plant.scan(batch, "3", "PV-1107", container="C02")
    plant.tare(batch, "3")
    refusal(OutOfTolerance, lambda: plant.weigh(batch, "3", "818.1", more=True))
    refusal(OutOfTolerance, lambda: plant.weigh(batch, "3", "781.9"))
    plant.weigh(batch, "3", "782")
    run = plant.batch(batch).run("3")
    assert (run.net_g, [one.container for one in run.partials]) == (1782, ["C01", "C02"])


@pytest.mark.requirement("D7")
@given(st.lists(st.decimals("0.1", "300", places=1), min_size=1, max_size=5))
def test_any_partial_weighings_sum_exactly(nets: list[Decimal]) -> None:
    plant, batch = at_step("3")
    rest = Decimal("1800.0") - sum(nets, Decimal(0))
    before = plant.get(Lot, "PV-1107").left
    for number, net in enumerate([*nets, rest]):
        plant.scan(batch, "3", "PV-1107", container=f"C{number % 3 + 1:02d}")
        tare_g = TARE_G + Decimal(number) / 10
        plant.tare(batch, "3", tare_g)
        command = RecordWeight(
            batch=batch, step="3", reading=reading(net + tare_g), more=number < len(nets)
        )
        plant.act(command, "olga")
    run = plant.batch(batch).run("3")
    assert [one.net_g for one in run.partials] == [*nets, rest]
    assert run.net_g == Decimal("1800.0")
    assert before - plant.get(Lot, "PV-1107").left == run.net_g
    assert run.state is StepState.DONE


@pytest.mark.requirement("D1", "E1")
@pytest.mark.parametrize(("unit", "holds", "left"), [("kg", "25", "23.2"), ("g", "2000", "200")])
def test_container_kept_in_another_unit_gives_the_same_mass(
    unit: str, holds: str, left: str
) -> None:
    plant, batch = at_step("3")
    known = plant.get(Lot, "PV-1107")
    plant.states["lot/PV-1107"] = replace(known, unit=unit, containers={"C01": Decimal(holds)})
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    plant.weigh(batch, "3", "1800")
    assert plant.get(Lot, "PV-1107").containers == {"C01": Decimal(left)}


def test_lot_that_is_counted_cannot_be_weighed_from() -> None:
    plant, batch = at_step("3")
    known = plant.get(Lot, "PV-1107")
    plant.states["lot/PV-1107"] = replace(known, unit="EA", containers={"C01": Decimal(5000)})
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    assert refusal(UnitMismatch, lambda: plant.weigh(batch, "3", "1800")) == (
        "Unit g: cannot be turned into EA. Give the quantity in EA."
    )
