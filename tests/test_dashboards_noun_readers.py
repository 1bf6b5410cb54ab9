"""Who may read which noun over the interface, pair by pair: what the manual says, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from config.load import load_plant
from core.authority import AdoptAuthority
from core.catalogue import COMMANDS, NOUNS
from core.credentials import Secrets
from core.execution import Actor, Execution
from core.ledger.checkpoint import LogKey
from core.people import INSTALLER, ROLES, RegisterPerson
from dashboards import openapi
from dashboards.accounts import PlantAccounts
from dashboards.noun_readers import OWN, READERS, may_read
from tests.ui_plant import create_app, plant_of, running

SECRET = "482913"
MANUAL = Path(__file__).parent.parent / "dashboards" / "help" / "api.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| ([^|]+) \|$", re.MULTILINE)
# A command's field that names what was seen, where it is not called as the noun is.
ABOUT = {"direction": "erp-key", "key": "log-key", "period": "reconciliation"}


def fields(command: type) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(command)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("readers")
    secrets = Secrets(f"sqlite:///{data / 'credentials.db'}")
    key = LogKey("batchwright.test/readers", bytes(range(32)))
    database = f"sqlite:///{data / 'ledger.db'}"
    execution = Execution(database, key, plant="test", secrets=secrets)
    execution.start()
    for role in ROLES:
        register = RegisterPerson(person=role, name=role, badge=f"B-{role}", roles=(role,))
        execution.register(register, secret=SECRET, actor=Actor(INSTALLER), idem=f"seed-{role}")
    ways = ("record-authentication", "record-failed-authentication")
    signs = {f"person.{way}": ("service",) for way in ways}
    signs |= {f"person.record-sign-{way}": ROLES for way in ("in", "out")}
    adopt = AdoptAuthority(plant="test", zone="Europe/Zurich", matrix=signs)
    execution.submit(adopt, actor=Actor(INSTALLER), idem="seed-authority")
    accounts = PlantAccounts(execution)
    plant = plant_of(accounts=accounts, execution=execution, ledger=execution.ledger)
    with running(create_app(plant, pages={})) as address:
        yield address
    accounts.close()
    execution.close()


@pytest.fixture(params=ROLES)
def signed_in(url: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, httpx.Client]]:
    with httpx.Client(base_url=url, timeout=20) as client:
        answer = client.post("/login", data={"user": request.param, "password": SECRET})
        assert answer.status_code == 303, answer.text
        yield request.param, client


def told() -> dict[str, set[str]]:
    """Return the manual's table."""
    rows = ROW.findall(MANUAL.read_text("utf-8").partition("## Read")[2].partition("## ")[0])
    return {noun: set(names.partition(";")[0].lower().split(", ")) for noun, names in rows}


@pytest.mark.requirement("H7", "B7")
def test_every_noun_has_its_readers() -> None:
    assert sorted(READERS) == sorted(told()) == sorted(openapi.noun_kinds())
    assert not may_read("badge", ROLES)
    assert [noun for noun in READERS if may_read(noun, [])] == []


@pytest.mark.requirement("H7", "B7")
def test_noun_is_read_by_the_roles_that_the_manual_names_and_by_no_other(
    signed_in: tuple[str, httpx.Client],
) -> None:
    role, client = signed_in
    for noun, readers in told().items():
        listed, one = client.get(f"/api/v1/{noun}"), client.get(f"/api/v1/{noun}/nowhere")
        expected = (200, 404) if role in readers else (403, 403)
        assert (listed.status_code, one.status_code) == expected, (role, noun)
        if role not in readers:
            assert listed.json()["type"] == one.json()["type"] == "/help/api#not-for-your-role"


@pytest.mark.requirement("H7")
def test_everyone_reads_oneself_and_nobody_else(signed_in: tuple[str, httpx.Client]) -> None:
    role, client = signed_in
    assert client.get(f"/api/v1/person/{role}").json()["name"] == role
    other = client.get("/api/v1/person/finance" if role != "finance" else "/api/v1/person/admin")
    assert other.status_code == (200 if may_read("person", [role]) else 403)
    assert "B-" not in other.text + client.get("/api/v1/person").text


def test_refusal_names_the_readers(url: str) -> None:
    with httpx.Client(base_url=url, timeout=20) as client:
        client.post("/login", data={"user": "finance", "password": SECRET})
        answer = client.get("/api/v1/record").json()
    assert answer["detail"] == "record: read by QA. Ask an administrator."


@pytest.mark.requirement("B7")
@pytest.mark.parametrize(
    "action", sorted(n for n, one in COMMANDS.items() if "seen" in fields(one))
)
def test_who_acts_on_what_was_seen_may_read_it(action: str) -> None:
    named = [ABOUT.get(field, field) for field in fields(COMMANDS[action])]
    about = next(noun for noun in named if noun in NOUNS)
    roles = load_plant("tablets").authority.matrix[action]
    lacking = [role for role in roles if about not in OWN and not may_read(about, [role])]
    assert lacking == []
