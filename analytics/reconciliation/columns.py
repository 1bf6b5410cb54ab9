"""How the records of the three sides become columns of the match, and columns records again.

Records are read by attribute, so whoever owns the sources keeps records of its own; columns keep
their exact types on the way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pyarrow as pa

from analytics.shifts import instant

TEXT, COUNT, SMALL, AMOUNT, DAY, FLAG = (
    pa.string(),
    pa.int64(),
    pa.int32(),
    pa.decimal128(28, 9),
    pa.date32(),
    pa.bool_(),
)
INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Side:
    """One side's table: column -> (attribute, type); an attribute None is made here."""

    table: str
    columns: Mapping[str, tuple[str | None, pa.DataType]]

    def table_of(self, records: Sequence[Any]) -> pa.Table:
        """Return records as columns."""
        arrays = {
            name: _array(records, name, attribute=attribute, kind=kind)
            for name, (attribute, kind) in self.columns.items()
        }
        return pa.table(arrays)

    def record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a stored row by the names of its record."""
        return {
            attribute: _back(name, row[name])
            for name, (attribute, _) in self.columns.items()
            if attribute is not None
        }


def _same(names: Iterable[str], kind: pa.DataType) -> dict[str, tuple[str | None, pa.DataType]]:
    return {name: (name, kind) for name in names}


MOVED: dict[str, tuple[str | None, pa.DataType]] = {
    **_same(("erp_order", "item", "lot", "movement"), TEXT),
    "quantity": ("quantity", AMOUNT),
    "unit": ("unit", TEXT),
    "posting_date": ("posting_date", DAY),
}
FACT = Side(
    "fact",
    {
        **_same(("event_id", "type", "batch", "fault", "corrects"), TEXT),
        "entry_seq": ("entry_seq", COUNT),
        "mes_order": ("order", TEXT),
        **MOVED,
        "digits": (None, SMALL),
        "at_us": ("at", COUNT),
    },
)
MESSAGE = Side(
    "message",
    {
        **_same(("event_id", "erp_ref", "lane", "type", "sha256", "state", "last_code"), TEXT),
        **_same(("last_error", "receipt_status", "documents", "receipt_period"), TEXT),
        "replaces": ("replaces", TEXT),
        **_same(("entry_seq", "lane_seq", "attempts"), COUNT),
        "mes_order": ("order", TEXT),
        **MOVED,
        "made_us": ("made_at", COUNT),
        "due_us": ("due_at", COUNT),
        "receipt_us": ("receipt_at", COUNT),
    },
)
LINE = Side(
    "line",
    {
        "seq": ("seq", COUNT),
        **_same(("kind", "event_id", "erp_ref", "document", "period"), TEXT),
        **_same(("gl_document", "gl_period"), TEXT),
        **MOVED,
        "doc": (None, TEXT),
        "doc_id": (None, TEXT),
        "posted_us": ("posted_at", COUNT),
        "gl_read": ("gl_read", FLAG),
    },
)


LOT = Side(
    "lot",
    {
        "entry_seq": ("entry_seq", COUNT),
        **_same(("item", "lot", "unit"), TEXT),
        "quantity": ("quantity", AMOUNT),
    },
)
STOCK = Side(
    "erp_stock",
    {**_same(("item", "lot", "status", "unit"), TEXT), "quantity": ("quantity", AMOUNT)},
)


def two_texts(first: str, second: str, columns: Sequence[Sequence[str]]) -> pa.Table:
    """Return two columns of text."""
    one, two = columns
    return pa.table({first: pa.array(one, TEXT), second: pa.array(two, TEXT)})


def digits_of(quantity: Decimal | None) -> int:
    """Return how many digits after the point a quantity needs.

    >>> digits_of(Decimal("1.8090")), digits_of(Decimal("3E+2")), digits_of(None)
    (3, 0, 0)
    """
    if quantity is None:
        return 0
    exponent = quantity.normalize().as_tuple().exponent
    assert isinstance(exponent, int), quantity
    return max(0, -exponent)


MADE: dict[str, Callable[[Any], Any]] = {
    "digits": lambda record: digits_of(record.quantity),
    "doc": lambda record: record.document.rpartition("/")[0],
    "doc_id": lambda record: record.document.partition("/")[0],
}


def _array(
    records: Sequence[Any], name: str, *, attribute: str | None, kind: pa.DataType
) -> pa.Array:
    if attribute is None:
        return pa.array(map(MADE[name], records), kind)
    values = map(attrgetter(attribute), records)
    if name.endswith("_us"):
        return pa.array(values, INSTANT).cast(kind)
    return pa.array(values, kind)


def _back(name: str, value: Any) -> Any:
    return instant(value) if name.endswith("_us") and value is not None else value
