"""The three sides that finance compares, followed in a ledger, an outbox and a sandbox ERP."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from erp.following import FactReader, Follower, Fresh
from erp.messages import identifier
from erp.outbox import Outbox
from erp.relay import Relay
from tests.erp_plant import SITE, Sandbox, Written, free_port, sandbox_running


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


def relay_and_look(ledger: Written, outbox: Outbox, erp: Sandbox) -> Fresh:
    port = erp.port_to()
    relay = Relay(ledger, outbox, port, site=SITE)
    try:
        relay.step()
        return Follower(FactReader(ledger, SITE, port=port), outbox, port).look()
    finally:
        relay.stop()
        port.close()


KEY = ("event_id", "erp_order", "item", "lot", "movement", "quantity", "unit", "posting_date")


def keys(rows: object, order: str) -> list[tuple[object, ...]]:
    return [
        tuple(getattr(row, name) for name in KEY)
        for row in rows  # type: ignore[attr-defined]
        if row.erp_order == order
    ]


@pytest.mark.requirement("L1")
def test_the_three_lists_name_every_movement_alike(erp: Sandbox, outbox: Outbox) -> None:
    ledger = Written()
    ledger.batch(1)
    ledger.write("material.reversed", "batch/B1", order="W1", erp_order="PO-1", corrects=3)
    found = relay_and_look(ledger, outbox, erp)
    postings = found.books[0].lines
    facts = keys(found.facts, "PO-1")
    assert len(facts) == 7
    assert facts == keys(found.messages, "PO-1") == keys(postings, "PO-1")
    assert facts[-1][2:7] == ("LAC", "L-1", "issue", Decimal("-0.0005"), "KGM")
    assert {row.receipt_status for row in found.messages} == {"posted"}
    assert {row.receipt_period for row in found.messages} == {"2026-11"}
    assert all(row.gl_document for row in postings if row.kind == "stock")
    assert found.upto_seq == 7


@pytest.mark.requirement("L1")
def test_a_manual_posting_has_no_event(erp: Sandbox, outbox: Outbox) -> None:
    erp.admin("postings", order="PO-2", item="LAC", lot="L-1", quantity="3", movement="issue")
    found = relay_and_look(Written(), outbox, erp)
    postings = found.books[0].lines
    (row,) = (row for row in postings if row.erp_order == "PO-2")
    assert (row.event_id, row.erp_ref, row.quantity) == (None, None, Decimal(3))


@pytest.mark.requirement("A2", "L1")
def test_a_fact_without_erp_order_or_without_quantity_is_still_a_row(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = Written()
    names = {"batch": "B9", "material": "LAC", "lot": "L-1"}
    ledger.write("material.consumed", "batch/B9", order="W9", erp_order=None, net_g="5", **names)
    ledger.write("material.consumed", "batch/B9", order="W9", erp_order="PO-3", **names)
    unlinked, broken = relay_and_look(ledger, outbox, erp).facts
    assert (unlinked.erp_order, unlinked.quantity, unlinked.fault) == (None, Decimal("0.005"), None)
    assert broken.quantity is None
    assert broken.fault == (
        "Entry 2 (material.consumed): has no quantity with a known unit (None)."
        " Post it by hand, or enter a correction."
    )


@pytest.mark.requirement("L3")
def test_books_that_could_not_be_read_are_none_and_not_empty(
    erp: Sandbox, outbox: Outbox, tmp_path: Path
) -> None:
    ledger = Written()
    entry = ledger.consumed(4)
    away = Sandbox(tmp_path, port=free_port())
    found = relay_and_look(ledger, outbox, away)
    assert found.books == ()
    assert found.fault is not None
    assert found.fault.endswith("Messages wait; check that it runs.")
    assert [row.event_id for row in found.facts] == [identifier(entry)]
    assert [(row.state, row.receipt_status) for row in found.messages] == [("pending", None)]
