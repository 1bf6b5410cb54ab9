"""Appends of the whole ledger, against the disk, a bare group commit and another event store."""

import hashlib
import statistics
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from core.ledger.checkpoint import LogKey
from core.ledger.entry import canonical
from core.ledger.job import Decision, Draft, Job, NoHooks
from core.ledger.postgres import PostgresStore
from core.ledger.sqlite import SqliteStore
from core.ledger.store import Ledger, Store
from core.ledger.writer import Writer
from dashboards.bench import peers
from dashboards.bench.measure import Append, Measure, in_turns, measured, rate, ratios

KEY = LogKey("bench.batchwright.example/ledger", hashlib.sha256(b"bench").digest())
AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
CALLERS = (8, 32, 128)
WAIT_S = 60
type Say = Callable[[str], None]


@contextmanager
def ledger_append(store: Store, anchors: Path) -> Iterator[Append]:
    """Append with everything the server does: command id, links, tree, signature, anchor."""
    writer, run = Writer(store, KEY, NoHooks(), anchor_dir=anchors), uuid.uuid4().hex

    def append(key: str) -> None:
        drafts = (
            Draft(
                f"batch/{run}-{key.split('.')[0]}", "weighing.weight-recorded", 1,
                {"batch": "B26-0178", "material": "PARACETAMOL", "lot": "L26-0001", "n": key,
                 "container": "C-000123", "net_g": "1000.50", "low_g": "995.00"},
            ),
        )  # fmt: skip
        idem = f"{run}:{uuid.uuid4().hex}"
        digest = hashlib.sha256(canonical(idem)).hexdigest()
        job = Job(idem, digest, "ama", "K1", lambda: AT, lambda view: Decision(drafts))
        writer.carry_out(job, WAIT_S)

    writer.start()
    try:
        yield append
    finally:
        writer.close()
        store.close()


def groups(store: Store) -> tuple[int, int]:
    """Return how many entries are stored, and in how many commits; each commit syncs once."""
    ledger = Ledger(store)
    with store.reading() as connection:
        commits = connection.exec_driver_sql("select count(*) from checkpoint").scalar_one()
    return ledger.size(), int(commits)


def alone(scratch: Path, *, slices: int, each: int) -> tuple[Measure, list[float]]:
    """One caller against the raw disk; also returns the probe's own rates."""
    store = SqliteStore(scratch / "alone.db")
    with ledger_append(store, scratch / "anchors") as ours, peers.raw_probe(scratch) as probe:
        ours("warm.0")
        mine, raw = in_turns(lambda: rate(ours, 1, each), lambda: rate(probe, 1, each), slices)
    return (
        measured(
            "SQLite, one durable append", ratios(mine, raw), unit="of the raw rate",
            against="raw append + fdatasync", at_least=0.9,
            note=f"{each} appends a slice",
        ),
        raw,
    )  # fmt: skip


def together(
    home: str, ours: Store, bare: Store, *, anchors: Path, slices: int, each: int
) -> Iterator[Measure]:
    """Many callers at once: how many entries share a sync, and the rate of a bare group commit."""
    for callers in CALLERS:
        with ledger_append(ours, anchors) as append, peers.bare_group(bare) as peer:
            shared, mine, theirs = _turns(
                ours, append, peer, callers=callers, slices=slices, each=each
            )
        yield measured(
            f"{home}, {callers} callers, entries per sync", shared, unit="entries a commit",
            against="half the callers", at_least=callers / 2,
            note="commits are counted; each syncs the log once",
        )  # fmt: skip
        yield measured(
            f"{home}, {callers} callers, whole ledger", ratios(mine, theirs),
            unit="of the bare rate", against="bare group commit", at_least=0.5,
            note=f"median {statistics.median(mine):.0f} entries/s, here and now",
        )  # fmt: skip


def _turns(
    ours: Store, append: Append, peer: Append, *, callers: int, slices: int, each: int
) -> tuple[list[float], list[float], list[float]]:
    shared: list[float] = []

    def counted() -> float:
        entries, commits = groups(ours)
        found = rate(append, callers, each)
        more, also = groups(ours)
        shared.append((more - entries) / (also - commits))
        return found

    rate(append, callers, 2)  # both are warm before the first turn
    rate(peer, callers, 2)
    mine, theirs = in_turns(counted, lambda: rate(peer, callers, each), slices)
    return shared, mine, theirs


def against_library(
    home: str,
    ours: Store,
    library: Callable[[], AbstractContextManager[Append]],
    *,
    anchors: Path,
    slices: int,
    each: int,
) -> Measure:
    """32 callers against the `eventsourcing` library's recorder."""
    with ledger_append(ours, anchors) as append, library() as peer:
        mine, theirs = in_turns(
            lambda: rate(append, 32, each), lambda: rate(peer, 32, each), slices
        )
    return measured(
        f"{home}, 32 callers, another event store", ratios(mine, theirs), unit="times its rate",
        against="eventsourcing, its recorder", at_least=10 if home == "PostgreSQL" else None,
    )  # fmt: skip


def sqlite_measures(scratch: Path, say: Say, *, slices: int, each: int) -> Iterator[Measure]:
    """Every measure of many callers on SQLite."""
    ours, bare = SqliteStore(scratch / "ours.db"), SqliteStore(scratch / "bare.db")
    anchors = scratch / "ours-anchors"
    yield from together("SQLite", ours, bare, anchors=anchors, slices=slices, each=each)
    try:
        yield against_library(
            "SQLite", ours, lambda: peers.eventsourcing_sqlite(scratch / "library.db"),
            anchors=anchors, slices=slices, each=each,
        )  # fmt: skip
    except ImportError as fault:
        say(f"left out, eventsourcing on SQLite: {fault}")


def postgres_measures(
    url: str, scratch: Path, say: Say, *, slices: int, each: int
) -> Iterator[Measure]:
    """The same on PostgreSQL, in a database that is empty and made for this."""
    ours = PostgresStore(url)
    connection = ours.connect()
    connection.exec_driver_sql("create schema if not exists bare")
    connection.commit()
    connection.close()
    bare = PostgresStore(ours.url.update_query_dict({"options": "-c search_path=bare"}))
    anchors = scratch / "postgres-anchors"
    yield from together("PostgreSQL", ours, bare, anchors=anchors, slices=slices, each=each)
    try:
        yield against_library(
            "PostgreSQL", ours, lambda: peers.eventsourcing_postgres(ours.url, 32),
            anchors=anchors, slices=slices, each=each,
        )  # fmt: skip
    except ImportError as fault:
        say(f"left out, eventsourcing on PostgreSQL: {fault}")
