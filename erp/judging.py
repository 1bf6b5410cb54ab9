"""What a message asks of an adapter, and what an outcome makes of a message; pure."""

import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec import UNSET

from erp.contract import from_bytes
from erp.port import (
    Accepted,
    DocumentRef,
    Duplicate,
    OrderRef,
    Outcome,
    Posted,
    Posting,
    PostingLine,
    Rejected,
    Retry,
    Unknown,
)
from erp.rows import Result, Row, State
from erp.schedule import Retries, next_attempt

POLL_ACCEPTED = timedelta(minutes=1)


def posting_of(row: Row) -> Posting:
    """Return what an adapter needs of a stored message; the bytes stay as they are."""
    made = from_bytes(row.body)
    data = made.data
    return Posting(
        kind=made.type,
        key=made.id,
        ref=data.erp_ref,
        order=OrderRef(data.order.mes, data.order.erp),
        posting_date=date.fromisoformat(data.posting_date),
        lines=tuple(
            PostingLine(
                line.n, line.item, line.lot, Decimal(line.quantity), line.unit, line.movement
            )
            for line in data.lines
        ),
        digest=hashlib.sha256(row.body).hexdigest(),
        body=row.body,
        corrects=data.corrects,
        document=None
        if data.document is UNSET
        else DocumentRef("document", data.document.id, data.document.year, "1"),
    )


def judge(
    row: Row,
    outcome: Outcome,
    *,
    at: datetime,
    jitter: float = 0.0,
    retry: Retries = next_attempt,
) -> Result:
    """Return what an outcome makes of a message. Pure: the states of the outbox are all here."""
    count = row.attempts + 1
    match outcome:
        case Posted() | Duplicate():
            return Result(
                state=State.DONE,
                outcome="posted" if isinstance(outcome, Posted) else "duplicate",
                attempts=count,
                due_at=at,
                exchange=outcome.exchange,
                documents=outcome.docs,
                period=outcome.period,
                checkpoint=outcome.checkpoint,
            )
        case Accepted(ticket=ticket, exchange=exchange):
            return Result(
                state=State.ACCEPTED,
                outcome="accepted",
                attempts=count,
                due_at=at + POLL_ACCEPTED,
                ticket=ticket,
                exchange=exchange,
            )
        case Rejected(code=code, detail=detail, exchange=exchange):
            return Result(
                state=State.DEAD,
                outcome="rejected",
                attempts=count,
                due_at=at,
                code=code,
                error=detail,
                exchange=exchange,
            )
        case Retry() | Unknown():
            later, code = retry(count, at, jitter), "unknown"
            state = State.UNKNOWN
            if isinstance(outcome, Retry):
                # What may be booked already stays unknown: it is looked up before it is sent.
                state = State.PENDING if row.state is not State.UNKNOWN else State.UNKNOWN
                code = "retry"
                if outcome.after_s is not None or outcome.paused:
                    # The ERP's own wish, or no fault of this message: it is not counted.
                    count, later = row.attempts, at + timedelta(seconds=outcome.after_s or 0)
            return Result(
                state=state if later else State.DEAD,
                outcome=code,
                attempts=count,
                due_at=later or at,
                code=code if later else "attempts_used_up",
                error=outcome.reason,
                exchange=outcome.exchange,
            )
