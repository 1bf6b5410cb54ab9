"""The rows of the outbox: messages, attempts, receipts, and facts without a message."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from erp.port import DocumentRef, Exchange


class State(StrEnum):
    """Where a message stands; only the last three let the next of its order go."""

    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    DEAD = "dead"
    DONE = "done"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"


OPEN = (State.PENDING, State.SENDING, State.UNKNOWN, State.ACCEPTED, State.DEAD)
DUE = (State.PENDING, State.UNKNOWN, State.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One message as the outbox holds it."""

    event_id: str
    erp_ref: str
    lane: str
    lane_seq: int
    entry_seq: int
    type: str
    body: bytes = field(repr=False)
    sha256: str
    made_at: str
    state: State
    attempts: int
    due_at: str
    ticket: str | None
    last_code: str | None
    last_error: str | None
    settled_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """One answer of the ERP, as it came."""

    event_id: str
    at: str
    status: str
    body: bytes = field(repr=False)
    headers: dict[str, str]
    documents: tuple[DocumentRef, ...]
    period: str | None
    checkpoint: tuple[int, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One try, with the headers that were sent."""

    event_id: str
    at: str
    outcome: str
    code: str | None
    status: int | None
    error: str | None
    sent_headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A fact that has no message: its order is not linked, or it cannot be translated."""

    entry_seq: int
    type: str
    lane: str | None
    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one attempt changed: new state, count, when it is due again, and the evidence."""

    state: State
    outcome: str
    attempts: int
    due_at: datetime
    code: str | None = None
    error: str | None = None
    ticket: str | None = None
    exchange: Exchange | None = None
    documents: tuple[DocumentRef, ...] = ()
    period: str | None = None
    checkpoint: tuple[int, str] | None = None
