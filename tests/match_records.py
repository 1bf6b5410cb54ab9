"""Records of the match for its tests: one fact with its message and posting, and a store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from analytics.reconciliation.intake import Read
from analytics.reconciliation.position import Position
from analytics.reconciliation.rules import MatchRules
from analytics.reconciliation.store import MatchStore, News
from erp.reconcile import FactRow, MessageRow, PostingRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analytics.reconciliation.reading import Judged

AT = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
FACT = FactRow(
    event_id="m1", entry_seq=7, type="mes.material_consumed.v1", order="W1", erp_order="4711",
    batch="B1", item="LACTOSE", lot="L-1", movement="issue", quantity=Decimal("1.8090"),
    unit="KGM", posting_date=date(2026, 3, 31), at=AT - timedelta(hours=2),
)  # fmt: skip
LINE = PostingRow(
    seq=1, kind="stock", event_id="m1", erp_ref="R1", document="4900000001/2026/1",
    erp_order="4711", item="LACTOSE", lot="L-1", movement="issue", quantity=Decimal("1.809"),
    unit="KGM", posting_date=date(2026, 3, 31), period="2026-03", gl_document="100000001",
    gl_period="2026-03", posted_at=AT - timedelta(hours=1),
)  # fmt: skip
HAND = replace(LINE, event_id=None, erp_ref=None, document="4900000009/2026/1", quantity=Decimal(5))


def told(fact: FactRow, *, lane_seq: int = 1, **changes: Any) -> MessageRow:
    """Return the message of a fact, booked unless told otherwise."""
    same = ("event_id", "entry_seq", "type", "order", "item", "lot", "movement", "quantity")
    fields: dict[str, Any] = {name: getattr(fact, name) for name in same}
    return MessageRow(
        **fields
        | {
            "erp_order": fact.erp_order or "", "unit": fact.unit,
            "posting_date": fact.posting_date, "lane": fact.order or "", "lane_seq": lane_seq,
            "erp_ref": "R" + fact.event_id[1:], "sha256": "ab" * 32, "state": "done",
            "attempts": 1, "last_code": None, "last_error": None, "made_at": fact.at,
            "due_at": fact.at, "receipt_at": AT - timedelta(hours=1), "receipt_status": "posted",
            "documents": "4900000001", "receipt_period": None,
        }
        | changes
    )  # fmt: skip


SENT = told(FACT)


@dataclass(frozen=True)
class Matched:
    """All rows of a small match."""

    rows: list[Judged]
    counts: dict[str, int]
    position: Position

    @property
    def classes(self) -> list[str]:
        """The class of every row, sorted; they sum to the total."""
        assert sum(self.counts.values()) == len(self.rows)
        return sorted(row.match_class for row in self.rows)


@contextmanager
def matching(**rules: Any) -> Iterator[MatchStore]:
    store = MatchStore(MatchRules(**rules))
    try:
        yield store
    finally:
        store.close()


def numbered(lines: Sequence[PostingRow]) -> list[PostingRow]:
    """Return lines as the ERP numbers them."""
    return [replace(line, seq=n) for n, line in enumerate(lines, 1)]


def whole(lines: Sequence[PostingRow] | None) -> tuple[Read, ...]:
    """Return all of the ERP's books."""
    return () if lines is None else (Read(lines=lines),)


def everything(store: MatchStore) -> Matched:
    with store.reading() as found:
        return Matched(list(found.rows()), found.counts(), found.position)


def match(
    facts: Sequence[FactRow],
    messages: Sequence[MessageRow],
    lines: Sequence[PostingRow] | None,
    *,
    orders: Sequence[tuple[str, str]] | None = None,
    documents: Sequence[tuple[str, str]] = (),
    undoings: Sequence[tuple[str, str]] = (),
    **rules: Any,
) -> Matched:
    """Return what the match says of records, judged once and whole."""
    with matching(**rules) as store:
        books = None if lines is None else numbered(lines)
        store.take(
            News(
                at=AT, upto_seq=10, facts=facts, messages=messages, books=whole(books),
                read=lines is not None, orders=orders, documents=documents, undoings=undoings,
            )
        )  # fmt: skip
        return everything(store)
