"""Why an ERP does not take a message: date, original, order, item, unit and lot, one by one.

The codes are ours, so that a person reads the same word whoever the maker is; the ERP's own words
stay beside it where it has said any.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from core.clock import now
from erp.adapters.calling import clock_of
from erp.adapters.reading import UNREADABLE
from erp.adapters.words import Holdings, Undoes, Words
from erp.contract import erp_ref
from erp.errors import ErpUnreachable
from erp.port import (
    DocumentRef,
    ErpOrderState,
    Exchange,
    LedgerLine,
    PeriodState,
    Posting,
    PostingLine,
    Rejected,
)

LEAD = timedelta(days=1)  # the ERP's day may have begun before the plant's
# what most ERPs do: every state that is not released is over
ALL_BUT_RELEASED: Mapping[ErpOrderState | None, str] = {
    None: "order_closed",
    **{it: "order_closed" for it in ErpOrderState if it is not ErpOrderState.RELEASED},
}


def missing(of: Holdings, posting: Posting) -> Rejected | None:
    """Return what of a message is not there or does not take it, None where all is.

    Raises:
        ErpUnreachable: a question got no answer.
    """
    found = wrong_date(of, posting) or _undone(of, posting.document)
    if found is None and posting.corrects is not None:
        found = of.undoing(erp_ref(posting.corrects), posting)
    if found is None:
        found = _wrong_order(of, posting.order.erp)
    for line in posting.lines:
        found = found or _wrong_line(of, line)
    return found


def _undone(of: Holdings, doc: DocumentRef | None) -> Rejected | None:
    by = of.undone_by(doc) if doc is not None and isinstance(of, Undoes) else None
    return already_reversed(doc.id, by) if doc is not None and by is not None else None


def wrong_date(of: Holdings, posting: Posting) -> Rejected | None:
    """Return why a posting date is not taken; one that the ERP cannot be asked for is."""
    on, state = posting.posting_date, of.period(posting.posting_date)
    if state is PeriodState.UNKNOWN:
        return None
    is_open = state is PeriodState.OPEN
    if on > now().date() and not (is_open and "future_dates" in of.profile.supports):
        at = clock_of(of.profile.name, of.beat())
        if on > (at + LEAD).date():
            return Rejected("date_in_future", f"{on} is ahead of the ERP's day.")
    return None if is_open else Rejected(f"period_{state}", f"{on}: {state}.")


def _wrong_order(of: Holdings, number: str) -> Rejected | None:
    found = of.order_state(number)
    if found is None:
        return Rejected("order_unknown", f"Order {number} is not there.")
    state, spelled = found
    code = of.orders_over.get(state)
    return Rejected(code, f"Order {number} has status {spelled}.") if code else None


def _wrong_line(of: Holdings, line: PostingLine) -> Rejected | None:
    unit = of.unit_of(line.item)
    if unit is None:
        return Rejected("item_unknown", f"Item {line.item} is not there.")
    if unit != of.plant.units[line.unit].code:
        return Rejected("unit_wrong", f"Item {line.item} is kept in {unit}.")
    if line.movement != "receipt" and line.lot and not of.has_lot(line.item, line.lot):
        return Rejected("lot_unknown", f"Lot {line.lot} of {line.item} is not there.")
    return None


def original_unknown(original: str) -> Rejected:
    """Return the refusal of a reversal whose original the books do not have."""
    return Rejected("original_unknown", f"{original} was never posted here.")


def already_reversed(original: str, by: str) -> Rejected:
    """Return the refusal of a reversal of what is undone; `by` names what undid it."""
    return Rejected("already_reversed", f"{original}: reversed by {by}.")


def other_document(words: Words, posting: Posting) -> Rejected | None:
    """Return why the document that a message undoes is not as it was signed; None where it is.

    What is posted to undo it is one movement, so a document of several lines is left to the ERP.

    Raises:
        ErpUnreachable: no answer, or books that cannot be read.
    """
    doc = posting.document
    if doc is None:
        return None
    if len(posting.lines) != 1:
        detail = f"Document {doc.id} has {len(posting.lines)} lines: its keeper reverses it there."
        return Rejected("does_not_fit", detail)
    try:
        lines = [
            line
            for _, read in words.books(posting.order.erp, 0)
            for line in read()
            if (line.document.id, line.document.year) == (doc.id, doc.year)
        ]
    except UNREADABLE as fault:
        raise ErpUnreachable(words.address, f"the books are not readable: {fault}") from fault
    return differs(lines, posting, doc)


def differs(lines: Sequence[LedgerLine], posting: Posting, doc: DocumentRef) -> Rejected | None:
    """Return why a document of the ERP is not what a message wants undone; None where it is.

    Two people have signed for its lines: one that reads otherwise now is left alone.
    """
    if not lines:
        return Rejected("document_unknown", f"Document {doc.id} of {doc.year}: none.")
    booked = Counter((one.item, one.lot, one.movement, one.quantity) for one in lines)
    told = Counter((one.item, one.lot, one.movement, -one.quantity) for one in posting.lines)
    if booked != told or {one.order for one in lines} != {posting.order.erp}:
        return Rejected("reversal_differs", f"The lines do not undo document {doc.id}.")
    return None


def undoing(
    original: str, found: Sequence[DocumentRef], undone_by: Callable[[], str | None]
) -> Rejected | None:
    """Return why what was booked as `found` cannot be reversed: it is not there, or undone."""
    if not found:
        return original_unknown(original)
    by = undone_by()
    return already_reversed(original, by) if by else None


def explained(
    of: Holdings, posting: Posting, *, code: str, words: str, exchange: Exchange
) -> Rejected:
    """Return a refusal under our own code where its reason can be found, with the ERP's words."""
    try:
        why = missing(of, posting)
    except ErpUnreachable as fault:
        # It was refused; only the reason stays in the ERP's own words.
        why, words = None, f"{words} ({fault.why})"
    return Rejected(why.code if why else code, words, exchange)
