"""What every harness shares: its tally, a ledger to break, and what counts as unharmed."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from core.ledger.anchor import AnchorFolder
from core.ledger.audit import audit, check_anchors
from core.ledger.checkpoint import LogKey
from core.ledger.entry import canonical
from core.ledger.store import Store, open_ledger
from core.ledger.writer import Decision, Draft, Job, NoHooks, Receipt, Writer

KEY = LogKey("faults.batchwright.example/ledger", hashlib.sha256(b"faults").digest())
AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
WAIT_S = 30
EXAMPLES = 5
type Run = Callable[[Random, Path, int], "Tally"]


class NotRun(Exception):
    """A harness cannot run here; the sentence says why and what to do. Nothing was tried."""


@dataclass
class Tally:
    """What one harness counted. A trial is one crash, flip, log or key, never one answer."""

    name: str
    violation: str
    control: str
    model: str = ""  # what the trials do not show
    trials: int = 0
    violations: int = 0
    control_trials: int = 0
    control_violations: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was violated, and the control shows that the harness can see."""
        return self.trials > 0 and self.violations == 0 and self.control_violations > 0

    def count(self, what: str, number: int = 1) -> None:
        """Add to a number that explains the trials."""
        self.counts[what] = self.counts.get(what, 0) + number

    def find(self, what: str) -> None:
        """Keep an example of a violation in words."""
        if len(self.found) < EXAMPLES:
            self.found.append(what)

    def add(self, other: "Tally") -> None:
        """Take in what another part of the same harness counted."""
        self.trials += other.trials
        self.violations += other.violations
        self.control_trials += other.control_trials
        self.control_violations += other.control_violations
        for what, number in other.counts.items():
            self.count(what, number)
        for what in other.found:
            self.find(what)

    @classmethod
    def of(cls, report: dict[str, Any]) -> "Tally":
        """Return the tally in a report."""
        return cls(**{one.name: report[one.name] for one in fields(cls)})

    def as_json(self) -> dict[str, Any]:
        """Return the tally as it is reported, with what no violation in so many trials bounds."""
        bound = 3 / self.trials if self.trials and not self.violations else None
        return {**asdict(self), "rate_below_95": bound}


def job(idem: str, stream: str = "batch/B1", **data: Any) -> Job:
    """Return a job that appends one weighing."""
    drafts = (Draft(stream, "weighing.weight-recorded", 1, {"net_g": "1000.50", **data}),)
    digest = hashlib.sha256(canonical([idem, stream, data])).hexdigest()
    return Job(idem, digest, "ama", "K1", lambda: AT, lambda view: Decision(drafts))


def memory_folder() -> Path | None:
    """Return the folder of files in memory, where a sync costs nothing; None if there is none."""
    folder = Path("/dev/shm")  # noqa: S108  (only folders of our own are made in it)
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None


@contextmanager
def writing(store: Store, anchors: Path | None = None) -> Iterator[Writer]:
    """Run the real writer on a store, and stop it."""
    with closing(store), closing(Writer(store, KEY, NoHooks(), anchor_dir=anchors)) as writer:
        writer.start()
        yield writer


def fill(writer: Writer, count: int, *, streams: int = 7) -> list[Receipt]:
    """Append entries one by one, so that each has a checkpoint of its own."""
    return [
        writer.submit(job(f"fill:{n}", f"batch/B{n % streams}", n=n)).result(WAIT_S)
        for n in range(1, count + 1)
    ]


def entries_of(path: Path) -> list[tuple[Any, ...]]:
    """Return all stored entries of a file, read without any index."""
    query = "select seq, stream, ver, type, idem, body, leaf from entry not indexed order by rowid"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def idems_of(path: Path) -> list[str]:
    """Return the command id of each stored entry."""
    with closing(sqlite3.connect(path)) as connection:
        return [idem for (idem,) in connection.execute("select idem from entry not indexed")]


def is_whole(path: Path) -> bool:
    """Whether SQLite itself finds the file in order."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    except (sqlite3.Error, UnicodeDecodeError):  # it may quote the damage
        return False


def fault_of(where: str | Path, anchors: Path | None = None) -> str | None:
    """Return what the ledger's own check, and the anchors outside, find wrong; None if nothing."""
    ledger = open_ledger(where)
    try:
        audit(ledger, KEY.verifier)
        if anchors is not None:
            check_anchors(ledger, AnchorFolder(anchors), KEY.verifier)
    except Exception as fault:  # whatever is raised, the damage does not pass unseen
        return str(fault) or type(fault).__name__
    finally:
        ledger.close()
    return None
