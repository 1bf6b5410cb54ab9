"""Reading a plant pack: every fault of every file at once, and the pack only when there is none."""

import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config import plant as files
from config.adapters import chosen
from config.boundary import BoundaryPolicy, read_profile
from config.calendar import ShiftCalendar
from config.consistency import check_pack
from config.faults import Fault, Findings, PackFaulty, Record, read_record
from config.plant import PlantPack, RecipeFile, StepItem
from core.clock import iso
from core.quantity import UNITS, convert, exact
from core.recipe import BomLine, RecipeContent, Step, StepKind

PACKS = Path(__file__).parent / "plants"
FILES: dict[str, tuple[str, type[Record]]] = {
    "plant": ("plant.toml", files.PlantFile),
    "shifts": ("shifts.toml", files.ShiftsFile),
    "people": ("people.toml", files.PeopleFile),
    "authority": ("authority.toml", files.AuthorityFile),
    "signatures": ("signatures.toml", files.SignaturesFile),
    "materials": ("materials.toml", files.MaterialsFile),
    "lots": ("lots.toml", files.LotsFile),
    "recipe": ("recipe.toml", files.RecipeFile),
    "erp": ("erp.json", files.ErpFile),
    "rates": ("rates.toml", files.RatesFile),
    "devices": ("devices.toml", files.DevicesFile),
}


def packs() -> tuple[str, ...]:
    """Return the names of the plant packs that come with the product."""
    return tuple(sorted(path.name for path in PACKS.iterdir() if (path / "plant.toml").is_file()))


def load_plant(where: str | Path) -> PlantPack:
    """Return the pack of a name, or in a folder.

    Raises:
        PackFaulty: something is wrong in it; every fault is in the sentence.
    """
    pack, faults = read_plant(where)
    if pack is None:
        raise PackFaulty(str(where), faults)
    return pack


def read_plant(where: str | Path) -> tuple[PlantPack | None, tuple[Fault, ...]]:
    """Return the pack of a name or in a folder, or None and every fault in it."""
    folder = PACKS / where if isinstance(where, str) and where in packs() else Path(where)
    findings = Findings()
    if not folder.is_dir():
        names = f"a pack's folder, or the name of a pack: {', '.join(packs())}"
        findings.add(str(where), "folder", "missing", expected=names)
        return None, tuple(findings.faults)
    read: dict[str, Any] = {}
    for name, (file, kind) in FILES.items():
        parsed = _parsed(findings, folder, file)
        read[name] = None if parsed is None else read_record(findings, file, parsed, kind=kind)
    if (folder / chosen.FILE).is_file():  # a plant without one may name its ERP in variables
        parsed = _parsed(findings, folder, chosen.FILE)
        read["link"] = None if parsed is None else chosen.read_setting(findings, parsed)
    if findings.faults:
        return None, tuple(findings.faults)
    pack = PlantPack(folder=folder, **read)
    check_pack(findings, pack)
    findings.faults.extend(read_profile(pack.plant.plant.profile)[1])
    return (None if findings.faults else pack), tuple(findings.faults)


def _parsed(findings: Findings, folder: Path, file: str) -> Mapping[str, Any] | None:
    path = folder / file
    language = "JSON" if path.suffix == ".json" else "TOML"
    if not path.is_file():
        findings.add(file, "file", "missing", expected=f"a {language} file in {folder.name}")
        return None
    try:
        text = path.read_text("utf-8")
        if language == "JSON":
            parsed: Mapping[str, Any] = json.loads(text, parse_float=Decimal)
        else:
            parsed = tomllib.loads(text, parse_float=Decimal)
    except ValueError as fault:
        findings.add(file, "file", str(fault), expected=language)
        return None
    return parsed


def policy(pack: PlantPack) -> BoundaryPolicy:
    """Return the boundary policy that the pack's profile states."""
    found, faults = read_profile(pack.plant.plant.profile)
    if found is None:
        raise PackFaulty(pack.id, faults)
    return found


def calendar(pack: PlantPack) -> ShiftCalendar:
    """Return the pack's shift calendar in its zone."""
    return ShiftCalendar(pack.shifts.shifts, ZoneInfo(pack.plant.plant.zone))


def recipe_content(recipe: RecipeFile) -> RecipeContent:
    """Return the recipe as the core takes it: masses of components in grams, limits as numbers."""
    return RecipeContent(
        recipe=recipe.recipe,
        version=recipe.version,
        product=recipe.product,
        product_name=recipe.product_name,
        quantity=recipe.quantity,
        unit=recipe.unit,
        pieces=recipe.pieces,
        bom=tuple(_bom_line(line) for line in recipe.bom),
        steps=tuple(_step(step) for step in recipe.steps),
        source=recipe.source,
    )


def _bom_line(line: files.LineItem) -> BomLine:
    base = "g" if UNITS[line.unit][0] == "mass" else line.unit
    return BomLine(
        material=line.material, quantity=convert(line.quantity, line.unit, base), unit=base
    )


def _step(step: StepItem) -> Step:
    low, high, target = step.low, step.high, step.target
    if target is not None and step.tolerance_percent is not None:
        half = exact(Fraction(target) * Fraction(step.tolerance_percent) / 100)
        low, high = target - half, target + half
    unit = step.unit
    if step.kind is StepKind.WEIGH and unit is not None:
        target, low, high = (
            None if value is None else convert(value, unit, "g") for value in (target, low, high)
        )
        unit = "g"
    return Step(
        step=step.step,
        phase=step.phase,
        title=step.title,
        instruction=step.instruction,
        kind=step.kind,
        verify=step.verify,
        material=step.material,
        target=target,
        low=low,
        high=high,
        unit=unit,
        work_center=step.work_center,
    )


def erp_seed(pack: PlantPack, on: date) -> dict[str, list[dict[str, Any]]]:
    """Return what the sandbox ERP starts with, ready for JSON; `on` is the day of the seed."""
    zone, erp = ZoneInfo(pack.plant.plant.zone), pack.erp
    orders = []
    for order in erp.orders:
        day = on + timedelta(days=order.due_in_days)
        due = datetime.combine(day, time.fromisoformat(order.due_time), tzinfo=zone)
        orders.append(
            {
                "id": order.id,
                "product": order.product,
                "quantity": str(order.quantity),
                "unit": order.unit,
                "due_at": iso(due.astimezone(UTC)),
                "priority": order.priority,
                "customer": order.customer,
            }
        )
    return {
        "items": [
            {
                "code": one.code,
                "name": one.name,
                "unit": one.unit,
                "gtin": one.gtin,
                "standard_cost": str(one.standard_cost),
            }
            for one in erp.items
        ],
        "boms": [
            {
                "product": bom.product,
                "quantity": str(bom.quantity),
                "unit": bom.unit,
                "lines": [
                    {"item": line.item, "quantity": str(line.quantity), "unit": line.unit}
                    for line in bom.lines
                ],
            }
            for bom in erp.boms
        ],
        "orders": orders,
        "customers": [{"code": one.code, "name": one.name} for one in erp.customers],
        "lots": [
            {
                "item": one.item,
                "lot": one.lot,
                "quantity": str(one.quantity),
                "unit": one.unit,
            }
            for one in erp.lots
        ],
    }
