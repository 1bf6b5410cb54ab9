"""The log's signing keys as the ledger knows them: which one signs its checkpoints, and since when.

Only the plant's own service hands the log over, from the command line, with both private keys at
hand. The note that both keys signed is the event; see `core.ledger.rotation`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta

from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.ledger.checkpoint import NoteBroken
from core.ledger.rotation import STREAM, parse_note

LOG = STREAM.partition("/")[2]


class RotateKey(Command, frozen=True, kw_only=True, tag="key.rotate"):
    """Hand the log over to the key that a note names; the old key and the new one signed it."""

    note: Annotated[str, Meta(min_length=1, max_length=2000)]


class KeyRotated(Event, frozen=True, kw_only=True, tag="key.rotated"):
    """From this entry on the new key signs; the old one has signed its last checkpoint before."""

    old: str
    new: str
    note: str


class NotHandedOver(Refused):
    """The note is not by the key that signs now, or not signed by both."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Log key: {why}. Run batchwright keys rotate where the plant's keys are.", why=why
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsed:
    """A key that was followed by another one; `until` is the last size that it signed."""

    vkey: str
    until: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeys:
    """The log's newest public key, and those before it in order."""

    KIND: ClassVar[str] = STREAM.partition("/")[0]
    log: str
    newest: str
    former: tuple[KeyUsed, ...] = ()


def decide(plant: Plant, command: RotateKey, context: Context) -> Facts:
    """Return the handing over, or refuse it.

    Raises:
        NotHandedOver: both keys did not sign, the old one is not the newest of this log, or
            something was recorded meanwhile.
    """
    try:
        entry, old, new = parse_note(command.note)
    except NoteBroken as fault:
        raise NotHandedOver("both keys must have signed the note") from fault
    keys = plant.get(LogKeys, LOG)
    if keys is not None and old.text != keys.newest:
        raise NotHandedOver(f"{old.key_id.hex()} does not sign this log any more")
    if entry != context.entry:
        raise NotHandedOver(f"the note is for entry {entry}, and the next one is {context.entry}")
    rotated = KeyRotated(old=old.text, new=new.text, note=command.note)
    return (Fact(STREAM, rotated, context.reason),)


def apply(keys: LogKeys | None, fact: Recorded) -> LogKeys:
    """Fold one handing over."""
    assert isinstance(fact.event, KeyRotated), fact
    used = KeyUsed(vkey=fact.event.old, until=fact.seq - 1, by=fact.actor, at=fact.at)
    before = keys or LogKeys(log=LOG, newest="")
    return replace(before, newest=fact.event.new, former=(*before.former, used))
