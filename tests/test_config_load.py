"""Reading a plant pack: what is right in it, and every fault of a wrong one at once."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from config.boundary import TITLES, choices, profiles, read_profile
from config.faults import PackFaulty
from config.load import PACKS, erp_seed, load_plant, packs, policy, read_plant, recipe_content
from config.settings import Settings
from core.policy import Decisions
from core.quantity import UNITS
from core.recipe import StepKind
from tests.hands import PACK


@pytest.fixture
def pack_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tablets"
    shutil.copytree(PACKS / "tablets", folder)
    return folder


def change(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), "utf-8")


def faults(folder: Path) -> list[str]:
    pack, found = read_plant(folder)
    assert (pack is None) == bool(found)
    return [str(fault) for fault in found]


def test_pack_that_comes_with_the_product_has_no_fault() -> None:
    assert "tablets" in packs()
    assert read_plant("tablets") == (load_plant("tablets"), ())


def test_every_fault_is_reported_at_once(pack_folder: Path) -> None:
    change(pack_folder, "plant.toml", 'zone = "Europe/Berlin"\n', "")
    change(pack_folder, "plant.toml", 'kind = "printer"', 'kind = "plotter"')
    change(pack_folder, "shifts.toml", "minutes = 15", "minutes = 0")
    change(pack_folder, "people.toml", 'badge = "10011"', "badge = 10011")
    change(pack_folder, "lots.toml", "each = 250", "each = -1")
    change(pack_folder, "recipe.toml", "pieces = 100000", "pieces = 100000\nflavour = 1")
    change(pack_folder, "rates.toml", "micro_stop_s = 120", 'micro_stop_s = "2 min"')
    (pack_folder / "erp.json").write_text("{", "utf-8")
    (pack_folder / "devices.toml").unlink()
    assert faults(pack_folder) == [
        "plant.toml: plant.zone: missing, expected text",
        "plant.toml: equipment[8].kind: 'plotter', expected one of scale, room, unit, line,"
        " printer",
        "shifts.toml: shifts[0].breaks[0].minutes: 0, expected a whole number >= 1",
        "people.toml: people[1].badge: 10011, expected text",
        "lots.toml: lots[0].each: -1, expected a number above 0",
        "recipe.toml: flavour: not a known key, expected one of recipe, version, product,"
        " product_name, quantity, unit, pieces, source, bom, steps",
        "erp.json: file: Expecting property name enclosed in double quotes: line 1 column 2 (char"
        " 1), expected JSON",
        "rates.toml: lines[0].micro_stop_s: '2 min', expected a whole number",
        "devices.toml: file: missing, expected a TOML file in tablets",
    ]


def test_pack_that_is_nowhere_is_one_fault_and_names_those_that_there_are() -> None:
    pack, [fault] = read_plant("tablet")
    assert pack is None
    assert str(fault) == (
        "tablet: folder: missing, expected a pack's folder, or the name of a pack: tablets"
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("plant.toml", 'zone = "Europe/Berlin"', 'zone = "Berlin"',
         "plant.toml: plant.zone: 'Berlin', expected a zone such as Europe/Berlin"),
        ("plant.toml", 'id = "B2"', 'id = "B1"',
         "plant.toml: equipment.id: B1 stands there 2 times, expected once\n"
         "plant.toml: stations[1].room: 'B2' is not known, expected one of B1"),
        ("plant.toml", 'scale = "B1-S1"', 'scale = "B9-S1"',
         "plant.toml: equipment[0].scale: 'B9-S1' is not known, expected one of B1-S1, B2-S1"),
        ("plant.toml", 'serial = "B634210871"\n', "",
         "plant.toml: equipment[2].serial: missing, expected a value: a scale"),
        ("plant.toml", "check_weight_g = 5000", "check_weight_g = 64001",
         "plant.toml: equipment[2].check_weight_g: 64001 g, expected at most 64000 g"),
        ("plant.toml", 'profile = "pharma"', 'profile = "toys"',
         "profiles/toys.toml: file: missing, expected one of biotech, cosmetics, device, food,"
         " pharma, supplements"),
        ("shifts.toml", "end = 14:00:00", "end = 14:01:00",
         "shifts.toml: shifts: late overlaps early on line L1, mon, expected one shift at a time\n"
         "shifts.toml: shifts: late overlaps early on line L2, mon, expected one shift at a time"),
        ("shifts.toml", "start = 11:30:00, minutes = 30", "start = 13:30:00, minutes = 31",
         "shifts.toml: shifts[0].breaks[1]: 13:30 for 31 minutes, expected inside 06:00 to 14:00"),
        ("people.toml", 'roles = ["engineer"]', 'roles = ["operator"]',
         "people.toml: people: nobody is engineer, expected at least one engineer"),
        ("people.toml", 'roles = ["admin"]', 'roles = ["admin", "qa"]',
         "people.toml: people[0].roles: admin, qa, expected admin alone: nobody both grants and"
         " uses a right"),
        ("authority.toml", '"batch.reject" = ["qa"]\n', "",
         "authority.toml: matrix.batch.reject: missing, expected the roles that may do it"),
        ("authority.toml", '"batch.reject" = ["qa"]', '"batch.reject" = ["qa", "admin"]',
         "authority.toml: matrix.batch.reject: admin, expected no right beyond people for admin"),
        ("authority.toml", '"batch.reject" = ["qa"]', '"batch.reject" = ["boss"]',
         "authority.toml: matrix.batch.reject: 'boss' is not known, expected one of admin,"
         " director, engineer, finance, operator, qa, service, supervisor"),
        ("signatures.toml", 'who = "any"', 'who = "role:boss"',
         "signatures.toml: gates.lot.change-status: who is role:boss, expected a role is one of"
         " operator, supervisor, qa, engineer, director, finance, admin"),
        ("signatures.toml", 'who = "any"', 'who = "named:quinn,nobody"',
         "signatures.toml: gates.lot.change-status.who: 'nobody' is not known, expected one of"
         " ada, dora, erik, finn, ines, olga, quinn, sana, viktor"),
        ("signatures.toml", 'comment = "none"', 'comment = "sometimes"',
         "signatures.toml: gates.step.verify.comment: 'sometimes', expected one of none, optional,"
         " required, required_when_not_compliant"),
        ("signatures.toml", "idle_minutes = 10 ", "idle_minutes = 61 ",
         "signatures.toml: idle_minutes: 61, expected 1 to 60"),
        ("signatures.toml", "idle_minutes = 10 ", "idle_hours = 1 ",
         "signatures.toml: idle_hours: not a known key, expected one of gates, idle_minutes,"
         " kiosk_components"),
        ("lots.toml", 'material = "povidone"', 'material = "povidon"',
         "lots.toml: lots[4].material: 'povidon' is not known, expected one of PARA500,"
         " croscarmellose, lactose, magnesium-stearate, paracetamol, povidone\n"
         "erp.json: lots: PV-1107 differs from lots.toml or is missing, expected 60 kg"),
        ("lots.toml", 'assay_basis = "as_is"\n', "",
         "lots.toml: lots[0].assay_basis: assay without its basis, expected both or none"),
        ("recipe.toml", "tolerance_percent = 1\n", "",
         "recipe.toml: steps[2].tolerance_percent: no tolerance, expected a percentage, or low and"
         " high"),
        ("recipe.toml", 'work_center = "G1"', 'work_center = "G2"',
         "recipe.toml: steps[7].work_center: 'G2' is not known, expected one of B1, B1-P1, B1-S1,"
         " B2, B2-P1, B2-S1, G1, L1, L2, M1"),
        ("erp.json", '"priority": 20', '"priority": "high"',
         "erp.json: orders[0].priority: 'high', expected a whole number"),
        ("erp.json", '"item": "lactose", "lot": "LA-2291", "quantity": "100"',
         '"item": "lactose", "lot": "LA-2291", "quantity": "99"',
         "erp.json: lots: LA-2291 differs from lots.toml or is missing, expected 100 kg"),
        ("rates.toml", 'line = "L2"\nmicro', 'line = "L3"\nmicro',
         "rates.toml: lines.line: 'L3' is not known, expected one of L1, L2\n"
         "rates.toml: lines.line: line L2 is missing, expected every line"),
        ("devices.toml", "state = { address = 0 }\n", "",
         "devices.toml: lines[0].tags.state: missing, expected a register"),
    ],
)  # fmt: skip
def test_fault_names_file_key_what_and_expected(
    pack_folder: Path, file: str, old: str, new: str, fault: str
) -> None:
    change(pack_folder, file, old, new)
    assert "\n".join(faults(pack_folder)) == fault


def test_wrong_check_digit_is_named(pack_folder: Path) -> None:
    change(pack_folder, "materials.toml", "04012345000016", "04012345000017")
    change(pack_folder, "erp.json", "04012345000016", "04012345000017")
    assert faults(pack_folder) == [
        "materials.toml: materials[0].gtin: '04012345000017', expected 6 as its last digit"
    ]


@pytest.mark.requirement("D3")
def test_scale_too_coarse_for_a_tolerance_is_a_fault(pack_folder: Path) -> None:
    change(pack_folder, "plant.toml", "readability_g = 0.1", "readability_g = 1.5")
    assert faults(pack_folder) == []
    change(pack_folder, "plant.toml", "readability_g = 1.5", "readability_g = 1.6")
    assert faults(pack_folder) == [
        "recipe.toml: steps[4]: scale B1-S1 reads in steps of 1.6 g, expected steps of 3/2 g or"
        " finer"
    ]


@pytest.mark.requirement("B4")
def test_bom_that_does_not_sum_to_the_weighings_is_a_fault(pack_folder: Path) -> None:
    change(pack_folder, "recipe.toml", "quantity = 5.2,", "quantity = 5.201,")
    assert faults(pack_folder) == [
        "recipe.toml: bom: lactose: steps weigh 5200, the BOM has 5201, expected the same sum, in"
        " grams or pieces",
        "erp.json: boms.lines: lactose: 5200 for 60000, expected 5201 for 60000, as in recipe.toml",
    ]


def test_faulty_pack_is_refused_with_all_its_faults(pack_folder: Path) -> None:
    change(pack_folder, "people.toml", 'badge = "10011"', "badge = 10011")
    change(pack_folder, "lots.toml", "each = 250", "each = 0")
    with pytest.raises(PackFaulty) as refused:
        load_plant(pack_folder)
    assert str(refused.value) == (
        f"Plant {pack_folder}: 2 faults. Mend the files, then start again.\n"
        "people.toml: people[1].badge: 10011, expected text\n"
        "lots.toml: lots[0].each: 0, expected a number above 0"
    )


def test_recipe_has_the_limits_of_the_story_in_grams() -> None:
    content = recipe_content(PACK.recipe)
    weighed = {
        step.material: (step.low, step.target, step.high)
        for step in content.steps
        if step.kind is StepKind.WEIGH
    }
    assert len(content.steps) == 14
    assert weighed["povidone"] == (1782, 1800, 1818)
    assert weighed["croscarmellose"] == (2376, 2400, 2424)
    assert sum(step.target or 0 for step in content.steps if step.kind is StepKind.WEIGH) == 60_000
    assert next(step.step for step in content.steps if step.material == "povidone") == "3"
    yields = next(step for step in content.steps if step.kind is StepKind.YIELD)
    assert (yields.low, yields.high) == (Decimal("58.2"), Decimal("60.6"))


def test_stock_is_enough_for_twenty_batches() -> None:
    for line in PACK.recipe.bom:
        lots = [
            lot
            for lot in PACK.lots.lots
            if lot.material == line.material
            and lot.status == "released"
            and lot.expires_in_days > 0
        ]
        batches = sum(lot.containers * int(lot.each // line.quantity) for lot in lots)
        assert batches >= 20, line.material


def test_erp_starts_with_days_counted_from_the_seed() -> None:
    data = erp_seed(PACK, date(2026, 11, 23))
    first = data["orders"][0]
    assert (first["id"], first["quantity"], first["unit"]) == ("1000178", "60", "KGM")
    assert first["due_at"] == "2026-11-24T09:00:00.000000Z"
    assert json.loads(json.dumps(data)) == data


@pytest.mark.requirement("B8")
@pytest.mark.parametrize("name", profiles())
def test_profile_states_all_seven_decisions_in_words(name: str) -> None:
    found, wrong = read_profile(name)
    assert found is not None
    assert (wrong, len(TITLES)) == ((), 7)
    assert set(msgspec.structs.asdict(found.decisions)) == set(TITLES)
    assert all(row.says.endswith(".") for row in found.rows())


@pytest.mark.requirement("B8")
def test_decision_outside_its_options_is_a_fault(tmp_path: Path) -> None:
    text = (PACKS.parent / "profiles" / "pharma.toml").read_text("utf-8")
    (tmp_path / "odd.toml").write_text(text.replace('"mes"', '"paper"'), "utf-8")
    _, wrong = read_profile("odd", tmp_path)
    assert [str(fault) for fault in wrong] == [
        "profiles/odd.toml: decisions.batch_record: 'paper', expected one of mes"
    ]


def test_pack_adopts_its_profile() -> None:
    assert policy(PACK).profile == "pharma"


@pytest.mark.requirement("B8")
def test_every_choice_of_every_decision_has_its_sentence() -> None:
    for decision in msgspec.structs.fields(Decisions):
        assert choices(decision.name) == get_args(decision.type)
    assert {name for name in TITLES if len(choices(name)) == 1} == {
        "batch_record",
        "finished_goods_cost",
    }


def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BATCHWRIGHT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BATCHWRIGHT_PORT", "8765")
    found = Settings()
    assert (found.ledger, found.port) == (tmp_path / "ledger.db", 8765)
    monkeypatch.setenv("BATCHWRIGHT_STORE", "postgresql:///plant")
    assert Settings().ledger == "postgresql:///plant"


def test_units_of_the_pack_are_units_of_the_core() -> None:
    assert {one.unit for one in PACK.materials.materials} <= set(UNITS)
