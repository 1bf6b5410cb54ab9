"""The stand-alone verifier: what it accepts, and the first broken entry it names."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.ledger import entry as canonical_entry
from core.ledger.checkpoint import LogKey, sign
from core.ledger.export import NothingToExport, export_bundle, export_streams
from core.ledger.merkle import Range, leaf_hash
from tests.ledgers import KEY, draft, fill, job, reading, writing
from tests.verifier import FILE, stand_alone

GOLDEN = Path(__file__).parent / "golden" / "bundle"
GOLDEN_ROOT = (GOLDEN / "root.txt").read_text("utf-8").strip()
OTHER_KEY = LogKey(KEY.name, bytes(32))
SIZE = 40


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `whole` and `part`, made once, and the checkpoint of 12 entries as `anchor`."""
    folder = tmp_path_factory.mktemp("exported")
    with writing(folder / "ledger.db") as writer, reading(folder / "ledger.db") as ledger:
        fill(writer, 12, streams=3)
        old = ledger.checkpoint()
        assert old is not None
        (folder / "anchor").write_text(old.note, "utf-8")
        fill_more = [
            job(f"m:{n}", draft(f"batch/B{n % 3}", said="größer ✓", n=n)) for n in range(28)
        ]
        for more in fill_more:
            writer.submit(more).result(20)
        export_bundle(ledger, folder / "whole", vkey=KEY.vkey, files={"record.pdf": b""}, key=KEY)
        export_streams(
            ledger, ["batch/B1", "batch/B2"], folder / "part", vkey=KEY.vkey, anchors=[old.size]
        )
    return folder


@pytest.fixture
def whole(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / "whole", tmp_path / "whole"))


@pytest.fixture
def part(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / "part", tmp_path / "part"))


