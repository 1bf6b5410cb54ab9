#!/usr/bin/env python3
"""Verify an exported ledger: `python3 verify.py BUNDLE [--vkey KEY] [--anchor FILE] [--jobs N]`.

Needs Python 3.8 or later, no network, no other file of the program that made the bundle. Says OK
with size and root, or the first broken entry and why, and ends with 1. Its plan, by number:

1. The log's public key comes from --vkey (trust it for where it came from), else from the bundle
   (then damage after signing shows, but not a bundle signed by somebody else).
2. The checkpoint is a signed note (C2SP): origin, tree size, root; the signature holds. Where the
   log was handed over to new keys, `keys.txt` leads from any one of them to the newest: each note
   is signed by the old key and the new one, and is what its entry says. The newest key signs the
   checkpoint; a former one counts for an anchor, up to the entry that ended it.
3. A whole log has `leaves.txt`, one hash per entry: as a Merkle tree (RFC 6962) they lead to the
   signed root, and each line of `entries.jsonl` has its hash, so a changed entry is named. A long
   log is read in parts, by as many processes as --jobs says.
4. A batch bundle has `proofs.json`: the last entry of each stream leads to the signed root by its
   inclusion proof, and each entry names the hash of the one before it. A batch that does not end
   in `batch.closed` is said to be NOT CLOSED; after it nothing may follow.
5. Every line is one entry in canonical JSON (RFC 8785, no floats), `seq` in order without gaps;
   in each stream `ver` counts from 1 and `prev` is the hash of the entry before.
6. With --anchor, an older checkpoint of the same log is a prefix of this one.
7. Every file has its SHA-256 in `manifest-sha256.txt`. Files that the entries do not prove, the
   record, count only where `manifest-sha256.sig` holds; a closed record is what its entry says.
8. In a batch bundle the digest of each signature is that of its statement, and it names its own
   record and the hash of the entry that its signer saw. Of a whole log the server checks this. What
   a passkey or a sign-in provider signed is kept in the entry and needs more than Python to check.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

TEXT, OPTION, COUNTER = (str,), (str, type(None)), (int,)
FIELDS: dict[str, Any] = {"actor": TEXT, "at": TEXT, "data": (dict,), "idem": OPTION}
FIELDS.update(prev=OPTION, reason=OPTION, seq=COUNTER, station=OPTION)
FIELDS.update(stream=TEXT, type=TEXT, v=COUNTER, ver=COUNTER)
NAMES, SHAPES = list(FIELDS), set(itertools.product(*FIELDS.values()))
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
SEQ = re.compile(rb'"seq":([0-9]{1,16}),"station":')
STEP = 1 << 13  # entries in a part: a power of two, so that it is one subtree of the tree
LINES = 64  # are compared with their canonical texts at once
KEY_NOT_ASCII = re.compile(r'[^\x00-\x7f](?:[^"\\]|\\.)*":')
COUNT = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
SIGNATURE = re.compile("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")
PROVEN = {"entries.jsonl", "leaves.txt", "proofs.json", "checkpoint", "log.vkey", "keys.txt"}
PROVEN.add("verify.py")
MANIFEST, SIGNED = "manifest-sha256.txt", "manifest-sha256.sig"


class Broken(Exception):
    """What is not proven, as a sentence."""


class Checkpoint(NamedTuple):
    size: int
    root: bytes


class Key(NamedTuple):
    name: str
    id: bytes
    public: bytes
    until: int = 2**53  # the last size that it may have signed


class Bundle:
    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self.zip = None if self.folder.is_dir() else zipfile.ZipFile(path)
        self.closings: list[dict[str, Any]] = []
        self.rotations: list[Any] = []  # of the log's keys: entry number and note

    def open(self, name: str) -> IO[bytes]:
        try:
            return self.zip.open(name) if self.zip is not None else (self.folder / name).open("rb")
        except (KeyError, OSError):
            raise Broken(f"{name} is missing from the bundle") from None

    def text(self, name: str) -> str:
        with self.open(name) as file:
            return file.read().decode("utf-8")

    def names(self) -> set[str]:
        if self.zip is not None:
            return {name for name in self.zip.namelist() if not name.endswith("/")}
        files = (path for path in self.folder.rglob("*") if not path.is_dir())
        return {path.relative_to(self.folder).as_posix() for path in files}


P = 2**255 - 19  # Ed25519, RFC 8032
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def point_add(a: Any, b: Any) -> Any:
    """The sum of two points in extended coordinates x, y, z, t."""
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_times(scalar: int, point: Any) -> Any:
    total: Any = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = point_add(total, point)
        point, scalar = point_add(point, point), scalar >> 1
    return total


def point_decode(blob: bytes) -> Any:
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
    point = point_add(point_times(scalar, BASE), point_times(k, minus_key))
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return bool((y | (x & 1) << 255).to_bytes(32, "little") == signature[:32])


def base64_of(text: str, what: str) -> bytes:
    blob = b""
    with suppress(ValueError):
        blob = base64.b64decode(text, validate=True)
    if base64.b64encode(blob).decode("ascii") != text:
        raise Broken(f"{what}: base64 is malformed")
    return blob


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
                raise Broken(f"{what}: is signed by a key that ended at {key.until} entries")
            is_signed = True
    if not is_signed:
        raise Broken(f"{what} is not signed by {name} ({keys[-1].id.hex()})")
    return Checkpoint(int(size), root)


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def push(nodes: list[bytes], leaf: bytes, index: int) -> None:
    """Append a leaf to the complete subtrees of a log; there are as many as the log has bits."""
    while index & 1:
        leaf, index = node(nodes.pop(), leaf), index >> 1
    nodes.append(leaf)


def root_of(nodes: list[bytes]) -> bytes:
    root = nodes[-1] if nodes else hashlib.sha256(b"").digest()
    for left in nodes[-2::-1]:
        root = node(left, root)
    return root


def climb(start: bytes, here: int, last: int, *, proof: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of the log up to this node, and of the whole log (RFC 9162, 2.1.3.2, 2.1.4.2)."""
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


