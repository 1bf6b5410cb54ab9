"""Weighing: scan the source, take the tare, accept a stable weight within its limits.

Net is gross minus tare, exactly. Limits are grams, closed at both ends, and hold for the sum
of a step's weighings, so that several containers may serve one line. Nothing is rounded.

Source:
    21 CFR 211.101(b) to (d).
"""

from datetime import date
from decimal import Decimal

from core.batch.events import ScanAccepted, TareRecorded, WeightRecorded
from core.batch.flow import begin, finish, hold, open_step
from core.batch.late import late_entry
from core.batch.state import Batch, Partial, StepRun, StepState
from core.container import ContainerShort, ContainerUnknown, check_usable, dispense
from core.deviation import open_deviation
from core.equipment import Equipment, InstrumentUsed, check_device
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.material import Lot, Material
from core.quantity import Name, Sentence, convert, grams, kg_text
from core.reading import ScaleReading, stable_g
from core.recipe import Step, StepKind
from core.scale import scale_faults
from core.scan import LabelDisagrees, UnknownLot, UnreadableScan, WrongMaterial
from core.severity import factor_of, severity_of


class ScanContainer(Command, frozen=True, kw_only=True, tag="weighing.scan-container"):
    """A container was scanned; the parts of its label as read, `raw` as received."""

    batch: Name
    step: Name
    raw: str
    gtin: str | None = None
    lot: str | None = None
    container: str | None = None
    expires_on: date | None = None


class RecordTare(Command, frozen=True, kw_only=True, tag="weighing.record-tare"):
    """Take the empty target container's weight."""

    batch: Name
    step: Name
    reading: ScaleReading


class RecordWeight(Command, frozen=True, kw_only=True, tag="weighing.record-weight"):
    """Accept the gross weight on the scale; `more` says that another container follows."""

    batch: Name
    step: Name
    reading: ScaleReading
    more: bool = False


class RecordDeviatingWeight(
    Command, frozen=True, kw_only=True, tag="weighing.record-deviating-weight"
):
    """Record a weight outside its limits that cannot be taken back; this opens a deviation."""

    batch: Name
    step: Name
    reading: ScaleReading
    why: Sentence


class NothingScanned(Refused):
    """A weight needs a source container."""

    def __init__(self, step: str) -> None:
        super().__init__(f"Step {step}: no source container was scanned. Scan it first.", step=step)


class NoTare(Refused):
    """A net weight needs a tare."""

    def __init__(self, step: str) -> None:
        super().__init__(
            f"Step {step}: no tare was taken. Put the empty container on and press Tare.", step=step
        )


class TareNegative(Refused):
    """An empty container weighs at least nothing."""

    def __init__(self, tare_g: Decimal) -> None:
        super().__init__(
            f"Tare: {kg_text(tare_g)} is below zero. Zero the empty scale, then take the tare.",
            tare_g=tare_g,
        )


class ScaleElsewhere(Refused):
    """A batch is weighed in the room it was dispatched to."""

    is_evidence = True

    def __init__(self, step: str, *, scale: str, room: str, own: str) -> None:
        super().__init__(
            f"Step {step}: scale {scale} does not stand in room {room}; {own} does."
            f" Weigh on {own}.",
            step=step,
            scale=scale,
            room=room,
            own=own,
        )


class NothingWeighed(Refused):
    """A net weight is above zero; less is no weighing, and no deviation either."""

    def __init__(self, step: Step, net_g: Decimal) -> None:
        super().__init__(
            f"{step.material}: net {kg_text(net_g)} is not above zero."
            " Put the container back on, or take the tare anew.",
            step=step.step,
            net_g=net_g,
        )


class OutOfTolerance(Refused):
    """The sum of the step's weighings is outside its limits."""

    is_evidence = True

    def __init__(self, step: Step, sum_g: Decimal, *, low_g: Decimal, high_g: Decimal) -> None:
        over = sum_g > high_g
        todo = "Take some out" if over else "Add more"
        super().__init__(
            f"{step.material}: net {kg_text(sum_g)} is {'over' if over else 'under'} the limits"
            f" {kg_text(low_g)} to {kg_text(high_g)}. {todo}, or record the deviation.",
            step=step.step,
            net_g=sum_g,
            low_g=low_g,
            high_g=high_g,
        )


