"""What the kiosk shows of a batch and what may be done now, read from the ledger's states.

No widget here. Two looks that are equal show the same screen, so a page draws anew only when
something it shows has changed. Masses are grams; limits are closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.batch.amendment import standing
from core.batch.state import Batch, BatchState, StepRun, StepState
from core.batch.steps import verification_words
from core.deviation import Deviation
from core.equipment import Equipment, EquipmentKind
from core.execution import Execution
from core.line import Line
from core.material import Material
from core.people import Person, PersonState
from core.quantity import kg_text, plain
from core.recipe import Step, StepKind
from core.scale import scale_faults
from dashboards.parts import local_time


class Doing(StrEnum):
    """The one thing that the screen asks for."""

    CHECK_SCALE = "check_scale"
    SCAN = "scan"
    TARE = "tare"
    POUR = "pour"
    CONFIRM = "confirm"
    START_LINE = "start_line"
    END_LINE = "end_line"
    VALUE = "value"
    LABELS = "labels"
    VERIFY = "verify"
    HELD = "held"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleLook:
    """The station's scale: may it be used, until when, its decimals in kg, its check weight."""

    scale: str
    usable: bool
    word: str
    until: str
    places: int
    faults: tuple[str, ...]
    needs_check: bool
    certificate: str
    nominal_g: Decimal
    low_g: Decimal
    high_g: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLook:
    """One step on the screen."""

    batch: str
    order: str
    product: str
    room: str
    number: int
    of: int
    step: str
    phase: str
    title: str
    instruction: str
    doing: Doing
    ask: str
    kind: StepKind | None = None
    verify: bool = False
    material: str = ""
    hazards: tuple[str, ...] = ()
    target: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    unit: str = ""
    lot: str = ""
    container: str = ""
    tare_g: Decimal | None = None
    done_g: Decimal = Decimal(0)
    facts: tuple[tuple[str, str], ...] = ()
    words: str = ""
    performer: str = ""
    line: str = ""
    scale: ScaleLook | None = None


def scale_look(
    execution: Execution, scale: str | None, *, at: datetime, zone: ZoneInfo
) -> ScaleLook | None:
    """Return how a scale stands now, or None where there is none."""
    found = execution.nouns.get(Equipment, scale) if scale else None
    if found is None:
        return None
    faults = scale_faults(found, at=at, today=at.astimezone(zone).date())
    nominal = found.check_weight_g or Decimal(0)
    half = nominal * (found.check_tolerance_percent or Decimal(0)) / 100
    needs_check = [fault.rule for fault in faults] == ["DailyCheckMissing"]
    until = f"calibrated to {found.calibration_due_on}"
    if not faults and found.check_valid_until is not None:
        ends = found.check_valid_until.astimezone(zone)
        day = "" if ends.date() == at.astimezone(zone).date() else f"{ends:%Y-%m-%d} "
        until = f"checked until {day}{ends:%H:%M %Z}, {until}"
    digits = (found.readability_g or Decimal(1)).normalize().as_tuple().exponent
    return ScaleLook(
        scale=found.equipment,
        usable=not faults,
        word="ready" if not faults else "to be checked" if needs_check else "locked",
        until=until,
        places=3 - min(0, int(digits)),
        faults=tuple(fault.sentence for fault in faults),
        needs_check=needs_check,
        certificate=found.certificate or "none",
        nominal_g=nominal,
        low_g=nominal - half,
        high_g=nominal + half,
    )


