"""Steps that a person does by hand, and the second person's check of any step."""

from decimal import Decimal

from msgspec import field

from core.batch.events import StepVerified, ValueRecorded
from core.batch.flow import NotTheCurrentStep, StepHeld, begin, finish, hold, open_step
from core.batch.state import Batch, BatchState, StepRun, StepState
from core.deviation import open_deviation
from core.equipment import Equipment
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.quantity import Name, plain
from core.recipe import Step, StepKind
from core.scale import scale_faults
from core.signature import Seen, sign

BY_HAND = (
    StepKind.CLEARANCE,
    StepKind.DAILY_CHECK,
    StepKind.CONFIRM,
    StepKind.CHECK,
    StepKind.YIELD,
    StepKind.LABELS,
)
NEEDS = {
    StepKind.CHECK: ("value",),
    StepKind.YIELD: ("quantity",),
    StepKind.LABELS: ("issued", "used", "returned", "destroyed"),
}


class CompleteStep(Command, frozen=True, kw_only=True, tag="step.complete"):
    """Say that a step was done, with what was measured or counted."""

    batch: Name
    step: Name
    values: dict[str, Decimal] = field(default_factory=dict)


class VerifyStep(Command, frozen=True, kw_only=True, tag="step.verify"):
    """A second person signs that the step was done as written."""

    batch: Name
    step: Name
    seen: Seen


class EntryMissing(Refused):
    """The step asks for a value that was not given."""

    def __init__(self, step: Step, missing: tuple[str, ...]) -> None:
        super().__init__(
            f"Step {step.step}: {', '.join(missing)} is missing. Enter it, then complete the step.",
            step=step.step,
            missing=", ".join(missing),
        )


class EntryNotAsked(Refused):
    """The step does not ask for the value."""

    def __init__(self, step: Step, given: tuple[str, ...]) -> None:
        asked = ", ".join(NEEDS.get(step.kind, ())) or "no value"
        super().__init__(
            f"Step {step.step}: {', '.join(given)} is not asked for; it takes {asked}."
            " Leave the rest out.",
            step=step.step,
            given=", ".join(given),
        )


class NoCount(Refused):
    """A count or an amount that cannot be."""

    def __init__(self, step: Step, *, name: str, value: Decimal, needed: str) -> None:
        super().__init__(
            f"Step {step.step}: {name} {plain(value)} must be {needed}. Count again.",
            step=step.step,
            name=name,
            value=value,
        )


class LabelsDoNotAddUp(Refused):
    """Issued labels are not accounted for."""

    is_evidence = True

    def __init__(self, step: Step, *, issued: Decimal, accounted: Decimal) -> None:
        super().__init__(
            f"Step {step.step}: {plain(issued)} labels issued, {plain(accounted)} accounted for."
            " Used, returned and destroyed labels must sum to the issued ones. Count again.",
            step=step.step,
            issued=issued,
            accounted=accounted,
        )


class SamePerson(Refused):
    """Performer and verifier are two people."""

    is_evidence = True

    def __init__(self, step: str, name: str) -> None:
        super().__init__(
            f"{name} did this step ({step}); a second person must verify.", step=step, name=name
        )


def decide(plant: Plant, command: CompleteStep | VerifyStep, context: Context) -> Facts:
    """Return what doing or verifying a step causes, or refuse it.

    Raises:
        NotTheCurrentStep, StepHeld, WrongState: the step cannot be touched now.
        EntryMissing, EntryNotAsked, NoCount, LabelsDoNotAddUp: the entry is not what is asked.
        DailyCheckMissing, CalibrationPastDue: the room's scale must not be used.
        SamePerson: the verifier did the step.
    """
    if isinstance(command, VerifyStep):
        return _verify(plant, command, context)
    batch, step, run = open_step(plant, command.batch, command.step, kinds=BY_HAND)
    if run.state is StepState.DONE:
        raise WrongState(
            f"Step {step.step}", "done", needed="open", next_step="A second person verifies it."
        )
    _check_entry(plant, batch, step, command=command, context=context)
    values = _measured(step, command.values)
    low, high = step.low, step.high
    within = all(
        (low is None or low <= value) and (high is None or value <= high)
        for value in values.values()
    )
    stream = f"batch/{batch.batch}"
    recorded = ValueRecorded(
        batch=batch.batch,
        step=step.step,
        values=command.values,
        unit=step.unit,
        low=low,
        high=high,
        within=within,
    )
    facts: list[Fact] = [*begin(batch, run), Fact(stream, recorded)]
    if not within:
        facts.extend(_deviate(plant, context, batch, step=step, values=values))
    elif not step.verify:
        facts.extend(finish(batch, run))
    return tuple(facts)


