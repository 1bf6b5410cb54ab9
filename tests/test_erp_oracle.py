"""Oracle's adapter: what goes to which resource, errors in a 201, and a reference that is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from config.adapters.oracle import OracleSetting
from erp.adapters.oracle import fields, mapping, service, setup
from erp.adapters.oracle.adapter import MEDIA
from erp.adapters.oracle.service import SUPPLY
from erp.adapters.units import Units
from erp.port import (
    Accepted,
    Duplicate,
    ErpOrderState,
    Kind,
    OrderRef,
    Rejected,
    Scope,
)
from erp.simulated import oracle as simulated_oracle
from tests.erp_maker import booked, fixtures, refused
from tests.erp_peers import ORDERS, Port, Story, posting
from tests.erp_simulated import ORACLE_PLANT, SECRET, USER, SimulatedPeer, oracle, simulated

peer, port, story = fixtures("oracle")
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def sent(peer: SimulatedPeer, order: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for it in peer.requests():
        resource = it["path"].rpartition("/")[2]
        if it["method"] == "POST" and resource in fields.DETAIL and order in it["body"]:
            found.append((resource, json.loads(it["body"], parse_float=Decimal)))
    return found


@pytest.mark.requirement("K5")
def test_materials_and_the_product_go_to_their_resources_and_come_back_as_what_they_are(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    first, back, made = story.consumed(), story.returned(), story.produced()
    undone = [story.reversed(one) for one in (first, back, made)]
    for one in (first, back, made, *undone):
        booked(port.post(posting(one)))
    shown = []
    for resource, content in sent(peer, story.order):
        assert fields.faults(resource, content, reference_to="SourceHeaderReference") == []
        [line] = content[fields.DETAIL[resource]]
        way = line.get("TransactionTypeCode") or line["ToDispatchState"]
        shown.append((way, line["TransactionQuantity"], line["TransactionUnitOfMeasure"]))
    assert shown == [
        ("MATERIAL_ISSUE", 120, "Gram"),
        ("MATERIAL_RETURN", 3, "Gram"),
        ("COMPLETE", 1000, "Each"),
        ("MATERIAL_RETURN", 120, "Gram"),
        ("MATERIAL_ISSUE", 3, "Gram"),
        ("READY", 1000, "Each"),
    ]
    lines = list(port.ledger(Scope(order=story.order)))
    assert [(one.movement, one.quantity, one.ref) for one in lines] == [
        ("issue", Decimal("0.12"), first.data.erp_ref),
        ("return", Decimal("0.003"), back.data.erp_ref),
        ("receipt", Decimal(1000), made.data.erp_ref),
        ("issue", Decimal("-0.12"), undone[0].data.erp_ref),
        ("return", Decimal("-0.003"), undone[1].data.erp_ref),
        ("receipt", Decimal(-1000), undone[2].data.erp_ref),
    ]
    for one in undone:
        assert len(port.find_posting(one.data.erp_ref)) == 1


@pytest.mark.requirement("L1")
def test_an_error_within_a_201_is_a_refusal_by_oracles_name_or_by_ours(
    port: Port, story: Story
) -> None:
    told = port.post(posting(story.consumed("9000000")))
    assert isinstance(told, Rejected)
    assert (told.code, "are missing" in told.detail) == ("oracle SIM_STOCK", True)
    assert told.exchange is not None
    assert told.exchange.status == 201
    assert list(port.ledger(Scope(order=story.order))) == []
    assert refused(port.post(posting(story.consumed("1", lot="L-404")))) == "lot_unknown"


def test_an_answer_without_its_flag_is_unreadable_and_either_sign_of_an_error_counts() -> None:
    line = {"ErrorMessages": None, "ErrorMessageNames": None}
    answer = {"ErrorsExistFlag": "false", "MaterialTransactionDetail": [line]}
    assert mapping.refusal_in(answer, fields.MATERIAL) is None
    assert mapping.refusal_in(answer | {"ErrorsExistFlag": "true"}, fields.MATERIAL) == ("", "")
    line |= {"ErrorMessages": "why", "ErrorMessageNames": "NAME"}
    assert mapping.refusal_in(answer, fields.MATERIAL) == ("NAME", "why")
    with pytest.raises(KeyError):
        mapping.refusal_in({"MaterialTransactionDetail": []}, fields.MATERIAL)


@pytest.mark.requirement("K2")
def test_where_the_reference_does_not_come_back_it_stays_taken(
    tmp_path: Path, story: Story
) -> None:
    with simulated("oracle-forgets", tmp_path) as forgetful:
        port = oracle(forgetful, forgetful.address, SECRET)
        port.words.patience_s = 0.2
        told = port.post(posting(story.consumed()))
        assert isinstance(told, Accepted)
        assert port.accepted(told.ticket) is None
        [line] = port.ledger(Scope(order=story.order))
        assert line.ref is None
        assert len(sent(forgetful, story.order)) == 1
        port.close()


@pytest.mark.requirement("K2")
def test_a_product_that_comes_to_stock_later_is_taken_first(
    peer: SimulatedPeer, story: Story
) -> None:
    hasty = oracle(peer, peer.address, SECRET)
    hasty.words.patience_s = 0
    made = posting(story.produced())
    told = hasty.post(made)
    assert isinstance(told, Accepted)
    [document] = booked(hasty.accepted(told.ticket) or told).docs
    again = hasty.post(made)
    assert isinstance(again, Duplicate)
    assert again.docs == (document,)
    hasty.close()


@pytest.mark.requirement("K8")
def test_of_equal_facts_as_many_are_undone_as_there_are(port: Port, story: Story) -> None:
    first, second = story.consumed(), story.consumed()
    for made in (first, second, story.reversed(first), story.reversed(second)):
        booked(port.post(posting(made)))
    assert refused(port.post(posting(story.reversed(second)))) == "already_reversed"
    assert sum(one.quantity or 0 for one in port.ledger(Scope(order=story.order))) == 0


@pytest.mark.requirement("K5")
def test_a_completed_order_still_takes_and_a_closed_one_does_not(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    peer.admin("orders", id=story.order, state="reported")
    assert port.get_order(OrderRef("", story.order)).state is ErpOrderState.TECO
    booked(port.post(posting(story.consumed())))
    peer.admin("orders", id=story.order, state="closed")
    assert refused(port.post(posting(story.consumed("2")))) == "order_closed"


@pytest.mark.requirement("K4")
def test_a_collection_is_read_page_by_page(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 7)
    page = port.pull(Kind.ORDER, None, None)
    assert page.records is not None
    assert len(page.records) == len(ORDERS)
    assert page.body.count(b'"hasMore":true') == len(ORDERS) // 7


@pytest.mark.requirement("K5")
def test_the_simulator_refuses_what_is_not_published(peer: SimulatedPeer, story: Story) -> None:
    token = httpx.post(
        f"{peer.address}{simulated_oracle.TOKEN_PATH}",
        data={"grant_type": "client_credentials", "scope": simulated_oracle.SCOPE},
        auth=(USER, SECRET),
        trust_env=False,
    ).json()["access_token"]
    login = {"authorization": f"Bearer {token}"}
    resource, content = mapping.content_of(posting(story.consumed()), ORACLE_PLANT, NOON)
    with httpx.Client(base_url=f"{peer.address}/{SUPPLY}/", headers=login, trust_env=False) as call:

        def post(body: object, media: str = MEDIA) -> int:
            given = {"content-type": media}
            return call.post(
                resource, content=mapping.ENCODER.encode(body), headers=given
            ).status_code

        assert post(content | {"Unknown": "1"}) == 400
        assert post(content | {"SourceSystemCode": "OTHER"}) == 400
        assert post(content, media="text/plain") == 415
        assert call.get(resource).status_code == 405
        assert call.get("workOrders", params={"q": "Colour='red'"}).status_code == 400
        assert call.get("workOrders", params={"$filter": "1"}).status_code == 400
        assert call.get("workOrders", headers={"authorization": "Bearer 1"}).status_code == 401


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"TransactionNote": "x"}, "line 1 TransactionNote: no such field"),
        ({"TransactionDate": "2026-11-26"}, "line 1 TransactionDate: 2026-11-26 is no time with"),
        ({"TransactionQuantity": "1"}, "line 1 TransactionQuantity: '1' is no exact number"),
        ({"TransactionQuantity": Decimal(-1)}, "line 1 TransactionQuantity: -1 is not above zero"),
        ({"SubinventoryCode": "S" * 19}, f"line 1 SubinventoryCode: {'S' * 19} is longer than 18"),
        ({"TransactionTypeCode": "SCRAP"}, "line 1 TransactionTypeCode: SCRAP is not one of"),
    ],
)
def test_content_that_is_not_published_says_why(change: dict[str, Any], fault: str) -> None:
    resource, content = mapping.content_of(posting(Story("1").consumed()), ORACLE_PLANT, NOON)
    assert fields.faults(resource, content, reference_to="SourceHeaderReference") == []
    content["MaterialTransactionDetail"][0] |= change
    [found] = fields.faults(resource, content, reference_to="SourceHeaderReference")
    assert found.startswith(fault)


def test_a_transaction_of_many_lots_is_a_line_for_each() -> None:
    row = {
        "TransactionId": 7, "TransactionType": mapping.TYPES["issue"], "ItemNumber": "LAC",
        "TransactionUOM": "Gram", "TransactionQuantity": -30, "TransactionSourceName": "9001",
        "TransactionDate": "2026-11-26T11:00:00+00:00", "Reference": "somebody else's",
        "lots": [{"LotNumber": "A", "TransactionQuantity": -10},
                 {"LotNumber": "B", "TransactionQuantity": -20}],
    }  # fmt: skip
    lines = list(mapping.ledger_lines(row, ORACLE_PLANT))
    assert [(it.lot, it.quantity, it.ref, it.document.line) for it in lines] == [
        ("A", Decimal("0.01"), None, "1"),
        ("B", Decimal("0.02"), None, "2"),
    ]
    assert list(mapping.ledger_lines(row | {"TransactionType": "Subinventory Transfer"},
                                     ORACLE_PLANT)) == []  # fmt: skip


def test_the_setting_names_what_the_customer_calls_otherwise() -> None:
    setting = OracleSetting(
        adapter="oracle", token_at="https://id/oauth2/v1/token", client_id="c", scope="s",
        organization="M1", components_from="RM", goods_to="FG", source="MES",
        types={"issue": "WIP-Entnahme"}, refusals={"X": "lot_unknown"},
    )  # fmt: skip
    made = setup.plant(setting, ZoneInfo("UTC"))
    assert made.types == {**mapping.TYPES, "issue": "WIP-Entnahme"}
    assert (made.operation, made.longest_s, made.refusals["X"]) == (10, 300, "lot_unknown")
    assert replace(made, units=Units(made.units, digits=3)).profile().scales == {
        "KGM": 3,
        "LTR": 3,
        "C62": 0,
    }
