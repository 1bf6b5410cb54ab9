"""By which limits a plant's facts are matched: its own tolerances, its shifts, its ERP's digits."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from analytics.reconciliation.rules import MatchRules
from config.matching import MasterDataItem, MatchItem
from config.plant import ShiftItem
from core.master_data import LONGEST

MINUTES = 24 * 60  # of a day


def longest_of(item: MasterDataItem | None) -> timedelta:
    """Return how old master data may be for a new order to be released on it."""
    return LONGEST if item is None else timedelta(hours=item.max_age_h)


def shift_length(shifts: Sequence[ShiftItem]) -> timedelta:
    """Return how long the longest shift is by the clock on the wall; 8 h where there is none."""
    return max((_length(one) for one in shifts), default=timedelta(hours=8))


def _length(shift: ShiftItem) -> timedelta:
    start, end = (60 * at.hour + at.minute for at in (shift.start, shift.end))
    return timedelta(minutes=(end - start) % MINUTES or MINUTES)


def rules_of(
    match: MatchItem | None, shifts: Sequence[ShiftItem], scales: Mapping[str, int]
) -> MatchRules:
    """Return the rules of the match; the tolerance is zero unless the plant says otherwise."""
    shift = shift_length(shifts)
    if match is None:
        return MatchRules(shift=shift, scales=scales)
    return MatchRules(
        quantity=match.quantity or Decimal(0),
        sla=timedelta(hours=match.in_flight_h),
        late=timedelta(hours=match.late_h),
        shift=shift,
        scales=scales,
    )
