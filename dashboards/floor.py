"""What stands around a kiosk: its scale and its scanner, turned into what commands carry.

A weight enters a command here and nowhere else: the server reads the scale that is bound to
the station. Blocking reads are done before the command queue, on the caller's own thread.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from capture import barcode
from capture.reading import Reading
from capture.scales.driver import Scale, ScaleSettings
from capture.transport import Port
from core.clock import iso
from core.equipment import Station
from core.errors import Refused
from core.execution import Execution
from core.quantity import plain
from core.reading import ReadingStatus, ScaleReading
from dashboards.live import Hub

STABLE_TIMEOUT_S = 8.0
SCAN = "weighing.scan-container"
DAILY_CHECK = "daily-check.record"
WEIGHS = (
    "weighing.record-tare",
    "weighing.record-weight",
    "weighing.record-deviating-weight",
    DAILY_CHECK,
)
READ_FROM_LABEL = ("gtin", "lot", "container", "expires_on")


class NoStation(Refused):
    """The act needs the devices of a kiosk."""

    def __init__(self) -> None:
        super().__init__(
            "Station: this session is bound to none, and a weight comes only from a station's"
            " scale. Sign in again and choose the station."
        )


class NoScale(Refused):
    """No scale is bound to the station, or none is connected to this server."""

    def __init__(self, station: str, scale: str | None) -> None:
        what = "has no scale bound to it" if scale is None else f"scale {scale} is not connected"
        super().__init__(
            f"Station {station}: {what}. Weigh at another station, or call engineering.",
            station=station,
            scale=scale,
        )


class WeightFromElsewhere(Refused):
    """Whoever asks may not say what a scale showed."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"{command}: carries a reading. The server reads the station's scale itself."
            " Leave `reading` out.",
            command=command,
        )


class LabelFromElsewhere(Refused):
    """Whoever asks may not say what a label means."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"{SCAN}: carries {', '.join(fields)}. The server reads the label itself."
            " Send `raw` alone.",
            fields=", ".join(fields),
        )


class OtherScale(Refused):
    """The scale asked for stands elsewhere."""

    def __init__(self, station: str, *, asked: str, own: str) -> None:
        super().__init__(
            f"Scale {asked}: does not stand at station {station}; {own} does."
            f" Use {own}, or go to the station of {asked}.",
            station=station,
            asked=asked,
            own=own,
        )


class Weighs(Protocol):
    """What the floor needs of a scale's driver."""

    @property
    def latest(self) -> Reading:
        """The newest reading, stable or not."""
        ...

    def read_stable(self, timeout_s: float = 15.0) -> Reading:
        """Return a weight that two stable readings agree on, or why there is none."""
        ...


def as_evidence(scale: str, reading: Reading) -> ScaleReading:
    """Return a driver's reading as a command carries it."""
    return ScaleReading(
        scale=scale,
        serial=reading.device,
        status=ReadingStatus(reading.status.value),
        value=reading.value,
        unit=reading.unit or "",
        raw=reading.raw,
        read_at=reading.t_server,
    )


def published_scale(settings: ScaleSettings, open_port: Callable[[], Port], hub: Hub) -> Scale:
    """Return a driver that publishes each reading on `scale/<name>`; the caller starts it."""
    topic = f"scale/{settings.name}"
    return Scale(
        settings,
        open_port,
        on_reading=lambda reading: hub.publish(topic, as_evidence(settings.name, reading)),
    )


class Floor:
    """The devices of all stations. `scales` are drivers by equipment name."""

    def __init__(
        self,
        execution: Execution,
        scales: Mapping[str, Weighs],
        *,
        timeout_s: float = STABLE_TIMEOUT_S,
    ) -> None:
        self._execution, self._scales, self._timeout_s = execution, scales, timeout_s

    def scale_of(self, station: str | None) -> str:
        """Return the name of the scale at a station.

        Raises:
            NoStation, NoScale: there is none.
        """
        if station is None:
            raise NoStation
        bound = self._execution.nouns.get(Station, station)
        scale = None if bound is None else bound.scale
        if scale is None or scale not in self._scales:
            raise NoScale(station, scale)
        return scale

    def latest(self, station: str | None) -> ScaleReading:
        """Return what the station's scale shows now, for display alone.

        Raises:
            NoStation, NoScale: there is none.
        """
        scale = self.scale_of(station)
        return as_evidence(scale, self._scales[scale].latest)

    def reading(self, station: str | None) -> ScaleReading:
        """Return a settled weight of the station's scale; where none settles, why not.

        Blocks for seconds. Rules refuse a reading that is not stable.

        Raises:
            NoStation, NoScale: there is none.
        """
        scale = self.scale_of(station)
        return as_evidence(scale, self._scales[scale].read_stable(self._timeout_s))

    def scan(self, raw: str) -> dict[str, Any]:
        """Return the fields of `ScanContainer` that a label gives.

        A label with a fault names no lot: the rule then refuses the scan and records it.
        """
        scan = barcode.read(raw)
        if scan.faults:
            return {"raw": scan.raw}
        return {
            "raw": scan.raw,
            "gtin": scan.gtin,
            "lot": scan.lot,
            "container": scan.container,
            "expires_on": scan.expiry,
        }

    def complete(
        self, command: str, body: Mapping[str, Any], station: str | None
    ) -> dict[str, Any]:
        """Return a client's command body with what only the server may know, as JSON values.

        Raises:
            WeightFromElsewhere, LabelFromElsewhere: the client says what a device showed.
            NoStation, NoScale, OtherScale: the station cannot weigh that.
        """
        given = dict(body)
        if command == SCAN:
            return self._with_label(given)
        if command not in WEIGHS:
            return given
        if "reading" in given:
            raise WeightFromElsewhere(command)
        if command == DAILY_CHECK:
            own = self.scale_of(station)
            if (asked := given.setdefault("equipment", own)) != own:
                raise OtherScale(station or "", asked=str(asked), own=own)
        given["reading"] = _as_json(self.reading(station))
        return given

    def _with_label(self, given: dict[str, Any]) -> dict[str, Any]:
        if said := tuple(name for name in READ_FROM_LABEL if name in given):
            raise LabelFromElsewhere(said)
        raw = given.get("raw")
        if not isinstance(raw, str):
            return given  # the command's own check names the field
        read = self.scan(raw)
        expires_on = read.get("expires_on")
        return given | read | {"expires_on": expires_on.isoformat() if expires_on else None}


def _as_json(reading: ScaleReading) -> dict[str, Any]:
    return {
        "scale": reading.scale,
        "serial": reading.serial,
        "status": reading.status.value,
        "value": None if reading.value is None else plain(reading.value),
        "unit": reading.unit,
        "raw": reading.raw,
        "read_at": iso(reading.read_at),
    }
