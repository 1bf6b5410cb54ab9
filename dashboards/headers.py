"""The outermost layer: nonce policy and headers on every answer, packed static files, foreign
hosts and origins turned away, and websockets that end with their login. Plain ASGI, no framework.
"""

import asyncio
import gzip
import logging
import re
import secrets
from hashlib import sha256

from dashboards import asgi, cookies, logs
from dashboards.asgi import SAFE_METHODS, App, Message, Receive, Scope, Send, header
from dashboards.hosts import Hosts, refused
from dashboards.problem import MEDIA_TYPE
from dashboards.session import Sessions

log = logging.getLogger(__name__)

SCRIPT = re.compile(rb"<script(?=[\s>])")
HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,253}")
STATIC = ("/static/", "/assets/", "/components/")
PACKED = (b"text/", b"application/javascript", b"application/json", b"image/svg")
RECHECK_S = 30.0


def content_policy(nonce: str, host: str, *, is_secure: bool = False) -> str:
    """Return the content security policy of one page.

    Scripts need the nonce of this answer; `blob:` is how component modules load and
    `wasm-unsafe-eval` what the pivot table compiles with. Sockets go to our own host only, and
    from a page that came over TLS over TLS.
    """
    sockets = f" wss://{host}" if HOST.fullmatch(host) else ""
    if sockets and not is_secure:
        sockets += f" ws://{host}"
    return (
        "default-src 'self'; "
        f"script-src 'self' 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        f"connect-src 'self'{sockets} data: blob:; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )


