"""Link an order that was opened here to the ERP's order for the same work.

What the order did before is told to the ERP from then on, in the order of the facts.
"""

from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.order import Order, OrderState, WorkOrderDoneAs, WorkOrderLinked
from core.quantity import Name, Sentence, convert, plain


class LinkOrder(Command, frozen=True, kw_only=True, tag="order.link"):
    """Say which ERP order an order of this plant carries out."""

    order: Name
    erp_ref: Name
    why: Sentence


class LinkedElsewhere(Refused):
    """One ERP order is carried out once."""

    def __init__(self, erp_ref: str, other: str) -> None:
        super().__init__(
            f"ERP order {erp_ref}: is carried out by {other} already. Choose another ERP order.",
            erp_ref=erp_ref,
            other=other,
        )


class OrdersDiffer(Refused):
    """Linked orders are for the same product and quantity."""

    def __init__(self, order: Order, erp: Order) -> None:
        super().__init__(
            f"Order {order.order}: is for {plain(order.quantity)} {order.unit} of {order.product};"
            f" ERP order {erp.order} is for {plain(erp.quantity)} {erp.unit} of {erp.product}."
            " Correct the ERP's order, then link.",
            order=order.order,
            erp_ref=erp.order,
        )


def fits(order: Order, erp: Order) -> bool:
    """Return whether both are for the same product and quantity."""
    if order.product != erp.product:
        return False
    return order.quantity == convert(erp.quantity, erp.unit, order.unit)


def decide(plant: Plant, command: LinkOrder, context: Context) -> Facts:
    """Return what a link causes, or refuse it.

    The ERP's order must have been received: a link to a number that nobody has seen would be a
    guess.

    Raises:
        Unknown: one of the orders is not known here.
        WrongState: the order has an ERP order, or the ERP's order is at work or over.
        LinkedElsewhere: the ERP's order is carried out by another order.
        OrdersDiffer: they are not for the same.
    """
    order = need(plant, Order, command.order)
    erp = need(plant, Order, command.erp_ref, next_step="Wait until the ERP's order was received.")
    if order.erp_ref is not None or order.origin != "mes":
        raise WrongState(
            f"Order {order.order}",
            f"linked to ERP order {order.erp_ref}",
            needed="an order without an ERP order",
            next_step="Choose another order.",
        )
    if erp.done_as is not None:
        raise LinkedElsewhere(erp.order, erp.done_as)
    if erp.origin != "erp" or erp.state not in (OrderState.WAITING, OrderState.READY):
        raise WrongState(
            f"ERP order {erp.order}",
            f"{erp.state}, opened in the {erp.origin.upper()}",
            needed="waiting, opened in the ERP",
            next_step="Choose another ERP order.",
        )
    if not fits(order, erp):
        raise OrdersDiffer(order, erp)
    linked = WorkOrderLinked(order=order.order, erp_ref=erp.order)
    done = WorkOrderDoneAs(order=erp.order, done_as=order.order)
    return (
        Fact(f"order/{order.order}", linked, command.why),
        Fact(f"order/{erp.order}", done, command.why),
    )
