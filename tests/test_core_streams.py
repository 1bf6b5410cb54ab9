"""An entry that concerns two nouns stands in both streams; what moves stock stands in one."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from core.catalogue import NOUNS, event_type
from erp.events import BY_FACT
from tests.paper import Paper, paper

# What begins or changes one noun and is kept by another one too: each is a fold of its own stream.
SHARED = {
    "lot.created": {"lot", "material"},
    "person.registered": {"person", "badge", "administrators"},
    "person.badge-issued": {"person", "badge"},
    "master-recipe.made-effective": {"recipe", "product"},
}


@pytest.fixture(scope="module")
def made() -> Paper:
    plant = paper()
    batch = plant.upto(plant.dispatched(), None)
    plant.review(batch)
    plant.release(batch)
    return plant


def copies(plant: Paper) -> dict[tuple[str, bytes], list[str]]:
    """Return the streams of each event, by its type and its body."""
    found: dict[tuple[str, bytes], list[str]] = {}
    for one in plant.written:
        body = msgspec.json.encode(one.event, order="sorted")
        found.setdefault((event_type(one.event), body), []).append(one.stream)
    return found


@pytest.mark.requirement("K1", "K2")
def test_what_the_erp_is_told_stands_in_one_stream(made: Paper) -> None:
    told = Counter(type_ for (type_, _), streams in copies(made).items() for _ in streams)
    kinds = {type_ for type_ in told if type_ in BY_FACT}
    assert {"material.consumed", "material.produced", "work-order.completed"} <= kinds
    twice = {
        key[0]: streams
        for key, streams in copies(made).items()
        if key[0] in BY_FACT and len(streams) > 1
    }
    assert twice == {}


def test_only_named_entries_stand_in_several_streams_of_different_nouns(made: Paper) -> None:
    for (type_, _), streams in copies(made).items():
        if len(streams) > 1:
            kinds = {stream.split("/")[0] for stream in streams}
            assert len(kinds) == len(streams), f"{type_} stands twice in one stream"
            assert kinds <= SHARED[type_] <= NOUNS.keys(), type_
