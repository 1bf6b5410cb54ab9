"""Kill -9 in the middle of writing, again and again on one ledger.

A killed process leaves the system's page cache: this tests what a crash leaves and when a caller
is answered, not whether the disk keeps what it confirmed.
"""

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from core.ledger.store import open_ledger
from dashboards.faults.trial import Tally, fault_of, idems_of

LONGEST_MS = 250
FRESH_AFTER = 60_000  # entries, then a new file: each round reads all of them
INTEGRITY_EVERY = 25


@contextmanager
def victim(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that appends, once it said that it is ready; it is killed in the end."""
    command = [sys.executable, "-m", "dashboards.faults.victim", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  (our own module)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the process to kill did not start")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Kill `count` processes, and a tenth of that of the control."""
    tally = Tally(
        "kill -9, SQLite",
        "an acknowledged entry lost, one twice, a gap, a broken root, or no longer the same log",
        "a writer that acknowledges before it commits",
    )
    tally.trials, tally.control_trials = count, max(3, count // 10)
    tally.violations = sum(_rounds(rng, scratch / "real", count, tally=tally))
    tally.control_violations = sum(_rounds(rng, scratch / "control", tally.control_trials))
    return tally


def _rounds(rng: Random, folder: Path, count: int, *, tally: Tally | None = None) -> Iterator[bool]:
    """Yield for each kill whether something was violated; without a tally it is the control."""
    number, files = 0, 0
    while number < count:
        path = folder / str(files) / "ledger.db"
        files, acked, root = files + 1, set[str](), (0, b"")
        while number < count and root[0] < FRESH_AFTER:
            number += 1
            new = _killed(rng, path, str(number), is_early=tally is None)
            acked |= new
            found, root = _violated(path, acked, root)
            if number % INTEGRITY_EVERY == 0:
                found = found or not _is_whole(path)
            if tally is not None:
                tally.count("acknowledged", len(new))
            yield found
            if found:
                break  # what is lost stays lost: the next trial begins anew


def _killed(rng: Random, path: Path, name: str, *, is_early: bool) -> set[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = ["early"] if is_early else []
    with victim(str(path), name, *options) as process:
        time.sleep(rng.randrange(LONGEST_MS) / 1000)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        lines = process.stdout.read().decode().split("\n")
    return set(lines[:-1])


def _violated(
    path: Path, acked: set[str], before: tuple[int, bytes]
) -> tuple[bool, tuple[int, bytes]]:
    stored = Counter(idems_of(path))
    ledger = open_ledger(path)
    try:
        newest = ledger.checkpoint()
        is_same = ledger.root(before[0]) == before[1] if before[0] else True
    finally:
        ledger.close()
    root = (newest.size, newest.root) if newest is not None else before
    is_kept = acked <= stored.keys() and max(stored.values(), default=1) == 1
    holds = is_kept and is_same and fault_of(path, path.parent / "anchors") is None
    return not holds, root


def _is_whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("pragma integrity_check").fetchall() == [("ok",)]
