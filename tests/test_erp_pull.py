"""Master data pulled from a sandbox in a process of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select

from core.clock import iso, now, parse_iso
from core.errors import Refused
from core.ledger.tables import StoreFailed
from erp import tables
from erp.outbox import Outbox
from erp.port import (
    ErpBom,
    ErpBomLine,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    Kind,
    Provenance,
    Record,
)
from erp.pull import OVERLAP, Night, Puller, PullState, Receivers
from tests.erp_plant import Clock, Sandbox, sandbox_running


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


class Received(list[tuple[Record, Provenance]]):
    """Takes every record, except what it is told to refuse."""

    refuses: str | None = None
    breaks: Exception | None = None

    def take(self, record: Record, provenance: Provenance) -> None:
        if self.breaks:
            raise self.breaks
        if isinstance(record, ErpOrder) and record.id == self.refuses:
            raise Refused(f"Order {record.id}: no recipe. Approve one.")
        self.append((record, provenance))

    def orders(self) -> list[str]:
        return [record.id for record, _ in self if isinstance(record, ErpOrder)]


@contextmanager
def pulling(
    erp: Sandbox, outbox: Outbox, received: Received, clock: Clock | None = None
) -> Iterator[Puller]:
    port = erp.port_to(timeout_s=1)
    take = received.take
    receivers = Receivers(on_order=take, on_bom=take, on_item=take, on_customer=take)
    puller = Puller(port, outbox.engine, receivers, every_s=30, clock=clock or now)
    try:
        yield puller
    finally:
        puller.stop()
        port.close()


def state_of(puller: Puller, kind: Kind) -> PullState:
    return next(state for state in puller.states() if state.kind is kind)


def kept(outbox: Outbox) -> list[tuple[object, ...]]:
    """Return everything the pull has written, except when it looked and how often."""
    pages, records = tables.pull_page, tables.pull_record
    columns = (pages.c.kind, pages.c.etag, pages.c.sha256, pages.c.body, pages.c.fetched_at)
    found = [*outbox.read(select(*columns)), *outbox.read(select(records))]
    return [tuple(row.values()) for row in found]


@pytest.mark.requirement("A1", "K4")
def test_304_is_counted_and_nothing_is_written(erp: Sandbox, outbox: Outbox) -> None:
    received = Received()
    with pulling(erp, outbox, received) as puller:
        assert set(puller.round().values()) == {"200"}
        taken = len(received)
        assert taken == 3 + 1 + 1 + len(received.orders())
        assert puller.round() == {
            Kind.ITEM: "unchanged", Kind.BOM: "304", Kind.CUSTOMER: "unchanged", Kind.ORDER: "304",
        }  # fmt: skip
        written = kept(outbox)
        assert set(puller.round().values()) == {"304"}
        assert (len(received), kept(outbox)) == (taken, written)
        order = state_of(puller, Kind.ORDER)
        assert (order.count_200, order.count_304, order.count_failed) == (1, 2, 0)
        assert order.status == "304"


@pytest.mark.requirement("A1", "B4")
def test_records_arrive_in_our_units_with_their_provenance(erp: Sandbox, outbox: Outbox) -> None:
    received = Received()
    with pulling(erp, outbox, received) as puller:
        puller.round()
    found = {record.id: (record, it) for record, it in received if isinstance(record, ErpOrder)}
    order, provenance = found["PO-1"]
    assert (order.quantity, order.unit) == (Decimal(100000), "EA")
    assert order.priority is None, "what the ERP left empty is never made up"
    assert order.state is ErpOrderState.RELEASED
    assert provenance.url.endswith("/orders")
    assert provenance.etag is not None
    (bom,) = (record for record, _ in received if isinstance(record, ErpBom))
    assert bom.lines[1] == ErpBomLine("PVP", Decimal("0.015"), "kg")


@pytest.mark.requirement("A1")
def test_only_what_changed_is_handed_on(erp: Sandbox, outbox: Outbox) -> None:
    received = Received()
    with pulling(erp, outbox, received) as puller:
        puller.round()
        puller.round()
        received.clear()
        erp.admin("orders", id="PO-2", quantity="90000")
        answers = puller.round()
        assert answers[Kind.ORDER] == "200"
        assert answers[Kind.ITEM] == "304"
        (order,) = (record for record, _ in received if isinstance(record, ErpOrder))
        assert (order.id, order.quantity) == ("PO-2", Decimal(90000))
        # Written again with the same content: a new tag at most, and nothing to hand on.
        erp.admin("orders", id="PO-2", quantity="90000")
        puller.round()
        assert received.orders() == ["PO-2"]


def test_a_restarted_process_hands_nothing_on_twice(erp: Sandbox, outbox: Outbox) -> None:
    first, second = Received(), Received()
    with pulling(erp, outbox, first) as puller:
        puller.round()
    with pulling(erp, outbox, second) as puller:
        assert set(puller.round().values()) == {"200"}
        assert state_of(puller, Kind.ORDER).count_unchanged == 1
    assert second == []


def test_a_refused_record_keeps_its_refusal_and_is_offered_again(
    erp: Sandbox, outbox: Outbox
) -> None:
    received = Received()
    received.refuses = "PO-3"
    with pulling(erp, outbox, received) as puller:
        puller.round()
        refused = state_of(puller, Kind.ORDER).refused
        assert refused == (("PO-3", "Order PO-3: no recipe. Approve one."),)
        assert "PO-3" not in received.orders()
        received.refuses = None
        puller.round()
        assert "PO-3" not in received.orders(), "nothing changed, so nothing was offered"
        puller.offer_again()
        puller.round()
        assert "PO-3" in received.orders()
        assert state_of(puller, Kind.ORDER).refused == ()


@pytest.mark.requirement("K4")
def test_the_last_known_good_stands_while_the_erp_is_away_and_shows_its_age(
    erp: Sandbox, outbox: Outbox
) -> None:
    clock = Clock(now())
    with pulling(erp, outbox, Received(), clock) as puller:
        puller.round()
        written = kept(outbox)
        erp.admin("faults", kind="down", seconds=60)
        clock.pass_s(90)
        assert set(puller.round().values()) == {"failed"}
        order = state_of(puller, Kind.ORDER)
        assert (order.age_s, order.is_stale, order.count_failed) == (90, False, 1)
        assert order.fault is not None
        assert order.fault.startswith(f"ERP at {erp.address}: ")
        clock.pass_s(1)
        assert state_of(puller, Kind.ORDER).is_stale
        assert kept(outbox) == written
        erp.admin("faults", kind="none")
        assert puller.round()[Kind.ORDER] == "304"
        assert not state_of(puller, Kind.ORDER).is_stale


@pytest.mark.requirement("K4")
def test_what_orders_rest_on_is_as_good_as_its_oldest_kind_over_restarts_too(
    erp: Sandbox, outbox: Outbox
) -> None:
    clock = Clock(now())
    with pulling(erp, outbox, Received(), clock) as puller:
        assert (puller.is_asked(), puller.good_since()) == (False, None)
        puller.round()
        first = clock()
        assert (puller.is_asked(), puller.good_since()) == (True, first)
        clock.pass_s(30)
        puller.poll(Kind.BOM)
        assert puller.good_since() == first
        puller.round()
        assert puller.good_since() == clock()
        erp.admin("faults", kind="down", seconds=60)
        clock.pass_s(90)
        puller.round()
        assert puller.good_since() == clock() - timedelta(seconds=90)
        erp.admin("faults", kind="none")
    with pulling(erp, outbox, Received(), clock) as again:
        assert again.good_since() == clock() - timedelta(seconds=90)


def test_a_vanished_order_is_flagged_until_it_is_listed_again(erp: Sandbox, outbox: Outbox) -> None:
    flagged = select(tables.pull_record).where(tables.pull_record.c.vanished_at.is_not(None))
    again = {"product": "TAB", "quantity": "7", "unit": "C62"}
    erp.admin("orders", id="PO-77", **again)
    received = Received()
    with pulling(erp, outbox, received) as puller:
        puller.round()
        httpx.delete(f"{erp.address}/admin/orders/PO-77", trust_env=False)
        assert puller.round()[Kind.ORDER] == "200"
        assert [row["name"] for row in outbox.read(flagged)] == ["PO-77"]
        erp.admin("orders", id="PO-77", **again)
        puller.round()
        assert outbox.read(flagged) == []
    assert received.orders().count("PO-77") == 1


@pytest.mark.parametrize("fault", [OSError("disk full"), StoreFailed("disk full")])
def test_a_round_that_broke_while_handing_on_is_made_up_for(
    erp: Sandbox, outbox: Outbox, fault: Exception
) -> None:
    received = Received()
    received.breaks = fault
    with pulling(erp, outbox, received) as puller:
        with pytest.raises(type(fault), match="disk full"):
            puller.round()
        received.breaks = None
        assert "200" not in puller.round().values()
    assert "PO-1" in received.orders()


def by_hand(erp: Sandbox, sql: str, *values: object) -> None:
    """Change the ERP's database as another program of the company would."""
    with closing(sqlite3.connect(erp.folder / "erp.db", timeout=10)) as books:
        assert books.execute(sql, values).rowcount == 1, sql
        books.commit()


