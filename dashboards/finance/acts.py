"""What commands of finance carry of the match: the server says it, whoever sends them.

A command names a row by its key. Its class, its message's state and what the ERP's books say of it
are read here, at that moment, and go into the ledger with the decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args

import msgspec
from msgspec import UNSET

from core.difference import DocumentLine, ErpDocument, ShownRow
from core.errors import Refused
from core.execution import Execution
from core.order import Order
from dashboards.finance.compare import MatchRow, document_of, wrong_document
from dashboards.finance.kept_rows import row_sha256, spelled
from dashboards.finance.matching import ReconcileReader
from dashboards.finance.reading import Snapshot
from erp import evidence
from erp.contract import from_bytes
from erp.messages import OUR_UNITS
from erp.port import DOCUMENT_REVERSED
from erp.reconcile import PostingRow
from erp.rows import Row

REVERSE, SUPERSEDE = "posting.reverse", "message.supersede"
REPLACE, ASK = "posting.replace", "correction.request"
WITH_FACT = (REPLACE, ASK)
ABOUT_ROWS = (
    "difference.assign", "message.resend", "message.skip", SUPERSEDE, REVERSE, *WITH_FACT,
)  # fmt: skip
FILLED = ("shown", "books", "fact")
ONE_TOO_MANY = ("duplicate", "missing_in_mes")
MOVEMENTS = get_args(DocumentLine.__annotations__["movement"])


class NoErp(Refused):
    """Without an ERP there is nothing to compare."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"{command}: no ERP is connected, so nothing is compared. Connect one first.",
            command=command,
        )


class NoSuchRow(Refused):
    """The match has no row of that key."""

    def __init__(self, difference: str) -> None:
        super().__init__(
            f"Row {difference}: is in none of the three lists now. Read the list again.",
            difference=difference,
        )


class MatchFromElsewhere(Refused):
    """Whoever asks may not say what the match says."""

    def __init__(self, command: str, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"{command}: carries {', '.join(fields)}. The server reads the match itself. Leave"
            f" {'it' if len(fields) == 1 else 'them'} out.",
            command=command,
            fields=", ".join(fields),
        )


class NotReversibleThere(Refused):
    """The ERP takes no reversal of a document from here, or not of this one."""

    def __init__(self, document: str, why: str) -> None:
        super().__init__(
            f"Document {document}: {why}. Ask the ERP's keeper to reverse it there.",
            document=document,
        )


class NoSuchMessage(Refused):
    """The message that shall stand for another is not one of its order."""

    def __init__(self, message: str, lane: str) -> None:
        super().__init__(
            f"Message {message}: is no later message of order {lane}. Choose one of its list.",
            message=message,
            lane=lane,
        )


