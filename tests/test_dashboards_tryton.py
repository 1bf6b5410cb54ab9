"""What finance sees where a real Tryton is the ERP: its people and its database are not ours.

Everything is real: a plant with its ledger and page, the relay, and Tryton in a process of its own,
in which people work by its own interface and, where a check would stop them, by SQL.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest

from analytics.reconciliation.rules import MatchRules
from analytics.reconciliation.stock import StockRow
from core.clock import iso, now
from core.dispatch import DispatchOrder
from core.material import Lot
from core.order import Order
from dashboards.finance.compare import MatchRow
from erp import evidence
from erp.bridges.tryton_server import TrytonServer
from erp.judging import posting_of
from erp.port import Duplicate, Scope
from erp.rows import State
from tests.erp_peers import TRYTON_SEED, last_month
from tests.erp_plant import SITE
from tests.finance_plant import Client, Connected, connected
from tests.patience import eventually
from tests.plant import running_plant
from tests.plant_data import LOTS
from tests.tryton_hands import TrytonHands

pytestmark = pytest.mark.timeout(900)  # the first real ERP of a machine takes minutes to make
TODAY = SITE.posting_date(iso(now()))


@dataclass(kw_only=True)
class Beside:
    """A plant beside a real Tryton, and the hands of Tryton's own people."""

    plant: Connected
    server: TrytonServer
    hands: TrytonHands

    def row(self, order: str, name: str, match_class: str) -> MatchRow:
        """Return one row of an order as soon as the match says so of it."""
        end = time.monotonic() + 60
        while True:
            found = [one for one in self.plant.rows() if order in one.subject]
            for one in found:
                if self.named(one) == name and one.match_class == match_class:
                    return one
            said = sorted((self.named(one), one.match_class) for one in found)
            assert time.monotonic() < end, f"{name} of {order} is not {match_class}: {said}"
            time.sleep(0.2)

    def keyed(self, key: str, match_class: str) -> MatchRow:
        """Return the row of a key as soon as the match says so of it."""
        found: list[MatchRow] = []

        def said() -> bool:
            found[:] = [one for one in self.plant.rows() if one.key == key]
            return [one.match_class for one in found] == [match_class]

        eventually(said, within_s=60)
        return found[0]

    def document(self, number: str) -> MatchRow:
        """Return the row that a document of the ERP has alone."""
        found: list[MatchRow] = []

        def shown() -> bool:
            named = (one for one in self.plant.rows() if one.postings)
            found[:] = [it for it in named if it.postings[0].document.startswith(f"{number}/")]
            return len(found) == 1

        eventually(shown, within_s=60)
        return found[0]

    def gone(self, key: str) -> None:
        """Wait until the match has no row of a key."""
        eventually(lambda: all(one.key != key for one in self.plant.rows()), within_s=60)

    def stock(self) -> dict[str | None, StockRow]:
        """Return what both systems have of each lot now."""
        fault = self.plant.reader.compare_stock()
        assert fault is None
        return {row.lot: row for row in self.plant.reader.stock(text="", stock_class="", page=1)
                .found.rows}  # fmt: skip

    @staticmethod
    def named(row: MatchRow) -> str:
        first = row.fact or row.postings[0]
        return first.item or first.movement

    def move_of(self, row: MatchRow) -> int:
        """Return the number of the stock move that a row's posting is."""
        return int(row.postings[0].document.partition("/")[0])

    def books(self, order: str) -> list[tuple[str, str]]:
        """Return item and quantity of each stock line of an order."""
        port = self.server.port_to()
        lines = [one for one in port.ledger(Scope(order=order)) if one.kind == "stock"]
        port.close()
        return [(one.item or "", str(one.quantity)) for one in lines]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    made = TrytonServer(tmp_path_factory.mktemp("tryton"), TRYTON_SEED)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def beside(server: TrytonServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("beside")
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)
    with running_plant(folder / "plant") as plant:
        (folder / "erp").mkdir()
        at_once = MatchRules(settle=timedelta(seconds=1))
        with connected(plant, server.port_to(), folder / "erp", rules=at_once) as found:
            yield Beside(plant=found, server=server, hands=TrytonHands(server))
    log.setLevel(logging.NOTSET)


@pytest.fixture
def finn(beside: Beside) -> Iterator[Client]:
    with beside.plant.signed_in("finn") as client:
        yield client


