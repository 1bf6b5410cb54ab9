"""A sign-in provider for tests: OpenID Connect over real HTTP, in a thread of its own.

It has discovery, keys, a login form, codes that are used once with PKCE, and signed tokens. Its
faults are switches: what a test sets in `claims` replaces what is true.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.ui_plant import running

CLIENT, SECRET = "batchwright", "a client secret of this test"


@dataclass(eq=False)
class IdentityProvider:
    """People by subject with their passwords, and what was asked."""

    url: str = ""
    people: dict[str, str] = field(default_factory=lambda: {"s-quinn": "pw-quinn", "s-x": "pw-x"})
    claims: dict[str, Any] = field(default_factory=dict)
    signing: str = "RS256"
    is_down: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.codes: dict[str, tuple[dict[str, str], str, int]] = {}
        self.signed_in: tuple[str, int] | None = None  # a session at the provider

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})

    def token(self, asked: dict[str, str], subject: str, auth_time: int) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": subject, "aud": asked["client_id"], "iat": now,
            "exp": now + 60, "nonce": asked["nonce"], "auth_time": auth_time,
        } | self.claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signing == "none":
            parts = [{"alg": "none"}, claims]
            return ".".join(_b64(json.dumps(part).encode()) for part in parts) + "."
        if self.signing == "HS256":  # the public key misused as a shared secret
            head = {"alg": "HS256", "kid": self.key.kid}
            said = ".".join(_b64(json.dumps(part).encode()) for part in (head, claims))
            public = self.key.as_pem(private=False)
            return f"{said}.{_b64(hmac.digest(public, said.encode(), 'sha256'))}"
        key = RSAKey.generate_key(2048) if self.signing == "foreign" else self.key
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def down(request: Request, go_on: Any) -> Response:
            return Response(status_code=503) if self.is_down else await go_on(request)

        @app.get("/.well-known/openid-configuration")
        def discovery() -> dict[str, str]:
            return {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
            }  # fmt: skip

        @app.get("/keys")
        def keys() -> Any:
            return KeySet([self.key]).as_dict(private=False)

        @app.get("/authorize")
        def authorize(request: Request) -> Response:
            asked = dict(request.query_params)
            self.asked.append(asked)
            if self.signed_in is not None and asked.get("prompt") != "login":
                return self._answer(asked, *self.signed_in)
            fields = "".join(
                f'<input type="hidden" name="{name}" value="{value}">'
                for name, value in asked.items()
            )
            return HTMLResponse(
                f'<form method="post" action="/authorize">{fields}<label>Subject<input name="sub">'
                '</label><label>Password<input name="pw" type="password"></label>'
                "<button>Go</button></form>"
            )

        @app.post("/authorize")
        async def login(request: Request) -> Response:
            asked = {name: str(value) for name, value in (await request.form()).items()}
            subject, password = asked.pop("sub"), asked.pop("pw")
            if self.people.get(subject) != password:
                return HTMLResponse("No.", 401)
            self.signed_in = (subject, int(time.time()))
            return self._answer(asked, *self.signed_in)

        app.include_router(self._tokens())
        return app

    def _tokens(self) -> APIRouter:
        routes = APIRouter()

        @routes.post("/token")
        def token(
            request: Request, *, code: str = Form(), code_verifier: str = Form(),
            redirect_uri: str = Form(), grant_type: str = Form(),
        ) -> Response:  # fmt: skip
            basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            found = self.codes.pop(code, None)
            digest = _b64(hashlib.sha256(code_verifier.encode()).digest())
            if (
                request.headers.get("authorization") != f"Basic {basic}"
                or found is None
                or grant_type != "authorization_code"
                or found[0]["code_challenge"] != digest
                or found[0]["redirect_uri"] != redirect_uri
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse({"token_type": "Bearer", "id_token": self.token(*found)})

        return routes

    def _answer(self, asked: dict[str, str], subject: str, at: int) -> Response:
        code = secrets.token_urlsafe(16)
        self.codes[code] = (asked, subject, at)
        given = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{given}", 303)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def log_in(address: str, subject: str = "s-quinn") -> str:
    """Fill in the provider's form as a person does; return where it sends the browser."""
    with httpx.Client(timeout=20) as browser:
        page = browser.get(address)
        if page.status_code == 303:  # signed in at the provider already
            return page.headers["location"]
        asked = dict(httpx.URL(address).params)
        form = asked | {"sub": subject, "pw": f"pw-{subject.removeprefix('s-')}"}
        base = httpx.URL(address).copy_with(path="/authorize", query=None)
        answer = browser.post(base, data=form)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Serve a provider in a thread."""
    provider = IdentityProvider()
    with running(provider.app()) as url:
        provider.url = url
        yield provider
