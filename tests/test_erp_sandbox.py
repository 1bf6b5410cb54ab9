"""The sandbox ERP over HTTP, in a process of its own; only the property on its books runs here."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import now
from erp.contract import Message, to_bytes
from erp.messages import Known
from erp.sandbox.posting import BusinessRefusal, post
from erp.sandbox.seed import seed
from erp.sandbox.store import Database
from erp.signing import Keys, new_secret, verify
from erp.webhook import headers_of
from tests.erp_plant import SEED, Sandbox, Written, message_of, sandbox_running


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


def new_order(erp: Sandbox, n: int) -> Written:
    erp.admin("orders", id=f"PO-{n}", product="TAB", quantity="100000", unit="C62")
    return Written()


def send(erp: Sandbox, body: bytes, key: str, **changed: str) -> httpx.Response:
    headers = {**headers_of(Keys.of([erp.events]), key, at=now(), body=body), **changed}
    return httpx.post(f"{erp.address}/events", content=body, headers=headers, trust_env=False)


def send_message(erp: Sandbox, message: Message) -> httpx.Response:
    return send(erp, to_bytes(message), message.id)


def stock(erp: Sandbox, item: str, lot: str) -> dict[str, Decimal]:
    rows = erp.get("stock")
    return {
        row["status"]: Decimal(row["quantity"])
        for row in rows
        if (row["item"], row["lot"]) == (item, lot)
    }


def test_a_posting_moves_stock_and_gl_and_is_receipted_with_the_checkpoint(erp: Sandbox) -> None:
    made = message_of(new_order(erp, 100).consumed(100, net_g="12000.5"))
    before = stock(erp, "LAC", "L-1")["available"]
    answer = send_message(erp, made)
    assert answer.status_code == 200
    receipt = answer.json()
    assert receipt["status"] == "posted"
    assert receipt["posting_period"] == "2026-11"
    assert receipt["checkpoint"] == {"size": 7, "root": "ab" * 32}
    assert stock(erp, "LAC", "L-1")["available"] == before - Decimal("12.0005")
    (line,) = erp.lines("PO-100")
    assert line["reference"] == made.id
    assert line["erp_ref"] == made.data.erp_ref
    assert (line["movement"], line["quantity"], line["unit"]) == ("issue", "12.0005", "KGM")
    assert (line["period"], line["gl_period"]) == ("2026-11", "2026-11")
    assert line["gl"] == [
        {"account": "1500 Work in process", "debit": "50.40", "credit": "0"},
        {"account": "1400 Inventory", "debit": "0", "credit": "50.40"},
    ]
    assert receipt["documents"] == [
        {"type": "material_document", "id": line["document"], "year": "2026", "line": "1"}
    ]


@pytest.mark.requirement("K3")
def test_a_receipt_is_signed_by_a_secret_of_its_own(erp: Sandbox) -> None:
    made = message_of(new_order(erp, 101).consumed(101))
    answer = send_message(erp, made)
    keys = Keys.of([erp.receipts])
    assert verify(keys, answer.headers, at=now(), body=answer.content) == made.id
    with pytest.raises(Exception, match="no signature matches"):
        verify(Keys.of([erp.events]), answer.headers, at=now(), body=answer.content)


@pytest.mark.requirement("K2")
def test_a_duplicate_gets_the_same_documents_and_moves_nothing(erp: Sandbox) -> None:
    made = message_of(new_order(erp, 102).consumed(102))
    first, again = send_message(erp, made).json(), send_message(erp, made).json()
    assert (first["status"], again["status"]) == ("posted", "duplicate")
    assert again["documents"] == first["documents"]
    assert len(erp.lines("PO-102")) == 1


@pytest.mark.requirement("K2")
def test_twins_sent_at_once_post_once(erp: Sandbox) -> None:
    made = message_of(new_order(erp, 103).consumed(103))
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(send_message(erp, made).json()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answer["status"] for answer in answers) == {"posted": 1, "duplicate": 7}
    assert len({json.dumps(answer["documents"]) for answer in answers}) == 1
    assert len(erp.lines("PO-103")) == 1


@pytest.mark.requirement("K2")
def test_a_key_with_another_body_is_refused(erp: Sandbox) -> None:
    ledger = new_order(erp, 104)
    first = message_of(ledger.consumed(104))
    send_message(erp, first)
    other = msgspec.structs.replace(message_of(ledger.consumed(104, net_g="1")), id=first.id)
    answer = send(erp, to_bytes(other), first.id)
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert len(erp.lines("PO-104")) == 1


@pytest.mark.requirement("K3")
def test_a_bad_signature_is_refused_before_the_body_is_parsed(erp: Sandbox) -> None:
    body = b"{ this is no JSON \xff"
    wrong = headers_of(Keys.of([new_secret()]), "evt_x", at=now(), body=body)
    answer = send(erp, body, "evt_x", **wrong)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_refused")
    right = send(erp, body, "evt_x")
    assert (right.status_code, right.json()["code"]) == (400, "contract_broken")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"content-digest": "sha-256=:AAAA:"}, "digest_mismatch"),
        ({"idempotency-key": '"evt_other"'}, "key_mismatch"),
        ({"idempotency-key": "unquoted"}, "key_mismatch"),
    ],
)
def test_a_header_that_does_not_fit_the_body_is_refused(
    erp: Sandbox, changed: dict[str, str], code: str
) -> None:
    made = message_of(Written().consumed(1))
    answer = send(erp, to_bytes(made), made.id, **changed)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_body_over_one_mebibyte_is_refused(erp: Sandbox) -> None:
    assert send(erp, b" " * 1_048_577, "evt_x").status_code == 413
    assert send(erp, b" " * 1_048_576, "evt_x").json()["code"] == "contract_broken"


def test_business_refusals_say_why_and_leave_no_trace(erp: Sandbox) -> None:
    erp.admin("orders", id="PO-105", product="TAB", quantity="1", unit="C62")
    erp.admin("orders", id="PO-106", product="TAB", quantity="1", unit="C62", state="closed")
    ledger = Written()
    step = {"order": "W", "batch": "B", "erp_order": "PO-105", "material": "LAC", "lot": "L-1"}
    step["net_g"] = "1"
    refused = {
        "order_unknown": {**step, "erp_order": "PO-none"},
        "order_closed": {**step, "erp_order": "PO-106"},
        "item_unknown": {**step, "material": "GOLD"},
        "lot_unknown": {**step, "lot": "L-none"},
        "unit_wrong": {**step, "material": "TAB"},
    }
    size = len(erp.get("ledger")["lines"])
    for code, data in refused.items():
        answer = send_message(erp, message_of(ledger.write("material.consumed", "batch/B", **data)))
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert len(erp.get("ledger")["lines"]) == size


def test_a_refused_message_passes_unchanged_once_its_cause_is_gone(erp: Sandbox) -> None:
    made = message_of(new_order(erp, 107).consumed(107))
    erp.admin("periods", period="2026-11", state="closed")
    refused = send_message(erp, made)
    assert (refused.status_code, refused.json()["code"]) == (422, "period_closed")
    assert erp.get("periods/2026-11")["state"] == "closed"
    erp.admin("periods", period="2026-11", state="open")
    assert send_message(erp, made).json()["status"] == "posted"


def test_a_whole_batch_ends_with_goods_available_and_the_order_complete(erp: Sandbox) -> None:
    for entry in new_order(erp, 108).batch(108):
        answer = send_message(erp, message_of(entry))
        assert answer.status_code == 200, answer.text
    assert stock(erp, "TAB", "B108") == {"available": Decimal(98500), "quality": Decimal(0)}
    assert erp.get("orders/PO-108")["state"] == "teco"
    kinds = [(line["kind"], line["movement"]) for line in erp.lines("PO-108")]
    assert kinds == [
        ("order", "start"),
        ("stock", "issue"),
        ("stock", "issue"),
        ("stock", "receipt"),
        ("status", "release"),
        ("order", "complete"),
    ]


@pytest.mark.requirement("K8")
def test_a_reversal_undoes_stock_and_gl_once(erp: Sandbox) -> None:
    ledger = new_order(erp, 109)
    before = stock(erp, "LAC", "L-1")["available"]
    first = message_of(ledger.consumed(109))
    send_message(erp, first)
    known = Known(erp_order=lambda _: None, original=lambda _: first)
    undo, twice = (
        ledger.write("material.reversed", "batch/B109", erp_order="PO-109", corrects=1)
        for _ in range(2)
    )
    assert send_message(erp, message_of(undo, 2, known)).json()["status"] == "posted"
    assert stock(erp, "LAC", "L-1")["available"] == before
    accounts = [line["gl"][0]["account"] for line in erp.lines("PO-109")]
    assert accounts == ["1500 Work in process", "1400 Inventory"]
    answer = send_message(erp, message_of(twice, 3, known))
    assert answer.json()["code"] == "already_reversed"


def test_the_order_page_answers_304_until_an_order_changes(erp: Sandbox) -> None:
    url = f"{erp.address}/orders"
    page = httpx.get(url, trust_env=False)
    known = {"if-none-match": page.headers["etag"]}
    assert httpx.get(url, headers=known, trust_env=False).status_code == 304
    since = {"if-modified-since": page.headers["last-modified"]}
    assert httpx.get(url, headers=since, trust_env=False).status_code == 304
    erp.admin("orders", id="PO-5", quantity="120000")
    changed = httpx.get(url, headers={**known, **since}, trust_env=False)
    assert changed.status_code == 200
    assert changed.headers["etag"] != page.headers["etag"]


def test_no_page_shows_a_cost(erp: Sandbox) -> None:
    for path in ("items", "boms", "orders", "customers"):
        assert "cost" not in json.dumps(erp.get(path))


def essence(database: Database) -> object:
    """Return the books without numbers of documents and times of posting."""
    connection = database.connection()
    stocks = connection.execute("SELECT item, lot, status, quantity FROM stock ORDER BY 1, 2, 3")
    lines = connection.execute(
        "SELECT l.reference, l.order_id, l.movement, l.quantity, g.account, g.debit, g.credit"
        " FROM ledger_line l LEFT JOIN gl_line g ON g.document = l.gl_document ORDER BY 1, 5"
    )
    return (
        [(*row[:3], Decimal(row[3])) for row in stocks],
        [tuple(row) for row in lines if row[0] is not None],
    )


def three_batches() -> list[Message]:
    ledger = Written()
    found = [message_of(entry) for n in (1, 2, 3) for entry in ledger.batch(n)]
    wrong = message_of(ledger.consumed(2, net_g="77"))
    known = Known(erp_order=lambda _: None, original=lambda _: wrong)
    undo = ledger.write(
        "material.reversed", "batch/B2", erp_order="PO-2", corrects=wrong.data.entry
    )
    return [*found, wrong, message_of(undo, 1, known)]


def deliver(database: Database, messages: list[Message]) -> list[Message]:
    """Post messages as they come and return those that were refused."""
    refused = []
    for message in messages:
        try:
            post(database, message, to_bytes(message))
        except BusinessRefusal:
            refused.append(message)
    return refused


@pytest.mark.requirement("K2")
@settings(max_examples=15)
@given(chosen=st.lists(st.integers(0, 19), min_size=50, max_size=80), order=st.randoms())
def test_duplicates_and_reorders_leave_the_books_identical(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[int], order: Any
) -> None:
    folder = tmp_path_factory.mktemp("books")
    with closing(Database(folder / "a.db")) as clean, closing(Database(folder / "b.db")) as messy:
        for database in (clean, messy):
            # Durable writes are not what this test is about.
            database.connection().execute("PRAGMA synchronous=OFF")
            seed(database, SEED)
        messages = three_batches()
        assert deliver(clean, messages) == []
        sent = [messages[n] for n in chosen] + messages
        order.shuffle(sent)
        # What comes before the message it rests on is refused, and is sent again later.
        refused = deliver(messy, sent)
        rests = {"mes.posting_reversed.v1", "mes.batch_released.v1"}
        assert {message.type for message in refused} <= rests
        assert deliver(messy, refused) == []
        assert essence(messy) == essence(clean)


def test_what_is_compared_of_the_books_sees_one_double_posting(tmp_path: Path) -> None:
    ledger = Written()
    first, second = Database(tmp_path / "first.db"), Database(tmp_path / "second.db")
    with closing(first) as once, closing(second) as twice:
        for database, count in ((once, 1), (twice, 2)):
            seed(database, SEED)
            assert deliver(database, [message_of(ledger.consumed()) for _ in range(count)]) == []
        assert essence(once) != essence(twice)
