"""Sage X3: every question and every posting is a run of a published subprogram.

The subprogram that posts keeps our reference as its unique key and the message's SHA-256 beside it,
so a request that comes twice is told what stands.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from erp.adapters import checks
from erp.adapters.answers import BROKEN, misfit, sent
from erp.adapters.calling import Caller, Login
from erp.adapters.sage_x3 import fields, mapping, soap
from erp.adapters.sage_x3.mapping import X3Plant
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
    Posted,
    Posting,
    Record,
    Rejected,
    Unknown,
)
from erp.webhook import TIMEOUT_S

POSTED, KNOWN, REFUSED = "1", "2", "0"  # O_STAT
MASTERS: Mapping[Kind, tuple[str, Callable[[Any, X3Plant], Record]]] = {
    Kind.ITEM: ("item", mapping.item),
    Kind.BOM: ("bom", mapping.bom),
    Kind.ORDER: ("order", mapping.order),
    Kind.CUSTOMER: ("customer", mapping.customer),
}


class X3Words:
    """One folder of X3 and one site of it."""

    # One that is planned is refused in X3's own words: which states take postings is its menu's.
    orders_over: Mapping[ErpOrderState | None, str] = {ErpOrderState.CLOSED: "order_closed"}

    def __init__(
        self, address: str, *, login: Login, plant: X3Plant, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self.plant = plant
        self.call = Caller(address, login, timeout_s=timeout_s)

    def close(self) -> None:
        self.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self._ask("item", key="-", timeout_s=timeout_s)[1].headers

    # questions

    def _body(self, name: str, given: Mapping[str, str]) -> bytes:
        return soap.envelope(name, given, pool=self.plant.pool, language=self.plant.language)

    def _ask(
        self,
        kind: str,
        *,
        key: str,
        after: str = "",
        lot: str = "",
        timeout_s: float | None = None,
    ) -> tuple[Mapping[str, Any], Exchange]:
        given = {"I_KIND": kind, "I_FCY": self.plant.site, "I_KEY": key, "I_LOT": lot}
        body, where = self._body(self.plant.read, given | {"I_AFTER": after}), self.plant.read
        exchange = self.call.question(soap.PATH, body, headers=soap.HEADERS, timeout_s=timeout_s)
        try:
            answer = soap.answer_of(exchange.body)
        except ValueError as fault:
            raise ErpUnreachable(self.address, f"no answer of {where} {kind}: {fault}") from fault
        if answer.status != soap.DONE:
            raise ErpUnreachable(self.address, f"{where} {kind} says: {answer.words}")
        return answer.result, exchange

    def _lines(self, kind: str, *, key: str = "", lot: str = "") -> list[dict[str, Any]]:
        """Return all lines of a kind, page by page.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            result, _ = self._ask(kind, key=key, after=after, lot=lot)
            try:
                found += result["GRP3"]
                after = result["GRP2"]["O_NEXT"]
            except (KeyError, TypeError) as fault:
                raise ErpUnreachable(self.address, f"no page of {kind}") from fault
            if not after:
                return found

    # masters, and what a message needs of them

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        if kind not in MASTERS:
            return None
        name, build = MASTERS[kind]
        found = self._lines(name)
        raws = grouped(found, "ITMREF") if kind is Kind.BOM else found
        return Source(f"{soap.PATH}#{name}", raws, lambda raw: build(raw, self.plant))

    def order(self, number: str) -> ErpOrder | None:
        found = self._lines("order", key=number)
        return mapping.order(found[0], self.plant) if found else None

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        found = self._lines("order", key=number)
        state = str(found[0]["MFGSTA"]) if found else ""
        return (mapping.STATES.get(state), state) if found else None

    def period(self, on: date) -> PeriodState:
        """Return whether the period of a date is open in the site's company."""
        found = self._lines("period", key=f"{on:%Y%m%d}")
        if not found:
            return PeriodState.MISSING
        try:
            return mapping.PERIODS[str(found[0]["PERSTA"])]
        except KeyError as fault:
            raise ErpUnreachable(self.address, f"period of {on} is not readable") from fault

    def unit_of(self, item: str) -> str | None:
        found = self._lines("item", key=item)
        return str(found[0]["STU"]) if found else None

    def has_lot(self, item: str, lot: str) -> bool:
        return bool(self._lines("lot", key=item, lot=lot))

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        return checks.undoing(
            original, self.find(original), lambda: self._undone("reversal", original)
        )

    def undone_by(self, doc: DocumentRef) -> str | None:
        return self._undone("undoing", doc.id)

    def _undone(self, field: str, value: str) -> str | None:
        found = self._lines(field, key=value)
        return f"tracking {found[0]['VCRNUM']}" if found else None

    # postings

    def find(self, ref: str) -> list[DocumentRef]:
        return [mapping.document_of(line) for line in self._lines("posting", key=ref)]

    def ahead(self, posting: Posting) -> Outcome | None:
        return checks.other_document(self, posting)  # the reference is the subprogram's own key

    def request(self, posting: Posting) -> Request | Outcome:
        given = mapping.posting_parameters(posting, self.plant)
        body = self._body(self.plant.post, given)
        wrong = misfit(fields.faults(given))
        return wrong or Request(path=soap.PATH, body=body, headers=soap.HEADERS)

    def send(self, posting: Posting, request: Request) -> Outcome:
        return sent(self.call, request, partial(self._read, posting))

    def _read(self, posting: Posting, exchange: Exchange) -> Outcome:
        try:
            answer = soap.answer_of(exchange.body)
            if answer.status != soap.DONE:
                return Unknown(f"the subprogram did not run: {answer.words}", exchange)
            told = answer.result["GRP2"]
            state = str(told["O_STAT"])
            standing = None if state == REFUSED else mapping.standing(told, posting.digest)
        except BROKEN as fault:
            return Unknown(f"answer not readable: {fault}", exchange)
        if standing is None:
            code, words = f"x3 {told.get('O_CODE', '')}", str(told.get("O_MSG", ""))
            return checks.explained(self, posting, code=code, words=words, exchange=exchange)
        if told.get("O_REF") != posting.ref:
            return Unknown("answer is for another reference", exchange)
        if state == POSTED:
            return Posted(standing.documents, standing.period, exchange=exchange)
        return replace(standing, exchange=exchange).told(posting.ref)

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        """Yield the stock journal of the site's work orders, with the accounting document."""
        for raw in self._lines("entry", key=order or ""):
            yield f"journal {raw.get('VCRNUM')}", alone(mapping.ledger_line, raw, self.plant)
