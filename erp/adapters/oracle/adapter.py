"""Oracle Fusion Cloud Manufacturing: one transaction per message.

Oracle keeps no key of ours, so each posting is looked up by its reference before it is sent. What
it has taken counts as posted when it is found in the completed transactions; until then it is taken
and never sent again by itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from core.clock import now
from erp.adapters import checks
from erp.adapters.answers import BROKEN, Standing, misfit, read_as, sent, waited
from erp.adapters.calling import Login
from erp.adapters.oracle import fields, mapping
from erp.adapters.oracle.mapping import OraclePlant
from erp.adapters.oracle.service import PARTIES, SUPPLY, OracleService
from erp.adapters.reading import UNREADABLE
from erp.adapters.words import Entry, Request, Source
from erp.errors import ErpUnreachable
from erp.port import (
    Accepted,
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
    Rejected,
    Unknown,
)
from erp.webhook import TIMEOUT_S

MEDIA = "application/vnd.oracle.adf.resourceitem+json"
PATIENCE_S, POLL_S = 5.0, 1.0
UP = f"{SUPPLY}/itemsV2"


class OracleWords:
    """One organisation of a Fusion environment."""

    orders_over: Mapping[ErpOrderState | None, str] = {
        ErpOrderState.CLOSED: "order_closed",
        ErpOrderState.CANCELLED: "order_closed",
        **dict.fromkeys((None, ErpOrderState.PLANNED, ErpOrderState.LOCKED), "order_not_released"),
    }

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
        self.plant = plant
        self.patience_s, self.poll_s = patience_s, poll_s
        self.rest = OracleService(address, login, timeout_s=timeout_s)

    def close(self) -> None:
        self.rest.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self.rest.call.ask(UP, {"limit": "1"}, timeout_s=timeout_s).headers

    # masters, and what a message needs of them

    @property
    def _mine(self) -> dict[str, str]:
        return {"OrganizationCode": self.plant.organization}

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        plant, pages = self.plant, self.rest.pages
        if kind is Kind.ITEM:
            found, bodies = pages("itemsV2", self._mine)
            return Source("itemsV2", found, lambda raw: mapping.item(raw, plant), bodies)
        if kind is Kind.CUSTOMER:
            found, bodies = pages("hubOrganizations", {}, root=PARTIES)
            return Source("hubOrganizations", found, mapping.customer, bodies)
        if kind is Kind.ORDER:
            (found, bodies), units = pages("workOrders", self._mine), self._units()
            return Source("workOrders", found, lambda it: mapping.order(it, plant, units), bodies)
        if kind is Kind.BOM:
            found, bodies = pages("itemStructures", self._mine, expand="Component")
            units = self._units()
            return Source("itemStructures", found, lambda it: mapping.bom(it, plant, units), bodies)
        return None

    def _units(self, item: str | None = None) -> dict[str, str]:
        """Return the primary units of items."""
        found = self.rest.rows("itemsV2", self._mine | ({"ItemNumber": item} if item else {}))
        return {raw["ItemNumber"]: raw["PrimaryUOMValue"] for raw in found}

    def _order(self, number: str) -> dict[str, Any] | None:
        found = self.rest.rows("workOrders", self._mine | {"WorkOrderNumber": number})
        return next(iter(found), None)

    def order(self, number: str) -> ErpOrder | None:
        raw = self._order(number)
        if raw is None:
            return None
        return mapping.order(raw, self.plant, self._units(raw["ItemNumber"]))

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        raw = self._order(number)
        code = str(raw["WorkOrderStatusCode"]) if raw else ""
        return (mapping.STATES.get(code), code) if raw else None

    def period(self, on: date) -> PeriodState:
        """Return that it cannot be asked: no resource for inventory periods is known to us."""
        return PeriodState.UNKNOWN

    def unit_of(self, item: str) -> str | None:
        return self._units(item).get(item)

    def has_lot(self, item: str, lot: str) -> bool:
        """Return that it may be there: the posting itself is refused where it is not."""
        return True

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        """Return why a fact cannot be undone: it is not there, or as many are undone as are."""
        originals = self._found(original)
        if not originals:
            return checks.original_unknown(original)
        own, opposite = mapping.says(originals[0]), mapping.asked(posting, self.plant)
        there, back = 0, 0
        for row in self._completed(TransactionSourceName=originals[0]["TransactionSourceName"]):
            marked = str(row.get(self.plant.reference_from) or "").endswith(mapping.UNDONE)
            said = mapping.says(row)
            there += said == own and not marked
            back += said == opposite and marked
        by = "as many transactions as there are"
        return checks.already_reversed(original, by) if back >= there else None

    # postings

    def _completed(self, **terms: str) -> list[dict[str, Any]]:
        asked = self._mine | terms
        found = self.rest.rows("inventoryCompletedTransactions", asked, expand="lots")
        return sorted(found, key=lambda row: int(row["TransactionId"]))

    def _found(self, text: str) -> list[dict[str, Any]]:
        return self._completed(**{self.plant.reference_from: text})

    def find(self, ref: str) -> list[DocumentRef]:
        rows = self._found(ref) or self._found(ref + mapping.UNDONE)
        return [mapping.document_of(row, self.plant) for row in rows]

    def ahead(self, posting: Posting) -> Outcome | None:
        rows = self._found(mapping.text_of(posting))
        if not rows:
            return checks.missing(self, posting)
        try:
            is_same = mapping.says(rows[0]) == mapping.asked(posting, self.plant)
        except UNREADABLE as fault:
            raise ErpUnreachable(self.address, f"{posting.ref}: not readable there") from fault
        return self._standing(rows, is_same=is_same).told(posting.ref)

    def _standing(self, rows: list[dict[str, Any]], *, is_same: bool = True) -> Standing:
        return Standing(
            documents=tuple(mapping.document_of(row, self.plant) for row in rows),
            period=f"{mapping.day_of(rows[0], self.plant):%Y-%m}",
            is_same=is_same,
            exchange=read_as(rows, mapping.ENCODER.encode),
        )

    def request(self, posting: Posting) -> Request | Outcome:
        resource, content = mapping.content_of(posting, self.plant, now())
        wrong = misfit(fields.faults(resource, content, reference_to=self.plant.reference_to))
        path, body = f"{SUPPLY}/{resource}", mapping.ENCODER.encode(content)
        return wrong or Request(path=path, body=body, headers={"content-type": MEDIA})

    def send(self, posting: Posting, request: Request) -> Outcome:
        return sent(self.rest.call, request, partial(self._read, posting, request))

    def _read(self, posting: Posting, request: Request, exchange: Exchange) -> Outcome:
        if exchange.status != 201:
            words = exchange.body[:200].decode("utf-8", "replace")
            return Rejected(f"oracle {exchange.status}", words, exchange)
        try:
            resource = request.path.rpartition("/")[2]
            refusal = mapping.refusal_in(json.loads(exchange.body), resource)
        except BROKEN as fault:
            return Unknown(f"answer not readable: {fault}", exchange)
        if refusal is not None:
            name, words = refusal
            return Rejected(self.plant.refusals.get(name, f"oracle {name}"), words, exchange)
        taken = Accepted(mapping.text_of(posting), exchange)
        told = waited(taken, self.accepted, patience_s=self.patience_s, poll_s=self.poll_s)
        return replace(told, exchange=exchange) if isinstance(told, Posted) else told

    def accepted(self, ticket: str) -> Outcome | None:
        """Return the transaction that a ticket's reference made, None while none is found."""
        rows = self._found(ticket)
        return self._standing(rows).told(ticket, Posted) if rows else None

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        """Yield what work orders moved; cost distributions are not read."""
        for row in self._completed(**({"TransactionSourceName": order} if order else {})):
            read = partial(mapping.ledger_lines, row, self.plant)
            yield f"transaction {row.get('TransactionId')}", read
