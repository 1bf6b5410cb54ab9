"""Oracle Fusion Cloud Manufacturing behind the port: one transaction per message.

Oracle keeps no key of ours, so each posting is looked up by its reference before it is sent. What
it has taken counts as posted when it is found in the completed transactions; until then it is taken
and never sent again by itself.
"""

import json
import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from core.clock import now
from erp.adapters.calling import KeyLocks, Login, before_sending, clock_of, common
from erp.adapters.oracle import fields, mapping
from erp.adapters.oracle.mapping import OraclePlant
from erp.adapters.oracle.service import PARTIES, SUPPLY, OracleService
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
    Scope,
    Unknown,
    Validators,
)
from erp.webhook import TIMEOUT_S

MEDIA = "application/vnd.oracle.adf.resourceitem+json"
PATIENCE_S, POLL_S = 5.0, 1.0
UP = f"{SUPPLY}/itemsV2"
TAKES = (ErpOrderState.RELEASED, ErpOrderState.TECO)
ENDED = (ErpOrderState.CLOSED, ErpOrderState.CANCELLED)


class OracleErp:
    """All I/O with one organisation of a Fusion environment."""

    def __init__(
        self,
        address: str,
        *,
        login: Login,
        plant: OraclePlant,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        poll_s: float = POLL_S,
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._plant = plant
        self._rest = OracleService(address, login, timeout_s=timeout_s)
        self._locks = KeyLocks()
        self._patience_s, self._poll_s = patience_s, poll_s

    def close(self) -> None:
        """Give the connections back."""
        self._rest.call.close()

    def health(self) -> Health:
        """Return whether the environment answers."""
        why = self._rest.call.is_up(UP)
        return Health(up=why is None, detail=why or "")

    def server_time(self) -> datetime:
        """Return Oracle's clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return clock_of(self.address, self._rest.call.ask(UP, {"limit": "1"}).headers)

    def period(self, on: date) -> PeriodState:
        """Return that it cannot be asked: no resource for inventory periods is known to us."""
        return PeriodState.UNKNOWN

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; lists carry no tag of their own.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        plant, mine = self._plant, {"OrganizationCode": self._plant.organization}
        if kind is Kind.ITEM:
            name, (found, bodies) = "itemsV2", self._rest.pages("itemsV2", mine)
            records, faults = built(found, lambda raw: mapping.item(raw, plant))
        elif kind is Kind.ORDER:
            name, (found, bodies) = "workOrders", self._rest.pages("workOrders", mine)
            units = self._units()
            records, faults = built(found, lambda raw: mapping.order(raw, plant, units))
        elif kind is Kind.BOM:
            name = "itemStructures"
            found, bodies = self._rest.pages(name, mine, expand="Component")
            units = self._units()
            records, faults = built(found, lambda raw: mapping.bom(raw, plant, units))
        elif kind is Kind.CUSTOMER:
            name = "hubOrganizations"
            found, bodies = self._rest.pages(name, {}, root=PARTIES)
            records, faults = built(found, mapping.customer)
        else:
            raise ErpUnreachable(self.address, f"{kind}: is not read from Oracle")
        return Page(f"{self.address}/{name}", Validators(), records, b"\n".join(bodies), faults)

    def _units(self, item: str | None = None) -> dict[str, str]:
        """Return the primary units of items."""
        terms = {"OrganizationCode": self._plant.organization}
        found = self._rest.rows("itemsV2", terms | ({"ItemNumber": item} if item else {}))
        return {raw["ItemNumber"]: raw["PrimaryUOMValue"] for raw in found}

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or Oracle does not know the order.
        """
        raw = self._order(ref.erp)
        if raw is None:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        try:
            return mapping.order(raw, self._plant, self._units(raw["ItemNumber"]))
        except UNREADABLE as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault

    def _order(self, number: str) -> dict[str, Any] | None:
        terms = {"OrganizationCode": self._plant.organization, "WorkOrderNumber": number}
        return next(iter(self._rest.rows("workOrders", terms)), None)

    # postings

    def _completed(self, **terms: str) -> list[dict[str, Any]]:
        mine = {"OrganizationCode": self._plant.organization}
        found = self._rest.rows("inventoryCompletedTransactions", mine | terms, expand="lots")
        return sorted(found, key=lambda row: int(row["TransactionId"]))

    def _found(self, text: str) -> list[dict[str, Any]]:
        return self._completed(**{self._plant.reference_from: text})

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the transactions that carry a reference, a fact's or a reversal's."""
        rows = self._found(ref) or self._found(ref + mapping.UNDONE)
        return [mapping.document_of(row, self._plant) for row in rows]

    def post(self, posting: Posting) -> Outcome:
        """Have a transaction made, once, and wait a little until it is found."""
        with self._locks.of(posting.ref):
            try:
                return self._standing(posting) or self._refusal(posting) or self._send(posting)
            except ErpUnreachable as fault:
                return before_sending(fault)

    def _standing(self, posting: Posting) -> Outcome | None:
        """Return what stands under a posting's reference already, None where nothing does."""
        rows = self._found(mapping.text_of(posting))
        if not rows:
            return None
        try:
            is_same = mapping.says(rows[0], self._plant) == mapping.asked(posting, self._plant)
        except UNREADABLE as fault:
            raise ErpUnreachable(self.address, f"{posting.ref}: not readable there") from fault
        if not is_same:
            number = rows[0]["TransactionId"]
            detail = f"Transaction {number} has {posting.ref} for something else."
            return Rejected("key_reused", detail)
        documents, period = self._proof(rows)
        return Duplicate(documents, period, exchange=_read(rows))

    def _proof(self, rows: list[dict[str, Any]]) -> tuple[tuple[DocumentRef, ...], str]:
        documents = tuple(mapping.document_of(row, self._plant) for row in rows)
        return documents, f"{mapping.day_of(rows[0], self._plant):%Y-%m}"

    def _refusal(self, posting: Posting) -> Rejected | None:
        """Return what of a message is not there or does not take it."""
        if posting.corrects is not None:
            undone = self._undone(posting)
            if undone is not None:
                return undone
        raw = self._order(posting.order.erp)
        if raw is None:
            return Rejected("order_unknown", f"Order {posting.order.erp} is not there.")
        state = mapping.STATES.get(raw["WorkOrderStatusCode"])
        if state not in TAKES:
            code = "order_closed" if state in ENDED else "order_not_released"
            detail = f"Order {posting.order.erp} has status {raw['WorkOrderStatusCode']}."
            return Rejected(code, detail)
        [line] = posting.lines
        units = self._units(line.item)
        if line.item not in units:
            return Rejected("item_unknown", f"Item {line.item} is not there.")
        if units[line.item] != self._plant.units[line.unit].code:
            return Rejected("unit_wrong", f"Item {line.item} is kept in {units[line.item]}.")
        return None

    def _undone(self, posting: Posting) -> Rejected | None:
        """Return why a fact cannot be undone: it is not there, or as many are undone as are."""
        assert posting.corrects is not None
        originals = self._found(erp_ref(posting.corrects))
        if not originals:
            return Rejected("original_unknown", f"{posting.corrects} was never posted here.")
        own = mapping.says(originals[0], self._plant)
        opposite = mapping.asked(posting, self._plant)
        there, back = 0, 0
        for row in self._completed(TransactionSourceName=originals[0]["TransactionSourceName"]):
            marked = str(row.get(self._plant.reference_from) or "").endswith(mapping.UNDONE)
            said = mapping.says(row, self._plant)
            there += said == own and not marked
            back += said == opposite and marked
        if back >= there:
            return Rejected("already_reversed", f"{posting.corrects}: is reversed already.")
        return None

    def _send(self, posting: Posting) -> Outcome:
        resource, content = mapping.content_of(posting, self._plant, now())
        misfits = fields.faults(resource, content, reference_to=self._plant.reference_to)
        if misfits:
            return Rejected("does_not_fit", "; ".join(misfits))
        exchange, outcome = self._rest.call.send(
            "POST",
            f"{SUPPLY}/{resource}",
            body=mapping.ENCODER.encode(content),
            headers={"content-type": MEDIA},
        )
        outcome = outcome or common(exchange)
        if outcome is not None:
            return outcome
        if exchange.status != 201:
            words = exchange.body[:200].decode("utf-8", "replace")
            return Rejected(f"oracle {exchange.status}", words, exchange)
        try:
            refusal = mapping.refusal_in(json.loads(exchange.body), resource)
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            return Unknown(f"answer not readable: {fault}", exchange)
        if refusal is not None:
            name, words = refusal
            return Rejected(self._plant.refusals.get(name, f"oracle {name}"), words, exchange)
        return self._wait(Accepted(mapping.text_of(posting), exchange))

    def _wait(self, taken: Accepted) -> Outcome:
        """Return the transaction that was made, or the ticket where it is not found yet."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                told = self.accepted(taken.ticket)
            except ErpUnreachable:  # it is taken; what became of it is asked for later
                return taken
            if isinstance(told, Posted):
                return Posted(told.docs, told.period, exchange=taken.exchange)
            if time.monotonic() >= until:
                return taken
            time.sleep(self._poll_s)

    def accepted(self, ticket: str) -> Outcome | None:
        """Return the transaction that a ticket's reference made, None while none is found.

        Raises:
            ErpUnreachable: no answer.
        """
        rows = self._found(ticket)
        if not rows:
            return None
        documents, period = self._proof(rows)
        return Posted(documents, period, exchange=_read(rows))

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return what work orders moved; cost distributions are not read.

        Raises:
            ErpUnreachable: no answer, or a line that cannot be read: a hole is no agreement.
        """
        which = {"TransactionSourceName": scope.order} if scope.order else {}
        for row in self._completed(**which):
            try:
                lines = list(mapping.ledger_lines(row, self._plant))
            except UNREADABLE as fault:
                number = row.get("TransactionId")
                raise ErpUnreachable(
                    self.address, f"transaction {number} is not readable: {fault}"
                ) from fault
            yield from (line for line in lines if line.seq > scope.after)


def _read(rows: list[dict[str, Any]]) -> Exchange:
    """Return the transactions that prove a posting, as they were read."""
    return Exchange({}, 200, {}, mapping.ENCODER.encode(rows))
