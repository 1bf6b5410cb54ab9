"""Appends of the whole ledger, against the disk, a bare group commit and another event store."""

import hashlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from core.command_id import new_command_id
from core.ledger.checkpoint import LogKey
from core.ledger.entry import canonical
from core.ledger.job import Decision, Draft, Job, NoHooks
from core.ledger.postgres import PostgresStore
from core.ledger.sqlite import SqliteStore
from core.ledger.store import Ledger, Store
from core.ledger.writer import Writer
from dashboards.bench import peers
from dashboards.bench.measure import Append, Measure, costed, in_turns, measured, rate, ratios

KEY = LogKey("bench.batchwright.example/ledger", hashlib.sha256(b"bench").digest())
AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
CALLERS = (8, 32, 128)
WAIT_S = 60
type Say = Callable[[str], None]


@contextmanager
def ledger_append(store: Store, anchors: Path) -> Iterator[Append]:
    """Append with everything the server does: command id, links, tree, signature, anchor."""
    writer, run = Writer(store, KEY, NoHooks(), anchor_dir=anchors), token_hex(16)

    def append(key: str) -> None:
        drafts = (
            Draft(
                f"batch/{run}-{key.split('.')[0]}", "weighing.weight-recorded", 1,
                {"batch": "B26-0178", "material": "PARACETAMOL", "lot": "L26-0001", "n": key,
                 "container": "C-000123", "net_g": "1000.50", "low_g": "995.00"},
            ),
        )  # fmt: skip
        idem = new_command_id()  # as every screen makes them
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


def alone(scratch: Path, *, slices: int, each: int, warm: int) -> tuple[list[Measure], list[float]]:
    """One caller against the raw disk, and what no ledger in SQLite can be faster than.

    `warm` appends go before: after some thousand SQLite writes its log over in place, as it does
    in a server that has run for a while. Also returns the probe's own rates.
    """
    store, kept = (SqliteStore(scratch / f"{name}.db") for name in ("alone", "kept-alone"))
    with (
        ledger_append(store, scratch / "anchors") as ours,
        peers.bare_row(scratch / "row.db") as row,
        peers.kept_rows(kept, KEY) as keeper,
        peers.raw_probe(scratch) as probe,
    ):
        for one in (ours, row, keeper):
            rate(one, 1, warm)
        costs: list[list[float]] = [[], [], [], []]
        turns = (
            lambda one=one, cost=cost: costed(one, 1, each, cost_us=cost)
            for one, cost in zip((ours, row, keeper, probe), costs, strict=True)
        )
        mine, rows, least, raw = in_turns(slices, *turns)
    return [
        measured(
            "SQLite, one durable append", ratios(mine, raw), unit="of the raw rate",
            against="raw append + fdatasync", at_least=0.9,
            note=f"{each} appends a slice",
        ),
        measured(
            "bound: one bare row committed", ratios(rows, raw), unit="of the raw rate",
            against="raw append + fdatasync", note="sqlite3 through Python, nothing of ours",
        ),
        measured(
            "bound: rows alone", ratios(least, raw), unit="of the raw rate",
            against="raw append + fdatasync",
            note="entry, receipt and checkpoint rows, the command id looked up, one signature;"
            " nothing decided, linked or hashed, no anchor",
        ),
        _processor("SQLite, one durable append", costs[0], "rows alone", theirs=costs[2]),
    ], raw  # fmt: skip


def _processor(what: str, ours: Sequence[float], peer: str, *, theirs: Sequence[float]) -> Measure:
    return measured(
        f"{what}, processor time", ours, unit="us an entry", against=peer,
        note=f"{peer} {statistics.median(theirs):.0f} us; of this process, whatever else runs",
    )  # fmt: skip


def together(
    home: str, ours: Store, *others: Store, anchors: Path, slices: int, each: int
) -> Iterator[Measure]:
    """Many callers at once: how many entries share a sync, and the rate of a bare group commit.

    `others` are two homes for what it is compared with: for bare rows, and for all of its rows.
    """
    bare, kept = others
    for callers in CALLERS:
        with (
            ledger_append(ours, anchors) as append,
            peers.bare_group(bare) as peer,
            peers.bare_group(kept, KEY) as keeper,
        ):
            shared, costs, (mine, theirs, least) = _turns(
                ours, append, peer, keeper, callers=callers, slices=slices, each=each
            )
        yield measured(
            f"{home}, {callers} callers, entries per sync", shared, unit="entries a commit",
            against="half the callers", at_least=callers / 2,
            note="commits are counted; each syncs the log once",
        )  # fmt: skip
        yield measured(
            f"{home}, {callers} callers, whole ledger", ratios(mine, theirs),
            unit="of the bare rate", against="bare group commit", at_least=0.5,
            note=f"both gather and answer alike; {statistics.median(mine):.0f} entries/s here",
        )  # fmt: skip
        yield measured(
            f"{home}, {callers} callers, bound: rows alone", ratios(least, theirs),
            unit="of the bare rate", against="bare group commit",
            note="entry, receipt and checkpoint rows, command ids looked up, one signature a"
            " commit; nothing decided, linked or hashed",
        )  # fmt: skip
        yield _processor(
            f"{home}, {callers} callers", costs[0], "bare group commit", theirs=costs[1]
        )


def _turns(
    ours: Store, append: Append, *others: Append, callers: int, slices: int, each: int
) -> tuple[list[float], list[list[float]], list[list[float]]]:
    """Return the entries per sync of ours, processor times of all, and the rates of all."""
    shared: list[float] = []
    costs: list[list[float]] = [[] for _ in (append, *others)]

    def counted() -> float:
        entries, commits = groups(ours)
        found = costed(append, callers, each, cost_us=costs[0])
        more, also = groups(ours)
        shared.append((more - entries) / (also - commits))
        return found

    for one in (append, *others):  # all are warm before the first turn
        rate(one, callers, 2)
    turns = (
        lambda one=one, cost=cost: costed(one, callers, each, cost_us=cost)
        for one, cost in zip(others, costs[1:], strict=True)
    )
    return shared, costs, in_turns(slices, counted, *turns)


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
            slices, lambda: rate(append, 32, each), lambda: rate(peer, 32, each)
        )
    return measured(
        f"{home}, 32 callers, another event store", ratios(mine, theirs), unit="times its rate",
        against="eventsourcing, its recorder", at_least=10 if home == "PostgreSQL" else None,
    )  # fmt: skip


def sqlite_measures(scratch: Path, say: Say, *, slices: int, each: int) -> Iterator[Measure]:
    """Every measure of many callers on SQLite."""
    ours, *others = (SqliteStore(scratch / f"{name}.db") for name in ("ours", "bare", "kept"))
    anchors = scratch / "ours-anchors"
    yield from together("SQLite", ours, *others, anchors=anchors, slices=slices, each=each)
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
    for name in ("bare", "kept"):
        connection.exec_driver_sql(f"create schema if not exists {name}")
    connection.commit()
    connection.close()
    others = (
        PostgresStore(ours.url.update_query_dict({"options": f"-c search_path={name}"}))
        for name in ("bare", "kept")
    )
    anchors = scratch / "postgres-anchors"
    yield from together("PostgreSQL", ours, *others, anchors=anchors, slices=slices, each=each)
    try:
        yield against_library(
            "PostgreSQL", ours, lambda: peers.eventsourcing_postgres(ours.url, 32),
            anchors=anchors, slices=slices, each=each,
        )  # fmt: skip
    except ImportError as fault:
        say(f"left out, eventsourcing on PostgreSQL: {fault}")
