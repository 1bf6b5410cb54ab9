"""The composition root: what a change in the ledger does to sessions that are open."""

from pathlib import Path

import pytest

from config.accounts import new_accounts
from config.load import load_plant
from config.seed import Seeder
from core.execution import Actor
from core.fact import Command
from core.people import ChangeRoles, Person, RetirePerson
from dashboards.accounts import viewer_of
from dashboards.compose import Plant, Wiring, open_execution
from tests.patience import eventually


@pytest.mark.requirement("H7")
def test_a_person_whose_rights_end_or_change_is_signed_out_everywhere(tmp_path: Path) -> None:
    pack = load_plant("tablets")
    execution = open_execution(tmp_path, pack.id)
    execution.start()
    Seeder(execution, pack, new_accounts(pack)).run()
    plant = Plant(execution, pack, Wiring(), data=tmp_path)
    plant.start()
    sessions = plant.gate.sessions
    tokens = {
        name: sessions.open(viewer_of(execution.nouns.get(Person, name)))
        for name in ("olga", "viktor", "sana")
    }

    def admin(command: Command) -> None:
        execution.submit(command, actor=Actor("ada"), idem=f"t:{command}")

    admin(RetirePerson(person="olga"))
    admin(ChangeRoles(person="viktor", roles=("supervisor",)))
    eventually(lambda: sessions.get(tokens["olga"]) is None)
    eventually(lambda: sessions.get(tokens["viktor"]) is None)
    assert sessions.get(tokens["sana"]) is not None
    plant.stop()
    execution.close()
