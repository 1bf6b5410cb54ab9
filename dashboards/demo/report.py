"""The demo's report: figures read back from the ledger, the ERP and DuckDB, not from the crew."""

import time
from collections import Counter
from fractions import Fraction
from typing import Any

from analytics.oee import oee
from analytics.projector import Projector
from core.clock import iso, now
from core.ledger.store import Ledger
from dashboards.compose import Plant
from dashboards.finance.matching import by_class
from erp import evidence
from erp.rows import State


def counted(ledger: Ledger) -> Counter[str]:
    """Return how many entries of each type the ledger holds."""
    types: Counter[str] = Counter()
    after = 0
    while page := ledger.entries(after, 5000):
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


def report(plant: Plant, readers: dict[str, Any], *, patience_s: float) -> dict[str, Any]:
    """Return what the plant did, once the ERP had time to answer."""
    drained(plant, patience_s=patience_s)
    ledger = plant.execution.ledger
    types = counted(ledger)
    checkpoint = ledger.checkpoint()
    return {
        "made_at": iso(now()),
        "entries": ledger.size(),
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
        "oee": _oee(plant, readers),
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
    found = by_class(reader.read().rows)
    return {name: count for name, count in found.items() if count}


def _oee(plant: Plant, readers: dict[str, Any]) -> dict[str, dict[str, str | None]]:
    """Return today's ratios of each line as decimal text; None where a figure is unknown."""
    projector: Projector = readers["analytics"]
    projector.wait_for(plant.execution.ledger.size())
    today = now().astimezone(plant.zone).date()
    with projector.reader() as reader:
        rows = oee(reader, by=("line",), from_date=today, to_date=today)
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
