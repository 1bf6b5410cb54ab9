"""By which limits a plant is matched: tolerance zero unless its own data says otherwise."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal

import pytest

from analytics.reconciliation.rules import OLDEST
from config.load import load_plant
from config.matching import MatchItem
from config.plant import ShiftItem
from dashboards.finance.limits import rules_of, shift_length
from dashboards.finance.reading import buckets_of, tolerance_of

EARLY = ShiftItem(shift="early", start=time(6), end=time(14))
NIGHT = ShiftItem(shift="night", start=time(18), end=time(6))


@pytest.mark.requirement("L2")
def test_tolerance_is_zero_unless_the_plant_says_so_and_then_it_is_printed() -> None:
    assert rules_of(None, [EARLY], {}).quantity == 0
    assert tolerance_of(rules_of(None, [EARLY], {})).startswith("0 in quantity;")
    own = MatchItem(quantity=Decimal("0.001"), in_flight_h=2, late_h=48, source="Agreed.")
    assert tolerance_of(rules_of(own, [EARLY], {})) == (
        "0.001 in the unit of each line, in quantity; in flight up to 2 h, late after 2 d"
    )
    assert load_plant("tablets").plant.match is None


@pytest.mark.requirement("L7")
def test_ages_follow_the_longest_shift() -> None:
    assert shift_length([EARLY, NIGHT]) == timedelta(hours=12)
    assert shift_length([]) == timedelta(hours=8)
    rules = rules_of(None, [EARLY, NIGHT], {"KGM": 4})
    assert dict(rules.buckets)["under 1 shift"] == timedelta(hours=12)
    assert buckets_of(rules) == ("under 1 h", "under 1 shift", "under 1 day", OLDEST)
    assert rules.scales == {"KGM": 4}
