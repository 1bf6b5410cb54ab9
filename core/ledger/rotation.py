"""The log's keys one after another: the old key signs its successor, and the new key agrees.

    batchwright key rotation v1
    entry 20001                          the entry that holds this note
    the old vkey
    the new vkey
                                         an empty line
    — the log's name base64 of (key id || signature by the old key)
    — the log's name base64 of (key id || signature by the new key)

The note stands in the ledger, in a stream of its own. From its entry on the new key signs, over all
that is before as well; what the old key signs of that size or a larger one counts for nothing.
`keys.txt` holds the notes outside the ledger, one after another, so that a reader who trusts any
one key of the log finds the others. Where a key was lost, a recovery key hands the log over in its
place: see `core.ledger.recovery`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from core.errors import LedgerBroken
from core.ledger.checkpoint import (
    Former,
    LogKey,
    NoteBroken,
    Verifier,
    parse_vkey,
    signature_line,
    signed_line,
)
from core.ledger.entry import decode
from core.ledger.group import ROTATED as ROTATED
from core.ledger.recovery import LINES as RECOVERY_LINES
from core.ledger.recovery import RECOVERED, REVOKED, Recovery, check_recoveries, parse_recovery
from core.ledger.recovery import TITLE as RECOVERY
from core.ledger.store import Ledger

TITLE = "batchwright key rotation v1"
STREAM = "log-key/log"
VKEY, KEYS = "log.vkey", "keys.txt"
LINES = 7  # of one note
_ENTRY = re.compile(r"entry ([1-9][0-9]{0,15})", re.ASCII)


class Rotation(NamedTuple):
    """One key that another one followed, from an entry on."""

    entry: int
    old: Verifier
    new: Verifier


class OtherKey(LedgerBroken):
    """The private key at hand is not the one that the ledger names as its newest."""

    def __init__(self, have: Verifier, need: Verifier) -> None:
        super().__init__(
            f"Log key: log.key is {have.key_id.hex()}, and the ledger was handed over to"
            f" {need.key_id.hex()}. Put the newest key back from where the keys are kept."
        )


class KeysMissing(LedgerBroken):
    """The ledger speaks of a former key, and the notes that lead from it are not at hand."""

    def __init__(self, key: Verifier, entry: int) -> None:
        super().__init__(
            f"{KEYS}: does not know the log key {key.key_id.hex()}, which entry {entry} revoked."
            f" Put {KEYS} back from a backup or a bundle; a start of the server writes it anew."
        )


def rotation_note(old: LogKey, new: LogKey, *, entry: int) -> str:
    """Return the note by which an old key hands the log over to a new one, at its next entry."""
    assert old.name == new.name, new
    text = f"{TITLE}\nentry {entry}\n{old.vkey}\n{new.vkey}\n"
    lines = (signature_line(key, text.encode()) for key in (old, new))
    return f"{text}\n{''.join(lines)}"


def parse_note(note: str) -> Rotation:
    """Return whom a note hands the log over to, once both have signed it.

    Raises:
        NoteBroken: it is no such note, or one signature does not hold.
    """
    lines = note.split("\n")
    if len(lines) != LINES + 1 or lines[0] != TITLE or lines[4] or lines[7]:
        raise NoteBroken("a key rotation must be title, entry, two keys and two signatures")
    entry = _ENTRY.fullmatch(lines[1])
    if entry is None:
        raise NoteBroken("a key rotation names no entry")
    try:
        old, new = parse_vkey(lines[2]), parse_vkey(lines[3])
    except ValueError as fault:
        raise NoteBroken(f"a key rotation names no key, {fault}") from fault
    if old.name != new.name or old.public == new.public:
        raise NoteBroken("a key rotation must name two keys of one log")
    text = "\n".join(lines[:4]).encode("utf-8") + b"\n"
    for key, line in ((old, lines[5]), (new, lines[6])):
        if not signed_line(key, line, text):
            raise NoteBroken(f"the rotation is not signed by {key.text}")
    return Rotation(int(entry[1]), old, new)


def handed_over(note: str) -> Rotation | Recovery:
    """Return whom a note of either kind hands the log over to.

    Raises:
        NoteBroken: it is none, or one signature does not hold.
    """
    return (parse_recovery if note.startswith(f"{RECOVERY}\n") else parse_note)(note)


def chained(notes: Iterable[str], newest: Verifier) -> Verifier:
    """Return the newest key with those before it, each with the last size that it may sign.

    Raises:
        NoteBroken: a note does not hold, or does not follow the one before.
        OtherKey: the log was handed over to another key.
    """
    former: list[Former] = []
    last: Verifier | None = None
    for note in notes:
        it = handed_over(note)
        if (last is not None and it.old != last) or (former and it.entry - 1 <= former[-1].until):
            raise NoteBroken(f"the handing over at entry {it.entry} does not follow the one before")
        former.append(Former(it.old.public, it.entry - 1))
        last = it.new
    if last is not None and last != replace(newest, former=()):
        raise OtherKey(newest, last)
    return replace(newest, former=tuple(former))


def rotations_of(ledger: Ledger, upto: int | None = None) -> list[str]:
    """Return the note of each handing over in a ledger, up to an entry."""
    found = [decode(body) for _, body in ledger.stream_raw(STREAM)]
    kinds = (ROTATED, RECOVERED)
    notes = [one for one in found if one.type in kinds and (upto is None or one.seq <= upto)]
    return [str(one.data["note"]) for one in notes]


def as_recorded(verifier: Verifier, ledger: Ledger) -> Verifier:
    """Return a log's keys with the trust that entries of the ledger took from former ones.

    Raises:
        KeysMissing: the ledger revokes a key that the folder of keys does not know.
        RecoveryBroken: a recovery key handed the log over that had not been named before.
    """
    former = {one.public: one for one in verifier.former}
    acts = [decode(body) for _, body in ledger.stream_raw(STREAM)]
    for entry in acts:
        if entry.type == REVOKED:
            key = parse_vkey(str(entry.data["key"]))
            if key.public not in former:
                raise KeysMissing(key, entry.seq)
            until = min(former[key.public].until, int(entry.data["trusted"]))
            former[key.public] = Former(key.public, until, entry.seq)
    check_recoveries(acts, ledger.root)
    return replace(verifier, former=tuple(former.values()))


def parse_keys(text: str) -> list[str]:
    """Return the notes in `keys.txt`."""
    lines, notes, start = text.split("\n"), list[str](), 0
    while start < len(lines) - 1:
        end = start + (RECOVERY_LINES if lines[start] == RECOVERY else LINES)
        notes.append("\n".join(lines[start:end]) + "\n")
        start = end
    return notes


def read_verifier(folder: Path) -> Verifier:
    """Return a log's public key as a folder of keys holds it, with those before it.

    Raises:
        OSError: there is none.
        ValueError: it is none.
        LedgerBroken: the keys do not follow each other.
    """
    newest = parse_vkey((folder / VKEY).read_text("utf-8"))
    path = folder / KEYS
    return chained(parse_keys(path.read_text("utf-8")) if path.exists() else (), newest)


def write_keys(folder: Path, ledger: Ledger, newest: Verifier) -> None:
    """Write a log's public keys into a folder: the newest one, and the notes, if there are any."""
    (folder / VKEY).write_text(newest.text + "\n", "utf-8")
    if notes := rotations_of(ledger):
        (folder / KEYS).write_text("".join(notes), "utf-8")
