"""The telemetry store: append-only, whole, sealed; and the collector from PLC to rows."""

import gzip
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from capture.collector import Collector, LineSource
from capture.machines import UNKNOWN, FoldRules, Sample
from capture.modbus.counter import CounterLimits
from capture.segments import HOUR_US, MINUTE_US, Edges, Run, Slot
from capture.simulated.line import WRAP, LineModel
from capture.simulated.plc import SimulatedPlc, tag_map
from capture.telemetry import CurrentRow, IntervalRow, ProducedRow, Telemetry

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


@pytest.mark.requirement("J3")
def test_rows_are_append_only_and_intervals_never_overlap(tmp_path: Path) -> None:
    store = Telemetry(tmp_path)
    store.write(
        intervals=[IntervalRow(slot=slot(START, START + 10 * S), state="execute")],
        produced=[
            ProducedRow(slot=slot(START, START + S), at_us=START, good=1, scrap=0, estimated=False)
        ],
    )
    for start, end in ((START + 9 * S, START + 11 * S), (START - S, START + 1), (START, START + S)):
        with pytest.raises(IntegrityError, match="must not overlap"):
            store.write(intervals=[IntervalRow(slot=slot(start, end), state="held")])
    store.write(intervals=[IntervalRow(slot=slot(START + 10 * S, START + 11 * S), state="held")])
    other = slot(START, START + S, line="L2")
    store.write(intervals=[IntervalRow(slot=other, state="held")])
    engine = create_engine(f"sqlite:///{store.path}")
    for statement in ("UPDATE interval SET state = 'x'", "DELETE FROM produced"):
        with engine.connect() as connection, pytest.raises(IntegrityError, match="append-only"):
            connection.execute(text(statement))
    engine.dispose()
    assert [row[2] for row in store.intervals_after(0)] == ["execute", "held", "held"]
    assert [row[0] for row in store.intervals_after(1, limit=1)] == [2]
    store.close()


def test_columns_are_the_ones_that_readers_rely_on(tmp_path: Path) -> None:
    store = Telemetry(tmp_path)
    keyed = slot(START, START + S, order="1000178", batch="B26-0178", sku="PARA500")
    store.write(
        intervals=[IntervalRow(slot=keyed, state="held", reason="jam")],
        produced=[ProducedRow(slot=keyed, at_us=START, good=9, scrap=1, estimated=True)],
    )
    keys = (START, "s0", "2026-11-23", "1000178", "B26-0178", "PARA500")
    assert store.intervals_after(0) == [(1, "L1", "held", "jam", START, START + S, *keys, "modbus")]
    assert store.produced_after(0) == [(1, "L1", START, 9, 1, True, *keys)]
    store.close()


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


