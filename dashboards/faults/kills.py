"""Kill -9 in the middle of writing, again and again: a writing process, or the database server.

A killed process leaves the system's page cache: this tests what a crash leaves and when a caller
is answered, not whether the disk keeps what it confirmed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO

from core.ledger.audit import rows
from core.ledger.store import open_ledger
from dashboards.faults.postgres import Cluster, cluster, fresh_database, postgres_running
from dashboards.faults.trial import Tally, fault_of, is_whole
from dashboards.faults.victim import BROKEN

LONGEST_MS = 120
LONGEST_SERVER_MS = 400
FRESH_AFTER = 2_500  # entries, then a new ledger: each round reads all of them
INTEGRITY_EVERY = 10
BACK_S, LOOK_S = 20, 0.002
ANSWERED = 0.75
LOST = "acknowledged entries are lost"
MODEL = (
    "A killed process leaves the system's page cache, so that this shows order and recovery, not"
    " whether the disk keeps what it confirmed."
)
VIOLATION = "an acknowledged entry lost, one twice, a gap, a broken root, or no longer the same log"
CONTROL = "a writer that acknowledges before it commits"


class Victims:
    """Processes that append until they are killed, forked from one that has loaded everything."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "dashboards.faults.victim"]
        self._parent = subprocess.Popen(  # noqa: S603  (our own module)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @contextmanager
    def running(self, ledger: "Ledgers", name: str) -> Iterator[None]:
        """Let one append; it is killed in the end."""
        given = {
            "where": ledger.where, "anchors": str(ledger.anchors), "acks": str(ledger.acks),
            "name": name, "early": ledger.is_early,
        }  # fmt: skip
        into, out = self._pipes()
        into.write(json.dumps(given).encode() + b"\n")
        into.flush()
        said = out.readline().split()
        if said[:1] != [b"ready"]:
            raise RuntimeError(f"the process to kill did not start: {said}")
        pid = int(said[1])
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            assert out.readline() == b"dead\n"

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        return self._parent.stdin, self._parent.stdout

    def close(self) -> None:
        for pipe in self._pipes():
            pipe.close()
        self._parent.wait()


@contextmanager
def victims() -> Iterator[Victims]:
    """Run the process that victims are forked from."""
    found = Victims()
    try:
        yield found
    finally:
        found.close()


@dataclass
class Ledgers:
    """One ledger that is written by victims, and what they were answered."""

    where: str
    folder: Path
    is_early: bool
    size: int = 0
    root: bytes = b""
    seen: set[str] = field(default_factory=set)

    @property
    def anchors(self) -> Path:
        return self.folder / "anchors"

    @property
    def acks(self) -> Path:
        return self.folder / "acks"

    def violated(self) -> str | None:
        """Return what does not hold of all that was acknowledged so far."""
        lines = self.acks.read_text("utf-8").split("\n")[:-1]
        broken = [line for line in lines if line.startswith(BROKEN)]
        if broken:
            return broken[0]
        self.seen = set(lines)
        ledger = open_ledger(self.where)
        try:
            stored = Counter(row.idem for row in rows(ledger))
            if self.size and ledger.root(self.size) != self.root:
                return f"the first {self.size} entries are no longer those that they were"
            newest = ledger.checkpoint()
        finally:
            ledger.close()
        if newest is not None:
            self.size, self.root = newest.size, newest.root
        if lost := self.seen - stored.keys():
            return f"{len(lost)} {LOST}"
        if max(stored.values(), default=1) > 1:
            return "a command has two entries"
        return fault_of(self.where, self.anchors)


type Place = Callable[[Path], AbstractContextManager[str]]
type Meanwhile = Callable[[Random, Ledgers], bool]


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Kill `count` processes that write a SQLite file, and a tenth of that of the control."""
    tally = Tally("kill -9, SQLite", VIOLATION, CONTROL, model=MODEL)

    @contextmanager
    def place(folder: Path) -> Iterator[str]:
        yield str(folder / "ledger.db")

    return _killing(tally, rng, scratch, count=count, place=place, meanwhile=_nothing_else)


def run_postgres(rng: Random, scratch: Path, count: int) -> Tally:
    """Kill `count` processes that write to PostgreSQL, in the middle of a transaction or not."""
    tally = Tally("kill -9 of a writer, PostgreSQL", VIOLATION, CONTROL, model=MODEL)
    with postgres_running() as server:

        def place(folder: Path) -> AbstractContextManager[str]:
            return fresh_database(server)

        return _killing(tally, rng, scratch, count=count, place=place, meanwhile=_nothing_else)


def run_several(rng: Random, scratch: Path, count: int) -> Tally:
    """Kill one of three processes that write one PostgreSQL ledger; the two others must go on."""
    tally = Tally(
        "kill -9 of one of three writers, PostgreSQL", f"{VIOLATION}, or the others stop",
        CONTROL, model=MODEL,
    )  # fmt: skip
    with postgres_running() as server, victims() as second, victims() as third:

        def place(folder: Path) -> AbstractContextManager[str]:
            return fresh_database(server)

        return _killing(
            tally, rng, scratch, count=count, place=place, meanwhile=_nothing_else,
            beside=(second, third),
        )  # fmt: skip


def run_server(rng: Random, scratch: Path, count: int) -> Tally:
    """Kill PostgreSQL itself `count` times, with all of its processes, and start it again."""
    tally = Tally(
        "kill -9 of the PostgreSQL server", f"{VIOLATION}, or a writer that stays down",
        CONTROL, model=MODEL,
    )  # fmt: skip
    with cluster() as server:

        def place(folder: Path) -> AbstractContextManager[str]:
            return fresh_database(server.url)

        def meanwhile(rng: Random, ledger: Ledgers) -> bool:
            return _server_dies(rng, server, ledger.acks)

        return _killing(tally, rng, scratch, count=count, place=place, meanwhile=meanwhile)


def _nothing_else(rng: Random, ledger: Ledgers) -> bool:
    """Let the writer write, until it is killed at a random moment; mostly after a first answer.

    A control that nobody was answered by has nothing to lose, and would show nothing.
    """
    if rng.random() < ANSWERED or ledger.is_early:
        _grows(ledger.acks)
    time.sleep(rng.randrange(LONGEST_MS) / 1000)
    return True


def _server_dies(rng: Random, server: Cluster, acks: Path) -> bool:
    """Kill the server under the writer; return whether the writer goes on by itself."""
    time.sleep(rng.randrange(LONGEST_SERVER_MS) / 1000)
    server.kill()
    server.start()
    return _grows(acks)


def _grows(acks: Path) -> bool:
    """Wait until somebody is answered; return whether that came."""
    before, deadline = acks.stat().st_size, time.monotonic() + BACK_S
    while acks.stat().st_size == before and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return acks.stat().st_size > before


def _killing(
    tally: Tally,
    rng: Random,
    scratch: Path,
    *,
    count: int,
    place: Place,
    meanwhile: Meanwhile,
    beside: Sequence[Victims] = (),
) -> Tally:
    with victims() as found:
        for name, most in (("real", count), ("control", max(3, count // 10))):
            done = 0
            while done < most:
                folder = scratch / name / str(done)
                folder.mkdir(parents=True)
                with place(folder) as where:
                    ledger = Ledgers(where, folder, is_early=name == "control")
                    rounds = _rounds(
                        rng, (found, *beside), ledger, most=most - done, meanwhile=meanwhile
                    )
                    for why in rounds:
                        done += 1
                        _count(tally, why, is_control=ledger.is_early)
                    if not ledger.is_early:
                        tally.count("acknowledged", len(ledger.seen))
                        tally.count(
                            "committed, not yet acknowledged", ledger.size - len(ledger.seen)
                        )
    return tally


def _count(tally: Tally, why: str | None, *, is_control: bool) -> None:
    if is_control:  # for the reason that it was made for, and no other
        tally.control_trials += 1
        tally.control_violations += why is not None and why.endswith(LOST)
        return
    tally.trials += 1
    if why is not None:
        tally.violations += 1
        tally.find(why)


def _rounds(
    rng: Random, found: Sequence[Victims], ledger: Ledgers, *, most: int, meanwhile: Meanwhile
) -> Iterator[str | None]:
    """Kill on one ledger until it is long, or violated; yield each time what does not hold.

    The first of the victims is killed; those beside it must be answered after that, and end then.
    """
    victim, *beside = found
    for number in range(1, most + 1):
        with ExitStack() as others:
            for place, other in enumerate(beside):
                others.enter_context(other.running(ledger, f"{number}.beside{place}"))
            with victim.running(ledger, str(number)):
                goes_on = meanwhile(rng, ledger)
            goes_on = goes_on and (not beside or _grows(ledger.acks))
        why = ledger.violated() if goes_on else "the writer did not go on"
        if why is None and number % INTEGRITY_EVERY == 0 and ledger.where.endswith(".db"):
            why = None if is_whole(Path(ledger.where)) else "integrity_check finds damage"
        yield why
        if why is not None or ledger.size > FRESH_AFTER:
            return  # what is lost stays lost: the next trial begins anew
