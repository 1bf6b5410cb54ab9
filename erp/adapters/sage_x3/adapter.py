"""Sage X3 behind the port: every question and every posting is a run of a published subprogram.

The subprogram that posts keeps our reference as its unique key and the message's SHA-256 beside it,
so a request that comes twice is told what stands.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from erp.adapters.calling import (
    Caller,
    KeyLocks,
    Login,
    LoginRefused,
    Throttled,
    before_sending,
    clock_of,
    common,
)
from erp.adapters.reading import UNREADABLE, built
from erp.adapters.sage_x3 import fields, mapping, soap
from erp.adapters.sage_x3.mapping import X3Plant
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
    Retry,
    Scope,
    Unknown,
    Validators,
)
from erp.webhook import TIMEOUT_S

POSTED, KNOWN, REFUSED = "1", "2", "0"  # O_STAT
MASTERS: Mapping[Kind, tuple[str, Callable[[Any, X3Plant], Record]]] = {
    Kind.ITEM: ("item", mapping.item),
    Kind.BOM: ("bom", mapping.bom),
    Kind.ORDER: ("order", mapping.order),
    Kind.CUSTOMER: ("customer", mapping.customer),
}


class X3Erp:
    """All I/O with one folder of X3 and one site of it."""

    def __init__(
        self, address: str, *, login: Login, plant: X3Plant, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._plant = plant
        self._call = Caller(address, login, timeout_s=timeout_s)
        self._locks = KeyLocks()

    def close(self) -> None:
        """Give the connections back."""
        self._call.close()

    def health(self) -> Health:
        """Return whether the site's reading subprogram answers."""
        try:
            self._lines("item", key="-")
        except (LoginRefused, Throttled):
            return Health(up=True)
        except ErpUnreachable as fault:
            return Health(up=False, detail=fault.why)
        return Health(up=True)

    def server_time(self) -> datetime:
        """Return X3's clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return clock_of(self.address, self._ask("item", key="-", after="")[1].headers)

    def period(self, on: date) -> PeriodState:
        """Return whether the period of a date is open in the site's company.

        Raises:
            ErpUnreachable: no answer.
        """
        found = self._lines("period", key=f"{on:%Y%m%d}")
        if not found:
            return PeriodState.MISSING
        try:
            return mapping.PERIODS[str(found[0]["PERSTA"])]
        except KeyError as fault:
            raise ErpUnreachable(self.address, f"period of {on} is not readable") from fault

    # questions

    def _run(self, name: str, given: Mapping[str, str]) -> tuple[Exchange, Outcome | None]:
        body = soap.envelope(name, given, pool=self._plant.pool, language=self._plant.language)
        return self._call.send("POST", soap.PATH, body=body, headers=soap.HEADERS)

    def _ask(
        self, kind: str, *, key: str, after: str, lot: str = ""
    ) -> tuple[Mapping[str, Any], Exchange]:
        given = {"I_KIND": kind, "I_FCY": self._plant.site, "I_KEY": key, "I_LOT": lot}
        exchange, outcome = self._run(self._plant.read, given | {"I_AFTER": after})
        outcome = outcome or common(exchange)
        where = f"{self._plant.read} {kind}"
        if isinstance(outcome, Retry) and outcome.paused:
            raise LoginRefused(self.address, f"{outcome.reason} at {where}")
        if isinstance(outcome, Retry) and exchange.status is not None:
            raise Throttled(self.address, f"{outcome.reason} at {where}", outcome.after_s)
        if outcome is not None:
            raise ErpUnreachable(self.address, f"{_words(outcome)} at {where}")
        try:
            answer = soap.answer_of(exchange.body)
        except ValueError as fault:
            raise ErpUnreachable(self.address, f"no answer of {where}: {fault}") from fault
        if exchange.status != 200 or answer.status != soap.DONE:
            raise ErpUnreachable(self.address, f"{where} says: {answer.words}")
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

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; X3 gives no tags.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        if kind not in MASTERS:
            raise ErpUnreachable(self.address, f"{kind}: is not read from Sage X3")
        name, build = MASTERS[kind]
        raws: list[Any] = self._lines(name)
        if kind is Kind.BOM:
            by_product: dict[str, list[Any]] = {}
            for raw in raws:
                by_product.setdefault(str(raw.get("ITMREF")), []).append(raw)
            raws = list(by_product.values())
        records, faults = built(raws, lambda raw: build(raw, self._plant))
        url = f"{self.address}/{soap.PATH}#{name}"
        return Page(url, Validators(), records, b"", faults)

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or the order is not known there.
        """
        found = self._lines("order", key=ref.erp)
        if not found:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            return mapping.order(found[0], self._plant)
        except (KeyError, ValueError, ArithmeticError) as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the tracking that a reference made."""
        return [mapping.document_of(line) for line in self._lines("posting", key=ref)]

    def post(self, posting: Posting) -> Outcome:
        """Book a message, once: its reference is the key of the subprogram that posts."""
        given = mapping.posting_parameters(posting, self._plant)
        misfits = fields.faults(given)
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        with self._locks.of(posting.ref):
            try:
                exchange, outcome = self._run(self._plant.post, given)
            except ErpUnreachable as fault:
                return before_sending(fault)
            return outcome or common(exchange) or self._read_answer(posting, exchange)

    def _read_answer(self, posting: Posting, exchange: Exchange) -> Outcome:
        try:
            answer = soap.answer_of(exchange.body)
            if answer.status != soap.DONE:
                return Unknown(f"the subprogram did not run: {answer.words}", exchange)
            told = answer.result["GRP2"]
            state = str(told["O_STAT"])
            if state == REFUSED:
                return self._refused(posting, told, exchange)
            document, period = mapping.document_of(told), mapping.day(told["IPTDAT"])
        except (ValueError, KeyError, TypeError) as fault:
            return Unknown(f"answer not readable: {fault}", exchange)
        if told.get("O_REF") != posting.ref:
            return Unknown("answer is for another reference", exchange)
        if state == POSTED:
            return Posted((document,), f"{period:%Y-%m}", exchange=exchange)
        if told.get("O_DIG") != posting.digest:
            detail = f"Tracking {document.id} has {posting.ref} for other bytes."
            return Rejected("key_reused", detail, exchange)
        return Duplicate((document,), f"{period:%Y-%m}", exchange=exchange)

    def _refused(self, posting: Posting, told: Mapping[str, Any], exchange: Exchange) -> Outcome:
        code, words = str(told.get("O_CODE", "")), str(told.get("O_MSG", ""))
        try:
            why = self._why(posting)
        except ErpUnreachable as fault:
            why, words = None, f"{words} ({fault.why})"
        return Rejected(why or f"x3 {code}", words, exchange)

    def _why(self, posting: Posting) -> str | None:
        """Return what of date, original, order, item and lot is not there, None if all is."""
        period = self.period(posting.posting_date)
        if period is not PeriodState.OPEN:
            return f"period_{period}"
        if posting.corrects is not None:
            original = erp_ref(posting.corrects)
            if not self._lines("posting", key=original):
                return "original_unknown"
            if self._lines("reversal", key=original):
                return "already_reversed"
        found = self._lines("order", key=posting.order.erp)
        if not found:
            return "order_unknown"
        if mapping.STATES.get(str(found[0]["MFGSTA"])) is ErpOrderState.CLOSED:
            return "order_closed"
        [line] = posting.lines
        items = self._lines("item", key=line.item)
        if not items:
            return "item_unknown"
        if items[0]["STU"] != self._plant.units[line.unit].code:
            return "unit_wrong"
        known = line.movement == "receipt" or self._lines("lot", key=line.item, lot=line.lot or "")
        return None if known else "lot_unknown"

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the stock journal of the site's work orders, with the accounting document.

        Raises:
            ErpUnreachable: no answer, or a line that cannot be read: a hole is no agreement.
        """
        for raw in self._lines("entry", key=scope.order or ""):
            try:
                line = mapping.ledger_line(raw, self._plant)
            except UNREADABLE as fault:
                number = raw.get("VCRNUM")
                raise ErpUnreachable(
                    self.address, f"journal {number} is not readable: {fault}"
                ) from fault
            if line.seq > scope.after:
                yield line


def _words(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Retry | Unknown) else "the address redirects"
