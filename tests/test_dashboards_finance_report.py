"""A signed period as paper and workbook: the same figures, numbers as numbers, texts as texts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from pypdf import PdfReader

from core.batch.state import Signed
from core.catalogue import COMMANDS
from core.difference import ReasonCode
from core.reconciliation import ClassFigure, ExplainedRow, Figures, Revision
from dashboards.components.sheet import LONGEST_VALUE, MOST_FIELDS, _values
from dashboards.finance.acts import ABOUT_ROWS, RowActs
from dashboards.finance.kept_rows import KeptRows, Record, RowsMissing
from dashboards.finance.paper import pdf, sealed
from dashboards.finance.periods import SIGN, changes
from dashboards.finance.report import CODES, Report, Signing, report, text_of
from dashboards.finance.report import ROWS as ROW_HEAD
from dashboards.finance.workbook import number_of, workbook
from dashboards.openapi import FROM_SERVER, document, operations
from dashboards.record.typeset import local
from tests.records import holding, squeezed
from tests.records import text_of as text_of_pdf
from tests.verapdf import judged

AT = datetime(2026, 11, 26, 13, 5, 7, tzinfo=UTC)
EVIL = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "http://evil.example/x")
ZONE = ZoneInfo("Europe/Berlin")


def row(key: str, match_class: str = "matched", **changes: Any) -> Record:
    booked = {
        "document": "4900000001/2026/1", "erp_order": "1001", "item": "PVP", "lot": "PV-3302",
        "quantity": "1.8", "unit": "KGM", "posting_date": "2026-11-25", "period": "2026-11",
        "gl_document": "1", "gl_period": "2026-11",
    }  # fmt: skip
    return {
        "key": key, "class": match_class, "what": "Material consumed",
        "posting_date": "2026-11-25", "order": "1001", "erp_order": "1001", "batch": "B26-0001",
        "item": "PVP", "lot": "PV-3302", "movement": "issue", "unit": "KGM", "floor": "1.8",
        "sent": "1.8", "booked": [booked], "differs": [], "entry": 12, "message": key,
        "state": "done",
    } | changes  # fmt: skip


ROWS = [
    row("evt_1"),
    row("evt_2", "qty_mismatch", item=EVIL[0], lot=EVIL[1], sent="0.1234567890123456"),
    row("line 7", "missing_in_mes", floor=None, sent=None, entry=None, message=None),
]


def spelled_out(rows: list[Record]) -> list[bytes]:
    return [json.dumps(one, sort_keys=True).encode() for one in rows]


def figures() -> Figures:
    return Figures(
        total=3,
        counts={"matched": 1, "in_flight": 0, "qty_mismatch": 1, "missing_in_mes": 1},
        sums=(
            ClassFigure(match_class="matched", unit="KGM", rows=1, floor=Decimal("1.8"),
                        sent=Decimal("1.8"), booked=Decimal("1.8")),
            ClassFigure(match_class="qty_mismatch", unit="KGM", rows=1, floor=Decimal("2.4"),
                        sent=Decimal("2.4"), booked=Decimal("2.04")),
            ClassFigure(match_class="missing_in_mes", unit="KGM", rows=1, floor=Decimal(0),
                        sent=Decimal(0), booked=Decimal(3)),
        ),
        tolerance="0 in quantity",
        upto_seq=412,
        checkpoint_size=412,
        checkpoint_root="5c" * 32,
        books_at=AT,
        rows_sha256="9b" * 32,
    )  # fmt: skip


def explained(key: str, note: str) -> ExplainedRow:
    return ExplainedRow(
        difference=key, match_class="qty_mismatch", owner="finn",
        code=ReasonCode.POSTED_BY_HAND, note=note,
    )  # fmt: skip


def made(*notes: str) -> Report:
    signature = Signed(
        name="Finn Fuchs", person="finn", meaning="I reconciled this period", at=AT,
        zone=str(ZONE), step=None, words="Reconciliation of 2026-11-25.", seq=413, ver=0,
    )  # fmt: skip
    keys = ("evt_2", "line 7", *(f"evt_{n}" for n in range(3, len(notes) + 1)))
    revision = Revision(
        revision=2, first=date(2026, 11, 25), last=date(2026, 11, 25), figures=figures(),
        differences=tuple(map(explained, keys, notes)), reasons=(), why="Three were in flight.",
        signature=signature, signed_by="finn", signed_at=AT, seq=414,
    )  # fmt: skip
    signing = Signing(
        person="finn", name="Finn Fuchs", meaning=signature.meaning, at=AT, zone=str(ZONE),
        words=signature.words, ver=0, entry=413, manifest_sha256="7d" * 32,
        components=("badge", "secret"),
    )  # fmt: skip
    return report(
        "2026-11-25", revision, plant="Test plant", signing=signing,
        name=lambda one: f"{one.capitalize()} Fuchs", rows=ROWS,
    )  # fmt: skip


IT = made("A clerk changed it.", "Nobody weighed it.")


def cells(body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield every cell of a workbook with the name of its sheet."""
    for sheet in load_workbook(BytesIO(body)).worksheets:
        for line in sheet.iter_rows():
            for one in line:
                if one.value is not None:
                    yield sheet.title, one


