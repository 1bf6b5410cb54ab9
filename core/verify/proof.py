"""What a bundle proves: its entries lead to the signed root, and its files are what they say."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from core.verify.bundle import (
    DECODER,
    LONGEST,
    MANIFEST,
    PROVEN,
    SIGNED,
    Broken,
    Bundle,
    base64_of,
    shown,
)
from core.verify.entries import SEQ, read_entry, whole_entries
from core.verify.key_notes import (
    RECOVERED,
    RECOVERY_NAMED,
    REVOKED,
    ROTATED,
    SIGNATURE,
    Key,
    check_recoveries,
    parse_vkey,
)
from core.verify.log_keys import Checkpoint, ask_for_the_whole, read_checkpoint, read_keys, revoke
from core.verify.outside_words import proof_fault
from core.verify.public_keys import signature_holds
from core.verify.signatures import APPLIED, MEANS, Means, means_fault, means_in, signature_fault
from core.verify.tree import climb, is_prefix, push, root_of

STEP = 1 << 13  # entries in a part: a power of two, so that it is one subtree of the tree


LEDGER = {"entries.jsonl", "leaves.txt", "proofs.json", "checkpoint"}
AS_GIVEN, FOUND = "as given", "found in the bundle: compare it, or give --vkey"
KEY_ACTS = {ROTATED, RECOVERED, REVOKED, RECOVERY_NAMED}
LOOKED_AT = {APPLIED, *KEY_ACTS, *MEANS}
LEAF = re.compile("[0-9a-f]{64}")
LISTED = re.compile("([0-9a-f]{64})  (.+)")


class Part(NamedTuple):
    nodes: list[bytes]  # the complete subtrees of its leaves, the largest first
    old_nodes: dict[int, list[bytes]]  # the same up to each older size that ends in this part
    firsts: dict[str, Any]  # seq, ver and prev of each stream's first entry here
    heads: dict[str, Any]  # ver and leaf of each stream's last entry here
    key_acts: list[Any]
    means: list[Means]  # passkeys and accounts, and signatures by them
    faults: list[tuple[int, str]]  # the first that shows without the parts before, with its seq


def look_at(entry: dict[str, Any], key_acts: list[Any], means: list[Means]) -> None:
    """Keep what other entries are judged by."""
    if entry["type"] in KEY_ACTS:
        key_acts.append((entry["seq"], entry["type"], entry["data"]))
    elif (found := means_in(entry)) is not None:
        means.append(found)


def read_part(
    entries: IO[bytes], leaves: IO[bytes], first: int, *, size: int, olds: set[int]
) -> Part:
    """What the entries from `first` on are by themselves: STEP of them, or those that are left."""
    part, count, seq = Part([], {}, {}, {}, [], [], []), min(STEP, size + 1 - first), first
    is_last = first + count > size
    hashes = leaves.read(65 * count + is_last).decode("latin-1").split("\n")
    if list(map(len, hashes)) != [64] * count + [0]:
        raise Broken(f"leaves.txt: does not hold {size} lines with a hash in each")
    for index, leaf in enumerate(hashes[:-1]):
        try:
            push(part.nodes, bytes.fromhex(leaf), index)
        except ValueError:
            raise Broken(
                f"leaves.txt: what it holds for entry {first + index} is no hash"
            ) from None
        if first + index in olds:
            part.old_nodes[first + index] = part.nodes[:]
    try:
        found = whole_entries(entries, hashes[:-1], first, size=size)
        for seq, leaf in enumerate(hashes[:-1], first):
            entry = next(found)
            stream, ver, prev = entry["stream"], entry["ver"], entry["prev"]
            last = part.heads.get(stream)
            if last is None:
                part.firsts[stream] = seq, ver, prev
            elif last != (ver - 1, prev):
                raise Broken(f"entry {seq}: does not follow version {last[0]} of {stream}")
            part.heads[stream] = ver, leaf
            if entry["type"] in LOOKED_AT:
                look_at(entry, part.key_acts, part.means)
                if entry["type"] == APPLIED and (why := proof_fault(entry)):  # 8.
                    raise Broken(f"entry {seq}: is a signature, and {why}")
        if is_last and entries.read(1):
            raise Broken(f"entry {size + 1}: the checkpoint covers only {size}")
    except Broken as fault:
        part.faults.append((seq, str(fault)))
    return part


def read_part_at(task: Any) -> Part:
    """`read_part` in another process: of which folder, and where the part's lines begin."""
    folder, place, first, size, olds = task
    bundle = Bundle(folder)
    with bundle.open("entries.jsonl") as entries, bundle.open("leaves.txt") as leaves:
        entries.seek(place)
        leaves.seek(65 * (first - 1))
        return read_part(entries, leaves, first, size=size, olds=olds)


