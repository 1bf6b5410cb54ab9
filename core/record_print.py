"""Prints of a batch record: every printed copy has a number and stands in the ledger.

They stand in a stream of their own beside the batch, since a decided batch's stream is closed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta

from core.batch.state import Batch
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.quantity import Name

type Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class PrintRecord(Command, frozen=True, kw_only=True, tag="batch.print-record"):
    """Take the next copy number for the record with this content at this checkpoint."""

    batch: Name
    size: int
    root: Digest
    content_sha256: Digest


class RecordPrinted(Event, frozen=True, kw_only=True, tag="record.printed"):
    """A numbered copy of a batch record was printed; the hash is over `record.json`."""

    batch: str
    copy: int
    size: int
    root: str
    content_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One printed copy."""

    copy: int
    size: int
    content_sha256: str
    by: str
    at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """The print log of one batch's record."""

    KIND: ClassVar[str] = "record"
    batch: str
    copies: tuple[Print, ...] = ()


def decide(plant: Plant, command: PrintRecord, context: Context) -> Facts:
    """Return what printing causes: the next number, without gaps.

    Raises:
        Unknown: no such batch.
    """
    batch = need(plant, Batch, command.batch).batch
    prints = plant.get(Prints, batch)
    printed = RecordPrinted(
        batch=batch,
        copy=1 if prints is None else len(prints.copies) + 1,
        size=command.size,
        root=command.root,
        content_sha256=command.content_sha256,
    )
    return (Fact(f"{Prints.KIND}/{batch}", printed),)


def apply(prints: Prints | None, fact: Recorded) -> Prints:
    """Fold one printed copy."""
    assert isinstance(fact.event, RecordPrinted), fact
    it = fact.event
    one = Print(
        copy=it.copy,
        size=it.size,
        content_sha256=it.content_sha256,
        by=fact.actor,
        at=fact.at,
        seq=fact.seq,
    )
    return Prints(batch=it.batch, copies=(*(prints.copies if prints else ()), one))
