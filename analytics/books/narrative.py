"""Fills the holes of a narrative: values come in as plain text, never as markup.

The holes are a small part of Jinja's: a name or `query.column`, and one filter. There are no
calls, blocks or attributes, so there is nothing to sandbox.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from analytics.books.format import HOLE
from core.quantity import kg_text, plain

MARKS = re.compile(r"([!-/:-@\[-`{-~])")
BREAKS = re.compile(r"[^\S\u00a0\u2007\u202f]+")
DASH = "\u2014"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line; spaces that hold stay as they are."""
    return MARKS.sub(r"\\\1", " ".join(BREAKS.split(text)).strip())


def shown(value: Any, filter_: str | None, zone: ZoneInfo) -> str:
    """Return a value for people; a dash where there is none."""
    if value is None:
        return DASH
    match filter_:
        case "pct":
            return f"{float(value) * 100:.1f} %"
        case "num":
            return f"{float(value):.2f}"
        case "count":
            return f"{int(value):,}".replace(",", "\u202f")
        case "hours":
            return f"{float(Fraction(value) / 3_600_000_000):.2f} h"
        case "minutes":
            return f"{float(Fraction(value) / 60_000_000):.0f} min"
        case "kg":
            return kg_text(Decimal(value))
        case _:
            return _plainly(value, zone)


def _plainly(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
    if isinstance(value, date):
        return value.isoformat()
    return plain(value) if isinstance(value, Decimal) else str(value)


def fill(
    text: str,
    params: Mapping[str, Any],
    first_rows: Mapping[str, Mapping[str, Any]],
    *,
    zone: ZoneInfo,
) -> str:
    """Return a narrative with its holes filled from parameters and first rows of queries."""

    def value(hole: re.Match[str]) -> str:
        name, column, filter_ = hole.groups()
        found = params.get(name) if column is None else first_rows.get(name, {}).get(column)
        return escape(shown(found, filter_, zone))

    return HOLE.sub(value, text)
