#!/usr/bin/env python3
"""Verify an exported ledger: `python3 verify.py BUNDLE [--vkey KEY] [--anchor FILE]`.

It needs Python 3.8 or later and nothing else: no network, no other file of the program that made
the bundle. It says OK with size and root, or the first broken entry and why, and ends with 1.

The plan, whose numbers stand again beside the code:

1. Take the log's public key: from --vkey (trust it for where it came from), else from the bundle
   (then only damage after signing shows, not a bundle signed by somebody else).
2. The checkpoint is a signed note (C2SP): origin, tree size, root hash; its signature holds.
3. A whole log has `leaves.txt`, one hash per entry: as a Merkle tree (RFC 6962) they lead to the
   signed root. Then each line of `entries.jsonl` has its hash, so a changed entry is named.
4. A batch bundle has `proofs.json`: the last entry of each stream leads to the signed root by its
   inclusion proof, and each entry names the hash of the one before it.
5. Every line is one entry in canonical JSON (RFC 8785 without floats), numbered without gaps;
   in each stream `ver` counts from 1 and `prev` is the hash of the entry before.
6. With --anchor, an older checkpoint of the same log is a prefix of this one.
7. Every file has the SHA-256 that `manifest-sha256.txt` lists. The manifest is not signed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

KEYS = ["actor", "at", "data", "idem", "prev", "reason", "seq"]
KEYS += ["station", "stream", "type", "v", "ver"]
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
COUNT = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
LONG_NUMBER = re.compile(rb"[0-9]{16}")
NUMBER = re.compile(rb'"seq":([0-9]{1,16}),"station":')
SIGNATURE = re.compile("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")


class Broken(Exception):
    """What is not proven, as a sentence."""


class Key(NamedTuple):
    name: str
    key_id: bytes
    public: bytes


class Checkpoint(NamedTuple):
    size: int
    root: bytes


class Bundle:
    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self.zip = None if self.folder.is_dir() else zipfile.ZipFile(path)

    def names(self) -> list[str]:
        if self.zip is not None:
            return [name for name in self.zip.namelist() if not name.endswith("/")]
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return [path.relative_to(self.folder).as_posix() for path in found]

    def open(self, name: str) -> IO[bytes]:
        try:
            return self.zip.open(name) if self.zip is not None else (self.folder / name).open("rb")
        except (KeyError, OSError):
            raise Broken(f"{name} is missing from the bundle") from None

    def text(self, name: str) -> str:
        with self.open(name) as file:
            return file.read().decode("utf-8")


# --- Ed25519 (RFC 8032), verification only ---

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


Point = Any  # x, y, z, t: extended coordinates


def point_add(a: Point, b: Point) -> Point:
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = point_add(total, point)
        point, scalar = point_add(point, point), scalar >> 1
    return total


def point_decode(blob: bytes) -> Point:
    y = int.from_bytes(blob, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether [S]B = R + [k]A, with S below the group order."""
    key, scalar = point_decode(public), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or scalar >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    minus_key = (P - key[0], key[1], key[2], P - key[3])
    point: Point = point_add(point_times(scalar, BASE), point_times(k, minus_key))
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def base64_of(text: str, what: str) -> bytes:
    try:
        blob = base64.b64decode(text, validate=True)
    except ValueError:
        blob = b""
    if not blob or base64.b64encode(blob).decode("ascii") != text:
        raise Broken(f"{what}: base64 is malformed")
    return blob


