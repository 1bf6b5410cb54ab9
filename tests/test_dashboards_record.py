"""The record as PDF and JSON: the same facts, sealed, numbered, and handed out to QA alone."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader

from core.batch.bundle import batch_streams
from core.batch_record.model import BatchRecord, facts_of, record_json
from core.batch_record.read import read_record
from core.certificate import AUTHORITY_FOR, SIGNER_FOR, seal_files
from core.ledger.export import export_streams
from core.record_print import Prints
from dashboards.record.bundle import record_files
from dashboards.record.seal import Seal
from dashboards.record.typeset import Copy, drawable, local, pdf
from tests.plant import LOG_KEY, PIN, LivingPlant, running_plant
from tests.reviewing import dispositioned, finished, over_weighed

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
COPY = Copy(number=3, by="Quinn Quast (quinn)", at=AT)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    with running_plant(tmp_path_factory.mktemp("record")) as running:
        yield running


@pytest.fixture(scope="module")
def batch(plant: LivingPlant) -> str:
    name = over_weighed(plant)
    dispositioned(plant, name)
    finished(plant, name)
    return name


@pytest.fixture(scope="module")
def record(plant: LivingPlant, batch: str) -> BatchRecord:
    return read_record(plant.execution.ledger, batch)


@pytest.fixture
def quinn(plant: LivingPlant) -> Iterator[httpx.Client]:
    with signed_in(plant, "quinn") as client:
        yield client


@contextmanager
def signed_in(plant: LivingPlant, person: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=plant.url, timeout=30) as client:
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', client.get("/login").text))
        answer = client.post("/login", data=form | {"user": person, "password": PIN})
        assert answer.status_code in (200, 303), answer.text
        yield client


def squeezed(text: str) -> str:
    """Return a text without what a line break may change."""
    return re.sub(r"[\s\u200b_]+", "", text)


def text_of(body: bytes) -> str:
    return squeezed("".join(page.extract_text() for page in PdfReader(BytesIO(body)).pages))


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def without_exact_values(value: Any) -> Any:
    """Return the facts with each amount as its text: paper has one of the two forms."""
    if isinstance(value, dict):
        if set(value) == {"value", "unit", "text"}:
            return value["text"]
        return {name: without_exact_values(one) for name, one in value.items()}
    return [without_exact_values(one) for one in value] if isinstance(value, list) else value


@pytest.mark.requirement("I1", "H2", "I7")
def test_paper_and_json_carry_the_same_facts(record: BatchRecord) -> None:
    zone = ZoneInfo(record.header.zone)
    printed = text_of(pdf(record, COPY))
    facts = without_exact_values(facts_of(record, lambda at: local(at, zone)))
    gone = [one for one in leaves(facts) if squeezed(drawable(one)) not in printed]
    assert gone == []
    assert json.loads(record_json(record)) == facts_of(record)


def test_every_page_names_batch_copy_checkpoint_and_its_place(record: BatchRecord) -> None:
    pages = PdfReader(BytesIO(pdf(record, COPY))).pages
    assert len(pages) > 1
    root = record.checkpoint.root[:16]
    for number, page in enumerate(pages, 1):
        text = " ".join(page.extract_text().split())
        assert f"Page {number} of {len(pages)}" in text
        assert f"Batch record {record.header.batch}" in text
        assert f"{record.checkpoint.size} entries, root {root}" in text
        assert "Copy 3" in text
        assert "Europe/Berlin" in text


def test_the_same_record_and_copy_give_the_same_bytes(record: BatchRecord) -> None:
    assert pdf(record, COPY) == pdf(record, COPY)


@pytest.mark.parametrize(
    "text",
    [
        "#set page(width: 1cm)",
        "$x^2$ *b* _i_ `r` @ref <label>",
        '#read("/etc/passwd")',
        "a\rb\x00c",
    ],
)
def test_text_of_the_record_is_never_markup(record: BatchRecord, text: str) -> None:
    [exception] = record.exceptions
    changed = msgspec.structs.replace(exception, says=text)
    made = pdf(msgspec.structs.replace(record, exceptions=(changed,)), COPY)
    assert squeezed(drawable(text)) in text_of(made)


def test_a_sign_that_no_font_has_is_named_and_stops_nothing(record: BatchRecord) -> None:
    [exception] = record.exceptions
    changed = msgspec.structs.replace(exception, says="Private \U000f0000 sign, größer ≥ 3 µm.")
    made = text_of(pdf(msgspec.structs.replace(record, exceptions=(changed,)), COPY))
    assert "U+F0000" in made
    assert "größer" in made


def test_it_asks_for_archival_pdf(record: BatchRecord) -> None:
    made = pdf(record, COPY)
    metadata = PdfReader(BytesIO(made)).xmp_metadata
    assert metadata is not None
    assert b"<pdfaid:part>3</pdfaid:part>" in made
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in made


# -- the seal ------------------------------------------------------------------------------------


def seal_holds(body: bytes, keys: Path) -> bool:
    """Validate the seal against the plant's own authority, as a reader with that file would."""
    roots = [load_cert_from_pemder(str(keys / "seal-001" / "authority.pem"))]
    context = ValidationContext(trust_roots=roots, allow_fetching=False)
    try:
        [signature] = PdfFileReader(BytesIO(body)).embedded_signatures
        status = validate_pdf_signature(signature, context)
    except (PdfError, SignatureValidationError, ValueError):
        return False
    return bool(status.bottom_line)


