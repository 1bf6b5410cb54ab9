"""SAP S/4HANA: what its OData V2 services are asked, and what their answers mean.

SAP keeps no key of ours unless the customer has set up the Gateway's repeatability headers, so
every posting is looked up by its reference before it is sent.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from email.utils import format_datetime
from typing import Any

from core.clock import parse_iso
from erp.adapters import checks
from erp.adapters.answers import BROKEN, misfit
from erp.adapters.calling import Login, before_sending
from erp.adapters.odata4 import quoted
from erp.adapters.sap import fields, mapping
from erp.adapters.sap.mapping import SapPlant
from erp.adapters.sap.service import DOCUMENTS, ODATA, SapService
from erp.adapters.words import Entry, Request, Source, alone
from erp.contract import erp_ref, from_bytes
from erp.errors import ErpUnreachable
from erp.port import (
    Cursor,
    DocumentRef,
    Duplicate,
    ErpOrder,
    ErpOrderState,
    Exchange,
    Kind,
    LedgerLine,
    Outcome,
    PeriodState,
    Posted,
    Posting,
    Record,
    Rejected,
    Unknown,
)
from erp.webhook import TIMEOUT_S

PRODUCTS = f"{ODATA}/API_PRODUCT_SRV"
BATCHES = f"{ODATA}/API_BATCH_SRV"
BOMS = f"{ODATA}/API_BILL_OF_MATERIAL_SRV;v=0002"
CUSTOMERS = f"{ODATA}/API_BUSINESS_PARTNER"
HEADERS = f"{DOCUMENTS}/A_MaterialDocumentHeader"
ITEMS = "to_MaterialDocumentItem"
# SAP's message class and number -> our code; what is not here is told by looking at the masters.
CODES = {"M7/053": "period_closed"}


class SapWords:
    """One S/4HANA system and one plant of it."""

    # TECO still takes postings, and what is planned is refused in SAP's own words.
    orders_over: Mapping[ErpOrderState | None, str] = dict.fromkeys(
        (ErpOrderState.CLOSED, ErpOrderState.CANCELLED, ErpOrderState.LOCKED), "order_closed"
    )

    def __init__(
        self, address: str, *, login: Login, plant: SapPlant, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self.plant = plant
        self.sap = SapService(address, login, client=plant.client, timeout_s=timeout_s)

    def close(self) -> None:
        self.sap.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self.sap.ask(f"{DOCUMENTS}/", timeout_s=timeout_s).headers

    # masters, and what a message needs of them

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        plant = quoted(self.plant.plant)
        orders = f"ProductionPlant eq {plant}"
        if cursor is not None:
            # On orders the time of change is 14 characters of text, in UTC.
            orders += f" and LastChangeDateTime ge {quoted(f'{cursor.since:%Y%m%d%H%M%S}')}"
        boms = {"$filter": f"Plant eq {plant}", "$expand": "to_BillOfMaterialItem"}
        known: Mapping[Kind, tuple[str, dict[str, str], Callable[[Any, SapPlant], Record]]] = {
            Kind.ORDER: (self._orders, {"$filter": orders}, mapping.order),
            Kind.BOM: (f"{BOMS}/MaterialBOM", boms, mapping.bom),
            Kind.ITEM: (f"{PRODUCTS}/A_Product", {"$expand": "to_Description"}, mapping.item),
            Kind.CUSTOMER: (f"{CUSTOMERS}/A_Customer", {}, mapping.customer),
        }
        if kind not in known:
            return None
        path, query, build = known[kind]
        found, bodies = self.sap.pages(path, query)
        return Source(path, found, lambda raw: build(raw, self.plant), bodies)

    @property
    def _orders(self) -> str:
        return f"{ODATA}/{self.plant.order_service}/{self.plant.order_set}"

    def _order(self, number: str) -> dict[str, Any] | None:
        return self.sap.one(f"{self._orders}({quoted(number)})")

    def order(self, number: str) -> ErpOrder | None:
        raw = self._order(number)
        return None if raw is None else mapping.order(raw, self.plant)

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        raw = self._order(number)
        state = None if raw is None else mapping.order_state(raw)
        return None if state is None else (state, str(state))

    def period(self, on: date) -> PeriodState:
        """Return unknown: the released interfaces do not tell which periods are open."""
        return PeriodState.UNKNOWN

    def unit_of(self, item: str) -> str | None:
        product = self.sap.one(f"{PRODUCTS}/A_Product({quoted(item)})")
        return None if product is None else str(product.get("BaseUnit"))

    def has_lot(self, item: str, lot: str) -> bool:
        query = f"Material eq {quoted(item)} and Batch eq {quoted(lot)}"
        return bool(self.sap.rows(f"{BATCHES}/Batch", {"$filter": query}))

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        if not self._found(original)[0]:
            return checks.original_unknown(original)
        returns = self._items(
            f"ManufacturingOrder eq {quoted(posting.order.erp)} and GoodsMovementType eq '262'"
        )
        for item in returns:
            text = mapping.TEXT.fullmatch(item.get("MaterialDocumentItemText") or "")
            if text and text[2] == original:
                return checks.already_reversed(original, f"document {item['MaterialDocument']}")
        return None

    # postings

    def _found(self, ref: str) -> tuple[list[dict[str, Any]], Exchange]:
        query = {"$filter": f"ReferenceDocument eq {quoted(ref)}", "$expand": ITEMS}
        found, bodies = self.sap.pages(HEADERS, query)
        return found, Exchange({}, 200, {}, bodies[0])

    def _items(self, query: str) -> list[dict[str, Any]]:
        path = f"{DOCUMENTS}/A_MaterialDocumentItem"
        expand = {"$filter": query, "$expand": "to_MaterialDocumentHeader"}
        return self.sap.rows(path, expand)

    def find(self, ref: str) -> list[DocumentRef]:
        return list(mapping.documents_of(self._found(ref)[0]))

    def ahead(self, posting: Posting) -> Outcome | None:
        if posting.document is not None:
            return self._undo(posting, posting.document)
        found, exchange = self._found(posting.ref)
        if found:
            return mapping.standing(found, posting.digest, exchange).told(posting.ref)
        if posting.corrects is None:
            return None
        original = erp_ref(posting.corrects)
        refusal = self.undoing(original, posting)
        if refusal is not None or posting.lines[0].movement == "issue":
            return refusal
        # A receipt or scrap is undone as a document; SAP gives that one no reference of ours.
        return self.cancel(self.find(original)[0], posting.posting_date)

    def request(self, posting: Posting) -> Request | Outcome:
        record = mapping.document(posting, self.plant)
        small = [
            f"lot {line.lot}: SAP keeps batch numbers in capitals"
            for line in posting.lines
            if line.lot and line.lot != line.lot.upper()
        ]
        wrong = misfit(fields.faults(record, fields.HEADER) + small)
        body, headers = mapping.to_bytes(record), self._repeat(posting)
        return wrong or Request(path=HEADERS, body=body, headers=headers)

    def _repeat(self, posting: Posting) -> dict[str, str]:
        """Return the headers by which the Gateway answers a repeated request with the first."""
        if not self.plant.repeatability:
            return {}
        digest = hashlib.sha256(posting.key.encode("ascii")).digest()
        born = parse_iso(from_bytes(posting.body).data.occurred_at)
        return {
            "RequestID": uuid.UUID(bytes=digest[:16]).hex.upper(),
            "RepeatabilityCreation": format_datetime(born.replace(microsecond=0), usegmt=True),
        }

    def send(self, posting: Posting, request: Request) -> Outcome:
        exchange, outcome = self.sap.write(request.path, body=request.body, headers=request.headers)
        return outcome or self._read(posting, exchange)

    def _read(self, posting: Posting, exchange: Exchange) -> Outcome:
        if exchange.status != 201:
            code, words = mapping.error_of(exchange.body)
            if code in CODES:
                return Rejected(CODES[code], words, exchange)
            return checks.explained(
                self, posting, code=f"sap {code}", words=words, exchange=exchange
            )
        try:
            made = mapping.rows(mapping.from_json(exchange.body))
            documents, period = mapping.documents_of(made), mapping.period_of(made)
        except BROKEN as fault:
            return Unknown(f"answer not readable: {fault}", exchange)
        if made[0].get("ReferenceDocument") != posting.ref:
            return Unknown("answer is for another reference", exchange)
        return Posted(documents, period, exchange=exchange)

    # documents undone by their number

    def cancel(self, doc: DocumentRef, on: date) -> Outcome:
        """Cancel a whole document, once; SAP gives the cancellation no reference of ours."""
        asked = {
            "MaterialDocumentYear": quoted(doc.year),
            "MaterialDocument": quoted(doc.id),
            "PostingDate": f"datetime'{on.isoformat()}T00:00'",
        }
        try:
            done = self._cancelled(doc)
            if done:
                return Duplicate(tuple(line.document for line in done), done[0].period)
            exchange, outcome = self.sap.write(f"{DOCUMENTS}/Cancel", query=asked)
        except ErpUnreachable as fault:
            return before_sending(fault)
        if outcome is not None:
            return outcome
        if exchange.status != 200:
            code, detail = mapping.error_of(exchange.body)
            return Rejected(CODES.get(code, f"sap {code}"), detail, exchange)
        try:
            done = self._cancelled(doc)
        except ErpUnreachable as fault:
            return Unknown(f"cancelled, not read back: {fault.why}", exchange)
        if not done:
            return Unknown("the cancellation is not in the books", exchange)
        return Posted(tuple(line.document for line in done), done[0].period, exchange=exchange)

    def _undo(self, posting: Posting, doc: DocumentRef) -> Outcome:
        """Cancel a document that no message stands behind, if it is as the message says."""
        query = (
            f"MaterialDocument eq {quoted(doc.id)} and MaterialDocumentYear eq {quoted(doc.year)}"
        )
        lines = [mapping.ledger_line(item, self.plant) for item in self._items(query)]
        return checks.differs(lines, posting, doc) or self.cancel(doc, posting.posting_date)

    def _cancelled(self, doc: DocumentRef) -> list[LedgerLine]:
        """Return the lines that cancel a document."""
        query = (
            f"ReversedMaterialDocument eq {quoted(doc.id)}"
            f" and ReversedMaterialDocumentYear eq {quoted(doc.year)}"
        )
        return [mapping.ledger_line(item, self.plant) for item in self._items(query)]

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        """Yield the material documents of the plant's orders; FI documents are not read."""
        which = f"eq {quoted(order)}" if order else "ne ''"
        query = f"Plant eq {quoted(self.plant.plant)} and ManufacturingOrder {which}"
        for item in self._items(query):
            name = f"document {item.get('MaterialDocument')}"
            yield name, alone(mapping.ledger_line, item, self.plant)
