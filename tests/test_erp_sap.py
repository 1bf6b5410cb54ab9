"""SAP's adapter against SAP's published contract, and what is SAP's alone.

The OpenAPI documents lie beside the checkout and are read in place; without them those tests skip.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from core.clock import now
from erp.adapters.calling import Basic, shown
from erp.adapters.sap import fields, mapping
from erp.adapters.sap.adapter import SapWords
from erp.adapters.sap.mapping import SapPlant
from erp.adapters.spoken import SpokenErp
from erp.adapters.units import Unit, Units
from erp.contract import digest_text, erp_ref
from erp.port import (
    Duplicate,
    ErpOrderState,
    Kind,
    OrderRef,
    Rejected,
    Retry,
    Scope,
    Unknown,
)
from erp.reconcile import document_name, posting_row
from tests.erp_maker import booked, fixtures
from tests.erp_peers import Port, Story, posting
from tests.erp_simulated import SAP_PLANT, SECRET, USER, SimulatedPeer

CONTRACTS = Path(__file__).resolve().parents[2] / "shared" / "contracts" / "sap_openapi"
PLANT = SapPlant(**SAP_PLANT)
peer, port, story = fixtures("sap-plain")


def contract(name: str) -> dict[str, Any]:
    """Return a published document; the checkout may lie one or two folders deep."""
    for folder in (CONTRACTS, CONTRACTS.parents[2].parent / "shared/contracts/sap_openapi"):
        if (folder / name).is_file():
            found: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
            return found
    pytest.skip(f"{name}: the published contract does not lie beside the checkout")


def schema(name: str) -> dict[str, Any]:
    """Return one of the contract's schemas as JSON Schema: strict, and `nullable` as it is meant.

    The document asks for the numbers of a document in its creation, but it is SAP that gives them:
    its own examples send none.
    """
    document = contract("API_MATERIAL_DOCUMENT_SRV.json")
    for made in document["components"]["schemas"].values():
        if made.get("title", "").endswith("(for create)"):
            made["additionalProperties"] = False
            made.pop("required", None)
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


@pytest.mark.requirement("K5")
def test_every_field_of_our_table_is_as_long_as_sap_publishes_it() -> None:
    schemas = contract("API_MATERIAL_DOCUMENT_SRV.json")["components"]["schemas"]
    for table, name in ((fields.HEADER, "Header"), (fields.ITEM, "Item")):
        theirs = schemas[f"CreateA_MaterialDocument{name}"]["properties"]
        for field, kind in table.items():
            if isinstance(kind, int):
                assert theirs[field]["maxLength"] == kind, field
            elif kind == "quantity":
                shape = (theirs[field]["x-sap-precision"], theirs[field]["x-sap-scale"])
                assert shape == (13, fields.SCALE), field
            elif kind == "date":
                assert fields.DATE.fullmatch(theirs[field]["example"]), field


@pytest.mark.requirement("K5")
def test_every_goods_movement_that_is_sent_fits_the_published_contract(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    first = story.consumed()
    for made in (
        first,
        story.returned(),
        story.scrapped(),
        story.produced(),
        story.reversed(first),
    ):
        booked(port.post(posting(made)))
    sent = [it for it in peer.requests() if it["path"].endswith("A_MaterialDocumentHeader")]
    bodies = [json.loads(it["body"]) for it in sent if it["method"] == "POST"]
    assert len(bodies) >= 5
    validator = jsonschema.Draft202012Validator(schema("CreateA_MaterialDocumentHeader"))
    for body in bodies:
        assert list(validator.iter_errors(body)) == []
        for item in body["to_MaterialDocumentItem"]["results"]:
            quantity = Decimal(item["QuantityInEntryUnit"])  # JSON Schema does not look at 13.3
            assert quantity == round(quantity, 3)
            assert 0 < quantity < 10**10
    kinds = {body["to_MaterialDocumentItem"]["results"][0]["GoodsMovementType"] for body in bodies}
    assert kinds == {"261", "262", "551", "101"}


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("field", "value"),
    [("ReferenceDocument", "R" * 17), ("MaterialDocumentHeaderText", "T" * 26), ("PostDate", "x")],
)
def test_what_the_published_contract_refuses_our_table_refuses_too(field: str, value: str) -> None:
    record = mapping.document(posting(Story("1").consumed()), PLANT)
    assert fields.faults(record, fields.HEADER) == []
    spoiled = record | {field: value}
    assert fields.faults(spoiled, fields.HEADER) != []
    validator = jsonschema.Draft202012Validator(schema("CreateA_MaterialDocumentHeader"))
    assert list(validator.iter_errors(spoiled)) != []


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("field", "value"),
    [("Batch", "B" * 11), ("QuantityInEntryUnit", 1.5), ("Werk", "P001"), ("EntryUnit", "GRAM")],
)
def test_an_item_that_breaks_the_contract_is_refused_by_both(field: str, value: object) -> None:
    record = mapping.document(posting(Story("1").consumed()), PLANT)
    record["to_MaterialDocumentItem"]["results"][0][field] = value
    assert fields.faults(record, fields.HEADER) != []
    validator = jsonschema.Draft202012Validator(schema("CreateA_MaterialDocumentHeader"))
    assert list(validator.iter_errors(record)) != []


@pytest.mark.requirement("K5")
def test_a_fourth_digit_and_an_eleventh_before_the_point_do_not_fit() -> None:
    for text, fits in (
        ("9999999999.999", True), ("0.001", True),
        ("0.0001", False), ("10000000000", False), ("0", False), ("-1", False),
    ):  # fmt: skip
        assert (fields.faults({"QuantityInEntryUnit": text}, fields.ITEM) == []) is fits, text


@pytest.mark.requirement("K5")
def test_a_cancellation_asks_as_the_contract_says(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    received = booked(port.post(posting(story.produced())))
    undone = booked(port.reverse(received.docs[0], "key", now().date()))
    assert isinstance(port.reverse(received.docs[0], "key", now().date()), Duplicate)
    [sent] = [it for it in peer.requests() if it["path"].endswith("/Cancel")]
    document = contract("API_MATERIAL_DOCUMENT_SRV.json")
    asked = {it["name"]: it["schema"] for it in document["paths"]["/Cancel"]["post"]["parameters"]}
    for name, value in json.loads(sent["query"]).items():
        jsonschema.validate(value, asked[name])
    lines = list(port.ledger(Scope(order=story.order)))
    assert [one.quantity for one in lines] == [Decimal(1000), Decimal(-1000)]
    assert [one.document for one in lines] == [received.docs[0], undone.docs[0]]


@pytest.mark.requirement("K8", "L8")
def test_a_document_that_nothing_stands_behind_is_cancelled_if_it_is_as_told(
    port: Port, story: Story
) -> None:
    found = booked(port.post(posting(story.consumed("120"))))
    number, year = found.docs[0].id, found.docs[0].year
    for document, kg, code in (
        (number, "0.13", "reversal_differs"),
        ("4999999999", "0.12", "document_unknown"),
    ):
        refused = port.post(posting(story.undone(document, year, kg=kg)))
        assert isinstance(refused, Rejected)
        assert refused.code == code
    undo = posting(story.undone(number, year, kg="0.12"))
    first, again = booked(port.post(undo)), port.post(undo)
    assert isinstance(again, Duplicate)
    assert again.docs == first.docs
    assert sum(one.quantity or 0 for one in port.ledger(Scope(order=story.order))) == 0


@pytest.mark.requirement("K8")
def test_a_reversed_receipt_is_cancelled_and_its_line_found_by_its_receipt(
    port: Port, story: Story
) -> None:
    received, undo = story.produced(), None
    booked(port.post(posting(received)))
    undo = story.reversed(received)
    first = booked(port.post(posting(undo)))
    again = port.post(posting(undo))
    assert isinstance(again, Duplicate)
    assert again.docs == first.docs
    lines = list(port.ledger(Scope(order=story.order)))
    assert [(one.movement, one.quantity) for one in lines] == [
        ("receipt", Decimal(1000)),
        ("receipt", Decimal(-1000)),
    ]
    assert lines[1].ref is None  # SAP gives a cancellation no reference of ours
    row = posting_row(lines[1], port.profile)
    assert row.document in [document_name(doc) for doc in first.docs]


@pytest.mark.requirement("K5")
def test_a_session_that_is_over_is_fetched_once_more_under_the_same_key(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    booked(port.post(posting(story.consumed())))
    peer.crash()
    peer.restart()  # sessions live in its memory
    booked(port.post(posting(story.consumed("7"))))
    after = [it for it in peer.requests() if it["method"] == "POST"][-2:]
    assert after[0]["body"] == after[1]["body"]


@pytest.mark.requirement("K2")
def test_the_simulator_can_lose_its_answer_after_the_commit(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = posting(story.consumed())
    port.post(posting(story.consumed("1")))
    peer.admin("drop_reply")
    assert isinstance(port.post(made), Unknown)
    assert isinstance(port.post(made), Duplicate)
    assert len(port.find_posting(made.ref)) == 1


@pytest.mark.requirement("K5")
def test_an_order_says_how_far_it_is_and_teco_still_takes_an_issue(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    ref = OrderRef("", story.order)
    assert port.get_order(ref).state is ErpOrderState.RELEASED
    peer.admin("orders", id=story.order, state="teco")
    assert port.get_order(ref).state is ErpOrderState.TECO
    booked(port.post(posting(story.consumed())))
    peer.admin("orders", id=story.order, state="closed")
    assert port.get_order(ref).state is ErpOrderState.CLOSED
    told = port.post(posting(story.consumed("2")))
    assert isinstance(told, Rejected)
    assert told.code == "order_closed"


@pytest.mark.requirement("K5")
def test_stock_that_is_not_there_is_a_refusal_in_saps_own_words(port: Port, story: Story) -> None:
    told = port.post(posting(story.consumed("9000000000")))
    assert isinstance(told, Rejected)
    assert told.code == "sap M7/021"
    assert told.detail.startswith("Deficit of LAC")


@pytest.mark.requirement("K4")
def test_orders_changed_since_are_asked_for_with_fourteen_characters(
    peer: SimulatedPeer, port: Port
) -> None:
    from datetime import timedelta

    from erp.port import Cursor

    assert port.pull(Kind.ORDER, Cursor(now() + timedelta(days=1)), None).records == ()
    query = json.loads(peer.requests()[-1]["query"])["$filter"]
    assert PLANT.profile().deltas == frozenset()  # whole, unless a plant has tried it
    assert replace(PLANT, orders_by_change=True).profile().deltas == {Kind.ORDER}
    stamp = query.split("LastChangeDateTime ge ")[1].strip("'")
    assert len(stamp) == 14
    assert stamp.isdigit()


@pytest.mark.requirement("K5")
def test_a_lot_in_small_letters_is_refused_before_it_is_sent(port: Port, story: Story) -> None:
    told = port.post(posting(story.consumed(lot="l-1")))
    assert isinstance(told, Rejected)
    assert told.code == "does_not_fit"


def test_scales_follow_the_units_in_which_the_plant_keeps_its_materials() -> None:
    kilograms = SapPlant(**{**SAP_PLANT, "units": mapping.UNITS}).profile()
    assert kilograms.scales == {"KGM": 3, "LTR": 3, "C62": 0}
    assert PLANT.profile().scales == {"KGM": 6, "C62": 0}
    milligrams = SapPlant(
        **{**SAP_PLANT, "units": Units({"KGM": Unit("MG", Decimal(10**6))}, digits=3)}
    )
    assert milligrams.profile().scales == {"KGM": 9}


def test_no_secret_is_kept_with_an_exchange(port: Port, story: Story) -> None:
    outcome = booked(port.post(posting(story.consumed())))
    assert outcome.exchange is not None
    kept = json.dumps([dict(outcome.exchange.sent_headers), dict(outcome.exchange.headers)])
    assert "Basic" not in kept
    assert "SAP_SESSIONID" not in kept
    assert shown({"X-CSRF-Token": "Required"}) == {"x-csrf-token": "Required"}


def test_nobody_there_is_a_wish_to_try_again_and_sends_nothing() -> None:
    lost = SpokenErp(SapWords("http://127.0.0.1:9", login=Basic(USER, SECRET), plant=PLANT))
    made = posting(Story("1").consumed())
    assert isinstance(lost.post(made), Retry)
    assert not lost.health().up
    lost.close()


def test_the_texts_of_a_document_lead_back_to_the_message() -> None:
    story = Story("1")
    first = story.consumed()
    undo = posting(story.reversed(first))
    text = mapping.TEXT.fullmatch(mapping.item_text(undo))
    assert text is not None
    assert text.groups() == (undo.key, erp_ref(first.id))
    assert len(mapping.item_text(undo)) <= 50
    assert len(digest_text(undo.digest)) == 25
    assert mapping.sap_date(date(1970, 1, 2)) == "/Date(86400000)/"
