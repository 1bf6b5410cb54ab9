"""Rotation of a key between plant and ERP: two live for some days, never three, never none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from core.erp_key import (
    BeginErpKey,
    DaysOutOfRange,
    EndErpKey,
    ErpKey,
    NoOlderKey,
    RotationOpen,
    SameKey,
    SecondPersonNeeded,
)
from core.signature import MayNotSignHere, SignatureRequired
from tests.hands import refusal
from tests.paper import Paper, paper


def begin(plant: Paper, by: str, *, key: str = "k2", before: str = "k1", days: int = 7) -> None:
    seen = plant.seen("erp-key/send")
    it = BeginErpKey(
        direction="send", key=key, before=before, days=days, why="Once a year.", seen=seen
    )
    plant.sign(it, by)


def end(plant: Paper, by: str) -> None:
    it = EndErpKey(direction="send", why="They use it.", seen=plant.seen("erp-key/send"))
    plant.sign(it, by)


def both(act: Callable[..., None], plant: Paper, **given: object) -> None:
    act(plant, "erik", **given)
    act(plant, "quinn", **given)


def held(plant: Paper) -> ErpKey:
    found: ErpKey = plant.get(ErpKey, "send")
    return found


@pytest.mark.requirement("K3")
def test_two_people_begin_a_key_and_two_end_the_older_one() -> None:
    plant = paper()
    begin(plant, "erik")
    assert (held(plant).newest, held(plant).older, held(plant).begun_at) == ("k1", None, None)
    assert (held(plant).proposed_by, held(plant).proposed.key) == ("erik", "k2")  # type: ignore[union-attr]
    begin(plant, "quinn")
    assert (held(plant).newest, held(plant).older) == ("k2", "k1")
    assert held(plant).until == held(plant).begun_at + timedelta(days=7)  # type: ignore[operator]
    assert held(plant).proposed is None
    said = refusal(RotationOpen, lambda: begin(plant, "erik", key="k3", before="k2"))
    assert said.startswith("Key send: k1 is still live beside k2, to be ended by ")
    end(plant, "erik")
    assert held(plant).older == "k1", "one person alone ends nothing"
    end(plant, "quinn")
    assert (held(plant).newest, held(plant).older, held(plant).until) == ("k2", None, None)
    both(begin, plant, key="k3", before="k2")
    assert held(plant).newest == "k3"


def test_nobody_changes_a_key_alone_and_another_proposal_begins_anew() -> None:
    plant = paper()
    begin(plant, "erik")
    said = refusal(SecondPersonNeeded, lambda: begin(plant, "erik"))
    assert said.startswith("Key k2: ")
    assert said.endswith("another person must agree. Ask a second person to sign.")
    begin(plant, "erik", days=8)
    with pytest.raises(MayNotSignHere):  # other days are another proposal, and an engineer's
        begin(plant, "quinn", days=7)
    assert held(plant).begun_at is None
    begin(plant, "quinn", days=8)
    assert held(plant).until == held(plant).begun_at + timedelta(days=8)  # type: ignore[operator]


def test_without_a_signature_nothing_is_proposed() -> None:
    plant = paper()
    seen = plant.seen("erp-key/send")
    it = BeginErpKey(direction="send", key="k2", before="k1", days=7, why="Why.", seen=seen)
    with pytest.raises(SignatureRequired):
        plant.act(it, "erik")


def test_an_overlap_has_limits_and_the_only_key_stays() -> None:
    plant = paper()
    assert refusal(NoOlderKey, lambda: end(plant, "erik")) == (
        "Key send: only one is live, and it must stay. Begin a new one first."
    )
    for days in (0, 31):
        assert refusal(DaysOutOfRange, lambda days=days: begin(plant, "erik", days=days)) == (  # type: ignore[misc]
            f"Key: an overlap of {days} days; give 1 to 30."
        )
    with pytest.raises(SameKey):
        begin(plant, "erik", key="k1")
    both(begin, plant, days=1)
    both(end, plant)
    both(begin, plant, key="k3", before="k2", days=30)
