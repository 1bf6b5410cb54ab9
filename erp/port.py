"""The anti-corruption layer: what any ERP must offer, in our words.

An adapter never raises for a business refusal; it answers an `Outcome`. Any exception it did
not foresee is `Unknown`: the posting may or may not have happened, and the relay finds out
before it goes on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

DOCUMENT_REVERSED = "mes.document_reversed.v1"


class Kind(StrEnum):
    """Master data an ERP can be asked for."""

    ITEM = "item"
    BOM = "bom"
    ORDER = "order"
    CUSTOMER = "customer"
    LOT = "lot"
    LOCATION = "location"
    UOM = "uom"
    PERIOD = "period"


class PeriodState(StrEnum):
    """Whether the ERP takes postings on a date; `unknown` where it cannot be asked."""

    OPEN = "open"
    CLOSED = "closed"
    MISSING = "missing"
    UNKNOWN = "unknown"


class ErpOrderState(StrEnum):
    """Life of an order in the ERP; `teco` still takes postings, `closed` does not."""

    PLANNED = "planned"
    RELEASED = "released"
    LOCKED = "locked"
    TECO = "teco"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class ScaleExceeded(ValueError):
    """A quantity is finer than the ERP keeps it; rounding it silently would lose material."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact quantity in a UN/ECE unit; a value finer than `scale` digits raises."""

    value: Decimal
    unit: str
    scale: int

    def __post_init__(self) -> None:
        if self.value != round(self.value, self.scale):
            raise ScaleExceeded(
                f"{self.value:f} {self.unit}: finer than the ERP's {self.scale} digits. "
                "Widen the unit's scale in the ERP, or record a rounding rule."
            )


@dataclass(frozen=True, slots=True)
class OrderRef:
    """An order in both systems' numbers."""

    mes: str
    erp: str


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """One document line the ERP booked."""

    type: str
    id: str
    year: str
    line: str


@dataclass(frozen=True, slots=True)
class PostingLine:
    """One movement in the ERP's base unit."""

    n: int
    item: str
    lot: str | None
    quantity: Decimal
    unit: str
    movement: str


@dataclass(frozen=True, slots=True)
class Posting:
    """One message on its way: the exact bytes, and what they say."""

    kind: str
    key: str
    ref: str
    order: OrderRef
    posting_date: date
    lines: tuple[PostingLine, ...]
    digest: str
    body: bytes = field(repr=False)
    corrects: str | None = None
    document: DocumentRef | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Both byte strings of one attempt as they crossed the wire, with their headers."""

    sent_headers: Mapping[str, str]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Posted:
    """The ERP booked it.

    Where the ERP signs receipts, this one was verified; elsewhere its answer names the documents.
    """

    docs: tuple[DocumentRef, ...]
    period: str | None
    checkpoint: tuple[int, str] | None = None
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The ERP had booked it before and answers the same documents."""

    docs: tuple[DocumentRef, ...]
    period: str | None
    checkpoint: tuple[int, str] | None = None
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The ERP took it but has not booked it yet."""

    ticket: str
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A business refusal; only a person or new master data changes the answer."""

    code: str
    detail: str = ""
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Not booked, worth another try.

    `after_s` is the ERP's own wish; `paused` names a reason that stops the whole endpoint until a
    person acts (a refused login, an endpoint that is gone).
    """

    after_s: int | None = None
    reason: str = ""
    paused: bool = False
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been booked."""

    reason: str
    exchange: Exchange | None = None


