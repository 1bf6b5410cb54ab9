"""From the ledger to the outbox: read new entries, make their messages, move the cursor.

What people decide about messages is carried out here too: sent again, skipped, superseded. Rows
and cursor are committed together, so a crash at any point repeats nothing and loses nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import msgspec

from core.clock import parse_iso
from core.ledger.entry import Entry
from erp.contract import SentCheckpoint
from erp.errors import MessageRefused, NotTranslated
from erp.events import BY_FACT, EventKind
from erp.messages import LINKED, Known, Site, lane_of, told_again, translate
from erp.outbox import Derivation, Outbox
from erp.replaying import choice_in
from erp.rows import Aside, State

PAGE = 500
SAVE_EVERY = 5000
RESENT, REPLAYED = "message.resend-ordered", "message.replay-ordered"
REPLACED = "posting.replacement-ordered"
SETTLED = {"message.skipped": State.SKIPPED, "message.superseded": State.SUPERSEDED}
DECISIONS = (RESENT, REPLAYED, *SETTLED)


class Entries(Protocol):
    """What is needed of the ledger: its entries after a number, in order."""

    def entries(self, after: int = 0, limit: int = 1000) -> list[Entry]: ...


class Manner(Protocol):
    """How the boundary policy lets facts be told: which at all, and when."""

    def told(self, kind: EventKind, at: datetime) -> bool:
        """Return whether the ERP hears of such a fact of this instant."""

    def due(self, kind: EventKind, at: datetime) -> datetime:
        """Return when the message of a fact of this instant may leave, not before `at`."""


class AtOnce:
    """Everything is told, at once."""

    def told(self, kind: EventKind, at: datetime) -> bool:
        return True

    def due(self, kind: EventKind, at: datetime) -> datetime:
        return at


class Deriver:
    """Makes messages of new entries."""

    def __init__(
        self,
        entries: Entries,
        outbox: Outbox,
        site: Site,
        *,
        erp_order: Callable[[str], str | None],
        checkpoint: Callable[[], SentCheckpoint | None],
        order_of: Callable[[str], str | None] = lambda _: None,
        manner: Manner | None = None,
        books: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._entries = entries
        self._outbox = outbox
        self._site = site
        self._erp_order = erp_order
        self._order_of = order_of
        self._manner = manner or AtOnce()
        self._books = books
        self._checkpoint = checkpoint
        self._saved = outbox.upto()
        self.read_upto = self._saved

    def derive(self, at: datetime) -> int:
        """Read everything new and return how many messages were made."""
        made = 0
        while (more := self.read_page(at)) is not None:
            made += more
        return made

    def read_page(self, at: datetime) -> int | None:
        """Read the next new entries and return how many messages were made; None: nothing is new.

        Entries that the ERP is not told of cost no write: the saved cursor may stay behind what was
        read, since reading them again does nothing.
        """
        page = self._entries.entries(self.read_upto, PAGE)
        if not page:
            return None
        made, upto = 0, page[-1].seq
        told = [
            entry
            for entry in page
            if entry.type in BY_FACT or entry.type in (LINKED, REPLACED, *DECISIONS)
        ]
        if told or upto - self._saved > SAVE_EVERY:
            checkpoint = self._checkpoint()
            with self._outbox.deriving() as work:
                known = work.known(page[0].seq, upto)
                for entry in told:
                    if entry.type in DECISIONS:
                        if entry.seq > work.upto:  # else another process has done it
                            self._carry_out(work, entry, at)
                    elif entry.seq not in known:
                        made += self._one(work, entry, checkpoint=checkpoint, at=at)
                work.move(upto)
            self._saved = upto
        self.read_upto = upto
        return made

    def _one(
        self, work: Derivation, entry: Entry, *, checkpoint: SentCheckpoint | None, at: datetime
    ) -> int:
        known = Known(erp_order=self._erp_order, original=work.original, order_of=self._order_of)
        if entry.type == LINKED:
            return self._linked(work, entry, known=known, checkpoint=checkpoint, at=at)
        if entry.type == REPLACED:
            return self._again(work, entry, known=known, checkpoint=checkpoint, at=at)
        kind = BY_FACT[entry.type]
        if not self._manner.told(kind, _at(entry)):
            return 0
        if not self._books(kind.type):  # the match names it: erp.reconcile
            return 0
        lane: str | None = None
        try:
            lane = lane_of(entry, known)
            message = translate(
                entry,
                self._site,
                known,
                sequence=work.next_sequence(lane),
                checkpoint=checkpoint,
            )
            if message is not None:
                work.put(message, at=at, due_at=self._due(entry, at))
        except (NotTranslated, MessageRefused, msgspec.ValidationError) as fault:
            work.put_aside(_aside(entry, lane, "not_translated", why=str(fault)))
            return 0
        if message is None:
            why = f"Order {lane}: the ERP does not know it. Link the order to an ERP order."
            work.put_aside(_aside(entry, lane, "no_erp_order", why=why))
            return 0
        return 1

    def _linked(
        self,
        work: Derivation,
        link: Entry,
        *,
        known: Known,
        checkpoint: SentCheckpoint | None,
        at: datetime,
    ) -> int:
        """Make the messages that waited for the order's ERP number, in the order of their facts."""
        made = 0
        number = link.data.get("erp_ref")
        told = replace(known, erp_order=lambda _: number if isinstance(number, str) else None)
        lane = lane_of(link, known)
        for seq in work.take_unlinked(lane):
            (entry,) = self._entries.entries(seq - 1, 1)
            try:
                message = translate(
                    entry,
                    self._site,
                    told,
                    sequence=work.next_sequence(lane),
                    checkpoint=checkpoint,
                )
                if message is not None:
                    work.put(message, at=at, due_at=self._due(entry, at))
                    made += 1
            except (NotTranslated, MessageRefused, msgspec.ValidationError) as fault:
                work.put_aside(_aside(entry, lane, "not_translated", why=str(fault)))
        return made

    def _again(
        self,
        work: Derivation,
        order: Entry,
        *,
        known: Known,
        checkpoint: SentCheckpoint | None,
        at: datetime,
    ) -> int:
        """Make the message that tells a fact anew; it stands behind the reversal in its lane."""
        fact = order.data["fact"]
        (entry,) = self._entries.entries(fact["entry"] - 1, 1)
        lane = order.data["order"]
        try:
            made = translate(
                entry,
                self._site,
                known,
                sequence=work.next_sequence(lane),
                checkpoint=checkpoint,
            )
            if made is None or (made.id, made.partitionkey) != (fact["message"], lane):
                raise NotTranslated(order.seq, order.type, f"entry {entry.seq} is another fact")
            work.put(told_again(made, entry=order.seq, again=order.data["again"]), at=at)
        except (NotTranslated, MessageRefused, msgspec.ValidationError) as fault:
            work.put_aside(_aside(order, lane, "not_translated", why=str(fault)))
            return 0
        return 1

    def _carry_out(self, work: Derivation, entry: Entry, at: datetime) -> None:
        """Do what a person decided about messages; what was settled meanwhile stays as it is."""
        if entry.type == REPLAYED:
            work.send_again(choice_in(entry.data), before=entry.seq, at=at)
            return
        event_id = entry.data["message"]
        if entry.type == RESENT:
            work.replay([event_id], at=at)
        elif work.settle(event_id, SETTLED[entry.type], by=f"entry {entry.seq}"):
            self._withdraw(work, event_id, by=f"entry {entry.seq}")

    def _withdraw(self, work: Derivation, event_id: str, *, by: str) -> None:
        """Settle what was to be told anew behind a reversal that is given up: it was never sent.

        Both orders were written in one commit, one after the other.
        """
        seq = work.entry_of(event_id)
        behind = self._entries.entries(seq, 1)
        if behind and behind[0].type == REPLACED and behind[0].data["replaces"] is not None:
            work.withdraw(seq + 1, by=by)

    def _due(self, entry: Entry, at: datetime) -> datetime:
        """Return when a fact's message may leave; what is made late does not wait again."""
        return max(at, self._manner.due(BY_FACT[entry.type], _at(entry)))


def _at(entry: Entry) -> datetime:
    return parse_iso(entry.at)


def _aside(entry: Entry, lane: str | None, code: str, *, why: str) -> Aside:
    return Aside(entry_seq=entry.seq, type=entry.type, lane=lane, code=code, why=why)
