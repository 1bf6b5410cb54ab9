"""Lines, shifts and clocks for the telemetry tests."""

from datetime import date

from capture.collector import Collector, LineSource
from capture.machines import FoldRules, Sample
from capture.modbus.counter import CounterLimits
from capture.segments import HOUR_US, Edges, Run, Slot
from capture.simulated.plc import tag_map
from capture.telemetry import CurrentRow, Telemetry

S = 1_000_000
START = 500_000 * HOUR_US
RULES = FoldRules(limits=CounterLimits(max_per_min=6_000), missed=3)


class EightHours:
    """Shifts of eight hours UTC without a break."""

    def instance(self, line: str, at_us: int) -> tuple[str, date, int, int, bool]:
        n = at_us // (8 * HOUR_US)
        return (
            f"s{n % 3}",
            date.fromordinal(719_163 + n // 3),
            n * 8 * HOUR_US,
            (n + 1) * 8 * HOUR_US,
            True,
        )


class Runs:
    """The runs of a line, as they become known."""

    def __init__(self, *runs: Run) -> None:
        self.runs = list(runs)

    def at(self, line: str, at_us: int) -> Run | None:
        for run in self.runs:
            if run.start_us <= at_us and (run.end_us is None or at_us < run.end_us):
                return run
        return None


class Clock:
    def __init__(self, at_us: int = START) -> None:
        self.at_us = at_us

    def __call__(self) -> int:
        return self.at_us


def source(port: int = 1, **changed: object) -> LineSource:
    given = {"line": "L1", "host": "127.0.0.1", "port": port, "tags": tag_map(), "rules": RULES}
    return LineSource(**(given | changed))  # type: ignore[arg-type]


def collector(store: Telemetry, clock: Clock, runs: Runs | None = None) -> Collector:
    edges = Edges(EightHours(), (runs or Runs()).at)
    return Collector(store, [source()], edges, lag_us=0, clock_us=clock)


def slot(start_us: int, end_us: int, **changed: object) -> Slot:
    given = {"line": "L1", "hour_us": start_us // HOUR_US * HOUR_US, "shift": "s0"}
    given |= {"business_date": "2026-11-23", "start_us": start_us, "end_us": end_us}
    return Slot(**(given | changed))  # type: ignore[arg-type]


def seen(at_us: int, state: str | None, good: int = 0) -> Sample:
    return Sample(at_us=at_us, state=state, good=good, scrap=0)


def check_whole(store: Telemetry, since_us: int) -> CurrentRow:
    """Assert that intervals and the open stretch follow each other without a gap."""
    rows = store.intervals_after(0)
    (now,) = store.lines()
    edges = [since_us, *(row[5] for row in rows)]
    assert [row[4] for row in rows] == edges[:-1]
    assert now.since_us == edges[-1]
    assert now.seen_us >= now.since_us
    for row in rows:
        assert row[6] <= row[4] < row[5] <= row[6] + HOUR_US
    return now
