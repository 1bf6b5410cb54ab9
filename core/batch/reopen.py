"""Reopening a decided batch: QA under signature opens an amendment, and ends it with a decision.

The ERP hears of a decision once: again only where an amendment turns it.

Source:
    21 CFR 11.70, EU Annex 11 (2011) §15.
"""

from decimal import Decimal
from typing import Any

from core.batch.amendment import (
    Amendment,
    AmendmentCommented,
    AmendmentOpened,
    AmendmentRejected,
    AmendmentReleased,
    AmendmentState,
    amended,
    amendments,
    standing,
)
from core.batch.correct import corrected
from core.batch.events import (
    BatchRejected,
    BatchReleased,
    MaterialProduced,
    ProductionReversed,
)
from core.batch.state import Batch, BatchState, StepRun
from core.correction_request import answered
from core.errors import Unknown, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.order import Gate
from core.quantity import Name, Sentence, plain
from core.release import GatesOpen, TookPart, produced, release_gates, took_part
from core.signature import Seen, SignatureApplied, sign


class ReopenBatch(Command, frozen=True, kw_only=True, tag="batch.reopen"):
    """QA opens an amendment of a decided batch, under signature, with the reason."""

    batch: Name
    why: Sentence
    seen: Seen


class AmendValue(Command, frozen=True, kw_only=True, tag="amendment.correct"):
    """Replace recorded values of a step; what is not named stays as it is."""

    amendment: Name
    step: Name
    values: dict[str, Decimal]
    why: Sentence


class AddComment(Command, frozen=True, kw_only=True, tag="amendment.comment"):
    """Add what was learned or how something is assessed, about a step or the whole batch."""

    amendment: Name
    text: Sentence
    step: Name | None = None


class ReleaseAmendment(Command, frozen=True, kw_only=True, tag="amendment.release"):
    """Release the batch as amended, under signature, with every gate green."""

    amendment: Name
    seen: Seen


class RejectAmendment(Command, frozen=True, kw_only=True, tag="amendment.reject"):
    """Reject the batch as amended, under signature, with the reason."""

    amendment: Name
    why: Sentence
    seen: Seen


type AmendmentCommand = ReopenBatch | AmendValue | AddComment | ReleaseAmendment | RejectAmendment


def amendment_gates(plant: Plant, amendment: Amendment) -> tuple[Gate, ...]:
    """Return every condition for the release of a batch as amended, green and red."""
    batch = standing(plant, need(plant, Batch, amendment.batch))
    found = len(amendment.corrections) + len(amendment.comments)
    says = f"{len(amendment.corrections)} corrections and {len(amendment.comments)} comments."
    unassessed = [
        run.step for run in batch.steps if not run.within and _unassessed(amendment, run.step)
    ]
    outside = f"Outside limits and without a comment: step {', '.join(unassessed)}."
    return (
        *release_gates(plant, batch),
        Gate(
            gate="amended",
            passed=found > 0,
            says=says if found else "Nothing was corrected, and no comment says why.",
            owner="qa",
        ),
        Gate(
            gate="corrections assessed",
            passed=not unassessed,
            says=outside if unassessed else "Corrected values are within limits or assessed.",
            owner="qa",
        ),
    )


def _unassessed(amendment: Amendment, step: str) -> bool:
    """Return whether a step was corrected here and nobody commented on it since."""
    last = max((one.entry for one in amendment.corrections if one.step == step), default=None)
    if last is None:
        return False
    return not any(one.step == step and one.entry > last for one in amendment.comments)