def parts(bundle: Bundle, size: int, olds: set[int], *, jobs: int) -> Iterator[Part]:
    """The parts of the whole log, in order; one that follows a broken one may be broken by that."""
    firsts = range(1, max(size, 1) + 1, STEP)
    with bundle.open("entries.jsonl") as entries, bundle.open("leaves.txt") as leaves:
        if jobs > 1 and len(firsts) > 1 and bundle.zip is None:
            lengths = (sum(map(len, itertools.islice(entries, STEP))) for _ in firsts)
            places = zip(itertools.accumulate(lengths, initial=0), firsts)
            tasks = ((str(bundle.folder), place, first, size, olds) for place, first in places)
            with suppress(BrokenExecutor, ImportError, NotImplementedError, OSError):
                with ProcessPoolExecutor(jobs) as pool:
                    found = list(pool.map(read_part_at, tasks))
                yield from found
                return
            entries.seek(0)  # no process can be started here: then alone
        for first in firsts:
            yield read_part(entries, leaves, first, size=size, olds=olds)


class Older(NamedTuple):
    checkpoint: Checkpoint  # that must be a prefix
    says: str  # whose it is


class Proven(NamedTuple):
    says: str  # on the first line
    streams: list[str]  # each with its last entry


def verify_log(bundle: Bundle, newest: Checkpoint, older: list[Older], *, jobs: int) -> Proven:
    nodes: list[bytes] = []
    heads: dict[str, Any] = {}
    means: list[Means] = []
    olds, roots, why = {one.size for one, _ in older}, {0: root_of([])}, ""
    if bundle.length("leaves.txt") != 65 * newest.size:
        raise Broken(f"leaves.txt: does not hold {newest.size} lines with a hash in each")
    for index, part in enumerate(parts(bundle, newest.size, olds, jobs=jobs)):
        for stream, (seq, ver, prev) in part.firsts.items():
            last, leaf = heads.get(stream, (0, None))
            if (ver, prev) != (last + 1, leaf):
                fault = f"entry {seq}: does not follow version {last} of {stream}"
                part.faults.append((seq, fault))
        why = why or min(part.faults, default=(0, ""))[1]
        heads.update(part.heads)
        bundle.key_acts += part.key_acts
        means += part.means
        roots.update((size, root_of(nodes + some)) for size, some in part.old_nodes.items())
        if (index + 1) * STEP <= newest.size:
            push(nodes, part.nodes[0], index)
        else:
            nodes += part.nodes
    if root_of(nodes) != newest.root:  # 3.
        why = f"{why or 'its entries are others'}; leaves.txt does not lead to the signed root"
    others = [one for one in older if roots.get(one.checkpoint.size) != one.checkpoint.root]
    if not why and others:  # 6.
        why = f"the first {others[0].checkpoint.size} entries are not those of {others[0].says}"
    elif not why and (fault := means_fault(means)):  # 8.
        why = f"entry {fault[0]}: {fault[1]}"
    if why:
        raise Broken(why)
    return Proven(f"{newest.size} entries{by_means(means)}", [])


def by_means(means: list[Means]) -> str:
    """How many signatures somebody beside the ledger proves, in words."""
    count = sum(one.kind == APPLIED for one in means)
    return f", {count} proven by passkey or company account" if count else ""


