"""The machine telemetry's own store: `DATA/telemetry.db`, and the sealed segments beside it.

Rows are cut at hour, shift and run edges and carry those keys when they are written. `interval`
and `produced` are append-only, and no two intervals of a line overlap: the database refuses
both. `current` holds the open stretch of each line: `[since_us, seen_us)` continues the line's
last interval without a gap. It shares no lock with the ledger.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from capture import segments
from capture.sealing import Sealed, write_segment
from capture.segments import HOUR_US
from core.migrations.schema import prepare

METADATA = MetaData()


def _keys() -> list[Column[Any]]:
    """The keys that rows are grouped by."""
    return [
        Column("hour_us", BigInteger, nullable=False),
        Column("shift", String, nullable=False),
        Column("business_date", String, nullable=False),
        Column("order_id", String),
        Column("batch", String),
        Column("sku", String),
    ]


INTERVAL = Table(
    "interval",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("line", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", String),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    *_keys(),
    Column("source", String, nullable=False),
    CheckConstraint("start_us < end_us"),
    Index("interval_line_end", "line", "end_us"),
    Index("interval_line_hour", "line", "hour_us"),
)
PRODUCED = Table(
    "produced",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("line", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # start of the minute
    Column("good", BigInteger, nullable=False),
    Column("scrap", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    *_keys(),
    CheckConstraint("good >= 0 AND scrap >= 0"),
    Index("produced_line_hour", "line", "hour_us"),
)
CURRENT = Table(
    "current",
    METADATA,
    Column("line", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("reason", String),
    Column("state_since_us", BigInteger, nullable=False),
    Column("good_raw", BigInteger),
    Column("scrap_raw", BigInteger),
    Column("counted_us", BigInteger, nullable=False),
    *_keys(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRow:
    """One closed stretch of a line in one state."""

    slot: segments.Slot
    state: str
    reason: str | None = None
    source: str = "modbus"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedRow:
    """Pieces of one minute; several rows may share a minute and are summed."""

    slot: segments.Slot
    at_us: int
    good: int
    scrap: int
    estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRow:
    """A line's open stretch, and its counters as far as `produced` has taken them.

    `state_since_us` is when the state began; `since_us` what is not yet in `interval`.
    """

    line: str
    state: str
    since_us: int
    seen_us: int
    reason: str | None
    state_since_us: int
    good_raw: int | None
    scrap_raw: int | None
    counted_us: int
    hour_us: int
    shift: str
    business_date: str
    order_id: str | None
    batch: str | None
    sku: str | None


class Telemetry:
    """The store. One thread writes; any thread reads. `data` is the plant's data directory."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.path = data / "telemetry.db"
        self.folder = data / "telemetry"
        self._engine = create_engine(f"sqlite:///{self.path}")
        event.listen(self._engine, "connect", _set_up)
        prepare(self._engine, "telemetry")

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    def write(
        self,
        *,
        intervals: Sequence[IntervalRow] = (),
        produced: Sequence[ProducedRow] = (),
        current: Sequence[CurrentRow] = (),
    ) -> None:
        """Store all of it in one transaction, or nothing."""
        with self._engine.begin() as connection:
            if intervals:
                connection.execute(insert(INTERVAL), [_interval_values(row) for row in intervals])
            if produced:
                connection.execute(insert(PRODUCED), [_produced_values(row) for row in produced])
            for row in current:
                _put_current(connection, row)

    def intervals_after(self, id: int, limit: int = 10_000) -> list[tuple[Any, ...]]:
        """Return interval rows in writing order, with the table's columns."""
        return self._after(INTERVAL, id, limit)

    def produced_after(self, id: int, limit: int = 10_000) -> list[tuple[Any, ...]]:
        """Return produced rows in writing order, with the table's columns."""
        return self._after(PRODUCED, id, limit)

    def current(self) -> list[tuple[str, str, int, int]]:
        """Return (line, state, since_us, seen_us) of each line's open stretch."""
        return [(row.line, row.state, row.since_us, row.seen_us) for row in self.lines()]

    def lines(self) -> list[CurrentRow]:
        """Return each line's open stretch with its keys and counters."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(CURRENT).order_by(CURRENT.c.line)).mappings()
            return [CurrentRow(**row) for row in rows]

    def sealable_hours(self) -> list[tuple[str, int]]:
        """Return (line, hour_us) of every hour that can get no more rows and has no segment.

        While a line is unknown its hours stay open: its counter may still tell what was made.
        """
        hours: list[tuple[str, int]] = []
        with self._engine.connect() as connection:
            for row in self.lines():
                done_us = min(row.since_us, row.counted_us)
                query = (
                    select(INTERVAL.c.hour_us)
                    .where(INTERVAL.c.line == row.line, INTERVAL.c.hour_us + HOUR_US <= done_us)
                    .distinct()
                    .order_by(INTERVAL.c.hour_us)
                )
                hours += [(row.line, hour_us) for (hour_us,) in connection.execute(query)]
        return [key for key in hours if not Sealed.path_of(self.folder, *key).exists()]

    def seal_hour(self, line: str, hour_us: int) -> Sealed:
        """Write one hour of a line as a segment file and return its digest.

        Sealing the same rows again gives the same file; rows that came after a sealing
        give a further file, and the first stays as it is.
        """
        rows: list[tuple[str, dict[str, Any]]] = []
        with self._engine.connect() as connection:
            for table in (INTERVAL, PRODUCED):
                query = (
                    select(table)
                    .where(table.c.line == line, table.c.hour_us == hour_us)
                    .order_by(table.c.id)
                )
                rows += [(table.name, dict(row)) for row in connection.execute(query).mappings()]
        return write_segment(self.folder, line, hour_us, rows=rows)

    def _after(self, table: Table, id: int, limit: int) -> list[tuple[Any, ...]]:
        query = select(table).where(table.c.id > id).order_by(table.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


def _set_up(connection: Any, _record: object) -> None:
    """Every connection waits for the writer, and a commit is on disk."""
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _slot_keys(slot: segments.Slot) -> dict[str, object]:
    return {
        "hour_us": slot.hour_us,
        "shift": slot.shift,
        "business_date": slot.business_date,
        "order_id": slot.order,
        "batch": slot.batch,
        "sku": slot.sku,
    }


def _interval_values(row: IntervalRow) -> dict[str, object]:
    return {
        "line": row.slot.line,
        "state": row.state,
        "reason": row.reason,
        "start_us": row.slot.start_us,
        "end_us": row.slot.end_us,
        "source": row.source,
        **_slot_keys(row.slot),
    }


def _produced_values(row: ProducedRow) -> dict[str, object]:
    return {
        "line": row.slot.line,
        "at_us": row.at_us,
        "good": row.good,
        "scrap": row.scrap,
        "estimated": row.estimated,
        **_slot_keys(row.slot),
    }


def _put_current(connection: Connection, row: CurrentRow) -> None:
    values = asdict(row)
    changed = {name: value for name, value in values.items() if name != "line"}
    statement = upsert(CURRENT).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["line"], set_=changed))