def decide(plant: Plant, command: AmendmentCommand, context: Context) -> Facts:
    """Return what an act about an amendment causes, or refuse it.

    Raises:
        WrongState: the batch is undecided or reopened already, the amendment is decided.
        NothingToCorrect, EntryNotAsked, NoCount, LabelsDoNotAddUp: the new values cannot be.
        GatesOpen: a gate is red.
        TookPart: the signer worked on the batch, or corrected it here.
        RecordMoved, SignatureRequired: see `core.signature.sign`.
    """
    if isinstance(command, ReopenBatch):
        return _reopen(plant, command, context)
    amendment = need(plant, Amendment, command.amendment)
    if amendment.state is not AmendmentState.OPEN:
        raise WrongState(
            f"Amendment {amendment.amendment}",
            amendment.state,
            needed="open",
            next_step="Reopen the batch for another one.",
        )
    batch = standing(plant, need(plant, Batch, amendment.batch))
    stream = f"{Amendment.KIND}/{amendment.amendment}"
    match command:
        case AmendValue() as it:
            _, event = corrected(batch, _run(batch, it.step), values=it.values, why=it.why)
            return (Fact(stream, event, it.why),)
        case AddComment() as it:
            if it.step is not None:
                _run(batch, it.step)
            said = AmendmentCommented(
                amendment=it.amendment, batch=batch.batch, step=it.step, text=it.text
            )
            return (Fact(stream, said),)
        case ReleaseAmendment() as it:
            return _release(plant, amendment, batch, command=it, context=context)
        case RejectAmendment() as it:
            return _reject(plant, amendment, batch, command=it, context=context)


def _run(batch: Batch, step: str) -> StepRun:
    run = batch.run(step)
    if run is None:
        raise Unknown("Step", step)
    return run


def _reopen(plant: Plant, it: ReopenBatch, context: Context) -> Facts:
    batch, earlier = need(plant, Batch, it.batch), amendments(plant, it.batch)
    now = amended(batch, earlier)
    if now.state not in (BatchState.RELEASED, BatchState.REJECTED):
        todo = "Finish its amendment first." if earlier else "Correct it where it was recorded."
        raise WrongState(
            f"Batch {it.batch}", now.state, needed="released or rejected", next_step=todo
        )
    name, record = f"{it.batch}.{len(earlier) + 1}", f"batch/{it.batch}"
    words = (
        f"Batch {it.batch} of {batch.content.product_name}, {now.state}: reopened as amendment"
        f" {name}. {it.why}"
    )
    meaning = "I reopen this batch"
    signature = sign(
        plant, context, it.seen, record=record, meaning=meaning, words=words, compliant=False
    )
    follows = earlier[-1].amendment if earlier else None
    last = plant.head(f"{Amendment.KIND}/{follows}") if follows else None
    opened = AmendmentOpened(
        amendment=name,
        batch=it.batch,
        number=len(earlier) + 1,
        before=str(now.state),
        why=it.why,
        closed_ver=it.seen.ver,
        closed_leaf=it.seen.head,
        follows=follows,
        follows_ver=last.ver if last else None,
        follows_leaf=last.leaf if last else None,
    )
    stream = f"{Amendment.KIND}/{name}"
    return (Fact(stream, opened, it.why), Fact(stream, signature, it.why))


def _signature(
    plant: Plant, amendment: Amendment, batch: Batch, *, words: str, meaning: str, seen: Seen,
    context: Context,
) -> SignatureApplied:  # fmt: skip
    record = f"{Amendment.KIND}/{amendment.amendment}"
    return sign(
        plant,
        context,
        seen,
        record=record,
        meaning=meaning,
        words=words,
        performers=took_part(batch) | {one.by for one in amendment.corrections},
        own=lambda name: TookPart(batch.batch, name),
        compliant=False,
    )


def amendment_words(amendment: Amendment, batch: Batch, decision: str) -> str:
    """Return in words what the decider about an amendment signs for."""
    made = produced(batch)
    quantity = "no yield" if made is None else f"{plain(made)} {batch.content.unit}"
    return (
        f"Batch {batch.batch} of {batch.content.product_name}, {quantity}, amendment"
        f" {amendment.amendment} with {len(amendment.corrections)} corrections and"
        f" {len(amendment.comments)} comments: {decision}"
    )


