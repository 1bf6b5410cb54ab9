"""Figures of the lines, computed once for everybody: one per process.

A page asks for a selection and gets what is true at the newest watermark; the first to ask
computes it, the others share it. When the watermark moves, the hub's topic `oee` says so.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from analytics.losses import Loss, Step, losses, waterfall
from analytics.oee import OeeRow, oee
from analytics.projector import Watermark
from analytics.rules import OeeRules
from analytics.timeline import ShiftSpan, Stretch, shifts, timeline
from core.clock import micros, now
from dashboards.live import Hub

TOPIC = "oee"
PACE_S = 1.5  # the longest between a moved watermark and its news
STALE_US = 60_000_000
KEPT = 64
TREND_SHIFTS = 21

log = logging.getLogger(__name__)


class Source(Protocol):
    """The part of the projector that is read."""

    rules: OeeRules
    zone: ZoneInfo
    fault: str | None

    @property
    def watermark(self) -> Watermark: ...
    def reader(self) -> AbstractContextManager[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What a line does at the end of what is known; `since_us` of the unbroken stretch."""

    state: str
    category: str
    reason: str | None
    since_us: int
    seen_us: int
    batch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFigures:
    """One line in the window; `row` is None where nothing is known of it there."""

    line: str
    name: str
    row: OeeRow | None
    now: Now | None
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OeeView:
    """All that `/oee` shows for one window and line; half-open in time."""

    mark: Watermark
    definition: str
    day: date | None
    shift: str
    start_us: int
    end_us: int
    is_live: bool
    lines: tuple[LineFigures, ...]
    whole: OeeRow | None
    losses: tuple[Loss, ...]
    steps: tuple[Step, ...]
    by_shift: tuple[OeeRow, ...]
    by_hour: tuple[OeeRow, ...]
    rows: tuple[OeeRow, ...]
    spans: tuple[ShiftSpan, ...]

    def of(self, line: str) -> LineFigures | None:
        """Return one line's figures."""
        return next((one for one in self.lines if one.line == line), None)


