"""Fixes of differences, each only where it is safe; the relay acts on their entries.

To send again is safe, since the key and the bytes stay. To give a refused message up, or to
reverse a document of the ERP, is signed; where stock moves in the ERP two people sign.
"""

from typing import Any

from core.difference import (
    Difference,
    ErpDocument,
    Key,
    MessageSkipped,
    MessageSuperseded,
    NobodyOwns,
    ResendOrdered,
    ReversalOrdered,
    ReversalProposed,
    ShownRow,
)
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant
from core.quantity import Name, Sentence, plain
from core.signature import Seen, SignatureApplied, sign

SENT_AGAIN = ("pending", "unknown", "dead")
REFUSED = "dead"
RECEIPTED = "done"
LOST = "missing_in_erp"  # receipted, and yet not in the books
REVERSES = ("duplicate", "missing_in_mes")
SKIPPING = "I decide that this message is not sent"
SUPERSEDING = "I decide that another message stands for this one"
PROPOSING = "I propose that the ERP reverses this document"
AGREEING = "I agree that the ERP reverses this document"


class ResendMessage(Command, frozen=True, kw_only=True, tag="message.resend"):
    """Send a message again under its own key; what the ERP has already, it books no second time."""

    difference: Key
    message: Name
    why: Sentence
    shown: ShownRow


class SkipMessage(Command, frozen=True, kw_only=True, tag="message.skip"):
    """Give up a message that the ERP refused; its row stays with its class."""

    difference: Key
    message: Name
    why: Sentence
    shown: ShownRow
    seen: Seen


class SupersedeMessage(Command, frozen=True, kw_only=True, tag="message.supersede"):
    """Give up a message that the ERP refused, since a later one of its order stands for it."""

    difference: Key
    message: Name
    instead: Name
    why: Sentence
    shown: ShownRow
    seen: Seen


class ReversePosting(Command, frozen=True, kw_only=True, tag="posting.reverse"):
    """Have the ERP reverse a document that no fact of the floor stands behind.

    The first signature proposes, a second person's orders it. `document` names it as `id/year`;
    the server fills in what the books say of it.
    """

    difference: Key
    document: Key
    why: Sentence
    books: ErpDocument
    shown: ShownRow
    seen: Seen


class NothingToSend(Refused):
    """A message that is under way, settled or booked is not sent again."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(
            f"Message {message}: is {state}; only what waits, was refused, or is not in the books"
            " in spite of its receipt is sent again. Read the row once more.",
            message=message,
            state=state,
        )


class NotRefused(Refused):
    """Only what the ERP refused is given up."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(
            f"Message {message}: is {state}, must be dead, which is refused by the ERP. Wait for"
            " the ERP's answer.",
            message=message,
            state=state,
        )


class OtherMessage(Refused):
    """The message belongs to another row."""

    def __init__(self, difference: str, message: str) -> None:
        super().__init__(
            f"Difference {difference}: message {message} is not of this row. Open its own row.",
            difference=difference,
            message=message,
        )


