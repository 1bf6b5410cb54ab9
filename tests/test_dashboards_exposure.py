"""The exposure as `/audit` shows it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from core.clock import now
from dashboards.audit.checks import Exposure
from dashboards.audit.page import exposure


@pytest.mark.requirement("K1")
@pytest.mark.parametrize(("ago_s", "says"), [(110, "11"), (120, "2 min"), (-3600, "0 s")])
def test_seconds_without_an_anchor_are_not_below_nothing_where_the_clock_went_back(
    ago_s: int, says: str
) -> None:
    at = now()
    open_since = Exposure(
        size=5, checkpoint=None, anchored=2, place="ERP receipt", anchored_at=at,
        since=at - timedelta(seconds=ago_s), held=(), copies=0, newest_copy=0,
    )  # fmt: skip
    assert f"the oldest for {says}" in exposure(open_since, ZoneInfo("Europe/Berlin"))
