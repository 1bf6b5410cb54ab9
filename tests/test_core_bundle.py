"""The portable proof of a batch: it stands alone, and nothing in it can be exchanged."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from core.batch.bundle import batch_streams
from core.batch_record.model import record_json
from core.batch_record.read import read_record
from core.ledger.checkpoint import LogKey, sign_manifest
from core.ledger.export import MANIFEST, SIGNED, export_streams
from tests.floor import KEY, Floor, open_floor
from tests.verifier import stand_alone

THIEF = LogKey(KEY.name, bytes(32))


@pytest.fixture(scope="module")
def exported(seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundles `one` and `two` of two released batches, made at the same checkpoint."""
    out = tmp_path_factory.mktemp("bundles")
    folder = out / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as floor:
        batches = [released(floor, "1000178"), released(floor, "1000179")]
        for name, batch in zip(("one", "two"), batches, strict=True):
            ledger = floor.execution.ledger
            record = record_json(read_record(ledger, batch))
            export_streams(
                ledger, batch_streams(ledger, batch), out / name, vkey=KEY.vkey, key=KEY,
                files={"record.json": record, "record.pdf": b"%PDF of " + batch.encode()},
            )  # fmt: skip
    return out


def released(floor: Floor, order: str) -> str:
    batch = floor.upto(floor.dispatched(order), None)
    floor.review(batch)
    floor.release(batch)
    return batch


@pytest.fixture
def one(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / "one", tmp_path / "one"))


@pytest.fixture
def two(exported: Path) -> Path:
    return exported / "two"


def verify(bundle: Path) -> str:
    return stand_alone.verify(str(bundle), KEY.vkey, None)


def refused(bundle: Path) -> str:
    with pytest.raises(stand_alone.Broken) as refusal:
        verify(bundle)
    return str(refusal.value)


def listed(bundle: Path, key: LogKey | None = None) -> None:
    """Make the list of files anew, and sign it where a key is at hand."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(bundle.iterdir())
        if path.name not in (MANIFEST, SIGNED)
    ]
    manifest = "".join(lines).encode()
    (bundle / MANIFEST).write_bytes(manifest)
    if key is not None:
        (bundle / SIGNED).write_text(sign_manifest(key, manifest), "utf-8")


def entries(bundle: Path) -> list[bytes]:
    return (bundle / "entries.jsonl").read_bytes().splitlines(keepends=True)


def put(bundle: Path, lines: list[bytes]) -> None:
    (bundle / "entries.jsonl").write_bytes(b"".join(lines))
    listed(bundle)


def place(lines: list[bytes], what: bytes, nth: int = 0) -> int:
    own = (n for n, line in enumerate(lines) if what in line and b'"stream":"batch/' in line)
    return list(own)[nth]


def seq(line: bytes) -> int:
    return int(stand_alone.SEQ.findall(line)[-1])


@pytest.mark.requirement("H8")
def test_a_batch_is_proven_without_the_rest_of_the_ledger(one: Path, two: Path) -> None:
    assert verify(one).startswith("OK: ")
    assert "to batch.closed" in verify(one)
    assert verify(two).startswith("OK: ")
    assert 0 < len(entries(one)) < 400


@pytest.mark.requirement("H8")
@pytest.mark.parametrize(
    "what", [b'"type":"signature.applied"', b'"type":"weighing.weight-recorded"']
)
def test_a_line_of_another_batch_is_named(one: Path, two: Path, what: bytes) -> None:
    lines, others = entries(one), entries(two)
    at = place(lines, what)
    lines[at] = others[place(others, what)]
    put(one, lines)
    assert refused(one).startswith("entry ")


@pytest.mark.requirement("H8", "H1")
@pytest.mark.parametrize(
    "what", [b'"type":"signature.applied"', b'"type":"weighing.weight-recorded"']
)
def test_content_of_another_batch_in_its_own_place_is_named(
    one: Path, two: Path, what: bytes
) -> None:
    """Signature or weighing is moved over with everything around it kept: number, stream, link."""
    lines, others = entries(one), entries(two)
    at = place(lines, what)
    ours, theirs = (stand_alone.DECODER.decode(line.decode()) for line in
                    (lines[at], others[place(others, what)]))  # fmt: skip
    ours["data"] = theirs["data"]
    lines[at] = stand_alone.ENCODER.encode(ours).encode() + b"\n"
    put(one, lines)
    assert refused(one).startswith(f"entry {ours['seq']}: is not what entry ")


@pytest.mark.requirement("H8")
def test_two_signatures_of_one_batch_cannot_change_places(one: Path) -> None:
    lines = entries(one)
    first, second = (place(lines, b'"type":"signature.applied"', nth) for nth in (0, 1))
    lines[first], lines[second] = lines[second], lines[first]
    put(one, lines)
    assert refused(one).startswith("entry ")


@pytest.mark.requirement("H8")
def test_every_dropped_entry_is_missed(one: Path) -> None:
    lines = entries(one)
    for at, line in enumerate(lines):
        put(one, lines[:at] + lines[at + 1 :])
        said = refused(one)
        assert said.startswith("entry "), (seq(line), said)
        assert "missing" in said or "is not what" in said, said


@pytest.mark.requirement("H8")
@pytest.mark.parametrize("name", ["record.json", "record.pdf"])
def test_record_of_another_batch_is_refused_whatever_is_made_anew(
    one: Path, two: Path, name: str
) -> None:
    shutil.copyfile(two / name, one / name)
    assert refused(one) == f"{name}: is not the file of the manifest"
    listed(one)
    unsigned = f"{MANIFEST}: {KEY.name} did not sign it, so nothing proves record.json"
    assert refused(one) == unsigned
    listed(one, THIEF)
    assert refused(one) == unsigned
    (one / SIGNED).unlink()
    assert refused(one) == f"{SIGNED} is missing from the bundle"
    for taken in (MANIFEST, SIGNED):  # the other bundle's own list names its own entries
        shutil.copyfile(two / taken, one / taken)
    assert refused(one).endswith("is not the file of the manifest")


@pytest.mark.requirement("H8")
def test_a_record_beside_the_list_is_refused(one: Path) -> None:
    (one / "record.pdf").rename(one / "record-2.pdf")
    said = refused(one)
    assert said == "record-2.pdf: does not belong to the bundle, the manifest lacks it"
