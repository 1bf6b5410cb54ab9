"""How much of the ledger no place outside has confirmed: as a number, in all cases."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import iso
from core.ledger.exposure import exposed, exposure_file
from tests.ledgers import AT, Growing, draft, job, reading, writing

TSA = "time-stamp authority tsa.example"
pytestmark = pytest.mark.requirement("K1")


def test_exposure_counts_entries_after_the_largest_anchor_and_since_when(tmp_path: Path) -> None:
    with writing(tmp_path / "l.db") as writer, reading(tmp_path / "l.db") as ledger:
        none = exposed(ledger)
        assert (none.size, none.entries, none.since, none.seconds(AT)) == (0, 0, None, 0)
        for number in range(5):
            writer.submit(job(f"k:{number}", draft(n=number))).result(20)
        never = exposed(ledger)
        assert (never.entries, never.anchored, never.place, never.since) == (5, 0, "", AT)
        assert never.seconds(AT + timedelta(seconds=90)) == 90
        assert never.seconds(AT - timedelta(hours=1)) == 0  # the clock was set back
        later = AT + timedelta(minutes=5)
        writer.record_anchor(4, TSA, "rfc3161:AA==", at=AT).result(20)
        writer.record_anchor(3, "ERP receipt E1", "0" * 64, at=later).result(20)
        found = exposed(ledger)  # the largest counts, not the one that came last
        assert (found.entries, found.anchored, found.place, found.since) == (1, 4, TSA, AT)
        writer.record_anchor(5, "ERP receipt E2", "0" * 64, at=later).result(20)
        whole = exposed(ledger)
        assert (whole.entries, whole.since, whole.seconds(later), whole.anchored_at) == (
            0, None, 0, later,
        )  # fmt: skip


def test_exposure_is_never_below_nothing_while_others_record_and_confirm(tmp_path: Path) -> None:
    with writing(tmp_path / "l.db") as writer:
        ledger = Growing(writer)
        shown = [exposed(ledger) for _ in range(3)]
    assert [(one.size, one.anchored, one.entries) for one in shown] == [
        (0, 0, 0), (1, 1, 0), (2, 2, 0),
    ]  # fmt: skip


def test_file_of_an_export_holds_the_same_numbers(tmp_path: Path) -> None:
    with writing(tmp_path / "l.db") as writer, reading(tmp_path / "l.db") as ledger:
        for number in range(3):
            writer.submit(job(f"k:{number}", draft(n=number))).result(20)
        writer.record_anchor(2, "ERP receipt E1", "0" * 64, at=AT).result(20)
        told = json.loads(exposure_file(exposed(ledger), AT + timedelta(seconds=7)))
    assert told == {
        "as_of": iso(AT + timedelta(seconds=7)), "size": 3, "anchored": 2,
        "place": "ERP receipt E1", "anchored_at": iso(AT), "entries": 1, "oldest_since": iso(AT),
        "seconds": 7,
    }  # fmt: skip
