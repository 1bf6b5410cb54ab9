"""The conformance suite for an ERP that has no door and polls us: same cases, the other direction.

A case that such an ERP cannot have says so by what its profile declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.clock import now
from erp.adapters.quickbooks import tasks
from erp.contract import Message, erp_ref
from erp.port import (
    Accepted,
    Duplicate,
    ErpBom,
    Kind,
    OrderRef,
    Outcome,
    PeriodState,
    Posted,
    Rejected,
    Scope,
)
from tests.erp_peers import ORDERS, Story, last_month, posting
from tests.erp_polled import Door, PolledPeer, quickbooks, settled
from tests.erp_simulated import SECRET
from tests.patience import eventually

TODAY = now().date()
NUMBERS = iter(ORDERS)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolledPeer]:
    with quickbooks(tmp_path_factory.mktemp("quickbooks")) as found:
        yield found


@pytest.fixture
def door(peer: PolledPeer, tmp_path: Path) -> Iterator[Door]:
    with peer.door(tmp_path) as made:
        yield made


@pytest.fixture
def story() -> Story:
    return Story(next(NUMBERS))


def lines(door: Door, order: str) -> list[tuple[str | None, Decimal | None]]:
    return [(one.ref, one.quantity) for one in door.port.ledger(Scope(order=order))]


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def changed(made: Message, **line: str) -> Message:
    altered = tuple(msgspec.structs.replace(one, **line) for one in made.data.lines)
    key = made.id[:-4] + f"{len(line) * 1000 + len(line.popitem()[1]):04d}"
    data = msgspec.structs.replace(made.data, lines=altered, erp_ref=erp_ref(key))
    return msgspec.structs.replace(made, id=key, data=data)


@pytest.mark.requirement("K1", "K2")
def test_a_batch_is_booked_with_its_general_ledger(door: Door, story: Story) -> None:
    assert not door.port.profile.reads_gl
    facts = [story.started(), story.consumed(), story.produced(), story.completed()]
    assert not any(door.port.profile.books(made.type) for made in facts)
    made = story.released()
    outcome = settled(door, made)
    assert isinstance(outcome, Posted)
    assert door.port.find_posting(made.data.erp_ref) == list(outcome.docs)
    [line] = door.port.ledger(Scope(order=story.order))
    assert (line.reference, line.ref) == (made.id, made.data.erp_ref)
    assert (line.kind, line.movement, line.item) == ("status", "release", "TAB")
    assert (line.lot, line.quantity, line.unit) == (f"B{story.order}", Decimal(1000), "C62")


@pytest.mark.requirement("K2")
def test_an_answer_lost_after_the_commit_ends_in_the_same_documents(
    peer: PolledPeer, door: Door, story: Story
) -> None:
    made = story.released()
    with peer.network(door, "lose") as between:  # QuickBooks has it, we never hear of it
        outcome = settled(door, made)
        assert between.struck["lose"] == 1
    assert isinstance(outcome, Posted)
    assert peer.builds(made) == 1  # the next poll found it
    assert lines(door, story.order) == [(made.data.erp_ref, Decimal(1000))]


@pytest.mark.requirement("K2")
def test_a_request_that_never_arrived_is_booked_once_by_the_next(
    peer: PolledPeer, door: Door, story: Story
) -> None:
    made = story.released()
    peer.connect("http://127.0.0.1:9/erp/qbwc")  # polls go nowhere
    assert isinstance(door.port.post(posting(made)), Accepted)
    assert door.port.accepted(made.data.erp_ref) is None
    peer.connect(door.url)
    eventually(lambda: door.port.accepted(made.data.erp_ref))
    assert peer.builds(made) == 1


@pytest.mark.requirement("K2")
def test_a_request_delivered_twice_is_booked_once(
    peer: PolledPeer, door: Door, story: Story
) -> None:
    made = story.released()
    with peer.network(door, "twice") as between:
        outcome = settled(door, made)
        assert between.delivered == 2  # the answer came to us two times
    assert isinstance(outcome, Posted)
    assert lines(door, story.order) == [(made.data.erp_ref, Decimal(1000))]


@pytest.mark.requirement("K2")
def test_twins_at_the_same_instant_are_booked_once(
    peer: PolledPeer, door: Door, story: Story
) -> None:
    made = story.released()
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda _: door.port.post(posting(made)), range(6)))
    assert all(isinstance(one, Accepted | Posted | Duplicate) for one in outcomes), outcomes
    settled(door, made)
    assert peer.builds(made) == 1
    assert isinstance(door.port.post(posting(made)), Duplicate)


@pytest.mark.requirement("K2")
def test_a_key_with_other_bytes_is_refused_as_an_alarm(
    peer: PolledPeer, door: Door, story: Story, tmp_path: Path
) -> None:
    made = story.released()
    assert isinstance(settled(door, made), Posted)
    one = tuple(msgspec.structs.replace(line, quantity="99") for line in made.data.lines)
    other = msgspec.structs.replace(made, data=msgspec.structs.replace(made.data, lines=one))
    assert refused(door.port.post(posting(other))) == "key_reused"
    with peer.door(tmp_path / "another") as fresh:  # a queue that knows nothing of the first
        assert refused(settled(fresh, other)) == "key_reused"
        assert lines(fresh, story.order) == [(made.data.erp_ref, Decimal(1000))]


@pytest.mark.requirement("L1")
def test_unknown_order_item_lot_and_unit_are_refused_by_name(door: Door, story: Story) -> None:
    made = story.released()
    assert refused(settled(door, changed(made, item="SALT"))) == "item_unknown"
    assert refused(settled(door, changed(made, unit="KGM"))) == "unit_wrong"
    assert refused(settled(door, Story("777").released())) == "order_unknown"
    assert "lot_on_issue" not in door.port.profile.supports  # a build makes its lot itself
    assert isinstance(settled(door, made), Posted)


@pytest.mark.requirement("K5")
def test_a_quantity_finer_than_the_erp_keeps_is_refused_before_it_is_sent(
    door: Door, story: Story
) -> None:
    assert door.port.profile.scales == {"KGM": 8, "C62": 0}
    made = story.released()
    assert door.port.profile.misfit(posting(made)) is None
    misfit = door.port.profile.misfit(posting(changed(made, quantity="1000.5")))
    assert misfit is not None
    assert "finer than the ERP's" in misfit


@pytest.mark.requirement("L1")
def test_closed_missing_and_future_periods_are_known_before_and_refused(
    peer: PolledPeer, door: Door, story: Story
) -> None:
    closed = last_month(TODAY)
    assert not door.port.profile.asks_period_first
    assert door.port.period(closed) is PeriodState.UNKNOWN
    late = story.on(closed).released()
    peer.close_period(closed)
    try:
        assert refused(settled(door, late)) == "period_closed"
    finally:
        peer.open_period(closed)
    assert isinstance(settled(door, late), Posted)  # a person opened the period and sent it again
    [line] = door.port.ledger(Scope(order=story.order))
    assert (line.posting_date, line.period) == (closed, closed.isoformat()[:7])


@pytest.mark.requirement("K1")
def test_an_order_that_is_over_takes_nothing(peer: PolledPeer, door: Door, story: Story) -> None:
    peer.cancel_order(story.order)
    made = story.released()
    assert refused(settled(door, made)) == "order_closed"
    assert peer.builds(made) == 0
    assert door.port.get_order(OrderRef("", story.order)).state == "cancelled"


@pytest.mark.requirement("K8", "L8")
def test_a_reversal_undoes_its_original_once_and_both_stay(door: Door, story: Story) -> None:
    made = story.released()
    assert "reversal" not in door.port.profile.supports
    assert not door.port.profile.books(story.reversed(made).type)
    outcome = settled(door, made)
    assert isinstance(outcome, Posted)
    assert refused(door.port.reverse(outcome.docs[0], "key", TODAY)) == "not_reversible"


@pytest.mark.requirement("K8", "L8")
def test_a_document_that_no_message_stands_behind_is_undone_once(door: Door, story: Story) -> None:
    assert not door.port.profile.books(story.undone("1-1", "2026", kg="1").type)


@pytest.mark.requirement("A5")
def test_finished_goods_in_parts_sum_to_the_whole(door: Door, story: Story) -> None:
    assert "partial_fg" not in door.port.profile.supports  # one build a batch, at its release
    assert not door.port.profile.books(story.produced("250").type)


@pytest.mark.requirement("K1")
def test_the_wish_to_wait_is_heard(peer: PolledPeer, door: Door, story: Story) -> None:
    assert "polls_us" in door.port.profile.supports  # it comes when it likes; nobody is throttled
    peer.connect(None)
    made = story.released()
    assert isinstance(door.port.post(posting(made)), Accepted)
    assert door.port.accepted(made.data.erp_ref) is None
    peer.connect(door.url)
    assert isinstance(settled(door, made), Posted | Duplicate)


@pytest.mark.requirement("K3")
def test_a_secret_that_ran_out_pauses_and_books_nothing(
    peer: PolledPeer, door: Door, story: Story
) -> None:
    made = story.released()
    peer.connect(door.url, secret="another")
    assert isinstance(door.port.post(posting(made)), Accepted)
    eventually(lambda: "its door is shut" in door.port.health().detail)
    peer.connect(door.url, secret=SECRET)
    assert door.port.accepted(made.data.erp_ref) is None
    door.ahead = timedelta(hours=1)  # the longest that the door stays shut
    eventually(lambda: door.port.accepted(made.data.erp_ref))
    assert peer.builds(made) == 1


@pytest.mark.requirement("K4")
def test_master_data_comes_whole_once_and_then_as_nothing_new(door: Door) -> None:
    for kind in (Kind.ITEM, Kind.BOM, Kind.ORDER, Kind.CUSTOMER):
        page = door.port.pull(kind, None, None)
        assert page.records, kind
        assert page.faults == ()
        assert door.port.pull(kind, None, None).records == page.records
    orders = door.port.pull(Kind.ORDER, None, None).records or ()
    assert [one.id for one in orders] == ORDERS  # type: ignore[union-attr]
    [bom] = door.port.pull(Kind.BOM, None, None).records or ()
    assert isinstance(bom, ErpBom)
    assert (bom.quantity, [(one.item, one.quantity) for one in bom.lines]) == (
        Decimal(1),
        [("LAC", Decimal("0.00012")), ("PVP", Decimal("0.000015"))],
    )
    assert abs((door.port.server_time() - now()).total_seconds()) < 60


@pytest.mark.requirement("K2", "K7")
def test_a_crash_of_the_erp_between_two_facts_loses_and_doubles_nothing(
    peer: PolledPeer, door: Door
) -> None:
    first, second = Story(next(NUMBERS)).released(), Story(next(NUMBERS)).released()
    assert isinstance(settled(door, first), Posted)
    peer.crash()
    assert isinstance(door.port.post(posting(second)), Accepted)
    eventually(lambda: not door.port.health().up)
    peer.restart()
    eventually(lambda: door.port.accepted(second.data.erp_ref))
    assert isinstance(door.port.post(posting(first)), Duplicate)
    eventually(lambda: door.queue.seen_at(tasks.BUILDS) and door.port.health().up)
    assert (peer.builds(first), peer.builds(second)) == (1, 1)
