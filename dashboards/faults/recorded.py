"""The process whose writes are recorded: it runs the real writer under many workloads.

`python -m dashboards.faults.recorded FOLDER SEED COUNT [failing]` makes one folder per workload,
and one for each control, whose durability is weaker. They differ in threads, sizes, checkpoints,
cache and restarts. An acknowledgement is one line in `client.acks`, written after the answer came.
`failing` is for a disk whose syncs fail now and then: no control, no restart.
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from core.ledger.driver import driving
from core.ledger.entry import canonical
from core.ledger.sqlite import SqliteStore
from core.ledger.tables import StoreFailed
from core.ledger.writer import Decision, Draft, Job, Receipt, Writer
from dashboards.faults.trial import AT, WAIT_S, writing

ACKS = "client.acks"
FILE = "ledger.db"
TRIES = 20
FAILING = "failing"
FULL, CONTROLS = 2, {"normal": 1, "off": 0}  # values of SQLite's `synchronous`


@dataclass(frozen=True)
class Workload:
    """What one trace is made of."""

    commands: int
    threads: int
    letters: int
    most_drafts: int
    restarts: int
    checkpoint_pages: int
    cache_pages: int

    @classmethod
    def drawn(cls, rng: Random) -> "Workload":
        return cls(
            commands=rng.randrange(20, 120),
            threads=rng.choice((1, 2, 4, 8)),
            letters=rng.choice((20, 200, 2_000, 12_000)),
            most_drafts=rng.choice((1, 3)),
            restarts=rng.randrange(3),
            checkpoint_pages=rng.choice((5, 20, 100, 1000)),
            cache_pages=rng.choice((8, 2000)),  # few: pages go to the log before the commit
        )


class TunedStore(SqliteStore):
    """The real store with other limits, and with another durability for the control."""

    def __init__(self, path: Path, workload: Workload, synchronous: int) -> None:
        super().__init__(path)
        self._tuning = {
            "wal_autocheckpoint": workload.checkpoint_pages,
            "cache_size": workload.cache_pages,
            "synchronous": synchronous,
        }

    def connect(self) -> Any:
        connection = super().connect()
        try:
            with driving(connection) as raw:  # outside of any transaction
                for pragma, value in self._tuning.items():
                    raw.execute(f"pragma {pragma}={value}")
        except BaseException:
            connection.close()
            raise
        return connection


def sent(drafts: Sequence[Draft]) -> str:
    """Return the hash of what a client sent, to be compared with what is stored."""
    return hashlib.sha256(canonical([[one.stream, one.data] for one in drafts])).hexdigest()


def command(rng: Random, idem: str, workload: Workload, *, number: int) -> tuple[Job, str]:
    """Return one command and the hash of what it appends."""
    drafts = tuple(
        Draft(
            f"batch/B{rng.randrange(7)}",
            "weighing.weight-recorded",
            1,
            {"n": number, "said": "x" * rng.randrange(workload.letters)},
        )
        for _ in range(rng.randrange(1, workload.most_drafts + 1))
    )
    digest = sent(drafts)
    at = AT + timedelta(seconds=number)
    return Job(idem, digest, "ama", "K1", lambda: at, lambda view: Decision(drafts)), digest


def _append(writer: Writer, rng: Random, workload: Workload, *, name: str, acks: int) -> None:
    for number in range(max(1, workload.commands // workload.threads)):
        idem = f"{name}:{number}"
        job, digest = command(rng, idem, workload, number=number)
        receipt = _answered(writer, job)
        line = [idem, receipt.first_seq, receipt.last_seq, receipt.checkpoint_size, digest]
        os.write(acks, json.dumps(line).encode() + b"\n")


def _answered(writer: Writer, job: Job) -> Receipt:
    """Send a command until it is answered, as a client does."""
    for _ in range(TRIES):
        with suppress(StoreFailed):
            return writer.submit(job).result(WAIT_S)
    raise TimeoutError(job.idem)


def _work(
    folder: Path, rng: Random, workload: Workload, *, synchronous: int, name: str, acks: int
) -> None:
    store = TunedStore(folder / FILE, workload, synchronous)
    with writing(store, folder / "anchors") as writer:
        with ThreadPoolExecutor(workload.threads) as clients:
            running = [
                clients.submit(
                    _append, writer, Random(rng.getrandbits(32)), workload,  # noqa: S311
                    name=f"{name}.{number}", acks=acks,
                )
                for number in range(workload.threads)
            ]  # fmt: skip
        for one in running:
            one.result()  # a client that got no answer ends the run, but where the disk is to fail


def record(folder: Path, rng: Random, synchronous: int, *, is_failing: bool = False) -> None:
    """Run one workload in a folder of its own."""
    workload = Workload.drawn(rng)
    if is_failing:
        few, many = min(2, workload.threads), max(60, workload.commands)  # so that syncs do fail
        workload = replace(workload, restarts=0, threads=few, commands=many)
    folder.mkdir(parents=True)
    (folder / "anchors").mkdir()
    acks = os.open(folder / ACKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for start in range(workload.restarts + 1):
        # Closing says that the last anchor was not kept; a client, that it gave up (TimeoutError).
        with suppress(*[OSError] * is_failing):
            _work(folder, rng, workload, synchronous=synchronous, name=str(start), acks=acks)
    os.close(acks)


def main(arguments: list[str]) -> None:
    """Record the traces and the controls."""
    folder, rng = Path(arguments[0]), Random(int(arguments[1]))  # noqa: S311  (repeatable)
    is_failing = arguments[3:] == [FAILING]
    for number in range(int(arguments[2])):
        record(folder / f"{number:03d}", rng, FULL, is_failing=is_failing)
    if is_failing:
        return
    for name, synchronous in CONTROLS.items():
        record(folder / name, rng, synchronous)


if __name__ == "__main__":
    main(sys.argv[1:])
