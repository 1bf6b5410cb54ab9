"""Master recipes: two signatures of others before use, and content frozen by its hash."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from config.load import recipe_content
from core.errors import AlreadyKnown, WrongState
from core.quantity import NotAboveZero, UnknownUnit
from core.recipe import (
    ApproveRecipe,
    AuthorMayNotApprove,
    ContentDoesNotFit,
    DraftRecipe,
    MakeRecipeEffective,
    MasterRecipe,
    Product,
    RecipeState,
    SubmitRecipe,
    WrongParty,
    content_sha256,
)
from tests.hands import PACK, refusal
from tests.paper import Paper, paper

CONTENT = recipe_content(PACK.recipe)
SECOND = msgspec.structs.replace(CONTENT, version=2)
NAME = "PARA500@2"


def drafted(by: str = "erik") -> Paper:
    plant = paper()
    plant.act(DraftRecipe(content=SECOND), by)
    plant.act(SubmitRecipe(recipe=NAME), by)
    return plant


def approve(plant: Paper, party: str, by: str) -> object:
    seen = plant.seen(f"recipe/{NAME}")
    return plant.sign(ApproveRecipe(recipe=NAME, party=party, seen=seen), by)


@pytest.mark.requirement("B1")
def test_two_signatures_of_two_parties_make_a_version_approved() -> None:
    plant = drafted()
    approve(plant, "production", "sana")
    assert plant.get(MasterRecipe, NAME).state is RecipeState.IN_REVIEW
    approve(plant, "quality", "quinn")
    assert plant.get(MasterRecipe, NAME).state is RecipeState.APPROVED


@pytest.mark.requirement("B1")
def test_author_approves_nothing_of_it() -> None:
    plant = drafted()
    assert refusal(AuthorMayNotApprove, lambda: approve(plant, "production", "erik")) == (
        "Recipe PARA500@2: Erik Solberg wrote it; another person must approve it."
    )


@pytest.mark.requirement("B1")
def test_each_party_is_signed_by_its_own_role_and_once() -> None:
    plant = drafted()
    assert refusal(WrongParty, lambda: approve(plant, "quality", "sana")) == (
        "Recipe PARA500@2: Sana Yilmaz cannot sign for quality: it needs the role qa."
        " Ask another person."
    )
    refusal(WrongParty, lambda: approve(plant, "production", "quinn"))
    refusal(WrongParty, lambda: approve(plant, "marketing", "quinn"))
    approve(plant, "quality", "quinn")
    assert refusal(WrongParty, lambda: approve(plant, "quality", "ines")) == (
        "Recipe PARA500@2: Ines Albrecht cannot sign for quality: it is signed already."
        " Ask another person."
    )


@pytest.mark.requirement("B1")
def test_version_goes_its_way_in_order() -> None:
    plant = paper()
    effective = MakeRecipeEffective(recipe=NAME)
    plant.act(DraftRecipe(content=SECOND), "erik")
    assert refusal(WrongState, lambda: approve(plant, "quality", "quinn")) == (
        "Recipe PARA500@2: is draft, must be in_review. Look at its history."
    )
    plant.act(SubmitRecipe(recipe=NAME), "erik")
    refusal(WrongState, lambda: plant.act(SubmitRecipe(recipe=NAME), "erik"))
    refusal(WrongState, lambda: plant.act(effective, "quinn"))
    assert refusal(AlreadyKnown, lambda: plant.act(DraftRecipe(content=SECOND), "erik")) == (
        "Recipe PARA500@2: already registered; names are never reused. Choose another name."
    )


@pytest.mark.requirement("B1")
def test_newer_version_supersedes_and_running_batches_keep_theirs() -> None:
    plant = drafted()
    batch = plant.dispatched()
    approve(plant, "production", "sana")
    approve(plant, "quality", "quinn")
    plant.act(MakeRecipeEffective(recipe=NAME), "quinn")
    assert plant.get(Product, "PARA500").effective == NAME
    assert plant.get(MasterRecipe, "PARA500@1").state is RecipeState.SUPERSEDED
    kept = plant.batch(batch)
    assert (kept.recipe, kept.recipe_sha256) == ("PARA500@1", content_sha256(CONTENT))


def test_hash_changes_with_any_content() -> None:
    other = msgspec.structs.replace(CONTENT, steps=CONTENT.steps[:-1])
    assert content_sha256(CONTENT) == content_sha256(recipe_content(PACK.recipe))
    assert content_sha256(other) != content_sha256(CONTENT)


def changed_step(name: str, **fields: Any) -> dict[str, Any]:
    steps = tuple(
        msgspec.structs.replace(step, **fields) if step.step == name else step
        for step in CONTENT.steps
    )
    return {"steps": steps}


@pytest.mark.requirement("B1")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"steps": ()}, "has no step"),
        ({"steps": (*CONTENT.steps, CONTENT.steps[0])}, "step 1 is there twice"),
        (changed_step("3", low=None), "step 3 weighs, and lacks its material, target, low or high"),
        (changed_step("3", material=None),
         "step 3 weighs, and lacks its material, target, low or high"),
        (changed_step("3", low=Decimal(1801)), "step 3 must have 0 < low <= target <= high"),
        (changed_step("3", low=Decimal(0)), "step 3 must have 0 < low <= target <= high"),
        (changed_step("9", low=Decimal(9)), "step 9 has its low limit above its high one"),
        ({"version": 0}, "version 0 is not above zero"),
    ],
)  # fmt: skip
def test_content_that_would_stop_a_batch_is_not_drafted(change: dict[str, Any], why: str) -> None:
    plant = paper()
    odd = msgspec.structs.replace(SECOND, **change)
    before = plant.size()
    assert refusal(ContentDoesNotFit, lambda: plant.act(DraftRecipe(content=odd), "erik")) == (
        f"Recipe PARA500@{odd.version}: {why}. Correct it before review."
    )
    assert plant.size() == before


def test_recipe_makes_something_of_something() -> None:
    plant = paper()
    line = CONTENT.bom[0]
    for kind, change in (
        (NotAboveZero, {"quantity": Decimal(0)}),
        (UnknownUnit, {"unit": "drum"}),
        (NotAboveZero, {"bom": (msgspec.structs.replace(line, quantity=Decimal(-1)),)}),
        (UnknownUnit, {"bom": (msgspec.structs.replace(line, unit="bag"),)}),
    ):
        odd = DraftRecipe(content=msgspec.structs.replace(SECOND, **change))
        refusal(kind, lambda odd=odd: plant.act(odd, "erik"))
