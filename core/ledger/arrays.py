"""Columns of rows as PostgreSQL's binary arrays, for one insert of many rows.

The driver writes an array as text, with a search for quotes in each element; a group of the ledger
spent more time there than on everything else that it did.

Source:
    PostgreSQL, `array_recv`: dimensions, null flag, element type; then length and bytes of each.
"""

from collections.abc import Sequence
from struct import Struct

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

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


class Bigints(Array):
    """Whole numbers of 64 bits, or null."""

    def __init__(self, column: Sequence[int | None]) -> None:
        items = [_NULL if one is None else _NUMBER(8, one) for one in column]
        super().__init__(BIGINT, items, has_null=None in column)


class Texts(Array):
    """Texts, or null."""

    def __init__(self, column: Sequence[str | None]) -> None:
        raw = [None if one is None else one.encode("utf-8") for one in column]
        items = [_NULL if one is None else _LENGTH(len(one)) + one for one in raw]
        super().__init__(TEXT, items, has_null=None in column)


class Blobs(Array):
    """Bytes."""

    def __init__(self, column: Sequence[bytes]) -> None:
        items = [_LENGTH(len(one)) + one for one in column]
        super().__init__(BYTEA, items, has_null=False)


class _BigintsDumper(Dumper):
    format, oid = Format.BINARY, 1016

    def dump(self, obj: Array) -> bytes:
        return obj.data


class _TextsDumper(_BigintsDumper):
    oid = 1009


class _BlobsDumper(_BigintsDumper):
    oid = 1001


def register(adapters: AdaptersMap) -> None:
    """Teach a connection to send these arrays."""
    adapters.register_dumper(Bigints, _BigintsDumper)
    adapters.register_dumper(Texts, _TextsDumper)
    adapters.register_dumper(Blobs, _BlobsDumper)