@pytest.mark.requirement("I7")
def test_seal_holds_and_one_flipped_byte_breaks_it(record: BatchRecord, tmp_path: Path) -> None:
    sealed = Seal(tmp_path / "keys", "test").put(pdf(record, COPY), "Batch record")
    assert seal_holds(sealed, tmp_path / "keys")
    for part in (0.2, 0.5, 0.8):
        at = int(len(sealed) * part)
        flipped = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert not seal_holds(flipped, tmp_path / "keys")


def test_seal_of_another_plant_does_not_hold(record: BatchRecord, tmp_path: Path) -> None:
    sealed = Seal(tmp_path / "one", "one").put(pdf(record, COPY), "Batch record")
    Seal(tmp_path / "other", "other").put(pdf(record, COPY), "Batch record")
    assert not seal_holds(sealed, tmp_path / "other")


def test_keys_are_for_their_owner_and_are_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: seal_files(tmp_path / "keys", "test"), range(8)))
    assert len(made) == 1, "who makes the first seal at once uses the same"
    [folder] = (tmp_path / "keys").iterdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert made == {seal_files(tmp_path / "keys", "test")}
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_expired_signer_is_made_anew_under_an_authority_that_lasts(tmp_path: Path) -> None:
    first = seal_files(tmp_path, "test", now=lambda: AT)
    last_day = AT + SIGNER_FOR - timedelta(seconds=1)
    assert seal_files(tmp_path, "test", now=lambda: last_day) == first
    second = seal_files(tmp_path, "test", now=lambda: AT + SIGNER_FOR)
    assert second.certificate.read_bytes() != first.certificate.read_bytes()
    assert second.authority.read_bytes() == first.authority.read_bytes()
    far = AT + AUTHORITY_FOR - SIGNER_FOR
    third = seal_files(tmp_path, "test", now=lambda: far)
    assert third.authority.read_bytes() != second.authority.read_bytes()


# -- routes --------------------------------------------------------------------------------------


