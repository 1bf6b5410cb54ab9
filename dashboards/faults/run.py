"""All harnesses from one seed, in parts that run beside each other, and their report.

`python -m dashboards.faults.run NAME SEED PART COUNT FOLDER` is one part of one harness.
"""

import hashlib
import json
import logging
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from dashboards.faults import (
    bundles,
    clocks,
    crowded,
    double,
    flips,
    kills,
    power,
    servers,
    syncs,
    tamper,
)
from dashboards.faults.trial import NotRun, Run, Tally, memory_folder


class Harness(NamedTuple):
    """One harness, and how many trials it makes, in how many parts beside each other."""

    name: str
    run: Run
    quick: int
    full: int
    parts: int = 2
    on_disk: bool = False  # else in memory, where there is a folder for that


HARNESSES = (
    Harness("power", power.run, 40, 10_000, parts=4),
    Harness("syncs", syncs.run, 20, 1_000, parts=4),
    Harness("kills", kills.run, 12, 1_640, parts=4, on_disk=True),
    Harness("postgres-writers", kills.run_postgres, 10, 300, parts=1, on_disk=True),
    Harness("postgres-several", kills.run_several, 3, 100, parts=1, on_disk=True),
    Harness("postgres-server", kills.run_server, 3, 60, parts=1, on_disk=True),
    Harness("disk-limit", crowded.run, 8, 150, parts=1),
    Harness("disk-full", crowded.run_mounted, 8, 150, parts=1),
    Harness("file-flips", flips.in_file, 120, 5_000),
    Harness("wal-flips", flips.in_wal, 30, 5_000),
    Harness("tamper", tamper.run, 72, 1_800),
    Harness("bundles", bundles.run, 66, 2_200, parts=1),
    Harness("clocks", clocks.run, 8, 400, parts=2),
    Harness("double", double.run, 100, 10_000, parts=1),
    Harness("postgres-double", double.run_postgres, 40, 4_000, parts=1),
    Harness("servers", servers.run, 20, 200, parts=1),
)
BY_NAME = {one.name: one for one in HARNESSES}


def run_all(
    seed: int, say: Callable[[str], None], *, quick: bool, only: str | None = None
) -> dict[str, Any]:
    """Run every harness; each has a stream of chance of its own, so one can be run again alone."""
    chosen = [one for one in HARNESSES if only in (None, one.name)]
    start, reports, not_run = time.monotonic(), list[dict[str, Any]](), list[dict[str, str]]()
    with ThreadPoolExecutor(os.cpu_count() or 1) as beside:
        waiting: dict[str, list[Future[dict[str, Any]]]] = defaultdict(list)
        for one in chosen:
            count, parts = (one.quick, 1) if quick else (one.full, one.parts)
            for part in range(parts):
                share = count // parts + (part < count % parts)
                waiting[one.name].append(beside.submit(_apart, one, seed, part, count=share))
        for one in chosen:
            parts_done = [future.result() for future in waiting[one.name]]
            if why := parts_done[0].get("not_run"):
                not_run.append({"name": one.name, "why": why})
                say(why)
                continue
            tally, seconds = _merged(parts_done)
            reports.append({**tally.as_json(), "key": one.name, "seconds": seconds})
            say(line_of(tally))
    return {
        "seed": seed,
        "quick": quick,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "seconds": round(time.monotonic() - start, 1),
        "holds": bool(reports) and all(Tally.of(report).holds for report in reports),
        "harnesses": reports,
        "not_run": not_run,
    }


def _merged(parts: list[dict[str, Any]]) -> tuple[Tally, float]:
    whole = Tally.of(parts[0])
    for part in parts[1:]:
        whole.add(Tally.of(part))
    return whole, round(sum(part["seconds"] for part in parts), 1)


def _apart(one: Harness, seed: int, part: int, *, count: int) -> dict[str, Any]:
    """Run one part in a process of its own."""
    base = None if one.on_disk else memory_folder()
    with tempfile.TemporaryDirectory(prefix="batchwright-faults-", dir=base) as scratch:
        command = [sys.executable, "-m", "dashboards.faults.run", one.name, str(seed), str(part)]
        done = subprocess.run([*command, str(count), scratch], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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


def main(arguments: list[str]) -> None:
    """Run one part, and answer with its counts."""
    logging.disable()  # faults are made on purpose; what matters is counted
    name, seed, part, count, scratch = arguments
    own = hashlib.sha256(f"{seed}:{name}:{part}".encode()).digest()
    start = time.monotonic()
    try:
        tally = BY_NAME[name].run(Random(own), Path(scratch), int(count))  # noqa: S311  (repeatable)
        found = tally.as_json()
    except NotRun as why:
        found = {"not_run": str(why)}
    sys.stdout.write(json.dumps({**found, "seconds": time.monotonic() - start}))


if __name__ == "__main__":
    main(sys.argv[1:])
