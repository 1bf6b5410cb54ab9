"""The collector: from samples, or a PLC on the wire, to rows that cover the time once."""

from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.collector import Collector
from capture.machines import UNKNOWN
from capture.segments import HOUR_US, MINUTE_US, Edges, Run
from capture.simulated.line import WRAP, LineModel
from capture.simulated.plc import SimulatedPlc, tag_map
from capture.telemetry import Telemetry
from tests.capture_lines import (
    START,
    Clock,
    EightHours,
    Runs,
    S,
    check_whole,
    collector,
    seen,
    source,
)
from tests.patience import eventually


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
    assert made == {"1": 120, None: 0}
    store.close()


@pytest.mark.requirement("J4")
def test_pieces_of_a_poll_without_any_run_belong_to_none(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    runs = Runs(Run(order="1", batch="B1", sku="P", start_us=START, end_us=START + 2 * S))
    lines = collector(store, clock, runs)
    for second, good in ((0, 0), (1, 10), (2, 20), (3, 30), (4, 40)):
        clock.at_us = START + second * S
        lines.take("L1", seen(clock.at_us, "execute", good))
    clock.at_us += 2 * S
    lines.flush(counts=True)
    made = {None: 0, "1": 0}
    for row in store.produced_after(0):
        made[row[9]] += row[3]
    assert made == {"1": 20, None: 20}
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
        eventually(lambda: store.current()[0][1:2] == ("idle",) if store.current() else False)
        plc.start_order("1000178")
        eventually(lambda: store.current()[0][1] == "execute")
        eventually(lambda: plc.counters()[0] < 1_000)
        plc.disturb("breakdown", 60)
        eventually(lambda: store.current()[0][1] == "held")
        assert lines.live()[0].reason == "mechanical"
        plc.drop(0.6)
        eventually(lambda: store.current()[0][1] == UNKNOWN)
        assert lines.live()[0].fault
        eventually(lambda: store.current()[0][1] == "held")
        plc.stop_order()
        eventually(lambda: store.current()[0][1] == "idle")
        assert lines.fault is None
    finally:
        lines.stop()
        good, scrap = plc.counters()
        plc.stop()
    check_whole(store, store.intervals_after(0)[0][4])
    states = [row[2] for row in store.intervals_after(0)]
    # held before and after the silence; before it, perhaps for one poll only, which has no length
    assert [state for state, _ in groupby(s for s in states if s != UNKNOWN)] == [
        "idle",
        "execute",
        "held",
    ]
    assert UNKNOWN in states[1:]
    made = store.produced_after(0)
    assert sum(row[3] for row in made) == good + 30
    assert sum(row[4] for row in made) == scrap
    assert "stopped" not in states
    store.close()