type Outcome = Posted | Duplicate | Accepted | Rejected | Retry | Unknown


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the ERP answers, and in how long."""

    up: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Validators:
    """What the ERP gave with a page, to be given back with the next question."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a delta starts: the ERP's own time, less an overlap."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a record came from, and proof of its bytes."""

    url: str
    etag: str | None
    sha256: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class ErpItem:
    """An item as the ERP knows it; no cost crosses the boundary."""

    code: str
    name: str
    unit: str
    gtin: str | None


@dataclass(frozen=True, slots=True)
class ErpBomLine:
    """One component of a costing BOM."""

    item: str
    quantity: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class ErpBom:
    """A costing BOM for one quantity of its product."""

    product: str
    quantity: Decimal
    unit: str
    lines: tuple[ErpBomLine, ...]


@dataclass(frozen=True, slots=True)
class ErpOrder:
    """A production order; what the ERP left empty stays None."""

    id: str
    product: str
    quantity: Decimal
    unit: str
    state: ErpOrderState
    due_at: datetime | None = None
    priority: int | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class ErpCustomer:
    """A customer an order may be for."""

    code: str
    name: str


type Record = ErpItem | ErpBom | ErpOrder | ErpCustomer


@dataclass(frozen=True, slots=True)
class Page:
    """One page of master data; `records` is None when nothing changed (304).

    `faults` are sentences on records that could not be read; the others stand.
    """

    url: str
    validators: Validators
    records: tuple[Record, ...] | None
    body: bytes = b""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which ledger lines to read back; None means all."""

    order: str | None = None
    after: int = 0


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One line read back from the ERP's books: stock, GL document and period, never an amount.

    `gl` is an entry of the general ledger on a stock account that no stock move stands behind.
    `gl_due` is False where the general ledger needs no entry, since the amount rounds to nothing.
    """

    seq: int
    kind: Literal["stock", "status", "order", "gl"]
    reference: str | None
    ref: str | None
    document: DocumentRef
    order: str | None
    item: str | None
    lot: str | None
    movement: str
    quantity: Decimal | None
    unit: str | None
    posting_date: date
    period: str
    gl_document: str | None
    gl_period: str | None
    posted_at: datetime
    gl_due: bool = True


@dataclass(frozen=True, slots=True)
class ErpProfile:
    """What an ERP can do and how much fits into its fields.

    `takes` are the message types it can book, None for all: the others are not sent.
    `longest_s` is how long a request may stay under way there after its answer was lost; before
    that, a posting that is not found may still come. `ledger_grows` says that a line of its books
    which is added later has a higher number, so that what is new stands after the last one read.
    `deltas` are the kinds of master data that can be asked for by their time of change.
    `reads_stock` says that it can be asked what it has now.
    """

    name: str
    supports: frozenset[str]
    scales: Mapping[str, int]
    lengths: Mapping[str, int]
    asks_period_first: bool = False
    takes: frozenset[str] | None = None
    signs_receipts: bool = True
    reads_gl: bool = True
    longest_s: int = 0
    ledger_grows: bool = False
    deltas: frozenset[Kind] = frozenset()
    reads_stock: bool = False

    def books(self, kind: str) -> bool:
        """Return whether a message type can be booked there."""
        if kind == DOCUMENT_REVERSED:
            return "document_reversal" in self.supports
        return self.takes is None or kind in self.takes

    def misfit(self, posting: Posting) -> str | None:
        """Return why a posting does not fit this ERP, or None."""
        for what, text in (("ref", posting.ref), ("order", posting.order.erp)):
            if len(text) > self.lengths.get(what, 80):
                return f"{what} {text}: longer than {self.lengths[what]} characters"
        for line in () if posting.document is not None else posting.lines:  # those are its own
            for what, name in (("item", line.item), ("lot", line.lot or "")):
                if len(name) > self.lengths.get(what, 80):
                    return f"{what} {name}: longer than {self.lengths[what]} characters"
            if line.unit not in self.scales:
                return f"unit {line.unit}: not known to {self.name}"
            try:
                Quantity(line.quantity, line.unit, self.scales[line.unit])
            except ScaleExceeded as fault:
                return str(fault)
        return None


class ErpAdapter(Protocol):
    """One ERP behind the port."""

    @property
    def profile(self) -> ErpProfile: ...
    def health(self) -> Health: ...
    def server_time(self) -> datetime: ...
    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page: ...
    def get_order(self, ref: OrderRef) -> ErpOrder: ...
    def find_posting(self, ref: str) -> list[DocumentRef]: ...
    def post(self, posting: Posting) -> Outcome: ...
    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome: ...
    def ledger(self, scope: Scope) -> Iterator[LedgerLine]: ...
    def period(self, on: date) -> PeriodState: ...


@runtime_checkable
class Tickets(Protocol):
    """An ERP that takes a message first and books it later, and says how a ticket stands."""

    def accepted(self, ticket: str) -> Outcome | None:
        """Return what became of a ticket where that is known, None while it waits."""
