"""Builders for tests of the ledger: a key, jobs, and a writer on either home."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.ledger.checkpoint import LogKey
from core.ledger.entry import Entry, canonical
from core.ledger.store import Ledger, open_store
from core.ledger.tables import Statement
from core.ledger.writer import Decision, Draft, Hooks, Job, NoHooks, View, Writer

ORIGIN = "batchwright.example/tablets"
KEY = LogKey(ORIGIN, bytes(range(32)))
AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)


def draft(stream: str = "batch/B1", **data: Any) -> Draft:
    return Draft(stream, "weighing.weight-recorded", 1, {"net_g": "1000.50", **data})


def job(
    idem: str, *drafts: Draft, answer: dict[str, Any] | None = None, request: object = None
) -> Job:
    return deciding(idem, lambda view: Decision(drafts, answer or {}), request=request)


def deciding(idem: str, decide: Callable[[View], Decision], *, request: object = None) -> Job:
    digest = hashlib.sha256(canonical(request or idem)).hexdigest()
    return Job(idem, digest, "ama", "K1", lambda: AT, decide)


@contextmanager
def writing(
    where: str | Path, hooks: Hooks | None = None, *, anchors: Path | None = None
) -> Iterator[Writer]:
    with (
        closing(open_store(where)) as store,
        closing(Writer(store, KEY, hooks or NoHooks(), anchor_dir=anchors)) as writer,
    ):
        writer.start()
        yield writer


@contextmanager
def reading(where: str | Path) -> Iterator[Ledger]:
    ledger = Ledger(open_store(where))
    try:
        yield ledger
    finally:
        ledger.close()


def fill(writer: Writer, count: int, *, streams: int = 7) -> None:
    """Append `count` entries, a few per command, over some streams."""
    futures = []
    for number in range(1, count + 1):
        name = f"batch/B{number % streams}"
        futures.append(writer.submit(job(f"fill:{number}", draft(name, n=number))))
    for future in futures:
        future.result(30)


class Recorder(NoHooks):
    """Hooks that remember what they were told, and refuse what they are told to refuse."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.refuse: set[str] = set()
        self.fail_flush: list[BaseException] = []

    def appended(self, view: View, entries: Sequence[Entry]) -> None:
        self.calls.append(("appended", [entry.seq for entry in entries]))
        if any(entry.stream in self.refuse for entry in entries):
            raise ValueError("the projection refuses")

    def foreign(self, view: View, entries: Sequence[Entry]) -> None:
        self.calls.append(("foreign", [entry.seq for entry in entries]))

    def flush(self, view: View) -> Sequence[Statement]:
        self.calls.append(("flush", view.size))
        if self.fail_flush and view.size:
            raise self.fail_flush.pop()
        return ()

    def dropped(self, streams: frozenset[str] | None) -> None:
        self.calls.append(("dropped", None if streams is None else sorted(streams)))


class Growing(Ledger):
    """A ledger that grows, and is confirmed outside, just after somebody asked for its size."""

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer.store)
        self._writer = writer

    def size(self) -> int:
        before = super().size()
        done = self._writer.submit(job(f"grow:{before}", draft())).result(20)
        assert done.last_seq == before + 1
        receipt = self.root(done.last_seq).hex()
        self._writer.record_anchor(done.last_seq, "ERP receipt", receipt, at=AT).result(20)
        return before


class Hold:
    """A job that keeps the writer busy, so that what follows becomes one group."""

    def __init__(self, writer: Writer) -> None:
        self._go = threading.Event()
        running = threading.Event()

        def decide(view: View) -> Decision:
            running.set()
            assert self._go.wait(20)
            return Decision()

        self._future = writer.submit(deciding(f"hold:{id(self)}", decide))
        assert running.wait(20)

    def release(self) -> None:
        self._go.set()
        self._future.result(20)
