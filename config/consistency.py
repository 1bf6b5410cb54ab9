"""Whether the files of a pack fit together: names, sums, limits, roles, hours of the week."""

from collections import Counter
from collections.abc import Iterable
from datetime import time
from decimal import Decimal
from fractions import Fraction
from zoneinfo import available_timezones

from config.faults import Findings
from config.plant import EVERY_DAY, EquipmentItem, PlantPack, ShiftItem, StepItem
from core.authority import SERVICE_ROLE
from core.catalogue import COMMANDS
from core.equipment import EquipmentKind
from core.people import ROLES
from core.quantity import UNITS
from core.recipe import StepKind
from core.signing_gates import IDLE_MINUTES, NAMED, gate_faults, named

ERP_UNITS = {"KGM": "kg", "GRM": "g", "LTR": "L", "C62": "EA"}
PERSONAL = ("person.", "client.")  # people, and the programs that use the interface
NEEDED = ("admin", "supervisor", "qa", "engineer")
MINUTES_OF_WEEK = 7 * 24 * 60


def check_pack(findings: Findings, pack: PlantPack) -> None:
    """Note everything in which the files of a pack disagree."""
    _check_plant(findings, pack)
    _check_shifts(findings, pack)
    _check_people(findings, pack)
    _check_authority(findings, pack)
    _check_signatures(findings, pack)
    _check_materials(findings, pack)
    _check_lots(findings, pack)
    _check_recipe(findings, pack)
    _check_erp(findings, pack)
    _check_rates_and_devices(findings, pack)


