"""A simulated identity provider: client credentials in, bearer tokens out (RFC 6749, 4.4)."""

import secrets
from collections.abc import Mapping
from typing import Self
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response

from erp.simulated.serving import Asked

FORM = "application/x-www-form-urlencoded"


class Tokens:
    """Who may ask, for what, and the tokens given out; they live as long as the process."""

    def __init__(
        self,
        path: str,
        client_id: str,
        secret: str,
        *,
        scope: str | None = None,
        in_header: bool = False,
    ) -> None:
        self._path = path
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._header = (client_id, secret) if in_header else None
        if not in_header:
            self._form |= {"client_id": client_id, "client_secret": secret}
        self._given: set[str] = set()

    @classmethod
    def of_form(cls, path: str, form: Mapping[str, str]) -> Self:
        """Return one that takes a form of another kind, such as a user's password."""
        made = cls(path, "", "")
        made._form = dict(form)
        return made

    def holds(self, asked: Asked) -> bool:
        """Return whether a request carries a token that was given out."""
        return asked.bearer() in self._given

    def forget(self) -> None:
        """End every token: whoever comes with one has to ask anew."""
        self._given.clear()

    def gives(self, asked: Asked) -> Response | None:
        """Return a token or why there is none; None where none is asked for."""
        return self._answer(asked) if asked.path == self._path else None

    def _answer(self, asked: Asked) -> Response:
        if asked.method != "POST" or asked.headers.get("content-type") != FORM:
            return _refusal(400, "invalid_request")
        form = dict(parse_qsl(asked.body.decode("utf-8", "replace")))
        if form.get("grant_type") != self._form["grant_type"]:
            return _refusal(400, "unsupported_grant_type")
        if form.get("scope") != self._form.get("scope"):
            return _refusal(400, "invalid_scope")
        if form != self._form or asked.basic() != self._header:
            return _refusal(401, "invalid_client")
        token = secrets.token_urlsafe(32)
        self._given.add(token)
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": token})


def _refusal(status: int, code: str) -> Response:
    return JSONResponse({"error": code}, status_code=status)
