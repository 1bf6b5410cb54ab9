"""Two servers on one SQLite folder: the second must not start, and must not hurt the first."""

import time
from pathlib import Path
from random import Random

from core.errors import MesError
from core.ledger.sqlite import SqliteStore
from dashboards.faults.kills import Ledgers, victims
from dashboards.faults.trial import Tally, writing

LONGEST_MS = 20
CONTROLS = 3


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Try `count` times to start a second server while the first appends."""
    tally = Tally(
        "two servers, one folder",
        "the second server starts, or the first loses what it acknowledged",
        "the lock file taken away while the first server runs",
        model="One host: a file lock means nothing across a network share.",
    )
    tally.trials, tally.control_trials = count, CONTROLS
    for name in ("real", "control"):
        (scratch / name).mkdir()
    path = scratch / "real" / "ledger.db"
    with victims() as found:
        ledger = Ledgers(str(path), path.parent, is_early=False)
        with found.running(ledger, "first"):
            tally.violations = sum(_starts(rng, path) for _ in range(count))
        why = ledger.violated()
        tally.violations += why is not None
        tally.count("acknowledged by the first", len(ledger.seen))
        path = scratch / "control" / "ledger.db"
        with found.running(Ledgers(str(path), path.parent, is_early=True), "first"):
            for _ in range(CONTROLS):
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
