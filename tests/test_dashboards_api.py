import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.authority import AdoptAuthority
from core.credentials import Secrets
from core.execution import Actor, Execution
from core.ledger.checkpoint import LogKey
from core.people import INSTALLER, ROLES, Person, PersonState, RegisterPerson
from dashboards.accounts import PlantAccounts, viewer_of
from tests.patience import eventually
from tests.ui_plant import create_app, plant_of, running

SECRET = "482913"
MATRIX = {
    "person.record-failed-authentication": ("service",),
    "person.record-authentication": ("service",),
    "person.record-sign-in": ROLES,
    "person.record-sign-out": ROLES,
    "material.register": ("engineer",),
    "person.retire": ("admin",),
}
KEY = "k" * 40


@pytest.fixture(scope="module")
def execution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Execution]:
    data = tmp_path_factory.mktemp("api")
    made = _execution(data)
    yield made
    made.close()


def _execution(data: Path) -> Execution:
    secrets = Secrets(f"sqlite:///{data / 'credentials.db'}")
    made = Execution(
        f"sqlite:///{data / 'ledger.db'}",
        LogKey("batchwright.test/api", bytes(range(32))),
        plant="test",
        secrets=secrets,
    )
    made.start()
    for person, role in (("erik", "engineer"), ("olga", "operator"), ("ada", "admin")):
        register = RegisterPerson(
            person=person, name=person.title(), badge=f"B-{person}", roles=(role,)
        )
        made.register(register, secret=SECRET, actor=Actor(INSTALLER), idem=f"seed-{person}")
    adopt = AdoptAuthority(plant="test", zone="Europe/Zurich", matrix=MATRIX)
    made.submit(adopt, actor=Actor(INSTALLER), idem="seed-authority")
    return made


@pytest.fixture(scope="module")
def url(execution: Execution) -> Iterator[str]:
    def by_key(key: str):
        from core.people import Person

        return viewer_of(execution.nouns.get(Person, "erik")) if key == KEY else None

    accounts = PlantAccounts(execution)
    plant = plant_of(
        accounts=accounts, execution=execution, ledger=execution.ledger, api_keys=by_key
    )
    with running(create_app(plant, pages={})) as address:
        yield address
    accounts.close()


