"""The first screens of a kiosk: what runs and waits in this room, and an order's ready gates."""

from core.dispatch import DispatchOrder
from core.order import Order
from dashboards.kiosk import board, draw
from dashboards.kiosk.choices import Choices
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.press import Press, primary
from dashboards.palette import State


def list_screen(desk: Desk) -> Screen:
    """Show the dispatch list of the room."""
    place = desk.place()
    asked = desk.at.get("page", "")
    page = int(asked) if asked.isdecimal() and len(asked) < 6 else 1
    batches = board.batches(desk.execution, place)
    orders = board.orders(desk.execution, place, page=page)
    work = Choices(
        batches, lambda name: desk.go(batch=name),
        label="Batches", empty="No batch is at work here.",
    )  # fmt: skip
    waiting = Choices(
        orders.rows, lambda name: desk.go(order=name),
        label="Waiting orders", empty="No order is waiting.",
    )  # fmt: skip
    who = "tap one to see its gates" + (" and dispatch it" if desk.is_supervisor else "")
    if orders.pages > 1:
        first = (orders.page - 1) * board.LONGEST + 1
        last = first + len(orders.rows) - 1
        who += f" · {first} to {last} of {orders.count}, those due first before the others"
    lines = Press("Lines and stops", lambda _: desk.go(view="lines"), testid="lines",
                  busy_label="Opening …")  # fmt: skip
    return Screen(
        key=("list", tuple(batches), orders),
        main=[
            draw.piece(draw.heading("At work", "tap a batch to go on with it")),
            work,
            draw.piece(draw.heading("Waiting", who)),
            waiting,
        ],
        quiet=[lines, *_turns(desk, orders)],
        topics=("kind/batch", "kind/order", "kind/equipment", "kind/lot", "kind/deviation"),
    )


def _turns(desk: Desk, it: board.Waiting) -> list[Press]:
    """Return the ways to the waiting orders that are due earlier and later."""

    def turn(words: str, to: int, testid: str) -> Press:
        return Press(words, lambda _: desk.go(page=str(to)), testid=testid, busy_label="Opening …")

    back = [turn("‹ Earlier orders", it.page - 1, "earlier")] if it.page > 1 else []
    return [*back, *([turn("Later orders ›", it.page + 1, "later")] if it.page < it.pages else [])]


def order_screen(desk: Desk, name: str) -> Screen:
    """Show an order's gates; a supervisor dispatches it to this room where they are green."""
    back = Press("‹ List", lambda _: desk.go(order=None), testid="list",
                 busy_label="Opening …")  # fmt: skip
    order = desk.execution.nouns.get(Order, name)
    if order is None:
        return Screen(
            key=("unknown", name),
            main=[draw.piece(draw.note(State.BAD, f"Order {name}: not known here."))],
            quiet=[back],
        )
    place = desk.place()
    found = board.gates(desk.execution, order, place)
    blocked = any(gate.blocks and not gate.passed for gate in found)
    screen = Screen(
        key=("order", order, found, place.room),
        main=[draw.piece(draw.heading("Ready gates", f"for room {place.room}"), draw.gates(found))],
        quiet=[back],
        topics=("kind/order", "kind/equipment", "kind/lot", "kind/recipe", "kind/bom"),
    )
    if order.state not in board.WAITING:
        went = f": batch {order.batch} in room {order.room}" if order.batch else ""
        text = f"Order {name} is {order.state.value}{went}."
        screen.main = [draw.piece(draw.note(State.INFO, text))]
    elif place.room is None:
        screen.main = [draw.piece(draw.note(State.UNKNOWN, board.NO_ROOM))]
    elif desk.is_supervisor:
        room = place.room
        screen.primary = primary(
            f"Dispatch to {room}",
            lambda press: _dispatch(desk, name, room, press=press),
            enabled=not blocked,
        )
    else:
        screen.main.append(draw.piece(draw.note(State.INFO, "A supervisor dispatches this order.")))
    return screen


async def _dispatch(desk: Desk, name: str, room: str, *, press: str) -> None:
    command = DispatchOrder(order=name, room=room)

    def words(_: object) -> str:
        found = desk.execution.nouns.get(Order, name)
        return f"Order {name} is batch {found.batch if found else ''}, room {room}"

    if await desk.submit(press, lambda: command, recorded=words):
        desk.go(order=None)


def title(desk: Desk, name: str) -> str:
    """Return an order in one line."""
    order = desk.execution.nouns.get(Order, name)
    if order is None:
        return f"Order {name}"
    return f"Order {name} · {board.product_name(desk.execution, order)}"
