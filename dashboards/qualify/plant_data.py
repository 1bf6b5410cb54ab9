"""IQ of a plant's data, read only: settings of its database, guards, entries, schemas, keys, room.

A running server is not disturbed: its database is opened for reading alone, as backups and exports
do, and no lock of it is taken.
"""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.catalogue import NOUNS
from core.clock_step import ClockSteps
from core.ledger.anchor import AnchorFolder
from core.ledger.audit import audit, check_anchors, check_outside
from core.ledger.checkpoint import load_key
from core.ledger.entry import canonical
from core.ledger.postgres import SETTINGS, UNCHECKED, has_checksums
from core.ledger.rotation import as_recorded, read_verifier
from core.ledger.sqlite import PRAGMAS, SqliteStore
from core.ledger.store import Ledger, open_ledger
from core.ledger.tables import APPEND_ONLY, StoreUnsafe
from core.migrations.folder import numbers
from core.projections.nouns import Nouns, differences
from dashboards.api import public
from dashboards.qualify.machine import Install
from dashboards.qualify.script import Found, Script, script

ROOM = 1 << 30  # bytes that are to be free beside one more copy of the plant's data
PUBLIC_KEYS = ("log.vkey", "keys.txt", ".pem")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
# what a plant has put in force, by the kind of its noun
RULES = ("plant", "signing-gates", "severity", "recipe")


@contextmanager
def ledger_of(it: Install) -> Iterator[Ledger]:
    """Open the plant's ledger for reading."""
    ledger = open_ledger(it.store or it.data / "ledger.db")
    try:
        yield ledger
    finally:
        ledger.close()


@script(
    "IQ-10",
    "The plant's database keeps what it was given",
    shows=("H5", "P2"),
    clauses=("21 CFR 11.10(c)", "21 CFR 11.10(e)", "EU Annex 11 (2011) §7.1"),
    steps=(
        "Read from the plant's database how it writes.",
        "Read its triggers that refuse UPDATE and DELETE.",
    ),
    expected="SQLite writes ahead (WAL); PostgreSQL has fsync, full page writes and synchronous"
    " commit on, and whether it has checksums is noted. Each table of records has both triggers.",
)
def durability(it: Install, found: Found) -> None:
    """A record that was answered is on the disk, and stays as it is."""
    with ledger_of(it) as ledger, ledger.store.reading() as connection:

        def ask(statement: str) -> list[Any]:
            return list(connection.exec_driver_sql(statement).fetchall())

        if it.store is None:
            [(mode,)] = ask("pragma journal_mode")
            found.must(mode == "wal", f"journal_mode is {mode}, must be wal.")
            names = {name for (name,) in ask("select name from sqlite_master where type='trigger'")}
            made = {
                (t, d) for t in APPEND_ONLY for d in ("update", "delete") if f"{t}_no_{d}" in names
            }
        else:
            for name, wanted in SETTINGS.items():
                [(value,)] = ask(f"show {name}")
                found.must(value in wanted, f"{name} is {value}, must be {' or '.join(wanted)}.")
            found.note(
                "data_checksums is on." if has_checksums(connection) else f"To note: {UNCHECKED}."
            )
            rows = ask(
                "select event_object_table, event_manipulation from information_schema.triggers"
            )
            made = {(table, deed.lower()) for table, deed in rows}
    for table in APPEND_ONLY:
        lacking = [deed for deed in ("update", "delete") if (table, deed) not in made]
        found.must(
            not lacking,
            f"{table}: UPDATE and DELETE are refused by triggers.",
            otherwise=f"{table}: no trigger refuses {' and '.join(lacking).upper()}.",
        )


@script(
    "IQ-11",
    "The server asserts its settings, and lets no second one in",
    shows=("H5", "P2"),
    clauses=("EU Annex 11 (2011) §7.1",),
    steps=(
        "Open a new SQLite ledger as the server does, and read each setting back.",
        "Open the same one a second time, for writing.",
    ),
    expected="Each setting is in force, synchronous=FULL among them; the second is refused.",
)
def asserted(_: Install, found: Found) -> None:
    """The settings that durability rests on are in force on this machine's disk."""
    with tempfile.TemporaryDirectory(prefix="batchwright-qualify-") as folder:
        path = Path(folder) / "ledger.db"
        store, second = SqliteStore(path), SqliteStore(path)
        connection = store.connect()
        try:
            for pragma, wanted in PRAGMAS.items():
                value = connection.exec_driver_sql(f"pragma {pragma}").scalar_one()
                found.must(value == wanted, f"{pragma} is {value}, must be {wanted}.")
            found.must(PRAGMAS["synchronous"] == 2, "The server asks for synchronous=2, FULL.")
            try:
                second.connect().close()
            except StoreUnsafe as no:
                found.note(f"A second server: refused. “{no}”")
            else:
                found.must(False, "A second server was let in, and must be refused.")
        finally:
            connection.close()
            for one in (store, second):
                one.release()
                one.close()


