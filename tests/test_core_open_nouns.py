"""What is over is no longer read where work is listed, however long the plant has run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.batch.amendment import Amendment
from core.batch.state import Batch, BatchState
from core.catalogue import NOUNS
from core.correction_request import CorrectionRequest
from core.deviation import Deviation
from core.order import Order
from core.projections.nouns import compare
from tests.floor import Floor

ENDING = (Order, Batch, Deviation, Amendment, CorrectionRequest)


def agree(floor: Floor) -> None:
    """Every kind's list of what is open is the whole list without what is over."""
    nouns = floor.execution.nouns
    for noun in NOUNS.values():
        whole = nouns.all(noun.state)
        assert nouns.open(noun.state) == [one for one in whole if not noun.is_over(one)], noun.kind
        over = {row.stream for row in nouns.rows(noun.kind) if noun.is_over(row.state)}
        assert {f"{noun.kind}/{name}" for name in nouns.names_over(noun.state)} == over


@pytest.mark.requirement("A2", "H5")
def test_batch_and_its_order_are_open_until_the_batch_is_decided(floor: Floor) -> None:
    batch = floor.dispatched()
    nouns = floor.execution.nouns
    assert [one.batch for one in nouns.open(Batch)] == [batch]
    floor.upto(batch, None)
    [complete] = nouns.open(Batch)
    assert complete.state is BatchState.COMPLETE
    agree(floor)
    floor.review(batch)
    floor.release(batch)
    assert nouns.open(Batch) == []
    assert nouns.names_over(Batch) == [batch]
    assert batch not in {one.batch for one in nouns.open(Order)}
    agree(floor)


def test_only_kinds_with_an_end_are_ever_over() -> None:
    assert {noun.state for noun in NOUNS.values() if noun.ends} == set(ENDING)


@pytest.mark.requirement("H5")
def test_rows_below_a_number_are_those_that_changed_before(floor: Floor) -> None:
    floor.dispatched()
    nouns = floor.execution.nouns
    whole = nouns.rows("person")
    for place, row in enumerate(whole):
        assert nouns.rows("person", before=row.seq) == whole[place + 1 :]
        assert nouns.rows("person", 2, before=row.seq) == whole[place + 1 : place + 3]


@pytest.mark.requirement("H5")
def test_open_noun_that_somebody_hid_from_the_lists_is_found_by_comparison(
    floor: Floor, tmp_path: Path
) -> None:
    batch = floor.dispatched()
    floor.execution.close()
    with sqlite3.connect(tmp_path / "plant" / "ledger.db") as other:
        other.execute("update noun set is_over = 1 where stream = ?", (f"batch/{batch}",))
    other.close()
    assert [str(one) for one in compare(floor.execution.ledger)] == [
        f"batch/{batch} is_over: stored 1, folded 0"
    ]
