"""The match as a page or a report asks for it: counts, sums, ages and rows of one moment.

Filters, order and sums are made where the rows are kept; only what is shown becomes objects here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.reconciliation.position import Position
from analytics.reconciliation.reading import SORTS, ClassSum, Cleared, Found
from analytics.reconciliation.reading import Where as Scope
from analytics.reconciliation.rules import OLDEST, MatchRules
from analytics.reconciliation.stock import CLASS_PAGE as STOCK_PAGE
from analytics.reconciliation.stock import StockCompared
from dashboards.finance import words
from dashboards.finance.compare import TITLED, MatchRow, row_of

__all__ = [
    "SORTS",
    "ClassSum",
    "Cleared",
    "Listing",
    "Position",
    "Reading",
    "Scope",
    "Snapshot",
    "StockListing",
]
PAGE = 100


def tolerance_of(rules: MatchRules) -> str:
    """Return every tolerance in words; it is printed with each result.

    >>> tolerance_of(MatchRules())
    '0 in quantity; in flight up to 1 h, late after 1 d'
    """
    amount = f"{rules.quantity:f} in the unit of each line," if rules.quantity else "0"
    return (
        f"{amount} in quantity; in flight up to {words.span(rules.sla)}, late after"
        f" {words.span(rules.late)}"
    )


def buckets_of(rules: MatchRules) -> tuple[str, ...]:
    """Return the names of the ages that are told apart, the youngest first."""
    return (*(name for name, _ in rules.buckets), OLDEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One reading of all three sides; `took_s` is what it cost, `judged` how many rows.

    `books_at` is when the ERP's books were last read, None where they never were; `counts` names
    every class.
    """

    counts: Mapping[str, int]
    upto_seq: int
    read_at: datetime
    books_at: datetime | None
    fault: str | None
    took_s: float
    number: int
    judged: int
    outside: int
    rules: MatchRules

    @property
    def total(self) -> int:
        """The number of rows; the classes sum to it."""
        return sum(self.counts.values())

    @property
    def tolerance(self) -> str:
        """Every tolerance in words."""
        return tolerance_of(self.rules)

    @property
    def buckets(self) -> tuple[str, ...]:
        """The ages that are told apart."""
        return buckets_of(self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a page shows of one moment: figures of a scope, and one page of the rows asked for.

    `counts` and `ages` are of all classes of the scope; `rows` are of its class alone.
    """

    counts: Mapping[str, int]
    ages: Mapping[str, Mapping[str, int]]
    oldest: timedelta | None
    rows: tuple[MatchRow, ...]
    shown: int
    page: int
    pages: int

    @property
    def total(self) -> int:
        """The number of rows of all classes."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StockListing:
    """One page of the comparison of stock; `fault` says why it could not be made just now."""

    at: datetime | None
    upto_seq: int
    fault: str | None
    found: StockCompared
    page: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.found.shown // STOCK_PAGE))


class Reading:
    """The match in one unmoving state; give it back soon. For one thread."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._stuck: dict[str, int] | None = None

    @property
    def position(self) -> Position:
        """Up to where the sides were read, and whether the ERP's books could be."""
        return self._found.position

    def counts(self, scope: Scope | None = None) -> dict[str, int]:
        """Return how many rows each class has; every class is named."""
        return self._found.counts(scope)

    def sums(self, scope: Scope | None = None) -> tuple[ClassSum, ...]:
        """Return what each side says, by class and unit."""
        return self._found.sums(scope)

    def page(
        self, scope: Scope | None = None, *, sort: str = "newest", page: int = 1, size: int = PAGE
    ) -> list[MatchRow]:
        """Return one page of rows."""
        found = self._found.page(scope, sort=sort, page=page, size=size)
        return [row_of(one, self._blocked()) for one in found]

    def rows(self, scope: Scope | None = None) -> Iterator[MatchRow]:
        """Yield all rows by posting date and key."""
        return (row_of(one, self._blocked()) for one in self._found.rows(scope))

    def lines(self, scope: Scope, cleared: Cleared) -> Iterator[str]:
        """Yield all rows as they are kept, one JSON text each, by posting date and key."""
        return self._found.lines(scope, TITLED, cleared)

    def open_keys(self, scope: Scope) -> list[tuple[str, str]]:
        """Return key and class of every difference, by posting date and key."""
        return self._found.open_keys(scope)

    def row(self, key: str) -> MatchRow | None:
        """Return one row by its key."""
        found = self._found.row(key)
        return None if found is None else row_of(found, self._blocked())

    def taken_back(self, event_id: str) -> int | None:
        """Return the entry by which the floor took a fact back, None where it did not."""
        return self._found.taken_back(event_id)

    def listing(self, scope: Scope, *, sort: str = "newest", page: int = 1) -> Listing:
        """Return what a page shows; a page beyond the last is the last."""
        all_classes = Scope(first=scope.first, last=scope.last, text=scope.text)
        counts = self.counts(all_classes)
        shown = counts[scope.match_class] if scope.match_class else sum(counts.values())
        pages = max(1, -(-shown // PAGE))
        page = min(page, pages)
        return Listing(
            counts=counts,
            ages=self._found.ageing(all_classes),
            oldest=self._found.oldest(all_classes),
            rows=tuple(self.page(scope, sort=sort, page=page)),
            shown=shown,
            page=page,
            pages=pages,
        )

    def _blocked(self) -> dict[str, int]:
        if self._stuck is None:
            self._stuck = self._found.stuck()
        return self._stuck
