"""OData V4 as a simulator answers it: filters, selected fields, pages. The unknown is refused.

Filters are terms with `and`; a group with `or` names one field, as Business Central documents.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from erp.simulated.serving import Asked, Refusal

TERM = re.compile(r"(\w+) (eq|ne|ge|gt|le|lt) ('(?:[^']|'')*'|-?\d[\d.-]*)")
OPTIONS = {"$filter", "$select", "$top", "$skiptoken"}
ENCODER = msgspec.json.Encoder(decimal_format="number")
HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda mine, theirs: mine == theirs,
    "ne": lambda mine, theirs: mine != theirs,
    "ge": lambda mine, theirs: mine >= theirs,
    "gt": lambda mine, theirs: mine > theirs,
    "le": lambda mine, theirs: mine <= theirs,
    "lt": lambda mine, theirs: mine < theirs,
}


def shown(content: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON answer whose decimals are numbers."""
    kind = "application/json; odata.metadata=minimal"
    return Response(ENCODER.encode(content), status_code=status, media_type=kind)


def error(status: int, code: str, words: str) -> Response:
    """Return a refusal in OData's form."""
    return shown({"error": {"code": code, "message": words}}, status)


def refuse(code: str, words: str, status: int = 400) -> Refusal:
    """Return a refusal to raise."""
    return Refusal(error(status, code, words))


def page(rows: list[dict[str, Any]], asked: Asked, *, size: int) -> Response:
    """Return one page of the rows that a question wants, with the address of the next."""
    unknown = set(asked.query) - OPTIONS
    if unknown:
        raise refuse("BadRequest", f"query options {sorted(unknown)}")
    found = [row for row in rows if fits(row, asked.query.get("$filter", ""))]
    if "$top" in asked.query:
        found = found[: int(asked.query["$top"])]
    start = int(asked.query.get("$skiptoken", 0))
    names = asked.query.get("$select")
    content: dict[str, Any] = {
        "value": [_selected(row, names) for row in found[start : start + size]]
    }
    if start + size < len(found):
        following = {**asked.query, "$skiptoken": str(start + size)}
        content["@odata.nextLink"] = f"{asked.base}{asked.path}?{urlencode(following)}"
    return shown(content)


def _selected(row: dict[str, Any], names: str | None) -> dict[str, Any]:
    if names is None:
        return row
    wanted = names.split(",")
    missing = [name for name in wanted if name not in row]
    if missing:
        raise refuse("BadRequest", f"Could not find a property named '{missing[0]}'.")
    return {name: row[name] for name in wanted}


def fits(row: Mapping[str, Any], query: str) -> bool:
    """Return whether a record fits a filter."""
    return all(_any_of(row, part) for part in query.split(" and ")) if query else True


def _any_of(row: Mapping[str, Any], part: str) -> bool:
    terms = [TERM.fullmatch(term) for term in part.split(" or ")]
    read = [term for term in terms if term is not None]
    if len(read) < len(terms):
        raise refuse("BadRequest_NotFound", f"Bad Request - Error in query syntax: {part}")
    if len({term[1] for term in read}) > 1:
        raise refuse("BadRequest", "The 'OR' operator is not supported on distinct fields.")
    return any(_holds(row, term) for term in read)


def _holds(row: Mapping[str, Any], term: re.Match[str]) -> bool:
    name, how, literal = term.groups()
    if name not in row:
        raise refuse("BadRequest", f"Could not find a property named '{name}'.")
    mine = row[name]
    if isinstance(mine, str) and literal.startswith("'"):
        return HOLDS[how](mine, literal[1:-1].replace("''", "'"))
    if isinstance(mine, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", literal):
        return HOLDS[how](mine, literal)
    if isinstance(mine, int | Decimal) and not literal.startswith("'"):
        return HOLDS[how](mine, Decimal(literal))
    raise refuse("BadRequest", f"{name} is not compared with {literal}.")