def customers(received: Received) -> list[str]:
    return [record.name for record, _ in received if isinstance(record, ErpCustomer)]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    folder = tmp_path / "own"
    folder.mkdir()
    with sandbox_running(folder) as sandbox:
        yield sandbox


NEW = "INSERT INTO customer (code, name, changed_at) VALUES (?, ?, ?)"


@pytest.mark.requirement("K4")
def test_changes_are_asked_for_by_the_clock_of_the_erp_less_an_overlap(
    own: Sandbox, outbox: Outbox
) -> None:
    received, clock = Received(), Clock()  # our clock is years away from the ERP's
    with pulling(own, outbox, received, clock) as puller:
        puller.round()
        first = state_of(puller, Kind.CUSTOMER)
        since = parse_iso(first.cursor_since or "")
        assert OVERLAP <= now() - since < OVERLAP + timedelta(minutes=1)
        assert state_of(puller, Kind.BOM).cursor_since is None, "a line may change below it"
        assert puller.round()[Kind.CUSTOMER] == "unchanged"
        assert puller.round()[Kind.CUSTOMER] == "304", "the same question, so its tag holds"
        assert state_of(puller, Kind.CUSTOMER).cursor_since == first.cursor_since
        received.clear()
        # A transaction that began before our last question, and came to its end after it.
        by_hand(own, NEW, "C2", "Late clinic", iso(since + timedelta(seconds=1)))
        assert puller.round()[Kind.CUSTOMER] == "200"
        assert customers(received) == ["Late clinic"]
        (_, whence) = received[0]
        assert whence.url == f"{own.address}/customers?changed_since={first.cursor_since}"
        assert state_of(puller, Kind.CUSTOMER).cursor_since != first.cursor_since
        assert puller.round()[Kind.CUSTOMER] == "unchanged"
        assert puller.round()[Kind.CUSTOMER] == "304"
        assert customers(received) == ["Late clinic"]


