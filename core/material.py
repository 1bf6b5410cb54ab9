"""Materials and their lots: status, quantity, and the containers that carry it.

Masses are grams, counted things are pieces (`EA`). Two lots are never one row, and a
container is the smallest quantity that is tracked. `expires_on` is the last good day.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Literal

from msgspec import Struct

from core.batch.flow import exception
from core.batch.state import DECIDED, Batch
from core.deviation import open_deviation
from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.policy import LotBirthRefused
from core.quantity import (
    Label,
    Name,
    Sentence,
    convert,
    plain,
    require_above_zero,
    require_unit,
)
from core.severity import severity_of
from core.signature import Seen, SignatureApplied, sign


class LotStatus(StrEnum):
    """What may be done with a lot."""

    QUARANTINE = "quarantine"
    RELEASED = "released"
    RESTRICTED = "restricted"
    ON_HOLD = "on_hold"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CONSUMED = "consumed"


USABLE = (LotStatus.RELEASED, LotStatus.CONSUMED)
LOT_STATUS = "lot status"  # kind of the deviation that a lot's change after use opens


class ContainerQuantity(Struct, frozen=True, kw_only=True):
    """One container and what is in it, in the material's unit."""

    container: Name
    quantity: Decimal


class RegisterMaterial(Command, frozen=True, kw_only=True, tag="material.register"):
    """Make a material known."""

    material: Name
    name: Label
    unit: str
    gtin: str | None = None
    hazards: tuple[str, ...] = ()


class ReceiveLot(Command, frozen=True, kw_only=True, tag="lot.receive"):
    """Take a supplier's lot in, container by container, into quarantine."""

    lot: Name
    material: Name
    supplier: Label
    unit: str
    containers: tuple[ContainerQuantity, ...]
    expires_on: date | None = None
    assay_percent: Decimal | None = None
    assay_basis: str | None = None
    origin: Literal["receipt", "first_weighing"] = "receipt"


class ChangeLotStatus(Command, frozen=True, kw_only=True, tag="lot.change-status"):
    """Release, hold, reject or restrict a lot, under signature."""

    lot: Name
    status: LotStatus
    why: Sentence
    seen: Seen


class MaterialRegistered(Event, frozen=True, kw_only=True, tag="material.registered"):
    """A material is known from here on."""

    material: str
    name: str
    unit: str
    gtin: str | None
    hazards: tuple[str, ...]


class LotCreated(Event, frozen=True, kw_only=True, tag="lot.created"):
    """A lot exists; its containers carry the quantity in base unit."""

    lot: str
    material: str
    supplier: str
    unit: str
    containers: tuple[ContainerQuantity, ...]
    expires_on: date | None
    assay_percent: Decimal | None
    assay_basis: str | None
    origin: str


class LotStatusChanged(Event, frozen=True, kw_only=True, tag="lot.status-changed"):
    """The status before and after, and why."""

    lot: str
    before: LotStatus
    after: LotStatus
    why: str


class ContainerDispensed(Event, frozen=True, kw_only=True, tag="container.dispensed"):
    """A quantity left a container for a step of a batch."""

    lot: str
    container: str
    quantity: Decimal
    unit: str
    batch: str
    step: str
    left: Decimal


class ContainerReturned(Event, frozen=True, kw_only=True, tag="container.returned"):
    """A weighing was taken back: its quantity is in its container again.

    `corrects` is the weighing's entry; `still_used` says whether the batch holds more of the lot.
    """

    lot: str
    container: str
    quantity: Decimal
    unit: str
    batch: str
    step: str
    left: Decimal
    corrects: int
    still_used: bool


