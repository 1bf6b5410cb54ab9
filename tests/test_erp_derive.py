"""From the ledger to the outbox: nothing lost, nothing twice, on a list and on the real ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger.merkle import leaf_hash
from erp import evidence
from erp.contract import SentCheckpoint, event_id, from_bytes
from erp.derive import PAGE, Deriver, Entries
from erp.outbox import Outbox
from tests.erp_plant import AT, SITE, Written
from tests.ledgers import AT as LEDGER_AT
from tests.ledgers import draft, job, reading, writing


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


def deriver(entries: Entries, outbox: Outbox) -> Deriver:
    return Deriver(entries, outbox, SITE, erp_order=lambda _: None, checkpoint=lambda: None)


@pytest.mark.requirement("K1")
def test_a_new_process_makes_nothing_twice(outbox: Outbox) -> None:
    ledger = Written()
    ledger.batch()
    assert deriver(ledger, outbox).derive(AT) == 6
    assert deriver(ledger, outbox).derive(AT) == 0
    ledger.batch(2)
    assert deriver(ledger, outbox).derive(AT) == 6
    assert [row.entry_seq for row in evidence.messages(outbox)] == list(range(1, 13))


@pytest.mark.requirement("K1")
def test_a_cursor_that_fell_behind_makes_nothing_twice(outbox: Outbox) -> None:
    ledger = Written()
    ledger.batch()
    slow = deriver(ledger, outbox)
    assert deriver(ledger, outbox).derive(AT) == 6
    assert slow.derive(AT) == 0
    assert outbox.upto() == 6


@pytest.mark.requirement("K1")
def test_a_crash_before_the_commit_leaves_neither_message_nor_cursor(outbox: Outbox) -> None:
    ledger = Written()
    ledger.batch()

    class Crash(Exception):
        pass

    def crash() -> SentCheckpoint | None:
        raise Crash

    broken = Deriver(ledger, outbox, SITE, erp_order=lambda _: None, checkpoint=crash)
    with pytest.raises(Crash):
        broken.derive(AT)
    assert (outbox.upto(), evidence.messages(outbox)) == (0, [])
    assert broken.read_upto == 0


def test_entries_the_erp_is_not_told_of_are_passed_over_page_by_page(outbox: Outbox) -> None:
    ledger = Written()
    for _ in range(PAGE + 1):
        ledger.write("step.started", "batch/B1")
    ledger.consumed()
    it = deriver(ledger, outbox)
    assert it.derive(AT) == 1
    assert it.read_upto == outbox.upto() == PAGE + 2
    ledger.write("step.started", "batch/B1")
    assert it.derive(AT) == 0
    assert (it.read_upto, outbox.upto()) == (PAGE + 3, PAGE + 2)


@pytest.mark.requirement("K2")
def test_on_the_real_ledger_the_id_comes_from_the_stored_leaf(
    tmp_path: Path, outbox: Outbox
) -> None:
    where = tmp_path / "ledger.db"
    fact = Written().consumed()
    with writing(where) as writer, reading(where) as ledger:
        consumed = draft("batch/B1")
        made = type(consumed)("batch/B1", fact.type, 1, fact.data)
        writer.submit(job("cmd-1", consumed, made)).result(20)
        assert deriver(ledger, outbox).derive(AT) == 1
        stored = dict(ledger.raw())
    (row,) = evidence.messages(outbox)
    assert row.event_id == event_id(LEDGER_AT, leaf_hash(stored[2]))
    assert from_bytes(row.body).data.entry == 2


@pytest.mark.requirement("K1")
def test_a_fact_that_breaks_the_contract_is_put_aside_and_stops_no_other(outbox: Outbox) -> None:
    ledger = Written()
    ledger.consumed(lot="L" * 81)
    ledger.consumed(2)
    assert deriver(ledger, outbox).derive(AT) == 1
    assert [row.entry_seq for row in evidence.messages(outbox)] == [2]
    [aside] = evidence.asides(outbox)
    assert (aside.entry_seq, aside.lane, aside.code) == (1, "W1", "not_translated")
