"""The verifier in the hands of somebody who wants it to say OK: what it may not take, or show."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.ledger.checkpoint import LogKey, sign, sign_manifest
from core.ledger.entry import canonical
from core.ledger.export import MANIFEST, SIGNED, export_bundle, export_streams
from core.ledger.job import Draft
from core.ledger.merkle import Range, leaf_hash
from tests.ledgers import KEY, draft, fill, job, reading, writing
from tests.verifier import FILE, stand_alone

FILES = {"record.pdf": b"%PDF genuine"}
pytestmark = pytest.mark.requirement("H8")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `whole` and `part`, both with a record and a signed list of files."""
    folder = tmp_path_factory.mktemp("exported")
    with writing(folder / "ledger.db") as writer, reading(folder / "ledger.db") as ledger:
        fill(writer, 12, streams=3)
        export_bundle(ledger, folder / "whole", vkey=KEY.vkey, files=FILES, key=KEY)
        export_streams(
            ledger, ["batch/B1", "batch/B2"], folder / "part", vkey=KEY.vkey, files=FILES, key=KEY
        )
    return folder


@pytest.fixture
def whole(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / "whole", tmp_path / "whole"))


@pytest.fixture
def part(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / "part", tmp_path / "part"))


def refused(bundle: Path, *, jobs: int = 1) -> str:
    with pytest.raises(stand_alone.Broken) as refusal:
        stand_alone.verify(str(bundle), KEY.vkey, None, jobs=jobs)
    return str(refusal.value)


def listed(bundle: Path, *, key: LogKey | None = None) -> None:
    """Make the list of files anew; only who holds the key can sign it."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(bundle).as_posix()}\n"
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, SIGNED)
    ]
    manifest = "".join(lines).encode()
    (bundle / MANIFEST).write_bytes(manifest)
    if key is not None:
        (bundle / SIGNED).write_text(sign_manifest(key, manifest), "utf-8")
    else:
        (bundle / SIGNED).unlink(missing_ok=True)


def packed(bundle: Path, out: Path, *before: tuple[str, bytes]) -> Path:
    """Zip a bundle, with other members before its own."""
    with zipfile.ZipFile(out, "w") as file:
        for name, blob in before:
            file.writestr(name, blob)
        for path in sorted(bundle.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(bundle).as_posix())
    return out


# What another program shows of the same zip.


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_two_files_of_one_name_is_refused_since_programs_take_either(
    whole: Path, tmp_path: Path
) -> None:
    assert stand_alone.verify(str(packed(whole, tmp_path / "good.zip")), KEY.vkey, None)
    twice = packed(whole, tmp_path / "twice.zip", ("record.pdf", b"%PDF forged"))
    assert (
        refused(twice) == "record.pdf: is there twice, and programs differ in which one they show"
    )


def test_zip_behind_another_one_is_refused_since_programs_read_from_the_front(
    whole: Path, tmp_path: Path
) -> None:
    front = tmp_path / "front.zip"
    with zipfile.ZipFile(front, "w") as file:
        file.writestr("record.pdf", b"%PDF forged")
    behind = tmp_path / "behind.zip"
    behind.write_bytes(front.read_bytes() + packed(whole, tmp_path / "good.zip").read_bytes())
    assert refused(behind) == "the zip has other bytes before its first file"


def test_folder_in_a_zip_that_holds_bytes_is_a_file_that_does_not_belong(
    whole: Path, tmp_path: Path
) -> None:
    assert refused(packed(whole, tmp_path / "z.zip", ("more/", b"x"))).startswith("more/: does not")
    assert stand_alone.verify(
        str(packed(whole, tmp_path / "y.zip", ("more/", b""))), KEY.vkey, None
    )


def test_link_to_a_folder_is_a_file_that_does_not_belong(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (whole / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert refused(whole).startswith("more: does not belong to the bundle")


@pytest.mark.parametrize("name", ["../outside", "{outside}"])
def test_list_that_names_a_file_outside_the_bundle_is_refused(
    whole: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    listed(whole)
    text = (whole / MANIFEST).read_text("utf-8")
    text += f"{hashlib.sha256(b'x').hexdigest()}  {name.format(outside=outside)}\n"
    (whole / MANIFEST).write_text(text, "utf-8")
    (whole / SIGNED).write_text(sign_manifest(KEY, text.encode()), "utf-8")
    assert refused(whole).endswith(" is missing from the bundle")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("  log.vkey", " *log.vkey"),
        lambda text: text + text.split("\n")[0] + "\n",
        lambda text: text.upper(),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n",
    ],
    ids=["separator", "twice", "upper case", "no end", "empty line"],
)
def test_list_that_is_not_one_hash_and_name_a_line_is_refused(whole: Path, change: Any) -> None:
    text = change((whole / MANIFEST).read_text("utf-8"))
    (whole / MANIFEST).write_text(text, "utf-8")
    (whole / SIGNED).write_text(sign_manifest(KEY, text.encode()), "utf-8")
    assert refused(whole) == f"{MANIFEST}: is malformed"


def test_signature_under_the_list_must_hold_even_where_entries_prove_all_files(part: Path) -> None:
    (part / "record.pdf").unlink()
    listed(part, key=KEY)
    assert "NOT SIGNED" not in stand_alone.verify(str(part), KEY.vkey, None)
    (part / SIGNED).write_text(
        sign_manifest(LogKey(KEY.name, bytes(32)), (part / MANIFEST).read_bytes()), "utf-8"
    )
    assert refused(part) == f"{MANIFEST}: {KEY.name} did not sign it"


def test_list_without_a_ledger_continues_no_anchor(whole: Path, exported: Path) -> None:
    for name in ("entries.jsonl", "leaves.txt", "checkpoint"):
        (whole / name).unlink()
    listed(whole, key=KEY)
    assert "a list and no ledger" in stand_alone.verify(str(whole), KEY.vkey, None)
    with pytest.raises(stand_alone.Broken, match="an anchor says nothing about those"):
        stand_alone.verify(str(whole), KEY.vkey, str(exported / "whole" / "checkpoint"))


# What is left out.


def test_batch_without_a_signed_list_says_that_records_may_be_left_out(part: Path) -> None:
    """Who takes the record and the list's signature away can leave whole streams out as well."""
    (part / "record.pdf").unlink()
    proofs = json.loads((part / "proofs.json").read_text("utf-8"))
    proofs["streams"] = proofs["streams"][:1]
    (part / "proofs.json").write_text(json.dumps(proofs), "utf-8")
    kept = [line for line in lines(part) if b'"stream":"batch/B1"' in line]
    (part / "entries.jsonl").write_bytes(b"".join(kept))
    listed(part)
    said = stand_alone.verify(str(part), KEY.vkey, None)
    assert "\nNOT SIGNED: the list of files; other records may be left out\n" in said