class WithinTolerance(Refused):
    """A good weight is no deviation."""

    def __init__(self, step: Step, sum_g: Decimal) -> None:
        super().__init__(
            f"{step.material}: net {kg_text(sum_g)} is within its limits."
            " Accept the weight; there is nothing to deviate from.",
            step=step.step,
            net_g=sum_g,
        )


type WeighingCommand = ScanContainer | RecordTare | RecordWeight | RecordDeviatingWeight


def decide(plant: Plant, command: WeighingCommand, context: Context) -> Facts:
    """Return what an act at a weigh step causes, or refuse it.

    Raises:
        NotTheCurrentStep, StepHeld, WrongState: the step cannot be touched now.
        UnreadableScan, UnknownLot, WrongMaterial, LabelDisagrees, LotNotReleased, LotExpired,
        ContainerUnknown, ContainerShort: the container must not be used.
        NotStable, WrongDevice, ScaleElsewhere, CalibrationPastDue, DailyCheckMissing,
        OverCapacity, TooCoarse: the reading must not be used.
        NotYet, BeforeTheBatch, LateNeedsReason: the reading's own time cannot stand as it is.
        NothingScanned, NoTare, TareNegative, NothingWeighed: something was left out.
        OutOfTolerance, WithinTolerance: the sum is on the wrong side of the limits.
    """
    batch, step, run = open_step(plant, command.batch, command.step, kinds=(StepKind.WEIGH,))
    if run.state is StepState.DONE:
        raise WrongState(
            f"Step {step.step}", "weighed", needed="open", next_step="A second person verifies it."
        )
    match command:
        case ScanContainer():
            return _scan(plant, batch, step, run=run, command=command, context=context)
        case RecordTare():
            _usable_scale(plant, command.reading, step, batch=batch, context=context)
            return _tare(plant, batch, step, run=run, reading=command.reading, context=context)
        case RecordWeight() | RecordDeviatingWeight():
            return _weigh(plant, batch, step, run=run, command=command, context=context)


def _scan(
    plant: Plant,
    batch: Batch,
    step: Step,
    *,
    run: StepRun,
    command: ScanContainer,
    context: Context,
) -> Facts:
    if command.lot is None or command.container is None:
        raise UnreadableScan(command.raw, step.step)
    lot = plant.get(Lot, command.lot)
    if lot is None:
        raise UnknownLot(command.lot, step.step)
    material = need(plant, Material, lot.material)
    wanted = need(plant, Material, step.material or "")
    if lot.material != step.material:
        raise WrongMaterial(lot, name=material.name, step=step, wanted=wanted.name)
    if command.gtin is not None and command.gtin != material.gtin:
        raise LabelDisagrees(lot, what="GTIN", label=command.gtin, record=material.gtin)
    if command.expires_on is not None and command.expires_on != lot.expires_on:
        raise LabelDisagrees(lot, what="expiry", label=command.expires_on, record=lot.expires_on)
    check_usable(lot, today=context.today)
    if command.container not in lot.containers:
        raise ContainerUnknown(lot, command.container)
    if lot.containers[command.container] <= 0:
        needed = convert((step.target or Decimal(0)) - run.net_g, "g", lot.unit)
        raise ContainerShort(lot, command.container, wanted=needed, left=Decimal(0))
    accepted = ScanAccepted(
        batch=batch.batch,
        step=step.step,
        material=lot.material,
        lot=lot.lot,
        container=command.container,
        raw=command.raw,
    )
    return (*begin(plant, batch, run), Fact(f"batch/{batch.batch}", accepted))


def _usable_scale(
    plant: Plant, reading: ScaleReading, step: Step, *, batch: Batch, context: Context
) -> Equipment:
    scale = need(plant, Equipment, reading.scale)
    room = need(plant, Equipment, batch.room)
    if room.scale is not None and room.scale != reading.scale:
        raise ScaleElsewhere(step.step, scale=reading.scale, room=batch.room, own=room.scale)
    check_device(scale, reading)
    low, high = _limits(step)
    faults = scale_faults(
        scale,
        at=context.at,
        today=context.today,
        gross_g=None if reading.value is None else grams(reading.value, reading.unit),
        half_width_g=(high - low) / 2,
    )
    if faults:
        raise faults[0]
    return scale


def _limits(step: Step) -> tuple[Decimal, Decimal]:
    assert step.low is not None, step
    assert step.high is not None, step
    return step.low, step.high


