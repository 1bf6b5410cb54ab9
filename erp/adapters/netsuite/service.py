"""One session with NetSuite: SuiteQL page by page, records sent at once or as a job."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from erp.adapters.calling import Caller, Login, common
from erp.errors import ErpUnreachable
from erp.port import Exchange, Outcome

SUITEQL = "services/rest/query/v1/suiteql"
RECORD = "services/rest/record/v1"
JOB = "services/rest/async/v1/job"
PAGE = 1000
POLL_S = 0.5
ANY = (200, 204, 400, 404, 409, 500)  # a result is the answer that the job's request got


class NetSuiteService:
    """All I/O with one account; safe to use from several threads."""

    def __init__(
        self, address: str, login: Login, *, timeout_s: float, poll_s: float = POLL_S
    ) -> None:
        self.address = address.rstrip("/")
        self.call = Caller(address, login, timeout_s=timeout_s)
        self._patience_s, self._poll_s = timeout_s, poll_s
        self._kept = threading.local()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of all pages of a question."""
        kept: dict[str, list[dict[str, Any]]] | None = getattr(self._kept, "rows", None)
        if kept is None:
            return self.pages(query)[0]
        if query not in kept:
            kept[query] = self.pages(query)[0]
        return kept[query]

    @contextmanager
    def once(self) -> Iterator[None]:
        """Ask each question of this thread once: why a posting is refused and what it refers to."""
        self._kept.rows = {}
        try:
            yield
        finally:
            self._kept.rows = None

    def pages(self, query: str) -> tuple[list[dict[str, Any]], list[Exchange]]:
        """Return the rows of all pages, and the pages as they came.

        Raises:
            ErpUnreachable: no answer, or no page; LoginRefused and Throttled are its kinds.
        """
        found: list[dict[str, Any]] = []
        exchanges = []
        while True:
            exchange = self._page(query, len(found))
            try:
                page = msgspec.json.decode(exchange.body)
                found += page["items"]
                more = page["hasMore"]
            except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError) as fault:
                raise ErpUnreachable(self.address, f"no page of rows: {fault}") from fault
            exchanges.append(exchange)
            if not more:
                return found, exchanges

    def _page(self, query: str, offset: int) -> Exchange:
        return self.call.question(
            SUITEQL,
            msgspec.json.encode({"q": query}),
            query={"limit": str(PAGE), "offset": str(offset)},
            headers={"content-type": "application/json", "prefer": "transient"},
        )

    def write(self, record: str, body: bytes, key: str | None) -> tuple[Exchange, Outcome | None]:
        """Send a new record; with a key it becomes a job that is carried out once."""
        own = {"content-type": "application/json", "x-netsuite-propertynamevalidation": "Error"}
        if key is not None:
            own |= {"prefer": "respond-async", "x-netsuite-idempotency-key": key}
        exchange, outcome = self.call.send("POST", f"{RECORD}/{record}", body=body, headers=own)
        return exchange, outcome or common(exchange)

    def ended(self, job: str) -> tuple[bool, Exchange] | None:
        """Wait a while for a job; return whether it went well, None while it goes on.

        Raises:
            ErpUnreachable: its state cannot be read.
        """
        until = time.monotonic() + self._patience_s
        while True:
            found = self._read(f"{JOB}/{job}")
            if found.get("completed"):
                break
            if time.monotonic() >= until:
                return None
            time.sleep(self._poll_s)
        task = self._task(job)
        state = self._read(f"{JOB}/{job}/task/{task}")
        answer = self.call.ask(f"{JOB}/{job}/task/{task}/result", fine=ANY)
        exchange = Exchange({}, answer.status_code, {}, answer.content)
        return state.get("progress") == "succeeded", exchange

    def _task(self, job: str) -> str:
        """Return the one task of a job: each of ours makes one record."""
        try:
            [task] = self._read(f"{JOB}/{job}/task")["items"]
            return str(task["id"])
        except (ValueError, KeyError, TypeError) as fault:
            raise ErpUnreachable(self.address, f"job {job} does not name one task") from fault

    def _read(self, path: str) -> Mapping[str, Any]:
        answer = self.call.ask(path, fine=(200,))
        try:
            found = msgspec.json.decode(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise ErpUnreachable(self.address, f"{path} is not readable: {fault}") from fault
        if not isinstance(found, dict):
            raise ErpUnreachable(self.address, f"{path} is not readable")
        return found