type MaterialCommand = RegisterMaterial | ReceiveLot | ChangeLotStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A material definition and the lots of it that this plant has seen."""

    KIND: ClassVar[str] = "material"
    material: str
    name: str
    unit: str
    gtin: str | None = None
    hazards: tuple[str, ...] = ()
    lots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """A lot of one material."""

    KIND: ClassVar[str] = "lot"
    lot: str
    material: str
    supplier: str
    unit: str
    status: LotStatus = LotStatus.QUARANTINE
    containers: dict[str, Decimal] = field(default_factory=dict)
    expires_on: date | None = None
    assay_percent: Decimal | None = None
    assay_basis: str | None = None
    origin: str = "receipt"
    used_by: tuple[str, ...] = ()

    @property
    def left(self) -> Decimal:
        """Quantity in all containers together."""
        return sum(self.containers.values(), Decimal(0))


class ContainersDoNotFit(Refused):
    """A lot is at least one container, each with a label of its own."""

    def __init__(self, lot: str, why: str) -> None:
        super().__init__(
            f"Lot {lot}: {why}. Give each container once, with what is in it.", lot=lot, why=why
        )


class AssayOutOfRange(Refused):
    """A content is a part of the whole, with room for the error of its measurement."""

    def __init__(self, lot: str, percent: Decimal) -> None:
        super().__init__(
            f"Lot {lot}: assay {plain(percent)} % is not above 0 and up to 120 %."
            " Read the certificate again.",
            lot=lot,
            percent=percent,
        )


def decide(plant: Plant, command: MaterialCommand, context: Context) -> Facts:
    """Return what a command about a material or lot causes, or refuse it.

    Raises:
        AlreadyKnown: the code or lot number was used before.
        LotBirthRefused: lots are born elsewhere.
        Unknown: the material or lot is not known.
        UnknownUnit: the material's unit is none.
        UnitMismatch: the lot's unit measures something else than the material's.
        ContainersDoNotFit, NotAboveZero, AssayOutOfRange: what was received cannot be so.
        WrongState: the lot has that status already, or is consumed.
    """
    match command:
        case RegisterMaterial() as it:
            if plant.get(Material, it.material) is not None:
                raise AlreadyKnown("Material", it.material)
            require_unit(f"Material {it.material}", it.unit)
            registered = MaterialRegistered(
                material=it.material, name=it.name, unit=it.unit, gtin=it.gtin, hazards=it.hazards
            )
            return (Fact(f"material/{it.material}", registered),)
        case ReceiveLot() as it:
            return _receive(plant, it, context)
        case ChangeLotStatus() as it:
            return _change_status(plant, it, context)


def _receive(plant: Plant, it: ReceiveLot, context: Context) -> Facts:
    if context.policy.lot_birth not in (it.origin, "both"):
        raise LotBirthRefused(it.lot, origin=it.origin, policy=context.policy.lot_birth)
    material = need(plant, Material, it.material, next_step="Register the material first.")
    if plant.get(Lot, it.lot) is not None:
        raise AlreadyKnown("Lot", it.lot)
    _check_received(it)
    containers = tuple(
        ContainerQuantity(
            container=one.container, quantity=convert(one.quantity, it.unit, material.unit)
        )
        for one in it.containers
    )
    created = LotCreated(
        lot=it.lot,
        material=it.material,
        supplier=it.supplier,
        unit=material.unit,
        containers=containers,
        expires_on=it.expires_on,
        assay_percent=it.assay_percent,
        assay_basis=it.assay_basis,
        origin=it.origin,
    )
    return (Fact(f"lot/{it.lot}", created), Fact(f"material/{it.material}", created))


def _check_received(it: ReceiveLot) -> None:
    names = [one.container for one in it.containers]
    if not names:
        raise ContainersDoNotFit(it.lot, "has no container")
    for name in names:
        if names.count(name) > 1:
            raise ContainersDoNotFit(it.lot, f"container {name} is listed twice")
    for one in it.containers:
        require_above_zero(f"Container {one.container} of lot {it.lot}", one.quantity, it.unit)
    if it.assay_percent is not None and not 0 < it.assay_percent <= 120:
        raise AssayOutOfRange(it.lot, it.assay_percent)


def _change_status(plant: Plant, it: ChangeLotStatus, context: Context) -> Facts:
    lot = need(plant, Lot, it.lot)
    stream = f"lot/{it.lot}"
    if lot.status in (it.status, LotStatus.CONSUMED):
        raise WrongState(
            f"Lot {it.lot}", lot.status, needed="another status", next_step="Nothing to change."
        )
    words = f"Lot {it.lot} of {lot.material}: status from {lot.status} to {it.status}. {it.why}"
    meaning = "I decide this lot's status"
    signature = sign(plant, context, it.seen, record=stream, meaning=meaning, words=words)
    changed = LotStatusChanged(lot=it.lot, before=lot.status, after=it.status, why=it.why)
    facts = [Fact(stream, signature, it.why), Fact(stream, changed, it.why)]
    if it.status not in USABLE:
        facts.extend(_deviations(plant, lot, it, context=context))
    return tuple(facts)


def _deviations(plant: Plant, lot: Lot, it: ChangeLotStatus, *, context: Context) -> list[Fact]:
    """Return a deviation for each undecided batch that the lot is in; no step is held."""
    facts: list[Fact] = []
    batches = [need(plant, Batch, name) for name in lot.used_by]
    undecided = (one for one in batches if one.state not in DECIDED and lot.lot in one.lots)
    for nth, batch in enumerate(undecided, 1):
        step = next(
            run.step for run in batch.steps if any(one.lot == lot.lot for one in run.partials)
        )
        status = it.status.replace("_", " ")
        says = f"Lot {lot.lot} of {lot.material} is {status} after its use. {it.why}"
        name, opened = open_deviation(
            plant,
            context,
            batch,
            step=step,
            kind=LOT_STATUS,
            says=says,
            why=it.why,
            severity=severity_of(plant, LOT_STATUS, materials=(lot.material,)),
            lots=(lot.lot,),
            nth=nth,
        )
        facts += [*opened, exception(batch, step, kind=LOT_STATUS, says=says, deviation=name)]
    return facts


def apply_material(material: Material | None, fact: Recorded) -> Material:
    """Fold one event of a material's stream."""
    match fact.event:
        case MaterialRegistered() as it:
            return Material(
                material=it.material, name=it.name, unit=it.unit, gtin=it.gtin, hazards=it.hazards
            )
        case LotCreated(lot=lot):
            assert material is not None, fact
            return replace(material, lots=(*material.lots, lot))
        case _:
            assert material is not None, fact
            return material


def apply(lot: Lot | None, fact: Recorded) -> Lot:
    """Fold one event of a lot's stream."""
    match fact.event:
        case LotCreated() as it:
            return Lot(
                lot=it.lot,
                material=it.material,
                supplier=it.supplier,
                unit=it.unit,
                containers={one.container: one.quantity for one in it.containers},
                expires_on=it.expires_on,
                assay_percent=it.assay_percent,
                assay_basis=it.assay_basis,
                origin=it.origin,
            )
        case LotStatusChanged(after=after):
            assert lot is not None, fact
            return replace(lot, status=after)
        case ContainerDispensed() as it:
            assert lot is not None, fact
            used_by = lot.used_by if it.batch in lot.used_by else (*lot.used_by, it.batch)
            return replace(
                lot, containers={**lot.containers, it.container: it.left}, used_by=used_by
            )
        case ContainerReturned() as it:
            assert lot is not None, fact
            used_by = tuple(one for one in lot.used_by if it.still_used or one != it.batch)
            return replace(
                lot, containers={**lot.containers, it.container: it.left}, used_by=used_by
            )
        case SignatureApplied() | _:
            assert lot is not None, fact
            return lot
