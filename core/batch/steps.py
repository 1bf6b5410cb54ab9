"""Steps that a person does by hand, and the second person's check of any step."""

from decimal import Decimal

from msgspec import field

from core.batch.events import StepVerified, ValueRecorded
from core.batch.flow import NotTheCurrentStep, StepHeld, begin, finish, hold, open_step
from core.batch.late import late_entry
from core.batch.state import Batch, BatchState, StepRun, StepState
from core.deviation import open_deviation
from core.equipment import Equipment
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.quantity import Name, Utc, plain
from core.recipe import Step, StepKind
from core.scale import scale_faults
from core.severity import Severity, factor_of, severity_of
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
    """Say that a step was done, with what was measured or counted.

    `happened_at` is for what was not recorded at once; the command's reason says why.
    """

    batch: Name
    step: Name
    values: dict[str, Decimal] = field(default_factory=dict)
    happened_at: Utc | None = None


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
        NotYet, BeforeTheBatch, LateNeedsReason: the time it is said to have happened cannot stand.
        SamePerson: the verifier did the step.
    """
    if isinstance(command, VerifyStep):
        return _verify(plant, command, context)
    batch, step, run = open_step(plant, command.batch, command.step, kinds=BY_HAND)
    if run.state is StepState.DONE:
        raise WrongState(
            f"Step {step.step}", "done", needed="open", next_step="A second person verifies it."
        )
    check_values(step, command.values)
    if step.kind is StepKind.DAILY_CHECK:
        _check_scale(plant, batch, context)
    late: tuple[Fact, ...] = ()
    if command.happened_at is not None:
        late = late_entry(batch, step.step, command.happened_at, context=context)
    values = measured(step, command.values)
    within = within_limits(step, values)
    recorded = ValueRecorded(
        batch=batch.batch,
        step=step.step,
        values=command.values,
        unit=step.unit,
        low=step.low,
        high=step.high,
        within=within,
        happened_at=command.happened_at,
    )
    facts: list[Fact] = [*begin(plant, batch, run), Fact(f"batch/{batch.batch}", recorded), *late]
    if not within:
        nth = 1 + len(late)
        facts.extend(_deviate(plant, context, batch, step=step, values=values, nth=nth))
    elif not step.verify:
        facts.extend(finish(plant, batch, run))
    return tuple(facts)


def check_values(step: Step, values: dict[str, Decimal]) -> None:
    """Refuse values that are not exactly what a step asks for.

    Raises:
        EntryMissing, EntryNotAsked, NoCount, LabelsDoNotAddUp: see there.
    """
    missing = tuple(name for name in NEEDS.get(step.kind, ()) if name not in values)
    if missing:
        raise EntryMissing(step, missing)
    if extra := tuple(sorted(set(values) - set(NEEDS.get(step.kind, ())))):
        raise EntryNotAsked(step, extra)
    for name, value in values.items():
        if step.kind is StepKind.LABELS and (value < 0 or value != value.to_integral_value()):
            raise NoCount(step, name=name, value=value, needed="a whole number, zero or more")
        if step.kind is StepKind.YIELD and value < 0:
            raise NoCount(step, name=name, value=value, needed="zero or more")
    if step.kind is StepKind.LABELS:
        issued = values["issued"]
        accounted = sum((values[name] for name in NEEDS[step.kind][1:]), Decimal(0))
        if issued != accounted:
            raise LabelsDoNotAddUp(step, issued=issued, accounted=accounted)


def _check_scale(plant: Plant, batch: Batch, context: Context) -> None:
    room = need(plant, Equipment, batch.room)
    scale = need(plant, Equipment, room.scale or "")
    faults = scale_faults(scale, at=context.at, today=context.today)
    if faults:
        raise faults[0]


def measured(step: Step, values: dict[str, Decimal]) -> dict[str, Decimal]:
    """Return the values that a step's limits are for; empty where it has none."""
    if step.kind in (StepKind.CHECK, StepKind.YIELD):
        name = NEEDS[step.kind][0]
        return {name: values[name]}
    return {}


def within_limits(step: Step, values: dict[str, Decimal]) -> bool:
    """Return whether every value lies in the step's limits, both ends good."""
    return all(
        (step.low is None or step.low <= value) and (step.high is None or value <= step.high)
        for value in values.values()
    )


def value_severity(plant: Plant, step: Step, values: dict[str, Decimal]) -> Severity:
    """Return the severity of values outside a step's limits."""
    limits = {"low": step.low, "high": step.high, "target": step.target}
    factors = [factor_of(value, **limits) for value in values.values()]
    farthest = max((one for one in factors if one is not None), default=None)
    return severity_of(plant, "critical value", factor=farthest)


def outside_words(step: Step, values: dict[str, Decimal]) -> str:
    """Return in words that a value is outside the step's limits."""
    shown = ", ".join(plain(value) for value in values.values())
    low = "no lower limit" if step.low is None else plain(step.low)
    high = "no upper limit" if step.high is None else plain(step.high)
    return f"{step.title}: {shown} {step.unit or ''} is outside {low} to {high} {step.unit or ''}."


def _deviate(
    plant: Plant,
    context: Context,
    batch: Batch,
    *,
    step: Step,
    values: dict[str, Decimal],
    nth: int,
) -> Facts:
    says = outside_words(step, values)
    name, opened = open_deviation(
        plant,
        context,
        batch,
        step=step.step,
        kind="critical value",
        says=says,
        why=context.reason or "Recorded by the rule.",
        severity=value_severity(plant, step, values),
    )
    held = hold(batch, step.step, deviation=name, kind="critical value", says=says, nth=nth)
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
        performers=run.hands,
        own=lambda name: SamePerson(command.step, name),
        compliant=all(one.step != command.step for one in batch.exceptions),
    )
    verified = StepVerified(
        batch=batch.batch,
        step=command.step,
        performed_by=run.performed_by,
        verified_by=signature.manifest.signer,
    )
    return (Fact(stream, signature), Fact(stream, verified), *finish(plant, batch, run))


def verification_words(batch: Batch, step: Step, run: StepRun) -> str:
    """Return in words what a verifier signs for."""
    what = f"Batch {batch.batch}, step {step.step}, {step.title}."
    if run.instruction is not None:
        what += f" Reprocessed as QA asked: {run.instruction}"
    if step.kind is StepKind.WEIGH:
        lots = ", ".join(sorted({one.lot for one in run.partials}))
        return f"{what} {step.material} net {plain(run.net_g)} g from lot {lots}."
    # In order of their names: a state that was stored keeps no other.
    values = ", ".join(f"{name} {plain(run.values[name])}" for name in sorted(run.values))
    return f"{what} {values}".strip()
