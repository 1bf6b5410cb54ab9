"""The rows behind a figure: machine intervals, counts and labels, with the ids they are kept by."""

from dataclasses import dataclass
from typing import Any

import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRow:
    """One stored machine interval, as telemetry keeps it; half-open, not clipped."""

    id: int
    start_us: int
    end_us: int
    state: str
    reason: str | None
    source: str
    order_id: str | None
    sku: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRows:
    """The stored counts of one hour, order and SKU; their ids lie between two."""

    hour_us: int
    order_id: str | None
    sku: str | None
    rows: int
    first_id: int
    last_id: int
    good: int
    scrap: int
    estimated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """What a person said of a stop; `seq` is its ledger entry."""

    seq: int
    start_us: int
    end_us: int | None
    reason: str
    category: str
    person: str
    at_us: int


def _take[T](kind: type[T], rows: list[tuple[Any, ...]]) -> list[T]:
    names = kind.__slots__  # type: ignore[attr-defined]
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]


def intervals(
    reader: duckdb.DuckDBPyConnection, line: str, *, start_us: int, end_us: int, limit: int = 200
) -> tuple[list[IntervalRow], int]:
    """Return stored intervals that touch a window, the newest first, and how many there are."""
    inside = (
        " from base.interval where line = ? and hour_us >= ? - 3600000000"
        " and start_us < ? and end_us > ?"
    )
    given = [line, start_us, end_us, start_us]
    total = reader.execute(f"select count(*){inside}", given).fetchall()[0][0]
    rows = reader.execute(
        f"select id, start_us, end_us, state, reason, source, order_id, sku{inside}"
        " order by start_us desc limit ?",
        [*given, limit],
    ).fetchall()
    return _take(IntervalRow, rows), total


def counts(
    reader: duckdb.DuckDBPyConnection, line: str, *, start_us: int, end_us: int
) -> list[CountRows]:
    """Return the stored counts of a window by hour, order and SKU, in time order."""
    rows = reader.execute(
        "select hour_us, order_id, sku, count(*), min(id), max(id), sum(good)::bigint,"
        " sum(scrap)::bigint, coalesce(sum(good + scrap) filter (where estimated), 0)::bigint"
        " from base.produced where line = ? and at_us >= ? and at_us < ?"
        " group by all order by 1, 2, 3",
        [line, start_us, end_us],
    ).fetchall()
    return _take(CountRows, rows)


def labels(
    reader: duckdb.DuckDBPyConnection, line: str, *, start_us: int, end_us: int
) -> list[LabelRow]:
    """Return what people said of stops that touch a window, in the order they said it."""
    rows = reader.execute(
        "select seq, start_us, end_us, reason, category, person, at_us from base.stop_label"
        " where line = ? and start_us < ? and coalesce(until_us, end_us, ?) > ? order by seq",
        [line, end_us, end_us, start_us],
    ).fetchall()
    return _take(LabelRow, rows)
