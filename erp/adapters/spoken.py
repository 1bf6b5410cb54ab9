"""An ERP that is spoken to in its own words: the adapter of every maker whose interface we call.

The order of the steps is here and nowhere else; what is asked and what an answer means is each
maker's (`words.Words`).
"""

from collections.abc import Iterator
from datetime import date, datetime

from erp.adapters.calling import (
    HEALTH_S,
    KeyLocks,
    LoginRefused,
    Throttled,
    before_sending,
    clock_of,
)
from erp.adapters.reading import UNREADABLE, built
from erp.adapters.words import Cancels, Request, Takes, Words
from erp.errors import ErpFault, ErpUnreachable
from erp.port import (
    Cursor,
    DocumentRef,
    ErpOrder,
    ErpProfile,
    Health,
    Kind,
    LedgerLine,
    OrderRef,
    Outcome,
    Page,
    PeriodState,
    Posting,
    Rejected,
    Scope,
    Validators,
)


class SpokenErp[W: Words]:
    """One ERP behind the port; safe to use from several threads."""

    def __init__(self, words: W) -> None:
        self.words = words
        self.address = words.address
        self._locks = KeyLocks()

    @property
    def profile(self) -> ErpProfile:
        """What the ERP can do and how much fits."""
        return self.words.profile

    def close(self) -> None:
        """Give the connections back."""
        self.words.close()

    def health(self) -> Health:
        """Return whether the ERP answers at all."""
        try:
            self.words.beat(HEALTH_S)
        except (LoginRefused, Throttled):
            return Health(up=True)  # it is there; what it says to postings is another matter
        except ErpFault as fault:
            return Health(up=False, detail=str(fault))
        return Health(up=True)

    def server_time(self) -> datetime:
        """Return the ERP's clock, from the date of an answer.

        Raises:
            ErpUnreachable: no answer, or one without a date.
        """
        return clock_of(self.address, self.words.beat())

    def period(self, on: date) -> PeriodState:
        """Return whether the period of a date is open.

        Raises:
            ErpUnreachable: no answer, or a state that is not known.
        """
        return self.words.period(on)

    # master data

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, whole; lists carry no tag of their own.

        With a cursor a kind in the profile's `deltas` is asked for by its time of change.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        found = self.words.source(kind, cursor)
        if found is None:
            raise ErpUnreachable(self.address, f"{kind}: is not read from {self.profile.name}")
        records, faults = built(found.raws, found.build)
        url = f"{self.address}/{found.path}"
        return Page(url, Validators(), records, b"\n".join(found.bodies), faults)

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or the order is not known there.
        """
        try:
            found = self.words.order(ref.erp)
        except UNREADABLE as fault:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not readable") from fault
        if found is None:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        return found

    # postings

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the documents that carry a reference."""
        return self.words.find(ref)

    def post(self, posting: Posting) -> Outcome:
        """Book a message, once.

        1. What is known before: it stands under its reference, or it cannot be booked.
        2. What is sent, held against the fields that the maker publishes.
        3. Send it once and read the answer: booked, taken, refused, later, or not known.
        """
        with self._locks.of(posting.ref):
            try:
                known = self.words.ahead(posting)  # 1
                asked = known or self.words.request(posting)  # 2
                return self.words.send(posting, asked) if isinstance(asked, Request) else asked  # 3
            except ErpUnreachable as fault:
                return before_sending(fault)

    def accepted(self, ticket: str) -> Outcome | None:
        """Return what became of a message that was taken, None while nothing is known.

        Raises:
            ErpUnreachable: no answer.
        """
        words: object = self.words
        return words.accepted(ticket) if isinstance(words, Takes) else None

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Undo a document by its number where the ERP can; elsewhere a message of its own does."""
        words: object = self.words
        if isinstance(words, Cancels):
            return words.cancel(doc, on)
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    # books

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the lines of the books that the maker's words read, after a number.

        Raises:
            ErpUnreachable: no answer, or a line that cannot be read: a hole is no agreement.
        """
        for name, read in self.words.books(scope.order, scope.after):
            try:
                lines = list(read())
            except UNREADABLE as fault:
                why = f"{name} is not readable: {fault}"
                raise ErpUnreachable(self.address, why) from fault
            yield from (line for line in lines if line.seq > scope.after)
