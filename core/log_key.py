"""The log's signing keys as the ledger knows them: which one signs its checkpoints, and since when.

Only the plant's own service hands the log over, from the command line, with both private keys at
hand. The note that both keys signed is the event; see `core.ledger.rotation`. A former key that was
stolen or lost is revoked by two people; see `core.key_revocation`. Where the newest key is lost,
the recovery key that two people named before hands the log over; see `core.recovery_key`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.ledger.checkpoint import NoteBroken
from core.ledger.rotation import STREAM, parse_note
from core.signature import SignatureApplied

LOG = STREAM.partition("/")[2]

type Cause = Literal["stolen", "lost"]


class RotateKey(Command, frozen=True, kw_only=True, tag="key.rotate"):
    """Hand the log over to the key that a note names; the old key and the new one signed it."""

    note: Annotated[str, Meta(min_length=1, max_length=2000)]


class KeyRotated(Event, frozen=True, kw_only=True, tag="key.rotated"):
    """From this entry on the new key signs; the old one has signed its last checkpoint before."""

    old: str
    new: str
    note: str


class KeyRevocationProposed(Event, frozen=True, kw_only=True, tag="key.revocation-proposed"):
    """The first of two people signed; the key counts as before until the second agrees."""

    key: str
    trusted: int
    cause: str
    why: str


class KeyRevoked(Event, frozen=True, kw_only=True, tag="key.revoked"):
    """The key's checkpoints count up to `trusted` entries, and nobody finds a newer key by it."""

    key: str
    trusted: int
    cause: str
    why: str
    proposed_by: str


class RecoveryKeyProposed(Event, frozen=True, kw_only=True, tag="key.recovery-proposed"):
    """The first of two people signed; no recovery key changes until the second agrees."""

    key: str
    why: str


class RecoveryKeyNamed(Event, frozen=True, kw_only=True, tag="key.recovery-named"):
    """From here on this key can hand the log over once, and no recovery key from before can."""

    key: str
    why: str
    proposed_by: str


class KeyRecovered(Event, frozen=True, kw_only=True, tag="key.recovered"):
    """From this entry on the new key signs; the old one was lost, the recovery key is used up."""

    old: str
    new: str
    recovery: str
    note: str


class NotHandedOver(Refused):
    """The note is not by the key that signs now, or not signed by both."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Log key: {why}. Run batchwright keys rotate where the plant's keys are.", why=why
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """Up to which size a key is trusted since an entry, by which two people and their reasons."""

    trusted: int
    cause: str
    why: str
    proposed_by: str
    by: str
    at: datetime
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsed:
    """A key that was followed by another one; `until` is the last size that it signed.

    `recovery` is the key that handed the log over in its place, empty where it did so itself.
    """

    vkey: str
    until: int
    by: str
    at: datetime
    revoked: Revoked | None = None
    recovery: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A revocation that one person signed."""

    key: str
    trusted: int
    cause: str
    why: str
    by: str
    at: datetime

    def says(self, other: KeyRevocationProposed) -> bool:
        """Whether another person proposes the same; each may word the reason."""
        return (self.key, self.trusted, self.cause) == (other.key, other.trusted, other.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryKey:
    """A recovery key that one person proposed, or that two have named since an entry."""

    vkey: str
    why: str
    by: str
    at: datetime
    entry: int
    proposed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeys:
    """The log's newest public key, empty before any handing over, and those before it in order."""

    KIND: ClassVar[str] = STREAM.partition("/")[0]
    log: str
    newest: str
    former: tuple[KeyUsed, ...] = ()
    proposed: Proposed | None = None
    recovery: RecoveryKey | None = None
    recovery_proposed: RecoveryKey | None = None

    def knows(self, vkey: str) -> bool:
        """Whether a key signs or signed this log, or has handed it over."""
        known = (vkey for one in self.former for vkey in (one.vkey, one.recovery))
        return vkey in (self.newest, *known)


def short(vkey: str) -> str:
    """Return the id by which people name a key.

    >>> short("batchwright.example/tablets+1a2b3c4d+AbCd")
    '1a2b3c4d'
    """
    return vkey.split("+")[1] if vkey.count("+") >= 2 else vkey


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
    if keys is not None and keys.newest not in ("", old.text):
        raise NotHandedOver(f"{old.key_id.hex()} does not sign this log any more")
    if entry != context.entry:
        raise NotHandedOver(f"the note is for entry {entry}, and the next one is {context.entry}")
    if keys is not None and any(one.vkey == new.text for one in keys.former):
        raise NotHandedOver(f"{new.key_id.hex()} signed this log before, and no key does so twice")
    rotated = KeyRotated(old=old.text, new=new.text, note=command.note)
    return (Fact(STREAM, rotated, context.reason),)


def apply(keys: LogKeys | None, fact: Recorded) -> LogKeys:
    """Fold a handing over, or a step of a revocation."""
    before = keys or LogKeys(log=LOG, newest="")
    match fact.event:
        case KeyRotated() as it:
            used = KeyUsed(vkey=it.old, until=fact.seq - 1, by=fact.actor, at=fact.at)
            return replace(before, newest=it.new, former=(*before.former, used))
        case KeyRecovered() as it:
            used = KeyUsed(
                vkey=it.old, until=fact.seq - 1, by=fact.actor, at=fact.at, recovery=it.recovery
            )
            former = (*before.former, used)
            return replace(
                before, newest=it.new, former=former, recovery=None, recovery_proposed=None
            )
        case RecoveryKeyProposed() as it:
            asked = RecoveryKey(vkey=it.key, why=it.why, by=fact.actor, at=fact.at, entry=fact.seq)
            return replace(before, recovery_proposed=asked)
        case RecoveryKeyNamed() as it:
            named = RecoveryKey(
                vkey=it.key, why=_reasons(before.recovery_proposed, it.why), by=fact.actor,
                at=fact.at, entry=fact.seq, proposed_by=it.proposed_by,
            )  # fmt: skip
            return replace(before, recovery=named, recovery_proposed=None)
        case KeyRevocationProposed() as it:
            proposed = Proposed(
                key=it.key, trusted=it.trusted, cause=it.cause, why=it.why,
                by=fact.actor, at=fact.at,
            )  # fmt: skip
            return replace(before, proposed=proposed)
        case KeyRevoked() as it:
            revoked = Revoked(
                trusted=it.trusted,
                cause=it.cause,
                why=_reasons(before.proposed, it.why),
                proposed_by=it.proposed_by,
                by=fact.actor,
                at=fact.at,
                entry=fact.seq,
            )
            former = tuple(
                replace(one, revoked=revoked) if one.vkey == it.key else one
                for one in before.former
            )
            return replace(before, former=former, proposed=None)
        case _:
            assert isinstance(fact.event, SignatureApplied), fact
            return before


def _reasons(proposed: Proposed | RecoveryKey | None, why: str) -> str:
    """Return what both people wrote, once where it is the same."""
    return why if proposed is None else " ".join(dict.fromkeys((proposed.why, why)))
