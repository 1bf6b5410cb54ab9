"""What the match may say of a row, and by which limits: classes, tolerances, ages, units.

Every fact, every message and every posting that concerns the plant is in exactly one class, and
the classes sum to the total. A blank is never agreement: what could not be compared is a class
of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum


class MatchClass(StrEnum):
    """What the match says of one row, in the order in which screens show it."""

    MATCHED = "matched"
    IN_FLIGHT = "in_flight"
    NOT_COMPARED = "not_compared"
    MISSING_IN_ERP = "missing_in_erp"
    MISSING_IN_MES = "missing_in_mes"
    DUPLICATE = "duplicate"
    QTY_MISMATCH = "qty_mismatch"
    ROUNDING = "rounding"
    UOM_MISMATCH = "uom_mismatch"
    LOT_MISMATCH = "lot_mismatch"
    ITEM_MISMATCH = "item_mismatch"
    WRONG_ORDER = "wrong_order"
    WRONG_PERIOD = "wrong_period"
    GL_MISSING = "gl_missing"
    GL_ORPHAN = "gl_orphan"
    LATE = "late"
    CHANGED_AFTER_POST = "changed_after_post"
    REVERSED_ONE_SIDE = "reversed_one_side"
    ORDER_STATE = "order_state"


AGREES = (MatchClass.MATCHED,)
WAITS = (MatchClass.IN_FLIGHT, MatchClass.NOT_COMPARED)

# The fields that may differ; a row keeps them as bits, the first is the lowest.
FIELDS = (
    "changed", "order", "item", "lot", "unit", "quantity", "movement", "gl", "posting_date",
    "gl_period", "posted_at", "order_state",
)  # fmt: skip

# unit -> (dimension, how many of the dimension's smallest it is); UN/ECE Recommendation 20
UNITS: dict[str, tuple[str, int]] = {
    "MGM": ("mass", 1),
    "GRM": ("mass", 1_000),
    "KGM": ("mass", 1_000_000),
    "TNE": ("mass", 1_000_000_000),
    "MLT": ("volume", 1),
    "LTR": ("volume", 1_000),
    "C62": ("count", 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """Every tolerance of the match; printed with its result.

    `scales` are the digits that the ERP keeps of a unit: a finer quantity can only come back
    rounded. `shift` is how long a shift is, for ages.
    """

    quantity: Decimal = Decimal(0)
    sla: timedelta = timedelta(hours=1)
    late: timedelta = timedelta(hours=24)
    settle: timedelta = timedelta(seconds=30)
    shift: timedelta = timedelta(hours=8)
    scales: Mapping[str, int] = field(default_factory=dict)

    @property
    def buckets(self) -> tuple[tuple[str, timedelta], ...]:
        """Return the ages that are told apart, each open at its end; older is `OLDEST`."""
        return (
            ("under 1 h", timedelta(hours=1)),
            ("under 1 shift", self.shift),
            ("under 1 day", timedelta(days=1)),
        )


OLDEST = "over 1 day"


def fields_of(bits: int) -> tuple[str, ...]:
    """Return the names of the fields that differ.

    >>> fields_of(0), fields_of(0b100100)
    ((), ('item', 'quantity'))
    """
    return tuple(name for n, name in enumerate(FIELDS) if bits >> n & 1)
