"""The demo's report: figures read back from the ledger, the ERP and DuckDB, not from the crew."""

import time
from collections import Counter
from datetime import datetime
from fractions import Fraction
from typing import Any

from analytics.oee import oee
from analytics.projector import Projector
from core.clock import iso, micros, now
from core.ledger.store import Ledger
from dashboards.compose import Plant
from erp import evidence
from erp.rows import State


def counted(ledger: Ledger, upto: int) -> Counter[str]:
    """Return how many of a ledger's first entries are of each type."""
    types: Counter[str] = Counter()
    after = 0
    while after < upto and (page := ledger.entries(after, min(5000, upto - after))):
        types.update(entry.type for entry in page)
        after = page[-1].seq
    return types


def drained(plant: Plant, *, patience_s: float) -> bool:
    """Wait until every message has its receipt; return whether that came true in time."""
    boundary = plant.boundary
    if boundary is None:
        return True
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        boundary.relay.wake()
        counts = evidence.counts(boundary.outbox)
        waiting = sum(count for state, count in counts.items() if state in WAITING)
        if not waiting and boundary.relay.status().upto_seq >= plant.execution.ledger.size():
            return True
        time.sleep(0.3)
    return False


WAITING = (State.PENDING, State.SENDING, State.UNKNOWN, State.ACCEPTED)


def report(
    plant: Plant, readers: dict[str, Any], *, since: datetime, patience_s: float
) -> dict[str, Any]:
    """Return what the plant did, once the ERP had time to answer.

    The ledger goes on growing meanwhile, so every count of entries is as of one checkpoint; OEE is
    of the days from `since` on.
    """
    drained(plant, patience_s=patience_s)
    ledger = plant.execution.ledger
    checkpoint = ledger.checkpoint()
    size = 0 if checkpoint is None else checkpoint.size
    types = counted(ledger, size)
    return {
        "made_at": iso(now()),
        "entries": size,
        "checkpoint": None
        if checkpoint is None
        else {"size": checkpoint.size, "root": checkpoint.root.hex()},
        "orders": types["work-order.received"],
        "batches": types["batch.created"],
        "batches_released": types["batch.released"],
        "weighings": types["weighing.weight-recorded"],
        "deviations": {
            "raised": types["deviation.opened"],
            "dispositioned": types["deviation.dispositioned"],
        },
        "refusals": types["attempt.refused"],
        "signatures": types["signature.applied"],
        "erp": _erp(plant),
        "reconciliation": _reconciliation(readers),
        "oee": _oee(plant, readers, since),
    }


def _erp(plant: Plant) -> dict[str, int]:
    if plant.boundary is None:
        return {"messages": 0, "receipted": 0, "dead": 0}
    counts = evidence.counts(plant.boundary.outbox)
    return {
        "messages": sum(counts.values()),
        "receipted": counts.get(State.DONE, 0),
        "dead": counts.get(State.DEAD, 0),
    }


def _reconciliation(readers: dict[str, Any]) -> dict[str, int]:
    """Return how many rows of the three-way match each class has; classes without rows are out."""
    reader = readers.get("reconcile")
    if reader is None:
        return {}
    return {name: count for name, count in reader.read().counts.items() if count}


def _oee(
    plant: Plant, readers: dict[str, Any], since: datetime
) -> dict[str, dict[str, str | None]]:
    """Return each line's ratios as decimal text; None where a figure is unknown."""
    projector: Projector = readers["analytics"]
    projector.wait_for(plant.execution.ledger.size())
    first, last = (plant.calendar.business_date(micros(at)) for at in (since, now()))
    with projector.reader() as reader:
        rows = oee(reader, by=("line",), from_date=first, to_date=last)
    return {
        str(row.line): {
            "availability": _text(row.availability),
            "performance": _text(row.performance),
            "quality": _text(row.quality),
            "oee": _text(row.oee),
            "coverage": _text(row.coverage),
        }
        for row in rows
    }


def _text(ratio: Fraction | None) -> str | None:
    return None if ratio is None else f"{float(ratio):.4f}"
