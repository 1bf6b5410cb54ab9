"""Two servers on one SQLite folder: the second must not start."""

import time
from pathlib import Path
from random import Random

from core.errors import MesError
from core.ledger.sqlite import SqliteStore
from dashboards.faults.kills import victim
from dashboards.faults.trial import Tally, writing

LONGEST_MS = 20


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Try `count` times to start a second server while the first appends."""
    tally = Tally(
        "two servers, one folder",
        "the second server starts",
        "the lock file taken away while the first server runs",
    )
    tally.trials, tally.control_trials = count, 3
    path = scratch / "ledger.db"
    with victim(str(path), "first"):
        tally.violations = sum(_starts(rng, path) for _ in range(count))
        for _ in range(tally.control_trials):
            path.with_name("ledger.db.lock").unlink()
            tally.control_violations += _starts(rng, path)
    return tally


def _starts(rng: Random, path: Path) -> bool:
    time.sleep(rng.randrange(LONGEST_MS) / 1000)
    try:
        with writing(SqliteStore(path)):
            return True
    except MesError:
        return False
