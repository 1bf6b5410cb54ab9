"""A small plant for tests of the numbers: entries, telemetry and a calendar, all in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from analytics.projector import Projector
from analytics.rules import HOUR_US, MINUTE_US, OeeRules, Rate
from config.calendar import ShiftCalendar
from config.plant import ShiftItem
from core.clock import iso, micros
from core.ledger.entry import Entry

ZONE = ZoneInfo("Europe/Berlin")
DAY = date(2026, 3, 2)  # a Monday
SIX = micros(datetime(2026, 3, 2, 5, 0, tzinfo=UTC))  # 06:00 in Berlin: the early shift begins
SHIFTS = (
    ShiftItem(shift="early", start=time(6), end=time(14)),
    ShiftItem(shift="late", start=time(14), end=time(22)),
    ShiftItem(shift="night", start=time(22), end=time(6)),
)


def minutes(count: float) -> int:
    """Return microseconds since the early shift of `DAY` began."""
    return SIX + round(count * MINUTE_US)


@dataclass(frozen=True)
class Open:
    """A line's open stretch."""

    line: str
    state: str
    since_us: int
    seen_us: int
    hour_us: int
    shift: str
    business_date: str
    reason: str | None = None
    order_id: str | None = None
    batch: str | None = None
    sku: str | None = None


@dataclass
class Machines:
    """A telemetry store in memory; rows are cut at hours and shifts when they come in."""

    calendar: ShiftCalendar
    intervals: list[tuple[Any, ...]] = field(default_factory=list)
    produced: list[tuple[Any, ...]] = field(default_factory=list)
    opened: list[Open] = field(default_factory=list)

    def intervals_after(self, id: int, limit: int = 10_000) -> Sequence[tuple[Any, ...]]:
        return self.intervals[id : id + limit]

    def produced_after(self, id: int, limit: int = 10_000) -> Sequence[tuple[Any, ...]]:
        return self.produced[id : id + limit]

    def lines(self) -> Sequence[Open]:
        return list(self.opened)

    def keys(self, line: str, at_us: int) -> tuple[int, str, str, int]:
        found = self.calendar.instance(line, at_us)
        hour_us = at_us // HOUR_US * HOUR_US
        if found is None:
            low_us, high_us = self.calendar.gap(line, at_us)
            day = datetime.fromtimestamp(low_us / 1e6, UTC).astimezone(ZONE).date()
            return hour_us, "off", day.isoformat(), high_us
        return hour_us, found.shift, found.business_date.isoformat(), found.end_us

    def state(
        self,
        state: str,
        start_us: int,
        end_us: int,
        *,
        line: str = "L1",
        order: str | None = "O1",
        sku: str | None = "X",
        reason: str | None = None,
    ) -> None:
        while start_us < end_us:
            hour_us, shift, day, high_us = self.keys(line, start_us)
            upto_us = min(end_us, hour_us + HOUR_US, high_us)
            batch = order and f"B-{order}"
            keys = (hour_us, shift, day, order, batch, sku if order else None)
            row = (len(self.intervals) + 1, line, state, reason, start_us, upto_us, *keys, "test")
            self.intervals.append(row)
            start_us = upto_us

    def pieces(
        self,
        good: int,
        scrap: int,
        at_us: int,
        *,
        line: str = "L1",
        order: str | None = "O1",
        sku: str | None = "X",
        estimated: bool = False,
    ) -> None:
        hour_us, shift, day, _ = self.keys(line, at_us)
        keys = (hour_us, shift, day, order, order and f"B-{order}", sku)
        row = (len(self.produced) + 1, line, at_us, good, scrap, estimated, *keys)
        self.produced.append(row)


@dataclass
class Book:
    """A ledger in memory."""

    written: list[Entry] = field(default_factory=list)

    def entries(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        return self.written[after : after + limit]

    def add(self, type_: str, data: dict[str, Any], *, at_us: int = SIX, **more: Any) -> Entry:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
        entry = Entry(
            seq=len(self.written) + 1,
            stream=more.get("stream", f"batch/{data.get('batch', 'B1')}"),
            ver=1,
            prev=None,
            type=type_,
            v=1,
            at=iso(at),
            actor=more.get("actor", "ama"),
            station="K1",
            idem=None,
            reason=None,
            data=data,
        )
        self.written.append(entry)
        return entry

    def label(self, start_us: int, end_us: int | None, category: str, **more: Any) -> None:
        data = {
            "line": more.get("line", "L1"),
            "start_us": start_us,
            "end_us": end_us,
            "reason": more.get("reason", category),
            "category": category,
        }
        self.add("stop.labeled", data, stream=f"line/{data['line']}")


class Plant:
    """Sources and the projector that follows them; `now_us` is the clock."""

    def __init__(self, rules: OeeRules | None = None, shifts: tuple[ShiftItem, ...] = SHIFTS):
        self.calendar = ShiftCalendar(shifts, ZONE)
        self.machines, self.book = Machines(self.calendar), Book()
        self.now_us = SIX
        self.rules = rules or OeeRules(
            rates=(Rate(line="L1", sku="X", ideal_us_per_item=MINUTE_US),)
        )
        self.projector = self.project()

    def project(self, **more: Any) -> Projector:
        return Projector(
            self.book,
            self.machines,
            self.rules,
            calendar=self.calendar,
            zone=ZONE,
            clock_us=lambda: self.now_us,
            **{"open_every_s": 0.0, **more},
        )

    @contextmanager
    def reader(self) -> Iterator[Any]:
        self.projector.catch_up()
        with self.projector.reader() as cursor:
            yield cursor

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.reader() as cursor:
            return cursor.execute(query, values).fetchall()