def refuse(text: str) -> Any:
    raise ValueError(f"{text} is not allowed, decimals are strings")


def whole(text: str) -> int:
    number = int(text)
    return number if -(2**53) < number < 2**53 else refuse(text)


DECODER = json.JSONDecoder(parse_float=refuse, parse_constant=refuse, parse_int=whole)
FORM: Any = {"sort_keys": True, "ensure_ascii": False, "check_circular": False}
ENCODER = json.JSONEncoder(separators=(",", ":"), **FORM)


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


class Part(NamedTuple):
    nodes: list[bytes]  # the complete subtrees of its leaves, the largest first
    old_nodes: list[bytes]  # the same up to the anchor, if that ends in this part
    firsts: dict[str, Any]  # seq, ver and prev of each stream's first entry here
    heads: dict[str, Any]  # ver and leaf of each stream's last entry here
    rotations: list[Any]
    faults: list[tuple[int, str]]  # the first that shows without the parts before, with its seq


def read_part(entries: IO[bytes], leaves: IO[bytes], first: int, *, size: int, old: int) -> Part:
    """What the entries from `first` on are by themselves: STEP of them, or those that are left."""
    part, count, seq = Part([], [], {}, {}, [], []), min(STEP, size + 1 - first), first
    is_last = first + count > size
    hashes = leaves.read(65 * count + is_last).decode("latin-1").split("\n")
    if list(map(len, hashes)) != [64] * count + [0]:
        raise Broken(f"leaves.txt: does not hold {size} lines with a hash in each")
    for index, leaf in enumerate(hashes[:-1]):
        push(part.nodes, bytes.fromhex(leaf), index)
        if first + index == old:
            part.old_nodes.extend(part.nodes)
    later: list[Any] = []
    try:
        for seq, leaf in enumerate(hashes[:-1], first):
            if not (line := entries.readline()):
                raise Broken(f"entry {seq}: is missing, the checkpoint covers {size}")
            entry = read_entry(line, seq, later)  # 5.
            if hashlib.sha256(b"\x00" + line[:-1]).hexdigest() != leaf:  # 3.
                raise Broken(f"entry {seq}: is not what was committed, its hash differs")
            if entry["seq"] != seq:  # 5.
                raise Broken(f"entry {seq}: carries the number {entry['seq']}")
            stream, ver, prev = entry["stream"], entry["ver"], entry["prev"]
            last = part.heads.get(stream)
            if last is None:
                part.firsts[stream] = seq, ver, prev
            elif last != (ver - 1, prev):
                raise Broken(f"entry {seq}: does not follow version {last[0]} of {stream}")
            part.heads[stream] = ver, leaf
            if entry["type"] == "key.rotated":
                part.rotations.append((seq, entry["data"]["note"]))
            if len(later) == LINES:
                part.faults.extend(settle(later))
        if is_last and entries.read(1):
            raise Broken(f"entry {size + 1}: the checkpoint covers only {size}")
    except Broken as fault:
        part.faults.append((seq, str(fault)))
    part.faults.extend(settle(later))
    return part