class Figures:
    """Computes and keeps views; safe to use from any thread."""

    def __init__(
        self, source: Source, hub: Hub, *, zone: ZoneInfo, names: Mapping[str, str]
    ) -> None:
        self.source, self._hub, self.zone, self.names = source, hub, zone, names
        self._lock = threading.Lock()
        self._computing: dict[object, threading.Lock] = {}
        self._kept: dict[object, tuple[Watermark, Any]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.computed = 0

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Say when the watermark moves."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="figures", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        told: Watermark | None = None
        told_s = 0.0
        while not self._stop.wait(PACE_S):
            mark = self.source.watermark
            # a page must learn that nothing comes any more, too
            if mark != told or time.monotonic() - told_s > STALE_US / 4e6:
                told, told_s = mark, time.monotonic()
                self._hub.publish(TOPIC, mark)

    # -- answers -----------------------------------------------------------------------------

    def age_us(self) -> int:
        """Return how long ago the numbers last moved."""
        return micros(now()) - self.source.watermark.at_us

    def shared[T](self, key: object, compute: Callable[[Any, Watermark], T]) -> T:
        """Return a value of the newest watermark, computed by whoever asks first."""
        with self._lock:
            one = self._computing.setdefault(key, threading.Lock())
        with one:
            mark = self.source.watermark
            kept = self._kept.get(key)
            if kept is not None and kept[0] == mark:
                return kept[1]
            with self.source.reader() as reader:
                value = compute(reader, mark)
            self.computed += 1
        with self._lock:
            self._kept[key] = (mark, value)
            while len(self._kept) > KEPT:
                gone = next(iter(self._kept))
                self._kept.pop(gone)
                self._computing.pop(gone, None)
        return value

    def oee(self, line: str, day: date | None, shift: str) -> OeeView:
        """Return the view of a line, or of all where it is empty.

        Args:
            day: a business date; None takes the newest shift.
            shift: a shift's name; empty takes the whole day.
        """
        return self.shared(
            ("oee", line, day, shift),
            lambda reader, mark: self._view(reader, mark, line=line, day=day, shift=shift),
        )

    def _view(
        self, reader: Any, mark: Watermark, *, line: str, day: date | None, shift: str
    ) -> OeeView:
        spans = shifts(reader)
        is_live = day is None
        if day is None and spans:
            day, shift = spans[0].business_date, spans[0].shift
        start_us, end_us = edges(spans, day, shift)
        found = {row.line: row for row in within(reader, ("line",), day, shift=shift)}
        names = sorted({*self.names, *(span.line for span in spans)})
        whole = within(reader, (), day, shift=shift, line=line)
        lost: list[Loss] = []
        if day is not None:
            lost = losses(
                reader, line=line or None, shift=shift or None, from_date=day, to_date=day
            )
        last = sorted({(s.business_date, s.start_us, s.shift) for s in spans})[-TREND_SHIFTS:]
        recent = {(day_, name) for day_, _, name in last}
        first_day = last[0][0] if last else None
        by_shift = oee(reader, ("line", "business_date", "shift"), from_date=first_day)
        return OeeView(
            mark=mark,
            definition=self.source.rules.version,
            day=day,
            shift=shift,
            start_us=start_us,
            end_us=end_us,
            is_live=is_live,
            lines=tuple(
                LineFigures(
                    line=name,
                    name=self.names.get(name, name),
                    row=found.get(name),
                    now=present(reader, name),
                    stretches=tuple(timeline(reader, name, start_us=start_us, end_us=end_us)),
                )
                for name in names
            ),
            whole=whole[0] if whole else None,
            losses=tuple(lost),
            steps=tuple(waterfall(whole[0], lost)) if whole else (),
            by_shift=_ordered(
                [row for row in by_shift if (row.business_date, row.shift) in recent], last
            ),
            by_hour=tuple(within(reader, ("hour_us", "line"), day, shift=shift)),
            rows=tuple(
                within(
                    reader, ("line", "business_date", "shift", "sku"), day, shift=shift, line=line
                )
            ),
            spans=tuple(spans),
        )


def within(
    reader: Any, by: Sequence[str], day: date | None, *, shift: str = "", line: str = ""
) -> list[OeeRow]:
    """Return the elements of one day or shift; nothing where no day is known."""
    if day is None:
        return []
    return oee(reader, by, line=line or None, shift=shift or None, from_date=day, to_date=day)


def _ordered(rows: Sequence[OeeRow], last: Sequence[tuple[date, int, str]]) -> tuple[OeeRow, ...]:
    """Return rows of shifts in time order."""
    place: dict[tuple[date | None, str | None], int]
    place = {(day, name): at for at, (day, _, name) in enumerate(last)}
    return tuple(
        sorted(rows, key=lambda row: (place[(row.business_date, row.shift)], row.line or ""))
    )


def edges(spans: Sequence[ShiftSpan], day: date | None, shift: str) -> tuple[int, int]:
    """Return the window's edges: a shift's own, or those of all shifts of the day."""
    inside = [s for s in spans if s.business_date == day and shift in ("", s.shift)]
    if not inside:
        return 0, 0
    return min(s.start_us for s in inside), max(s.end_us for s in inside)


def present(reader: Any, line: str) -> Now | None:
    """Return what a line does at the end of what is known of it."""
    found = reader.execute("select upto_us from base.line_span where line = ?", [line]).fetchall()
    if not found:
        return None
    upto_us = found[0][0]
    stretches = timeline(reader, line, start_us=upto_us - 24 * 3_600_000_000, end_us=upto_us)
    if not stretches:
        return None
    last = stretches[-1]
    since_us = last.start_us
    for one in reversed(stretches):
        if (one.category, one.reason) != (last.category, last.reason):
            break
        since_us = one.start_us
    return Now(
        state=last.state,
        category=last.category,
        reason=last.reason,
        since_us=since_us,
        seen_us=upto_us,
        batch=last.batch,
    )
