"""An ERP with a modelled OData V4 service: what it is asked, and what its answers mean.

The service keeps our reference as its unique key. Which error a taken key gives is not known, so
after every refusal what stands under the reference is read first.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from erp.adapters import checks, keyed
from erp.adapters.answers import JSON_BODY, Standing, made, misfit, sent
from erp.adapters.calling import Login
from erp.adapters.odata import fields, mapping
from erp.adapters.odata.mapping import DOCUMENT, ODataPlant
from erp.adapters.odata4 import OData4, error_of, from_json, quoted, to_bytes
from erp.adapters.reading import UNREADABLE
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
    Unknown,
)
from erp.webhook import TIMEOUT_S

PERIODS = {"open": PeriodState.OPEN, "closed": PeriodState.CLOSED}
MASTERS: Mapping[Kind, tuple[str, Callable[[Any, ODataPlant], Record]]] = {
    Kind.ITEM: ("items", mapping.item),
    Kind.BOM: ("bomLines", mapping.bom),
    Kind.ORDER: ("orders", mapping.order),
    Kind.CUSTOMER: ("customers", mapping.customer),
}


class ODataWords:
    """One service; `service` is its path below the address."""

    orders_over = checks.ALL_BUT_RELEASED

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
        self.plant = plant
        self.service = service
        self.odata = OData4(address, login, timeout_s=timeout_s, headers=headers)

    def close(self) -> None:
        self.odata.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        path = f"{self.service}/periods"
        return self.odata.beat(path, {"$top": "1"}, timeout_s=timeout_s)

    def _rows(self, name: str, query: str) -> list[dict[str, Any]]:
        return self.odata.rows(f"{self.service}/{name}", {"$filter": query})

    # masters, and what a message needs of them

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        if kind not in MASTERS:
            return None
        name, build = MASTERS[kind]
        path = f"{self.service}/{name}"
        found, bodies = self.odata.pages(path)
        raws = grouped(found, "parentItemNumber") if kind is Kind.BOM else found
        return Source(path, raws, lambda raw: build(raw, self.plant), bodies)

    def _order(self, number: str) -> dict[str, Any] | None:
        return next(iter(self._rows("orders", f"orderNumber eq {quoted(number)}")), None)

    def order(self, number: str) -> ErpOrder | None:
        raw = self._order(number)
        return None if raw is None else mapping.order(raw, self.plant)

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        raw = self._order(number)
        return None if raw is None else (mapping.STATES.get(raw["state"]), str(raw["state"]))

    def period(self, on: date) -> PeriodState:
        day = on.isoformat()
        found = self._rows("periods", f"startDate le {day} and endDate ge {day}")
        if not found:
            return PeriodState.MISSING
        try:
            return PERIODS[found[0]["state"]]
        except KeyError as fault:
            raise ErpUnreachable(self.address, f"period of {day} is not readable") from fault

    def unit_of(self, item: str) -> str | None:
        found = self._rows("items", f"itemNumber eq {quoted(item)}")
        return str(found[0]["unitCode"]) if found else None

    def has_lot(self, item: str, lot: str) -> bool:
        return bool(
            self._rows("lots", f"itemNumber eq {quoted(item)} and lotNumber eq {quoted(lot)}")
        )

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        return checks.undoing(
            original, self.find(original), lambda: self._undone("corrects", original)
        )

    def undone_by(self, doc: DocumentRef) -> str | None:
        return self._undone("undoes", doc.id)

    def _undone(self, field: str, value: str) -> str | None:
        found = self._rows("postings", f"{field} eq {quoted(value)}")
        return f"transaction {found[0]['entryNumber']}" if found else None

    # postings

    def _standing(self, ref: str, digest: str = "") -> Standing | None:
        query = {"$filter": f"reference eq {quoted(ref)}"}
        found, bodies = self.odata.pages(f"{self.service}/postings", query)
        if not found:
            return None
        read = Exchange({}, 200, {}, bodies[0])
        return keyed.standing(DOCUMENT, found[0], digest=digest, exchange=read)

    def find(self, ref: str) -> list[DocumentRef]:
        standing = self._standing(ref)
        return list(standing.documents) if standing else []

    def ahead(self, posting: Posting) -> Outcome | None:
        return checks.other_document(self, posting)  # the reference is the service's own key

    def request(self, posting: Posting) -> Request | Outcome:
        record = mapping.posting_record(posting, self.plant)
        headers = {**JSON_BODY, **self.odata.headers}
        path = f"{self.service}/postings"
        wrong = misfit(fields.faults(record))
        return wrong or Request(path=path, body=to_bytes(record), headers=headers)

    def send(self, posting: Posting, request: Request) -> Outcome:
        return sent(self.odata.call, request, partial(self._read, posting))

    def _read(self, posting: Posting, exchange: Exchange) -> Outcome:
        if exchange.status == 201:
            body = exchange.body
            return made(posting.ref, exchange, lambda: keyed.answered(DOCUMENT, from_json(body)))
        code, words = error_of(exchange.body)
        try:
            standing = self._standing(posting.ref, posting.digest)
            if standing is not None:
                return standing.told(posting.ref)
            return checks.explained(
                self, posting, code=f"odata {code}", words=words, exchange=exchange
            )
        except (ErpUnreachable, *UNREADABLE) as fault:
            # Refused for a reason that cannot be told from a key that is taken.
            return Unknown(f"{code} {words} ({fault})", exchange)

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        which = f"eq {quoted(order)}" if order else "ne ''"
        query = f"orderNumber {which} and entryNumber gt {after}"
        for raw in self._rows("entries", query):
            yield f"entry {raw.get('entryNumber')}", alone(mapping.ledger_line, raw, self.plant)
