"""Differences between floor, messages and the ERP's books: who owns one, why, what was decided.

The match itself is made outside, of the ledger and the ERP's books; here stands what people make
of its rows. A difference has the key of its row, which stays the same in every reading. What the
match said at that moment goes into the entry as `shown`; the server fills it in, nobody else.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from core.batch.state import Signed, signed
from core.deviation import Deviation
from core.errors import Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import Person, PersonState
from core.quantity import ONE_LINE, Name, Sentence, Utc
from core.record_print import Digest
from core.signature import SignatureApplied

type Key = Annotated[str, Meta(min_length=1, max_length=240, pattern=ONE_LINE)]

MATCHED, IN_FLIGHT, NOT_COMPARED = "matched", "in_flight", "not_compared"
NO_DIFFERENCE = (MATCHED, IN_FLIGHT, NOT_COMPARED)


class ReasonCode(StrEnum):
    """Root causes of differences."""

    POSTED_BY_HAND = "posted_by_hand"
    REFUSED_BY_ERP = "refused_by_erp"
    ERP_MASTER_DATA = "erp_master_data"
    PERIOD_CLOSED = "period_closed"
    ENTRY_ERROR = "entry_error"
    ORDER_NOT_LINKED = "order_not_linked"
    LINK_FAULT = "link_fault"
    TIMING = "timing"
    OTHER = "other"


class ShownRow(Struct, frozen=True, kw_only=True):
    """What the match said of a row when somebody acted on it; `sha256` is over the whole row.

    `books_at` is when the ERP's books were read, None where they never were.
    """

    match_class: Name
    sha256: Digest
    upto_seq: int
    books_at: Utc | None = None
    entry: int | None = None
    message: Name | None = None
    message_state: Name | None = None


class DocumentLine(Struct, frozen=True, kw_only=True):
    """One line of a document in the ERP's books."""

    material: Name
    lot: Name | None
    movement: Literal["issue", "return", "scrap", "receipt"]
    quantity: Decimal
    unit: Name


class ErpDocument(Struct, frozen=True, kw_only=True):
    """A document of the ERP and the order it stands on, in both systems' numbers."""

    id: Name
    year: Name
    order: Name
    erp_order: Name
    lines: tuple[DocumentLine, ...]

    @property
    def name(self) -> str:
        """How screens and commands name it."""
        return f"{self.id}/{self.year}"


class FloorFact(Struct, frozen=True, kw_only=True):
    """What the floor did, by its entry and the key of the message that told it first."""

    entry: int
    message: Name
    order: Name
    erp_order: Name
    line: DocumentLine


class AssignDifference(Command, frozen=True, kw_only=True, tag="difference.assign"):
    """Say who clears a difference, its root cause and what is known; the newest stands.

    A difference that may matter to a batch names its deviation.
    """

    difference: Key
    owner: Name
    code: ReasonCode
    note: Sentence
    deviation: Name | None = None
    shown: ShownRow


class DifferenceAssigned(Event, frozen=True, kw_only=True, tag="difference.assigned"):
    """This person clears the difference; cause and note are as known then."""

    difference: str
    owner: str
    code: ReasonCode
    note: str
    deviation: str | None
    shown: ShownRow


class ResendOrdered(Event, frozen=True, kw_only=True, tag="message.resend-ordered"):
    """A message is sent again: same key, same bytes."""

    difference: str
    message: str
    why: str
    shown: ShownRow


class MessageSkipped(Event, frozen=True, kw_only=True, tag="message.skipped"):
    """A message that the ERP refused is not sent; what comes after it in its order goes on."""

    difference: str
    message: str
    why: str
    shown: ShownRow


class MessageSuperseded(Event, frozen=True, kw_only=True, tag="message.superseded"):
    """Another message of the same order tells what this one could not."""

    difference: str
    message: str
    instead: str
    why: str
    shown: ShownRow


class ReversalProposed(Event, frozen=True, kw_only=True, tag="posting.reversal-proposed"):
    """The first of two people signed; nothing is sent before the second agrees."""

    difference: str
    document: ErpDocument
    why: str
    shown: ShownRow


class ReversalOrdered(Event, frozen=True, kw_only=True, tag="posting.reversal-ordered"):
    """Two people signed: the ERP is told to reverse one of its documents."""

    difference: str
    order: str
    erp_order: str
    document: ErpDocument
    proposed_by: str
    why: str
    shown: ShownRow


class ReplacementProposed(Event, frozen=True, kw_only=True, tag="posting.replacement-proposed"):
    """The first of two people signed; nothing is sent before the second agrees.

    `document` is reversed in the ERP first, None where it is reversed there already.
    """

    difference: str
    document: ErpDocument | None
    fact: FloorFact
    why: str
    shown: ShownRow


