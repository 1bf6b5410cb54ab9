"""Refused attempts: all of them in the ledger, the newest ones and their number in the document."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import Refused
from core.fact import Recorded
from core.refusal import KEPT, SAME, AttemptRefused, Refusals, apply
from tests.floor import Floor
from tests.hands import AT


def refused(n: int, after: timedelta, says: str = "This is lactose.") -> Recorded:
    event = AttemptRefused(
        subject="batch/B1", command="weighing.scan-container", rule="WrongMaterial", says=says,
        facts={"step": "3"},
    )  # fmt: skip
    return Recorded(
        event=event, stream="refusal/batch/B1", seq=n, ver=n, at=AT + after, actor="olga",
        station="kiosk-B1",
    )  # fmt: skip


def folded(*facts: Recorded) -> Refusals:
    state = None
    for one in facts:
        state = apply(state, one)
    assert state is not None
    return state


@pytest.mark.requirement("D4")
@pytest.mark.parametrize(("apart", "kept"), [(SAME, 1), (SAME + timedelta(microseconds=1), 2)])
def test_the_same_attempt_again_within_a_second_only_counts(apart: timedelta, kept: int) -> None:
    state = folded(refused(1, timedelta()), refused(2, apart))
    assert (state.count, len(state.attempts)) == (2, kept)
    assert sum(one.times for one in state.attempts) == 2


@pytest.mark.requirement("D4")
def test_a_stuck_scanner_leaves_one_line_with_its_count() -> None:
    state = folded(*(refused(n, n * timedelta(milliseconds=400)) for n in range(1, 5001)))
    (one,) = state.attempts
    assert (state.count, one.times, one.seq) == (5000, 5000, 1)
    assert one.last_at == AT + timedelta(seconds=2000)


@pytest.mark.requirement("D4")
def test_another_attempt_in_the_same_second_is_one_of_its_own() -> None:
    state = folded(refused(1, timedelta()), refused(2, timedelta(), "This is povidone."))
    assert [one.seq for one in state.attempts] == [1, 2]


@pytest.mark.requirement("D4")
def test_the_document_keeps_the_newest_and_counts_all() -> None:
    state = folded(*(refused(n, n * timedelta(minutes=1)) for n in range(1, KEPT + 12)))
    assert (state.count, len(state.attempts)) == (KEPT + 11, KEPT)
    assert state.attempts[-1].seq == KEPT + 11


@pytest.mark.requirement("D4")
def test_the_ledger_keeps_every_attempt(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "3")
    for _ in range(3):
        with pytest.raises(Refused):
            floor.scan(batch, "3", "LA-2291")
    assert len(floor.execution.ledger.stream(f"refusal/batch/{batch}")) == 3
    state = floor.get(Refusals, f"batch/{batch}")
    assert (state.count, [one.times for one in state.attempts]) == (3, [3])
