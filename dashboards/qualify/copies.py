"""OQ of what leaves the plant: copies for people and programs, proofs, backup and restore."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from core.backup.files import MANIFEST, NoBackup
from core.backup.restore import restore
from core.backup.take import backup
from core.batch.bundle import batch_streams
from core.ledger.checkpoint import load_key, parse_vkey
from core.ledger.export import export_bundle, export_streams
from dashboards.qualify.scratch import Scratch
from dashboards.qualify.script import Found, script
from dashboards.record.bundle import record_files

VERIFY_S = 120


def checked(bundle: Path) -> tuple[int, str]:
    """Run a bundle's own verifier as an inspector does; return its status and first line."""
    command = [sys.executable, "-I", str(bundle / "verify.py"), str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S, check=False)  # noqa: S603
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, lines[0] if lines else "nothing was said"


def spoiled(bundle: Path, name: str, change: bytes | None) -> Path:
    """Return a copy of a bundle whose file is changed: one byte flipped, or its last line lost."""
    copy = bundle.with_name(f"{bundle.name}-{len(list(bundle.parent.iterdir()))}")
    shutil.copytree(bundle, copy)
    body = bytearray((copy / name).read_bytes())
    if change is None:
        body = body[: body.rstrip(b"\n").rfind(b"\n") + 1]
    else:
        at = body.index(change)
        body[at] ^= 1
    (copy / name).write_bytes(bytes(body))
    return copy


def must_not_prove(found: Found, what: str, bundle: Path) -> None:
    """Note whether a changed bundle is refused."""
    status, says = checked(bundle)
    found.must(
        status == 1 and says.startswith("NOT PROVEN"),
        f"{what}: refused. “{says}”",
        otherwise=f"{what}: must be refused, and the verifier said “{says}”",
    )


@script(
    "OQ-40",
    "The whole ledger proves itself, and a change shows",
    shows=("H5", "H8"),
    clauses=("21 CFR 11.10(a)", "21 CFR 11.10(b)", "EU Annex 11 (2011) §17"),
    steps=(
        "Export the ledger and run the bundle's own verify.py.",
        "Flip one bit of an entry in a copy; lose the last entry of another copy.",
        "Flip one bit of a signed checkpoint.",
    ),
    expected="OK with size and root; each changed copy is refused, with what is wrong.",
)
def ledger_bundle(plant: Scratch, found: Found) -> None:
    """Altered and lost records are discernible, with nothing but Python."""
    out = plant.out / "ledger"
    keys = plant.data / "keys"
    vkey = parse_vkey((keys / "log.vkey").read_text("utf-8"))
    checkpoint = export_bundle(plant.execution.ledger, out, vkey=vkey.text)
    status, says = checked(out)
    found.must(status == 0 and says.startswith("OK"), f"The bundle as exported: {says}")
    found.note(f"Size {checkpoint.size}, root {checkpoint.root.hex()}.")
    must_not_prove(found, "One bit of an entry", spoiled(out, "entries.jsonl", b"quinn"))
    must_not_prove(found, "The last entry lost", spoiled(out, "entries.jsonl", None))
    must_not_prove(found, "One bit of the checkpoint", spoiled(out, "checkpoint", b"\n\n"))
    found.values |= {"size": checkpoint.size, "root": checkpoint.root.hex()}


@script(
    "OQ-41",
    "A batch leaves as paper, as values and as proof",
    shows=("H8", "I7", "H2", "H3"),
    clauses=("21 CFR 11.10(b)", "21 CFR 11.50(b)", "21 CFR 11.70", "EU Annex 11 (2011) §8.1"),
    steps=(
        "Export a released batch with its record as PDF/A and JSON; run its verify.py.",
        "Read the signatures in the JSON.",
        "Flip one bit of the PDF; of a signature's meaning; of the signed list of files.",
    ),
    expected="OK; each signature has name, time and meaning; each changed copy is refused.",
)
def batch_bundle(plant: Scratch, found: Found) -> None:
    """An inspector gets a batch that proves itself, readable for people and for programs."""
    batch, ledger, keys = plant.released, plant.execution.ledger, plant.data / "keys"
    vkey = parse_vkey((keys / "log.vkey").read_text("utf-8"))
    out = plant.out / batch
    files = record_files(ledger, batch, keys)
    key = load_key(keys / "log.key", vkey.name)
    streams = batch_streams(ledger, batch)
    export_streams(ledger, streams, out, vkey=vkey.text, files=files, key=key)
    status, says = checked(out)
    found.must(status == 0 and says.startswith("OK"), f"The bundle as exported: {says}")
    paper = (out / "record.pdf").read_bytes()
    found.must(paper.startswith(b"%PDF-"), f"record.pdf: {len(paper)} bytes, begins {paper[:8]!r}.")
    record = json.loads((out / "record.json").read_bytes())
    signed = list(_signatures(record))
    told = [one for one in signed if one["name"] and one["at"] and one["meaning"]]
    found.must(
        bool(signed) and len(told) == len(signed),
        f"{len(signed)} signatures in record.json, {len(told)} with name, time and meaning.",
    )
    must_not_prove(found, "One bit of the PDF", spoiled(out, "record.pdf", b"endobj"))
    must_not_prove(
        found, "One bit of a signature", spoiled(out, "entries.jsonl", b"I release this batch")
    )
    must_not_prove(found, "The list of files", spoiled(out, MANIFEST, b"record.pdf"))


def _signatures(value: object) -> list[dict[str, str]]:
    """Return every signature in a record's values, wherever it stands."""
    if isinstance(value, dict):
        own = [value] if {"name", "at", "meaning"} <= set(value) else []
        return own + [one for item in value.values() for one in _signatures(item)]
    if isinstance(value, list):
        return [one for item in value for one in _signatures(item)]
    return []


@script(
    "OQ-42",
    "A backup taken while the plant works restores to the same root",
    shows=("H5",),
    clauses=("21 CFR 11.10(c)", "EU Annex 11 (2011) §7.1", "EU Annex 11 (2011) §7.2"),
    steps=(
        "Back up the scratch plant, whose server runs, and restore it to a new folder.",
        "Change one byte of the backup and restore it.",
    ),
    expected="The restored ledger has the size and the root of the backup, and its screens' states"
    " agree with the entries; the changed backup is refused.",
)
def backup_restore(plant: Scratch, found: Found) -> None:
    """What is lost on this machine comes back whole, or is refused."""
    taken = backup(plant.data, plant.out / "backup", found.hear, store=plant.database)
    assert taken.checkpoint is not None
    done = restore(taken.out, plant.out / "restored", found.hear)
    assert done.checkpoint is not None
    found.must(
        done.checkpoint[:2] == taken.checkpoint[:2],
        f"Backed up {taken.checkpoint.size} entries, root {taken.checkpoint.root.hex()};"
        f" restored {done.checkpoint.size}, root {done.checkpoint.root.hex()}.",
    )
    bad = spoiled(taken.out, "ledger.db", b"quinn")
    try:
        restore(bad, plant.out / "restored-bad", found.hear)
    except NoBackup as no:
        found.note(f"One bit of the backup: refused. “{no}”")
    else:
        found.must(False, "One bit of the backup: was restored, and must be refused.")
