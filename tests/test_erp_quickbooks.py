"""QuickBooks' adapter: what crosses to the Web Connector, what is refused, what is its alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from qbwc_kit.testing import FakeWebConnector

from core.clock import now
from erp.adapters.quickbooks import mapping, tasks
from erp.adapters.quickbooks.adapter import QuickBooksErp
from erp.adapters.quickbooks.mapping import QbPlant
from erp.adapters.quickbooks.queue import Queue
from erp.adapters.quickbooks.service import MAX_BODY, Conversation, introduction
from erp.errors import ErpUnreachable
from erp.port import Accepted, Duplicate, Kind, Posted, Rejected, Retry, Scope
from erp.simulated.quickbooks import QuickBooks, Unreadable
from erp.simulated.records import Records
from tests.erp_peers import PEER_SEED, Story, posting
from tests.erp_polled import QB_PLANT, Door
from tests.erp_simulated import SECRET, USER

HEAD = '<?xml version="1.0" encoding="utf-8"?><?qbxml version="13.0"?>'
WHERE = "<ItemInventoryAssemblyRef><FullName>TAB</FullName></ItemInventoryAssemblyRef>"
CALLS = (
    "serverVersion", "clientVersion", "authenticate", "sendRequestXML", "receiveResponseXML",
    "connectionError", "getLastError", "closeConnection",
)  # fmt: skip
TWO = "<QuantityToBuild>2</QuantityToBuild>"


class Company:
    """A company file in this process."""

    def __init__(self, folder: Path) -> None:
        self.records = Records(folder / "company.db")
        self.book = QuickBooks(USER, SECRET)
        with self.records.work() as work:
            self.book.seed(work, PEER_SEED)

    def __call__(self, request: str) -> str:
        with self.records.work() as work:
            return self.book.process(work, request)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    yield made
    made.records.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path / "door", plant=replace(QB_PLANT, poll_s=900))  # a read stays fresh
    yield made
    made.close()


def poll(door: Door, quickbooks: Callable[[str], str], **changes: Any) -> Any:
    """Let the library's own Web Connector come once, over HTTP."""

    def transport(body: str) -> str:
        return httpx.post(door.url, content=body.encode(), trust_env=False, timeout=20).text

    connector = FakeWebConnector(transport, **({"username": USER, "password": SECRET} | changes))
    return connector.run_update(quickbooks)


def add(body: str, attributes: str = 'onError="stopOnError"', head: str = HEAD) -> str:
    inner = f'<BuildAssemblyAddRq requestID="1"><BuildAssemblyAdd>{body}</BuildAssemblyAdd>'
    return (
        f"{head}<QBXML><QBXMLMsgsRq {attributes}>{inner}</BuildAssemblyAddRq></QBXMLMsgsRq></QBXML>"
    )


@pytest.mark.requirement("K5")
def test_one_poll_books_what_waits_and_reads_everything(door: Door, company: Company) -> None:
    made = Story("9001").released()
    assert isinstance(door.port.post(posting(made)), Accepted)
    visit = poll(door, company)
    assert (visit.progress[-1], visit.last_error) == (100, "")
    assert isinstance(door.port.accepted(made.data.erp_ref), Posted)
    [sent] = [text for text in visit.requests if "BuildAssemblyAddRq" in text]
    ref, memo = made.data.erp_ref, f"{made.id} {made.data.erp_ref} {posting(made).digest} 9001"
    assert sent == (
        f'{HEAD}<QBXML><QBXMLMsgsRq newMessageSetID="{ref}" onError="stopOnError">'
        f'<BuildAssemblyAddRq requestID="{ref}"><BuildAssemblyAdd>{WHERE}'
        f"<LotNumber>B9001</LotNumber><TxnDate>{made.data.posting_date}</TxnDate>"
        f"<RefNumber>{ref[:11]}</RefNumber><Memo>{memo}</Memo>"
        "<QuantityToBuild>1000</QuantityToBuild>"
        "<MarkPendingIfRequired>false</MarkPendingIfRequired>"
        "</BuildAssemblyAdd></BuildAssemblyAddRq></QBXMLMsgsRq></QBXML>"
    )
    assert poll(door, company).last_error == "none"  # nothing waits, and the read is fresh


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    "text",
    [
        add(TWO + WHERE),  # not in the schema's sequence
        add(WHERE + "<Colour>red</Colour>" + TWO),
        add(WHERE),  # no quantity
        add(WHERE + TWO, attributes=""),
        add(WHERE + TWO, attributes='onError="rollbackOnError"'),
        add(WHERE + TWO, head='<?xml version="1.0"?>'),
        add(WHERE + TWO).replace("BuildAssemblyAddRq", "BuildAssemblyDelRq"),
        add(WHERE + TWO)[:-5],
    ],
)
def test_the_simulator_does_nothing_with_what_breaks_the_schema(
    company: Company, text: str
) -> None:
    assert 'statusCode="0"' in company(add(WHERE + TWO))
    with pytest.raises(Unreadable):
        company(text)


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (WHERE + f"<RefNumber>{'1' * 12}</RefNumber>" + TWO, 3070),
        (WHERE + f"<RefNumber>{'1' * 11}</RefNumber>" + TWO, 0),
        (WHERE + f"<Memo>{'m' * 4096}</Memo>" + TWO, 3070),
        (WHERE.replace("TAB", "SALT") + TWO, 3140),
        (WHERE + "<QuantityToBuild>99000000</QuantityToBuild>", 3370),
    ],
)
def test_the_simulator_answers_with_quickbooks_own_codes(
    company: Company, body: str, code: int
) -> None:
    assert f'statusCode="{code}"' in company(add(body))


