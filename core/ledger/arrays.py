"""Columns of rows as PostgreSQL's binary arrays, for one insert of many rows.

The driver writes an array as text, with a search for quotes in each element; a group of the ledger
spent more time there than on everything else that it did.

Source:
    PostgreSQL, `array_recv`: dimensions, null flag, element type; then length and bytes of each.
"""

from collections.abc import Sequence
from struct import Struct

BIGINT, TEXT, BYTEA = 20, 25, 17  # types of elements, by their numbers in every PostgreSQL
_HEAD = Struct("!iiIii").pack
_LENGTH = Struct("!i").pack
_NUMBER = Struct("!iq").pack
_NULL = _LENGTH(-1)


class Array:
    """One array as it travels."""

    __slots__ = ("data",)

    def __init__(self, element: int, items: list[bytes], *, has_null: bool) -> None:
        """`items` are whole elements: each with its length before it."""
        self.data = _HEAD(1, has_null, element, len(items), 1) + b"".join(items)


def bigints(column: Sequence[int | None]) -> Array:
    """Return whole numbers of 64 bits, or null."""
    items = [_NULL if one is None else _NUMBER(8, one) for one in column]
    return Array(BIGINT, items, has_null=None in column)


def texts(column: Sequence[str | None]) -> Array:
    """Return texts, or null."""
    raw = [None if one is None else one.encode("utf-8") for one in column]
    items = [_NULL if one is None else _LENGTH(len(one)) + one for one in raw]
    return Array(TEXT, items, has_null=None in column)


def blobs(column: Sequence[bytes]) -> Array:
    """Return bytes."""
    return Array(BYTEA, [_LENGTH(len(one)) + one for one in column], has_null=False)
