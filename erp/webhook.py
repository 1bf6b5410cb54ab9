"""The signed webhook: headers of a request, meaning of an answer, and the one place that sends.

A 2xx counts only with a verified receipt; any other doubt is `Unknown`. Redirects are never
followed.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import httpx
import msgspec
from msgspec import Struct

from core.clock import now
from erp.contract import CONTENT_TYPE, SentCheckpoint
from erp.errors import SignatureRefused
from erp.port import (
    Accepted,
    DocumentRef,
    Duplicate,
    Exchange,
    Outcome,
    Posted,
    Posting,
    Rejected,
    Retry,
    Unknown,
)
from erp.signing import Keys, sign, verify

MAX_RETRY_AFTER_S = 3600
TIMEOUT_S = 20.0


class ReceiptDocument(Struct, frozen=True, kw_only=True):
    """One document line in a receipt."""

    type: str
    id: str
    year: str
    line: str


class ReceiptBody(Struct, frozen=True, kw_only=True):
    """What the ERP's signed receipt says."""

    status: Literal["posted", "accepted", "duplicate"]
    documents: tuple[ReceiptDocument, ...] = ()
    posting_period: str | None = None
    checkpoint: SentCheckpoint | None = None
    ticket: str = ""


class Problem(Struct, frozen=True):
    """A refusal as the ERP words it."""

    code: str = ""
    detail: str = ""


def content_digest(body: bytes) -> str:
    """Return the Content-Digest of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode('ascii')}:"


def headers_of(keys: Keys, event_id: str, *, at: datetime, body: bytes) -> dict[str, str]:
    """Return all headers of one attempt."""
    return {
        "content-type": CONTENT_TYPE,
        "idempotency-key": f'"{event_id}"',
        "content-digest": content_digest(body),
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
        **sign(keys, event_id, at=at, body=body),
    }


def interpret(exchange: Exchange, event_id: str, *, keys: Keys, at: datetime) -> Outcome:
    """Return what an answer means that came at `at`; `keys` are those of the receipts."""
    status = exchange.status or 0
    if status in (200, 202):
        return _receipt(exchange, event_id, keys=keys, at=at)
    if status in (401, 403, 410):
        words = "endpoint is gone" if status == 410 else "authentication refused"
        return Retry(reason=f"{status}: {words}", paused=True, exchange=exchange)
    if status == 409:
        return Retry(after_s=1, reason="409: key in flight", exchange=exchange)
    if status in (429, 503):
        after = retry_after(exchange.headers)
        return Retry(after_s=after, reason=f"{status}: throttled", exchange=exchange)
    if status in (400, 404, 413, 422):
        problem = _problem(exchange.body)
        return Rejected(problem.code or f"http_{status}", problem.detail, exchange)
    if 300 <= status < 400:
        return Rejected("redirected", "The endpoint redirects; correct its address.", exchange)
    return Unknown(f"status {status}", exchange)


def _receipt(exchange: Exchange, event_id: str, *, keys: Keys, at: datetime) -> Outcome:
    try:
        signed = verify(keys, exchange.headers, at=at, body=exchange.body)
        receipt = msgspec.json.decode(exchange.body, type=ReceiptBody)
    except SignatureRefused as fault:
        return Unknown(f"receipt not proven: {fault.why}", exchange)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        return Unknown(f"receipt not readable: {fault}", exchange)
    if signed != event_id:
        return Unknown(f"receipt is for {signed}", exchange)
    if receipt.status == "accepted":
        return Accepted(receipt.ticket, exchange)
    documents = tuple(
        DocumentRef(doc.type, doc.id, doc.year, doc.line) for doc in receipt.documents
    )
    if not documents:
        return Unknown("receipt names no document", exchange)
    sent = receipt.checkpoint
    mark = (sent.size, sent.root) if sent is not None else None
    build = Posted if receipt.status == "posted" else Duplicate
    return build(documents, receipt.posting_period, mark, exchange)


def _problem(body: bytes) -> Problem:
    try:
        return msgspec.json.decode(body, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Problem()


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return how long the other side asks to wait, in seconds, capped; None where it does not."""
    text = headers.get("retry-after") or ""
    return min(int(text[:9]), MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where postings go, and what every request carries beside what it is signed with.

    Requests go to the transport itself: what a client adds for browsing, cookies and redirects,
    is not wanted here and took half of the time that a message took us.
    """

    transport: httpx.BaseTransport
    url: httpx.URL
    timeout: httpx.Timeout
    token: str | None = field(default=None, repr=False)

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a body once and return the whole answer.

        Raises:
            httpx.HTTPError: it could not be sent, or there is no whole answer.
        """
        carried = {**headers, "accept": "application/json", "user-agent": "batchwright"}
        if self.token is not None:
            carried["authorization"] = f"Bearer {self.token}"
        timeout = {"timeout": self.timeout.as_dict()}
        request = httpx.Request("POST", self.url, headers=carried, content=body, extensions=timeout)
        answer = self.transport.handle_request(request)
        answer.request = request
        try:
            answer.read()
        finally:
            answer.close()
        return answer


def deliver(receiver: Receiver, posting: Posting, *, send: Keys, receive: Keys) -> Outcome:
    """Send one posting's stored bytes once and return what came of it."""
    sent = headers_of(send, posting.key, at=now(), body=posting.body)
    try:
        answer = receiver.post(posting.body, sent)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as fault:
        return Retry(reason=f"not sent: {type(fault).__name__}", exchange=Exchange(sent))
    except httpx.HTTPError as fault:
        return Unknown(f"no answer: {type(fault).__name__}", Exchange(sent))
    headers = {name.lower(): value for name, value in answer.headers.items()}
    exchange = Exchange(sent, answer.status_code, headers, answer.content)
    return interpret(exchange, posting.key, keys=receive, at=now())
