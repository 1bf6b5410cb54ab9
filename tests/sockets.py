"""A page's websocket as a stranger would try it: a handshake by hand, with anything in it."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dashboards.session import COOKIE

TOKEN = re.compile(r'"token":"([^"]+)"')


def cookie_of(client: httpx.Client) -> str:
    return client.cookies[COOKIE]


def token_of(client: httpx.Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.headers
    found = TOKEN.search(answer.text)
    assert found is not None
    return found.group(1)


def knock(
    url: str,
    path: str,
    token: str,
    *,
    cookie: str | None,
    origin: str | None = None,
    query: str = "",
    protocols: tuple[str, ...] | None = None,
    cookies: str = "",
    tls: ssl.SSLContext | None = None,
    host: str = "",
) -> int:
    """Return the HTTP status of a handshake, 101 when it opened, or the code it was closed with.

    `cookies` is a whole cookie header in place of the session cookie alone, `host` another name by
    which the server is called.
    """
    there = urlsplit(url)

    async def attempt() -> int:
        offered: list[str] = list(protocols or ("bokeh", token))
        line = cookies or (f"{COOKIE}={cookie}" if cookie else "")
        headers = {"Cookie": line} if line else {}
        named = url.replace(there.netloc, host or there.netloc)
        target = named.replace("http", "ws", 1) + path.rstrip("/") + "/ws" + query
        try:
            async with websockets.connect(
                target, subprotocols=offered, additional_headers=headers,  # type: ignore[arg-type]
                origin=origin or url, ssl=tls,  # type: ignore[arg-type]
                host=there.hostname, port=there.port,
            ) as socket:  # fmt: skip
                await asyncio.wait_for(socket.recv(), 5)
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006

    return asyncio.run(attempt())


def stay(url: str, path: str, token: str, *, cookie: str, then: Callable[[], object]) -> int | None:
    """Open a page's socket, do something, and return the code the server closes it with."""

    async def attempt() -> int | None:
        target = url.replace("http", "ws", 1) + path + "/ws"
        async with websockets.connect(
            target, subprotocols=["bokeh", token],  # type: ignore[list-item]
            additional_headers={"Cookie": f"{COOKIE}={cookie}"}, origin=url,  # type: ignore[arg-type]
        ) as socket:  # fmt: skip
            await asyncio.wait_for(socket.recv(), 5)
            await asyncio.to_thread(then)
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.timeout(5):
                    while True:  # frames nobody reads would keep the closing one waiting
                        await socket.recv()
            return socket.close_code

    return asyncio.run(attempt())
