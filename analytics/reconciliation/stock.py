"""The stock of both systems at one moment, by item and lot, with what is on its way added back."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.reconciliation.reading import Found

CLASS_PAGE = 200


class StockClass(StrEnum):
    """What the comparison says of one lot, the worst first."""

    NEGATIVE = "negative"
    DIFFERS = "differs"
    MES_ONLY = "mes_only"
    ERP_ONLY = "erp_only"
    EXPLAINED = "explained"
    EQUAL = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow:
    """One lot on both sides, in one unit; None where a side does not know it.

    `difference` is what the MES has more than the ERP with `in_flight` added back; `causes` are
    what rows of the match say of it, by class, and `rest` what they do not say. `statuses` are
    the ERP's.
    """

    item: str
    lot: str | None
    unit: str
    mes: Decimal | None
    erp: Decimal | None
    in_flight: Decimal
    difference: Decimal
    rest: Decimal
    stock_class: str
    statuses: Mapping[str, Decimal]
    causes: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockCompared:
    """Counts of all lots by class, and one page of them, the worst first."""

    counts: Mapping[str, int]
    rows: tuple[StockRow, ...]
    shown: int

    @property
    def total(self) -> int:
        """The number of lots; the classes sum to it."""
        return sum(self.counts.values())


def compared(
    found: "Found", *, text: str = "", stock_class: str = "", page: int = 1, size: int = CLASS_PAGE
) -> StockCompared:
    """Return what was compared when the ERP's stock was read last.

    Args:
        found: the match in one state.
        text: an item or a lot, exactly; all where empty.
        stock_class: one class alone; all where empty.
        page: which page, from 1.
        size: rows of a page.
    """
    values: dict[str, Any] = {"text": text}
    terms = "($text = '' or $text in (item, lot))"
    counted = found.ask(
        f"select stock_class::text, count(*) from stock_row where {terms} group by 1", values
    )
    counts = {str(kind): 0 for kind in StockClass} | {kind: int(n) for kind, n in counted}
    if stock_class:
        terms, values = f"{terms} and stock_class = $kind", {**values, "kind": stock_class}
    rows = found.ask(
        "select item, lot, unit, mes, erp, in_flight, difference, rest, stock_class::text,"
        f" statuses, causes from stock_row where {terms} order by stock_class, abs(rest) desc,"
        f" abs(difference) desc, item, lot limit {int(size)} offset {int(page - 1) * int(size)}",
        values,
    )
    return StockCompared(
        counts=counts,
        rows=tuple(_row(one) for one in rows),
        shown=counts[stock_class] if stock_class else sum(counts.values()),
    )


def _row(row: tuple[Any, ...]) -> StockRow:
    item, lot, unit, mes, erp, in_flight, difference, rest, kind, statuses, causes = row
    return StockRow(
        item=item,
        lot=lot,
        unit=unit,
        mes=mes,
        erp=erp,
        in_flight=in_flight,
        difference=difference,
        rest=rest,
        stock_class=kind,
        statuses={one["status"]: one["quantity"] for one in statuses},
        causes={one["kind"]: one["quantity"] for one in causes},
    )
