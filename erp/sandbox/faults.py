"""Faults on purpose: for the next n calls, or for some seconds, the sandbox behaves badly."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

type FaultKind = Literal[
    "delay", "409", "429", "500", "drop_reply", "down",
    "duplicate",  # the network delivers the message twice, at the same time
    "reorder",  # the next message, whichever it is, overtakes this one
    "schema_change",  # the signed receipt names its documents by another word
    "page_schema_change",  # a page of master data names its fields by other words
]  # fmt: skip
OF_PAGES = ("page_schema_change",)
OVERTAKEN_S = 2.0  # a message that nothing overtakes arrives after so long


@dataclass(slots=True)
class Fault:
    """One armed fault: `calls` still to spoil; `seconds` is the delay, Retry-After or down time."""

    kind: FaultKind
    calls: int
    seconds: float


class Faults:
    """The switches, shared by all threads of the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        self._down_until = 0.0
        self.booked = 0  # answers so far, so that a message can wait to be overtaken

    def count(self) -> None:
        """Note that a message was answered."""
        with self._lock:
            self.booked += 1

    def arm(self, kind: FaultKind, *, calls: int, seconds: float) -> None:
        """Spoil the next calls; `down` with seconds spoils every call for that long."""
        with self._lock:
            if kind == "down" and seconds > 0:
                self._down_until = time.monotonic() + seconds
            else:
                self._armed.append(Fault(kind, calls, seconds))

    def clear(self) -> None:
        """Behave well again."""
        with self._lock:
            self._armed.clear()
            self._down_until = 0.0

    def take(self) -> Fault | None:
        """Return the fault that spoils this posting, if one is armed."""
        with self._lock:
            return self._use(lambda fault: fault.kind not in ("down", *OF_PAGES))

    def take_page(self) -> bool:
        """Return whether this page is spoiled."""
        with self._lock:
            return self._use(lambda fault: fault.kind in OF_PAGES) is not None

    def is_down(self) -> bool:
        """Return whether this call finds nobody."""
        with self._lock:
            if time.monotonic() < self._down_until:
                return True
            return self._use(lambda fault: fault.kind == "down") is not None

    def _use(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        for fault in self._armed:
            if wanted(fault):
                fault.calls -= 1
                if fault.calls <= 0:
                    self._armed.remove(fault)
                return fault
        return None


class DroppedReply(Response):
    """Begin an answer and never end it: the server closes the connection under the caller."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head of an answer whose body never comes."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]}
        )


class DownGate:
    """In front of everything but the switches themselves."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drop the call while down."""
        is_call = scope["type"] == "http" and not scope["path"].startswith("/admin/")
        if is_call and self.faults.is_down():
            await DroppedReply()(scope, receive, send)
            return
        await self.app(scope, receive, send)
