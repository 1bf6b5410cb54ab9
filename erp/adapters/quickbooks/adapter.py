"""QuickBooks Desktop behind the port: nothing is called here, the Web Connector comes by itself.

A posting is taken into the queue and answered `Accepted`; the next poll books it. Questions are
answered from the mirror of the last poll, with its age; a mirror that is too old is no answer.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from fastapi import APIRouter

from core.clock import iso, now
from erp.adapters.calling import KeyLocks
from erp.adapters.quickbooks import mapping, tasks
from erp.adapters.quickbooks.mapping import QbPlant
from erp.adapters.quickbooks.queue import DONE, REFUSED, Queue, Waiting
from erp.adapters.quickbooks.service import PATH, Conversation, soap_door
from erp.adapters.reading import UNREADABLE, built
from erp.connected import Alert
from erp.errors import ErpUnreachable
from erp.port import (
    Accepted,
    Cursor,
    DocumentRef,
    Duplicate,
    ErpOrder,
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
    Validators,
)

ADDRESS = "Web Connector"
MISSED = 4  # polls that may fail to come before it counts as away


class QuickBooksErp:
    """One company file; `address` is our own server's, as its Web Connector reaches it."""

    def __init__(
        self,
        queue: Queue,
        plant: QbPlant,
        *,
        address: str,
        talk: Conversation,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = plant.profile()
        self._queue = queue
        self._plant = plant
        self._clock = clock
        self._locks = KeyLocks()
        self._patience = timedelta(seconds=MISSED * plant.poll_s)
        self._talk = talk

    def close(self) -> None:
        """Give the queue's connections back."""
        self._queue.close()

    def door(self) -> APIRouter:
        """Return the routes by which the Web Connector comes in."""
        return soap_door(self._talk, public_url=f"{self.address}{PATH}")

    def on_locked(self, alert: Alert) -> None:
        """Call `alert` whenever the door is shut after refused tries."""
        self._talk.on_locked(alert)

    def health(self) -> Health:
        """Return whether the Web Connector comes."""
        why, tries = self._away("poll"), self._queue.tries()
        if tries.shut_until is not None and self._clock() < tries.shut_until:
            until = iso(tries.shut_until)
            why = f"its door is shut until {until}, after {tries.failures} refused tries"
        return Health(up=why is None, detail=why or self._queue.fault() or "")

    def _away(self, kind: str) -> str | None:
        seen = self._queue.seen_at(kind)
        if seen is None:
            return "the Web Connector has not come yet"
        if seen + self._patience < self._clock():
            return f"the Web Connector last came at {iso(seen)}"
        return None

    def server_time(self) -> datetime:
        """Return when QuickBooks was last read whole: its clock is not told.

        Raises:
            ErpUnreachable: it was not, or too long ago.
        """
        seen = self._queue.seen_at(tasks.BUILDS)
        if seen is None or self._away(tasks.BUILDS):
            raise ErpUnreachable(ADDRESS, self._away(tasks.BUILDS) or "nothing was read")
        return seen

    def period(self, on: date) -> PeriodState:
        """Return unknown: a closing date is met when a build is refused for it."""
        return PeriodState.UNKNOWN

    # the mirror

    def _mirror(self, kind: str) -> list[dict[str, Any]]:
        why = self._away(kind)
        if why is not None:
            raise ErpUnreachable(ADDRESS, f"{kind}: {why}")
        return self._queue.records(kind)

    def _units(self) -> dict[str, str]:
        """Return the unit of every item that is kept in one of the plant's units."""
        ours = {unit.code for unit in self._plant.units.values()}
        items = self._mirror(tasks.ITEMS) + self._mirror(tasks.ASSEMBLIES)
        return {it["FullName"]: mapping.unit_of(it) for it in items if mapping.unit_of(it) in ours}

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data as the last poll read it, whole.

        Raises:
            ErpUnreachable: the Web Connector has not come, or not for long.
        """
        plant = self._plant
        if kind is Kind.ITEM:
            raws = self._mirror(tasks.ITEMS) + self._mirror(tasks.ASSEMBLIES)
            return _page(kind, raws, lambda raw: mapping.item(raw, plant))
        if kind is Kind.BOM:
            raws, units = self._mirror(tasks.ASSEMBLIES), self._units()
            return _page(kind, raws, lambda raw: mapping.bom(raw, plant, units))
        if kind is Kind.ORDER and plant.orders:
            raws, units = self._mirror(tasks.ORDERS), self._units()
            return _page(kind, raws, lambda raw: mapping.order(raw, plant, units))
        if kind is Kind.CUSTOMER:
            return _page(kind, self._mirror(tasks.CUSTOMERS), mapping.customer)
        raise ErpUnreachable(ADDRESS, f"{kind}: is not read from QuickBooks")

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as the last poll read it.

        Raises:
            ErpUnreachable: the order is not known there, or not readable.
        """
        for raw in self._mirror(tasks.ORDERS):
            if raw.get("RefNumber") == ref.erp:
                try:
                    return mapping.order(raw, self._plant, self._units())
                except (KeyError, ValueError, ArithmeticError) as fault:
                    raise ErpUnreachable(ADDRESS, f"order {ref.erp}: {fault}") from fault
        raise ErpUnreachable(ADDRESS, f"order {ref.erp} is not known there")

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the build of a reference, from the queue or the last read."""
        standing = self._queue.find(ref)
        if standing is not None and standing.document is not None:
            return [standing.document]
        return [
            mapping.document_of(build)
            for build in self._queue.records(tasks.BUILDS)
            if (mark := mapping.mark_of(build)) is not None and mark.ref == ref
        ]

    def post(self, posting: Posting) -> Outcome:
        """Take a release into the queue, once; the next poll books it."""
        with self._locks.of(posting.ref):
            [line] = posting.lines
            request = partial(mapping.build_request, posting, self._plant)
            unit = self._plant.units[line.unit].code
            before = self._queue.find(posting.ref)
            standing = self._queue.put(posting, unit=unit, request=request)
        if standing.digest != posting.digest:
            detail = f"{posting.ref} was taken before with other bytes."
            return Rejected("key_reused", detail)
        if before is not None and before.document is not None:
            return Duplicate((before.document,), None)
        return self._ended(standing) or Accepted(posting.ref)

    def accepted(self, ticket: str) -> Outcome | None:
        """Return what became of a build, None while it waits for a poll."""
        standing = self._queue.find(ticket)
        if standing is None:
            return Retry(reason="the queue does not have it any more")
        return self._ended(standing)

    def _ended(self, standing: Waiting) -> Outcome | None:
        if standing.state == DONE and standing.document is not None:
            return Posted((standing.document,), None)
        if standing.state == REFUSED:
            return Rejected(standing.code or "refused", standing.detail or "")
        return None

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: QuickBooks has no reversal of a build, a person deletes it there."""
        return Rejected("not_reversible", f"Build {doc.id}: delete it in QuickBooks ({on}, {key}).")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the builds as the last poll read them.

        Raises:
            ErpUnreachable: the read is too old, or a build is not readable: a hole is no agreement.
        """
        units = self._units()
        for build in self._mirror(tasks.BUILDS):
            try:
                line = mapping.ledger_line(build, self._plant, units)
            except UNREADABLE as fault:
                number = build.get("TxnID")
                raise ErpUnreachable(ADDRESS, f"build {number} is not readable: {fault}") from fault
            if line.seq > scope.after and scope.order in (None, line.order):
                yield line


def _page(
    kind: Kind, raws: list[dict[str, Any]], build: Callable[[dict[str, Any]], Record]
) -> Page:
    records, faults = built(raws, build)
    return Page(f"qbwc:{kind}", Validators(), records, b"", faults)
