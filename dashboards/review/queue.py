"""The review queue: deviations that wait for a disposition, then batches. No widgets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.batch.amendment import Amendment, AmendmentState, amendments, standing
from core.batch.state import DECIDED, Batch, BatchState
from core.deviation import Deviation
from core.execution import Execution
from core.fact import State
from core.order import Gate
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
    waiting = execution.nouns.open(Deviation)
    batches, is_cut = _batches(execution, limit)
    states = SHOWS.get(show, SHOWS["open"])
    wanted = find.strip().casefold()
    found = [it for it in batches if it.state in states and wanted in _text(it).casefold()]
    open_ = {one.deviation for one in waiting}
    chosen = [_queued(execution, one, open_) for one in found]
    shown = _sorted(chosen, sort)[piece]
    counts = {name: sum(one.state in held for one in batches) for name, held in SHOWS.items()}
    return Queue(
        deviations=tuple(sorted(waiting, key=lambda one: one.raised_at)),
        batches=tuple(_with_gates(execution, one) for one in shown),
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
    found |= {one.batch: one for one in nouns.open(Batch)}  # however long nothing changed in them
    amended = nouns.all(Amendment)
    for one in amended:
        if one.state is AmendmentState.OPEN and one.batch not in found:
            found[one.batch] = _known(execution, Batch, one.batch)
    reopened = {one.batch for one in amended}
    stands = [standing(nouns, it) if it.batch in reopened else it for it in found.values()]
    return stands, len(newest) > limit


def _known[S: State](execution: Execution, noun: type[S], name: str) -> S:
    """Return a state that another one names, which is therefore there."""
    state = execution.nouns.get(noun, name)
    assert state is not None, name
    return state


def _text(batch: Batch) -> str:
    content = batch.content
    parts = (batch.batch, batch.order, content.product, content.product_name, batch.room)
    return " ".join((*parts, *batch.deviations))


def _queued(execution: Execution, batch: Batch, open_: set[str]) -> Queued:
    is_reopened = batch.state is BatchState.REOPENED
    return Queued(
        batch=batch,
        since=reopened_at(execution, batch.batch) if is_reopened else since(batch),
        open_exceptions=sum(one.reviewed_by is None for one in batch.exceptions),
        open_deviations=len(open_.intersection(batch.deviations)),
        passed=len(rules_passed(batch)),
        gates=(),
    )


def _with_gates(execution: Execution, it: Queued) -> Queued:
    """Return a row that is shown: the gates of all would take long."""
    if it.batch.state is not BatchState.COMPLETE:
        return it
    own = {name: _known(execution, Deviation, name) for name in it.batch.deviations}
    return replace(it, gates=gates_of(execution, it.batch, own))


def _sorted(rows: Sequence[Queued], sort: str) -> list[Queued]:
    if sort == "exceptions":
        return sorted(rows, key=lambda it: (-it.open_deviations, -it.open_exceptions, it.since))
    if sort == "batch":
        return sorted(rows, key=lambda it: it.batch.batch, reverse=True)
    return sorted(rows, key=lambda it: (FIRST.index(it.batch.state), it.since))
