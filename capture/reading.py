"""A reading: what one scale answered once, or that it did not answer.

Values are exact decimals in the unit the device sent (UCUM `g` or `kg`). A status other than
stable or dynamic has no value at all, whatever digits the line held.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from core import quantity


class Status(StrEnum):
    """What the device said about its own weight."""

    STABLE = "stable"
    DYNAMIC = "dynamic"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    BUSY = "busy"
    ERROR = "error"
    NO_LINK = "no_link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one line says, without when and from whom.

    `unit` is None when the line carries none; `raw` is the line without its ending.
    """

    status: Status
    raw: str
    value: Decimal | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer with its device, its place in the sequence and both clocks.

    `device` is the serial number the device itself reported, or "" when it never did.
    `t_mono_us` orders readings of one process and never steps back; `t_server` is UTC.
    """

    value: Decimal | None
    unit: str | None
    status: Status
    device: str
    raw: str
    t_server: datetime
    t_mono_us: int
    seq: int

    @property
    def usable(self) -> bool:
        """Whether this may become a final weight: stable, with a value and a unit."""
        return self.status is Status.STABLE and self.value is not None and self.unit is not None

    def grams(self) -> Decimal | None:
        """Return the value in grams, exactly; None without a value."""
        if self.value is None or self.unit is None:
            return None
        return quantity.grams(self.value, self.unit)

    def agrees_with(self, other: "Reading") -> bool:
        """Return whether both are usable, of one device and unit, and of equal value."""
        return (
            self.usable
            and other.usable
            and (self.value, self.unit, self.device) == (other.value, other.unit, other.device)
        )
