"""A past for the simulated lines: the same line model and the same collector, in virtual time.

Only machine data is made this way, and only before the demo's first start; nothing enters the
ledger with a time that was not. The pieces of that past belong to orders named `HISTORY`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from capture.collector import Collector, LineSource
from capture.machines import Sample
from capture.modbus.counter import CounterLimits
from capture.segments import HOUR_US, Edges, Run
from capture.simulated.control import send
from capture.simulated.line import Line, LineModel
from capture.simulated.plc import tag_map
from capture.telemetry import Telemetry
from config.calendar import ShiftCalendar, ShiftRows

ORDER = "HISTORY"
STEP_US = 20_000_000
TAGS = tag_map()
DAYS = 3


def runs(calendar: ShiftCalendar, line: str, *, sku: str, upto_us: int) -> list[Run]:
    """Return one run for each planned stretch of the last days, oldest first."""
    found = []
    for shift in calendar.instances(line, upto_us - DAYS * 24 * HOUR_US, upto_us):
        for start_us, end_us in shift.planned:
            if start_us < upto_us:
                found.append(
                    Run(
                        order=ORDER,
                        batch=None,
                        sku=sku,
                        start_us=start_us,
                        end_us=min(end_us, upto_us),
                    )
                )
    return found


def samples(model: LineModel, past: Sequence[Run]) -> Iterator[Sample]:
    """Yield what a poll every 20 s would have found on one line, and at every start and end."""
    line = Line(model, at_us=past[0].start_us)
    for run in past:
        assert run.end_us is not None
        line.start(ORDER, run.start_us)
        at_us = run.start_us
        while at_us < run.end_us:
            yield _sample(line, at_us)
            at_us += STEP_US
        line.stop(run.end_us)
        yield _sample(line, run.end_us)


def _sample(line: Line, at_us: int) -> Sample:
    line.advance(at_us)
    return Sample(
        at_us=at_us,
        state=TAGS.states[line.state],
        reason=TAGS.reasons.get(line.reason),
        good=line.good,
        scrap=line.scrap,
    )


def make(
    store: Telemetry,
    sources: Sequence[LineSource],
    calendar: ShiftCalendar,
    *,
    past: dict[str, list[Run]],
    models: dict[str, LineModel],
) -> dict[str, tuple[int, int]]:
    """Write the past of lines that have none; return where each line's counters stand then."""

    def run_at(line: str, at_us: int) -> Run | None:
        return next((r for r in past[line] if r.start_us <= at_us < (r.end_us or 0)), None)

    counters: dict[str, tuple[int, int]] = {}
    known = {row.line: row for row in store.lines()}
    for source in sources:
        if source.line in known:
            row = known[source.line]
            counters[source.line] = (row.good_raw or 0, row.scrap_raw or 0)
            continue
        clock = [past[source.line][0].start_us]
        rules = replace(
            source.rules,
            gap_us=2 * STEP_US,
            limits=CounterLimits(max_per_min=source.rules.limits.max_per_min),
        )
        collector = Collector(
            store,
            [replace(source, rules=rules)],
            Edges(ShiftRows(calendar), run_at),
            lag_us=0,
            clock_us=lambda clock=clock: clock[0],  # type: ignore[misc]
        )
        last = None
        for seen in samples(models[source.line], past[source.line]):
            if seen.at_us - clock[0] >= HOUR_US:
                collector.flush(counts=True)
            clock[0] = seen.at_us
            collector.take(source.line, seen)
            last = seen
        collector.flush(counts=True)
        if last is not None:
            counters[source.line] = (last.good or 0, last.scrap or 0)
    return counters


def continue_at(control: int, good: int, scrap: int) -> None:
    """Let a simulated PLC count on from where its past ended."""
    send("127.0.0.1", control, f"COUNT {good} {scrap}")
