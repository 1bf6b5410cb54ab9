"""The log's keys one after another, and the checkpoints that they signed."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from core.verify.bundle import Broken, base64_of
from core.verify.public_keys import signature_holds

COUNT = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
SIGNATURE = re.compile("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")


class Checkpoint(NamedTuple):
    size: int
    root: bytes


class Key(NamedTuple):
    name: str
    id: bytes
    public: bytes
    until: int = 2**53  # the last size that it may have signed
    revoked: int = 0  # by which entry


def parse_vkey(text: str) -> Key:
    """Name, id and public key in `name+id+base64(type || key)`; the id is computed anew."""
    name, given, encoded = text.strip().split("+", 2)
    blob = base64_of(encoded, "the key")
    key_id = hashlib.sha256(name.encode("utf-8") + b"\n" + blob).digest()[:4]
    if len(blob) != 33 or blob[:1] != b"\x01" or key_id.hex() != given:
        raise Broken("the key is no Ed25519 log key, or its id is not its own")
    return Key(name, key_id, blob[1:])


def read_keys(text: str, trusted: Key) -> list[Key]:
    """The keys of the log that lead to the trusted one or follow it, the newest last."""
    keys = [trusted]
    for start in range(0, text.count("\n"), 7):
        lines = text.split("\n")[start : start + 7]
        old, new = parse_vkey(lines[2]), parse_vkey(lines[3])
        entry, said = lines[1].replace("entry ", "", 1), "\n".join(lines[:4]) + "\n"
        for key, line in ((old, lines[5]), (new, lines[6])):
            match = SIGNATURE.fullmatch(line)
            blob = base64_of(match.group(2), "keys.txt") if match else b""
            if blob[:4] != key.id or not signature_holds(key.public, blob[4:], said.encode()):
                raise Broken(f"keys.txt: a rotation is not signed by {key.id.hex()}")
        if lines[0] != "batchwright key rotation v1" or not COUNT.fullmatch(entry) or lines[4]:
            raise Broken("keys.txt: is malformed")
        if old.name != new.name or (start and old != keys[-1]):
            raise Broken("keys.txt: the keys do not follow each other")
        keys[-1:] = [old._replace(until=int(entry) - 1), new]
    if trusted not in [key._replace(until=trusted.until) for key in keys]:
        raise Broken(f"keys.txt: does not lead to {trusted.name} ({trusted.id.hex()})")
    return keys


def revoke(keys: list[Key], trusted: Key, acts: list[Any]) -> list[Key]:
    """The keys as entries leave them: a revoked one counts less far, and leads to no other one."""
    for seq, kind, said in acts:
        if kind != "key.revoked":
            continue
        public = parse_vkey(said["key"]).public
        if public not in [key.public for key in keys]:
            raise Broken(f"entry {seq}: revokes a key that the log never had")
        keys = [
            key._replace(until=min(key.until, said["trusted"]), revoked=seq)
            if key.public == public else key
            for key in keys
        ]  # fmt: skip
    start = [key.public for key in keys].index(trusted.public)
    for key in keys[start:]:
        if key.revoked:
            raise Broken(
                f"the key {trusted.id.hex()} proves nothing any more: entry {key.revoked} revoked"
                f" {key.id.hex()}; get {keys[-1].id.hex()} from a source that you trust"
            )
    return keys


def read_checkpoint(note: str, keys: list[Key], what: str) -> Checkpoint:
    """Size and root in a note that the newest key signed, or a former one in its time."""
    name, known = keys[-1].name, {key.id: key for key in keys}
    head, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f\x7f]", note):
        raise Broken(f"{what} is no signed note")
    origin, size, *rest = *head.split("\n"), ""
    root = base64_of("".join(rest), what)
    if origin != name or len(rest) != 2 or not COUNT.fullmatch(size) or len(root) != 32:
        raise Broken(f"{what} is not of the log {name}, or malformed")
    is_signed = False
    for line in tail[:-1].split("\n"):
        match = SIGNATURE.fullmatch(line)
        if match is None:
            raise Broken(f"{what}: a signature line is malformed")
        blob = base64_of(match.group(2), what)
        if match.group(1) == name and blob[:4] in known:
            key = known[blob[:4]]
            if not signature_holds(key.public, blob[4:], (head + "\n").encode("utf-8")):
                raise Broken(f"{what}: the signature does not hold")
            if int(size) > key.until:
                ended = f"key {key.id.hex()}, which entry {key.revoked} revoked; it counts up to"
                ended = ended if key.revoked else "a key that ended at"
                raise Broken(f"{what}: is signed by {ended} {key.until} entries")
            is_signed = True
    if not is_signed:
        raise Broken(f"{what} is not signed by {name} ({keys[-1].id.hex()})")
    return Checkpoint(int(size), root)
