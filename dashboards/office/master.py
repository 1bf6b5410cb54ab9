"""The ERP's records as this plant keeps them: every accepted statement, and where BOMs differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.bom import ErpBom, bom_drift
from core.clock import parse_iso
from core.erp_record import Customer, ErpMaterial
from core.execution import Execution
from core.ledger.entry import Entry
from core.order import Order
from core.policy import Decisions
from core.quantity import plain
from core.recipe import MasterRecipe, Product

LONGEST = 500  # records of one kind on a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One record: what it is called, what the newest statement says, and which entry brought it."""

    stream: str
    name: str
    says: str
    provenance: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A product's recipe beside the ERP's BOM; `where` is empty where both sum to the same."""

    product: str
    recipe: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One accepted statement: what changed against the one before it, and where it came from."""

    version: int
    seq: int
    at: datetime
    what: str
    changed: tuple[tuple[str, str, str], ...]
    provenance: Mapping[str, Any]


def _bom(it: ErpBom) -> str:
    lines = ", ".join(f"{one.material} {plain(one.quantity)} {one.unit}" for one in it.lines)
    return f"for {plain(it.quantity)} {it.unit}: {lines}"


def _order(it: Order) -> str:
    return f"{plain(it.quantity)} {it.unit} of {it.product}, {it.state}"


KINDS: dict[str, tuple[str, type[Any], Any, Any]] = {
    "material": ("Items", ErpMaterial, lambda it: it.material, lambda it: f"{it.name}, {it.unit}"),
    "bom": ("Bills of material", ErpBom, lambda it: it.product, _bom),
    "order": ("Orders", Order, lambda it: it.order, _order),
    "customer": ("Customers", Customer, lambda it: it.customer, lambda it: it.name),
}


def records(execution: Execution, kind: str) -> list[Kept]:
    """Return the records of a kind that the ERP has stated, by name."""
    _, noun, name, says = KINDS[kind]
    found = [
        Kept(stream=row.stream, name=name(it), says=says(it), provenance=it.provenance)
        for row in execution.nouns.rows(noun.KIND)
        if (it := row.state).provenance is not None
    ]
    return sorted(found, key=lambda one: one.name)[:LONGEST]


def drifts(execution: Execution, decisions: Decisions) -> list[Drift]:
    """Return every product that has both a recipe and the ERP's BOM; none where we own the BOM."""
    if decisions.bom_ownership == "mes":
        return []
    nouns, found = execution.nouns, []
    for product in nouns.all(Product):
        bom = nouns.get(ErpBom, product.product)
        recipe = nouns.get(MasterRecipe, product.effective)
        if bom is not None and recipe is not None:
            where = bom_drift(recipe.content, bom)
            found.append(Drift(product=product.product, recipe=product.effective, where=where))
    return sorted(found, key=lambda one: (not one.where, one.product))


def versions(entries: list[Entry]) -> list[Version]:
    """Return the statements of the ERP in a record's stream, the newest first."""
    found: list[Version] = []
    before: Mapping[str, Any] = {}
    for entry in entries:
        whence = entry.data.get("provenance")
        if whence is None:
            continue
        now = {key: it for key, it in entry.data.items() if key not in ("provenance", "version")}
        found.append(
            Version(
                version=len(found) + 1,
                seq=entry.seq,
                at=parse_iso(entry.at),
                what=entry.type,
                changed=tuple(
                    (key, _text(before.get(key)), _text(value))
                    for key, value in now.items()
                    if before and before.get(key) != value
                ),
                provenance=whence,
            )
        )
        before = now
    return found[::-1]


def _text(value: Any) -> str:
    """Return a stored value for people; lines of a BOM as material and quantity."""
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, dict):
        named = [str(value[key]) for key in ("material", "quantity", "unit") if key in value]
        return " ".join(named) or ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    return "–" if value is None else str(value)
