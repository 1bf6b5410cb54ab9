"""A person at a terminal asks a plant to do something: the server that runs, or its ledger."""

import json
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from config.targets import web_address
from core.clock import iso
from core.command_id import new_command_id
from core.errors import Refused
from core.execution import Actor
from core.replay import ReplayMessages

STATION = "terminal"
WAIT_S = 30


class ServerSays(Refused):
    """The server's own sentence."""


class _Stays(HTTPRedirectHandler):
    """A sign-in answers with a redirect; where it leads is of no interest."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _opened(opener: OpenerDirector, request: Request) -> bytes:
    try:
        with opener.open(request, timeout=WAIT_S) as answer:
            body: bytes = answer.read()
            return body
    except HTTPError as fault:
        if fault.code == 303:
            return b""
        text = fault.read()
        try:
            raise ServerSays(str(json.loads(text)["detail"])) from fault
        except (ValueError, KeyError, TypeError):
            raise ServerSays(f"{request.full_url}: answered {fault.code}.") from fault
    except URLError as fault:
        raise ServerSays(f"{request.full_url}: {fault.reason}. Check that it runs.") from fault


def ask_server(server: str, user: str, secret: str, *, command: ReplayMessages) -> int:
    """Send a command to a server that runs, as a person; return its first entry.

    Raises:
        SettingFaulty: the address would carry the secret over a network in plain text.
        ServerSays: the server refuses, or does not answer.
    """
    base = web_address("--server", server).rstrip("/")
    opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()), _Stays())
    form = urlencode({"user": user, "password": secret, "station": ""}).encode()
    _opened(opener, Request(f"{base}/login", form))  # noqa: S310 - web_address lets http(s) in alone
    told = {
        "messages": list(command.messages),
        "order": command.order,
        "since": iso(command.since) if command.since else None,
        "until": iso(command.until) if command.until else None,
        "why": command.why,
    }
    headers = {"content-type": "application/json", "idempotency-key": new_command_id()}
    address = f"{base}/api/v1/commands/message.replay"
    body = _opened(opener, Request(address, json.dumps(told).encode(), headers))  # noqa: S310
    return int(json.loads(body)["first_seq"])


def ask_ledger(data: Path, user: str, secret: str, *, command: ReplayMessages) -> int:
    """Record a command in the ledger of a plant whose server does not run; return its entry.

    Raises:
        Refused: the person may not, or the choice is none.
        StoreUnsafe: the server runs.
    """
    from dashboards.compose import open_execution

    execution = open_execution(data, plant_of(data))
    execution.start()
    try:
        person = execution.authenticate(user, secret, station=STATION)
        actor, idem = Actor(person.person, STATION), f"replay:{new_command_id()}"
        seq = execution.submit(command, actor=actor, idem=idem).first_seq
        assert seq is not None, command
        return seq
    finally:
        execution.close()


def plant_of(data: Path) -> str:
    """Return which plant a ledger is of."""
    from core.authority import PlantRules
    from core.ledger.store import open_ledger
    from core.projections.nouns import Nouns

    ledger = open_ledger(f"sqlite:///{data / 'ledger.db'}")
    try:
        [rules] = Nouns(ledger.store).all(PlantRules)
    finally:
        ledger.close()
    return rules.plant
