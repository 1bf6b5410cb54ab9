"""Ids of commands: nobody makes one twice, and they follow the time."""

import re
import time

import pytest

from core.command_id import new_command_id


@pytest.mark.requirement("H1")
def test_id_is_never_made_twice() -> None:
    assert len({new_command_id() for _ in range(10_000)}) == 10_000


@pytest.mark.requirement("H1")
def test_id_that_is_made_a_millisecond_later_sorts_behind() -> None:
    made = []
    for _ in range(20):
        made.append(new_command_id())
        time.sleep(0.002)
    assert made == sorted(made)


def test_id_is_32_hex_digits_as_a_screen_makes_them() -> None:
    assert re.fullmatch("[0-9a-f]{32}", new_command_id())
