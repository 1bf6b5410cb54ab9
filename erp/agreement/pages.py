"""What the ERP lets us read: pages of master data, its books, its answers about a reference.

One struct per record, as it crosses the wire. Quantities are decimal texts in UN/ECE units.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from erp.contract import Day, DecimalText, Instant, Name, UnitCode

type Period = Annotated[str, Meta(pattern=r"^\d{4}-\d\d$")]


class Item(Struct, frozen=True, kw_only=True):
    """An item; no cost is asked for."""

    code: Name
    name: Name
    unit: UnitCode
    gtin: str | None
    changed_at: Instant


class BomLine(Struct, frozen=True, kw_only=True):
    """One component of a costing BOM."""

    item: Name
    quantity: DecimalText
    unit: UnitCode


class Bom(Struct, frozen=True, kw_only=True):
    """A costing BOM for one quantity of its product."""

    product: Name
    quantity: DecimalText
    unit: UnitCode
    lines: tuple[BomLine, ...]
    changed_at: Instant


class Order(Struct, frozen=True, kw_only=True):
    """A production order; what is not decided is null, never a default."""

    id: Name
    product: Name
    quantity: DecimalText
    unit: UnitCode
    state: Literal["planned", "released", "locked", "teco", "closed", "cancelled"]
    due_at: Instant | None
    priority: int | None
    customer: Name | None
    changed_at: Instant


class Customer(Struct, frozen=True, kw_only=True):
    """A customer an order may be for."""

    code: Name
    name: Name
    changed_at: Instant


class LedgerLine(Struct, frozen=True, kw_only=True):
    """One line of the ERP's books: what was booked, in which period, with its GL document.

    `gl` is an entry of the general ledger on a stock account that no stock move stands behind.
    `gl_due` is false where the amount rounds to nothing, so that no entry is missed.
    """

    seq: int
    kind: Literal["stock", "status", "order", "gl"]
    reference: str | None
    erp_ref: str | None
    document_type: str
    document: str
    year: str
    line: str
    order: str | None
    item: str | None
    lot: str | None
    movement: str
    quantity: DecimalText | None
    unit: UnitCode | None
    posting_date: Day
    period: Period
    gl_document: str | None
    gl_period: Period | None
    posted_at: Instant
    gl_due: bool = True


class StockLine(Struct, frozen=True, kw_only=True):
    """What the ERP has of a lot now, in one stock status or place."""

    item: Name
    lot: Name | None
    status: str
    quantity: DecimalText
    unit: UnitCode


RECORDS: dict[str, type[Struct]] = {
    "items": Item,
    "boms": Bom,
    "orders": Order,
    "customers": Customer,
}
