"""What a drill sends: orders with their facts on a real ledger, and an ERP that knows them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.clock import now
from core.ledger.checkpoint import LogKey
from core.ledger.job import NoHooks
from core.ledger.store import open_store
from core.ledger.writer import Decision, Draft, Job, Writer

PER_ORDER = 20
SEED: dict[str, Any] = {
    "items": [
        {"code": "LAC", "name": "Lactose", "unit": "KGM", "gtin": None, "standard_cost": "4.20"},
        {"code": "TAB", "name": "Tablets", "unit": "C62", "gtin": None, "standard_cost": "0.03"},
    ],
    "boms": [
        {"product": "TAB", "quantity": "1000", "unit": "C62",
         "lines": [{"item": "LAC", "quantity": "0.12", "unit": "KGM"}]},
    ],
    "customers": [],
    "lots": [{"item": "LAC", "lot": "L-1", "quantity": "1000000", "unit": "KGM"}],
}  # fmt: skip


def erp_seed(orders: Sequence[str]) -> dict[str, Any]:
    """Return the sandbox's data with these orders released."""
    blank = {"product": "TAB", "quantity": "1000", "unit": "C62", "due_at": None}
    listed = [{"id": n, "priority": None, "customer": None, **blank} for n in orders]
    return {**SEED, "orders": listed}


def _drafts(order: str, count: int) -> tuple[Draft, ...]:
    """Return the first `count` facts of an order's story, from its start to its completion."""
    about: dict[str, Any] = {"order": f"W{order}", "erp_order": order, "batch": f"B{order}"}
    goods: dict[str, Any] = {"product": "TAB", "quantity": "1000", "unit": "EA"}
    ends = [
        ("batch.released", goods),
        ("material.produced", {**goods, "lot": f"B{order}"}),
        ("work-order.completed", {"quantity": "1000", "unit": "EA"}),
    ]
    story: list[tuple[str, dict[str, Any]]] = [("work-order.started", {"work_center": "B1"})]
    for n in range(max(0, count - len(ends) - 1)):
        net = {"material": "LAC", "lot": "L-1", "net_g": f"{100 + n}.5"}
        story.append(("material.consumed", net))
    story += ends
    return tuple(
        Draft(stream=f"batch/B{order}", type=kind, v=1, data={**about, **data})
        for kind, data in story[:count]
    )


def write_ledger(folder: Path, messages: int, *, first: int = 100_000) -> list[str]:
    """Write a ledger whose facts become so many messages, and return its orders from `first` on."""
    key = LogKey("drill.batchwright.example/ledger", hashlib.sha256(b"drill").digest())
    writer = Writer(open_store(folder / "ledger.db"), key, NoHooks())
    writer.start()
    orders, waiting = [], []
    try:
        for n in range((messages + PER_ORDER - 1) // PER_ORDER):
            order = str(first + n)
            orders.append(order)
            drafts = _drafts(order, min(PER_ORDER, messages - n * PER_ORDER))
            waiting.append(writer.submit(_job(order, drafts)))
        for future in waiting:
            future.result(60)
    finally:
        writer.close()
        writer.store.close()
    return orders


def _job(order: str, drafts: tuple[Draft, ...]) -> Job:
    return Job(
        idem=f"drill-{order}",
        request_sha256=hashlib.sha256(order.encode()).hexdigest(),
        actor="service:drill",
        station=None,
        at=now,
        decide=lambda _: Decision(drafts),
    )
