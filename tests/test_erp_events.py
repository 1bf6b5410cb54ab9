"""The event catalogue: what a type must carry, what is told, what is gathered, what is a notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from core.clock import iso
from core.policy import OPEN
from erp import evidence
from erp.contract import BookedDocument, Line, Message, from_bytes
from erp.errors import MessageRefused
from erp.events import DEVIATIONS, EVENTS, EventKind, check, told
from erp.following import FactReader, MessageReader
from erp.messages import Known
from erp.outbox import Outbox
from erp.relay import Endpoint, Relay
from erp.rows import State
from tests.erp_plant import AT, SITE, Clock, Sandbox, Written, message_of, sandbox_running

replace = msgspec.structs.replace
DOCUMENT = BookedDocument(id="4900000005", year="2026")


def changed(message: Message, **data: object) -> Message:
    return replace(message, data=replace(message.data, **data))


def line(movement: str) -> Line:
    return Line(n=1, item="LAC", lot="L-1", quantity="1", unit="KGM", movement=movement)  # type: ignore[arg-type]


def notices(ledger: Written, n: int) -> None:
    """Write a held order with its deviation, and its way out."""
    numbers: dict[str, object] = {"order": f"W{n}", "batch": f"B{n}", "erp_ref": f"PO-{n}"}
    about: dict[str, object] = {"deviation": f"D{n}", "batch": f"B{n}"}
    ledger.write("work-order.started", f"order/W{n}", work_center="B1", **numbers)
    ledger.write("deviation.opened", f"deviation/D{n}", severity="high", says="Too much.", **about)
    ledger.write("work-order.held", f"order/W{n}", why="Too much.", **numbers)
    ledger.write("work-order.resumed", f"order/W{n}", **numbers)
    ledger.write("deviation.closed", f"deviation/D{n}", **about)


@pytest.mark.requirement("K6")
def test_a_whole_batch_keeps_every_part_of_the_contract() -> None:
    for entry in Written().batch():
        check(message_of(entry))


@pytest.mark.requirement("K6")
def test_a_message_that_breaks_its_types_part_of_the_contract_is_refused() -> None:
    started, consumed, *_ = (message_of(entry) for entry in Written().batch())
    for message, why in (
        (changed(started, batch=None), "batch is missing"),
        (changed(started, work_center=msgspec.UNSET), "work_center is missing"),
        (changed(started, lines=(line("issue"),)), "moves nothing, yet has lines"),
        (changed(started, corrects=consumed.id), "only a reversal names an original"),
        (changed(consumed, lines=()), "its lines must say issue, and be there"),
        (changed(consumed, lines=(line("issue"), line("scrap"))), "must say issue"),
        (replace(consumed, type="mes.posting_reversed.v1"), "corrects is missing"),
        (
            changed(
                replace(consumed, type="mes.posting_reversed.v1"), lines=(), corrects=started.id
            ),
            "undoes nothing",
        ),
        (replace(consumed, type="mes.document_reversed.v1"), "document is missing"),
        (changed(consumed, document=DOCUMENT), "only a document's reversal names a document"),
        (
            changed(
                replace(consumed, type="mes.document_reversed.v1"),
                document=DOCUMENT,
                why="Twice.",
                lines=(),
            ),
            "undoes nothing",
        ),
    ):
        with pytest.raises(MessageRefused, match=why):
            check(message)


@pytest.mark.requirement("K6", "B8")
def test_the_other_side_hears_of_deviations_only_where_capa_lives_there() -> None:
    alone = replace(OPEN, deviations="mes")
    assert all(told(kind, OPEN) for kind in EVENTS)
    assert {kind.type for kind in EVENTS if not told(kind, alone)} == set(DEVIATIONS)


@dataclass
class Gathered:
    """Movements wait for one instant; deviations are not told."""

    until: datetime

    def told(self, kind: EventKind, at: datetime) -> bool:
        return kind.type not in DEVIATIONS

    def due(self, kind: EventKind, at: datetime) -> datetime:
        return self.until if kind.gathers else at


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


@contextmanager
def relaying(erp: Sandbox, ledger: Written, outbox: Outbox, **more: object) -> Iterator[Relay]:
    port = erp.port_to()
    relay = Relay(
        ledger,
        outbox,
        port,
        site=SITE,
        order_of=lambda batch: batch.replace("B", "W"),
        erp_order=lambda order: order.replace("W", "PO-"),
        **more,  # type: ignore[arg-type]
    )
    try:
        yield relay
    finally:
        relay.stop()
        port.close()


@pytest.mark.requirement("K6", "L1")
def test_notices_are_receipted_book_nothing_and_are_not_compared(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = Written()
    notices(ledger, 1)
    with relaying(erp, ledger, outbox) as relay:
        relay.step()
    rows = evidence.messages(outbox)
    assert [(row.type.split(".")[1], row.state) for row in rows] == [
        ("work_order_started", State.DONE),
        ("deviation_opened", State.DONE),
        ("work_order_held", State.DONE),
        ("work_order_resumed", State.DONE),
        ("deviation_closed", State.DONE),
    ]
    assert [one["movement"] for one in erp.lines("PO-1")] == ["start"]
    told = MessageReader(outbox).read().rows
    assert [row.type for row in told] == ["mes.work_order_started.v1"]
    facts = FactReader(ledger, SITE, erp_order=lambda it: it.replace("W", "PO-")).read().rows
    assert [row.type for row in facts] == ["mes.work_order_started.v1"]


@pytest.mark.requirement("K1", "B8")
def test_gathered_movements_leave_at_the_end_of_the_shift_in_order_under_the_same_keys(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, clock = Written(), Clock()
    ledger.batch(2)
    keys = [message_of(entry).id for entry in ledger.kept]
    shift_end = AT + timedelta(hours=2)
    clock.pass_s(60)
    with relaying(erp, ledger, outbox, clock=clock, manner=Gathered(shift_end)) as relay:
        relay.step()
        first = [row.state for row in evidence.messages(outbox)]
        assert first == [State.DONE, *[State.PENDING] * 5]
        outbox.hasten(at=clock())  # the end of an outage hurries what was tried, and only that
        clock.at = shift_end - timedelta(microseconds=1)
        relay.step()
        assert len(erp.lines("PO-2")) == 1
        clock.at = shift_end
        relay.step()
        assert relay.status().endpoint is Endpoint.UP
    rows = evidence.messages(outbox)
    assert [row.state for row in rows] == [State.DONE] * 6
    assert [row.event_id for row in rows] == keys
    assert [one["reference"] for one in erp.lines("PO-2")] == keys


@pytest.mark.requirement("K1")
def test_a_fact_found_late_does_not_wait_for_a_shift_that_is_over(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger, clock = Written(), Clock(AT + timedelta(days=1))
    ledger.batch(3)
    manner = Gathered(AT + timedelta(hours=2))
    with relaying(erp, ledger, outbox, clock=clock, manner=manner) as relay:
        relay.step()
    assert {row.state for row in evidence.messages(outbox)} == {State.DONE}
    assert {row.due_at for row in evidence.messages(outbox)} == {iso(clock())}


@pytest.mark.requirement("K6")
def test_what_the_policy_keeps_back_has_no_message(erp: Sandbox, outbox: Outbox) -> None:
    ledger = Written()
    notices(ledger, 4)
    with relaying(erp, ledger, outbox, manner=Gathered(AT)) as relay:
        relay.step()
    kinds = [row.type for row in evidence.messages(outbox)]
    assert len(kinds) == 3
    assert not set(kinds) & set(DEVIATIONS)


def test_a_deviation_belongs_to_the_order_of_its_batch() -> None:
    ledger = Written()
    notices(ledger, 5)
    known = Known(
        erp_order=lambda order: "PO-5", original=lambda _: None, order_of=lambda batch: "W5"
    )
    made = message_of(ledger.kept[1], 1, known)
    assert (made.partitionkey, made.data.order.erp) == ("W5", "PO-5")
    assert (made.data.deviation.id, made.data.deviation.severity) == ("D5", "high")  # type: ignore[union-attr]
    assert made.data.why == "Too much."


@pytest.mark.requirement("K6")
def test_a_line_that_runs_an_order_is_told_as_running_then_idle(
    erp: Sandbox, outbox: Outbox
) -> None:
    ledger = Written()
    run = {"line": "L1", "batch": "B5", "order": "W5"}
    before = erp.lines("PO-5")
    ledger.write("run.started", "line/L1", product="TAB", **run)
    ledger.write("run.ended", "line/L1", **run)
    with relaying(erp, ledger, outbox) as relay:
        relay.step()
    rows = evidence.messages(outbox)
    told = [from_bytes(row.body).data for row in rows]
    assert [row.state for row in rows] == [State.DONE] * 2
    assert [(it.work_center, it.equipment_state) for it in told] == [
        ("L1", "running"), ("L1", "idle"),
    ]  # fmt: skip
    assert erp.lines("PO-5") == before
