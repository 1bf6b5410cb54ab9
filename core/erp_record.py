"""What the ERP states of materials and customers: each accepted statement is a version of its own.

BOMs and orders have rules of their own, see `core.bom` and `core.order`. Here a statement is kept
with where it came from; a material whose unit measures something else than ours is refused.
"""

from dataclasses import dataclass
from typing import ClassVar

from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.material import Material
from core.order import Provenance
from core.quantity import UNITS, Label, Name, require_unit


class ReceiveErpMaterial(Command, frozen=True, kw_only=True, tag="erp-material.receive"):
    """Take over what the ERP states of a material; the same statement twice changes nothing."""

    material: Name
    name: Label
    unit: str
    gtin: str | None = None
    provenance: Provenance


class ReceiveCustomer(Command, frozen=True, kw_only=True, tag="customer.receive"):
    """Take over what the ERP states of a customer; the same statement twice changes nothing."""

    customer: Name
    name: Label
    provenance: Provenance


class ErpMaterialReceived(Event, frozen=True, kw_only=True, tag="erp-material.received"):
    """What the ERP states of a material from here on; `version` counts from 1."""

    material: str
    name: str
    unit: str
    gtin: str | None
    version: int
    provenance: Provenance


class CustomerReceived(Event, frozen=True, kw_only=True, tag="customer.received"):
    """What the ERP states of a customer from here on; `version` counts from 1."""

    customer: str
    name: str
    version: int
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpMaterial:
    """The newest statement about a material."""

    KIND: ClassVar[str] = "erp-material"
    material: str
    name: str
    unit: str
    gtin: str | None
    version: int
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The newest statement about a customer."""

    KIND: ClassVar[str] = "customer"
    customer: str
    name: str
    version: int
    provenance: Provenance


class MeasuredApart(Refused):
    """A mass there and a count here can never be the same quantity."""

    def __init__(self, material: Material, unit: str) -> None:
        super().__init__(
            f"Material {material.material}: is kept in {unit} in the ERP, in {material.unit} here;"
            " they measure different things. Correct the unit on one side.",
            material=material.material,
            unit=unit,
        )


def decide(plant: Plant, command: ReceiveErpMaterial | ReceiveCustomer, context: Context) -> Facts:
    """Return the new version; nothing where the statement is known already.

    Raises:
        UnknownUnit: the unit is none of ours.
        MeasuredApart: our material's unit measures something else.
    """
    if isinstance(command, ReceiveCustomer):
        return _customer(plant, command)
    it = command
    require_unit(f"Material {it.material}", it.unit)
    ours = plant.get(Material, it.material)
    if ours is not None and UNITS[ours.unit][0] != UNITS[it.unit][0]:
        raise MeasuredApart(ours, it.unit)
    known = plant.get(ErpMaterial, it.material)
    if known is not None and (known.name, known.unit, known.gtin) == (it.name, it.unit, it.gtin):
        return ()
    received = ErpMaterialReceived(
        material=it.material,
        name=it.name,
        unit=it.unit,
        gtin=it.gtin,
        version=1 if known is None else known.version + 1,
        provenance=it.provenance,
    )
    return (Fact(f"{ErpMaterial.KIND}/{it.material}", received),)


def _customer(plant: Plant, it: ReceiveCustomer) -> Facts:
    known = plant.get(Customer, it.customer)
    if known is not None and known.name == it.name:
        return ()
    received = CustomerReceived(
        customer=it.customer,
        name=it.name,
        version=1 if known is None else known.version + 1,
        provenance=it.provenance,
    )
    return (Fact(f"{Customer.KIND}/{it.customer}", received),)


def apply_material(_: ErpMaterial | None, fact: Recorded) -> ErpMaterial:
    """Fold one event of a material's stream: the newest statement stands."""
    it = fact.event
    assert isinstance(it, ErpMaterialReceived), fact
    return ErpMaterial(
        material=it.material,
        name=it.name,
        unit=it.unit,
        gtin=it.gtin,
        version=it.version,
        provenance=it.provenance,
    )


def apply_customer(_: Customer | None, fact: Recorded) -> Customer:
    """Fold one event of a customer's stream: the newest statement stands."""
    it = fact.event
    assert isinstance(it, CustomerReceived), fact
    return Customer(
        customer=it.customer, name=it.name, version=it.version, provenance=it.provenance
    )
