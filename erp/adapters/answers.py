"""How an answer is read: what stands, what was made, what is waited for; for all makers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from erp.adapters.calling import Caller, common
from erp.adapters.words import Request
from erp.errors import ErpUnreachable
from erp.port import (
    Accepted,
    DocumentRef,
    Duplicate,
    Exchange,
    Outcome,
    Posted,
    Rejected,
    Unknown,
)

JSON_BODY: Mapping[str, str] = {"content-type": "application/json"}
BROKEN = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the books have under a reference; `is_same` says that it is of the same message."""

    documents: tuple[DocumentRef, ...]
    period: str | None
    is_same: bool
    exchange: Exchange | None = None

    def told(self, ref: str, made: type[Posted] | type[Duplicate] = Duplicate) -> Outcome:
        """Return what it means for a message that comes under this reference."""
        if not self.is_same:
            detail = f"Document {self.documents[0].id} has {ref} for something else."
            return Rejected("key_reused", detail, self.exchange)
        return made(self.documents, self.period, exchange=self.exchange)


def sent(call: Caller, request: Request, read: Callable[[Exchange], Outcome]) -> Outcome:
    """Send a request once; `read` is asked where its status alone does not tell.

    Raises:
        ErpUnreachable: nothing was sent.
    """
    exchange, outcome = call.send(
        request.method, request.path, body=request.body, headers=request.headers
    )
    return outcome or common(exchange) or read(exchange)


def made(ref: str, exchange: Exchange, read: Callable[[], tuple[str, Standing]]) -> Outcome:
    """Return what a success says was booked; `read` returns its reference and its documents."""
    try:
        answered, standing = read()
    except BROKEN as fault:
        return Unknown(f"answer not readable: {fault}", exchange)
    if answered != ref:
        return Unknown("answer is for another reference", exchange)
    return Posted(standing.documents, standing.period, exchange=exchange)


def waited(
    taken: Accepted, accepted: Callable[[str], Outcome | None], *, patience_s: float, poll_s: float
) -> Outcome:
    """Return what became of a message that was taken, or its ticket where that takes long."""
    until = time.monotonic() + patience_s
    while True:
        try:
            told = accepted(taken.ticket)
        except ErpUnreachable:  # it is taken; what became of it is asked for later
            return taken
        if told is not None or time.monotonic() >= until:
            return told or taken
        time.sleep(poll_s)


def misfit(faults: list[str]) -> Rejected | None:
    """Return the refusal of what the maker's fields do not hold, None where it fits."""
    return Rejected("does_not_fit", "; ".join(faults)) if faults else None


def read_as(rows: Any, encode: Callable[[Any], bytes]) -> Exchange:
    """Return rows that prove a posting as the exchange they were read by."""
    return Exchange({}, 200, {}, encode(rows))
