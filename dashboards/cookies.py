"""The session cookie on the wire: what it is called, where it may come from, where it is good.

Inside it is always `mes_session`. Over TLS a browser knows it as `__Host-mes_session`, which no
other host and no page without TLS can set. So it is with every cookie of ours, and all are Secure;
that of a sign-in under way has a path of its own and is called `__Secure-`. A login made at a
station is bound to that browser by the mark in its station cookie; the server keeps only the mark's
hash.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlparse

from starlette.requests import cookie_parser

from dashboards.asgi import Message, Scope, Send, header
from dashboards.session import COOKIE, Login

STATION_COOKIE = "mes_station"
PROVIDER_COOKIE = "mes_provider"
COLOURS = ("mes_theme", "mes_scheme")  # written by frame.js, under the same names
HOST = "__Host-"
OVER_TLS = {name: HOST + name for name in (COOKIE, STATION_COOKIE, *COLOURS)} | {
    PROVIDER_COOKIE: f"__Secure-{PROVIDER_COOKIE}"
}
HOST_COOKIE = OVER_TLS[COOKIE]
# A year is what browsers ask of a host before they list it.
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
OWN_SITES = frozenset({"", "same-origin", "none"})


def is_secure(scope: Scope) -> bool:
    """Tell whether a request came over TLS, here or at the proxy on this host."""
    return scope.get("scheme") in ("https", "wss")


def cookies_of(scope: Scope) -> dict[str, str]:
    """Return the cookies of a request."""
    return cookie_parser(header(scope, b"cookie"))


def session_token(scope: Scope) -> str | None:
    """Return the session cookie of a request."""
    return cookies_of(scope).get(COOKIE)


def received(scope: Scope) -> Scope:
    """Return a request as the application reads it: over TLS only the names of `OVER_TLS` count.

    Colours count by both names: a proxy that does not tell of its TLS would have pages drawn anew
    for ever.
    """
    found = cookies_of(scope)
    names = tuple(OVER_TLS) if is_secure(scope) else COLOURS
    renamed = {name: found.pop(OVER_TLS[name]) for name in names if OVER_TLS[name] in found}
    if not is_secure(scope) and not renamed:
        return scope
    found = {n: value for n, value in found.items() if not is_secure(scope) or n not in OVER_TLS}
    found |= renamed
    line = "; ".join(f"{name}={value}" for name, value in found.items())
    kept = [(key, value) for key, value in scope["headers"] if key.lower() != b"cookie"]
    return {**scope, "headers": [*kept, (b"cookie", line.encode("latin-1"))]}


def sending(scope: Scope, send: Send) -> Send:
    """Return `send`, over TLS with cookies that are Secure and a session cookie for this host."""
    if not is_secure(scope):
        return send

    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*map(_secured, message["headers"]), STRICT_TRANSPORT]
        await send(message)

    return secured


def _secured(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = pair
    if name.lower() != b"set-cookie":
        return pair
    called, _, rest = value.partition(b"=")
    value = OVER_TLS.get(called.decode("latin-1"), called.decode("latin-1")).encode() + b"=" + rest
    if b"; secure" not in value.lower():
        value += b"; Secure"
    return name, value


def station_cookie(station: str) -> str:
    """Return a new station cookie: the station, and a mark that nobody can guess."""
    return f"{station}.{secrets.token_urlsafe(24)}"


def station_in(cookie: str) -> str:
    """Return the station that a cookie names; it proves nothing about the browser.

    >>> station_in("kiosk-B1.x7Yz"), station_in("")
    ('kiosk-B1', '')
    """
    return cookie.rpartition(".")[0]


def mark_of(cookie: str) -> str:
    """Return what a login keeps of a station cookie."""
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def is_bound(login: Login, scope: Scope) -> bool:
    """Tell whether a request comes from the browser that the login was made in."""
    if not login.mark:
        return True
    shown = mark_of(cookies_of(scope).get(STATION_COOKIE, ""))
    return hmac.compare_digest(login.mark, shown)


def same_origin(scope: Scope) -> bool:
    """Tell whether a request comes from a page of ours; tools that send no Origin pass.

    A browser always names the origin of a post and of a websocket, and sends the session cookie
    (SameSite=Strict) to no other site, so nothing is lost by letting tools through.
    """
    if header(scope, b"sec-fetch-site").lower() not in OWN_SITES:
        return False
    origin = header(scope, b"origin")
    return not origin or urlparse(origin).netloc.lower() == header(scope, b"host").lower()
