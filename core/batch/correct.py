"""Corrections: a recorded value gets a new one, a weighing is taken back; the old stays visible.

Nothing is overwritten. Limits hold for a new value as for the first; who verified the old one
verifies again, and a trail that was reviewed is read again. After the decision about a batch
only an amendment corrects it.

Source:
    21 CFR 11.10(e), EU Annex 11 (2011) §9.
"""

from decimal import Decimal

from core.batch.events import ConsumptionReversed, ValueCorrected, WeighingReversed
from core.batch.flow import StepHeld, exception, hold
from core.batch.state import Batch, BatchState, Partial, StepRun, StepState
from core.batch.steps import (
    NEEDS,
    check_values,
    measured,
    outside_words,
    value_severity,
    within_limits,
)
from core.container import give_back
from core.correction_request import answered
from core.deviation import open_deviation
from core.errors import Refused, Unknown, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.material import Lot
from core.people import Person
from core.quantity import Name, Sentence, convert, kg_text, plain
from core.recipe import Step, StepKind

SUPERVISOR = "supervisor"


class CorrectValue(Command, frozen=True, kw_only=True, tag="step.correct"):
    """Replace recorded values of a step; what is not named stays as it is."""

    batch: Name
    step: Name
    values: dict[str, Decimal]
    why: Sentence


class ReverseWeighing(Command, frozen=True, kw_only=True, tag="weighing.reverse"):
    """Take a weighing back, by its entry; its quantity is in its container again."""

    batch: Name
    step: Name
    entry: int
    why: Sentence


class NotYoursToCorrect(Refused):
    """A record is corrected by who made it, or by a supervisor."""

    is_evidence = True

    def __init__(self, step: str, name: str, *, by: str) -> None:
        super().__init__(
            f"Step {step}: {by} recorded it, {name} did not. Ask {by} or a supervisor to"
            " correct it.",
            step=step,
            name=name,
            by=by,
        )


class NothingToCorrect(Refused):
    """The new value is the old one."""

    def __init__(self, step: Step, values: dict[str, Decimal]) -> None:
        shown = ", ".join(f"{name} {plain(value)}" for name, value in values.items())
        super().__init__(
            f"Step {step.step}: {shown} is recorded already. Enter what it should have been.",
            step=step.step,
        )


class NoSuchWeighing(Refused):
    """The step holds no weighing of that entry, or it was taken back before."""

    def __init__(self, step: str, entry: int) -> None:
        super().__init__(
            f"Step {step}: no weighing of entry {entry} stands there. Choose one of its list.",
            step=step,
            entry=entry,
        )


class MixedAlready(Refused):
    """What was weighed is with the rest and cannot be back in its container."""

    def __init__(self, step: str, later: Step) -> None:
        super().__init__(
            f"Step {step}: step {later.step}, {later.title}, was begun after it, so the material"
            " is in the batch. Tell QA; a comment belongs to the review.",
            step=step,
            later=later.step,
        )


def decide(plant: Plant, command: CorrectValue | ReverseWeighing, context: Context) -> Facts:
    """Return what a correction causes, or refuse it.

    Raises:
        Unknown, WrongState, StepHeld: there is nothing there that may be corrected now.
        NotYoursToCorrect: the person neither made the record nor is a supervisor.
        NothingToCorrect, EntryNotAsked, NoCount, LabelsDoNotAddUp: the new values cannot be.
        NoSuchWeighing, MixedAlready: the weighing cannot be taken back.
    """
    batch = need(plant, Batch, command.batch)
    if batch.state in (BatchState.RELEASED, BatchState.REJECTED):
        raise WrongState(
            f"Batch {batch.batch}",
            batch.state,
            needed="undecided",
            next_step="QA can reopen it; the correction is then part of an amendment.",
        )
    run = batch.run(command.step)
    if run is None:
        raise Unknown("Step", command.step)
    if batch.held_by is not None and run.state is not StepState.HELD:
        held = next(one.step for one in batch.steps if one.state is StepState.HELD)
        raise StepHeld(batch, held)
    if isinstance(command, ReverseWeighing):
        return _reverse(plant, batch, run, command=command, context=context)
    return _correct(plant, batch, run, command=command, context=context)


def corrected(
    batch: Batch, run: StepRun, *, values: dict[str, Decimal], why: str
) -> tuple[Step, ValueCorrected]:
    """Return a step's recipe and the correction of its values, wherever it will stand.

    Raises:
        WrongState: the step records no value, or has none yet.
        NothingToCorrect, EntryNotAsked, NoCount, LabelsDoNotAddUp: the new values cannot be.
    """
    step = batch.recipe_step(run.step)
    if not run.values or run.entry is None:
        kind = "without a recorded value" if step.kind in NEEDS else f"a {step.kind} step"
        raise WrongState(
            f"Step {step.step}", kind, needed="one with a value", next_step="Choose another step."
        )
    merged = {**run.values, **values}
    check_values(step, merged)
    new = {name: value for name, value in merged.items() if value != run.values[name]}
    if not new:
        raise NothingToCorrect(step, values or run.values)
    last = run.corrections[-1].entry if run.corrections else run.entry
    return step, ValueCorrected(
        batch=batch.batch,
        step=step.step,
        old={name: run.values[name] for name in new},
        new=new,
        unit=step.unit,
        low=step.low,
        high=step.high,
        within=within_limits(step, measured(step, merged)),
        why=why,
        corrects=last,
    )


