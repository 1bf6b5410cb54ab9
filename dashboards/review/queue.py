"""The review queue: deviations that wait for a disposition, then batches. No widgets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.batch.amendment import Amendment, AmendmentState, amendments, standing
from core.batch.state import DECIDED, Batch, BatchState
from core.deviation import Deviation, DeviationState
from core.execution import Execution
from core.order import OVER, Gate, Order
from core.release import rules_passed
from dashboards.review.dossier import gates_of

LIMIT = 300  # decided batches that a queue looks at, those that changed last
SHOWS: dict[str, tuple[BatchState, ...]] = {
    "open": (
        BatchState.REOPENED,
        BatchState.COMPLETE,
        BatchState.HELD,
        BatchState.RUNNING,
        BatchState.IDLE,
    ),
    "to review": (BatchState.COMPLETE,),
    "held": (BatchState.HELD,),
    "running": (BatchState.RUNNING, BatchState.IDLE),
    "reopened": (BatchState.REOPENED,),
    "decided": (*DECIDED, BatchState.REOPENED),
}
SORTS = ("age", "exceptions", "batch")
FIRST = (*SHOWS["open"], *DECIDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One batch as the queue shows it. `gates` are worked out for complete batches alone."""

    batch: Batch
    since: datetime
    open_exceptions: int
    open_deviations: int
    passed: int
    gates: tuple[Gate, ...]

    @property
    def green(self) -> int:
        return sum(gate.passed for gate in self.gates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for QA."""

    deviations: tuple[Deviation, ...]
    batches: tuple[Queued, ...]
    found: int
    """How many batches the filters leave; `batches` may be a piece of them."""
    counts: dict[str, int]
    newest: int | None = None
    """Among how many the decided ones were looked for, those that changed last; None: all."""


def since(batch: Batch) -> datetime:
    """Return since when a batch is where it is: decided, complete, running or made."""
    return batch.decided_at or batch.completed_at or batch.started_at or batch.created_at


def read_queue(
    execution: Execution,
    *,
    show: str = "open",
    find: str = "",
    sort: str = "age",
    limit: int = LIMIT,
    piece: slice = slice(None),
) -> Queue:
    """Return the queue; unknown filters are read as the first of their kind.

    Args:
        limit: how many decided batches are looked at; the undecided ones are all there.
        piece: which of the batches are returned, in the order that `sort` says.
    """
    deviations = {one.deviation: one for one in execution.nouns.all(Deviation)}
    waiting = [one for one in deviations.values() if one.state is DeviationState.OPEN]
    batches, is_cut = _batches(execution, limit)
    states = SHOWS.get(show, SHOWS["open"])
    wanted = find.strip().casefold()
    chosen = [
        _queued(execution, one, deviations)
        for one in batches
        if one.state in states and wanted in _text(one).casefold()
    ]
    shown = _sorted(chosen, sort)[piece]
    counts = {name: sum(one.state in held for one in batches) for name, held in SHOWS.items()}
    return Queue(
        deviations=tuple(sorted(waiting, key=lambda one: one.raised_at)),
        batches=tuple(_with_gates(execution, one, deviations) for one in shown),
        found=len(chosen),
        counts=counts,
        newest=limit if is_cut and show == "decided" else None,
    )


def reopened_at(execution: Execution, batch: str) -> datetime:
    """Return since when the last amendment of a batch runs; it has one."""
    return amendments(execution.nouns, batch)[-1].opened_at


def _batches(execution: Execution, limit: int) -> tuple[list[Batch], bool]:
    """Return batches as they stand, and whether older decided ones were not looked at."""
    nouns = execution.nouns
    newest: list[Batch] = [row.state for row in nouns.rows(Batch.KIND, limit + 1)]
    found = {one.batch: one for one in newest[:limit]}
    amended = nouns.all(Amendment)
    open_ = [one.batch for one in amended if one.state is AmendmentState.OPEN]
    open_ += [one.batch for one in nouns.all(Order) if one.batch and one.state not in OVER]
    for name in open_:  # however long nothing has changed in them
        if name not in found and (batch := nouns.get(Batch, name)) is not None:
            found[name] = batch
    reopened = {one.batch for one in amended}
    stands = [standing(nouns, it) if it.batch in reopened else it for it in found.values()]
    return stands, len(newest) > limit


def _text(batch: Batch) -> str:
    content = batch.content
    parts = (batch.batch, batch.order, content.product, content.product_name, batch.room)
    return " ".join((*parts, *batch.deviations))


def _queued(execution: Execution, batch: Batch, deviations: dict[str, Deviation]) -> Queued:
    own = _own(batch, deviations)
    is_reopened = batch.state is BatchState.REOPENED
    return Queued(
        batch=batch,
        since=reopened_at(execution, batch.batch) if is_reopened else since(batch),
        open_exceptions=sum(one.reviewed_by is None for one in batch.exceptions),
        open_deviations=sum(one.state is DeviationState.OPEN for one in own.values()),
        passed=len(rules_passed(batch)),
        gates=(),
    )


def _own(batch: Batch, deviations: dict[str, Deviation]) -> dict[str, Deviation]:
    return {name: deviations[name] for name in batch.deviations}


def _with_gates(execution: Execution, it: Queued, deviations: dict[str, Deviation]) -> Queued:
    """Return a row that is shown: the gates of all would take long."""
    if it.batch.state is not BatchState.COMPLETE:
        return it
    own = _own(it.batch, deviations)
    return replace(it, gates=gates_of(execution, it.batch, own))


def _sorted(rows: Sequence[Queued], sort: str) -> list[Queued]:
    if sort == "exceptions":
        return sorted(rows, key=lambda it: (-it.open_deviations, -it.open_exceptions, it.since))
    if sort == "batch":
        return sorted(rows, key=lambda it: it.batch.batch, reverse=True)
    return sorted(rows, key=lambda it: (FIRST.index(it.batch.state), it.since))