@pytest.mark.requirement("K2")
def test_a_message_set_that_is_repeated_is_answered_from_what_is_stored(company: Company) -> None:
    one = 'newMessageSetID="ONE" onError="stopOnError"'
    first = company(add(WHERE + TWO, one))
    assert company(add(WHERE + TWO, one)) == first
    other = company(add(WHERE + "<QuantityToBuild>3</QuantityToBuild>", one))
    assert 'messageSetStatusCode="9001"' in other
    two = 'newMessageSetID="TWO" oldMessageSetID="ONE" onError="stopOnError"'
    assert company(add(WHERE + TWO, two)) != first
    assert company(add(WHERE + TWO, one)) != first  # it was given back, so it is done anew
    long = f'newMessageSetID="{"L" * 25}" onError="stopOnError"'
    assert 'messageSetStatusCode="9004"' in company(add(WHERE + TWO, long))


@pytest.mark.requirement("K2")
def test_a_refusal_is_tried_anew_under_an_id_of_its_own(door: Door, company: Company) -> None:
    with company.records.work() as work:
        company.book.change_order(work, "9002", "closed")
        work.put("closed_period", f"{now():%Y-%m}", {"period": f"{now():%Y-%m}"})
    made = Story("9001").released()
    door.port.post(posting(made))
    poll(door, company)
    told = door.port.accepted(made.data.erp_ref)
    assert isinstance(told, Rejected)
    assert told.code == "period_closed"
    with company.records.work() as work:
        work.remove("closed_period", f"{now():%Y-%m}")
    assert isinstance(door.port.post(posting(made)), Accepted)
    visit = poll(door, company)
    [sent] = [text for text in visit.requests if "BuildAssemblyAddRq" in text]
    ref = made.data.erp_ref
    assert f'newMessageSetID="{ref}-2" oldMessageSetID="{ref}"' in sent
    assert isinstance(door.port.accepted(ref), Posted)


@pytest.mark.requirement("K2")
def test_a_number_of_somebody_elses_build_is_not_taken_for_ours(
    door: Door, company: Company
) -> None:
    made = Story("9001").released()
    number = f"<RefNumber>{made.data.erp_ref[:11]}</RefNumber>"
    company(add(WHERE + number + "<Memo>Rush order</Memo>" + TWO))
    door.port.post(posting(made))
    poll(door, company)
    assert isinstance(door.port.accepted(made.data.erp_ref), Posted)
    theirs, ours = door.port.ledger(Scope())
    assert (theirs.ref, theirs.reference, theirs.order) == (None, None, None)
    assert (theirs.quantity, ours.quantity) == (Decimal(2), Decimal(1000))
    assert ours.ref == made.data.erp_ref
    assert [one.ref for one in door.port.ledger(Scope(order="9001"))] == [ours.ref]


def busy(company: Company, code: int) -> Callable[[str], str]:
    """Return the company while somebody works on what a build needs."""

    def answer(request: str) -> str:
        if "BuildAssemblyAddRq" not in request:
            return company(request)
        status = f'statusCode="{code}" statusSeverity="Error" statusMessage="in use"'
        return f"<QBXML><QBXMLMsgsRs><BuildAssemblyAddRs {status}/></QBXMLMsgsRs></QBXML>"

    return answer


