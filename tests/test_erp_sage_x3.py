"""Sage X3's adapter: what is sent, what its simulator refuses, what is its alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from core.clock import now
from erp.adapters.calling import Basic
from erp.adapters.sage_x3 import fields, mapping, soap
from erp.adapters.sage_x3.adapter import X3Words
from erp.adapters.sage_x3.mapping import X3Plant
from erp.adapters.spoken import SpokenErp
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
    Unknown,
)
from tests.erp_maker import booked, fixtures, read_back, told
from tests.erp_peers import ORDERS, Port, Story, last_month, posting
from tests.erp_simulated import SECRET, USER, X3_PLANT, SimulatedPeer

peer, port, story = fixtures("sage-x3")
LINE: dict[str, Any] = {
    "MVTSEQ": 7, "VCRNUM": "MTK1", "VCRLIN": "1000", "VCRNUMORI": "9001", "ITMREF": "LAC",
    "LOT": "L-1", "QTYSTU": "-0.12", "STU": "KG", "TRSTYP": "6", "IPTDAT": "20261126",
    "ACCDAT": "20261126", "NUMVCR": "STK1", "CREDATTIM": "2026-11-26T10:00:00Z", "REF": "",
    "MSG": "", "MVT": "",
}  # fmt: skip


def call(peer: SimulatedPeer, body: bytes, **changes: Any) -> httpx.Response:
    headers = changes.get("headers", soap.HEADERS)
    login = changes.get("login", (USER, SECRET))
    with httpx.Client(trust_env=False, auth=login) as client:
        return client.post(f"{peer.address}/{soap.PATH}", content=body, headers=headers)


def run(given: dict[str, Any], name: str = fields.POST, pool: str = "MES") -> bytes:
    return soap.envelope(name, given, pool=pool, language="ENG")


def spoiled(**changes: object) -> dict[str, Any]:
    made: dict[str, Any] = mapping.posting_parameters(posting(Story("9001").consumed()), X3_PLANT)
    return {name: value for name, value in (made | changes).items() if value is not None}


@pytest.mark.requirement("K5")
def test_a_run_carries_pool_language_and_the_message_as_json(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = story.consumed("120.01")
    booked(port.post(posting(made)))
    [sent] = [it for it in peer.requests() if made.data.erp_ref in it["body"]]
    assert sent["path"] == f"/{soap.PATH}"
    assert json.loads(sent["headers"])["soapaction"] == '""'
    root = ET.fromstring(sent["body"])
    texts = {soap.local(it.tag): it.text for it in root.iter() if it.text}
    assert texts["poolAlias"] == "MES"
    assert texts["requestConfig"] == "adxwss.optreturn=JSON&adxwss.beautify=false"
    assert texts["publicName"] == "ZMESPOST"
    assert json.loads(texts["inputXml"] or "") == {"GRP1": {
        "I_REF": made.data.erp_ref, "I_MSG": made.id, "I_DIG": posting(made).digest,
        "I_MVT": "issue", "I_FCY": "FR011", "I_MFG": story.order, "I_ITM": "LAC", "I_LOT": "L-1",
        "I_LOC": "RM", "I_DAT": made.data.posting_date.replace("-", ""), "I_QTY": "0.12001",
        "I_STU": "KG", "I_COR": "", "I_UND": "",
    }}  # fmt: skip


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
        ("I_LOT", "l-1"), ("I_LOT", "L" * 16), ("I_ITM", "I" * 21), ("I_LOT", ""),
        ("I_QTY", "0.000001"), ("I_QTY", "0"), ("I_QTY", "1e3"), ("I_QTY", "1" * 10),
        ("I_QTY", 0.12), ("I_MVT", "transfer"), ("I_DAT", "2026-11-26"), ("I_STU", None),
        ("I_BIN", "A1"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_refused_by_both_sides(
    peer: SimulatedPeer, field: str, value: object
) -> None:
    given = spoiled(**{field: value})
    assert fields.faults(given)[0].startswith(field)
    told = soap.answer_of(call(peer, run(given)).content).result["GRP2"]
    assert (told["O_STAT"], told["O_CODE"]) == ("0", "PARAM")


def test_the_longest_that_fits_is_taken_by_our_table() -> None:
    fits = {"I_LOT": "L" * 15, "I_ITM": "I" * 20, "I_QTY": "999999999.99999"}
    assert fields.faults(spoiled(**fits)) == []


@pytest.mark.requirement("K5")
def test_the_simulator_refuses_strangers_and_broken_calls(peer: SimulatedPeer) -> None:
    good = run(spoiled())
    assert call(peer, good, login=(USER, "wrong")).status_code == 401
    for broken in (
        run(spoiled(), pool="ANOTHER"),
        good.replace(b"adxwss.optreturn=JSON", b"adxwss.optreturn=XML"),
        good.replace(b"<codeLang", b"<langCode").replace(b"</codeLang", b"</langCode"),
        good.replace(b'xsi:type="xsd:string">{', b'xsi:type="xsd:string">nothing {'),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + good,
        good[:-20],
    ):
        answer = call(peer, broken)
        assert (answer.status_code, b"faultstring" in answer.content) == (500, True)
        with pytest.raises(ValueError, match="no runReturn"):
            soap.answer_of(answer.content)
    no_action = {"content-type": soap.HEADERS["content-type"]}
    assert call(peer, good, headers=no_action).status_code == 500
    unknown = soap.answer_of(call(peer, run({}, name="ZOTHER")).content)
    assert (unknown.status, unknown.words) == (0, "Web service ZOTHER is not published")


@pytest.mark.requirement("K5")
def test_a_lot_in_small_letters_is_refused_before_it_is_sent(port: Port, story: Story) -> None:
    told = port.post(posting(story.consumed(lot="l-1")))
    assert isinstance(told, Rejected)
    assert (told.code, told.exchange) == ("does_not_fit", None)


@pytest.mark.requirement("K5")
def test_stock_that_is_not_there_is_a_refusal_in_the_erps_own_words(
    port: Port, story: Story
) -> None:
    told = port.post(posting(story.consumed("9000000")))
    assert isinstance(told, Rejected)
    assert (told.code, told.detail.split(" would")[0]) == ("x3 STK", "Stock of LAC/L-1")


@pytest.mark.requirement("K4")
def test_a_list_is_read_to_its_last_page(peer: SimulatedPeer, port: Port) -> None:
    page = port.pull(Kind.ORDER, None, None)
    assert [one.id for one in page.records or ()] == ORDERS  # type: ignore[union-attr]
    asked = [it["body"] for it in peer.requests() if '"I_KIND":"order"' in it["body"]]
    marks = [text.split('"I_AFTER":"')[1].split('"')[0] for text in asked[-3:]]
    assert marks == ["", "25", "50"]


@pytest.mark.requirement("K5")
def test_an_order_that_is_not_firm_takes_nothing(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    ref = OrderRef("", story.order)
    assert port.get_order(ref).state is ErpOrderState.RELEASED
    peer.admin("orders", id=story.order, state="planned")
    assert port.get_order(ref).state is ErpOrderState.PLANNED
    told = port.post(posting(story.consumed()))
    assert isinstance(told, Rejected)
    assert told.code == "x3 MFGSTA"
    peer.admin("orders", id=story.order, state="closed")
    told = port.post(posting(story.consumed()))
    assert isinstance(told, Rejected)
    assert told.code == "order_closed"


@pytest.mark.requirement("K5")
def test_periods_are_open_closed_or_not_there(peer: SimulatedPeer, port: Port) -> None:
    last = last_month(now().date())
    assert port.period(last) is PeriodState.OPEN
    peer.close_period(last)
    try:
        assert port.period(last) is PeriodState.CLOSED
        assert port.period(now().date()) is PeriodState.OPEN
    finally:
        peer.open_period(last)
    assert port.period(date(now().year - 6, 12, 31)) is PeriodState.MISSING


def test_a_journal_line_of_somebody_else_is_told_by_its_type_and_sign() -> None:
    for kind, quantity, movement, value in (
        ("6", "-0.12", "issue", "0.12"),
        ("6", "0.12", "return", "0.12"),
        ("5", "10", "receipt", "10"),
        ("5", "-10", "receipt", "-10"),
    ):
        line = mapping.ledger_line(LINE | {"TRSTYP": kind, "QTYSTU": quantity}, X3_PLANT)
        assert (line.movement, line.quantity) == (movement, Decimal(value))
        assert (line.reference, line.ref, line.order) == (None, None, "9001")
    with pytest.raises(KeyError):
        mapping.ledger_line(LINE | {"TRSTYP": "19"}, X3_PLANT)


def test_the_accounting_document_may_be_later_or_not_there() -> None:
    later = mapping.ledger_line(LINE | {"ACCDAT": "20261201"}, X3_PLANT)
    assert (later.period, later.gl_period, later.gl_document) == ("2026-11", "2026-12", "STK1")
    none = mapping.ledger_line(LINE | {"NUMVCR": "", "ACCDAT": "00000000"}, X3_PLANT)
    assert (none.gl_document, none.gl_period) == (None, None)
    assert not replace(X3_PLANT, gl_at_once=False).profile().reads_gl


def connected(address: str, plant: X3Plant = X3_PLANT) -> Port:
    return SpokenErp(X3Words(address, login=Basic(USER, SECRET), plant=plant))


def answered(status: int, body: bytes) -> Outcome:
    """Return what becomes of a posting that is answered like this."""
    return told(connected, lambda _method, _path: (status, body))


def ran(result: object, status: int = 1) -> bytes:
    inner = f"<resultXml>{json.dumps(result)}</resultXml><status>{status}</status>"
    return f"<e><runReturn>{inner}</runReturn></e>".encode()


def test_answers_that_prove_nothing_are_unknown() -> None:
    assert isinstance(
        answered(500, b"<e><faultstring>No Web services accepted</faultstring></e>"), Unknown
    )
    assert isinstance(answered(200, b"hello"), Unknown)
    assert isinstance(answered(200, ran({}, status=0)), Unknown)
    assert isinstance(answered(200, ran([])), Unknown)
    assert isinstance(answered(200, ran({"GRP2": {"O_STAT": "1"}})), Unknown)
    other = {"O_STAT": "1", "O_REF": "ANOTHER", "VCRNUM": "M", "VCRLIN": "1", "IPTDAT": "20261126"}
    assert isinstance(answered(200, ran({"GRP2": other})), Unknown)
    assert isinstance(answered(503, b""), Retry)
    refused = answered(200, ran({"GRP2": {"O_STAT": "0", "O_CODE": "X", "O_MSG": "no"}}))
    assert isinstance(refused, Rejected)
    assert refused.code == "x3 X"
    assert "no page of period" in refused.detail


def test_a_pool_that_is_away_or_does_not_publish_is_no_answer(peer: SimulatedPeer) -> None:
    lost = connected("http://127.0.0.1:9")
    assert not lost.health().up
    with pytest.raises(ErpUnreachable):
        lost.find_posting("ABC")
    assert isinstance(lost.post(posting(Story("9001").consumed())), Retry)
    lost.close()
    unpublished = connected(peer.address, replace(X3_PLANT, read="ZOTHER"))
    with pytest.raises(ErpUnreachable, match="ZOTHER is not published"):
        unpublished.find_posting("ABC")
    unpublished.close()


def test_a_reversal_names_its_original_by_reference() -> None:
    story = Story("9001")
    first = story.consumed()
    made = mapping.posting_parameters(posting(story.reversed(first)), X3_PLANT)
    assert (made["I_COR"], made["I_QTY"]) == (erp_ref(first.id), "-0.12")