def read_part_at(task: Any) -> Part:
    """`read_part` in another process: of which folder, and where the part's lines begin."""
    folder, place, first, size, old = task
    bundle = Bundle(folder)
    with bundle.open("entries.jsonl") as entries, bundle.open("leaves.txt") as leaves:
        entries.seek(place)
        leaves.seek(65 * (first - 1))
        return read_part(entries, leaves, first, size=size, old=old)


def parts(bundle: Bundle, size: int, old: int, *, jobs: int) -> Iterator[Part]:
    """The parts of the whole log, in order; one that follows a broken one may be broken by that."""
    firsts = range(1, max(size, 1) + 1, STEP)
    with bundle.open("entries.jsonl") as entries, bundle.open("leaves.txt") as leaves:
        if jobs > 1 and len(firsts) > 1 and bundle.zip is None:
            lengths = (sum(map(len, itertools.islice(entries, STEP))) for _ in firsts)
            places = zip(itertools.accumulate(lengths, initial=0), firsts)
            tasks = ((str(bundle.folder), place, first, size, old) for place, first in places)
            with suppress(BrokenExecutor, ImportError, NotImplementedError, OSError):
                with ProcessPoolExecutor(jobs) as pool:
                    found = list(pool.map(read_part_at, tasks))
                yield from found
                return
            entries.seek(0)  # no process can be started here: then alone
        for first in firsts:
            yield read_part(entries, leaves, first, size=size, old=old)


def verify_log(bundle: Bundle, newest: Checkpoint, anchor: Checkpoint | None, *, jobs: int) -> str:
    nodes: list[bytes] = []
    heads: dict[str, Any] = {}
    old, old_root, why = anchor or newest, root_of([]), ""
    for index, part in enumerate(parts(bundle, newest.size, old.size, jobs=jobs)):
        for stream, (seq, ver, prev) in part.firsts.items():
            last, leaf = heads.get(stream, (0, None))
            if (ver, prev) != (last + 1, leaf):
                fault = f"entry {seq}: does not follow version {last} of {stream}"
                part.faults.append((seq, fault))
        why = why or min(part.faults, default=(0, ""))[1]
        heads.update(part.heads)
        bundle.rotations += part.rotations
        old_root = root_of(nodes + part.old_nodes) if part.old_nodes else old_root
        if (index + 1) * STEP <= newest.size:
            push(nodes, part.nodes[0], index)
        else:
            nodes += part.nodes
    if root_of(nodes) != newest.root:  # 3.
        why = f"{why or 'its entries are others'}; leaves.txt does not lead to the signed root"
    elif not why and old_root != old.root:  # 6.
        why = f"the first {old.size} entries are not those of the anchor"
    if why:
        raise Broken(why)
    return f"{newest.size} entries"


