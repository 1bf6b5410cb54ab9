"""A scale's reading as a command carries it: value, unit, status, device, raw line."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from core.errors import Refused
from core.quantity import Utc, grams


class ReadingStatus(StrEnum):
    """What the device says of its own value."""

    STABLE = "stable"
    DYNAMIC = "dynamic"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    BUSY = "busy"
    ERROR = "error"
    NO_LINK = "no_link"


SAYS = {
    ReadingStatus.DYNAMIC: "is still moving. Wait until it is stable.",
    ReadingStatus.OVERLOAD: "carries more than it can weigh. Take the load off.",
    ReadingStatus.UNDERLOAD: "shows less than zero load. Put the pan in place and zero it.",
    ReadingStatus.BUSY: "is busy. Wait, then weigh again.",
    ReadingStatus.ERROR: "sent a line that is no weight. Weigh again.",
    ReadingStatus.NO_LINK: "does not answer. Check its cable and power.",
    ReadingStatus.STABLE: "sent no value. Weigh again.",
}


class ScaleReading(Struct, frozen=True, kw_only=True):
    """One answer of a scale; `raw` is the line as received, kept as evidence."""

    scale: str
    serial: str
    status: ReadingStatus
    value: Decimal | None
    unit: str
    raw: str
    read_at: Utc


class NotStable(Refused):
    """Only a stable reading is a weight."""

    is_evidence = True

    def __init__(self, reading: ScaleReading) -> None:
        super().__init__(
            f"Scale {reading.scale}: {SAYS[reading.status]}",
            scale=reading.scale,
            status=reading.status,
            raw=reading.raw,
        )


def stable_g(reading: ScaleReading) -> Decimal:
    """Return the stable weight in grams.

    Raises:
        NotStable: the device calls it anything else than stable, or sent no value.
        UnitMismatch: the unit is no mass.
    """
    if reading.status is not ReadingStatus.STABLE or reading.value is None:
        raise NotStable(reading)
    return grams(reading.value, reading.unit)
