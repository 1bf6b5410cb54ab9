"""What a batch's bundle proves about completeness: nothing dropped, withheld, or swapped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.batch.bundle import batch_streams
from core.clock import now
from core.ledger.export import export_streams
from core.ledger.job import Decision, Draft, Job
from core.ledger.store import Ledger, open_ledger
from core.manifest import manifest_digest
from core.signature_check import SIGNED, signature_in
from tests.floor import KEY, open_floor
from tests.test_core_bundle import entries, put, released
from tests.verifier import stand_alone


@pytest.fixture(scope="module")
def plant(seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A ledger with a released batch and one at work, and an older checkpoint of it."""
    folder = tmp_path_factory.mktemp("proofs") / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as floor:
        ledger = floor.execution.ledger
        done = released(floor, "1000178")
        older = ledger.checkpoint()
        at_work = floor.dispatched("1000179")
    assert older is not None
    note = folder / "older.note"
    note.write_text(older.note, "utf-8")
    return {"where": folder / "ledger.db", "done": done, "open": at_work, "older": older.size,
            "note": note}  # fmt: skip


@pytest.fixture
def bundle(plant: dict[str, Any], tmp_path: Path) -> Callable[..., Path]:
    def export(batch: str, *, of: str = "", anchors: tuple[int, ...] = ()) -> Path:
        out, ledger = tmp_path / f"bundle-{batch}", open_ledger(plant["where"])
        try:
            streams = [name for name in batch_streams(ledger, batch) if name.startswith(of)]
            export_streams(ledger, streams, out, vkey=KEY.vkey, anchors=anchors)
        finally:
            ledger.close()
        return out

    return export


def said(folder: Path, anchor: Path | None = None) -> str:
    return stand_alone.verify(str(folder), KEY.vkey, None if anchor is None else str(anchor))


def refused(folder: Path, anchor: Path | None = None) -> str:
    with pytest.raises(stand_alone.Broken) as refusal:
        said(folder, anchor)
    return str(refusal.value)


def of_batch(line: bytes) -> bool:
    return json.loads(line)["stream"].startswith("batch/")


def proofs(folder: Path) -> Any:
    return json.loads((folder / "proofs.json").read_text("utf-8"))


def put_proofs(folder: Path, value: Any) -> None:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    (folder / "proofs.json").write_text(text, "utf-8")
    put(folder, entries(folder))


@pytest.mark.requirement("H8")
def test_closed_batch_is_complete_and_one_at_work_says_that_it_is_not(
    plant: dict[str, Any], bundle: Callable[..., Path]
) -> None:
    closed = said(bundle(plant["done"]))
    assert f"batch/{plant['done']} to batch.closed" in closed
    assert "NOT CLOSED" not in closed
    assert f"NOT CLOSED: batch/{plant['open']}, later entries may exist" in said(
        bundle(plant["open"])
    )


@pytest.mark.requirement("H8")
def test_dropped_middle_entry_of_a_batch_is_named(
    plant: dict[str, Any], bundle: Callable[..., Path]
) -> None:
    folder = bundle(plant["done"])
    lines = entries(folder)
    own = [number for number, line in enumerate(lines) if of_batch(line)]
    for number in own[1:-1:7]:
        put(folder, lines[:number] + lines[number + 1 :])
        ver = json.loads(lines[number])["ver"]
        assert refused(folder).endswith(f"is version {ver + 1}, version {ver} is missing")


@pytest.mark.requirement("H8")
def test_withheld_tail_of_a_batch_is_named(
    plant: dict[str, Any], bundle: Callable[..., Path]
) -> None:
    folder = bundle(plant["done"])
    lines = entries(folder)
    last = max(number for number, line in enumerate(lines) if of_batch(line))
    put(folder, lines[:last] + lines[last + 1 :])
    seq = json.loads(lines[last])["seq"]
    assert refused(folder) == f"entry {seq}: is missing, it ends batch/{plant['done']}"


@pytest.mark.requirement("H8")
def test_withheld_tail_with_a_proof_made_for_the_rest_says_not_closed(
    plant: dict[str, Any], bundle: Callable[..., Path]
) -> None:
    folder, name = bundle(plant["done"]), f"batch/{plant['done']}"
    lines = entries(folder)
    own = [number for number, line in enumerate(lines) if of_batch(line)]
    kept = json.loads(lines[own[-4]])["seq"]
    value, ledger = proofs(folder), open_ledger(plant["where"])
    for one in value["streams"]:
        if one["stream"] == name:
            one.update(seq=kept, proof=proof_of(ledger, kept))
    ledger.close()
    put(folder, [line for number, line in enumerate(lines) if number not in own[-3:]])
    put_proofs(folder, value)
    assert f"NOT CLOSED: {name}, later entries may exist" in said(folder)


