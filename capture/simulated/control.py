"""The control port of every simulated device: one plain text line in, one line out.

The crew and the kiosk's demonstration panel use it, from any process:
`send("127.0.0.1", 4712, "PLACE 1234.5")` returns `OK`; a refused line begins with `ERR`.
"""

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Callable

type Handler = Callable[[str, list[str]], str]  # (word, arguments) -> the answer line


def send(host: str, port: int, line: str, *, timeout_s: float = 5.0) -> str:
    """Return the answer to one control line.

    Raises:
        OSError: nobody listens there.
    """
    with socket.create_connection((host, port), timeout=timeout_s) as link:
        link.sendall(line.encode("ascii") + b"\n")
        with link.makefile("rb") as answer:
            return bytes(answer.readline()).decode("ascii", "replace").strip()


def wait_until_ended(*, tied: bool) -> None:
    """Return on an interrupt; `tied`, also when standard input closes, as a parent's end does."""
    with contextlib.suppress(KeyboardInterrupt):
        if tied:
            sys.stdin.buffer.read()
        else:
            threading.Event().wait()


class Listener(socketserver.ThreadingTCPServer):
    """A TCP server on a thread of its own, closed without leaving sockets behind."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]
    ) -> None:
        self._links: set[socket.socket] = set()
        super().__init__(address, handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return int(self.server_address[1])

    def process_request(self, request: object, client_address: object) -> None:
        """Remember the link, so that it can be cut."""
        assert isinstance(request, socket.socket)
        self._links.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        """Forget a link that ended."""
        assert isinstance(request, socket.socket)
        self._links.discard(request)
        super().shutdown_request(request)

    def cut_links(self) -> None:
        """End every open link, as a pulled cable would."""
        for link in list(self._links):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._links.discard(link)  # the peer was faster

    def stop(self) -> None:
        """Stop listening and end every link."""
        self.shutdown()
        self.cut_links()
        self.server_close()
        self._thread.join(timeout=5)


class ControlPort(Listener):
    """Listen for control lines and answer each with `handler`."""

    def __init__(self, host: str, port: int, handler: Handler) -> None:
        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for raw in self.rfile:
                    words = raw.decode("ascii", "replace").split()
                    if words:
                        self.wfile.write(_answer(handler, words).encode("ascii") + b"\n")

        super().__init__((host, port), Session)


def _answer(handler: Handler, words: list[str]) -> str:
    try:
        return handler(words[0].upper(), words[1:])
    except (ValueError, ArithmeticError, IndexError) as cause:
        return f"ERR {words[0]}: {cause}"
