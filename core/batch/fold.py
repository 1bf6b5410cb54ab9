"""A batch's state folded from its stream: one event after the other, none is ever refused."""

from dataclasses import replace
from typing import Any

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
    MaterialConsumed,
    MaterialProduced,
    ScanAccepted,
    StepCompleted,
    StepReopened,
    StepStarted,
    StepVerified,
    TareRecorded,
    ValueCorrected,
    ValueRecorded,
    WeighingReversed,
    WeightRecorded,
)
from core.batch.state import (
    Batch,
    BatchException,
    BatchState,
    Correction,
    Goods,
    Partial,
    Redone,
    Reversal,
    StepRun,
    StepState,
    signed,
)
from core.fact import Event, Recorded
from core.signature import SignatureApplied

OPEN_AGAIN: dict[str, Any] = {
    "state": StepState.RUNNING,
    "within": True,
    "performed_by": None,
    "performed_at": None,
    "verified_by": None,
    "verified_at": None,
    "happened_at": None,
}


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
    fields = _batch_changes(batch, event, fact)
    changes = _step_changes(batch, event, fact)
    if changes is not None:
        step, changed = changes
        fields["steps"] = tuple(
            replace(one, **changed) if one.step == step else one for one in batch.steps
        )
    return replace(batch, **fields)


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
        case ValueRecorded(step=step) as it:
            return step, {
                "values": it.values,
                "within": it.within,
                "state": StepState.DONE,
                "performed_by": fact.actor,
                "performed_at": fact.at,
                "happened_at": it.happened_at,
                "entry": fact.seq,
            }
        case StepVerified(step=step, verified_by=verified_by):
            return step, {"verified_by": verified_by, "verified_at": fact.at}
        case StepCompleted(step=step):
            return step, {"state": StepState.COMPLETE}
        case BatchHeld(step=step, deviation=deviation):
            return step, {"state": StepState.HELD, "deviation": deviation}
        case BatchResumed(step=step, instruction=instruction):
            return step, {"state": StepState.DONE, "instruction": instruction}
        case _:
            return _again(batch, event, fact)


def _again(batch: Batch, event: Event, fact: Recorded) -> tuple[str, dict[str, Any]] | None:
    """Return what changes at a step whose record is touched after it was made."""
    step = getattr(event, "step", None)
    run = None if step is None else batch.run(step)
    if run is None:
        return None
    match event:
        case MaterialConsumed() as it:
            return run.step, {"partials": _consumed(run, it, fact.seq)}
        case ValueCorrected() as it:
            fields: dict[str, Any] = {
                "values": {**run.values, **it.new},
                "within": it.within,
                "corrections": (*run.corrections, *corrections(it, fact)),
            }
            if run.verified_by is not None:  # who verified saw the old value
                fields |= {"state": StepState.DONE, "verified_by": None, "verified_at": None}
            return run.step, fields
        case WeighingReversed(corrects=corrects, why=why):
            taken = [one for one in run.partials if one.seq == corrects]
            back = tuple(
                Reversal(weighing=one, why=why, by=fact.actor, at=fact.at, entry=fact.seq)
                for one in taken
            )
            return run.step, {
                **OPEN_AGAIN,
                "partials": tuple(one for one in run.partials if one.seq != corrects),
                "reversals": (*run.reversals, *back),
            }
        case StepReopened(deviation=deviation):
            return run.step, {
                **OPEN_AGAIN,
                "partials": (),
                "values": {},
                "corrections": (),
                "redone": (*run.redone, _set_aside(run, deviation, fact)),
            }
        case _:
            return None


def _consumed(run: StepRun, it: MaterialConsumed, seq: int) -> tuple[Partial, ...]:
    """Return the weighings with the first that this consumption fits marked by it."""
    about = (it.lot, it.container, it.net_g)
    for n, one in enumerate(run.partials):
        if one.consumed is None and (one.lot, one.container, one.net_g) == about:
            return (*run.partials[:n], replace(one, consumed=seq), *run.partials[n + 1 :])
    return run.partials


def _set_aside(run: StepRun, deviation: str, fact: Recorded) -> Redone:
    return Redone(
        partials=run.partials,
        values=run.values,
        within=run.within,
        performed_by=run.performed_by,
        performed_at=run.performed_at,
        deviation=deviation,
        at=fact.at,
        entry=fact.seq,
    )


def corrections(it: ValueCorrected, fact: Recorded) -> tuple[Correction, ...]:
    """Return the corrections that one event holds, value by value."""
    return tuple(
        Correction(
            step=it.step,
            what=name,
            old=it.old[name],
            new=new,
            why=it.why,
            by=fact.actor,
            at=fact.at,
            entry=fact.seq,
            corrects=it.corrects,
        )
        for name, new in it.new.items()
    )


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
        read_at=it.reading.read_at,
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
                late_by_s=it.late_by_s,
            )
            return {
                "exceptions": (*batch.exceptions, raised),
                "deviations": _with(batch.deviations, it.deviation),
            }
        case BatchHeld(deviation=deviation):
            return {
                "state": BatchState.HELD,
                "held_by": deviation,
                "deviations": _with(batch.deviations, deviation),
            }
        case ValueCorrected(step=step):
            run = batch.run(step)
            reopens = run is not None and run.verified_by is not None
            return _unreviewed(batch, reopens=reopens)
        case WeighingReversed():
            return _unreviewed(batch, reopens=True)
        case StepReopened():
            return {"state": BatchState.RUNNING, "held_by": None}
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
        case MaterialProduced(quantity=quantity):
            return {"goods": Goods(quantity=quantity, entry=fact.seq)}
        case BatchClosed():
            return {"closed": True}
        case SignatureApplied() as it:
            return {"signatures": (*batch.signatures, signed(it, fact))}
        case _:
            return {}


def _unreviewed(batch: Batch, *, reopens: bool) -> dict[str, Any]:
    """Return that the trail must be read again, and the batch run on where a step is open."""
    fields: dict[str, Any] = {"audit_trail_reviewed_by": None}
    if reopens and batch.state is BatchState.COMPLETE:
        fields["state"] = BatchState.RUNNING
    return fields


def _with(names: tuple[str, ...], name: str | None) -> tuple[str, ...]:
    return names if name is None or name in names else (*names, name)
