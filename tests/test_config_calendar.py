"""The shift calendar: edges, business dates, breaks, and both nights on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.calendar import ShiftCalendar, ShiftRows, instant
from config.load import calendar
from config.plant import EVERY_DAY, BreakItem, ShiftItem
from core.clock import micros
from tests.hands import PACK

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_US = 3_600_000_000
SHIFTS = calendar(PACK)


def us(year: int, month: int, day: int, *clock: int) -> int:
    return micros(datetime(year, month, day, *clock, tzinfo=BERLIN).astimezone(UTC))


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 3, 28), 7), ((2026, 10, 24), 9), ((2026, 3, 27), 8), ((2026, 10, 25), 8)],
)
@pytest.mark.requirement("O1")
def test_night_on_which_clocks_change_has_its_true_length(
    day: tuple[int, int, int], hours: int
) -> None:
    night = SHIFTS.instance("L1", us(*day, 23))
    assert night is not None
    assert (night.shift, night.business_date) == ("night", date(*day))
    assert night.end_us - night.start_us == hours * HOUR_US
    assert night.planned_us == hours * HOUR_US - 45 * 60_000_000


def test_shift_holds_its_start_and_not_its_end() -> None:
    start, end = us(2026, 11, 23, 6), us(2026, 11, 23, 14)
    before, first = SHIFTS.instance("L1", start - 1), SHIFTS.instance("L1", start)
    last, after = SHIFTS.instance("L1", end - 1), SHIFTS.instance("L1", end)
    assert [one.shift for one in (before, first, last, after) if one] == [
        "night", "early", "early", "late"
    ]  # fmt: skip
    assert first is not None
    assert (first.start_us, first.end_us) == (start, end)


def test_business_date_of_a_night_is_the_day_it_began() -> None:
    for hour, day in ((22, 23), (23, 23)):
        found = SHIFTS.instance("L1", us(2026, 11, 23, hour))
        assert found is not None
        assert found.business_date == date(2026, 11, day)
    found = SHIFTS.instance("L1", us(2026, 11, 24, 5, 59))
    assert found is not None
    assert found.business_date == date(2026, 11, 23)


def test_breaks_are_planned_out() -> None:
    early = SHIFTS.instance("L1", us(2026, 11, 23, 7))
    assert early is not None
    assert early.breaks == (
        (us(2026, 11, 23, 9), us(2026, 11, 23, 9, 15)),
        (us(2026, 11, 23, 11, 30), us(2026, 11, 23, 12)),
    )
    assert early.planned == (
        (us(2026, 11, 23, 6), us(2026, 11, 23, 9)),
        (us(2026, 11, 23, 9, 15), us(2026, 11, 23, 11, 30)),
        (us(2026, 11, 23, 12), us(2026, 11, 23, 14)),
    )
    assert early.planned_us == 8 * HOUR_US - 45 * 60_000_000


@pytest.mark.parametrize("day", [(2026, 3, 28), (2026, 10, 24)])
def test_break_keeps_its_minutes_when_the_clock_jumps_over_it(day: tuple[int, int, int]) -> None:
    pause = BreakItem(start=time(2, 45), minutes=30)
    night = ShiftItem(shift="night", start=time(22), end=time(6), breaks=(pause,))
    found = ShiftCalendar((night,), BERLIN).instance("L1", us(*day, 23))
    assert found is not None
    [(start_us, end_us)] = found.breaks
    assert end_us - start_us == 30 * 60_000_000
    assert found.start_us < start_us < end_us < found.end_us


@given(st.timedeltas(timedelta(0), timedelta(days=730)), st.integers(1, 80))
def test_instances_follow_each_other_without_gap(later: timedelta, hours: int) -> None:
    start_us = micros(datetime(2026, 1, 1, tzinfo=UTC) + later)
    found = SHIFTS.instances("L1", start_us, start_us + hours * HOUR_US)
    assert found[0].start_us <= start_us < found[0].end_us
    assert found[-1].start_us < start_us + hours * HOUR_US <= found[-1].end_us
    for one, next_one in pairwise(found):
        assert one.end_us == next_one.start_us
    for one in found:
        assert SHIFTS.instance("L1", one.start_us) == one
        assert SHIFTS.instance("L1", one.end_us - 1) == one
        assert one.planned_us + sum(b - a for a, b in one.breaks) == one.end_us - one.start_us


def test_no_time_has_no_instances() -> None:
    assert SHIFTS.instances("L1", 5, 5) == []


def test_hours_nobody_works_are_a_shift_of_their_own() -> None:
    day = ShiftItem(shift="day", start=time(6), end=time(14), days=("mon", "fri"), lines=("L1",))
    week = ShiftCalendar((day,), BERLIN)
    at_us = us(2026, 11, 23, 14)  # a Monday
    assert week.instance("L1", at_us - 1) is not None
    assert week.instance("L1", at_us) is None
    assert ShiftRows(week).instance("L1", at_us) == (
        "off", date(2026, 11, 23), at_us, us(2026, 11, 27, 6), False
    )  # fmt: skip
    assert ShiftRows(week).instance("L1", at_us - 1)[::4] == ("day", True)
    assert ShiftRows(week).instance("L2", at_us) == (
        "off", date(2026, 11, 23), us(2026, 11, 23), us(2026, 11, 24), False
    )  # fmt: skip


@pytest.mark.requirement("B8", "K1")
def test_shift_ends_for_those_who_work_and_not_where_nobody_does() -> None:
    calendar = ShiftCalendar(
        (
            ShiftItem(shift="early", start=time(6), end=time(14), days=EVERY_DAY, lines=("L1",)),
            ShiftItem(shift="long", start=time(6), end=time(16), days=EVERY_DAY, lines=("L2",)),
            ShiftItem(shift="night", start=time(22), end=time(2), days=EVERY_DAY),
        ),
        BERLIN,
    )

    def end(hour: int, minute: int = 0) -> str | None:
        at = datetime(2026, 11, 24, hour, minute, tzinfo=BERLIN)
        found = calendar.shift_end(micros(at))
        return None if found is None else str(instant(found).astimezone(calendar.zone))[8:16]

    assert end(6) == end(15, 59) == "24 16:00"
    assert end(5, 59) is end(16) is end(21, 59) is None
    assert (end(22), end(1, 59), end(2)) == ("25 02:00", "24 02:00", None)


@pytest.mark.requirement("K1")
def test_small_hours_count_for_the_day_on_which_their_shift_began() -> None:
    night = ShiftItem(shift="night", start=time(22), end=time(6), days=EVERY_DAY, lines=("L2",))
    calendar = ShiftCalendar((night,), BERLIN)
    assert calendar.business_date(us(2026, 11, 24, 6) - 1) == date(2026, 11, 23)
    assert calendar.business_date(us(2026, 11, 24, 6)) == date(2026, 11, 24)
    assert calendar.business_date(us(2026, 11, 24, 22)) == date(2026, 11, 24)
