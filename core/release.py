"""Review and release: exceptions one by one, the gates, and QA's signed decision.

A gate is green only by evidence; what is missing is red, never skipped. Release closes the
batch's stream: what comes later is a record of its own.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.batch.events import (
    AuditTrailReviewed,
    BatchClosed,
    BatchRejected,
    BatchReleased,
    ExceptionReviewed,
    MaterialProduced,
)
from core.batch.flow import consumed
from core.batch.room import leave
from core.batch.state import DECIDED, Batch, BatchState, StepState
from core.deviation import FREES, Deviation, DeviationState
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.material import LOT_STATUS, USABLE, Lot
from core.order import Gate, WorkOrderCompleted
from core.people import Person
from core.quantity import Name, Sentence, plain
from core.recipe import StepKind
from core.signature import Seen, SignatureApplied, sign

WEIGH_RULES = (
    "material is the recipe's",
    "lot is released",
    "lot is in date",
    "container is the lot's",
    "scale is the registered device",
    "calibration holds",
    "daily check holds",
    "load is within capacity",
    "readability fits the tolerance",
    "reading is stable",
    "net is gross minus tare",
)


class ReviewException(Command, frozen=True, kw_only=True, tag="batch.review-exception"):
    """Say what an exception means for the batch."""

    batch: Name
    exception: Name
    assessment: Sentence


class ReviewAuditTrail(Command, frozen=True, kw_only=True, tag="batch.review-audit-trail"):
    """Sign for the audit trail of the batch as seen."""

    batch: Name
    seen: Seen


class ReleaseBatch(Command, frozen=True, kw_only=True, tag="batch.release"):
    """Release the batch, under signature, with every gate green."""

    batch: Name
    seen: Seen


class RejectBatch(Command, frozen=True, kw_only=True, tag="batch.reject"):
    """Reject the batch, under signature, with the reason."""

    batch: Name
    why: Sentence
    seen: Seen


type ReleaseCommand = ReviewException | ReviewAuditTrail | ReleaseBatch | RejectBatch


@dataclass(frozen=True, slots=True)
class RulePassed:
    """A rule that was applied to a step and held."""

    step: str
    rule: str


class GatesOpen(Refused):
    """A release gate is red."""

    def __init__(self, batch: str, gates: tuple[Gate, ...]) -> None:
        red = [gate for gate in gates if not gate.passed]
        super().__init__(
            f"Batch {batch}: cannot be released. {' '.join(gate.says for gate in red)}"
            " Clear these gates first.",
            batch=batch,
            red=", ".join(gate.gate for gate in red),
        )


class TookPart(Refused):
    """Who worked on a batch does not decide about it."""

    is_evidence = True

    def __init__(self, batch: str, name: str) -> None:
        super().__init__(
            f"Batch {batch}: {name} worked on it; another person of QA must decide.",
            batch=batch,
            name=name,
        )


def produced(batch: Batch) -> Decimal | None:
    """Return the quantity of the batch's yield step, or None where none is recorded."""
    for step in batch.content.steps:
        run = batch.run(step.step)
        if step.kind is StepKind.YIELD and run is not None and "quantity" in run.values:
            return run.values["quantity"]
    return None


def rules_passed(batch: Batch) -> tuple[RulePassed, ...]:
    """Return every rule that was applied to what was done and held, in the steps' order."""
    passed: list[RulePassed] = []
    for run in batch.steps:
        step = batch.recipe_step(run.step)
        for _ in run.partials:
            passed.extend(RulePassed(run.step, rule) for rule in WEIGH_RULES)
        limited = step.kind in (StepKind.WEIGH, StepKind.CHECK, StepKind.YIELD)
        if run.performed_by is not None and limited and run.within:
            passed.append(RulePassed(run.step, "value is within its limits"))
        if run.performed_by is not None and step.kind is StepKind.LABELS:
            passed.append(RulePassed(run.step, "labels are accounted for"))
        if run.state is StepState.COMPLETE:
            passed.append(RulePassed(run.step, "step is complete"))
            passed.append(RulePassed(run.step, "steps ran in the recipe's order"))
        if run.verified_by is not None:
            passed.append(RulePassed(run.step, "verifier is not the performer"))
    return tuple(passed)


