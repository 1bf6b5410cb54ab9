"""Master recipes: versions with content frozen by hash and two signatures before use.

A version is `draft > in_review > approved > effective > superseded`. The author approves
nothing of it; production and quality each sign once. Batches keep the version they began with.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import Person
from core.quantity import Name, require_above_zero, require_unit
from core.signature import Seen, SignatureApplied, sign

PRODUCTION = "production"
QUALITY = "quality"
PARTIES = {PRODUCTION: ("supervisor", "engineer"), QUALITY: ("qa",)}


class StepKind(StrEnum):
    """What a step asks for."""

    CLEARANCE = "clearance"
    DAILY_CHECK = "daily_check"
    WEIGH = "weigh"
    CONFIRM = "confirm"
    CHECK = "check"
    YIELD = "yield"
    LABELS = "labels"


class Step(Struct, frozen=True, kw_only=True):
    """One step of a recipe. `low` and `high` are closed limits in `unit`; grams for weighing."""

    step: Name
    phase: str
    title: str
    instruction: str
    kind: StepKind
    verify: bool = False
    material: str | None = None
    target: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    unit: str | None = None
    work_center: str | None = None


class BomLine(Struct, frozen=True, kw_only=True):
    """One component of the execution BOM, in grams or pieces."""

    material: Name
    quantity: Decimal
    unit: str


class RecipeContent(Struct, frozen=True, kw_only=True):
    """Everything of a recipe version that its hash covers."""

    recipe: Name
    version: int
    product: Name
    product_name: str
    quantity: Decimal
    unit: str
    pieces: int
    bom: tuple[BomLine, ...]
    steps: tuple[Step, ...]
    source: str


class RecipeState(StrEnum):
    """The life of a version."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    EFFECTIVE = "effective"
    SUPERSEDED = "superseded"
    RETIRED = "retired"


class DraftRecipe(Command, frozen=True, kw_only=True, tag="recipe.draft"):
    """Write a new version."""

    content: RecipeContent


class SubmitRecipe(Command, frozen=True, kw_only=True, tag="recipe.submit"):
    """Hand a draft to review."""

    recipe: str


class ApproveRecipe(Command, frozen=True, kw_only=True, tag="recipe.approve"):
    """Sign a version for production or for quality."""

    recipe: str
    party: str
    seen: Seen


class MakeRecipeEffective(Command, frozen=True, kw_only=True, tag="recipe.make-effective"):
    """Let new batches use an approved version."""

    recipe: str


class MasterRecipeDrafted(Event, frozen=True, kw_only=True, tag="master-recipe.drafted"):
    """A version was written; `sha256` is over the content's canonical bytes."""

    content: RecipeContent
    sha256: str


class MasterRecipeSubmitted(Event, frozen=True, kw_only=True, tag="master-recipe.submitted"):
    """A version is under review."""

    recipe: str


class MasterRecipeApproved(Event, frozen=True, kw_only=True, tag="master-recipe.approved"):
    """One party signed for this content."""

    recipe: str
    party: str
    sha256: str
    complete: bool


class MasterRecipeMadeEffective(
    Event, frozen=True, kw_only=True, tag="master-recipe.made-effective"
):
    """New batches use this version from here on."""

    recipe: str
    product: str
    supersedes: str | None


class MasterRecipeSuperseded(Event, frozen=True, kw_only=True, tag="master-recipe.superseded"):
    """A newer version took over."""

    recipe: str
    by: str


type RecipeCommand = DraftRecipe | SubmitRecipe | ApproveRecipe | MakeRecipeEffective


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterRecipe:
    """One version of a recipe."""

    KIND: ClassVar[str] = "recipe"
    content: RecipeContent
    sha256: str
    author: str
    drafted_at: datetime
    state: RecipeState = RecipeState.DRAFT
    approvals: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Which recipe version new batches of a product use."""

    KIND: ClassVar[str] = "product"
    product: str
    effective: str


class ContentDoesNotFit(Refused):
    """A batch made by this content would stop in the middle, or could never be released."""

    def __init__(self, recipe: str, why: str) -> None:
        super().__init__(f"Recipe {recipe}: {why}. Correct it before review.", recipe=recipe)


class AuthorMayNotApprove(Refused):
    """Nobody approves what he wrote."""

    is_evidence = True

    def __init__(self, recipe: str, name: str) -> None:
        super().__init__(
            f"Recipe {recipe}: {name} wrote it; another person must approve it.",
            recipe=recipe,
            name=name,
        )


class WrongParty(Refused):
    """The signer does not stand for the party he signs for, or signed for the other one."""

    is_evidence = True

    def __init__(self, recipe: str, party: str, *, name: str, why: str) -> None:
        super().__init__(
            f"Recipe {recipe}: {name} cannot sign for {party}: {why}. Ask another person.",
            recipe=recipe,
            party=party,
            name=name,
        )


def content_sha256(content: RecipeContent) -> str:
    """Return the hex digest over the content's canonical bytes."""
    return sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def version_name(content: RecipeContent) -> str:
    """Return the version's name, such as `PARA500@1`."""
    return f"{content.recipe}@{content.version}"


