"""What the conformance suite reads of an ERP, and the messages that it changes on the way."""

from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec

from erp.contract import Message, erp_ref
from erp.port import LedgerLine, Outcome, Rejected, Scope
from tests.erp_peers import Port, Story


def booked(port: Port, order: str, movement: str = "issue") -> list[LedgerLine]:
    return [line for line in port.ledger(Scope(order=order)) if line.movement == movement]


def opening(port: Port, story: Story) -> Message:
    """Return the first message of an order that the ERP has a posting for."""
    made = story.started()
    return made if port.profile.books(made.type) else story.consumed()


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def changed(made: Message, **line: str) -> Message:
    """Return the message with its line changed: a fact of its own under a key of its own."""
    lines = tuple(msgspec.structs.replace(one, **line) for one in made.data.lines)
    key = made.id[:-4] + f"{next(COUNT):04d}"
    data = msgspec.structs.replace(made.data, lines=lines, erp_ref=erp_ref(key))
    return msgspec.structs.replace(made, id=key, data=data)


COUNT = itertools.count(1)


def beside_stock(batch: str) -> dict[str, tuple[object, ...]]:
    """Return the lines of the books that move no stock, by the message that asks for them."""
    return {
        "mes.work_order_started.v1": ("order", "start", None, None, None),
        "mes.batch_released.v1": ("status", "release", "TAB", batch, Decimal(1000)),
        "mes.work_order_completed.v1": ("order", "complete", None, None, None),
    }
