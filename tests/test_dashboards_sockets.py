"""A page's socket under attack: whoever may not, or may no longer, opens nothing and is closed."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from bokeh.util.token import generate_jwt_token, get_session_id

from config.accounts import Accounts, accounts_of
from config.load import load_plant
from config.seed import Seeder
from core.authentication import person_pause
from dashboards.compose import Plant, Wiring, open_execution, page_key
from dashboards.session import COOKIE
from dashboards.web import Web
from tests.sockets import knock, stay, token_of
from tests.ui_plant import free_port


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sockets")


@pytest.fixture(scope="module")
def accounts(data: Path) -> Accounts:
    return accounts_of(load_plant("tablets"), data / "accounts.json")


@pytest.fixture(scope="module")
def url(data: Path, accounts: Accounts) -> Iterator[str]:
    """The tablets plant as `serve` puts it together, without devices."""
    pack = load_plant("tablets")
    execution = open_execution(data, pack.id)
    execution.start()
    Seeder(execution, pack, accounts).run()
    plant = Plant(execution, pack, Wiring(), data=data)
    plant.start()
    web = Web(plant, port=free_port())
    web.start()
    yield web.base
    web.stop()
    plant.stop()
    execution.close()


@pytest.fixture
def enter(url: str, accounts: Accounts) -> Iterator[Callable[[str], httpx.Client]]:
    clients: list[httpx.Client] = []

    def one(person: str) -> httpx.Client:
        client = httpx.Client(base_url=url, timeout=30)
        clients.append(client)
        answer = client.post("/login", data={"user": person, "password": accounts[person].secret})
        assert answer.status_code == 303, answer.text
        return client

    yield one
    for client in clients:
        client.close()


def send(client: httpx.Client, command: str, body: dict[str, object]) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    answer = client.post(f"/api/v1/commands/{command}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    ("person", "path", "end"),
    [("viktor", "/help", "retired"), ("sana", "/kiosk", "locked"), ("dora", "/oee", "roles")],
)
def test_a_person_who_is_locked_or_retired_is_closed_out(
    url: str, enter: Callable[[str], httpx.Client], *, person: str, path: str, end: str
) -> None:
    victim, ada = enter(person), enter("ada")
    path = "/" if path == "/help" else path
    token, cookie = token_of(victim, path), victim.cookies[COOKIE]

    def withdraw() -> None:
        if end == "retired":
            send(ada, "person.retire", {"person": person})
        elif end == "roles":
            send(ada, "person.change-roles", {"person": person, "roles": ["finance"]})
        else:
            for failures in range(5):
                time.sleep(person_pause(failures).seconds)
                httpx.post(url + "/login", data={"user": person, "password": "not-it"})

    where = "" if path == "/" else path
    assert stay(url, where, token, cookie=cookie, then=withdraw) == 4401
    assert knock(url, path, token, cookie=cookie) == 403
    assert victim.get("/api/v1/batch").status_code == 401


@pytest.mark.requirement("H7")
def test_an_expired_page_token_opens_nothing(
    url: str, data: Path, enter: Callable[[str], httpx.Client]
) -> None:
    olga = enter("olga")
    page_id = get_session_id(token_of(olga, "/kiosk"))
    key = page_key(data).encode()
    codes = {
        seconds: knock(
            url, "/kiosk", cookie=olga.cookies[COOKIE],
            token=generate_jwt_token(page_id, secret_key=key, signed=True, expiration=seconds),
        )
        for seconds in (-1, 60)
    }  # fmt: skip
    assert codes == {-1: 403, 60: 101}


@pytest.mark.requirement("H7")
def test_a_token_that_another_key_signed_opens_nothing(
    url: str, enter: Callable[[str], httpx.Client]
) -> None:
    olga = enter("olga")
    page_id = get_session_id(token_of(olga, "/kiosk"))
    forged = generate_jwt_token(page_id, secret_key=b"x" * 40, signed=True)
    unsigned = generate_jwt_token(page_id, secret_key=None, signed=False)
    for token in (forged, unsigned):
        assert knock(url, "/kiosk", token, cookie=olga.cookies[COOKIE]) in (403, 1008)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "protocols",
    [("bokeh",), ("other", "x"), ("bokeh", "a", "b", "c"), ("x" * 5000,), ("bokeh", "e30.e30")],
)
def test_a_malformed_subprotocol_opens_nothing(
    url: str, enter: Callable[[str], httpx.Client], protocols: tuple[str, ...]
) -> None:
    olga = enter("olga")
    code = knock(url, "/kiosk", "", cookie=olga.cookies[COOKIE], protocols=protocols)
    assert code in (403, 1008)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("path", ["/kiosk/../review", "/nowhere", "/api/v1/batch", "/login"])
def test_there_is_no_socket_beside_the_pages(
    url: str, enter: Callable[[str], httpx.Client], path: str
) -> None:
    olga = enter("olga")
    token = token_of(olga, "/kiosk")
    assert knock(url, path, token, cookie=olga.cookies[COOKIE]) in (403, 404)