@pytest.mark.requirement("I7")
def test_each_print_is_numbered_and_stands_in_the_ledger(
    plant: LivingPlant, batch: str, quinn: httpx.Client
) -> None:
    before = plant.execution.nouns.get(Prints, batch)
    done = len(before.copies) if before else 0
    for number in (done + 1, done + 2):
        answer = quinn.get(f"/review/batch/{batch}/record.pdf")
        assert answer.status_code == 200, answer.text
        assert f"copy-{number}.pdf" in answer.headers["content-disposition"]
        assert f"Copy{number}" in text_of(answer.content)
        assert plant.services.keys is not None
        assert seal_holds(answer.content, plant.services.keys)
        assert plant.types()[-1] == "record.printed"
    prints = plant.execution.nouns.get(Prints, batch)
    assert prints is not None
    assert [one.copy for one in prints.copies][-2:] == [done + 1, done + 2]
    assert prints.copies[-1].content_sha256 in text_of(answer.content)


def test_json_of_the_route_is_the_record(
    plant: LivingPlant, batch: str, quinn: httpx.Client
) -> None:
    answer = quinn.get(f"/review/batch/{batch}/record.json")
    assert answer.content == record_json(read_record(plant.execution.ledger, batch))
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("form", ["pdf", "json"])
def test_record_is_for_qa(plant: LivingPlant, batch: str, form: str) -> None:
    path = f"/review/batch/{batch}/record.{form}"
    size = plant.execution.ledger.size()
    assert httpx.get(plant.url + path).status_code == 401
    assert plant.execution.ledger.size() == size
    for person in ("olga", "dora", "ada"):
        with signed_in(plant, person) as client:
            assert client.get(path).status_code == 403
    assert "record.printed" not in plant.types()[size:]


@pytest.mark.parametrize("form", ["pdf", "json"])
def test_unknown_batch_has_no_record(quinn: httpx.Client, form: str) -> None:
    answer = quinn.get(f"/review/batch/B26-9999/record.{form}")
    assert answer.status_code == 404
    assert "B26-9999" in answer.text


# -- the bundle ----------------------------------------------------------------------------------


@pytest.mark.requirement("H8")
def test_bundle_carries_the_record_and_breaks_when_a_page_is_exchanged(
    plant: LivingPlant, batch: str, tmp_path: Path
) -> None:
    ledger, keys = plant.execution.ledger, tmp_path / "keys"
    keys.mkdir()
    (keys / "log.vkey").write_text(plant.execution.verifier.text + "\n")
    out = tmp_path / "bundle"
    files = record_files(ledger, batch, keys)
    export_streams(
        ledger,
        batch_streams(ledger, batch),
        out,
        vkey=plant.execution.verifier.text,
        files=files,
        key=LOG_KEY,
    )
    assert seal_holds((out / "record.pdf").read_bytes(), keys)
    shown = json.loads((out / "record.json").read_bytes())
    assert shown["header"]["batch"] == batch
    assert hashlib.sha256(files["record.json"]).hexdigest() in text_of(files["record.pdf"])
    assert "Copyofanexport,notnumbered" in text_of(files["record.pdf"])
    assert verified(out) == 0
    for name in ("record.pdf", "record.json"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert verified(out) == 1
        (out / name).write_bytes(whole)
    assert verified(out) == 0


def verified(bundle: Path) -> int:
    return subprocess.run(
        [sys.executable, "-I", str(bundle / "verify.py"), str(bundle)], check=False,
        capture_output=True,
    ).returncode  # fmt: skip


def test_time_of_a_long_record(record: BatchRecord, tmp_path: Path) -> None:
    """Measure, and print, how long about a hundred pages take; machines differ too much to rule."""
    longer = msgspec.structs.replace(record, steps=record.steps * 40)
    begun = time.perf_counter()
    made = pdf(longer, COPY)
    set_s = time.perf_counter() - begun
    seal = Seal(tmp_path, "test")
    seal.put(pdf(record, COPY), "makes the keys")
    begun = time.perf_counter()
    sealed = seal.put(made, "Batch record")
    seal_s = time.perf_counter() - begun
    pages = len(PdfReader(BytesIO(made)).pages)
    print(f"{pages} pages: set {set_s:.2f} s, seal {seal_s:.2f} s, {len(sealed)} bytes")
    assert pages > 50
