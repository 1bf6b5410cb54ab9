"""The match kept in a file: what is restored is what was kept; what does not fit is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.reconciliation.kept import NOTE, DoesNotFit, Kept, KeptMatch, version
from analytics.reconciliation.rules import MatchRules
from analytics.reconciliation.store import MatchStore, News
from tests.match_records import (
    AT,
    FACT,
    HAND,
    LINE,
    SENT,
    Matched,
    everything,
    matching,
    numbered,
    told,
    whole,
)

RULES = MatchRules()
VERSION = version(RULES, "tablets")
OTHER = replace(FACT, event_id="m2", entry_seq=8, lot="L-2")
MARKS = {"facts": {"upto": 10}}


def filled(store: MatchStore) -> Matched:
    """Take in two facts, one of them booked wrongly, a posting by hand and two states of orders."""
    wrong = replace(LINE, event_id="m2", erp_ref="R2", lot="L-3")
    store.take(
        News(
            at=AT, upto_seq=10, facts=[FACT, OTHER], messages=[SENT, told(OTHER, lane_seq=2)],
            books=whole(numbered([LINE, wrong, HAND])), orders=[("4711", "released")],
            documents=[("4900000001/2026/1", "m1")], undoings=[("m9", "4900000002/2026")],
        )
    )  # fmt: skip
    return everything(store)


def kept_in(folder: Path) -> tuple[KeptMatch, Matched]:
    kept = KeptMatch(folder)
    with matching() as store:
        before = filled(store)
        store.written(kept, VERSION)(MARKS)
    return kept, before


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != NOTE)


@pytest.mark.requirement("L1")
def test_restored_match_says_the_same_and_goes_on_from_there(tmp_path: Path) -> None:
    kept, before = kept_in(tmp_path)
    found = kept.find(version=VERSION)
    assert found is not None
    path, told_ = found
    assert (told_.position, told_.marks) == (before.position, MARKS)
    with matching() as store:
        store.restore(path, told_)
        assert everything(store) == before
        mended = replace(LINE, seq=2, event_id="m2", erp_ref="R2", lot="L-2")
        news = News(at=AT, upto_seq=11, books=whole([replace(LINE, seq=1), mended]))
        assert store.take(news).number == before.position.number + 1
        assert everything(store).classes == ["matched", "matched"]


def test_state_that_is_written_is_the_one_that_was_held_whatever_comes_meanwhile(
    tmp_path: Path,
) -> None:
    kept = KeptMatch(tmp_path)
    with matching() as store:
        before = filled(store)
        write_to = store.written(kept, VERSION)
        store.take(News(at=AT, upto_seq=12, facts=[replace(FACT, event_id="m3", entry_seq=12)]))
        write_to(MARKS)
    found = kept.find(version=VERSION)
    assert found is not None
    with matching() as store:
        store.restore(*found)
        assert everything(store) == before


def test_newer_file_takes_the_place_of_the_older_and_a_crash_leaves_that(tmp_path: Path) -> None:
    kept, _ = kept_in(tmp_path)
    (older,) = files(tmp_path)
    draft = kept.draft()
    draft.write_bytes(b"half of a fi")  # killed here: no note names it
    found = kept.find(version=VERSION)
    assert found is not None
    assert found[0].name == older
    kept_in(tmp_path)
    (newer,) = files(tmp_path)
    assert newer not in (older, draft.name)


@pytest.mark.parametrize("harm", ["flipped", "short", "gone", "note", "marks", "no json"])
def test_file_that_is_not_what_was_written_does_not_fit(tmp_path: Path, harm: str) -> None:
    kept, _ = kept_in(tmp_path)
    file, note = tmp_path / files(tmp_path)[0], tmp_path / NOTE
    body, said = bytearray(file.read_bytes()), json.loads(note.read_text())
    match harm:
        case "flipped":
            body[len(body) // 2] ^= 1
            file.write_bytes(body)
        case "short":
            file.write_bytes(body[:-1])
        case "gone":
            file.unlink()
        case "note":
            note.write_text(json.dumps(said | {"position": said["position"] | {"upto_seq": 9}}))
        case "marks":
            note.write_text(json.dumps(said | {"marks": {"facts": {"upto": 9}}}))
        case _:
            note.write_text("{")
    with pytest.raises(DoesNotFit):
        kept.find(version=VERSION)
    kept.drop()
    assert files(tmp_path) == []
    assert kept.find(version=VERSION) is None


@pytest.mark.parametrize(
    "other",
    [version(MatchRules(scales={"KGM": 2}), "tablets"), version(RULES, "salad"), version(RULES)],
)
def test_other_rules_or_sources_are_another_version(tmp_path: Path, other: str) -> None:
    kept, _ = kept_in(tmp_path)
    with pytest.raises(DoesNotFit, match="another version"):
        kept.find(version=other)


def test_file_that_duckdb_cannot_read_leaves_an_empty_match(tmp_path: Path) -> None:
    file = tmp_path / "match-0.duckdb"
    file.write_bytes(b"x" * 5000)
    with matching() as store:
        with pytest.raises(DoesNotFit):
            store.restore(file, Kept(position=store.position, marks={}))
        assert filled(store).position.number == 1
