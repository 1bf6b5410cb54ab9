"""The composition root: what a change in the ledger does to sessions that are open."""

import os
import stat
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
def test_digests_of_secrets_are_for_the_servers_own_account_alone(tmp_path: Path) -> None:
    """A PIN has six to eight digits: whoever reads its digest finds it in a day."""
    before = os.umask(0o022)
    try:
        data = tmp_path / "plant"
        open_execution(data, "tablets").close()
        digests = data / "credentials.db"
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (data, digests)]
        assert modes == [0o700, 0o600]
        digests.chmod(0o644)  # as an older server left it
        open_execution(data, "tablets").close()
        assert stat.S_IMODE(digests.stat().st_mode) == 0o600
    finally:
        os.umask(before)


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
