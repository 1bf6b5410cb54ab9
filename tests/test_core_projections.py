"""The fold of a whole ledger: stream by stream, in ranges, in one process or several."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger.job import Draft
from core.ledger.store import Ledger, Store
from core.projections import replay
from core.projections.nouns import compare, prepare
from core.projections.replay import WORTH_PROCESSES, Range, folded, processes, ranges, written
from tests.ledgers import job, reading, writing

HOMES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=HOMES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, seeded_folder: Path) -> Iterator[Ledger]:
    """A seeded plant's entries in this home, those of its streams interleaved as they came."""
    where = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        where = request.getfixturevalue("postgres_url")
    with reading(seeded_folder / "ledger.db") as seeded:
        entries = seeded.entries()
    drafts = [Draft(one.stream, one.type, one.v, one.data, one.reason) for one in entries]
    with writing(where) as writer:
        writer.submit(job("all", *drafts)).result(20)
    with reading(where) as found:
        yield found


def copy(store: Store) -> Store:
    """Return a store as another process gets it."""
    made: Store = pickle.loads(pickle.dumps(store))
    return made


@pytest.mark.parametrize("count", [1, 2, 7, 10_000])
def test_ranges_hold_every_stream_once(ledger: Ledger, count: int) -> None:
    found = [one.stream for within in ranges(ledger, count) for one in folded(ledger, within)]
    assert len(found) == len(set(found))
    assert set(found) == {entry.stream for entry in ledger.entries()}


def test_an_empty_ledger_has_no_range(tmp_path: Path) -> None:
    with writing(tmp_path / "ledger.db"):
        pass
    with reading(tmp_path / "ledger.db") as found:
        assert list(ranges(found)) == []
        assert list(written(found, jobs=2)) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 10_000])
def test_entries_stream_by_stream_come_once_whatever_the_page(ledger: Ledger, limit: int) -> None:
    last = ledger.last_stream()
    assert last is not None
    after, found = ("", 0), []
    while page := ledger.by_stream(after, last, limit):
        found += page
        after = page[-1][:2]
    assert sorted((seq, body) for _, _, seq, body in found) == ledger.raw()
    streams: dict[str, list[int]] = {}
    for stream, ver, _, _ in found:
        streams.setdefault(stream, []).append(ver)
    assert all(vers == list(range(1, len(vers) + 1)) for vers in streams.values())
    assert [name for name, *_ in found] == [name for name, vers in streams.items() for _ in vers], (
        "a stream comes in one piece"
    )


def test_several_processes_write_what_one_writes(ledger: Ledger) -> None:
    alone = list(written(ledger, jobs=1, count=9))
    assert len(alone) > 3
    assert list(written(ledger, jobs=2, count=9)) == alone
    assert sum(len(one.rows) for one in alone) == len({one.stream for one in ledger.entries()})


def test_where_no_process_can_be_started_one_goes_on_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = list(written(ledger, jobs=1, count=9))
    monkeypatch.setattr(replay, "_write_elsewhere", _die)
    assert list(written(ledger, jobs=2, count=9)) == alone


def _die(_store: object, _within: Range) -> None:
    os._exit(1)


def test_a_short_ledger_is_worth_one_process() -> None:
    assert processes(WORTH_PROCESSES - 1) == 1
    assert processes(WORTH_PROCESSES) == os.cpu_count()


def test_a_rebuild_differs_in_nothing(ledger: Ledger) -> None:
    prepare(copy(ledger.store), anew=True)  # as another process has it
    assert compare(ledger) == []