def parse_vkey(text: str) -> Key:
    """The key in `name+id+base64(type || key)`; its id is computed anew."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise Broken("the key is not name+id+base64")
    blob = base64_of(parts[2], "the key")
    key_id = hashlib.sha256(parts[0].encode("utf-8") + b"\n" + blob).digest()[:4]
    if len(blob) != 33 or blob[:1] != b"\x01" or key_id.hex() != parts[1]:
        raise Broken("the key is no Ed25519 log key, or its id is not its own")
    return Key(parts[0], key_id, blob[1:])


def read_checkpoint(note: str, key: Key, what: str) -> Checkpoint:
    """Size and root in a note that the key signed."""
    head, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f\x7f]", note):
        raise Broken(f"{what} is no signed note")
    lines = head.split("\n")
    if len(lines) != 3 or lines[0] != key.name:
        raise Broken(f"{what} is not of the log {key.name}")
    root = base64_of(lines[2], what)
    if not COUNT.fullmatch(lines[1]) or len(root) != 32:
        raise Broken(f"{what}: size or root is malformed")
    is_signed = False
    for line in tail[:-1].split("\n"):
        match = SIGNATURE.fullmatch(line)
        if match is None:
            raise Broken(f"{what}: a signature line is malformed")
        blob = base64_of(match.group(2), what)
        if match.group(1) == key.name and blob[:4] == key.key_id:
            if not signature_holds(key.public, blob[4:], (head + "\n").encode("utf-8")):
                raise Broken(f"{what}: the signature does not hold")
            is_signed = True
    if not is_signed:
        raise Broken(f"{what} is not signed by {key.name} ({key.key_id.hex()})")
    return Checkpoint(int(lines[1]), root)


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The complete subtrees of a growing log: memory grows with the logarithm of its size."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.size = 0

    def add(self, leaf: bytes) -> None:
        rest, self.size = self.size, self.size + 1
        while rest & 1:
            leaf, rest = node(self.nodes.pop(), leaf), rest >> 1
        self.nodes.append(leaf)

    def root(self) -> bytes:
        root = self.nodes[-1] if self.nodes else hashlib.sha256(b"").digest()
        for left in self.nodes[-2::-1]:
            root = node(left, root)
        return root


def climb(start: bytes, here: int, last: int, *, proof: list[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a proof leads to from a node (RFC 9162, 2.1.3.2 and 2.1.4.2).

    The second is that of the whole tree, the first that of the tree which ends with the node.
    """
    first = second = start
    for other in proof:
        if last == 0:
            return b"", b""
        if here & 1 or here == last:
            first, second = node(other, first), node(other, second)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            second = node(second, other)
        here, last = here >> 1, last >> 1
    return (b"", b"") if last else (first, second)


def is_prefix(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> bool:
    path = proof if old.size & (old.size - 1) else [old.root, *proof]
    here, last = old.size - 1, new.size - 1
    if not path or not 0 <= here < last:
        return False
    while here & 1:
        here, last = here >> 1, last >> 1
    return climb(path[0], here, last, proof=path[1:]) == (old.root, new.root)


def refuse_number(text: str) -> Any:
    raise ValueError(f"{text} is not allowed, decimals are strings")


DECODER = json.JSONDecoder(parse_float=refuse_number, parse_constant=refuse_number)
ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False
)


def read_entry(line: bytes, name: str) -> dict[str, Any]:
    """The entry in one line, if it is canonical and whole; `name` is what a fault calls it."""
    if line[-1:] != b"\n":
        raise Broken(f"{name}: the line has no newline at its end")
    try:
        text = line[:-1].decode("utf-8")
        entry = DECODER.decode(text)
        # two equal keys, another order, a space, another escape: the texts would differ
        is_canonical = ENCODER.encode(entry) == text
    except (ValueError, RecursionError) as fault:
        raise Broken(f"{name}: is no JSON of ours, {fault}") from None
    if not is_canonical:
        raise Broken(f"{name}: is not in canonical form")
    if type(entry) is not dict or list(entry) != KEYS:
        raise Broken(f"{name}: does not have the fields of an entry")
    if not line.isascii() or LONG_NUMBER.search(line):
        walk(entry, name)
    counts = [entry[field] for field in ("seq", "ver", "v")]
    texts = [entry[field] for field in ("stream", "type", "actor", "at")]
    options = [entry[field] or "" for field in ("station", "idem", "reason")]
    if not all(type(count) is int and count > 0 for count in counts):
        raise Broken(f"{name}: seq, ver or v is no counting number")
    if not all(type(text) is str for text in texts + options) or not all(texts):
        raise Broken(f"{name}: a field is no text")
    if not INSTANT.fullmatch(entry["at"]) or type(entry["data"]) is not dict:
        raise Broken(f"{name}: at is no UTC instant, or data no object")
    return entry


def walk(value: Any, name: str) -> None:
    """Refuse keys that are not ASCII and integers of 2**53 or more."""
    if type(value) is dict:
        if not "".join(value).isascii():
            raise Broken(f"{name}: a key is not ASCII")
        value = list(value.values())
    if type(value) is list:
        for item in value:
            walk(item, name)
    elif type(value) is int and abs(value) >= 2**53:
        raise Broken(f"{name}: a number is 2**53 or more")


