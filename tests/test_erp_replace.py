"""A wrong document is reversed and its fact told anew: in order, once, whatever comes between."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from core.clock import now
from core.ledger.entry import Entry
from erp import evidence, tables
from erp.contract import again_id, from_bytes
from erp.messages import identifier
from erp.outbox import Lease, Outbox
from erp.relay import Relay
from erp.rows import Row, State
from tests.erp_plant import SITE, Clock, Sandbox, Written, sandbox_running
from tests.patience import eventually


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)  # refusals are meant here
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox
    log.setLevel(logging.NOTSET)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


@contextmanager
def relaying(ledger: Written, outbox: Outbox, erp: Sandbox, **more: object) -> Iterator[Relay]:
    port = erp.port_to()
    relay = Relay(ledger, outbox, port, site=SITE, poll_s=0.05, **more)  # type: ignore[arg-type]
    try:
        yield relay
    finally:
        relay.stop()
        port.close()


def booked_wrongly(erp: Sandbox, outbox: Outbox, n: int) -> tuple[Written, Entry, str]:
    """Return a ledger with one fact of 12 kg, and the document in which a clerk made it 11."""
    erp.admin("orders", id=f"PO-{n}", product="TAB", quantity="100000", unit="C62")
    ledger = Written()
    fact = ledger.consumed(n)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    (line,) = erp.lines(f"PO-{n}")
    erp.tampered("UPDATE ledger_line SET quantity = '11' WHERE document = ?", line["document"])
    return ledger, fact, f"{line['document']}/{line['year']}"


def ordered(ledger: Written, fact: Entry, document: str, *, net_kg: str = "11") -> str:
    """Order the reversal and the posting anew, as one commit does; return the new key."""
    n = int(fact.data["order"][1:])
    ledger.undone(n, document, net_kg=net_kg)
    ledger.replaced(fact, identifier(fact), replaces=document)
    return again_id(identifier(fact), 1)


def quantities(erp: Sandbox, n: int) -> list[Decimal]:
    return [Decimal(line["quantity"]) for line in erp.lines(f"PO-{n}")]


def rows(outbox: Outbox) -> list[Row]:
    return evidence.messages(outbox)


@pytest.mark.requirement("K2", "K8", "L8")
def test_fact_is_told_anew_behind_the_reversal_with_its_own_date_and_a_key_made_of_its_first(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, fact, document = booked_wrongly(erp, outbox, 301)
    key = ordered(ledger, fact, document)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    first, undone, anew = rows(outbox)
    assert [one.state for one in (first, undone, anew)] == [State.DONE] * 3
    assert [(one.lane, one.lane_seq) for one in (undone, anew)] == [("W301", 2), ("W301", 3)]
    assert quantities(erp, 301) == [Decimal(11), Decimal(-11), Decimal(12)]
    told, before = from_bytes(anew.body), from_bytes(first.body)
    assert (told.id, told.data.replaces) == (key, before.id)
    assert (told.type, told.data.lines, told.data.posting_date, told.data.occurred_at) == (
        before.type, before.data.lines, before.data.posting_date, before.data.occurred_at,
    )  # fmt: skip
    assert told.data.erp_ref != before.data.erp_ref
    assert told.data.entry == ledger.kept[-1].seq
    assert evidence.told(outbox, before.id) == [first, anew]


@pytest.mark.requirement("K2", "L8")
def test_replies_lost_after_both_commits_and_a_repeated_order_book_nothing_twice(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, fact, document = booked_wrongly(erp, outbox, 302)
    key, clock = ordered(ledger, fact, document), Clock(now())
    with relaying(ledger, outbox, erp, clock=clock) as relay:
        erp.admin("faults", kind="drop_reply")  # the reversal's
        relay.step()
        assert [row.state for row in rows(outbox)[1:]] == [State.UNKNOWN, State.PENDING]
        erp.admin("faults", kind="delay", seconds=0)  # the reversal again, well
        erp.admin("faults", kind="drop_reply")  # the fact's
        clock.pass_s(7)
        relay.step()
        assert [row.state for row in rows(outbox)[1:]] == [State.DONE, State.UNKNOWN]
        clock.pass_s(7)
        relay.step()
        assert {row.state for row in rows(outbox)} == {State.DONE}
        with outbox.deriving() as work:
            work.replay([row.event_id for row in rows(outbox)], at=clock())
        relay.step()
    assert quantities(erp, 302) == [Decimal(11), Decimal(-11), Decimal(12)]
    assert [it.status for it in evidence.receipts(outbox, [key])][-1] == "duplicate"


@pytest.mark.requirement("K1", "L8")
def test_process_that_dies_between_reversal_and_fact_goes_on_with_the_same_keys(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, fact, document = booked_wrongly(erp, outbox, 303)
    key = ordered(ledger, fact, document)
    erp.admin("faults", kind="500")  # the reversal waits, so nothing behind it leaves
    with relaying(ledger, outbox, erp) as first:
        first.step()
    assert quantities(erp, 303) == [Decimal(11)]
    with outbox.deriving() as work:
        work.replay([rows(outbox)[1].event_id], at=now())
    until = now() + timedelta(minutes=5)
    taken = outbox.take("W303", Lease(owner="gone", at=now(), until=until))
    assert taken is not None
    assert taken.type == "mes.document_reversed.v1"
    with relaying(ledger, outbox, erp) as second:  # its lease's owner is gone
        second.start()
        eventually(lambda: {row.state for row in rows(outbox)} == {State.DONE})
    assert quantities(erp, 303) == [Decimal(11), Decimal(-11), Decimal(12)]
    assert rows(outbox)[-1].event_id == key


@pytest.mark.requirement("K2", "L8")
def test_refused_reversal_holds_the_fact_back_and_given_up_takes_it_along(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, fact, document = booked_wrongly(erp, outbox, 304)
    ordered(ledger, fact, document, net_kg="10.5")  # not what the document says
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        _, undone, anew = rows(outbox)
        assert (undone.state, undone.last_code) == (State.DEAD, "reversal_differs")
        assert (anew.state, anew.attempts) == (State.PENDING, 0)
        skip = ledger.write(
            "message.skipped", "difference/x", message=undone.event_id, why="It is right."
        )
        later = ledger.consumed(304, net_g="500")
        relay.step()
    settled = {row.entry_seq: (row.state, row.attempts) for row in rows(outbox)}
    assert settled[undone.entry_seq] == (State.SKIPPED, 1)
    assert settled[anew.entry_seq] == (State.SKIPPED, 0)
    assert settled[later.seq] == (State.DONE, 1)
    assert f"entry {skip.seq}" in str(settled_by(outbox, anew.event_id))
    assert quantities(erp, 304) == [Decimal(11), Decimal("0.5")]


def settled_by(outbox: Outbox, event_id: str) -> object:
    """Return by which entry a message was settled."""
    c = tables.message.c
    return outbox.read(select(c.settled_by).where(c.event_id == event_id))[0]["settled_by"]


@pytest.mark.requirement("K8")
def test_floor_takes_back_what_stands_then_the_fact_as_it_was_told_last(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, fact, document = booked_wrongly(erp, outbox, 305)
    key = ordered(ledger, fact, document)
    ledger.write("material.reversed", "batch/B305", corrects=fact.seq, order="W305",
                 erp_order="PO-305", batch="B305")  # fmt: skip
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    assert from_bytes(rows(outbox)[-1].body).data.corrects == key
    assert {row.state for row in rows(outbox)} == {State.DONE}
    assert sum(quantities(erp, 305)) == 0


def test_order_that_names_another_fact_is_put_aside(erp: Sandbox, outbox: Outbox) -> None:
    ledger, fact, _ = booked_wrongly(erp, outbox, 306)
    ledger.replaced(fact, "evt_another", replaces=None)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    assert len(rows(outbox)) == 1
    (aside,) = evidence.asides(outbox)
    assert (aside.entry_seq, aside.code) == (2, "not_translated")
