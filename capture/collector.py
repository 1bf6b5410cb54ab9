"""The collector: polls lines, folds samples, and writes cut rows to the telemetry store.

Facts wait for `lag_us` before they are written, so that an order's start or end that was
recorded a moment ago is known when time is cut at it. What the store says is therefore whole:
its intervals and each line's open stretch cover the time since the line was first polled,
exactly once.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from capture.machines import (
    FoldRules,
    Interval,
    LineState,
    Produced,
    Sample,
    TagMap,
    begin,
    fold,
    sample,
)
from capture.modbus.client import Block, Poller, Unit
from capture.segments import MINUTE_US, Edges, Slot, spread
from capture.telemetry import CurrentRow, IntervalRow, ProducedRow, Telemetry
from core.clock import micros, now


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSource:
    """Where one line's samples come from and how they are judged."""

    line: str
    host: str
    port: int
    tags: TagMap
    rules: FoldRules
    device_id: int = 1
    period_s: float = 1.0
    timeout_s: float = 1.0

    def unit(self) -> Unit:
        """Return what the poller has to ask."""
        start, count = self.tags.block()
        return Unit(
            name=self.line,
            host=self.host,
            port=self.port,
            device_id=self.device_id,
            start=start,
            count=count,
            period_s=self.period_s,
            timeout_s=self.timeout_s,
        )


@dataclass(slots=True, kw_only=True)
class _Track:
    """One line in memory. `written_us` is how far `interval` has got."""

    source: LineSource
    state: LineState
    written_us: int
    closed: list[Interval] = field(default_factory=list)
    made: list[Produced] = field(default_factory=list)
    good_raw: int | None = None
    scrap_raw: int | None = None
    counted_us: int = 0
    speed: float | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLine:
    """A line at this moment, ahead of the store: for a live screen, not for figures."""

    line: str
    state: str
    reason: str | None
    since_us: int
    seen_us: int
    speed: float | None
    fault: str | None


