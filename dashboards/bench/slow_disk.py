"""The same comparisons on a disk that takes longer to sync than this machine's.

What a ledger costs beside the disk weighs most where the disk is fast: a virtual machine's, or one
with a cache that survives a power cut. So the ratios are measured a second time, in a process for
which every sync takes `SYNC_US` longer: ours, the peers' and the raw probe's alike.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.ledger.sqlite import SqliteStore
from dashboards.bench import appends
from dashboards.bench.appends import Say
from dashboards.bench.measure import Measure
from dashboards.faults.postgres import VARIABLE, commit_us, fresh_database, postgres_running
from dashboards.faults.shim import built
from dashboards.faults.trial import NotRun

SHIM = Path(__file__).with_name("slow_disk.c")
SYNC_US = 4_000  # a disk without such a cache
LIMIT_S = 600
KEPT = ("one durable append", "entries per sync", "whole ledger", "another event store")


class NotSlow(RuntimeError):
    """The wait did not reach the syncs: the figures would be those of the fast disk."""


def measures(scratch: Path, leave_out: Say, *, slices: int, each: int) -> Iterator[Measure]:
    """Measure in a process of its own, below a folder that other accounts may enter."""
    try:
        library = built(SHIM, scratch)
    except NotRun as fault:
        leave_out(f"left out, slower disk: {fault}")
        return
    scratch.chmod(0o755)  # PostgreSQL's own account loads the library as well
    folder = scratch / "slow"
    folder.mkdir()
    command = [sys.executable, "-m", "dashboards.bench.slow_disk", str(folder)]
    given = {"LD_PRELOAD": str(library), "BENCH_SYNC_US": str(SYNC_US)}
    done = subprocess.run(  # noqa: S603  (our own module)
        [*command, str(slices), str(each)], env={**os.environ, **given},
        stdout=subprocess.PIPE, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        found: dict[str, Any] = json.loads(line)
        if "left_out" in found:
            leave_out(f"left out, slower disk: {found['left_out']}")
        else:
            yield Measure(**found)


def _say(one: Measure) -> None:
    if one.name.rpartition(", ")[2] in KEPT:
        found = replace(one, name=f"{one.name}, syncs {SYNC_US // 1000} ms longer")
        _tell(found.as_json())


def _main(folder: Path, slices: int, each: int) -> None:
    first, probe = appends.alone(folder, slices=slices, each=each * 4, warm=1)
    if max(probe) > 1e6 / SYNC_US:
        raise NotSlow(f"the raw disk made {max(probe):.0f} syncs a second")
    ours, *others = (SqliteStore(folder / f"{name}.db") for name in ("ours", "bare", "kept"))
    anchors = folder / "anchors-of-many"
    for one in first:
        _say(one)
    for one in appends.together("SQLite", ours, *others, anchors=anchors, slices=slices, each=each):
        _say(one)
    try:
        with _slow_postgres() as url:
            for one in appends.postgres_measures(url, folder, _leave_out, slices=slices, each=each):
                _say(one)
    except NotRun as fault:
        _leave_out(str(fault))


@contextmanager
def _slow_postgres() -> Iterator[str]:
    """Give an empty database of a server that was started under the same wait.

    Raises:
        NotRun: there is none; or the one that is named, or that runs apart, does not wait.
    """
    if os.environ.get(VARIABLE):
        raise NotRun(f"PostgreSQL: the server named by {VARIABLE} has a disk of its own.")
    with postgres_running(on_disk=True) as server, fresh_database(server) as url:
        if commit_us(url) < SYNC_US:
            raise NotRun("PostgreSQL: the wait does not reach the server that this system has.")
        yield url


def _leave_out(why: str) -> None:
    _tell({"left_out": why})


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
