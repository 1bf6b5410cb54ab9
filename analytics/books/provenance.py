"""Where a book's figures come from: digests of the file, the SQL and the result, and the watermark.

A result's digest is over its rows in a canonical order, so a query without ORDER BY reproduces it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from analytics.projector import Watermark
from core.clock import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryProof:
    """One query as it was run. `sql` is the compiled text, values apart."""

    name: str
    sql: str
    sql_sha256: str
    params: dict[str, str]
    result_sha256: str
    rows: int
    cut: bool
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """A rendered book's footer; `as_of` is the ledger's entry number."""

    book: str
    version: int
    book_sha256: str
    engine: str
    watermark: Watermark
    queries: tuple[QueryProof, ...]
    rendered_at: datetime
    status: str = "draft"

    @property
    def as_of(self) -> int:
        """The newest entry that the figures include."""
        return self.watermark.seq


def plain(value: Any) -> Any:
    """Return a value with one spelling: decimals and instants as text, dates in ISO form."""
    match value:
        case Decimal():
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime():
            return iso(value) if value.tzinfo else value.isoformat()
        case date():
            return value.isoformat()
        case list() | tuple():
            return [plain(one) for one in value]
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def result_sha256(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return the digest of a result, whatever order its rows came in."""
    lines = sorted(json.dumps([plain(value) for value in row]) for row in rows)
    head = json.dumps(list(columns))
    return hashlib.sha256("\n".join([head, *lines]).encode()).hexdigest()


def text_sha256(text: str) -> str:
    """Return the digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
