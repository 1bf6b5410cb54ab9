"""OData V4 with all its pages; numbers are exact."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from erp.adapters.calling import Caller, Login
from erp.errors import ErpUnreachable

# A quantity is a JSON number there; msgspec writes the digits of a Decimal as they are.
ENCODER = msgspec.json.Encoder(decimal_format="number")


def quoted(text: str) -> str:
    """Return a text as an OData literal.

    >>> quoted("O'Neill")
    "'O''Neill'"
    """
    return "'" + text.replace("'", "''") + "'"


def to_bytes(record: Mapping[str, Any]) -> bytes:
    """Return a record as it is sent; the same bytes on every attempt.

    >>> to_bytes({"quantity": Decimal("0.12000")})
    b'{"quantity":0.12000}'
    """
    return ENCODER.encode(dict(record))


def from_json(body: bytes) -> Any:
    """Return an answer's content; its decimals keep their digits."""
    return json.loads(body, parse_float=Decimal)


def error_of(body: bytes) -> tuple[str, str]:
    """Return code and words of a refusal.

    >>> error_of(b'{"error":{"code":"Internal_RecordNotFound","message":"No order 1."}}')
    ('Internal_RecordNotFound', 'No order 1.')
    """
    try:
        error = json.loads(body)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "unreadable", body[:200].decode("utf-8", "replace")


class OData4:
    """All I/O with one service, from several threads; `headers` go with every question."""

    def __init__(
        self,
        address: str,
        login: Login,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.call = Caller(address, login, timeout_s=timeout_s)
        self.headers = dict(headers or {})

    def beat(
        self, path: str, query: Mapping[str, str] | None = None, *, timeout_s: float | None = None
    ) -> Mapping[str, str]:
        """Return the headers of a small answer: that it is there, and what time it has."""
        return self.call.ask(path, query, headers=self.headers, timeout_s=timeout_s).headers

    def rows(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the records of all pages of a question."""
        return self.pages(path, query)[0]

    def pages(
        self, path: str, query: Mapping[str, str] | None = None
    ) -> tuple[list[dict[str, Any]], list[bytes]]:
        """Return the records of all pages, and the pages as they came.

        Raises:
            ErpUnreachable: no answer, no page, or a next page that is somewhere else.
        """
        found: list[dict[str, Any]] = []
        bodies: list[bytes] = []
        following: str | None = path
        while following is not None:
            answer = self.call.ask(following, query, headers=self.headers)
            content = self._content(answer, path)
            found += content["value"]
            bodies.append(answer.content)
            following, query = content.get("@odata.nextLink"), None
            if following is not None and not following.startswith(f"{self.call.address}/"):
                # Our token would go with the question.
                raise ErpUnreachable(self.call.address, f"next page of {path} is at {following}")
        return found, bodies

    def _content(self, answer: httpx.Response, path: str) -> dict[str, Any]:
        if answer.status_code != 200:
            raise ErpUnreachable(
                self.call.address, f"status {answer.status_code} at /{path}: is the page there?"
            )
        try:
            content: dict[str, Any] = from_json(answer.content)
            list(content["value"])
        except (ValueError, KeyError, TypeError) as fault:
            raise ErpUnreachable(self.call.address, f"no OData page at /{path}") from fault
        return content
