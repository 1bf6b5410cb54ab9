"""Equipment: scales with calibration and daily check, rooms, lines, and kiosk stations.

`due_on` is the last day on which a calibration holds; a daily check holds until
`valid_until`, closed at that instant. Masses are grams.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from core.errors import AlreadyKnown, Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.quantity import Name, Utc, require_above_zero
from core.reading import ScaleReading, stable_g


class EquipmentKind(StrEnum):
    """What a piece of equipment is for."""

    SCALE = "scale"
    ROOM = "room"
    UNIT = "unit"
    LINE = "line"
    PRINTER = "printer"


class RegisterEquipment(Command, frozen=True, kw_only=True, tag="equipment.register"):
    """Make a piece of equipment known; a scale gives its capacity and check, a room its scale."""

    equipment: Name
    kind: EquipmentKind
    name: str
    area: str
    serial: str | None = None
    capacity_g: Decimal | None = None
    readability_g: Decimal | None = None
    check_weight_g: Decimal | None = None
    check_tolerance_percent: Decimal | None = None
    check_valid_h: Annotated[int, Meta(le=168)] = 8
    scale: Name | None = None


class RecordCalibration(Command, frozen=True, kw_only=True, tag="instrument.record-calibration"):
    """Enter a calibration certificate."""

    equipment: Name
    certificate: Name
    calibrated_on: date
    due_on: date


class RecordDailyCheck(Command, frozen=True, kw_only=True, tag="daily-check.record"):
    """Weigh the check weight and let the rule judge."""

    equipment: Name
    reading: ScaleReading


class BindStation(Command, frozen=True, kw_only=True, tag="station.bind"):
    """Tie a kiosk to its room, its scale and its printer."""

    station: Name
    room: Name
    scale: Name | None = None
    printer: Name | None = None


class EquipmentRegistered(Event, frozen=True, kw_only=True, tag="equipment.registered"):
    """A piece of equipment is known from here on."""

    equipment: str
    kind: EquipmentKind
    name: str
    area: str
    serial: str | None
    capacity_g: Decimal | None
    readability_g: Decimal | None
    check_weight_g: Decimal | None
    check_tolerance_percent: Decimal | None
    check_valid_h: int
    scale: str | None = None


class InstrumentCalibrated(Event, frozen=True, kw_only=True, tag="instrument.calibrated"):
    """A certificate is in force until its due day, included."""

    equipment: str
    certificate: str
    calibrated_on: date
    due_on: date


class DailyCheckPassed(Event, frozen=True, kw_only=True, tag="daily-check.passed"):
    """The check weight was shown within tolerance."""

    equipment: str
    nominal_g: Decimal
    shown_g: Decimal
    low_g: Decimal
    high_g: Decimal
    valid_until: Utc
    reading: ScaleReading


class DailyCheckFailed(Event, frozen=True, kw_only=True, tag="daily-check.failed"):
    """The check weight was shown outside tolerance; the scale is locked until a pass."""

    equipment: str
    nominal_g: Decimal
    shown_g: Decimal
    low_g: Decimal
    high_g: Decimal
    reading: ScaleReading


class InstrumentUsed(Event, frozen=True, kw_only=True, tag="instrument.used"):
    """A scale gave an accepted reading: one line of its logbook."""

    equipment: str
    batch: str
    step: str
    net_g: Decimal
    certificate: str


class RoomOccupied(Event, frozen=True, kw_only=True, tag="room.occupied"):
    """A batch is weighed in the room from here on, and no other."""

    equipment: str
    batch: str


class RoomVacated(Event, frozen=True, kw_only=True, tag="room.vacated"):
    """The batch has nothing more to weigh here; the next one may begin."""

    equipment: str
    batch: str


class StationBound(Event, frozen=True, kw_only=True, tag="station.bound"):
    """The kiosk's room, scale and printer from here on."""

    station: str
    room: str
    scale: str | None
    printer: str | None