class ReplacementOrdered(Event, frozen=True, kw_only=True, tag="posting.replacement-ordered"):
    """Two people signed: the ERP is told a fact of the floor anew, under a key made of its first.

    `again` counts how often; `replaces` is the document whose reversal was ordered just before.
    """

    difference: str
    order: str
    fact: FloorFact
    again: int
    replaces: str | None
    proposed_by: str
    why: str
    shown: ShownRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision about a difference, by the event's stored name."""

    type: str
    by: str
    at: datetime
    seq: int
    why: str
    message: str | None = None
    instead: str | None = None
    document: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference folded from its stream. `match_class` is as shown to who acted last."""

    KIND: ClassVar[str] = "difference"
    difference: str
    match_class: str
    owner: str | None = None
    code: ReasonCode | None = None
    note: str = ""
    deviation: str | None = None
    assigned_by: str | None = None
    assigned_at: datetime | None = None
    decided: tuple[Decided, ...] = ()
    proposed: ErpDocument | None = None
    proposed_by: str | None = None
    replacing: ReplacementProposed | None = None
    replacing_by: str | None = None
    signatures: tuple[Signed, ...] = ()

    def ordered(self, document: str) -> Decided | None:
        """Return the order to reverse a document, None where there is none that stands.

        A message that was given up afterwards may be the order's own: then it is ordered anew.
        """
        type_, skipped = ReversalOrdered.__struct_config__.tag, MessageSkipped.__struct_config__.tag
        found = None
        for one in self.decided:
            if (one.type, one.document) == (type_, document):
                found = one
            elif one.type == skipped:
                found = None
        return found

    @property
    def replaced(self) -> int:
        """How often the fact was ordered to be told anew."""
        type_ = ReplacementOrdered.__struct_config__.tag
        return sum(one.type == type_ for one in self.decided)


class NothingDiffers(Refused):
    """What matches needs no owner."""

    def __init__(self, difference: str) -> None:
        super().__init__(
            f"Row {difference}: all sides say the same. There is nothing to clear.",
            difference=difference,
        )


class NobodyOwns(Refused):
    """A decision about a difference is taken by name: it has an owner and a cause first."""

    def __init__(self, difference: str) -> None:
        super().__init__(
            f"Difference {difference}: has no owner and no reason yet. Assign it, then decide.",
            difference=difference,
        )


def decide(plant: Plant, command: AssignDifference, context: Context) -> Facts:
    """Return what an assignment causes, or refuse it.

    Raises:
        NothingDiffers: the row matches.
        Unknown: the owner or the deviation is not known here.
        WrongState: the owner may not act.
    """
    if command.shown.match_class == MATCHED:
        raise NothingDiffers(command.difference)
    owner = need(plant, Person, command.owner, next_step="Choose a person of the plant.")
    if owner.state is not PersonState.ACTIVE:
        raise WrongState(
            f"Person {owner.name}", owner.state, needed="active", next_step="Choose another owner."
        )
    if command.deviation is not None:
        need(plant, Deviation, command.deviation, next_step="Open it first, or leave it out.")
    assigned = DifferenceAssigned(
        difference=command.difference,
        owner=command.owner,
        code=command.code,
        note=command.note,
        deviation=command.deviation,
        shown=command.shown,
    )
    return (Fact(f"{Difference.KIND}/{command.difference}", assigned, command.note),)


def apply(difference: Difference | None, fact: Recorded) -> Difference:
    """Fold one event of a difference's stream."""
    it: Any = fact.event
    if isinstance(it, SignatureApplied):
        assert difference is not None, fact
        return replace(difference, signatures=(*difference.signatures, signed(it, fact)))
    before = difference or Difference(difference=it.difference, match_class=it.shown.match_class)
    changes: dict[str, Any] = {"match_class": it.shown.match_class}
    if isinstance(it, DifferenceAssigned):
        changes |= {
            "owner": it.owner,
            "code": it.code,
            "note": it.note,
            "deviation": it.deviation,
            "assigned_by": fact.actor,
            "assigned_at": fact.at,
        }
        return replace(before, **changes)
    if isinstance(it, ReversalProposed):
        changes |= {"proposed": it.document, "proposed_by": fact.actor}
    elif isinstance(it, ReversalOrdered):
        changes |= {"proposed": None, "proposed_by": None}
    elif isinstance(it, ReplacementProposed):
        changes |= {"replacing": it, "replacing_by": fact.actor}
    elif isinstance(it, ReplacementOrdered):
        changes |= {"replacing": None, "replacing_by": None}
    return replace(before, **changes, decided=(*before.decided, _decided(it, fact)))


def _decided(it: Any, fact: Recorded) -> Decided:
    document = getattr(it, "document", None)
    return Decided(
        type=str(type(it).__struct_config__.tag),
        by=fact.actor,
        at=fact.at,
        seq=fact.seq,
        why=it.why,
        message=getattr(it, "message", None),
        instead=getattr(it, "instead", None),
        document=None if document is None else document.name,
    )
