"""Deviations as a rate: per 1,000 executed steps, with limits, causes and recurrences.

A raw count says how busy the plant was; the rate says how well it worked.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import duckdb

PER = 1000
BY = ("kind", "material", "step_title", "room", "product", "severity", "phase", "scale")
RECURS_AT, RECURS_DAYS = 3, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """One bucket of the trend. `rate` is None where no step was executed.

    `low` and `high` are the u-chart's limits (three sigma, Poisson), per 1,000 steps.
    """

    bucket: date | int
    deviations: int
    steps: int
    rate: Fraction | None
    center: Fraction | None
    low: float | None
    high: float | None

    @property
    def is_signal(self) -> bool:
        """Whether the rate is outside the limits."""
        if self.rate is None or self.low is None or self.high is None:
            return False
        return not self.low <= self.rate <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoRow:
    """One cause with its count, and the share of all up to here."""

    name: str
    count: int
    cumulative: Fraction
    deviations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """The same kind at the same step of a product, too often within the days looked at."""

    kind: str
    step: str
    step_title: str | None
    product: str | None
    count: int
    first_on: date
    last_on: date
    deviations: tuple[str, ...]


def trend(
    reader: duckdb.DuckDBPyConnection,
    by: str = "day",
    *,
    from_day: date | None = None,
    to_day: date | None = None,
    room: str | None = None,
    product: str | None = None,
) -> list[RatePoint]:
    """Return the rate per bucket in time order, with u-chart limits over the whole range.

    Args:
        by: `day` (the plant's calendar) or `hour` (UTC, as `hour_us`).
        from_day: first day, included.
        to_day: last day, included.
        room: only batches of a room.
        product: only batches of a product.
    """
    if by not in ("day", "hour"):
        raise ValueError(f"by: {by} is neither day nor hour.")
    bucket = "day" if by == "day" else "at_us // 3600000000 * 3600000000"
    rows = reader.execute(
        f"with counted as ("
        f" select {bucket} as bucket, day, batch, 0 as deviations, 1 as steps from base.step_done"
        f" union all select {bucket}, day, batch, 1, 0 from base.deviation)"
        " select c.bucket, sum(deviations)::bigint, sum(steps)::bigint"
        " from counted as c left join base.batch as b using (batch)"
        " where ($from_day is null or c.day >= $from_day) and ($to_day is null or c.day <= $to_day)"
        " and ($room is null or b.room = $room) and ($product is null or b.product = $product)"
        " group by 1 order by 1",
        {"from_day": from_day, "to_day": to_day, "room": room, "product": product},
    ).fetchall()
    deviations, steps = sum(row[1] for row in rows), sum(row[2] for row in rows)
    center = Fraction(deviations, steps) if steps else None
    return [point(bucket, found, done, center=center) for bucket, found, done in rows]


def point(bucket: date | int, deviations: int, steps: int, *, center: Fraction | None) -> RatePoint:
    """Return one bucket of a u-chart; `center` is deviations per step over all buckets."""
    low = high = None
    if center is not None and steps:
        spread = 3 * math.sqrt(center / steps)
        low, high = max(0.0, float(center) - spread) * PER, (float(center) + spread) * PER
    return RatePoint(
        bucket=bucket,
        deviations=deviations,
        steps=steps,
        rate=Fraction(deviations * PER, steps) if steps else None,
        center=None if center is None else center * PER,
        low=low,
        high=high,
    )


def pareto(
    reader: duckdb.DuckDBPyConnection,
    by: str = "kind",
    *,
    from_day: date | None = None,
    to_day: date | None = None,
) -> list[ParetoRow]:
    """Return counts of deviations by one of `BY`, the largest first, with their numbers."""
    if by not in BY:
        raise ValueError(f"by: {by} is none of {', '.join(BY)}.")
    rows = reader.execute(
        f"select coalesce({by}, 'none') as name, count(*), list(deviation order by deviation)"
        " from deviation"
        " where ($from_day is null or day >= $from_day) and ($to_day is null or day <= $to_day)"
        " group by 1 order by 2 desc, 1",
        {"from_day": from_day, "to_day": to_day},
    ).fetchall()
    total, reached, found = sum(row[1] for row in rows), 0, []
    for name, count, numbers in rows:
        reached += count
        share = Fraction(reached, total)
        row = ParetoRow(name=name, count=count, cumulative=share, deviations=tuple(numbers))
        found.append(row)
    return found


def recurrences(
    reader: duckdb.DuckDBPyConnection,
    *,
    on: date,
    days: int = RECURS_DAYS,
    at_least: int = RECURS_AT,
) -> list[Recurrence]:
    """Return kinds that recurred at one step of a product within the `days` up to and with `on`."""
    rows = reader.execute(
        "select kind, step, any_value(step_title), product, count(*), min(day), max(day),"
        " list(deviation order by deviation) from deviation where day > ? and day <= ?"
        " group by kind, step, product having count(*) >= ? order by 5 desc, 1, 2",
        [on - timedelta(days=days), on, at_least],
    ).fetchall()
    names = Recurrence.__slots__
    return [
        Recurrence(**dict(zip(names, (*row[:-1], tuple(row[-1])), strict=True))) for row in rows
    ]


def open_ages(reader: duckdb.DuckDBPyConnection, *, now_us: int) -> list[tuple[str, str, int]]:
    """Return (deviation, severity, open for µs) of what waits for a disposition, oldest first."""
    return reader.execute(
        "select deviation, severity, ? - raised_us from deviation where state = 'open'"
        " order by raised_us",
        [now_us],
    ).fetchall()
