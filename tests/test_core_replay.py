"""An order to send messages again: what may be chosen, and what the ledger keeps of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.errors import Unknown
from core.replay import (
    MOST,
    ChosenTwice,
    EmptyTime,
    NothingChosen,
    ReplayMessages,
    ReplayOrdered,
    Replays,
    TooManyNamed,
)
from tests.hands import ORDER, PACK, refusal
from tests.paper import Paper, paper


@pytest.fixture
def plant() -> Paper:
    return paper()


def replay(**given: Any) -> ReplayMessages:
    return ReplayMessages(**{"why": "The ERP lost a day.", **given})


def ordered(plant: Paper, **given: Any) -> ReplayOrdered:
    (fact,) = plant.act(replay(**given), "finn")
    assert isinstance(fact.event, ReplayOrdered)
    assert fact.stream == f"replay/{PACK.id}"
    return fact.event


@pytest.mark.requirement("K1")
def test_a_replay_says_which_messages_and_why(plant: Paper) -> None:
    named = ordered(plant, messages=("evt_2", "evt_1", "evt_2"))
    assert (named.messages, named.why) == (("evt_2", "evt_1"), "The ERP lost a day.")
    start = plant.at - timedelta(hours=1)
    timed = ordered(plant, since=start, until=plant.at + timedelta(days=1))
    assert (timed.since, timed.until) == (start, plant.at), "never past the moment it is asked"
    assert len(plant.get(Replays, PACK.id).seqs) == 2


def test_a_replay_of_nothing_of_everything_or_of_no_time_is_refused(plant: Paper) -> None:
    assert refusal(NothingChosen, lambda: ordered(plant)) == (
        "Replay: names no message, no order and no time. Give one, so that not everything is sent"
        " again."
    )
    assert refusal(ChosenTwice, lambda: ordered(plant, messages=("evt_1",), order=ORDER)) == (
        "Replay: names messages and an order or a time. Give the messages alone, or the others."
    )
    with pytest.raises(Unknown):
        ordered(plant, order="nobody's")
    assert "is not before" in refusal(EmptyTime, lambda: ordered(plant, since=plant.at))
    ordered(plant, since=plant.at - timedelta(microseconds=1))
    many = tuple(f"evt_{n}" for n in range(MOST + 1))
    assert refusal(TooManyNamed, lambda: ordered(plant, messages=many)) == (
        f"Replay: names {MOST + 1} messages, at most {MOST}. Choose them by order or time."
    )
    assert len(ordered(plant, messages=many[:MOST]).messages) == MOST
