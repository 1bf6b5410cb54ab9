"""Dynamics' adapter: what is taken and posted later, found by a number, started and failed."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.adapters.dynamics import DynamicsSetting
from erp.adapters.dynamics import fields, mapping, setup
from erp.adapters.dynamics.adapter import DynamicsWords
from erp.adapters.dynamics.mapping import PICKINGS, Place
from erp.adapters.spoken import SpokenErp
from erp.contract import CROCKFORD
from erp.port import (
    Accepted,
    Duplicate,
    ErpOrderState,
    Kind,
    OrderRef,
    PeriodState,
    Rejected,
    Retry,
    Scope,
)
from tests.erp_maker import booked, fixtures
from tests.erp_peers import Port, Story, posting
from tests.erp_simulated import DYNAMICS_PLANT, SECRET, SimulatedPeer, dynamics, simulated

peer, port, story = fixtures("dynamics")
SEND = "/SendMessage"


def connected(
    peer: SimulatedPeer, *, patience_s: float = 10, **plant: Any
) -> SpokenErp[DynamicsWords]:
    made = dynamics(peer, peer.address, SECRET)
    made.words.plant = replace(DYNAMICS_PLANT, **plant)
    made.words.profile = made.words.plant.profile()
    made.words.patience_s = patience_s
    return made


def sent(peer: SimulatedPeer, order: str) -> list[tuple[str, dict[str, Any]]]:
    bodies = [json.loads(it["body"]) for it in peer.requests() if it["path"].endswith(SEND)]
    told = [(it["_messageType"], json.loads(it["_messageContent"])) for it in bodies]
    return [it for it in told if it[1]["ProductionOrderNumber"] == order]


@pytest.mark.requirement("K5")
def test_an_order_is_started_once_before_its_first_posting_and_consumes_nothing_by_itself(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    first = story.consumed()
    for made in (first, story.returned(), story.produced(), story.reversed(first)):
        booked(port.post(posting(made)))
    told = sent(peer, story.order)
    assert [kind for kind, _ in told] == [
        fields.START, fields.PICKING, fields.PICKING, fields.FINISHED, fields.PICKING
    ]  # fmt: skip
    assert told[0][1]["AutomaticBOMConsumptionRule"] == "Never"
    [line] = told[3][1]["ReportFinishedLines"]
    assert line["AutomaticBOMConsumptionRule"] == "Never"
    for kind, content in told:
        assert fields.faults(kind, json.loads(json.dumps(content), parse_float=Decimal)) == []
    lines = list(port.ledger(Scope(order=story.order)))
    assert [(one.movement, one.quantity, one.ref is None) for one in lines] == [
        ("issue", Decimal("0.12"), False),
        ("return", Decimal("0.003"), False),
        ("issue", Decimal("-0.12"), False),
        ("receipt", Decimal(1000), True),  # Dynamics has no room for a reference there
    ]


@pytest.mark.requirement("K2")
def test_taken_is_not_posted_until_the_journal_says_so(peer: SimulatedPeer, story: Story) -> None:
    hasty = connected(peer, patience_s=0)
    made = posting(story.consumed())
    told = hasty.post(made)
    assert isinstance(told, Accepted)
    until = 10
    while (ended := hasty.accepted(told.ticket)) is None and until:
        until -= 1
    [document] = booked(ended or told).docs
    assert hasty.find_posting(made.ref) == [document]
    again = hasty.post(made)
    assert isinstance(again, Duplicate)
    assert again.docs == (document,)
    hasty.close()


@pytest.mark.requirement("K2")
def test_a_message_in_the_queue_is_not_sent_once_more(peer: SimulatedPeer, story: Story) -> None:
    hasty = connected(peer, patience_s=0)
    booked_before = posting(story.consumed("1"))
    while not isinstance(hasty.post(booked_before), Duplicate):
        pass
    made = posting(story.consumed())
    assert isinstance(hasty.post(made), Accepted)
    while not isinstance(hasty.post(made), Duplicate):
        pass
    kinds = [kind for kind, content in sent(peer, story.order) if made.ref in json.dumps(content)]
    assert kinds == [fields.PICKING]
    hasty.close()


@pytest.mark.requirement("L1")
def test_a_message_that_failed_is_refused_with_the_log_and_may_be_sent_again(
    port: Port, story: Story
) -> None:
    made = posting(story.consumed("6000000"))
    told = port.post(made)
    assert isinstance(told, Rejected)
    assert (told.code, "cannot be picked" in told.detail) == ("dynamics failed", True)
    booked(port.post(posting(story.returned("6000000"))))
    booked(port.post(made))


@pytest.mark.requirement("L1")
def test_without_the_partners_entities_a_failure_is_not_seen_and_nothing_is_sent_again(
    peer: SimulatedPeer, story: Story
) -> None:
    blind = connected(peer, patience_s=0.3, messages=None, periods=None)
    assert blind.period(posting(story.consumed("1")).posting_date) is PeriodState.UNKNOWN
    assert not blind.profile.asks_period_first
    told = blind.post(posting(story.consumed("6000000")))
    assert isinstance(told, Accepted)
    assert blind.accepted(told.ticket) is None
    blind.close()


@pytest.mark.requirement("K5")
def test_a_batch_number_goes_out_only_where_the_customer_has_made_its_field(
    tmp_path: Path, port: Port, story: Story
) -> None:
    told = connected(SimulatedPeer("dynamics", tmp_path), batch_field="ItemBatchNumber")
    assert "lot_on_issue" in told.profile.supports
    assert "lot_on_issue" not in port.profile.supports
    told.close()
    with simulated("dynamics-extended", tmp_path) as extended:
        named = connected(extended, batch_field="ItemBatchNumber")
        booked(named.post(posting(story.consumed())))
        [line] = named.ledger(Scope(order=story.order))
        assert line.lot == "L-1"
        [content] = [it for kind, it in sent(extended, story.order) if kind == fields.PICKING]
        assert content["PickingListLines"][0]["ItemBatchNumber"] == "L-1"
        named.close()


@pytest.mark.requirement("K5")
def test_an_ended_order_takes_nothing_and_a_reported_one_still_does(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    booked(port.post(posting(story.consumed())))
    peer.admin("orders", id=story.order, state="reported")
    assert port.get_order(OrderRef("", story.order)).state is ErpOrderState.TECO
    booked(port.post(posting(story.consumed("1"))))
    peer.admin("orders", id=story.order, state="closed")
    told = port.post(posting(story.consumed("2")))
    assert isinstance(told, Rejected)
    assert told.code == "order_closed"


@pytest.mark.requirement("K3")
def test_a_wrong_client_secret_pauses(peer: SimulatedPeer, story: Story) -> None:
    stranger = dynamics(peer, peer.address, "another secret")
    told = stranger.post(posting(story.consumed()))
    assert isinstance(told, Retry)
    assert told.paused
    stranger.close()


@pytest.mark.requirement("K4")
def test_a_bom_is_told_for_as_much_product_as_makes_its_lines_whole(port: Port) -> None:
    [bom] = port.pull(Kind.BOM, None, None).records or ()
    assert (bom.quantity, bom.unit) == (Decimal(1000), "EA")  # type: ignore[union-attr]
    rows = [
        {"ItemNumber": "A", "Quantity": "1", "QuantityDenominator": "3", "ProductUnitSymbol": "g"},
        {"ItemNumber": "B", "Quantity": "5", "QuantityDenominator": "2", "ProductUnitSymbol": "g"},
    ]
    made = mapping.bom("TAB", rows, DYNAMICS_PLANT, unit="ea")
    assert made.quantity == 6
    assert [line.quantity for line in made.lines] == [Decimal("0.002"), Decimal("0.015")]


@given(st.text(CROCKFORD, min_size=16, max_size=16), st.integers(1, 499))
def test_a_line_is_found_at_its_references_number_and_a_reversal_beside_it(
    ref: str, n: int
) -> None:
    own = Place.at(PICKINGS, ref)
    undone = Place(PICKINGS, own.low + mapping.UNDO)
    assert own.holds(own.number(n))
    assert not own.holds(undone.number(n))
    assert undone.holds(undone.number(n))
    # A double keeps it: 11 digits before the point, 3 after it.
    assert Decimal(repr(float(undone.number(n)))) == undone.number(n)
    assert Place.named(f"{PICKINGS}/{undone.low}/0") == undone


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"ItemBatchNumber": "L-1"}, "line 1 ItemBatchNumber: no such field"),
        ({"ConsumptionDate": "26.11.2026"}, "line 1 ConsumptionDate: 26.11.2026 is no date"),
        ({"ConsumptionInventoryQuantity": "1"},
         "line 1 ConsumptionInventoryQuantity: '1' is no exact number"),
        ({"PositionNumber": "P" * 17},
         f"line 1 PositionNumber: {'P' * 17} is longer than 16 characters"),
    ],
)  # fmt: skip
def test_content_that_is_not_documented_says_why(change: dict[str, Any], fault: str) -> None:
    kind, content = mapping.content_of(posting(Story("1").consumed()), DYNAMICS_PLANT)
    assert fields.faults(kind, content) == []
    content["PickingListLines"][0] |= change
    assert fields.faults(kind, content) == [fault]


def test_the_setting_names_the_partners_parts_and_leaves_the_rest_out() -> None:
    setting = DynamicsSetting(
        adapter="dynamics", tenant="t", client_id="c", company="USMF", messages="MesMessages"
    )
    made = setup.plant(setting, ZoneInfo("UTC"))
    assert (made.messages, made.periods, made.batch_field) == ("MesMessages", None, None)
    assert made.profile().scales == {"KGM": 2, "LTR": 2, "C62": 0}
