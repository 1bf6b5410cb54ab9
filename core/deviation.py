"""Deviations: raised by the rule that was broken, dispositioned by QA under signature.

A blocking deviation holds its batch at the step; disposition frees it or leaves it to be
rejected. Nobody dispositions what he did himself; what is high or critical is decided by two
people of QA, of whom the first proposes and the second signs for the same.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from core.batch.flow import redo, resume
from core.batch.state import Batch, BatchState, Signed, signed
from core.errors import Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.numbering import draw
from core.quantity import Name, Sentence
from core.severity import TWO_PEOPLE, Severity
from core.signature import Seen, SignatureApplied, sign


class DeviationState(StrEnum):
    """The life of a deviation."""

    OPEN = "open"
    DISPOSITIONED = "dispositioned"
    CLOSED = "closed"


class Disposition(StrEnum):
    """What becomes of the material."""

    USE_AS_IS = "use_as_is"
    REWORK = "rework"
    REPROCESS = "reprocess"
    REJECT = "reject"
    RETURN = "return"
    SCRAP = "scrap"


ANEW = (Disposition.REWORK, Disposition.REPROCESS)
FREES = (Disposition.USE_AS_IS, Disposition.REWORK, Disposition.REPROCESS)


class DispositionDeviation(Command, frozen=True, kw_only=True, tag="deviation.disposition"):
    """QA decides, with an assessment and a signature over what the screen showed.

    A reprocess names in `instruction` what is to be done.
    """

    deviation: Name
    disposition: Disposition
    assessment: Sentence
    seen: Seen
    instruction: Sentence | None = None


class CloseDeviation(Command, frozen=True, kw_only=True, tag="deviation.close"):
    """Nothing remains to be done about a dispositioned deviation."""

    deviation: Name


class DeviationOpened(Event, frozen=True, kw_only=True, tag="deviation.opened"):
    """A rule was broken at a step of a batch."""

    deviation: str
    batch: str
    step: str
    kind: str
    severity: Severity
    says: str
    why: str
    lots: tuple[str, ...]
    scale: str | None


class DeviationDispositioned(Event, frozen=True, kw_only=True, tag="deviation.dispositioned"):
    """QA decided what becomes of the material."""

    deviation: str
    batch: str
    step: str
    disposition: Disposition
    assessment: str
    instruction: str | None = None


class DispositionProposed(Event, frozen=True, kw_only=True, tag="deviation.disposition-proposed"):
    """The first of two people of QA decided; nothing changes before the second agrees."""

    deviation: str
    batch: str
    step: str
    disposition: Disposition
    assessment: str
    instruction: str | None


class DeviationClosed(Event, frozen=True, kw_only=True, tag="deviation.closed"):
    """The deviation is closed."""

    deviation: str
    batch: str | None = None


type DeviationCommand = DispositionDeviation | CloseDeviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A deviation folded from its stream."""

    KIND: ClassVar[str] = "deviation"
    deviation: str
    batch: str
    step: str
    kind: str
    severity: Severity
    says: str
    why: str
    raised_by: str
    raised_at: datetime
    lots: tuple[str, ...] = ()
    scale: str | None = None
    state: DeviationState = DeviationState.OPEN
    disposition: Disposition | None = None
    assessment: str | None = None
    instruction: str | None = None
    dispositioned_by: str | None = None
    dispositioned_at: datetime | None = None
    proposed: Disposition | None = None
    proposed_by: str | None = None
    proposed_assessment: str | None = None
    signatures: tuple[Signed, ...] = ()


class OwnDeviation(Refused):
    """Nobody decides about his own deviation."""

    is_evidence = True

    def __init__(self, deviation: str, name: str, *, did: str = "raised it") -> None:
        super().__init__(
            f"Deviation {deviation}: {name} {did}; another person must disposition it.",
            deviation=deviation,
            name=name,
        )