def verify_streams(bundle: Bundle, newest: Checkpoint, older: list[Older], **_: int) -> Proven:
    proofs = DECODER.decode(bundle.text("proofs.json"))
    lasts = {item["stream"]: item for item in proofs["streams"]}
    if not lasts:
        raise Broken("proofs.json: names no record, so nothing is proven")
    found: dict[str, list[Any]] = {name: [] for name in lasts}
    means: list[Means] = []
    seq = 0
    with bundle.open("entries.jsonl") as file:
        while line := file.readline(LONGEST):
            entry = read_entry(line, int((SEQ.findall(line) or [0])[-1]))
            if entry["seq"] <= seq or entry["stream"] not in found:  # 5.
                raise Broken(f"entry {entry['seq']}: is out of order, or its stream has no proof")
            seq = entry["seq"]
            found[entry["stream"]].append((entry, hashlib.sha256(b"\x00" + line[:-1]).digest()))
            if entry["type"] == "record.closed":
                bundle.closings.append(entry)
            if entry["type"] in LOOKED_AT:
                look_at(entry, bundle.key_acts, means)
    faults = [chain_fault(found[name], lasts[name], newest) for name in lasts]
    own = (entry for entries in found.values() for entry, _ in entries)
    signed = [entry for entry in own if entry["type"] == APPLIED]
    faults = list(filter(None, faults)) or [signature_fault(entry, found) for entry in signed]
    faults = list(filter(None, faults)) or [means_fault(means)]
    for seq, why in sorted(filter(None, faults))[:1]:
        raise Broken(f"entry {seq}: {why}")
    paths = {item["size"]: item["proof"] for item in proofs["consistency"]}
    for old, says in older:  # 6.
        if old != newest and old.size not in paths:
            raise Broken(f"no proof towards {says} of {old.size}; export with this anchor")
        if old != newest and not is_prefix(old, newest, nodes_of(paths[old.size])):
            raise Broken(f"{says}'s {old.size} entries are no prefix of this log")
    streams = [f"{name} to {entries[-1][0]['type']}" for name, entries in sorted(found.items())]
    batches = {name for name in found if name.startswith("batch/")} or set(found)
    ends = {name: f"{name.partition('/')[0]}.closed" for name in batches}
    is_open = {name for name in batches if found[name][-1][0]["type"] != ends[name]}
    if is_open:  # lots, scales and others go on after a batch
        streams.insert(0, f"NOT CLOSED: {', '.join(sorted(is_open))}, later entries may exist")
    bound = f", {len(signed)} signatures" if signed else ""
    count = f"{sum(map(len, found.values()))} entries of {len(found)} records"
    return Proven(f"{count}{bound}{by_means(means)}", streams)


def nodes_of(path: list[str]) -> list[bytes]:
    if not all(map(LEAF.fullmatch, path)):
        raise Broken("proofs.json: a node is no hash")
    return [bytes.fromhex(text) for text in path]


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
    path, here = nodes_of(last["proof"]), last["seq"] - 1
    roots = climb(entries[-1][1], here, newest.size - 1, proof=path)
    if here >= newest.size or roots[1] != newest.root:  # 4.
        return last["seq"], "is not in the log that was signed"
    for index in range(len(entries) - 1, -1, -1):
        before, leaf = entries[index - 1] if index else (entries[0][0], None)
        if entries[index][0]["prev"] != (leaf.hex() if leaf else None):
            return before["seq"], f"is not what entry {entries[index][0]['seq']} came after"
    return None


def read_manifest(text: str) -> dict[str, str]:
    lines = text.split("\n")
    matches = [match for match in map(LISTED.fullmatch, lines) if match]
    listed = {match.group(2): match.group(1) for match in matches}
    if lines[-1] or len(listed) != len(lines) - 1:
        raise Broken(f"{MANIFEST}: is malformed")
    return listed


def verify_files(bundle: Bundle, manifest: dict[str, str], key: Key) -> bool:  # 7.
    """Refuse files that are not those of the list; return whether that list is signed."""
    names = bundle.names()
    for name in sorted(names - {*manifest, MANIFEST, SIGNED})[:1]:
        raise Broken(f"{name}: does not belong to the bundle, the manifest lacks it")
    for name in sorted(manifest.keys() - names)[:1]:
        raise Broken(f"{name} is missing from the bundle")
    others = sorted(manifest.keys() - PROVEN)
    if others or SIGNED in names:
        match = SIGNATURE.fullmatch(bundle.text(SIGNED).rstrip("\n"))
        blob = base64_of(match.group(2), SIGNED) if match else b""
        text = b"batchwright manifest v1\n" + bundle.text(MANIFEST).encode("utf-8")
        if blob[:4] != key.id or not signature_holds(key.public, blob[4:], text):
            so = f", so nothing proves {others[0]}" if others else ""
            raise Broken(f"{MANIFEST}: {key.name} did not sign it{so}")
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
    return SIGNED in names


