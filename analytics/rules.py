"""How OEE is judged in one plant, as data: ideal rates, short stops, states and reasons.

Source:
    ISO 22400-2 names the time elements; its text was not at hand when this was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from fractions import Fraction
from zoneinfo import ZoneInfo

from config.plant import RatesFile
from core.clock import micros

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000

RUN, MINOR_STOP, SETUP, BREAKDOWN = "run", "minor_stop", "setup", "breakdown"
BLOCKED_STARVED, OTHER, UNLABELED = "blocked_starved", "other", "unlabeled"
NO_ORDER, UNKNOWN, PLANNED_STOP = "no_order", "unknown", "planned_stop"
CLEANING, LINE_CLEARANCE = "cleaning", "line_clearance"
WAITING_QA, DEVIATION_HOLD = "waiting_qa", "deviation_hold"

REGULATED = (CLEANING, LINE_CLEARANCE, WAITING_QA, DEVIATION_HOLD)
# what a person or a machine's reason code may call a stop
LABELS = (SETUP, BREAKDOWN, BLOCKED_STARVED, *REGULATED, PLANNED_STOP, OTHER)
CATEGORIES = (RUN, MINOR_STOP, *LABELS, UNLABELED, NO_ORDER, UNKNOWN)

# PackML state -> what its time is before anybody gives a reason; every other state is unknown
STATES: dict[str, str] = {
    "execute": RUN,
    "setup": SETUP,
    **dict.fromkeys(("suspending", "suspended", "unsuspending"), BLOCKED_STARVED),
    **dict.fromkeys(
        (
            "holding", "held", "unholding", "aborting", "aborted", "clearing", "stopping",
            "stopped", "resetting", "idle", "starting", "completing", "complete",
        ),
        UNLABELED,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The ideal time of one piece of an SKU on a line, in force from `from_us` on."""

    line: str
    sku: str
    ideal_us_per_item: int
    from_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OeeRules:
    """The plant's OEE settings.

    Args of the constructor:
        rates: ideal times; a pair of line and SKU without one has no performance.
        minor_stop_us: per line, stops shorter than this are a performance loss. At most an hour.
        default_minor_stop_us: for lines that name none.
        reasons: machine reason -> one of `LABELS`.
        states: machine state -> category; what is not in it is unknown.
        stale_us: a line not seen for longer is unknown from when it was last seen.
    """

    rates: tuple[Rate, ...] = ()
    minor_stop_us: Mapping[str, int] = field(default_factory=dict)
    default_minor_stop_us: int = 2 * MINUTE_US
    reasons: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=lambda: dict(STATES))
    stale_us: int = MINUTE_US
    version: str = "oee-1"

    def __post_init__(self) -> None:
        for line, limit_us in {**self.minor_stop_us, "default": self.default_minor_stop_us}.items():
            if not 0 <= limit_us <= HOUR_US:
                raise ValueError(f"minor_stop_us: {line}: {limit_us} µs, must be 0 to one hour.")
        for reason, category in self.reasons.items():
            if category not in LABELS:
                raise ValueError(f"reasons: {reason}: {category} is none of {', '.join(LABELS)}.")
        for state, category in self.states.items():
            if category not in CATEGORIES:
                raise ValueError(f"states: {state}: {category} is none of {', '.join(CATEGORIES)}.")


def rules_of(file: RatesFile, zone: ZoneInfo, reasons: Mapping[str, str] | None = None) -> OeeRules:
    """Return the rules in a plant pack's `rates.toml`.

    An ideal time is kept in whole microseconds; a rate is in force from midnight of its day.
    """
    rates = tuple(
        Rate(
            line=one.line,
            sku=one.sku,
            ideal_us_per_item=round(Fraction(MINUTE_US) / Fraction(one.ideal_per_min)),
            from_us=micros(datetime.combine(one.valid_from, time(0), tzinfo=zone)),
        )
        for one in file.rates
    )
    limits = {one.line: one.micro_stop_s * 1_000_000 for one in file.lines}
    return OeeRules(rates=rates, minor_stop_us=limits, reasons=reasons or {})
