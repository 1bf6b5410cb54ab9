"""What may be posted anew in the ERP: a document that says other than the floor, and its fact."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from core.authority import PlantRules
from core.clock import now
from core.difference import DocumentLine, ErpDocument, FloorFact
from core.difference_replace import TAKEN_BACK
from core.errors import Refused
from core.quantity import plain
from dashboards.finance.acts import ASK, RowActs
from dashboards.finance.compare import MatchRow, wrong_document
from dashboards.finance.kept_rows import spelled
from erp.errors import ErpUnreachable
from erp.events import KINDS
from erp.messages import OUR_UNITS
from erp.port import PeriodState


class NotPostedAgain(Refused):
    """Nothing of the row is posted anew."""

    def __init__(self, difference: str, why: str) -> None:
        super().__init__(f"Difference {difference}: {why}", difference=difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What is reversed, None where the ERP has done so already, and what is posted anew."""

    books: ErpDocument | None
    fact: FloorFact


def may_replace(row: MatchRow) -> bool:
    """Return whether a row is one whose fact may be posted anew."""
    if row.fact is None or row.fact.corrects is not None or row.fact.quantity is None:
        return False
    is_taken_back = row.match_class == TAKEN_BACK and bool(row.postings)
    return is_taken_back or wrong_document(row) is not None


def replacement(acts: RowActs, row: MatchRow, document: str | None) -> Replacement:
    """Return what two people sign to have a row's fact posted anew.

    Raises:
        NotPostedAgain: the row is no such row, or the ERP's period takes nothing.
        NotReversibleThere: the ERP takes no reversal of the document from here.
    """
    if not may_replace(row):
        raise NotPostedAgain(
            row.key,
            f"is {row.match_class}; only a movement of the floor that the ERP booked wrongly, or"
            " took back, is posted again. Read the row once more.",
        )
    assert row.fact is not None, row
    if document != wrong_document(row):
        raise NotPostedAgain(
            row.key,
            f"{'a document' if document is None else f'document {document}'} is not what stands"
            f" wrong in this row; {wrong_document(row) or 'none'} is. Name that.",
        )
    with acts.reader.reading() as found:
        taken_back = found.taken_back(row.fact.event_id)
    if taken_back is not None:
        raise NotPostedAgain(
            row.key,
            f"the floor took this fact back by entry {taken_back}. Wait for its reversal, then"
            " read the row once more.",
        )
    _check_periods(acts, row)
    books = None if document is None else acts.books(row, document)
    return Replacement(books=books, fact=fact_of(row))


def complete(acts: RowActs, command: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's command body with what it is about, as JSON values.

    Raises:
        MatchFromElsewhere: the client says it.
        NoSuchRow, NotPostedAgain, NotReversibleThere: there is nothing to decide about.
    """
    given = acts.complete(command, body)
    key, document = given.get("difference"), given.get("document")
    if command == ASK and isinstance(key, str):
        given["fact"] = msgspec.to_builtins(fact_of(acts.row(key)))
    elif isinstance(key, str) and isinstance(document, str | None):
        made = replacement(acts, acts.row(key), document)
        given["books"] = msgspec.to_builtins(made.books)
        given["fact"] = msgspec.to_builtins(made.fact)
    return given


def fact_of(row: MatchRow) -> FloorFact:
    """Return what the floor did in a row.

    Raises:
        NotPostedAgain: its order is not known to the ERP, or nothing moved.
    """
    it = row.fact
    if it is None or it.quantity is None:
        raise NotPostedAgain(row.key, "no movement of the floor stands in it. Choose another row.")
    unit = OUR_UNITS.get(it.unit or "")
    if it.order is None or it.erp_order is None or unit is None or it.item is None:
        raise NotPostedAgain(row.key, "its order is not known to the ERP. Link the order first.")
    return FloorFact(
        entry=it.entry_seq,
        message=it.event_id,
        order=it.order,
        erp_order=it.erp_order,
        line=DocumentLine(
            material=it.item,
            lot=it.lot,
            movement=KINDS[it.type].movement,  # type: ignore[arg-type, index]
            quantity=Decimal(spelled(it.quantity) or 0),
            unit=unit,
        ),
    )


def _check_periods(acts: RowActs, row: MatchRow) -> None:
    """Refuse where the ERP would reverse and then not take the fact: it is asked before."""
    assert row.fact is not None, row
    port = acts.reader.boundary.port
    rules = acts.execution.nouns.get(PlantRules, acts.execution.plant)
    zone = ZoneInfo("UTC" if rules is None else rules.zone)
    today = now().astimezone(zone).date()
    for on, what in ((row.fact.posting_date, "the fact"), (today, "the reversal")):
        try:
            state = port.period(on)
        except ErpUnreachable as silence:
            why = f"the ERP cannot be asked for its periods: {silence} Try again when it answers."
            raise NotPostedAgain(row.key, why) from silence
        if state in (PeriodState.CLOSED, PeriodState.MISSING):
            raise NotPostedAgain(
                row.key,
                f"the ERP's period of {on}, the posting date of {what}, is {state}, must be open."
                " Have it opened there, then sign.",
            )


def line_words(it: DocumentLine) -> str:
    """Return what is posted anew, as a form says it."""
    lot = "no lot" if it.lot is None else f"lot {it.lot}"
    return f"{it.movement} {plain(it.quantity)} {it.unit} of {it.material}, {lot}"
