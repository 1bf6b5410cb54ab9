"""A real Tryton at the port: dates, reversals, amounts of nothing, books longer than a page."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import jsonschema
import pytest

from core.clock import iso, now
from erp.adapters.webhook import WebhookErp
from erp.agreement.pages import RECORDS
from erp.agreement.schemas import components
from erp.bridges.tryton_server import TrytonServer
from erp.errors import ErpUnreachable
from erp.port import Outcome, PeriodState, Posted, Rejected, Retry, Scope
from erp.reconcile import posting_row
from tests.erp_peers import Story, TrytonPeer, last_month, put
from tests.erp_plant import SITE
from tests.tryton_hands import TrytonHands, day

pytestmark = pytest.mark.timeout(900)  # the first real ERP of a machine takes minutes to make
TODAY = SITE.posting_date(iso(now()))


def opened(tryton: TrytonPeer) -> tuple[WebhookErp, TrytonHands, Story]:
    """Return an adapter, the hands of Tryton's people, and the story of an order of its own."""
    return tryton.port(), tryton.hands, tryton.story()


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def hands_get(server: TrytonServer, path: str, **query: str) -> Any:
    """Return what a route of the bridge answers, as it stands in the answer."""
    headers = {"authorization": f"Bearer {server.token}"}
    url = f"{server.address}/{path}"
    answer = httpx.get(url, params=query, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.requirement("L1", "K5")
def test_what_tryton_itself_does_with_dates_is_read_back_as_it_is(tryton: TrytonPeer) -> None:
    """Its own clients may post into a closed month or before any year; the bridge may not."""
    port, hands, story = opened(tryton)
    closed = last_month(TODAY)
    put(port, story.started())
    hands.issued(story.order, "LAC", "L-1", quantity=3, effective_date=day(closed))
    hands.period(closed, "close")
    try:
        late = hands.issued(story.order, "LAC", "L-1", quantity=1, effective_date=day(closed))
        # opened again, its journal of stock is still closed
        hands.act("account.period", hands.period_of(closed), "reopen")
        assert port.period(closed) is PeriodState.CLOSED
        assert refused(put(port, story.on(closed).consumed())) == "period_closed"
    finally:
        hands.open_journals(closed)
    assert port.period(closed) is PeriodState.OPEN
    long_ago = TODAY.replace(year=TODAY.year - 2, day=1)
    never = hands.issued(story.order, "LAC", "L-1", quantity=2, effective_date=day(long_ago))
    lines = {int(one.document.id): one for one in port.ledger(Scope(order=story.order)) if one.item}
    assert (lines[late].period, lines[late].gl_period) == (
        closed.isoformat()[:7], TODAY.isoformat()[:7],
    )  # fmt: skip
    assert (lines[never].gl_document, lines[never].gl_due) == (None, True)
    port.close()


@pytest.mark.requirement("K8", "L8")
def test_reversal_goes_beside_where_tryton_keeps_what_was_done(tryton: TrytonPeer) -> None:
    port, hands, story = opened(tryton)
    closed = last_month(TODAY)
    assert refused(put(port, story.consumed())) == "order_locked"
    put(port, story.on(closed).started())
    used = story.consumed()
    put(port, used)
    hands.period(closed, "close")
    try:
        assert isinstance(put(port, story.on(TODAY).reversed(used)), Posted)
    finally:
        hands.period(closed, "reopen")
    first, back = (one for one in port.ledger(Scope(order=story.order)) if one.item)
    assert (first.quantity, first.period, first.gl_period) == (
        Decimal("0.12"), closed.isoformat()[:7], closed.isoformat()[:7],
    )  # fmt: skip
    assert (back.movement, back.quantity, back.period, back.gl_period) == (
        "issue", Decimal("-0.12"), TODAY.isoformat()[:7], TODAY.isoformat()[:7],
    )  # fmt: skip
    [beside_it] = hands.find("stock.move", [["mes_undoes", "=", int(first.document.id)]], "state")
    assert (str(beside_it["id"]), beside_it["state"]) == (back.document.id, "done")
    value = sum(hands.booked_value(int(one.document.id))[1] for one in (first, back))
    assert value == 0

    # goods that have left cannot be taken back; goods that later ones were valued by can, beside
    goods = story.produced()
    put(port, goods)
    lot = f"B{story.order}"
    hands.counted("TAB", lot, 600)
    told = put(port, story.reversed(goods))
    assert isinstance(told, Rejected)
    assert told.code == "stock_short"
    assert told.detail == f"Lot {lot} of TAB has less than 1000 u."
    hands.counted("TAB", lot, 1000)
    assert isinstance(put(port, story.reversed(goods)), Posted)
    lines = port.ledger(Scope(order=story.order))
    assert [one.quantity for one in lines if one.movement == "receipt"] == [
        Decimal(1000),
        Decimal(-1000),
    ]
    port.close()


@pytest.mark.requirement("L1")
def test_amount_that_rounds_to_nothing_has_no_entry_and_misses_none(tryton: TrytonPeer) -> None:
    port, _, story = opened(tryton)
    put(port, story.started())
    put(port, story.consumed("0.1"))
    put(port, story.consumed("2"))
    tiny, small = (one for one in port.ledger(Scope(order=story.order)) if one.item)
    assert (tiny.quantity, tiny.gl_document, tiny.gl_due) == (Decimal("0.0001"), None, False)
    assert (small.quantity, small.gl_due) == (Decimal("0.002"), True)
    assert small.gl_document
    assert not posting_row(tiny, port.profile).gl_read
    assert posting_row(small, port.profile).gl_read
    port.close()


@pytest.mark.requirement("L1")
def test_books_longer_than_a_page_are_read_whole(tryton: TrytonPeer) -> None:
    port, hands, story = opened(tryton)
    put(port, story.started())
    put(port, story.consumed())
    [line] = [one for one in port.ledger(Scope(order=story.order)) if one.item]
    number = int(line.document.id)
    copies = hands.copied(number, 1005, state="cancelled") + hands.copied(number, 1005)
    other = tryton.story()
    last = put(port, other.started())
    try:
        whole = list(port.ledger(Scope()))
        assert sum(one.order == story.order for one in whole) == 1007  # start, issue, 1005 copies
        assert isinstance(last, Posted)
        assert whole[-1].order == other.order or whole[-1].kind == "gl"
        assert [one.seq for one in whole] == sorted({one.seq for one in whole})
        assert sum(1 for _ in port.ledger(Scope(order=story.order))) == 1007
        assert sum(1 for _ in port.ledger(Scope(order=other.order))) == 1
    finally:
        hands.sql(f"DELETE FROM stock_move WHERE id IN ({','.join(map(str, copies))})")
    port.close()


@pytest.mark.requirement("K5")
def test_tryton_answers_as_the_contract_says(tryton: TrytonPeer) -> None:
    port, _, story = opened(tryton)
    shared = components("#/$defs/{name}")
    put(port, story.started())
    put(port, story.consumed())

    def check(name: str, found: Any) -> None:
        schema = {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, "$defs": shared}
        assert found
        jsonschema.Draft202012Validator(schema).validate(found)

    for path, record in RECORDS.items():
        check(record.__name__, hands_get(tryton.server, path)[path])
    lines = hands_get(tryton.server, "ledger", order=story.order)["lines"]
    check("LedgerLine", lines)
    # a posting and a move may have the same number: as documents they are two
    assert [one["document"].startswith("MES") for one in lines] == [False, True]
    check("StockLine", hands_get(tryton.server, "stock"))
    now_there = {one["lot"] for one in hands_get(tryton.server, "stock")}
    came = TrytonHands(tryton.server).find(
        "stock.move", [["lot.number", "=", "P-1"]], "effective_date"
    )[0]["effective_date"]
    received = date(came["year"], came["month"], came["day"])  # when the database was made
    days = [(received - timedelta(days=1)).isoformat(), received.isoformat()]
    before, on = ({one["lot"] for one in hands_get(tryton.server, "stock", on=d)} for d in days)
    assert "P-1" in now_there & on - before
    port.close()


@pytest.mark.requirement("K3")
def test_key_that_tryton_no_longer_takes_pauses_and_books_nothing(tryton: TrytonPeer) -> None:
    port, hands, story = opened(tryton)
    put(port, story.started())
    user = hands.one("res.user", [["login", "=", "mes"]])
    key = hands.one("res.user.application", [["user", "=", user], ["state", "=", "validated"]])
    hands.act("res.user.application", key, "cancel")
    made = story.consumed()
    try:
        told = put(port, made)
        assert isinstance(told, Retry)
        assert told.paused
        with pytest.raises(ErpUnreachable, match="status 401"):
            list(port.ledger(Scope()))
    finally:
        hands.sql("UPDATE res_user_application SET state = 'validated' WHERE id = ?", key)
    assert isinstance(put(port, made), Posted)
    assert len([one for one in port.ledger(Scope(order=story.order)) if one.item]) == 1
    port.close()


@pytest.mark.requirement("K8")
def test_people_of_tryton_see_which_message_made_a_move_and_which_move_undoes_it(
    tryton: TrytonPeer,
) -> None:
    port, hands, story = opened(tryton)
    put(port, story.started())
    used = story.consumed()
    put(port, used)
    put(port, story.reversed(used))
    move, _ = (int(one.document.id) for one in port.ledger(Scope(order=story.order)) if one.item)
    [shown] = hands.find("stock.move", [["id", "=", move]], "mes_posting.key")
    assert shown["mes_posting"]["key"] == used.id
    [undoing] = hands.find("mes.posting", [["reverses.key", "=", used.id]], "production.number")
    assert undoing["production"]["number"] == story.order
    form = {"view_type": "form", "view_id": hands.view("stock", "move_form")}
    drawn = hands.ask("POST", "stock.move/fields_view_get", data=form)["arch"]
    assert 'name="mes_posting"' in drawn
    assert 'name="mes_undoes"' in drawn
    menu = hands.find("ir.ui.menu", [["name", "=", "MES Postings"]], "complete_name")
    assert [one["complete_name"] for one in menu] == ["Inventory & Stock / MES Postings"]
    port.close()
