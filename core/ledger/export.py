"""What leaves the plant: a folder that proves itself with `python3 verify.py FOLDER`.

The whole ledger is `entries.jsonl` (the exact stored bytes, one entry a line) with `leaves.txt`
(the hash of each, so that a changed entry is named). Some streams are their entries alone, with
`proofs.json`: the last entry of each is proven to be in the log, and its links prove the others.
Both hold the signed `checkpoint`, the public key `log.vkey`, `keys.txt` where other keys signed
before it, the list of files with their hashes, and the verifier. Files that entries do not prove,
as the record for people, are bound to the log by its key's signature under the list.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from core.errors import LedgerBroken
from core.ledger.checkpoint import Checkpoint, LogKey, sign_manifest
from core.ledger.entry import canonical
from core.ledger.merkle import leaf_hash
from core.ledger.recovery import Recovery
from core.ledger.rotation import KEYS, STREAM, handed_over, rotations_of
from core.ledger.store import Ledger
from core.ledger.timestamp import from_receipt
from core.verify.one_file import one_file

STEP = 5_000
MANIFEST, SIGNED = "manifest-sha256.txt", "manifest-sha256.sig"


class NothingToExport(LedgerBroken):
    """There is no checkpoint, or a stream has no entry under it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: nothing to export. Check the name, or write the first entry.")


def export_bundle(
    ledger: Ledger,
    out: Path,
    *,
    vkey: str,
    files: Mapping[str, bytes] | None = None,
    key: LogKey | None = None,
) -> Checkpoint:
    """Write the whole ledger up to its newest checkpoint into a new folder; return that checkpoint.

    Args:
        ledger: is read in steps, while others may go on writing.
        out: a folder that does not exist yet, or is empty.
        vkey: the public key that the checkpoint verifies under.
        files: more files for the bundle, by name; the verifier asks for a signed list of them.
        key: signs the list of files, as of this ledger.

    Raises:
        NothingToExport: the ledger is empty.
        LedgerBroken: an entry under the checkpoint is missing.
    """
    checkpoint = _newest(ledger)
    _begin(out)
    seq = 0
    with (out / "entries.jsonl").open("wb") as entries, (out / "leaves.txt").open("wb") as leaves:
        while seq < checkpoint.size:
            chunk = ledger.raw(seq, min(STEP, checkpoint.size - seq))
            if [number for number, _ in chunk] != list(range(seq + 1, seq + len(chunk) + 1)):
                raise LedgerBroken(f"Entry after {seq}: is missing. Stop, and call QA.")
            if not chunk:
                raise LedgerBroken(f"Entry {seq + 1}: is missing. Stop, and call QA.")
            entries.writelines(body + b"\n" for _, body in chunk)
            leaves.writelines(leaf_hash(body).hex().encode() + b"\n" for _, body in chunk)
            seq += len(chunk)
    keys = "".join(rotations_of(ledger, checkpoint.size))
    _finish(out, checkpoint, vkey, keys=keys, files=files or {}, key=key)
    return checkpoint


def export_streams(
    ledger: Ledger,
    streams: Iterable[str],
    out: Path,
    *,
    vkey: str,
    anchors: Iterable[int] = (),
    files: Mapping[str, bytes] | None = None,
    key: LogKey | None = None,
) -> Checkpoint:
    """Write some streams with their proof into a new folder; return the checkpoint they prove to.

    Args:
        ledger: is read while others may go on writing.
        streams: the streams' names; entries after the newest checkpoint are left out.
        out: a folder that does not exist yet, or is empty.
        vkey: the public key that the checkpoint verifies under.
        anchors: sizes of older checkpoints that the reader may hold; each gets its proof.
        files: more files for the bundle, by name: the record for people. The verifier asks for a
            signed list of them.
        key: signs the list of files, as of this ledger.

    Raises:
        NothingToExport: the ledger is empty, or one of the streams is.
    """
    checkpoint = _newest(ledger)
    lines: list[tuple[int, bytes]] = []
    lasts: list[dict[str, object]] = []
    rotations = rotations_of(ledger, checkpoint.size)
    lost = (one.entry - 1 for one in map(handed_over, rotations) if isinstance(one, Recovery))
    names = set(streams)
    if not names:
        raise NothingToExport("Bundle without streams")
    for name in sorted(names | ({STREAM} if rotations else set())):
        found = [row for row in ledger.stream_raw(name) if row[0] <= checkpoint.size]
        if not found:
            raise NothingToExport(name)
        seq = found[-1][0]
        proof = [node.hex() for node in ledger.inclusion_proof(seq, checkpoint.size)]
        lasts.append({"stream": name, "seq": seq, "proof": proof})
        lines += found
    proofs = {
        "streams": lasts,
        "consistency": [
            {
                "size": size,
                "proof": [n.hex() for n in ledger.consistency_proof(size, checkpoint.size)],
            }
            for size in sorted({*anchors, *lost})
            if 0 < size < checkpoint.size
        ],
    }
    _begin(out)
    with (out / "entries.jsonl").open("wb") as entries:
        entries.writelines(body + b"\n" for _, body in sorted(lines))
    (out / "proofs.json").write_bytes(canonical(proofs))
    _finish(out, checkpoint, vkey, keys="".join(rotations), files=files or {}, key=key)
    return checkpoint


def newest_stamp(ledger: Ledger) -> tuple[int, dict[str, bytes]]:
    """Return the newest time-stamped size with its files for a bundle: stamp and stamped note.

    Size 0 and no files where no authority has stamped this ledger.
    """
    for row in reversed(ledger.anchors()):
        answer, checkpoint = from_receipt(row.receipt), ledger.checkpoint_for(row.size)
        if answer is not None and checkpoint is not None and checkpoint.size == row.size:
            name = f"anchors/{row.size}"
            return row.size, {f"{name}.tsr": answer, f"{name}.note": checkpoint.note.encode()}
    return 0, {}


def _newest(ledger: Ledger) -> Checkpoint:
    checkpoint = ledger.checkpoint()
    if checkpoint is None:
        raise NothingToExport("Ledger")
    return checkpoint


def _begin(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(f"{out}: is not empty. Name a new folder.")


def _finish(
    out: Path,
    checkpoint: Checkpoint,
    vkey: str,
    *,
    keys: str,
    files: Mapping[str, bytes],
    key: LogKey | None,
) -> None:
    (out / "checkpoint").write_bytes(checkpoint.note.encode("utf-8"))
    (out / "log.vkey").write_bytes(vkey.encode("utf-8") + b"\n")
    if keys:
        (out / KEYS).write_bytes(keys.encode("utf-8"))
    (out / "verify.py").write_bytes(one_file().encode("utf-8"))
    for name, blob in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(blob)
    lines = []
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        lines.append(f"{digest.hexdigest()}  {path.relative_to(out).as_posix()}\n")
    manifest = "".join(lines).encode("utf-8")
    (out / MANIFEST).write_bytes(manifest)
    if key is not None:
        (out / SIGNED).write_text(sign_manifest(key, manifest), "utf-8")