def decide(plant: Plant, command: RecipeCommand, context: Context) -> Facts:
    """Return what a command about a recipe version causes, or refuse it.

    Raises:
        AlreadyKnown: the version was written before.
        ContentDoesNotFit, NotAboveZero, UnknownUnit: no batch could be made by the content.
        WrongState: the version's life does not allow the action now.
        AuthorMayNotApprove, WrongParty: the signer may not sign for that party.
    """
    if isinstance(command, DraftRecipe):
        name = version_name(command.content)
        _check_content(name, command.content)
        if plant.get(MasterRecipe, name) is not None:
            raise AlreadyKnown("Recipe", name)
        drafted = MasterRecipeDrafted(
            content=command.content, sha256=content_sha256(command.content)
        )
        return (Fact(f"recipe/{name}", drafted),)
    recipe = need(plant, MasterRecipe, command.recipe)
    stream = f"recipe/{command.recipe}"
    match command:
        case SubmitRecipe():
            _require(command.recipe, recipe, RecipeState.DRAFT)
            return (Fact(stream, MasterRecipeSubmitted(recipe=command.recipe)),)
        case ApproveRecipe():
            return _approve(plant, recipe, command, context=context)
        case MakeRecipeEffective():
            return _make_effective(plant, recipe, command.recipe)


def _check_content(name: str, content: RecipeContent) -> None:
    require_unit(f"Recipe {name}", content.unit)
    require_above_zero(f"Recipe {name}", content.quantity, content.unit)
    for line in content.bom:
        require_unit(f"Recipe {name}, {line.material}", line.unit)
        require_above_zero(f"Recipe {name}, {line.material}", line.quantity, line.unit)
    names = [step.step for step in content.steps]
    faults = [f"step {step.step} {why}" for step in content.steps if (why := _fault(step))]
    faults += [f"step {one} is there twice" for one in sorted(set(names)) if names.count(one) > 1]
    if not names:
        faults.append("has no step")
    if content.version < 1:
        faults.append(f"version {content.version} is not above zero")
    if faults:
        raise ContentDoesNotFit(name, "; ".join(faults))


def _fault(step: Step) -> str | None:
    low, high = step.low, step.high
    if step.kind is StepKind.WEIGH:
        if step.material is None or step.target is None or low is None or high is None:
            return "weighs, and lacks its material, target, low or high"
        if not 0 < low <= step.target <= high:
            return "must have 0 < low <= target <= high"
    if low is not None and high is not None and low > high:
        return "has its low limit above its high one"
    return None


def _require(name: str, recipe: MasterRecipe, state: RecipeState) -> None:
    if recipe.state is not state:
        raise WrongState(
            f"Recipe {name}", recipe.state, needed=state, next_step="Look at its history."
        )


def _approve(plant: Plant, recipe: MasterRecipe, it: ApproveRecipe, *, context: Context) -> Facts:
    _require(it.recipe, recipe, RecipeState.IN_REVIEW)
    words = (
        f"Recipe {it.recipe}, content {recipe.sha256[:16]}: approved for {it.party} to make"
        f" {recipe.content.quantity} {recipe.content.unit} of {recipe.content.product_name}."
    )
    stream, meaning = f"recipe/{it.recipe}", f"I approve for {it.party}"
    signature = sign(
        plant,
        context,
        it.seen,
        record=stream,
        meaning=meaning,
        words=words,
        party=it.party,
        performers={recipe.author},
        own=lambda name: AuthorMayNotApprove(it.recipe, name),
    )
    signer = need(plant, Person, signature.manifest.signer)
    if it.party not in PARTIES or not set(PARTIES[it.party]) & set(signer.roles):
        needed = " or ".join(PARTIES.get(it.party, ()))
        raise WrongParty(it.recipe, it.party, name=signer.name, why=f"it needs the role {needed}")
    done = dict(recipe.approvals)
    if it.party in done or signer.person in done.values():
        raise WrongParty(it.recipe, it.party, name=signer.name, why="it is signed already")
    complete = set(PARTIES) <= {*done, it.party}
    approved = MasterRecipeApproved(
        recipe=it.recipe, party=it.party, sha256=recipe.sha256, complete=complete
    )
    return (Fact(stream, signature), Fact(stream, approved))


def _make_effective(plant: Plant, recipe: MasterRecipe, name: str) -> Facts:
    _require(name, recipe, RecipeState.APPROVED)
    product = plant.get(Product, recipe.content.product)
    before = product.effective if product else None
    event = MasterRecipeMadeEffective(
        recipe=name, product=recipe.content.product, supersedes=before
    )
    facts = [
        Fact(f"recipe/{name}", event),
        Fact(f"product/{recipe.content.product}", event),
    ]
    if before is not None:
        facts.append(Fact(f"recipe/{before}", MasterRecipeSuperseded(recipe=before, by=name)))
    return tuple(facts)


def apply(recipe: MasterRecipe | None, fact: Recorded) -> MasterRecipe:
    """Fold one event of a recipe version's stream."""
    match fact.event:
        case MasterRecipeDrafted() as it:
            return MasterRecipe(
                content=it.content, sha256=it.sha256, author=fact.actor, drafted_at=fact.at
            )
        case event:
            assert recipe is not None, fact
    change: dict[str, Any] = {}
    match event:
        case MasterRecipeSubmitted():
            change = {"state": RecipeState.IN_REVIEW}
        case MasterRecipeApproved(party=party, complete=complete):
            change = {"approvals": (*recipe.approvals, (party, fact.actor))}
            if complete:
                change["state"] = RecipeState.APPROVED
        case MasterRecipeMadeEffective():
            change = {"state": RecipeState.EFFECTIVE}
        case MasterRecipeSuperseded():
            change = {"state": RecipeState.SUPERSEDED}
        case SignatureApplied() | _:
            return recipe
    return replace(recipe, **change)


def apply_product(product: Product | None, fact: Recorded) -> Product:
    """Fold one event of a product's stream: the newest effective version stands."""
    if isinstance(fact.event, MasterRecipeMadeEffective):
        return Product(product=fact.event.product, effective=fact.event.recipe)
    assert product is not None, fact
    return product
