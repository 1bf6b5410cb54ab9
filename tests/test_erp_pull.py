"""Master data pulled from a sandbox in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from core.clock import now
from core.errors import Refused
from core.ledger.tables import StoreFailed
from erp import tables
from erp.outbox import Outbox
from erp.port import ErpBom, ErpBomLine, ErpOrder, ErpOrderState, Kind, Provenance, Record
from erp.pull import Puller, PullState, Receivers
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
        taken, written = len(received), kept(outbox)
        assert taken == 3 + 1 + 1 + len(received.orders())
        assert set(puller.round().values()) == {"304"}
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
        assert set(puller.round().values()) == {"304"}
    assert "PO-1" in received.orders()
