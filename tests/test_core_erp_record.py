"""Statements of the ERP about materials and customers: versions with where they came from."""

from __future__ import annotations

from typing import Any

import pytest

from core.clock import parse_iso
from core.erp_record import (
    Customer,
    CustomerReceived,
    ErpMaterial,
    ErpMaterialReceived,
    MeasuredApart,
    ReceiveCustomer,
    ReceiveErpMaterial,
)
from core.errors import Refused
from core.order import Provenance
from tests.hands import PACK, refusal
from tests.paper import Paper, paper

ERP = "service:erp-pull"
OURS = PACK.materials.materials[0].id


def whence(n: int) -> Provenance:
    at = parse_iso("2026-11-23T05:00:00Z")
    return Provenance(
        url="https://erp.example/items", etag=f'"{n}"', sha256="0" * 64, fetched_at=at
    )


@pytest.fixture
def plant() -> Paper:
    return paper()


def material(n: int, **changes: Any) -> ReceiveErpMaterial:
    told = {"material": "X-1", "name": "Colour", "unit": "kg", "gtin": None}
    return ReceiveErpMaterial(**{**told, **changes, "provenance": whence(n)})


@pytest.mark.requirement("A1", "K4")
def test_every_accepted_change_is_a_version_and_the_same_statement_is_none(plant: Paper) -> None:
    (fact,) = plant.act(material(1), ERP)
    assert isinstance(fact.event, ErpMaterialReceived)
    assert (fact.stream, fact.event.version) == ("erp-material/X-1", 1)
    assert plant.act(material(2), ERP) == ()
    told: dict[str, str] = {}
    for n, change in enumerate(({"name": "Color"}, {"unit": "g"}, {"gtin": "04012345000016"}), 2):
        told |= change
        (fact,) = plant.act(material(n, **told), ERP)
        assert isinstance(fact.event, ErpMaterialReceived)
        assert (fact.event.version, fact.event.provenance.etag) == (n, f'"{n}"')
        assert plant.act(material(9, **told), ERP) == ()
    held = plant.get(ErpMaterial, "X-1")
    assert (held.version, held.name, held.unit, held.gtin) == (4, "Color", "g", "04012345000016")


def test_a_customer_has_versions_too(plant: Paper) -> None:
    for n, name in enumerate(("Clinic", "Clinic", "Clinic North"), 1):
        plant.act(ReceiveCustomer(customer="C1", name=name, provenance=whence(n)), ERP)
    held = plant.get(Customer, "C1")
    assert (held.version, held.name, held.provenance.etag) == (2, "Clinic North", '"3"')
    facts = plant.act(ReceiveCustomer(customer="C2", name="Other", provenance=whence(4)), ERP)
    assert [type(one.event) for one in facts] == [CustomerReceived]


def test_a_material_that_measures_something_else_there_is_refused(plant: Paper) -> None:
    apart = material(1, material=OURS, unit="EA")
    assert refusal(MeasuredApart, lambda: plant.act(apart, ERP)) == (
        f"Material {OURS}: is kept in EA in the ERP, in g here; they measure different things."
        " Correct the unit on one side."
    )
    plant.act(material(1, material=OURS, unit="kg"), ERP)
    with pytest.raises(Refused, match="fathom"):
        plant.act(material(1, unit="fathom"), ERP)
