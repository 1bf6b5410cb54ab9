"""Lines: which batch runs on them, and what people say of their stops.

The machine's own states are telemetry, outside the ledger; each closed hour of it is sealed
here by its digest. Times of stops are microseconds since 1970, half-open.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from core.batch.state import Batch, BatchState
from core.clock import micros
from core.equipment import Equipment, EquipmentKind
from core.errors import Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.quantity import Name


class StartRun(Command, frozen=True, kw_only=True, tag="line.start-run"):
    """A batch starts to run on a line."""

    line: Name
    batch: Name


class EndRun(Command, frozen=True, kw_only=True, tag="line.end-run"):
    """The batch leaves the line."""

    line: Name


class LabelStop(Command, frozen=True, kw_only=True, tag="stop.label"):
    """Say why a line stood still."""

    line: Name
    start_us: int
    end_us: int | None = None
    reason: Name
    category: Name


class SealTelemetry(Command, frozen=True, kw_only=True, tag="telemetry.seal"):
    """Commit to a closed segment of machine data by its digest."""

    line: Name
    segment: str
    start_us: int
    end_us: int
    rows: int
    sha256: str


class RunStarted(Event, frozen=True, kw_only=True, tag="run.started"):
    """The line runs this batch from here on."""

    line: str
    order: str
    batch: str
    product: str


class RunEnded(Event, frozen=True, kw_only=True, tag="run.ended"):
    """The line runs nothing from here on."""

    line: str
    batch: str


class StopLabeled(Event, frozen=True, kw_only=True, tag="stop.labeled"):
    """A person named the reason of a stop; the machine's record stays as it is."""

    line: str
    start_us: int
    end_us: int | None
    reason: str
    category: str


class TelemetrySealed(Event, frozen=True, kw_only=True, tag="telemetry.sealed"):
    """A segment of machine data can no longer change unnoticed."""

    line: str
    segment: str
    start_us: int
    end_us: int
    rows: int
    sha256: str


type LineCommand = StartRun | EndRun | LabelStop | SealTelemetry


KEPT = 200  # every label of a stop writes the document anew, so it must not grow for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A batch on a line; `ended_at` is None while it runs."""

    order: str
    batch: str
    product: str
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line and its newest `KEPT` runs, oldest first; the ledger keeps every one."""

    KIND: ClassVar[str] = "line"
    line: str
    runs: tuple[Run, ...] = ()

    @property
    def running(self) -> Run | None:
        """The run that has not ended, or None."""
        return self.runs[-1] if self.runs and self.runs[-1].ended_at is None else None


class NoSpan(Refused):
    """A span of time ends after it begins, and is over or under way."""

    def __init__(self, line: str, why: str) -> None:
        super().__init__(f"Line {line}: {why}. Choose the stop on the time line again.", line=line)


class NoSegment(Refused):
    """A seal that commits to nothing."""

    def __init__(self, line: str, segment: str, why: str) -> None:
        super().__init__(
            f"Line {line}, segment {segment}: {why}. Seal the segment from its file again.",
            line=line,
            segment=segment,
        )


def _check_span(it: LabelStop, at: datetime) -> None:
    if it.start_us < 0 or it.start_us > micros(at):
        raise NoSpan(it.line, "the stop begins before 1970 or in the future")
    if it.end_us is not None and it.end_us <= it.start_us:
        raise NoSpan(it.line, "the stop ends before it begins")


def _check_segment(it: SealTelemetry) -> None:
    if it.start_us < 0 or it.end_us <= it.start_us:
        raise NoSegment(it.line, it.segment, "it ends before it begins")
    if it.rows < 0:
        raise NoSegment(it.line, it.segment, f"it has {it.rows} rows")
    if len(it.sha256) != 64 or set(it.sha256) - set("0123456789abcdef"):
        raise NoSegment(it.line, it.segment, "its digest is no SHA-256 in hex")


def _runnable(plant: Plant, name: str) -> Batch:
    batch = need(plant, Batch, name)
    if batch.state is BatchState.REJECTED:
        aside = "Put its material aside."
        raise WrongState(f"Batch {name}", batch.state, needed="not rejected", next_step=aside)
    return batch


def decide(plant: Plant, command: LineCommand, context: Context) -> Facts:
    """Return what a command about a line causes, or refuse it.

    Raises:
        Unknown: no such line or batch.
        WrongState: the line runs a batch already, or none where one is to end; a rejected batch.
        NoSpan, NoSegment: times or digest cannot be.
    """
    if isinstance(command, SealTelemetry):
        _check_segment(command)
        sealed = TelemetrySealed(
            line=command.line,
            segment=command.segment,
            start_us=command.start_us,
            end_us=command.end_us,
            rows=command.rows,
            sha256=command.sha256,
        )
        return (Fact(f"telemetry/{command.line}", sealed),)
    equipment = need(plant, Equipment, command.line)
    if equipment.kind is not EquipmentKind.LINE:
        raise WrongState(command.line, equipment.kind, needed="a line", next_step="Choose a line.")
    line = plant.get(Line, command.line) or Line(line=command.line)
    stream = f"line/{command.line}"
    match command:
        case StartRun(batch=name):
            if line.running is not None:
                raise WrongState(
                    f"Line {line.line}",
                    f"running {line.running.batch}",
                    needed="free",
                    next_step="End that run first.",
                )
            batch = _runnable(plant, name)
            started = RunStarted(
                line=line.line, order=batch.order, batch=name, product=batch.content.product
            )
            return (Fact(stream, started),)
        case EndRun():
            if line.running is None:
                raise WrongState(
                    f"Line {line.line}", "free", needed="running", next_step="Nothing to end."
                )
            return (Fact(stream, RunEnded(line=line.line, batch=line.running.batch)),)
        case LabelStop() as it:
            _check_span(it, context.at)
            labeled = StopLabeled(
                line=it.line,
                start_us=it.start_us,
                end_us=it.end_us,
                reason=it.reason,
                category=it.category,
            )
            return (Fact(stream, labeled),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """How far a line's machine data is sealed."""

    KIND: ClassVar[str] = "telemetry"
    line: str
    segments: int
    sealed_until_us: int


def apply_telemetry(telemetry: Telemetry | None, fact: Recorded) -> Telemetry:
    """Fold one seal."""
    assert isinstance(fact.event, TelemetrySealed), fact
    segments = 1 if telemetry is None else telemetry.segments + 1
    return Telemetry(line=fact.event.line, segments=segments, sealed_until_us=fact.event.end_us)


def apply(line: Line | None, fact: Recorded) -> Line:
    """Fold one event of a line's stream."""
    match fact.event:
        case RunStarted() as it:
            run = Run(order=it.order, batch=it.batch, product=it.product, started_at=fact.at)
            runs = line.runs if line else ()
            return Line(line=it.line, runs=(*runs, run)[-KEPT:])
        case RunEnded():
            assert line is not None, fact
            return replace(line, runs=(*line.runs[:-1], replace(line.runs[-1], ended_at=fact.at)))
        case StopLabeled(line=name):
            return line or Line(line=name)
        case _:
            assert line is not None, fact
            return line
