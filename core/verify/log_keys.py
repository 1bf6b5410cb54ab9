"""The log's keys one after another, and the checkpoints that they signed."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from core.verify.bundle import Broken, base64_of
from core.verify.key_notes import COUNT, REVOKED, SIGNATURE, Key, Note, parse_vkey, read_notes
from core.verify.public_keys import signature_holds


class Checkpoint(NamedTuple):
    size: int
    root: bytes


def read_keys(text: str, trusted: Key) -> tuple[list[Key], list[Note]]:
    """The keys of the log that lead to the trusted one or follow it, the newest last; and how."""
    keys, notes = [trusted], list(read_notes(text))
    for index, it in enumerate(notes):
        if it.old.name != it.new.name or (index and it.old != keys[-1]):
            raise Broken("keys.txt: the keys do not follow each other")
        keys[-1:] = [it.old._replace(until=it.entry - 1, lost=it.by != it.old), it.new]
    if trusted not in [key._replace(until=trusted.until, lost=False) for key in keys]:
        raise Broken(f"keys.txt: does not lead to {trusted.name} ({trusted.id.hex()})")
    return keys, notes


def ask_for_the_whole(keys: list[Key], trusted: Key) -> None:
    """Refuse a part of a recovered log: which key might recover it, only all its entries say.

    A part proves the last entry of each record; the ones before follow from links of whoever
    signed that, and it is this signer who is in question.
    """
    start = [key.public for key in keys].index(trusted.public)
    for key in keys[start:]:
        if key.lost:
            raise Broken(
                f"{key.id.hex()} was lost and followed by the word of a recovery key, which only"
                f" the whole ledger proves; give {keys[-1].id.hex()} as the key, from a source that"
                " you trust, or take a bundle of the whole ledger"
            )


def revoke(keys: list[Key], trusted: Key, acts: list[Any]) -> list[Key]:
    """The keys as entries leave them: a revoked one counts less far, and leads to no other one."""
    for seq, kind, said in acts:
        if kind != REVOKED:
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
