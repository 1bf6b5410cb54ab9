"""The fold of a whole ledger: stream by stream, in ranges, in one process or several."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.catalogue import UnknownType
from core.ledger.job import Draft
from core.ledger.store import Ledger, Store
from core.projections import hands
from core.projections.nouns import INSERT, compare, prepare
from core.projections.replay import WORTH_PROCESSES, folded, processes, ranges, written
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


ENDS_AT_THE_THIRD = """
import os
from core.projections.hands import serve
from core.projections.replay import written_range
asked = []
def fold(ledger, within):
    asked.append(within)
    return written_range(ledger, within) if len(asked) < 3 else os._exit(1)
serve(fold)
"""


@pytest.mark.parametrize(
    "program",
    [("--no-such-option",), ("-c", "raise SystemExit(1)"), ("-P", "-c", ENDS_AT_THE_THIRD)],
)
def test_where_a_process_ends_one_goes_on_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, program: tuple[str, ...]
) -> None:
    alone = list(written(ledger, jobs=1, count=5))
    assert len(alone) > 6, "each of the two is asked a third time"
    monkeypatch.setattr(hands, "PROGRAM", program)
    assert list(written(ledger, jobs=2, count=5)) == alone


def test_an_entry_that_no_process_can_read_is_named(tmp_path: Path) -> None:
    with writing(tmp_path / "ledger.db") as writer:
        writer.submit(job("one", Draft("lot/L1", "lot.dreamt", 1, {}))).result(20)
    with reading(tmp_path / "ledger.db") as found, pytest.raises(UnknownType):
        list(written(found, jobs=2))


def test_a_short_ledger_is_worth_one_process() -> None:
    assert processes(WORTH_PROCESSES - 1) == 1
    assert processes(WORTH_PROCESSES) == os.cpu_count()


@pytest.mark.requirement("H5")
def test_a_rebuild_differs_in_nothing(ledger: Ledger) -> None:
    prepare(copy(ledger.store), anew=True)  # as another process has it
    assert compare(ledger) == []


@pytest.mark.requirement("H5")
def test_rows_that_no_entry_made_and_entries_without_a_row_are_found(ledger: Ledger) -> None:
    prepare(copy(ledger.store), anew=True)
    store = copy(ledger.store)
    connection = store.connect()
    names = sorted({entry.stream for entry in ledger.entries()})
    for name in ("!/first", "~/last"):
        row = (name, name[0], 1, 1, 0, b"{}")
        connection.exec_driver_sql(store.sql(INSERT), row)
    for deed, name in (("delete from noun", names[0]), ("update noun set ver = 77", names[-1])):
        connection.exec_driver_sql(store.sql(f"{deed} where stream = ?"), (name,))
    connection.commit()
    connection.close()
    store.release()
    store.close()
    found = {(one.stream, one.path, one.stored) for one in compare(ledger) if one.path in PATHS}
    assert found == {
        ("!/first", "row", "there"), ("~/last", "row", "there"),
        (names[0], "row", None), (names[-1], "ver", "77"),
        ("!/first", "ver", "1"), ("~/last", "ver", "1"), (names[0], "ver", None),
    }  # fmt: skip


PATHS = ("row", "ver")
