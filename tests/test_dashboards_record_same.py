"""Page, paper and JSON of one batch hold the same facts, in the same words and order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from core.batch.bundle import batch_streams
from core.batch.correct import CorrectValue
from core.batch.reopen import AddComment, AmendValue, ReleaseAmendment, ReopenBatch
from core.batch_record.model import BatchRecord, facts_of, record_json
from core.batch_record.read import read_record
from core.capa import LinkCapa, ReportCapa
from core.errors import WrongState
from core.execution import Actor
from core.ledger.export import export_streams
from core.record_print import Prints, SealRecord
from dashboards.record.bundle import record_files
from dashboards.record.closing import ARCHIVE, OtherForm, close_revisions, closed_json
from dashboards.record.draw import drawn
from dashboards.record.layout import layout
from dashboards.record.routes import print_copy
from dashboards.record.signs import visible
from dashboards.record.typeset import Copy, local, pdf
from dashboards.review import full_record
from dashboards.review.full_record import records_of
from tests.floor import KEY, Floor
from tests.hands import AT
from tests.records import leaves, squeezed, text_of, text_of_page, without_exact_values
from tests.test_core_batch_record import deviated, record_of
from tests.test_core_bundle import listed
from tests.verifier import stand_alone

COPY = Copy(number=1, by="Quinn", at=AT)
ZONE = ZoneInfo("Europe/Berlin")
UNTIL = datetime(2028, 11, 23, 8, tzinfo=UTC)


def page_of(record: BatchRecord) -> str:
    return str(drawn(layout(record, lambda at: local(at, ZONE))))


def facts(record: BatchRecord) -> list[str]:
    return list(leaves(without_exact_values(facts_of(record, lambda at: local(at, ZONE)))))


def check_same(record: BatchRecord) -> None:
    """Every fact of the JSON stands on page and paper; the words of both are the same."""
    assert json.loads(record_json(record)) == facts_of(record)
    paper, page = text_of(pdf(record, COPY)), text_of_page(page_of(record))
    for fact in facts(record):
        words = squeezed(visible(fact))
        assert words in paper, f"paper lacks {fact!r}"
        assert words in page, f"page lacks {fact!r}"
    at = 0
    for text in texts(layout(record, lambda at: local(at, ZONE))):
        assert squeezed(visible(text)) in paper, text
        at = page.index(squeezed(text), at)


def texts(value: Any) -> Iterator[str]:
    """Yield the words of a layout in their order, as a reader meets them."""
    for section in value:
        yield section.title
        for block in section.blocks:
            yield from block_texts(block)


def block_texts(block: Any) -> Iterator[str]:
    match type(block).__name__:
        case "Told":
            for label, cell in block.rows:
                yield label
                yield from (line.text for line in cell)
        case "Table":
            yield from block.head
            yield from (line.text for row in block.rows for cell in row for line in cell)
        case "Note":
            yield block.text
        case "Card":
            yield block.title
            yield block.word
            for one in block.blocks:
                yield from block_texts(one)


@pytest.mark.requirement("I1", "H2", "I7")
def test_three_renderings_of_a_released_batch_hold_the_same(floor: Floor) -> None:
    record = record_of(floor, deviated(floor))
    assert {one.seals for one in record.signatures} >= {"reviewer", "releaser"}
    check_same(record)


@pytest.mark.requirement("I1")
def test_three_renderings_hold_the_same_while_the_batch_runs(floor: Floor) -> None:
    batch = floor.dispatched()
    check_same(record_of(floor, batch))
    floor.upto(batch, "4")
    record = record_of(floor, batch)
    lights = [step.light for step in record.steps]
    assert lights[0] == "green"
    assert lights[-1] == "none"
    check_same(record)


@pytest.mark.requirement("C4", "I7")
def test_correction_is_struck_through_everywhere_and_names_the_change(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), None)
    run = next(one for one in floor.batch(batch).steps if "quantity" in one.values)
    old = run.values["quantity"]
    new = old - Decimal("0.1")
    fix = CorrectValue(batch=batch, step=run.step, values={"quantity": new}, why="Read a 2 as 3.")
    floor.act(fix, "sana")
    record = record_of(floor, batch)
    [step] = [one for one in record.steps if one.corrections]
    assert record.header.changed == (f"step {run.step}: quantity corrected",)
    assert step.light == "yellow"
    check_same(record)
    [correction] = step.corrections
    assert (correction.old.value, correction.new.value, correction.why) == (old, new, fix.why)
    assert correction.corrected.by == "sana"
    assert f'<del class="old">{correction.old.text}</del>' in page_of(record)


@pytest.mark.requirement("I4", "C4")
def test_closed_revision_stays_byte_for_byte_after_an_amendment(floor: Floor) -> None:
    batch = deviated(floor)
    ledger = floor.execution.ledger
    assert close_revisions(floor.execution, batch) == 1
    assert close_revisions(floor.execution, batch) == 0
    first = closed_json(ledger, batch, 1)
    closing = floor.get(Prints, batch).closings[0]
    assert json.loads(first)["header"]["state"] == "released"
    assert record_of(floor, batch).revisions[0].content_sha256 == closing.content_sha256
    amend(floor, batch)
    assert close_revisions(floor.execution, batch) == 1
    assert closed_json(ledger, batch, 1) == first
    second = json.loads(closed_json(ledger, batch, 2))
    assert second["amendments"][0]["comments"][0]["text"] == "Seen."
    assert json.loads(first)["amendments"] == []
    check_same(record_of(floor, batch))
    assert [one.actor for one in ledger.stream(f"record/{batch}")] == [ARCHIVE.person] * 2


@pytest.mark.requirement("I4", "C4")
def test_value_that_an_amendment_changed_is_struck_where_it_was_recorded(floor: Floor) -> None:
    batch = deviated(floor)
    ledger = floor.execution.ledger
    close_revisions(floor.execution, batch)
    assert "Closed.</strong>" in full_record.record(ledger, batch, ZONE)
    [made] = record_of(floor, batch).yields
    old = made.actual.text
    reopen(floor, batch)
    amendment = f"{batch}.1"
    change = AmendValue(
        amendment=amendment, step=made.step, values={"quantity": Decimal("59.1")}, why="Misread.",
    )  # fmt: skip
    floor.act(change, "quinn", station="office")
    record = record_of(floor, batch)
    check_same(record)
    new = record.amendments[0].corrections[0].new.text
    page = page_of(record)
    assert (
        f'<del class="old">{old}</del><br><b>{new}</b><br>'
        f'<span class="muted">by amendment {amendment}, open</span>'
    ) in page
    assert f"Amendment {amendment}, open: quantity at step {made.step} is {new}, was {old}." in page
    assert page.count("as first recorded") == 1
    above = full_record.record(ledger, batch, ZONE)
    assert "Closed, then reopened." in above
    assert f"has amendment {amendment} in it, which is open." in above


@pytest.mark.requirement("G4", "I1")
def test_action_of_the_quality_system_stands_beside_its_deviation_everywhere(floor: Floor) -> None:
    batch = deviated(floor)
    [name] = floor.batch(batch).deviations
    ledger, where = floor.execution.ledger, "https://qms.example/CA-77"
    before = records_of(ledger).get(ledger, batch, ZONE)
    link = LinkCapa(deviation=name, capa="CA-77", address=where, why="The scale drifts again.")
    floor.act(link, "quinn", station="office")
    floor.act(ReportCapa(deviation=name, capa="CA-77", status="in_work"), "quinn", station="office")
    record = record_of(floor, batch)
    [capa] = record.deviations[0].capas
    assert (capa.capa, capa.address, capa.status) == ("CA-77", where, "in_work")
    assert capa.linked.by == "quinn"
    check_same(record)
    assert "CA-77, in work" in records_of(ledger).get(ledger, batch, ZONE).html
    assert "CA-77" not in before.html
    assert f"capa-link/{name}" in batch_streams(ledger, batch)


@pytest.mark.requirement("I7")
def test_print_log_says_until_when_each_copy_can_be_checked_and_by_whose_stamp(
    floor: Floor,
) -> None:
    batch = deviated(floor)
    seal(floor, batch, refused="not printed")
    for number in (1, 2, 3):
        print_copy(floor.execution, record_of(floor, batch), Actor("quinn", "office"), why="Shelf.")
        if number < 3:
            seal(floor, batch, copy=number, stamped_by="tsa.example" if number == 2 else "")
    seal(floor, batch, refused="sealed already")
    record = record_of(floor, batch)
    first, second, third = (one.sealed for one in record.prints)
    assert first is not None
    assert second is not None
    assert third is None, "its file was never handed out"
    assert (first.stamped_by, first.why) == ("", "no time-stamp authority is named")
    assert (second.stamped_by, second.why) == ("tsa.example", "")
    assert (first.file_sha256, first.until) == ("ab" * 32, UNTIL)
    check_same(record)
    page = page_of(record)
    assert "can be checked until 2028-11-23 09:00:00 +01:00, time-stamped by tsa.example" in page
    assert "no time stamp: no time-stamp authority is named" in page
    assert "not recorded" in page


def seal(
    floor: Floor, batch: str, *, copy: int = 1, stamped_by: str = "", refused: str = ""
) -> None:
    """Record the file of a copy, as the server does; `refused` is in the sentence that says no."""
    why = "" if stamped_by else "no time-stamp authority is named"
    command = SealRecord(
        batch=batch, copy=copy, file_sha256="ab" * 32, until=UNTIL, stamped_by=stamped_by, why=why
    )
    if refused:
        with pytest.raises(WrongState, match=refused):
            floor.act(command, ARCHIVE.person, station=None)
        return
    floor.act(command, ARCHIVE.person, station=None)


def reopen(floor: Floor, batch: str) -> None:
    head = floor.seen(f"batch/{batch}")
    floor.sign(
        ReopenBatch(batch=batch, why="A late finding.", seen=head), "quinn", station="office"
    )


def amend(floor: Floor, batch: str) -> None:
    reopen(floor, batch)
    name = f"{batch}.1"
    floor.act(AddComment(amendment=name, text="Seen."), "quinn", station="office")
    seen = floor.seen(f"amendment/{name}")
    floor.sign(ReleaseAmendment(amendment=name, seen=seen), "quinn", station="office")


@pytest.mark.requirement("I4")
def test_revision_of_another_form_is_never_passed_off_as_the_closed_one(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = deviated(floor)
    close_revisions(floor.execution, batch)
    monkeypatch.setattr("core.batch_record.build.FORM", "batch-record-9")
    with pytest.raises(OtherForm):
        closed_json(floor.execution.ledger, batch, 1)


@pytest.mark.requirement("I1")
def test_record_is_drawn_once_for_all_and_again_only_when_the_batch_changed(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "4")
    ledger = floor.execution.ledger
    records = records_of(ledger)
    before = records.made
    first = records.get(ledger, batch, ZONE)
    floor.check_scale(scale="B1-S1")  # an entry of another stream
    assert records.get(ledger, batch, ZONE) is first
    floor.do_step(batch)
    later = records.get(ledger, batch, ZONE)
    assert later.html != first.html
    assert records.made == before + 2
    assert later.html == drawn(layout(read_record(ledger, batch), lambda at: local(at, ZONE)))


def test_text_of_people_is_never_markup_on_the_page(floor: Floor) -> None:
    record = record_of(floor, deviated(floor))
    [exception] = record.exceptions
    changed = msgspec.structs.replace(exception, says="<script>alert(1)</script>")
    page = page_of(msgspec.structs.replace(record, exceptions=(changed,)))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


STRANGE = {
    "a\x00b": "a\\x00b",
    "5.0 \u202egk\u202c": "5.0 \\u202egk\\u202c",
    "x \u2067abc\u2069": "x \\u2067abc\\u2069",
    "a\u200bb": "a\\u200bb",
    "co\xadop": "co\\xadop",
    "a\U000e0041b": "a\\U000e0041b",
    "one\r\ntwo": "one\ntwo",
    "<b>x</b> & #set *bold* $x$ @ref `code` <!--": "<b>x</b> & #set *bold* $x$ @ref `code` <!--",
    "= Heading - 1. ~ --- 'q' ffi  //c": "= Heading - 1. ~ --- 'q' ffi  //c",
    "5 °C ± 3 µm ≥ ½ Ω →": "5 °C ± 3 µm ≥ ½ Ω →",
    "שלום": "שלום",
}  # fmt: skip


@pytest.mark.requirement("I7", "H8")
def test_strange_signs_in_the_words_of_people_show_the_same_on_page_and_paper(
    floor: Floor,
) -> None:
    """What would hide or turn other words is named on both; the JSON keeps what was given."""
    record = record_of(floor, deviated(floor))
    [exception] = record.exceptions
    says = " / ".join(STRANGE)
    changed = msgspec.structs.replace(
        record, exceptions=(msgspec.structs.replace(exception, says=says),)
    )
    assert json.loads(record_json(changed))["exceptions"][0]["says"] == says
    check_same(changed)
    paper, page = text_of(pdf(changed, COPY)), text_of_page(page_of(changed))
    for shown in STRANGE.values():
        assert squeezed(shown) in paper, ascii(shown)
        assert squeezed(shown) in page, ascii(shown)


@pytest.mark.requirement("H8", "I4")
def test_closed_revision_in_a_bundle_is_held_against_its_entry(
    floor: Floor, tmp_path: Path
) -> None:
    """Even a list of files that the plant's own key signed cannot change a closed record."""
    batch = deviated(floor)
    close_revisions(floor.execution, batch)
    ledger, out = floor.execution.ledger, tmp_path / "bundle"
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "log.vkey").write_text(KEY.vkey + "\n", "utf-8")
    files = record_files(ledger, batch, keys)
    streams = batch_streams(ledger, batch)
    export_streams(ledger, streams, out, vkey=KEY.vkey, files=files, key=KEY)
    assert stand_alone.verify(str(out), KEY.vkey, None).startswith("OK: ")
    assert (out / "record-1.json").read_bytes() == closed_json(ledger, batch, 1)
    closing = floor.get(Prints, batch).closings[0]
    shutil.copyfile(out / "record.json", out / "record-1.json")
    listed(out, KEY)
    with pytest.raises(stand_alone.Broken) as refusal:
        stand_alone.verify(str(out), KEY.vkey, None)
    said = f"record-1.json: is not the record that entry {closing.seq} closed"
    assert str(refusal.value) == said
