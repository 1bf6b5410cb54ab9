"""An ERP with a modelled OData V4 service behind the port.

The service keeps our reference as its unique key. Which error a taken key gives is not known, so
after every refusal what stands under the reference is read first.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from erp.adapters.calling import KeyLocks, Login, before_sending, clock_of, common
from erp.adapters.odata import fields, mapping
from erp.adapters.odata.mapping import ODataPlant
from erp.adapters.odata4 import OData4, error_of, from_json, quoted, to_bytes
from erp.adapters.reading import UNREADABLE, built
from erp.contract import erp_ref
from erp.errors import ErpUnreachable
from erp.port import (
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

PERIODS = {"open": PeriodState.OPEN, "closed": PeriodState.CLOSED}
MASTERS: Mapping[Kind, tuple[str, Callable[[Any, ODataPlant], Record]]] = {
    Kind.ITEM: ("items", mapping.item),
    Kind.BOM: ("bomLines", mapping.bom),
    Kind.ORDER: ("orders", mapping.order),
    Kind.CUSTOMER: ("customers", mapping.customer),
}


class ODataErp:
    """All I/O with one service; `service` is its path below the address."""

    def __init__(
        self,
        address: str,
        *,
        login: Login,
        plant: ODataPlant,
        service: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._plant = plant
        self._service = service
        self._odata = OData4(address, login, timeout_s=timeout_s, headers=headers)
        self._locks = KeyLocks()

    def close(self) -> None:
        """Give the connections back."""
        self._odata.call.close()

    def _rows(self, name: str, query: str, **more: str) -> list[dict[str, Any]]:
        return self._odata.rows(f"{self._service}/{name}", {"$filter": query, **more})

    def health(self) -> Health:
        """Return whether the service answers."""
        why = self._odata.call.is_up(f"{self._service}/periods", self._odata.headers)
        return Health(up=why is None, detail=why or "")

    def server_time(self) -> datetime:
        """Return its clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        path = f"{self._service}/periods"
        answer = self._odata.call.ask(path, {"$top": "1"}, headers=self._odata.headers)
        return clock_of(self.address, answer.headers)

    def period(self, on: date) -> PeriodState:
        """Return whether the period of a date is open.

        Raises:
            ErpUnreachable: no answer, or a state that the contract does not have.
        """
        day = on.isoformat()
        found = self._rows("periods", f"startDate le {day} and endDate ge {day}")
        if not found:
            return PeriodState.MISSING
        try:
            return PERIODS[found[0]["state"]]
        except KeyError as fault:
            raise ErpUnreachable(self.address, f"period of {day} is not readable") from fault

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; lists carry no tag of their own.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        if kind not in MASTERS:
            raise ErpUnreachable(self.address, f"{kind}: is not read from {self._plant.name}")
        name, build = MASTERS[kind]
        path = f"{self._service}/{name}"
        found, bodies = self._odata.pages(path)
        raws: list[Any] = list(found)
        if kind is Kind.BOM:
            by_product: dict[str, list[Any]] = {}
            for raw in found:
                by_product.setdefault(str(raw.get("parentItemNumber")), []).append(raw)
            raws = list(by_product.values())
        records, faults = built(raws, lambda raw: build(raw, self._plant))
        return Page(f"{self.address}/{path}", Validators(), records, b"\n".join(bodies), faults)

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or the order is not known there.
        """
        found = self._rows("orders", f"orderNumber eq {quoted(ref.erp)}")
        if not found:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            return mapping.order(found[0], self._plant)
        except UNREADABLE as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the transaction that a reference made."""
        return [mapping.document_of(raw) for raw in self._standing(ref)[0]]

    def _standing(self, ref: str) -> tuple[list[dict[str, Any]], Exchange]:
        query = {"$filter": f"reference eq {quoted(ref)}"}
        found, bodies = self._odata.pages(f"{self._service}/postings", query)
        return found, Exchange({}, 200, {}, bodies[0])

    def post(self, posting: Posting) -> Outcome:
        """Book a message, once: its reference is the key of the set that posts."""
        record = mapping.posting_record(posting, self._plant)
        misfits = fields.faults(record)
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        with self._locks.of(posting.ref):
            try:
                exchange, outcome = self._odata.call.send(
                    "POST",
                    f"{self._service}/postings",
                    body=to_bytes(record),
                    headers={"content-type": "application/json", **self._odata.headers},
                )
            except ErpUnreachable as fault:
                return before_sending(fault)
            outcome = outcome or common(exchange)
            if outcome is not None:
                return outcome
            if exchange.status == 201:
                return self._posted(posting.ref, exchange)
            return self._refused(posting, exchange)

    def _posted(self, ref: str, exchange: Exchange) -> Outcome:
        try:
            made = from_json(exchange.body)
            document, period = mapping.document_of(made), made["postingDate"][:7]
            answered = made["reference"]
        except (ValueError, KeyError, TypeError) as fault:
            return Unknown(f"answer not readable: {fault}", exchange)
        if answered != ref:
            return Unknown("answer is for another reference", exchange)
        return Posted((document,), period, exchange=exchange)

    def _refused(self, posting: Posting, exchange: Exchange) -> Outcome:
        """Return what a refusal means: the reference stands already, or something is not there."""
        code, words = error_of(exchange.body)
        try:
            found, read = self._standing(posting.ref)
            if not found:
                return Rejected(self._why(posting) or f"odata {code}", words, exchange)
            if found[0]["digest"] != posting.digest:
                detail = f"{found[0]['entryNumber']} has {posting.ref} for other bytes."
                return Rejected("key_reused", detail, read)
            document = mapping.document_of(found[0])
            return Duplicate((document,), found[0]["postingDate"][:7], exchange=read)
        except (ErpUnreachable, *UNREADABLE) as fault:
            # Refused for a reason that cannot be told from a key that is taken.
            return Unknown(f"{code} {words} ({fault})", exchange)

    def _why(self, posting: Posting) -> str | None:
        """Return what of date, original, order, item and lot is not there, None if all is."""
        period = self.period(posting.posting_date)
        if period is not PeriodState.OPEN:
            return f"period_{period}"
        if posting.corrects is not None:
            original = quoted(erp_ref(posting.corrects))
            if not self._rows("postings", f"reference eq {original}"):
                return "original_unknown"
            if self._rows("postings", f"corrects eq {original}"):
                return "already_reversed"
        orders = self._rows("orders", f"orderNumber eq {quoted(posting.order.erp)}")
        if not orders:
            return "order_unknown"
        if mapping.STATES.get(orders[0]["state"]) is not ErpOrderState.RELEASED:
            return "order_closed"
        [line] = posting.lines
        items = self._rows("items", f"itemNumber eq {quoted(line.item)}")
        if not items:
            return "item_unknown"
        if items[0]["unitCode"] != self._plant.units[line.unit].code:
            return "unit_wrong"
        lot = f"itemNumber eq {quoted(line.item)} and lotNumber eq {quoted(line.lot or '')}"
        known = line.movement == "receipt" or self._rows("lots", lot)
        return None if known else "lot_unknown"

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the inventory transactions of orders.

        Raises:
            ErpUnreachable: no answer, or one that cannot be read: a hole is no agreement.
        """
        which = f"eq {quoted(scope.order)}" if scope.order else "ne ''"
        query = f"orderNumber {which} and entryNumber gt {scope.after}"
        for raw in self._rows("entries", query):
            try:
                line = mapping.ledger_line(raw, self._plant)
            except UNREADABLE as fault:
                number = raw.get("entryNumber")
                raise ErpUnreachable(
                    self.address, f"entry {number} is not readable: {fault}"
                ) from fault
            yield line
