"""What one poll of the Web Connector does: the builds that wait, then a fresh read of the masters.

Each task is a conversation: it yields a request and is handed QuickBooks' answer, also across the
Web Connector's calls.
"""

from collections.abc import Callable, Generator
from datetime import date, datetime, timedelta
from typing import Any

from qbwc_kit import ResponseSet, TaskContext
from qbwc_kit.qbxml import QBXMLRequest, Response, query
from qbwc_kit.qbxml.types import OnError

from erp.adapters.quickbooks import mapping
from erp.adapters.quickbooks.mapping import QbPlant
from erp.adapters.quickbooks.queue import Queue, Waiting
from erp.port import ErpOrderState

type Steps = Generator[QBXMLRequest | str, ResponseSet, None]

PAGE = 25  # an answer must fit into what our server takes at once
NO_POSTING = (ErpOrderState.CLOSED, ErpOrderState.CANCELLED)
ASSEMBLIES, ITEMS = "ItemInventoryAssembly", "ItemInventory"
CUSTOMERS, ORDERS, BUILDS = "Customer", "SalesOrder", "BuildAssembly"

# what is read of each kind: the rest stays in QuickBooks
WANTED = {
    ITEMS: ("FullName", "SalesDesc", "UnitOfMeasureSetRef"),
    ASSEMBLIES: ("FullName", "SalesDesc", "UnitOfMeasureSetRef", "ItemInventoryAssemblyLine"),
    CUSTOMERS: ("FullName", "CompanyName"),
    ORDERS: (
        "RefNumber", "CustomerRef", "DueDate", "IsManuallyClosed", "IsFullyInvoiced",
        "SalesOrderLineRet",
    ),
    BUILDS: (
        "TxnID", "TimeCreated", "TxnNumber", "ItemInventoryAssemblyRef", "LotNumber", "TxnDate",
        "RefNumber", "Memo", "QuantityToBuild",
    ),
}  # fmt: skip


class BuildTask:
    """One build: looked for, checked, asked for once."""

    name = "build"

    def __init__(self, waiting: Waiting, queue: Queue, plant: QbPlant) -> None:
        self._waiting = waiting
        self._queue = queue
        self._plant = plant

    def run(self, _context: TaskContext) -> Steps:
        """Look for the build and for what it needs, then ask for it."""
        waiting = self._waiting
        found = yield self._questions()
        if self._stands(found):
            return
        missing = self._missing(found)
        if missing is not None:
            self._queue.refused(waiting.ref, *missing)
            return
        self._queue.sent(waiting.ref)  # before it goes out: its answer may be lost
        answer = yield waiting.request
        self._take(answer.first(BUILDS))

    def _questions(self) -> QBXMLRequest:
        waiting = self._waiting
        number = {"RefNumber": mapping.number_of(waiting.ref)}
        item = {"FullName": waiting.item}
        asked = [
            query(BUILDS, request_id="build", extra=number, include_fields=WANTED[BUILDS]),
            query(ASSEMBLIES, request_id="item", extra=item, include_fields=WANTED[ASSEMBLIES]),
        ]
        if self._plant.orders:
            order = {"RefNumber": waiting.order}
            fields = WANTED[ORDERS]
            asked.append(query(ORDERS, request_id="order", extra=order, include_fields=fields))
        return QBXMLRequest(asked, on_error=OnError.CONTINUE, version=mapping.VERSION)

    def _stands(self, found: ResponseSet) -> bool:
        """Return whether the books have the build already; a number may be somebody else's."""
        waiting = self._waiting
        for build in _records(found, "build"):
            mark = mapping.mark_of(build)
            if mark is None or mark.ref != waiting.ref:
                continue
            if mark.digest == waiting.digest:
                self._queue.done(waiting.ref, mapping.document_of(build))
            else:
                detail = f"Build {build['TxnID']} has {waiting.ref} for other bytes."
                self._queue.refused(waiting.ref, "key_reused", detail)
            return True
        return False

    def _missing(self, found: ResponseSet) -> tuple[str, str] | None:
        waiting = self._waiting
        if self._plant.orders:
            orders = _records(found, "order")
            if not orders:
                return "order_unknown", f"Sales order {waiting.order} is not there."
            if mapping.order_state(orders[0]) in NO_POSTING:
                return "order_closed", f"Sales order {waiting.order} is closed."
        items = _records(found, "item")
        if not items:
            return "item_unknown", f"Assembly {waiting.item} is not there."
        if mapping.unit_of(items[0]) != waiting.unit:
            kept = mapping.unit_of(items[0]) or "no unit"
            return "unit_wrong", f"Assembly {waiting.item} is kept in {kept}, not {waiting.unit}."
        return None

    def _take(self, answer: Response) -> None:
        code, words = answer.status_code, answer.status_message
        if code == 0 and answer.records:
            self._queue.done(self._waiting.ref, mapping.document_of(answer.records[0]))
        elif code in mapping.IN_USE:
            self._queue.release(self._waiting.ref)
        elif not answer.ok:
            self._queue.refused(self._waiting.ref, mapping.CODES.get(code, f"qb {code}"), words)


def _records(found: ResponseSet, request_id: str) -> list[dict[str, Any]]:
    """Return the records of one question; it was answered, or the poll tries again.

    500 is the answer to a number or name that is not there, 1 to a filter that fits nothing.
    """
    answer = found.by_request_id(request_id)
    if answer is None:
        raise LookupError(f"{request_id} is not answered")
    if answer.status_code == 500:
        return []
    records: list[dict[str, Any]] = answer.raise_for_status().records
    return records


class MirrorTask:
    """All records of some kinds, page by page, kept as one whole."""

    name = "mirror"

    def __init__(
        self, queue: Queue, plant: QbPlant, *, today: date, clock: Callable[[], datetime]
    ) -> None:
        self._queue = queue
        self._plant = plant
        self._today = today
        self._clock = clock

    def run(self, _context: TaskContext) -> Steps:
        """Read every kind to its last page."""
        for kind in (ITEMS, ASSEMBLIES, CUSTOMERS, *([ORDERS] if self._plant.orders else [])):
            more = {"IncludeLineItems": True} if kind == ORDERS else None
            yield from self._read(kind, more)
        since = self._today - timedelta(days=self._plant.builds_since_days)
        window = {"TxnDateRangeFilter": {"FromTxnDate": since.isoformat()}}
        yield from self._read(BUILDS, window)

    def _read(self, kind: str, more: dict[str, Any] | None) -> Steps:
        begun, records = self._clock(), []
        request = query(
            kind, max_returned=PAGE, iterator="Start", extra=more, include_fields=WANTED[kind]
        )
        while True:
            answer = yield QBXMLRequest([request], version=mapping.VERSION)
            page = answer.first(kind).raise_for_status()
            records += page.records
            if not page.has_more:
                self._queue.mirror(kind, records, at=begun)
                return
            request.iterator, request.iterator_id = "Continue", page.iterator_id
