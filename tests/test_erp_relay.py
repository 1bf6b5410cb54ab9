"""The relay against a sandbox in a process of its own, with faults that really happen."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy

from core.clock import now, parse_iso
from core.ledger.checkpoint import Checkpoint
from erp import evidence
from erp.contract import from_bytes
from erp.outbox import Lease, Outbox
from erp.relay import Endpoint, Relay
from erp.rows import State
from erp.signing import Keys, new_secret, verify
from tests.erp_plant import SITE, Clock, Sandbox, Written, sandbox_running
from tests.patience import eventually

ROOT_HASH = bytes(range(32))


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


@contextmanager
def relaying(ledger: Written, outbox: Outbox, erp: Sandbox, **more: object) -> Iterator[Relay]:
    """Give a relay whose steps the test takes; its clock is real unless given."""
    timeout_s = float(str(more.pop("timeout_s", 5)))
    port = erp.port_to(timeout_s=timeout_s)
    relay = Relay(ledger, outbox, port, site=SITE, poll_s=0.05, **more)  # type: ignore[arg-type]
    try:
        yield relay
    finally:
        relay.stop()
        port.close()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Deaths and outages are meant here; their log lines would only hide others."""
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(logging.NOTSET)


def orders(erp: Sandbox, *numbers: int) -> Written:
    for n in numbers:
        erp.admin("orders", id=f"PO-{n}", product="TAB", quantity="100000", unit="C62")
    return Written()


def states(outbox: Outbox) -> dict[str, list[State]]:
    found: dict[str, list[State]] = {}
    for row in evidence.messages(outbox):
        found.setdefault(row.lane, []).append(row.state)
    return found


def references(erp: Sandbox, n: int) -> list[str]:
    return [line["reference"] for line in erp.lines(f"PO-{n}")]


@pytest.mark.requirement("K1", "K3")
def test_every_fact_is_sent_signed_receipted_and_anchored(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 200)
    ledger.batch(200)
    newest = Checkpoint(6, ROOT_HASH, "")
    with relaying(ledger, outbox, erp, checkpoint=lambda: newest) as relay:
        relay.step()
        assert relay.status().counts[State.DONE] == 6
        assert relay.status().upto_seq == 6
    rows = evidence.messages(outbox)
    assert [row.event_id for row in rows] == references(erp, 200)
    for row in rows:
        (receipt,) = evidence.receipts(outbox, [row.event_id])
        (attempt,) = evidence.attempts(outbox, row.event_id)
        assert row.sha256 == hashlib.sha256(row.body).hexdigest()
        assert receipt.documents
        assert json.loads(receipt.body)["status"] == receipt.status == "posted"
        assert receipt.checkpoint == (6, ROOT_HASH.hex())
        # What we sent is provable from what we kept.
        sent_at = parse_iso(attempt.at)
        keys = Keys.of([erp.events])
        assert verify(keys, attempt.sent_headers, at=sent_at, body=row.body) == row.event_id
    anchor = evidence.newest_anchor(outbox)
    assert anchor is not None
    assert (anchor.size, anchor.root) == (6, ROOT_HASH.hex())


@pytest.mark.requirement("K1", "K2")
def test_a_reply_lost_after_the_commit_ends_with_the_same_documents(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 202)
    ledger.consumed(202)
    clock = Clock(now())
    erp.admin("faults", kind="drop_reply")
    with relaying(ledger, outbox, erp, clock=clock) as relay:
        relay.step()
        (row,) = evidence.messages(outbox)
        assert (row.state, row.attempts) == (State.UNKNOWN, 1)
        relay.step()
        assert evidence.messages(outbox)[0].state is State.UNKNOWN, "it is not due yet"
        clock.pass_s(7)
        relay.step()
    (row,) = evidence.messages(outbox)
    (receipt,) = evidence.receipts(outbox)
    assert (row.state, receipt.status) == (State.DONE, "duplicate")
    (line,) = erp.lines("PO-202")
    assert receipt.documents[0].id == line["document"]


@pytest.mark.requirement("K1")
def test_a_message_of_an_order_waits_for_the_one_before(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 203, 204)
    for _ in range(3):
        ledger.consumed(203)
        ledger.consumed(204)
    erp.admin("faults", kind="500")
    clock = Clock(now())
    with relaying(ledger, outbox, erp, clock=clock) as relay:
        relay.step()
        assert states(outbox) == {
            "W203": [State.UNKNOWN, *[State.PENDING] * 2],
            "W204": [State.DONE] * 3,
        }
        clock.pass_s(7)
        relay.step()
    rows = evidence.messages(outbox, lane="W203")
    assert references(erp, 203) == [row.event_id for row in rows]
    assert [row.lane_seq for row in rows] == [1, 2, 3]
    assert [from_bytes(row.body).sequence for row in rows] == ["1", "2", "3"]


