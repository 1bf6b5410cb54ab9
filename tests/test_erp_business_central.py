"""Business Central's adapter: what is sent, what its simulator refuses, what is its alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from core.clock import now
from erp.adapters.business_central import fields, mapping
from erp.adapters.business_central.adapter import BcWords
from erp.adapters.calling import Basic
from erp.adapters.odata4 import to_bytes
from erp.adapters.spoken import SpokenErp
from erp.adapters.units import Unit, Units
from erp.contract import erp_ref
from erp.errors import ErpUnreachable
from erp.port import (
    ErpOrderState,
    Kind,
    OrderRef,
    Outcome,
    PeriodState,
    Rejected,
    Retry,
    Scope,
    Unknown,
)
from erp.simulated import business_central as simulated_bc
from tests.canned_http import canned
from tests.erp_maker import booked, fixtures, read_back, told
from tests.erp_peers import ORDERS, Port, Story, last_month, posting
from tests.erp_simulated import BC_PLANT, SECRET, USER, SimulatedPeer

peer, port, story = fixtures("business-central")
ENTRY: dict[str, Any] = {
    "entryNumber": 12, "documentNumber": "C-1", "postingDate": "2026-11-26",
    "entryType": "Consumption", "orderNumber": "9001", "itemNumber": "LAC", "lotNumber": "L-1",
    "quantity": Decimal("-0.12"), "baseUnitOfMeasureCode": "KG", "movement": "", "messageId": "",
    "systemCreatedAt": "2026-11-26T10:00:00.123Z",
}  # fmt: skip


def spoiled(story: Story, **changes: object) -> dict[str, Any]:
    made = mapping.posting_record(posting(story.consumed()), BC_PLANT) | changes
    return {name: value for name, value in made.items() if value is not None}


def call(peer: SimulatedPeer, **changes: Any) -> httpx.Response:
    """Post to the simulator with a good token, except for what is changed."""
    form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": SECRET,
            "scope": simulated_bc.SCOPE}  # fmt: skip
    asked: dict[str, Any] = {
        "path": f"{simulated_bc.CUSTOM}/postings",
        "type": "application/json",
        "body": b"",
    }
    asked |= changes
    token = httpx.post(
        f"{peer.address}{simulated_bc.TOKEN_PATH}", data=asked.get("form", form), trust_env=False
    )
    if token.status_code != 200:
        return token
    bearer = asked.get("token", token.json()["access_token"])
    return httpx.post(
        f"{peer.address}{asked['path']}",
        content=asked["body"],
        headers={"authorization": f"Bearer {bearer}", "content-type": asked["type"]},
        trust_env=False,
    )


@pytest.mark.requirement("K5")
def test_a_posting_carries_the_message_and_its_quantity_as_an_exact_number(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = story.consumed("120.01")
    booked(port.post(posting(made)))
    [sent] = [it for it in peer.requests() if made.data.erp_ref in it["body"]]
    assert sent["path"] == f"{simulated_bc.CUSTOM}/postings"
    record = json.loads(sent["body"], parse_float=Decimal)
    assert record == {
        "reference": made.data.erp_ref, "messageId": made.id, "digest": posting(made).digest,
        "movement": "issue", "entryType": "Consumption", "orderNumber": story.order,
        "itemNumber": "LAC", "lotNumber": "L-1", "locationCode": "RM",
        "postingDate": made.data.posting_date, "quantity": Decimal("0.12001"),
        "unitOfMeasureCode": "KG",
    }  # fmt: skip
    assert "authorization" not in json.loads(sent["headers"])


@pytest.mark.requirement("K5")
def test_every_movement_and_its_reversal_comes_back_as_it_was_told(
    port: Port, story: Story
) -> None:
    lines = read_back(port, story)
    assert all(one.gl_document and one.gl_period == one.period for one in lines)


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lotNumber", "l-1"), ("itemNumber", "L" * 21), ("lotNumber", "L" * 51),
        ("quantity", "0.12"), ("quantity", Decimal("0.000001")), ("quantity", 0),
        ("entryType", "Sale"), ("postingDate", "26.11.2026"), ("orderNumber", None),
        ("binCode", "A1"), ("digest", 7),
    ],
)  # fmt: skip
def test_what_breaks_the_pages_contract_is_refused_by_both_sides(
    peer: SimulatedPeer, field: str, value: object
) -> None:
    record = spoiled(Story("9001"), **{field: value})
    [fault] = fields.faults(record)
    assert fault.startswith(field)
    answer = call(peer, body=to_bytes(record))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadRequest"


def test_the_longest_that_fits_is_taken_by_our_table() -> None:
    story = Story("9001")
    fits = {"itemNumber": "L" * 20, "lotNumber": "L" * 50, "quantity": Decimal("0.00001")}
    assert fields.faults(spoiled(story, **fits)) == []


@pytest.mark.requirement("K5")
def test_the_simulator_refuses_strangers_other_companies_and_other_forms(
    peer: SimulatedPeer,
) -> None:
    body = to_bytes(spoiled(Story("9001")))
    assert call(peer, body=body, token="made up").status_code == 401
    other = simulated_bc.CUSTOM.replace(simulated_bc.COMPANY, "another") + "/postings"
    assert call(peer, body=body, path=other).status_code == 404
    assert call(peer, body=body, path=f"{simulated_bc.CUSTOM}/entries").status_code == 405
    assert call(peer, body=body, type="text/plain").status_code == 415
    assert call(peer, body=b"{").status_code == 400
    assert call(peer, form={"grant_type": "password"}).status_code == 400
    wrong_scope = {"grant_type": "client_credentials", "client_id": USER, "client_secret": SECRET}
    assert call(peer, form=wrong_scope).json() == {"error": "invalid_scope"}


@pytest.mark.requirement("K5")
def test_a_lot_in_small_letters_is_refused_before_it_is_sent(port: Port, story: Story) -> None:
    told = port.post(posting(story.consumed(lot="l-1")))
    assert isinstance(told, Rejected)
    assert (told.code, told.exchange) == ("does_not_fit", None)
    assert told.detail == "lotNumber: l-1 would be kept as L-1"


@pytest.mark.requirement("K5")
def test_stock_that_is_not_there_is_a_refusal_in_the_erps_own_words(
    port: Port, story: Story
) -> None:
    told = port.post(posting(story.consumed("9000000000")))
    assert isinstance(told, Rejected)
    assert told.code == "bc Application_DialogException"
    assert told.detail.startswith("You have insufficient quantity of Item LAC/L-1")


@pytest.mark.requirement("K4")
def test_a_list_is_read_to_its_last_page(peer: SimulatedPeer, port: Port) -> None:
    page = port.pull(Kind.ORDER, None, None)
    assert page.records is not None
    assert [one.id for one in page.records] == ORDERS  # type: ignore[union-attr]
    asked = [it for it in peer.requests() if it["path"].endswith("manufacturingProductionOrders")]
    assert [json.loads(it["query"]).get("$skiptoken") for it in asked[-3:]] == [None, "25", "50"]


@pytest.mark.requirement("K5")
def test_a_finished_order_takes_nothing(peer: SimulatedPeer, port: Port, story: Story) -> None:
    ref = OrderRef("", story.order)
    assert port.get_order(ref).state is ErpOrderState.RELEASED
    peer.admin("orders", id=story.order, state="finished")
    assert port.get_order(ref).state is ErpOrderState.CLOSED
    told = port.post(posting(story.consumed()))
    assert isinstance(told, Rejected)
    assert told.code == "order_closed"


@pytest.mark.requirement("K5")
def test_the_first_day_of_the_posting_range_is_open_and_the_day_before_is_closed(
    peer: SimulatedPeer, port: Port
) -> None:
    last = last_month(now().date())
    peer.close_period(last)
    try:
        assert port.period(last) is PeriodState.CLOSED
        assert port.period(now().date().replace(day=1)) is PeriodState.OPEN
    finally:
        peer.open_period(last)
    assert port.period(last) is PeriodState.OPEN
    assert port.period(date(now().year - 5, 1, 1)) is PeriodState.OPEN
    assert port.period(date(now().year - 6, 12, 31)) is PeriodState.MISSING


def test_an_entry_of_somebody_else_has_no_reference_of_ours() -> None:
    for quantity, movement in (("-0.12", "issue"), ("0.12", "return")):
        line = mapping.ledger_line(ENTRY | {"quantity": Decimal(quantity)}, BC_PLANT, ())
        assert (line.movement, line.quantity) == (movement, Decimal("0.12"))
        assert (line.reference, line.ref, line.order) == (None, None, "9001")
    output = ENTRY | {"entryType": "Output", "quantity": Decimal("-5")}
    assert mapping.ledger_line(output, BC_PLANT, ()).quantity == Decimal(-5)


def test_cost_in_another_month_and_no_cost_are_shown_as_they_are() -> None:
    gl = {"entryNumber": 91, "postingDate": "2026-12-01", "documentNumber": "C-1"}
    line = mapping.ledger_line(ENTRY, BC_PLANT, [gl | {"entryNumber": 92}, gl])
    assert (line.period, line.gl_period, line.gl_document) == ("2026-11", "2026-12", "91")
    bare = mapping.ledger_line(ENTRY, BC_PLANT, ())
    assert (bare.gl_document, bare.gl_period) == (None, None)


def test_without_automatic_cost_posting_the_general_ledger_is_not_compared(
    peer: SimulatedPeer, story: Story
) -> None:
    plant = replace(BC_PLANT, gl_at_once=False)
    assert not plant.profile().reads_gl
    made = peer.port()
    booked(made.post(posting(story.consumed())))
    made.words.plant = plant  # type: ignore[attr-defined]
    [line] = made.ledger(Scope(order=story.order))
    assert line.gl_document is None
    made.close()


def test_scales_follow_the_units_in_which_the_plant_keeps_its_items() -> None:
    assert BC_PLANT.profile().scales == {"KGM": 5, "LTR": 5, "C62": 0}
    grams = replace(BC_PLANT, units=Units({"KGM": Unit("G", Decimal(1000))}, digits=5))
    assert grams.profile().scales == {"KGM": 8}
    made = mapping.posting_record(posting(Story("1").consumed("120.00001")), grams)
    assert made["quantity"] == Decimal("120.00001")
    assert fields.faults(made) == []


def connected(address: str) -> Port:
    return SpokenErp(BcWords(address, login=Basic("a", "b"), plant=BC_PLANT))


def answered(status: int, **content: object) -> Outcome:
    """Return what becomes of a posting that is answered like this; nothing else is found there."""
    body = json.dumps(content).encode()
    return told(connected, lambda method, _: (status, body) if method == "POST" else (200, NOTHING))


NOTHING = b'{"value":[]}'


def test_answers_that_prove_nothing_are_unknown_or_worth_another_try() -> None:
    changed = {"code": "Request_EntityChanged", "message": "Another user has changed the record."}
    assert isinstance(answered(409, error=changed), Retry)
    assert isinstance(
        answered(201, reference="ANOTHER", entryNumber=1, postingDate="2026-11-26"), Unknown
    )
    assert isinstance(answered(201, hello="world"), Unknown)
    assert isinstance(answered(504), Unknown)
    taken = {"code": "Internal_EntityWithSameKeyExists", "message": "exists"}
    assert isinstance(answered(400, error=taken), Unknown)
    refused = answered(400, error={"code": "Internal_RecordNotFound", "message": "No setup."})
    assert isinstance(refused, Rejected)
    assert (refused.code, refused.detail) == ("period_missing", "No setup.")


def test_a_next_page_at_another_address_is_not_followed() -> None:
    elsewhere = {"value": [], "@odata.nextLink": "https://elsewhere.example/items"}
    with canned(lambda _method, _path: (200, json.dumps(elsewhere).encode())) as address:
        port = connected(address)
        with pytest.raises(ErpUnreachable, match="elsewhere"):
            port.pull(Kind.ITEM, None, None)
        port.close()


def test_a_page_that_the_partner_has_not_made_is_named(peer: SimulatedPeer) -> None:
    made = peer.port()
    made.words.plant = replace(BC_PLANT, pages="other/pages/v1.0")  # type: ignore[attr-defined]
    with pytest.raises(ErpUnreachable, match=r"status 404 at /api/other/pages/v1\.0"):
        made.find_posting("ABC")
    made.close()


def test_a_reversal_names_its_original_by_reference() -> None:
    story = Story("9001")
    first = story.consumed()
    made = mapping.posting_record(posting(story.reversed(first)), BC_PLANT)
    assert (made["corrects"], made["quantity"]) == (erp_ref(first.id), Decimal("-0.12"))
