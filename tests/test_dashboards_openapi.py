"""The interface keeps its own description: every operation is tried with what it says it takes,
and with what it does not, and every answer must be one that it declares."""

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.authority import AdoptAuthority
from core.catalogue import COMMANDS
from core.credentials import Secrets
from core.execution import Actor, Execution
from core.ledger.checkpoint import LogKey
from core.people import INSTALLER, ROLES, RegisterPerson
from dashboards.accounts import PlantAccounts
from dashboards.limits import Limits
from dashboards.openapi import noun_kinds
from dashboards.session import COOKIE
from tests.ui_plant import create_app, plant_of, running

SECRET = "482913"
WORKERS = tuple(role for role in ROLES if role != "admin")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EACH = settings(
    max_examples=1, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A person who may send every command, so that no authority hides what is behind it."""
    data = tmp_path_factory.mktemp("openapi")
    execution = Execution(
        f"sqlite:///{data / 'ledger.db'}",
        LogKey("batchwright.test/openapi", bytes(range(32))),
        plant="test",
        secrets=Secrets(f"sqlite:///{data / 'credentials.db'}"),
    )
    execution.start()
    for person, roles in (("erik", WORKERS), ("olga", ("operator",))):
        register = RegisterPerson(
            person=person, name=person.title(), badge=f"B-{person}", roles=roles
        )
        execution.register(register, secret=SECRET, actor=Actor(INSTALLER), idem=f"seed-{person}")
    matrix = dict.fromkeys(COMMANDS, WORKERS)
    adopt = AdoptAuthority(plant="test", zone="Europe/Zurich", matrix=matrix)
    execution.submit(adopt, actor=Actor(INSTALLER), idem="seed-authority")
    accounts = PlantAccounts(execution)
    plant = plant_of(accounts=accounts, execution=execution, ledger=execution.ledger)
    app = create_app(plant, pages={}, limits=Limits(commands=(100_000, 1e5), reads=(100_000, 1e5)))
    with running(app) as url, httpx.Client(base_url=url, timeout=30) as signed_in:
        signed_in.post("/login", data={"user": "erik", "password": SECRET})
        yield signed_in
    accounts.close()
    execution.close()


def operations(client: httpx.Client, mode: GenerationMode) -> Iterator[Any]:
    """Yield what is tried; where it must not fit, it is the bodies that do not."""
    described = client.get("/api/openapi.json").json()
    if mode is GenerationMode.NEGATIVE:
        described["security"] = []
        posts = {path: one for path, one in described["paths"].items() if "post" in one}
        described["paths"] = posts
        for one in posts.values():
            del one["post"]["parameters"]
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        yield found.ok()


def test_the_description_is_one(client: httpx.Client) -> None:
    validate(client.get("/api/openapi.json").json())


@pytest.mark.timeout(300)
@pytest.mark.requirement("P2")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_declared(client: httpx.Client, mode: GenerationMode) -> None:
    said: Counter[int] = Counter()
    token, url = client.cookies[COOKIE], str(client.base_url)
    for operation in operations(client, mode):

        @EACH
        @given(case=operation.as_strategy(generation_mode=mode))
        def attempt(case: Case) -> None:
            case.headers.pop("Authorization", None)
            key = {"Idempotency-Key": uuid.uuid4().hex}  # what is tried is the body behind it
            answer = case.call(base_url=url, cookies={COOKIE: token}, headers=key)
            said[answer.status_code] += 1
            assert answer.status_code != 401, "the session was lost on the way"
            case.validate_response(answer, checks=CHECKS)

        attempt()
    assert sum(said.values()) > 40, said
    if mode is GenerationMode.POSITIVE:
        assert said[200] > len(noun_kinds()), said
        assert said[403] > 5, said  # rules were reached
    else:
        assert said[422] > 10, said


@pytest.mark.requirement("H7")
def test_every_operation_needs_a_sign_in(client: httpx.Client) -> None:
    tried, stranger = 0, httpx.Client(base_url=client.base_url)
    for path, methods in client.get("/api/openapi.json").json()["paths"].items():
        for method in methods:
            address = path.replace("{id}", "X")
            for sent in ({}, {"authorization": "Bearer made-up"}, {"cookie": f"{COOKIE}=made-up"}):
                headers = {"idempotency-key": uuid.uuid4().hex, **sent}
                answer = stranger.request(method, address, headers=headers)
                assert answer.status_code == 401, (method, path, sent)
                assert answer.headers["content-type"] == "application/problem+json"
            tried += 1
    stranger.close()
    assert tried >= len(COMMANDS) + 2 * len(noun_kinds())
