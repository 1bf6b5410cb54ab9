"""By which names the server answers: a page of another name reaches nothing (DNS rebinding)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from dashboards import parts
from dashboards.hosts import Hosts
from dashboards.plant import PlantServices
from dashboards.session import COOKIE, Viewer
from dashboards.theme import Frame, frame
from tests.sockets import cookie_of, knock, token_of
from tests.ui_plant import SECRET, create_app, plant_of, running, signed_in

SAYS = (
    "Host: this server does not go by that name. Open the plant's own address; an engineer adds a"
    " name in BATCHWRIGHT_HOSTS."
)
OURS = ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "10.1.2.3", "mes.plant.example", "booths"]
OTHERS = [
    "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "mes.plant.example.evil",
    "evil@localhost", "localhost/x", "0x7f000001", "",
]  # fmt: skip


def page(plant: PlantServices, viewer: Viewer) -> Frame:
    body = parts.html(parts.facts([("Name", viewer.name)]))
    return frame("Page", body, viewer=viewer, nav="/", plant=plant.name, zone=plant.zone)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    plant = plant_of(origin="https://mes.plant.example:8443", hosts=frozenset({"booths"}))
    with running(create_app(plant, pages={"/": page, "/kiosk": page})) as address:
        yield address


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("port", ["", ":8000"])
def test_server_knows_its_names_and_every_address_by_number(port: str) -> None:
    known = Hosts(["booths"], origin="https://mes.plant.example:8443")
    assert [name for name in OURS if not known.know(name + port)] == []
    assert [name for name in OTHERS if known.know(name + port)] == []
    assert known.know(socket.gethostname())
    assert not Hosts().know("mes.plant.example")


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("host", OURS)
def test_own_names_are_answered(url: str, host: str) -> None:
    assert httpx.get(url + "/login", headers={"host": host}).status_code == 200


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("path", ["/", "/login", "/help", "/static/js/bokeh.min.js", "/api/health"])
def test_another_name_reaches_nothing_even_with_a_session(url: str, path: str) -> None:
    ama = signed_in(url, "ama")
    answer = ama.get(path, headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert SAYS in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert ama.get("/kiosk").status_code == 200  # nor does it end the session


@pytest.mark.requirement("H7")
def test_interface_refuses_another_name_with_a_problem_document(url: str) -> None:
    answer = httpx.post(
        url + "/api/v1/commands/order.dispatch", headers={"host": "evil.example"}, json={}
    )
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/help/api#unknown-host", "title": "Unknown host", "status": 421, "detail": SAYS,
    }  # fmt: skip


@pytest.mark.requirement("H7")
def test_nobody_signs_in_under_another_name(url: str) -> None:
    form = {"user": "ama", "password": SECRET}
    answer = httpx.post(url + "/login", data=form, headers={"host": "evil.example"})
    assert (answer.status_code, COOKIE in answer.cookies) == (421, False)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(("host", "status"), [("booths", 101), ("evil.example", 403)])
def test_socket_opens_under_an_own_name_alone(url: str, host: str, status: int) -> None:
    ama = signed_in(url, "ama")
    token = token_of(ama, "/kiosk")
    told = {"cookie": cookie_of(ama), "origin": f"http://{host}", "host": host}
    assert knock(url, "/kiosk", token, **told) == status
