"""Oracle's REST collections, read whole; numbers are exact."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from erp.adapters.calling import Caller, Login
from erp.errors import ErpUnreachable

SUPPLY = "fscmRestApi/resources/11.13.18.05"
PARTIES = "crmRestApi/resources/11.13.18.05"
PAGE = 500


def term(name: str, value: str) -> str:
    """Return a term of the parameter `q`.

    >>> term("WorkOrderNumber", "O'Neill")
    "WorkOrderNumber='O''Neill'"
    """
    doubled = value.replace("'", "''")
    return f"{name}='{doubled}'"


class OracleService:
    """All I/O with one Fusion environment; safe to use from several threads."""

    def __init__(self, address: str, login: Login, *, timeout_s: float) -> None:
        self.call = Caller(address, login, timeout_s=timeout_s)

    def rows(
        self, resource: str, terms: Mapping[str, str], *, expand: str = "", root: str = SUPPLY
    ) -> list[dict[str, Any]]:
        """Return all records of a collection that the terms want."""
        return self.pages(resource, terms, expand=expand, root=root)[0]

    def pages(
        self, resource: str, terms: Mapping[str, str], *, expand: str = "", root: str = SUPPLY
    ) -> tuple[list[dict[str, Any]], list[bytes]]:
        """Return all records, and the pages as they came.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        found: list[dict[str, Any]] = []
        bodies: list[bytes] = []
        asked = {"onlyData": "true", "limit": str(PAGE)}
        if terms:
            asked["q"] = ";".join(term(name, value) for name, value in terms.items())
        if expand:
            asked["expand"] = expand
        while True:
            query = {**asked, "offset": str(len(found))}
            answer = self.call.ask(f"{root}/{resource}", query, fine=(200,))
            try:
                content = json.loads(answer.content, parse_float=Decimal)
                rows, more = list(content["items"]), bool(content["hasMore"])
            except (ValueError, KeyError, TypeError) as fault:
                raise ErpUnreachable(self.call.address, f"no page of {resource}") from fault
            found += rows
            bodies.append(answer.content)
            if not more:
                return found, bodies
            if not rows:
                raise ErpUnreachable(self.call.address, f"an empty page of {resource}, and more")
