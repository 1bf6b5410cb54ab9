"""What stands around a kiosk: a weight enters a command from the station's own scale only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from capture.reading import Reading, Status
from core.authority import AdoptAuthority
from core.credentials import Secrets
from core.equipment import BindStation, EquipmentKind, RegisterEquipment
from core.errors import Refused
from core.execution import Actor, Execution
from core.ledger.checkpoint import LogKey
from core.people import INSTALLER, RegisterPerson
from core.reading import ReadingStatus, ScaleReading
from dashboards.floor import Floor, as_evidence

AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
LABEL = "(01)04012345000030(17)271231(10)PV-3302(21)7"
MATRIX = {"equipment.register": ("engineer",), "station.bind": ("engineer",)}


def reading(value: str | None = "1809", status: Status = Status.STABLE) -> Reading:
    return Reading(
        value=None if value is None else Decimal(value), unit=None if value is None else "g",
        status=status, device="B1-0001", raw=f"S S {value} g", t_server=AT, t_mono_us=1, seq=1,
    )  # fmt: skip


class Scale:
    """A driver without a device."""

    def __init__(self) -> None:
        self.now = reading()
        self.asked = 0

    @property
    def latest(self) -> Reading:
        return self.now

    def read_stable(self, timeout_s: float = 15.0) -> Reading:
        self.asked += 1
        return self.now


@pytest.fixture(scope="module")
def execution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Execution]:
    data = tmp_path_factory.mktemp("plant")
    built = Execution(
        data / "ledger.db", LogKey("batchwright.test/floor", bytes(range(32))), plant="test",
        secrets=Secrets(f"sqlite:///{Path(data) / 'accounts.db'}"),
    )  # fmt: skip
    with ExitStack() as stack:
        stack.callback(built.close)
        built.start()
        seed(built)
        yield built


def seed(execution: Execution) -> None:
    installer = Actor(INSTALLER)
    engineer = RegisterPerson(person="erik", name="Erik", badge="E1", roles=("engineer",))
    execution.register(engineer, secret="482913", actor=installer, idem="floor-person-erik")
    adopt = AdoptAuthority(plant="test", zone="UTC", matrix=MATRIX)
    execution.submit(adopt, actor=installer, idem="floor-matrix")
    for name, kind in (("B1", EquipmentKind.ROOM), ("B9", EquipmentKind.ROOM)):
        room = RegisterEquipment(equipment=name, kind=kind, name=name, area="A")
        execution.submit(room, actor=Actor("erik"), idem=f"floor-room-{name}")
    for name in ("S1", "S2"):
        scale = RegisterEquipment(equipment=name, kind=EquipmentKind.SCALE, name=name, area="A")
        execution.submit(scale, actor=Actor("erik"), idem=f"floor-scale-{name}")
    bound = (("K1", "B1", "S1"), ("K2", "B1", "S2"), ("K9", "B9", None))
    for station, room_name, scale_name in bound:
        bind = BindStation(station=station, room=room_name, scale=scale_name)
        execution.submit(bind, actor=Actor("erik"), idem=f"floor-bind-{station}")


@pytest.fixture
def scale() -> Scale:
    return Scale()


@pytest.fixture
def floor(execution: Execution, scale: Scale) -> Floor:
    return Floor(execution, {"S1": scale})


@pytest.mark.requirement("D1")
def test_reading_carries_device_unit_and_raw_line_as_received(floor: Floor) -> None:
    assert floor.reading("K1") == ScaleReading(
        scale="S1", serial="B1-0001", status=ReadingStatus.STABLE, value=Decimal(1809), unit="g",
        raw="S S 1809 g", read_at=AT,
    )  # fmt: skip


def test_every_driver_status_has_its_word_in_the_record() -> None:
    for status in Status:
        assert as_evidence("S1", reading(None, status)).status.value == status.value


@pytest.mark.parametrize(
    ("station", "sentence"),
    [
        (
            None,
            "Station: this session is bound to none, and a weight comes only from a station's"
            " scale. Sign in again and choose the station.",
        ),
        (
            "K9",
            "Station K9: has no scale bound to it. Weigh at another station, or call engineering.",
        ),
        (
            "K2",
            "Station K2: scale S2 is not connected. Weigh at another station, or call engineering.",
        ),
        (
            "nowhere",
            "Station nowhere: has no scale bound to it."
            " Weigh at another station, or call engineering.",
        ),
    ],
)
def test_without_a_connected_scale_there_is_no_weight(
    floor: Floor, station: str | None, sentence: str
) -> None:
    for ask in (floor.reading, floor.latest):
        with pytest.raises(Refused) as refusal:
            ask(station)
        assert str(refusal.value) == sentence


def test_scan_gives_the_fields_of_the_label(floor: Floor) -> None:
    assert floor.scan(LABEL) == {
        "raw": LABEL, "gtin": "04012345000030", "lot": "PV-3302", "container": "7",
        "expires_on": date(2027, 12, 31),
    }  # fmt: skip


def test_faulty_label_names_no_lot(floor: Floor) -> None:
    wrong_digit = "(01)04012345000031(10)PV-3302(21)7"
    assert floor.scan(wrong_digit) == {"raw": wrong_digit}


@pytest.mark.parametrize(
    "command",
    [
        "weighing.record-tare",
        "weighing.record-weight",
        "weighing.record-deviating-weight",
        "daily-check.record",
    ],
)
def test_weight_from_a_client_is_refused(floor: Floor, scale: Scale, command: str) -> None:
    with pytest.raises(Refused) as refusal:
        floor.complete(command, {"reading": {"value": "1800"}}, "K1")
    assert str(refusal.value) == (
        f"{command}: carries a reading. The server reads the station's scale itself."
        " Leave `reading` out."
    )
    assert scale.asked == 0


def test_reading_is_filled_in_from_the_stations_scale(floor: Floor, scale: Scale) -> None:
    body: dict[str, Any] = {"batch": "B26-0001", "step": "30"}
    completed = floor.complete("weighing.record-weight", body, "K1")
    assert completed == body | {
        "reading": {
            "scale": "S1", "serial": "B1-0001", "status": "stable", "value": "1809", "unit": "g",
            "raw": "S S 1809 g", "read_at": "2026-03-02T08:15:00.000000Z",
        }
    }  # fmt: skip
    assert scale.asked == 1
    assert "reading" not in body


def test_daily_check_is_of_the_stations_own_scale(floor: Floor) -> None:
    assert floor.complete("daily-check.record", {}, "K1")["equipment"] == "S1"
    with pytest.raises(Refused) as refusal:
        floor.complete("daily-check.record", {"equipment": "S2"}, "K1")
    assert str(refusal.value) == (
        "Scale S2: does not stand at station K1; S1 does. Use S1, or go to the station of S2."
    )


def test_label_is_read_by_the_server(floor: Floor) -> None:
    completed = floor.complete("weighing.scan-container", {"step": "30", "raw": LABEL}, None)
    assert (completed["lot"], completed["expires_on"]) == ("PV-3302", "2027-12-31")
    with pytest.raises(Refused) as refusal:
        floor.complete("weighing.scan-container", {"raw": LABEL, "lot": "LA-2291"}, None)
    assert str(refusal.value) == (
        "weighing.scan-container: carries lot. The server reads the label itself. Send `raw` alone."
    )


def test_other_commands_pass_as_they_are(floor: Floor, scale: Scale) -> None:
    body = {"batch": "B26-0001", "step": "50", "values": {}}
    assert floor.complete("step.complete", body, None) == body
    assert scale.asked == 0
