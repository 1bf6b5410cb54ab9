"""One session with S/4HANA's OData V2 services: questions, pages, and writes with its token."""

import threading
from collections.abc import Mapping
from typing import Any

import httpx

from erp.adapters.calling import Caller, Login, LoginRefused, common
from erp.adapters.sap import mapping
from erp.errors import ErpUnreachable
from erp.port import Exchange, Outcome

ODATA = "sap/opu/odata/sap"
DOCUMENTS = f"{ODATA}/API_MATERIAL_DOCUMENT_SRV"
PAGE = 1000


class SapService:
    """All I/O with SAP; safe to use from several threads."""

    def __init__(self, address: str, login: Login, *, client: str | None, timeout_s: float) -> None:
        self.address = address.rstrip("/")
        self.call = Caller(address, login, timeout_s=timeout_s)
        self._client = {"sap-client": client} if client else {}
        self._token: str | None = None
        self._lock = threading.Lock()

    def ask(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """Return the answer to a question.

        Raises:
            ErpUnreachable: no answer, or no useful one.
        """
        asked = {**(query or {}), **self._client}
        return self.call.ask(path, asked, headers=headers, timeout_s=timeout_s)

    def rows(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the records of all pages of a question."""
        return self.pages(path, query)[0]

    def pages(
        self, path: str, query: Mapping[str, str]
    ) -> tuple[list[dict[str, Any]], list[bytes]]:
        """Return the records of all pages, and the pages as they came."""
        found: list[dict[str, Any]] = []
        bodies: list[bytes] = []
        while True:
            window = {"$top": str(PAGE), "$skip": str(len(found))}
            answer = self.ask(path, {**query, **window})
            page = self._rows(answer, path)
            found += page
            bodies.append(answer.content)
            if len(page) < PAGE:
                return found, bodies

    def one(self, path: str) -> dict[str, Any] | None:
        """Return one record by its key, None where SAP does not have it."""
        answer = self.ask(path)
        return None if answer.status_code == 404 else self._rows(answer, path)[0]

    def _rows(self, answer: httpx.Response, path: str) -> list[dict[str, Any]]:
        if answer.status_code != 200:
            raise ErpUnreachable(self.address, f"status {answer.status_code} at /{path}")
        try:
            return mapping.rows(answer.json())
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise ErpUnreachable(self.address, f"no OData page at /{path}: {fault}") from fault

    def write(
        self,
        path: str,
        *,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Exchange, Outcome | None]:
        """Send with SAP's token; where the session is over, fetch one more and send once more."""
        token = self._csrf()
        exchange, outcome = self._send(path, token, body=body, query=query, headers=headers)
        if exchange.status == 403 and exchange.headers.get("x-csrf-token") == "Required":
            token = self._csrf(stale=token)
            exchange, outcome = self._send(path, token, body=body, query=query, headers=headers)
        return exchange, outcome or common(exchange)

    def _send(
        self,
        path: str,
        token: str,
        *,
        body: bytes,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[Exchange, Outcome | None]:
        own = {"content-type": "application/json", "x-csrf-token": token}
        return self.call.send(
            "POST",
            path,
            body=body,
            query={**(query or {}), **self._client},
            headers={**(headers or {}), **own},
        )

    def _csrf(self, stale: str | None = None) -> str:
        """Return the token of our session; the session itself is a cookie."""
        with self._lock:
            if self._token is None or self._token == stale:
                answer = self.ask(f"{DOCUMENTS}/", headers={"x-csrf-token": "Fetch"})
                self._token = answer.headers.get("x-csrf-token")
            if self._token is None:
                raise LoginRefused(self.address, "no x-csrf-token is given out")
            return self._token
