"""Dynamics 365 SCM: a message is taken at once and posted later.

The queue keeps the order of one production order's messages, tries each three times, and then
leaves it as failed. A message that was taken counts as posted when its line stands posted in the
journal. A failed one is seen where the customer's partner shows the queue as an entity; elsewhere
it stays *taken, not posted*, and is never sent again by itself.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from erp.adapters import checks
from erp.adapters.answers import JSON_BODY, misfit, read_as, waited
from erp.adapters.calling import Login, common
from erp.adapters.dynamics import fields, mapping
from erp.adapters.dynamics.mapping import PICKINGS, RECEIPTS, DynamicsPlant, Place
from erp.adapters.odata4 import OData4, quoted
from erp.adapters.words import Entry, Request, Source, alone
from erp.port import (
    Accepted,
    Cursor,
    DocumentRef,
    Duplicate,
    ErpOrder,
    ErpOrderState,
    Exchange,
    Kind,
    Outcome,
    PeriodState,
    Posted,
    Posting,
    Rejected,
    Retry,
    Unknown,
)
from erp.webhook import TIMEOUT_S

SEND = "api/services/SysMessageServices/SysMessageService/SendMessage"
PATIENCE_S, POLL_S = 5.0, 1.0
PERIODS = {"Open": PeriodState.OPEN}
ENTITIES = {
    Kind.ITEM: "ReleasedProductsV2",
    Kind.BOM: "BillOfMaterialsVersionsV3",
    Kind.ORDER: "ProductionOrderHeaders",
    Kind.CUSTOMER: "CustomersV3",
}


class DynamicsWords:
    """One legal entity of Dynamics."""

    orders_over: Mapping[ErpOrderState | None, str] = {
        ErpOrderState.CLOSED: "order_closed",
        ErpOrderState.PLANNED: "order_not_released",
        None: "order_not_released",
    }

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
        self.plant = plant
        self.patience_s, self.poll_s = patience_s, poll_s
        self.odata = OData4(address, login, timeout_s=timeout_s)

    def close(self) -> None:
        self.odata.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self.odata.beat("data", timeout_s=timeout_s)

    def _rows(self, entity: str, query: str = "") -> list[dict[str, Any]]:
        return self.odata.rows(f"data/{entity}", self._query(query))

    def _query(self, query: str) -> dict[str, str]:
        mine = f"dataAreaId eq {quoted(self.plant.company)}"
        both = f"{mine} and {query}" if query else mine
        return {"cross-company": "true", "$filter": both}

    # masters, and what a message needs of them

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        if kind not in ENTITIES:
            return None
        path, plant = f"data/{ENTITIES[kind]}", self.plant
        found, bodies = self.odata.pages(path, self._query(""))
        if kind is Kind.CUSTOMER:
            return Source(path, found, mapping.customer, bodies)
        if kind is Kind.ITEM:
            return Source(path, found, lambda raw: mapping.item(raw, plant), bodies)
        units = self._units()
        if kind is Kind.ORDER:
            return Source(path, found, lambda raw: mapping.order(raw, plant, units), bodies)
        lines, more = self.odata.pages("data/BillOfMaterialsLinesV3", self._query(""))
        active = [raw for raw in found if str(raw.get("IsActive")) == "Yes"]
        return Source(
            path, active, lambda raw: mapping.bom_of(raw, lines, plant, units=units), bodies + more
        )

    def _units(self, items: str = "") -> dict[str, str]:
        found = self._rows("ReleasedProductsV2", items)
        return {raw["ItemNumber"]: raw["InventoryUnitSymbol"] for raw in found}

    def _order(self, number: str) -> dict[str, Any] | None:
        query = f"ProductionOrderNumber eq {quoted(number)}"
        return next(iter(self._rows("ProductionOrderHeaders", query)), None)

    def order(self, number: str) -> ErpOrder | None:
        raw = self._order(number)
        if raw is None:
            return None
        units = self._units(f"ItemNumber eq {quoted(raw['ItemNumber'])}")
        return mapping.order(raw, self.plant, units)

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        raw = self._order(number)
        status = str(raw["ProductionOrderStatus"]) if raw else ""
        return (mapping.STATES.get(status), status) if raw else None

    def period(self, on: date) -> PeriodState:
        """Return whether a date's period is open, where the partner's entity tells."""
        if self.plant.periods is None:
            return PeriodState.UNKNOWN
        day = on.isoformat()
        found = self._rows(self.plant.periods, f"StartDate le {day} and EndDate ge {day}")
        if not found:
            return PeriodState.MISSING
        return PERIODS.get(str(found[0].get("PeriodStatus")), PeriodState.CLOSED)

    def unit_of(self, item: str) -> str | None:
        return self._units(f"ItemNumber eq {quoted(item)}").get(item)

    def has_lot(self, item: str, lot: str) -> bool:
        query = f"ItemNumber eq {quoted(item)} and BatchNumber eq {quoted(lot)}"
        return bool(self._rows("ItemBatches", query))

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        # That it is undone already is seen at its place beside the original.
        return None if self.find(original) else checks.original_unknown(original)

    # postings

    def find(self, ref: str) -> list[DocumentRef]:
        """Return the posted lines that stand at a reference's number, or carry it as position."""
        found = []
        for journal in (PICKINGS, RECEIPTS):
            query = Place.at(journal, ref).query
            if journal == PICKINGS:  # these carry it whole, a reversal's too
                query = f"PositionNumber eq {quoted(ref)}"
            rows = self._rows(journal, query)
            found += [mapping.document_of(row, journal) for row in rows if mapping.is_posted(row)]
        return found

    def ahead(self, posting: Posting) -> Outcome | None:
        standing = self._as_it_stands(posting, Duplicate)
        if isinstance(standing, Accepted):
            return self._wait(posting, standing, Duplicate)
        return standing or checks.missing(self, posting)

    def _as_it_stands(
        self, posting: Posting, made: type[Posted] | type[Duplicate]
    ) -> Outcome | None:
        """Return what journals and queue say of a posting already, None where nothing."""
        place = Place.of(posting)
        rows = self._rows(place.journal, place.query)
        if rows:
            row = rows[0]
            if mapping.differs(row, posting, self.plant):
                detail = f"Journal {row['JournalNumber']} has {posting.ref} for something else."
                return Rejected("key_reused", detail)
            owner = row.get("PositionNumber")
            if posting.corrects is not None and owner not in (None, "", posting.ref):
                by = f"journal {row['JournalNumber']}"
                return checks.already_reversed(posting.corrects, by)
            if all(mapping.is_posted(one) for one in rows):
                documents = tuple(mapping.document_of(one, place.journal) for one in rows)
                period = row[mapping.DATE_OF[place.journal]][:7]
                return made(documents, period, exchange=read_as(row, mapping.ENCODER.encode))
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
        if self.plant.messages is None:
            return []
        which = f"MessageQueue eq {quoted(fields.QUEUE)} and MessageType eq {quoted(kind)}"
        return self._rows(self.plant.messages, which)

    def request(self, posting: Posting) -> Request | Outcome:
        kind, content = mapping.content_of(posting, self.plant)
        wrong = misfit(fields.faults(kind, content, batch_field=self.plant.batch_field))
        return wrong or self._request(kind, content)

    def _request(self, kind: str, content: dict[str, Any]) -> Request:
        body = mapping.to_bytes(kind, content, self.plant)
        return Request(path=SEND, body=body, headers=JSON_BODY)

    def send(self, posting: Posting, request: Request) -> Outcome:
        place = Place.of(posting)
        ticket = _ticket(place, self._queue(place)[1])
        if not self._has_started(posting.order.erp):
            # The queue keeps their order: nothing is posted on an order that has not started.
            start = self._request(fields.START, mapping.start_of(posting))
            _, outcome = self._take(start)
            if isinstance(outcome, Unknown):
                return Retry(reason=f"start of the order: {outcome.reason}")
            if outcome is not None:
                return outcome
        exchange, outcome = self._take(request)
        return outcome or self._wait(posting, Accepted(ticket, exchange), Posted)

    def _has_started(self, order: str) -> bool:
        """Return whether an order has started, or a message that starts it is on its way."""
        raw = self._order(order) or {}
        if raw.get("ProductionOrderStatus") != "Released":
            return True
        waiting = [it for it in self._of_queue(fields.START) if it["MessageState"] == "Queued"]
        return any(mapping.order_in(str(it["MessageContent"])) == order for it in waiting)

    def _take(self, request: Request) -> tuple[Exchange, Outcome | None]:
        """Have one message taken; the outcome is None where it was."""
        exchange, outcome = self.odata.call.send(
            request.method, request.path, body=request.body, headers=request.headers
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

        def told(ticket: str) -> Outcome | None:
            ended = self.accepted(ticket)
            is_posted = isinstance(ended, Posted)
            return (self._as_it_stands(posting, made) or ended) if is_posted else ended

        return waited(taken, told, patience_s=self.patience_s, poll_s=self.poll_s)

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
            read = read_as(rows[0], mapping.ENCODER.encode)
            return Posted(documents, rows[0][mapping.DATE_OF[journal]][:7], exchange=read)
        bad = [it for it in self._messages(place) if it["MessageState"] == "Failed"]
        if len(bad) > int(failed):
            return Rejected("dynamics failed", str(bad[-1].get("MessageInfolog") or ""))
        return None

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        """Yield the posted lines of picking lists and finished goods; vouchers are not read."""
        which = f"ProductionOrderNumber eq {quoted(order)}" if order else ""
        units = self._units()
        for journal in (PICKINGS, RECEIPTS):
            for row in filter(mapping.is_posted, self._rows(journal, which)):
                line = partial(mapping.ledger_line, units=units)
                name = f"journal {row.get('JournalNumber')}"
                yield name, alone(line, row, journal, self.plant)


def _ticket(place: Place, failed: int) -> str:
    """Return what a message is asked after by: its place, and how many failed there before."""
    return f"{place.journal}/{place.low}/{failed}"
