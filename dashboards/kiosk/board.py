"""The dispatch list of a room: what runs, what waits, and why something cannot run yet."""

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from core.batch.state import Batch, BatchState
from core.dispatch import ready_gates
from core.errors import Refused
from core.execution import Execution
from core.fact import Context, Head, State
from core.order import Gate, Order, OrderState
from core.projections.nouns import Nouns
from core.quantity import plain
from core.recipe import MasterRecipe, Product
from dashboards.kiosk.choices import Choice
from dashboards.kiosk.look import look
from dashboards.palette import State as Tone
from dashboards.parts import local_time

AT_WORK = (BatchState.IDLE, BatchState.RUNNING, BatchState.HELD)
WAITING = (OrderState.WAITING, OrderState.READY)
LONGEST, MOST_AT_WORK = 20, 40  # orders of a page; batches, of which those that wait are last
NO_ROOM = (
    "Gates are checked for a room, and this session is bound to none. Sign out, and choose a"
    " station when you sign in."
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The plant as rules read it, for showing what they would say now."""

    execution: Execution

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        """Return a noun's state as of the last commit."""
        return self.execution.nouns.get(noun, name)

    def head(self, stream: str) -> Head:
        """Return a stream's position."""
        found = self.execution.ledger.head(stream)
        return Head(0, None) if found is None else Head(found.ver, found.leaf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the kiosk stands and when it looks."""

    room: str | None
    scale: str | None
    zone: ZoneInfo
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A page of the waiting orders, those that are due first on the first one."""

    rows: tuple[Choice, ...]
    count: int
    page: int
    pages: int


def gates(execution: Execution, order: Order, place: Place) -> tuple[Gate, ...]:
    """Return every condition for running an order in the room, green and red; without one none."""
    if place.room is None:
        return ()
    context = Context(
        at=place.at, actor="kiosk", station=None, idem="look", zone=str(place.zone),
        master_data=execution.master_data(),
    )  # fmt: skip
    try:
        return ready_gates(Reading(execution), order, place.room, context=context)
    except Refused as no:
        return (Gate(gate=no.rule, passed=False, says=str(no), owner="engineering"),)


def at_work(nouns: Nouns) -> list[Batch]:
    """Return the batches that run, wait to start or are held."""
    return [one for one in nouns.open(Batch) if one.state in AT_WORK]


def waiting_orders(nouns: Nouns, at: datetime) -> list[Order]:
    """Return the orders that can be dispatched, those that are due first before the others."""
    found = [one for one in nouns.open(Order) if one.state in WAITING]
    return sorted(found, key=lambda one: (one.due_at is None, one.due_at or at, one.order))


def batches(execution: Execution, place: Place) -> list[Choice]:
    """Return the batches at work in the room, those that can go on first."""
    found = at_work(execution.nouns)
    here = [one for one in found if place.room is None or _is_here(one, place.room)]
    here.sort(key=lambda one: (one.state is BatchState.HELD, one.created_at))
    return [_batch_row(execution, one, place) for one in here[:MOST_AT_WORK]]


def _is_here(batch: Batch, room: str) -> bool:
    run = batch.current
    return batch.room == room or (
        run is not None and batch.recipe_step(run.step).work_center == room
    )


def _batch_row(execution: Execution, batch: Batch, place: Place) -> Choice:
    seen = look(execution, batch, scale=place.scale, at=place.at, zone=place.zone)
    order = execution.nouns.get(Order, batch.order)
    held = batch.state is BatchState.HELD
    words = {BatchState.HELD: "Held", BatchState.RUNNING: "Running", BatchState.IDLE: "To start"}
    why = (
        (f"Held by deviation {batch.held_by}. QA has been told and can release it.",)
        if held
        else ()
    )
    return Choice(
        id=batch.batch,
        title=f"{batch.batch}  ·  {seen.product}",
        lines=(
            f"Order {batch.order}, {_quantity(order)}, due {_due(order, place.zone)}",
            f"Step {seen.number} of {seen.of}: {seen.title}",
        ),
        why=why,
        tone=Tone.HELD if held else Tone.INFO,
        word=words[batch.state],
    )


def orders(execution: Execution, place: Place, *, page: int = 1) -> Waiting:
    """Return the waiting orders; red gates say why one cannot be dispatched to this room."""
    found = waiting_orders(execution.nouns, place.at)
    pages = max(-(-len(found) // LONGEST), 1)
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * LONGEST : page * LONGEST]
    rows = tuple(_order_row(execution, one, place) for one in shown)
    return Waiting(rows=rows, count=len(found), page=page, pages=pages)


def _order_row(execution: Execution, order: Order, place: Place) -> Choice:
    row = Choice(
        id=order.order,
        title=f"Order {order.order}  ·  {product_name(execution, order)}",
        lines=(f"{_quantity(order)}, due {_due(order, place.zone)}",),
        tone=Tone.OK,
        word="Ready",
    )
    if place.room is None:
        return replace(row, tone=Tone.UNKNOWN, word="Not checked", why=(NO_ROOM,))
    red = [gate for gate in gates(execution, order, place) if not gate.passed and gate.blocks]
    why = tuple(f"{gate.says} Owner: {gate.owner}." for gate in red)
    return replace(row, tone=Tone.BAD, word="Not ready", why=why) if red else row


def product_name(execution: Execution, order: Order) -> str:
    """Return the product's printed name, its code where no recipe names it."""
    product = execution.nouns.get(Product, order.product)
    recipe = execution.nouns.get(MasterRecipe, product.effective) if product else None
    return recipe.content.product_name if recipe else order.product


def _quantity(order: Order | None) -> str:
    return "–" if order is None else f"{plain(order.quantity)} {order.unit}"


def _due(order: Order | None, zone: ZoneInfo) -> str:
    return local_time(order.due_at if order else None, zone, seconds=False)
