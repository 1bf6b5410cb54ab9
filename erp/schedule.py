"""When a message is tried again: pure, with jitter given from outside."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import accumulate

type Retries = Callable[[int, datetime, float], datetime | None]

# Seconds before each attempt. Tight at first, because the ERP's stock is wrong meanwhile.
DELAYS_S = (0, 5, 15, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2
LONGEST_S = list(accumulate(DELAYS_S))[-1]


def next_attempt(count: int, at: datetime, jitter: float = 0.0) -> datetime | None:
    """Return when to try again after `count` attempts, or None when a person must decide.

    `jitter` lies between -1 and 1 and moves the delay by at most 20 %.

    >>> from datetime import UTC
    >>> next_attempt(1, datetime(2026, 3, 2, tzinfo=UTC)).second
    5
    """
    assert -1 <= jitter <= 1, jitter
    if count >= len(DELAYS_S):
        return None
    return at + timedelta(seconds=DELAYS_S[count] * (1 + JITTER * jitter))
