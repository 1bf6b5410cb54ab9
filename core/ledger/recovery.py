"""The recovery key: it hands the log over to a new key where the old private key is lost.

    batchwright key recovery v1
    entry 20001                          the entry that holds this note
    the old vkey
    the new vkey
    the recovery key's vkey
    base64 of the root of the 20000 entries before
                                         an empty line
    — the log's name base64 of (key id || signature by the old key)
    — the recovery key's name base64 of (key id || signature by the recovery key)
    — the log's name base64 of (key id || signature by the new key)

The old key is gone, but its last checkpoint is not: the first signature is the one under it, over
name, size and root. So a recovery goes on from a history that the lost key signed, to the last
entry, and who has the recovery key alone can write none of it anew. The other two keys sign the
six lines above. Which key may do so is an entry of that history, `key.recovery-named`.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import NamedTuple

from core.errors import LedgerBroken
from core.ledger.checkpoint import (
    Checkpoint,
    LogKey,
    NoteBroken,
    Verifier,
    parse_vkey,
    signature_line,
    signed_line,
)
from core.ledger.entry import Entry
from core.ledger.group import RECOVERED as RECOVERED
from core.ledger.group import ROTATED

TITLE = "batchwright key recovery v1"
NAMED, REVOKED = "key.recovery-named", "key.revoked"
LINES = 10  # of one note
SUFFIX = "/recovery"  # of the key's name, so that its file is never taken for a log key's
_ENTRY = re.compile(r"entry ([1-9][0-9]{0,15})", re.ASCII)


class Recovery(NamedTuple):
    """One key that another one followed by the word of a recovery key, from an entry on.

    `root` is the tree's before that entry, as the old key signed it.
    """

    entry: int
    old: Verifier
    new: Verifier
    by: Verifier
    root: bytes


class RecoveryBroken(LedgerBroken):
    """A log was handed over by a recovery key that it had not named, or from another history."""

    def __init__(self, entry: int, why: str) -> None:
        super().__init__(f"Entry {entry}: {why}. Stop, and call QA.")
        self.entry = entry


def recovery_note(recovery: LogKey, new: LogKey, *, old: Verifier, last: Checkpoint) -> str:
    """Return the note by which a recovery key hands the log over, after the last checkpoint.

    Raises:
        NoteBroken: the old key did not sign that checkpoint.
    """
    assert recovery.name == new.name + SUFFIX, recovery
    head, _, tail = last.note.rpartition("\n\n")
    is_by_old = (one for one in tail.splitlines() if signed_line(old, one, f"{head}\n".encode()))
    if (by_old := next(is_by_old, None)) is None:
        raise NoteBroken(f"{last.size} entries are not signed by {old.text}")
    root = b64encode(last.root).decode("ascii")
    text = f"{TITLE}\nentry {last.size + 1}\n{old.text}\n{new.vkey}\n{recovery.vkey}\n{root}\n"
    lines = (signature_line(key, text.encode()) for key in (recovery, new))
    return f"{text}\n{by_old}\n{''.join(lines)}"


def parse_recovery(note: str) -> Recovery:
    """Return whom a note hands the log over to, once all three signatures hold.

    Raises:
        NoteBroken: it is no such note, or one signature does not hold.
    """
    lines = note.split("\n")
    if len(lines) != LINES + 1 or lines[0] != TITLE or lines[6] or lines[10]:
        raise NoteBroken("a key recovery must be title, entry, three keys, root, three signatures")
    entry = _ENTRY.fullmatch(lines[1])
    if entry is None:
        raise NoteBroken("a key recovery names no entry")
    try:
        old, new, by = (parse_vkey(line) for line in lines[2:5])
        root = b64decode(lines[5], validate=True)
    except ValueError as fault:
        raise NoteBroken(f"a key recovery names no key or root, {fault}") from fault
    if old.name != new.name or by.name != new.name + SUFFIX:
        raise NoteBroken("a key recovery must name two keys of one log, and its recovery key")
    if len({old.public, new.public, by.public}) < 3 or len(root) != 32:
        raise NoteBroken("a key recovery must name three keys, and a root of 32 bytes")
    before = f"{old.name}\n{int(entry[1]) - 1}\n{lines[5]}\n".encode()
    text = "\n".join(lines[:6]).encode("utf-8") + b"\n"
    for key, line, said in ((old, lines[7], before), (by, lines[8], text), (new, lines[9], text)):
        if not signed_line(key, line, said):
            raise NoteBroken(f"the recovery is not signed by {key.text}")
    return Recovery(int(entry[1]), old, new, by, root)


class _Used(NamedTuple):
    """A key that ended: the last size that it signed, and the last at which it is believed."""

    vkey: str
    until: int
    trusted: int


def check_recoveries(acts: Iterable[Entry], root_at: Callable[[int], bytes]) -> None:
    """Refuse a recovery that the entries before it do not allow.

    The key that signed it was named by an entry before, no other one since; it did so once; the
    log key of the time when it was named had not been revoked from before that; and the entries
    up to the recovery are those that the lost key signed.

    Args:
        acts: the entries about the log's keys, in order.
        root_at: returns the root of the ledger's first entries, by their number.

    Raises:
        RecoveryBroken: with the first entry that does not hold.
    """
    named, name_at = "", 0
    used: list[_Used] = []
    spent: set[str] = set()
    for it in acts:
        if it.type == NAMED:
            named, name_at = str(it.data["key"]), it.seq
        elif it.type == REVOKED:
            key, trusted = it.data["key"], int(it.data["trusted"])
            used = [
                one._replace(trusted=min(one.trusted, trusted)) if one.vkey == key else one
                for one in used
            ]
        elif it.type == ROTATED:
            used.append(_Used(str(it.data["old"]), it.seq - 1, it.seq - 1))
        elif it.type == RECOVERED:
            found = parse_recovery(str(it.data["note"]))
            by = found.by.key_id.hex()
            if found.by.text != named or named in spent:
                raise RecoveryBroken(it.seq, f"the log had not named the recovery key {by}")
            if is_doubtful(name_at, ((one.until, one.trusted) for one in used)):
                raise RecoveryBroken(
                    it.seq,
                    f"the recovery key {by} was named by entry {name_at}, under a key that was"
                    " revoked from before that",
                )
            if found.entry != it.seq or root_at(it.seq - 1) != found.root:
                raise RecoveryBroken(
                    it.seq, "the entries before the recovery are not those that the lost key signed"
                )
            used.append(_Used(found.old.text, it.seq - 1, it.seq - 1))
            spent.add(named)
            named = ""


def is_doubtful(entry: int, used: Iterable[tuple[int, int]]) -> bool:
    """Tell whether the key that signed an entry is believed only up to one before it.

    `used` are the ended keys in order: the last size each one signed, and is believed at.
    """
    return next((trusted < entry for until, trusted in used if entry <= until), False)
