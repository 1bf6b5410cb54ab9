"""`batchwright bench erp`: what the relay adds to the ERP's own time, and how a backlog drains.

Both sides post the same kind of messages to the same sandbox ERP over real HTTP, in turns: once
straight, as fast as the ERP takes them, once through ledger, outbox and relay. Each turn has a
ledger and orders of its own.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core.clock import now
from core.ledger.store import open_ledger
from dashboards.bench.measure import in_turns, is_noisy, machine, measured, ratios
from erp import evidence
from erp.derive import Deriver
from erp.drill.plan import erp_seed, write_ledger
from erp.drill.run import Peers, sandbox
from erp.judging import posting_of
from erp.messages import Site
from erp.outbox import Outbox
from erp.port import Posted
from erp.relay import Relay
from erp.rows import Row, State

WORKERS = 4  # as the relay has by default
SITE = Site(plant="bench", zone=ZoneInfo("UTC"))


class Size(NamedTuple):
    """How much is measured."""

    slices: int
    each: int
    backlog: int


FULL = Size(slices=5, each=1000, backlog=10_000)
QUICK = Size(slices=2, each=200, backlog=400)


def bench(say: Callable[[str], None], *, size: Size) -> dict[str, Any]:
    """Measure, say each figure, and return the report."""
    turns = 2 * size.slices
    with tempfile.TemporaryDirectory(prefix="batchwright-bench-") as name:
        folder = Path(name)
        ledgers = [folder / f"turn-{n}" for n in range(turns)] + [folder / "backlog"]
        counts = [size.each] * turns + [size.backlog]
        orders: list[str] = []
        for ledger, count in zip(ledgers, counts, strict=True):
            ledger.mkdir()
            orders += write_ledger(ledger, count, first=100_000 + len(orders))
        with sandbox(folder, erp_seed(orders)) as peers:
            todo = iter(ledgers)
            straight, relayed = in_turns(
                lambda: _straight(next(todo), peers),
                lambda: _relayed(next(todo), peers),
                size.slices,
            )
            drained = _relayed(next(todo), peers)
    added = [(ratio - 1) * 100 for ratio in ratios(straight, relayed)]
    found = [
        measured(
            "relay's overhead over the ERP's own time", added, unit="%",
            against="the same messages posted straight, same run", at_most=10,
        ),
        measured(
            f"backlog of {size.backlog} messages", [drained], unit="messages/s",
            against="the ERP straight: " + ", ".join(f"{one:.0f}" for one in straight),
        ),
        measured(
            "minutes to drain 10,000 messages", [10_000 / drained / 60], unit="min",
            against="features.md K7", at_most=10,
        ),
    ]  # fmt: skip
    for one in found:
        say(one.line())
    return {
        "machine": machine(),
        "noisy": is_noisy(straight),
        "measures": [one.as_json() for one in found],
    }


def _made(folder: Path) -> tuple[Outbox, list[Row]]:
    """Return an outbox with every message of a ledger, and the messages."""
    outbox, ledger = Outbox(f"sqlite:///{folder / 'outbox.db'}"), open_ledger(folder / "ledger.db")
    derive = Deriver(ledger, outbox, SITE, erp_order=lambda _: None, checkpoint=lambda: None)
    derive.derive(now())
    ledger.close()
    return outbox, evidence.messages(outbox)


def _straight(folder: Path, peers: Peers) -> float:
    """Return messages per second of the ERP alone: signed and posted, nothing stored."""
    outbox, rows = _made(folder)
    outbox.close()
    lanes: dict[str, list[Row]] = {}
    for row in rows:
        lanes.setdefault(row.lane, []).append(row)
    port = peers.port()

    def post(lane: list[Row]) -> None:
        for row in lane:
            outcome = port.post(posting_of(row))
            assert isinstance(outcome, Posted), outcome

    with ThreadPoolExecutor(WORKERS) as pool:
        start = time.perf_counter()
        list(pool.map(post, lanes.values()))
        seconds = time.perf_counter() - start
    port.close()
    return len(rows) / seconds


def _relayed(folder: Path, peers: Peers) -> float:
    """Return messages per second from the ledger's entry to the receipt kept on disk."""
    outbox, ledger = Outbox(f"sqlite:///{folder / 'outbox.db'}"), open_ledger(folder / "ledger.db")
    port = peers.port()
    relay = Relay(ledger, outbox, port, site=SITE, poll_s=0.05, workers=WORKERS)
    count = ledger.size()
    start = time.perf_counter()
    relay.start()
    while evidence.counts(outbox).get(State.DONE, 0) < count:
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    relay.stop()
    for one in (port, outbox, ledger):
        one.close()
    return count / seconds