@pytest.mark.requirement("K4", "B4")
def test_the_nightly_sweep_finds_what_questions_for_changes_cannot_see(
    own: Sandbox, outbox: Outbox
) -> None:
    received, clock = Received(), Clock()
    with pulling(own, outbox, received, clock) as puller:
        puller.round()
        long_ago = iso(now() - timedelta(days=9))
        by_hand(own, NEW, "C3", "Stamped late", long_ago)
        renamed = "UPDATE item SET name = 'Lactose, fine', changed_at = ? WHERE code = 'LAC'"
        by_hand(own, renamed, long_ago)
        by_hand(own, "DELETE FROM customer WHERE code = 'C1'")
        received.clear()
        for _ in range(2):
            puller.round()
        assert received == []
        swept = state_of(puller, Kind.CUSTOMER).swept_at
        until = Night().next_after(clock())
        clock.pass_s((until - clock()).total_seconds() - 1)
        puller.round()
        assert (received, state_of(puller, Kind.CUSTOMER).swept_at) == ([], swept)
        clock.pass_s(1)
        assert puller.round()[Kind.CUSTOMER] == "200"
        assert customers(received) == ["Stamped late"]
        assert [record.name for record, _ in received if isinstance(record, ErpItem)] == [
            "Lactose, fine"
        ]
        assert [name for name, _ in state_of(puller, Kind.CUSTOMER).vanished] == ["C1"]
        assert state_of(puller, Kind.CUSTOMER).swept_at != swept
        received.clear()
        puller.round()
        assert received == [], "once a night"


