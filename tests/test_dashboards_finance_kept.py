"""A start of the server reads only what is new: the match of an earlier process is taken up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from analytics.reconciliation.kept import NOTE
from dashboards.finance.matching import ReconcileReader
from erp import tables
from tests.erp_plant import eventually
from tests.finance_plant import FinancePlant, finance_plant
from tests.plant import LivingPlant


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    folder = tmp_path / "erp"
    folder.mkdir()
    with finance_plant(living_plant, folder) as plant:
        yield plant


@contextmanager
def started(finance: FinancePlant) -> Iterator[ReconcileReader]:
    """Give a reader as a server that has just started has it."""
    reader = ReconcileReader(finance.boundary, look_s=0.3, reread_s=0.1)
    try:
        yield reader
    finally:
        reader.stop()


def folder(finance: FinancePlant) -> Path:
    assert finance.boundary.kept is not None
    return finance.boundary.kept


@pytest.mark.requirement("L1")
def test_start_judges_only_what_is_new_and_finds_what_was_changed_meanwhile(
    finance: FinancePlant, caplog: pytest.LogCaptureFixture
) -> None:
    finance.made("1001")
    finance.told()
    with started(finance) as first:
        before = first.read()
        assert before.judged == before.total > 0
    assert (folder(finance) / NOTE).exists()
    with started(finance) as second:
        after = second.read()
        assert (after.counts, after.number) == (before.counts, before.number + 1)
        assert after.judged == 0
        assert after.upto_seq == finance.plant.execution.ledger.size()
    finance.made("1002")
    finance.told()
    finance.by_hand("UPDATE ledger_line SET quantity = '2.1' WHERE lot = 'PV-3302'")
    with started(finance) as third:
        third.read()
        eventually(lambda: third.read().counts["qty_mismatch"] > 0)
        assert third.read().total > before.total
    # another outbox in the same place, such as an older copy of it, is noticed
    with finance.boundary.outbox.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS erp_attempt_no_update")
        connection.execute(update(tables.attempt).values(at="2026-01-01T00:00:00.000000Z"))
    with caplog.at_level(logging.WARNING, "batchwright.finance"), started(finance) as fourth:
        anew = fourth.read()
        assert anew.judged == anew.total
    assert "made of another ledger or outbox" in caplog.text