def look(
    execution: Execution, batch: Batch, *, scale: str | None, at: datetime, zone: ZoneInfo
) -> StepLook:
    """Return what a kiosk with this scale shows of a batch now."""
    run = batch.current
    seen = scale_look(execution, scale, at=at, zone=zone)
    if run is None or batch.state not in (BatchState.IDLE, BatchState.RUNNING, BatchState.HELD):
        return _finished(standing(execution.nouns, batch), seen)
    step = batch.recipe_step(run.step)
    material = execution.nouns.get(Material, step.material) if step.material else None
    name = material.name if material else ""
    line = _line_of(execution, step)
    doing = _doing(execution, batch, step, run=run, scale=seen, line=line)
    return StepLook(
        batch=batch.batch,
        order=batch.order,
        product=batch.content.product_name,
        room=batch.room,
        number=[one.step for one in batch.steps].index(run.step) + 1,
        of=len(batch.steps),
        step=run.step,
        phase=step.phase,
        title=step.title,
        instruction=step.instruction,
        doing=doing,
        ask=_ask(doing, step, name=name, scale=seen, line=line),
        kind=step.kind,
        verify=step.verify,
        material=name,
        hazards=material.hazards if material else (),
        target=step.target,
        low=step.low,
        high=step.high,
        unit=step.unit or "",
        lot=run.lot or "",
        container=run.container or "",
        tare_g=run.tare_g,
        done_g=run.net_g,
        facts=_facts(execution, batch, run, doing=doing, zone=zone),
        words=verification_words(batch, step, run) if doing is Doing.VERIFY else "",
        performer=name_of(execution, run.performed_by),
        line=line,
        scale=seen,
    )


def _finished(batch: Batch, scale: ScaleLook | None) -> StepLook:
    said = {
        BatchState.COMPLETE: "Every step is complete. QA reviews the batch.",
        BatchState.RELEASED: "QA released this batch.",
        BatchState.REJECTED: "QA rejected this batch. Nothing of it may be used.",
        BatchState.REOPENED: "QA reopened this batch. It counts as not released until QA decides.",
    }
    steps = len(batch.steps)
    return StepLook(
        batch=batch.batch,
        order=batch.order,
        product=batch.content.product_name,
        room=batch.room,
        number=steps,
        of=steps,
        step="",
        phase="",
        title=f"Batch {batch.state.value}",
        instruction="",
        doing=Doing.OVER,
        ask=said.get(batch.state, "Nothing is left to do here."),
        scale=scale,
    )


def _line_of(execution: Execution, step: Step) -> str:
    """Return the line a step runs on, empty where its work center is no line."""
    if step.work_center is None:
        return ""
    found = execution.nouns.get(Equipment, step.work_center)
    is_line = found is not None and found.kind is EquipmentKind.LINE
    return step.work_center if is_line else ""


def _doing(
    execution: Execution,
    batch: Batch,
    step: Step,
    *,
    run: StepRun,
    scale: ScaleLook | None,
    line: str,
) -> Doing:
    if batch.state is BatchState.HELD:
        return Doing.HELD
    if run.state is StepState.DONE:
        return Doing.VERIFY
    if step.kind is StepKind.WEIGH:
        if scale is not None and scale.needs_check:
            return Doing.CHECK_SCALE
        if run.container is None:
            return Doing.SCAN
        return Doing.TARE if run.tare_g is None else Doing.POUR
    if step.kind is StepKind.DAILY_CHECK:
        return Doing.CONFIRM if scale is not None and scale.usable else Doing.CHECK_SCALE
    if line and (moving := _line_doing(execution, batch, step, line=line)):
        return moving
    return {StepKind.CHECK: Doing.VALUE, StepKind.YIELD: Doing.VALUE}.get(
        step.kind, Doing.LABELS if step.kind is StepKind.LABELS else Doing.CONFIRM
    )


def _line_doing(execution: Execution, batch: Batch, step: Step, *, line: str) -> Doing | None:
    """Return whether the step's run must be begun or ended first."""
    found = execution.nouns.get(Line, line)
    runs = [one for one in (found.runs if found else ()) if one.batch == batch.batch]
    if not runs:
        return Doing.START_LINE
    is_last = step.kind in (StepKind.CONFIRM, StepKind.YIELD, StepKind.LABELS)
    return Doing.END_LINE if is_last and runs[-1].ended_at is None else None