def as_written(value: object) -> str:
    """Return a cell's value as paper writes it."""
    match value:
        case datetime() if value.time() == datetime.min.time():
            return value.date().isoformat()
        case datetime():
            return local(value.replace(tzinfo=ZONE), ZONE)
        case float():
            return str(Decimal(repr(value)))
        case _:
            return str(value)


@pytest.mark.requirement("L1", "L2", "L8")
def test_paper_and_workbook_say_the_same_figures_digest_signature_and_checkpoint() -> None:
    paper, book = text_of_pdf(pdf(IT)), workbook(IT, ROWS)
    parts = {part.title for part in IT.parts}
    seen = 0
    for sheet, one in cells(book):
        if sheet in parts:
            assert squeezed(as_written(one.value)) in paper, (sheet, one.coordinate)
            seen += 1
    on_paper = [
        value for part in IT.parts for values in (*part.facts, *part.rows) for value in values
    ]
    assert seen == sum(len(part.head) for part in IT.parts) + sum(
        value is not None for value in on_paper
    )
    told = {as_written(one.value) for _, one in cells(book)}
    for value in on_paper:
        written = text_of(value, lambda at: local(at, ZONE))
        assert value is None or written in told or number_of(Decimal(written)) is not None
    for proof in ("9b" * 32, "7d" * 32, "5c" * 32, "412", "Finn Fuchs (finn)"):
        assert squeezed(proof) in paper
        assert proof in told


def test_every_page_names_period_revision_digest_checkpoint_and_its_place() -> None:
    pages = PdfReader(BytesIO(pdf(made(*(f"Note {n}." for n in range(60)))))).pages
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        text = " ".join(page.extract_text().split())
        assert "Reconciliation of 2026-11-25" in text
        assert "Revision 2" in text
        assert squeezed("9b" * 32) in squeezed(text)
        assert f"412 entries, root {'5c' * 8}" in text
        assert f"Page {number} of {len(pages)}" in text


def test_the_same_sign_off_gives_the_same_paper_sealed_by_signer_and_plant(tmp_path: Path) -> None:
    assert pdf(IT) == pdf(IT)
    body, path = sealed(IT, tmp_path), tmp_path / "period.pdf"
    assert holding(body, tmp_path) == {"finance": True, "plant": True}
    path.write_bytes(body)
    (found,) = judged(path)
    assert (found["compliant"], found["broken"]) == (True, [])  # PDF/A-3b, says veraPDF


def test_numbers_are_numbers_and_instants_are_in_the_plants_zone() -> None:
    book = load_workbook(BytesIO(workbook(IT, ROWS)))
    sums = list(book["Sums by class"].iter_rows(values_only=True))
    assert sums[1] == ("Matched", "kg", 1, 1.8, 1.8, 1.8, 0)
    assert sums[2][:6] == ("Quantity differs", "kg", 1, 2.4, 2.4, 2.04)
    assert Decimal(repr(sums[2][6])) == Decimal("0.36")
    counts = dict(book["Rows by class"].iter_rows(values_only=True))
    assert counts["Total"] == sum(n for name, n in counts.items() if name not in ("Class", "Total"))
    facts = dict(book["Period"].iter_rows(values_only=True))
    assert facts["Signed at"].isoformat() == "2026-11-26T14:05:07"
    assert (facts["First day"].date(), facts["Revision"]) == (date(2026, 11, 25), 2)
    assert len(list(book["Rows"].iter_rows())) == 1 + len(ROWS)


@pytest.mark.requirement("L1")
def test_no_text_becomes_a_formula_or_a_link_and_no_number_is_rounded() -> None:
    it = made(*EVIL)
    body = workbook(it, ROWS)
    found = list(cells(body))
    assert {one.data_type for _, one in found} <= {"s", "n", "d"}
    assert not any(one.hyperlink for _, one in found)
    texts = {one.value for _, one in found if one.data_type == "s"}
    assert set(EVIL) - {"\t=1"} <= texts
    assert "0.1234567890123456" in texts  # a spreadsheet's number would say something else
    paper = text_of_pdf(pdf(it))
    assert squeezed(EVIL[1]) in paper


AMOUNTS = st.decimals(
    allow_nan=False, allow_infinity=False, places=9, min_value=-(10**12), max_value=10**12
)


@settings(max_examples=20)
@given(st.lists(AMOUNTS, min_size=1, max_size=30))
def test_every_amount_is_read_back_from_the_workbook_as_it_is(amounts: list[Decimal]) -> None:
    rows = [row(f"evt_{n}", floor=f"{value:f}") for n, value in enumerate(amounts)]
    sheet = load_workbook(BytesIO(workbook(IT, rows)))["Rows"]
    column = ROW_HEAD.index("Floor did")
    for value, line in zip(amounts, sheet.iter_rows(min_row=2), strict=True):
        is_number = len(value.normalize().as_tuple().digits) <= 15
        found = line[column]
        assert found.data_type == ("n" if is_number else "s")
        read = Decimal(repr(found.value)) if is_number else Decimal(str(found.value))
        assert read == value