type EquipmentCommand = RegisterEquipment | RecordCalibration | RecordDailyCheck | BindStation


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """A piece of equipment."""

    KIND: ClassVar[str] = "equipment"
    equipment: str
    kind: EquipmentKind
    name: str
    area: str
    serial: str | None = None
    capacity_g: Decimal | None = None
    readability_g: Decimal | None = None
    check_weight_g: Decimal | None = None
    check_tolerance_percent: Decimal | None = None
    check_valid_h: int = 8
    certificate: str | None = None
    calibration_due_on: date | None = None
    checked_at: datetime | None = None
    check_valid_until: datetime | None = None
    check_failed: bool = False
    check_shown_g: Decimal | None = None
    batch: str | None = None  # being weighed in this room
    scale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A kiosk and what stands around it."""

    KIND: ClassVar[str] = "station"
    station: str
    room: str
    scale: str | None = None
    printer: str | None = None


class NotAScale(Refused):
    """The rule needs a scale with capacity, readability and check weight."""

    def __init__(self, equipment: str) -> None:
        super().__init__(f"{equipment}: is not a scale with a check weight. Choose a scale.")


class CalibrationDoesNotFit(Refused):
    """A certificate is of a day that was, and holds at least that day."""

    def __init__(self, equipment: str, why: str) -> None:
        super().__init__(
            f"{equipment}: {why}. Read the certificate again.", equipment=equipment, why=why
        )


class WrongDevice(Refused):
    """The reading came from another device than the registered one."""

    is_evidence = True

    def __init__(self, scale: Equipment, reported: str) -> None:
        super().__init__(
            f"Scale {scale.equipment}: the device reports serial {reported}, registered is"
            f" {scale.serial}. Stop weighing here and call engineering.",
            scale=scale.equipment,
            reported=reported,
            registered=scale.serial,
        )


def check_device(scale: Equipment, reading: ScaleReading) -> None:
    """Refuse a reading whose device is not the registered one."""
    if scale.serial is not None and reading.serial != scale.serial:
        raise WrongDevice(scale, reading.serial)


def decide(plant: Plant, command: EquipmentCommand, context: Context) -> Facts:
    """Return what a command about equipment causes, or refuse it.

    Raises:
        AlreadyKnown: the equipment id was used before.
        NotAboveZero, CalibrationDoesNotFit: figures or days cannot be.
        NotAScale: a check is asked of something without a check weight.
        WrongDevice, NotStable: the reading cannot be used.
    """
    match command:
        case RegisterEquipment() as it:
            if plant.get(Equipment, it.equipment) is not None:
                raise AlreadyKnown("Equipment", it.equipment)
            _check_figures(it)
            registered = EquipmentRegistered(
                equipment=it.equipment,
                kind=it.kind,
                name=it.name,
                area=it.area,
                serial=it.serial,
                capacity_g=it.capacity_g,
                readability_g=it.readability_g,
                check_weight_g=it.check_weight_g,
                check_tolerance_percent=it.check_tolerance_percent,
                check_valid_h=it.check_valid_h,
                scale=it.scale,
            )
            return (Fact(f"equipment/{it.equipment}", registered),)
        case RecordCalibration() as it:
            need(plant, Equipment, it.equipment)
            _check_certificate(it, context.today)
            calibrated = InstrumentCalibrated(
                equipment=it.equipment,
                certificate=it.certificate,
                calibrated_on=it.calibrated_on,
                due_on=it.due_on,
            )
            return (Fact(f"equipment/{it.equipment}", calibrated),)
        case RecordDailyCheck() as it:
            return _daily_check(need(plant, Equipment, it.equipment), it.reading, context.at)
        case BindStation() as it:
            for equipment in (it.room, it.scale, it.printer):
                if equipment is not None:
                    need(plant, Equipment, equipment)
            bound = StationBound(
                station=it.station, room=it.room, scale=it.scale, printer=it.printer
            )
            return (Fact(f"station/{it.station}", bound),)


def _check_certificate(it: RecordCalibration, today: date) -> None:
    if it.calibrated_on > today:
        why = f"calibrated on {it.calibrated_on}, which is after today, {today}"
        raise CalibrationDoesNotFit(it.equipment, why)
    if it.due_on < it.calibrated_on:
        why = f"due on {it.due_on}, before it was calibrated on {it.calibrated_on}"
        raise CalibrationDoesNotFit(it.equipment, why)


def _check_figures(it: RegisterEquipment) -> None:
    """Refuse figures under which a scale would never, or always, pass."""
    figures = {
        "capacity": it.capacity_g,
        "readability": it.readability_g,
        "check weight": it.check_weight_g,
        "check tolerance in percent": it.check_tolerance_percent,
        "hours a check holds": Decimal(it.check_valid_h),
    }
    for what, value in figures.items():
        if value is not None:
            require_above_zero(f"{it.equipment}, {what}", value, "")


def _daily_check(scale: Equipment, reading: ScaleReading, at: datetime) -> Facts:
    nominal_g, percent = scale.check_weight_g, scale.check_tolerance_percent
    if nominal_g is None or percent is None:
        raise NotAScale(scale.equipment)
    check_device(scale, reading)
    shown_g = stable_g(reading)
    half_g = nominal_g * percent / 100
    low_g, high_g = nominal_g - half_g, nominal_g + half_g
    stream = f"equipment/{scale.equipment}"
    if low_g <= shown_g <= high_g:
        passed = DailyCheckPassed(
            equipment=scale.equipment,
            nominal_g=nominal_g,
            shown_g=shown_g,
            low_g=low_g,
            high_g=high_g,
            valid_until=at + timedelta(hours=scale.check_valid_h),
            reading=reading,
        )
        return (Fact(stream, passed),)
    failed = DailyCheckFailed(
        equipment=scale.equipment,
        nominal_g=nominal_g,
        shown_g=shown_g,
        low_g=low_g,
        high_g=high_g,
        reading=reading,
    )
    return (Fact(stream, failed),)


def apply(equipment: Equipment | None, fact: Recorded) -> Equipment:
    """Fold one event of an equipment's stream."""
    match fact.event:
        case EquipmentRegistered() as it:
            return Equipment(
                equipment=it.equipment,
                kind=it.kind,
                name=it.name,
                area=it.area,
                serial=it.serial,
                capacity_g=it.capacity_g,
                readability_g=it.readability_g,
                check_weight_g=it.check_weight_g,
                check_tolerance_percent=it.check_tolerance_percent,
                check_valid_h=it.check_valid_h,
                scale=it.scale,
            )
        case event:
            assert equipment is not None, fact
    match event:
        case InstrumentCalibrated() as cal:
            return replace(equipment, certificate=cal.certificate, calibration_due_on=cal.due_on)
        case DailyCheckPassed() as ok:
            return replace(
                equipment,
                checked_at=fact.at,
                check_valid_until=ok.valid_until,
                check_failed=False,
                check_shown_g=ok.shown_g,
            )
        case DailyCheckFailed() as bad:
            return replace(
                equipment, checked_at=fact.at, check_failed=True, check_shown_g=bad.shown_g
            )
        case RoomOccupied(batch=batch):
            return replace(equipment, batch=batch)
        case RoomVacated():
            return replace(equipment, batch=None)
        case _:
            return equipment


def apply_station(station: Station | None, fact: Recorded) -> Station:
    """Fold one event of a station's stream: the newest binding stands."""
    match fact.event:
        case StationBound() as it:
            return Station(station=it.station, room=it.room, scale=it.scale, printer=it.printer)
        case _:
            assert station is not None, fact
            return station