@dataclass(frozen=True, slots=True)
class RowActs:
    """What may be done about a row of the match, and what commands about it carry."""

    reader: ReconcileReader
    execution: Execution

    def row(self, key: str) -> MatchRow:
        """Return a row as the match judges it now.

        Raises:
            NoSuchRow: there is none.
        """
        self.reader.read()
        found = self.reader.row(key)
        if found is None:
            raise NoSuchRow(key)
        return found

    def find(self, key: str) -> MatchRow | None:
        """Return a row by its key, or by the message that reverses a document for it."""
        found = self.reader.row(key)
        if found is not None:
            return found
        message = evidence.find(self.reader.boundary.outbox, key)
        of = None if message is None else self._row_of(message)
        return None if of is None else self.reader.row(of)

    def shown(self, row: MatchRow, message: str | None = None) -> ShownRow:
        """Return what a decision about a row carries; `message` is one of its own, or None."""
        snap = self.reader.newest
        assert isinstance(snap, Snapshot), row
        found = self.message_of(row, message or row.message_id or "")
        return ShownRow(
            match_class=row.match_class,
            sha256=row_sha256(row),
            upto_seq=snap.upto_seq,
            books_at=snap.books_at,
            entry=row.entry_seq,
            message=None if found is None else found.event_id,
            message_state=None if found is None else str(found.state),
        )

    def message_of(self, row: MatchRow, message: str) -> Row | None:
        """Return a message if it is the row's own, or a reversal that was ordered for it."""
        found = evidence.find(self.reader.boundary.outbox, message) if message else None
        if found is None or message in (row.event_id, row.message_id):
            return found
        return found if self._difference_of(found) == row.key else None

    def _row_of(self, found: Row) -> str | None:
        """Return the row of a reversal that was ordered for it, or of a fact that is told anew."""
        replaces = from_bytes(found.body).data.replaces
        return self._difference_of(found) if replaces is UNSET else replaces

    def _difference_of(self, found: Row) -> str | None:
        if found.type != DOCUMENT_REVERSED:
            return None
        entry = self.execution.ledger.entry(found.entry_seq)
        return None if entry is None else entry.data.get("difference")

    def reversals(self, row: MatchRow) -> tuple[Row, ...]:
        """Return the messages by which documents of the row are reversed in the ERP."""
        found = evidence.of_type(self.reader.boundary.outbox, DOCUMENT_REVERSED)
        return tuple(one for one in found if self._difference_of(one) == row.key)

    def later(self, row: MatchRow) -> tuple[Row, ...]:
        """Return the later messages of the row's order: what may stand for its own."""
        outbox = self.reader.boundary.outbox
        own = evidence.find(outbox, row.message_id or "")
        if own is None:
            return ()
        lane = evidence.messages(outbox, lane=own.lane)
        return tuple(one for one in lane if one.lane_seq > own.lane_seq)

    def surplus(self, row: MatchRow) -> tuple[str, ...]:
        """Return the documents, as `id/year`, that no fact of the floor stands behind."""
        if row.match_class not in ONE_TOO_MANY:
            return ()
        named = [document_of(one) for one in row.postings]
        documents = tuple(dict.fromkeys(named))
        if row.fact is None:
            return documents
        receipted = (row.message.documents or "").split() if row.message is not None else []
        known = [one for one in documents if one.partition("/")[0] in receipted]
        keeps = known[:1] or list(documents[:1])
        return tuple(one for one in documents if one not in keeps)

    def books(self, row: MatchRow, document: str) -> ErpDocument:
        """Return what the ERP's books say of a document that is one too many.

        Raises:
            NotReversibleThere: the ERP takes no such reversal, or the document is not to be read.
        """
        profile = self.reader.boundary.port.profile
        if not profile.books(DOCUMENT_REVERSED):
            raise NotReversibleThere(document, f"{profile.name} takes no reversal from here")
        if document not in (*self.surplus(row), wrong_document(row)):
            raise NotReversibleThere(document, "is not one too many in this row")
        lines = [one for one in row.postings if document_of(one) == document]
        number, _, year = document.partition("/")
        erp_order = lines[0].erp_order or ""
        order = self._order(row, erp_order)
        if order is None:
            raise NotReversibleThere(document, "stands on no order that is known here")
        return ErpDocument(
            id=number,
            year=year,
            order=order,
            erp_order=erp_order,
            lines=tuple(_line(document, one) for one in lines),
        )

    def _order(self, row: MatchRow, erp_order: str) -> str | None:
        if row.fact is not None and row.fact.order is not None:
            return row.fact.order
        orders = self.execution.nouns.all(Order)
        found = [one for one in orders if one.erp_ref == erp_order and one.done_as is None]
        return found[0].order if found else None

    def complete(self, command: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a client's command body with what the match says, as JSON values.

        Raises:
            MatchFromElsewhere: the client says it.
            NoSuchRow, NoSuchMessage, NotReversibleThere: there is nothing to decide about.
        """
        given = dict(body)
        if said := tuple(name for name in FILLED if name in given):
            raise MatchFromElsewhere(command, said)
        key, message = given.get("difference"), given.get("message")
        if not isinstance(key, str):
            return given  # the command's own check names the field
        row = self.row(key)
        shown = self.shown(row, message if isinstance(message, str) else None)
        given["shown"] = msgspec.to_builtins(shown)
        if command == REVERSE and isinstance(document := given.get("document"), str):
            given["books"] = msgspec.to_builtins(self.books(row, document))
        if command == SUPERSEDE and isinstance(instead := given.get("instead"), str):
            self.check_instead(row, instead)
        return given

    def check_instead(self, row: MatchRow, instead: str) -> None:
        """Refuse a message that cannot stand for the row's own.

        Raises:
            NoSuchMessage: it is no later one of the order.
        """
        if instead != row.message_id and all(one.event_id != instead for one in self.later(row)):
            lane = row.message.lane if row.message is not None else "–"
            raise NoSuchMessage(instead, lane)


def _line(document: str, it: PostingRow) -> DocumentLine:
    unit = OUR_UNITS.get(it.unit or "")
    if it.movement not in MOVEMENTS or it.quantity is None or unit is None or it.item is None:
        raise NotReversibleThere(document, f"has a line that moves no stock: {it.movement}")
    return DocumentLine(
        material=it.item,
        lot=it.lot,
        movement=it.movement,  # type: ignore[arg-type]
        quantity=Decimal(spelled(it.quantity) or 0),
        unit=unit,
    )
