"""A pack put to work: by people, once, and again without change."""

from __future__ import annotations

import json
import stat
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from config.accounts import accounts_of, new_accounts, read_accounts
from config.load import recipe_content
from config.seed import Seeder, seed
from core.authority import PlantRules
from core.bom import bom_drift
from core.equipment import Equipment, Station
from core.material import Lot, LotStatus
from core.people import INSTALLER, Person
from core.projections.nouns import differences
from core.recipe import MasterRecipe, Product, RecipeState
from tests.floor import Floor, open_floor
from tests.hands import AT, PACK
from tests.paper import paper


def test_second_seed_changes_nothing(floor: Floor) -> None:
    before = floor.size()
    done = seed(floor.execution, PACK, floor.accounts, at=AT)
    assert (done.commands, done.entries, floor.size()) == (0, before, before)
    assert differences(floor.execution.ledger) == []


def test_seed_on_a_later_day_changes_nothing_either(floor: Floor) -> None:
    before = floor.size()
    floor.clock.pass_time(days=3)
    seed(floor.execution, PACK, floor.accounts)
    assert floor.size() == before


def test_seed_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    with open_floor(tmp_path) as floor:
        first = Seeder(floor.execution, PACK, floor.accounts, at=AT)
        first._install()
        first._people()
        first._equipment()
        floor.act(first_material(), "erik")
        seed(floor.execution, PACK, floor.accounts, at=AT)
        assert floor.get(Product, "PARA500").effective == "PARA500@1"
        assert differences(floor.execution.ledger) == []


def first_material():
    from core.material import RegisterMaterial

    one = PACK.materials.materials[0]
    return RegisterMaterial(material=one.id, name=one.name, unit=one.unit, gtin=one.gtin)


@pytest.mark.requirement("B7")
def test_installer_only_opens_the_door(floor: Floor) -> None:
    entries = floor.execution.ledger.entries(limit=1000)
    by_installer = [entry.type for entry in entries if entry.actor == INSTALLER]
    assert Counter(by_installer) == {
        "person.registered": 3,  # person, badge, and the circle of administrators
        "authority.adopted": 1,
        "person.secret-changed": len(PACK.people.people),
    }
    assert {entry.actor for entry in entries} == {INSTALLER, "ada", "erik", "sana", "quinn"}


@pytest.mark.requirement("B1")
def test_recipe_is_effective_by_two_signatures_of_others(floor: Floor) -> None:
    recipe = floor.get(MasterRecipe, "PARA500@1")
    assert recipe.state is RecipeState.EFFECTIVE
    assert recipe.author == "erik"
    assert recipe.approvals == (("production", "sana"), ("quality", "quinn"))


@pytest.mark.requirement("E1")
def test_lots_have_the_status_of_the_pack(floor: Floor) -> None:
    found = {one.lot: floor.get(Lot, one.lot).status for one in PACK.lots.lots}
    assert found == {one.lot: one.status for one in PACK.lots.lots}
    assert found["CC-3102"] is LotStatus.QUARANTINE
    assert floor.get(Lot, "PV-0871").expires_on < AT.date()


@pytest.mark.requirement("B8")
def test_boundary_policy_and_stations_are_in_force(floor: Floor) -> None:
    rules = floor.get(PlantRules, "tablets")
    policy = rules.policy(AT + timedelta(seconds=1))
    assert (policy.profile, policy.version, rules.zone) == ("pharma", 1, "Europe/Berlin")
    assert (policy.decisions.batch_record, policy.signed_by) == ("mes", "quinn")
    assert floor.get(Station, "kiosk-B1").scale == "B1-S1"
    assert floor.get(Equipment, "B1-S1").certificate == "CAL-2291-B1"


@pytest.mark.requirement("B4")
def test_execution_bom_sums_exactly_to_the_erp_s() -> None:
    from core.bom import ErpBom

    plant = paper()
    plant.receive_bom()
    content = recipe_content(PACK.recipe)
    assert bom_drift(content, plant.get(ErpBom, "PARA500")) == ()
    plant.receive_bom(lactose="5.200001")
    assert bom_drift(content, plant.get(ErpBom, "PARA500")) == (
        "lactose: recipe has 5200 g for 60 kg, ERP has 5200.001 g for 60 kg",
    )


def test_people_of_a_demo_are_marked_as_simulated(tmp_path: Path) -> None:
    with open_floor(tmp_path) as floor:
        seeder = Seeder(floor.execution, PACK, floor.accounts, simulated=True, at=AT)
        seeder._install()
        assert floor.get(Person, "ada").simulated


def test_accounts_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "accounts.json"
    accounts = accounts_of(PACK, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert accounts_of(PACK, path) == accounts == read_accounts(path)
    assert json.loads(path.read_text("utf-8"))["olga"]["user"] == "olga"


def test_secrets_are_made_anew_and_never_shown() -> None:
    one, other = new_accounts(PACK), new_accounts(PACK)
    assert all(one[name].secret != other[name].secret for name in one)
    assert len(one["olga"].secret) == 8
    assert one["olga"].secret.isdigit()
    assert len(one["quinn"].secret) == 14
    assert all(account.secret not in repr(account) for account in one.values())