class Headers:
    """Wrap the whole application; the last middleware added."""

    def __init__(self, app: App, sessions: Sessions, hosts: Hosts) -> None:
        self._app, self._sessions, self._hosts = app, sessions, hosts
        self._packed: dict[str, tuple[bytes, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not self._hosts.know(header(scope, b"host")):
            await _turn_away(scope, receive, send)
            return
        scope = cookies.received(scope)
        self._bind(scope)
        if scope["type"] == "http":
            await self._http(scope, receive, cookies.sending(scope, send))
        else:
            await self._websocket(scope, receive, send)

    def _bind(self, scope: Scope) -> None:
        """End a login whose cookie comes without the mark of the station it was made at."""
        token = cookies.session_token(scope)
        login = self._sessions.get(token, touch=False)
        if login is not None and not cookies.is_bound(login, scope):
            logs.security(
                "session-moved", login=login.id, station=login.viewer.station,
                client=asgi.client_of(scope),
            )  # fmt: skip
            self._sessions.end(token, "station")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in SAFE_METHODS and not cookies.same_origin(scope):
            logs.security(
                "foreign-origin", path=scope["path"], origin=header(scope, b"origin"),
                client=asgi.client_of(scope),
            )  # fmt: skip
            await asgi.answer(
                send, 403, b"This request comes from another site. Use the plant's page."
            )
            return
        if scope["method"] in ("GET", "HEAD") and scope["path"].startswith(STATIC):
            await self._static(scope, receive, send)
            return
        dressed = _Dressed(scope, send)
        try:
            await self._app(scope, receive, dressed)
        except Exception:  # the reason is for the log, and no answer goes without its headers
            if dressed.is_started:
                raise
            number = secrets.token_hex(4)
            log.exception("a request could not be answered, report %s", number)
            sentence = f"This could not be answered; the server's log has report {number}."
            await asgi.answer(send, 500, sentence.encode(), head=scope["method"] == "HEAD")

    async def _static(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a library file: packed once, then from memory; unchanged until the server is."""
        query = scope.get("query_string", b"").decode("latin-1")
        key = scope["path"]
        zipped = "gzip" in header(scope, b"accept-encoding")
        if key not in self._packed or not zipped:
            answer = await _collect(self._app, {**scope, "method": "GET"}, receive)
            if answer.status != 200:
                status = answer.status
                await asgi.answer(send, status, b"Not found", head=scope["method"] == "HEAD")
                return
            if len(self._packed) < 600:  # the libraries have fewer files
                body = await asyncio.to_thread(gzip.compress, answer.body, 6)
                self._packed[key] = (answer.content_type, body)
            if not zipped:
                await asgi.answer(
                    send, 200, answer.body, content_type=answer.content_type,
                    head=scope["method"] == "HEAD",
                )  # fmt: skip
                return
        content_type, body = self._packed[key]
        etag = b'"' + sha256(body).hexdigest()[:24].encode() + b'"'
        age = b"public, max-age=31536000, immutable" if query else b"public, max-age=3600"
        extra = [(b"etag", etag), (b"cache-control", age), (b"vary", b"accept-encoding")]
        if header(scope, b"if-none-match").encode("latin-1") == etag:
            await asgi.answer(send, 304, b"", extra=extra)
            return
        extra.append((b"content-encoding", b"gzip"))
        await asgi.answer(
            send, 200, body, content_type=content_type, extra=extra,
            head=scope["method"] == "HEAD",
        )  # fmt: skip

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = cookies.session_token(scope)
        login = self._sessions.get(token)
        if login is None or not cookies.same_origin(scope):
            logs.security(
                "socket-refused", path=scope["path"], origin=header(scope, b"origin"),
                client=asgi.client_of(scope),
            )  # fmt: skip
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def ended() -> None:
            loop.call_soon_threadsafe(over.set)

        login.on_end.append(ended)
        watcher = asyncio.create_task(self._watch(token, over))

        async def guarded() -> Message:
            incoming = asyncio.ensure_future(receive())
            await asyncio.wait({incoming, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if not watcher.done():
                message = await incoming
                if message["type"] == "websocket.receive":
                    self._sessions.get(token)
                return message
            incoming.cancel()
            await send({"type": "websocket.close", "code": 4401})
            return {"type": "websocket.disconnect", "code": 4401}

        try:
            await self._app(scope, guarded, send)
        finally:
            watcher.cancel()
            if ended in login.on_end:
                login.on_end.remove(ended)

    async def _watch(self, token: str | None, over: asyncio.Event) -> None:
        """Return when the login of an open page has ended or run out; looking is no use of it."""
        while self._sessions.get(token, touch=False) is not None:
            try:
                await asyncio.wait_for(over.wait(), RECHECK_S)
            except TimeoutError:
                continue
            return


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer whoever calls the server by a name that is not its own; no session is looked at."""
    logs.security(
        "foreign-host", path=scope["path"], host=header(scope, b"host"),
        client=asgi.client_of(scope),
    )  # fmt: skip
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4421})
        return
    problem, head = refused(), scope["method"] == "HEAD"
    # What was not read must not be taken for the next request.
    extra = [(b"connection", b"close"), (b"cache-control", b"no-store")]
    if scope["path"].startswith("/api/"):
        body, kind = problem.body(), MEDIA_TYPE.encode()
        await asgi.answer(send, problem.status, body, content_type=kind, extra=extra, head=head)
    else:
        body = problem.detail.encode()
        await asgi.answer(send, problem.status, body, extra=extra, head=head)


class _Dressed:
    """Send that adds the headers, and the nonce to the scripts of HTML answers."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._nonce = secrets.token_urlsafe(18)
        self._host, self._is_secure = header(scope, b"host"), cookies.is_secure(scope)
        self._start: Message | None = None
        self._body = b""
        self.is_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_started = True
            given = dict(message["headers"])
            kind = asgi.with_charset(given.get(b"content-type", b""))
            more = [pair for pair in self._headers(kind) if pair[0] not in given]
            if b"cache-control" not in given:  # what is shown to one person stays in no cache
                more.append((b"cache-control", b"no-store"))
            kept = [(k, kind if k == b"content-type" else v) for k, v in message["headers"]]
            message["headers"] = [*kept, *more]
            if kind.startswith(b"text/html"):
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._send_html()
            return
        await self._send(message)

    async def _send_html(self) -> None:
        assert self._start is not None
        marked = SCRIPT.sub(b'<script nonce="' + self._nonce.encode() + b'"', self._body)
        names = (b"content-length", b"cache-control")
        kept = [(k, v) for k, v in self._start["headers"] if k.lower() not in names]
        self._start["headers"] = [
            *kept,
            (b"content-length", str(len(marked)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": marked})

    def _headers(self, kind: bytes) -> list[tuple[bytes, bytes]]:
        policy = content_policy(self._nonce, self._host, is_secure=self._is_secure).encode()
        if kind.startswith(asgi.FOR_PROGRAMS):
            policy = asgi.bare_policy(kind)
        return [(b"content-security-policy", policy), *asgi.ALWAYS]


class _Answer:
    """One whole answer of the inner application."""

    def __init__(self) -> None:
        self.status, self.body, self.content_type = 500, b"", b"application/octet-stream"

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.content_type = dict(message["headers"]).get(b"content-type", self.content_type)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


async def _collect(app: App, scope: Scope, receive: Receive) -> _Answer:
    answer = _Answer()
    await app(scope, receive, answer.take)
    return answer
