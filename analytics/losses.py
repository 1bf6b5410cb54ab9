"""Where planned time went: six big losses, the regulated ones, and what nobody named.

Planned time = ideal time of good pieces + all losses, to the microsecond.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import duckdb

from analytics.oee import Elements, oee
from analytics.rules import (
    BLOCKED_STARVED,
    BREAKDOWN,
    CLEANING,
    DEVIATION_HOLD,
    LINE_CLEARANCE,
    MINOR_STOP,
    NO_ORDER,
    OTHER,
    SETUP,
    UNKNOWN,
    UNLABELED,
    WAITING_QA,
)

AVAILABILITY, PERFORMANCE, QUALITY, UNSURE = "availability", "performance", "quality", "unknown"
REDUCED_SPEED, DEFECTS, NOT_COUNTED = "reduced_speed", "defects", "not_counted"

# category -> (factor of OEE that it lowers, words for people)
LOSSES: dict[str, tuple[str, str]] = {
    BREAKDOWN: (AVAILABILITY, "Breakdown"),
    SETUP: (AVAILABILITY, "Setup and adjustment"),
    BLOCKED_STARVED: (AVAILABILITY, "Blocked or starved"),
    CLEANING: (AVAILABILITY, "Cleaning"),
    LINE_CLEARANCE: (AVAILABILITY, "Line clearance"),
    WAITING_QA: (AVAILABILITY, "Waiting for QA"),
    DEVIATION_HOLD: (AVAILABILITY, "Deviation hold"),
    OTHER: (AVAILABILITY, "Other stop"),
    UNLABELED: (AVAILABILITY, "Unlabeled stop"),
    NO_ORDER: (AVAILABILITY, "No order"),
    MINOR_STOP: (PERFORMANCE, "Minor stops"),
    REDUCED_SPEED: (PERFORMANCE, "Reduced speed"),
    NOT_COUNTED: (PERFORMANCE, "Run time without a count or an ideal rate"),
    DEFECTS: (QUALITY, "Defects"),
    UNKNOWN: (UNSURE, "Unknown state"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One bar of the Pareto. `loss_us` of reduced speed may be negative: figures disagree."""

    category: str
    reason: str | None
    labeled_by: str
    loss_us: int
    stops: int
    share: Fraction | None

    @property
    def factor(self) -> str:
        """Which factor of OEE the loss lowers."""
        return LOSSES[self.category][0]

    @property
    def label(self) -> str:
        """The category in words."""
        return LOSSES[self.category][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One bar of the waterfall: what is left after a loss, from planned time to good time."""

    name: str
    us: int
    is_loss: bool


def losses(
    reader: duckdb.DuckDBPyConnection,
    *,
    line: str | None = None,
    shift: str | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
    by_reason: bool = True,
) -> list[Loss]:
    """Return losses of planned time, the largest first; they and good time sum to planned time.

    Args:
        by_reason: one row per category and reason; else one per category.
    """
    asked = {"line": line, "shift": shift, "from_date": from_date, "to_date": to_date}
    given = {name: value for name, value in asked.items() if value is not None}
    tests = {"from_date": "business_date >= $from_date", "to_date": "business_date <= $to_date"}
    where = " and ".join(tests.get(name, f"{name} = ${name}") for name in given) or "true"
    keys = "category, reason, labeled_by" if by_reason else "category, null, ''"
    stops = reader.execute(
        f"select {keys}, sum(planned_us)::bigint, sum(stops)::bigint from base.hour_time"
        f" where category <> 'run' and planned_us > 0 and {where} group by all",
        given or None,
    ).fetchall()
    found = oee(
        reader, (), line=line, shift=shift, from_date=from_date, to_date=to_date
    )  # nothing at all where there is no time
    if not found:
        return []
    whole = found[0]
    stops += [(category, None, "", us, 0) for category, us in _computed(whole)]
    rows = [
        Loss(
            category=category,
            reason=reason,
            labeled_by=labeled_by or "",
            loss_us=us,
            stops=count,
            share=Fraction(us, whole.planned_us) if whole.planned_us else None,
        )
        for category, reason, labeled_by, us, count in stops
        if us
    ]
    return sorted(rows, key=lambda row: (-row.loss_us, row.category, row.reason or ""))


def _computed(whole: Elements) -> list[tuple[str, int]]:
    """Return the losses that counts tell, not states."""
    if whole.reduced_speed_us is None:
        return [(NOT_COUNTED, whole.run_us - whole.minor_stop_us - whole.ideal_good_us)]
    return [
        (REDUCED_SPEED, whole.reduced_speed_us),
        (DEFECTS, whole.ideal_total_us - whole.ideal_good_us),
    ]


def waterfall(elements: Elements, rows: Sequence[Loss]) -> list[Step]:
    """Return planned time, each factor's losses by category, and good time.

    Args:
        elements: the total of the same group.
        rows: the losses of that group, by category.
    """
    order = list(LOSSES)
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.category] = sums.get(row.category, 0) + row.loss_us
    bars = [
        Step(name=LOSSES[name][1], us=sums[name], is_loss=True) for name in order if name in sums
    ]
    planned = Step(name="Planned time", us=elements.planned_us, is_loss=False)
    good = Step(name="Good pieces at ideal rate", us=elements.ideal_good_us, is_loss=False)
    assert planned.us == good.us + sum(bar.us for bar in bars), (planned, good, bars)
    return [planned, *bars, good]
