"""Logs changed by somebody who may write the database, three powers of them.

`sql` changes rows; `relinked` also computes numbers, links and hashes again; `with the key` also
signs a checkpoint over the result. A roll-back puts a genuine older copy in place.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from core.ledger.anchor import AnchorFolder
from core.ledger.checkpoint import sign
from core.ledger.entry import canonical
from core.ledger.merkle import Range, leaf_hash
from core.ledger.sqlite import SqliteStore
from core.ledger.tables import EntryRow
from dashboards.faults.trial import KEY, Tally, entries_of, fault_of, fill, writing

ENTRIES, EARLIER, STREAMS = 120, 60, 7
POWERS = ("sql", "relinked", "with the key")
type Attack = Callable[[Random, list[EntryRow]], list[EntryRow]]


def _edited(row: EntryRow, **changes: Any) -> EntryRow:
    return row._replace(body=canonical({**json.loads(row.body), **changes}))


def modify(rng: Random, rows: list[EntryRow]) -> list[EntryRow]:
    """Change a weight."""
    place = rng.randrange(len(rows))
    rows[place] = _edited(rows[place], data={"net_g": f"{rng.randrange(1000)}.00"})
    return rows


def backdate(rng: Random, rows: list[EntryRow]) -> list[EntryRow]:
    """Change when it was."""
    place = rng.randrange(len(rows))
    rows[place] = _edited(rows[place], at="2026-03-01T08:15:00.000000Z")
    return rows


def delete_middle(rng: Random, rows: list[EntryRow]) -> list[EntryRow]:
    """Take one entry out."""
    del rows[rng.randrange(len(rows) - 1)]
    return rows


def delete_tail(rng: Random, rows: list[EntryRow]) -> list[EntryRow]:
    """Take the last entries off."""
    return rows[: -rng.randrange(1, 10)]


def insert(rng: Random, rows: list[EntryRow]) -> list[EntryRow]:
    """Put one more entry between two others: behind the last it would be a new entry."""
    copied = rng.choice(rows)
    ver = max(row.ver for row in rows if row.stream == copied.stream) + 1
    added = copied._replace(seq=len(rows) + 1, ver=ver)
    rows.insert(rng.randrange(len(rows)), added)
    return rows


def swap(rng: Random, rows: list[EntryRow]) -> list[EntryRow]:
    """Exchange two entries of one stream."""
    place = rng.randrange(len(rows) - STREAMS)
    first, second = rows[place], rows[place + STREAMS]
    rows[place] = first._replace(body=second.body)
    rows[place + STREAMS] = second._replace(body=first.body)
    return rows


ATTACKS: tuple[Attack, ...] = (modify, backdate, delete_middle, delete_tail, insert, swap)


def relinked(rows: Sequence[EntryRow]) -> list[EntryRow]:
    """Return the rows with numbers, links and hashes that fit each other."""
    heads: dict[str, tuple[int, str | None]] = {}
    found = []
    for seq, row in enumerate(rows, 1):
        ver, prev = heads.get(row.stream, (0, None))
        body = _edited(row, seq=seq, ver=ver + 1, prev=prev).body
        leaf = leaf_hash(body)
        heads[row.stream] = (ver + 1, leaf.hex())
        found.append(row._replace(seq=seq, ver=ver + 1, body=body, leaf=leaf))
    return found


def put(path: Path, rows: Sequence[EntryRow], *, signs: bool) -> str:
    """Store the rows in place of what is there; return the newest note."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma synchronous=off")
        for (name,) in connection.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            connection.execute(f"drop trigger {name}")
        connection.execute("delete from entry")
        connection.executemany("insert into entry values (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("delete from checkpoint where size > ?", (len(rows),))
        if signs:
            tree = Range()
            for row in rows:
                tree.add(row.leaf)
            connection.execute("delete from checkpoint")
            newest = sign(KEY, tree.size, tree.root())
            connection.execute("insert into checkpoint values (?, ?, ?)", newest)
        connection.commit()
        [note] = connection.execute(
            "select note from checkpoint order by size desc limit 1"
        ).fetchone()
    return str(note)


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Tamper with `count` logs; roll a ninth of that back, and leave five ninths intact."""
    tally = Tally(
        "tampered logs",
        "a changed log that the check with the outside anchor takes, or an intact one it refuses",
        "the check without the outside anchor, against the holder of the key and roll-backs",
        model="The outside anchor is of the last entry; what comes after it is unprotected.",
    )
    path, older, anchors = scratch / "ledger.db", scratch / "older.db", scratch / "anchors"
    with writing(SqliteStore(path)) as writer:
        fill(writer, EARLIER, streams=STREAMS)
    shutil.copyfile(path, older)
    with writing(SqliteStore(path), anchors) as writer:
        fill(writer, ENTRIES, streams=STREAMS)  # the first ones again: answered, not appended
    rows = [EntryRow(*row) for row in entries_of(path)]
    if fault_of(path, anchors) is not None:  # else every attack would seem to be seen
        tally.violations += 1
        tally.find("the log is refused before anybody changed it")
    copy = scratch / "copy.db"
    for trial in range(count):
        attack, power = ATTACKS[trial % 6], POWERS[trial // 6 % 3]
        shutil.copyfile(path, copy)
        changed = attack(rng, list(rows))
        put(copy, changed if power == "sql" else relinked(changed), signs=power == POWERS[2])
        _judge(tally, copy, anchors, is_control=power == POWERS[2])
        tally.count(power)
    for _ in range(max(1, count // 18)):
        shutil.copyfile(path, copy)
        replace(copy, rng.choice(rows))
        _judge(tally, copy, anchors, is_control=False)
        tally.count("INSERT OR REPLACE")
    for _ in range(max(1, count // 9)):
        shutil.copyfile(older, copy)
        _judge(tally, copy, anchors, is_control=True)
        tally.count("rolled back")
    for _ in range(count * 5 // 9):
        shutil.copyfile(path, copy)
        _intact(rng, tally, copy, rows=rows)
    return tally


def replace(path: Path, row: EntryRow) -> None:
    """Write over a row without deleting it: the triggers do not fire on a foreign connection."""
    changed = row._replace(body=_edited(row, actor="nobody").body)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("insert or replace into entry values (?, ?, ?, ?, ?, ?, ?)", changed)
        connection.commit()


def _judge(tally: Tally, copy: Path, anchors: Path, *, is_control: bool) -> None:
    tally.trials += 1
    if fault_of(copy, anchors) is None:
        tally.violations += 1
    if is_control:
        tally.control_trials += 1
        tally.control_violations += fault_of(copy) is None
    _clean(copy)


def _intact(rng: Random, tally: Tally, copy: Path, *, rows: list[EntryRow]) -> None:
    """A log of other weights, written as it should be, must raise no alarm."""
    own = AnchorFolder(copy.with_name("own"))
    note = put(
        copy,
        relinked([_edited(row, data={"net_g": f"{rng.randrange(10**6)}.5"}) for row in rows]),
        signs=True,
    )
    (own.folder / "newest.note").write_bytes(note.encode())
    tally.count("intact")
    if fault_of(copy, own.folder) is not None:
        tally.count("false alarms")
        tally.violations += 1
    _clean(copy)


def _clean(copy: Path) -> None:
    for left in copy.parent.glob(f"{copy.name}*"):
        left.unlink()