def test_every_reason_has_its_words() -> None:
    assert set(CODES) == set(ReasonCode)


@pytest.mark.requirement("H3")
def test_rows_are_kept_under_their_digest_and_read_back_only_as_they_were(tmp_path: Path) -> None:
    kept = KeptRows(tmp_path / "reconciliations")
    lines = spelled_out(ROWS)
    digest = kept.keep(lines)
    assert [json.loads(line) for line in kept.body(digest).splitlines()] == ROWS
    assert kept.keep(iter(lines)) == digest
    assert [one.name for one in (tmp_path / "reconciliations").iterdir()] == [f"{digest}.jsonl"]
    assert kept.keep(lines[:2]) != digest
    path = tmp_path / "reconciliations" / f"{digest}.jsonl"
    path.write_bytes(path.read_bytes().replace(b"1.8", b"1.9"))
    with pytest.raises(RowsMissing) as refused:
        kept.body(digest)
    assert str(refused.value) == (
        f"Rows {digest[:16]}…: are not what was signed. The figures stand in the ledger; put the"
        " file back from a backup of DATA/reconciliations."
    )
    with pytest.raises(RowsMissing, match="cannot be read"):
        kept.body("f" * 64)


def test_rows_that_were_never_signed_are_forgotten_after_their_time(tmp_path: Path) -> None:
    kept = KeptRows(tmp_path)
    signed, old, fresh = (kept.keep(spelled_out(ROWS[:n])) for n in (1, 2, 3))
    for digest in (signed, old):
        os.utime(tmp_path / f"{digest}.jsonl", (1, 1))
    kept.forget({signed}, before=time.time() - 60)
    assert {one.stem for one in tmp_path.iterdir()} == {signed, fresh}


def test_change_is_a_row_that_is_not_as_it_was_signed_or_gone_or_new() -> None:
    before = spelled_out(ROWS)
    assert changes(before, before) == ()
    other = row("evt_2", "matched")
    now = spelled_out([ROWS[0], other, row("evt_9")])
    found = {one.key: one for one in changes(before, now)}
    assert set(found) == {"evt_2", "evt_9", "line 7"}
    assert (found["evt_2"].was, found["evt_2"].now) == (ROWS[1], other)
    assert (found["evt_9"].was, found["line 7"].now) == (None, None)
    # who clears a difference is no part of what it says, and older files do not say it
    owned = row("evt_2", "qty_mismatch", cleared={"owner": "finn"})
    other_owner = row("evt_2", "qty_mismatch", cleared={"owner": "sana"})
    assert changes(spelled_out([owned]), spelled_out([other_owner])) == ()
    assert changes(spelled_out([row("evt_2", "qty_mismatch")]), spelled_out([owned])) == ()


def test_interface_describes_no_field_that_the_server_adds_itself() -> None:
    described = document(COMMANDS, "test")["components"]["schemas"]
    told = {name: fields for name, _, fields in operations(COMMANDS)}
    for kind in (ABOUT_ROWS, (SIGN,)):
        for name in kind:
            schema = described[COMMANDS[name].__name__]
            added = FROM_SERVER & set(COMMANDS[name].__struct_fields__)
            assert added
            assert not added & set(schema["properties"])
            assert not added & set(schema["required"])
            assert not added & set(told[name].replace("?", "").split(", "))


def posted(*documents: str, match_class: str = "duplicate", fact: bool = True) -> Any:
    """Return what `surplus` looks at of a row: its class, its documents, what the receipt names."""
    message = SimpleNamespace(documents="4900000002") if fact else None
    return SimpleNamespace(
        match_class=match_class,
        postings=[SimpleNamespace(document=f"{one}/2026/1") for one in documents],
        fact=object() if fact else None,
        message=message,
    )


@pytest.mark.requirement("L8")
def test_document_that_the_receipt_names_stays_and_every_other_one_is_too_many() -> None:
    acts = RowActs(None, None)  # type: ignore[arg-type] - neither is asked
    three = posted("4900000001", "4900000002", "4900000003")
    assert acts.surplus(three) == ("4900000001/2026", "4900000003/2026")
    unknown = posted("4900000007", "4900000008")
    assert acts.surplus(unknown) == ("4900000008/2026",)  # the first stays
    by_hand = posted("4900000009", match_class="missing_in_mes", fact=False)
    assert acts.surplus(by_hand) == ("4900000009/2026",)
    assert acts.surplus(posted("4900000002", match_class="matched")) == ()
    assert acts.surplus(posted("4900000002", "4900000003", match_class="qty_mismatch")) == ()


def test_form_gives_texts_alone_and_only_so_much_of_them() -> None:
    assert _values({"why": "Unlocked.", "n": 3, 4: "x"}) == {"why": "Unlocked."}
    assert _values(["why"]) == {}
    assert len(_values({"why": "x" * 9000})["why"]) == LONGEST_VALUE
    assert len(_values({f"f{n}": "x" for n in range(100)})) == MOST_FIELDS
