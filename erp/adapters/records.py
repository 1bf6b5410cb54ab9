"""Records of the port from what an ERP says: its texts, dates and units become ours; pure.

A value that is missing, or a unit that is not the plant's, raises `KeyError` or `ValueError`: the
caller makes a fault of it (`reading`).
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.adapters.units import Units
from erp.messages import OUR_UNITS
from erp.port import (
    DocumentRef,
    ErpBom,
    ErpBomLine,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    LedgerLine,
)

END_OF_DAY = time(23, 59)
REF = re.compile(r"[0-9A-HJKMNP-TV-Z]{16}")


def our_ref(text: object) -> str | None:
    """Return a text that is a reference of ours, None where somebody else wrote it.

    >>> our_ref("Rush order") is None, our_ref("0123456789ABCDEF")
    (True, '0123456789ABCDEF')
    """
    return text if isinstance(text, str) and REF.fullmatch(text) else None


def item(units: Units, code: str, name: str, *, unit: str, gtin: str | None = None) -> ErpItem:
    """Return an item; `unit` is its base unit as the ERP spells it."""
    return ErpItem(code, name or code, _amount(units, "1", unit)[1], gtin or None)


def bom(
    units: Units,
    product: str,
    lines: Iterable[tuple[str, object, str]],
    *,
    unit: str,
    quantity: object = 1,
) -> ErpBom:
    """Return a bill of material from item, quantity and unit of each line."""
    made = []
    for code, each, spelled in lines:
        value, ours = _amount(units, each, spelled)
        made.append(ErpBomLine(code, value, ours))
    value, ours = _amount(units, quantity, unit)
    return ErpBom(product, value, ours, tuple(made))


def order(
    units: Units,
    number: str,
    product: str,
    *,
    quantity: object,
    unit: str,
    state: ErpOrderState,
    due_at: datetime | None = None,
    customer: str | None = None,
) -> ErpOrder:
    """Return a production order; `due_at` is any aware time."""
    value, ours = _amount(units, quantity, unit)
    return ErpOrder(
        id=number,
        product=product,
        quantity=value,
        unit=ours,
        state=state,
        due_at=None if due_at is None else due_at.astimezone(UTC),
        customer=customer,
    )


def moment(day: date, zone: ZoneInfo, at: time = time()) -> datetime:
    """Return a time of a day in the plant's zone; midnight where nothing is said.

    >>> moment(date(2026, 11, 26), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-11-25T23:00:00+00:00'
    """
    return datetime.combine(day, at, zone).astimezone(UTC)


def month(day: date) -> str:
    """Return the posting period of a day where the ERP names none: its month.

    >>> month(date(2026, 1, 31))
    '2026-01'
    """
    return f"{day:%Y-%m}"


def stock_line(
    units: Units,
    document: DocumentRef,
    *,
    seq: int,
    named: tuple[str | None, str | None],
    order: str | None,
    item: str,
    lot: str | None,
    movement: str,
    quantity: object,
    unit: str,
    on: date,
    posted_at: datetime,
    period: str | None = None,
    gl: tuple[str | None, str | None] = (None, None),
) -> LedgerLine:
    """Return one stock line of the ERP's books.

    `named` is the id and the reference of our message there, `gl` document and period of its entry
    in the general ledger. Texts that are empty there are None here.
    """
    value, ours = units.ours(quantity, unit)
    return LedgerLine(
        seq=seq,
        kind="stock",
        reference=named[0] or None,
        ref=named[1] or None,
        document=document,
        order=order or None,
        item=item,
        lot=lot or None,
        movement=movement,
        quantity=value,
        unit=ours,
        posting_date=on,
        period=period or month(on),
        gl_document=gl[0],
        gl_period=gl[1],
        posted_at=posted_at.astimezone(UTC),
    )


def _amount(units: Units, value: object, code: str) -> tuple[Decimal, str]:
    """Return a quantity with its unit as the master data spells it."""
    quantity, ours = units.ours(value, code)
    return quantity, OUR_UNITS[ours]
