"""Amendments: what is corrected or added after the decision about a batch.

A decided batch's own stream is closed for ever. An amendment is a stream of its own, named after
the batch and a number (`B26-0178.1`); its first entry names the closed head. While it is open the
batch counts as reopened: neither released nor rejected. Both revisions stay readable.

Source:
    21 CFR 11.10(e), EU Annex 11 (2011) §9.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from core.batch.events import MaterialProduced, ProductionReversed, ValueCorrected
from core.batch.fold import corrections
from core.batch.state import Batch, BatchState, Correction, Goods, Signed, StepRun, signed
from core.batch.steps import measured, within_limits
from core.fact import Event, Recorded, State
from core.signature import SignatureApplied


class AmendmentOpened(Event, frozen=True, kw_only=True, tag="amendment.opened"):
    """The batch is reopened. `closed_ver` and `closed_leaf` are the head of its closed stream.

    `before` is the decision that stood; `follows` the amendment before, with the head of that.
    """

    amendment: str
    batch: str
    number: int
    before: str
    why: str
    closed_ver: int
    closed_leaf: str
    follows: str | None = None
    follows_ver: int | None = None
    follows_leaf: str | None = None


class AmendmentCommented(Event, frozen=True, kw_only=True, tag="amendment.commented"):
    """Somebody added a comment or an assessment."""

    amendment: str
    batch: str
    step: str | None
    text: str


class AmendmentReleased(Event, frozen=True, kw_only=True, tag="amendment.released"):
    """QA released the batch as amended; the last entry of the stream."""

    amendment: str
    batch: str
    order: str
    product: str
    quantity_before: Decimal
    quantity: Decimal
    unit: str


class AmendmentRejected(Event, frozen=True, kw_only=True, tag="amendment.rejected"):
    """QA rejected the batch as amended; the last entry of the stream."""

    amendment: str
    batch: str
    order: str
    product: str
    why: str


class AmendmentState(StrEnum):
    """The life of an amendment."""

    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment or assessment; `step` is None where it is about the whole batch."""

    step: str | None
    text: str
    by: str
    at: datetime
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """An amendment folded from its stream."""

    KIND: ClassVar[str] = "amendment"
    amendment: str
    batch: str
    number: int
    before: str
    why: str
    closed_ver: int
    closed_leaf: str
    opened_by: str
    opened_at: datetime
    state: AmendmentState = AmendmentState.OPEN
    corrections: tuple[Correction, ...] = ()
    comments: tuple[Comment, ...] = ()
    signatures: tuple[Signed, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    goods: Goods | None = None


class Look(Protocol):
    """What is needed of a plant to read a batch: its nouns by name."""

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        """Return a noun's state, or None where its stream is empty."""
        ...


def amendments(plant: Look, batch: str) -> tuple[Amendment, ...]:
    """Return a batch's amendments, the first one first."""
    found: list[Amendment] = []
    while (one := plant.get(Amendment, f"{batch}.{len(found) + 1}")) is not None:
        found.append(one)
    return tuple(found)


def amended(batch: Batch, found: Sequence[Amendment]) -> Batch:
    """Return a batch as it reads with its amendments: values, corrections, state."""
    steps = {run.step: run for run in batch.steps}
    for one in (correction for amendment in found for correction in amendment.corrections):
        steps[one.step] = _amended_run(batch, steps[one.step], one)
    changes: dict[str, Any] = {"steps": tuple(steps.values())}
    if found:
        last = found[-1]
        state = BatchState.REOPENED if last.state is AmendmentState.OPEN else str(last.state)
        changes |= {"state": BatchState(state), "decided_at": last.decided_at or batch.decided_at}
    return replace(batch, **changes)


def _amended_run(batch: Batch, run: StepRun, one: Correction) -> StepRun:
    values, step = {**run.values, one.what: one.new}, batch.recipe_step(run.step)
    within = within_limits(step, measured(step, values))
    return replace(run, values=values, within=within, corrections=(*run.corrections, one))


def standing(plant: Look, batch: Batch) -> Batch:
    """Return a batch as it stands now: its closed stream, and every amendment of it."""
    return amended(batch, amendments(plant, batch.batch))


def apply(amendment: Amendment | None, fact: Recorded) -> Amendment:
    """Fold one event of an amendment's stream."""
    match fact.event:
        case AmendmentOpened() as it:
            return Amendment(
                amendment=it.amendment,
                batch=it.batch,
                number=it.number,
                before=it.before,
                why=it.why,
                closed_ver=it.closed_ver,
                closed_leaf=it.closed_leaf,
                opened_by=fact.actor,
                opened_at=fact.at,
            )
        case event:
            assert amendment is not None, fact
            return replace(amendment, **_changes(amendment, event, fact))


def _changes(amendment: Amendment, event: Event, fact: Recorded) -> dict[str, Any]:
    match event:
        case ValueCorrected() as it:
            return {"corrections": (*amendment.corrections, *corrections(it, fact))}
        case AmendmentCommented(step=step, text=text):
            said = Comment(step=step, text=text, by=fact.actor, at=fact.at, entry=fact.seq)
            return {"comments": (*amendment.comments, said)}
        case AmendmentReleased() | AmendmentRejected():
            released = isinstance(event, AmendmentReleased)
            return {
                "state": AmendmentState.RELEASED if released else AmendmentState.REJECTED,
                "decided_by": fact.actor,
                "decided_at": fact.at,
            }
        case ProductionReversed():
            return {"goods": Goods(quantity=Decimal(0), entry=fact.seq)}
        case MaterialProduced(quantity=quantity):
            return {"goods": Goods(quantity=quantity, entry=fact.seq)}
        case SignatureApplied() as it:
            return {"signatures": (*amendment.signatures, signed(it, fact))}
        case _:
            return {}
