"""A batch folded from its stream: the frozen recipe, its steps as done, who signed what.

Steps run in the recipe's order; exactly one is current. Net weights are grams.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from core.batch.events import (
    AuditTrailReviewed,
    BatchClosed,
    BatchCompleted,
    BatchCreated,
    BatchExceptionRaised,
    BatchHeld,
    BatchRejected,
    BatchReleased,
    BatchResumed,
    ExceptionReviewed,
    ScanAccepted,
    StepCompleted,
    StepStarted,
    StepVerified,
    TareRecorded,
    ValueRecorded,
    WeightRecorded,
)
from core.clock import parse_iso
from core.fact import Event, Recorded
from core.recipe import RecipeContent, Step
from core.signature import SignatureApplied


class BatchState(StrEnum):
    """Where a batch stands; after `complete` QA decides."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    COMPLETE = "complete"
    RELEASED = "released"
    REJECTED = "rejected"


class StepState(StrEnum):
    """Where a step stands. `done` waits for its verifier, `held` for QA."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    HELD = "held"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """One accepted weighing of a step."""

    lot: str
    container: str
    net_g: Decimal
    gross_g: Decimal
    tare_g: Decimal
    scale: str
    certificate: str
    raw: str
    by: str
    at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """A step as it was done."""

    step: str
    state: StepState = StepState.IDLE
    lot: str | None = None
    container: str | None = None
    tare_g: Decimal | None = None
    partials: tuple[Partial, ...] = ()
    values: dict[str, Decimal] = field(default_factory=dict)
    within: bool = True
    performed_by: str | None = None
    performed_at: datetime | None = None
    verified_by: str | None = None
    verified_at: datetime | None = None
    deviation: str | None = None

    @property
    def net_g(self) -> Decimal:
        """Sum of the accepted weighings."""
        return sum((one.net_g for one in self.partials), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchException:
    """Something a reviewer must look at."""

    exception: str
    step: str
    kind: str
    says: str
    seq: int
    at: datetime
    by: str
    deviation: str | None = None
    reviewed_by: str | None = None
    assessment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature as every readable form must show it (21 CFR 11.50)."""

    name: str
    person: str
    meaning: str
    at: datetime
    zone: str
    step: str | None
    words: str
    seq: int
    ver: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch folded from its stream."""

    KIND: ClassVar[str] = "batch"
    batch: str
    order: str
    erp_order: str | None
    room: str
    recipe: str
    recipe_sha256: str
    content: RecipeContent
    created_at: datetime
    state: BatchState = BatchState.IDLE
    steps: tuple[StepRun, ...] = ()
    exceptions: tuple[BatchException, ...] = ()
    signatures: tuple[Signed, ...] = ()
    deviations: tuple[str, ...] = ()
    held_by: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    decided_at: datetime | None = None
    audit_trail_reviewed_by: str | None = None
    closed: bool = False

    @property
    def current(self) -> StepRun | None:
        """The first step that is not complete, or None."""
        return next((one for one in self.steps if one.state is not StepState.COMPLETE), None)

    def run(self, step: str) -> StepRun | None:
        """Return a step as done, or None where the recipe has no such step."""
        return next((one for one in self.steps if one.step == step), None)

    def recipe_step(self, step: str) -> Step:
        """Return the recipe's own words for a step of this batch."""
        return next(one for one in self.content.steps if one.step == step)


def apply(batch: Batch | None, fact: Recorded) -> Batch:
    """Fold one event of a batch's stream."""
    match fact.event:
        case BatchCreated() as it:
            return Batch(
                batch=it.batch,
                order=it.order,
                erp_order=it.erp_order,
                room=it.room,
                recipe=it.recipe,
                recipe_sha256=it.recipe_sha256,
                content=it.content,
                created_at=fact.at,
                steps=tuple(StepRun(step=one.step) for one in it.content.steps),
            )
        case event:
            assert batch is not None, fact
    changes = _step_changes(batch, event, fact)
    if changes is not None:
        step, fields = changes
        steps = tuple(replace(one, **fields) if one.step == step else one for one in batch.steps)
        batch = replace(batch, steps=steps)
    return replace(batch, **_batch_changes(batch, event, fact))