@pytest.mark.requirement("K1")
def test_a_dead_letter_blocks_its_own_order_alone_and_is_replayed(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 205, 206)
    ledger.consumed(205, lot="L-205")
    ledger.consumed(205)
    ledger.consumed(206)
    told: list[str | None] = []
    with relaying(ledger, outbox, erp, on_dead=lambda row, it: told.append(it.code)) as relay:
        relay.step()
        relay.step()
        assert states(outbox) == {"W205": [State.DEAD, State.PENDING], "W206": [State.DONE]}
        assert told == ["lot_unknown"]
        dead = evidence.messages(outbox, state=State.DEAD)[0]
        assert dead.last_error == "Lot L-205 of LAC is not known."
        erp.admin("lots", item="LAC", lot="L-205", quantity="20", unit="KGM")
        ledger.resent(dead.event_id)
        relay.step()
    assert states(outbox)["W205"] == [State.DONE, State.DONE]
    assert evidence.find(outbox, dead.event_id).body == dead.body  # type: ignore[union-attr]
    assert references(erp, 205)[0] == dead.event_id


@pytest.mark.requirement("K2")
def test_a_replayed_message_posts_nothing_new(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 208)
    ledger.batch(208)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        before = erp.lines("PO-208")
        keys = [row.event_id for row in evidence.messages(outbox)]
        for key in keys:
            ledger.resent(key)
        relay.step()
    assert erp.lines("PO-208") == before
    assert [it.status for it in evidence.receipts(outbox, keys)] == ["posted"] * 6 + [
        "duplicate"
    ] * 6


@pytest.mark.requirement("K7")
def test_an_outage_counts_against_no_message_and_ends_without_duplicates(
    tmp_path: Path, outbox: Outbox
) -> None:
    with sandbox_running(tmp_path) as erp:
        ledger = orders(erp, 210, 211, 212)
        with relaying(ledger, outbox, erp) as relay:
            relay.start()
            ledger.batch(210)
            relay.wake()
            eventually(lambda: states(outbox).get("W210") == [State.DONE] * 6)
            erp.stop()
            ledger.batch(211)
            ledger.batch(212)
            relay.wake()
            eventually(lambda: relay.status().endpoint is Endpoint.DOWN)
            status = relay.status()
            assert status.oldest_open_at is not None
            assert {row.attempts for row in evidence.messages(outbox, after=6)} == {0}
            erp.start()
            eventually(lambda: evidence.counts(outbox)[State.DONE] == 18)
            assert relay.status().endpoint is Endpoint.UP
        for n in (210, 211, 212):
            made = [row.event_id for row in evidence.messages(outbox, lane=f"W{n}")]
            assert references(erp, n) == made


@pytest.mark.requirement("K1")
def test_refused_authentication_pauses_everything_until_a_person_resumes(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 213)
    ledger.consumed(213)
    right, wrong = erp.events, new_secret()
    erp.events = wrong
    try:
        with relaying(ledger, outbox, erp) as relay:
            relay.step()
            assert relay.status().endpoint is Endpoint.PAUSED
            assert relay.status().reason == "401: authentication refused"
            relay.step()
            (row,) = evidence.messages(outbox)
            assert (row.state, row.attempts) == (State.PENDING, 0)
            assert len(evidence.attempts(outbox, row.event_id)) == 1
    finally:
        erp.events = right


@pytest.mark.requirement("K3")
def test_a_receipt_that_is_not_proven_is_no_receipt(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 214)
    ledger.consumed(214)
    right = erp.receipts
    erp.receipts = new_secret()
    try:
        with relaying(ledger, outbox, erp) as relay:
            relay.step()
    finally:
        erp.receipts = right
    (row,) = evidence.messages(outbox)
    assert row.state is State.UNKNOWN
    assert row.last_error == "receipt not proven: no signature matches a live key"
    assert evidence.receipts(outbox) == []


@pytest.mark.parametrize(("kind", "after_s"), [("429", 30), ("409", 1)])
def test_the_erps_own_wish_to_wait_is_kept_and_not_counted(
    erp: Sandbox, outbox: Outbox, kind: str, after_s: int
) -> None:
    n = 215 if kind == "429" else 216
    ledger = orders(erp, n)
    ledger.consumed(n)
    erp.admin("faults", kind=kind, seconds=30)
    clock = Clock(now())
    with relaying(ledger, outbox, erp, clock=clock) as relay:
        relay.step()
        (row,) = evidence.messages(outbox)
        assert (row.state, row.attempts) == (State.PENDING, 0)
        assert parse_iso(row.due_at) == clock.at + timedelta(seconds=after_s)
        clock.pass_s(after_s)
        relay.step()
    assert evidence.messages(outbox)[0].state is State.DONE


