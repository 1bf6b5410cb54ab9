"""Power cuts: a recorded process, and the many disks that a cut could have left of it.

A shared library (power_shim.c) loaded before the others records every write, sync, create, rename
and removal of a process that runs the real writer. Each trial takes a random moment of that record,
builds what the disk may hold then (power_disk says how) and starts the real writer on it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from core.ledger.entry import decode
from core.ledger.sqlite import SqliteStore
from core.ledger.writer import Decision, Draft, Job, Writer
from dashboards.faults.power_disk import PASSING, Disk, Step, steps
from dashboards.faults.recorded import ACKS, CONTROLS, FAILING, FILE, sent
from dashboards.faults.trial import (
    AT,
    WAIT_S,
    NotRun,
    Tally,
    entries_of,
    is_whole,
    job,
    writing,
)

SHIM = Path(__file__).with_name("power_shim.c")
PER_TRACE = 250
FIRST = 5  # every fifth cut falls into the first tenth, where files and anchors are made
BUILD_S, RECORD_S = 60, 600


class NoCompiler(NotRun):
    """Nothing here can build the library that records writes."""

    def __init__(self) -> None:
        super().__init__(
            "Power cuts: no C compiler (cc) is found, and the recorder of writes is C."
            " Install one, as with apt install gcc, or run the other harnesses."
        )


class NotRecorded(RuntimeError):
    """The record lacks what every run must do: the trials on it would all pass for nothing."""


@dataclass(frozen=True)
class Ack:
    """One answer that a client got: the entries of its command, and the hash of what it sent."""

    idem: str
    first_seq: int
    last_seq: int
    checkpoint_size: int
    sent: str


@dataclass(frozen=True)
class Trace:
    """One recorded workload, and the entries that it ended with."""

    steps: list[Step]
    entries: list[tuple[Any, ...]]

    @property
    def failed_syncs(self) -> int:
        return sum(step.op == "e" for step in self.steps)


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Cut the power `count` times, and a tenth of that for each control."""
    tally = Tally(
        "power cuts",
        "an acknowledged entry lost or changed, a gap, a broken root, an anchor ahead, a damaged"
        " file, or a server that does not go on",
        "synchronous=NORMAL, and OFF, in place of FULL",
    )
    traces = recorded(scratch, rng, max(2, count // PER_TRACE))
    controls = [traces.pop() for _ in CONTROLS]
    tally.trials, tally.counts = count, {"traces": len(traces)}
    for trace, cuts in zip(traces, shares(count, len(traces)), strict=True):
        tally.violations += sum(trials(trace, rng, scratch, cuts=cuts, tally=tally))
    cuts = max(10, count // 20)
    for trace in controls:
        tally.control_trials += cuts
        tally.control_violations += sum(trials(trace, rng, scratch, cuts=cuts))
    return tally


def shares(count: int, parts: int) -> list[int]:
    return [count // parts + (part < count % parts) for part in range(parts)]


def built(scratch: Path) -> Path:
    """Compile the recorder.

    Raises:
        NoCompiler: there is no cc here.
    """
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        raise NoCompiler
    library = scratch / "power_shim.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run([*command, "-lpthread"], check=True, timeout=BUILD_S)  # noqa: S603
    return library


def recorded(
    scratch: Path, rng: Random, count: int, *, options: Mapping[str, str] | None = None
) -> list[Trace]:
    """Run `count` workloads, then those of the controls; return what they wrote.

    `options` are what the recorder is told of a disk whose syncs fail; then there is no control.

    Raises:
        NoCompiler: there is no cc here.
        NotRecorded: a record holds no write, sync or acknowledgement, lacks a stored entry, or
            does not lead to the files that the process left.
    """
    folder, log = scratch / "recorded", scratch / "record.log"
    folder.mkdir()
    given = {
        "FAULTS_BELOW": str(folder),
        "FAULTS_LOG": str(log),
        "LD_PRELOAD": str(built(scratch)),
        **(options or {}),
    }
    command = [sys.executable, "-m", "dashboards.faults.recorded", str(folder)]
    subprocess.run(  # noqa: S603  (our own module)
        [*command, str(rng.getrandbits(32)), str(count), *([FAILING] if options else [])],
        env={**os.environ, **given}, check=True, timeout=RECORD_S,
    )  # fmt: skip
    found: dict[str, list[Step]] = {}
    for name, step in steps(log):
        found.setdefault(name, []).append(step)
    for name, calls in found.items():
        check_whole(calls, folder / name)  # before anybody opens the files, which changes them
    traces = {name: Trace(found[name], entries_of(folder / name / FILE)) for name in sorted(found)}
    log.unlink()
    shutil.rmtree(folder)
    for name, trace in traces.items():
        _check_record(trace, has_syncs=name != "off")
    assert len(traces) == count + (0 if options else len(CONTROLS))
    return list(traces.values())  # numbers come before the names of the controls


def _check_record(trace: Trace, *, has_syncs: bool) -> None:
    seen = {step.op for step in trace.steps}
    if not seen >= ({"w", "s", "a"} if has_syncs else {"w", "a"}):
        raise NotRecorded(f"the recorder saw only {sorted(seen)} of this process")
    for step in trace.steps:
        if step.op == "a":
            _check_sent(trace, _ack(step))


def check_whole(calls: Sequence[Step], folder: Path) -> None:
    """All recorded calls together must make the very files: else a call went past the recorder."""
    disk = Disk()
    for step in calls:
        if not step.name.endswith(ACKS):
            disk.do(step)
    left = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((*PASSING, ACKS))
    }
    made = disk.whole()
    for name in sorted(made.keys() | left.keys()):
        if made.get(name) != left.get(name):
            raise NotRecorded(f"{name}: its writes do not lead to the file that is there")


def _ack(step: Step) -> Ack:
    return Ack(*json.loads(step.data))


def _check_sent(trace: Trace, ack: Ack) -> None:
    """Once per trace: what is stored at the end is what the client sent, byte for byte."""
    bodies = [decode(bytes(row[5])) for row in trace.entries[ack.first_seq - 1 : ack.last_seq]]
    drafts = [Draft(one.stream, one.type, one.v, one.data) for one in bodies]
    if sent(drafts) != ack.sent or {one.idem for one in bodies} != {ack.idem}:
        raise NotRecorded(f"the entries of {ack.idem} are not what was sent")


def trials(
    trace: Trace, rng: Random, scratch: Path, *, cuts: int, tally: Tally | None = None
) -> Iterator[bool]:
    """Yield for each cut whether something was violated; without a tally it is the control."""
    whole = len(trace.steps) + 1
    spans = [whole if number % FIRST else max(1, whole // 10) for number in range(cuts)]
    moments = sorted(rng.randrange(span) for span in spans)
    disk, acks, done = Disk(rng), list[Ack](), 0
    for moment in moments:
        for step in trace.steps[done:moment]:
            if step.op == "a":
                acks.append(_ack(step))
            elif not step.name.endswith(ACKS):
                disk.do(step)
        done = moment
        left = scratch / "left"
        left.mkdir()
        disk.cut(rng, left)
        why = _violated(trace, left, acks, tally=tally)
        shutil.rmtree(left)
        if why is not None and tally is not None:
            tally.find(why)
        yield why is not None


def _violated(trace: Trace, left: Path, acks: Sequence[Ack], *, tally: Tally | None) -> str | None:
    """Start the real writer on what is left; return what does not hold, None if all does."""
    path, acked = left / FILE, max((ack.last_seq for ack in acks), default=0)
    try:
        with writing(SqliteStore(path), left / "anchors") as writer:
            stored = entries_of(path)
            if len(stored) < acked:
                return f"{acked} entries acknowledged, {len(stored)} stored"
            # after a failed sync the same number was given anew: only what was answered is fixed
            fixed = acked if trace.failed_syncs else len(stored)
            if stored[:fixed] != trace.entries[:fixed]:  # numbers, bytes, leaves: and so the root
                return "the entries are no first part of those that were written"
            if acks and not _is_known(writer, acks[-1]):
                return f"{acks[-1].idem} was answered anew"
            added = writer.submit(job("after the cut")).result(WAIT_S)
            if added.last_seq != len(stored) + 1:
                return f"the next entry is {added.last_seq}, {len(stored)} are stored"
    except Exception as fault:  # whatever is raised: a server that does not start is a violation
        return f"{type(fault).__name__}: {fault}"
    if not is_whole(path):
        return "integrity_check finds damage"
    if tally is not None:
        covered = sum(ack.last_seq - ack.first_seq + 1 for ack in acks)
        tally.count("acknowledged entries checked", covered)
        tally.count("committed, not yet acknowledged", len(stored) - covered)
    return None


def _is_known(writer: Writer, ack: Ack) -> bool:
    """Whether the command, sent again after the cut, gets its first answer."""
    again = Job(ack.idem, ack.sent, "ama", "K1", lambda: AT, lambda view: Decision())
    receipt = writer.submit(again).result(WAIT_S)
    return receipt.replayed and (receipt.first_seq, receipt.last_seq) == (
        ack.first_seq,
        ack.last_seq,
    )
