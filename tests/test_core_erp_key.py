"""Rotation of a key between plant and ERP: two live for some days, never three, never none."""

from __future__ import annotations

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
)
from tests.hands import refusal
from tests.paper import paper


def begin(key: str = "k2", before: str = "k1", days: int = 7) -> BeginErpKey:
    return BeginErpKey(direction="send", key=key, before=before, days=days, why="Once a year.")


END = EndErpKey(direction="send", why="The ERP uses the new one.")


@pytest.mark.requirement("K3")
def test_two_keys_live_until_the_older_one_is_ended() -> None:
    plant = paper()
    plant.act(begin(), "erik")
    held = plant.get(ErpKey, "send")
    assert (held.newest, held.older) == ("k2", "k1")
    assert held.until == held.begun_at + timedelta(days=7)
    assert refusal(RotationOpen, lambda: plant.act(begin("k3", "k2"), "erik")).startswith(
        "Key send: k1 is still live beside k2, to be ended by "
    )
    plant.act(END, "erik")
    held = plant.get(ErpKey, "send")
    assert (held.newest, held.older, held.until) == ("k2", None, None)
    plant.act(begin("k3", "k2"), "erik")


def test_an_overlap_has_limits_and_the_only_key_stays() -> None:
    plant = paper()
    assert refusal(NoOlderKey, lambda: plant.act(END, "erik")) == (
        "Key send: only one is live, and it must stay. Begin a new one first."
    )
    for days in (0, 31):
        assert refusal(DaysOutOfRange, lambda days=days: plant.act(begin(days=days), "erik")) == (  # type: ignore[misc]
            f"Key: an overlap of {days} days; give 1 to 30."
        )
    with pytest.raises(SameKey):
        plant.act(begin("k1", "k1"), "erik")
    plant.act(begin(days=1), "erik")
    plant.act(END, "erik")
    plant.act(begin("k3", "k2", days=30), "erik")