def _check_entry(
    plant: Plant, batch: Batch, step: Step, *, command: CompleteStep, context: Context
) -> None:
    missing = tuple(name for name in NEEDS.get(step.kind, ()) if name not in command.values)
    if missing:
        raise EntryMissing(step, missing)
    if extra := tuple(sorted(set(command.values) - set(NEEDS.get(step.kind, ())))):
        raise EntryNotAsked(step, extra)
    for name, value in command.values.items():
        if step.kind is StepKind.LABELS and (value < 0 or value != value.to_integral_value()):
            raise NoCount(step, name=name, value=value, needed="a whole number, zero or more")
        if step.kind is StepKind.YIELD and value < 0:
            raise NoCount(step, name=name, value=value, needed="zero or more")
    if step.kind is StepKind.LABELS:
        issued = command.values["issued"]
        accounted = sum((command.values[name] for name in NEEDS[step.kind][1:]), Decimal(0))
        if issued != accounted:
            raise LabelsDoNotAddUp(step, issued=issued, accounted=accounted)
    if step.kind is StepKind.DAILY_CHECK:
        room = need(plant, Equipment, batch.room)
        scale = need(plant, Equipment, room.scale or "")
        faults = scale_faults(scale, at=context.at, today=context.today)
        if faults:
            raise faults[0]


def _measured(step: Step, values: dict[str, Decimal]) -> dict[str, Decimal]:
    if step.kind in (StepKind.CHECK, StepKind.YIELD):
        name = NEEDS[step.kind][0]
        return {name: values[name]}
    return {}


def _deviate(
    plant: Plant, context: Context, batch: Batch, *, step: Step, values: dict[str, Decimal]
) -> Facts:
    shown = ", ".join(plain(value) for value in values.values())
    low = "no lower limit" if step.low is None else plain(step.low)
    high = "no upper limit" if step.high is None else plain(step.high)
    says = f"{step.title}: {shown} {step.unit or ''} is outside {low} to {high} {step.unit or ''}."
    name, opened = open_deviation(
        plant,
        context,
        batch,
        step=step.step,
        kind="critical value",
        says=says,
        why=context.reason or "Recorded by the rule.",
    )
    held = hold(batch, step.step, deviation=name, kind="critical value", says=says)
    return (*opened, *held)


def _verify(plant: Plant, command: VerifyStep, context: Context) -> Facts:
    batch = need(plant, Batch, command.batch)
    run = batch.current
    if run is None or run.step != command.step:
        raise NotTheCurrentStep(batch, command.step)
    if batch.state is BatchState.HELD:
        raise StepHeld(batch, command.step)
    step = batch.recipe_step(command.step)
    if run.state is not StepState.DONE or run.performed_by is None:
        raise WrongState(
            f"Step {command.step}", run.state, needed="done", next_step="Do the step first."
        )
    words = verification_words(batch, step, run)
    meaning = "I verify that this step was done as written"
    stream = f"batch/{batch.batch}"
    signature = sign(
        plant,
        context,
        command.seen,
        record=stream,
        meaning=meaning,
        words=words,
        step=command.step,
    )
    if signature.manifest.signer in {run.performed_by, *(one.by for one in run.partials)}:
        raise SamePerson(command.step, signature.manifest.name)
    verified = StepVerified(
        batch=batch.batch,
        step=command.step,
        performed_by=run.performed_by,
        verified_by=signature.manifest.signer,
    )
    return (Fact(stream, signature), Fact(stream, verified), *finish(batch, run))


def verification_words(batch: Batch, step: Step, run: StepRun) -> str:
    """Return in words what a verifier signs for."""
    what = f"Batch {batch.batch}, step {step.step}, {step.title}."
    if step.kind is StepKind.WEIGH:
        lots = ", ".join(sorted({one.lot for one in run.partials}))
        return f"{what} {step.material} net {plain(run.net_g)} g from lot {lots}."
    values = ", ".join(f"{name} {plain(value)}" for name, value in run.values.items())
    return f"{what} {values}".strip()
