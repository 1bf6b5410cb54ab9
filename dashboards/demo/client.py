"""A person at the REST interface: signs in, sends commands, reads states."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx


class Said(Exception):
    """The server refused; the rule's name and sentence are its own."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body.get("detail", body)))
        self.status = status
        self.rule = str(body.get("rule", body.get("title", "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person's way in."""

    user: str
    name: str
    badge: str
    secret: str


class Person:
    """One signed-in person at one station."""

    def __init__(self, base: str, account: Account, *, station: str | None = None) -> None:
        self.account = account
        self._http = httpx.Client(base_url=base, timeout=30, trust_env=False)
        form = {"user": account.user, "password": account.secret, "station": station or ""}
        answer = self._http.post("/login", data=form)
        if answer.status_code != 303:
            raise Said(answer.status_code, {"detail": f"{account.user}: not signed in."})

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def send(
        self,
        command: str,
        body: dict[str, Any],
        *,
        signed_by: Account | None = None,
        reason: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Send one command, signed where a signer is given; return its receipt.

        `key` is given where a request is sent again; left out, it is a new request.

        Raises:
            Said: the server refused.
        """
        whole = dict(body)
        if signed_by is not None:
            whole["signature"] = {"badge": signed_by.badge, "secret": signed_by.secret}
        if reason is not None:
            whole["reason"] = reason
        headers = {"idempotency-key": key or f"{self.account.user}:{uuid4().hex}"}
        answer = self._http.post(f"/api/v1/commands/{command}", json=whole, headers=headers)
        found: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise Said(answer.status_code, found)
        return found

    def all(self, noun: str) -> list[dict[str, Any]]:
        """Return all states of a noun, the one that changed last first."""
        found: list[dict[str, Any]] = []
        path: str | None = f"/api/v1/{noun}"
        while path is not None:
            answer = self._answer(path)
            found += answer.json()
            path = answer.links.get("next", {}).get("url")
        return found

    def one(self, noun: str, name: str) -> dict[str, Any]:
        """Return one state of a noun; `seen` in it is what a signature refers to."""
        found: dict[str, Any] = self._get(f"/api/v1/{noun}/{name}")
        return found

    def _get(self, path: str) -> Any:
        return self._answer(path).json()

    def _answer(self, path: str) -> httpx.Response:
        answer = self._http.get(path)
        if answer.status_code >= 400:
            raise Said(answer.status_code, answer.json())
        return answer
