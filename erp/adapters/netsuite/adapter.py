"""NetSuite behind the port: a message is one transaction, found again by its external id.

A posting is looked up before it is sent. As a job it carries an idempotency key: NetSuite carries
it out once and names the first job to whoever comes again. Sent at once it has no key there; then
one whose answer was lost is not sent again for as long as a request may last, 15 minutes.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from erp.adapters.calling import KeyLocks, Login, before_sending, clock_of
from erp.adapters.netsuite import fields, mapping, queries
from erp.adapters.netsuite.mapping import RECORD_OF, NetSuitePlant, Resolved
from erp.adapters.netsuite.service import POLL_S, NetSuiteService
from erp.adapters.reading import UNREADABLE, built
from erp.contract import erp_ref
from erp.errors import ErpUnreachable
from erp.port import (
    Accepted,
    Cursor,
    DocumentRef,
    Duplicate,
    ErpOrder,
    ErpOrderState,
    Exchange,
    Health,
    Kind,
    LedgerLine,
    OrderRef,
    Outcome,
    Page,
    PeriodState,
    Posted,
    Posting,
    Record,
    Rejected,
    Scope,
    Unknown,
    Validators,
)
from erp.webhook import TIMEOUT_S

SAME_KEY = "IDEMPOTENCY_ERROR"
NO_POSTING = (ErpOrderState.CLOSED, ErpOrderState.CANCELLED)
TRIES = 50  # of mending a refused posting; each leaves a job that keeps its key
LEAD = timedelta(days=1)  # the account's day may have begun before the plant's


class NetSuiteErp:
    """All I/O with one NetSuite account and one plant of it."""

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
        self._plant = plant
        self._netsuite = NetSuiteService(address, login, timeout_s=timeout_s, poll_s=poll_s)
        self._locks = KeyLocks()

    def close(self) -> None:
        """Give the connections back."""
        self._netsuite.call.close()

    def health(self) -> Health:
        """Return whether the account answers."""
        why = self._netsuite.call.is_up("services/rest/record/v1/metadata-catalog")
        return Health(up=why is None, detail=why or "")

    def server_time(self) -> datetime:
        """Return NetSuite's clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return self._netsuite.clock()

    def period(self, on: date) -> PeriodState:
        """Return whether the base period of a date takes postings.

        Raises:
            ErpUnreachable: no answer.
        """
        return _state(self._netsuite.rows(queries.period(on)))

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; rows of SuiteQL carry no tag.

        With a cursor only orders changed since then are returned; its time is NetSuite's.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        plant, build = self._plant, _BUILDERS.get(kind)
        if build is None:
            raise ErpUnreachable(self.address, f"{kind}: is not read from NetSuite")
        since = cursor.since.astimezone(plant.zone) if cursor else None
        text = f"{since:%Y-%m-%d %H:%M:%S}" if since and kind is Kind.ORDER else None
        query = queries.orders(text) if kind is Kind.ORDER else _QUERIES[kind]()
        found, exchanges = self._netsuite.pages(query)
        raws: list[Any] = _grouped(found, "product") if kind is Kind.BOM else found
        records, faults = built(raws, lambda raw: build(raw, plant))
        body = b"\n".join(one.body for one in exchanges)
        url = f"{self.address}/services/rest/query/v1/suiteql#{kind}"
        return Page(url, Validators(), records, body, faults)

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or NetSuite does not know the order.
        """
        found = self._netsuite.rows(queries.order(ref.erp))
        if not found:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            return mapping.order(found[0], self._plant)
        except (KeyError, ValueError, ArithmeticError) as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the transactions that carry a reference."""
        return [mapping.document_of(row) for row in self._standing(ref)[0]]

    def _standing(self, ref: str) -> tuple[list[dict[str, Any]], Exchange]:
        found, exchanges = self._netsuite.pages(queries.by_reference(ref))
        return found, exchanges[0]

    def post(self, posting: Posting) -> Outcome:
        """Book a message, once: look it up, then send."""
        with self._locks.of(posting.ref):
            try:
                standing = self._as_it_stands(posting)
                if standing is not None:
                    return standing
                found = self._resolved(posting)
            except ErpUnreachable as fault:
                return before_sending(fault)
            return found if isinstance(found, Rejected) else self._book(posting, found)

    def _as_it_stands(
        self, posting: Posting, *, made: type[Posted] | type[Duplicate] = Duplicate
    ) -> Outcome | None:
        """Return what the books say of a reference already, None where nothing."""
        found, exchange = self._standing(posting.ref)
        if not found:
            return None
        text = mapping.MEMO.fullmatch(found[0].get("memo") or "")
        if text is None or text[3] != mapping.digest_text(posting.digest):
            detail = f"Transaction {found[0]['id']} has {posting.ref} for other bytes."
            return Rejected("key_reused", detail, exchange)
        documents = tuple(mapping.document_of(row) for row in found)
        return made(documents, found[0]["month"], exchange=exchange)

    def _resolved(self, posting: Posting) -> Resolved | Rejected:
        """Return the internal ids of what a message names, or what of it is not there."""
        periods, exchanges = self._netsuite.pages(queries.period(posting.posting_date))
        state = _state(periods)
        if state is not PeriodState.OPEN:
            return Rejected(f"period_{state}", f"{posting.posting_date}: {state}.")
        if posting.posting_date > (clock_of(self.address, exchanges[0].headers) + LEAD).date():
            return Rejected("date_in_future", f"{posting.posting_date} is ahead of the ERP's day.")
        if posting.corrects is not None:
            original = erp_ref(posting.corrects)
            if not self._standing(original)[0]:
                return Rejected("original_unknown", f"{posting.corrects} was never posted here.")
            undone = self._netsuite.rows(queries.undoing(original))
            if undone:
                detail = f"{posting.corrects}: reversed by transaction {undone[0]['id']}."
                return Rejected("already_reversed", detail)
        orders = self._netsuite.rows(queries.order(posting.order.erp))
        if not orders:
            return Rejected("order_unknown", f"Work order {posting.order.erp} is not there.")
        if mapping.order_state(orders[0]) in NO_POSTING:
            return Rejected("order_closed", f"Work order {posting.order.erp} takes nothing.")
        items, lots = [], []
        for line in posting.lines:
            items_there = self._netsuite.rows(queries.item(line.item))
            if not items_there:
                return Rejected("item_unknown", f"Item {line.item} is not there.")
            unit = items_there[0].get("unit")
            if unit != self._plant.units[line.unit].code:
                return Rejected("unit_wrong", f"Item {line.item} is kept in {unit}.")
            items.append(items_there[0]["id"])
            there = self._netsuite.rows(queries.lot(items[-1], line.lot)) if line.lot else []
            is_new = line.movement == "receipt" and line.quantity > 0
            if line.lot and not there and not is_new:
                return Rejected("lot_unknown", f"Lot {line.lot} of {line.item} is not there.")
            lots.append(there[0]["id"] if there else None)
        return Resolved(period=periods[0]["id"], order=orders[0]["id"], items=items, lots=lots)

    def _book(self, posting: Posting, found: Resolved) -> Outcome:
        kind = RECORD_OF[posting.lines[0].movement]
        record = mapping.record_of(posting, found, self._plant)
        misfits = fields.faults(record, fields.RECORDS[kind])
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        body = mapping.to_bytes(record)
        try:
            if self._plant.asynchronous:
                return self._as_job(posting, kind, body)
            exchange, outcome = self._netsuite.write(kind, body, None)
        except ErpUnreachable as fault:
            return before_sending(fault)
        if outcome is not None:
            return outcome
        if exchange.status not in (200, 201, 204):
            return _refused(exchange)
        return self._read_back(posting, exchange, Posted)

    def _as_job(self, posting: Posting, kind: str, body: bytes) -> Outcome:
        """Send with a key; where a job had it and failed, what was mended goes under the next."""
        for attempt in range(TRIES):
            key = mapping.request_key(posting, attempt)
            exchange, outcome = self._netsuite.write(kind, body, key)
            if outcome is not None:
                return outcome
            is_first = exchange.status == 202
            if not is_first and mapping.error_of(exchange.body)[0] != SAME_KEY:
                return _refused(exchange)
            job = (exchange.headers.get("location") or "").rstrip("/").rpartition("/")[2]
            if not job:
                return Unknown("a job without an address", exchange)
            try:
                ended = self._netsuite.ended(job)
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
            standing = self._as_it_stands(posting, made=made)
        except ErpUnreachable as fault:
            return Unknown(f"taken, not read back: {fault.why}", exchange)
        return standing or Unknown("taken, and not in the books", exchange)

    def accepted(self, ticket: str) -> Outcome | None:
        """Return why a job failed, None while it goes on; what it booked is found by reference."""
        try:
            ended = self._netsuite.ended(ticket)
        except ErpUnreachable:
            return None
        return None if ended is None or ended[0] else _refused(ended[1])

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the lots that work orders moved, with their entries in the general ledger.

        Raises:
            ErpUnreachable: no answer, or a row that cannot be read: a hole is no agreement.
        """
        for row in self._netsuite.rows(queries.ledger(scope.order)):
            try:
                line = mapping.ledger_line(row, self._plant)
            except UNREADABLE as fault:
                raise ErpUnreachable(
                    self.address, f"transaction {row.get('id')} is not readable: {fault}"
                ) from fault
            if line.seq > scope.after:
                yield line


def _state(periods: list[dict[str, Any]]) -> PeriodState:
    if not periods:
        return PeriodState.MISSING
    shut = "T" in (periods[0]["closed"], periods[0]["alllocked"])
    return PeriodState.CLOSED if shut else PeriodState.OPEN


def _refused(exchange: Exchange) -> Rejected:
    code, detail = mapping.error_of(exchange.body)
    return Rejected(f"netsuite {code}", detail, exchange)


def _grouped(rows: list[dict[str, Any]], by: str) -> list[list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row.get(by), []).append(row)
    return list(groups.values())


_QUERIES: Mapping[Kind, Callable[[], str]] = {
    Kind.ITEM: queries.items,
    Kind.BOM: queries.boms,
    Kind.CUSTOMER: queries.customers,
}
_BUILDERS: Mapping[Kind, Callable[[Any, NetSuitePlant], Record]] = {
    Kind.ITEM: mapping.item,
    Kind.BOM: mapping.bom,
    Kind.ORDER: mapping.order,
    Kind.CUSTOMER: mapping.customer,
}
