"""A network that loses, doubles, delays and reorders, between a plant and its ERP.

It forwards HTTP to one upstream. What goes wrong with a posting is drawn from a seed, or told call
by call. Everything that is not a posting passes untouched.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from erp.trust import trusted

WRITES = ("POST", "PUT")
HOP = frozenset({
    "host", "content-length", "connection", "keep-alive", "transfer-encoding",
    "content-encoding", "server", "date",
})  # fmt: skip
LATE_S = 0.4


@dataclass(frozen=True, slots=True)
class Weather:
    """How often each thing goes wrong, as parts of one; the rest arrives as it should."""

    lose: float = 0.0
    refuse: float = 0.0  # 500 before anything is booked
    drop: float = 0.0  # booked, and the answer is lost
    twice: float = 0.0  # two copies at the same time
    late: float = 0.0  # a second copy, after later messages

    def draw(self, dice: random.Random) -> str | None:
        """Return what goes wrong with the next posting, or None."""
        point = dice.random()
        for name in ("lose", "refuse", "drop", "twice", "late"):
            point -= getattr(self, name)
            if point < 0:
                return name
        return None


STORM = Weather(lose=0.05, refuse=0.05, drop=0.06, twice=0.04, late=0.04)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers are killed here on purpose."""


class Network:
    """A proxy on this computer. `faults` are used up first, then the weather decides."""

    def __init__(
        self,
        upstream: str,
        *,
        weather: Weather | None = None,
        seed: int = 0,
        faults: Sequence[str] = (),
        strikes: Callable[[bytes], bool] = lambda _body: True,
    ) -> None:
        self.faults = list(faults)
        self._strikes = strikes  # which writes are meant, where questions are writes too
        self.struck: Counter[str] = Counter()
        self.heard = self.delivered = 0
        self._upstream = httpx.URL(upstream)
        self._weather, self._dice = weather or Weather(), random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=60, verify=trusted(), trust_env=False)
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _go(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                network._handle(self, body)

            do_POST = do_PUT = do_DELETE = do_PATCH = do_GET = _go

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        host, port = self._server.server_address[:2]
        self.address = f"http://{host!s}:{port}{self._upstream.path}".rstrip("/")
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def clear(self) -> None:
        """Let everything through from now on."""
        self._weather = Weather()

    def stop(self) -> None:
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def _fault(self) -> str | None:
        with self._lock:
            found = self.faults.pop(0) if self.faults else self._weather.draw(self._dice)
            if found is not None:
                self.struck[found] += 1
        return found

    def _pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> httpx.Response:
        self.delivered += handler.command in WRITES and self._strikes(body)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in HOP}
        url = self._upstream.copy_with(raw_path=handler.path.encode())
        return self._client.request(handler.command, url, content=body, headers=headers)

    def _handle(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.heard += 1
        meant = handler.command in WRITES and self._strikes(body)
        fault = self._fault() if meant else None
        try:
            answer = self._struck(handler, body, fault)
        except httpx.HTTPError:  # the ERP is away: so is whoever calls through here
            answer = None
        if answer is None:
            handler.close_connection = True
            with suppress(OSError):
                handler.connection.shutdown(2)
            return
        self._give(handler, answer)

    def _struck(
        self, handler: BaseHTTPRequestHandler, body: bytes, fault: str | None
    ) -> httpx.Response | None:
        match fault:
            case "lose":
                return None
            case "refuse":
                return httpx.Response(500)
            case "throttle":
                return httpx.Response(429, headers={"retry-after": "2"})
            case "twice":
                twin = threading.Thread(target=self._quietly, args=(handler, body))
                twin.start()
                answer = self._pass_on(handler, body)
                twin.join()
                return answer
            case "late":
                threading.Thread(target=self._quietly, args=(handler, body, LATE_S)).start()
                return self._pass_on(handler, body)
            case "drop":
                self._pass_on(handler, body)
                return None
            case _:
                return self._pass_on(handler, body)

    def _quietly(self, handler: BaseHTTPRequestHandler, body: bytes, after_s: float = 0) -> None:
        time.sleep(after_s)
        with suppress(httpx.HTTPError, RuntimeError):  # nobody waits for the copy's answer
            self._pass_on(handler, body)

    def _give(self, handler: BaseHTTPRequestHandler, answer: httpx.Response) -> None:
        body: Any = answer.content
        with suppress(OSError):  # the caller may have been killed meanwhile
            handler.send_response(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name not in HOP:
                    handler.send_header(name, value)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
