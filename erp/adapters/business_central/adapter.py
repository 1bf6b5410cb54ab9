"""Business Central behind the port: all calls to its OData V4 pages.

The page that posts keeps our reference as its unique key, so a request that comes twice is refused
the second time; what stands is then read and compared.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from core.clock import now
from erp.adapters.business_central import fields, mapping
from erp.adapters.business_central.mapping import BcPlant
from erp.adapters.business_central.service import BcService
from erp.adapters.calling import KeyLocks, Login, before_sending, clock_of, common
from erp.adapters.odata4 import error_of, from_json, quoted, to_bytes
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
    Rejected,
    Retry,
    Scope,
    Unknown,
    Validators,
)
from erp.webhook import TIMEOUT_S

STANDARD, ANALYTICS = "v2.0", "microsoft/analytics/v1.0"
SAME_KEY, CHANGED = "Internal_EntityWithSameKeyExists", "Request_EntityChanged"
DOCUMENTS_A_QUESTION = 40  # an address has its limits


class BcErp:
    """All I/O with one company; `address` is that of the environment."""

    def __init__(
        self, address: str, *, login: Login, plant: BcPlant, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._plant = plant
        self._bc = BcService(address, login, company=plant.company, timeout_s=timeout_s)
        self._locks = KeyLocks()

    def close(self) -> None:
        """Give the connections back."""
        self._bc.call.close()

    def health(self) -> Health:
        """Return whether the company answers."""
        why = self._bc.call.is_up(self._bc.path(STANDARD))
        return Health(up=why is None, detail=why or "")

    def server_time(self) -> datetime:
        """Return its clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return clock_of(self.address, self._bc.call.ask(self._bc.path(STANDARD)).headers)

    def period(self, on: date) -> PeriodState:
        """Return whether a date may be posted on, by the company's range and its periods.

        Inventory periods and ranges of single users are on no published page; the posting itself
        is refused there.

        Raises:
            ErpUnreachable: no answer.
        """
        day = on.isoformat()
        query = {"$filter": f"startingDate le {day}", "$top": "1"}
        if not self._bc.rows(self._bc.path(STANDARD, "accountingPeriods"), query):
            return PeriodState.MISSING
        for setup in self._bc.rows(self._bc.path(STANDARD, "generalLedgerSetups")):
            first, last = setup["allowPostingFrom"], setup["allowPostingTo"]
            if day < first or (last != fields.NO_DATE and day > last):
                return PeriodState.CLOSED
        return PeriodState.OPEN

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; lists carry no tag of their own.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        plant = self._plant
        if kind is Kind.ITEM:
            path = self._bc.path(STANDARD, "items")
            return self._page(path, [], lambda raw: mapping.item(raw, plant))
        if kind is Kind.CUSTOMER:
            path = self._bc.path(STANDARD, "customers")
            return self._page(path, [], lambda raw: mapping.customer(raw, plant))
        if kind is Kind.ORDER:
            path, units = self._bc.path(ANALYTICS, "manufacturingProductionOrders"), self._units()
            return self._page(path, [], lambda raw: mapping.order(raw, plant, units))
        if kind is Kind.BOM:
            path = self._bc.path(plant.pages, "productionBomLines")
            return self._page(path, ["parentItemNumber"], lambda raw: mapping.bom(raw, plant))
        raise ErpUnreachable(self.address, f"{kind}: is not read from Business Central")

    def _page(self, path: str, by: list[str], build: Any) -> Page:
        """Return the records of a page; lines with the same values of `by` are one record."""
        found, bodies = self._bc.pages(path)
        raws: list[Any] = list(found)
        if by:
            groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
            for raw in found:
                groups.setdefault(tuple(raw.get(name) for name in by), []).append(raw)
            raws = list(groups.values())
        records, faults = built(raws, build)
        return Page(f"{self.address}/{path}", Validators(), records, b"\n".join(bodies), faults)

    def _units(self, item: str | None = None) -> dict[str, str]:
        query = {"$select": "number,baseUnitOfMeasureCode"}
        if item is not None:
            query["$filter"] = f"number eq {quoted(item)}"
        found = self._bc.rows(self._bc.path(STANDARD, "items"), query)
        return {raw["number"]: raw["baseUnitOfMeasureCode"] for raw in found}

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or the order is not known there.
        """
        raw = self._raw_order(ref.erp)
        if raw is None:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            return mapping.order(raw, self._plant, self._units(raw["sourceNo"]))
        except (KeyError, ValueError, ArithmeticError) as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    def _raw_order(self, order: str) -> dict[str, Any] | None:
        path = self._bc.path(ANALYTICS, "manufacturingProductionOrders")
        found = self._bc.rows(path, {"$filter": f"no eq {quoted(order)}"})
        # The key is status and number: a number may stand twice, and what is released counts.
        found.sort(key=lambda raw: raw.get("status") != "Released")
        return found[0] if found else None

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the entry that a reference made."""
        return [mapping.document_of(raw) for raw in self._standing(ref)[0]]

    def _standing(self, ref: str) -> tuple[list[dict[str, Any]], Exchange]:
        path = self._bc.path(self._plant.pages, "postings")
        found, bodies = self._bc.pages(path, {"$filter": f"reference eq {quoted(ref)}"})
        return found, Exchange({}, 200, {}, bodies[0])

    def post(self, posting: Posting) -> Outcome:
        """Book a message, once: its reference is the key of the page that posts."""
        with self._locks.of(posting.ref):
            try:
                return self._book(posting)
            except ErpUnreachable as fault:
                return before_sending(fault)

    def _book(self, posting: Posting) -> Outcome:
        record = mapping.posting_record(posting, self._plant)
        misfits = fields.faults(record)
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        exchange, outcome = self._bc.call.send(
            "POST",
            self._bc.path(self._plant.pages, "postings"),
            body=to_bytes(record),
            headers={"content-type": "application/json"},
        )
        outcome = outcome or common(exchange)
        if outcome is not None:
            return outcome
        if exchange.status == 201:
            return self._posted(posting.ref, exchange)
        code, detail = error_of(exchange.body)
        try:
            if code == SAME_KEY:
                return self._as_it_stands(posting)
            if code == CHANGED:
                return Retry(reason=detail, exchange=exchange)
            why = self._why(posting)
        except ErpUnreachable as fault:
            # It was refused; only the reason stays in the ERP's own words.
            why = None
            detail = f"{detail} ({fault.why})"
        return Rejected(why or f"bc {code}", detail, exchange)

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

    def _as_it_stands(self, posting: Posting) -> Outcome:
        """Return what the books say of a reference that is taken."""
        found, exchange = self._standing(posting.ref)
        if not found:
            return Unknown("the key is taken, and nothing is found under it", exchange)
        if found[0]["digest"] != posting.digest:
            detail = f"Entry {found[0]['entryNumber']} has {posting.ref} for other bytes."
            return Rejected("key_reused", detail, exchange)
        document = mapping.document_of(found[0])
        return Duplicate((document,), found[0]["postingDate"][:7], exchange=exchange)

    def _why(self, posting: Posting) -> str | None:
        """Return what of date, original, order, item and lot is not there, None if all is."""
        period = self.period(posting.posting_date)
        if period is not PeriodState.OPEN:
            late = period is PeriodState.CLOSED and posting.posting_date > now().date()
            return "date_in_future" if late else f"period_{period}"
        if posting.corrects is not None:
            original = erp_ref(posting.corrects)
            if not self._standing(original)[0]:
                return "original_unknown"
            path = self._bc.path(self._plant.pages, "postings")
            if self._bc.rows(path, {"$filter": f"corrects eq {quoted(original)}"}):
                return "already_reversed"
        raw = self._raw_order(posting.order.erp)
        if raw is None:
            return "order_unknown"
        if mapping.STATES.get(raw["status"]) is not ErpOrderState.RELEASED:
            return "order_closed"
        [line] = posting.lines
        units = self._units(line.item)
        if line.item not in units:
            return "item_unknown"
        if units[line.item] != self._plant.units[line.unit].code:
            return "unit_wrong"
        if line.movement != "receipt" and not self._has_lot(line.item, line.lot or ""):
            return "lot_unknown"
        return None

    def _has_lot(self, item: str, lot: str) -> bool:
        query = {"$filter": f"itemNo eq {quoted(item)} and lotNo eq {quoted(lot)}", "$top": "1"}
        return bool(self._bc.rows(self._bc.path(ANALYTICS, "itemLedgerEntries"), query))

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the item ledger entries of orders, each with the first of its G/L entries.

        Raises:
            ErpUnreachable: no answer, or an entry that cannot be read: a hole is no agreement.
        """
        which = f"eq {quoted(scope.order)}" if scope.order else "ne ''"
        query = f"orderNumber {which} and entryNumber gt {scope.after}"
        found = self._bc.rows(self._bc.path(self._plant.pages, "entries"), {"$filter": query})
        cost = self._cost([raw["documentNumber"] for raw in found])
        for raw in found:
            try:
                line = mapping.ledger_line(raw, self._plant, cost.get(raw["documentNumber"], ()))
            except UNREADABLE as fault:
                number = raw.get("entryNumber")
                raise ErpUnreachable(
                    self.address, f"entry {number} is not readable: {fault}"
                ) from fault
            yield line

    def _cost(self, documents: list[str]) -> Mapping[str, list[dict[str, Any]]]:
        """Return the general ledger's entries by document; no amount is asked for."""
        found: dict[str, list[dict[str, Any]]] = {}
        names = sorted(set(documents)) if self._plant.gl_at_once else []
        path = self._bc.path(STANDARD, "generalLedgerEntries")
        for start in range(0, len(names), DOCUMENTS_A_QUESTION):
            some = names[start : start + DOCUMENTS_A_QUESTION]
            query = " or ".join(f"documentNumber eq {quoted(name)}" for name in some)
            select = "entryNumber,postingDate,documentNumber"
            for raw in self._bc.rows(path, {"$filter": query, "$select": select}):
                found.setdefault(raw["documentNumber"], []).append(raw)
        return found