class SecondPersonNeeded(Refused):
    """Two people of QA decide about what is high or critical."""

    is_evidence = True

    def __init__(self, deviation: Deviation, name: str) -> None:
        super().__init__(
            f"Deviation {deviation.deviation}: is {deviation.severity}, so two people of QA decide;"
            f" {name} has signed. Ask another person of QA to sign.",
            deviation=deviation.deviation,
            severity=deviation.severity,
            name=name,
        )


class InstructionMissing(Refused):
    """A reprocess says what is to be done."""

    def __init__(self, deviation: str) -> None:
        super().__init__(
            f"Deviation {deviation}: a reprocess needs its instruction. Name the procedure and"
            " what it changes.",
            deviation=deviation,
        )


class HoldsNothing(Refused):
    """Only a step that is held by the deviation can be done anew."""

    def __init__(self, deviation: Deviation, disposition: Disposition) -> None:
        super().__init__(
            f"Deviation {deviation.deviation}: holds no step of batch {deviation.batch}, so nothing"
            f" can be done anew by {disposition}. Choose use as is, reject, return or scrap.",
            deviation=deviation.deviation,
            disposition=disposition,
        )


def open_deviation(
    plant: Plant,
    context: Context,
    batch: Batch,
    *,
    step: str,
    kind: str,
    says: str,
    why: str,
    severity: Severity = Severity.MEDIUM,
    lots: tuple[str, ...] = (),
    scale: str | None = None,
    nth: int = 1,
) -> tuple[str, Facts]:
    """Return a new deviation's number and the facts that open it; `nth` of this command."""
    prefix, for_ = f"D{context.today:%y}", f"batch/{batch.batch}"
    name, drawn = draw(plant, prefix, width=4, for_=for_, nth=nth)
    opened = DeviationOpened(
        deviation=name,
        batch=batch.batch,
        step=step,
        kind=kind,
        severity=severity,
        says=says,
        why=why,
        lots=lots,
        scale=scale,
    )
    return name, (drawn, Fact(f"deviation/{name}", opened, why))


def _sign(
    plant: Plant,
    deviation: Deviation,
    batch: Batch,
    *,
    command: DispositionDeviation,
    context: Context,
) -> SignatureApplied:
    """Return the signature of a person who neither raised the deviation nor worked at its step."""
    words = (
        f"Deviation {deviation.deviation} of batch {deviation.batch}, step {deviation.step}:"
        f" {deviation.says} Disposition: {command.disposition.replace('_', ' ')}."
        f" Assessment: {command.assessment}"
    )
    if command.instruction is not None:
        words += f" Instruction: {command.instruction}"
    run = batch.run(deviation.step)
    hands = run.hands if run else frozenset()
    raised_it = context.signer is not None and context.signer.person == deviation.raised_by
    did = "raised it" if raised_it else "worked at the step"
    return sign(
        plant,
        context,
        command.seen,
        record=f"deviation/{command.deviation}",
        meaning="I disposition this deviation",
        words=words,
        performers={deviation.raised_by, *hands},
        own=lambda name: OwnDeviation(deviation.deviation, name, did=did),
        compliant=False,
    )


def decide(plant: Plant, command: DeviationCommand, context: Context) -> Facts:
    """Return what a decision about a deviation causes, or refuse it.

    Raises:
        WrongState: it is decided already, or not yet where closing is asked.
        OwnDeviation: the signer raised it, or worked at its step.
        SecondPersonNeeded: the signer proposed it, and two people decide.
        HoldsNothing, InstructionMissing: there is nothing to do anew, or not what.
        RecordMoved, SignatureRequired: see `core.signature.sign`.
    """
    deviation = need(plant, Deviation, command.deviation)
    stream = f"deviation/{command.deviation}"
    if isinstance(command, CloseDeviation):
        if deviation.state is not DeviationState.DISPOSITIONED:
            raise WrongState(
                f"Deviation {command.deviation}",
                deviation.state,
                needed="dispositioned",
                next_step="Disposition it first.",
            )
        closed = DeviationClosed(deviation=command.deviation, batch=deviation.batch)
        return (Fact(stream, closed),)
    if deviation.state is not DeviationState.OPEN:
        raise WrongState(
            f"Deviation {command.deviation}",
            deviation.state,
            needed="open",
            next_step="Read the decision on its page.",
        )
    return _disposition(plant, deviation, command, context=context)