@pytest.mark.requirement("J3")
def test_long_state_is_written_hour_by_hour_and_the_rest_is_current(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    lines = collector(store, clock)
    for step in range(0, 3 * 60 + 30):
        clock.at_us = START + step * 60 * S
        lines.take("L1", seen(clock.at_us, "execute", step * 100))
        lines.flush(counts=True)
    now = check_whole(store, START)
    assert [row[2] for row in store.intervals_after(0)] == ["execute"] * 3
    assert (now.since_us, now.state_since_us) == (START + 3 * HOUR_US, START)
    assert store.current() == [("L1", "execute", START + 3 * HOUR_US, clock.at_us)]
    assert sum(row[3] for row in store.produced_after(0)) == 209 * 100
    assert {row[2] % MINUTE_US for row in store.produced_after(0)} == {0}
    store.close()


@pytest.mark.requirement("J3")
def test_silence_over_an_hour_edge_is_unknown_from_the_last_answer(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    lines = collector(store, clock)
    last = START + HOUR_US - 2 * S
    for at in [*range(START, last + 1, S * 2), *range(last + 2 * S, last + 60 * S, 2 * S)]:
        clock.at_us = at
        lines.take("L1", seen(at, "execute" if at <= last else None))
        lines.flush(counts=True)
    check_whole(store, START)
    assert [(row[2], row[4], row[5]) for row in store.intervals_after(0)] == [
        ("execute", START, last),
        (UNKNOWN, last, START + HOUR_US),
    ]
    store.close()


@pytest.mark.requirement("J4")
def test_rows_carry_the_run_that_was_on_the_line(tmp_path: Path) -> None:
    store, clock, runs = Telemetry(tmp_path), Clock(), Runs()
    lines = collector(store, clock, runs)

    def tick(second: int, state: str, good: int) -> None:
        clock.at_us = START + second * S
        lines.take("L1", seen(clock.at_us, state, good))
        lines.flush(counts=True)

    tick(0, "idle", 0)
    tick(10, "idle", 0)
    runs.runs = [Run(order="1", batch="B1", sku="P", start_us=START + 10 * S)]
    tick(11, "execute", 10)
    tick(20, "execute", 100)
    runs.runs = [replace(runs.runs[0], end_us=START + 21 * S)]
    tick(22, "execute", 120)
    tick(23, "idle", 120)
    now = check_whole(store, START)
    assert [
        (r[2], (r[4] - START) // S, (r[5] - START) // S, r[9]) for r in store.intervals_after(0)
    ] == [
        ("idle", 0, 10, None),
        ("idle", 10, 11, "1"),
        ("execute", 11, 21, "1"),
        ("execute", 21, 23, None),
    ]
    assert now.order_id is None
    made = {None: 0, "1": 0}
    for row in store.produced_after(0):
        made[row[9]] += row[3]
    assert made == {"1": 110, None: 10}
    store.close()


@pytest.mark.requirement("J3")
def test_restart_makes_the_pause_unknown_and_estimates_its_count(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    lines = collector(store, clock)
    for second in range(11):
        clock.at_us = START + second * S
        lines.take("L1", seen(clock.at_us, "execute", second * 10))
    lines.flush(counts=True)
    clock.at_us = START + 100 * S
    again = collector(store, clock)
    again.take("L1", seen(clock.at_us, "execute", 1_000))
    again.take("L1", seen(clock.at_us + S, "held", 1_000))
    clock.at_us += 2 * S
    again.flush(counts=True)
    check_whole(store, START)
    assert [(r[2], (r[4] - START) // S, (r[5] - START) // S) for r in store.intervals_after(0)] == [
        ("execute", 0, 10),
        (UNKNOWN, 10, 100),
        ("execute", 100, 101),
    ]
    assert [(r[3], r[5]) for r in store.produced_after(0)] == [(100, False), (900, True)]
    store.close()


@pytest.mark.requirement("J3")
@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 900),
            st.sampled_from([None, "execute", "execute", "held", "stopped"]),
            st.integers(0, 90),
            st.sampled_from(["", "", "flush", "counts", "restart"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_store_is_whole_whatever_happens_when(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str | None, int, str]]
) -> None:
    store, clock = Telemetry(tmp_path_factory.mktemp("t")), Clock()
    runs = Runs(
        Run(order="1", batch=None, sku=None, start_us=START + 900 * S, end_us=START + 5_000 * S),
        Run(order="2", batch=None, sku=None, start_us=START + 9_000 * S),
    )
    lines, good, first = collector(store, clock, runs), 0, None
    for step, state, made, event in steps:
        clock.at_us += step * S
        good += made
        lines.take("L1", seen(clock.at_us, state, good))
        if state is not None and first is None:
            first = good
        if event in ("flush", "counts"):
            lines.flush(counts=event == "counts")
        elif event == "restart":
            lines.flush(counts=True)
            lines = collector(store, clock, runs)
    lines.flush(counts=True)
    lines.take("L1", seen(clock.at_us + S, "idle", good))
    lines.flush(counts=True, lag_us=-2 * S)
    check_whole(store, START)
    expected = good - (good if first is None else first)
    assert sum(row[3] for row in store.produced_after(0)) == expected
    store.close()


def test_failed_write_keeps_the_facts_for_the_next(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()

    class Late(EightHours):
        ready = False

        def instance(self, line: str, at_us: int) -> tuple[str, date, int, int, bool]:
            if not self.ready:
                raise LookupError("no shift calendar yet")
            return super().instance(line, at_us)

    shifts = Late()
    lines = Collector(store, [source()], Edges(shifts, Runs().at), lag_us=0, clock_us=clock)
    for second, state in enumerate(["execute", "held", "execute"]):
        clock.at_us = START + second * S
        lines.take("L1", seen(clock.at_us, state, second * 5))
        with pytest.raises(LookupError):
            lines.flush(counts=True)
    shifts.ready = True
    lines.flush(counts=True)
    check_whole(store, START)
    assert [row[2] for row in store.intervals_after(0)] == ["execute", "held"]
    assert sum(row[3] for row in store.produced_after(0)) == 10
    store.close()


def test_sealed_hour_is_the_same_bytes_again_and_holds_every_row(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    lines = collector(store, clock)
    for step in range(0, 61):
        clock.at_us = START + step * 60 * S
        lines.take("L1", seen(clock.at_us, "execute" if step % 7 else "held", step * 100))
        lines.flush(counts=True)
        assert not store.sealable_hours() or step == 60
    lines.take("L1", seen(clock.at_us + S, "execute", 6_000))
    clock.at_us += 2 * S
    lines.flush(counts=True)
    assert store.sealable_hours() == [("L1", START)]
    sealed = store.seal_hour("L1", START)
    assert sealed == store.seal_hour("L1", START)
    assert store.sealable_hours() == []
    body = sealed.path.read_bytes()
    assert hashlib.sha256(body).hexdigest() == sealed.sha256
    rows = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert len(rows) == sealed.rows
    covered = sum(r["end_us"] - r["start_us"] for r in rows if r["table"] == "interval")
    assert covered == HOUR_US
    assert sum(r["good"] for r in rows if r["table"] == "produced") == 6_000
    late = ProducedRow(slot=slot(START, START + S), at_us=START, good=1, scrap=0, estimated=True)
    store.write(produced=[late])
    again = store.seal_hour("L1", START)
    assert again.path.name.endswith("-r2.jsonl.gz")
    assert sealed.path.read_bytes() == body
    store.close()


def test_name_of_a_line_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    store = Telemetry(tmp_path)
    store.write(intervals=[IntervalRow(slot=slot(START, START + S, line="../x"), state="held")])
    sealed = store.seal_hour("../x", START)
    assert sealed.path.resolve().is_relative_to(tmp_path / "telemetry")
    store.close()


def eventually(holds: Callable[[], bool], limit_s: float = 8.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


@pytest.mark.requirement("J6")
@pytest.mark.parametrize("word_order", ["big", "little"])
def test_line_from_plc_to_rows_over_a_wrap_and_a_pulled_cable(
    tmp_path: Path, word_order: str
) -> None:
    plc = SimulatedPlc(
        LineModel(rate_per_min=6_000, run_s=10**6, good=WRAP - 30),
        word_order=word_order,  # type: ignore[arg-type]
    )
    store = Telemetry(tmp_path)
    line = source(
        plc.port,
        tags=tag_map(word_order),  # type: ignore[arg-type]
        period_s=0.05,
        timeout_s=0.3,
    )
    lines = Collector(
        store, [line], Edges(EightHours(), Runs().at), flush_s=0.1, count_every=1, lag_us=0
    )
    lines.start()
    try:
        assert eventually(
            lambda: store.current()[0][1:2] == ("idle",) if store.current() else False
        )
        plc.start_order("1000178")
        assert eventually(lambda: store.current()[0][1] == "execute")
        assert eventually(lambda: plc.counters()[0] < 1_000)
        plc.disturb("breakdown", 60)
        assert eventually(lambda: store.current()[0][1] == "held")
        assert lines.live()[0].reason == "mechanical"
        plc.drop(0.6)
        assert eventually(lambda: store.current()[0][1] == UNKNOWN)
        assert lines.live()[0].fault
        assert eventually(lambda: store.current()[0][1] == "held")
        plc.stop_order()
        assert eventually(lambda: store.current()[0][1] == "idle")
        assert lines.fault is None
    finally:
        lines.stop()
        good, scrap = plc.counters()
        plc.stop()
    check_whole(store, store.intervals_after(0)[0][4])
    states = [row[2] for row in store.intervals_after(0)]
    assert [s for s in states if s != UNKNOWN] == ["idle", "execute", "held", "held"]
    assert UNKNOWN in states[1:]
    made = store.produced_after(0)
    assert sum(row[3] for row in made) == good + 30
    assert sum(row[4] for row in made) == scrap
    assert "stopped" not in states
    store.close()
