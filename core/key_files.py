"""The log key's files in a plant's folder `keys`, and handing the log over from one to the next.

`log.key.next` is made first. Then the handing over is recorded, and only then the file takes the
place of `log.key`. If the power goes between the two, the next start does the rest. Where `log.key`
is lost, a recovery key that was kept elsewhere does the same in its place.
"""

import os
from collections.abc import Callable
from pathlib import Path

from core.errors import LedgerBroken
from core.execution import Actor, Execution
from core.fact import Command
from core.ledger.anchor import AnchorFolder
from core.ledger.audit import audit, check_anchors, check_outside
from core.ledger.checkpoint import LogKey, Verifier, load_key, load_or_create_key
from core.ledger.recovery import recovery_note
from core.ledger.rotation import (
    VKEY,
    as_recorded,
    chained,
    handed_over,
    read_verifier,
    rotation_note,
    rotations_of,
    write_keys,
)
from core.ledger.store import open_ledger
from core.log_key import RotateKey
from core.recovery_key import RecoverKey

KEY, NEXT = "log.key", "log.key.next"
SERVICE = Actor("service:keys")

type Open = Callable[[LogKey, Verifier], Execution]


class NothingLost(LedgerBroken):
    """The private key is there: it hands the log over itself."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: is there, so nothing is lost. To hand the log over: batchwright keys rotate."
            " A file that is no key any more is first put away."
        )


class NoPublicKey(LedgerBroken):
    """Nothing at hand tells the public half of the lost key."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: is missing, so nothing here says which key is lost. Put it back from a backup"
            " or a bundle of this plant; each one holds it."
        )


class NothingSigned(LedgerBroken):
    """The ledger has no entry, so that a lost key has signed nothing."""

    def __init__(self) -> None:
        super().__init__(
            "Ledger: is empty. Begin a new data folder; there is nothing to go on from."
        )


def hand_over(where: str | Path, folder: Path, name: str, *, why: str, opened: Open) -> Verifier:
    """Make a new log key, record that it follows the old one, and put it in its place.

    Args:
        where: the ledger; no server writes to it now.
        folder: the plant's folder of keys.
        name: the log's name.
        why: stands as the reason of the entry.
        opened: returns the plant's execution core, not started, that signs with a key.

    Raises:
        OSError, ValueError: the private key is not there, or others may read it.
        core.errors.MesError: another server writes, or a rule says no; nothing is changed.
    """
    old = load_key(folder / KEY, name)
    new = load_or_create_key(folder / NEXT, name)
    ledger = open_ledger(where)
    try:
        note = rotation_note(old, new, entry=ledger.size() + 1)
        verifier = chained([*rotations_of(ledger), note], new.verifier)
    finally:
        ledger.close()
    _record(folder, RotateKey(note=note), opened(new, verifier), new=new, why=why)
    return new.verifier


def recover(
    where: str | Path, folder: Path, recovery: LogKey, *, anchors: Path, why: str, opened: Open
) -> Verifier:
    """Make a new log key that follows a lost one by the word of a recovery key.

    Before anything is made, all that the lost key signed is checked: each entry, its last
    checkpoint, and the anchors that are known.

    Args:
        where: the ledger; no server writes to it now.
        folder: the plant's folder of keys, without `log.key`.
        recovery: the private half of the key that the ledger names.
        anchors: the folder of checkpoints outside the ledger.
        why: stands as the reason of the entry.
        opened: returns the plant's execution core, not started, that signs with a key.

    Raises:
        NothingLost: the log's own key is there.
        NoPublicKey: nothing tells the lost key's public half.
        core.errors.MesError: the ledger does not hold, or a rule says no; nothing is changed.
    """
    if (folder / KEY).exists():
        raise NothingLost(folder / KEY)
    ledger = open_ledger(where)
    try:
        notes = rotations_of(ledger)
        if not notes and not (folder / VKEY).exists():
            raise NoPublicKey(folder / VKEY)
        old = handed_over(notes[-1]).new if notes else read_verifier(folder)
        before = as_recorded(chained(notes, old), ledger)
        last = audit(ledger, before)
        check_anchors(ledger, AnchorFolder(anchors), before)
        check_outside(ledger)
        if last is None:
            raise NothingSigned
        new = load_or_create_key(folder / NEXT, old.name)
        note = recovery_note(recovery, new, old=old, last=last)
        verifier = chained([*notes, note], new.verifier)
    finally:
        ledger.close()
    _record(folder, RecoverKey(note=note), opened(new, verifier), new=new, why=why)
    return new.verifier


def _record(folder: Path, command: Command, execution: Execution, *, new: LogKey, why: str) -> None:
    """Record a handing over, signed by the new key already, and put that key in its place."""
    try:
        execution.start()
        idem = f"{SERVICE.person}:{new.verifier.key_id.hex()}"
        execution.submit(command, actor=SERVICE, idem=idem, reason=why)
        write_keys(folder, execution.ledger, new.verifier)
    finally:
        execution.close()
    _take_over(folder)


def finish(folder: Path, where: str | Path) -> None:
    """Put the next key in its place, where the ledger says that it has taken over."""
    if not (folder / NEXT).exists():
        return
    ledger = open_ledger(where)
    try:
        notes = rotations_of(ledger)
    finally:
        ledger.close()
    if not notes:
        return
    newest = handed_over(notes[-1]).new
    if load_key(folder / NEXT, newest.name).verifier == newest:
        _take_over(folder)


def _take_over(folder: Path) -> None:
    os.replace(folder / NEXT, folder / KEY)
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