class Collector:
    """Keep the telemetry store up to date with every line until stopped.

    Args of the constructor:
        flush_s: how often rows are written, in one transaction for all lines.
        count_every: every how many flushes the counts are written too.
        lag_us: how long a fact waits before it is cut and written.
    """

    def __init__(
        self,
        store: Telemetry,
        sources: Sequence[LineSource],
        edges: Edges,
        *,
        flush_s: float = 1.0,
        count_every: int = 2,
        lag_us: int = 500_000,
        clock_us: Callable[[], int] = lambda: micros(now()),
    ) -> None:
        self._store = store
        self._edges = edges
        self._flush_s = flush_s
        self._count_every = count_every
        self._lag_us = lag_us
        self._clock_us = clock_us
        self._lock = threading.Lock()
        self._flushes = 0
        self.fault: str | None = None
        self._tracks = {source.line: self._resume(source) for source in sources}
        self._poller = Poller([source.unit() for source in sources], self._hear)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start polling and writing."""
        if self._thread is None:
            self._stop.clear()
            self._poller.start()
            self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop polling and write what is known."""
        if self._thread is not None:
            self._poller.stop()
            self._stop.set()
            self._thread.join(timeout=30)
            self._thread = None
            self.flush(counts=True, lag_us=0)

    def live(self) -> list[LiveLine]:
        """Return every line as of its last poll."""
        with self._lock:
            return [
                LiveLine(
                    line=line,
                    state=track.state.state,
                    reason=track.state.reason,
                    since_us=track.state.since_us,
                    seen_us=track.state.seen_us,
                    speed=track.speed,
                    fault=track.fault,
                )
                for line, track in sorted(self._tracks.items())
            ]

    def take(self, line: str, seen: Sample) -> None:
        """Fold one sample of a line; the poller's way in, and a test's."""
        with self._lock:
            track = self._tracks[line]
            track.state, (closed, made) = fold(track.state, seen, track.source.rules)
            track.closed += closed
            track.made += made
            track.speed, track.fault = seen.speed, seen.fault

    def flush(self, *, counts: bool, lag_us: int | None = None) -> None:
        """Write what has waited long enough; nothing is forgotten when writing fails."""
        horizon_us = self._clock_us() - (self._lag_us if lag_us is None else lag_us)
        with self._lock:
            # facts are values: copies are enough to work outside the lock
            copies = [
                replace(track, closed=list(track.closed), made=list(track.made))
                for track in self._tracks.values()
            ]
        plans = [self._plan(track, horizon_us, counts=counts) for track in copies]
        current = [plan.current for plan in plans if plan.current is not None]
        self._store.write(
            intervals=[row for plan in plans for row in plan.intervals],
            produced=[row for plan in plans for row in plan.produced],
            current=current,
        )
        with self._lock:
            for plan in plans:
                track = self._tracks[plan.line]
                track.written_us = plan.written_us
                del track.closed[: plan.closed], track.made[: plan.made]
                track.good_raw, track.scrap_raw = plan.good_raw, plan.scrap_raw
                track.counted_us = plan.counted_us

    def _hear(self, block: Block) -> None:
        source = self._tracks[block.unit].source
        if block.words is None:
            self.take(block.unit, Sample(at_us=block.at_us, fault=block.fault))
            return
        start, _ = source.tags.block()
        try:
            seen = sample(source.tags, block.words, start=start, at_us=block.at_us)
        except (ValueError, OverflowError) as cause:  # a float register may hold NaN or infinity
            seen = Sample(at_us=block.at_us, fault=str(cause))
        self.take(block.unit, seen)

    def _run(self) -> None:
        while not self._stop.wait(self._flush_s):
            self._flushes += 1
            try:
                self.flush(counts=self._flushes % self._count_every == 0)
                self.fault = None
            except Exception as bug:  # a full disk or a slow reader; the facts are kept and retried
                self.fault = f"{type(bug).__name__}: {bug}"

    def _resume(self, source: LineSource) -> _Track:
        """Take up a line where the store left it: what was not polled since is unknown."""
        at_us = self._clock_us()
        for row in self._store.lines():
            if row.line == source.line:
                known = Interval(
                    state=row.state, reason=row.reason, start_us=row.since_us, end_us=row.seen_us
                )
                state = replace(
                    begin(row.seen_us),
                    good=row.good_raw,
                    scrap=row.scrap_raw,
                    counted_us=row.counted_us,
                )
                return _Track(
                    source=source,
                    state=state,
                    written_us=row.since_us,
                    closed=[known] if row.since_us < row.seen_us else [],
                    good_raw=row.good_raw,
                    scrap_raw=row.scrap_raw,
                    counted_us=row.counted_us,
                )
        return _Track(source=source, state=begin(at_us), written_us=at_us)

    def _plan(self, track: _Track, horizon_us: int, *, counts: bool) -> "_Plan":
        """Work out what to write for one line, without changing anything."""
        line, rows, written_us = track.source.line, list[IntervalRow](), track.written_us
        done = 0
        while done < len(track.closed) and track.closed[done].end_us <= horizon_us:
            interval = track.closed[done]
            rows += _rows(interval, self._edges.cut(line, written_us, interval.end_us))
            written_us = interval.end_us
            done += 1
        opened = _open(track.state, track.closed[done:], horizon_us)
        slots = self._edges.cut(line, written_us, opened.end_us)
        rows += _rows(opened, slots[:-1])
        if slots:
            written_us = slots[-1].start_us
        produced = self._produced(line, track.made) if counts else []
        plan = _Plan(
            line=line,
            written_us=written_us,
            intervals=rows,
            produced=produced,
            closed=done,
            made=len(track.made) if counts else 0,
            good_raw=track.state.good if counts else track.good_raw,
            scrap_raw=track.state.scrap if counts else track.scrap_raw,
            counted_us=track.state.counted_us if counts else track.counted_us,
        )
        key = slots[-1] if slots else self._edges.slot(line, written_us, written_us + 1)
        plan.current = _current(plan, opened, key)
        return plan

    def _produced(self, line: str, made: Sequence[Produced]) -> list[ProducedRow]:
        """Return pieces summed by minute and keys, spread over slots where they cross an edge."""
        sums: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0])
        slots: dict[tuple[object, ...], Slot] = {}
        for piece in made:
            cut = self._edges.cut(line, min(piece.since_us, piece.at_us - 1), piece.at_us)
            lengths = _lengths(cut, estimated=piece.estimated)
            shares = zip(
                cut, spread(piece.good, lengths), spread(piece.scrap, lengths), strict=True
            )
            for slot, good, scrap in shares:
                minute_us = (slot.end_us - 1) // MINUTE_US * MINUTE_US
                key = (minute_us, slot.shift, slot.business_date, slot.order, piece.estimated)
                sums[key][0] += good
                sums[key][1] += scrap
                slots[key] = slot
        return [
            ProducedRow(
                slot=slots[key],
                at_us=(slots[key].end_us - 1) // MINUTE_US * MINUTE_US,
                good=good,
                scrap=scrap,
                estimated=bool(key[-1]),
            )
            for key, (good, scrap) in sums.items()
            if good or scrap or key[-1]
        ]


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What one flush writes for one line, and how far that takes it."""

    line: str
    written_us: int
    intervals: list[IntervalRow]
    produced: list[ProducedRow]
    closed: int
    made: int
    good_raw: int | None
    scrap_raw: int | None
    counted_us: int
    current: CurrentRow | None = None


def _rows(interval: Interval, slots: Sequence[Slot]) -> list[IntervalRow]:
    return [IntervalRow(slot=slot, state=interval.state, reason=interval.reason) for slot in slots]


def _lengths(slots: Sequence[Slot], *, estimated: bool) -> list[int]:
    """Return what the pieces of one poll are spread by: its time on a run, if it touches one.

    Where within a poll a piece was made nobody knows. A run's first and last pieces would
    else fall beside it, belong to no product, and leave the whole shift without a figure.
    Pieces across a gap are spread over all of it.
    """
    on_run = [slot.end_us - slot.start_us if slot.order else 0 for slot in slots]
    if any(on_run) and not estimated:
        return on_run
    return [slot.end_us - slot.start_us for slot in slots]


def _open(state: LineState, waiting: Sequence[Interval], horizon_us: int) -> Interval:
    """Return the stretch that is open at the horizon: a young closed one, else the state's own."""
    if waiting:
        first = waiting[0]
        return replace(first, end_us=max(first.start_us, min(first.end_us, horizon_us)))
    end_us = max(state.since_us, min(state.certain_us, horizon_us))
    return Interval(state=state.state, reason=state.reason, start_us=state.since_us, end_us=end_us)


def _current(plan: _Plan, opened: Interval, key: Slot) -> CurrentRow:
    return CurrentRow(
        line=plan.line,
        state=opened.state,
        since_us=plan.written_us,
        seen_us=max(plan.written_us, opened.end_us),
        reason=opened.reason,
        state_since_us=opened.start_us,
        good_raw=plan.good_raw,
        scrap_raw=plan.scrap_raw,
        counted_us=plan.counted_us,
        hour_us=key.hour_us,
        shift=key.shift,
        business_date=key.business_date,
        order_id=key.order,
        batch=key.batch,
        sku=key.sku,
    )
