"""A lot that is born at its first weighing: what its label says, written down where it is scanned.

It begins in quarantine, as a received one does, so that QA decides before it is weighed from. The
boundary policy says whether lots may be born here at all.
"""

from datetime import date
from decimal import Decimal

from core.batch.flow import open_step
from core.errors import AlreadyKnown, Refused
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.material import ContainerQuantity, Lot, Material, ReceiveLot
from core.material import decide as receive
from core.quantity import Label, Name
from core.recipe import StepKind
from core.scan import UnreadableScan


class BeginLot(Command, frozen=True, kw_only=True, tag="lot.begin-at-weighing"):
    """Record an unknown lot at the step that needs its material; `quantity` is in the container."""

    batch: Name
    step: Name
    raw: str
    lot: Name | None = None
    container: Name | None = None
    gtin: str | None = None
    expires_on: date | None = None
    supplier: Label
    quantity: Decimal
    unit: str


class OtherMaterial(Refused):
    """The label names another material than the step needs."""

    is_evidence = True

    def __init__(self, lot: str, *, gtin: str, step: str, wanted: Material) -> None:
        super().__init__(
            f"Lot {lot}: its label has GTIN {gtin}; step {step} needs {wanted.name}, GTIN"
            f" {wanted.gtin}. Put the container aside and call QA.",
            lot=lot,
            step=step,
            gtin=gtin,
        )


def decide(plant: Plant, it: BeginLot, context: Context) -> Facts:
    """Return the lot that a scan begins, or refuse it.

    Raises:
        NotTheCurrentStep, StepHeld, WrongState: the step cannot be touched now.
        UnreadableScan: the label names no lot and container.
        AlreadyKnown: the lot is known; scan it.
        LotBirthRefused: the boundary policy lets lots be born at receipt alone.
        OtherMaterial: the label is of another material.
        NotAboveZero, UnitMismatch, UnknownUnit: the quantity cannot be so.
    """
    _, step, _ = open_step(plant, it.batch, it.step, kinds=(StepKind.WEIGH,))
    if it.lot is None or it.container is None:
        raise UnreadableScan(it.raw, step.step)
    if plant.get(Lot, it.lot) is not None:
        raise AlreadyKnown("Lot", it.lot)
    wanted = need(plant, Material, step.material or "")
    if it.gtin is not None and it.gtin != wanted.gtin:
        raise OtherMaterial(it.lot, gtin=it.gtin, step=step.step, wanted=wanted)
    born = ReceiveLot(
        lot=it.lot,
        material=wanted.material,
        supplier=it.supplier,
        unit=it.unit,
        containers=(ContainerQuantity(container=it.container, quantity=it.quantity),),
        expires_on=it.expires_on,
        origin="first_weighing",
    )
    why = f"First scanned at step {step.step} of batch {it.batch}."
    return tuple(Fact(one.stream, one.event, why) for one in receive(plant, born, context))