@pytest.mark.requirement("K2")
def test_what_somebody_works_on_is_asked_for_again_at_the_next_poll(
    door: Door, company: Company
) -> None:
    made = Story("9001").released()
    door.port.post(posting(made))
    for code in (3175, 3176):
        poll(door, busy(company, code))
        assert door.port.accepted(made.data.erp_ref) is None
    poll(door, company)
    assert isinstance(door.port.accepted(made.data.erp_ref), Posted)


@pytest.mark.requirement("K2")
def test_an_answer_that_says_nothing_leaves_the_build_to_be_looked_for(
    door: Door, company: Company
) -> None:
    made = Story("9001").released()
    door.port.post(posting(made))
    nothing = '<QBXML><QBXMLMsgsRs messageSetStatusCode="9002"></QBXMLMsgsRs></QBXML>'
    visit = poll(door, lambda text: nothing if "AddRq" in text else company(text))
    assert visit.progress[-1] == 99
    assert door.port.accepted(made.data.erp_ref) is None
    assert "KeyError" in door.port.health().detail


@pytest.mark.requirement("K3")
def test_a_stranger_gets_no_work_and_a_poll_without_quickbooks_is_told(
    door: Door, company: Company
) -> None:
    door.port.post(posting(Story("9001").released()))
    for wrong in ({"password": "wrong"}, {"username": "wrong"}, {"password": "\u00e9"}):
        assert poll(door, company, **wrong).last_error == "nvu"
    assert not door.port.health().up
    assert poll(door, company, client_version="2.0.0.1").last_error.startswith("E:")


@pytest.mark.requirement("K3")
def test_five_refused_tries_shut_the_door_for_longer_each_time_also_over_a_restart(
    tmp_path: Path,
) -> None:
    queue, at = Queue(f"sqlite:///{tmp_path / 'queue.db'}"), now()
    alerts: list[tuple[int, datetime]] = []

    def talk() -> Conversation:
        made = Conversation(queue, QB_PLANT, user=USER, secret=SECRET, clock=lambda: at)
        made.on_locked(lambda _door, failures, until: alerts.append((failures, until)))
        return made

    guessed, started = talk(), at
    assert [guessed.authenticate(USER, f"guess {n}") for n in range(4)] == [False] * 4
    assert alerts == []
    assert guessed.authenticate(USER, SECRET)  # four were no row of five
    for user in (USER, "somebody", USER, "", USER):
        assert not guessed.authenticate(user, "wrong")
    assert alerts == [(5, started + timedelta(seconds=60))]
    port = reader(queue, QB_PLANT, lambda: at)
    assert port.health().detail.startswith("its door is shut until ")
    at += timedelta(seconds=59)
    fresh = talk()
    assert not fresh.authenticate(USER, SECRET)  # shut: not even the right one is looked at
    assert len(alerts) == 1
    at += timedelta(seconds=1)
    assert not fresh.authenticate(USER, "wrong")
    assert alerts[1:] == [(6, at + timedelta(seconds=120))]
    at += timedelta(seconds=120)
    assert fresh.authenticate(USER, SECRET)
    assert queue.tries().failures == 0
    queue.close()


def test_the_door_gives_its_wsdl_and_refuses_what_is_no_call(door: Door) -> None:
    with httpx.Client(trust_env=False) as client:
        wsdl = client.get(f"{door.url}?wsdl").text
        assert f'location="{door.url}"' in wsdl
        for call in CALLS:
            assert f'<wsdl:operation name="{call}">' in wsdl
        bomb = '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
        assert "Fault" in client.post(door.url, content=bomb).text
        assert "Fault" in client.post(door.url, content="no xml").text
        assert client.post(door.url, content=b"x" * (MAX_BODY + 1)).status_code == 413


def test_a_queue_that_is_lost_is_filled_again_and_finds_what_was_booked(
    door: Door, company: Company, tmp_path: Path
) -> None:
    made = Story("9001").released()
    door.port.post(posting(made))
    poll(door, company)
    fresh = Door(tmp_path / "fresh")
    try:
        told = fresh.port.accepted(made.data.erp_ref)
        assert isinstance(told, Retry)
        assert isinstance(fresh.port.post(posting(made)), Accepted)
        visit = poll(fresh, company)
        assert not any("BuildAssemblyAddRq" in text for text in visit.requests)
        assert fresh.port.find_posting(made.data.erp_ref) == door.port.find_posting(
            made.data.erp_ref
        )
        assert isinstance(fresh.port.post(posting(made)), Duplicate)
    finally:
        fresh.close()