class StandsForItself(Refused):
    """A message is superseded by another one."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"Message {message}: cannot stand for itself. Name the later message.", message=message
        )


class NotSafeHere(Refused):
    """The class of the row does not say that the document is one too many."""

    def __init__(self, difference: str, match_class: str) -> None:
        super().__init__(
            f"Difference {difference}: is {match_class}; a document is reversed from here only"
            f" where it is {' or '.join(REVERSES)}. Ask the ERP's keeper.",
            difference=difference,
            match_class=match_class,
        )


class OtherDocument(Refused):
    """The books say nothing of such a document in this row."""

    def __init__(self, difference: str, document: str) -> None:
        super().__init__(
            f"Difference {difference}: document {document} is not of this row. Read it again.",
            difference=difference,
            document=document,
        )


class SecondPersonNeeded(Refused):
    """Stock moves in the ERP, so two people sign."""

    is_evidence = True

    def __init__(self, document: str, name: str) -> None:
        super().__init__(
            f"Document {document}: {name} has proposed its reversal; another person must agree."
            " Ask a second person to sign.",
            document=document,
            name=name,
        )


type Fix = ResendMessage | SkipMessage | SupersedeMessage | ReversePosting


def decide(plant: Plant, command: Fix, context: Context) -> Facts:
    """Return what a fix causes, or refuse it.

    Raises:
        NobodyOwns: what is signed for has no owner and no reason.
        OtherMessage, NothingToSend, NotRefused, StandsForItself: not with this message.
        NotSafeHere, OtherDocument, WrongState: not with this document.
        SecondPersonNeeded: who proposed the reversal cannot agree to it.
        SignatureRequired, RecordMoved: see `core.signature.sign`.
    """
    stream = f"{Difference.KIND}/{command.difference}"
    if isinstance(command, ReversePosting):
        return _reverse(plant, command, context, stream=stream)
    state = command.shown.message_state or "not known"
    if command.shown.message != command.message:
        raise OtherMessage(command.difference, command.message)
    if isinstance(command, ResendMessage):
        is_lost = (state, command.shown.match_class) == (RECEIPTED, LOST)
        if state not in SENT_AGAIN and not is_lost:
            raise NothingToSend(command.message, state)
        again = ResendOrdered(
            difference=command.difference,
            message=command.message,
            why=command.why,
            shown=command.shown,
        )
        return (Fact(stream, again, command.why),)
    if state != REFUSED:
        raise NotRefused(command.message, state)
    return _given_up(plant, command, context, stream=stream)


def _owned(plant: Plant, difference: str) -> Difference:
    found = plant.get(Difference, difference)
    if found is None or found.owner is None:
        raise NobodyOwns(difference)
    return found


def _given_up(
    plant: Plant, command: SkipMessage | SupersedeMessage, context: Context, *, stream: str
) -> Facts:
    _owned(plant, command.difference)
    told: dict[str, Any] = {
        "difference": command.difference,
        "message": command.message,
        "why": command.why,
        "shown": command.shown,
    }
    event: MessageSkipped | MessageSuperseded
    if isinstance(command, SkipMessage):
        meaning, event = SKIPPING, MessageSkipped(**told)
        words = f"Message {command.message} is not sent; its order goes on. {command.why}"
    else:
        if command.instead == command.message:
            raise StandsForItself(command.message)
        meaning, event = SUPERSEDING, MessageSuperseded(**told, instead=command.instead)
        words = (
            f"Message {command.message} is not sent; {command.instead} stands for it, and the"
            f" order goes on. {command.why}"
        )
    signed = sign(plant, context, command.seen, record=stream, meaning=meaning, words=words)
    return (Fact(stream, signed, command.why), Fact(stream, event, command.why))


def lines_in_words(document: ErpDocument) -> str:
    """Return what the lines of a document say."""
    return "; ".join(
        f"{line.movement} {plain(line.quantity)} {line.unit} of {line.material},"
        f" {'no lot' if line.lot is None else f'lot {line.lot}'}"
        for line in document.lines
    )


def reversal_words(document: ErpDocument, why: str) -> str:
    """Return in words what is signed for a reversal in the ERP."""
    return (
        f"The ERP's document {document.name} on order {document.erp_order},"
        f" {lines_in_words(document)}, is reversed in the ERP. {why}"
    )


def _reverse(plant: Plant, command: ReversePosting, context: Context, *, stream: str) -> Facts:
    difference, books = _owned(plant, command.difference), command.books
    if command.shown.match_class not in REVERSES:
        raise NotSafeHere(command.difference, command.shown.match_class)
    if command.document != books.name or not books.lines:
        raise OtherDocument(command.difference, command.document)
    if (before := difference.ordered(books.name)) is not None:
        raise WrongState(
            f"Document {books.name}",
            f"ordered to be reversed by entry {before.seq}",
            needed="one that nobody has ordered to be reversed",
            next_step="Wait for the ERP's answer.",
        )
    is_second = difference.proposed == books
    signed = _signed(plant, command, context, difference=difference if is_second else None)
    facts = [Fact(stream, signed, command.why)]
    if not is_second:
        proposed = ReversalProposed(
            difference=command.difference, document=books, why=command.why, shown=command.shown
        )
        return (*facts, Fact(stream, proposed, command.why))
    ordered = ReversalOrdered(
        difference=command.difference,
        order=books.order,
        erp_order=books.erp_order,
        document=books,
        proposed_by=difference.proposed_by or "",
        why=command.why,
        shown=command.shown,
    )
    return (*facts, Fact(stream, ordered, command.why))


def _signed(
    plant: Plant, it: ReversePosting, context: Context, *, difference: Difference | None
) -> SignatureApplied:
    """Return the first signature, or the second where the difference has a proposal for it."""
    first = difference is None
    by = None if difference is None else difference.proposed_by
    return sign(
        plant,
        context,
        it.seen,
        record=f"{Difference.KIND}/{it.difference}",
        meaning=PROPOSING if first else AGREEING,
        words=reversal_words(it.books, it.why),
        party="first" if first else "second",
        performers=(by,),
        own=lambda name: SecondPersonNeeded(it.books.name, name),
        compliant=False,
    )
