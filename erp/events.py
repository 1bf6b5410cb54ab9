"""The event catalogue: every message type, the fact it tells, and what it must carry.

A type either posts (stock, an order's confirmation) and is compared with the ERP's books; or it
undoes a document of the ERP's own, which cancels out there; or it is a notice: the ERP acknowledges
it and books nothing.
"""

from dataclasses import dataclass
from typing import get_args

from msgspec import UNSET

from core.policy import Decisions
from erp.contract import Message, MessageType, Movement
from erp.errors import MessageRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One message type: `fact` is the ledger's type, `needs` the members it cannot be without.

    `also` are other ledger types that are told in the same way.
    """

    type: MessageType
    fact: str
    also: tuple[str, ...] = ()
    title: str
    says: str
    movement: Movement | None = None
    needs: tuple[str, ...] = ()
    posts: bool = True

    @property
    def moves_stock(self) -> bool:
        """Whether it moves a quantity; a decision about a batch moves none."""
        return self.movement in ("issue", "return", "scrap", "receipt")

    @property
    def reverses(self) -> bool:
        """Whether it undoes an earlier message."""
        return "corrects" in self.needs

    @property
    def undoes(self) -> bool:
        """Whether it undoes a document that no fact of the floor stands behind."""
        return "document" in self.needs

    @property
    def may_replace(self) -> bool:
        """Whether it tells a movement that may be told anew, its posting reversed before."""
        return self.moves_stock

    @property
    def is_notice(self) -> bool:
        """Whether the ERP books nothing for it."""
        return not self.posts and not self.undoes

    @property
    def gathers(self) -> bool:
        """Whether it waits for the end of the shift where movements are gathered."""
        return self.moves_stock or self.reverses


EVENTS = (
    EventKind(
        type="mes.work_order_started.v1",
        fact="work-order.started",
        title="Work order started",
        says="The first step of the order's batch began.",
        needs=("batch", "work_center"),
    ),
    EventKind(
        type="mes.work_order_held.v1",
        fact="work-order.held",
        title="Work order held",
        says="The order's batch waits for a decision of QA.",
        needs=("batch", "why"),
        posts=False,
    ),
    EventKind(
        type="mes.work_order_resumed.v1",
        fact="work-order.resumed",
        title="Work order resumed",
        says="QA has decided; the order's batch goes on.",
        needs=("batch",),
        posts=False,
    ),
    EventKind(
        type="mes.material_consumed.v1",
        fact="material.consumed",
        title="Material consumed",
        says="A quantity of one container of a lot is in the batch.",
        movement="issue",
        needs=("batch",),
    ),
    EventKind(
        type="mes.material_returned.v1",
        fact="material.returned",
        title="Material returned",
        says="A quantity that was issued is back in stock.",
        movement="return",
    ),
    EventKind(
        type="mes.scrap_recorded.v1",
        fact="material.scrapped",
        title="Scrap recorded",
        says="A quantity is lost to the order.",
        movement="scrap",
    ),
    EventKind(
        type="mes.finished_goods_produced.v1",
        fact="material.produced",
        title="Finished goods produced",
        says="A quantity of the product exists under the batch's lot number.",
        movement="receipt",
        needs=("batch",),
    ),
    EventKind(
        type="mes.batch_released.v1",
        fact="batch.released",
        title="Batch released",
        says="QA released the batch, under signature.",
        movement="release",
        needs=("batch",),
    ),
    EventKind(
        type="mes.batch_rejected.v1",
        fact="batch.rejected",
        title="Batch rejected",
        says="QA rejected the batch, under signature.",
        movement="reject",
        needs=("batch",),
    ),
    EventKind(
        type="mes.work_order_completed.v1",
        fact="work-order.completed",
        title="Work order completed",
        says="The order's batch is decided; the ERP may close the order.",
        needs=("batch",),
    ),
    EventKind(
        type="mes.posting_reversed.v1",
        fact="material.reversed",
        also=("material.consumption-reversed", "material.production-reversed"),
        title="Posting reversed",
        says="An earlier fact did not happen as told; its posting is undone, line by line.",
        needs=("corrects",),
    ),
    EventKind(
        type="mes.document_reversed.v1",
        fact="posting.reversal-ordered",
        title="Document reversed",
        says="A document in the ERP's books has no fact of the floor behind it. Two people of the"
        " plant signed that it is undone, line by line.",
        needs=("document", "why"),
        posts=False,
    ),
    EventKind(
        type="mes.deviation_opened.v1",
        fact="deviation.opened",
        title="Deviation opened",
        says="A rule was broken at a step of the batch.",
        needs=("batch", "deviation", "why"),
        posts=False,
    ),
    EventKind(
        type="mes.deviation_closed.v1",
        fact="deviation.closed",
        title="Deviation closed",
        says="Nothing remains to be done about the deviation on the floor.",
        needs=("batch", "deviation"),
        posts=False,
    ),
    EventKind(
        type="mes.equipment_state.v1",
        fact="run.started",
        also=("run.ended",),
        title="Equipment state",
        says="A line runs the order's batch from here on, or runs it no more.",
        needs=("batch", "work_center", "equipment_state"),
        posts=False,
    ),
)
KINDS = {one.type: one for one in EVENTS}
BY_FACT = {fact: one for one in EVENTS for fact in (one.fact, *one.also)}
DEVIATIONS = ("mes.deviation_opened.v1", "mes.deviation_closed.v1")
assert set(KINDS) == set(get_args(MessageType.__value__))


def told(kind: EventKind, decisions: Decisions) -> bool:
    """Return whether a policy lets the other side hear of a kind of fact."""
    return kind.type not in DEVIATIONS or decisions.deviations != "mes"


def check(message: Message) -> None:
    """Refuse a message that breaks its type's part of the contract; it must not leave the plant.

    Raises:
        MessageRefused: a member is missing, the lines are not what the type moves, or an original
            is named by what is no reversal.
    """
    kind = KINDS[message.type]
    for name in kind.needs:
        if getattr(message.data, name) in (None, UNSET):
            raise MessageRefused(f"{message.type}: {name} is missing")
    moved = {line.movement for line in message.data.lines}
    if kind.movement is not None and moved != {kind.movement}:
        raise MessageRefused(f"{message.type}: its lines must say {kind.movement}, and be there")
    reverses = kind.reverses or kind.undoes
    if reverses and not moved:
        raise MessageRefused(f"{message.type}: undoes nothing, its lines are missing")
    if kind.movement is None and moved and not reverses:
        raise MessageRefused(f"{message.type}: moves nothing, yet has lines")
    if not kind.reverses and message.data.corrects is not None:
        raise MessageRefused(f"{message.type}: only a reversal names an original")
    if not kind.undoes and message.data.document is not UNSET:
        raise MessageRefused(f"{message.type}: only a document's reversal names a document")
    if not kind.may_replace and message.data.replaces is not UNSET:
        raise MessageRefused(f"{message.type}: only a movement is told anew")
