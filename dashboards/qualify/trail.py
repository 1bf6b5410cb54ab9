"""OQ of the audit trail: it cannot be changed, what was changed shows, and it has one clock."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from core.ledger.store import open_store
from core.ledger.tables import APPEND_ONLY
from dashboards.qualify.scratch import Scratch
from dashboards.qualify.script import Found, script

DEEDS = {
    "update": "update {table} set {column} = {column}",
    "delete": "delete from {table}",
}
COLUMN = {"entry": "body", "checkpoint": "note", "receipt": "answer", "anchor": "place"}


@contextmanager
def database(plant: Scratch) -> Iterator[Callable[[str], list[Any]]]:
    """Connect beside the server, as an administrator of the host can; nothing is committed."""
    if plant.database is None:
        with closing(sqlite3.connect(plant.data / "ledger.db", timeout=10)) as raw:

            def asked(statement: str) -> list[Any]:
                try:
                    return raw.execute(statement).fetchall()
                finally:
                    raw.rollback()

            yield asked
        return
    store = open_store(plant.database)
    connection = store.connect()
    try:

        def told(statement: str) -> list[Any]:
            try:
                found = connection.exec_driver_sql(statement)
                return list(found.fetchall()) if found.returns_rows else []
            finally:
                connection.rollback()

        yield told
    finally:
        connection.close()
        store.release()
        store.close()


@script(
    "OQ-30",
    "Entries refuse UPDATE and DELETE in the database",
    shows=("H5",),
    clauses=("21 CFR 11.10(e)", "EU Annex 11 (2011) §9"),
    steps=(
        "Connect to the scratch plant's database beside the server.",
        "Try to update and to delete entries, checkpoints, receipts and anchors.",
        "Send one command to the server.",
    ),
    expected="Each of them is refused by the database. The command is recorded: the ledger grows,"
    " and only so.",
)
def append_only(plant: Scratch, found: Found) -> None:
    """Nobody changes the audit trail, not even with the database's own tools."""
    plant.anchored()
    with database(plant) as ask:
        [(before,)] = ask("select count(*) from entry")
        for table in APPEND_ONLY:
            [(rows,)] = ask(f"select count(*) from {table}")
            for deed, statement in DEEDS.items():
                what = f"{deed.upper()} of {table}, {rows} rows"
                try_on = statement.format(table=table, column=COLUMN[table])
                if rows == 0:
                    found.must(False, f"{what}: there is nothing to try it on.")
                    continue
                try:
                    ask(try_on)
                except Exception as no:  # a driver's own error: its sentence is the evidence
                    says = str(getattr(no, "orig", no)).splitlines()[0]
                    found.must("append-only" in says, f"{what}: refused. “{says}”")
                else:
                    found.must(False, f"{what}: was carried out, and must be refused.")
        found.accepted("Record one command", lambda: plant.change_lot("quinn"))
        [(after,)] = ask("select count(*) from entry")
    found.must(after > before, f"The ledger has {after} entries, {before} before.")


@script(
    "OQ-31",
    "A command that is sent twice is recorded once",
    shows=("K2",),
    clauses=("21 CFR 11.10(a)", "EU Annex 11 (2011) §5"),
    steps=(
        "Send one command twice under one idempotency key.",
        "Send another command under the same key.",
    ),
    expected="The second answer is the first one and nothing is added; the other is refused.",
)
def once(plant: Scratch, found: Found) -> None:
    """A kiosk that has to ask again doubles nothing."""
    sana, order = plant.person("sana"), plant.ordered()
    body, key = {"order": order, "room": "B2"}, f"qualification-once-{order}"
    first = found.accepted("Send it", lambda: sana.send("order.dispatch", body, key=key))
    size = len(plant.entries())
    second = found.accepted("Send it again", lambda: sana.send("order.dispatch", body, key=key))
    found.must(
        first.get("first_seq") == second.get("first_seq") and len(plant.entries()) == size,
        f"The same receipt, entry {second.get('first_seq')}; {len(plant.entries()) - size} added.",
    )
    other = {"order": plant.ordered(), "room": "B2"}
    found.refused(
        "Another command under that key",
        lambda: sana.send("order.dispatch", other, key=key),
        by="IdemReused",
    )


@script(
    "OQ-32",
    "A clock that is set leaves an entry",
    shows=("C5", "H5"),
    clauses=("21 CFR 11.10(e)", "EU Annex 11 (2011) §12.4"),
    steps=(
        "Let an hour pass; send a command.",
        "Set the server's clock back by an hour; send a command.",
        "Set it right again; send a command.",
    ),
    expected="Time that passes leaves no entry of a step; each setting leaves one, with its size.",
)
def clock_step(plant: Scratch, found: Found) -> None:
    """Nobody sets the clock of the records unseen."""

    def steps(act: Callable[[], None]) -> list[int]:
        before = len(plant.entries("clock.stepped"))
        act()
        plant.change_lot("quinn")
        return [one.data["by_ms"] for one in plant.entries("clock.stepped")[before:]]

    plant.change_lot("quinn")
    passed = steps(lambda: plant.clock.pass_time(hours=1))
    found.must(not passed, f"After an hour: {len(passed)} entries of a step.")
    for by, what in ((-1, "back"), (1, "forward")):
        seen = steps(lambda by=by: plant.clock.set_by(hours=by))  # type: ignore[misc]
        found.must(
            len(seen) == 1 and abs(seen[0] - by * 3_600_000) < 5_000,
            f"Set {what} by an hour: {len(seen)} entry, {', '.join(map(str, seen))} ms.",
            otherwise=f"Set {what} by an hour: must leave one entry, and left {seen}.",
        )