def _release(
    plant: Plant,
    amendment: Amendment,
    batch: Batch,
    *,
    command: ReleaseAmendment,
    context: Context,
) -> Facts:
    gates, made = amendment_gates(plant, amendment), produced(batch)
    if made is None or any(not gate.passed for gate in gates):
        raise GatesOpen(amendment.batch, gates)
    signature = _signature(
        plant,
        amendment,
        batch,
        words=amendment_words(amendment, batch, "released."),
        meaning="I release this batch as amended",
        seen=command.seen,
        context=context,
    )
    stream = f"{Amendment.KIND}/{amendment.amendment}"
    about: dict[str, Any] = {
        "batch": batch.batch,
        "order": batch.order,
        "product": batch.content.product,
        "unit": batch.content.unit,
    }
    before = _produced_before(plant, amendment)
    released = AmendmentReleased(
        amendment=amendment.amendment, quantity_before=before, quantity=made, **about
    )
    turned = BatchReleased(erp_order=batch.erp_order, quantity=made, **about)
    changed = amendment.before != AmendmentState.RELEASED
    return (
        Fact(stream, signature),
        # The ERP heard of the first decision; it hears again only where that was turned.
        *([Fact(stream, turned)] if changed else []),
        *_goods(plant, amendment, batch),
        Fact(stream, released),
    )


def _goods(plant: Plant, amendment: Amendment, batch: Batch) -> tuple[Fact, ...]:
    """Return what corrects the ERP's quantity of the product; nothing where it stays.

    The fact that stands is reversed, then the amended quantity is told: never a difference alone.
    """
    earlier = amendments(plant, amendment.batch)[: amendment.number - 1]
    closed = need(plant, Batch, amendment.batch).goods
    told = [closed, *(one.goods for one in earlier)]
    stands = next((one for one in reversed(told) if one is not None), None)
    made, before = produced(batch) or Decimal(0), stands.quantity if stands else Decimal(0)
    if made == before:
        return ()
    stream, why = f"{Amendment.KIND}/{amendment.amendment}", amendment.why
    about: dict[str, Any] = {
        "batch": batch.batch,
        "order": batch.order,
        "erp_order": batch.erp_order,
        "product": batch.content.product,
        "lot": batch.batch,
        "unit": batch.content.unit,
    }
    facts = []
    if stands is not None and before > 0:
        undone = ProductionReversed(quantity=before, why=why, corrects=stands.entry, **about)
        facts.append(Fact(stream, undone, why))
        facts.extend(answered(plant, stands.entry, undone, why=why))
    if made > 0:
        facts.append(Fact(stream, MaterialProduced(quantity=made, **about), why))
    return tuple(facts)


def _produced_before(plant: Plant, amendment: Amendment) -> Decimal:
    """Return the quantity that stood when the amendment was opened; zero without a yield."""
    batch = need(plant, Batch, amendment.batch)
    earlier = amendments(plant, amendment.batch)[: amendment.number - 1]
    return produced(amended(batch, earlier)) or Decimal(0)


def _reject(
    plant: Plant,
    amendment: Amendment,
    batch: Batch,
    *,
    command: RejectAmendment,
    context: Context,
) -> Facts:
    signature = _signature(
        plant,
        amendment,
        batch,
        words=amendment_words(amendment, batch, f"rejected. {command.why}"),
        meaning="I reject this batch as amended",
        seen=command.seen,
        context=context,
    )
    stream = f"{Amendment.KIND}/{amendment.amendment}"
    about: dict[str, Any] = {
        "batch": batch.batch,
        "order": batch.order,
        "product": batch.content.product,
        "why": command.why,
    }
    rejected = AmendmentRejected(amendment=amendment.amendment, **about)
    turned = BatchRejected(
        erp_order=batch.erp_order,
        quantity=_produced_before(plant, amendment),
        unit=batch.content.unit,
        **about,
    )
    changed = amendment.before != AmendmentState.REJECTED
    return (
        Fact(stream, signature, command.why),
        *([Fact(stream, turned, command.why)] if changed else []),
        *_goods(plant, amendment, batch),
        Fact(stream, rejected, command.why),
    )