def verify(bundle: Path, *options: str) -> tuple[int, str]:
    """Run the bundle's verifier in a process of its own, without any of our packages."""
    done = subprocess.run(
        [sys.executable, "-I", str(FILE), str(bundle), *options],
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def refused(bundle: Path, vkey: str | None = None, anchor: Path | None = None) -> str:
    with pytest.raises(stand_alone.Broken) as refusal:
        stand_alone.verify(str(bundle), vkey, None if anchor is None else str(anchor))
    return str(refusal.value)


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def flip(seq: int, old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        assert lines[seq - 1].count(old) >= 1
        lines[seq - 1] = lines[seq - 1].replace(old, new, 1)
        return lines

    return change


def rebuild(bundle: Path, lines: list[bytes]) -> None:
    """Sign the lines as they are: what a log that does not keep to the format would export."""
    tree, leaves = Range(), []
    for line in lines:
        leaf = leaf_hash(line[:-1])
        tree.add(leaf)
        leaves.append(leaf.hex().encode() + b"\n")
    (bundle / "entries.jsonl").write_bytes(b"".join(lines))
    (bundle / "leaves.txt").write_bytes(b"".join(leaves))
    (bundle / "checkpoint").write_text(sign(KEY, len(lines), tree.root()).note, "utf-8")


@pytest.mark.requirement("K1")
def test_an_intact_bundle_is_ok_with_size_and_root(whole: Path, exported: Path) -> None:
    code, said = verify(whole, "--anchor", str(exported / "anchor"), "--vkey", KEY.vkey)
    assert code == 0
    keys = [stand_alone.parse_vkey(KEY.vkey)]
    root = stand_alone.read_checkpoint((whole / "checkpoint").read_text("utf-8"), keys, "x").root
    assert said == (
        f"OK: {SIZE} entries, continues the anchor of 12\n"
        f"size {SIZE}\nroot {root.hex()}\nkey  {KEY.vkey} (as given)\n"
    )


def test_a_key_from_the_bundle_is_said_to_be_from_there(whole: Path) -> None:
    code, said = verify(whole)
    assert code == 0
    assert said.endswith("(found in the bundle: compare it, or give --vkey)\n")


def test_a_zip_verifies_as_its_folder(whole: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as file:
        for path in whole.iterdir():
            file.write(path, path.name)
    assert verify(tmp_path / "bundle.zip")[0] == 0


@pytest.mark.requirement("K1")
def test_each_changed_byte_names_its_entry(whole: Path) -> None:
    """Flip one bit in each entry, at a place that wanders through the line."""
    intact = (whole / "entries.jsonl").read_bytes()
    lines = intact.splitlines(keepends=True)
    for seq, line in enumerate(lines, 1):
        place = len(b"".join(lines[: seq - 1])) + seq * 7 % len(line)
        changed = bytearray(intact)
        changed[place] ^= 1
        (whole / "entries.jsonl").write_bytes(bytes(changed))
        assert refused(whole).startswith(f"entry {seq}: ")


def test_a_changed_value_is_named_in_words_and_exit_is_1(whole: Path) -> None:
    edit(whole / "entries.jsonl", flip(17, b'"1000.50"', b'"1000.51"'))
    assert verify(whole) == (
        1, "NOT PROVEN: entry 17: is not what was committed, its hash differs.\n"
    )  # fmt: skip


def test_a_missing_last_line_is_named(whole: Path) -> None:
    edit(whole / "entries.jsonl", lambda lines: lines[:-1])
    assert verify(whole) == (
        1, f"NOT PROVEN: entry {SIZE}: is missing, the checkpoint covers {SIZE}.\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (lambda lines: [*lines[:4], *lines[5:]], "entry 5: is not what was committed"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "entry 1: is not what was committed"),
        (lambda lines: [*lines, lines[-1]], "entry 41: the checkpoint covers only 40"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "entry 40: the line has no newline"),
        (lambda lines: [], "entry 1: is missing"),
        (lambda lines: [b"\n", *lines], "entry 1: is no JSON of ours"),
    ],
)
def test_lines_moved_or_lost_are_named(
    whole: Path, change: Callable[[list[bytes]], list[bytes]], start: str
) -> None:
    edit(whole / "entries.jsonl", change)
    assert refused(whole).startswith(start)


def test_a_change_with_its_hash_changed_too_does_not_reach_the_signed_root(whole: Path) -> None:
    edit(whole / "entries.jsonl", flip(17, b'"1000.50"', b'"1000.51"'))
    lines = (whole / "entries.jsonl").read_bytes().splitlines()
    leaves = b"".join(leaf_hash(line).hex().encode() + b"\n" for line in lines)
    (whole / "leaves.txt").write_bytes(leaves)
    said = refused(whole)
    assert said.startswith("entry ")
    assert "does not follow version" in said
    assert said.endswith("leaves.txt does not lead to the signed root")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'"data":{', b'"data":{"n":1,', "is not in canonical form"),
        (b'"v":1', b'"v": 1', "is not in canonical form"),
        (b'"v":1', b'"v":1.0', "is no JSON of ours, 1.0 is not allowed, decimals are strings"),
        (b'"net_g":"1000.50"', b'"net_g":NaN', "is no JSON of ours, NaN is not allowed"),
        (b'"n":3', b'"n":9007199254740992', "is no JSON of ours, 9007199254740992 is not allowed"),
        (b'"net_g"', '"nöt_g"'.encode(), "a key is not ASCII"),
        (b'"1000.50"', b'"\\ud800"', "is not in canonical form"),
        (b'"1000.50"', b'"\\u0041"', "is not in canonical form"),
        (b'"1000.50"', b'"\xff"', "is no JSON of ours, 'utf-8'"),
        (b'"v":1', b'"v":0', "seq, ver or v is below 1"),
        (b'"v":1', b'"v":true', "a field is not of its kind"),
        (b'"reason":null', b'"reason":1', "a field is not of its kind"),
        (b'"actor":"ama"', b'"actor":""', "actor, stream or type is empty"),
        (b'"station":"K1"', b'"stazion":"K1"', "does not have the fields of an entry"),
        (b'"at":"2026-03-02T08:15:00.000000Z"', b'"at":"2026-03-02T08:15:00Z"', "seq, ver or v"),
        (b'"ver":1', b'"ver":2', "does not follow version 0 of batch/B0"),
        (b'"prev":null', b'"prev":"00"', "does not follow version 0 of batch/B0"),
        (b'"seq":3', b'"seq":4', "carries the number 4"),
    ],
)  # fmt: skip
def test_a_log_that_breaks_the_format_is_refused_though_it_is_signed(
    whole: Path, old: bytes, new: bytes, why: str
) -> None:
    lines = (whole / "entries.jsonl").read_bytes().splitlines(keepends=True)
    assert old in lines[2]
    lines[2] = lines[2].replace(old, new, 1)
    rebuild(whole, lines)
    assert refused(whole).startswith(f"entry 3: {why}")


