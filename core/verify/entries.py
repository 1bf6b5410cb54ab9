"""The lines of the log: an entry in each, in canonical JSON (RFC 8785, no floats)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import IO, Any

from core.verify.bundle import DECODER, ENCODER, LONGEST, Broken

TEXT, OPTION, COUNTER = {str}, {str, type(None)}, {int}
FIELDS: dict[str, Any] = {"actor": TEXT, "at": TEXT, "data": {dict}, "idem": OPTION}
FIELDS.update(prev=OPTION, reason=OPTION, seq=COUNTER, station=OPTION)
FIELDS.update(stream=TEXT, type=TEXT, v=COUNTER, ver=COUNTER)
NAMES = list(FIELDS)
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
SEQ = re.compile(rb'"seq":([0-9]{1,16}),"station":')
LINES = 64  # are read at once
LONG = 1 << 20  # bytes; a line that passes this is the last that is read with others
KEY_NOT_ASCII = re.compile(r'[^\x00-\x7f](?:[^"\\]|\\.)*":')


def read_entries(lines: list[bytes], leaves: list[str], first: int) -> list[dict[str, Any]] | None:
    """The entries from `first` on, each in its line; None if one is not as it should be.

    This asks of all at once what `read_entry` asks of each, in less time: whoever gets
    None reads them one by one, and learns which it is and why. Each line is put between brackets
    of its own. Where there are as many lists as lines, and no bracket pair like those between
    them stands elsewhere, no line lends its neighbour a part.
    """
    bodies = [line[:-1] for line in lines if line[-1:] == b"\n"]
    if [hashlib.sha256(b"\x00" + body).hexdigest() for body in bodies] != leaves:
        return None
    try:
        text = f"[[{b'],['.join(bodies).decode('utf-8')}]]"
        found = DECODER.decode(text)
        is_canonical = ENCODER.encode(found) == text
    except (ValueError, RecursionError):
        return None
    apart = text.count("],[") == len(leaves) - 1 and [*map(type, found)] == [list] * len(leaves)
    if not is_canonical or not apart or set(map(len, found)) != {1}:
        return None
    if not text.isascii() and KEY_NOT_ASCII.search(text):
        return None
    entries = [one for [one] in found]
    if set(map(type, entries)) != {dict} or set(map(tuple, entries)) != {tuple(NAMES)}:
        return None
    columns = list(zip(*(entry.values() for entry in entries)))
    if not all(set(map(type, column)) <= kinds for column, kinds in zip(columns, FIELDS.values())):
        return None
    actors, instants, _, _, _, _, numbers, _, streams, types, versions, vers = columns
    is_whole = all(actors) and all(streams) and all(types) and min(versions) > 0 < min(vers)
    in_turn = numbers == tuple(range(first, first + len(leaves)))
    is_dated = all(map(INSTANT.fullmatch, instants))
    return entries if is_whole and in_turn and is_dated else None


def read_entry(line: bytes, seq: int) -> dict[str, Any]:
    """The entry in one line, if it is whole and canonical."""
    if line[-1:] != b"\n":
        raise Broken(f"entry {seq}: the line has no newline at its end")
    try:
        text = line[:-1].decode("utf-8")
        entry, end = DECODER.raw_decode(text)
    except (ValueError, RecursionError) as fault:
        raise Broken(f"entry {seq}: is no JSON of ours, {fault}") from None
    if type(entry) is not dict or list(entry) != NAMES:
        raise Broken(f"entry {seq}: does not have the fields of an entry")
    if not all(type(value) in kinds for value, kinds in zip(entry.values(), FIELDS.values())):
        raise Broken(f"entry {seq}: a field is not of its kind")
    if not line.isascii() and KEY_NOT_ASCII.search(text):
        raise Broken(f"entry {seq}: a key is not ASCII")
    actor, at, _, _, _, _, number, _, stream, kind, v, ver = entry.values()
    if not (actor and stream and kind):
        raise Broken(f"entry {seq}: actor, stream or type is empty")
    # two equal keys, a space, another order, another entry after it: the texts would differ
    if end != len(text) or ENCODER.encode(entry) != text:
        raise Broken(f"entry {seq}: is not in canonical form")
    if number < 1 or ver < 1 or v < 1 or not INSTANT.fullmatch(at):
        raise Broken(f"entry {seq}: seq, ver or v is below 1, or at is no UTC instant")
    return entry


def next_lines(entries: IO[bytes], most: int) -> list[bytes]:
    """The next lines, up to so many; a long one is the last, so that few of them are held."""
    lines: list[bytes] = []
    length = 0
    while len(lines) < most and length < LONG:
        lines.append(entries.readline(LONGEST))
        length += len(lines[-1])
    return lines


def whole_entries(
    entries: IO[bytes], leaves: list[str], first: int, *, size: int
) -> Iterator[dict[str, Any]]:
    """The entries from `first` on, up to the first that is not as it should be."""
    seq, after = first, first + len(leaves)
    while seq < after:
        lines = next_lines(entries, min(LINES, after - seq))
        some = leaves[seq - first : seq - first + len(lines)]
        yield from read_entries(lines, some, seq) or one_by_one(lines, some, seq, size=size)
        seq += len(lines)


def one_by_one(
    lines: list[bytes], leaves: list[str], first: int, *, size: int
) -> Iterator[dict[str, Any]]:
    """The same of these lines: the first that is not as it should be is named."""
    for seq, (line, leaf) in enumerate(zip(lines, leaves), first):
        if not line:
            raise Broken(f"entry {seq}: is missing, the checkpoint covers {size}")
        entry = read_entry(line, seq)  # 5.
        if hashlib.sha256(b"\x00" + line[:-1]).hexdigest() != leaf:  # 3.
            raise Broken(f"entry {seq}: is not what was committed, its hash differs")
        if entry["seq"] != seq:  # 5.
            raise Broken(f"entry {seq}: carries the number {entry['seq']}")
        yield entry