def release_gates(plant: Plant, batch: Batch) -> tuple[Gate, ...]:
    """Return every condition for release, green and red."""
    open_steps = [run.step for run in batch.steps if run.state is not StepState.COMPLETE]
    deviations = [need(plant, Deviation, name) for name in batch.deviations]
    undecided = [one.deviation for one in deviations if one.state is DeviationState.OPEN]
    refused = [
        one.deviation
        for one in deviations
        if one.disposition is not None and one.disposition not in FREES
    ]
    unseen = [one.exception for one in batch.exceptions if one.reviewed_by is None]
    return (
        _gate("steps closed", open_steps, green="Every step is complete.", else_="Open steps: {}."),
        _gate(
            "deviations decided",
            undecided,
            green="Every deviation is dispositioned.",
            else_="Undecided: {}.",
        ),
        _gate(
            "nothing rejected",
            refused,
            green="No material was rejected.",
            else_="Not to be used: {}.",
        ),
        _gate(
            "exceptions reviewed",
            unseen,
            green="Every exception was reviewed.",
            else_="Not reviewed: {}.",
        ),
        _lots_gate(plant, batch, deviations),
        _yield_gate(batch),
        _labels_gate(batch),
        _audit_gate(batch),
    )


def _gate(name: str, red: list[str], *, green: str, else_: str) -> Gate:
    says = else_.format(", ".join(red)) if red else green
    return Gate(gate=name, passed=not red, says=says, owner="qa")


def _lots_gate(plant: Plant, batch: Batch, deviations: list[Deviation]) -> Gate:
    """Return whether every lot in the batch may be there now, or QA decided that it may stay."""
    red = []
    for name in batch.lots:
        lot = plant.get(Lot, name)
        if lot is not None and lot.status in USABLE:
            continue
        about = [one for one in deviations if one.kind == LOT_STATUS and name in one.lots]
        if not about or any(one.disposition not in FREES for one in about):
            red.append(f"{name} is {'not known' if lot is None else lot.status.replace('_', ' ')}")
    green = "Every lot in it may be used, or was dispositioned."
    return _gate("lots usable", red, green=green, else_="Lots not to be used: {}.")


def _yield_gate(batch: Batch) -> Gate:
    steps = [one for one in batch.content.steps if one.kind is StepKind.YIELD]
    for step in steps:
        run = batch.run(step.step)
        if run is None or "quantity" not in run.values:
            return Gate(gate="yield", passed=False, says="Yield is not recorded.", owner="operator")
        if not run.within and run.deviation is None:
            says = "Yield is outside its limits."
            return Gate(gate="yield", passed=False, says=says, owner="qa")
    made = produced(batch)
    if made is None:
        says = "The recipe has no yield step."
        return Gate(gate="yield", passed=False, says=says, owner="engineering")
    percent = made * 100 / batch.content.quantity
    unit = batch.content.unit
    says = f"Yield {plain(made)} {unit} of {plain(batch.content.quantity)} {unit}, {percent:.1f} %."
    return Gate(gate="yield", passed=True, says=says, owner="qa")


def _labels_gate(batch: Batch) -> Gate:
    for step in batch.content.steps:
        run = batch.run(step.step)
        if step.kind is StepKind.LABELS and (run is None or run.state is not StepState.COMPLETE):
            says = "Labels are not reconciled."
            return Gate(gate="labels", passed=False, says=says, owner="packing")
    return Gate(gate="labels", passed=True, says="Labels are accounted for.", owner="qa")


def _audit_gate(batch: Batch) -> Gate:
    by = batch.audit_trail_reviewed_by
    says = f"Audit trail reviewed by {by}." if by else "The audit trail was not reviewed."
    return Gate(gate="audit trail reviewed", passed=by is not None, says=says, owner="qa")


def decide(plant: Plant, command: ReleaseCommand, context: Context) -> Facts:
    """Return what a reviewer's act causes, or refuse it.

    Raises:
        WrongState: the batch is not complete, or decided already.
        GatesOpen: a gate is red.
        TookPart: the signer worked on the batch.
        RecordMoved, SignatureRequired: see `core.signature.sign`.
    """
    batch = need(plant, Batch, command.batch)
    if batch.state in DECIDED:
        raise WrongState(
            f"Batch {batch.batch}", batch.state, needed="undecided", next_step="Read its record."
        )
    match command:
        case ReviewException() as it:
            if context.actor in took_part(batch):
                raise TookPart(batch.batch, _name(plant, context.actor))
            return _review(batch, it)
        case ReviewAuditTrail() as it:
            return _review_audit_trail(plant, batch, it, context=context)
        case ReleaseBatch() as it:
            return _release(plant, batch, it, context=context)
        case RejectBatch() as it:
            return _reject(plant, batch, it, context=context)


def _review(batch: Batch, it: ReviewException) -> Facts:
    exception = next((one for one in batch.exceptions if one.exception == it.exception), None)
    if exception is None or exception.reviewed_by is not None:
        state = "not there" if exception is None else "reviewed"
        raise WrongState(
            f"Exception {it.exception}", state, needed="open", next_step="Choose another."
        )
    reviewed = ExceptionReviewed(
        batch=batch.batch, exception=it.exception, assessment=it.assessment
    )
    return (Fact(f"batch/{batch.batch}", reviewed, it.assessment),)


