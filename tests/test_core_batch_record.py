"""The batch record: it holds what the ledger says, and what is missing is called missing."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from core.authority import NotAuthorized
from core.batch.bundle import batch_streams
from core.batch.steps import VerifyStep
from core.batch_record.changes import signatures
from core.batch_record.model import BatchRecord, facts_of, record_json, record_sha256
from core.batch_record.read import read_record
from core.deviation import Disposition, DispositionDeviation
from core.errors import Refused, Unknown
from core.execution import Actor, Credentials
from core.fact import Site
from core.manifest import manifest_digest
from core.passkey import Passkey, RegisterPasskey, key_words
from core.passkey_proof import registration_challenge
from core.projections.nouns import differences
from core.record_print import CopyNeedsReason, PrintRecord, Prints
from tests.authenticator import ORIGIN, RP_ID, Device
from tests.floor import Floor
from tests.hands import GOOD_LOTS


def record_of(floor: Floor, batch: str) -> BatchRecord:
    return read_record(floor.execution.ledger, batch)


def deviated(floor: Floor) -> str:
    """Make a whole batch with one over-weigh, and release it."""
    batch = floor.upto(floor.dispatched(), "4")
    floor.scan(batch, "4", "CC-3044")
    floor.tare(batch, "4")
    floor.deviate(batch, "4", "2467")
    name = floor.batch(batch).deviations[0]
    decided = DispositionDeviation(
        deviation=name,
        disposition=Disposition.USE_AS_IS,
        assessment="No effect.",
        seen=floor.seen(f"deviation/{name}"),
    )
    floor.sign(decided, "quinn", station="office")
    floor.verify(batch, "4")
    floor.upto(batch, None)
    floor.review(batch)
    floor.release(batch)
    return batch


def check_against_entries(floor: Floor, batch: str) -> None:
    """Every weighing and signature of the streams is in the record, with its own figures."""
    record = record_of(floor, batch)
    ledger = floor.execution.ledger
    entries = ledger.stream(f"batch/{batch}")
    for deviation in record.deviations:
        entries += ledger.stream(f"deviation/{deviation.deviation}")
    weighings = {one.entry: one for step in record.steps for one in step.weighings}
    signatures = {one.entry: one for one in record.signatures}
    seen: set[int] = set()
    for entry in entries:
        data: dict[str, Any] = entry.data
        if entry.type == "weighing.weight-recorded":
            one = weighings[entry.seq]
            seen.add(entry.seq)
            assert (str(one.gross.value), str(one.tare.value), str(one.net.value)) == (
                data["gross_g"], data["tare_g"], data["net_g"],
            )  # fmt: skip
            assert (one.lot, one.container, one.scale, one.certificate, one.raw, one.by) == (
                data["lot"], data["container"], data["scale"], data["certificate"],
                data["reading"]["raw"], entry.actor,
            )  # fmt: skip
        if entry.type == "signature.applied":
            signed, shown = data["manifest"], facts_of(signatures[entry.seq])
            seen.add(entry.seq)
            assert shown["record"] == entry.stream == signed["record"]
            assert [shown[key] for key in ("name", "person", "meaning", "words", "at", "zone")] == [
                signed[key] for key in ("name", "signer", "meaning", "words", "at", "zone")
            ]
            assert shown["version"] == signed["ver"]
    assert seen == {*weighings, *signatures}
    assert record.header.entries == len(ledger.stream(f"batch/{batch}"))
    assert record.header.head == floor.seen(f"batch/{batch}").head


@pytest.mark.requirement("I1", "H2")
def test_whole_batch_stands_in_its_record(floor: Floor) -> None:
    batch = deviated(floor)
    check_against_entries(floor, batch)
    record = record_of(floor, batch)
    assert record.header.state == "released"
    assert record.header.recipe_sha256 == floor.batch(batch).recipe_sha256
    assert [one.lot for one in record.materials] == [
        "PV-1107", "CC-3044", "MS-0518", "LA-2291", "PA-7741",
    ]  # fmt: skip
    assert {one.supplier for one in record.materials} != {""}
    [deviation] = record.deviations
    assert (deviation.disposition, deviation.assessment) == ("use_as_is", "No effect.")
    [exception] = record.exceptions
    assert exception.assessment == "No effect on the product."
    assert record.yields[0].percent == "98.7"
    assert all(gate.passed for gate in record.gates)
    assert all(step.started_at and step.completed_at for step in record.steps)
    checkpoint = floor.execution.ledger.checkpoint()
    assert checkpoint is not None
    assert (record.checkpoint.size, record.checkpoint.root) == (
        checkpoint.size, checkpoint.root.hex(),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_record_of_any_moment_is_what_the_ledger_says(floor: Floor, seed: int) -> None:
    chance = random.Random(seed)
    batch = floor.dispatched()
    for _ in range(12):
        state = floor.batch(batch)
        if state.current is None or state.held_by is not None:
            break
        step = state.recipe_step(state.current.step)
        if step.kind == "weigh" and state.current.state == "idle" and chance.random() < 0.5:
            with pytest.raises(Refused):
                floor.scan(batch, step.step, "nothing")
        if step.kind == "weigh" and chance.random() < 0.2:
            floor.scan(batch, step.step, GOOD_LOTS[step.material or ""])
            floor.tare(batch, step.step)
            floor.deviate(batch, step.step, str((step.high or 0) + 100))
            check_against_entries(floor, batch)
            break
        floor.do_step(batch)
        check_against_entries(floor, batch)


def test_json_is_canonical_and_repeats_itself(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "4")
    record = record_of(floor, batch)
    body = record_json(record)
    assert body == record_json(record_of(floor, batch))
    again = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again.encode() == body


@pytest.mark.requirement("I5")
def test_matrix_names_evidence_or_says_missing(floor: Floor) -> None:
    fresh = floor.dispatched()
    rows = record_of(floor, fresh).completeness
    assert [row.no for row in rows] == list(range(1, 14))
    assert all(row.evidence or row.missing for row in rows)
    whole = {row.no for row in rows if row.missing is None}
    assert whole == {12}, "before any step only the absence of deviations is a fact"
    done = record_of(floor, floor.upto(fresh, None)).completeness
    whole = {row.no for row in done if row.missing is None}
    assert whole == {1, 2, 3, 4, 7, 11, 12}
    by_number = {row.no: row for row in done}
    assert by_number[9].evidence == by_number[10].evidence == by_number[13].evidence == ()
    assert by_number[8].missing == "specimen or copy of the label"
    assert by_number[6].missing == "inspection before and after labelling"


@pytest.mark.requirement("I7", "D9")
def test_copies_are_counted_in_a_stream_beside_the_closed_batch(floor: Floor) -> None:
    batch = deviated(floor)
    closed = floor.seen(f"batch/{batch}")
    for number in (1, 2, 3):
        record = record_of(floor, batch)
        assert [one.copy for one in record.prints] == list(range(1, number))
        why = {} if number == 1 else {"why": f"For inspector {number}."}
        if number > 1:
            with pytest.raises(CopyNeedsReason) as refusal:
                floor.act(printing(record), "quinn", station="office")
            assert str(refusal.value) == (
                f"Batch {batch}: this would be copy {number} of its record."
                " Say what it is for, then print it."
            )
        floor.act(printing(record, **why), "quinn", station="office")
    prints = floor.get(Prints, batch)
    assert [one.copy for one in prints.copies] == [1, 2, 3]
    assert [one.why for one in prints.copies] == ["", "For inspector 2.", "For inspector 3."]
    assert [one.why for one in record_of(floor, batch).prints] == [one.why for one in prints.copies]
    assert prints.copies[1].content_sha256 != prints.copies[0].content_sha256
    assert floor.seen(f"batch/{batch}") == closed
    assert f"record/{batch}" in batch_streams(floor.execution.ledger, batch)
    assert differences(floor.execution.ledger) == []


def printing(record: BatchRecord, **changes: Any) -> PrintRecord:
    fields: dict[str, Any] = {
        "batch": record.header.batch,
        "size": record.checkpoint.size,
        "root": record.checkpoint.root,
        "content_sha256": record_sha256(record),
    }
    return PrintRecord(**fields | changes)


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("person", ["olga", "sana", "ada", "dora"])
def test_only_qa_prints(floor: Floor, person: str) -> None:
    record = record_of(floor, floor.dispatched())
    with pytest.raises(NotAuthorized):
        floor.act(printing(record), person)
    assert floor.get(Prints, record.header.batch) is None


def test_nothing_is_printed_of_a_batch_that_is_not_there(floor: Floor) -> None:
    record = record_of(floor, floor.dispatched())
    with pytest.raises(Unknown):
        floor.act(printing(record, batch="B26-9999"), "quinn")
    with pytest.raises(Unknown):
        record_of(floor, "B26-9999")


@pytest.mark.requirement("H2", "H3")
def test_signature_of_a_passkey_stands_in_the_record_with_its_checked_proof(floor: Floor) -> None:
    floor.execution.signing.site = Site(RP_ID, (ORIGIN,))
    device = Device()
    seen = floor.seen("person/viktor")
    challenge = registration_challenge("viktor", ver=seen.ver, head=seen.head)
    client, attestation = device.made(challenge)
    mine = RegisterPasskey(
        person="viktor", label="Key", client_data=client, attestation=attestation, seen=seen
    )
    floor.sign(mine, "viktor", station=None)
    batch = floor.upto(floor.dispatched(), "4")
    floor.scan(batch, "4", "CC-3044")
    floor.tare(batch, "4")
    floor.weigh(batch, "4", str(floor.batch(batch).recipe_step("4").target))
    command = VerifyStep(batch=batch, step="4", seen=floor.seen(f"batch/{batch}"))
    actor = Actor("viktor", "kiosk-B1")
    shown = floor.execution.prepare(command, actor=actor, idem="by:key", who="viktor")
    answer = device.answers(manifest_digest(shown.manifest))
    floor.sign(
        command, "viktor", idem="by:key",
        credentials=Credentials(pending=shown.pending, passkey=answer),
    )  # fmt: skip
    signature = record_of(floor, batch).signatures[-1]
    assert signature.components == ("passkey",)
    public_key = floor.get(Passkey, device.credential).public_key
    assert signature.proof == f"passkey with key {key_words(public_key)}, used at {ORIGIN}"
    assert "proof" not in facts_of(record_of(floor, batch).signatures[0])  # as it was ever written
    [entry] = [
        one
        for one in floor.execution.ledger.stream(f"batch/{batch}")
        if one.type == "signature.applied" and "assertion" in one.data
    ]
    moved = replace(entry, data={**entry.data, "manifest": {**entry.data["manifest"], "ver": 1}})
    [broken] = signatures(SimpleNamespace(trail=[moved]))  # type: ignore[arg-type]
    assert broken.proof.startswith(f"BROKEN: batch/{batch}: entry {entry.seq}: Passkey: it answers")
