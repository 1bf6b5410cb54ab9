"""Follows the three sides of the match: what is new of the ledger, the outbox and the ERP's books.

Every reader keeps its position and returns what was added or changed since. All of it can be read
again from the start: a position is only saved work.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from msgspec import UNSET
from sqlalchemy import func, select

from core.clock import now
from core.ledger.entry import Entry, encode
from core.ledger.merkle import leaf_hash
from erp import tables
from erp.books import BookReader, Part
from erp.contract import Message, from_bytes
from erp.derive import Entries
from erp.errors import ErpUnreachable
from erp.events import BY_FACT, KINDS
from erp.messages import LINKED, Known, Site
from erp.outbox import Outbox, row_of
from erp.port import DocumentRef, ErpAdapter
from erp.reconcile import (
    FactRow,
    LotRow,
    MessageRow,
    document_name,
    facts_of,
    lot_of,
    message_lines,
    not_booked,
)
from erp.rows import OPEN, ReceiptRow, Row, State

ENTRIES, MESSAGES = 20_000, 20_000  # what one look reads at most
RECEIVED = "lot.created"
AGAIN = 200  # attempts read once more, since several senders may commit out of order
SOME = 500  # ids in one question

type Marks = Mapping[str, Any]

message, attempt, receipt = tables.message, tables.attempt, tables.receipt


@dataclass(frozen=True, slots=True)
class FactNews:
    """Facts that are new, or whose order was linked since, and lots that were taken in."""

    rows: tuple[FactRow, ...] = ()
    lots: tuple[LotRow, ...] = ()
    more: bool = False


class FactReader:
    """The movements and order events of the ledger, in its order."""

    def __init__(
        self,
        entries: Entries,
        site: Site,
        *,
        erp_order: Callable[[str], str | None] = lambda _: None,
        order_of: Callable[[str], str | None] = lambda _: None,
        port: ErpAdapter | None = None,
    ) -> None:
        self._entries, self._site = entries, site
        self._erp_order, self._profile = erp_order, port.profile if port else None
        self._linked: dict[str, str] = {}
        self._unlinked: dict[str, list[int]] = {}
        self._known = Known(erp_order=self._number, original=lambda _: None, order_of=order_of)
        self.upto = 0

    def marks(self) -> Marks:
        """Return where it stands, with what proves the ledger to be the same."""
        return {
            "upto": self.upto,
            "leaf": self._leaf(self.upto),
            "linked": self._linked,
            "unlinked": self._unlinked,
        }

    def restore(self, marks: Marks) -> bool:
        """Stand where it stood; False where that was another ledger."""
        if self._leaf(marks["upto"]) != marks["leaf"]:
            return False
        self.upto = marks["upto"]
        self._linked, self._unlinked = dict(marks["linked"]), dict(marks["unlinked"])
        return True

    def _leaf(self, seq: int) -> str | None:
        found = self._entries.entries(seq - 1, 1) if seq else []
        return leaf_hash(encode(found[0])).hex() if found and found[0].seq == seq else None

    def read(self) -> FactNews:
        """Return what is new since the last look."""
        page = self._entries.entries(self.upto, ENTRIES)
        found: list[FactRow] = []
        lots: list[LotRow] = []
        for entry in page:
            if entry.type == RECEIVED and entry.stream.startswith(
                "lot/"
            ):  # its material has it too
                lots.extend(lot_of(entry))
            if entry.type == LINKED:
                found.extend(self._link(entry))
            kind = BY_FACT.get(entry.type)
            if kind is not None and kind.posts:  # a notice is acknowledged, and stands in no books
                found.extend(self._facts(entry))
            self.upto = entry.seq
        return FactNews(tuple(found), tuple(lots), len(page) == ENTRIES)

    def _number(self, order: str) -> str | None:
        return self._linked.get(order) or self._erp_order(order)

    def _link(self, entry: Entry) -> Iterator[FactRow]:
        """Return the facts of an order that waited for the ERP's number."""
        order = entry.data["order"]
        self._linked[order] = entry.data["erp_ref"]
        for seq in self._unlinked.pop(order, ()):
            yield from self._facts(self._entries.entries(seq - 1, 1)[0])

    def _facts(self, entry: Entry) -> list[FactRow]:
        rows = facts_of(entry, self._moved, site=self._site, known=self._known)
        for row in rows[:1]:
            if row.erp_order is None and row.order is not None:
                self._unlinked.setdefault(row.order, []).append(entry.seq)
        profile = self._profile
        if profile is None:
            return rows
        return [it if profile.books(it.type) else not_booked(it, profile.name) for it in rows]

    def _moved(self, seq: int) -> Entry | None:
        """Return an entry that a reversal corrects, where it moved something."""
        found = self._entries.entries(seq - 1, 1) if seq > 0 else []
        kind = BY_FACT.get(found[0].type) if found and found[0].seq == seq else None
        return found[0] if kind is not None and kind.posts else None