def proof_of(ledger: Ledger, seq: int) -> list[str]:
    checkpoint = ledger.checkpoint()
    assert checkpoint is not None
    return [node.hex() for node in ledger.inclusion_proof(seq, checkpoint.size)]


@pytest.mark.requirement("H8")
def test_swapped_inclusion_proof_is_named(
    plant: dict[str, Any], bundle: Callable[..., Path]
) -> None:
    folder = bundle(plant["done"])
    value = proofs(folder)
    one, two = value["streams"][0], value["streams"][1]
    one["proof"], two["proof"] = two["proof"], one["proof"]
    put_proofs(folder, value)
    first = min(one["seq"], two["seq"])
    assert refused(folder) == f"entry {first}: is not in the log that was signed"


@pytest.mark.requirement("H5")
def test_bundle_continues_an_older_checkpoint_and_no_other_history(
    plant: dict[str, Any], bundle: Callable[..., Path], tmp_path: Path
) -> None:
    older, note = plant["older"], plant["note"]
    folder = bundle(plant["done"], anchors=(older, older - 1))
    assert f"continues the anchor of {older}" in said(folder, note)
    value = proofs(folder)
    first, second = value["consistency"]
    first["proof"], second["proof"] = second["proof"], first["proof"]
    put_proofs(folder, value)
    assert refused(folder, note) == f"the anchor's {older} entries are no prefix of this log"


@pytest.mark.requirement("H8")
def test_entry_after_the_closing_one_is_not_accepted(plant: dict[str, Any], tmp_path: Path) -> None:
    from tests.ledgers import Draft, job, writing

    copy = Path(shutil.copytree(plant["where"].parent, tmp_path / "copy"))
    name, out = f"batch/{plant['done']}", tmp_path / "out"
    with writing(copy / "ledger.db") as writer:  # past the rules, as only a forger can
        writer.submit(job("after", Draft(name, "step.started", 1, {}))).result(20)
    ledger = open_ledger(copy)
    seq = ledger.size()
    export_streams(ledger, [name], out, vkey=KEY.vkey)
    ledger.close()
    assert refused(out) == f"entry {seq}: comes after batch.closed, which ends {name}"


@pytest.mark.requirement("H3", "H8")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"words": "Something else."}, "is a signature of another statement or person than it"),
        ({"signer": "viktor"}, "is a signature of another statement or person than it says"),
        ({"ver": 2}, "is a signature over other content than its record's"),
        ({"record": "lot/CC-3044"}, "is a signature over other content than its record's"),
        ({"head": "ab" * 32}, "is a signature over other content than its record's"),
    ],
)
def test_signature_that_holds_in_the_log_and_is_bound_to_something_else_is_named(
    seeded_folder: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """As whoever has the server and the log's key would put it in: every hash is right."""
    folder = tmp_path / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as floor:
        batch = released(floor, "1000178")
        ledger, stream = floor.execution.ledger, "order/1000178"
        out = tmp_path / "good"
        export_streams(ledger, batch_streams(ledger, batch), out, vkey=KEY.vkey)
        signed = sum(b'"type":"signature.applied"' in line for line in entries(out))
        assert f", {signed} signatures\n" in said(out)
        entry = next(one for one in ledger.stream(f"batch/{batch}") if one.type == SIGNED)
        event = signature_in(entry)
        seen = floor.seen(stream)
        own = {"record": stream, "ver": seen.ver, "head": seen.head, "signer": "quinn"}
        manifest = msgspec.structs.replace(event.manifest, **(own | changes))
        digest = manifest_digest(manifest)
        if "words" in changes:
            digest = manifest_digest(event.manifest)
        signed_data = {"manifest": msgspec.to_builtins(manifest), "manifest_sha256": digest.hex()}
        data = entry.data | signed_data
        draft = Draft(stream, SIGNED, 1, data)
        job = Job("forged:1", "0" * 64, "quinn", None, now, lambda _: Decision((draft,)))
        last = floor.execution.writer.submit(job).result(10).last_seq
        export_streams(ledger, batch_streams(ledger, batch), tmp_path / "bad", vkey=KEY.vkey)
    assert refused(tmp_path / "bad").startswith(f"entry {last}: {says}")