def _unique(findings: Findings, file: str, key: str, *, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            findings.add(file, key, f"{name} stands there {times} times", expected="once")


def _known(findings: Findings, file: str, key: str, *, name: str | None, among: set[str]) -> None:
    if name is not None and name not in among:
        options = ", ".join(sorted(among)) or "something defined"
        findings.add(file, key, f"'{name}' is not known", expected=f"one of {options}")


def _of_kind(pack: PlantPack, kind: EquipmentKind) -> set[str]:
    return {one.id for one in pack.equipment(kind)}


def _check_plant(findings: Findings, pack: PlantPack) -> None:
    file = "plant.toml"
    zone = pack.plant.plant.zone
    if zone not in available_timezones():
        findings.add(file, "plant.zone", f"'{zone}'", expected="a zone such as Europe/Berlin")
    _unique(findings, file, "equipment.id", names=(one.id for one in pack.plant.equipment))
    _unique(findings, file, "stations.id", names=(one.id for one in pack.plant.stations))
    for n, name in enumerate(pack.plant.severity.active_materials):
        among = {one.id for one in pack.materials.materials}
        _known(findings, file, f"severity.active_materials[{n}]", name=name, among=among)
    scales = _of_kind(pack, EquipmentKind.SCALE)
    for n, one in enumerate(pack.plant.equipment):
        key = f"equipment[{n}]"
        _known(findings, file, f"{key}.scale", name=one.scale, among=scales)
        if one.kind is EquipmentKind.SCALE:
            _check_scale(findings, key, one)
    for n, station in enumerate(pack.plant.stations):
        key = f"stations[{n}]"
        rooms = _of_kind(pack, EquipmentKind.ROOM)
        printers = _of_kind(pack, EquipmentKind.PRINTER)
        _known(findings, file, f"{key}.room", name=station.room, among=rooms)
        _known(findings, file, f"{key}.scale", name=station.scale, among=scales)
        _known(findings, file, f"{key}.printer", name=station.printer, among=printers)


def _check_scale(findings: Findings, key: str, scale: EquipmentItem) -> None:
    needed = ("serial", "capacity_g", "readability_g", "check_weight_g", "check_tolerance_percent")
    for name in (*needed, "calibration"):
        if getattr(scale, name) is None:
            findings.add("plant.toml", f"{key}.{name}", "missing", expected="a value: a scale")
    capacity, weight = scale.capacity_g, scale.check_weight_g
    if capacity is not None and weight is not None and weight > capacity:
        what = f"{weight} g"
        findings.add("plant.toml", f"{key}.check_weight_g", what, expected=f"at most {capacity} g")


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _check_shifts(findings: Findings, pack: PlantPack) -> None:
    file, lines = "shifts.toml", _of_kind(pack, EquipmentKind.LINE)
    for n, shift in enumerate(pack.shifts.shifts):
        for name in shift.lines:
            _known(findings, file, f"shifts[{n}].lines", name=name, among=lines)
        length = _length(shift)
        for m, pause in enumerate(shift.breaks):
            start = (_minutes(pause.start) - _minutes(shift.start)) % (24 * 60)
            if start + pause.minutes > length:
                what = f"{pause.start:%H:%M} for {pause.minutes} minutes"
                expected = f"inside {shift.start:%H:%M} to {shift.end:%H:%M}"
                findings.add(file, f"shifts[{n}].breaks[{m}]", what, expected=expected)
    for line in sorted(lines):
        _check_overlap(findings, line, pack.shifts.shifts)


def _length(shift: ShiftItem) -> int:
    return (_minutes(shift.end) - _minutes(shift.start)) % (24 * 60) or 24 * 60


def _check_overlap(findings: Findings, line: str, shifts: tuple[ShiftItem, ...]) -> None:
    taken: dict[int, str] = {}
    for shift in shifts:
        if shift.lines and line not in shift.lines:
            continue
        for day in shift.days:
            start = EVERY_DAY.index(day) * 24 * 60 + _minutes(shift.start)
            for minute in range(start, start + _length(shift)):
                other = taken.setdefault(minute % MINUTES_OF_WEEK, shift.shift)
                if other != shift.shift:
                    what = f"{shift.shift} overlaps {other} on line {line}, {day}"
                    findings.add("shifts.toml", "shifts", what, expected="one shift at a time")
                    return


def _check_people(findings: Findings, pack: PlantPack) -> None:
    file, people = "people.toml", pack.people.people
    _unique(findings, file, "people.id", names=(one.id for one in people))
    _unique(findings, file, "people.badge", names=(one.badge for one in people))
    for n, one in enumerate(people):
        for role in one.roles:
            _known(findings, file, f"people[{n}].roles", name=role, among=set(ROLES))
        if "admin" in one.roles and len(one.roles) > 1:
            what = ", ".join(one.roles)
            expected = "admin alone: nobody both grants and uses a right"
            findings.add(file, f"people[{n}].roles", what, expected=expected)
    held = Counter(role for one in people for role in one.roles)
    for role in NEEDED:
        if not held[role]:
            findings.add(file, "people", f"nobody is {role}", expected=f"at least one {role}")
    if held["operator"] + held["supervisor"] < 2:
        findings.add(file, "people", "one person on the floor", expected="two, for verification")


def _check_authority(findings: Findings, pack: PlantPack) -> None:
    file, matrix = "authority.toml", pack.authority.matrix
    for action in COMMANDS:
        if action not in matrix:
            findings.add(file, f"matrix.{action}", "missing", expected="the roles that may do it")
    for action, roles in matrix.items():
        _known(findings, file, "matrix", name=action, among=set(COMMANDS))
        for role in roles:
            _known(findings, file, f"matrix.{action}", name=role, among={*ROLES, SERVICE_ROLE})
        if "admin" in roles and not action.startswith(PERSONAL):
            findings.add(
                file, f"matrix.{action}", "admin", expected="no right beyond people for admin"
            )


def _check_signatures(findings: Findings, pack: PlantPack) -> None:
    file, it = "signatures.toml", pack.signatures
    low, high = IDLE_MINUTES
    if not low <= it.idle_minutes <= high:
        findings.add(file, "idle_minutes", str(it.idle_minutes), expected=f"{low} to {high}")
    people = {one.id for one in pack.people.people}
    for name, gate in it.gates.items():
        for what, needed in gate_faults(name, gate):
            findings.add(file, f"gates.{name}", what, expected=needed[:1].lower() + needed[1:-1])
        for person in named(gate.who) if gate.who.startswith(NAMED) else ():
            _known(findings, file, f"gates.{name}.who", name=person, among=people)


def check_digit(digits: str) -> int:
    """Return the last digit that a GTIN must have after the given ones.

    >>> check_digit("0401234500001")
    6
    """
    weighted = (int(one) * (3 if n % 2 == 0 else 1) for n, one in enumerate(reversed(digits)))
    return -sum(weighted) % 10


def _check_materials(findings: Findings, pack: PlantPack) -> None:
    file, materials = "materials.toml", pack.materials.materials
    _unique(findings, file, "materials.id", names=(one.id for one in materials))
    _unique(findings, file, "materials.gtin", names=(one.gtin for one in materials))
    for n, one in enumerate(materials):
        _known(findings, file, f"materials[{n}].unit", name=one.unit, among=set(UNITS))
        gtin = one.gtin
        digits = len(gtin) == 14 and gtin.isascii() and gtin.isdigit()
        if not digits:
            findings.add(file, f"materials[{n}].gtin", f"'{gtin}'", expected="14 digits")
        elif int(gtin[-1]) != check_digit(gtin[:-1]):
            expected = f"{check_digit(gtin[:-1])} as its last digit"
            findings.add(file, f"materials[{n}].gtin", f"'{gtin}'", expected=expected)


def _dimension(unit: str) -> str:
    return UNITS[unit][0] if unit in UNITS else unit


def _check_lots(findings: Findings, pack: PlantPack) -> None:
    file = "lots.toml"
    units = {one.id: one.unit for one in pack.materials.materials}
    _unique(findings, file, "lots.lot", names=(one.lot for one in pack.lots.lots))
    for n, lot in enumerate(pack.lots.lots):
        _known(findings, file, f"lots[{n}].material", name=lot.material, among=set(units))
        _known(findings, file, f"lots[{n}].unit", name=lot.unit, among=set(UNITS))
        wanted = units.get(lot.material, lot.unit)
        if _dimension(lot.unit) != _dimension(wanted):
            findings.add(file, f"lots[{n}].unit", lot.unit, expected=f"a unit like {wanted}")
        if (lot.assay_percent is None) != (lot.assay_basis is None):
            findings.add(
                file, f"lots[{n}].assay_basis", "assay without its basis", expected="both or none"
            )


def _check_recipe(findings: Findings, pack: PlantPack) -> None:
    file, recipe = "recipe.toml", pack.recipe
    units = {one.id: one.unit for one in pack.materials.materials}
    _known(findings, file, "product", name=recipe.product, among=set(units))
    _known(findings, file, "unit", name=recipe.unit, among=set(UNITS))
    _unique(findings, file, "steps.step", names=(one.step for one in recipe.steps))
    for n, line in enumerate(recipe.bom):
        _known(findings, file, f"bom[{n}].material", name=line.material, among=set(units))
        _known(findings, file, f"bom[{n}].unit", name=line.unit, among=set(UNITS))
        if _dimension(line.unit) != _dimension(units.get(line.material, line.unit)):
            expected = f"a unit like {units[line.material]}"
            findings.add(file, f"bom[{n}].unit", line.unit, expected=expected)
    places = {one.id for one in pack.plant.equipment}
    for n, step in enumerate(recipe.steps):
        _known(findings, file, f"steps[{n}].work_center", name=step.work_center, among=places)
        if step.kind is StepKind.WEIGH:
            _check_weighing(findings, pack, f"steps[{n}]", step=step)
    _check_weighed_sums(findings, pack)


def _check_weighing(findings: Findings, pack: PlantPack, key: str, *, step: StepItem) -> None:
    file, among = "recipe.toml", {line.material for line in pack.recipe.bom}
    for name in ("material", "target", "unit"):
        if getattr(step, name) is None:
            findings.add(file, f"{key}.{name}", "missing", expected="a value: a weighing")
    _known(findings, file, f"{key}.material", name=step.material, among=among)
    given = step.tolerance_percent is not None, step.low is not None and step.high is not None
    if given.count(True) != 1:
        what = "no tolerance" if given == (False, False) else "two tolerances"
        findings.add(
            file, f"{key}.tolerance_percent", what, expected="a percentage, or low and high"
        )
        return
    if step.target is None or step.unit is None or _dimension(step.unit) != "mass":
        findings.add(file, f"{key}.unit", str(step.unit), expected="a unit of mass")
        return
    scale = Fraction(UNITS[step.unit][1], UNITS[step.unit][2])
    target_g, percent = Fraction(step.target) * scale, step.tolerance_percent
    if percent is not None:
        half_g = target_g * Fraction(percent) / 100
    else:
        half_g = Fraction((step.high or Decimal(0)) - (step.low or Decimal(0))) * scale / 2
    for one in pack.equipment(EquipmentKind.SCALE):
        if one.readability_g is not None and Fraction(one.readability_g) * 4 > half_g:
            what = f"scale {one.id} reads in steps of {one.readability_g} g"
            findings.add(file, key, what, expected=f"steps of {half_g / 4} g or finer")
        if one.capacity_g is not None and target_g > Fraction(one.capacity_g):
            what = f"target is over the capacity of scale {one.id}"
            findings.add(file, f"{key}.target", what, expected=f"at most {one.capacity_g} g")


def _base(quantity: Decimal, unit: str) -> tuple[str, Fraction]:
    dimension, up, down = UNITS.get(unit, (unit, 1, 1))
    return dimension, Fraction(quantity) * up / down


def _check_weighed_sums(findings: Findings, pack: PlantPack) -> None:
    wanted: dict[str, Fraction] = {}
    weighed: dict[str, Fraction] = {}
    for line in pack.recipe.bom:
        wanted[line.material] = (
            wanted.get(line.material, Fraction(0)) + _base(line.quantity, line.unit)[1]
        )
    for step in pack.recipe.steps:
        if step.kind is StepKind.WEIGH and step.material and step.target and step.unit:
            weighed[step.material] = (
                weighed.get(step.material, Fraction(0)) + _base(step.target, step.unit)[1]
            )
    for material, quantity in wanted.items():
        found = weighed.get(material, Fraction(0))
        if found != quantity:
            what = f"{material}: steps weigh {found}, the BOM has {quantity}"
            findings.add("recipe.toml", "bom", what, expected="the same sum, in grams or pieces")


def _check_erp(findings: Findings, pack: PlantPack) -> None:
    file, erp = "erp.json", pack.erp
    items = {one.code: one for one in erp.items}
    for n, item in enumerate(erp.items):
        _known(findings, file, f"items[{n}].unit", name=item.unit, among=set(ERP_UNITS))
    for material in pack.materials.materials:
        found = items.get(material.id)
        if found is None:
            findings.add(file, "items", f"{material.id} is missing", expected="every material")
        elif found.gtin != material.gtin:
            what = f"{material.id}: {found.gtin}"
            findings.add(file, "items.gtin", what, expected=f"{material.gtin} as in materials.toml")
    customers = {one.code for one in erp.customers}
    for n, order in enumerate(erp.orders):
        _known(findings, file, f"orders[{n}].product", name=order.product, among=set(items))
        _known(findings, file, f"orders[{n}].customer", name=order.customer, among=customers)
        try:
            time.fromisoformat(order.due_time)
        except ValueError:
            findings.add(
                file, f"orders[{n}].due_time", f"'{order.due_time}'", expected="a time like 16:00"
            )
    _check_erp_bom(findings, pack)
    _check_erp_lots(findings, pack)


def _check_erp_bom(findings: Findings, pack: PlantPack) -> None:
    boms = [one for one in pack.erp.boms if one.product == pack.recipe.product]
    if len(boms) != 1:
        what = f"{len(boms)} BOMs of {pack.recipe.product}"
        findings.add("erp.json", "boms", what, expected="one")
        return
    ours: dict[str, Fraction] = {}
    theirs: dict[str, Fraction] = {}
    for line in pack.recipe.bom:
        ours[line.material] = (
            ours.get(line.material, Fraction(0)) + _base(line.quantity, line.unit)[1]
        )
    for row in boms[0].lines:
        theirs[row.item] = (
            theirs.get(row.item, Fraction(0))
            + _base(row.quantity, ERP_UNITS.get(row.unit, row.unit))[1]
        )
    erp_size = _base(boms[0].quantity, ERP_UNITS.get(boms[0].unit, boms[0].unit))[1]
    our_size = _base(pack.recipe.quantity, pack.recipe.unit)[1]
    for name in sorted({*ours, *theirs}):
        mine, other = ours.get(name, Fraction(0)), theirs.get(name, Fraction(0))
        if mine * erp_size != other * our_size:
            what = f"{name}: {other} for {erp_size}"
            findings.add(
                "erp.json", "boms.lines", what, expected=f"{mine} for {our_size}, as in recipe.toml"
            )


def _check_erp_lots(findings: Findings, pack: PlantPack) -> None:
    stock = {
        one.lot: (one.item, _base(one.quantity, ERP_UNITS.get(one.unit, one.unit)))
        for one in pack.erp.lots
    }
    for lot in pack.lots.lots:
        ours = (lot.material, _base(lot.quantity, lot.unit))
        if stock.get(lot.lot) != ours:
            what = f"{lot.lot} differs from lots.toml or is missing"
            findings.add("erp.json", "lots", what, expected=f"{lot.quantity} {lot.unit}")


def _check_rates_and_devices(findings: Findings, pack: PlantPack) -> None:
    lines = _of_kind(pack, EquipmentKind.LINE)
    scales = _of_kind(pack, EquipmentKind.SCALE)
    judged = {one.line for one in pack.rates.lines}
    rated = {one.line for one in pack.rates.rates if one.sku == pack.recipe.product}
    reached = {one.line for one in pack.devices.lines}
    for file, key, names in (
        ("rates.toml", "lines.line", judged),
        ("rates.toml", "rates.line", rated),
        ("devices.toml", "lines.line", reached),
    ):
        for name in sorted(names):
            _known(findings, file, key, name=name, among=lines)
        for name in sorted(lines - names):
            findings.add(file, key, f"line {name} is missing", expected="every line")
    for name in sorted({one.scale for one in pack.devices.scales} ^ scales):
        findings.add("devices.toml", "scales.scale", f"{name}", expected="every scale, once")
    for n, line in enumerate(pack.devices.lines):
        for tag in ("state", "good", "scrap"):
            if tag not in line.tags:
                findings.add(
                    "devices.toml", f"lines[{n}].tags.{tag}", "missing", expected="a register"
                )
