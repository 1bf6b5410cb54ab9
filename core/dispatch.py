"""Dispatch: the gates before an order may run, and the batch that it becomes."""

from datetime import date
from decimal import Decimal

from core.batch.events import BatchCreated
from core.bom import ErpBom, bom_drift
from core.equipment import Equipment, EquipmentKind
from core.errors import Refused
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.material import Lot, LotStatus, Material
from core.numbering import draw
from core.order import (
    Gate,
    Order,
    OrderState,
    WorkOrderDispatched,
    WorkOrderMadeReady,
    require_state,
)
from core.quantity import Name, convert, plain
from core.recipe import MasterRecipe, Product, RecipeContent, StepKind
from core.scale import scale_faults


class DispatchOrder(Command, frozen=True, kw_only=True, tag="order.dispatch"):
    """Send a waiting order to a dispensing room and make its batch."""

    order: Name
    room: Name


class NotReady(Refused):
    """A gate is red."""

    def __init__(self, order: str, gates: tuple[Gate, ...]) -> None:
        red = [gate for gate in gates if gate.blocks and not gate.passed]
        owners = ", ".join(sorted({gate.owner for gate in red}))
        super().__init__(
            f"Order {order}: not ready. {' '.join(gate.says for gate in red)} Owner: {owners}.",
            order=order,
            red=", ".join(gate.gate for gate in red),
        )


def ready_gates(plant: Plant, order: Order, room: str, *, context: Context) -> tuple[Gate, ...]:
    """Return every condition for running an order in a room, green and red."""
    product = plant.get(Product, order.product)
    recipe = plant.get(MasterRecipe, product.effective) if product else None
    if recipe is None:
        missing = f"No effective recipe for {order.product}."
        return (Gate(gate="recipe effective", passed=False, says=missing, owner="engineering"),)
    content = recipe.content
    gates = [
        Gate(
            gate="recipe effective",
            passed=True,
            says=f"Recipe {product.effective if product else ''} is effective.",
            owner="engineering",
        ),
        _size_gate(order, content),
        _bom_gate(plant, order, content, context=context),
        *_master_gate(order, context=context),
        *_stock_gates(plant, content, context.today),
        *_room_gates(plant, room),
        *_scale_gates(plant, content, room, context=context),
    ]
    return tuple(gates)


def _size_gate(order: Order, content: RecipeContent) -> Gate:
    same = convert(order.quantity, order.unit, content.unit) == content.quantity
    return Gate(
        gate="batch size",
        passed=same,
        says=f"Order is for {plain(order.quantity)} {order.unit}, the recipe makes"
        f" {plain(content.quantity)} {content.unit}.",
        owner="planning",
    )


def _bom_gate(plant: Plant, order: Order, content: RecipeContent, *, context: Context) -> Gate:
    if context.policy.bom_ownership == "mes":
        says = "The recipe is the only BOM, says the boundary policy."
        return Gate(gate="BOM agrees", passed=True, says=says, owner="master data")
    if order.origin == "mes":
        says = "Order was opened here; no ERP BOM to compare."
        return Gate(gate="BOM agrees", passed=True, says=says, owner="master data")
    bom = plant.get(ErpBom, order.product)
    if bom is None:
        says = f"The ERP's BOM of {order.product} was not received."
        return Gate(gate="BOM agrees", passed=False, says=says, owner="master data")
    drift = bom_drift(content, bom)
    says = f"BOM differs: {'; '.join(drift)}." if drift else "Recipe and ERP BOM sum to the same."
    return Gate(gate="BOM agrees", passed=not drift, says=says, owner="master data")


def _master_gate(order: Order, *, context: Context) -> list[Gate]:
    """Return whether what the ERP stated is young enough; nothing for an order born here."""
    known = context.master_data
    if known is None or order.origin == "mes":
        return []
    passed = not known.is_too_old(context.at)
    says = known.says(context.at)
    return [Gate(gate="master data fresh", passed=passed, says=says, owner="IT")]


