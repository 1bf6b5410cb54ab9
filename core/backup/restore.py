"""Bring a backup back into a new folder, and prove that it is the ledger that was backed up.

1. Every file of the backup has its hash, and the log's key signed the list.
2. Every entry, stream and checkpoint of the copied ledger holds; its root is the backup's.
3. The projections are folded anew, and none differs from the entries.
4. Every anchor that is known, in the backup and given, agrees with the restored root.

A ledger that goes into PostgreSQL is proven as a file first, and then written there in one
transaction, read back and compared: whatever does not hold leaves the database as it was.

Where a given anchor is of a larger size, entries are missing. The anchor is put among the
restored ones, and so no server goes on writing there: a log must never sign two histories.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.backup.files import NoBackup, check, drafted, unpacked
from core.backup.fill import filling
from core.backup.tables import copy_file
from core.backup.take import FOLDERS_AFTER, KEYS
from core.errors import LedgerBroken, file_says
from core.ledger.anchor import AnchorFolder
from core.ledger.audit import audit, check_anchors, check_outside
from core.ledger.checkpoint import Checkpoint, NoteBroken, Verifier, verify
from core.ledger.rotation import KEYS as PUBLIC
from core.ledger.rotation import VKEY, as_recorded
from core.ledger.store import Ledger, open_ledger, open_store
from core.migrations.folder import FILES, IN_STORE
from core.projections.nouns import differences, prepare

GIVEN = "given-at-restore.note"

type Say = Callable[[str], None]


class ShortOfAnchor(LedgerBroken):
    """What was restored ends before a checkpoint that this log gave out."""

    def __init__(self, data: Path, origin: str, *, size: int, anchored: int) -> None:
        self.size, self.anchored = size, anchored
        super().__init__(
            f"{data}: {size} entries are restored and hold, the anchor covers {anchored}:"
            f" {anchored - size} entries are missing. It can be read and exported; no server"
            f" writes to it as {origin}. Restore a newer backup. If there is none, begin a new"
            " ledger with a plant id of its own, and keep this folder."
        )


class BesideAnchor(LedgerBroken):
    """What was restored is another history than the one the anchor was given out for."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"Restored ledger: has another root at the anchor's size of {size}."
            " One of the two is forged. Stop, and call QA."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was brought back; `anchored` is the newest anchor it was compared with, 0 for none."""

    data: Path
    checkpoint: Checkpoint | None
    anchored: int
    given: int | None
    with_keys: bool


def restore(
    source: Path, data: Path, say: Say, *, anchor: Path | None = None, store: str | None = None
) -> Restored:
    """Restore a backup into a new folder, its ledger into `store` where that is given.

    Args:
        source: the backup's folder or zip.
        data: a folder that is not there yet, or is empty.
        say: hears a line for each step.
        anchor: a newer checkpoint of the same log, kept elsewhere.
        store: the URL of an empty PostgreSQL database.

    Raises:
        NoBackup: the backup is not whole.
        Occupied: there is something at `data`, or in the database.
        ShortOfAnchor: restored, and entries are missing that the anchor covers.
        LedgerBroken: the entries do not hold; nothing was restored.
        StoreFailed: the database does not answer, or refuses; nothing was restored.
    """
    with unpacked(source) as backup, filling(store, data) as target, drafted(data) as draft:
        about, verifier = check(backup, source)
        say("every file of the backup has its hash, and the list is signed")
        given = None if anchor is None else _note(anchor, verifier)
        _copy(backup, draft)
        prepare(open_store(draft / FILES["ledger"]), anew=True)
        ledger = open_ledger(draft / FILES["ledger"])
        try:
            checkpoint = _hold(ledger, verifier, about["root"], say=say)
            verifier = as_recorded(verifier, ledger)
            given = None if anchor is None else _note(anchor, verifier)
            anchored = _anchored(ledger, draft, verifier, given=given)
            if target is not None:
                target.fill(draft, ledger, lambda done, whole: say(f"{done} of {whole} rows"))
                say("the database gives back what was written")
        finally:
            ledger.close()
        for name in IN_STORE if target is not None else ():
            (draft / FILES[name]).unlink()
        for lock in draft.glob("*.lock"):
            lock.unlink()
    size = checkpoint.size if checkpoint is not None else 0
    if given is not None and given.size > size:
        raise ShortOfAnchor(data, verifier.name, size=size, anchored=given.size)
    return Restored(
        data=data,
        checkpoint=checkpoint,
        anchored=anchored,
        given=given.size if given is not None else None,
        with_keys=about["with_keys"],
    )


def _note(anchor: Path, verifier: Verifier) -> Checkpoint:
    try:
        return verify(anchor.read_text("utf-8"), verifier)
    except OSError as fault:
        raise NoBackup(anchor, file_says(fault), "Look at the path.") from fault
    except (UnicodeDecodeError, NoteBroken) as fault:
        raise NoBackup(anchor, f"is no checkpoint of {verifier.name}: {fault}") from fault


def _copy(backup: Path, draft: Path) -> None:
    for file in FILES.values():
        if (backup / file).is_file():
            copy_file(backup / file, draft / file, lambda _done, _whole: None)
    for folder in ("anchors", *FOLDERS_AFTER, KEYS):
        if (backup / folder).is_dir():
            shutil.copytree(backup / folder, draft / folder)
    keys = draft / KEYS
    keys.mkdir(mode=0o700, exist_ok=True)
    keys.chmod(0o700)
    for name in (VKEY, PUBLIC):
        if (backup / name).is_file():
            shutil.copyfile(backup / name, keys / name)


def _hold(ledger: Ledger, verifier: Verifier, root: str | None, *, say: Say) -> Checkpoint | None:
    checkpoint = audit(ledger, verifier)
    found = checkpoint.root.hex() if checkpoint is not None else None
    if found != root:
        raise LedgerBroken(f"Restored ledger: its root is {found}, the backup's {root}. Call QA.")
    say(f"{ledger.size()} entries hold, the root is the backup's")
    if differing := differences(ledger):
        raise LedgerBroken(f"Restored projections: {len(differing)} differ. Call QA.")
    say("projections are folded anew, none differs")
    return checkpoint


def _anchored(ledger: Ledger, draft: Path, verifier: Verifier, *, given: Checkpoint | None) -> int:
    """Return the size of the newest anchor that agrees, and keep the given one with the others."""
    folder = AnchorFolder(draft / "anchors")
    check_anchors(ledger, folder, verifier)
    check_outside(ledger)
    sizes = [one.size for _, one in folder.checkpoints(verifier)]
    sizes += [row.size for row in ledger.anchors()]
    if given is not None:
        if given.size <= ledger.size():
            if ledger.root(given.size) != given.root:
                raise BesideAnchor(given.size)
            sizes.append(given.size)
        (draft / "anchors" / GIVEN).write_text(given.note, "utf-8")
    return max(sizes, default=0)