@dataclass(frozen=True, slots=True)
class MessageNews:
    """Messages that are new or changed, and which document each of their receipts names.

    `undoings` are (event id, document) of messages that undo a document of the ERP, `undone` the
    ERP's orders on which one was undone.
    """

    rows: tuple[MessageRow, ...] = ()
    documents: tuple[tuple[str, str], ...] = ()
    undoings: tuple[tuple[str, str], ...] = ()
    undone: frozenset[str] = frozenset()
    more: bool = False


class MessageReader:
    """The messages of the outbox. Open ones are looked at each time, the others when tried anew."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._open: dict[str, tuple[object, ...]] = {}
        self._after: int | None = 0  # the entry of the last message read; None once all were
        self._attempt: int | None = None

    def marks(self) -> Marks:
        """Return where it stands, with what proves the outbox to be the same."""
        assert self._after is None, "what is not read whole is not kept"
        return {"open": self._open, "attempt": self._attempt, "tried": self._tried(self._attempt)}

    def restore(self, marks: Marks) -> bool:
        """Stand where it stood; False where that was another outbox, or an older copy of it."""
        if self._tried(marks["attempt"]) != marks["tried"]:
            return False
        self._open = {name: tuple(state) for name, state in marks["open"].items()}
        self._attempt, self._after = marks["attempt"], None
        return True

    def _tried(self, number: int | None) -> str | None:
        query = select(attempt.c.event_id, attempt.c.at).where(attempt.c.id == (number or 0))
        found = self._outbox.read(query)
        return f"{found[0]['event_id']} {found[0]['at']}" if found else None

    def read(self) -> MessageNews:
        """Return what is new since the last look."""
        if self._attempt is None:
            self._attempt = self._newest()
        if self._after is not None:
            return self._first(self._after)
        newest = self._newest()
        names = self._changed(newest)
        self._attempt = newest
        kept = [row for some in _some(names) for row in self._of(some)]
        return self._news(kept)

    def _first(self, after: int) -> MessageNews:
        query = select(message).where(message.c.entry_seq > after)
        rows = self._outbox.read(query.order_by(message.c.entry_seq).limit(MESSAGES))
        kept = [row_of(found) for found in rows]
        more = len(kept) == MESSAGES
        self._after = kept[-1].entry_seq if more else None
        return replace(self._news(kept), more=more)

    def _newest(self) -> int:
        return int(self._outbox.read(select(func.max(attempt.c.id).label("n")))[0]["n"] or 0)

    def _changed(self, newest: int) -> list[str]:
        c = message.c
        columns = (c.event_id, c.state, c.attempts, c.last_code, c.last_error, c.due_at)
        query = select(*columns).where(c.state.in_(OPEN))
        now_open = {row["event_id"]: tuple(row.values())[1:] for row in self._outbox.read(query)}
        names = {name for name, state in now_open.items() if self._open.get(name) != state}
        names |= self._open.keys() - now_open.keys()
        if newest != self._attempt:
            assert self._attempt is not None
            tried = select(attempt.c.event_id).where(attempt.c.id > self._attempt - AGAIN)
            names |= {row["event_id"] for row in self._outbox.read(tried)}
        return sorted(names)

    def _of(self, names: Sequence[str]) -> list[Row]:
        query = select(message).where(message.c.event_id.in_(names))
        return [row_of(found) for found in self._outbox.read(query)]

    def _news(self, kept: Sequence[Row]) -> MessageNews:
        for row in kept:
            if row.state in OPEN:
                state = (str(row.state), row.attempts, row.last_code, row.last_error, row.due_at)
                self._open[row.event_id] = state
            else:
                self._open.pop(row.event_id, None)
        told = [row for row in kept if KINDS[row.type].posts]  # type: ignore[index]
        newest: dict[str, ReceiptRow] = {}
        documents: list[tuple[str, str]] = []
        for some in _some([row.event_id for row in told]):
            for answer in self._receipts(some):
                newest[answer.event_id] = answer
                documents += [(document_name(doc), answer.event_id) for doc in answer.documents]
        rows = (
            line
            for row in told
            for line in message_lines(row, from_bytes(row.body), newest.get(row.event_id))
        )
        undoing = [
            (row, from_bytes(row.body))
            for row in kept
            if KINDS[row.type].undoes  # type: ignore[index]
        ]
        undoings = ((row.event_id, name) for row, made in undoing for name in _undone(made))
        done = {made.data.order.erp for row, made in undoing if row.state is State.DONE}
        return MessageNews(
            tuple(rows), tuple(dict.fromkeys(documents)), tuple(undoings), frozenset(done)
        )

    def _receipts(self, names: Sequence[str]) -> Iterator[ReceiptRow]:
        """Yield receipts, oldest first, without their bytes: the match compares what they name."""
        c = receipt.c
        query = select(c.event_id, c.at, c.status, c.documents, c.period)
        for row in self._outbox.read(query.where(c.event_id.in_(names)).order_by(c.id)):
            yield ReceiptRow(
                event_id=row["event_id"],
                at=row["at"],
                status=row["status"],
                body=b"",
                headers={},
                documents=tuple(DocumentRef(*parts) for parts in json.loads(row["documents"])),
                period=row["period"],
                checkpoint=None,
            )


def _undone(made: Message) -> Iterator[str]:
    """Yield the document that a message undoes."""
    if made.data.document is not UNSET:
        yield f"{made.data.document.id}/{made.data.document.year}"


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), SOME):
        yield names[start : start + SOME]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """What one look found. With `more`, the sides are not whole yet: look again, then judge.

    `orders` are (number, state) of the ERP's orders, None where they are as they were. `fault` says
    why the ERP's books could not be read: not compared is no agreement.
    """

    facts: tuple[FactRow, ...]
    lots: tuple[LotRow, ...]
    messages: tuple[MessageRow, ...]
    documents: tuple[tuple[str, str], ...]
    undoings: tuple[tuple[str, str], ...]
    books: tuple[Part, ...]
    orders: list[tuple[str, str]] | None
    upto_seq: int
    read_at: datetime
    fault: str | None
    more: bool


class Follower:
    """All three sides of one boundary, read in turn; for one thread."""

    def __init__(self, facts: FactReader, outbox: Outbox, port: ErpAdapter) -> None:
        self._facts, self._messages, self._books = facts, MessageReader(outbox), BookReader(port)
        self._away = False

    def again(self) -> None:
        """Have the ERP's books read whole at the next look that may sweep."""
        self._books.again()

    def marks(self) -> Marks:
        """Return where all three stand, to go on from there in another process."""
        return {
            "facts": self._facts.marks(),
            "messages": self._messages.marks(),
            "books": self._books.marks(),
        }

    def restore(self, marks: Marks) -> bool:
        """Stand where another process stood; False where its sources were others.

        The ERP's books are read again from their beginning, a part at each look.
        """
        is_same = self._facts.restore(marks["facts"]) and self._messages.restore(marks["messages"])
        if is_same:
            self._books.restore(marks["books"])
        return is_same

    def look(self, *, sweep: bool = False) -> Fresh:
        """Return what is new on the three sides.

        Messages are read before and after the books: before, to know whose books have moved; after,
        so that every line's message is known.
        """
        found = self._facts.read()
        first = self._messages.read()
        moved = {row.erp_order for row in first.rows if row.receipt_at is not None} | first.undone
        books: list[Part] = []
        orders: list[tuple[str, str]] | None = None
        fault: str | None = None
        more = found.more or first.more
        second = MessageNews()
        if not more:
            try:
                if self._away:
                    self._books.again()
                books, more = self._books.read(moved, sweep=sweep or self._away)
                if any(line.movement == "complete" for part in books for line in part.lines):
                    orders = self._books.states()
                self._away = False
            except ErpUnreachable as silence:
                self._away, fault, books = True, str(silence), []
            second = self._messages.read()
        return Fresh(
            facts=found.rows,
            lots=found.lots,
            messages=_latest(first.rows, second.rows),
            documents=(*first.documents, *second.documents),
            undoings=(*first.undoings, *second.undoings),
            books=tuple(books),
            orders=orders,
            upto_seq=self._facts.upto,
            read_at=now(),
            fault=fault,
            more=more,
        )


def _latest(
    first: tuple[MessageRow, ...], second: tuple[MessageRow, ...]
) -> tuple[MessageRow, ...]:
    """Return the rows of two readings; the later one counts."""
    again = {row.event_id for row in second}
    return (*(row for row in first if row.event_id not in again), *second)
