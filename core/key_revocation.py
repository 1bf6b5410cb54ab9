"""A former log key that is trusted no more: stolen or lost, and up to which checkpoint it counts.

Two people sign, since the entry takes evidence away. The key that signs now cannot be revoked: the
log is handed over first, so that there is a key which everybody can trust instead.
"""

from typing import Annotated

from msgspec import Meta

from core.errors import Refused
from core.fact import Command, Context, Fact, Facts, Plant
from core.ledger.rotation import STREAM
from core.log_key import LOG, Cause, KeyRevocationProposed, KeyRevoked, KeyUsed, LogKeys, short
from core.quantity import Sentence
from core.signature import Seen, sign

PROPOSING = "I propose that this log key is trusted no more"
AGREEING = "I agree that this log key is trusted no more"

type Vkey = Annotated[str, Meta(min_length=1, max_length=300)]
type Size = Annotated[int, Meta(ge=0, lt=2**53)]


class RevokeLogKey(Command, frozen=True, kw_only=True, tag="key.revoke"):
    """End the trust in a former log key; the second person's signature puts it in force.

    `trusted` is the size of the last checkpoint that still counts, 0 where none does.
    """

    key: Vkey
    trusted: Size
    cause: Cause
    why: Sentence
    seen: Seen


class NoFormerKey(Refused):
    """Only a key that signed before and was followed by another one can be revoked."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Log key {short(key)}: is no former key of this log. Look at batchwright keys list;"
            " the key that signs now is first followed by another one: batchwright keys rotate.",
            key=key,
        )


class TrustedTooFar(Refused):
    """A key cannot count further than it signed, and trust that was taken does not come back."""

    def __init__(self, key: str, trusted: int, *, most: int) -> None:
        super().__init__(
            f"Log key {short(key)}: trusted up to {trusted} entries; it counts up to {most} at"
            " most. Name the size of an older checkpoint.",
            key=key,
            trusted=trusted,
            most=most,
        )


class SecondPersonRevokes(Refused):
    """Who proposed a revocation cannot agree to it."""

    is_evidence = True

    def __init__(self, key: str, name: str) -> None:
        super().__init__(
            f"Log key {short(key)}: {name} has proposed its revocation; another person must agree."
            " Ask a second person to sign.",
            key=key,
            name=name,
        )


def most_trusted(used: KeyUsed) -> int:
    """Return the most entries up to which a key can count after a revocation; below 0: none can."""
    return used.until if used.revoked is None else used.revoked.trusted - 1


def revocation_words(keys: LogKeys, it: RevokeLogKey) -> str:
    """Return in words what is signed."""
    return (
        f"The log key {short(it.key)} of {keys.newest.partition('+')[0]} was {it.cause}. Its"
        f" checkpoints count up to {it.trusted} entries and no further; who trusts it must take the"
        f" key {short(keys.newest)} instead. {it.why}"
    )


def decide(plant: Plant, command: RevokeLogKey, context: Context) -> Facts:
    """Return the proposal, the revocation that it becomes, or refuse it.

    Raises:
        NoFormerKey: the key signs now, or never did.
        TrustedTooFar: more than it signed, or no less than it was revoked to before.
        SecondPersonRevokes: who proposed it cannot agree.
        SignatureRequired, RecordMoved: see `core.signature.sign`.
    """
    keys = plant.get(LogKeys, LOG)
    used = None if keys is None else _former(keys, command.key)
    if keys is None or used is None:
        raise NoFormerKey(command.key)
    most = most_trusted(used)
    if command.trusted > most:
        raise TrustedTooFar(command.key, command.trusted, most=max(most, 0))
    told = KeyRevocationProposed(
        key=command.key, trusted=command.trusted, cause=command.cause, why=command.why
    )
    before = keys.proposed
    is_second = before is not None and before.says(told)
    proposed_by = before.by if before is not None and is_second else None
    signed = sign(
        plant,
        context,
        command.seen,
        record=STREAM,
        meaning=AGREEING if is_second else PROPOSING,
        words=revocation_words(keys, command),
        party="second" if is_second else "first",
        performers=(proposed_by,),
        own=lambda name: SecondPersonRevokes(command.key, name),
        compliant=False,
    )
    fact = Fact(STREAM, signed, command.why)
    if proposed_by is None:
        return (fact, Fact(STREAM, told, command.why))
    revoked = KeyRevoked(
        key=command.key,
        trusted=command.trusted,
        cause=command.cause,
        why=command.why,
        proposed_by=proposed_by,
    )
    return (fact, Fact(STREAM, revoked, command.why))


def _former(keys: LogKeys, vkey: str) -> KeyUsed | None:
    return next((one for one in keys.former if one.vkey == vkey), None)
