"""Deviations: raised by the rule that was broken, dispositioned by QA under signature.

A blocking deviation holds its batch at the step; disposition frees it or leaves it to be
rejected. Nobody dispositions what he did himself.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from core.batch.flow import resume
from core.batch.state import Batch, BatchState, Signed, signed
from core.errors import Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.numbering import draw
from core.quantity import Name, Sentence
from core.signature import Seen, SignatureApplied, sign


class DeviationState(StrEnum):
    """The life of a deviation."""

    OPEN = "open"
    DISPOSITIONED = "dispositioned"
    CLOSED = "closed"


class Severity(StrEnum):
    """How much a deviation may matter to the patient."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Disposition(StrEnum):
    """What becomes of the material."""

    USE_AS_IS = "use_as_is"
    REWORK = "rework"
    REPROCESS = "reprocess"
    REJECT = "reject"
    RETURN = "return"
    SCRAP = "scrap"


FREES = (Disposition.USE_AS_IS, Disposition.REWORK, Disposition.REPROCESS)


class DispositionDeviation(Command, frozen=True, kw_only=True, tag="deviation.disposition"):
    """QA decides, with an assessment and a signature over what the screen showed."""

    deviation: Name
    disposition: Disposition
    assessment: Sentence
    seen: Seen


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
    dispositioned_by: str | None = None
    dispositioned_at: datetime | None = None
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
) -> tuple[str, Facts]:
    """Return a new deviation's number and the facts that open it."""
    name, drawn = draw(plant, f"D{context.today:%y}", width=4, for_=f"batch/{batch.batch}")
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
    """Return the signature of a person who neither raised the deviation nor weighed for it."""
    words = (
        f"Deviation {deviation.deviation} of batch {deviation.batch}, step {deviation.step}:"
        f" {deviation.says} Disposition: {command.disposition.replace('_', ' ')}."
        f" Assessment: {command.assessment}"
    )
    run = batch.run(deviation.step)
    weighed_by = {one.by for one in run.partials} if run else set()
    raised_it = context.signer is not None and context.signer.person == deviation.raised_by
    did = "raised it" if raised_it else "weighed for it"
    return sign(
        plant,
        context,
        command.seen,
        record=f"deviation/{command.deviation}",
        meaning="I disposition this deviation",
        words=words,
        performers={deviation.raised_by, *weighed_by},
        own=lambda name: OwnDeviation(deviation.deviation, name, did=did),
        compliant=False,
    )


def decide(plant: Plant, command: DeviationCommand, context: Context) -> Facts:
    """Return what a decision about a deviation causes, or refuse it.

    Raises:
        WrongState: it is decided already, or not yet where closing is asked.
        OwnDeviation: the signer raised it.
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
    batch = need(plant, Batch, deviation.batch)
    if batch.state is BatchState.REJECTED and command.disposition in FREES:
        raise WrongState(
            f"Batch {batch.batch}",
            batch.state,
            needed="undecided for its material to be used",
            next_step="Choose reject, return or scrap.",
        )
    signature = _sign(plant, deviation, batch, command=command, context=context)
    decided = DeviationDispositioned(
        deviation=deviation.deviation,
        batch=deviation.batch,
        step=deviation.step,
        disposition=command.disposition,
        assessment=command.assessment,
    )
    facts = [Fact(stream, signature), Fact(stream, decided, command.assessment)]
    if command.disposition in FREES and batch.held_by == deviation.deviation:
        why = {"deviation": deviation.deviation, "disposition": command.disposition}
        facts.extend(resume(batch, deviation.step, **why))
    return tuple(facts)


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
                "dispositioned_by": fact.actor,
                "dispositioned_at": fact.at,
            }
        case DeviationClosed():
            return {"state": DeviationState.CLOSED}
        case SignatureApplied() as it:
            return {"signatures": (*deviation.signatures, signed(it, fact))}
        case _:
            return {}