def _disposition(
    plant: Plant, deviation: Deviation, it: DispositionDeviation, *, context: Context
) -> Facts:
    batch = need(plant, Batch, deviation.batch)
    _check_disposition(batch, deviation, it)
    stream = f"deviation/{deviation.deviation}"
    signature = _sign(plant, deviation, batch, command=it, context=context)
    signer, name = signature.manifest.signer, signature.manifest.name
    about: dict[str, Any] = {
        "deviation": deviation.deviation,
        "batch": deviation.batch,
        "step": deviation.step,
        "disposition": it.disposition,
        "assessment": it.assessment,
        "instruction": it.instruction,
    }
    agreed = (deviation.proposed, deviation.instruction) == (it.disposition, it.instruction)
    if deviation.severity in TWO_PEOPLE and not agreed:
        proposed = DispositionProposed(**about)
        return (Fact(stream, signature), Fact(stream, proposed, it.assessment))
    if deviation.severity in TWO_PEOPLE and signer == deviation.proposed_by:
        raise SecondPersonNeeded(deviation, name)
    decided = DeviationDispositioned(**about)
    facts = [Fact(stream, signature), Fact(stream, decided, it.assessment)]
    return (*facts, *_freed(plant, batch, deviation, it=it))


def _check_disposition(batch: Batch, deviation: Deviation, it: DispositionDeviation) -> None:
    if batch.state in (BatchState.RELEASED, BatchState.REJECTED) and it.disposition in FREES:
        raise WrongState(
            f"Batch {batch.batch}",
            batch.state,
            needed="undecided for its material to be used",
            next_step="Choose reject, return or scrap.",
        )
    if it.disposition in ANEW and batch.held_by != deviation.deviation:
        raise HoldsNothing(deviation, it.disposition)
    if it.disposition is Disposition.REPROCESS and it.instruction is None:
        raise InstructionMissing(deviation.deviation)


def _freed(
    plant: Plant, batch: Batch, deviation: Deviation, *, it: DispositionDeviation
) -> tuple[Fact, ...]:
    """Return what a decision causes on the batch that the deviation holds."""
    if it.disposition not in FREES or batch.held_by != deviation.deviation:
        return ()
    if it.disposition is Disposition.REWORK:
        step = deviation.step
        return redo(batch, step, deviation=deviation.deviation, why=it.assessment)
    instruction = it.instruction if it.disposition is Disposition.REPROCESS else None
    return resume(
        plant,
        batch,
        deviation.step,
        deviation=deviation.deviation,
        disposition=it.disposition,
        instruction=instruction,
    )


def apply(deviation: Deviation | None, fact: Recorded) -> Deviation:
    """Fold one event of a deviation's stream."""
    match fact.event:
        case DeviationOpened() as it:
            return Deviation(
                deviation=it.deviation,
                batch=it.batch,
                step=it.step,
                kind=it.kind,
                severity=it.severity,
                says=it.says,
                why=it.why,
                raised_by=fact.actor,
                raised_at=fact.at,
                lots=it.lots,
                scale=it.scale,
            )
        case event:
            assert deviation is not None, fact
            return replace(deviation, **_changes(deviation, event, fact))


def _changes(deviation: Deviation, event: Event, fact: Recorded) -> dict[str, Any]:
    match event:
        case DeviationDispositioned() as it:
            return {
                "state": DeviationState.DISPOSITIONED,
                "disposition": it.disposition,
                "assessment": it.assessment,
                "instruction": it.instruction,
                "dispositioned_by": fact.actor,
                "dispositioned_at": fact.at,
            }
        case DispositionProposed() as it:
            return {
                "proposed": it.disposition,
                "proposed_by": fact.actor,
                "proposed_assessment": it.assessment,
                "instruction": it.instruction,
            }
        case DeviationClosed():
            return {"state": DeviationState.CLOSED}
        case SignatureApplied() as it:
            return {"signatures": (*deviation.signatures, signed(it, fact))}
        case _:
            return {}
