"""The token of an identity provider: asked for once, renewed when it ends, never written down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest

from erp.adapters import oauth
from erp.adapters.calling import Caller, LoginRefused, Throttled
from erp.adapters.oauth import Token, client_credentials
from erp.errors import ErpUnreachable

pytestmark = pytest.mark.requirement("K1")

SECRET = "a secret & more"


@dataclass
class Provider:
    """A provider and the service behind it, at one address; `good` are the tokens it honours."""

    good: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    lasts_s: int = 3600
    status: int = 200
    address: str = ""

    def token(self, body: bytes) -> tuple[int, dict[str, object]]:
        form = dict(parse_qsl(body.decode()))
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"error": "temporarily_unavailable"}
        if form.get("client_secret") != SECRET:
            return 401, {"error": "invalid_client", "error_description": "you sent ..."}
        made = f"token-{len(self.asked)}"
        self.good.add(made)
        return 200, {"access_token": made, "token_type": "Bearer", "expires_in": self.lasts_s}


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/token":
                self.answer(*made.token(body))
                return
            made.bodies.append(body)
            self.serve()

        def do_GET(self) -> None:
            self.serve()

        def serve(self) -> None:
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            self.answer(200 if token in made.good else 401, {})

        def answer(self, status: int, content: dict[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status == 429:
                self.send_header("retry-after", "7")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def login(provider: Provider, secret: str = SECRET) -> Token:
    url = f"{provider.address}/token"
    return client_credentials(url, client_id="mes", secret=secret, scope="erp/.default")


def test_a_token_is_asked_for_once_and_used_until_it_ends(provider: Provider) -> None:
    token = login(provider)
    assert token.headers() == token.headers() == {"authorization": "Bearer token-1"}
    assert provider.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "mes",
            "client_secret": SECRET,
            "scope": "erp/.default",
        }
    ]


def test_a_token_about_to_end_is_replaced_before_it_is_used(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.lasts_s = oauth.EARLY_S + 2
    token, present = login(provider), 1000.0
    monkeypatch.setattr("erp.adapters.oauth.time.monotonic", lambda: present)
    first = token.headers()
    present += 1.9
    assert token.headers() == first
    present += 0.1
    assert token.headers() != first


def test_a_token_that_the_erp_refuses_is_renewed_once_with_the_same_bytes(
    provider: Provider,
) -> None:
    caller = Caller(provider.address, login(provider), timeout_s=10)
    caller.send("POST", "/things", body=b"one")
    provider.good.clear()
    exchange, outcome = caller.send("POST", "/things", body=b"two")
    assert (exchange.status, outcome) == (200, None)
    assert provider.bodies == [b"one", b"two", b"two"]
    assert exchange.sent_headers["authorization"] == "(kept back)"
    provider.good.clear()
    assert caller.ask("/things").status_code == 200
    assert len(provider.asked) == 3
    caller.close()


def test_a_secret_that_the_provider_refuses_is_for_a_person_and_is_not_repeated_in_words(
    provider: Provider,
) -> None:
    with pytest.raises(LoginRefused) as refusal:
        login(provider, "another").headers()
    assert "401: no token is given: invalid_client" in str(refusal.value)
    assert "you sent" not in str(refusal.value)


def test_a_provider_that_is_busy_away_or_unreadable_is_worth_another_try(
    provider: Provider,
) -> None:
    provider.status = 429
    with pytest.raises(Throttled) as busy:
        login(provider).headers()
    assert busy.value.after_s == 7
    provider.status = 500
    with pytest.raises(ErpUnreachable):
        login(provider).headers()
    away = client_credentials("http://127.0.0.1:9/token", client_id="mes", secret=SECRET)
    with pytest.raises(ErpUnreachable):
        away.headers()
