"""Business Central: what its OData V4 pages are asked, and what their answers mean.

The page that posts keeps our reference as its unique key, so a request that comes twice is refused
the second time; what stands is then read and compared.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from erp.adapters import checks, keyed
from erp.adapters.answers import JSON_BODY, Standing, made, misfit, sent
from erp.adapters.business_central import fields, mapping
from erp.adapters.business_central.mapping import DOCUMENT, BcPlant
from erp.adapters.business_central.service import BcService
from erp.adapters.calling import Login
from erp.adapters.odata4 import error_of, from_json, quoted, to_bytes
from erp.adapters.words import Entry, Request, Source, alone, grouped
from erp.errors import ErpUnreachable
from erp.port import (
    Cursor,
    DocumentRef,
    ErpOrder,
    ErpOrderState,
    Exchange,
    Kind,
    Outcome,
    PeriodState,
    Posting,
    Record,
    Rejected,
    Retry,
    Unknown,
)
from erp.webhook import TIMEOUT_S

STANDARD, ANALYTICS = "v2.0", "microsoft/analytics/v1.0"
ORDERS = "manufacturingProductionOrders"
SAME_KEY, CHANGED = "Internal_EntityWithSameKeyExists", "Request_EntityChanged"
DOCUMENTS_A_QUESTION = 40  # an address has its limits


class BcWords:
    """One company; `address` is that of the environment."""

    orders_over = checks.ALL_BUT_RELEASED

    def __init__(
        self, address: str, *, login: Login, plant: BcPlant, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self.plant = plant
        self.bc = BcService(address, login, company=plant.company, timeout_s=timeout_s)

    def close(self) -> None:
        self.bc.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self.bc.beat(self.bc.path(STANDARD), timeout_s=timeout_s)

    def _standard(self, page: str, **query: str) -> list[dict[str, Any]]:
        options = {f"${name}": value for name, value in query.items()}
        return self.bc.rows(self.bc.path(STANDARD, page), options)

    def _own(self, page: str, query: str) -> list[dict[str, Any]]:
        return self.bc.rows(self.bc.path(self.plant.pages, page), {"$filter": query})

    # masters, and what a message needs of them

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        plant, units = self.plant, self._units() if kind is Kind.ORDER else {}
        known: Mapping[Kind, tuple[str, str, Callable[[Any, BcPlant], Record]]] = {
            Kind.ITEM: (STANDARD, "items", mapping.item),
            Kind.CUSTOMER: (STANDARD, "customers", mapping.customer),
            Kind.ORDER: (ANALYTICS, ORDERS, partial(mapping.order, unit_of=units)),
            Kind.BOM: (plant.pages, "productionBomLines", mapping.bom),
        }
        if kind not in known:
            return None
        api, page, build = known[kind]
        path = self.bc.path(api, page)
        found, bodies = self.bc.pages(path)
        raws = grouped(found, "parentItemNumber") if kind is Kind.BOM else found
        return Source(path, raws, lambda raw: build(raw, plant), bodies)

    def _units(self, item: str | None = None) -> dict[str, str]:
        query = {"select": "number,baseUnitOfMeasureCode"}
        if item is not None:
            query["filter"] = f"number eq {quoted(item)}"
        found = self._standard("items", **query)
        return {raw["number"]: raw["baseUnitOfMeasureCode"] for raw in found}

    def _order(self, number: str) -> dict[str, Any] | None:
        path = self.bc.path(ANALYTICS, ORDERS)
        found = self.bc.rows(path, {"$filter": f"no eq {quoted(number)}"})
        # The key is status and number: a number may stand twice, and what is released counts.
        found.sort(key=lambda raw: raw.get("status") != "Released")
        return found[0] if found else None

    def order(self, number: str) -> ErpOrder | None:
        raw = self._order(number)
        if raw is None:
            return None
        return mapping.order(raw, self.plant, self._units(raw["sourceNo"]))

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        raw = self._order(number)
        status = str(raw["status"]) if raw else ""
        return (mapping.STATES.get(status), status) if raw else None

    def period(self, on: date) -> PeriodState:
        """Return whether a date may be posted on, by the company's range and its periods.

        Inventory periods and ranges of single users are on no published page; the posting itself
        is refused there.
        """
        day = on.isoformat()
        if not self._standard("accountingPeriods", filter=f"startingDate le {day}", top="1"):
            return PeriodState.MISSING
        for setup in self._standard("generalLedgerSetups"):
            first, last = setup["allowPostingFrom"], setup["allowPostingTo"]
            if day < first or (last != fields.NO_DATE and day > last):
                return PeriodState.CLOSED
        return PeriodState.OPEN

    def unit_of(self, item: str) -> str | None:
        return self._units(item).get(item)

    def has_lot(self, item: str, lot: str) -> bool:
        query = {"$filter": f"itemNo eq {quoted(item)} and lotNo eq {quoted(lot)}", "$top": "1"}
        return bool(self.bc.rows(self.bc.path(ANALYTICS, "itemLedgerEntries"), query))

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        return checks.undoing(
            original, self.find(original), lambda: self._undone("corrects", original)
        )

    def undone_by(self, doc: DocumentRef) -> str | None:
        return self._undone("undoes", doc.id)

    def _undone(self, field: str, value: str) -> str | None:
        found = self._own("postings", f"{field} eq {quoted(value)}")
        return f"entry {found[0]['entryNumber']}" if found else None

    # postings

    def _standing(self, ref: str, digest: str = "") -> Standing | None:
        path = self.bc.path(self.plant.pages, "postings")
        found, bodies = self.bc.pages(path, {"$filter": f"reference eq {quoted(ref)}"})
        read = Exchange({}, 200, {}, bodies[0])
        return keyed.standing(DOCUMENT, found[0], digest=digest, exchange=read) if found else None

    def find(self, ref: str) -> list[DocumentRef]:
        standing = self._standing(ref)
        return list(standing.documents) if standing else []

    def ahead(self, posting: Posting) -> Outcome | None:
        return checks.other_document(self, posting)  # the reference is the page's own key

    def request(self, posting: Posting) -> Request | Outcome:
        record = mapping.posting_record(posting, self.plant)
        path = self.bc.path(self.plant.pages, "postings")
        wrong = misfit(fields.faults(record))
        return wrong or Request(path=path, body=to_bytes(record), headers=JSON_BODY)

    def send(self, posting: Posting, request: Request) -> Outcome:
        return sent(self.bc.call, request, partial(self._read, posting))

    def _read(self, posting: Posting, exchange: Exchange) -> Outcome:
        if exchange.status == 201:
            body = exchange.body
            return made(posting.ref, exchange, lambda: keyed.answered(DOCUMENT, from_json(body)))
        code, words = error_of(exchange.body)
        if code == SAME_KEY:
            return self._taken(posting, exchange)
        if code == CHANGED:
            return Retry(reason=words, exchange=exchange)
        return checks.explained(self, posting, code=f"bc {code}", words=words, exchange=exchange)

    def _taken(self, posting: Posting, exchange: Exchange) -> Outcome:
        """Return what the books say of a reference that is taken."""
        try:
            standing = self._standing(posting.ref, posting.digest)
        except ErpUnreachable as fault:
            return Unknown(f"the key is taken, not read back: {fault.why}", exchange)
        if standing is None:
            return Unknown("the key is taken, and nothing is found under it", exchange)
        return standing.told(posting.ref)

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        """Yield the item ledger entries of orders, each with the first of its G/L entries."""
        which = f"eq {quoted(order)}" if order else "ne ''"
        found = self._own("entries", f"orderNumber {which} and entryNumber gt {after}")
        cost = self._cost([raw["documentNumber"] for raw in found])
        for raw in found:
            gl = cost.get(raw["documentNumber"], ())
            yield f"entry {raw.get('entryNumber')}", alone(mapping.ledger_line, raw, self.plant, gl)

    def _cost(self, documents: list[str]) -> Mapping[str, list[dict[str, Any]]]:
        """Return the general ledger's entries by document; no amount is asked for."""
        found: dict[str, list[dict[str, Any]]] = {}
        names = sorted(set(documents)) if self.plant.gl_at_once else []
        for start in range(0, len(names), DOCUMENTS_A_QUESTION):
            some = names[start : start + DOCUMENTS_A_QUESTION]
            query = " or ".join(f"documentNumber eq {quoted(name)}" for name in some)
            select = "entryNumber,postingDate,documentNumber"
            for raw in self._standard("generalLedgerEntries", filter=query, select=select):
                found.setdefault(raw["documentNumber"], []).append(raw)
        return found