def correction_words(step: Step, it: ValueCorrected) -> str:
    """Return a correction in one sentence: what, from which value to which, and why."""
    unit = f" {it.unit}" if it.unit else ""
    changes = ", ".join(
        f"{name} {plain(it.old[name])} corrected to {plain(new)}{unit}"
        for name, new in it.new.items()
    )
    return f"{step.title}: {changes}. {it.why}"


def _correct(
    plant: Plant, batch: Batch, run: StepRun, *, command: CorrectValue, context: Context
) -> Facts:
    step, event = corrected(batch, run, values=command.values, why=command.why)
    _check_own(plant, run, by=run.performed_by or "", context=context)
    says = correction_words(step, event)
    facts = [
        Fact(f"batch/{batch.batch}", event, command.why),
        exception(batch, step.step, kind="correction", says=says),
    ]
    if run.state is StepState.HELD:
        # Who dispositions must look again: a signature over the deviation as seen is refused.
        facts.append(Fact(f"deviation/{run.deviation}", event, command.why))
    elif not event.within:
        found = measured(step, {**run.values, **event.new})
        outside = outside_words(step, found)
        name, opened = open_deviation(
            plant,
            context,
            batch,
            step=step.step,
            kind="critical value",
            says=outside,
            why=command.why,
            severity=value_severity(plant, step, found),
        )
        facts.extend(opened)
        kind = {"kind": "critical value", "says": outside}
        facts.extend(hold(batch, step.step, deviation=name, nth=2, **kind))
    return tuple(facts)


def _check_own(plant: Plant, run: StepRun, *, by: str, context: Context) -> None:
    person = plant.get(Person, context.actor)
    if context.actor == by or (person is not None and SUPERVISOR in person.roles):
        return
    made = plant.get(Person, by)
    raise NotYoursToCorrect(
        run.step,
        context.actor if person is None else person.name,
        by=by if made is None else made.name,
    )


def _reverse(
    plant: Plant, batch: Batch, run: StepRun, *, command: ReverseWeighing, context: Context
) -> Facts:
    if run.state is StepState.HELD:
        raise StepHeld(batch, run.step)
    found = next((one for one in run.partials if one.seq == command.entry), None)
    if found is None:
        raise NoSuchWeighing(run.step, command.entry)
    _check_own(plant, run, by=found.by, context=context)
    later = _begun_after(batch, run)
    if later is not None:
        raise MixedAlready(run.step, later)
    step = batch.recipe_step(run.step)
    lot = need(plant, Lot, found.lot)
    stream, about = f"batch/{batch.batch}", {"lot": found.lot, "container": found.container}
    material = step.material or ""
    reversed_ = WeighingReversed(
        batch=batch.batch,
        step=run.step,
        material=material,
        net_g=found.net_g,
        why=command.why,
        corrects=found.seq,
        **about,
    )
    facts = [
        Fact(stream, reversed_, command.why),
        give_back(
            lot,
            found.container,
            quantity=convert(found.net_g, "g", lot.unit),
            batch=batch.batch,
            step=run.step,
            corrects=found.seq,
            still_used=_still_used(batch, found),
        ),
    ]
    if found.consumed is not None:
        told = ConsumptionReversed(
            batch=batch.batch,
            order=batch.order,
            erp_order=batch.erp_order,
            step=run.step,
            material=material,
            net_g=-found.net_g,
            why=command.why,
            corrects=found.consumed,
            **about,
        )
        facts.append(Fact(stream, told, command.why))
        facts.extend(answered(plant, found.consumed, told, why=command.why))
    says = f"{step.title}: {kg_text(found.net_g)} of lot {found.lot} taken back. {command.why}"
    facts.append(exception(batch, run.step, kind="weighing reversed", says=says))
    return tuple(facts)


def _begun_after(batch: Batch, run: StepRun) -> Step | None:
    """Return the first later step, other than a weighing, that somebody began; or None."""
    names = [one.step for one in batch.steps]
    for later in batch.steps[names.index(run.step) + 1 :]:
        step = batch.recipe_step(later.step)
        if step.kind is not StepKind.WEIGH and later.state is not StepState.IDLE:
            return step
    return None


def _still_used(batch: Batch, taken: Partial) -> bool:
    held = (one for run in batch.steps for one in run.partials if one.seq != taken.seq)
    set_aside = (one for run in batch.steps for again in run.redone for one in again.partials)
    return any(one.lot == taken.lot for one in (*held, *set_aside))