def verify_streams(bundle: Bundle, newest: Checkpoint, anchor: Checkpoint | None, **_: int) -> str:
    proofs = DECODER.decode(bundle.text("proofs.json"))
    lasts = {item["stream"]: item for item in proofs["streams"]}
    found: dict[str, list[Any]] = {name: [] for name in lasts}
    later: list[Any] = []
    seq = 0
    with bundle.open("entries.jsonl") as file:
        for line in file:
            entry = read_entry(line, int((SEQ.findall(line) or [0])[-1]), later)
            for broken in settle(later):
                raise Broken(broken[1])
            if entry["seq"] <= seq or entry["stream"] not in found:  # 5.
                raise Broken(f"entry {entry['seq']}: is out of order, or its stream has no proof")
            seq = entry["seq"]
            found[entry["stream"]].append((entry, hashlib.sha256(b"\x00" + line[:-1]).digest()))
            if entry["type"] == "record.closed":
                bundle.closings.append(entry)
            if entry["type"] == "key.rotated":
                bundle.rotations.append((seq, entry["data"]["note"]))
    faults = [chain_fault(found[name], lasts[name], newest) for name in lasts]
    own = (entry for entries in found.values() for entry, _ in entries)
    signed = [entry for entry in own if entry["type"] == "signature.applied"]
    faults = list(filter(None, faults)) or [signature_fault(entry, found) for entry in signed]
    for seq, why in sorted(filter(None, faults))[:1]:
        raise Broken(f"entry {seq}: {why}")
    if anchor is not None and anchor != newest:  # 6.
        path = {item["size"]: item["proof"] for item in proofs["consistency"]}.get(anchor.size)
        if path is None:
            raise Broken(f"no proof towards the anchor of {anchor.size}; export with this anchor")
        if not is_prefix(anchor, newest, [bytes.fromhex(text) for text in path]):
            raise Broken(f"the anchor's {anchor.size} entries are no prefix of this log")
    said = [f"{name} to {entries[-1][0]['type']}" for name, entries in sorted(found.items())]
    batches = {name for name in found if name.startswith("batch/")} or set(found)
    is_open = {name for name in batches if not found[name][-1][0]["type"].endswith(".closed")}
    if is_open:  # lots, scales and others go on after a batch
        said.append(f"NOT CLOSED: {', '.join(sorted(is_open))}, later entries may exist")
    bound = f", {len(signed)} signatures" if signed else ""
    return f"{sum(map(len, found.values()))} entries ({'; '.join(said)}){bound}"


def signature_fault(entry: Any, found: dict[str, list[Any]]) -> Any:  # 8.
    """What does not hold of a signature: whose it is, its statement, or what it was made over."""
    signed, seq = entry["data"]["manifest"], entry["seq"]
    digest = hashlib.sha256(ENCODER.encode(signed).encode("utf-8")).hexdigest()
    if digest != entry["data"]["manifest_sha256"] or signed["signer"] != entry["actor"]:
        return seq, "is a signature of another statement or person than it says"
    reopens = entry["stream"].startswith("amendment/") and signed["record"].startswith("batch/")
    seen = found.get(signed["record"], [])[: signed["ver"]]
    head = seen[-1][1].hex() if seen else ""
    if (signed["record"] != entry["stream"] and not reopens) or head != signed["head"]:
        return seq, "is a signature over other content than its record's"
    return None


def chain_fault(entries: list[Any], last: dict[str, Any], newest: Checkpoint) -> Any:
    """What does not hold in a stream: its last entry is proven, and each proves the one before."""
    for ver, (entry, _) in enumerate(entries, 1):
        if entry["ver"] != ver:
            return entry["seq"], f"is version {entry['ver']}, version {ver} is missing"
    if not entries or entries[-1][0]["seq"] != last["seq"]:
        return last["seq"], f"is missing, it ends {last['stream']}"
    for before, (entry, _) in zip(entries, entries[1:]):
        if before[0]["type"] == "batch.closed":
            return entry["seq"], f"comes after batch.closed, which ends {last['stream']}"
    path, here = [bytes.fromhex(text) for text in last["proof"]], last["seq"] - 1
    roots = climb(entries[-1][1], here, newest.size - 1, proof=path)
    if here >= newest.size or roots[1] != newest.root:  # 4.
        return last["seq"], "is not in the log that was signed"
    for index in range(len(entries) - 1, -1, -1):
        before, leaf = entries[index - 1] if index else (entries[0][0], None)
        if entries[index][0]["prev"] != (leaf.hex() if leaf else None):
            return before["seq"], f"is not what entry {entries[index][0]['seq']} came after"
    return None


