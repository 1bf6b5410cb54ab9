"""Work orders: from the ERP or born here, made ready by gates, dispatched to a room.

Dispatch makes the batch: its number exists from then on and can be printed. A change that
the ERP makes after that is a request for a person and changes nothing by itself.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct

from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.policy import OriginRefused
from core.quantity import Name, Sentence, Utc, require_above_zero, require_unit


class OrderState(StrEnum):
    """The life of a work order."""

    WAITING = "waiting"
    READY = "ready"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    HELD = "held"
    COMPLETED = "completed"
    CLOSED = "closed"
    ABORTED = "aborted"
    CANCELLED = "cancelled"


class Provenance(Struct, frozen=True, kw_only=True):
    """Where a record of another system came from, and when it was fetched."""

    url: str
    etag: str | None
    sha256: str
    fetched_at: Utc


class Gate(Struct, frozen=True, kw_only=True):
    """One named condition. A red gate blocks unless `blocks` is false; `owner` can mend it."""

    gate: str
    passed: bool
    says: str
    owner: str
    blocks: bool = True


class ReceiveOrder(Command, frozen=True, kw_only=True, tag="order.receive"):
    """Take over an order as the ERP states it now; the same statement twice changes nothing."""

    order: Name
    erp_ref: Name
    product: Name
    quantity: Decimal
    unit: str
    due_at: Utc | None = None
    priority: int | None = None
    provenance: Provenance


class OpenOrder(Command, frozen=True, kw_only=True, tag="order.open"):
    """Open an order that the ERP does not know, with the reason."""

    order: Name
    product: Name
    quantity: Decimal
    unit: str
    due_at: Utc | None = None
    why: Sentence


class WithdrawOrder(Command, frozen=True, kw_only=True, tag="order.withdraw"):
    """The ERP closed or cancelled an order; one that is at work is left to a person."""

    order: Name
    erp_state: Name
    provenance: Provenance


class WorkOrderReceived(Event, frozen=True, kw_only=True, tag="work-order.received"):
    """An order is known from here on."""

    order: str
    origin: str
    erp_ref: str | None
    product: str
    quantity: Decimal
    unit: str
    due_at: Utc | None
    priority: int | None
    why: str | None
    provenance: Provenance | None


class WorkOrderRevised(Event, frozen=True, kw_only=True, tag="work-order.revised"):
    """The ERP changed an order that was still waiting."""

    order: str
    product: str
    quantity: Decimal
    unit: str
    due_at: Utc | None
    priority: int | None
    provenance: Provenance


class OrderChangeRequestRaised(Event, frozen=True, kw_only=True, tag="order-change-request.raised"):
    """The ERP changed an order after its dispatch; a person decides."""

    order: str
    changes: dict[str, tuple[str, str]]
    provenance: Provenance


class WorkOrderCancelled(Event, frozen=True, kw_only=True, tag="work-order.cancelled"):
    """The ERP withdrew an order before it was dispatched."""

    order: str
    erp_state: str
    provenance: Provenance


class WorkOrderLinked(Event, frozen=True, kw_only=True, tag="work-order.linked"):
    """An order that was opened here has an ERP order from here on."""

    order: str
    erp_ref: str


class WorkOrderDoneAs(Event, frozen=True, kw_only=True, tag="work-order.done-as"):
    """The ERP's order is carried out by an order that was opened here; it is not dispatched."""

    order: str
    done_as: str


class WorkOrderMadeReady(Event, frozen=True, kw_only=True, tag="work-order.made-ready"):
    """Every blocking gate was green."""

    order: str
    gates: tuple[Gate, ...]


class WorkOrderDispatched(Event, frozen=True, kw_only=True, tag="work-order.dispatched"):
    """The order went to a room and has its batch."""

    order: str
    room: str
    batch: str


class WorkOrderStarted(Event, frozen=True, kw_only=True, tag="work-order.started"):
    """The first step of the batch began."""

    order: str
    erp_ref: str | None
    batch: str
    work_center: str


class WorkOrderHeld(Event, frozen=True, kw_only=True, tag="work-order.held"):
    """The batch is held."""

    order: str
    batch: str
    why: str


class WorkOrderResumed(Event, frozen=True, kw_only=True, tag="work-order.resumed"):
    """The batch goes on."""

    order: str
    batch: str


class WorkOrderCompleted(Event, frozen=True, kw_only=True, tag="work-order.completed"):
    """The batch was released or rejected; the ERP may close the order."""

    order: str
    erp_ref: str | None
    batch: str
    quantity: Decimal
    unit: str


