"""Seals of a record's PDF: who reviewed, who released, the plant; and what the file carries."""

from __future__ import annotations

import io
import json
import random
import shutil
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typst
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject

from core.batch.bundle import batch_streams
from core.batch_record.model import BatchRecord, record_json
from core.batch_record.read import read_record
from dashboards.record.bundle import attachments
from dashboards.record.seal import Seal
from dashboards.record.typeset import Attached, Copy, pdf
from tests.floor import open_floor
from tests.hands import AT
from tests.records import authority, holding
from tests.test_core_batch_record import deviated
from tests.verapdf import judged

COPY = Copy(number=1, by="Quinn", at=AT)
FLIPS = 1000


@dataclass
class Sealed:
    record: BatchRecord
    inside: tuple[Attached, ...]
    entries: bytes
    body: bytes
    keys: Path


def put(keys: Path, made: bytes, record: BatchRecord) -> bytes:
    return Seal(keys, "tablets").put(lambda _: made, record, "copy 1").body


@pytest.fixture(scope="module")
def sealed(seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """The sealed print of a batch with a deviation, reviewed and released."""
    folder = tmp_path_factory.mktemp("seals") / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as floor:
        batch = deviated(floor)
        ledger = floor.execution.ledger
        record = read_record(ledger, batch)
        inside = attachments(ledger, record)
        rows = [row for one in batch_streams(ledger, batch) for row in ledger.stream_raw(one)]
    entries = b"".join(body + b"\n" for _, body in sorted(rows))
    keys = folder / "keys"
    body = put(keys, pdf(record, COPY, inside), record)
    return Sealed(record, inside, entries, body, keys)


@pytest.mark.requirement("H2", "I7")
def test_each_seal_names_the_signer_and_covers_the_file_up_to_it(sealed: Sealed) -> None:
    signed = {one.seals: one for one in sealed.record.signatures if one.seals}
    found = PdfFileReader(BytesIO(sealed.body)).embedded_signatures
    assert [one.field_name for one in found] == ["reviewer", "releaser", "plant"]
    for one in found[:2]:
        ours = signed[one.field_name]
        shown = one.sig_object
        assert (shown["/Name"], shown["/Reason"]) == (ours.name, ours.meaning)
        assert (
            f"entry {ours.entry} of the ledger, signed 2026-11-23 06:40:00 +01:00"
            in shown["/Location"]
        )
        subject = one.signer_cert.subject.native
        assert (subject["common_name"], subject["serial_number"]) == (ours.name, ours.person)
    for number, one in enumerate(found, 1):
        status = validate_pdf_signature(one, authority(sealed.keys))
        assert status.bottom_line
        whole = number == len(found)
        assert status.coverage == (
            SignatureCoverageLevel.ENTIRE_FILE if whole else SignatureCoverageLevel.ENTIRE_REVISION
        )


def test_seals_do_not_hold_under_the_authority_of_another_plant(
    sealed: Sealed, tmp_path: Path
) -> None:
    put(tmp_path, pdf(sealed.record, COPY), sealed.record)
    assert not any(holding(sealed.body, tmp_path).values())


def test_a_batch_that_nobody_decided_has_the_plants_seal_alone(sealed: Sealed) -> None:
    undecided = msgspec.structs.replace(sealed.record, signatures=())
    body = put(sealed.keys, pdf(undecided, COPY), undecided)
    assert holding(body, sealed.keys) == {"plant": True}


@pytest.mark.requirement("I7")
@pytest.mark.timeout(300)
def test_no_flipped_bit_leaves_a_seal_intact(sealed: Sealed) -> None:
    """A thousand bits in the signed ranges; those between them are the signature's own text."""
    page = typst.compile(b"Record", format="pdf", pdf_standards="a-3b", ignore_system_fonts=True)
    undecided = msgspec.structs.replace(sealed.record, signatures=())
    body = put(sealed.keys, page, undecided)
    trust = authority(sealed.keys)
    assert intact(body, trust)
    inside = flipped(body, FLIPS, trust)
    print(f"{FLIPS} flips in the signed ranges, {inside} more fell outside them and do not count")


@pytest.mark.requirement("I7")
@pytest.mark.timeout(300)
def test_no_flipped_bit_leaves_the_seals_of_a_whole_record_intact(sealed: Sealed) -> None:
    trust = authority(sealed.keys)
    assert intact(sealed.body, trust)
    flipped(sealed.body, 20, trust)


def flipped(body: bytes, flips: int, trust: ValidationContext) -> int:
    """Flip bits one at a time where the last seal has signed; return how many fell outside."""
    last = PdfFileReader(BytesIO(body)).embedded_signatures[-1]
    start, first, second, length = (int(number) for number in last.byte_range)
    chance, tried, outside = random.Random(7), 0, 0
    while tried < flips:
        at = chance.randrange(len(body))
        if not (start <= at < start + first or second <= at < second + length):
            outside += 1
            continue
        changed = bytearray(body)
        changed[at] ^= 1 << chance.randrange(8)
        assert not intact(bytes(changed), trust), f"byte {at}"
        tried += 1
    return outside


def intact(body: bytes, trust: ValidationContext) -> bool:
    """Whether a reader finds the plant's seal last, and the bytes under it are those signed."""
    try:
        last = PdfFileReader(BytesIO(body)).embedded_signatures[-1]
        status = validate_pdf_signature(last, trust, skip_diff=True)
    except Exception:  # a parser that stumbles over a broken file does not find it intact
        return False
    return bool(last.field_name == "plant" and status.intact and status.valid and status.trusted)


@pytest.mark.requirement("H8", "I7")
def test_the_entries_lie_in_the_file_as_they_are_stored(sealed: Sealed) -> None:
    inside = PdfReader(BytesIO(sealed.body)).attachments
    assert inside["entries.jsonl"] == [sealed.entries]
    assert inside["checkpoint"] == [sealed.record.checkpoint.note.encode()]
    assert inside["record.json"] == [record_json(sealed.record)]
    assert json.loads(inside["record.json"][0])["header"]["batch"] == sealed.record.header.batch


def test_each_attachment_is_an_associated_file_of_the_document(sealed: Sealed) -> None:
    root = PdfReader(BytesIO(sealed.body)).trailer["/Root"]
    kinds = {}
    for one in (pointer.get_object() for pointer in root["/AF"]):
        kinds[one["/UF"]] = one["/AFRelationship"]
        assert one["/F"] == one["/UF"]
        stream = one["/EF"]["/F"].get_object()
        assert stream["/Type"] == "/EmbeddedFile"
        assert stream["/Subtype"].count("/") >= 1
        assert "/ModDate" in stream["/Params"]
    assert kinds == {
        "entries.jsonl": "/Source", "checkpoint": "/Supplement", "record.json": "/Data",
    }  # fmt: skip


@pytest.mark.requirement("I7")
def test_seals_keep_what_archival_pdf_asks_of_them(sealed: Sealed) -> None:
    """What an incremental update could spoil; a validator of the whole standard is below."""
    reader = PdfReader(BytesIO(sealed.body))
    root = reader.trailer["/Root"]
    plain = PdfReader(BytesIO(pdf(sealed.record, COPY, sealed.inside)))
    assert b"<pdfaid:part>3</pdfaid:part>" in root["/Metadata"].get_data()
    assert root["/Metadata"].get_data() == plain.trailer["/Root"]["/Metadata"].get_data()
    assert reader.metadata == plain.metadata
    assert root.get("/Version", "/1.7") == "/1.7"
    assert "/OutputIntents" in root
    assert "/Encrypt" not in reader.trailer
    assert len(reader.trailer["/ID"]) == 2
    assert "/NeedAppearances" not in root["/AcroForm"] or not root["/AcroForm"]["/NeedAppearances"]
    for field in root["/AcroForm"]["/Fields"]:
        check_widget(field.get_object())


def check_widget(field: Any) -> None:
    """ISO 19005-3, 6.3.2 and 6.3.3: printed, not hidden, no size or an appearance."""
    flags = int(field["/F"])
    assert flags & 4, "print"
    assert not flags & (1 | 2 | 32), "invisible, hidden, no view"
    box = [float(number) for number in field["/Rect"]]
    assert (box[0] == box[2] and box[1] == box[3]) or "/AP" in field
    assert "/A" not in field
    assert "/AA" not in field


@pytest.mark.requirement("I7")
def test_verapdf_accepts_the_sealed_file_and_refuses_what_lacks_a_promise(
    sealed: Sealed, tmp_path: Path
) -> None:
    undecided = msgspec.structs.replace(sealed.record, signatures=())
    unsealed = pdf(undecided, COPY, sealed.inside)
    files = {
        "sealed": sealed.body,
        "sealed by the plant alone": put(sealed.keys, unsealed, undecided),
        "unsealed": pdf(sealed.record, COPY, sealed.inside),
        "written anew": without(sealed.body),
        "no metadata": without(sealed.body, "/Metadata"),
    }
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    found = dict(zip(files, judged(*(tmp_path / name for name in files)), strict=True))
    for name in ("sealed", "sealed by the plant alone", "unsealed"):
        assert found[name]["broken"] == [], name
        assert found[name]["compliant"], name
        assert found[name]["checks"] > found[name]["rules"] > 100, name
    assert [one[:5] for one in found["written anew"]["broken"]] == ["6.4.3"]  # the seals' digest
    assert any(one.startswith("6.6.2.1") for one in found["no metadata"]["broken"])


def without(body: bytes, *entries: str) -> bytes:
    """Return the same document, written anew, without entries of its catalog."""
    copy = PdfWriter(clone_from=io.BytesIO(body))
    for entry in entries:
        del copy.root_object[NameObject(entry)]
    out = io.BytesIO()
    copy.write(out)
    return out.getvalue()
