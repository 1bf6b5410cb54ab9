"""NetSuite: a message is one transaction, found again by its external id.

A posting is looked up before it is sent. As a job it carries an idempotency key: NetSuite carries
it out once and names the first job to whoever comes again. Sent at once it has no key there; then
one whose answer was lost is not sent again for as long as a request may last, 15 minutes.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from erp.adapters import checks
from erp.adapters.answers import misfit
from erp.adapters.calling import Login
from erp.adapters.netsuite import fields, mapping, queries
from erp.adapters.netsuite.mapping import RECORD_OF, NetSuitePlant, Resolved
from erp.adapters.netsuite.service import POLL_S, NetSuiteService
from erp.adapters.words import Entry, Request, Source, alone, grouped
from erp.errors import ErpUnreachable
from erp.port import (
    Accepted,
    Cursor,
    DocumentRef,
    Duplicate,
    ErpOrder,
    ErpOrderState,
    Exchange,
    Kind,
    Outcome,
    PeriodState,
    Posted,
    Posting,
    Record,
    Rejected,
    Unknown,
)
from erp.webhook import TIMEOUT_S

SAME_KEY = "IDEMPOTENCY_ERROR"
UP = "services/rest/record/v1/metadata-catalog"
TRIES = 50  # of mending a refused posting; each leaves a job that keeps its key
MASTERS: Mapping[Kind, tuple[Callable[[str | None], str], Callable[[Any, Any], Record]]] = {
    Kind.ITEM: (lambda _: queries.items(), mapping.item),
    Kind.BOM: (lambda _: queries.boms(), mapping.bom),
    Kind.ORDER: (queries.orders, mapping.order),
    Kind.CUSTOMER: (lambda _: queries.customers(), mapping.customer),
}


class NetSuiteWords:
    """One NetSuite account and one plant of it."""

    orders_over: Mapping[ErpOrderState | None, str] = {
        ErpOrderState.CLOSED: "order_closed",
        ErpOrderState.CANCELLED: "order_closed",
    }

    def __init__(
        self,
        address: str,
        *,
        login: Login,
        plant: NetSuitePlant,
        timeout_s: float = TIMEOUT_S,
        poll_s: float = POLL_S,
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self.plant = plant
        self.netsuite = NetSuiteService(address, login, timeout_s=timeout_s, poll_s=poll_s)

    def close(self) -> None:
        self.netsuite.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self.netsuite.call.ask(UP, timeout_s=timeout_s).headers

    # masters, and what a message needs of them

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        if kind not in MASTERS:
            return None
        query, build = MASTERS[kind]
        since = cursor.since.astimezone(self.plant.zone) if cursor else None
        found, pages = self.netsuite.pages(query(f"{since:%Y-%m-%d %H:%M:%S}" if since else None))
        raws = grouped(found, "product") if kind is Kind.BOM else found
        path, bodies = f"services/rest/query/v1/suiteql#{kind}", [one.body for one in pages]
        return Source(path, raws, lambda raw: build(raw, self.plant), bodies)

    def _one(self, query: str) -> dict[str, Any] | None:
        return next(iter(self.netsuite.rows(query)), None)

    def order(self, number: str) -> ErpOrder | None:
        raw = self._one(queries.order(number))
        return None if raw is None else mapping.order(raw, self.plant)

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        raw = self._one(queries.order(number))
        return None if raw is None else (mapping.order_state(raw), str(raw["status"]))

    def period(self, on: date) -> PeriodState:
        raw = self._one(queries.period(on))
        if raw is None:
            return PeriodState.MISSING
        is_shut = "T" in (raw["closed"], raw["alllocked"])
        return PeriodState.CLOSED if is_shut else PeriodState.OPEN

    def unit_of(self, item: str) -> str | None:
        raw = self._one(queries.item(item))
        return None if raw is None else str(raw.get("unit"))

    def has_lot(self, item: str, lot: str) -> bool:
        raw = self._one(queries.item(item))
        return raw is not None and self._one(queries.lot(raw["id"], lot)) is not None

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        return checks.undoing(original, self.find(original), lambda: self._undone(original))

    def undone_by(self, doc: DocumentRef) -> str | None:
        return self._undone(mapping.document_mark(doc))

    def _undone(self, mark: str) -> str | None:
        found = self._one(queries.undoing(mark))
        return f"transaction {found['id']}" if found else None

    # postings

    def _standing(
        self, posting: Posting, made: type[Posted] | type[Duplicate] = Duplicate
    ) -> Outcome | None:
        """Return what the books say of a reference already, None where nothing."""
        found, pages = self.netsuite.pages(queries.by_reference(posting.ref))
        if not found:
            return None
        return mapping.standing(found, posting.digest, pages[0]).told(posting.ref, made)

    def find(self, ref: str) -> list[DocumentRef]:
        return [mapping.document_of(row) for row in self.netsuite.rows(queries.by_reference(ref))]

    def ahead(self, posting: Posting) -> Outcome | None:
        return self._standing(posting) or checks.other_document(self, posting)

    def request(self, posting: Posting) -> Request | Outcome:
        kind = RECORD_OF[posting.lines[0].movement]
        with self.netsuite.once():
            wrong = checks.missing(self, posting)
            record = {} if wrong else mapping.record_of(posting, self._ids(posting), self.plant)
        wrong = wrong or misfit(fields.faults(record, fields.RECORDS[kind]))
        return wrong or Request(path=kind, body=mapping.to_bytes(record))

    def _ids(self, posting: Posting) -> Resolved:
        """Return the internal ids of what a message names; it is all there."""
        items, lots = [], []
        for line in posting.lines:
            items.append(self._id(queries.item(line.item)))
            lot = self._one(queries.lot(items[-1], line.lot)) if line.lot else None
            lots.append(lot["id"] if lot else None)
        period = self._id(queries.period(posting.posting_date))
        order = self._id(queries.order(posting.order.erp))
        return Resolved(period=period, order=order, items=items, lots=lots)

    def _id(self, query: str) -> str:
        found = self._one(query)
        if found is None:
            raise ErpUnreachable(self.address, "a record is gone that was there a moment ago")
        return str(found["id"])

    def send(self, posting: Posting, request: Request) -> Outcome:
        if self.plant.asynchronous:
            return self._as_job(posting, request)
        exchange, outcome = self.netsuite.write(request.path, request.body, None)
        if outcome is not None:
            return outcome
        if exchange.status not in (200, 201, 204):
            return _refused(exchange)
        return self._read_back(posting, exchange, Posted)

    def _as_job(self, posting: Posting, request: Request) -> Outcome:
        """Send with a key; where a job had it and failed, what was mended goes under the next."""
        for attempt in range(TRIES):
            key = mapping.request_key(posting, attempt)
            exchange, outcome = self.netsuite.write(request.path, request.body, key)
            if outcome is not None:
                return outcome
            is_first = exchange.status == 202
            if not is_first and mapping.error_of(exchange.body)[0] != SAME_KEY:
                return _refused(exchange)
            job = (exchange.headers.get("location") or "").rstrip("/").rpartition("/")[2]
            if not job:
                return Unknown("a job without an address", exchange)
            try:
                ended = self.netsuite.ended(job)
            except ErpUnreachable as fault:
                return Unknown(f"job {job}: {fault.why}", exchange)
            if ended is None:
                return Accepted(job, exchange)
            went_well, result = ended
            if went_well:
                return self._read_back(posting, exchange, Posted if is_first else Duplicate)
            if is_first:
                return _refused(result)
        return Rejected("too_many_tries", f"{TRIES} jobs of {posting.key} have failed.")

    def _read_back(
        self, posting: Posting, exchange: Exchange, made: type[Posted] | type[Duplicate]
    ) -> Outcome:
        """Return the transaction as the books have it now: a job's end alone proves nothing."""
        try:
            standing = self._standing(posting, made)
        except ErpUnreachable as fault:
            return Unknown(f"taken, not read back: {fault.why}", exchange)
        return standing or Unknown("taken, and not in the books", exchange)

    def accepted(self, ticket: str) -> Outcome | None:
        """Return why a job failed, None while it goes on; what it booked is found by reference."""
        try:
            ended = self.netsuite.ended(ticket)
        except ErpUnreachable:
            return None
        return None if ended is None or ended[0] else _refused(ended[1])

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        """Yield the lots that work orders moved, with their entries in the general ledger."""
        for row in self.netsuite.rows(queries.ledger(order)):
            yield f"transaction {row.get('id')}", alone(mapping.ledger_line, row, self.plant)


def _refused(exchange: Exchange) -> Rejected:
    code, detail = mapping.error_of(exchange.body)
    return Rejected(f"netsuite {code}", detail, exchange)