def _tare(
    plant: Plant,
    batch: Batch,
    step: Step,
    *,
    run: StepRun,
    reading: ScaleReading,
    context: Context,
) -> Facts:
    tare_g = stable_g(reading)
    if run.container is None:
        raise NothingScanned(step.step)
    if tare_g < 0:
        raise TareNegative(tare_g)
    recorded = TareRecorded(batch=batch.batch, step=step.step, tare_g=tare_g, reading=reading)
    late = late_entry(batch, step.step, reading.read_at, context=context)
    return (*begin(plant, batch, run), Fact(f"batch/{batch.batch}", recorded), *late)


def _weigh(
    plant: Plant,
    batch: Batch,
    step: Step,
    *,
    run: StepRun,
    command: RecordWeight | RecordDeviatingWeight,
    context: Context,
) -> Facts:
    scale = _usable_scale(plant, command.reading, step, batch=batch, context=context)
    gross_g = stable_g(command.reading)
    if run.lot is None or run.container is None:
        raise NothingScanned(step.step)
    if run.tare_g is None:
        raise NoTare(step.step)
    low_g, high_g = _limits(step)
    net_g = gross_g - run.tare_g
    if net_g <= 0:
        raise NothingWeighed(step, net_g)
    sum_g = run.net_g + net_g
    more = isinstance(command, RecordWeight) and command.more
    within = (more or low_g <= sum_g) and sum_g <= high_g
    deviates = isinstance(command, RecordDeviatingWeight)
    if deviates and within:
        raise WithinTolerance(step, sum_g)
    if not deviates and not within:
        raise OutOfTolerance(step, sum_g, low_g=low_g, high_g=high_g)
    lot = need(plant, Lot, run.lot)
    check_usable(lot, today=context.today)
    net = convert(net_g, "g", lot.unit)
    taken = dispense(lot, run.container, quantity=net, batch=batch.batch, step=step.step)
    weight = WeightRecorded(
        batch=batch.batch,
        step=step.step,
        material=lot.material,
        lot=run.lot,
        container=run.container,
        gross_g=gross_g,
        tare_g=run.tare_g,
        net_g=net_g,
        sum_g=sum_g,
        target_g=step.target or Decimal(0),
        low_g=low_g,
        high_g=high_g,
        within=within,
        last=not more,
        scale=scale.equipment,
        certificate=scale.certificate or "",
        reading=command.reading,
    )
    why = command.why if isinstance(command, RecordDeviatingWeight) else None
    late = late_entry(batch, step.step, command.reading.read_at, context=context, why=why)
    facts: list[Fact] = [Fact(f"batch/{batch.batch}", weight), taken, _used(scale, weight), *late]
    if why is not None:
        nth = 1 + len(late)
        facts.extend(_deviate(plant, context, batch, step=step, weight=weight, why=why, nth=nth))
    elif not more and not step.verify:
        facts.extend(finish(plant, batch, run, also=weight))
    return tuple(facts)


def _used(scale: Equipment, weight: WeightRecorded) -> Fact:
    used = InstrumentUsed(
        equipment=scale.equipment,
        batch=weight.batch,
        step=weight.step,
        net_g=weight.net_g,
        certificate=weight.certificate,
    )
    return Fact(f"equipment/{scale.equipment}", used)


def _deviate(
    plant: Plant,
    context: Context,
    batch: Batch,
    *,
    step: Step,
    weight: WeightRecorded,
    why: str,
    nth: int,
) -> Facts:
    side = "over" if weight.sum_g > weight.high_g else "under"
    says = (
        f"{weight.material}: net {kg_text(weight.sum_g)} is {side} the limits"
        f" {kg_text(weight.low_g)} to {kg_text(weight.high_g)}."
    )
    lots = tuple(sorted({weight.lot, *(one.lot for one in _partials(batch, step))}))
    name, opened = open_deviation(
        plant,
        context,
        batch,
        step=step.step,
        kind="weight outside limits",
        says=says,
        why=why,
        severity=severity_of(
            plant,
            "weight outside limits",
            materials=(weight.material,),
            factor=factor_of(
                weight.sum_g, low=weight.low_g, high=weight.high_g, target=weight.target_g
            ),
        ),
        lots=lots,
        scale=weight.scale,
    )
    kind = "weight outside limits"
    held = hold(batch, step.step, deviation=name, kind=kind, says=says, nth=nth)
    return (*opened, *held)


def _partials(batch: Batch, step: Step) -> tuple[Partial, ...]:
    run = batch.run(step.step)
    return run.partials if run else ()
