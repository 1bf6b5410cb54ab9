"""A batch folded from its stream: the frozen recipe, its steps as done, who signed what.

Steps run in the recipe's order; exactly one is current. Net weights are grams.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from core.clock import parse_iso
from core.fact import Recorded
from core.recipe import RecipeContent, Step
from core.signature import SignatureApplied


class BatchState(StrEnum):
    """Where a batch stands; after `complete` QA decides."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    COMPLETE = "complete"
    RELEASED = "released"
    REJECTED = "rejected"
    REOPENED = "reopened"  # an amendment is open; a batch's own stream never says it


DECIDED = (BatchState.RELEASED, BatchState.REJECTED)


class StepState(StrEnum):
    """Where a step stands. `done` waits for its verifier, `held` for QA."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    HELD = "held"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """One accepted weighing of a step."""

    lot: str
    container: str
    net_g: Decimal
    gross_g: Decimal
    tare_g: Decimal
    scale: str
    certificate: str
    raw: str
    by: str
    at: datetime
    seq: int
    read_at: datetime | None = None
    consumed: int | None = None  # entry that says it is in the batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One recorded value that was replaced; the old one stays readable beside it.

    `entry` is the correction's own, `corrects` the entry that it points at.
    """

    step: str
    what: str
    old: Decimal
    new: Decimal
    why: str
    by: str
    at: datetime
    entry: int
    corrects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """One weighing that was taken back: its quantity is in its container again."""

    weighing: Partial
    why: str
    by: str
    at: datetime
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Redone:
    """What a step held before a rework opened it again: kept, and no longer counted."""

    partials: tuple[Partial, ...]
    values: dict[str, Decimal]
    within: bool
    performed_by: str | None
    performed_at: datetime | None
    deviation: str
    at: datetime
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """A step as it was done.

    `happened_at` is when the performer says that it happened, where that was said; `entry` is the
    one that recorded the values. `instruction` is what QA asked for with a reprocess.
    """

    step: str
    state: StepState = StepState.IDLE
    lot: str | None = None
    container: str | None = None
    tare_g: Decimal | None = None
    partials: tuple[Partial, ...] = ()
    values: dict[str, Decimal] = field(default_factory=dict)
    within: bool = True
    performed_by: str | None = None
    performed_at: datetime | None = None
    verified_by: str | None = None
    verified_at: datetime | None = None
    deviation: str | None = None
    happened_at: datetime | None = None
    entry: int | None = None
    corrections: tuple[Correction, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    redone: tuple[Redone, ...] = ()
    instruction: str | None = None

    @property
    def net_g(self) -> Decimal:
        """Sum of the accepted weighings."""
        return sum((one.net_g for one in self.partials), Decimal(0))

    @property
    def weighings(self) -> tuple[Partial, ...]:
        """Every weighing that was ever accepted here, those that no longer count last."""
        set_aside = (partial for one in self.redone for partial in one.partials)
        return (*self.partials, *(one.weighing for one in self.reversals), *set_aside)

    @property
    def hands(self) -> frozenset[str]:
        """Everybody who did, weighed, corrected or took back something here; no verifier."""
        by = [one.by for one in self.weighings]
        by += [one.by for one in self.corrections] + [one.by for one in self.reversals]
        performed = [self.performed_by, *(one.performed_by for one in self.redone)]
        return frozenset(by) | {one for one in performed if one}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchException:
    """Something a reviewer must look at."""

    exception: str
    step: str
    kind: str
    says: str
    seq: int
    at: datetime
    by: str
    deviation: str | None = None
    late_by_s: int | None = None
    reviewed_by: str | None = None
    assessment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """What the ERP was last told of the product; `entry` told it, and zero is nothing."""

    quantity: Decimal
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature as every readable form must show it (21 CFR 11.50)."""

    name: str
    person: str
    meaning: str
    at: datetime
    zone: str
    step: str | None
    words: str
    seq: int
    ver: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch folded from its stream."""

    KIND: ClassVar[str] = "batch"
    batch: str
    order: str
    erp_order: str | None
    room: str
    recipe: str
    recipe_sha256: str
    content: RecipeContent
    created_at: datetime
    state: BatchState = BatchState.IDLE
    steps: tuple[StepRun, ...] = ()
    exceptions: tuple[BatchException, ...] = ()
    signatures: tuple[Signed, ...] = ()
    deviations: tuple[str, ...] = ()
    held_by: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    decided_at: datetime | None = None
    goods: Goods | None = None
    audit_trail_reviewed_by: str | None = None
    closed: bool = False

    @property
    def current(self) -> StepRun | None:
        """The first step that is not complete, or None."""
        return next((one for one in self.steps if one.state is not StepState.COMPLETE), None)

    @property
    def lots(self) -> tuple[str, ...]:
        """The lots that weighings stand from, each once, in the order of their use."""
        return tuple(dict.fromkeys(one.lot for run in self.steps for one in run.partials))

    def run(self, step: str) -> StepRun | None:
        """Return a step as done, or None where the recipe has no such step."""
        return next((one for one in self.steps if one.step == step), None)

    def recipe_step(self, step: str) -> Step:
        """Return the recipe's own words for a step of this batch."""
        return next(one for one in self.content.steps if one.step == step)


def signed(it: SignatureApplied, fact: Recorded) -> Signed:
    """Return a signature as every readable form shows it."""
    return Signed(
        name=it.manifest.name,
        person=it.manifest.signer,
        meaning=it.manifest.meaning,
        at=parse_iso(it.manifest.at),
        zone=it.manifest.zone,
        step=it.manifest.step,
        words=it.manifest.words,
        seq=fact.seq,
        ver=it.manifest.ver,
    )