def test_without_the_time_of_the_erp_the_whole_page_is_read(own: Sandbox, outbox: Outbox) -> None:
    received = Received()
    with pulling(own, outbox, received) as puller:
        assert puller.poll(Kind.CUSTOMER) == "200"  # no round has asked what time it is there
        assert state_of(puller, Kind.CUSTOMER).cursor_since is None
        assert puller.poll(Kind.CUSTOMER) == "304"


@pytest.mark.parametrize(
    ("last", "at", "due"),
    [
        (None, "2026-11-23T12:00:00Z", True),
        ("2026-11-23T00:59:59Z", "2026-11-23T01:00:00Z", True),  # 02:00 in Berlin
        ("2026-11-23T00:59:59Z", "2026-11-23T00:59:59.5Z", False),
        ("2026-11-23T01:00:00Z", "2026-11-23T23:00:00Z", False),
        ("2026-11-23T01:00:00Z", "2026-11-24T01:00:00Z", True),
        ("2026-11-20T12:00:00Z", "2026-11-23T00:30:00Z", True),  # a server that was off
    ],
)
def test_a_sweep_is_due_once_each_night_of_the_plant(last: str | None, at: str, due: bool) -> None:
    night = Night(zone=ZoneInfo("Europe/Berlin"))
    assert night.is_due(parse_iso(last) if last else None, parse_iso(at)) is due


@pytest.mark.requirement("K4", "K5")
def test_a_page_with_other_field_names_changes_nothing_that_is_known(
    own: Sandbox, outbox: Outbox
) -> None:
    received = Received()
    with pulling(own, outbox, received) as puller:
        puller.round()
        taken = list(received)
        own.admin("faults", kind="page_schema_change", next=8)
        by_hand(own, "UPDATE customer SET name = 'Clinic supply south' WHERE code = 'C1'")
        by_hand(own, "UPDATE production_order SET quantity = '7' WHERE id = 'PO-1'")
        for _ in range(2):
            puller.round()
        order = state_of(puller, Kind.ORDER)
        assert "KeyError" in (order.fault or "")
        assert (received, order.vanished) == (taken, ())
        own.admin("faults", kind="none")
        puller.round()
        assert state_of(puller, Kind.ORDER).fault is None
        assert received.orders()[-1] == "PO-1"


def test_a_page_that_cannot_be_read_at_the_start_flags_nothing_as_vanished(
    own: Sandbox, outbox: Outbox
) -> None:
    with pulling(own, outbox, Received()) as puller:
        puller.round()
    own.admin("faults", kind="page_schema_change", next=4)
    with pulling(own, outbox, Received()) as puller:
        puller.round()
        assert [state.vanished for state in puller.states()] == [()] * 4
