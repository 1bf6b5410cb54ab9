"""What people decide about messages, carried out by the relay against a sandbox of its own."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.clock import iso, now, parse_iso
from dashboards.finance.words import STEPS, step_for
from erp import evidence
from erp.agreement.openapi import CODES
from erp.contract import BookedDocument, from_bytes
from erp.outbox import Outbox
from erp.replaying import Choice
from erp.rows import State
from tests.erp_plant import ROOT, Sandbox, Written, sandbox_running
from tests.test_erp_relay import orders, relaying, states


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


@pytest.mark.requirement("K1")
@pytest.mark.parametrize(
    ("type_", "state"),
    [("message.skipped", State.SKIPPED), ("message.superseded", State.SUPERSEDED)],
)
def test_a_settled_dead_letter_lets_its_order_go_on(
    type_: str, state: State, erp: Sandbox, outbox: Outbox
) -> None:
    n = 207 if state is State.SKIPPED else 277
    ledger = orders(erp, n)
    ledger.consumed(n, lot="L-none")
    ledger.consumed(n)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        dead = evidence.messages(outbox)[0].event_id
        decision = ledger.write(type_, f"difference/{dead}", message=dead, why="Booked by hand.")
        relay.step()
    assert states(outbox)[f"W{n}"] == [state, State.DONE]
    found = evidence.find(outbox, dead)
    assert found is not None
    assert found.settled_by == f"entry {decision.seq}"


@pytest.mark.requirement("K1", "L8")
def test_a_decision_about_a_message_is_carried_out_once(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 209)
    ledger.consumed(209)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        (row,) = evidence.messages(outbox)
        ledger.resent(row.event_id)
        relay.step()
        relay.step()
    with relaying(ledger, outbox, erp) as another:  # a new process reads on where this one was
        another.step()
    with relaying(ledger, outbox, erp) as slow:  # one that read before, and comes later
        slow._deriver.read_upto = 0
        slow.step()
    tried = evidence.attempts(outbox, row.event_id)
    assert [one.outcome for one in tried] == ["posted", "duplicate"]
    with relaying(ledger, outbox, erp) as relay:  # too late: it is booked, and stays so
        ledger.write("message.skipped", "difference/x", message=row.event_id, why="No.")
        relay.step()
    assert evidence.messages(outbox)[0].state is State.DONE


def by_hand(erp: Sandbox, n: int, net_kg: str) -> str:
    """Post on an order by hand and return the document as screens name it."""
    erp.admin("postings", order=f"PO-{n}", item="LAC", lot="L-1", quantity=net_kg, movement="issue")
    line = erp.lines(f"PO-{n}")[-1]
    return f"{line['document']}/{line['year']}"


@pytest.mark.requirement("K8", "L8")
def test_a_document_that_nothing_stands_behind_is_undone_once_line_by_line(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 230)
    ledger.consumed(230)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        document = by_hand(erp, 230, "12")
        entry = ledger.undone(230, document, net_kg="12")
        relay.step()
        row = evidence.messages(outbox)[-1]
        assert (row.type, row.state, row.lane) == ("mes.document_reversed.v1", State.DONE, "W230")
        assert (row.entry_seq, row.lane_seq) == (entry.seq, 2)
        ledger.undone(230, document, net_kg="12")
        relay.step()
    again = evidence.messages(outbox)[-1]
    assert (again.state, again.last_code) == (State.DEAD, "already_reversed")
    issued = [line["quantity"] for line in erp.lines("PO-230")]
    assert [Decimal(one) for one in issued] == [Decimal(12), Decimal(12), Decimal(-12)]
    assert from_bytes(row.body).data.document == BookedDocument(
        id=document.split("/")[0], year=document.split("/")[1]
    )


@pytest.mark.parametrize(
    ("document", "net_kg", "code"),
    [("", "11", "reversal_differs"), ("4999999999/2026", "12", "document_unknown")],
)
def test_a_document_that_is_not_as_told_stays_as_it_is(
    document: str, net_kg: str, code: str, erp: Sandbox, outbox: Outbox
) -> None:
    n = 231 if document else 232
    ledger = orders(erp, n)
    ledger.undone(n, document or by_hand(erp, n, "12"), net_kg=net_kg)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    (row,) = evidence.messages(outbox)
    assert (row.state, row.last_code) == (State.DEAD, code)
    assert len(erp.lines(f"PO-{n}")) == (0 if document else 1)


def replay_ordered(ledger: Written, **chosen: object) -> None:
    given = {"messages": [], "order": None, "since": None, "until": iso(now()), "why": "Lost."}
    ledger.write("message.replay-ordered", "replay/tablets", **(given | chosen))


def tried(outbox: Outbox) -> dict[str, list[int]]:
    """Return how often each message of each order was tried, in the order of its lane."""
    found: dict[str, list[int]] = {}
    for row in evidence.messages(outbox):
        found.setdefault(row.lane, []).append(len(evidence.attempts(outbox, row.event_id)))
    return found


@pytest.mark.requirement("K1", "K2")
def test_a_replay_by_id_order_or_time_sends_the_same_bytes_once_more(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 310, 311)
    for n in (310, 310, 311):
        ledger.consumed(n)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        before = [(row.event_id, row.body) for row in evidence.messages(outbox)]
        booked = [erp.lines(f"PO-{n}") for n in (310, 311)]
        replay_ordered(ledger, order="W310")
        relay.step()
        assert tried(outbox) == {"W310": [2, 2], "W311": [1]}
        replay_ordered(ledger, messages=[before[2][0]])
        relay.step()
        assert tried(outbox) == {"W310": [2, 2], "W311": [2]}
        made = [parse_iso(row.made_at) for row in evidence.messages(outbox)]
        replay_ordered(ledger, since=iso(min(made)), until=iso(max(made)))
        relay.step()
        assert tried(outbox) == {"W310": [2, 2], "W311": [2]}, "all are made at one end: not before"
        late = iso(max(made) + timedelta(microseconds=1))
        replay_ordered(ledger, since=iso(min(made)), until=late)
        relay.step()
        relay.step()
        assert tried(outbox) == {"W310": [3, 3], "W311": [3]}, "each order is carried out once"
    assert [(row.event_id, row.body) for row in evidence.messages(outbox)] == before
    assert [erp.lines(f"PO-{n}") for n in (310, 311)] == booked
    for event_id, _ in before:
        keys = {it.sent_headers["idempotency-key"] for it in evidence.attempts(outbox, event_id)}
        assert keys == {f'"{event_id}"'}


def test_a_replay_leaves_alone_what_was_never_tried_and_what_came_after_it(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = orders(erp, 312)
    ledger.consumed(312)
    replay_ordered(ledger, order="W312")
    ledger.consumed(312)
    assert evidence.covered(outbox, Choice(order="W312")).messages == 0
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        assert tried(outbox) == {"W312": [1, 1]}
    found = evidence.covered(outbox, Choice(order="W312"))
    assert (found.messages, found.orders) == (2, 1)
    assert found.first is not None
    assert found.last is not None
    assert found.first <= found.last


@pytest.mark.requirement("K8")
def test_a_yield_that_was_amended_is_reversed_and_booked_anew(erp: Sandbox, outbox: Outbox) -> None:
    ledger = orders(erp, 320)
    goods = {"batch": "B320", "order": "W320", "erp_order": "PO-320", "product": "TAB"}
    goods |= {"lot": "B320", "unit": "EA"}
    made = ledger.write("material.produced", "batch/B320", quantity="99000", **goods)
    about = {**goods, "quantity": "99000", "why": "Wrong sheet.", "corrects": made.seq}
    ledger.write("material.production-reversed", "amendment/B320.1", **about)
    ledger.write("material.produced", "amendment/B320.1", quantity="98900", **goods)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
    assert states(outbox)["W320"] == [State.DONE] * 3
    first, undone, _ = evidence.messages(outbox)
    assert from_bytes(undone.body).data.corrects == first.event_id
    receipts = [Decimal(line["quantity"]) for line in erp.lines("PO-320")]
    assert sum(receipts) == Decimal(98900), receipts


@pytest.mark.requirement("K1", "K8")
def test_goods_reversed_on_a_closed_order_wait_with_their_cause_and_hold_up_that_order_alone(
    erp: Sandbox, outbox: Outbox
) -> None:
    """The reversal and the whole new quantity are booked in their order once it is open again."""
    ledger = orders(erp, 330, 331)
    goods = {"batch": "B330", "order": "W330", "erp_order": "PO-330", "product": "TAB"}
    goods |= {"lot": "B330", "unit": "EA"}
    made = ledger.write("material.produced", "batch/B330", quantity="99000", **goods)
    with relaying(ledger, outbox, erp) as relay:
        relay.step()
        erp.admin("orders", id="PO-330", state="closed")
        about = {**goods, "quantity": "99000", "why": "Wrong sheet.", "corrects": made.seq}
        ledger.write("material.production-reversed", "amendment/B330.1", **about)
        ledger.write("material.produced", "amendment/B330.1", quantity="98900", **goods)
        ledger.consumed(331)
        relay.step()
        assert states(outbox) == {
            "W330": [State.DONE, State.DEAD, State.PENDING], "W331": [State.DONE],
        }  # fmt: skip
        _, dead, waits = evidence.messages(outbox, lane="W330")
        assert (dead.last_code, waits.last_code) == ("order_closed", None)
        assert dead.last_error == "Order PO-330 is closed; it takes no posting."
        assert step_for(dead.last_code) == "Reopen the order in the ERP, then resend."
        assert [line["quantity"] for line in erp.lines("PO-330")] == ["99000"], "nothing by half"
        erp.admin("orders", id="PO-330", state="released")
        ledger.resent(dead.event_id)
        relay.step()
    assert states(outbox)["W330"] == [State.DONE] * 3
    booked = erp.lines("PO-330")
    assert [Decimal(line["quantity"]) for line in booked] == [99000, -99000, 98900]
    assert [line["reference"] for line in booked][1:] == [dead.event_id, waits.event_id]


SAYS_NO = re.compile(
    r'(?:BusinessRefusal|Rejected|Refusal)\(\s*"([a-z_]+)"|return "([a-z]+_[a-z]+)"[,\n]'
)


def codes(pattern: str) -> set[str]:
    """Return every code that files of ours refuse a message with."""
    texts = [one.read_text("utf-8") for one in sorted(ROOT.glob(pattern))]
    found = {code or other for text in texts for code, other in SAYS_NO.findall(text)}
    return found - {"", "in_flight", "signature_refused"}  # neither makes a dead letter


def test_every_refusal_has_a_next_step_of_its_own_and_stands_in_the_contract() -> None:
    assert len(codes("erp/**/*.py")) > 20
    assert codes("erp/**/*.py") <= STEPS.keys()
    assert codes("erp/sandbox/posting.py") <= CODES.keys()
