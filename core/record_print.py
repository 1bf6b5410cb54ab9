"""Prints and closed revisions of a batch record: each has a number and stands in the ledger.

They stand in a stream of their own beside the batch, since a decided batch's stream is closed.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from core.batch.state import Batch
from core.errors import Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.quantity import Name, Sentence

type Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class PrintRecord(Command, frozen=True, kw_only=True, tag="batch.print-record"):
    """Take the next copy number for the record with this content at this checkpoint.

    From the second copy on `why` says what it is for.
    """

    batch: Name
    size: int
    root: Digest
    content_sha256: Digest
    why: Sentence | None = None


class CloseRecord(Command, frozen=True, kw_only=True, tag="batch.close-record"):
    """Keep the hash of the decided batch's record, as of the ledger's size at its decision."""

    batch: Name
    revision: int
    size: int
    form: str
    content_sha256: Digest


class SealRecord(Command, frozen=True, kw_only=True, tag="batch.seal-record"):
    """Keep the hash of a copy's sealed file, and until when its seals can be checked.

    `stamped_by` names the time-stamp authority whose stamp it bears; else `why` says why none.
    """

    batch: Name
    copy: int
    file_sha256: Digest
    until: datetime
    stamped_by: str = ""
    why: str = ""


class RecordPrinted(Event, frozen=True, kw_only=True, tag="record.printed"):
    """A numbered copy of a batch record was printed; the hash is over `record.json`."""

    batch: str
    copy: int
    size: int
    root: str
    content_sha256: str
    why: str = ""


class RecordClosed(Event, frozen=True, kw_only=True, tag="record.closed"):
    """A revision of the record is complete; the hash is over its JSON as of `size`."""

    batch: str
    revision: int
    size: int
    form: str
    content_sha256: str


class RecordSealed(Event, frozen=True, kw_only=True, tag="record.sealed"):
    """The file of a numbered copy as it was handed out; the hash is over its bytes."""

    batch: str
    copy: int
    file_sha256: str
    until: datetime
    stamped_by: str = ""
    why: str = ""


class CopyNeedsReason(Refused):
    """A further copy is printed for a reason that stands in the log."""

    def __init__(self, batch: str, copy: int) -> None:
        super().__init__(
            f"Batch {batch}: this would be copy {copy} of its record. Say what it is for, then"
            " print it.",
            batch=batch,
            copy=copy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """The sealed file of a copy, until when it can be checked, and whose time stamp it bears."""

    file_sha256: str
    until: datetime
    stamped_by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One printed copy; without `sealed`, nobody recorded the file."""

    copy: int
    size: int
    content_sha256: str
    by: str
    at: datetime
    seq: int
    why: str = ""
    sealed: Sealing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """One revision of the record, as it was closed."""

    revision: int
    size: int
    form: str
    content_sha256: str
    by: str
    at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """The print log of one batch's record, and its closed revisions."""

    KIND: ClassVar[str] = "record"
    batch: str
    copies: tuple[Print, ...] = ()
    closings: tuple[Closing, ...] = ()


def decide(
    plant: Plant, command: PrintRecord | CloseRecord | SealRecord, context: Context
) -> Facts:
    """Return what printing, sealing or closing causes: the next number, without gaps.

    Raises:
        Unknown: no such batch.
        CopyNeedsReason: it is not the first copy, and nothing says why.
        WrongState: the batch is not decided, or that revision is closed already; or there is no
            such copy, or its file is recorded.
    """
    batch = need(plant, Batch, command.batch)
    prints = plant.get(Prints, batch.batch) or Prints(batch=batch.batch)
    stream = f"{Prints.KIND}/{batch.batch}"
    if isinstance(command, CloseRecord):
        return (Fact(stream, _closed(batch, prints, command)),)
    if isinstance(command, SealRecord):
        return (Fact(stream, _sealed(prints, command)),)
    copy, why = len(prints.copies) + 1, command.why or context.reason or ""
    if copy > 1 and not why:
        raise CopyNeedsReason(batch.batch, copy)
    printed = RecordPrinted(
        batch=batch.batch,
        copy=copy,
        size=command.size,
        root=command.root,
        content_sha256=command.content_sha256,
        why=why,
    )
    return (Fact(stream, printed, why or None),)


def _closed(batch: Batch, prints: Prints, command: CloseRecord) -> RecordClosed:
    if not batch.closed or command.revision != len(prints.closings) + 1:
        raise WrongState(
            f"Record of {batch.batch}",
            f"at revision {len(prints.closings)}, the batch {batch.state}",
            needed=f"decided, and at revision {command.revision - 1}",
            next_step="Read its record.",
        )
    return RecordClosed(
        batch=batch.batch,
        revision=command.revision,
        size=command.size,
        form=command.form,
        content_sha256=command.content_sha256,
    )


def _sealed(prints: Prints, command: SealRecord) -> RecordSealed:
    copy = next((one for one in prints.copies if one.copy == command.copy), None)
    if copy is None or copy.sealed is not None:
        raise WrongState(
            f"Copy {command.copy} of the record of {command.batch}",
            "not printed" if copy is None else "sealed already",
            needed="printed and not sealed",
            next_step="Print another copy.",
        )
    return RecordSealed(
        batch=command.batch,
        copy=command.copy,
        file_sha256=command.file_sha256,
        until=command.until,
        stamped_by=command.stamped_by,
        why=command.why,
    )


def apply(prints: Prints | None, fact: Recorded) -> Prints:
    """Fold one printed or sealed copy, or one closed revision."""
    assert isinstance(fact.event, RecordPrinted | RecordSealed | RecordClosed), fact
    before = prints or Prints(batch=fact.event.batch)
    made: dict[str, Any] = {"by": fact.actor, "at": fact.at, "seq": fact.seq}
    match fact.event:
        case RecordPrinted() as it:
            copy = Print(
                copy=it.copy, size=it.size, content_sha256=it.content_sha256, why=it.why, **made
            )
            return replace(before, copies=(*before.copies, copy))
        case RecordSealed() as it:
            file = Sealing(
                file_sha256=it.file_sha256, until=it.until, stamped_by=it.stamped_by, why=it.why
            )
            copies = [
                replace(one, sealed=file) if one.copy == it.copy else one for one in before.copies
            ]
            return replace(before, copies=tuple(copies))
        case RecordClosed() as it:
            closing = Closing(
                revision=it.revision,
                size=it.size,
                form=it.form,
                content_sha256=it.content_sha256,
                **made,
            )
            return replace(before, closings=(*before.closings, closing))