def _stock_gates(plant: Plant, content: RecipeContent, today: date) -> list[Gate]:
    wanted: dict[tuple[str, str], Decimal] = {}
    for line in content.bom:
        key = (line.material, line.unit)
        wanted[key] = wanted.get(key, Decimal(0)) + line.quantity
    gates = []
    for (name, unit), quantity in wanted.items():
        material = plant.get(Material, name)
        lots = [plant.get(Lot, lot) for lot in material.lots] if material else []
        usable = sum(
            (
                convert(lot.left, lot.unit, unit)
                for lot in lots
                if lot is not None
                and lot.status is LotStatus.RELEASED
                and (lot.expires_on is None or today <= lot.expires_on)
            ),
            Decimal(0),
        )
        says = f"{name}: {plain(usable)} {unit} released and in date, {plain(quantity)} needed."
        passed = usable >= quantity
        gates.append(Gate(gate=f"stock {name}", passed=passed, says=says, owner="warehouse"))
    return gates


def _room_gates(plant: Plant, room: str) -> list[Gate]:
    """Return that the batch will wait for its turn; nothing where the room is free."""
    place = plant.get(Equipment, room)
    if place is None or place.batch is None:
        return []
    says = f"{room} is at work with batch {place.batch}; this one waits until that is weighed."
    gate = Gate(gate=f"room {room}", passed=False, says=says, owner="dispensing", blocks=False)
    return [gate]


def _scale_gates(
    plant: Plant, content: RecipeContent, room: str, *, context: Context
) -> list[Gate]:
    place = need(plant, Equipment, room)
    if place.kind is not EquipmentKind.ROOM or place.scale is None:
        says = f"{room} has no scale bound to it."
        return [Gate(gate="scale", passed=False, says=says, owner="engineering")]
    scale = need(plant, Equipment, place.scale)
    faults = scale_faults(scale, at=context.at, today=context.today)
    checks_first = any(step.kind is StepKind.DAILY_CHECK for step in content.steps)
    gates = []
    for fault in faults:
        blocks = not (fault.rule == "DailyCheckMissing" and checks_first)
        gates.append(
            Gate(
                gate=f"scale {scale.equipment}",
                passed=False,
                says=fault.sentence,
                owner="dispensing",
                blocks=blocks,
            )
        )
    if not faults:
        says = f"Scale {scale.equipment} is calibrated and checked."
        gates.append(
            Gate(gate=f"scale {scale.equipment}", passed=True, says=says, owner="dispensing")
        )
    return gates


def decide(plant: Plant, command: DispatchOrder, context: Context) -> Facts:
    """Return the batch that an order becomes, or refuse.

    Raises:
        Unknown: no such order or room.
        WrongState: the order was dispatched before.
        NotReady: a blocking gate is red; the sentence names each and its owner.
    """
    order = need(plant, Order, command.order)
    require_state(order, OrderState.WAITING, OrderState.READY)
    gates = ready_gates(plant, order, command.room, context=context)
    if any(gate.blocks and not gate.passed for gate in gates):
        raise NotReady(order.order, gates)
    product = need(plant, Product, order.product)
    recipe = need(plant, MasterRecipe, product.effective)
    batch, drawn = draw(plant, f"B{context.today:%y}", width=4, for_=f"order/{order.order}")
    created = BatchCreated(
        batch=batch,
        order=order.order,
        erp_order=order.erp_ref,
        room=command.room,
        recipe=product.effective,
        recipe_sha256=recipe.sha256,
        content=recipe.content,
    )
    stream = f"order/{order.order}"
    return (
        Fact(stream, WorkOrderMadeReady(order=order.order, gates=gates)),
        drawn,
        Fact(f"batch/{batch}", created),
        Fact(stream, WorkOrderDispatched(order=order.order, room=command.room, batch=batch)),
    )
