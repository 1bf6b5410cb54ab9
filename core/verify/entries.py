"""One line of the log: an entry in canonical JSON (RFC 8785, no floats)."""

from __future__ import annotations

import itertools
import re
from typing import Any

from core.verify.bundle import DECODER, ENCODER, Broken

TEXT, OPTION, COUNTER = (str,), (str, type(None)), (int,)
FIELDS: dict[str, Any] = {"actor": TEXT, "at": TEXT, "data": (dict,), "idem": OPTION}
FIELDS.update(prev=OPTION, reason=OPTION, seq=COUNTER, station=OPTION)
FIELDS.update(stream=TEXT, type=TEXT, v=COUNTER, ver=COUNTER)
NAMES, SHAPES = list(FIELDS), set(itertools.product(*FIELDS.values()))
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
SEQ = re.compile(rb'"seq":([0-9]{1,16}),"station":')
LINES = 64  # are compared with their canonical texts at once
KEY_NOT_ASCII = re.compile(r'[^\x00-\x7f](?:[^"\\]|\\.)*":')


def read_entry(line: bytes, seq: int, later: list[Any]) -> dict[str, Any]:
    """The entry in one line, if it is whole; whether it is canonical is seen by `settle`."""
    if line[-1:] != b"\n":
        raise Broken(f"entry {seq}: the line has no newline at its end")
    try:
        text = line[:-1].decode("utf-8")
        entry, end = DECODER.raw_decode(text)
    except (ValueError, RecursionError) as fault:
        raise Broken(f"entry {seq}: is no JSON of ours, {fault}") from None
    later.append((seq, text, entry if end == len(text) else None))
    if type(entry) is not dict or list(entry) != NAMES:
        raise Broken(f"entry {seq}: does not have the fields of an entry")
    if tuple(map(type, entry.values())) not in SHAPES:
        raise Broken(f"entry {seq}: a field is not of its kind")
    if not line.isascii() and KEY_NOT_ASCII.search(text):
        raise Broken(f"entry {seq}: a key is not ASCII")
    actor, at, _, _, _, _, number, _, stream, kind, v, ver = entry.values()
    if not (actor and stream and kind):
        raise Broken(f"entry {seq}: actor, stream or type is empty")
    if number < 1 or ver < 1 or v < 1 or not INSTANT.fullmatch(at):
        raise Broken(f"entry {seq}: seq, ver or v is below 1, or at is no UTC instant")
    return entry


def settle(later: list[Any]) -> list[tuple[int, str]]:
    """Which are not canonical; two equal keys, a space, another order: the texts would differ."""
    some, later[:] = later[:], []
    # no object's text begins another one's, so that joined they are equal only if each one is
    if ENCODER.encode([one for *_, one in some]) == f"[{','.join(text for _, text, _ in some)}]":
        return []
    found = [seq for seq, text, one in some if ENCODER.encode(one) != text]
    return [(seq, f"entry {seq}: is not in canonical form") for seq in found]