def _step_changes(batch: Batch, event: Event, fact: Recorded) -> tuple[str, dict[str, Any]] | None:
    """Return the step that an event changes and its new fields, or None."""
    match event:
        case StepStarted(step=step):
            return step, {"state": StepState.RUNNING}
        case ScanAccepted(step=step, lot=lot, container=container):
            return step, {"lot": lot, "container": container}
        case TareRecorded(step=step, tare_g=tare_g):
            return step, {"tare_g": tare_g}
        case WeightRecorded(step=step) as it:
            run = batch.run(step)
            assert run is not None, fact
            return step, _weighed(run, it, fact)
        case ValueRecorded(step=step, values=values, within=within):
            return step, {
                "values": values,
                "within": within,
                "state": StepState.DONE,
                "performed_by": fact.actor,
                "performed_at": fact.at,
            }
        case StepVerified(step=step, verified_by=verified_by):
            return step, {"verified_by": verified_by, "verified_at": fact.at}
        case StepCompleted(step=step):
            return step, {"state": StepState.COMPLETE}
        case BatchHeld(step=step, deviation=deviation):
            return step, {"state": StepState.HELD, "deviation": deviation}
        case BatchResumed(step=step):
            return step, {"state": StepState.DONE}
        case _:
            return None


def _weighed(run: StepRun, it: WeightRecorded, fact: Recorded) -> dict[str, Any]:
    partial = Partial(
        lot=it.lot,
        container=it.container,
        net_g=it.net_g,
        gross_g=it.gross_g,
        tare_g=it.tare_g,
        scale=it.scale,
        certificate=it.certificate,
        raw=it.reading.raw,
        by=fact.actor,
        at=fact.at,
        seq=fact.seq,
    )
    fields: dict[str, Any] = {
        "partials": (*run.partials, partial),
        "lot": None,
        "container": None,
        "tare_g": None,
    }
    if it.last:
        fields |= {
            "state": StepState.DONE,
            "within": it.within,
            "performed_by": fact.actor,
            "performed_at": fact.at,
        }
    return fields


def _batch_changes(batch: Batch, event: Event, fact: Recorded) -> dict[str, Any]:
    """Return the batch fields that an event changes."""
    match event:
        case StepStarted() if batch.state is BatchState.IDLE:
            return {"state": BatchState.RUNNING, "started_at": fact.at}
        case BatchExceptionRaised() as it:
            raised = BatchException(
                exception=it.exception,
                step=it.step,
                kind=it.kind,
                says=it.says,
                seq=fact.seq,
                at=fact.at,
                by=fact.actor,
                deviation=it.deviation,
            )
            return {"exceptions": (*batch.exceptions, raised)}
        case BatchHeld(deviation=deviation):
            return {
                "state": BatchState.HELD,
                "held_by": deviation,
                "deviations": (*batch.deviations, deviation),
            }
        case BatchResumed():
            return {"state": BatchState.RUNNING, "held_by": None}
        case BatchCompleted():
            return {"state": BatchState.COMPLETE, "completed_at": fact.at}
        case ExceptionReviewed(exception=name, assessment=assessment):
            seen: dict[str, Any] = {"reviewed_by": fact.actor, "assessment": assessment}
            exceptions = tuple(
                replace(one, **seen) if one.exception == name else one for one in batch.exceptions
            )
            return {"exceptions": exceptions}
        case AuditTrailReviewed():
            return {"audit_trail_reviewed_by": fact.actor}
        case BatchReleased():
            return {"state": BatchState.RELEASED, "decided_at": fact.at}
        case BatchRejected():
            return {"state": BatchState.REJECTED, "decided_at": fact.at}
        case BatchClosed():
            return {"closed": True}
        case SignatureApplied() as it:
            return {"signatures": (*batch.signatures, signed(it, fact))}
        case _:
            return {}


def signed(it: SignatureApplied, fact: Recorded) -> Signed:
    """Return a signature as every readable form shows it."""
    return Signed(
        name=it.manifest.name,
        person=it.manifest.signer,
        meaning=it.manifest.meaning,
        at=parse_iso(it.manifest.at),
        zone=it.manifest.zone,
        step=it.manifest.step,
        words=it.manifest.words,
        seq=fact.seq,
        ver=it.manifest.ver,
    )
