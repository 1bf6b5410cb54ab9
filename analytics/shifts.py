"""Shift instances as rows per hour: what the roll-up cuts time by."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics.rules import HOUR_US
from analytics.sources import ShiftCalendar, ShiftInstance

OFF = "off"

type ShiftHour = tuple[str, int, str, date, int, int, bool]


def instant(at_us: int) -> datetime:
    """Return the moment so many microseconds after 1970, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def shift_hours(
    calendar: ShiftCalendar, line: str, *, start_us: int, end_us: int, zone: ZoneInfo
) -> list[ShiftHour]:
    """Return (line, hour_us, shift, business date, start_us, end_us, planned) rows.

    Together they cover `[start_us, end_us)`, which begins and ends on an hour; breaks and off
    time are rows that are not planned.
    """
    found = calendar.instances(line, start_us, end_us)
    rows: list[ShiftHour] = []
    for shift, day, low_us, high_us, planned in _stretches(found, start_us, end_us, zone=zone):
        low, high = max(low_us, start_us), min(high_us, end_us)
        hour_us = low // HOUR_US * HOUR_US
        while hour_us < high:
            rows.append((line, hour_us, shift, day, low_us, high_us, planned))
            hour_us += HOUR_US
    return rows


def _stretches(
    instances: Sequence[ShiftInstance], start_us: int, end_us: int, *, zone: ZoneInfo
) -> Iterator[tuple[str, date, int, int, bool]]:
    at_us = start_us
    for one in instances:
        if at_us < one.start_us:
            yield OFF, instant(at_us).astimezone(zone).date(), at_us, one.start_us, False
        at_us = one.start_us
        for low_us, high_us in one.planned:
            if at_us < low_us:
                yield one.shift, one.business_date, at_us, low_us, False
            yield one.shift, one.business_date, low_us, high_us, True
            at_us = high_us
        if at_us < one.end_us:
            yield one.shift, one.business_date, at_us, one.end_us, False
        at_us = one.end_us
    if at_us < end_us:
        yield OFF, instant(at_us).astimezone(zone).date(), at_us, end_us, False
