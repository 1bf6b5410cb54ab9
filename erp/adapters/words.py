"""What one maker's ERP is asked and how its answers are read: all that its adapter has to say.

`spoken.SpokenErp` makes an adapter of it and knows when each question is asked. A question that
gets no answer raises `ErpUnreachable`; a refusal is an answer and never an exception.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, runtime_checkable

from erp.adapters.units import Units
from erp.port import (
    Cursor,
    DocumentRef,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    Kind,
    LedgerLine,
    Outcome,
    PeriodState,
    Posting,
    Record,
    Rejected,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A list of master data as it was read: `build` makes a record of each of `raws`."""

    path: str
    raws: Sequence[Any]
    build: Callable[[Any], Record]
    bodies: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent to have one message booked; the same bytes on every attempt."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


class Kept(Protocol):
    """What of an ERP a plant posts to, with the units in which its items are kept there."""

    @property
    def units(self) -> Units: ...


class Holdings(Protocol):
    """What of a message's names the ERP has; asked when a reason is wanted."""

    @property
    def profile(self) -> ErpProfile: ...
    @property
    def plant(self) -> Kept: ...
    @property
    def orders_over(self) -> Mapping[ErpOrderState | None, str]: ...
    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]: ...
    def period(self, on: date) -> PeriodState: ...
    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None: ...
    def unit_of(self, item: str) -> str | None: ...
    def has_lot(self, item: str, lot: str) -> bool: ...
    def undoing(self, original: str, posting: Posting) -> Rejected | None: ...


class Words(Holdings, Protocol):
    """One ERP's words.

    Masters: `source` and `order`. Postings: `ahead` is what is known before anything is sent (it
    stands already, or it cannot be booked), `request` what is sent, `send` sends it once and reads
    the answer; `find` looks a reference up. Books: `books` names each entry and reads it.

    An ERP that keeps our reference as a unique key of its own needs no `ahead`: it refuses the
    second one by itself, and what stands is read afterwards. Where `send` raises `ErpUnreachable`,
    nothing was sent.
    """

    @property
    def address(self) -> str: ...
    def close(self) -> None: ...
    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None: ...
    def order(self, number: str) -> ErpOrder | None: ...
    def find(self, ref: str) -> list[DocumentRef]: ...
    def ahead(self, posting: Posting) -> Outcome | None: ...
    def request(self, posting: Posting) -> Request | Outcome: ...
    def send(self, posting: Posting, request: Request) -> Outcome: ...
    def books(self, order: str | None, after: int) -> Iterable["Entry"]: ...


type Entry = tuple[str, Callable[[], Iterable[LedgerLine]]]


@runtime_checkable
class Takes(Protocol):
    """An ERP that takes a message first and books it later."""

    def accepted(self, ticket: str) -> Outcome | None:
        """Return what became of a ticket where that is known, None while it waits."""


@runtime_checkable
class Undoes(Protocol):
    """An ERP whose books say which of its documents a posting of ours undoes."""

    def undone_by(self, doc: DocumentRef) -> str | None:
        """Return what undoes a document already, None where nothing does."""


@runtime_checkable
class Cancels(Protocol):
    """An ERP that undoes a document by its own number."""

    def cancel(self, doc: DocumentRef, on: date) -> Outcome:
        """Undo a whole document, once."""


def alone(read: Callable[..., LedgerLine], *given: Any) -> Callable[[], tuple[LedgerLine]]:
    """Return the reading of an entry that is one line."""
    return lambda: (read(*given),)


def grouped(rows: Iterable[Mapping[str, Any]], by: str) -> list[list[Mapping[str, Any]]]:
    """Return rows with the same value of a field as one list each, in their order.

    >>> [len(group) for group in grouped([{"a": 1}, {"a": 2}, {"a": 1}], "a")]
    [2, 1]
    """
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row.get(by), []).append(row)
    return list(groups.values())
