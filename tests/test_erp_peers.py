"""The relay with ERPs that speak their own words: what they take and sign, what is matched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from erp import evidence
from erp.outbox import Outbox
from erp.reconcile import collect
from erp.relay import Relay
from erp.rows import State
from erp.signing import Keys, new_secret
from tests.erp_peers import ORDERS
from tests.erp_plant import SITE, Written
from tests.erp_simulated import simulated


def plant(order: str) -> Written:
    """Return a ledger with one whole batch of an order."""
    ledger = Written()
    names = {"order": "W1", "batch": "B1"}
    goods = {"erp_order": order, "product": "TAB", "quantity": "1000", "unit": "EA"}
    ledger.write("work-order.started", "order/W1", work_center="B1", erp_ref=order, **names)
    ledger.write("material.consumed", "batch/B1", erp_order=order, material="LAC", lot="L-1",
                 net_g="120", **names)  # fmt: skip
    ledger.write("batch.released", "batch/B1", **goods, **names)
    ledger.write("material.produced", "batch/B1", lot="B1", **goods, **names)
    ledger.write("work-order.completed", "order/W1", quantity="1000", unit="EA", erp_ref=order,
                 **names)  # fmt: skip
    return ledger


@pytest.mark.requirement("K5", "L1")
def test_what_an_erp_has_no_posting_for_is_not_sent_and_the_match_says_so(tmp_path: Path) -> None:
    with simulated("sap-plain", tmp_path / "sap") as peer:
        port, outbox = peer.port(), Outbox(f"sqlite:///{tmp_path / 'outbox.db'}")
        ledger = plant(ORDERS[0])
        relay = Relay(ledger, outbox, port, site=SITE)
        relay.step()
        rows = evidence.messages(outbox)
        assert [row.state for row in rows] == [State.DONE, State.DONE], rows
        assert [row.lane_seq for row in rows] == [1, 2]
        found = collect(ledger, outbox, port, site=SITE)
        faults = {it.type: it.fault for it in found.facts}
        assert faults["mes.material_consumed.v1"] is None
        said = faults["mes.work_order_started.v1"]
        assert said == "Work order started: not sent, SAP S/4HANA has no posting for it."
        assert found.postings is not None
        assert {it.erp_ref for it in found.postings} == {row.erp_ref for row in rows}
        assert not any(it.gl_read for it in found.postings)
        port.close()
        outbox.close()


@pytest.mark.requirement("K5")
def test_a_receipt_that_nobody_signed_says_so_and_has_our_digest(tmp_path: Path) -> None:
    with simulated("sap-plain", tmp_path / "sap") as peer:
        port, outbox = peer.port(), Outbox(f"sqlite:///{tmp_path / 'outbox.db'}")
        relay = Relay(plant(ORDERS[0]), outbox, port, site=SITE)
        relay.step()
        [first, _] = evidence.receipts(outbox)
        why = evidence.unproven(first, Keys.of([new_secret()]))
        assert why is not None
        assert why.startswith("not signed: this ERP signs no receipts")
        assert hashlib.sha256(first.body).hexdigest()[:16] in why
        assert evidence.newest_anchor(outbox) is None
        port.close()
        outbox.close()
