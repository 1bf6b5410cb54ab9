"""What the layers around the application share: ASGI's types, a header, a bare answer."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Of a file: opened by itself, as a picture can be, it may run nothing.
BARE_POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
FOR_PROGRAMS = (b"application/json", b"application/problem+json", b"text/plain")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def header(scope: Scope, name: bytes) -> str:
    """Return one request header, empty where it is missing."""
    for key, value in scope.get("headers", ()):
        if key.lower() == name:
            return str(value.decode("latin-1"))
    return ""


def client_of(scope: Scope) -> str:
    """Return the address a request came from."""
    return str((scope.get("client") or ("",))[0])


def bare_policy(content_type: bytes) -> bytes:
    """Return the policy of what is no page; what programs read is no document at all."""
    return BARE_POLICY + b"; sandbox" if content_type.startswith(FOR_PROGRAMS) else BARE_POLICY


def with_charset(content_type: bytes) -> bytes:
    """Return a content type that names its character set, where it is text.

    >>> with_charset(b"image/svg+xml"), with_charset(b"image/png")
    (b'image/svg+xml; charset=utf-8', b'image/png')
    """
    kind = content_type.partition(b";")[0].strip()
    is_text = kind.startswith(b"text/") or kind.endswith((b"+xml", b"/xml"))
    if not is_text or b"charset" in content_type:
        return content_type
    return kind + b"; charset=utf-8"


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: bytes = b"text/plain; charset=utf-8",
    extra: list[tuple[bytes, bytes]] | None = None,
    head: bool = False,
) -> None:
    """Send one whole answer that no page made, with the headers that no answer lacks."""
    policy = bare_policy(content_type)
    headers = [(b"content-security-policy", policy), *ALWAYS, *(extra or [])]
    if status != 304:
        headers += [
            (b"content-type", with_charset(content_type)),
            (b"content-length", str(len(body)).encode()),
        ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
