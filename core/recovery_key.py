"""The key outside the plant that hands the log over where its own private key is lost.

Two people name its public half, since it can speak for the log; its private half never enters the
plant's folder. The newest one named counts, for one handing over. `core.ledger.recovery` has the
note that it signs.
"""

from typing import Annotated

from msgspec import Meta

from core.errors import Refused
from core.fact import Command, Context, Fact, Facts, Plant
from core.key_revocation import Vkey
from core.ledger.checkpoint import PRIVATE, NoteBroken, parse_vkey
from core.ledger.recovery import SUFFIX, is_doubtful, parse_recovery
from core.ledger.rotation import STREAM
from core.log_key import (
    LOG,
    KeyRecovered,
    LogKeys,
    RecoveryKey,
    RecoveryKeyNamed,
    RecoveryKeyProposed,
    short,
)
from core.quantity import Sentence
from core.signature import Seen, sign

PROPOSING = "I propose this recovery key for the log"
AGREEING = "I agree to this recovery key for the log"


class NameRecoveryKey(Command, frozen=True, kw_only=True, tag="key.name-recovery"):
    """Say which key may hand the log over once its own is lost; the second signature decides."""

    key: Vkey
    why: Sentence
    seen: Seen


class RecoverKey(Command, frozen=True, kw_only=True, tag="key.recover"):
    """Hand the log over to the key that a note names; the recovery key and the new one signed."""

    note: Annotated[str, Meta(min_length=1, max_length=3000)]


class NoRecoveryKey(Refused):
    """What is to be named cannot be a recovery key of this log."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(
            f"Recovery key {short(key)}: {why}. Make one: batchwright keys make-recovery.", key=key
        )


class PrivateHalfShown(Refused):
    """Somebody gives the private half where the public one belongs; it is repeated nowhere."""

    def __init__(self) -> None:
        super().__init__(
            "Recovery key: this is its private half, which belongs outside the plant alone. Use it"
            " no more; make another one: batchwright keys make-recovery."
        )


class SecondPersonNames(Refused):
    """Who proposed a recovery key cannot agree to it."""

    is_evidence = True

    def __init__(self, key: str, name: str) -> None:
        super().__init__(
            f"Recovery key {short(key)}: {name} has proposed it; another person must agree."
            " Ask a second person to sign.",
            key=key,
            name=name,
        )


class NotRecovered(Refused):
    """The note is by no recovery key of this log, or not about what is recorded now."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Log key: {why}. Run batchwright keys recover with the key that keys list names.",
            why=why,
        )


def recovery_words(key: str) -> str:
    """Return in words what is signed."""
    return (
        f"The recovery key {short(key)} may hand the log over to a new log key, once, where the"
        " log's own private key is lost. A recovery key that was named before counts no more."
    )


def doubt(keys: LogKeys, named: RecoveryKey) -> bool:
    """Tell whether a recovery key was named while a key signed that is not believed up to there."""
    used = (
        (one.until, one.until if one.revoked is None else one.revoked.trusted)
        for one in keys.former
    )
    return is_doubtful(named.entry, used)


def decide(plant: Plant, command: NameRecoveryKey | RecoverKey, context: Context) -> Facts:
    """Return the proposal, the naming that it becomes, or the handing over; or refuse it.

    Raises:
        PrivateHalfShown, NoRecoveryKey: see `check_recovery_key`.
        SecondPersonNames: who proposed it cannot agree.
        NotRecovered: the note is not signed by the recovery key that is named, the old key is not
            the newest of this log, or something was recorded meanwhile.
        SignatureRequired, RecordMoved: see `core.signature.sign`.
    """
    keys = plant.get(LogKeys, LOG)
    if isinstance(command, RecoverKey):
        return _recover(keys, command, context)
    check_recovery_key(keys, command.key, plant=context.plant)
    before = None if keys is None else keys.recovery_proposed
    proposed_by = before.by if before is not None and before.vkey == command.key else None
    signed = sign(
        plant,
        context,
        command.seen,
        record=STREAM,
        meaning=PROPOSING if proposed_by is None else AGREEING,
        words=f"{recovery_words(command.key)} {command.why}",
        party="first" if proposed_by is None else "second",
        performers=(proposed_by,),
        own=lambda name: SecondPersonNames(command.key, name),
        compliant=True,
    )
    fact = Fact(STREAM, signed, command.why)
    if proposed_by is None:
        asked = RecoveryKeyProposed(key=command.key, why=command.why)
        return (fact, Fact(STREAM, asked, command.why))
    named = RecoveryKeyNamed(key=command.key, why=command.why, proposed_by=proposed_by)
    return (fact, Fact(STREAM, named, command.why))


def check_recovery_key(keys: LogKeys | None, key: str, *, plant: str) -> None:
    """Refuse what cannot be named as the recovery key of a plant's log.

    Raises:
        PrivateHalfShown: it is a private half.
        NoRecoveryKey: it is no public key, of another log, named already, or has signed or
            recovered this one.
    """
    if PRIVATE in key:
        raise PrivateHalfShown
    name = f"/{plant}{SUFFIX}"
    try:
        found = parse_vkey(key)
    except ValueError as fault:
        raise NoRecoveryKey(key, "is no public key; a letter may be wrong") from fault
    if found.text != key or not found.name.endswith(name):
        raise NoRecoveryKey(key, f"is of {found.name}; a recovery key of this log ends in {name}")
    if keys is None:
        return
    if keys.knows(key):
        raise NoRecoveryKey(key, "has recovered this log before, and none does so twice")
    if keys.recovery is not None and keys.recovery.vkey == key and not doubt(keys, keys.recovery):
        raise NoRecoveryKey(key, "is named already")


def _recover(keys: LogKeys | None, command: RecoverKey, context: Context) -> Facts:
    try:
        entry, old, new, by, _ = parse_recovery(command.note)
    except NoteBroken as fault:
        raise NotRecovered("the lost key, the recovery key and the new key must have signed the"
                           " note") from fault  # fmt: skip
    if keys is None or keys.recovery is None or keys.recovery.vkey != by.text:
        raise NotRecovered(f"{by.key_id.hex()} is not the recovery key that this log names")
    if doubt(keys, keys.recovery):
        raise NotRecovered(
            f"{by.key_id.hex()} was named by entry {keys.recovery.entry}, under a key that was"
            " revoked from before that"
        )
    if keys.newest not in ("", old.text):
        raise NotRecovered(f"{old.key_id.hex()} does not sign this log any more")
    if entry != context.entry:
        raise NotRecovered(f"the note is for entry {entry}, and the next one is {context.entry}")
    if keys.knows(new.text):
        raise NotRecovered(f"{new.key_id.hex()} signed this log before, and no key does so twice")
    recovered = KeyRecovered(old=old.text, new=new.text, recovery=by.text, note=command.note)
    return (Fact(STREAM, recovered, context.reason),)
