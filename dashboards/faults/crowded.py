"""A disk that is full: appends fail, and work again once there is room, without a restart.

`python -m dashboards.faults.crowded FOLDER SEED COUNT [swallow]` answers with JSON: files may not
grow (RLIMIT_FSIZE, which shows as EFBIG). Where we are root, a small file system is mounted and
filled as well (ENOSPC). `swallow` is the control, which acknowledges although the append failed.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from core.errors import MesError
from core.ledger.sqlite import SqliteStore
from core.ledger.writer import Writer
from dashboards.faults.trial import WAIT_S, NotRun, Tally, fault_of, idems_of, job, writing

ROOM = (20_000, 300_000)
ERRORS = 6
MOUNT_S = 30
SIZE = "size=4m"
VIOLATION = "an acknowledged entry lost, no error told, or no work after there is room again"
CONTROL = "a writer that swallows the error"
type Take = Callable[[int], None]


class NoMount(NotRun):
    """A file system of our own cannot be made here."""

    def __init__(self) -> None:
        super().__init__(
            "Full file system: only root may mount a small one, and only on Linux."
            " The file size limit is tried in its place; run as root to try both."
        )


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Let the files of `count` ledgers grow no further."""
    tally = Tally(
        "disk full, file size limit", VIOLATION, CONTROL,
        model="A limit on file size fails in the same call as a full disk, with another number.",
    )  # fmt: skip
    _ask(tally, scratch / "real", rng.getrandbits(32), count=count)
    _ask(tally, scratch / "control", rng.getrandbits(32), count=max(3, count // 10), swallow=True)
    return tally


def run_mounted(rng: Random, scratch: Path, count: int) -> Tally:
    """Fill a small file system `count` times."""
    tally = Tally(
        "disk full, file system", VIOLATION, CONTROL, model="A file system in memory, 4 MiB."
    )
    with mounted(scratch / "mount") as folder:
        for number, swallow in ((count, False), (max(3, count // 10), True)):
            for trial in range(number):
                inside = folder / str(trial)
                inside.mkdir()
                found = crowd(
                    rng,
                    inside / "ledger.db",
                    swallow=swallow,
                    take=_filling(inside),
                    give=(inside / "ballast").unlink,
                )
                _count(tally, found, is_control=swallow)
                shutil.rmtree(inside)
    return tally


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount a small file system of our own.

    Raises:
        NoMount: this account may not.
    """
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if sys.platform != "linux" or os.geteuid() != 0 or mount is None or umount is None:
        raise NoMount
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", SIZE, "batchwright-faults", str(folder)]
    if subprocess.run(command, timeout=MOUNT_S, check=False, capture_output=True).returncode:  # noqa: S603
        raise NoMount
    try:
        yield folder
    finally:
        subprocess.run([umount, str(folder)], timeout=MOUNT_S, check=True)  # noqa: S603


def _filling(folder: Path) -> Take:
    def take(room: int) -> None:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        (folder / "ballast").write_bytes(bytes(max(0, free - room)))

    return take


def _ask(tally: Tally, folder: Path, seed: int, *, count: int, swallow: bool = False) -> None:
    """Run the trials in a process of its own, whose limit it is."""
    folder.mkdir()
    command = [sys.executable, "-m", "dashboards.faults.crowded", str(folder), str(seed)]
    done = subprocess.run(  # noqa: S603  (our own module)
        [*command, str(count), *(["swallow"] if swallow else [])],
        stdout=subprocess.PIPE,
        check=True,
    )
    for found in json.loads(done.stdout):
        _count(tally, tuple(found), is_control=swallow)


def _count(tally: Tally, found: tuple[bool, int, int], *, is_control: bool) -> None:
    violated, acked, errors = found
    if is_control:
        tally.control_trials += 1
        tally.control_violations += violated
        return
    tally.trials += 1
    tally.violations += violated
    tally.count("acknowledged", acked)
    tally.count("errors told", errors)


def _limit(size: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))


def crowd(
    rng: Random, path: Path, *, swallow: bool, take: Take, give: Callable[[], None]
) -> tuple[bool, int, int]:
    """Fill one ledger's disk; return whether that was violated, and answers of both kinds."""
    acked = set[str]()
    with writing(SqliteStore(path), path.parent / "anchors") as writer:
        take(rng.randrange(*ROOM))
        try:
            errors = _append_until_full(rng, writer, acked, swallow=swallow)
        finally:
            give()
        try:
            writer.submit(job("after")).result(WAIT_S)
            works = True
        except MesError:
            works = False
    is_kept = acked <= set(idems_of(path))
    if swallow:  # for the reason that it was made for, and no other
        return not is_kept, len(acked), errors
    holds = works and errors > 0 and is_kept and fault_of(path, path.parent / "anchors") is None
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
    """Run the trials under a limit on file size, and answer with what each found."""
    folder, rng, swallow = Path(arguments[0]), Random(int(arguments[1])), len(arguments) > 3  # noqa: S311
    found = []
    for trial in range(int(arguments[2])):
        path = folder / str(trial) / "ledger.db"
        path.parent.mkdir()

        def take(room: int, path: Path = path) -> None:
            longest = max(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
            _limit(longest + room)

        def give() -> None:
            _limit(resource.RLIM_INFINITY)

        found.append(crowd(rng, path, swallow=swallow, take=take, give=give))
        shutil.rmtree(path.parent)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
