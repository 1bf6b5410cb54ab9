"""The audit trail: search, one entry with its proof, and the check of the whole ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from playwright.sync_api import expect

from core.clock import iso, now
from core.ledger.job import Decision, Draft, Job
from core.ledger.search import Wanted, search
from core.ledger.store import AnchorRow
from core.manifest import manifest_digest
from core.signature_check import SIGNED, signature_in
from dashboards import entry_changes, entry_words
from dashboards.audit import checks, entry
from dashboards.audit.page import instant, wanted_of
from tests.browser import Screen, grave_findings
from tests.plant import LivingPlant, running_plant

BERLIN = ZoneInfo("Europe/Berlin")
NASTY = "Test <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def plant(folder: Path) -> Iterator[LivingPlant]:
    with running_plant(folder) as running:
        batch = running.dispatched("B1")
        running.brought_to(batch, "40")
        yield running


def everything(plant: LivingPlant) -> list[Any]:
    return plant.execution.ledger.entries(0, 100_000)


# -- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(), lambda it: True),
        (Wanted(actor="olga"), lambda it: it.actor == "olga"),
        (Wanted(actor="olg"), lambda it: False),
        (Wanted(stream="batch/"), lambda it: it.stream.startswith("batch/")),
        (Wanted(stream="person/quinn"), lambda it: it.stream == "person/quinn"),
        (Wanted(stream="person/quin"), lambda it: False),
        (Wanted(type="weighing."), lambda it: it.type.startswith("weighing.")),
        (Wanted(type="weighing.tare-recorded"), lambda it: it.type == "weighing.tare-recorded"),
        (Wanted(type="weighing_"), lambda it: False),
        (Wanted(text="pv-3302"), lambda it: "PV-3302" in str(it) or "PV-3302" in it.stream),
        (Wanted(actor="olga", type="scan."), lambda it: it.type == "scan.accepted"),
    ],
    ids=lambda it: str(it) if isinstance(it, Wanted) else "",
)
def test_search_finds_what_a_plain_reading_finds(
    plant: LivingPlant, wanted: Wanted, fits: Callable[[Any], bool]
) -> None:
    found = search(plant.execution.ledger, wanted, limit=10_000)
    whole = [one.seq for one in everything(plant) if fits(one)]
    assert [one.seq for one in found.entries] == whole[::-1]
    assert (found.more, found.looked_back_to) == (False, 1)


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_follow_each_other_without_gap_or_repeat(plant: LivingPlant, limit: int) -> None:
    read, before = [], 0
    while True:
        page = search(plant.execution.ledger, Wanted(), before=before, limit=limit)
        assert len(page.entries) <= limit
        read += [one.seq for one in page.entries]
        if not page.more:
            break
        before = page.older
    size = plant.execution.ledger.size()
    assert read[-1] == 1
    assert read == list(range(read[0], 0, -1))
    assert read[0] <= size


def test_a_search_stops_at_its_bound_and_goes_on_there(plant: LivingPlant) -> None:
    nobody = Wanted(actor="nobody")
    first = search(plant.execution.ledger, nobody, looked_at=10)
    assert first.more
    assert first.entries == ()
    second = search(plant.execution.ledger, nobody, before=first.older, looked_at=10)
    assert second.looked_back_to == first.looked_back_to - 10


def test_start_is_closed_and_end_is_open(plant: LivingPlant) -> None:
    some = everything(plant)[20]
    exactly = search(plant.execution.ledger, Wanted(start=some.at), limit=10_000).entries
    assert some.seq in [one.seq for one in exactly]
    earlier = search(plant.execution.ledger, Wanted(end=some.at), limit=10_000).entries
    assert some.seq not in [one.seq for one in earlier]
    assert all(one.at < some.at for one in earlier)


@pytest.mark.parametrize(
    ("text", "is_end", "at"),
    [
        ("2026-07-01", False, "2026-06-30T22:00:00.000000Z"),
        ("2026-07-01", True, "2026-07-01T22:00:00.000000Z"),
        ("2026-01-05 06:30", False, "2026-01-05T05:30:00.000000Z"),
        ("2026-01-05T06:30", True, "2026-01-05T05:30:00.000000Z"),
        ("  ", False, ""),
    ],
)
def test_times_are_the_plants(text: str, is_end: bool, at: str) -> None:
    assert instant(text, BERLIN, is_end=is_end) == at


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "06:30", "2026-01-05 25:00"])
def test_time_that_cannot_be_read_is_said_and_left_out(text: str) -> None:
    wanted, fault = wanted_of({"start": text, "actor": " olga "}, BERLIN)
    assert wanted == Wanted(actor="olga")
    assert fault == (
        "Time: write it as 2026-11-23 or 2026-11-23 14:30, in Europe/Berlin. It was left out."
    )


# -- one entry -----------------------------------------------------------------------------------


def test_every_entry_has_words_and_a_proof_that_holds(plant: LivingPlant) -> None:
    for one in everything(plant):
        assert entry_words.summary(one).strip(), one.type
        opened = entry.open_entry(plant.execution, one.seq)
        assert opened is not None
        assert opened.holds, one.seq


def test_known_types_are_told_in_their_own_words(plant: LivingPlant) -> None:
    told = {one.type for one in everything(plant)} - set(entry_words.WORDS)
    assert told <= {
        "authority.adopted", "badge.given", "master-recipe.drafted", "master-recipe.submitted",
        "plant.authority-adopted",
    }  # fmt: skip


def test_an_unknown_or_old_form_of_a_type_is_shown_all_the_same(plant: LivingPlant) -> None:
    one = next(it for it in everything(plant) if it.type == "step.started")
    foreign = type(one)(**{name: getattr(one, name) for name in one.__struct_fields__}
                        | {"type": "weighing.weight-recorded", "data": {"step": "30"}})  # fmt: skip
    assert entry_words.summary(foreign) == "step 30"


@pytest.mark.requirement("H5")
def test_changes_are_old_to_new(plant: LivingPlant) -> None:
    verified = next(it for it in everything(plant) if it.type == "step.completed")
    opened = entry.open_entry(plant.execution, verified.seq)
    assert opened is not None
    assert entry_changes.changes(opened.before, opened.after, BERLIN) == [
        ("steps · 10 · state", "done", "complete")
    ]


def test_first_entry_of_a_record_shows_every_field(plant: LivingPlant) -> None:
    created = next(it for it in everything(plant) if it.stream == "lot/PV-3302")
    opened = entry.open_entry(plant.execution, created.seq)
    assert opened is not None
    assert opened.before is None
    told = {path: new for path, _, new in entry_changes.changes(None, opened.after, BERLIN)}
    assert told["material"] == "PVP"
    assert told["status"] == "quarantine"


@pytest.mark.parametrize("seq", [0, -1, 10**9])
def test_a_number_without_entry_opens_nothing(plant: LivingPlant, seq: int) -> None:
    assert entry.open_entry(plant.execution, seq) is None


# -- the check -----------------------------------------------------------------------------------


@pytest.mark.requirement("H5")
def test_a_whole_ledger_holds_and_says_size_and_root(plant: LivingPlant) -> None:
    heard: list[tuple[int, int]] = []
    found = checks.verify(plant.execution, lambda done, of: heard.append((done, of)))
    checkpoint = plant.execution.ledger.checkpoint()
    assert checkpoint is not None
    assert found.holds
    assert found.says.startswith(f"All {checkpoint.size} entries hold: ")
    signed = [one for one in plant.execution.ledger.entries(0, 10_000) if one.type == SIGNED]
    assert found.says.endswith(f"Each of {len(signed)} signatures is over what was signed.")
    assert found.root == plant.execution.ledger.root(found.size).hex()
    assert heard[-1] == (checkpoint.size, checkpoint.size)


def _tampered(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        for (name,) in connection.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            connection.execute(f"drop trigger {name}")
        connection.execute(statement)
        connection.commit()
    connection.close()


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "update entry set body = cast(replace(cast(body as text), '1800', '1801') as blob)"
            " where type = 'weighing.weight-recorded'",
            "the stored bytes do not have the stored hash. Stop, and call QA.",
        ),
        ("update entry set type = 'x' where seq = 5", "Entry 5: "),
        (
            "update noun set body = cast(replace(cast(body as text), 'Quinn', 'Quirin') as blob)"
            " where stream = 'person/quinn'",
            "Projections: person/quinn differ from the entries; the entries themselves hold.",
        ),
    ],
)
def test_the_check_names_what_does_not_hold(tmp_path: Path, statement: str, says: str) -> None:
    with running_plant(tmp_path) as plant:
        plant.brought_to(plant.dispatched("B1"), "40")
        assert checks.verify(plant.execution, lambda *_: None).holds
        _tampered(tmp_path / "ledger.db", statement)
        found = checks.verify(plant.execution, lambda *_: None)
    assert not found.holds
    assert says in found.says
    assert found.root == ""


@pytest.mark.requirement("H3", "H5")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"words": "Something else."}, "has another statement than its digest. Call QA."),
        ({"ver": 2}, "was made over other content. Call QA."),
        ({"record": "lot/OTHER"}, "was made for lot/OTHER. Call QA."),
        ({"signer": "viktor"}, "stands under the name of quinn. Call QA."),
    ],
)
def test_the_check_names_a_signature_that_a_forger_of_entries_has_put_in(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """Through the writer itself, so that every hash and the checkpoint hold."""
    with running_plant(tmp_path) as plant:
        entry = next(
            one
            for one in plant.execution.ledger.entries(0, 10_000)
            if one.type == SIGNED and one.actor == "quinn" and one.stream.startswith("lot/")
        )
        event = signature_in(entry)
        manifest = msgspec.structs.replace(event.manifest, **changes)
        digest = event.manifest_sha256
        if "words" not in changes:
            digest = manifest_digest(manifest).hex()
        forged = {
            **entry.data, "manifest": msgspec.to_builtins(manifest), "manifest_sha256": digest,
        }  # fmt: skip
        draft = Draft(entry.stream, entry.type, entry.v, forged)
        job = Job("forged:1", "0" * 64, "quinn", None, now, lambda _: Decision((draft,)))
        plant.execution.writer.submit(job).result(10)
        found = checks.verify(plant.execution, lambda *_: None)
    assert not found.holds
    assert says in found.says


def test_exposure_counts_what_no_outside_place_confirmed(tmp_path: Path) -> None:
    with running_plant(tmp_path) as plant:
        size = plant.execution.ledger.size()
        before = checks.exposure(plant.execution)
        assert (before.entries, before.anchored, before.place) == (size, 0, "")
        assert before.since is not None
        at = now()
        done = plant.execution.writer.record_anchor(size, "ERP receipt", "R-1", at=at)
        done.result(10)
        after = checks.exposure(plant.execution)
        assert (after.entries, after.anchored, after.place) == (0, size, "ERP receipt")
        assert after.since is None
        assert after.anchored_at == datetime.fromisoformat(iso(at)).astimezone(UTC)
        plant.opened()
        newer = checks.exposure(plant.execution)
        assert newer.entries == plant.execution.ledger.size() - size > 0
        assert replace(newer, size=size).entries == 0


def test_each_kind_of_place_is_shown_by_its_newest() -> None:
    at = "2026-03-02T08:15:00.000000Z"
    rows = [
        AnchorRow(4, "ERP receipt E1", "0" * 64, at),
        AnchorRow(6, "time-stamp authority tsa.example", "rfc3161:AA==", at),
        AnchorRow(7, "ERP receipt E2", "0" * 64, at),
        AnchorRow(9, "printed record of B26-0001, copy 1", "0" * 64, at),
        AnchorRow(9, "notary", "in a safe", at),
    ]
    found = [(one.kind, one.place, one.size) for one in checks.held_outside(rows)]
    assert found == [
        ("Paper, a printed record", "printed record of B26-0001, copy 1", 9),
        ("Other", "notary", 9),
        ("ERP, by its signed receipt", "ERP receipt E2", 7),
        ("Time-stamp authority", "time-stamp authority tsa.example", 6),
    ]


@pytest.mark.parametrize(
    ("size", "root", "says"),
    [
        (5, "ab" * 32, "Anchor at ERP receipt R-1: has another root at 5 entries."),
        (99999, "ab" * 32, "Anchor at ERP receipt R-1: covers 99999 entries, the ledger holds"),
    ],
)
def test_the_check_names_a_place_that_confirmed_something_else(
    tmp_path: Path, size: int, root: str, says: str
) -> None:
    with running_plant(tmp_path) as plant:
        right = plant.execution.ledger.root(5).hex()
        writer = plant.execution.writer
        writer.record_anchor(5, "ERP receipt R-0", right, at=now()).result(10)
        assert checks.verify(plant.execution, lambda *_: None).holds
        writer.record_anchor(size, "ERP receipt R-1", root, at=now()).result(10)
        found = checks.verify(plant.execution, lambda *_: None)
    assert not found.holds
    assert found.says.startswith(says)


# -- with a browser ------------------------------------------------------------------------------


@pytest.mark.requirement("H5")
def test_search_open_and_verify_in_a_browser(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "quinn", dark=True).go("/audit")
    expect(page.get_by_test_id("exposed")).to_contain_text("entries")
    order = plant.opened()
    expect(page.get_by_test_id("came")).to_contain_text("since this list was made")
    page.get_by_role("link", name="List again").click()
    expect(page.get_by_text(f"Order {order}: 60 kg of PARA500")).to_be_visible()
    page.get_by_label("Type").fill("weighing.weight-recorded")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 entry, the newest first").last).to_be_visible()
    page.wait_for_url("**type=weighing.weight-recorded*")
    page.get_by_role("cell").get_by_role("link").first.click()
    expect(page.get_by_test_id("entry")).to_contain_text("Proof holds")
    expect(page.get_by_test_id("entry")).to_contain_text("net 1.800 kg of PVP, lot PV-3302")
    assert "type=weighing.weight-recorded" in page.url
    page.get_by_text("Canonical body").click()
    expect(page.get_by_test_id("body")).to_contain_text('"type":"weighing.weight-recorded"')
    verify = page.get_by_role("button", name="Verify the whole ledger")
    verify.press("Enter")
    expect(page.get_by_test_id("verdict")).to_contain_text("It holds.")
    expect(verify).to_be_focused()
    verify.hover()  # a button under the pointer has a colour of its own
    assert grave_findings(page) == []
    root = plant.execution.ledger.root(plant.execution.ledger.checkpoint().size).hex()  # type: ignore[union-attr]
    expect(page.get_by_test_id("verdict")).to_contain_text(root)


def test_text_of_people_is_never_run(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    from core.order import OpenOrder

    opening = {"product": "PARA500", "quantity": 60, "unit": "kg", "why": NASTY}
    plant.do(OpenOrder(order="M9", **opening), "sana")
    screen = plant.screen(open_screen, "quinn")
    page = screen.go("/audit?stream=order/M9&text=onerror")
    expect(page.get_by_text(f"Reason: {NASTY}")).to_be_visible()
    seq = plant.execution.ledger.size()
    page = screen.go(f"/audit?actor=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&entry={seq}")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_audit_has_no_grave_finding(
    plant: LivingPlant, open_screen: Callable[..., Screen], dark: bool
) -> None:
    screen = plant.screen(open_screen, "quinn", dark=dark)
    for path in ("/audit", "/audit?entry=30", "/audit?entry=999999&start=nonsense"):
        page = screen.go(path)
        assert grave_findings(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


def test_audit_is_for_quality_alone(plant: LivingPlant, open_screen: Callable[..., Screen]) -> None:
    screen = plant.screen(open_screen, "olga")
    screen.page.goto(plant.url + "/audit")
    assert "/audit" not in screen.page.url
    screen.errors.clear()
