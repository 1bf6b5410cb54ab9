"""The review queue: deviations that wait for a disposition, then batches. No widgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.batch.amendment import Amendment, amendments, standing
from core.batch.state import DECIDED, Batch, BatchState
from core.deviation import Deviation, DeviationState
from core.execution import Execution
from core.order import Gate
from core.release import rules_passed
from dashboards.review.dossier import gates_of

LIMIT = 300  # batches and deviations that a queue looks at, the newest first
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
    counts: dict[str, int]
    newest: int | None = None
    """How many batches were looked at, those that changed last; None where that is all."""


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
) -> Queue:
    """Return the queue; unknown filters are read as the first of their kind."""
    deviations = {one.deviation: one for one in execution.nouns.all(Deviation)}
    waiting = [one for one in deviations.values() if one.state is DeviationState.OPEN]
    batches = _batches(execution, limit + 1)
    is_cut, batches = len(batches) > limit, batches[:limit]
    states = SHOWS.get(show, SHOWS["open"])
    wanted = find.strip().casefold()
    chosen = [
        _queued(execution, one, deviations)
        for one in batches
        if one.state in states and wanted in _text(one).casefold()
    ]
    counts = {name: sum(one.state in held for one in batches) for name, held in SHOWS.items()}
    return Queue(
        deviations=tuple(sorted(waiting, key=lambda one: one.raised_at)),
        batches=tuple(_sorted(chosen, sort)),
        counts=counts,
        newest=limit if is_cut else None,
    )


def reopened_at(execution: Execution, batch: str) -> datetime:
    """Return since when the last amendment of a batch runs; it has one."""
    return amendments(execution.nouns, batch)[-1].opened_at


def _batches(execution: Execution, limit: int) -> list[Batch]:
    """Return the newest batches as they stand, each with its amendments."""
    found: list[Batch] = [row.state for row in execution.nouns.rows(Batch.KIND, limit)]
    reopened = {one.batch for one in execution.nouns.all(Amendment)}
    return [standing(execution.nouns, one) if one.batch in reopened else one for one in found]


def _text(batch: Batch) -> str:
    content = batch.content
    parts = (batch.batch, batch.order, content.product, content.product_name, batch.room)
    return " ".join((*parts, *batch.deviations))


def _queued(execution: Execution, batch: Batch, deviations: dict[str, Deviation]) -> Queued:
    own = {name: deviations[name] for name in batch.deviations}
    is_reopened = batch.state is BatchState.REOPENED
    return Queued(
        batch=batch,
        since=reopened_at(execution, batch.batch) if is_reopened else since(batch),
        open_exceptions=sum(one.reviewed_by is None for one in batch.exceptions),
        open_deviations=sum(one.state is DeviationState.OPEN for one in own.values()),
        passed=len(rules_passed(batch)),
        gates=gates_of(execution, batch, own) if batch.state is BatchState.COMPLETE else (),
    )


def _sorted(rows: Sequence[Queued], sort: str) -> list[Queued]:
    if sort == "exceptions":
        return sorted(rows, key=lambda it: (-it.open_deviations, -it.open_exceptions, it.since))
    if sort == "batch":
        return sorted(rows, key=lambda it: it.batch.batch, reverse=True)
    return sorted(rows, key=lambda it: (FIRST.index(it.batch.state), it.since))