def test_bundle_without_any_record_proves_nothing(part: Path) -> None:
    (part / "proofs.json").write_text('{"consistency":[],"streams":[]}', "utf-8")
    (part / "entries.jsonl").write_bytes(b"")
    (part / "record.pdf").unlink()
    listed(part)
    assert refused(part) == "proofs.json: names no record, so nothing is proven"


def lines(bundle: Path) -> list[bytes]:
    return (bundle / "entries.jsonl").read_bytes().splitlines(keepends=True)


# Numbers and hashes that are no such thing.


def resigned(bundle: Path, entries: list[bytes], *, size: int | None = None) -> None:
    """Sign the lines as they are, as who holds the key can; with another size where it is named."""
    tree, leaves = Range(), []
    for line in entries:
        tree.add(leaf_hash(line[:-1]))
        leaves.append(leaf_hash(line[:-1]).hex().encode() + b"\n")
    (bundle / "entries.jsonl").write_bytes(b"".join(entries))
    (bundle / "leaves.txt").write_bytes(b"".join(leaves))
    note = sign(KEY, size or len(entries), tree.root()).note
    (bundle / "checkpoint").write_text(note, "utf-8")
    listed(bundle, key=KEY)


@pytest.mark.parametrize("jobs", [1, 2])
def test_size_without_end_is_refused_at_once(whole: Path, jobs: int) -> None:
    resigned(whole, lines(whole), size=9_000_000_000_000_000)
    assert refused(whole, jobs=jobs).startswith("leaves.txt: does not hold 9000000000000000 lines")


@pytest.mark.parametrize("bad", [b"zz" * 32, b"  " * 32, b"AB" * 32])
def test_hash_of_other_signs_is_named(whole: Path, bad: bytes) -> None:
    path = whole / "leaves.txt"
    path.write_bytes(bad + path.read_bytes()[64:])
    assert refused(whole).startswith(("leaves.txt: ", "entry 1: is not what was committed"))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_node_of_a_proof_that_is_no_hash_is_refused(part: Path, size: int) -> None:
    proofs = json.loads((part / "proofs.json").read_text("utf-8"))
    proofs["streams"][0]["proof"][0] = "00" * size
    (part / "proofs.json").write_text(json.dumps(proofs), "utf-8")
    assert refused(part) == "proofs.json: a node is no hash"


@pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1), slice(0, 0)])
def test_proof_that_is_too_short_or_too_long_is_refused(part: Path, cut: slice) -> None:
    proofs = json.loads((part / "proofs.json").read_text("utf-8"))
    whole = proofs["streams"][0]["proof"]
    for wrong in (whole[cut], [*whole, "00" * 32], ["00" * 32, *whole]):
        proofs["streams"][0]["proof"] = wrong
        (part / "proofs.json").write_text(json.dumps(proofs), "utf-8")
        assert refused(part).endswith("is not in the log that was signed")


def test_line_without_end_does_not_fill_the_memory(whole: Path, tmp_path: Path) -> None:
    """A zip of a few kilobytes, a line of a third of a gigabyte."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for path in sorted(whole.iterdir()):
            if path.name != "entries.jsonl":
                file.write(path, path.name)
        with file.open("entries.jsonl", "w") as entries:
            for _ in range(320):
                entries.write(bytes(1 << 20))
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (320 << 20,) * 2);"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", limited, str(FILE), str(bomb)],
        capture_output=True, encoding="utf-8", timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (
        1, "NOT PROVEN: entry 1: the line has no newline at its end.\n",
    )  # fmt: skip


# What a person is shown.


def test_name_with_control_signs_cannot_write_an_ok_of_its_own(whole: Path) -> None:
    (whole / "x\nOK: 12 entries\x1b[8m").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-I", str(FILE), str(whole), "--vkey", KEY.vkey],
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == (
        "NOT PROVEN: x\\nOK: 12 entries\\x1b[8m: does not belong to the bundle, the manifest lacks"
        " it.\n"
    )


def test_stream_whose_name_turns_text_around_is_shown_by_its_signs(tmp_path: Path) -> None:
    name = "batch/B1\u202eDESOLC\u2028x"
    with writing(tmp_path / "l.db") as writer, reading(tmp_path / "l.db") as ledger:
        writer.submit(job("k:1", draft(name))).result(20)
        export_streams(ledger, [name], tmp_path / "out", vkey=KEY.vkey, key=KEY)
    said = stand_alone.verify(str(tmp_path / "out"), KEY.vkey, None)
    assert said.count("\n") == said.replace("\u2028", "\n").count("\n")
    assert "batch/B1\\u202eDESOLC\\u2028x to weighing.weight-recorded" in said


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_good_bundle_is_ok_where_the_terminal_knows_few_letters(
    tmp_path: Path, encoding: str
) -> None:
    with writing(tmp_path / "l.db") as writer, reading(tmp_path / "l.db") as ledger:
        writer.submit(job("k:1", draft("batch/Größe-✓"))).result(20)
        export_streams(ledger, ["batch/Größe-✓"], tmp_path / "out", vkey=KEY.vkey, key=KEY)
    done = subprocess.run(
        [sys.executable, str(FILE), str(tmp_path / "out")],
        capture_output=True, timeout=60, check=False, env={"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("ver", "hashed"), [(-1, 3), (True, 1), (4, 2), ("2", 2)])
def test_signature_over_a_version_that_is_none_is_refused_though_its_hash_is_right(
    tmp_path: Path, ver: Any, hashed: int
) -> None:
    """Who holds the key can write any number; only the one that the hash belongs to is true."""
    with writing(tmp_path / "l.db") as writer, reading(tmp_path / "l.db") as ledger:
        for number in range(2):
            writer.submit(job(f"k:{number}", draft("batch/B1", n=number))).result(20)
        for name, said, number in (("good", 2, 2), ("bad", ver, hashed)):
            leaf = ledger.leaf_of("batch/B1", number)
            assert leaf is not None
            signed = {"record": "batch/B1", "signer": "ama", "ver": said, "head": leaf.hex()}
            digest = hashlib.sha256(canonical(signed)).hexdigest()
            data = {"manifest": signed, "manifest_sha256": digest, "components": ["secret"]}
            entry = Draft("batch/B1", "signature.applied", 1, data)
            writer.submit(job(f"s:{name}", entry)).result(20)
            out = tmp_path / name
            export_streams(ledger, ["batch/B1"], out, vkey=KEY.vkey, key=KEY)
            if name == "good":
                assert ", 1 signatures" in stand_alone.verify(str(out), KEY.vkey, None)
    assert refused(tmp_path / "bad") == (
        "entry 4: is a signature over other content than its record's"
    )