def _review_audit_trail(
    plant: Plant, batch: Batch, it: ReviewAuditTrail, *, context: Context
) -> Facts:
    if batch.state is not BatchState.COMPLETE:
        raise WrongState(
            f"Batch {batch.batch}", batch.state, needed="complete", next_step="Finish its steps."
        )
    words = f"Batch {batch.batch}: audit trail of {it.seen.ver} entries reviewed."
    meaning = "I reviewed the audit trail"
    stream = f"batch/{batch.batch}"
    signature = _sign(plant, batch, it, context=context, meaning=meaning, words=words)
    reviewed = AuditTrailReviewed(batch=batch.batch, entries=it.seen.ver)
    return (Fact(stream, signature), Fact(stream, reviewed))


def took_part(batch: Batch) -> set[str]:
    """Return who did or verified anything of a batch."""
    verified = {one.person for one in batch.signatures if one.step is not None}
    return verified.union(*(run.hands for run in batch.steps))


def _sign(
    plant: Plant,
    batch: Batch,
    it: ReviewAuditTrail | ReleaseBatch | RejectBatch,
    *,
    context: Context,
    meaning: str,
    words: str,
) -> SignatureApplied:
    """Return the signature of a person who took no part in making the batch."""
    return sign(
        plant,
        context,
        it.seen,
        record=f"batch/{batch.batch}",
        meaning=meaning,
        words=words,
        performers=took_part(batch),
        own=lambda name: TookPart(batch.batch, name),
        compliant=not batch.exceptions and not isinstance(it, RejectBatch),
    )


def _name(plant: Plant, person: str) -> str:
    found = plant.get(Person, person)
    return person if found is None else found.name


def release_words(batch: Batch) -> str:
    """Return in words what a releaser signs for."""
    made = produced(batch)
    quantity = "no yield" if made is None else f"{plain(made)} {batch.content.unit}"
    return (
        f"Batch {batch.batch} of {batch.content.product_name}, {quantity}, made by recipe"
        f" {batch.recipe}, {len(batch.exceptions)} exceptions reviewed: released."
    )


def _release(plant: Plant, batch: Batch, it: ReleaseBatch, *, context: Context) -> Facts:
    gates = release_gates(plant, batch)
    made = produced(batch)
    if made is None or any(not gate.passed for gate in gates):
        raise GatesOpen(batch.batch, gates)
    meaning = "I release this batch"
    stream, words = f"batch/{batch.batch}", release_words(batch)
    signature = _sign(plant, batch, it, context=context, meaning=meaning, words=words)
    about: dict[str, Any] = {
        "batch": batch.batch,
        "order": batch.order,
        "product": batch.content.product,
        "quantity": made,
        "unit": batch.content.unit,
    }
    return (
        Fact(stream, signature),
        Fact(stream, BatchReleased(erp_order=batch.erp_order, **about)),
        Fact(stream, MaterialProduced(erp_order=batch.erp_order, lot=batch.batch, **about)),
        Fact(stream, BatchClosed(batch=batch.batch)),
        _order_completed(batch, made),
    )


def _reject(plant: Plant, batch: Batch, it: RejectBatch, *, context: Context) -> Facts:
    words = f"Batch {batch.batch} of {batch.content.product_name}: rejected. {it.why}"
    meaning = "I reject this batch"
    stream = f"batch/{batch.batch}"
    signature = _sign(plant, batch, it, context=context, meaning=meaning, words=words)
    made = produced(batch) or Decimal(0)
    about: dict[str, Any] = {
        "batch": batch.batch,
        "order": batch.order,
        "erp_order": batch.erp_order,
        "product": batch.content.product,
        "quantity": made,
        "unit": batch.content.unit,
    }
    # Material of an open step has left its container, and goods that QA rejects exist: the ERP
    # must hear of both, or its stock is wrong for ever.
    open_steps = (run for run in batch.steps if run.state is not StepState.COMPLETE)
    weighed = [fact for run in open_steps for fact in consumed(batch, run)]
    goods = [Fact(stream, MaterialProduced(lot=batch.batch, **about))] if made > 0 else []
    return (
        Fact(stream, signature, it.why),
        *weighed,
        Fact(stream, BatchRejected(why=it.why, **about), it.why),
        *goods,
        Fact(stream, BatchClosed(batch=batch.batch)),
        *leave(plant, batch),
        _order_completed(batch, Decimal(0)),
    )


def _order_completed(batch: Batch, quantity: Decimal) -> Fact:
    completed = WorkOrderCompleted(
        order=batch.order,
        erp_ref=batch.erp_order,
        batch=batch.batch,
        quantity=quantity,
        unit=batch.content.unit,
    )
    return Fact(f"order/{batch.order}", completed)
