"""What an ERP has of every lot now, in our words; not every ERP can be asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLine:
    """What the ERP has of a lot now, in one stock status; of items without lots, `lot` is None."""

    item: str
    lot: str | None
    status: str
    quantity: Decimal
    unit: str


@runtime_checkable
class ShowsStock(Protocol):
    """An ERP that says what it has of every lot now."""

    def stock(self) -> Iterator[StockLine]: ...