def signed_by_two(finn: Client, command: str, key: str, *, document: str | None) -> int:
    """Have finance propose and QA agree to what is done about a row; return its entry."""
    given = {"owner": "finn", "code": "posted_by_hand", "note": "Nobody weighed it."}
    assert finn.send("difference.assign", difference=key, **given).status_code == 200
    said = {"difference": key, "document": document, "why": "The floor weighed it."}
    entries = []
    for by in ("finn", "quinn"):
        seen = finn.one("difference", key)["seen"]
        answer = finn.send(command, by=by, seen=seen, **said)
        assert answer.status_code == 200, answer.text
        entries.append(int(answer.json()["last_seq"]))
    return entries[-1]


@pytest.mark.requirement("L8", "K8", "K2")
def test_posting_by_hand_beside_a_message_is_undone_once_and_both_are_one_matched_row(
    beside: Beside, finn: Client
) -> None:
    beside.plant.made("1001")
    beside.plant.told()
    move = beside.hands.issued("1001", "PVP", "PV-3302", quantity=1.8)
    row = beside.row("1001", "PVP", "duplicate")
    assert beside.move_of(row) == move
    document = row.postings[-1].document.rpartition("/")[0]
    ordered = signed_by_two(finn, "posting.reverse", row.key, document=document)
    beside.plant.told()

    outbox = beside.plant.boundary.outbox
    message = evidence.messages(outbox)[-1]
    assert (message.type, message.state) == ("mes.document_reversed.v1", State.DONE)
    assert message.entry_seq == ordered
    after = beside.keyed(row.key, "matched")
    assert after.cause == "Posted by hand and taken back: nothing moved in the end."
    assert [one.event_id for one in after.postings] == [None, message.event_id]
    assert all(one.gl_document and one.gl_period == one.period for one in after.postings)
    assert {one.match_class for one in beside.plant.rows() if "1001" in one.subject} == {"matched"}

    [kept] = beside.hands.find("stock.move", [["id", "=", move]], "state")
    assert kept["state"] == "cancelled"
    assert beside.hands.booked_value(move) == (2, 0)
    [undoing] = beside.hands.find("mes.posting", [["undoes", "=", move]], "key")
    assert undoing["key"] == message.event_id
    before = beside.books("1001")
    again = beside.plant.boundary.port.post(posting_of(message))
    assert isinstance(again, Duplicate)
    assert beside.books("1001") == before
    assert beside.hands.booked_value(move) == (2, 0)


@pytest.mark.requirement("L7")
def test_stock_of_tryton_is_compared_by_lot_and_what_people_did_there_is_the_cause(
    beside: Beside,
) -> None:
    beside.plant.made("1002")
    beside.plant.told()
    rows = beside.stock()
    nouns = beside.plant.plant.execution.nouns
    for lot in nouns.all(Lot):
        mine = rows[lot.lot].mes
        assert mine is not None
        assert mine * 1000 == lot.left
    assert {rows[lot].stock_class for lot in LOTS} == {"equal"}
    # the suite's own lot: the ERP has it, this floor never took it in
    assert (rows["P-1"].stock_class, rows["P-1"].mes) == ("erp_only", None)

    follower = beside.plant.reader._follower
    assert follower is not None
    follower._books._took_s = 600  # as where the books are long: they are seldom read whole
    beside.hands.issued("1002", "CCNA", "CC-4410", quantity=3)
    beside.hands.counted("PARA", "PA-1001", 70)
    rows = beside.stock()
    assert rows["CC-4410"].causes == {"missing_in_mes": Decimal(3)}
    assert (rows["CC-4410"].stock_class, rows["CC-4410"].rest) == ("explained", 0)
    # no order: no row of the match says it
    assert (rows["PA-1001"].stock_class, rows["PA-1001"].rest) == ("differs", Decimal(5))
    assert rows["PA-1001"].statuses == {"STO": Decimal(70)}
    beside.hands.counted("PARA", "PA-1001", 75)
    assert beside.stock()["PA-1001"].stock_class == "equal"


