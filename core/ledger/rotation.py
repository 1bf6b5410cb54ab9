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
one key of the log finds the others.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from core.errors import LedgerBroken
from core.ledger.checkpoint import Former, LogKey, NoteBroken, Verifier, parse_line, parse_vkey
from core.ledger.entry import decode
from core.ledger.group import ROTATED as ROTATED
from core.ledger.store import Ledger

TITLE = "batchwright key rotation v1"
STREAM, REVOKED = "log-key/log", "key.revoked"
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


def rotation_note(old: LogKey, new: LogKey, *, entry: int) -> str:
    """Return the note by which an old key hands the log over to a new one, at its next entry."""
    assert old.name == new.name, new
    text = f"{TITLE}\nentry {entry}\n{old.vkey}\n{new.vkey}\n"
    lines = (
        f"— {key.name} {b64encode(key.verifier.key_id + key.sign(text.encode())).decode()}\n"
        for key in (old, new)
    )
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
        name, blob = parse_line(line)
        if (name, blob[:4]) != (key.name, key.key_id) or not key.holds(blob[4:], text):
            raise NoteBroken(f"the rotation is not signed by {key.text}")
    return Rotation(int(entry[1]), old, new)


def chained(notes: Iterable[str], newest: Verifier) -> Verifier:
    """Return the newest key with those before it, each with the last size that it may sign.

    Raises:
        NoteBroken: a note does not hold, or does not follow the one before.
        OtherKey: the log was handed over to another key.
    """
    former: list[Former] = []
    last: Verifier | None = None
    for note in notes:
        entry, old, new = parse_note(note)
        if (last is not None and old != last) or (former and entry - 1 <= former[-1].until):
            raise NoteBroken(f"the rotation at entry {entry} does not follow the one before")
        former.append(Former(old.public, entry - 1))
        last = new
    if last is not None and last != replace(newest, former=()):
        raise OtherKey(newest, last)
    return replace(newest, former=tuple(former))


def rotations_of(ledger: Ledger, upto: int | None = None) -> list[str]:
    """Return the note of each rotation in a ledger, up to an entry."""
    found = [decode(body) for _, body in ledger.stream_raw(STREAM)]
    notes = [one for one in found if one.type == ROTATED and (upto is None or one.seq <= upto)]
    return [str(one.data["note"]) for one in notes]


def with_revocations(verifier: Verifier, ledger: Ledger) -> Verifier:
    """Return a log's keys with the trust that entries of the ledger took from former ones."""
    former = {one.public: one for one in verifier.former}
    for _, body in ledger.stream_raw(STREAM):
        entry = decode(body)
        if entry.type == REVOKED:
            public = parse_vkey(str(entry.data["key"])).public
            until = min(former[public].until, int(entry.data["trusted"]))
            former[public] = Former(public, until, entry.seq)
    return replace(verifier, former=tuple(former.values()))


def parse_keys(text: str) -> list[str]:
    """Return the notes in `keys.txt`."""
    lines = text.split("\n")
    starts = range(0, len(lines) - 1, LINES)
    return ["\n".join(lines[start : start + LINES]) + "\n" for start in starts]


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
