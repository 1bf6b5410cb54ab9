"""Time is cut at hours, shifts and runs, on the nights when the clocks change too."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.segments import HOUR_US, Edges, Run, spread
from core.clock import micros

BERLIN = ZoneInfo("Europe/Berlin")
SHIFTS = (("early", 6), ("late", 14), ("night", 22))


class Berlin:
    """Three shifts a day, 06-14, 14-22 and 22-06 by the clock on the wall."""

    def instance(self, line: str, at_us: int) -> tuple[str, date, int, int, bool]:
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(
            BERLIN
        )
        starts = [
            (name, day, datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN))
            for day in (local.date() + timedelta(days=n) for n in (-1, 0, 1))
            for name, hour in SHIFTS
        ]
        edges = [micros(start.astimezone(UTC)) for _, _, start in starts]
        n = max(n for n, edge in enumerate(edges) if edge <= at_us)
        return starts[n][0], starts[n][1], edges[n], edges[n + 1], True


def nothing(line: str, at_us: int) -> Run | None:
    return None


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC))


@pytest.mark.requirement("J3")
@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-01", 8)]
)
def test_night_shift_has_the_hours_that_really_pass(day: str, hours: int) -> None:
    start = at(f"{day}T22:00")
    end = at((datetime.fromisoformat(day) + timedelta(days=1)).strftime("%Y-%m-%dT06:00"))
    slots = Edges(Berlin(), nothing).cut("L1", start - HOUR_US, end + HOUR_US)
    night = [slot for slot in slots if (slot.shift, slot.business_date) == ("night", day)]
    assert sum(slot.end_us - slot.start_us for slot in night) == hours * HOUR_US
    assert len(night) == hours
    assert (slots[0].shift, slots[-1].shift) == ("late", "early")
    assert slots[-1].business_date != day


@pytest.mark.requirement("J4")
@given(
    st.integers(at("2026-03-27T00:00"), at("2026-03-30T00:00")),
    st.integers(1, 40 * HOUR_US),
    st.lists(st.integers(1, 20 * HOUR_US), max_size=6),
)
def test_cut_covers_exactly_and_no_slot_crosses_an_edge(
    start: int, length: int, lengths: list[int]
) -> None:
    runs, reached = [], start
    for n, long in enumerate(lengths):
        if n % 2:  # every other stretch is a gap between runs
            runs.append(
                Run(order=f"A{n}", batch="B", sku="S", start_us=reached, end_us=reached + long)
            )
        reached += long

    def run_at(line: str, moment: int) -> Run | None:
        return next((r for r in runs if r.start_us <= moment < (r.end_us or 0)), None)

    slots = Edges(Berlin(), run_at).cut("L1", start, start + length)
    assert [s.start_us for s in slots] == [start, *(s.end_us for s in slots[:-1])]
    assert slots[-1].end_us == start + length
    for slot in slots:
        last = slot.end_us - 1
        assert slot.hour_us <= slot.start_us <= last < slot.hour_us + HOUR_US
        assert Berlin().instance("L1", slot.start_us) == Berlin().instance("L1", last)
        if slot.order is not None:
            assert run_at("L1", slot.start_us) == run_at("L1", last)


def test_slot_ends_where_a_run_begins_and_ends() -> None:
    runs = {"A": Run(order="A", batch="B1", sku="P", start_us=100, end_us=200)}

    def run_at(line: str, moment: int) -> Run | None:
        return runs["A"] if 100 <= moment < 200 else None

    slots = Edges(Berlin(), run_at).cut("L1", 50, 150)
    assert [(s.start_us, s.end_us, s.order) for s in slots] == [(50, 100, None), (100, 150, "A")]
    slots = Edges(Berlin(), run_at).cut("L1", 100, 250)
    assert [(s.start_us, s.end_us, s.batch) for s in slots] == [(100, 200, "B1"), (200, 250, None)]


def test_slot_ends_at_a_shift_that_begins_at_half_past() -> None:
    class HalfPast:
        def instance(self, line: str, at_us: int) -> tuple[str, str, int, int, bool]:
            n = (at_us - HOUR_US // 2) // (8 * HOUR_US)
            start = n * 8 * HOUR_US + HOUR_US // 2
            return f"s{n}", "1970-01-01", start, start + 8 * HOUR_US, True

    slots = Edges(HalfPast(), nothing).cut("L1", 8 * HOUR_US, 9 * HOUR_US)
    assert [(s.shift, s.end_us - s.start_us) for s in slots] == [
        ("s0", HOUR_US // 2),
        ("s1", HOUR_US // 2),
    ]


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_shares_sum_to_the_count(count: int, weights: list[int]) -> None:
    shares = spread(count, weights)
    assert (sum(shares), len(shares)) == (count, len(weights))
    assert min(shares) >= 0
