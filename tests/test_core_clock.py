"""The one spelling of an instant: fixed width, microseconds, `Z`, from any zone and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.clock import iso, parse_iso
from core.ledger.entry import INSTANT

FIRST = datetime(1970, 1, 2, tzinfo=UTC).replace(tzinfo=None)  # zones are drawn
LAST = datetime(9998, 12, 31, tzinfo=UTC).replace(tzinfo=None)
ZONES = some.integers(-14 * 60, 14 * 60).map(lambda by: timezone(timedelta(minutes=by)))


@pytest.mark.requirement("O1")
@given(at=some.datetimes(FIRST, LAST, timezones=ZONES))
def test_an_instant_from_any_zone_is_spelled_in_utc_and_read_back(at: datetime) -> None:
    text = iso(at)
    plain = at.astimezone(UTC).replace(tzinfo=None)
    assert text == plain.isoformat(timespec="microseconds") + "Z"
    assert INSTANT.fullmatch(text)
    assert parse_iso(text) == at


@pytest.mark.parametrize(
    ("microsecond", "end"), [(0, "00.000000Z"), (1, "00.000001Z"), (999_999, "00.999999Z")]
)
def test_microseconds_are_always_spelled(microsecond: int, end: str) -> None:
    assert iso(datetime(2026, 3, 2, 8, 15, 0, microsecond, tzinfo=UTC)) == f"2026-03-02T08:15:{end}"


@pytest.mark.requirement("O1")
def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError, match="naive time"):
        iso(FIRST)
