"""What is long begins first, on every worker, and nothing is lost or run twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.order import LONG, dealt, file_name

SHORT = ("test_a.py", "test_b.py", "test_c.py")


@dataclass(frozen=True)
class Item:
    path: Path
    n: int


def collected(*names: str, each: int) -> Any:
    return [Item(Path(name), n) for name in names for n in range(each)]


def everything() -> Any:
    long = [file_name(name) for _, names in LONG for name in names]
    return collected(*sorted(long), each=3) + collected(*SHORT, each=300)


def parts(items: Any, workers: int) -> list[Any]:
    """Return the parts that xdist sends: of what is left, an equal one to each that is left."""
    found, left = [], dealt(items, workers)
    for n in range(workers):
        size = len(left) // (workers - n)
        found.append(left[:size])
        left = left[size:]
    return found


def test_every_named_file_is_there_and_is_named_once() -> None:
    named = [name for _, names in LONG for name in names]
    assert len(set(named)) == len(named)
    for name in named:
        assert (Path(__file__).parent / file_name(name)).is_file(), f"order.py: {name} is no file"


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_every_item_has_its_place_once(workers: int) -> None:
    items = everything()
    assert sorted(dealt(items, workers), key=str) == sorted(items, key=str)
    few = collected("test_demo.py", "test_a.py", each=5)
    assert sorted(dealt(few, workers), key=str) == sorted(few, key=str)
    assert dealt([], workers) == []


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_each_part_begins_with_its_share_of_the_long_and_keeps_a_file_whole(workers: int) -> None:
    seconds = {file_name(name): one / len(names) for one, names in LONG for name in names}
    loads, seen = [], []
    for part in parts(everything(), workers):
        names = list(dict.fromkeys(item.path.name for item in part))
        long = [name for name in names if name in seconds]
        assert names[: len(long)] == long
        seen += long
        loads.append(sum(seconds[name] for name in long))
    assert sorted(seen) == sorted(seconds)  # no file is in two parts
    assert max(loads) - min(loads) <= max(one for one, _ in LONG) / 2


def test_files_that_share_a_server_run_on_one_worker() -> None:
    for part in parts(everything(), 4):
        names = {item.path.name for item in part}
        for _, together in LONG:
            shared = {file_name(name) for name in together}
            assert not shared & names or shared <= names
