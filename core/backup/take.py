"""Take a backup while the plant works.

The order is what makes the parts agree. Anchors and outbox come before the ledger: neither may
know more than it, or a restored plant would seem rolled back. Credentials and telemetry come after
it: an entry may name what they hold.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.backup.files import ABOUT, FORMAT, NOTE, drafted, seal
from core.backup.tables import copy_file, copy_out
from core.clock import iso, now
from core.errors import LedgerBroken
from core.ledger.audit import audit
from core.ledger.checkpoint import Checkpoint, load_key
from core.ledger.rotation import read_verifier, write_keys
from core.ledger.store import Ledger, open_ledger
from core.migrations.folder import FILES, databases

FOLDERS_AFTER = ("telemetry", "reconciliations")
KEYS = "keys"

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A backup that was made, and read once to see that it holds."""

    out: Path
    checkpoint: Checkpoint | None
    with_keys: bool
    at: datetime


def backup(
    data: Path, out: Path, say: Say, *, store: str | None = None, with_keys: bool = False
) -> Taken:
    """Copy a plant's evidence to a new folder or zip, and check the copy.

    Args:
        data: the plant's folder; its server may run.
        out: a folder that is not there yet, or a file that ends in `.zip`.
        say: hears a line for each part.
        store: the ledger's URL where it is in PostgreSQL.
        with_keys: also copy the folder of private keys. Who holds such a backup can sign a forged
            ledger as this plant, so it must be kept like the key itself.

    Raises:
        NoPlantData, Occupied: there is nothing to copy, or no place for it.
        LedgerBroken: the copy does not hold; there is no backup.
    """
    databases(data, store)
    vkey = read_verifier(data / KEYS)
    key = load_key(data / KEYS / "log.key", vkey.name)
    at = now()
    with drafted(out) as draft:
        _folder(data / "anchors", draft / "anchors")
        _file(data, draft, "outbox", say=say)
        if store is None:
            _file(data, draft, "ledger", say=say)
            _file(data, draft, "credentials", say=say)
        else:
            copy_out(store, draft, _progress(say, "PostgreSQL"))
        _file(data, draft, "telemetry", say=say)
        for name in FOLDERS_AFTER:
            _folder(data / name, draft / name)
        if with_keys:
            _folder(data / KEYS, draft / KEYS)
        ledger = open_ledger(draft / FILES["ledger"])
        try:
            checkpoint = audit(ledger, vkey)
            _about(draft, ledger, at=at, with_keys=with_keys)
            write_keys(draft, ledger, vkey)
        finally:
            ledger.close()
        say("copy read and verified")
        if checkpoint is not None:
            (draft / NOTE).write_text(checkpoint.note, "utf-8")
        seal(draft, key)
    return Taken(out=out, checkpoint=checkpoint, with_keys=with_keys, at=at)


def _about(draft: Path, ledger: Ledger, *, at: datetime, with_keys: bool) -> None:
    checkpoint, size = ledger.checkpoint(), ledger.size()
    if size != (checkpoint.size if checkpoint is not None else 0):
        raise LedgerBroken(f"Backup: {size} entries are in it, and no checkpoint covers all.")
    about = {
        "format": FORMAT,
        "made_at": iso(at),
        "size": size,
        "root": checkpoint.root.hex() if checkpoint is not None else None,
        "with_keys": with_keys,
    }
    (draft / ABOUT).write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def _file(data: Path, draft: Path, name: str, *, say: Say) -> None:
    source = data / FILES[name]
    if source.is_file():
        copy_file(source, draft / FILES[name], _progress(say, FILES[name]))


def _folder(source: Path, target: Path) -> None:
    """Copy the files of a folder; one that is pruned meanwhile is passed over."""
    if not source.is_dir():
        return
    target.mkdir(mode=0o700, exist_ok=True)
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            copied = target / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                shutil.copy2(path, copied)


def _progress(say: Say, name: str) -> Callable[[int, int], None]:
    """Return a listener that says each tenth."""
    heard = -1

    def told(done: int, whole: int) -> None:
        nonlocal heard
        tenth = done * 10 // whole if whole else 10
        if tenth != heard:
            heard = tenth
            say(f"{name}: {tenth * 10} %")

    return told