@pytest.mark.requirement("L1", "K5")
def test_what_people_change_in_tryton_after_the_posting_is_found_and_named(
    beside: Beside,
) -> None:
    hands, earlier = beside.hands, last_month(TODAY)
    for order in ("1003", "1005", "1006"):
        beside.plant.made(order)
    beside.plant.told()
    moves = {
        (order, item): beside.move_of(beside.row(order, item, "matched"))
        for order in ("1003", "1005", "1006")
        for item in ("PVP", "CCNA")
    }
    # by Tryton's own button
    hands.act("stock.move", moves["1003", "PVP"], "cancel")
    # by people who may write into its database
    hands.sql("UPDATE stock_move SET quantity = 2.3 WHERE id = ?", moves["1003", "CCNA"])
    hands.drop_entries(moves["1005", "PVP"])
    hands.move_entries(moves["1005", "CCNA"], earlier)
    other = hands.one("stock.lot", [["number", "=", "P-1"]])
    hands.sql("UPDATE stock_move SET lot = ? WHERE id = ?", other, moves["1006", "PVP"])
    hands.sql(
        "UPDATE stock_move SET effective_date = ? WHERE id = ?",
        earlier.isoformat(), moves["1006", "CCNA"],
    )  # fmt: skip
    expected = {
        ("1003", "PVP"): ("reversed_one_side", ()),
        ("1003", "CCNA"): ("qty_mismatch", ("quantity",)),
        ("1005", "PVP"): ("gl_missing", ("gl",)),
        ("1005", "CCNA"): ("wrong_period", ("gl_period",)),
        ("1006", "PVP"): ("lot_mismatch", ("lot",)),
        ("1006", "CCNA"): ("changed_after_post", ("changed", "posting_date", "gl_period")),
    }
    for (order, item), (match_class, differs) in expected.items():
        row = beside.row(order, item, match_class)
        with beside.plant.reader._store.reading() as found:
            judged = found.row(row.key)
        assert judged is not None
        assert (judged.match_class, judged.differs) == (match_class, differs)
    counts = beside.plant.reader.newest
    assert counts is not None
    assert sum(counts.counts.values()) == counts.total


@pytest.mark.requirement("L8", "K8", "K2")
def test_what_is_wrong_in_tryton_is_undone_and_posted_again_by_two_people(
    beside: Beside, finn: Client
) -> None:
    beside.plant.made("1008")
    beside.plant.told()
    wrong = beside.row("1008", "PVP", "matched")
    gone = beside.row("1008", "CCNA", "matched")
    beside.hands.sql("UPDATE stock_move SET quantity = 1.7 WHERE id = ?", beside.move_of(wrong))
    beside.hands.act("stock.move", beside.move_of(gone), "cancel")
    beside.keyed(wrong.key, "qty_mismatch")
    beside.keyed(gone.key, "reversed_one_side")
    for row, document in ((wrong, wrong.postings[0].document.rpartition("/")[0]), (gone, None)):
        signed_by_two(finn, "posting.replace", row.key, document=document)
    beside.plant.told()
    mended = beside.keyed(wrong.key, "matched")
    assert [one.quantity for one in mended.postings] == [
        Decimal("1.8"), Decimal("1.7"), Decimal("-1.7"),
    ]  # fmt: skip
    again = beside.keyed(gone.key, "matched")
    assert sorted(one.quantity or 0 for one in again.postings) == [
        Decimal("-2.4"), Decimal("2.4"), Decimal("2.4"),
    ]  # fmt: skip


@pytest.mark.requirement("L1")
def test_ledger_entries_without_goods_are_orphans_until_tryton_takes_them_back(
    beside: Beside,
) -> None:
    beside.plant.made("1004")
    beside.plant.told()
    move = beside.move_of(beside.row("1004", "PVP", "matched"))
    number = beside.hands.journal("12.50")
    orphan = beside.document(f"GL{number}")
    assert (orphan.match_class, orphan.postings[0].erp_order) == ("gl_orphan", None)
    beside.hands.cancel_entry(number)
    beside.gone(orphan.key)
    # a move that was deleted behind Tryton's back leaves its entry alone in the ledger
    beside.hands.sql("DELETE FROM stock_move WHERE id = ?", move)
    lost = beside.row("1004", "PVP", "missing_in_erp")
    assert lost.event_id is not None
    [alone] = [one for one in beside.plant.rows() if one.match_class == "gl_orphan"]
    [entry] = beside.hands.entries(move)
    assert alone.postings[0].gl_document == entry["number"]


@pytest.mark.requirement("L1", "K1")
def test_order_that_was_made_by_hand_stops_its_messages_and_shows_on_both_sides(
    beside: Beside,
) -> None:
    plant = beside.plant.plant
    plant.do(DispatchOrder(order="1007", room="B1"), "sana")
    order = plant.execution.nouns.get(Order, "1007")
    assert order is not None
    assert order.batch is not None
    beside.hands.produced("1007", {"PVP": "PV-3302", "CCNA": "CC-4410"}, batch="BY-HAND")
    plant.brought_to(order.batch, "50")
    begun = beside.row("1007", "start", "missing_in_erp")
    assert begun.cause.startswith("The ERP refused it: Order 1007 is done.")
    row = beside.row("1007", "PVP", "in_flight")
    assert row.cause == "Waits behind message 1 of its order, which the ERP refused."
    for name in ("PVP", "CCNA", "PARA500"):
        beside.row("1007", name, "missing_in_mes")
    hand = [one for one in beside.plant.rows() if "1007" in one.subject and one.fact is None]
    assert len(hand) == 3
