"""Double submits: sixteen threads send one command at the same instant, and one again later."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Barrier, Lock, Thread
from typing import Any

from core.ledger.sqlite import SqliteStore
from core.ledger.tables import ReceiptRow
from core.ledger.writer import Receipt, Writer
from dashboards.faults.trial import WAIT_S, Tally, idems_of, job, writing

THREADS = 16
_counting = Lock()


class Forgetful(SqliteStore):
    """The control: a ledger that keeps no receipts, so that no command is known."""

    def receipts(self, connection: Any, idems: Sequence[str]) -> list[ReceiptRow]:
        return []

    def insert_receipts(self, connection: Any, rows: Sequence[ReceiptRow]) -> None:
        pass


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Send `count` commands sixteen times each."""
    tally = Tally(
        "double submits",
        "a command with more or less than one entry, or not answered first exactly once",
        "a ledger without receipts",
    )
    tally.trials, tally.control_trials = count, max(10, count // 10)
    tally.violations = _violations(SqliteStore(scratch / "real.db"), rng, count)
    tally.control_violations = _violations(
        Forgetful(scratch / "control.db"), rng, tally.control_trials
    )
    tally.count("submissions", count * (THREADS + 1))
    return tally


def _violations(store: SqliteStore, rng: Random, count: int) -> int:
    firsts: Counter[str] = Counter()
    keys = [f"{number}:{rng.getrandbits(64):x}" for number in range(count)]
    with writing(store) as writer:
        barrier = Barrier(THREADS)
        given = (writer, keys, firsts)
        threads = [
            Thread(target=_send, args=given, kwargs={"barrier": barrier}) for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for key in keys:  # and once more, much later
            if not writer.submit(job(key)).result(WAIT_S).replayed:
                firsts[key] += 1
    stored = Counter(idems_of(store.path))
    return sum(stored[key] != 1 or firsts[key] != 1 for key in keys)


def _send(writer: Writer, keys: Sequence[str], firsts: Counter[str], *, barrier: Barrier) -> None:
    for key in keys:
        barrier.wait(WAIT_S)
        receipt: Receipt = writer.submit(job(key)).result(WAIT_S)
        if not receipt.replayed:
            with _counting:
                firsts[key] += 1
