"""Double submits: many threads send one command at the same instant, and one again later.

`python -m dashboards.faults.double URL SEED COUNT [forgetful]` is one of two processes that send
the same commands to one PostgreSQL; it starts when a line comes in, and answers with the ids that
it was the first to send.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Barrier, Lock, Thread
from typing import Any

from core.ledger.audit import rows
from core.ledger.postgres import PostgresStore
from core.ledger.sqlite import SqliteStore
from core.ledger.store import open_ledger
from core.ledger.tables import ReceiptRow, Sealed, Store
from core.ledger.writer import Receipt, Writer
from dashboards.faults.postgres import fresh_database, postgres_running
from dashboards.faults.trial import WAIT_S, Tally, job, writing

THREADS = 16
PROCESSES, THREADS_EACH = 2, 4
VIOLATION = "a command with more or less than one entry, or not answered first exactly once"
CONTROL = "a ledger without receipts"
_counting = Lock()


class ForgetfulFile(SqliteStore):
    """The control on SQLite: it keeps no receipts, so that no command is known."""

    def enter(self, connection: Any, idems: Sequence[str]) -> tuple[int, list[ReceiptRow]]:
        return super().enter(connection, idems)[0], []

    def commit(self, connection: Any, sealed: Sealed) -> None:
        super().commit(connection, sealed._replace(receipts=()))


class ForgetfulServer(PostgresStore):
    """The control on PostgreSQL."""

    def enter(self, connection: Any, idems: Sequence[str]) -> tuple[int, list[ReceiptRow]]:
        return super().enter(connection, idems)[0], []

    def commit(self, connection: Any, sealed: Sealed) -> None:
        super().commit(connection, sealed._replace(receipts=()))


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Send `count` commands sixteen times each, and once more."""
    tally = Tally("double submits, SQLite", VIOLATION, CONTROL, model="One process.")
    tally.trials, tally.control_trials = count, max(10, count // 10)
    for store, number in (
        (SqliteStore(scratch / "real.db"), tally.trials),
        (ForgetfulFile(scratch / "control.db"), tally.control_trials),
    ):
        keys = _keys(rng.getrandbits(32), number)
        firsts = _firsts(store, keys, THREADS)
        found = _violations(str(store.path), keys, firsts)
        if isinstance(store, ForgetfulFile):
            tally.control_violations = found
        else:
            tally.violations = found
    tally.count("submissions", count * (THREADS + 1))
    return tally


def run_postgres(rng: Random, scratch: Path, count: int) -> Tally:
    """Send `count` commands from two processes of four threads each, and once more from both."""
    tally = Tally("double submits, PostgreSQL", VIOLATION, CONTROL, model="Two processes.")
    tally.trials, tally.control_trials = count, max(10, count // 10)
    with postgres_running() as server:
        with fresh_database(server) as url:
            tally.violations = _beside(url, rng.getrandbits(32), count)
        with fresh_database(server) as url:
            tally.control_violations = _beside(
                url, rng.getrandbits(32), tally.control_trials, "forgetful"
            )
    tally.count("submissions", count * PROCESSES * (THREADS_EACH + 1))
    return tally


def _keys(seed: int, count: int) -> list[str]:
    rng = Random(seed)  # noqa: S311  (repeatable)
    return [f"{number}:{rng.getrandbits(64):x}" for number in range(count)]


def _beside(url: str, seed: int, count: int, *options: str) -> int:
    command = [sys.executable, "-m", "dashboards.faults.double", url, str(seed), str(count)]
    both = [
        subprocess.Popen(  # noqa: S603  (our own module)
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
    firsts = Counter[str]()
    for one in both:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    for one in both:
        firsts.update(json.loads(one.communicate()[0]))
    return _violations(url, _keys(seed, count), firsts)


def _violations(where: str, keys: Sequence[str], firsts: Counter[str]) -> int:
    ledger = open_ledger(where)
    try:
        stored = Counter(row.idem for row in rows(ledger))
    finally:
        ledger.close()
    return sum(stored[key] != 1 or firsts[key] != 1 for key in keys)


def _firsts(store: Store, keys: Sequence[str], threads: int) -> Counter[str]:
    """Send each key from all threads at once, then once more; count the first answers."""
    firsts = Counter[str]()
    with writing(store) as writer:
        if isinstance(store, PostgresStore):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            sys.stdin.readline()
        barrier = Barrier(threads)
        given = (writer, keys, firsts)
        running = [
            Thread(target=_send, args=given, kwargs={"barrier": barrier}) for _ in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        for key in keys:  # and once more, much later
            if not writer.submit(job(key)).result(WAIT_S).replayed:
                firsts[key] += 1
    return firsts


def _send(writer: Writer, keys: Sequence[str], firsts: Counter[str], *, barrier: Barrier) -> None:
    for key in keys:
        barrier.wait(WAIT_S)
        receipt: Receipt = writer.submit(job(key)).result(WAIT_S)
        if not receipt.replayed:
            with _counting:
                firsts[key] += 1


def main(arguments: list[str]) -> None:
    """Send the commands, and answer with how often each was answered first."""
    url, seed, count = arguments[:3]
    store = (ForgetfulServer if arguments[3:] else PostgresStore)(url)
    sys.stdout.write(json.dumps(_firsts(store, _keys(int(seed), int(count)), THREADS_EACH)))


if __name__ == "__main__":
    main(sys.argv[1:])
