"""What a line did, stretch by stretch: for the timeline of a shift and the labels on it."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from analytics.shifts import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A line in one state, with what it is called; half-open."""

    line: str
    start_us: int
    end_us: int
    state: str
    category: str
    reason: str | None
    labeled_by: str | None
    label_seq: int | None
    planned: bool
    order_id: str | None
    batch: str | None
    sku: str | None
    is_open: bool

    @property
    def start_at(self) -> datetime:
        return instant(self.start_us)

    @property
    def end_at(self) -> datetime:
        return instant(self.end_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSpan:
    """One shift instance of a line, by its UTC edges."""

    line: str
    business_date: date
    shift: str
    start_us: int
    end_us: int


def timeline(
    reader: duckdb.DuckDBPyConnection, line: str, *, start_us: int, end_us: int
) -> list[Stretch]:
    """Return a line's stretches in `[start_us, end_us)`, clipped to it, in order, without gaps.

    Neighbours that differ in nothing are one stretch.
    """
    rows = reader.execute(
        "select line, greatest(start_us, ?), least(end_us, ?), state, category, reason,"
        " labeled_by, label_seq, planned, order_id, batch, sku, source = 'open' from base.piece"
        " where line = ? and hour_us >= ? - 3600000000 and start_us < ? and end_us > ?"
        " order by start_us",
        [start_us, end_us, line, start_us, end_us, start_us],
    ).fetchall()
    found: list[Stretch] = []
    for row in rows:
        names = Stretch.__slots__
        one = Stretch(**dict(zip(names, row, strict=True)))
        if found and _same(found[-1], one):
            before = found.pop()
            values = {name: getattr(one, name) for name in names}
            one = Stretch(**{**values, "start_us": before.start_us})
        found.append(one)
    return found


def _same(before: Stretch, after: Stretch) -> bool:
    ignored = ("start_us", "end_us", "is_open")
    names = [name for name in Stretch.__slots__ if name not in ignored]
    alike = all(getattr(before, name) == getattr(after, name) for name in names)
    return alike and before.end_us == after.start_us


def shifts(reader: duckdb.DuckDBPyConnection, line: str | None = None) -> list[ShiftSpan]:
    """Return the shift instances that a line has records of, the newest first, without off time."""
    rows = reader.execute(
        "select s.line, s.business_date, s.shift, min(s.start_us), max(s.end_us)"
        " from base.shift_hour as s join base.line_span as p using (line)"
        " where s.shift <> 'off' and ($line is null or s.line = $line)"
        " group by s.line, s.business_date, s.shift"
        " having min(s.start_us) < any_value(p.upto_us) and max(s.end_us) > any_value(p.first_us)"
        " order by 4 desc, 1",
        {"line": line},
    ).fetchall()
    names = ShiftSpan.__slots__
    return [ShiftSpan(**dict(zip(names, row, strict=True))) for row in rows]


def shift_timeline(
    reader: duckdb.DuckDBPyConnection, line: str, *, business_date: date, shift: str
) -> list[Stretch]:
    """Return the stretches of one shift instance; none where it is not known."""
    for span in shifts(reader, line):
        if (span.business_date, span.shift) == (business_date, shift):
            return timeline(reader, line, start_us=span.start_us, end_us=span.end_us)
    return []
