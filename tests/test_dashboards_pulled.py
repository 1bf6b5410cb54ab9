"""How fresh each kind of master data is, in words: fresh, old, failed once, never answered."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from dashboards.finance.pulled import pulls_view
from erp.port import Kind
from erp.pull import PullState

AT = "2026-11-23T05:44:40.123456Z"


def drawn(*, age_s: int | None, status: str = "304", fault: str | None = None) -> str:
    state = PullState(
        kind=Kind.BOM, url="/boms", etag=None, fetched_at=AT, status=status, fault=fault,
        checked_at=None if age_s is None else AT, count_200=1, count_304=7, count_unchanged=0,
        count_failed=2, cursor_since=None, swept_at=AT, age_s=age_s,
        is_stale=age_s is None or age_s > 90, refused=(), vanished=(),
    )  # fmt: skip
    return pulls_view([state], ZoneInfo("Europe/Berlin"))


@pytest.mark.requirement("K4")
@pytest.mark.parametrize(
    ("age_s", "status", "words", "age"),
    [
        (90, "304", "Fresh", "1 min"),
        (90, "failed", "Last try failed", "1 min"),
        (91, "failed", "Stale, last good kept", "1 min"),
        (93_600, "failed", "Stale, last good kept", "26 h"),
    ],
)
def test_a_kind_says_whether_it_is_fresh_and_how_old(
    age_s: int, status: str, words: str, age: str
) -> None:
    shown = drawn(age_s=age_s, status=status)
    assert words in shown
    assert f">{age}<" in shown


@pytest.mark.requirement("K4")
def test_a_kind_that_was_never_answered_keeps_nothing_and_says_so() -> None:
    shown = drawn(age_s=None, status="failed", fault="ConnectError")
    assert "Never answered" in shown
    assert "ConnectError" in shown
    assert "last good kept" not in shown
