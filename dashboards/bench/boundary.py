"""`batchwright bench erp`: what the relay adds to the ERP's own time, how a backlog drains, and how
long the match of a million postings takes.

All sides post the same kind of messages to the same sandbox ERP over real HTTP, in turns and with
as many calls at a time: once straight, by a bare httpx client that posts bytes made beforehand,
signs them as the ERP asks and keeps and checks nothing; once so, but with no more than what any
sender must keep to lose and double nothing, a mark on the disk before each call and the answer
after it; and once through ledger, outbox and relay, from the entry read to the receipt checked and
kept. Each turn has a ledger and orders of its own.
"""

import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core.clock import now
from core.ledger.store import open_ledger
from dashboards.bench import matching
from dashboards.bench.measure import Measure, is_noisy, machine, measured, ratios
from erp import evidence
from erp.derive import Deriver
from erp.drill.bare import BareSender
from erp.drill.plan import erp_seed, write_ledger
from erp.drill.run import Peers, sandbox
from erp.messages import Site
from erp.outbox import Outbox
from erp.relay import Relay
from erp.rows import Row
from erp.signing import Keys

WORKERS = 4  # as the relay has by default
SITE = Site(plant="bench", zone=ZoneInfo("UTC"))


class Size(NamedTuple):
    """How much is measured."""

    slices: int
    each: int
    backlog: int
    rows: int


FULL = Size(slices=11, each=500, backlog=10_000, rows=1_000_000)
QUICK = Size(slices=2, each=200, backlog=400, rows=20_000)


class Turn(NamedTuple):
    """One turn: messages a second, and for each this program's processor time and its commits."""

    rate: float
    cpu_ms: float
    commits: float = 0.0


def bench(say: Callable[[str], None], *, size: Size) -> dict[str, Any]:
    """Measure, say each figure, and return the report."""
    ways = (_straight, _kept, _relayed)
    turns = len(ways) * size.slices
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
            found = [[way(next(todo), peers) for way in ways] for _ in range(size.slices)]
            drained = _relayed(next(todo), peers)
    straight, kept, relayed = zip(*found, strict=True)
    measures = _measures(straight, kept, relayed, drained=drained.rate, backlog=size.backlog)
    for one in measures:
        say(one.line())
    for one in matching.measures(size.rows):
        measures.append(one)
        say(one.line())
    return {
        "machine": machine(),
        "noisy": is_noisy([one.rate for one in straight]),
        "measures": [one.as_json() for one in measures],
    }


def _measures(
    straight: Sequence[Turn],
    kept: Sequence[Turn],
    relayed: Sequence[Turn],
    *,
    drained: float,
    backlog: int,
) -> list[Measure]:
    alone = [one.rate for one in straight]

    def added(turns: Sequence[Turn]) -> list[float]:
        return [(ratio - 1) * 100 for ratio in ratios(alone, [one.rate for one in turns])]

    return [
        measured(
            "relay's overhead over the ERP's own time", added(relayed), unit="%",
            against="the same messages posted by a bare httpx client, same run", at_most=10,
            note="bare: bytes made beforehand, signed; nothing kept, no receipt checked",
        ),
        measured(
            "bound: two bare commits a message and nothing else", added(kept), unit="%",
            against="the same messages posted by a bare httpx client, same run",
            note="that client, a mark before each call, its answer after it, one SQLite file",
        ),
        measured(
            "relay's whole processor time a message", [one.cpu_ms for one in relayed], unit="ms",
            against="the bare client alone: "
            f"{statistics.median(one.cpu_ms for one in straight):.2f} ms",
            note="from the entry read to the receipt kept, HTTP and all",
        ),
        measured(
            "relay's waits for the disk a message", [one.commits for one in relayed],
            unit="commits", against="two, where every mark is a commit of its own",
        ),
        measured(
            f"backlog of {backlog} messages", [drained], unit="messages/s",
            against="the ERP straight: " + ", ".join(f"{one:.0f}" for one in alone),
        ),
        measured(
            "minutes to drain 10,000 messages", [10_000 / drained / 60], unit="min",
            against="features.md K7", at_most=10,
        ),
    ]  # fmt: skip


def _made(folder: Path) -> tuple[Outbox, list[Row]]:
    """Return an outbox with every message of a ledger, and the messages."""
    outbox, ledger = Outbox(f"sqlite:///{folder / 'outbox.db'}"), open_ledger(folder / "ledger.db")
    derive = Deriver(ledger, outbox, SITE, erp_order=lambda _: None, checkpoint=lambda: None)
    derive.derive(now())
    ledger.close()
    return outbox, evidence.messages(outbox)


def _straight(folder: Path, peers: Peers) -> Turn:
    """The ERP alone: signed and posted, nothing kept and nothing checked."""
    return _posted(folder, peers, lambda _: None)


def _kept(folder: Path, peers: Peers) -> Turn:
    """The floor of every sender that a crash may not confuse: two commits a message."""
    made = sqlite3.connect(folder / "kept.db", isolation_level=None, check_same_thread=False)
    for statement in ("pragma journal_mode=wal", "pragma synchronous=full",
                      "create table kept(id text, state text, answer blob)"):  # fmt: skip
        made.execute(statement)
    lock = threading.Lock()

    def keep(values: tuple[str, str, bytes | None]) -> None:
        with lock:
            made.execute("insert into kept values (?, ?, ?)", values)

    found = _posted(folder, peers, keep)
    made.close()
    return found


def _posted(
    folder: Path, peers: Peers, keep: Callable[[tuple[str, str, bytes | None]], None]
) -> Turn:
    outbox, rows = _made(folder)
    outbox.close()
    lanes: dict[str, list[Row]] = {}
    for row in rows:
        lanes.setdefault(row.lane, []).append(row)
    sender = BareSender(peers.address, Keys.of([peers.send]))

    def post(lane: list[Row]) -> None:
        for row in lane:
            keep((row.event_id, "sending", None))
            keep((row.event_id, "done", sender.post(row)))

    with ThreadPoolExecutor(WORKERS) as pool:
        start, cpu = time.perf_counter(), time.process_time()
        list(pool.map(post, lanes.values()))
        turn = _turn(len(rows), start, cpu)
    sender.close()
    return turn


def _relayed(folder: Path, peers: Peers) -> Turn:
    """The relay, from the ledger's entry to the receipt kept on disk."""
    outbox, ledger = Outbox(f"sqlite:///{folder / 'outbox.db'}"), open_ledger(folder / "ledger.db")
    port = peers.port()
    relay = Relay(ledger, outbox, port, site=SITE, workers=WORKERS)
    count = ledger.size()
    # Who looks costs time as well, so it looks past the outbox, and at one row.
    watch = sqlite3.connect(folder / "outbox.db", isolation_level=None)
    newest = "select coalesce(max(id), 0) from erp_receipt"
    start, cpu = time.perf_counter(), time.process_time()
    relay.start()
    while watch.execute(newest).fetchone()[0] < count:
        time.sleep(0.01)
    turn = _turn(count, start, cpu, commits=outbox.commits)
    relay.stop()
    for one in (watch, port, outbox, ledger):
        one.close()
    return turn


def _turn(count: int, start: float, cpu: float, *, commits: int = 0) -> Turn:
    seconds = time.perf_counter() - start
    cpu_ms = (time.process_time() - cpu) * 1000 / count
    return Turn(count / seconds, cpu_ms, commits / count)