def leaves(bundle: Bundle, count: int) -> Iterator[str]:
    """The hashes in leaves.txt, exactly `count` of them, in hex."""
    with bundle.open("leaves.txt") as file:
        for number in range(1, count + 1):
            line = file.readline(66).decode("latin-1")
            if line[64:] != "\n" or not HASH.fullmatch(line[:64]):
                raise Broken(f"leaves.txt: line {number} of {count} is no hash, or missing")
            yield line[:64]
        if file.read(1):
            raise Broken(f"leaves.txt: holds more than {count} hashes")


def verify_log(bundle: Bundle, newest: Checkpoint, anchor: Checkpoint | None) -> str:
    tree, anchor_root = Tree(), b""
    for leaf in leaves(bundle, newest.size):  # 3.
        if anchor is not None and tree.size == anchor.size:
            anchor_root = tree.root()
        tree.add(bytes.fromhex(leaf))
    root = tree.root()
    doubt = "" if root == newest.root else "; leaves.txt does not lead to the signed root"
    with bundle.open("entries.jsonl") as file:
        try:
            verify_lines(file, leaves(bundle, newest.size), newest.size)
        except Broken as fault:
            raise Broken(f"{fault}{doubt}") from None
    if doubt:
        raise Broken(f"the {newest.size} entries do not lead to the signed root")
    if anchor is not None and anchor.root != (anchor_root if anchor.size < newest.size else root):
        raise Broken(f"the first {anchor.size} entries are not those of the anchor")  # 6.
    return f"{newest.size} entries"


def verify_lines(file: IO[bytes], hashes: Iterator[str], size: int) -> None:
    heads: dict[str, tuple[int, str]] = {}
    seq = 0
    for line in file:
        seq += 1
        if seq > size:
            raise Broken(f"entry {seq}: the checkpoint covers only {size}")
        leaf = hashlib.sha256(b"\x00" + line[:-1]).hexdigest()
        entry = read_entry(line, f"entry {seq}")  # 5.
        if leaf != next(hashes):  # 3.
            raise Broken(f"entry {seq}: is not what was committed, its hash differs")
        if entry["seq"] != seq:  # 5.
            raise Broken(f"entry {seq}: carries the number {entry['seq']}")
        ver, prev = heads.get(entry["stream"], (0, None))
        if entry["ver"] != ver + 1 or entry["prev"] != prev:
            raise Broken(f"entry {seq}: does not follow version {ver} of {entry['stream']}")
        heads[entry["stream"]] = (entry["ver"], leaf)
    if seq < size:
        raise Broken(f"entry {seq + 1}: is missing, the checkpoint covers {size}")
    next(hashes, None)