def test_nesting_without_end_is_refused(whole: Path) -> None:
    lines = (whole / "entries.jsonl").read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"n":3', b'"n":' + b"[" * 9000 + b"]" * 9000)
    rebuild(whole, lines)
    assert verify(whole)[1].startswith("NOT PROVEN: ")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda n: n.replace("\n40\n", "\n41\n"), "the checkpoint: the signature does not hold"),
        (lambda n: n.replace("\n40\n", "\n4_0\n"), "or malformed"),
        (lambda n: n.replace("\n40\n", "\n040\n"), "or malformed"),
        (lambda n: n.replace("tablets", "salad", 1), "is not of the log"),
        (lambda n: n.replace("\n\n", "\n"), "is no signed note"),
        (lambda n: n.replace("\n\n", "\n\n\n"), "is not of the log"),
        (lambda n: n.rstrip("\n"), "is no signed note"),
        (lambda n: n + "\n", "is no signed note"),
        (lambda n: n.replace("\n", "\r\n"), "is no signed note"),
        (lambda n: n + "junk\n", "a signature line is malformed"),
        (lambda n: n.split("\n\n")[0] + "\n\n", "is no signed note"),
    ],
)
def test_a_checkpoint_that_is_not_as_signed_is_refused(
    whole: Path, change: Callable[[str], str], why: str
) -> None:
    note = (whole / "checkpoint").read_text("utf-8")
    (whole / "checkpoint").write_bytes(change(note).encode("utf-8"))
    assert why in refused(whole)


def test_a_checkpoint_of_another_key_with_the_same_name_is_refused(whole: Path) -> None:
    assert "is not signed by" in refused(whole, OTHER_KEY.vkey)
    lines = (whole / "entries.jsonl").read_bytes().splitlines(keepends=True)
    tree = Range()
    for line in lines:
        tree.add(leaf_hash(line[:-1]))
    (whole / "checkpoint").write_text(sign(OTHER_KEY, SIZE, tree.root()).note, "utf-8")
    assert "is not signed by" in refused(whole)


def test_signatures_of_unknown_witnesses_are_left_alone(whole: Path) -> None:
    with (whole / "checkpoint").open("a", encoding="utf-8") as file:
        file.write("\u2014 qa.example/w1 AAAAAAAA\n")
    assert refused(whole).startswith("checkpoint: is not the file of the manifest")


