"""The face every simulator has in common: its log of requests, and its own people's switches.

`/admin/...` opens and closes periods, changes an order, and drops replies after the commit. It asks
nobody for a password: loopback only.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import date
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


class Simulator(Protocol):
    """One ERP's words; `answer` runs in one transaction, and may change nothing when it refuses."""

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


def has_period(work: Work, on: date) -> bool | None:
    """Return whether a day's month is open; None where the books do not have it."""
    if not 0 <= now().year - on.year <= YEARS or f"{on:%Y-%m}" > f"{now():%Y-%m}":
        return None
    return work.get("closed_period", f"{on:%Y-%m}") is None


def build(records: Records, simulator: Simulator) -> Starlette:
    """Return the application of a simulator."""
    drops = 0

    def run(asked: Asked) -> Response:
        with records.work() as work:
            work.log(
                asked.method,
                asked.path,
                query=json.dumps(asked.query),
                headers=json.dumps(
                    {k: v for k, v in asked.headers.items() if k != "authorization"}
                ),
                body="(kept back)" if asked.is_form() else asked.body.decode("utf-8", "replace"),
            )
        try:
            with records.work() as work:
                return simulator.answer(work, asked)
        except Refusal as refusal:
            return refusal.response

    async def any_path(request: Request) -> Response:
        nonlocal drops
        asked = Asked(request, await request.body())
        answer = await run_in_threadpool(run, asked)
        if drops and asked.method in ("POST", "PUT"):
            drops -= 1
            return DroppedReply()
        return answer

    async def admin(request: Request) -> Response:
        nonlocal drops
        what = request.path_params["what"]
        given = json.loads(await request.body() or b"{}")
        with records.work() as work:
            if what == "requests":
                return JSONResponse(work.requests())
            if what == "periods" and given["state"] == "closed":
                work.put("closed_period", given["period"], given)
            elif what == "periods":
                work.remove("closed_period", given["period"])
            elif what == "orders":
                simulator.change_order(work, given["id"], given["state"])
            elif what == "drop_reply":
                drops += int(given.get("times", 1))
            elif what != "health":
                return JSONResponse({"detail": f"no switch {what}"}, status_code=404)
        return JSONResponse({"done": what})

    paths: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
        ("/admin/{what}", admin),
        ("/{rest:path}", any_path),
    ]
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route(path, made, methods=methods) for path, made in paths])


class Refusal(Exception):
    """The ERP says no: the transaction is undone, and this is the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.status_code))
        self.response = response
