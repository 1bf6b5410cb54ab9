"""Read the outbox: counts, ages, messages, attempts, receipts, the newest outside anchor."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from core.clock import parse_iso
from erp import tables
from erp.contract import again_id
from erp.errors import SignatureRefused
from erp.outbox import Outbox, row_of
from erp.port import DocumentRef, Exchange
from erp.replaying import Choice, Covered, covering
from erp.rows import OPEN, Aside, AttemptRow, ReceiptRow, Row, State
from erp.signing import Keys, verify

UNSIGNED = "batchwright-unsigned"  # a header of ours beside the ERP's: nobody signed this
message, receipt, attempt, aside = tables.message, tables.receipt, tables.attempt, tables.aside


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint that came back in a receipt: the ERP keeps proof of the ledger up to `size`."""

    size: int
    root: str
    at: str
    event_id: str


def counts(outbox: Outbox) -> dict[State, int]:
    """Return how many messages are in each state; every state is named."""
    query = select(message.c.state, func.count().label("n")).group_by(message.c.state)
    found = {State(row["state"]): int(row["n"]) for row in outbox.read(query)}
    return {state: found.get(state, 0) for state in State}


def oldest_open(outbox: Outbox) -> str | None:
    """Return when the oldest message still under way was made, or None."""
    query = select(func.min(message.c.made_at).label("at")).where(message.c.state.in_(OPEN))
    at: str | None = outbox.read(query)[0]["at"]
    return at


def open_by_lane(outbox: Outbox) -> dict[str, int]:
    """Return how many messages without a receipt each order has; an order without has no row."""
    query = (
        select(message.c.lane, func.count().label("n"))
        .where(message.c.state.in_(OPEN))
        .group_by(message.c.lane)
    )
    return {row["lane"]: int(row["n"]) for row in outbox.read(query)}


def last_answer(outbox: Outbox) -> str | None:
    """Return when the ERP last answered a message, whatever it said; None before the first."""
    answered = select(attempt.c.at).where(attempt.c.status.is_not(None))
    found = outbox.read(answered.order_by(attempt.c.id.desc()).limit(1))
    return found[0]["at"] if found else None


def messages(
    outbox: Outbox, *, lane: str | None = None, state: State | None = None, after: int = 0
) -> list[Row]:
    """Return messages in the order of their facts.

    `after` is an entry's number: only messages of later entries are returned.
    """
    query = select(message).where(message.c.entry_seq > after).order_by(message.c.entry_seq)
    if lane is not None:
        query = query.where(message.c.lane == lane)
    if state is not None:
        query = query.where(message.c.state == state)
    return [row_of(found) for found in outbox.read(query)]


def of_type(outbox: Outbox, kind: str) -> list[Row]:
    """Return the messages of one type, in the order of their facts."""
    query = select(message).where(message.c.type == kind).order_by(message.c.entry_seq)
    return [row_of(found) for found in outbox.read(query)]


def find(outbox: Outbox, event_id: str) -> Row | None:
    """Return one message."""
    found = outbox.read(select(message).where(message.c.event_id == event_id))
    return row_of(found[0]) if found else None


def told(outbox: Outbox, first: str) -> list[Row]:
    """Return every message of a fact: the one that told it first, and each that told it anew."""
    found, n = [], 0
    while (row := find(outbox, again_id(first, n) if n else first)) is not None:
        found.append(row)
        n += 1
    return found


def covered(outbox: Outbox, choice: Choice) -> Covered:
    """Return what a choice of messages to send again covers now."""
    return Covered(**outbox.read(covering(choice))[0])


def receipts(outbox: Outbox, event_ids: Sequence[str] | None = None) -> list[ReceiptRow]:
    """Return receipts, oldest first; a replayed message has several."""
    query = select(receipt).order_by(receipt.c.id)
    if event_ids is not None:
        query = query.where(receipt.c.event_id.in_(event_ids))
    return [
        ReceiptRow(
            event_id=row["event_id"],
            at=row["at"],
            status=row["status"],
            body=bytes(row["body"]),
            headers=json.loads(row["headers"]),
            documents=tuple(DocumentRef(*parts) for parts in json.loads(row["documents"])),
            period=row["period"],
            checkpoint=(row["checkpoint_size"], row["checkpoint_root"])
            if row["checkpoint_root"]
            else None,
        )
        for row in outbox.read(query)
    ]


def attempts(outbox: Outbox, event_id: str) -> list[AttemptRow]:
    """Return every try of a message, oldest first."""
    query = select(attempt).where(attempt.c.event_id == event_id).order_by(attempt.c.id)
    return [
        AttemptRow(
            event_id=row["event_id"],
            at=row["at"],
            outcome=row["outcome"],
            code=row["code"],
            status=row["status"],
            error=row["error"],
            sent_headers=json.loads(row["sent_headers"]),
        )
        for row in outbox.read(query)
    ]


def unsigned(exchange: Exchange | None) -> Exchange | None:
    """Return an answer of an ERP that signs nothing, marked as such, with our digest of it."""
    if exchange is None or not exchange.body:
        return exchange
    digest = hashlib.sha256(exchange.body).hexdigest()
    return replace(exchange, headers={**exchange.headers, UNSIGNED: digest})


def unproven(answer: ReceiptRow, keys: Keys | None) -> str | None:
    """Return why a kept receipt is not proven to be the ERP's, or None where it is.

    The time limit of a signature is taken at the instant the receipt was stored.
    """
    digest = answer.headers.get(UNSIGNED)
    if digest is not None:
        return f"not signed: this ERP signs no receipts; its answer is kept, SHA-256 {digest[:16]}…"
    if not answer.body:
        return "no signed bytes: the posting was found by looking it up"
    if keys is None:
        return "this ERP signs no receipts, so there is no key to prove one with"
    try:
        signed = verify(keys, answer.headers, at=parse_iso(answer.at), body=answer.body)
    except SignatureRefused as fault:
        return fault.why
    return None if signed == answer.event_id else f"it is signed for {signed}"


def moved(outbox: Outbox) -> tuple[object, ...]:
    """Return a mark that changes whenever a message, an attempt or a fact put aside does."""
    tried = select(func.max(attempt.c.id).label("n"))
    without = select(func.count().label("n")).select_from(aside)
    return (
        *counts(outbox).values(),
        outbox.read(tried)[0]["n"],
        outbox.read(without)[0]["n"],
    )


def asides(outbox: Outbox) -> list[Aside]:
    """Return the facts that have no message."""
    query = select(aside).order_by(aside.c.entry_seq)
    return [Aside(**{name: row[name] for name in Aside.__slots__}) for row in outbox.read(query)]


def newest_anchor(outbox: Outbox) -> Anchor | None:
    """Return the largest checkpoint that the ERP has sent back."""
    query = (
        select(receipt)
        .where(receipt.c.checkpoint_root.is_not(None))
        .order_by(receipt.c.checkpoint_size.desc(), receipt.c.id)
        .limit(1)
    )
    found = outbox.read(query)
    if not found:
        return None
    row = found[0]
    return Anchor(row["checkpoint_size"], row["checkpoint_root"], row["at"], row["event_id"])