@script(
    "IQ-12",
    "Every entry holds",
    shows=("H5", "H8"),
    clauses=("21 CFR 11.10(a)", "21 CFR 11.10(c)"),
    steps=(
        "Read the whole ledger: each entry's hash, each stream's links, the signed checkpoint.",
        "Compare it with the checkpoints that places outside hold.",
        "Compare the states that screens show with the entries.",
    ),
    expected="All agree.",
)
def entries_hold(it: Install, found: Found) -> None:
    """What this installation serves is what was recorded."""
    with ledger_of(it) as ledger:
        verifier = as_recorded(read_verifier(it.data / "keys"), ledger)
        checkpoint = audit(ledger, verifier)
        if not found.must(checkpoint is not None, "The ledger has a checkpoint."):
            return
        assert checkpoint is not None
        found.note(f"{checkpoint.size} entries hold, root {checkpoint.root.hex()}.")
        folder = it.data / "anchors"
        if folder.is_dir():
            check_anchors(ledger, AnchorFolder(folder), verifier)
        check_outside(ledger)
        found.note(
            f"They agree with {len(ledger.anchors())} places outside and the anchors folder."
        )
        apart = differences(ledger)
        found.must(not apart, f"{len(apart)} states differ from the entries.")
        steps = sum(len(one.seqs) for one in Nouns(ledger.store).all(ClockSteps))
        found.note(f"{steps} settings of the clock are recorded.")
        found.values |= {"size": checkpoint.size, "root": checkpoint.root.hex()}


@script(
    "IQ-13",
    "Each database has this version's schema",
    shows=("P2", "P3"),
    clauses=("EU Annex 11 (2011) §10",),
    steps=("Read the schema number of each database.",),
    expected="It is the number that this version needs.",
)
def schemas(it: Install, found: Found) -> None:
    """Program and databases belong together."""
    for name, (number, needed) in numbers(it.data, it.store).items():
        found.must(number == needed, f"{name}: schema {number}, this version needs {needed}.")


@script(
    "IQ-14",
    "Private keys are their owner's alone",
    shows=("H5", "P2"),
    clauses=("21 CFR 11.10(d)", "EU Annex 11 (2011) §12.1"),
    steps=(
        "Read the modes of the folder keys/ and of each file in it.",
        "See that the private log key belongs to the public one.",
    ),
    expected="Nobody but the owner may read the folder or a private key; the two keys belong"
    " together.",
)
def keys(it: Install, found: Found) -> None:
    """Nobody else on this host can sign as this plant."""
    folder = it.data / "keys"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    private = [path for path in files if not path.name.endswith(PUBLIC_KEYS)]
    wrong = [path for path in (folder, *private) if path.stat().st_mode & OTHERS]
    modes = {
        path.relative_to(it.data).as_posix(): f"{stat.S_IMODE(path.stat().st_mode):04o}"
        for path in (folder, *files)
    }
    found.note(", ".join(f"{name} {mode}" for name, mode in modes.items()) + ".")
    named = ", ".join(path.relative_to(it.data).as_posix() for path in wrong)
    found.must(
        not wrong,
        f"The folder and {len(private)} private keys are for their owner alone.",
        otherwise=f"Others may read {named}. Run: chmod go= on each.",
    )
    verifier = read_verifier(folder)
    own = load_key(folder / "log.key", verifier.name).verifier
    found.must(own.public == verifier.public, f"log.key belongs to {verifier.text}.")
    found.values["modes"] = modes


@script(
    "IQ-15",
    "There is room to go on, and for a backup",
    shows=("P2",),
    clauses=("EU Annex 11 (2011) §7.1", "EU Annex 11 (2011) §7.2"),
    steps=("Sum up the plant's data, and read the free space on its disk.",),
    expected="Free is as much as the data once more, and 1 GiB.",
)
def room(it: Install, found: Found) -> None:
    """The disk does not fill up with the next backup."""
    used = sum(path.stat().st_size for path in it.data.rglob("*") if path.is_file())
    free = shutil.disk_usage(it.data).free
    found.must(
        free >= used + ROOM,
        f"The data takes {used / 1e6:.1f} MB, free are {free / 1e9:.1f} GB.",
        otherwise=f"The data takes {used / 1e6:.1f} MB, free are only {free / 1e6:.1f} MB.",
    )
    found.values |= {"used_bytes": used, "free_bytes": free}


@script(
    "IQ-16",
    "The rules in force have a known hash",
    shows=("P3", "B7"),
    clauses=("21 CFR 11.10(g)", "EU Annex 11 (2011) §10", "EU Annex 11 (2011) §11"),
    steps=("Read the authority matrix, the gates of signatures and the other rules in force.",),
    expected="There is a matrix. The hash of each is in the report, for the next run to compare.",
)
def rules(it: Install, found: Found) -> None:
    """A later run can tell what was changed since this one."""
    with ledger_of(it) as ledger:
        nouns = Nouns(ledger.store)
        for kind in RULES:
            states: tuple[Any, ...] = tuple(nouns.all(NOUNS[kind].state))
            for state in states:
                name = f"{kind} {state.content.recipe}" if kind == "recipe" else kind
                digest = sha256(canonical(public(state))).hexdigest()
                found.note(f"{name}: SHA-256 {digest}.")
                found.values[name] = digest
        has_matrix = bool(nouns.all(NOUNS["plant"].state))
    found.must(has_matrix, "An authority matrix is in force.")


SCRIPTS: tuple[Script[Install], ...] = (
    durability, asserted, entries_hold, schemas, keys, room, rules,
)  # fmt: skip
