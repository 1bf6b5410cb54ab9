"""The log key's files in a plant's folder `keys`, and handing the log over from one to the next.

`log.key.next` is made first. Then the handing over is recorded, and only then the file takes the
place of `log.key`. If the power goes between the two, the next start does the rest.
"""

import os
from collections.abc import Callable
from pathlib import Path

from core.execution import Actor, Execution
from core.ledger.checkpoint import LogKey, Verifier, load_key, load_or_create_key
from core.ledger.rotation import chained, parse_note, rotation_note, rotations_of, write_keys
from core.ledger.store import open_ledger
from core.log_key import RotateKey

KEY, NEXT = "log.key", "log.key.next"
SERVICE = Actor("service:keys")

type Open = Callable[[LogKey, Verifier], Execution]


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
    execution = opened(new, verifier)
    try:
        execution.start()
        idem = f"{SERVICE.person}:{new.verifier.key_id.hex()}"
        execution.submit(RotateKey(note=note), actor=SERVICE, idem=idem, reason=why)
        write_keys(folder, execution.ledger, new.verifier)
    finally:
        execution.close()
    _take_over(folder)
    return new.verifier


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
    newest = parse_note(notes[-1]).new
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
