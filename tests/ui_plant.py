"""A server with screens for tests: people without a ledger, in a thread of the test's process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from core.errors import Refused
from dashboards.live import Hub
from dashboards.plant import PlantServices
from dashboards.server import create_app, serve
from dashboards.session import Viewer
from tests.patience import eventually

SECRET = "tablet-7"
PEOPLE = {
    "ama": ("Ama Mensah", frozenset({"operator"}), "B-1"),
    "quinn": ("Quinn Ahlberg", frozenset({"qa"}), "B-2"),
    "dora": ("Dora Rey", frozenset({"director"}), "B-3"),
    "evil": ("<img src=x onerror=alert(1)>", frozenset({"operator"}), "B-4"),
}


CLIENTS: list[httpx.Client] = []  # kept until their server stops, so that none is left open


class Crowd:
    """Accounts of a few people who share one secret."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    def authenticate(
        self, user: str, secret: str, station: str | None, *, address: str | None = None
    ) -> Viewer:
        for person, (name, roles, badge) in PEOPLE.items():
            if user in (person, badge) and secret == SECRET:
                return Viewer(person=person, name=name, roles=roles, station=station)
        raise Refused("Sign-in: user or badge and secret do not fit. Try again.")

    def signed_out(self, viewer: Viewer, cause: str) -> None:
        self.ended.append((viewer.person, cause))

    def name_of(self, user_or_badge: str) -> str | None:
        for person, (name, _, badge) in PEOPLE.items():
            if user_or_badge in (person, badge):
                return name
        return None


def plant_of(**more: object) -> PlantServices:
    given = {
        "name": "Test plant",
        "zone": ZoneInfo("Europe/Zurich"),
        "accounts": Crowd(),
        "hub": Hub(),
        "secret_key": "k" * 40,
        "stations": {"booth-1": "Booth 1"},
        "health": lambda: {"entries": 3},
    }
    return PlantServices(**(given | more))


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Run an application on a free port; yield its address."""
    port = free_port()
    server = serve(app, port=port)
    thread = threading.Thread(target=server.run, name="server", daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    assert server.started, "the server ended before it was ready"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        while CLIENTS:
            CLIENTS.pop().close()
        server.should_exit = True
        thread.join(15)


def signed_in(url: str, user: str, **more: str) -> httpx.Client:
    """Return a client with somebody's cookie."""
    client = httpx.Client(base_url=url, timeout=20)
    CLIENTS.append(client)
    answer = client.post("/login", data={"user": user, "password": SECRET, **more})
    assert answer.status_code == 303, answer.text
    return client


__all__ = [
    "PEOPLE",
    "SECRET",
    "Crowd",
    "create_app",
    "free_port",
    "plant_of",
    "running",
    "signed_in",
]
