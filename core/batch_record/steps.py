"""The steps of a batch record: what was done, what was changed since, and how each step stands."""

from datetime import datetime
from decimal import Decimal

from core.batch.late import LATE
from core.batch.state import Correction, Partial, Redone, StepRun, StepState
from core.batch_record.model import (
    Amount,
    CorrectionRecord,
    Deed,
    Late,
    Limits,
    RedoneRecord,
    StepRecord,
    Void,
    Weighing,
)
from core.batch_record.sources import Sources
from core.clock import parse_iso
from core.quantity import kg_text, plain
from core.recipe import Step, StepKind

WORDS = {
    StepState.IDLE: "idle, not started",
    StepState.RUNNING: "running",
    StepState.DONE: "done, to be verified",
    StepState.HELD: "held, QA decides",
    StepState.COMPLETE: "complete",
}


def amount(value: Decimal, unit: str | None) -> Amount:
    """Return a quantity with the text that people read: grams as kilograms."""
    text = kg_text(value) if unit == "g" else f"{plain(value)} {unit or ''}".strip()
    return Amount(value=value, unit=unit or "", text=text)


def _maybe(value: Decimal | None, unit: str | None) -> Amount | None:
    return None if value is None else amount(value, unit)


def step_record(it: Sources, step: Step) -> StepRecord:
    """Return one step as it was done, with everything that no longer counts beside it."""
    run = it.batch.run(step.step) or StepRun(step=step.step)
    performed = verified = None
    if run.performed_by:
        performed = it.deed(run.performed_by, run.performed_at)
    if run.verified_by:
        verified = it.deed(run.verified_by, run.verified_at)
    light, says = _light(run)
    return StepRecord(
        light=light,
        says=says,
        step=step.step,
        phase=step.phase,
        title=step.title,
        instruction=step.instruction,
        kind=step.kind.value,
        state=run.state.value,
        equipment=step.work_center,
        material=step.material,
        started_at=_at(it, "step.started", step.step),
        completed_at=_at(it, "step.completed", step.step),
        limits=_limits(step, run),
        net=amount(run.net_g, "g") if run.partials else None,
        values={name: amount(value, step.unit) for name, value in run.values.items()},
        weighings=_weighings(it, run),
        performed=performed,
        verification_asked=step.verify,
        verified=verified,
        deviation=run.deviation,
        late=_late(run),
        corrections=tuple(correction(it, one) for one in run.corrections),
        redone=tuple(_redone(it, one, step.unit) for one in run.redone),
        asked=run.instruction,
    )


def _light(run: StepRun) -> tuple[str, str]:
    """Return a step's light and the same in words: red, yellow, green, none."""
    odd = [
        word
        for word, there in (
            (f"deviation {run.deviation}", run.deviation is not None),
            ("corrected", bool(run.corrections)),
            ("a weighing taken back", bool(run.reversals)),
            ("done again", bool(run.redone)),
            ("entered late", _late(run) is not None),
        )
        if there
    ]
    says = ", ".join([WORDS[run.state], *odd])
    if run.state is StepState.IDLE:
        return "none", says
    if run.state is StepState.HELD or (not run.within and run.deviation is None):
        return "red", says
    return ("green" if run.state is StepState.COMPLETE and not odd else "yellow"), says


def _late(run: StepRun) -> Late | None:
    """Return both times where a step was recorded later than an act may be."""
    if run.happened_at is None or run.performed_at is None:
        return None
    if run.performed_at - run.happened_at <= LATE:
        return None
    return Late(happened_at=run.happened_at, recorded_at=run.performed_at)


def _at(it: Sources, kind: str, step: str) -> datetime | None:
    found = [one.at for one in it.entries if one.type == kind and one.data.get("step") == step]
    return parse_iso(found[-1]) if found else None


def _limits(step: Step, run: StepRun) -> Limits | None:
    if step.low is None and step.high is None and step.target is None:
        return None
    return Limits(
        low=_maybe(step.low, step.unit),
        high=_maybe(step.high, step.unit),
        target=_maybe(step.target, step.unit),
        within=run.within if run.performed_by else None,
    )


def _weighings(it: Sources, run: StepRun) -> tuple[Weighing, ...]:
    """Return every weighing that was ever accepted at a step, in the order of their entries."""
    found = [weighing(it, one) for one in run.partials]
    for one in run.reversals:
        by = it.deed(one.by, one.at, entry=one.entry)
        found.append(weighing(it, one.weighing, Void(why=one.why, by=by)))
    for redone in run.redone:
        why = f"the step was done again, {redone.deviation}"
        void = Void(why=why, by=_set_aside(it, redone))
        found += [weighing(it, one, void) for one in redone.partials]
    return tuple(sorted(found, key=lambda one: one.entry))


def weighing(it: Sources, one: Partial, void: Void | None = None) -> Weighing:
    """Return one accepted weighing; `void` says why it no longer counts."""
    return Weighing(
        lot=one.lot,
        container=one.container,
        gross=amount(one.gross_g, "g"),
        tare=amount(one.tare_g, "g"),
        net=amount(one.net_g, "g"),
        scale=one.scale,
        certificate=one.certificate,
        raw=one.raw,
        by=one.by,
        name=it.name(one.by),
        at=one.at,
        entry=one.seq,
        void=void,
    )


def correction(it: Sources, one: Correction) -> CorrectionRecord:
    """Return a correction with old and new value in the step's unit."""
    step = it.batch.recipe_step(one.step)
    unit = it.batch.content.unit if step.kind is StepKind.YIELD else step.unit
    return CorrectionRecord(
        step=one.step,
        what=one.what,
        old=amount(one.old, unit),
        new=amount(one.new, unit),
        why=one.why,
        corrected=it.deed(one.by, one.at, entry=one.entry),
        corrects=one.corrects,
    )


def _set_aside(it: Sources, one: Redone) -> Deed:
    by = next((entry.actor for entry in it.entries if entry.seq == one.entry), "")
    return it.deed(by, one.at, entry=one.entry)


def _redone(it: Sources, one: Redone, unit: str | None) -> RedoneRecord:
    performed = None
    if one.performed_by is not None:
        performed = it.deed(one.performed_by, one.performed_at)
    return RedoneRecord(
        values={name: amount(value, unit) for name, value in one.values.items()},
        performed=performed,
        deviation=one.deviation,
        set_aside=_set_aside(it, one),
    )
