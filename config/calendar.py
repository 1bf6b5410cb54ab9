"""The shift calendar: shift instances as UTC rows, with a business date and planned breaks.

Times are microseconds since 1970 UTC, half-open: `start_us` in, `end_us` out. A shift is written
in local time and turned into UTC at each edge, so the night on which clocks go forward is an
hour shorter and the night on which they go back an hour longer. The business date is the local
date of the start.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.plant import EVERY_DAY, ShiftItem
from core.clock import micros

MINUTE_US = 60_000_000
OFF = "off"
LOOK_DAYS = 8  # a week's pattern repeats, so the next shift is at most this far


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftInstance:
    """One shift on one day; `breaks` are the planned pauses inside it, in order."""

    shift: str
    business_date: date
    start_us: int
    end_us: int
    breaks: tuple[tuple[int, int], ...] = ()

    @property
    def planned(self) -> tuple[tuple[int, int], ...]:
        """The stretches planned for work: the instance without its breaks."""
        found, at_us = [], self.start_us
        for start_us, end_us in self.breaks:
            if at_us < start_us:
                found.append((at_us, start_us))
            at_us = end_us
        if at_us < self.end_us:
            found.append((at_us, self.end_us))
        return tuple(found)

    @property
    def planned_us(self) -> int:
        """The time planned for work."""
        return sum(end_us - start_us for start_us, end_us in self.planned)


@dataclass(frozen=True, slots=True)
class ShiftCalendar:
    """The shifts of a plant's lines in its zone."""

    shifts: tuple[ShiftItem, ...]
    zone: ZoneInfo

    def instance(self, line: str, at_us: int) -> ShiftInstance | None:
        """Return the shift instance that holds a moment, or None where nobody works."""
        for one in self._near(line, at_us):
            if one.start_us <= at_us < one.end_us:
                return one
        return None

    def instances(self, line: str, start_us: int, end_us: int) -> list[ShiftInstance]:
        """Return the instances that touch `[start_us, end_us)`, whole, in time order."""
        if start_us >= end_us:
            return []
        first = self._local(start_us) - timedelta(days=1)
        last = self._local(end_us - 1)
        found: list[ShiftInstance] = []
        for number in range((last - first).days + 1):
            found.extend(self._of_day(line, first + timedelta(days=number)))
        touching = [one for one in found if one.start_us < end_us and start_us < one.end_us]
        return sorted(touching, key=lambda one: one.start_us)

    def gap(self, line: str, at_us: int) -> tuple[int, int]:
        """Return the stretch without a shift around a moment in which nobody works.

        Where the line has no shift within a week, the stretch is the local day.
        """
        before = self.instances(line, at_us - LOOK_DAYS * 86_400_000_000, at_us)
        after = self.instances(line, at_us, at_us + LOOK_DAYS * 86_400_000_000)
        day = self._local(at_us)
        start_us = before[-1].end_us if before else self._us(day, time(0))
        end_us = after[0].start_us if after else self._us(day + timedelta(days=1), time(0))
        return start_us, end_us

    def shift_end(self, at_us: int) -> int | None:
        """Return when the last shift that holds a moment ends, on any line; None outside of all."""
        return max((one.end_us for one in self._holding(at_us)), default=None)

    def business_date(self, at_us: int) -> date:
        """Return the day a moment counts for: that of the earliest shift that holds it, on any
        line, so the small hours are of the day before; outside of all shifts the local day.
        """
        days = (one.business_date for one in self._holding(at_us))
        return min(days, default=self._local(at_us))

    def _holding(self, at_us: int) -> Iterator[ShiftInstance]:
        day = self._local(at_us)
        for on in (day, day - timedelta(days=1)):
            for shift in self.shifts:
                if EVERY_DAY[on.weekday()] in shift.days:
                    made = self._made(shift, on)
                    if made.start_us <= at_us < made.end_us:
                        yield made

    def _local(self, at_us: int) -> date:
        return instant(at_us).astimezone(self.zone).date()

    def _us(self, day: date, at: time) -> int:
        return micros(datetime.combine(day, at, tzinfo=self.zone).astimezone(UTC))

    def _near(self, line: str, at_us: int) -> Iterator[ShiftInstance]:
        day = self._local(at_us)
        for number in (0, -1):
            yield from self._of_day(line, day + timedelta(days=number))

    def _of_day(self, line: str, day: date) -> Iterator[ShiftInstance]:
        for shift in self.shifts:
            if EVERY_DAY[day.weekday()] not in shift.days:
                continue
            if not shift.lines or line in shift.lines:
                yield self._made(shift, day)

    def _made(self, shift: ShiftItem, day: date) -> ShiftInstance:
        overnight = shift.end <= shift.start
        start_us = self._us(day, shift.start)
        end_us = self._us(day + timedelta(days=int(overnight)), shift.end)
        breaks = []
        for pause in shift.breaks:
            later = overnight and pause.start < shift.start
            # The minutes of a break are kept on every night: the clock's jump is not a rest.
            at_us = self._us(day + timedelta(days=int(later)), pause.start)
            held = max(start_us, at_us), min(end_us, at_us + pause.minutes * MINUTE_US)
            if held[0] < held[1]:
                breaks.append(held)
        return ShiftInstance(
            shift=shift.shift,
            business_date=day,
            start_us=start_us,
            end_us=end_us,
            breaks=tuple(sorted(breaks)),
        )


@dataclass(frozen=True, slots=True)
class ShiftRows:
    """The calendar as rows for whoever cuts time by it; hours nobody works are the shift `off`."""

    calendar: ShiftCalendar

    def instance(self, line: str, at_us: int) -> tuple[str, date, int, int, bool]:
        """Return (shift, business date, start_us, end_us, planned) at a moment of a line."""
        found = self.calendar.instance(line, at_us)
        if found is not None:
            return found.shift, found.business_date, found.start_us, found.end_us, True
        start_us, end_us = self.calendar.gap(line, at_us)
        business_date = instant(start_us).astimezone(self.calendar.zone).date()
        return OFF, business_date, start_us, end_us, False


def instant(at_us: int) -> datetime:
    """Return the moment so many microseconds after 1970, in UTC.

    >>> instant(1_000_005).isoformat()
    '1970-01-01T00:00:01.000005+00:00'
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
