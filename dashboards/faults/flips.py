"""One bit turned over, in the database file or in its write-ahead log."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from core.errors import MesError
from core.ledger.sqlite import SqliteStore
from dashboards.faults.trial import Tally, entries_of, fault_of, fill, is_whole, writing

ENTRIES = 120
WAL_ENTRIES = 40
WAL_HEADER = 32
CHANGED, UNCHANGED, REFUSED = "starts on other entries", "starts, harmless", "refuses to start"


def in_file(rng: Random, scratch: Path, count: int) -> Tally:
    """Turn one bit of the database file, `count` times, each in a fresh copy."""
    tally = Tally(
        "bit flips, database file",
        "entries or the newest checkpoint differ or cannot be read, and no check says so",
        "SQLite's integrity_check alone",
        model="One bit at rest. Kept answers and older checkpoints are not compared.",
    )
    path, anchors = scratch / "ledger.db", scratch / "anchors"
    with writing(SqliteStore(path), anchors) as writer:
        fill(writer, ENTRIES)
    intact, content = path.read_bytes(), _content(path)
    if not is_whole(path) or fault_of(path, anchors) is not None:  # else every flip would be found
        tally.violations += 1
        tally.find("the file is refused before any bit was turned")
    for trial in range(count):
        copy = scratch / f"flip-{trial}.db"
        copy.write_bytes(_flipped(rng, intact, 0))
        tally.trials += 1
        if _content(copy) == content:
            tally.count("harmless")
        else:
            _judge(tally, copy, anchors)
        for left in scratch.glob(f"{copy.name}*"):
            left.unlink()
    return tally


def _judge(tally: Tally, copy: Path, anchors: Path) -> None:
    """Say which check finds a flip that mattered; it counts where it is found first."""
    sees_nothing = is_whole(copy)
    tally.control_trials += 1
    tally.control_violations += sees_nothing
    if fault_of(copy) is not None:
        tally.count("found by the ledger check")
    elif not sees_nothing:
        tally.count("found by integrity_check only")
    elif fault_of(copy, anchors) is not None:
        tally.count("found by the outside anchor only")
    else:
        tally.violations += 1
        tally.find("a flip that no check finds")


def _content(path: Path) -> object:
    query = "select * from checkpoint not indexed order by rowid desc limit 1"
    try:
        with closing(sqlite3.connect(path)) as connection:
            newest = connection.execute(query).fetchall()
        return entries_of(path), newest
    except (sqlite3.Error, UnicodeDecodeError) as fault:
        return str(fault)


def _flipped(rng: Random, blob: bytes, after: int) -> bytes:
    bit = rng.randrange(after * 8, len(blob) * 8)
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def in_wal(rng: Random, scratch: Path, count: int) -> Tally:
    """Turn one bit of the log that SQLite replays at its start, `count` times.

    Each trial has fresh files: an open database would not read the log again.
    """
    tally = Tally(
        "bit flips, WAL",
        "a server starts although committed entries are gone or changed",
        "the same start without the checkpoint outside the database",
        model="One bit at rest, behind the log's header.",
    )
    path, anchors, taken = scratch / "ledger.db", scratch / "anchors", scratch / "taken"
    taken.mkdir()
    with writing(SqliteStore(path), anchors) as writer:
        fill(writer, WAL_ENTRIES)
        shutil.copytree(anchors, taken / "anchors")
        file, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    content = entries_of(path)
    (scratch / "intact").mkdir()
    (scratch / "intact" / "ledger.db").write_bytes(file)
    (scratch / "intact" / "ledger.db-wal").write_bytes(wal)
    if _start(scratch / "intact", content, taken / "anchors") != UNCHANGED:
        tally.violations += 1  # else every flip would be refused
        tally.find("the log is refused before any bit was turned")
    for trial in range(count):
        changed = _flipped(rng, wal, WAL_HEADER)
        for folder in (scratch / f"{trial}", scratch / f"{trial}-control"):
            folder.mkdir()
            (folder / "ledger.db").write_bytes(file)
            (folder / "ledger.db-wal").write_bytes(changed)
        answer = _start(scratch / f"{trial}", content, taken / "anchors")
        without = _start(scratch / f"{trial}-control", content, None)
        tally.violations += answer == CHANGED
        tally.control_violations += without == CHANGED
        tally.count(f"without the anchor: {without}")
        tally.count(f"with the anchor: {answer}")
        shutil.rmtree(scratch / f"{trial}")
        shutil.rmtree(scratch / f"{trial}-control")
    tally.trials = tally.control_trials = count
    return tally


def _start(folder: Path, content: object, anchors: Path | None) -> str:
    """Start the real server on these files; return what it did."""
    if anchors is not None:
        shutil.copytree(anchors, folder / "anchors")
    path = folder / "ledger.db"
    try:
        with writing(SqliteStore(path), None if anchors is None else folder / "anchors"):
            pass
    except MesError:
        return REFUSED
    return UNCHANGED if entries_of(path) == content else CHANGED