def reader(queue: Queue, plant: QbPlant, clock: Callable[[], datetime]) -> QuickBooksErp:
    talk = Conversation(queue, plant, user=USER, secret=SECRET)
    return QuickBooksErp(queue, plant, address="https://mes.example", talk=talk, clock=clock)


def test_books_read_too_long_ago_are_no_answer(tmp_path: Path) -> None:
    queue, plant = Queue(f"sqlite:///{tmp_path / 'queue.db'}"), replace(QB_PLANT, poll_s=900)
    at = now()
    port = reader(queue, plant, lambda: at)
    with pytest.raises(ErpUnreachable, match="has not come yet"):
        list(port.ledger(Scope()))
    for kind in (tasks.ITEMS, tasks.ASSEMBLIES, tasks.BUILDS):
        queue.mirror(kind, [], at=at - timedelta(seconds=3600))
    assert list(port.ledger(Scope())) == []
    at += timedelta(seconds=1)
    with pytest.raises(ErpUnreachable, match="last came at"):
        list(port.ledger(Scope()))
    queue.close()


def test_a_sales_order_with_two_stock_items_is_named_and_the_others_stand(tmp_path: Path) -> None:
    queue, at = Queue(f"sqlite:///{tmp_path / 'queue.db'}"), now()
    gram = {"UnitOfMeasureSetRef": {"FullName": "Gram"}}
    line = {"ItemRef": {"FullName": "LAC"}, "Quantity": "5"}
    freight = {"ItemRef": {"FullName": "Freight"}, "Quantity": "1"}
    queue.mirror(tasks.ITEMS, [{"FullName": "LAC"} | gram, {"FullName": "Freight"}], at=at)
    queue.mirror(tasks.ASSEMBLIES, [], at=at)
    orders: list[dict[str, Any]] = [
        {"RefNumber": "7", "SalesOrderLineRet": [line, freight]},
        {"RefNumber": "8", "SalesOrderLineRet": [line, line]},
        {"RefNumber": "9"},
    ]
    queue.mirror(tasks.ORDERS, orders, at=at)
    page = reader(queue, QB_PLANT, now).pull(Kind.ORDER, None, None)
    assert [one.id for one in page.records or ()] == ["7"]  # type: ignore[union-attr]
    assert [("'8'" in one, "'9'" in one) for one in page.faults] == [(True, False), (False, True)]
    queue.close()


def test_the_file_for_the_web_connector_names_the_address_and_holds_no_secret() -> None:
    text = introduction(
        public_url="https://mes.example/erp/qbwc", user=USER, poll_s=900,
        owner_id="{57F3B9B1-86F1-4FCC-B1EE-566DE1813D20}",
        file_id="{90A44FB5-33D9-4815-AC85-BC87A7E7D1EB}",
    )  # fmt: skip
    assert "<AppURL>https://mes.example/erp/qbwc</AppURL>" in text
    assert f"<UserName>{USER}</UserName>" in text
    assert SECRET not in text


def test_ids_of_message_sets_and_numbers_fit_intuits_lengths() -> None:
    ref = "Z" * 16
    assert len(mapping.number_of(ref)) == 11
    assert len(mapping.set_id(ref, 999_999)) == 23
    made = posting(Story("9001").released())
    build = {"Memo": f"{made.key} {made.ref} {made.digest} 9001"}
    mark = mapping.mark_of(json.loads(json.dumps(build)))
    assert mark == mapping.Mark(made.key, made.ref, made.digest, "9001")


@pytest.mark.requirement("K3")
@pytest.mark.parametrize(
    "declared",
    ['<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>', '<!DOCTYPE x [<!ENTITY a "b">]>'],
)
def test_the_door_reads_no_document_that_declares_an_entity(door: Door, declared: str) -> None:
    envelope = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        '<{0} xmlns="http://developer.intuit.com/"><strVersion>{1}</strVersion></{0}>'
        "</soap:Body></soap:Envelope>"
    )
    good = envelope.format("clientVersion", "2.3")
    taken = httpx.post(door.url, content=good.encode(), trust_env=False, timeout=20)
    assert "clientVersionResponse" in taken.text
    hostile = declared + envelope.format("clientVersion", "&a;")
    answer = httpx.post(door.url, content=hostile.encode(), trust_env=False, timeout=20)
    assert "clientVersionResponse" not in answer.text
    assert "Fault" in answer.text
