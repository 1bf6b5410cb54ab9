"""Samples become intervals that cover the time exactly once, and counts that add up."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.machines import (
    UNKNOWN,
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
from capture.modbus.counter import CounterLimits
from capture.modbus.decode import Tag

S = 1_000_000
RULES = FoldRules(limits=CounterLimits(max_per_min=600), missed=3)
TAGS = TagMap(
    state=Tag(address=0, low=1, high=17),
    mode=Tag(address=1, high=9),
    reason=Tag(address=2),
    good=Tag(address=3, kind="uint32"),
    scrap=Tag(address=5, kind="uint32"),
    reasons={11: "jam"},
)


def run(samples: list[Sample], at_us: int = 0) -> tuple[LineState, list[Interval], list[Produced]]:
    state, intervals, made = begin(at_us), list[Interval](), list[Produced]()
    for one in samples:
        state, (closed, pieces) = fold(state, one, RULES)
        intervals += closed
        made += pieces
    return state, intervals, made


def seen(at_s: int, state: str = "execute", good: int = 0, scrap: int = 0) -> Sample:
    return Sample(at_us=at_s * S, state=state, good=good, scrap=scrap)


def silent(at_s: int) -> Sample:
    return Sample(at_us=at_s * S, fault="no connection")


def test_state_change_closes_the_interval_at_the_new_sample() -> None:
    state, intervals, _ = run([seen(1), seen(2), seen(3, "held"), seen(9, "execute")])
    assert [(i.state, i.start_us // S, i.end_us // S) for i in intervals] == [
        (UNKNOWN, 0, 1),
        ("execute", 1, 3),
        ("held", 3, 9),
    ]
    assert (state.state, state.since_us) == ("execute", 9 * S)


@pytest.mark.requirement("J2")
def test_silent_line_is_unknown_since_it_was_last_seen_and_never_stopped() -> None:
    state, intervals, _ = run([seen(1), seen(2), silent(3), silent(4)])
    assert state.state == "execute"
    state, intervals, _ = run([seen(1), seen(2), silent(3), silent(4), silent(5)])
    assert (state.state, state.since_us) == (UNKNOWN, 2 * S)
    assert intervals[-1] == Interval(state="execute", reason=None, start_us=1 * S, end_us=2 * S)
    state, intervals, _ = run([seen(1), *(silent(n) for n in range(2, 9)), seen(9, "held")])
    assert [(i.state, i.start_us // S, i.end_us // S) for i in intervals[1:]] == [(UNKNOWN, 1, 9)]


@pytest.mark.requirement("J2")
def test_short_silence_leaves_the_state_as_it_was() -> None:
    _, intervals, _ = run([seen(1), silent(2), silent(3), seen(4), seen(5, "held")])
    assert [(i.state, i.start_us // S, i.end_us // S) for i in intervals[1:]] == [("execute", 1, 5)]


def test_first_count_has_no_delta_and_a_gap_is_estimated() -> None:
    _, _, made = run([seen(1, good=5_000), seen(2, good=5_010), seen(3, good=5_010)])
    assert [(m.good, m.estimated) for m in made] == [(10, False)]
    _, _, made = run([seen(1, good=100), seen(7, good=160)])
    assert [(m.good, m.since_us, m.at_us, m.estimated) for m in made] == [(60, S, 7 * S, True)]
    _, _, made = run([seen(1, good=100), seen(6, good=150)])
    assert [m.estimated for m in made] == [False]


def test_reset_counts_anew_and_says_that_it_is_a_guess() -> None:
    _, _, made = run([seen(1, good=5_000, scrap=9), seen(2, good=4, scrap=9)])
    assert [(m.good, m.scrap, m.estimated) for m in made] == [(4, 0, True)]
    _, _, made = run([seen(1, good=5_000), seen(2, good=900_000)])
    assert [(m.good, m.estimated) for m in made] == [(0, True)]


def test_registers_become_state_mode_and_reason() -> None:
    def read(*block: int) -> Sample:
        return sample(TAGS, block, start=0, at_us=5)

    assert read(6, 1, 11, 0, 7, 0, 2) == Sample(at_us=5, state="execute", good=7, scrap=2)
    held = read(11, 1, 11, 0, 7, 0, 2)
    assert (held.state, held.reason) == ("held", "jam")
    assert read(11, 1, 12, 0, 7, 0, 2).reason is None
    assert read(2, 3, 0, 0, 7, 0, 2).state == "setup"
    assert read(6, 3, 0, 0, 7, 0, 2).state == "execute"
    assert read(2, 1, 0, 0, 7, 0, 2).state == "stopped"
    assert read(0, 1, 0, 0, 7, 0, 2).fault == "state code None is not in the tag map"


samples = st.lists(
    st.builds(
        lambda step, state, good: (step, state, good),
        st.integers(-3 * S, 400 * S),
        st.sampled_from([None, None, "execute", "held", "suspended", "stopped", "idle", "setup"]),
        st.integers(0, 30),
    ),
    max_size=60,
)


@pytest.mark.requirement("J3")
@given(samples)
def test_intervals_cover_the_time_exactly_once(steps: list[tuple[int, str | None, int]]) -> None:
    at_us, good, course = 10 * S, 0, []
    for step_us, state, made in steps:  # some steps go back in time
        at_us, good = max(0, at_us + step_us), good + made
        course.append(Sample(at_us=at_us, state=state, good=good, scrap=0))
    state, intervals, pieces = run(course, at_us=10 * S)
    edges = [10 * S, *(i.end_us for i in intervals)]
    assert [i.start_us for i in intervals] == edges[:-1]
    assert all(i.start_us < i.end_us for i in intervals)
    assert state.since_us == edges[-1]
    assert sum(i.end_us - i.start_us for i in intervals) == state.since_us - 10 * S
    assert state.since_us <= state.seen_us <= state.asked_us
    assert all(a.at_us <= b.since_us for a, b in pairwise(pieces))


@pytest.mark.requirement("J3")
@given(samples)
def test_what_is_certain_is_never_taken_back(steps: list[tuple[int, str | None, int]]) -> None:
    at_us, state, certain_us = 10 * S, begin(10 * S), 10 * S
    for step_us, name, _ in steps:
        at_us += abs(step_us)
        state, (closed, _) = fold(state, Sample(at_us=at_us, state=name, good=0, scrap=0), RULES)
        # what was certain before stays in the interval that it was in
        assert all(i.end_us >= certain_us for i in closed)
        certain_us = state.certain_us
