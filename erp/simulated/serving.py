"""The frame every simulator stands in: log, login, throttling, transactions, its people's switches.

A maker adds its shapes: what it keeps, what it answers, and how its door says no. The frame asks
who calls before anything else, runs each request in one transaction, and `/admin/...` tells it to
open and close periods, change an order, throttle, end all tokens, or drop a reply after its commit.
That asks nobody for a password: loopback only.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.clock import now
from erp.sandbox.faults import DroppedReply
from erp.simulated.records import Records, Work

YEARS = 5
FIRST_ZONE = timedelta(hours=14)  # ahead of UTC: where a day begins first


class Gate(Protocol):
    """Who may ask."""

    def gives(self, asked: "Asked") -> Response | None:
        """Return the answer where a request asks for a token, None where it asks for more."""

    def holds(self, asked: "Asked") -> bool:
        """Return whether a request says who calls."""

    def forget(self) -> None:
        """End what was given out: whoever comes with it is a stranger."""


class Simulator(Protocol):
    """One ERP's words; `answer` runs in one transaction, and may change nothing when it refuses."""

    @property
    def gate(self) -> Gate: ...
    def door(self, status: int) -> Response:
        """Return the no of the door itself: 401 to a stranger, 429 to who comes too often."""

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one."""

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set an order's state as the ERP's own people would."""

    def answer(self, work: Work, asked: "Asked") -> Response:
        """Return the answer to one request."""


class Asked:
    """One request, read whole."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.method = request.method
        self.path = request.url.path
        self.query = dict(request.query_params)
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.cookies = request.cookies
        self.body = body
        self.base = str(request.base_url).rstrip("/")

    def json(self) -> Any:
        """Return the body's content; numbers with a point stay text of their digits.

        Raises:
            ValueError: it is no JSON.
        """
        return json.loads(self.body)

    def is_form(self) -> bool:
        """Return whether the body is a form; those that ask for a token hold a secret."""
        return "form-urlencoded" in self.headers.get("content-type", "")

    def basic(self) -> tuple[str, str] | None:
        """Return user and secret of a basic login, None where there is none."""
        kind, _, mark = self.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return None
        try:
            user, _, secret = base64.b64decode(mark).decode().partition(":")
        except ValueError:
            return None
        return user, secret

    def bearer(self) -> str | None:
        """Return the token of a bearer login, None where there is none."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


class Users:
    """A technical user with its secret, in each request."""

    def __init__(self, user: str, secret: str) -> None:
        self._login = (user, secret)

    def gives(self, asked: Asked) -> Response | None:
        return None

    def holds(self, asked: Asked) -> bool:
        return asked.basic() == self._login

    def forget(self) -> None:
        """Do nothing: a secret does not end by itself."""


class Anybody:
    """No login: an ERP without an interface that could be called."""

    def gives(self, asked: Asked) -> Response | None:
        return None

    def holds(self, asked: Asked) -> bool:
        return True

    def forget(self) -> None:
        """Do nothing: nothing is given out."""


def today() -> date:
    """Return the newest day that has begun anywhere on earth: no zone of the company is known."""
    return (now() + FIRST_ZONE).date()


def months(until: date) -> Iterator[tuple[date, date]]:
    """Yield first and last day of the months that the books have, up to the one of a day."""
    first = date(today().year - YEARS, 1, 1)
    while first <= until:
        following = (first + timedelta(days=32)).replace(day=1)
        yield first, following - timedelta(days=1)
        first = following


def moved(work: Work, key: str, change: Decimal, *, short: Callable[[Decimal], Exception]) -> None:
    """Move stock; `short` makes the refusal where less than nothing would be left."""
    left = Decimal((work.get("stock", key) or {}).get("quantity", "0")) + change
    if left < 0:
        raise short(left)
    work.put("stock", key, {"quantity": f"{left:f}"})


def json_of(asked: Asked, refuse: Callable[[int, str], Exception]) -> Any:
    """Return the content of a body that is announced as JSON; its numbers are exact."""
    if not asked.headers.get("content-type", "").startswith("application/json"):
        raise refuse(415, "The body is not announced as JSON.")
    try:
        return json.loads(asked.body, parse_float=Decimal)
    except ValueError:
        raise refuse(400, "The body is no JSON.") from None


def has_period(work: Work, on: date) -> bool | None:
    """Return whether a day's month is open; None where the books do not have it."""
    present = today()
    if not 0 <= present.year - on.year <= YEARS or f"{on:%Y-%m}" > f"{present:%Y-%m}":
        return None
    return work.get("closed_period", f"{on:%Y-%m}") is None


def _log(work: Work, asked: Asked) -> None:
    """Keep a request as it came, without its secrets."""
    headers = {name: value for name, value in asked.headers.items() if name != "authorization"}
    body = "(kept back)" if asked.is_form() else asked.body.decode("utf-8", "replace")
    query = json.dumps(asked.query)
    work.log(asked.method, asked.path, query=query, headers=json.dumps(headers), body=body)


class Frame:
    """One running simulator: its books, its maker's answers, and what its switches are set to."""

    def __init__(self, records: Records, simulator: Simulator) -> None:
        self._records, self._simulator = records, simulator
        self._drops, self._throttled, self._after_s = 0, 0, 0

    def _run(self, asked: Asked) -> tuple[Response, bool]:
        """Return the answer to a request, and whether it has changed the books."""
        with self._records.work() as work:
            _log(work, asked)
        gate = self._simulator.gate
        token = gate.gives(asked)
        if token is not None:
            return token, False
        if not gate.holds(asked):
            return self._simulator.door(401), False
        if self._throttled:
            self._throttled -= 1
            answer = self._simulator.door(429)
            answer.headers["retry-after"] = str(self._after_s)
            return answer, False
        try:
            with self._records.work() as work:
                return self._simulator.answer(work, asked), work.has_changed
        except Refusal as refusal:
            return refusal.response, False

    async def answer(self, request: Request) -> Response:
        """Answer whoever calls the ERP."""
        asked = Asked(request, await request.body())
        answer, has_changed = await run_in_threadpool(self._run, asked)
        if self._drops and has_changed and asked.method in ("POST", "PUT"):
            self._drops -= 1
            return DroppedReply()
        return answer

    async def switch(self, request: Request) -> Response:
        """Do what the ERP's own people, its network or its load would do."""
        what = request.path_params["what"]
        given = json.loads(await request.body() or b"{}")
        with self._records.work() as work:
            if what == "requests":
                return JSONResponse(work.requests())
            if what == "periods" and given["state"] == "closed":
                work.put("closed_period", given["period"], given)
            elif what == "periods":
                work.remove("closed_period", given["period"])
            elif what == "orders":
                self._simulator.change_order(work, given["id"], given["state"])
            elif what == "drop_reply":
                self._drops += int(given.get("times", 1))
            elif what == "throttle":
                self._throttled, self._after_s = int(given["times"]), int(given["after_s"])
            elif what == "end_tokens":
                self._simulator.gate.forget()
            elif what != "health":
                return JSONResponse({"detail": f"no switch {what}"}, status_code=404)
        return JSONResponse({"done": what})


def build(records: Records, simulator: Simulator) -> Starlette:
    """Return the application of a simulator."""
    frame = Frame(records, simulator)
    paths: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
        ("/admin/{what}", frame.switch),
        ("/{rest:path}", frame.answer),
    ]
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route(path, made, methods=methods) for path, made in paths])


class Refusal(Exception):
    """The ERP says no: the transaction is undone, and this is the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.status_code))
        self.response = response
