"""Master data that grows old says so on the pages of the boundary, below and above its limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.matching import MasterDataItem
from core.master_data import MasterData
from dashboards.finance.limits import longest_of
from dashboards.finance.pulled import stale_view
from erp.port import Kind
from erp.pull_store import PullState

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
FRESH = PullState(
    kind=Kind.BOM, url="/boms", etag=None, fetched_at=None, checked_at=None, status="304",
    fault=None, count_200=1, count_304=9, count_unchanged=0, count_failed=0, cursor_since=None,
    swept_at=None, age_s=90, is_stale=False, refused=(), vanished=(),
)  # fmt: skip
STALE = replace(FRESH, age_s=5400, is_stale=True)


def known(age: timedelta) -> MasterData:
    return MasterData(read_at=AT - age)


@pytest.mark.requirement("K4")
def test_stale_master_data_is_told_and_above_its_limit_that_it_releases_nothing() -> None:
    assert stale_view([FRESH], known(timedelta(seconds=90)), AT) == ""
    near = stale_view([FRESH, STALE], known(timedelta(hours=24)), AT)
    assert 'data-state="near"' in near
    assert "Bills of material: last read 1 h 30 min ago. The last good stands." in near
    assert "New orders rest on it up to 24 h." in near
    bad = stale_view([STALE], known(timedelta(hours=24, microseconds=1)), AT)
    assert 'data-state="bad"' in bad
    assert "at most 24 h are allowed. No new order of the ERP is released" in bad
    assert "never read" in stale_view([replace(STALE, age_s=None)], None, AT)


@pytest.mark.requirement("K4")
def test_limit_is_a_day_unless_the_plant_says_otherwise() -> None:
    assert longest_of(None) == timedelta(hours=24)
    item = MasterDataItem(max_age_h=8, source="Agreement of operations and IT.")
    assert longest_of(item) == timedelta(hours=8)
