"""The notes that hand a log over from key to key: a rotation, or the recovery of a lost one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from core.verify.bundle import Broken, base64_of
from core.verify.public_keys import signature_holds

COUNT = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
SIGNATURE = re.compile("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")
ROTATION, RECOVERY = "batchwright key rotation v1", "batchwright key recovery v1"
SAID = {ROTATION: 4, RECOVERY: 6}  # lines before the empty one
ROTATED, RECOVERED, REVOKED = "key.rotated", "key.recovered", "key.revoked"
RECOVERY_NAMED = "key.recovery-named"


class Key(NamedTuple):
    name: str
    id: bytes
    public: bytes
    until: int = 2**53  # the last size that it may have signed
    revoked: int = 0  # by which entry
    lost: bool = False  # and followed by the word of a recovery key


class Note(NamedTuple):
    entry: int  # that holds it
    old: Key
    new: Key
    by: Key  # who hands the log over: the old key, or a recovery key in its place
    root: bytes  # of all that was before, as the lost key signed it; of a recovery alone


def parse_vkey(text: str) -> Key:
    """Name, id and public key in `name+id+base64(type || key)`; the id is computed anew."""
    name, given, encoded = text.strip().split("+", 2)
    blob = base64_of(encoded, "the key")
    key_id = hashlib.sha256(name.encode("utf-8") + b"\n" + blob).digest()[:4]
    if len(blob) != 33 or blob[:1] != b"\x01" or key_id.hex() != given:
        raise Broken("the key is no Ed25519 log key, or its id is not its own")
    return Key(name, key_id, blob[1:])


def read_notes(text: str) -> Iterator[Note]:
    """The notes in `keys.txt`, each once its signatures hold."""
    lines = text.split("\n")
    while len(lines) > 1:
        count = SAID.get(lines[0], 4)
        end = count + (3 if count == 4 else 4)
        yield read_note(lines[:end])
        lines = lines[end:]


def read_note(lines: list[str]) -> Note:
    is_recovery = lines[0] == RECOVERY
    count = SAID.get(lines[0], 4)
    said, text, signatures = lines[:count], "\n".join(lines[:count]) + "\n", lines[count + 1 :]
    if len(signatures) != (3 if is_recovery else 2):
        raise Broken("keys.txt: is malformed")
    entry, (old, new) = said[1].replace("entry ", "", 1), map(parse_vkey, said[2:4])
    by = parse_vkey(said[4]) if is_recovery else old
    signed = [(by, text), (new, text)]
    if is_recovery and COUNT.fullmatch(entry):
        signed.insert(0, (old, f"{old.name}\n{int(entry) - 1}\n{said[5]}\n"))
    for (key, what), line in zip(signed, signatures):
        match = SIGNATURE.fullmatch(line)
        is_named = match is not None and match.group(1) == key.name
        blob = base64_of(match.group(2), "keys.txt") if match and is_named else b""
        if blob[:4] != key.id or not signature_holds(key.public, blob[4:], what.encode()):
            kind = "recovery" if is_recovery else "rotation"
            raise Broken(f"keys.txt: a {kind} is not signed by {key.id.hex()}")
    root = base64_of(said[5], "keys.txt") if is_recovery else b""
    if lines[0] not in SAID or not COUNT.fullmatch(entry) or lines[count]:
        raise Broken("keys.txt: is malformed")
    if is_recovery and (by.name != f"{old.name}/recovery" or len(root) != 32):
        raise Broken("keys.txt: names no recovery key of its log, or no root")
    return Note(int(entry), old, new, by, root)


def check_recoveries(acts: list[Any]) -> None:
    """Refuse a recovery by a key that no entry before it had named, or that was used before."""
    named, named_at = "", 0
    ended: list[tuple[str, int, int]] = []  # which key, its last size, the last that is believed
    spent: set[str] = set()
    for seq, kind, said in acts:
        if kind == RECOVERY_NAMED:
            named, named_at = said["key"], seq
        elif kind == REVOKED:
            ended = [
                (key, until, min(trusted, said["trusted"]) if key == said["key"] else trusted)
                for key, until, trusted in ended
            ]
        elif kind == RECOVERED:
            by = read_note(said["note"].split("\n")[:-1]).by
            doubts = [trusted < named_at for _, until, trusted in ended if named_at <= until]
            if not named or parse_vkey(named) != by or named in spent:
                raise Broken(f"entry {seq}: the log had not named the recovery key {by.id.hex()}")
            if doubts and doubts[0]:
                raise Broken(
                    f"entry {seq}: the recovery key {by.id.hex()} was named by entry {named_at},"
                    " under a key that was revoked from before that"
                )
            spent.add(named)
            named = ""
        if kind in (ROTATED, RECOVERED):
            ended.append((said["old"], seq - 1, seq - 1))
