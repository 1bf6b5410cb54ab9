"""Ids of commands: nobody makes one twice, and they follow the time."""

import os
import re
import subprocess
import sys
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


FORKS = """
import os
from core.command_id import new_command_id
read, write = os.pipe()
if not os.fork():
    os.write(write, new_command_id().encode())
    os._exit(0)
os.wait()
print(new_command_id()[12:], os.read(read, 100).decode()[12:])
"""


@pytest.mark.requirement("H1")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_does_not_make_its_parents_ids_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, encoding="ascii", check=True
    )
    parents, childs = done.stdout.split()
    assert parents != childs
