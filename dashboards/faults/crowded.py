"""A disk that is full: a process that may not make its files longer, then may again.

`python -m dashboards.faults.crowded FOLDER SEED COUNT [swallow]` answers with JSON; `swallow` is
the control, which acknowledges although the append failed. The limit shows as a write error
(EFBIG); a file system without space fails in the same call with ENOSPC.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path
from random import Random

from core.errors import MesError
from core.ledger.sqlite import SqliteStore
from core.ledger.writer import Writer
from dashboards.faults.trial import WAIT_S, Tally, fault_of, idems_of, job, writing

ROOM = (20_000, 300_000)
ERRORS = 6


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Fill the disk `count` times."""
    tally = Tally(
        "disk full",
        "an acknowledged entry lost, no error told, or no work after there is room again",
        "a writer that swallows the error",
    )
    tally.trials, tally.control_trials = count, max(3, count // 10)
    found = _ask(scratch / "real", rng.getrandbits(32), count)
    tally.violations = found["violations"]
    tally.counts = {"acknowledged": found["acknowledged"], "errors told": found["errors"]}
    control = _ask(scratch / "control", rng.getrandbits(32), tally.control_trials, "swallow")
    tally.control_violations = control["violations"]
    return tally


def _ask(folder: Path, seed: int, count: int, *options: str) -> dict[str, int]:
    folder.mkdir()
    command = [sys.executable, "-m", "dashboards.faults.crowded", str(folder), str(seed)]
    done = subprocess.run(  # noqa: S603  (our own module)
        [*command, str(count), *options], stdout=subprocess.PIPE, check=True
    )
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


def _limit(size: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))


def crowd(rng: Random, path: Path, *, swallow: bool) -> tuple[bool, int, int]:
    """Fill one ledger's disk; return whether that was violated, and answers of both kinds."""
    acked = set[str]()
    with writing(SqliteStore(path), path.parent / "anchors") as writer:
        longest = max(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        _limit(longest + rng.randrange(*ROOM))
        try:
            errors = _append_until_full(rng, writer, acked, swallow=swallow)
        finally:
            _limit(resource.RLIM_INFINITY)
        try:
            writer.submit(job("after")).result(WAIT_S)
            works = True
        except MesError:
            works = False
    is_kept = acked <= set(idems_of(path))
    holds = works and errors and is_kept and fault_of(path, path.parent / "anchors") is None
    return not holds, len(acked), errors


def _append_until_full(rng: Random, writer: Writer, acked: set[str], *, swallow: bool) -> int:
    number = errors = 0
    while errors < ERRORS:
        number += 1
        key = f"crowd:{number}"
        try:
            writer.submit(job(key, said="x" * rng.randrange(3000))).result(WAIT_S)
            acked.add(key)
        except MesError:
            errors += 1
            if swallow:
                acked.add(key)
    return errors


def main(arguments: list[str]) -> None:
    """Run the trials and answer with their counts."""
    folder, rng, swallow = Path(arguments[0]), Random(int(arguments[1])), len(arguments) > 3  # noqa: S311
    found = {"violations": 0, "acknowledged": 0, "errors": 0}
    for trial in range(int(arguments[2])):
        (folder / str(trial)).mkdir()
        violated, acked, errors = crowd(rng, folder / str(trial) / "ledger.db", swallow=swallow)
        found["violations"] += violated
        found["acknowledged"] += acked
        found["errors"] += errors
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
