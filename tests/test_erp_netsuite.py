"""NetSuite's adapter: what is NetSuite's alone, beside the conformance suite."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.clock import now
from erp.adapters.calling import LoginRefused
from erp.adapters.given import SecretUnfit
from erp.adapters.netsuite import fields, mapping, queries
from erp.adapters.netsuite.login import key_of
from erp.adapters.netsuite.mapping import Resolved
from erp.port import (
    Accepted,
    Cursor,
    Duplicate,
    ErpOrderState,
    Kind,
    OrderRef,
    Posting,
    Rejected,
    Retry,
    Scope,
)
from tests import netsuite_peer
from tests.erp_maker import booked, fixtures
from tests.erp_peers import Port, Story, last_month, posting
from tests.erp_simulated import SimulatedPeer
from tests.hands import refusal

peer, port, story = fixtures("netsuite")
FOUND = Resolved(period="11", order="22", items=["33"], lots=["44"])
PLANT = netsuite_peer.plant()


def sent(peer: SimulatedPeer, record: str) -> list[dict[str, Any]]:
    return [it for it in peer.requests() if it["path"].endswith(f"/record/v1/{record}")]


@pytest.mark.requirement("K5")
def test_every_posting_names_its_period_and_is_found_by_its_external_id(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    first = story.consumed()
    told = (first, story.returned(), story.scrapped(), story.produced(), story.reversed(first))
    for made in told:
        booked(port.post(posting(made)))
    requests = [it for kind in fields.RECORDS for it in sent(peer, kind)][-5:]
    assert len(requests) == 5
    for it in requests:
        record, headers = json.loads(it["body"], parse_float=Decimal), json.loads(it["headers"])
        assert headers["prefer"] == "respond-async"
        assert headers["x-netsuite-propertynamevalidation"] == "Error"
        assert str(uuid.UUID(headers["x-netsuite-idempotency-key"])) in it["headers"]
        assert record["postingPeriod"]["id"].isdigit()
        assert mapping.MEMO.fullmatch(record["memo"])
        assert fields.faults(record, fields.RECORDS[it["path"].rpartition("/")[2]]) == []
    shown = {(one.movement, one.quantity, one.gl_document is not None) for one in
             port.ledger(Scope(order=story.order))}  # fmt: skip
    assert shown == {
        ("issue", Decimal("0.12"), True), ("issue", Decimal("-0.12"), True),
        ("return", Decimal("0.003"), True), ("scrap", Decimal("0.002"), True),
        ("receipt", Decimal(1000), True),
    }  # fmt: skip


@pytest.mark.requirement("K5")
def test_a_quantity_crosses_as_a_number_of_exactly_our_digits(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    booked(port.post(posting(story.consumed("100.01"))))
    body = sent(peer, "workOrderIssue")[-1]["body"]
    assert re.findall(r'"quantity":([0-9.e-]+)', body) == ["0.10001"] * 3
    assert port.profile.misfit(posting(story.consumed("100.001"))) is not None


@pytest.mark.requirement("K2")
def test_a_posting_that_was_refused_goes_under_the_next_key_once_it_is_mended(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = posting(story.consumed("6000000"))  # 6 t: more than there is
    told = port.post(made)
    assert isinstance(told, Rejected)
    assert told.code == "netsuite USER_ERROR"
    assert "is available" in told.detail
    booked(port.post(posting(story.returned("6000000"))))  # now it is there
    booked(port.post(made))
    keys = [json.loads(it["headers"])["x-netsuite-idempotency-key"] for it in
            sent(peer, "workOrderIssue") if made.ref in it["body"]]  # fmt: skip
    assert keys == [mapping.request_key(made, n) for n in (0, 0, 1)]
    assert len(port.find_posting(made.ref)) == 1


@pytest.mark.requirement("K2")
def test_a_job_that_goes_on_is_a_ticket_and_is_found_when_it_has_ended(
    peer: SimulatedPeer, story: Story
) -> None:
    hasty = netsuite_peer.connect(peer.address, token_at=peer.address, whose=netsuite_peer.PLANT)
    hasty.words.netsuite._patience_s = 0  # gives up at the first "pending"
    made = posting(story.consumed())
    told = hasty.post(made)
    assert isinstance(told, Accepted)
    assert hasty.accepted(told.ticket) is None
    assert len(hasty.find_posting(made.ref)) == 1
    assert isinstance(hasty.post(made), Duplicate)
    hasty.close()


@pytest.mark.requirement("L1")
def test_without_a_posting_period_the_earliest_open_one_would_be_taken(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    booked(port.post(posting(story.consumed())))
    record = json.loads(sent(peer, "workOrderIssue")[-1]["body"])
    del record["postingPeriod"]
    body = mapping.to_bytes(record | {"externalId": "OTHER"})
    exchange, _ = port.words.netsuite.write(  # type: ignore[attr-defined]
        "workOrderIssue", body, None
    )
    assert exchange.status == 204
    periods = {one.ref: one.period for one in port.ledger(Scope(order=story.order))}
    assert periods[posting(story.made[1]).ref] == f"{now():%Y-%m}"
    assert periods[None] < f"{now():%Y-%m}"  # whoever forgets it books into the past


@pytest.mark.requirement("L1")
def test_what_a_period_says_is_asked_before_anything_is_sent(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    before = len(sent(peer, "workOrderIssue"))
    peer.close_period(last_month(now().date()))
    try:
        told = port.post(posting(story.on(last_month(now().date())).consumed()))
    finally:
        peer.open_period(last_month(now().date()))
    assert isinstance(told, Rejected)
    assert told.code == "period_closed"
    assert len(sent(peer, "workOrderIssue")) == before


@pytest.mark.requirement("K5")
def test_a_built_order_takes_an_issue_and_a_closed_one_nothing(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    ref = OrderRef("", story.order)
    assert port.get_order(ref).state is ErpOrderState.RELEASED
    peer.admin("orders", id=story.order, state="built")
    assert port.get_order(ref).state is ErpOrderState.TECO
    booked(port.post(posting(story.consumed())))
    peer.admin("orders", id=story.order, state="closed")
    told = port.post(posting(story.consumed("2")))
    assert isinstance(told, Rejected)
    assert told.code == "order_closed"


@pytest.mark.requirement("K4")
def test_orders_changed_since_are_asked_for_in_netsuites_time(port: Port) -> None:
    assert PLANT.profile().deltas == frozenset()
    assert replace(PLANT, orders_by_change=True).profile().deltas == {Kind.ORDER}
    later = Cursor(now() + timedelta(days=1))
    assert port.pull(Kind.ORDER, later, None).records == ()
    assert len(port.pull(Kind.ORDER, Cursor(now() - timedelta(days=1)), None).records or ()) > 1
    assert len(port.pull(Kind.ITEM, later, None).records or ()) == 3


@pytest.mark.requirement("K3")
def test_a_key_that_the_account_does_not_know_pauses_and_an_expired_token_does_not(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    stranger = peer.port(secret="somebody else's")
    told = stranger.post(posting(story.consumed()))
    assert isinstance(told, Retry)
    assert told.paused
    with pytest.raises(LoginRefused):
        next(stranger.ledger(Scope()))
    stranger.close()
    booked(port.post(posting(story.consumed())))
    peer.crash()
    peer.restart()  # tokens live in its memory
    booked(port.post(posting(story.consumed("7"))))


@pytest.mark.requirement("K3")
def test_a_secret_that_is_no_private_key_is_refused_without_being_shown() -> None:
    for pem in ("hunter2", netsuite_peer.public_key()):
        said = refusal(SecretUnfit, lambda pem=pem: key_of("erp-netsuite-key", pem))
        assert said.startswith("Secret erp-netsuite-key: is no private key as PEM.")
        assert "hunter2" not in said


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"tranDte": "2026-11-26"}, "tranDte: no such property"),
        ({"tranDate": "26.11.2026"}, "tranDate: 26.11.2026 is no date"),
        ({"postingPeriod": "11"}, "postingPeriod: '11' is no reference by id"),
        ({"createdFrom": {"id": "x"}}, "createdFrom: x is no internal id"),
        ({"memo": "m" * 301}, "memo: is longer than 300 characters"),
        ({"component": {"items": []}}, "component: has no items"),
        ({"component": {"items": [{"item": "3", "quantity": Decimal("0.000001")}]}},
         "component[0].quantity: 0.000001 has more than 5 digits after the point"),
        ({"component": {"items": [{"item": "3", "quantity": "1"}]}},
         "component[0].quantity: '1' is no exact number"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_says_why(change: dict[str, Any], fault: str) -> None:
    record = mapping.record_of(posting(Story("1").consumed()), FOUND, PLANT)
    assert fields.faults(record, fields.RECORDS["workOrderIssue"]) == []
    assert fields.faults(record | change, fields.RECORDS["workOrderIssue"]) == [fault]


def test_what_our_table_refuses_the_simulator_refuses_too(port: Port, story: Story) -> None:
    record = mapping.record_of(posting(story.consumed()), FOUND, PLANT) | {"tranDte": "x"}
    exchange, _ = port.words.netsuite.write(  # type: ignore[attr-defined]
        "workOrderIssue", mapping.to_bytes(record), None
    )
    assert exchange.status == 400
    assert mapping.error_of(exchange.body) == (
        "INVALID_CONTENT",
        "Error while accessing a resource. tranDte: no such property",
    )


def test_scrap_is_told_only_where_its_account_is_set() -> None:
    scrapped = Story("1").scrapped().type
    assert PLANT.profile().books(scrapped)
    assert not replace(PLANT, scrap=None).profile().books(scrapped)


def test_at_once_no_key_is_claimed_and_a_lost_answer_waits_fifteen_minutes() -> None:
    at_once = replace(PLANT, asynchronous=False, longest_s=900).profile()
    assert "native_key" not in at_once.supports
    assert at_once.longest_s == 900
    assert PLANT.profile().longest_s == 0


def test_the_key_of_a_request_follows_message_bytes_and_attempt() -> None:
    made: Posting = posting(Story("1").consumed())
    keys = {mapping.request_key(made, n) for n in range(3)}
    keys.add(mapping.request_key(replace(made, digest="0" * 64), 0))
    assert len(keys) == 4
    assert mapping.request_key(made, 0) == mapping.request_key(made, 0)


def test_a_text_with_a_quote_stays_one_literal() -> None:
    assert "'O''Neill'" in queries.item("O'Neill")
    assert queries.lot("7", "a'b").count("''") == 1
