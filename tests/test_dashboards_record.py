"""The record as PDF and JSON: the same facts, sealed, numbered, and handed out to QA alone."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import msgspec
import pytest
from pypdf import PdfReader

from core.batch.bundle import batch_streams
from core.batch_record.model import BatchRecord, PrintLogged, record_json
from core.batch_record.read import read_record
from core.certificate import (
    AUTHORITY_FOR,
    RENEWED_BEFORE,
    SIGNER_FOR,
    ends,
    seal_files,
    seal_terms,
)
from core.ledger.export import export_streams
from core.record_print import Prints
from dashboards.record.bundle import record_files
from dashboards.record.signs import visible
from dashboards.record.typeset import Copy, pdf
from tests.plant import LOG_KEY, LivingPlant, running_plant
from tests.records import holding, squeezed, text_of
from tests.rest_client import rest_as
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
    with rest_as(plant, "quinn") as client:
        yield client.http


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
    assert squeezed(visible(text)) in text_of(made)


def test_a_sign_that_no_font_has_is_named_alone_and_stops_nothing(record: BatchRecord) -> None:
    [exception] = record.exceptions
    changed = msgspec.structs.replace(exception, says="Private \U000f0000 sign, größer ≥ 3 Ω.")
    made = text_of(pdf(msgspec.structs.replace(record, exceptions=(changed,)), COPY))
    assert squeezed("Private U+F0000 sign, größer ≥ 3 Ω.") in made


@pytest.mark.requirement("I7")
def test_no_word_and_no_text_is_cut_however_long_it_is(record: BatchRecord) -> None:
    """Names as long as they may be, without a place to break, and reasons of 2,000 signs."""
    word, text = "W" * 64, " ".join(["weighed"] * 250)
    change = msgspec.structs.replace
    [deviation], step = record.deviations, next(one for one in record.steps if one.weighings)
    weighing = change(
        step.weighings[0], lot=word, container=word, scale=word, certificate=word, raw=word,
        name=word, by=word,
    )  # fmt: skip
    lot = change(
        record.materials[0], material=word, lot=word, supplier=word, containers=(word,) * 9
    )
    said = change(deviation, deviation=word, says=text, why=text, assessment=text, lots=(word,) * 9)
    copy = PrintLogged(copy=1, size=1, content_sha256="ab" * 32, why=text, printed=deviation.raised)
    changed = change(
        record, header=change(record.header, product_name=word * 3, recipe=word),
        materials=(lot,), steps=(change(step, title=word * 3, weighings=(weighing,)),),
        deviations=(said,), prints=(copy,), signatures=(), risks=(), attempts=(), gates=(),
        rules=(),
        completeness=(), exceptions=(),
    )  # fmt: skip
    pages = PdfReader(BytesIO(pdf(changed, Copy(number=1, by=f"{word} ({word})", at=AT)))).pages
    lowest = 1e9

    def seen(text: str, page: list[float], line: list[float], *_: object) -> None:
        nonlocal lowest
        if text.strip():
            lowest = min(lowest, page[1] * line[4] + page[3] * line[5] + page[5])

    shown = "\n".join(page.extract_text(visitor_text=seen) for page in pages)
    assert 30 < max(len(one) for one in re.findall("W+", shown)) < 70, "as wide as the page"
    assert lowest > 5, "points from the foot of the page"
    assert shown.count("weighed") == 4 * 250
    assert "\u200b" not in shown, "who copies a word or a hash gets it as it is"


def test_it_asks_for_archival_pdf(record: BatchRecord) -> None:
    made = pdf(record, COPY)
    metadata = PdfReader(BytesIO(made)).xmp_metadata
    assert metadata is not None
    assert b"<pdfaid:part>3</pdfaid:part>" in made
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in made


# -- certificates --------------------------------------------------------------------------------


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


def test_signer_is_made_anew_a_year_before_it_ends_under_an_authority_that_lasts(
    tmp_path: Path,
) -> None:
    first = seal_files(tmp_path, "test", now=lambda: AT)
    renewal = AT + SIGNER_FOR - RENEWED_BEFORE
    last_day = renewal - timedelta(seconds=1)
    assert seal_files(tmp_path, "test", now=lambda: last_day) == first
    second = seal_files(tmp_path, "test", now=lambda: renewal)
    assert second.certificate.read_bytes() != first.certificate.read_bytes()
    assert second.authority.read_bytes() == first.authority.read_bytes()
    far = AT + AUTHORITY_FOR - SIGNER_FOR
    third = seal_files(tmp_path, "test", now=lambda: far)
    assert third.authority.read_bytes() != second.authority.read_bytes()


def test_it_is_known_years_before_when_readers_need_another_authority(tmp_path: Path) -> None:
    assert seal_terms(tmp_path) is None
    first, at = seal_files(tmp_path, "test", now=lambda: AT), AT
    terms = seal_terms(tmp_path)
    assert terms is not None
    assert (terms.made_at, terms.former) == (AT, 0)
    while (at := at + RENEWED_BEFORE) < terms.followed_at:
        made = seal_files(tmp_path, "test", now=lambda at=at: at)
        assert made.authority.read_bytes() == first.authority.read_bytes()
        assert ends(made.certificate) - at > RENEWED_BEFORE
    made = seal_files(tmp_path, "test", now=lambda: terms.followed_at)
    assert made.authority.read_bytes() != first.authority.read_bytes()
    assert terms.authority_ends - terms.followed_at > timedelta(days=360), "both are trusted"
    after = seal_terms(tmp_path)
    assert after is not None
    assert (after.made_at, after.former) == (terms.followed_at, 1)


# -- routes --------------------------------------------------------------------------------------


@pytest.mark.requirement("I7")
def test_each_print_is_numbered_and_stands_in_the_ledger(
    plant: LivingPlant, batch: str, quinn: httpx.Client
) -> None:
    before = plant.execution.nouns.get(Prints, batch)
    done = len(before.copies) if before else 0
    for number in (done + 1, done + 2):
        path = f"/review/batch/{batch}/record.pdf"
        if number > 1:
            refused = quinn.post(path)
            assert (refused.status_code, f"copy {number}" in refused.text) == (409, True)
        assert quinn.get(path).status_code == 405, "to look is not to print"
        answer = quinn.post(path, data={"why": f"For shelf {number}."})
        assert answer.status_code == 200, answer.text
        assert f"copy-{number}.pdf" in answer.headers["content-disposition"]
        assert f"Copy{number}" in text_of(answer.content)
        assert plant.services.keys is not None
        assert holding(answer.content, plant.services.keys) == {"plant": True}
        assert plant.types()[-2:] == ["record.printed", "record.sealed"]
    prints = plant.execution.nouns.get(Prints, batch)
    assert prints is not None
    assert [one.copy for one in prints.copies][-2:] == [done + 1, done + 2]
    assert prints.copies[-1].content_sha256 in text_of(answer.content)
    assert prints.copies[-1].why == f"For shelf {number}."
    assert f"Reasonforthiscopy:Forshelf{number}." in text_of(answer.content)


@pytest.mark.requirement("I7", "H8")
def test_nobody_says_over_rest_that_a_copy_was_printed(
    plant: LivingPlant, batch: str, quinn: httpx.Client
) -> None:
    """The print log would name a paper that is not there, or a hash that no paper shows."""
    size = plant.execution.ledger.size()
    body = {"batch": batch, "size": 1, "root": "ab" * 32, "content_sha256": "cd" * 32, "why": "x"}
    answer = quinn.post(
        "/api/v1/commands/batch.print-record", json=body,
        headers={"idempotency-key": "test:print:1"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["rule"]) == (403, "NumberWithoutPaper")
    assert "/review/batch/<batch>/record.pdf" in answer.json()["detail"]
    assert "record.printed" not in plant.types()[size:]


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
    how = {"pdf": "POST", "json": "GET"}[form]
    assert httpx.request(how, plant.url + path).status_code == 401
    assert plant.execution.ledger.size() == size
    for person in ("olga", "dora", "ada"):
        with rest_as(plant, person) as client:
            assert client.http.request(how, path).status_code == 403
    assert "record.printed" not in plant.types()[size:]


@pytest.mark.parametrize("form", ["pdf", "json"])
def test_unknown_batch_has_no_record(quinn: httpx.Client, form: str) -> None:
    how = {"pdf": "POST", "json": "GET"}[form]
    answer = quinn.request(how, f"/review/batch/B26-9999/record.{form}")
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
    assert holding((out / "record.pdf").read_bytes(), keys) == {"plant": True}
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