def test_a_process_that_died_while_sending_sends_again_with_the_same_key(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 217)
    ledger.consumed(217)
    with relaying(ledger, outbox, erp) as first:
        first.step()
    # As if the crash had come between the ERP's answer and our mark.
    (row,) = evidence.messages(outbox)
    with outbox.deriving() as work:
        work.replay([row.event_id], at=now())
    until = now() + timedelta(minutes=5)
    taken = outbox.take("W217", Lease(owner="gone", at=now(), until=until))
    assert taken is not None
    assert (taken.event_id, taken.state) == (row.event_id, State.PENDING)
    assert outbox.take("W217", Lease(owner="other", at=now(), until=until)) is None
    with relaying(ledger, outbox, erp) as second:
        second.start()
        eventually(lambda: evidence.messages(outbox)[0].state is State.DONE)
    assert len(erp.lines("PO-217")) == 1
    assert [it.status for it in evidence.receipts(outbox)] == ["posted", "duplicate"]


def test_a_slow_erp_is_unknown_and_another_order_goes_on_meanwhile(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 218, 219)
    ledger.consumed(218)
    erp.admin("faults", kind="delay", seconds=7)
    with relaying(ledger, outbox, erp, timeout_s=6) as relay:
        relay.start()
        eventually(lambda: states(outbox).get("W218") == [State.SENDING])
        ledger.consumed(219)
        relay.wake()
        eventually(lambda: states(outbox).get("W219") == [State.DONE])
        assert states(outbox)["W218"] == [State.SENDING]
        eventually(lambda: states(outbox)["W218"] == [State.UNKNOWN])


@pytest.mark.requirement("A2")
def test_a_fact_of_an_unlinked_order_is_sent_once_it_is_linked(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 220)
    fact = {"order": "W220", "erp_order": None, "batch": "B220", "material": "LAC", "lot": "L-1"}
    ledger.write("material.consumed", "batch/B220", net_g="5", **fact)
    ledger.write("material.consumed", "batch/B220", net_g="6", **fact)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        assert [it.code for it in evidence.asides(outbox)] == ["no_erp_order"] * 2
        assert relay.status().asides == 2
        ledger.write("work-order.linked", "order/W220", order="W220", erp_ref="PO-220")
        relay.step()
    assert evidence.asides(outbox) == []
    assert [line["quantity"] for line in erp.lines("PO-220")] == ["0.005", "0.006"]


def test_a_fact_that_cannot_be_translated_stops_nothing(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 221)
    ledger.write("material.consumed", "batch/B221", order="W221", erp_order="PO-221", net_g="x")
    ledger.consumed(221)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    (left,) = evidence.asides(outbox)
    assert (left.entry_seq, left.code) == (1, "not_translated")
    assert left.why.startswith("Entry 1 (material.consumed): ")
    assert states(outbox) == {"W221": [State.DONE]}


@pytest.mark.requirement("K3")
def test_bytes_attempts_and_receipts_cannot_be_changed(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 222)
    ledger.consumed(222)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    forbidden = [
        "UPDATE erp_message SET body = x'00'",
        "DELETE FROM erp_message",
        "UPDATE erp_receipt SET body = x'00'",
        "DELETE FROM erp_receipt",
        "DELETE FROM erp_attempt",
    ]
    for sql in forbidden:
        with (
            pytest.raises(sqlalchemy.exc.IntegrityError, match="rows are evidence"),
            outbox.engine.begin() as connection,
        ):
            connection.exec_driver_sql(sql)


def test_the_outbox_works_the_same_on_postgresql(erp: Sandbox, postgres_url: str) -> None:
    ledger = orders(erp, 223, 224)
    ledger.batch(223)
    ledger.consumed(224, lot="L-none")
    outbox = Outbox(postgres_url)
    try:
        with relaying(ledger, outbox, erp) as relay:
            relay.start()
            eventually(lambda: states(outbox).get("W223") == [State.DONE] * 6)
            eventually(lambda: states(outbox).get("W224") == [State.DEAD])
        again = Outbox(postgres_url)
        assert again.upto() == 7
        again.close()
        with (
            pytest.raises(sqlalchemy.exc.DatabaseError, match="rows are evidence"),
            outbox.engine.begin() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM erp_message")
    finally:
        outbox.close()
