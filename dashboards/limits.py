"""What one client may ask of the server: how much at a time, how often, how slowly.

Plain ASGI, inside `Headers`. A body is read whole before any page sees it, counted as it comes,
whatever its headers say; a client that sends slowly or too often is told when to come again.
"""

import asyncio
import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from dashboards import asgi, cookies, logs, menu
from dashboards.asgi import SAFE_METHODS, App, Message, Receive, Scope, Send, header
from dashboards.problem import MEDIA_TYPE, Problem

INTERFACE = "/api/v1/"
SIGN_IN, PROVIDER = "/login", "/login/provider"
LIVE = frozenset(entry.path for entry in (*menu.MENU, menu.BENCH)) - {"/people", "/help"}
PAPERS = (".pdf", ".xlsx", ".zip")  # they are made anew for whoever asks
MOST_CLIENTS = 10_000  # bounded: an attacker chooses the keys
HEADERS_S = 20.0
LARGEST_HEADERS = 32 * 1024  # a page's socket brings the page's token along, some kilobytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server.

    Args:
        body: bytes of a request's body; the largest that is taken.
        body_s: seconds that a body may take to arrive.
        sign_ins: sign-ins of one address at once, and how many more each second; as many go to
            the sign-in provider.
        commands: commands of one login or key at once, and how many more each second.
        reads: answers of the interface that one login or key reads, in the same way.
        papers: files that are made for one login, as PDF, workbook or bundle, in the same way.
        pages: live pages that one login builds at once, and how many more each second.
        messages: what the open pages of one login say at once, and how much more each second.
        at_once: sign-ins of the whole server that may wait for their hash.
    """

    body: int = 256 * 1024
    body_s: float = 30.0
    sign_ins: tuple[int, float] = (60, 1.0)
    commands: tuple[int, float] = (300, 60.0)
    reads: tuple[int, float] = (300, 60.0)
    papers: tuple[int, float] = (20, 0.5)
    pages: tuple[int, float] = (60, 2.0)
    messages: tuple[int, float] = (300, 60.0)
    at_once: int = 16


class Rate:
    """A bucket of tokens for each client; safe from any thread."""

    def __init__(
        self, burst: int, per_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> int:
        """Take one token and return 0, or the whole seconds until there is one."""
        at = self._clock()
        with self._lock:
            left, then = self._left.pop(client, (float(self._burst), at))
            left = min(float(self._burst), left + (at - then) * self._per_s)
            is_free = left >= 1
            self._left[client] = (left - 1 if is_free else left, at)
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        return 0 if is_free else math.ceil((1 - left) / self._per_s)


class Guard:
    """The limits around an application."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._sign_ins, self._commands = Rate(*limits.sign_ins), Rate(*limits.commands)
        self._reads, self._papers = Rate(*limits.reads), Rate(*limits.papers)
        self._pages, self._messages = Rate(*limits.pages), Rate(*limits.messages)
        # Each is remembered until the provider answers: one address must not fill that memory.
        self._departures = Rate(*limits.sign_ins)
        self._hashing = 0  # only the event loop counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "websocket":
            await self._app(scope, self._paced(scope, receive), send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _need_plain_head(scope)
            self._count(scope)
            whole = await self._body(scope, receive)
        except Problem as problem:
            logs.security(problem.kind, path=scope["path"], client=asgi.client_of(scope))
            await _refuse(scope, send, problem)
            return
        if not _is_sign_in(scope):
            await self._app(scope, whole, send)
            return
        self._hashing += 1
        try:
            await self._app(scope, whole, send)
        finally:
            self._hashing -= 1

    def _paced(self, scope: Scope, receive: Receive) -> Receive:
        """Return what a page's socket says, as fast as one login may say it; nothing is lost."""
        client = _client(scope)

        async def paced() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                while wait := self._messages.wait_s(client):
                    await asyncio.sleep(wait)
            return message

        return paced

    def _count(self, scope: Scope) -> None:
        """Refuse a request that comes too often."""
        if _is_sign_in(scope):
            if self._hashing >= self._limits.at_once:
                raise _too_many("Sign-in: too many people sign in at this moment.", 2)
            self._count_door(scope, self._sign_ins)
        elif scope["path"] == PROVIDER:
            self._count_door(scope, self._departures)
        elif _is_live_page(scope) and (wait := self._pages.wait_s(_client(scope))):
            most, per_s = self._limits.pages
            raise _too_many(f"Pages: more than {most} at once or {per_s:g} a second.", wait)
        elif _is_command(scope) and (wait := self._commands.wait_s(_client(scope))):
            most, per_s = self._limits.commands
            raise _too_many(f"Commands: more than {most} at once or {per_s:g} a second.", wait)
        elif scope["path"].endswith(PAPERS) and (wait := self._papers.wait_s(_client(scope))):
            most, per_s = self._limits.papers
            raise _too_many(f"Files: more than {most} at once or {per_s:g} a second.", wait)
        elif _is_read(scope) and (wait := self._reads.wait_s(_client(scope))):
            most, per_s = self._limits.reads
            raise _too_many(f"Reading: more than {most} at once or {per_s:g} a second.", wait)

    def _count_door(self, scope: Scope, rate: Rate) -> None:
        if wait := rate.wait_s(asgi.client_of(scope)):
            most = self._limits.sign_ins[0]
            raise _too_many(f"Sign-in: more than {most} tries from this address.", wait)

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """Return the request's body, read whole and in time, as the application receives it."""
        told = header(scope, b"content-length")
        if not told and not header(scope, b"transfer-encoding"):
            if scope["method"] in SAFE_METHODS:
                return receive
        elif told.isdigit() and int(told[:12]) > self._limits.body:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        break
                    body += message.get("body", b"")
                    if len(body) > self._limits.body:
                        raise self._too_large()
                    if not message.get("more_body"):
                        break
        except TimeoutError as late:
            raise Problem(
                408, "too-slow",
                f"The body took more than {self._limits.body_s:g} s. Send it at once.",
            ) from late  # fmt: skip
        waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def whole() -> Message:
            return waiting.pop() if waiting else await receive()

        return whole

    def _too_large(self) -> Problem:
        return Problem(413, "too-large", f"The body is larger than {self._limits.body} bytes.")


def _need_plain_head(scope: Scope) -> None:
    """Refuse headers that are too large, and two lengths, of which a proxy may take the other."""
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    if size + len(scope.get("raw_path", b"")) + len(scope["query_string"]) > LARGEST_HEADERS:
        raise Problem(431, "too-large", f"The headers are larger than {LARGEST_HEADERS} bytes.")
    if header(scope, b"content-length") and header(scope, b"transfer-encoding"):
        raise Problem(400, "two-lengths", "Content-Length and Transfer-Encoding: send one of them.")


def _is_sign_in(scope: Scope) -> bool:
    return bool(scope["method"] == "POST" and scope["path"] == SIGN_IN)


def _is_command(scope: Scope) -> bool:
    return scope["method"] not in SAFE_METHODS and bool(scope["path"].startswith(INTERFACE))


def _is_read(scope: Scope) -> bool:
    return scope["method"] in SAFE_METHODS and bool(scope["path"].startswith(INTERFACE))


def _is_live_page(scope: Scope) -> bool:
    """Tell whether a request builds a page that lives in this process, for somebody signed in."""
    is_read = scope["method"] in ("GET", "HEAD")
    return is_read and menu.section(scope["path"]) in LIVE and bool(cookies.session_token(scope))


def _client(scope: Scope) -> str:
    """Return who sends: the login or key, so that a station does not pay for its neighbor."""
    shown = header(scope, b"authorization") or cookies.session_token(scope)
    if not shown:
        return asgi.client_of(scope)
    return hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()


def _too_many(what: str, wait_s: int) -> Problem:
    return Problem(429, "too-many", f"{what} Send it again in {wait_s} s.", retry_after_s=wait_s)


async def _refuse(scope: Scope, send: Send, problem: Problem) -> None:
    extra = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    # What was not read must not be taken for the next request.
    extra.append((b"connection", b"close"))
    if scope["path"].startswith("/api/"):
        await asgi.answer(
            send, problem.status, problem.body(), content_type=MEDIA_TYPE.encode(), extra=extra
        )
    else:
        await asgi.answer(send, problem.status, problem.detail.encode(), extra=extra)


class Impatient(H11Protocol):
    """HTTP/1.1 that waits for a request's headers only so long: an idle caller holds no place."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEADERS_S, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Take bytes; between requests, half a header starts the wait."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._rest()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS_S, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a closed connection."""
        self._rest()
        super().connection_lost(exc)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