def verify_files(bundle: Bundle, manifest: dict[str, str], key: Key) -> None:  # 7.
    for name in sorted(bundle.names() - {*manifest, MANIFEST, SIGNED})[:1]:
        raise Broken(f"{name}: does not belong to the bundle, the manifest lacks it")
    others = sorted(manifest.keys() - PROVEN)
    if others:
        match = SIGNATURE.fullmatch(bundle.text(SIGNED).rstrip("\n"))
        blob = base64_of(match.group(2), SIGNED) if match else b""
        text = b"batchwright manifest v1\n" + bundle.text(MANIFEST).encode("utf-8")
        if blob[:4] != key.id or not signature_holds(key.public, blob[4:], text):
            raise Broken(f"{MANIFEST}: {key.name} did not sign it, so nothing proves {others[0]}")
    for name, digest in manifest.items():
        found = hashlib.sha256()
        with bundle.open(name) as file:
            while block := file.read(1 << 20):
                found.update(block)
        if found.hexdigest() != digest:
            raise Broken(f"{name}: is not the file of the manifest")
    for entry in bundle.closings:
        name = f"record-{entry['data']['revision']}.json"
        if manifest.get(name, entry["data"]["content_sha256"]) != entry["data"]["content_sha256"]:
            raise Broken(f"{name}: is not the record that entry {entry['seq']} closed")


def verify(path: str, vkey: str | None, anchor_file: str | None, *, jobs: int = 1) -> str:
    try:
        return prove(path, vkey, anchor_file, jobs=jobs)
    except Broken:
        raise
    except Exception as fault:  # an unknown fault proves nothing either
        raise Broken(f"{type(fault).__name__}: {fault}") from fault


def prove(path: str, vkey: str | None, anchor_file: str | None, *, jobs: int) -> str:
    bundle, anchor = Bundle(path), None
    key = bundle.text("log.vkey") if vkey is None else vkey  # 1.
    said_keys = bundle.text("keys.txt") if "keys.txt" in bundle.names() else ""
    keys = read_keys(said_keys, parse_vkey(key))
    newest = read_checkpoint(bundle.text("checkpoint"), keys[-1:], "the checkpoint")  # 2.
    if anchor_file is not None:
        anchor = read_checkpoint(Path(anchor_file).read_bytes().decode("utf-8"), keys, "the anchor")
        if anchor.size > newest.size:  # 6.
            raise Broken(f"the anchor covers {anchor.size} entries, the bundle only {newest.size}")
    manifest = {line[66:]: line[:64] for line in bundle.text(MANIFEST).splitlines()}
    check = verify_streams if "proofs.json" in manifest else verify_log
    said = check(bundle, newest, anchor, jobs=jobs)
    if said_keys != "".join(note for _, note in bundle.rotations) or any(
        note.split("\n")[1] != f"entry {seq}" for seq, note in bundle.rotations
    ):
        raise Broken("keys.txt: is not what the entries say of the log's keys")
    verify_files(bundle, manifest, keys[-1])
    since = "" if anchor is None else f", continues the anchor of {anchor.size}"
    whose = "found in the bundle: compare it, or give --vkey" if vkey is None else "as given"
    since += f", signed by {len(keys)} keys in turn" if len(keys) > 1 else ""
    seal = f"size {newest.size}\nroot {newest.root.hex()}\nkey  {key.strip()} ({whose})"
    return f"OK: {said}{since}\n{seal}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an exported ledger or batch bundle.")
    parser.add_argument("bundle", help="the exported folder or zip")
    parser.add_argument("--vkey", help="the log's public key, from a source that you trust")
    parser.add_argument("--anchor", help="a file with an older checkpoint of the same log")
    parser.add_argument("--jobs", help="processes that read", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    try:
        print(verify(given.bundle, given.vkey, given.anchor, jobs=given.jobs))
    except Broken as fault:
        print(f"NOT PROVEN: {fault}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
