"""The execution BOM sums to the ERP's exactly, however its lines are cut, and drift says where."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bom import ErpBom, ReceiveBom, bom_drift
from core.quantity import NotAboveZero, UnknownUnit
from core.recipe import BomLine, MasterRecipe, RecipeContent
from tests.hands import refusal
from tests.paper import Paper, paper

pytestmark = pytest.mark.requirement("B4")
GRAMS = st.integers(1, 10**18).map(lambda units: Decimal(units).scaleb(-6))
CUTS = st.lists(st.sampled_from(["g", "kg", "mg", "t"]), min_size=1, max_size=4)


def line(material: str, quantity: Decimal, unit: str) -> BomLine:
    return BomLine(material=material, quantity=quantity, unit=unit)


@pytest.fixture(scope="module")
def plant() -> Paper:
    made = paper()
    made.receive_bom()
    return made


def sides(plant: Paper) -> tuple[RecipeContent, ErpBom]:
    return plant.get(MasterRecipe, "PARA500@1").content, plant.get(ErpBom, "PARA500")


def cut(material: str, total_g: Decimal, units: list[str]) -> list[BomLine]:
    """Return a quantity as several lines, each in a unit of its own, that sum to it."""
    share = (total_g / (len(units) + 1)).quantize(Decimal("0.000001"))
    parts = [share] * (len(units) - 1)
    parts.append(total_g - sum(parts, Decimal(0)))
    places = {"g": 0, "kg": -3, "mg": 3, "t": -6}
    return [
        line(material, part.scaleb(places[unit]), unit)
        for part, unit in zip(parts, units, strict=True)
    ]


@given(total_g=GRAMS, ours=CUTS, theirs=CUTS, size=st.integers(1, 10**6))
def test_lines_cut_anyhow_in_any_unit_of_mass_sum_to_the_same(
    plant: Paper, total_g: Decimal, ours: list[str], theirs: list[str], size: int
) -> None:
    content, bom = sides(plant)
    mine = msgspec.structs.replace(content, bom=tuple(cut("lactose", total_g, ours)))
    scaled = tuple(
        line(one.material, one.quantity * size, one.unit) for one in cut("lactose", total_g, theirs)
    )
    other = replace(bom, quantity=content.quantity * size, unit=content.unit, lines=scaled)
    assert bom_drift(mine, other) == ()
    least = line("lactose", Decimal("0.000001"), "mg")
    (said,) = bom_drift(mine, replace(other, lines=(*scaled, least)))
    assert said.startswith("lactose: recipe has ")


def test_what_one_side_alone_has_is_named() -> None:
    plant = paper()
    plant.receive_bom()
    content, bom = sides(plant)
    (said,) = bom_drift(content, replace(bom, lines=bom.lines[1:]))
    assert "ERP has 0 g" in said
    (said,) = bom_drift(msgspec.structs.replace(content, bom=content.bom[1:]), bom)
    assert "recipe has 0 g" in said


def test_grams_and_kilograms_of_one_material_are_no_equal_numbers(plant: Paper) -> None:
    """1 kg and 499 g are not 500 g, though 1 and 499 are 500."""
    content, bom = sides(plant)
    mixed = (line("lactose", Decimal(1), "kg"), line("lactose", Decimal(499), "g"))
    mine = msgspec.structs.replace(content, bom=mixed)
    other = replace(bom, quantity=content.quantity, unit=content.unit)
    half = replace(other, lines=(line("lactose", Decimal(500), "g"),))
    (said,) = bom_drift(mine, half)
    assert said.startswith("lactose: recipe has 1.499 kg for")
    whole = replace(other, lines=(line("lactose", Decimal(1499), "g"),))
    assert bom_drift(mine, whole) == ()


def test_litres_and_millilitres_are_one_quantity_and_pieces_are_none(plant: Paper) -> None:
    content, bom = sides(plant)
    mine = msgspec.structs.replace(content, bom=(line("water", Decimal(1500), "mL"),))
    other = replace(
        bom, quantity=content.quantity, unit=content.unit,
        lines=(line("water", Decimal("1.5"), "L"),),
    )  # fmt: skip
    assert bom_drift(mine, other) == ()
    pieces = replace(other, unit="EA")
    (said,) = bom_drift(mine, pieces)
    assert said.endswith("they measure different things")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"unit": "drums"}, UnknownUnit),
        ({"quantity": Decimal(0)}, NotAboveZero),
        ({"lines": (line("lactose", Decimal(1), "drums"),)}, UnknownUnit),
        ({"lines": (line("lactose", Decimal(-1), "g"),)}, NotAboveZero),
    ],
)
def test_a_bom_whose_quantities_are_none_is_refused(changes: dict[str, Any], why: Any) -> None:
    plant = paper()
    plant.receive_bom()
    bom = plant.get(ErpBom, "PARA500")
    given_: dict[str, Any] = {
        "product": bom.product, "quantity": bom.quantity, "unit": bom.unit, "lines": bom.lines,
        "provenance": bom.provenance,
    }  # fmt: skip
    said = refusal(why, lambda: plant.act(ReceiveBom(**given_ | changes), "service"))
    assert said.startswith("BOM of PARA500")
