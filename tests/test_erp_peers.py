"""The relay with ERPs that speak their own words: what they take and sign, what is matched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from erp import evidence
from erp.following import FactReader, Follower
from erp.outbox import Outbox
from erp.port import (
    Accepted,
    DocumentRef,
    ErpProfile,
    Health,
    Outcome,
    Posted,
    Posting,
    Rejected,
    Unknown,
)
from erp.relay import Relay
from erp.rows import State
from erp.signing import Keys, new_secret
from tests.erp_peers import ORDERS
from tests.erp_plant import SITE, Clock, Written
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
        found = Follower(FactReader(ledger, SITE, port=port), outbox, port).look()
        faults = {it.type: it.fault for it in found.facts}
        assert faults["mes.material_consumed.v1"] is None
        said = faults["mes.work_order_started.v1"]
        assert said == "Work order started: not sent, SAP S/4HANA has no posting for it."
        [books] = found.books
        assert {it.erp_ref for it in books.lines} == {row.erp_ref for row in rows}
        assert not any(it.gl_read for it in books.lines)
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


@dataclass
class Queueing:
    """An ERP that takes a message first and books it when its own people's batch job runs."""

    profile: ErpProfile
    posts: list[str] = field(default_factory=list)
    answers: list[Outcome] = field(default_factory=list)
    found: list[DocumentRef] = field(default_factory=list)
    ticket: Outcome | None = None

    def health(self) -> Health:
        return Health(up=True)

    def find_posting(self, ref: str) -> list[DocumentRef]:
        return self.found

    def post(self, posting: Posting) -> Outcome:
        self.posts.append(posting.ref)
        return self.answers.pop(0)

    def accepted(self, ticket: str) -> Outcome | None:
        return self.ticket


@contextmanager
def queueing(folder: Path, *answers: Outcome, longest_s: int = 0) -> Iterator[Any]:
    """Run a relay with one message for an ERP without a key of ours; time is moved by hand."""
    profile = ErpProfile(
        "queueing", supports=frozenset(), scales={"KGM": 6}, lengths={},
        takes=frozenset({"mes.material_consumed.v1"}), longest_s=longest_s,
    )  # fmt: skip
    port, outbox, clock = Queueing(profile), Outbox(f"sqlite:///{folder / 'outbox.db'}"), Clock()
    port.answers = list(answers)
    clock.pass_s(60)  # after the facts
    relay = Relay(plant("9001"), outbox, port, site=SITE, clock=clock)  # type: ignore[arg-type]
    try:
        yield port, relay, clock, lambda: evidence.messages(outbox)[0]
    finally:
        outbox.close()


DOCUMENT = DocumentRef("journal", "J-1", "2026", "1")


@pytest.mark.requirement("K1")
def test_what_the_erp_only_took_is_asked_after_and_never_sent_again(tmp_path: Path) -> None:
    with queueing(tmp_path, Accepted("T-1")) as (port, relay, clock, row):
        relay.step()
        assert (row().state, row().ticket) == (State.ACCEPTED, "T-1")
        clock.pass_s(61)
        relay.step()
        assert row().state is State.ACCEPTED
        port.found = [DOCUMENT]
        clock.pass_s(61)
        relay.step()
        assert row().state is State.DONE
        assert len(port.posts) == 1


@pytest.mark.requirement("K1")
def test_a_ticket_that_the_erp_refuses_in_the_end_is_dead_with_its_code(tmp_path: Path) -> None:
    with queueing(tmp_path, Accepted("T-1")) as (port, relay, clock, row):
        relay.step()
        port.ticket = Rejected("lot_unknown", "Lot L-1 is not known.")
        clock.pass_s(61)
        relay.step()
        assert (row().state, row().last_code) == (State.DEAD, "lot_unknown")
        assert len(port.posts) == 1


@pytest.mark.requirement("K2")
def test_a_lost_answer_is_given_its_time_before_not_found_is_believed(tmp_path: Path) -> None:
    posted = Posted((DOCUMENT,), "2026-11")
    with queueing(tmp_path, Unknown("no answer"), posted, longest_s=300) as made:
        port, relay, clock, row = made
        relay.step()
        assert row().state is State.UNKNOWN
        clock.pass_s(120)
        relay.step()
        assert len(port.posts) == 1  # it may still be under way there
        clock.pass_s(400)
        relay.step()
        assert row().state is State.DONE
        assert len(port.posts) == 2


@pytest.mark.requirement("K2")
def test_a_lost_answer_that_comes_late_is_found_and_not_sent_again(tmp_path: Path) -> None:
    with queueing(tmp_path, Unknown("no answer"), longest_s=300) as (port, relay, clock, row):
        relay.step()
        assert row().state is State.UNKNOWN
        clock.pass_s(120)
        relay.step()
        port.found = [DOCUMENT]
        clock.pass_s(400)
        relay.step()
        assert row().state is State.DONE
        assert len(port.posts) == 1
