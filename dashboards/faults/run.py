"""All harnesses, one after the other, from one seed, and their report."""

import hashlib
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from dashboards.faults import crowded, double, flips, kills, servers, tamper
from dashboards.faults.trial import Run, Tally

NOT_RUN = (
    "power cuts (unsynced writes dropped or torn)",
    "kill -9 of PostgreSQL",
    "clock jumps",
)


class Harness(NamedTuple):
    """One harness, and how many trials it makes."""

    name: str
    run: Run
    quick: int
    full: int


HARNESSES = (
    Harness("double", double.run, 200, 10_000),
    Harness("kills", kills.run, 12, 2_000),
    Harness("disk", crowded.run, 15, 150),
    Harness("file-flips", flips.in_file, 200, 5_000),
    Harness("wal-flips", flips.in_wal, 60, 5_000),
    Harness("tamper", tamper.run, 108, 1_800),
    Harness("servers", servers.run, 20, 200),
)


def run_all(
    seed: int, say: Callable[[str], None], *, quick: bool, only: str | None = None
) -> dict[str, Any]:
    """Run every harness; each has a stream of chance of its own, so one can be run again alone."""
    tallies: list[Tally] = []
    seconds: list[float] = []
    for one in HARNESSES:
        if only is not None and one.name != only:
            continue
        count = one.quick if quick else one.full
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="batchwright-faults-") as scratch:
            own = hashlib.sha256(f"{seed}:{one.name}".encode()).digest()
            tally = one.run(Random(own), Path(scratch), count)  # noqa: S311  (repeatable)
        tallies.append(tally)
        seconds.append(round(time.monotonic() - start, 1))
        say(line_of(tally))
    harnesses = [
        {**tally.as_json(), "seconds": took} for tally, took in zip(tallies, seconds, strict=True)
    ]
    return {
        "seed": seed,
        "quick": quick,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "holds": bool(tallies) and all(tally.holds for tally in tallies),
        "harnesses": harnesses,
        "not_run": list(NOT_RUN),
    }


def line_of(tally: Tally) -> str:
    """Return a tally as a person reads it."""
    if tally.holds:
        verdict = "holds"
    else:
        verdict = "FAILS" if tally.violations else "BLIND: its control did not fail"
    return (
        f"{tally.name}: {tally.trials} trials, {tally.violations} violations;"
        f" control {tally.control_violations} of {tally.control_trials}: {verdict}"
    )
