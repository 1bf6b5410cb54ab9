"""IFS Cloud's and Infor LN's adapter: how each is reached, what is sent, what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from core.clock import now
from erp.adapters.calling import Basic
from erp.adapters.odata import fields, mapping
from erp.adapters.odata.adapter import ODataWords
from erp.adapters.odata.reached import ion_api, ln_headers
from erp.adapters.odata4 import to_bytes
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
    Unknown,
)
from erp.simulated import modelled
from tests import modelled_peer
from tests.erp_maker import booked, fixtures, read_back, told
from tests.erp_peers import ORDERS, Port, Story, last_month, posting
from tests.erp_simulated import SECRET, USER, SimulatedPeer

peer, port, story = fixtures("ifs-cloud", "infor-ln")
PLANT = modelled_peer.plant("IFS Cloud")
ENTRY: dict[str, Any] = {
    "entryNumber": 7, "reference": "", "messageId": "", "movement": "issue", "orderNumber": "9001",
    "itemNumber": "LAC", "lotNumber": "L-1", "postingDate": "2026-11-26", "unitCode": "KGM",
    "quantity": Decimal("-0.12"), "glDocument": "GL7", "glPostingDate": "2026-12-01",
    "createdAt": "2026-11-26T10:00:00Z",
}  # fmt: skip


def spoiled(**changes: object) -> dict[str, Any]:
    made = mapping.posting_record(posting(Story("9001").consumed()), PLANT) | changes
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.requirement("K5")
def test_each_is_reached_as_its_maker_publishes_it(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = story.consumed("120.01")
    booked(port.post(posting(made)))
    [sent] = [it for it in peer.requests() if made.data.erp_ref in it["body"]]
    headers = json.loads(sent["headers"])
    if peer.kind == "ifs-cloud":
        service = "/main/ifsapplications/projection/v1/BatchwrightPosting.svc"
        assert sent["path"] == f"{service}/postings"
    else:
        assert sent["path"] == "/ACME_TST/LN/lnapi/odata/mes.posting/postings"
        named = (headers["x-infor-lncompany"], headers["x-infor-lnidentity"])
        assert named == ("0100", "lnapi_mes")
    assert json.loads(sent["body"], parse_float=Decimal) == {
        "reference": made.data.erp_ref, "messageId": made.id, "digest": posting(made).digest,
        "movement": "issue", "orderNumber": story.order, "itemNumber": "LAC", "lotNumber": "L-1",
        "locationCode": "RM", "postingDate": made.data.posting_date,
        "quantity": Decimal("0.12001"), "unitCode": "KGM", "corrects": "", "undoes": "",
    }  # fmt: skip
    kept = [it["body"] for it in peer.requests() if it["path"].endswith(("/token", ".oauth2"))]
    assert set(kept) == {"(kept back)"}


@pytest.mark.requirement("K5")
def test_every_movement_and_its_reversal_comes_back_as_it_was_told(
    port: Port, story: Story
) -> None:
    read_back(port, story)


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lotNumber", "L" * 41), ("lotNumber", ""), ("itemNumber", "I" * 48), ("quantity", "0.1"),
        ("quantity", Decimal("0.000001")), ("quantity", 0), ("movement", "transfer"),
        ("postingDate", "26.11.2026"), ("unitCode", None), ("bin", "A1"), ("digest", 7),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_refused_by_both_sides(
    peer: SimulatedPeer, port: Port, field: str, value: object
) -> None:
    record = spoiled(**{field: value})
    [fault] = fields.faults(record)
    assert fault.startswith(field)
    words: ODataWords = port.words  # type: ignore[attr-defined]
    headers = {"content-type": "application/json", **words.odata.headers}
    path = f"{words.service}/postings"
    exchange, _ = words.odata.call.send("POST", path, body=to_bytes(record), headers=headers)
    assert (exchange.status, b"BAD_REQUEST" in exchange.body) == (400, True)


def test_the_longest_that_fits_is_taken_by_our_table() -> None:
    fits = {"lotNumber": "L" * 40, "itemNumber": "I" * 47, "quantity": Decimal("0.00001")}
    assert fields.faults(spoiled(**fits)) == []


@pytest.mark.requirement("K5")
def test_the_simulators_refuse_strangers_and_missing_headers(peer: SimulatedPeer) -> None:
    with httpx.Client(base_url=peer.address, trust_env=False) as client:
        service = "/main/ifsapplications/projection/v1/BatchwrightPosting.svc"
        if peer.kind == "infor-ln":
            service = "/ACME_TST/LN/lnapi/odata/mes.posting"
        assert client.get(f"{service}/items").status_code == 401
        if peer.kind == "ifs-cloud":
            form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": SECRET}
            assert client.post(modelled_peer.TOKEN_PATH, data=form).json() == {
                "error": "invalid_scope"
            }
            return
        api = ion_api(modelled_peer.ionapi(peer.address, user=USER, secret=SECRET))
        token = httpx.post(api.token_at, data=api.form, trust_env=False).json()["access_token"]
        bearer = {"authorization": f"Bearer {token}"}
        right = ln_headers(modelled.COMPANY, modelled.IDENTITY)
        for wrong in (
            {},
            ln_headers("0200", modelled.IDENTITY),
            ln_headers(modelled.COMPANY, None),
        ):
            assert client.get(f"{service}/items", headers=bearer | wrong).status_code == 400
        assert client.get(f"{service}/items", headers=bearer | right).status_code == 200
        assert client.get(f"{service}/bins", headers=bearer | right).status_code == 404
        assert client.post(f"{service}/items", headers=bearer | right).status_code == 405


@pytest.mark.requirement("K5")
def test_stock_that_is_not_there_is_a_refusal_in_the_erps_own_words(
    port: Port, story: Story
) -> None:
    told = port.post(posting(story.consumed("9000000")))
    assert isinstance(told, Rejected)
    assert (told.code, told.detail.split(" would")[0]) == ("odata STOCK", "Stock of LAC/L-1")


@pytest.mark.requirement("K4")
def test_a_list_is_read_to_its_last_page(peer: SimulatedPeer, port: Port) -> None:
    page = port.pull(Kind.ORDER, None, None)
    assert [one.id for one in page.records or ()] == ORDERS  # type: ignore[union-attr]
    asked = [it for it in peer.requests() if it["path"].endswith("/orders")]
    marks = [json.loads(it["query"]).get("$skiptoken") for it in asked[-3:]]
    assert marks == [None, "25", "50"]


@pytest.mark.requirement("K5")
def test_orders_and_periods_are_known_by_their_states(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    ref, last = OrderRef("", story.order), last_month(now().date())
    assert port.get_order(ref).state is ErpOrderState.RELEASED
    peer.admin("orders", id=story.order, state="planned")
    assert port.get_order(ref).state is ErpOrderState.PLANNED
    told = port.post(posting(story.consumed()))
    assert isinstance(told, Rejected)
    assert told.code == "order_closed"
    peer.close_period(last)
    try:
        assert port.period(last) is PeriodState.CLOSED
        assert port.period(now().date()) is PeriodState.OPEN
    finally:
        peer.open_period(last)
    assert port.period(last.replace(year=last.year - 20)) is PeriodState.MISSING


def test_an_entry_of_somebody_else_has_no_reference_and_its_own_accounting_month() -> None:
    line = mapping.ledger_line(ENTRY, PLANT)
    assert (line.reference, line.ref, line.order) == (None, None, "9001")
    assert (line.period, line.gl_period, line.gl_document) == ("2026-11", "2026-12", "GL7")
    bare = mapping.ledger_line(ENTRY | {"glDocument": "", "glPostingDate": None}, PLANT)
    assert (bare.gl_document, bare.gl_period) == (None, None)


def answered(status: int, content: object, *, then: tuple[int, bytes]) -> Outcome:
    """Return what becomes of a posting that is answered like this; `then` answers questions."""

    def connected(address: str) -> Port:
        return SpokenErp(ODataWords(address, login=Basic("a", "b"), plant=PLANT, service="s"))

    body = json.dumps(content).encode()
    return told(connected, lambda method, _: (status, body) if method == "POST" else then)


def test_answers_that_prove_nothing_are_unknown() -> None:
    nothing, error = (200, b'{"value":[]}'), {"error": {"code": "X", "message": "no"}}
    other = {"reference": "ANOTHER", "entryNumber": 1, "postingDate": "2026-11-26"}
    assert isinstance(answered(201, other, then=nothing), Unknown)
    assert isinstance(answered(201, {"hello": "world"}, then=nothing), Unknown)
    assert isinstance(answered(504, {}, then=nothing), Unknown)
    # refused, but whether the key is taken cannot be read
    assert isinstance(answered(400, error, then=(500, b"")), Unknown)
    refused = answered(400, error, then=nothing)
    assert isinstance(refused, Rejected)
    assert (refused.code, refused.detail) == ("period_missing", "no")


def test_an_ionapi_file_that_lacks_a_part_is_refused_without_its_content() -> None:
    whole = json.loads(modelled_peer.ionapi("https://ln.example", user=USER, secret=SECRET))
    for name in ("pu", "ot", "ci", "cs", "saak", "sask"):
        part = json.dumps({key: value for key, value in whole.items() if key != name})
        with pytest.raises(ValueError, match=r"no \.ionapi file: KeyError") as refusal:
            ion_api(part)
        assert SECRET not in str(refusal.value)
    api = ion_api(json.dumps(whole))
    assert api.token_at == "https://ln.example/ACME_TST/as/token.oauth2"
    assert SECRET not in repr(api)


def test_a_service_that_is_not_modelled_is_named(peer: SimulatedPeer) -> None:
    made = peer.port()
    made.words.service = "other.svc"  # type: ignore[attr-defined]
    with pytest.raises(ErpUnreachable, match=r"status 404 at /other\.svc/postings"):
        made.find_posting("ABC")
    made.close()


def test_a_reversal_names_its_original_by_reference() -> None:
    story = Story("9001")
    first = story.consumed()
    made = mapping.posting_record(posting(story.reversed(first)), PLANT)
    assert (made["corrects"], made["quantity"]) == (erp_ref(first.id), Decimal("-0.12"))
