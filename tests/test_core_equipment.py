"""Equipment: the daily check, the calibration, and when a scale must not be used."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.equipment import (
    BindStation,
    CalibrationDoesNotFit,
    Equipment,
    EquipmentKind,
    NotAScale,
    RecordCalibration,
    RecordDailyCheck,
    RegisterEquipment,
    Station,
    WrongDevice,
)
from core.errors import AlreadyKnown, Unknown
from core.fields import FieldRefused
from core.quantity import NotAboveZero
from core.scale import CalibrationPastDue, DailyCheckMissing, OverCapacity, TooCoarse, scale_faults
from tests.floor import Floor
from tests.hands import AT, reading, refusal
from tests.paper import paper

TODAY = AT.date()


def checked() -> Equipment:
    plant = paper()
    plant.check_scale()
    return plant.get(Equipment, "B1-S1")


@pytest.mark.requirement("D3", "F3")
@pytest.mark.parametrize(
    ("shown", "passes"),
    [("4995", True), ("5000.2", True), ("5005.0", True), ("4994.9", False), ("5005.1", False)],
)
def test_daily_check_holds_both_limits(shown: str, passes: bool) -> None:
    plant = paper()
    plant.check_scale(shown)
    scale = plant.get(Equipment, "B1-S1")
    assert scale.check_failed is not passes
    assert scale.check_shown_g == Decimal(shown)


@pytest.mark.requirement("D3", "F3")
def test_failed_check_locks_the_scale_until_a_pass() -> None:
    plant = paper()
    plant.check_scale()
    plant.check_scale("4990")
    [fault] = scale_faults(plant.get(Equipment, "B1-S1"), at=AT, today=TODAY)
    assert str(fault) == "Scale B1-S1: daily check failed. Weigh the check weight first."
    plant.check_scale()
    assert scale_faults(plant.get(Equipment, "B1-S1"), at=AT, today=TODAY) == ()


@pytest.mark.requirement("D3", "F3")
def test_daily_check_holds_until_its_instant_and_not_after() -> None:
    scale = checked()
    end = AT + timedelta(hours=8)
    assert scale.check_valid_until == end
    assert scale_faults(scale, at=end, today=TODAY) == ()
    [fault] = scale_faults(scale, at=end + timedelta(microseconds=1), today=TODAY)
    assert isinstance(fault, DailyCheckMissing)
    assert str(fault) == (
        "Scale B1-S1: daily check ended at 2026-11-23 13:40 UTC. Weigh the check weight first."
    )


@pytest.mark.requirement("D3")
def test_calibration_holds_on_its_due_day_and_not_after() -> None:
    scale = checked()
    assert scale.calibration_due_on == date(2027, 10, 13)
    assert scale_faults(scale, at=AT, today=date(2027, 10, 13)) == ()
    [fault] = scale_faults(scale, at=AT, today=date(2027, 10, 14))
    assert isinstance(fault, CalibrationPastDue)
    assert str(fault) == (
        "Scale B1-S1: calibration ended on 2027-10-13, today is 2027-10-14."
        " Use another scale, or have this one calibrated."
    )


@pytest.mark.requirement("D3")
def test_load_may_reach_the_capacity_and_not_pass_it() -> None:
    scale = checked()
    assert scale_faults(scale, at=AT, today=TODAY, gross_g=Decimal(64000)) == ()
    [fault] = scale_faults(scale, at=AT, today=TODAY, gross_g=Decimal("64000.1"))
    assert isinstance(fault, OverCapacity)
    assert str(fault) == (
        "Scale B1-S1: 64.0001 kg is over its capacity of 64.000 kg. Use a larger scale."
    )


@pytest.mark.requirement("D3")
def test_readability_may_be_a_quarter_of_the_tolerance_and_not_more() -> None:
    scale = checked()
    assert scale_faults(scale, at=AT, today=TODAY, half_width_g=Decimal("0.4")) == ()
    [fault] = scale_faults(scale, at=AT, today=TODAY, half_width_g=Decimal("0.39"))
    assert isinstance(fault, TooCoarse)
    assert str(fault) == (
        "Scale B1-S1: reads in steps of 0.1 g, a tolerance of ±0.39 g needs steps of 0.0975 g or"
        " finer. Use a finer scale."
    )


@pytest.mark.requirement("D3")
def test_every_reason_is_given_not_only_the_first() -> None:
    bare = replace(checked(), certificate=None, calibration_due_on=None, check_valid_until=None)
    found = scale_faults(
        bare, at=AT, today=TODAY, gross_g=Decimal(65000), half_width_g=Decimal("0.1")
    )
    assert [fault.rule for fault in found] == [
        "CalibrationPastDue", "DailyCheckMissing", "OverCapacity", "TooCoarse"
    ]  # fmt: skip
    assert str(found[0]) == (
        "Scale B1-S1: has no calibration, today is 2026-11-23."
        " Use another scale, or have this one calibrated."
    )
    assert str(found[1]) == "Scale B1-S1: daily check missing. Weigh the check weight first."


@pytest.mark.requirement("D3")
def test_scale_that_is_not_fit_takes_no_tare() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "3")
    plant.scan(batch, "3", "PV-1107")
    plant.pass_time(hours=9)
    refusal(DailyCheckMissing, lambda: plant.tare(batch, "3"))


def test_reading_of_another_device_is_refused() -> None:
    plant = paper()
    foreign = RecordDailyCheck(equipment="B1-S1", reading=reading("5000", serial="B0000000"))
    assert refusal(WrongDevice, lambda: plant.act(foreign, "olga")) == (
        "Scale B1-S1: the device reports serial B0000000, registered is B634210871."
        " Stop weighing here and call engineering."
    )


def test_check_needs_a_check_weight() -> None:
    plant = paper()
    check = RecordDailyCheck(equipment="G1", reading=reading("5000"))
    assert refusal(NotAScale, lambda: plant.act(check, "olga")) == (
        "G1: is not a scale with a check weight. Choose a scale."
    )


def test_equipment_is_registered_once_and_named_before_use() -> None:
    plant = paper()
    again = RegisterEquipment(equipment="G1", kind=EquipmentKind.UNIT, name="G", area="A")
    assert refusal(AlreadyKnown, lambda: plant.act(again, "erik")) == (
        "Equipment G1: already registered; names are never reused. Choose another name."
    )
    certificate = RecordCalibration(
        equipment="X9", certificate="C", calibrated_on=TODAY, due_on=TODAY
    )
    assert refusal(Unknown, lambda: plant.act(certificate, "erik")) == (
        "equipment X9: not known here. Check it."
    )
    refusal(Unknown, lambda: plant.act(BindStation(station="K", room="B1", scale="X9"), "erik"))
    assert plant.get(Station, "K") is None


@pytest.mark.requirement("F3")
@pytest.mark.parametrize(
    ("calibrated", "due", "why"),
    [
        (1, 90, "calibrated on 2026-11-24, which is after today, 2026-11-23"),
        (-3, -4, "due on 2026-11-19, before it was calibrated on 2026-11-20"),
    ],
)
def test_certificate_of_days_that_cannot_be_is_refused(calibrated: int, due: int, why: str) -> None:
    plant = paper()
    command = RecordCalibration(
        equipment="B1-S1", certificate="CAL-9", calibrated_on=TODAY + timedelta(days=calibrated),
        due_on=TODAY + timedelta(days=due),
    )  # fmt: skip
    assert refusal(CalibrationDoesNotFit, lambda: plant.act(command, "erik")) == (
        f"B1-S1: {why}. Read the certificate again."
    )
    today = RecordCalibration(
        equipment="B1-S1", certificate="CAL-9", calibrated_on=TODAY, due_on=TODAY
    )
    plant.act(today, "erik")


def scale(**fields: object) -> RegisterEquipment:
    return RegisterEquipment(
        equipment="B9-S1", kind=EquipmentKind.SCALE, name="Scale", area="Dispensing", **fields
    )


@pytest.mark.parametrize(
    "field",
    ["capacity_g", "readability_g", "check_weight_g", "check_tolerance_percent", "check_valid_h"],
)
def test_figures_of_a_scale_are_above_zero(floor: Floor, field: str) -> None:
    for value in (0, -1):
        given = value if field == "check_valid_h" else Decimal(value)
        odd = scale(**{field: given})
        said = refusal(NotAboveZero, lambda odd=odd: floor.act(odd, "erik"))
        assert said.startswith("B9-S1, ")
    refusal(FieldRefused, lambda: floor.act(scale(check_valid_h=169), "erik"))
    floor.act(scale(check_valid_h=168), "erik")
