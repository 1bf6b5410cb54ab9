"""Certificates of the seals: the office warns long before somebody has to act."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.certificate import seal_files, seal_terms
from core.ledger.timestamp import certificates
from dashboards.office.seals import SOON, SealRow, seal_rows, seals_view, seals_waiting
from dashboards.palette import State
from tests.authority import make_authority

AT, ZONE = datetime(2026, 11, 23, 8, tzinfo=UTC), ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.requirement("I7")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    seal_files(tmp_path, "test", now=lambda: AT)
    return tmp_path


def rows(keys: Path, at: datetime) -> list[SealRow]:
    return list(seal_rows(keys, (), at, zone=ZONE))


def test_plant_without_seals_or_stamps_says_so_and_nobody_waits(tmp_path: Path) -> None:
    [row] = seal_rows(tmp_path, (), AT, zone=ZONE)
    assert (row.title, row.word) == ("Time-stamp authority", "None named")
    assert seals_waiting([row], ZONE) is None


def test_another_authority_is_told_half_a_year_before_and_after(keys: Path) -> None:
    terms = seal_terms(keys)
    assert terms is not None
    before = terms.followed_at - SOON
    assert [one.word for one in rows(keys, before)][:2] == ["In force", "In force"]
    _, soon, _ = rows(keys, before + SECOND)
    assert (soon.state, soon.word, soon.waits) == (State.NEAR, "Another follows soon", True)
    section = seals_waiting([soon], ZONE)
    assert section is not None
    assert section.tasks[0].href == "/office?view=keys"
    seal_files(keys, "test", now=lambda: terms.followed_at)
    _, new, _ = rows(keys, terms.followed_at + SOON - SECOND)
    assert (new.word, new.waits) == ("New", True)
    assert new.follows == "Give seal-002/authority.pem to every reader, beside the old."
    _, known, _ = rows(keys, terms.followed_at + SOON)
    assert (known.word, known.waits) == ("In force", False)


def test_certificate_of_the_time_stamp_authority_is_told_in_good_time(tmp_path: Path) -> None:
    found = certificates(make_authority(tmp_path / "tsa", "Alpha", days=100).root)
    [until] = [one.not_valid_after_utc for one in found]
    for at, word, waits in (
        (until - SOON, "In force", False),
        (until - SOON + SECOND, "Ends soon", True),
        (until, "Has ended", True),
    ):
        [row] = seal_rows(None, found, at, zone=ZONE)
        assert (row.word, row.waits, row.until) == (word, waits, until)
    assert "Time-stamp authority: Alpha root" in seals_view([row], ZONE)