type OrderCommand = ReceiveOrder | OpenOrder | WithdrawOrder
OVER = (OrderState.COMPLETED, OrderState.CLOSED, OrderState.ABORTED, OrderState.CANCELLED)
ERP_FIELDS = ("product", "quantity", "unit", "due_at", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A work order."""

    KIND: ClassVar[str] = "order"
    order: str
    origin: str
    product: str
    quantity: Decimal
    unit: str
    erp_ref: str | None = None
    due_at: datetime | None = None
    priority: int | None = None
    why: str | None = None
    state: OrderState = OrderState.WAITING
    batch: str | None = None
    room: str | None = None
    received_at: datetime | None = None
    provenance: Provenance | None = None
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    done_as: str | None = None


class BornHere(Refused):
    """The ERP uses a number that an order of this plant holds."""

    def __init__(self, order: str) -> None:
        super().__init__(
            f"Order {order}: was opened here under this number; the ERP's order of the same number"
            " is another one. Give the ERP's order another number.",
            order=order,
        )


def decide(plant: Plant, command: OrderCommand, context: Context) -> Facts:
    """Return what a statement about an order causes, or refuse it.

    Raises:
        OriginRefused: the boundary policy lets orders be born on the other side alone.
        AlreadyKnown: an MES-born order takes a number that is in use.
        BornHere: the ERP states an order under the number of an MES-born one.
        NotAboveZero, UnknownUnit: nothing is ordered.
    """
    if isinstance(command, WithdrawOrder):
        return _withdraw(plant, command)
    require_unit(f"Order {command.order}", command.unit)
    require_above_zero(f"Order {command.order}", command.quantity, command.unit)
    match command:
        case OpenOrder() as it:
            if context.policy.order_origin == "erp":
                raise OriginRefused(
                    it.order,
                    says="the ERP plans every order",
                    next_step="Ask planning for an order.",
                )
            if plant.get(Order, it.order) is not None:
                raise AlreadyKnown("Order", it.order)
            opened = WorkOrderReceived(
                order=it.order,
                origin="mes",
                erp_ref=None,
                product=it.product,
                quantity=it.quantity,
                unit=it.unit,
                due_at=it.due_at,
                priority=None,
                why=it.why,
                provenance=None,
            )
            return (Fact(f"order/{it.order}", opened, it.why),)
        case ReceiveOrder() as it:
            if context.policy.order_origin == "mes":
                raise OriginRefused(
                    it.order,
                    says="orders are opened on the floor",
                    next_step="Stop sending orders, or sign another policy.",
                )
            return _receive(plant, it)


def _withdraw(plant: Plant, it: WithdrawOrder) -> Facts:
    order = need(plant, Order, it.order)
    if order.origin == "mes":
        raise BornHere(it.order)
    stream = f"order/{it.order}"
    if order.done_as is not None:
        return ()
    if order.state in (OrderState.WAITING, OrderState.READY):
        cancelled = WorkOrderCancelled(
            order=it.order, erp_state=it.erp_state, provenance=it.provenance
        )
        return (Fact(stream, cancelled),)
    asks = {"state": (str(order.state), it.erp_state)}
    if order.state in OVER or order.asked == asks:
        return ()
    asked = OrderChangeRequestRaised(order=it.order, changes=asks, provenance=it.provenance)
    return (Fact(stream, asked),)


def _receive(plant: Plant, it: ReceiveOrder) -> Facts:
    stream, order = f"order/{it.order}", plant.get(Order, it.order)
    if order is not None and order.done_as is not None:
        return ()
    if order is None or order.state is OrderState.CANCELLED:
        received = WorkOrderReceived(
            order=it.order,
            origin="erp",
            erp_ref=it.erp_ref,
            product=it.product,
            quantity=it.quantity,
            unit=it.unit,
            due_at=it.due_at,
            priority=it.priority,
            why=None,
            provenance=it.provenance,
        )
        return (Fact(stream, received),)
    if order.origin == "mes":
        raise BornHere(it.order)
    changes = {
        name: (str(getattr(order, name)), str(getattr(it, name)))
        for name in ERP_FIELDS
        if getattr(order, name) != getattr(it, name)
    }
    if not changes or changes == order.asked:
        return ()
    if order.state is OrderState.WAITING:
        revised = WorkOrderRevised(
            order=it.order,
            product=it.product,
            quantity=it.quantity,
            unit=it.unit,
            due_at=it.due_at,
            priority=it.priority,
            provenance=it.provenance,
        )
        return (Fact(stream, revised),)
    asked = OrderChangeRequestRaised(order=it.order, changes=changes, provenance=it.provenance)
    return (Fact(stream, asked),)


def require_state(order: Order, *states: OrderState) -> None:
    """Refuse an order that is in none of the given states."""
    if order.state not in states:
        needed = " or ".join(states)
        raise WrongState(
            f"Order {order.order}", order.state, needed=needed, next_step="Choose another order."
        )


def apply(order: Order | None, fact: Recorded) -> Order:
    """Fold one event of an order's stream."""
    match fact.event:
        case WorkOrderReceived() as it:
            return Order(
                order=it.order,
                origin=it.origin,
                erp_ref=it.erp_ref,
                product=it.product,
                quantity=it.quantity,
                unit=it.unit,
                due_at=it.due_at,
                priority=it.priority,
                why=it.why,
                received_at=fact.at,
                provenance=it.provenance,
            )
        case event:
            assert order is not None, fact
            return replace(order, **_changes(event))


def _changes(event: Event) -> dict[str, Any]:
    match event:
        case WorkOrderRevised() as it:
            fields = {name: getattr(it, name) for name in ERP_FIELDS}
            return {**fields, "provenance": it.provenance}
        case OrderChangeRequestRaised(changes=changes):
            return {"asked": changes}
        case WorkOrderCancelled():
            return {"state": OrderState.CANCELLED}
        case WorkOrderLinked(erp_ref=erp_ref):
            return {"erp_ref": erp_ref}
        case WorkOrderDoneAs(done_as=done_as):
            return {"state": OrderState.CANCELLED, "done_as": done_as}
        case WorkOrderMadeReady():
            return {"state": OrderState.READY}
        case WorkOrderDispatched(batch=batch, room=room):
            return {"state": OrderState.DISPATCHED, "batch": batch, "room": room}
        case WorkOrderStarted() | WorkOrderResumed():
            return {"state": OrderState.RUNNING}
        case WorkOrderHeld():
            return {"state": OrderState.HELD}
        case WorkOrderCompleted():
            return {"state": OrderState.COMPLETED}
        case _:
            return {}
