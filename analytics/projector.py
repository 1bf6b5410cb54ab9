"""The projector: keeps a private DuckDB in step with the ledger and the machine telemetry.

One thread writes; every reader has a cursor and a snapshot of its own. Each turn is one
transaction: new rows, the hours they touch computed again, and the watermark. Everything here
can be dropped and is built again from the same evidence.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from analytics.facts import rows_of
from analytics.rules import HOUR_US, LABELS, OeeRules
from analytics.shifts import shift_hours
from analytics.sources import Entries, ShiftCalendar, TelemetrySource
from analytics.store import COMPUTED, Tables, open_store, sql, table_hash
from core.clock import micros, now

ENTRY_PAGE, TELEMETRY_PAGE = 2000, 20_000
COMPACT_EVERY = 900  # turns with a recomputation, after which dead rows are dropped
AHEAD_US = 24 * HOUR_US

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far the numbers have read: shown as *as of seq n*."""

    seq: int
    interval_id: int
    produced_id: int
    at_us: int
    entry_at_us: int


class Projector:
    """Follows its sources until stopped.

    Args of the constructor:
        ledger: the entries.
        telemetry: machine intervals and counts.
        rules: ideal rates, short stops, what states and reasons mean.
        calendar: the shift instances.
        zone: whose calendar days `day` columns are.
        poll_s: the longest wait between two looks.
        open_every_s: how often an open stretch that only grew is taken over.
    """

    def __init__(
        self,
        ledger: Entries,
        telemetry: TelemetrySource,
        rules: OeeRules,
        *,
        calendar: ShiftCalendar,
        zone: ZoneInfo,
        poll_s: float = 0.25,
        open_every_s: float = 2.0,
        clock_us: Callable[[], int] = lambda: micros(now()),
    ) -> None:
        self._ledger, self._telemetry = ledger, telemetry
        self.rules, self._calendar, self.zone = rules, calendar, zone
        self._poll_s, self._clock_us, self._open_every_s = poll_s, clock_us, open_every_s
        self._writing = threading.Lock()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._moved = threading.Condition()
        self._thread: threading.Thread | None = None
        self.fault: str | None = None
        self._set_up()

    def _set_up(self) -> None:
        self._connection = open_store()
        self._tables = Tables(self._connection)
        self._touch = self._connection.extract_statements(sql("touch"))
        self._rollup = self._connection.extract_statements(sql("rollup"))
        self._computed = 0
        self._shifts_us: dict[str, tuple[int, int]] = {}
        self._open: list[tuple[Any, ...]] = []
        self._opened_s = -1e9
        self._watermark = Watermark(seq=0, interval_id=0, produced_id=0, at_us=0, entry_at_us=0)
        rules, add = self.rules, self._tables.append
        add("rate", [(r.line, r.sku, r.ideal_us_per_item, r.from_us) for r in rules.rates])
        add("state_category", list(rules.states.items()))
        add("reason_category", list(rules.reasons.items()))
        add("label_category", [(name,) for name in LABELS])
        add("setting", [("oee_definition", rules.version), ("zone", self.zone.key)])

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Read what is there, then follow in a thread."""
        self.catch_up()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread; readers that are open may finish."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None

    def wake(self, *_: object) -> None:
        """Look now."""
        self._wake.set()

    def wait_for(self, seq: int, timeout_s: float = 5.0) -> bool:
        """Return whether the watermark reached an entry in time."""
        with self._moved:
            return self._moved.wait_for(lambda: self._watermark.seq >= seq, timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                more = self.step()
                self.fault = None
            except Exception as bug:  # the next turn starts from the same watermark
                self.fault = f"{type(bug).__name__}: {bug}"
                log.exception("the projection could not follow; trying again in a second")
                self._stop.wait(1)
                continue
            if not more:
                self._wake.wait(self._poll_s)

    # -- reading -----------------------------------------------------------------------------

    @property
    def watermark(self) -> Watermark:
        """How far the newest turn has read."""
        return self._watermark

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give one request its own cursor on one unmoving state."""
        cursor = self._connection.cursor()
        try:
            cursor.execute("begin transaction read only")
            # the state is fixed by the first look, not by `begin`
            cursor.execute("select seq from base.watermark").fetchall()
            yield cursor
        finally:
            cursor.close()

    def hashes(self) -> dict[str, str]:
        """Return a digest of every fact and computed table."""
        with self.reader() as cursor:
            names = cursor.execute(
                "select table_name from duckdb_tables() where schema_name = 'base'"
                " and table_name not in ('watermark', 'dirty', 'shift_hour') order by 1"
            ).fetchall()
            return {name: table_hash(cursor, f"base.{name}") for (name,) in names}

    def publish(self, path: str) -> Watermark:
        """Write everything to a new database file, for readers without rights on this one."""
        with self._writing:
            self._connection.execute(f"attach '{path.replace("'", "''")}' as snapshot")
            try:
                self._connection.execute("copy from database memory to snapshot")
            finally:
                self._connection.execute("detach snapshot")
            return self._watermark

    # -- writing -----------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Read everything there is."""
        while self.step():
            pass

    def rebuild(self) -> None:
        """Drop everything and build it again from the sources."""
        with self._writing:
            old = self._connection
            self._set_up()
            old.close()
        self.catch_up()

    def step(self) -> bool:
        """Do one turn; return whether there is probably more to read."""
        with self._writing:
            mark = self._watermark
            entries = self._ledger.entries(mark.seq, ENTRY_PAGE)
            intervals = self._telemetry.intervals_after(mark.interval_id, TELEMETRY_PAGE)
            produced = self._telemetry.produced_after(mark.produced_id, TELEMETRY_PAGE)
            more = len(entries) == ENTRY_PAGE or TELEMETRY_PAGE in (len(intervals), len(produced))
            opened = self._open if more or self._is_young() else self._opened()
            if not (entries or intervals or produced or opened != self._open):
                return False
            self._connection.execute("begin transaction")
            try:
                after = self._take(entries, intervals, produced, opened=opened)
                self._connection.execute("commit")
            except BaseException:
                self._connection.execute("rollback")
                self._shifts_us.clear()
                raise
            if opened != self._open:
                self._open, self._opened_s = opened, time.monotonic()
            if self._computed >= COMPACT_EVERY:
                self._compact()
        with self._moved:
            self._watermark = after
            self._moved.notify_all()
        return more

    def _is_young(self) -> bool:
        return time.monotonic() - self._opened_s < self._open_every_s

    def _opened(self) -> list[tuple[Any, ...]]:
        """Return each line's open stretch as rows; a line not seen for long is unknown since."""
        at_us, rows = self._clock_us(), list[tuple[Any, ...]]()
        for it in self._telemetry.lines():
            keys = (it.hour_us, it.shift, it.business_date, it.order_id, it.batch, it.sku)
            if it.since_us < it.seen_us:
                span = (it.since_us, it.seen_us)
                rows.append((None, it.line, it.state, it.reason, *span, *keys, "open"))
            if at_us - it.seen_us > self.rules.stale_us:
                rows += _silent(it.line, it.seen_us, at_us // HOUR_US * HOUR_US)
                low_us = max(it.seen_us, at_us // HOUR_US * HOUR_US)
                # whole minutes, so that a silent line does not make work on every look
                high_us = at_us // 60_000_000 * 60_000_000
                rows += _silent(it.line, low_us, high_us)
        return rows

    def _take(
        self,
        entries: Sequence[Any],
        intervals: Sequence[tuple[Any, ...]],
        produced: Sequence[tuple[Any, ...]],
        *,
        opened: Sequence[tuple[Any, ...]],
    ) -> Watermark:
        mark, run = self._watermark, self._connection.execute
        tables: dict[str, list[tuple[Any, ...]]] = {}
        for entry in entries:
            for table, row in rows_of(entry, self.zone):
                tables.setdefault(table, []).append(row)
        for table, rows in tables.items():
            self._tables.append(table, rows)
        self._tables.append("interval", intervals)
        self._tables.append("produced", produced)
        if opened != self._open:
            run("insert into base.dirty select line, hour_us from base.open_interval")
            run("delete from base.open_interval")
            self._tables.append("open_interval", opened)
        changed = opened != self._open
        if changed or intervals or produced or "stop_label" in tables:
            self._recompute(mark, opened=changed)
        entry_at_us = tables["entry"][-1][3] if entries else mark.entry_at_us
        after = Watermark(
            seq=entries[-1].seq if entries else mark.seq,
            interval_id=intervals[-1][0] if intervals else mark.interval_id,
            produced_id=produced[-1][0] if produced else mark.produced_id,
            at_us=self._clock_us(),
            entry_at_us=entry_at_us,
        )
        run("delete from base.watermark")
        self._tables.append(
            "watermark",
            [(after.seq, after.interval_id, after.produced_id, after.at_us, after.entry_at_us)],
        )
        return after

    def _recompute(self, mark: Watermark, *, opened: bool) -> None:
        """Note the hours that new rows touch, and compute them again."""
        self._script(
            self._touch,
            opened=opened,
            interval_id=mark.interval_id,
            produced_id=mark.produced_id,
            seq=mark.seq,
        )
        self._extend_shifts()
        self._script(self._rollup)
        self._computed += 1

    def _script(self, statements: list[Any], **values: object) -> None:
        for one in statements:
            given = {name: values[name] for name in one.named_parameters}
            self._connection.execute(one, given or None)

    def _extend_shifts(self) -> None:
        """Have a shift row for every hour that a line has, and for the day to come."""
        spans = self._connection.execute("select line, first_us, upto_us from base.line_span")
        for line, first_us, upto_us in spans.fetchall():
            low_us = first_us // HOUR_US * HOUR_US - HOUR_US
            high_us = upto_us // HOUR_US * HOUR_US + 2 * HOUR_US
            known = self._shifts_us.get(line)
            if known is not None and known[0] <= low_us and high_us <= known[1]:
                continue
            high_us += AHEAD_US
            self._connection.execute("delete from base.shift_hour where line = ?", [line])
            self._tables.append(
                "shift_hour",
                shift_hours(self._calendar, line, start_us=low_us, end_us=high_us, zone=self.zone),
            )
            limit_us = self.rules.minor_stop_us.get(line, self.rules.default_minor_stop_us)
            self._connection.execute("delete from base.minor_stop where line = ?", [line])
            self._tables.append("minor_stop", [(line, limit_us)])
            self._shifts_us[line] = (low_us, high_us)

    def _compact(self) -> None:
        """Write computed tables anew, in time order, without the rows that were replaced."""
        for table in (*COMPUTED, "open_interval", "watermark"):
            order = "" if table in ("watermark",) else " order by line, hour_us"
            self._connection.execute(
                f"create or replace table base.{table} as select * from base.{table}{order}"
            )
        self._computed = 0


def _silent(line: str, start_us: int, end_us: int) -> Iterator[tuple[Any, ...]]:
    """Yield unknown stretches by the hour; shift and date come from the calendar."""
    while start_us < end_us:
        hour_us = start_us // HOUR_US * HOUR_US
        upto_us = min(end_us, hour_us + HOUR_US)
        keys = (hour_us, None, None, None, None, None)
        yield (None, line, "unknown", None, start_us, upto_us, *keys, "silent")
        start_us = upto_us
