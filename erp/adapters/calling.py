"""Calling an ERP over HTTP: who we are, what crossed the wire, and what its status says.

Shared by every adapter that speaks an ERP's own interface. Secrets never enter an `Exchange`:
it is kept for ever and shown to people.
"""

import base64
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx

from erp.errors import ErpUnreachable
from erp.port import Exchange, Outcome, Rejected, Retry, Unknown
from erp.trust import trusted
from erp.webhook import retry_after

KEPT_BACK = frozenset({"authorization", "cookie", "x-csrf-token", "set-cookie"})
KEPT_BACK_TEXT = "(kept back)"
WORDS = ("Fetch", "Required")  # of SAP's token protocol; no secret
HEALTH_S = 3.0


class LoginRefused(ErpUnreachable):
    """The ERP does not accept who we are; only a person can mend that."""


class Throttled(ErpUnreachable):
    """The ERP asks to wait; `after_s` is its own wish, None where it names none."""

    def __init__(self, address: str, why: str, after_s: int | None) -> None:
        super().__init__(address, why)
        self.after_s = after_s


class Login(Protocol):
    """Who we are to the ERP."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that say who calls; may fetch a token first."""

    def renew(self, headers: Mapping[str, str]) -> bool:
        """Return whether headers that were refused may be followed by fresh ones."""


class Basic:
    """A technical user of the ERP with its secret."""

    def __init__(self, user: str, secret: str) -> None:
        self._mark = base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")

    def headers(self) -> Mapping[str, str]:
        return {"authorization": f"Basic {self._mark}"}

    def renew(self, headers: Mapping[str, str]) -> bool:
        return False  # a secret does not change by itself


def shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as they may be kept: lower case, secrets replaced.

    >>> shown({"Authorization": "Basic abc", "Accept": "application/json"})
    {'authorization': '(kept back)', 'accept': 'application/json'}
    """
    return {
        name.lower(): KEPT_BACK_TEXT if name.lower() in KEPT_BACK and value not in WORDS else value
        for name, value in headers.items()
    }


def common(exchange: Exchange) -> Outcome | None:
    """Return what a status means in every ERP, None where the body has to be read."""
    status = exchange.status or 0
    if status in (401, 403):
        return Retry(reason=f"{status}: authentication refused", paused=True, exchange=exchange)
    if status == 410:
        return Retry(reason="410: endpoint is gone", paused=True, exchange=exchange)
    if status in (429, 503):
        after = retry_after(exchange.headers)
        return Retry(after_s=after, reason=f"{status}: throttled", exchange=exchange)
    if 300 <= status < 400:
        return Rejected("redirected", "The endpoint redirects; correct its address.", exchange)
    if status >= 500:
        return Unknown(f"status {status}", exchange)
    return None


def before_sending(fault: ErpUnreachable) -> Retry:
    """Return the outcome of a question that went unanswered: nothing was sent yet."""
    after = fault.after_s if isinstance(fault, Throttled) else None
    return Retry(after_s=after, reason=fault.why, paused=isinstance(fault, LoginRefused))


def clock_of(address: str, headers: Mapping[str, str]) -> datetime:
    """Return the time at which an answer was given.

    Raises:
        ErpUnreachable: it does not say.
    """
    stamp = headers.get("date")
    if stamp is None:
        raise ErpUnreachable(address, "an answer without a date")
    return parsedate_to_datetime(stamp).astimezone(UTC)


class Caller:
    """All I/O with one ERP address; safe to use from several threads."""

    def __init__(self, address: str, login: Login, *, timeout_s: float) -> None:
        self.address = address.rstrip("/")
        self._login = login
        # trust_env off: a proxy in somebody's environment must not see a plant's messages.
        self._client = httpx.Client(
            timeout=timeout_s, verify=trusted(), trust_env=False, follow_redirects=False
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def ask(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        fine: tuple[int, ...] = (200, 304, 404),
    ) -> httpx.Response:
        """Return the answer to a question.

        Raises:
            LoginRefused: 401 or 403.
            Throttled: 429 or 503.
            ErpUnreachable: no answer, or a status that is not in `fine`.
        """
        timeout = self._client.timeout if timeout_s is None else timeout_s
        try:
            given = self._headers(headers)
            answer = self._call("GET", path, given=given, query=query, timeout=timeout)
        except httpx.HTTPError as fault:
            raise ErpUnreachable(self.address, f"{type(fault).__name__} at {path}") from fault
        status = answer.status_code
        if status in fine:
            return answer
        if status in (401, 403):
            raise LoginRefused(self.address, f"{status}: authentication refused at {path}")
        if status in (429, 503):
            after = retry_after(answer.headers)
            raise Throttled(self.address, f"{status}: throttled at {path}", after)
        raise ErpUnreachable(self.address, f"status {status} at {path}")

    def question(
        self,
        path: str,
        body: bytes,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Exchange:
        """Return the answer to a question that is asked by POST and changes nothing.

        Raises:
            LoginRefused, Throttled, ErpUnreachable: as `ask`.
        """
        exchange, outcome = self.send(
            "POST", path, body=body, query=query, headers=headers, timeout_s=timeout_s
        )
        outcome = outcome or common(exchange)
        if isinstance(outcome, Retry) and outcome.paused:
            raise LoginRefused(self.address, outcome.reason)
        if isinstance(outcome, Retry) and exchange.status is not None:
            raise Throttled(self.address, outcome.reason, outcome.after_s)
        if isinstance(outcome, Retry | Unknown):
            raise ErpUnreachable(self.address, f"{outcome.reason} at {path}")
        if outcome is not None or exchange.status != 200:
            raise ErpUnreachable(self.address, f"status {exchange.status} at {path}")
        return exchange

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> tuple[Exchange, Outcome | None]:
        """Send once; the outcome is None where an answer came at all.

        Raises:
            LoginRefused, ErpUnreachable: no token to send with; nothing was sent.
        """
        given = self._headers(headers)
        sent = shown(given)
        timeout = self._client.timeout if timeout_s is None else timeout_s
        try:
            answer = self._call(
                method, path, given=given, query=query, content=body, timeout=timeout
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as fault:
            none = Exchange(sent)
            return none, Retry(reason=f"not sent: {type(fault).__name__}", exchange=none)
        except httpx.HTTPError as fault:
            none = Exchange(sent)
            return none, Unknown(f"no answer: {type(fault).__name__}", none)
        kept = shown(answer.headers)
        return Exchange(sent, answer.status_code, kept, answer.content), None

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {"accept": "application/json", **self._login.headers(), **(more or {})}

    def _call(
        self,
        method: str,
        path: str,
        *,
        given: Mapping[str, str],
        query: Mapping[str, str] | None,
        **more: Any,
    ) -> httpx.Response:
        url = path if path.startswith("http") else f"{self.address}/{path.lstrip('/')}"
        # An empty query would wipe the one that is in the address of a next page.
        params = dict(query) if query else None
        headers = dict(given)
        answer = self._client.request(method, url, params=params, headers=headers, **more)
        if answer.status_code == 401 and self._login.renew(given):
            # Refused unread, because the token has ended: the same bytes may go once more.
            headers |= self._login.headers()
            answer = self._client.request(method, url, params=params, headers=headers, **more)
        return answer


class KeyLocks:
    """One lock per reference: two threads of this plant never post the same fact at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def of(self, key: str) -> threading.Lock:
        """Return the key's lock; keys of a plant's day are few enough to keep."""
        with self._guard:
            if len(self._locks) > 10_000:
                self._locks = {kept: one for kept, one in self._locks.items() if one.locked()}
            return self._locks.setdefault(key, threading.Lock())