@pytest.fixture
def erik(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as client:
        client.post("/login", data={"user": "erik", "password": SECRET})
        yield client


def send(client: httpx.Client, name: str, body: object, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return client.post(f"/api/v1/commands/{name}", json=body, headers=headers)


def material(name: str, **more: object) -> dict[str, object]:
    return {"material": name, "name": "Lactose", "unit": "g", **more}


@pytest.mark.requirement("P2")
def test_a_command_is_recorded_once_under_its_key(erik: httpx.Client, execution: Execution) -> None:
    first = send(erik, "material.register", material("LACT"), key="lact-0001")
    size = execution.ledger.size()
    again = send(erik, "material.register", material("LACT"), key="lact-0001")
    assert first.status_code == again.status_code == 200
    assert (first.json()["replayed"], again.json()["replayed"]) == (False, True)
    assert first.json()["first_seq"] == again.json()["first_seq"]
    assert execution.ledger.size() == size


def test_another_request_under_the_same_key_is_a_conflict(erik: httpx.Client) -> None:
    send(erik, "material.register", material("PVP"), key="pvp-00001")
    answer = send(erik, "material.register", material("PVP2"), key="pvp-00001")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["rule"] == "IdemReused"


def test_a_refusal_is_a_problem_with_sentence_rule_and_facts(erik: httpx.Client) -> None:
    send(erik, "material.register", material("CCNA"))
    answer = send(erik, "material.register", material("CCNA"))
    assert answer.status_code == 403
    problem = answer.json()
    assert problem["title"] == "Refused"
    assert problem["rule"] == "AlreadyKnown"
    assert problem["facts"]["name"] == "CCNA"
    assert problem["detail"].endswith("Choose another name.")


def test_a_role_that_may_not_is_refused(url: str) -> None:
    with httpx.Client(base_url=url, timeout=20) as olga:
        olga.post("/login", data={"user": "B-olga", "password": SECRET})
        answer = send(olga, "material.register", material("X"))
    assert (answer.status_code, answer.json()["rule"]) == (403, "NotAuthorized")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"material": "X", "unit": "g"}, "$.name"),
        (material("X", hazards="H302"), "$.hazards"),
        (material("X", colour="red"), "$.colour"),
        (material(""), "$.material"),
        (material("X", type="lot.receive"), "$.type"),
        (material("X", signature={"user": "erik"}), "$.signature"),
        (material("X", signature={"secret": 1}), "$.signature"),
        (material("X", reason=5), "$.reason"),
    ],
)
def test_a_malformed_body_names_its_field(erik: httpx.Client, body: object, field: str) -> None:
    answer = send(erik, "material.register", body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field


DEEP = b'{"reason":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff", DEEP])
def test_a_body_that_is_no_object_is_malformed(erik: httpx.Client, body: bytes) -> None:
    headers = {"Idempotency-Key": "a" * 20}
    answer = erik.post("/api/v1/commands/material.register", content=body, headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("key", ["", "short", "x" * 201, "with a space"])
def test_a_command_needs_a_usable_key(erik: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    answer = erik.post("/api/v1/commands/material.register", json=material("X"), headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (400, "Idempotency key")


def test_a_field_that_is_said_twice_is_malformed(erik: httpx.Client) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}
    for twice in ('"name": "m"', '"signature": {"secret": "a", "secret": "b"}'):
        body = '{"material": "X", "name": "n", "unit": "g", ' + twice + "}"
        answer = erik.post("/api/v1/commands/material.register", content=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["detail"] == "A field is said twice. Say each field once."


def test_a_character_that_does_not_fit_is_told_in_words(erik: httpx.Client) -> None:
    answer = send(erik, "material.register", material("A\u202eB"))
    assert answer.status_code == 422
    assert "regex" not in answer.json()["detail"]


def test_a_large_body_is_not_read(erik: httpx.Client) -> None:
    answer = send(erik, "material.register", material("X", gtin="1" * 300_000))
    assert answer.status_code == 413


def test_an_unknown_command_is_not_found(erik: httpx.Client) -> None:
    assert send(erik, "ledger.delete", {}).status_code == 404


def test_a_key_of_the_interface_stands_for_its_person(url: str) -> None:
    client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=20)
    with client:
        assert send(client, "material.register", material("KEYED")).status_code == 200
        assert client.get("/api/v1/material/KEYED").json()["name"] == "Lactose"
    with httpx.Client(base_url=url, headers={"authorization": "Bearer wrong"}) as stranger:
        assert send(stranger, "material.register", material("Y")).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/material", "/api/v1/person/erik", "/api/openapi.json"])
def test_reading_needs_a_login(url: str, path: str) -> None:
    assert httpx.get(url + path).status_code == 401


def test_nobody_reads_a_badge(erik: httpx.Client) -> None:
    person = erik.get("/api/v1/person/erik")
    assert person.json()["name"] == "Erik"
    assert "B-erik" not in person.text
    assert erik.get("/api/v1/badge/B-olga").status_code == 404


def test_reading_what_is_not_there_is_a_problem(erik: httpx.Client) -> None:
    assert erik.get("/api/v1/material/NONE").json()["title"] == "Unknown"
    assert erik.get("/api/v1/nothing").json()["title"] == "Unknown noun"


def test_a_wrong_secret_in_a_signature_is_refused(erik: httpx.Client) -> None:
    signed = material("SIGNED", signature={"badge": "B-erik", "secret": "wrong-1"})
    answer = send(erik, "material.register", signed)
    assert (answer.status_code, answer.json()["rule"]) == (403, "DoesNotFit")


def test_the_description_covers_every_command_and_is_whole(erik: httpx.Client) -> None:
    from core.catalogue import COMMANDS

    document = erik.get("/api/openapi.json").json()
    posts = {path.rsplit("/", 1)[1] for path in document["paths"] if "/commands/" in path}
    assert posts == set(COMMANDS)
    refs = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            refs.add(value.get("$ref"))
            [walk(inner) for inner in value.values()]
        elif isinstance(value, list):
            [walk(inner) for inner in value]

    walk(document)
    names = {ref.rsplit("/", 1)[1] for ref in refs if isinstance(ref, str)}
    assert names <= set(document["components"]["schemas"])


def test_the_list_of_operations_asks_no_other_host(erik: httpx.Client) -> None:
    page = erik.get("/api/docs").text
    assert "material.register" in page
    assert "http://" not in page
    assert "https://" not in page


def test_signing_in_and_out_are_entries(url: str, execution: Execution) -> None:
    with httpx.Client(base_url=url, timeout=20) as ada:
        ada.post("/login", data={"user": "ada", "password": SECRET})
        form = ada.get("/logout").text
        csrf = form.split('name="csrf" value="')[1].split('"')[0]
        ada.post("/logout", data={"csrf": csrf})

    def types() -> list[str]:
        return [entry.type for entry in execution.ledger.stream("person/ada")]

    eventually(lambda: "person.signed-out" in types())
    assert types() == [
        "person.registered", "person.secret-changed", "person.signed-in", "person.signed-out",
    ]  # fmt: skip


def test_five_wrong_secrets_lock_the_person_out(url: str, execution: Execution) -> None:
    wrong = {"user": "olga", "password": "not-it-1"}
    for _ in range(5):
        assert httpx.post(url + "/login", data=wrong, timeout=20).status_code == 401
        execution.authentication.unlocked("olga")  # as if the pause had gone by
    answer = httpx.post(url + "/login", data=wrong | {"password": SECRET}, timeout=20)
    assert answer.status_code == 401
    assert "or has ended" in answer.text  # the door says the same of whoever cannot come in
    olga = execution.nouns.get(Person, "olga")
    assert olga is not None
    assert olga.state == PersonState.LOCKED
