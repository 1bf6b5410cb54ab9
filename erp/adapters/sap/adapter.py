"""SAP S/4HANA behind the port: all calls to its OData V2 services.

SAP keeps no key of ours unless the customer has set up the Gateway's repeatability headers, so
every posting is looked up by its reference before it is sent.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from email.utils import format_datetime
from typing import Any

from core.clock import parse_iso
from erp.adapters.calling import KeyLocks, Login, before_sending, clock_of
from erp.adapters.reading import UNREADABLE, built
from erp.adapters.sap import fields, mapping
from erp.adapters.sap.mapping import SapPlant
from erp.adapters.sap.service import DOCUMENTS, ODATA, SapService, quoted
from erp.contract import erp_ref, from_bytes
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

PRODUCTS = f"{ODATA}/API_PRODUCT_SRV"
BATCHES = f"{ODATA}/API_BATCH_SRV"
BOMS = f"{ODATA}/API_BILL_OF_MATERIAL_SRV;v=0002"
CUSTOMERS = f"{ODATA}/API_BUSINESS_PARTNER"
ITEMS = "to_MaterialDocumentItem"
# SAP's message class and number -> our code; what is not here is told by looking at the masters.
CODES = {"M7/053": "period_closed"}
NO_POSTING = (ErpOrderState.CLOSED, ErpOrderState.CANCELLED, ErpOrderState.LOCKED)


class SapErp:
    """All I/O with one S/4HANA system and one plant of it."""

    def __init__(
        self, address: str, *, login: Login, plant: SapPlant, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._plant = plant
        self._sap = SapService(address, login, client=plant.client, timeout_s=timeout_s)
        self._locks = KeyLocks()

    def close(self) -> None:
        """Give the connections back."""
        self._sap.call.close()

    def health(self) -> Health:
        """Return whether the service answers."""
        why = self._sap.call.is_up(f"{DOCUMENTS}/")
        return Health(up=why is None, detail=why or "")

    def server_time(self) -> datetime:
        """Return SAP's clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return clock_of(self.address, self._sap.ask(f"{DOCUMENTS}/").headers)

    def period(self, on: date) -> PeriodState:
        """Return unknown: the released interfaces do not tell which periods are open."""
        return PeriodState.UNKNOWN

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; collections of SAP carry no tag of their own.

        With a cursor only orders changed since then are returned; its time is SAP's.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        path, query, build = self._source(kind, cursor)
        found, bodies = self._sap.pages(path, query)
        records, faults = built(found, lambda raw: build(raw, self._plant))
        url = f"{self.address}/{path}"
        return Page(url, Validators(), records, b"\n".join(bodies), faults)

    def _source(
        self, kind: Kind, cursor: Cursor | None
    ) -> tuple[str, dict[str, str], Callable[[Mapping[str, Any], SapPlant], Record]]:
        plant = quoted(self._plant.plant)
        if kind is Kind.ORDER:
            query = f"ProductionPlant eq {plant}"
            if cursor is not None:
                # On orders the time of change is 14 characters of text, in UTC.
                query += f" and LastChangeDateTime ge {quoted(f'{cursor.since:%Y%m%d%H%M%S}')}"
            path = f"{ODATA}/{self._plant.order_service}/{self._plant.order_set}"
            return path, {"$filter": query}, mapping.order
        if kind is Kind.BOM:
            query_bom = {"$filter": f"Plant eq {plant}", "$expand": "to_BillOfMaterialItem"}
            return f"{BOMS}/MaterialBOM", query_bom, mapping.bom
        if kind is Kind.ITEM:
            return f"{PRODUCTS}/A_Product", {"$expand": "to_Description"}, mapping.item
        if kind is Kind.CUSTOMER:
            return f"{CUSTOMERS}/A_Customer", {}, mapping.customer
        raise ErpUnreachable(self.address, f"{kind}: is not read from SAP")

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or SAP does not know the order.
        """
        raw = self._raw_order(ref.erp)
        if raw is None:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            return mapping.order(raw, self._plant)
        except (KeyError, ValueError, ArithmeticError) as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    def _raw_order(self, order: str) -> dict[str, Any] | None:
        service, name = self._plant.order_service, self._plant.order_set
        return self._sap.one(f"{ODATA}/{service}/{name}({quoted(order)})")

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the lines of the documents that carry a reference."""
        headers, _ = self._found(ref)
        return list(mapping.documents_of(headers))

    def _found(self, ref: str) -> tuple[list[dict[str, Any]], Exchange]:
        query = {"$filter": f"ReferenceDocument eq {quoted(ref)}", "$expand": ITEMS}
        path = f"{DOCUMENTS}/A_MaterialDocumentHeader"
        found, bodies = self._sap.pages(path, query)
        return found, Exchange({}, 200, {}, bodies[0])

    def post(self, posting: Posting) -> Outcome:
        """Book a message, once: look it up, then send."""
        with self._locks.of(posting.ref):
            try:
                if posting.document is not None:
                    return self._undo(posting, posting.document)
                standing = self._standing(posting)
                return standing if standing is not None else self._book(posting)
            except ErpUnreachable as fault:
                return before_sending(fault)

    def _standing(self, posting: Posting) -> Outcome | None:
        """Return what the books say already of a reference, None where nothing."""
        found, exchange = self._found(posting.ref)
        if not found:
            return None
        if found[0].get("MaterialDocumentHeaderText") != mapping.digest_text(posting.digest):
            detail = f"Document {found[0]['MaterialDocument']} has {posting.ref} for other bytes."
            return Rejected("key_reused", detail, exchange)
        documents = mapping.documents_of(found)
        return Duplicate(documents, mapping.period_of(found), exchange=exchange)

    def _book(self, posting: Posting) -> Outcome:
        if posting.corrects is not None:
            refusal = self._undo_refused(posting)
            if refusal is not None:
                return refusal
            if posting.lines[0].movement != "issue":
                return self._cancel_original(posting)
        record = mapping.document(posting, self._plant)
        misfits = fields.faults(record, fields.HEADER)
        misfits += [
            f"lot {line.lot}: SAP keeps batch numbers in capitals"
            for line in posting.lines
            if line.lot and line.lot != line.lot.upper()
        ]
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        body = mapping.to_bytes(record)
        path = f"{DOCUMENTS}/A_MaterialDocumentHeader"
        exchange, outcome = self._sap.write(path, body=body, headers=self._repeat(posting))
        return outcome or self._read_answer(posting, exchange)

    def _undo_refused(self, posting: Posting) -> Rejected | None:
        """Return why a reversal cannot be booked: no original, or it is undone already."""
        assert posting.corrects is not None
        original = erp_ref(posting.corrects)
        if not self._found(original)[0]:
            return Rejected("original_unknown", f"{posting.corrects} was never posted here.")
        returns = self._items(
            f"ManufacturingOrder eq {quoted(posting.order.erp)} and GoodsMovementType eq '262'"
        )
        for item in returns:
            text = mapping.TEXT.fullmatch(item.get("MaterialDocumentItemText") or "")
            if text and text[2] == original:
                number = item["MaterialDocument"]
                return Rejected("already_reversed", f"{posting.corrects}: reversed by {number}.")
        return None

    def _items(self, query: str) -> list[dict[str, Any]]:
        path = f"{DOCUMENTS}/A_MaterialDocumentItem"
        expand = {"$filter": query, "$expand": "to_MaterialDocumentHeader"}
        return self._sap.rows(path, expand)

    def _cancel_original(self, posting: Posting) -> Outcome:
        assert posting.corrects is not None
        headers, _ = self._found(erp_ref(posting.corrects))
        document = mapping.documents_of(headers)[0]
        return self.reverse(document, posting.key, posting.posting_date)

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
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
            exchange, outcome = self._sap.write(f"{DOCUMENTS}/Cancel", query=asked)
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
        lines = [mapping.ledger_line(item, self._plant) for item in self._items(query)]
        if not lines:
            return Rejected("document_unknown", f"Document {doc.id} of {doc.year}: none.")
        booked = Counter((one.item, one.lot, one.movement, one.quantity) for one in lines)
        told = Counter((one.item, one.lot, one.movement, -one.quantity) for one in posting.lines)
        if booked != told or {one.order for one in lines} != {posting.order.erp}:
            return Rejected("reversal_differs", f"The lines do not undo document {doc.id}.")
        return self.reverse(doc, posting.key, posting.posting_date)

    def _cancelled(self, doc: DocumentRef) -> list[LedgerLine]:
        """Return the lines that cancel a document."""
        query = (
            f"ReversedMaterialDocument eq {quoted(doc.id)}"
            f" and ReversedMaterialDocumentYear eq {quoted(doc.year)}"
        )
        return [mapping.ledger_line(item, self._plant) for item in self._items(query)]

    def _repeat(self, posting: Posting) -> dict[str, str]:
        """Return the headers by which the Gateway answers a repeated request with the first."""
        if not self._plant.repeatability:
            return {}
        digest = hashlib.sha256(posting.key.encode("ascii")).digest()
        born = parse_iso(from_bytes(posting.body).data.occurred_at)
        return {
            "RequestID": uuid.UUID(bytes=digest[:16]).hex.upper(),
            "RepeatabilityCreation": format_datetime(born.replace(microsecond=0), usegmt=True),
        }

    def _read_answer(self, posting: Posting, exchange: Exchange) -> Outcome:
        if exchange.status == 201:
            try:
                made = mapping.rows(mapping.from_json(exchange.body))
                documents, period = mapping.documents_of(made), mapping.period_of(made)
            except (ValueError, KeyError, TypeError, AttributeError) as fault:
                return Unknown(f"answer not readable: {fault}", exchange)
            if made[0].get("ReferenceDocument") != posting.ref:
                return Unknown("answer is for another reference", exchange)
            return Posted(documents, period, exchange=exchange)
        code, detail = mapping.error_of(exchange.body)
        return Rejected(CODES.get(code) or self._why(posting) or f"sap {code}", detail, exchange)

    def _why(self, posting: Posting) -> str | None:
        """Return what of the order, items and lots SAP does not have, None where all is there."""
        try:
            raw = self._raw_order(posting.order.erp)
            if raw is None:
                return "order_unknown"
            if mapping.order_state(raw) in NO_POSTING:
                return "order_closed"
            for line in posting.lines:
                product = self._sap.one(f"{PRODUCTS}/A_Product({quoted(line.item)})")
                if product is None:
                    return "item_unknown"
                if self._plant.units[line.unit].code != product.get("BaseUnit"):
                    return "unit_wrong"
                if line.movement != "receipt" and not self._has_batch(line.item, line.lot or ""):
                    return "lot_unknown"
        except ErpUnreachable:
            return None
        return None

    def _has_batch(self, item: str, lot: str) -> bool:
        query = f"Material eq {quoted(item)} and Batch eq {quoted(lot)}"
        return bool(self._sap.rows(f"{BATCHES}/Batch", {"$filter": query}))

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the material documents of the plant's orders; FI documents are not read.

        Raises:
            ErpUnreachable: no answer, or a line that cannot be read: a hole is no agreement.
        """
        which = f"eq {quoted(scope.order)}" if scope.order else "ne ''"
        query = f"Plant eq {quoted(self._plant.plant)} and ManufacturingOrder {which}"
        for item in self._items(query):
            try:
                line = mapping.ledger_line(item, self._plant)
            except UNREADABLE as fault:
                number = item.get("MaterialDocument")
                raise ErpUnreachable(
                    self.address, f"document {number} is not readable: {fault}"
                ) from fault
            if line.seq > scope.after:
                yield line