def read_proofs(bundle: Bundle) -> tuple[dict[str, Any], dict[int, list[bytes]]]:
    """The proof of each stream's last entry by stream, and of each known anchor by size."""
    try:
        given = DECODER.decode(bundle.text("proofs.json"))
        for item in given["streams"] + given["consistency"]:
            item["proof"] = [bytes.fromhex(text) for text in item["proof"]]
        streams = {item["stream"]: item for item in given["streams"]}
        return streams, {item["size"]: item["proof"] for item in given["consistency"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Broken("proofs.json is malformed") from None


def verify_streams(bundle: Bundle, newest: Checkpoint, anchor: Checkpoint | None) -> str:
    proofs, consistency = read_proofs(bundle)
    found: dict[str, list[tuple[dict[str, Any], bytes]]] = {}
    seq = 0
    with bundle.open("entries.jsonl") as file:
        for number, line in enumerate(file, 1):
            claims = NUMBER.findall(line)
            entry = read_entry(line, f"entry {int(claims[-1])}" if claims else f"line {number}")
            if entry["seq"] <= seq:  # 5.
                raise Broken(f"entry {entry['seq']}: stands after entry {seq}")
            seq = entry["seq"]
            found.setdefault(entry["stream"], []).append((entry, leaf_hash(line[:-1])))
    if set(found) != set(proofs):
        raise Broken(f"{min(set(found) ^ set(proofs))}: entries without proof, or proof without")
    broken = [fault for name in found for fault in chain(found[name], proofs[name], newest)]
    if broken:
        raise Broken("entry {}: {}".format(*min(broken)))
    if anchor is not None and anchor.size == newest.size and anchor.root != newest.root:  # 6.
        raise Broken("the anchor has the same size and another root")
    if anchor is not None and anchor.size < newest.size:
        if anchor.size not in consistency:
            raise Broken(f"no proof towards an anchor of {anchor.size}; export with this anchor")
        if not is_prefix(anchor, newest, consistency[anchor.size]):
            raise Broken(f"the anchor's {anchor.size} entries are no prefix of this log")
    ends = [f"{name} up to {found[name][-1][0]['type']}" for name in sorted(found)]
    return f"{sum(map(len, found.values()))} entries ({'; '.join(ends)})"


def leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def chain(
    entries: list[tuple[dict[str, Any], bytes]], last: dict[str, Any], newest: Checkpoint
) -> Iterator[tuple[int, str]]:
    """What does not hold in one stream: the last entry is proven, each proves the one before."""
    if entries[-1][0]["seq"] < last["seq"]:
        yield last["seq"], f"the last of {last['stream']} is missing"
        return
    entry, leaf = entries[-1]
    index = entry["seq"] - 1
    proven = index < newest.size and climb(leaf, index, newest.size - 1, proof=last["proof"])
    if not proven or proven[1] != newest.root:  # 4.
        yield entry["seq"], "is not in the log that was signed"
        return
    for index in range(len(entries) - 1, -1, -1):
        entry = entries[index][0]
        if entry["ver"] != index + 1:
            yield entry["seq"], f"is version {entry['ver']}, an earlier one is missing"
            return
        if entry["prev"] != (entries[index - 1][1].hex() if index else None):
            before = entries[index - 1][0] if index else entry
            yield before["seq"], f"is not what entry {entry['seq']} was committed after"
            return


def verify_manifest(bundle: Bundle) -> None:
    listed = {"manifest-sha256.txt"}
    for line in bundle.text("manifest-sha256.txt").splitlines():  # 7.
        digest, gap, name = line.partition("  ")
        if not gap or not HASH.fullmatch(digest):
            raise Broken("manifest-sha256.txt is malformed")
        found = hashlib.sha256()
        with bundle.open(name) as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                found.update(block)
        if found.hexdigest() != digest:
            raise Broken(f"{name}: is not the file of the manifest")
        listed.add(name)
    extra = sorted(set(bundle.names()) - listed)
    if extra:
        raise Broken(f"{extra[0]}: is not in the manifest")


def verify(path: str, vkey: str | None, anchor_file: str | None) -> str:
    bundle = Bundle(path)
    key = parse_vkey(bundle.text("log.vkey") if vkey is None else vkey)  # 1.
    newest = read_checkpoint(bundle.text("checkpoint"), key, "the checkpoint")  # 2.
    anchor = None
    if anchor_file is not None:
        note = Path(anchor_file).read_bytes().decode("utf-8")
        anchor = read_checkpoint(note, key, "the anchor")
        if anchor.size > newest.size:  # 6.
            raise Broken(f"the anchor covers {anchor.size} entries, the bundle only {newest.size}")
    is_part = "proofs.json" in bundle.names()
    said = (verify_streams if is_part else verify_log)(bundle, newest, anchor)
    verify_manifest(bundle)
    whose = "given with --vkey" if vkey else "found in the bundle: compare it, or give --vkey"
    since = f", continues the anchor of {anchor.size}" if anchor is not None else ""
    return (
        f"OK: {said}{since}\nlog  {key.name}, {newest.size} entries\nroot {newest.root.hex()}\n"
        f"key  {key.key_id.hex()}, {whose}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an exported ledger or batch bundle.")
    parser.add_argument("bundle", help="the exported folder or zip")
    parser.add_argument("--vkey", help="the log's public key, from a source that you trust")
    parser.add_argument("--anchor", help="a file with an older checkpoint of the same log")
    given = parser.parse_args()
    try:
        print(verify(given.bundle, given.vkey, given.anchor))
    except Broken as fault:
        print(f"NOT PROVEN: {fault}.")
    except Exception as fault:  # an unknown fault proves nothing either
        print(f"NOT PROVEN: {type(fault).__name__}: {fault}.")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
