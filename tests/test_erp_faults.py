"""Faults of the network and of an ERP's new release: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import now
from erp import evidence
from erp.outbox import Outbox
from erp.rows import State
from tests.erp_plant import Clock, Sandbox, sandbox_running
from tests.patience import eventually
from tests.test_erp_relay import orders, relaying


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


@pytest.mark.requirement("K2")
def test_a_message_that_arrives_twice_at_once_is_booked_once(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 401)
    ledger.consumed(401)
    erp.admin("faults", kind="duplicate")
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        if evidence.messages(outbox)[0].state is not State.DONE:  # the twin was still under way
            relay.replay([evidence.messages(outbox)[0].event_id])
            relay.step()
    (row,) = evidence.messages(outbox)
    assert row.state is State.DONE
    assert len(erp.lines("PO-401")) == 1


@pytest.mark.requirement("K2", "K7")
def test_a_message_that_another_one_overtakes_loses_nothing(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 402, 403)
    for n in (402, 403):
        for _ in range(2):
            ledger.consumed(n)
    erp.admin("faults", kind="reorder")
    with relaying(ledger, outbox, erp) as relay:
        relay.start()
        done = [State.DONE] * 4
        eventually(lambda: [row.state for row in evidence.messages(outbox)] == done)
    for n in (402, 403):
        booked = [line["reference"] for line in erp.lines(f"PO-{n}")]
        assert booked == [row.event_id for row in evidence.messages(outbox, lane=f"W{n}")]


@pytest.mark.requirement("K5")
def test_a_receipt_with_other_words_is_no_proof_and_is_asked_for_again(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 404)
    ledger.consumed(404)
    erp.admin("faults", kind="schema_change")
    clock = Clock(now())
    with relaying(ledger, outbox, erp, clock=clock) as relay:
        relay.step()
        (row,) = evidence.messages(outbox)
        assert (row.state, row.last_error) == (State.UNKNOWN, "receipt names no document")
        assert evidence.receipts(outbox) == []
        clock.pass_s(7)
        relay.step()
    (receipt,) = evidence.receipts(outbox)
    assert receipt.status == "duplicate"
    assert len(erp.lines("PO-404")) == 1
