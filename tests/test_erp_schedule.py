"""What an outcome makes of a message, and when it is tried again: pure rules."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp.judging import judge
from erp.port import Accepted, Duplicate, Outcome, Posted, Rejected, Retry, Unknown
from erp.rows import Row, State
from erp.schedule import DELAYS_S, LONGEST_S, next_attempt
from tests.erp_plant import AT, ROOT

ROW = Row(
    event_id="evt_1", erp_ref="R", lane="W1", lane_seq=1, entry_seq=1, type="t", body=b"",
    sha256="", made_at="", state=State.SENDING, attempts=0, due_at="", ticket=None,
    last_code=None, last_error=None, settled_by=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "state", "attempts"),
    [
        (Posted((), None), State.DONE, 1),
        (Duplicate((), None), State.DONE, 1),
        (Accepted("T1"), State.ACCEPTED, 1),
        (Rejected("lot_unknown"), State.DEAD, 1),
        (Retry(reason="x"), State.PENDING, 1),
        (Retry(after_s=9), State.PENDING, 0),
        (Retry(paused=True), State.PENDING, 0),
        (Unknown("x"), State.UNKNOWN, 1),
    ],
)
def test_each_outcome_has_its_state(outcome: Outcome, state: State, attempts: int) -> None:
    result = judge(ROW, outcome, at=AT)
    assert (result.state, result.attempts) == (state, attempts)


def test_a_message_is_dead_only_after_its_last_attempt() -> None:
    def after(attempts: int) -> State:
        return judge(replace(ROW, attempts=attempts), Unknown("x"), at=AT).state

    assert after(len(DELAYS_S) - 2) is State.UNKNOWN
    assert after(len(DELAYS_S) - 1) is State.DEAD


@pytest.mark.requirement("K1")
@given(st.floats(-1, 1), st.integers(0, len(DELAYS_S) - 1))
def test_the_schedule_stays_within_its_jitter(jitter: float, count: int) -> None:
    due = next_attempt(count, AT, jitter)
    assert due is not None
    assert abs((due - AT).total_seconds() - DELAYS_S[count]) <= DELAYS_S[count] * 0.2 + 1e-5
    assert next_attempt(len(DELAYS_S), AT, jitter) is None


def test_the_schedule_only_grows() -> None:
    assert all(earlier < later for earlier, later in pairwise(DELAYS_S))


def test_the_manual_says_how_often_a_message_is_tried() -> None:
    page = (ROOT / "dashboards" / "help" / "erp.md").read_text("utf-8")
    assert f"up to {len(DELAYS_S)} times in about three days; then a person decides" in page
    assert timedelta(days=3) <= timedelta(seconds=LONGEST_S) < timedelta(days=3, hours=12)
