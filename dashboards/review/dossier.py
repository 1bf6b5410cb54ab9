"""Everything that a review of one batch shows, read from the ledger at one moment. No widgets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.batch.amendment import Amendment, AmendmentState, amended, amendments
from core.batch.reopen import amendment_gates
from core.batch.state import DECIDED, Batch, BatchException, BatchState, StepRun
from core.correction_request import CorrectionRequest
from core.deviation import Deviation, DeviationState
from core.equipment import Equipment
from core.errors import Unknown
from core.execution import Execution
from core.fact import Sketch
from core.ledger.entry import Entry
from core.material import Lot
from core.order import Gate
from core.recipe import Step, StepKind
from core.refusal import Attempt, Refusals
from core.release import RulePassed, release_gates, rules_passed
from core.signature import Seen
from dashboards.entry_words import is_risky

TREND = 20
LOOKED_AT = 200  # batches that a trend is looked for in, the newest first
CLOSED = (*DECIDED, BatchState.REOPENED)  # the batch's own stream is closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A step's value beside its closed limits, in one unit."""

    value: Decimal
    low: Decimal | None
    high: Decimal | None
    target: Decimal | None
    unit: str

    @property
    def within(self) -> bool:
        low_holds = self.low is None or self.low <= self.value
        return low_holds and (self.high is None or self.value <= self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One batch with all that a reviewer looks at; `size` is the ledger's at that moment.

    `batch` reads as its amendments left it; `seen` is the head of its own stream. `gates` are those
    of the open amendment where there is one. `amendment_seen` is the head of that one, else of the
    one that would come next.
    """

    batch: Batch
    seen: Seen
    size: int
    deviations: dict[str, Deviation]
    deviations_seen: dict[str, Seen]
    gates: tuple[Gate, ...]
    passed: tuple[RulePassed, ...]
    attempts: tuple[Attempt, ...]
    entries: tuple[Entry, ...]
    trail: tuple[Entry, ...]
    amendments: tuple[Amendment, ...]
    amendment_seen: Seen
    asked: tuple[CorrectionRequest, ...] = ()

    @property
    def is_decided(self) -> bool:
        return self.batch.state in CLOSED

    @property
    def open_amendment(self) -> Amendment | None:
        last = self.amendments[-1] if self.amendments else None
        return last if last is not None and last.state is AmendmentState.OPEN else None

    @property
    def open_exceptions(self) -> list[BatchException]:
        return [one for one in self.batch.exceptions if one.reviewed_by is None]

    @property
    def open_deviations(self) -> list[Deviation]:
        return [one for one in self.deviations.values() if one.state is DeviationState.OPEN]

    @property
    def classes(self) -> list[tuple[str, int]]:
        """Exceptions by kind, the most frequent first."""
        return Counter(one.kind for one in self.batch.exceptions).most_common()

    @property
    def red(self) -> list[Gate]:
        return [gate for gate in self.gates if not gate.passed]

    @property
    def risky(self) -> list[Entry]:
        return [entry for entry in self.trail if is_risky(entry)]

    @property
    def judged(self) -> int:
        """How many rules were applied: the passed ones and those that exceptions broke."""
        return len(self.passed) + len(self.batch.exceptions)

    def exception(self, name: str) -> BatchException | None:
        return next((one for one in self.batch.exceptions if one.exception == name), None)

    def around(self, seq: int, each_side: int = 4) -> tuple[Entry, ...]:
        """Return the batch's own entries before and after one of them."""
        at = next((n for n, entry in enumerate(self.entries) if entry.seq >= seq), 0)
        return self.entries[max(0, at - each_side) : at + each_side + 1]

    def entry(self, seq: int) -> Entry | None:
        return next((entry for entry in self.trail if entry.seq == seq), None)


def read(execution: Execution, name: str) -> Dossier:
    """Return a batch's dossier as it is now.

    Raises:
        Unknown: there is no such batch.
    """
    size = execution.ledger.size()
    stream = f"batch/{name}"
    seen = execution.seen(stream)
    batch = execution.nouns.get(Batch, name)
    if batch is None:
        raise Unknown("batch", name, "Choose one in the review queue.")
    deviations, heads, trail = {}, {}, []
    for one in batch.deviations:
        heads[one] = execution.seen(f"deviation/{one}")
        found = execution.nouns.get(Deviation, one)
        assert found is not None, one
        deviations[one] = found
        trail.extend(execution.ledger.stream(f"deviation/{one}"))
    found_amendments = amendments(execution.nouns, name)
    for amendment in found_amendments:
        trail.extend(execution.ledger.stream(f"amendment/{amendment.amendment}"))
    asked = [one for one in execution.nouns.all(CorrectionRequest) if one.batch == name]
    for request in asked:
        trail.extend(execution.ledger.stream(f"{CorrectionRequest.KIND}/{request.entry}"))
    refusals = execution.nouns.get(Refusals, stream)
    entries = execution.ledger.stream(stream)
    trail.extend(entries)
    trail.extend(execution.ledger.stream(f"refusal/{stream}"))
    plant = _sketch(execution, batch, deviations, found=found_amendments)
    now = amended(batch, found_amendments)
    opened = next((it for it in found_amendments if it.state is AmendmentState.OPEN), None)
    number = len(found_amendments) + (opened is None)
    gates = release_gates(plant, now) if opened is None else amendment_gates(plant, opened)
    return Dossier(
        batch=now,
        seen=seen,
        size=size,
        deviations=deviations,
        deviations_seen=heads,
        gates=gates,
        passed=rules_passed(batch),
        attempts=refusals.attempts if refusals else (),
        entries=tuple(entries),
        trail=tuple(sorted(trail, key=lambda entry: entry.seq)),
        amendments=found_amendments,
        amendment_seen=execution.seen(f"amendment/{name}.{number}"),
        asked=tuple(sorted(asked, key=lambda one: one.entry)),
    )


def gates_of(
    execution: Execution, batch: Batch, deviations: dict[str, Deviation]
) -> tuple[Gate, ...]:
    """Return a batch's release gates as its deviations at hand and its lots now make them."""
    return release_gates(_sketch(execution, batch, deviations), batch)


def _sketch(
    execution: Execution,
    batch: Batch,
    deviations: dict[str, Deviation],
    *,
    found: Sequence[Amendment] = (),
) -> Sketch:
    """Return the part of the plant that gates look at."""
    states: dict[str, Any] = {f"deviation/{name}": one for name, one in deviations.items()}
    states |= {f"lot/{name}": execution.nouns.get(Lot, name) for name in batch.lots}
    states |= {f"amendment/{one.amendment}": one for one in found}
    states[f"batch/{batch.batch}"] = batch
    return Sketch(states)


def measured(step: Step, run: StepRun | None) -> Measured | None:
    """Return what a step measured, None where it measures nothing or nothing was done yet."""
    if run is None:
        return None
    value: Decimal | None = None
    if step.kind is StepKind.WEIGH:
        value = run.net_g if run.partials else None
    elif step.kind in (StepKind.CHECK, StepKind.YIELD):
        value = next(iter(run.values.values()), None)
    if value is None:
        return None
    return Measured(
        value=value, low=step.low, high=step.high, target=step.target, unit=step.unit or ""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The same step in another batch."""

    batch: str
    measured: Measured
    at: datetime | None


def trend(execution: Execution, batch: Batch, step: str) -> list[Earlier]:
    """Return this step of this and earlier batches of the product, the oldest first."""
    found: list[Earlier] = []
    for row in execution.nouns.rows(Batch.KIND, LOOKED_AT):
        one: Batch = row.state
        if one.content.product != batch.content.product:
            continue
        there = next((it for it in one.content.steps if it.step == step), None)
        run = one.run(step)
        value = measured(there, run) if there else None
        if value is None or run is None:
            continue
        at = run.performed_at or (run.partials[-1].at if run.partials else None)
        found.append(Earlier(batch=one.batch, measured=value, at=at))
    found.sort(key=lambda it: it.batch)
    last = next((n for n, it in enumerate(found) if it.batch == batch.batch), len(found) - 1)
    return found[max(0, last - TREND + 1) : last + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Involved:
    """A lot that the step took from, and the other batches that did."""

    lot: Lot
    others: tuple[str, ...]


def lots_of(execution: Execution, batch: Batch, names: Sequence[str]) -> list[Involved]:
    """Return the named lots with the other batches that used them."""
    found = []
    for name in dict.fromkeys(names):
        lot = execution.nouns.get(Lot, name)
        if lot is not None:
            others = tuple(one for one in lot.used_by if one != batch.batch)
            found.append(Involved(lot=lot, others=others))
    return found


def scale_of(execution: Execution, name: str | None) -> Equipment | None:
    """Return a scale as it is registered now, None where none is named."""
    return None if name is None else execution.nouns.get(Equipment, name)


def age(since: datetime | None, until: datetime) -> str:
    """Return a span in words, as `2 d 4 h`, `3 h 05 min` or `12 min`.

    >>> start = datetime.fromisoformat("2026-03-02T08:00Z")
    >>> age(start, start + timedelta(minutes=185))
    '3 h 05 min'
    """
    if since is None:
        return "–"
    span = max(until - since, timedelta())
    minutes = int(span.total_seconds()) // 60
    if span.days:
        return f"{span.days} d {minutes // 60 % 24} h"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
