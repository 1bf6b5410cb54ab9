"""One contract for both homes of the ledger: what a search of the audit trail finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger.search import Wanted, search
from core.ledger.store import Ledger
from tests.ledgers import draft, fill, job, reading, writing

FILLED = 700  # more than one page, over seven streams


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    where = (
        f"sqlite:///{tmp_path}/ledger.db"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    with writing(where) as writer:
        fill(writer, FILLED)
        writer.submit(job("odd", draft("lot/100%_Ä", note="Größe 5"))).result(30)
        with reading(where) as read:
            yield read


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), FILLED + 1),
        (Wanted(stream="batch/B1"), FILLED // 7),
        (Wanted(stream="batch/B"), 0),
        (Wanted(stream="batch/"), FILLED),
        (Wanted(stream="batch_"), 0),
        (Wanted(stream="lot/100%_Ä"), 1),
        (Wanted(stream="%/"), 0),
        (Wanted(type="weighing.weight"), FILLED + 1),
        (Wanted(type="%"), 0),
        (Wanted(type="Weighing."), 0),
        (Wanted(text="größe"), 1),
        (Wanted(actor="ama", text='"n":5,'), 1),
        (Wanted(actor="am"), 0),
        (Wanted(start="2026-03-02T08:15:00.000000Z"), FILLED + 1),
        (Wanted(end="2026-03-02T08:15:00.000000Z"), 0),
    ],
    ids=str,
)
def test_search_takes_its_words_literally(ledger: Ledger, wanted: Wanted, count: int) -> None:
    assert len(search(ledger, wanted, limit=10_000).entries) == count


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("limit", [1, 99, 100, 101])
def test_pages_are_full_until_the_last(ledger: Ledger, limit: int) -> None:
    wanted, before, read = Wanted(stream="batch/B1"), 0, []
    while True:
        page = search(ledger, wanted, before=before, limit=limit)
        read += [one.seq for one in page.entries]
        if not page.more:
            break
        assert len(page.entries) == limit
        before = page.older
    assert read == [one.seq for one in reversed(ledger.stream("batch/B1"))]
