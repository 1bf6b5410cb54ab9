"""A posting of the ERP that says other than the floor: reversed there, and the fact told anew.

Two people sign. Both orders stand in one commit and their messages in one lane, so that nothing is
told anew before the wrong document is reversed. A fact that was told for the nth time has a key
made of its first one and n: ordered twice, it is still booked once.
"""

from decimal import Decimal

from core.difference import (
    Difference,
    ErpDocument,
    FloorFact,
    Key,
    NobodyOwns,
    ReplacementOrdered,
    ReplacementProposed,
    ReversalOrdered,
    ShownRow,
)
from core.difference_fix import OtherDocument, lines_in_words
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant
from core.quantity import Sentence, plain
from core.signature import Seen, SignatureApplied, sign

WRONG = (
    "qty_mismatch", "lot_mismatch", "item_mismatch", "uom_mismatch", "wrong_order",
    "changed_after_post",
)  # fmt: skip
TAKEN_BACK = "reversed_one_side"
SETTLED = ("done", "skipped", "superseded")
PROPOSING = "I propose that the ERP books what the floor did in the place of what it has"
AGREEING = "I agree that the ERP books what the floor did in the place of what it has"


class ReplacePosting(Command, frozen=True, kw_only=True, tag="posting.replace"):
    """Have the ERP reverse a document that says other than the floor, and book the fact anew.

    The first signature proposes, a second person's orders it. `document` names it as `id/year`,
    None where the ERP has reversed it already. The server fills in `books` and `fact`.
    """

    difference: Key
    document: Key | None = None
    why: Sentence
    books: ErpDocument | None = None
    fact: FloorFact
    shown: ShownRow
    seen: Seen


class NotReplacedHere(Refused):
    """The class of the row does not say that the ERP booked a fact of the floor wrongly."""

    def __init__(self, difference: str, match_class: str, *, whole: bool) -> None:
        needed = " or ".join(WRONG) if whole else TAKEN_BACK
        what = "a document is replaced" if whole else "a fact is posted again"
        super().__init__(
            f"Difference {difference}: is {match_class}; {what} only where it is {needed}."
            " Read the row once more.",
            difference=difference,
            match_class=match_class,
        )


class StillUnderWay(Refused):
    """A fact is told anew only when nothing of it is under way any more."""

    def __init__(self, difference: str, message: str, state: str) -> None:
        super().__init__(
            f"Difference {difference}: message {message} is {state}, must be settled:"
            f" {', '.join(SETTLED)}. Resend it or give it up first.",
            difference=difference,
            message=message,
        )


class SecondMustAgree(Refused):
    """Stock moves in the ERP, so two people sign."""

    is_evidence = True

    def __init__(self, difference: str, name: str) -> None:
        super().__init__(
            f"Difference {difference}: {name} has proposed what is posted again; another person"
            " must agree. Ask a second person to sign.",
            difference=difference,
            name=name,
        )


def replacement_words(books: ErpDocument | None, fact: FloorFact, why: str) -> str:
    """Return in words what is signed for a posting anew."""
    line = fact.line
    lot = "no lot" if line.lot is None else f"lot {line.lot}"
    told = (
        f"{line.movement} {plain(line.quantity)} {line.unit} of {line.material}, {lot}, on order"
        f" {fact.erp_order}"
    )
    before = "The ERP has taken back its posting." if books is None else (
        f"The ERP's document {books.name} on order {books.erp_order}, {lines_in_words(books)}, is"
        " reversed in the ERP."
    )  # fmt: skip
    return f"{before} What the floor did by entry {fact.entry}, {told}, is posted anew. {why}"


def decide(plant: Plant, command: ReplacePosting, context: Context) -> Facts:
    """Return what a replacement causes, or refuse it.

    Raises:
        NobodyOwns: the difference has no owner and no reason.
        NotReplacedHere, OtherDocument: nothing is replaced in this row.
        StillUnderWay: its message is open or refused.
        WrongState: the document is ordered to be reversed already.
        SecondMustAgree: who proposed it cannot agree to it.
        SignatureRequired, RecordMoved: see `core.signature.sign`.
    """
    found = plant.get(Difference, command.difference)
    if found is None or found.owner is None:
        raise NobodyOwns(command.difference)
    _check(command, found)
    stream = f"{Difference.KIND}/{command.difference}"
    before = found.replacing
    is_second = before is not None and (before.document, before.fact) == (
        command.books,
        command.fact,
    )
    signed = _signed(plant, command, context, by=found.replacing_by if is_second else None)
    facts = [Fact(stream, signed, command.why)]
    if not is_second:
        proposed = ReplacementProposed(
            difference=command.difference,
            document=command.books,
            fact=command.fact,
            why=command.why,
            shown=command.shown,
        )
        return (*facts, Fact(stream, proposed, command.why))
    by = found.replacing_by or ""
    if command.books is not None:
        facts.append(Fact(stream, _reversal(command, command.books, by), command.why))
    ordered = ReplacementOrdered(
        difference=command.difference,
        order=command.fact.order,
        fact=command.fact,
        again=found.replaced + 1,
        replaces=command.document,
        proposed_by=by,
        why=command.why,
        shown=command.shown,
    )
    return (*facts, Fact(stream, ordered, command.why))


def _check(command: ReplacePosting, found: Difference) -> None:
    books, shown = command.books, command.shown
    is_whole = command.document is not None
    if shown.match_class not in (WRONG if is_whole else (TAKEN_BACK,)):
        raise NotReplacedHere(command.difference, shown.match_class, whole=is_whole)
    if command.document != (None if books is None else books.name):
        raise OtherDocument(command.difference, str(command.document))
    if books is not None and not any(line.quantity != Decimal(0) for line in books.lines):
        raise OtherDocument(command.difference, books.name)
    if shown.message is not None and shown.message_state not in SETTLED:
        raise StillUnderWay(command.difference, shown.message, shown.message_state or "not known")
    ordered = None if books is None else found.ordered(books.name)
    if books is not None and ordered is not None:
        raise WrongState(
            f"Document {books.name}",
            f"ordered to be reversed by entry {ordered.seq}",
            needed="one that nobody has ordered to be reversed",
            next_step="Wait for the ERP's answer.",
        )


def _reversal(it: ReplacePosting, books: ErpDocument, by: str) -> ReversalOrdered:
    return ReversalOrdered(
        difference=it.difference,
        order=books.order,
        erp_order=books.erp_order,
        document=books,
        proposed_by=by,
        why=it.why,
        shown=it.shown,
    )


def _signed(
    plant: Plant, it: ReplacePosting, context: Context, *, by: str | None
) -> SignatureApplied:
    """Return the first signature, or the second where `by` has proposed the same."""
    return sign(
        plant,
        context,
        it.seen,
        record=f"{Difference.KIND}/{it.difference}",
        meaning=PROPOSING if by is None else AGREEING,
        words=replacement_words(it.books, it.fact, it.why),
        party="first" if by is None else "second",
        performers=(by,),
        own=lambda name: SecondMustAgree(it.difference, name),
        compliant=False,
    )