def test_an_anchor_of_another_history_is_refused(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(sign(KEY, 12, bytes(32)).note, "utf-8")
    assert refused(whole, anchor=other) == "the first 12 entries are not those of the anchor"
    other.write_text(sign(KEY, SIZE + 1, bytes(32)).note, "utf-8")
    assert refused(whole, anchor=other) == "the anchor covers 41 entries, the bundle only 40"
    other.write_text(sign(OTHER_KEY, 12, bytes(32)).note, "utf-8")
    assert "the anchor is not signed by" in refused(whole, anchor=other)


@pytest.mark.parametrize("name", ["entries.jsonl", "leaves.txt", "checkpoint", "log.vkey"])
def test_a_missing_file_is_named(whole: Path, name: str) -> None:
    (whole / name).unlink()
    assert refused(whole).startswith(f"{name} is missing from the bundle")


def test_a_changed_other_file_is_named(whole: Path) -> None:
    (whole / "record.pdf").write_bytes(b"%PDX")
    assert refused(whole) == "record.pdf: is not the file of the manifest"


def test_nothing_at_all_is_not_proven(tmp_path: Path) -> None:
    assert verify(tmp_path) == (1, "NOT PROVEN: log.vkey is missing from the bundle.\n")
    assert verify(tmp_path / "nowhere")[0] == 1


# Some streams.


@pytest.mark.requirement("K1")
def test_a_part_is_proven_and_says_that_it_is_not_closed(part: Path, exported: Path) -> None:
    code, said = verify(part, "--anchor", str(exported / "anchor"), "--vkey", KEY.vkey)
    assert code == 0
    assert said.startswith("OK: 26 entries of 2 records, continues the anchor of 12\n")
    assert said.endswith(
        "NOT CLOSED: batch/B1, batch/B2, later entries may exist\n"
        "batch/B1 to weighing.weight-recorded\nbatch/B2 to weighing.weight-recorded\n"
    )


def test_each_changed_value_of_a_part_names_its_entry(part: Path) -> None:
    intact = (part / "entries.jsonl").read_bytes()
    for number, line in enumerate(intact.splitlines(), 1):
        edit(part / "entries.jsonl", flip(number, b'"1000.50"', b'"1000.51"'))
        assert refused(part).startswith(f"entry {json.loads(line)['seq']}: ")
        (part / "entries.jsonl").write_bytes(intact)


@pytest.mark.parametrize("number", [1, 2, 13, 25, 26])
def test_a_lost_line_of_a_part_is_named(part: Path, number: int) -> None:
    lines = (part / "entries.jsonl").read_bytes().splitlines(keepends=True)
    lost = json.loads(lines[number - 1])
    edit(part / "entries.jsonl", lambda lines: lines[: number - 1] + lines[number:])
    said = refused(part)
    assert f"version {lost['ver']} is missing" in said or said.startswith(
        f"entry {lost['seq']}: is missing"
    )


def test_a_part_without_or_with_a_foreign_proof_is_refused(part: Path, exported: Path) -> None:
    proofs = json.loads((part / "proofs.json").read_text("utf-8"))
    proofs["streams"][0]["proof"][0] = "00" * 32
    (part / "proofs.json").write_text(json.dumps(proofs), "utf-8")
    assert refused(part).endswith("is not in the log that was signed")
    del proofs["streams"][0]
    (part / "proofs.json").write_text(json.dumps(proofs), "utf-8")
    assert refused(part).endswith("is out of order, or its stream has no proof")


def test_a_part_without_a_proof_towards_the_anchor_is_refused(part: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(sign(KEY, 7, bytes(32)).note, "utf-8")
    assert (
        refused(part, anchor=other) == "no proof towards the anchor of 7; export with this anchor"
    )
    other.write_text(sign(KEY, 12, bytes(32)).note, "utf-8")
    assert refused(part, anchor=other) == "the anchor's 12 entries are no prefix of this log"


def test_an_empty_ledger_or_stream_is_not_exported(tmp_path: Path) -> None:
    with writing(tmp_path / "l.db") as writer, reading(tmp_path / "l.db") as ledger:
        with pytest.raises(NothingToExport, match=r"^Ledger: nothing to export\."):
            export_bundle(ledger, tmp_path / "out", vkey=KEY.vkey)
        writer.submit(job("k1:1", draft())).result(20)
        with pytest.raises(NothingToExport, match=r"^batch/B9: nothing to export\."):
            export_streams(ledger, ["batch/B9"], tmp_path / "out", vkey=KEY.vkey)
        export_bundle(ledger, tmp_path / "out", vkey=KEY.vkey)
        with pytest.raises(FileExistsError, match=r"is not empty\. Name a new folder\."):
            export_bundle(ledger, tmp_path / "out", vkey=KEY.vkey)


# For ever.


def test_a_bundle_of_long_ago_still_verifies() -> None:
    code, said = verify(GOLDEN / "whole", "--anchor", str(GOLDEN / "anchor"))
    assert code == 0
    assert f"\nroot {GOLDEN_ROOT}\n" in said
    for line in (GOLDEN / "whole" / "entries.jsonl").read_bytes().splitlines():
        assert canonical_entry.encode(canonical_entry.decode(line)) == line


def test_its_own_verifier_of_long_ago_still_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(GOLDEN / "whole" / "verify.py"), str(GOLDEN / "whole")],
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.returncode == 0


def oldest_python() -> str:
    """Return the oldest Python from 3.8 on that starts on this machine."""
    for minor in range(8, 12):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-V"], capture_output=True).returncode == 0:
            return found
    return sys.executable


def test_the_oldest_python_of_this_machine_runs_it(whole: Path) -> None:
    done = subprocess.run(
        [oldest_python(), "-I", str(FILE), str(whole)],
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert (done.stdout[:4], done.returncode) == ("OK: ", 0)


def test_signature_check_agrees_with_the_library() -> None:
    for number in range(20):
        key, text = LogKey("x", bytes([number]) * 32), bytes(number)
        good = key.sign(text)
        public = key.verifier.public
        assert stand_alone.signature_holds(public, good, text)
        for place in (0, 31, 32, 63):
            bad = bytearray(good)
            bad[place] ^= 1
            assert not stand_alone.signature_holds(public, bytes(bad), text)
        assert not stand_alone.signature_holds(public, good, text + b"x")
        larger = int.from_bytes(good[32:], "little") + stand_alone.ORDER
        malleable = good[:32] + larger.to_bytes(32, "little")
        assert not stand_alone.signature_holds(public, malleable, text)
