"""Dynamics 365 SCM behind the port: a message is taken at once and posted later.

The queue keeps the order of one production order's messages, tries each three times, and then
leaves it as failed. A message that was taken counts as posted when its line stands posted in the
journal. A failed one is seen where the customer's partner shows the queue as an entity; elsewhere
it stays *taken, not posted*, and is never sent again by itself.
"""

import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from erp.adapters.calling import KeyLocks, Login, before_sending, clock_of, common
from erp.adapters.dynamics import fields, mapping
from erp.adapters.dynamics.mapping import PICKINGS, RECEIPTS, DynamicsPlant, Place
from erp.adapters.odata4 import OData4, quoted
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
    Rejected,
    Retry,
    Scope,
    Unknown,
    Validators,
)
from erp.webhook import TIMEOUT_S

SEND = "api/services/SysMessageServices/SysMessageService/SendMessage"
PATIENCE_S, POLL_S = 5.0, 1.0
PERIODS = {"Open": PeriodState.OPEN}


class DynamicsErp:
    """All I/O with one legal entity of Dynamics."""

    def __init__(
        self,
        address: str,
        *,
        login: Login,
        plant: DynamicsPlant,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        poll_s: float = POLL_S,
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._plant = plant
        self._odata = OData4(address, login, timeout_s=timeout_s)
        self._locks = KeyLocks()
        self._patience_s, self._poll_s = patience_s, poll_s

    def close(self) -> None:
        """Give the connections back."""
        self._odata.call.close()

    def health(self) -> Health:
        """Return whether the environment answers."""
        why = self._odata.call.is_up("data")
        return Health(up=why is None, detail=why or "")

    def server_time(self) -> datetime:
        """Return Dynamics' clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return clock_of(self.address, self._odata.call.ask("data").headers)

    def period(self, on: date) -> PeriodState:
        """Return whether a date's period is open, where the partner's entity tells.

        Raises:
            ErpUnreachable: no answer.
        """
        if self._plant.periods is None:
            return PeriodState.UNKNOWN
        day = on.isoformat()
        found = self._rows(self._plant.periods, f"StartDate le {day} and EndDate ge {day}")
        if not found:
            return PeriodState.MISSING
        return PERIODS.get(str(found[0].get("PeriodStatus")), PeriodState.CLOSED)

    def _rows(self, entity: str, query: str = "") -> list[dict[str, Any]]:
        return self._odata.rows(f"data/{entity}", self._query(query))

    def _query(self, query: str) -> dict[str, str]:
        mine = f"dataAreaId eq {quoted(self._plant.company)}"
        both = f"{mine} and {query}" if query else mine
        return {"cross-company": "true", "$filter": both}

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; lists carry no tag of their own.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        plant, more = self._plant, list[bytes]()
        names = {
            Kind.ITEM: "ReleasedProductsV2",
            Kind.BOM: "BillOfMaterialsVersionsV3",
            Kind.ORDER: "ProductionOrderHeaders",
            Kind.CUSTOMER: "CustomersV3",
        }
        if kind not in names:
            raise ErpUnreachable(self.address, f"{kind}: is not read from Dynamics")
        found, bodies = self._odata.pages(f"data/{names[kind]}", self._query(""))
        if kind is Kind.ITEM:
            records, faults = built(found, lambda raw: mapping.item(raw, plant))
        elif kind is Kind.CUSTOMER:
            records, faults = built(found, mapping.customer)
        elif kind is Kind.ORDER:
            units = self._units()
            records, faults = built(found, lambda raw: mapping.order(raw, plant, units))
        else:
            units = self._units()
            lines, more = self._odata.pages("data/BillOfMaterialsLinesV3", self._query(""))
            active = [raw for raw in found if str(raw.get("IsActive")) == "Yes"]
            records, faults = built(
                active,
                lambda raw: mapping.bom(
                    raw["ManufacturedItemNumber"],
                    [line for line in lines if line.get("BOMId") == raw["BOMId"]],
                    plant,
                    unit=units[raw["ManufacturedItemNumber"]],
                ),
            )
        url = f"{self.address}/data/{names[kind]}"
        return Page(url, Validators(), records, b"\n".join([*bodies, *more]), faults)

    def _units(self, items: str = "") -> dict[str, str]:
        found = self._rows("ReleasedProductsV2", items)
        return {raw["ItemNumber"]: raw["InventoryUnitSymbol"] for raw in found}

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or Dynamics does not know the order.
        """
        raw = self._order(ref.erp)
        if raw is None:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            units = self._units(f"ItemNumber eq {quoted(raw['ItemNumber'])}")
            return mapping.order(raw, self._plant, units)
        except UNREADABLE as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    def _order(self, order: str) -> dict[str, Any] | None:
        query = f"ProductionOrderNumber eq {quoted(order)}"
        found = self._rows("ProductionOrderHeaders", query)
        return found[0] if found else None

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the posted lines that stand at a reference's number, or carry it as position."""
        found = []
        for journal in (PICKINGS, RECEIPTS):
            query = Place.at(journal, ref).query
            if journal == PICKINGS:  # these carry it whole, a reversal's too
                query = f"PositionNumber eq {quoted(ref)}"
            rows = self._rows(journal, query)
            found += [mapping.document_of(row, journal) for row in rows if mapping.is_posted(row)]
        return found

    def post(self, posting: Posting) -> Outcome:
        """Have a message taken, once, and wait a little for its journal."""
        with self._locks.of(posting.ref):
            try:
                standing = self._as_it_stands(posting, Duplicate)
                if isinstance(standing, Accepted):
                    return self._wait(posting, standing, Duplicate)
                return standing or self._refusal(posting) or self._send(posting)
            except ErpUnreachable as fault:
                return before_sending(fault)

    def _as_it_stands(
        self, posting: Posting, made: type[Posted] | type[Duplicate]
    ) -> Outcome | None:
        """Return what journals and queue say of a posting already, None where nothing."""
        place = Place.of(posting)
        rows = self._rows(place.journal, place.query)
        if rows:
            row = rows[0]
            if mapping.differs(row, posting, self._plant):
                detail = f"Journal {row['JournalNumber']} has {posting.ref} for something else."
                return Rejected("key_reused", detail)
            owner = row.get("PositionNumber")
            if posting.corrects is not None and owner not in (None, "", posting.ref):
                detail = f"{posting.corrects}: reversed by journal {row['JournalNumber']}."
                return Rejected("already_reversed", detail)
            if all(mapping.is_posted(one) for one in rows):
                documents = tuple(mapping.document_of(one, place.journal) for one in rows)
                return made(documents, row[mapping.DATE_OF[place.journal]][:7], exchange=_read(row))
        queued, failed = self._queue(place)
        return Accepted(_ticket(place, failed)) if rows or queued else None

    def _queue(self, place: Place) -> tuple[int, int]:
        """Return how many of a place's messages wait or went through, and how many failed."""
        states = [row["MessageState"] for row in self._messages(place)]
        failed = sum(state == "Failed" for state in states)
        return sum(state in ("Queued", "Processed") for state in states), failed

    def _messages(self, place: Place) -> list[dict[str, Any]]:
        """Return the messages of a place, as far as the partner's entity shows the queue."""
        kind = next(kind for kind, name in mapping.JOURNAL_OF.items() if name == place.journal)
        return [
            row
            for row in self._of_queue(kind)
            if any(map(place.holds, mapping.numbers_in(str(row["MessageContent"]))))
        ]

    def _of_queue(self, kind: str) -> list[dict[str, Any]]:
        if self._plant.messages is None:
            return []
        which = f"MessageQueue eq {quoted(fields.QUEUE)} and MessageType eq {quoted(kind)}"
        return self._rows(self._plant.messages, which)

    def _refusal(self, posting: Posting) -> Rejected | None:
        """Return what of a message is not there or does not take it."""
        if posting.corrects is not None and not self.find_posting(erp_ref(posting.corrects)):
            return Rejected("original_unknown", f"{posting.corrects} was never posted here.")
        period = self.period(posting.posting_date)
        if period not in (PeriodState.OPEN, PeriodState.UNKNOWN):
            late = posting.posting_date > self.server_time().date()
            code = "date_in_future" if late else f"period_{period}"
            return Rejected(code, f"{posting.posting_date}: {period}.")
        raw = self._order(posting.order.erp)
        if raw is None:
            return Rejected("order_unknown", f"Order {posting.order.erp} is not there.")
        state = mapping.STATES.get(raw["ProductionOrderStatus"])
        if state in (ErpOrderState.CLOSED, ErpOrderState.PLANNED, None):
            code = "order_closed" if state is ErpOrderState.CLOSED else "order_not_released"
            detail = f"Order {posting.order.erp} has status {raw['ProductionOrderStatus']}."
            return Rejected(code, detail)
        return self._not_there(posting)

    def _not_there(self, posting: Posting) -> Rejected | None:
        """Return which item, unit or lot is not there."""
        for line in posting.lines:
            units = self._units(f"ItemNumber eq {quoted(line.item)}")
            if line.item not in units:
                return Rejected("item_unknown", f"Item {line.item} is not there.")
            if units[line.item] != self._plant.units[line.unit].code:
                detail = f"Item {line.item} is kept in {units[line.item]}."
                return Rejected("unit_wrong", detail)
            if line.movement != "receipt" and line.lot:
                item, lot = quoted(line.item), quoted(line.lot)
                if not self._rows("ItemBatches", f"ItemNumber eq {item} and BatchNumber eq {lot}"):
                    return Rejected("lot_unknown", f"Batch {line.lot} of {line.item} is not there.")
        return None

    def _send(self, posting: Posting) -> Outcome:
        kind, content = mapping.content_of(posting, self._plant)
        misfits = fields.faults(kind, content, batch_field=self._plant.batch_field)
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        place = Place.of(posting)
        ticket = _ticket(place, self._queue(place)[1])
        if not self._has_started(posting.order.erp):
            # The queue keeps their order: nothing is posted on an order that has not started.
            _, outcome = self._take(fields.START, mapping.start_of(posting))
            if isinstance(outcome, Unknown):
                return Retry(reason=f"start of the order: {outcome.reason}")
            if outcome is not None:
                return outcome
        exchange, outcome = self._take(kind, content)
        return outcome or self._wait(posting, Accepted(ticket, exchange), Posted)

    def _has_started(self, order: str) -> bool:
        """Return whether an order has started, or a message that starts it is on its way."""
        raw = self._order(order) or {}
        if raw.get("ProductionOrderStatus") != "Released":
            return True
        waiting = [it for it in self._of_queue(fields.START) if it["MessageState"] == "Queued"]
        return any(mapping.order_in(str(it["MessageContent"])) == order for it in waiting)

    def _take(self, kind: str, content: dict[str, Any]) -> tuple[Exchange, Outcome | None]:
        """Have one message taken; the outcome is None where it was."""
        exchange, outcome = self._odata.call.send(
            "POST",
            SEND,
            body=mapping.to_bytes(kind, content, self._plant),
            headers={"content-type": "application/json"},
        )
        outcome = outcome or common(exchange)
        if outcome is None and exchange.status not in (200, 202, 204):
            words = exchange.body[:200].decode("utf-8", "replace")
            outcome = Rejected(f"dynamics {exchange.status}", words, exchange)
        return exchange, outcome

    def _wait(
        self, posting: Posting, taken: Accepted, made: type[Posted] | type[Duplicate]
    ) -> Outcome:
        """Return what became of a message that was taken, or the ticket where that takes long."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                told = self.accepted(taken.ticket)
                if isinstance(told, Posted):
                    return self._as_it_stands(posting, made) or told
            except ErpUnreachable:  # it is taken; what became of it is asked for later
                return taken
            if told is not None or time.monotonic() >= until:
                return told or taken
            time.sleep(self._poll_s)

    def accepted(self, ticket: str) -> Outcome | None:
        """Return what became of a message that was taken, None while nothing is known.

        Raises:
            ErpUnreachable: no answer.
        """
        place, failed = Place.named(ticket), ticket.rpartition("/")[2]
        journal = place.journal
        rows = self._rows(journal, place.query)
        if rows and all(map(mapping.is_posted, rows)):
            documents = tuple(mapping.document_of(row, journal) for row in rows)
            return Posted(documents, rows[0][mapping.DATE_OF[journal]][:7], exchange=_read(rows[0]))
        bad = [it for it in self._messages(place) if it["MessageState"] == "Failed"]
        if len(bad) > int(failed):
            return Rejected("dynamics failed", str(bad[-1].get("MessageInfolog") or ""))
        return None

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the posted lines of picking lists and finished goods; vouchers are not read.

        Raises:
            ErpUnreachable: no answer, or a line that cannot be read: a hole is no agreement.
        """
        which = f"ProductionOrderNumber eq {quoted(scope.order)}" if scope.order else ""
        units = self._units()
        for journal in (PICKINGS, RECEIPTS):
            for row in self._rows(journal, which):
                if not mapping.is_posted(row):
                    continue
                try:
                    unit = units[row["ItemNumber"]]
                    line = mapping.ledger_line(row, journal, self._plant, unit=unit)
                except UNREADABLE as fault:
                    number = row.get("JournalNumber")
                    raise ErpUnreachable(
                        self.address, f"journal {number} is not readable: {fault}"
                    ) from fault
                if line.seq > scope.after:
                    yield line


def _ticket(place: Place, failed: int) -> str:
    """Return what a message is asked after by: its place, and how many failed there before."""
    return f"{place.journal}/{place.low}/{failed}"


def _read(row: dict[str, Any]) -> Exchange:
    """Return the journal's line that proves a posting, as it was read."""
    return Exchange({}, 200, {}, mapping.ENCODER.encode(row))