def _ask(doing: Doing, step: Step, *, name: str, scale: ScaleLook | None, line: str) -> str:
    on = f" {scale.scale}" if scale else ""
    match doing:
        case Doing.CHECK_SCALE:
            weight = kg_text(scale.nominal_g) if scale else "the check"
            return f"Put the {weight} check weight on scale{on}, nothing else."
        case Doing.SCAN:
            return f"Scan a container of {name}."
        case Doing.TARE:
            return f"Put the empty container on scale{on}."
        case Doing.POUR:
            return "Pour until the weight is in tolerance."
        case Doing.CONFIRM if step.kind is StepKind.DAILY_CHECK:
            return f"Scale{on} has passed its check. Go on."
        case Doing.START_LINE:
            return f"Start this batch on line {line}."
        case Doing.END_LINE:
            return f"{step.instruction} Then end the run on {line}."
        case Doing.LABELS:
            return "Enter the four counts."
        case Doing.VERIFY:
            return "A second person checks, then signs."
        case Doing.HELD:
            return "This batch is held. Leave everything as it is."
        case _:
            return step.instruction


def _facts(
    execution: Execution, batch: Batch, run: StepRun, *, doing: Doing, zone: ZoneInfo
) -> tuple[tuple[str, str], ...]:
    """Return what was done at the step so far, label and value."""
    step = batch.recipe_step(run.step)
    facts: list[tuple[str, str]] = []
    if doing is Doing.VERIFY:
        facts.append(("Written", step.instruction))
    if doing is Doing.HELD and batch.held_by:
        facts.extend(_held_facts(execution, batch.held_by, zone))
    for one in run.partials:
        facts.append(("Lot, container", f"{one.lot}, {one.container}"))
        tare = f"gross {kg_text(one.gross_g)} − tare {kg_text(one.tare_g)}"
        facts.append(("Net weight", f"{kg_text(one.net_g)}  ({tare})"))
        facts.append(("Scale", f"{one.scale}, certificate {one.certificate}"))
    if step.kind is StepKind.WEIGH and run.partials:
        facts.append(("Limits", limits_text(step.low, step.high, unit="g")))
    unit = step.unit or ""
    for key, value in run.values.items():
        olds = [plain(one.old) for one in run.corrections if one.what == key]
        was = f" (corrected, was {', '.join(olds)} {unit})" if olds else ""
        facts.append((key.capitalize(), f"{plain(value)} {unit}{was}"))
    if run.values and step.kind is not StepKind.LABELS and step.low is not None:
        facts.append(("Limits", limits_text(step.low, step.high, unit=unit)))
    if run.performed_by:
        when = local_time(run.performed_at, zone)
        facts.append(("Done by", f"{name_of(execution, run.performed_by)}, {when}"))
    if run.happened_at:
        facts.append(("Happened at", local_time(run.happened_at, zone)))
    return tuple(facts)


def _held_facts(execution: Execution, name: str, zone: ZoneInfo) -> list[tuple[str, str]]:
    found = execution.nouns.get(Deviation, name)
    if found is None:
        return [("Deviation", name)]
    names = ", ".join(releasers(execution)) or "nobody is registered"
    return [
        ("Deviation", f"{name}: {found.says}"),
        ("Reason given", found.why),
        ("QA was told", local_time(found.raised_at, zone)),
        ("Can release it", f"QA: {names}"),
    ]


def releasers(execution: Execution) -> list[str]:
    """Return the printed names of those who can disposition a deviation."""
    people: Sequence[Person] = execution.nouns.all(Person)
    return sorted(
        one.name for one in people if "qa" in one.roles and one.state is PersonState.ACTIVE
    )


def name_of(execution: Execution, person: str | None) -> str:
    """Return a person's printed name."""
    found = execution.nouns.get(Person, person) if person else None
    return found.name if found else (person or "")


def limits_text(low: Decimal | None, high: Decimal | None, *, unit: str) -> str:
    """Return closed limits as people read them.

    >>> limits_text(Decimal(1782), Decimal(1818), unit="g")
    '1.782 kg to 1.818 kg'
    """

    def text(value: Decimal) -> str:
        return kg_text(value) if unit == "g" else f"{plain(value)} {unit}".strip()

    if low is None and high is None:
        return "no limits"
    if low is None or high is None:
        known = high if low is None else low
        assert known is not None
        return f"at {'most' if low is None else 'least'} {text(known)}"
    return f"{text(low)} to {text(high)}"