def verify_list(
    bundle: Bundle, manifest: dict[str, str], keys: list[Key], *, said: str, is_given: bool
) -> str:  # 9.
    ask_for_the_whole(keys, parse_vkey(said))
    if not manifest.keys() - PROVEN:
        raise Broken("it holds neither a ledger nor files that a key signed")
    verify_files(bundle, manifest, keys[-1])
    whose = AS_GIVEN if is_given else FOUND
    says = f"OK: {len(manifest)} files as {keys[-1].name} signed them, a list and no ledger"
    return "\n".join(map(shown, [says, f"key  {said.strip()} ({whose})"]))


def text_of(anchor_file: str) -> str:
    try:
        return Path(anchor_file).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise Broken(f"the anchor {anchor_file} is not there") from None


def verify(path: str, vkey: str | None, anchor_file: str | None, *, jobs: int = 1) -> str:
    try:
        return prove(path, vkey, anchor_file, jobs=jobs)
    except Broken as fault:
        raise Broken(shown(str(fault))) from None
    except Exception as fault:  # an unknown fault proves nothing either
        raise Broken(shown(f"{type(fault).__name__}: {fault}")) from fault


def prove(path: str, vkey: str | None, anchor_file: str | None, *, jobs: int) -> str:
    bundle, anchor = Bundle(path), None
    key = bundle.text("log.vkey") if vkey is None else vkey  # 1.
    said_keys = bundle.text("keys.txt") if "keys.txt" in bundle.names() else ""
    keys, handed_over = read_keys(said_keys, parse_vkey(key))
    manifest = read_manifest(bundle.text(MANIFEST))
    if not LEDGER & manifest.keys():
        if anchor_file is not None:
            raise Broken("it is a list of files, and an anchor says nothing about those")
        return verify_list(bundle, manifest, keys, said=key, is_given=vkey is not None)
    newest = read_checkpoint(bundle.text("checkpoint"), keys[-1:], "the checkpoint")  # 2.
    note = "" if anchor_file is None else text_of(anchor_file)
    if anchor_file is not None:
        anchor = read_checkpoint(note, keys, "the anchor")
        if anchor.size > newest.size:  # 6.
            raise Broken(f"the anchor covers {anchor.size} entries, the bundle only {newest.size}")
    older = [] if anchor is None else [Older(anchor, "the anchor")]
    for it in handed_over:
        if it.root:
            lost = Checkpoint(it.entry - 1, it.root)
            older.append(Older(lost, f"the lost key {it.old.id.hex()}"))
    check = verify_streams if "proofs.json" in manifest else verify_log
    if check is verify_streams:
        ask_for_the_whole(keys, parse_vkey(key))
    proven = check(bundle, newest, older, jobs=jobs)
    kinds = (ROTATED, RECOVERED)
    notes = [(seq, said["note"]) for seq, kind, said in bundle.key_acts if kind in kinds]
    if said_keys != "".join(one for _, one in notes) or any(
        one.split("\n")[1] != f"entry {seq}" for seq, one in notes
    ):
        raise Broken("keys.txt: is not what the entries say of the log's keys")
    check_recoveries(bundle.key_acts)  # 2.
    keys = revoke(keys, parse_vkey(key), bundle.key_acts)
    if anchor is not None:
        read_checkpoint(note, keys, "the anchor")
    is_signed = verify_files(bundle, manifest, keys[-1])
    if check is verify_streams and not is_signed:
        proven.streams.insert(0, "NOT SIGNED: the list of files; other records may be left out")
    since = "" if anchor is None else f", continues the anchor of {anchor.size}"
    whose = AS_GIVEN if vkey is not None else FOUND
    since += f", signed by {len(keys)} keys in turn" if len(keys) > 1 else ""
    for one in keys:
        since += f", {one.id.hex()} was lost at {one.until} and recovered" if one.lost else ""
        since += f", {one.id.hex()} revoked: good to {one.until}" if one.revoked else ""
    seal = [f"size {newest.size}", f"root {newest.root.hex()}", f"key  {key.strip()} ({whose})"]
    return "\n".join(map(shown, [f"OK: {proven.says}{since}", *seal, *proven.streams]))
