"""How long a test waits for a state before it gives up: one figure for all of them.

A busy machine is slow, not wrong: what is waited for has come long before, or never comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 45.0
PATIENCE_MS = PATIENCE_S * 1000


def eventually[T](holds: Callable[[], T], *, within_s: float = PATIENCE_S, seen: Any = None) -> T:
    """Return the first value that is true.

    Args:
        holds: asked again and again.
        within_s: when to give up; less than the patience only where the limit is the rule itself.
        seen: what to show when it does not come to hold.
    """
    end = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < end, f"did not come to hold within {within_s} s; {seen or ''}"
        time.sleep(0.01)
    return found
