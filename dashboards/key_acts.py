"""What people at the server or the page do about log keys, and what follows from it in words."""

from collections.abc import Sequence
from typing import cast

from core.command_id import new_command_id
from core.execution import Actor, Credentials, Execution
from core.key_revocation import NoFormerKey, RevokeLogKey, most_trusted, revocation_words
from core.ledger.rotation import STREAM
from core.ledger.store import AnchorRow, open_ledger
from core.log_key import LOG, Cause, KeyUsed, LogKeys, RecoveryKey, short
from core.projections.nouns import Nouns
from core.recovery_key import NameRecoveryKey, recovery_words

STATION = "terminal"
PLACES_NAMED = 4


def revocation(
    execution: Execution, key: str, *, trusted: int, cause: str, why: str
) -> RevokeLogKey:
    """Return what a person would sign about the key with this id.

    Raises:
        ValueError: the cause is none of the two, or the size is below 0.
    """
    if cause not in ("stolen", "lost") or trusted < 0:
        raise ValueError("--cause is stolen or lost, --trusted is 0 or more")
    before = execution.nouns.get(LogKeys, LOG)
    known = () if before is None else before.former
    vkey = next((one.vkey for one in known if short(one.vkey) == key), key)
    return RevokeLogKey(
        key=vkey, trusted=trusted, cause=cast(Cause, cause), why=why, seen=execution.seen(STREAM)
    )


def revoke(execution: Execution, command: RevokeLogKey, *, user: str, secret: str) -> str:
    """Sign a revocation at the server's terminal, and return in words how the key stands now.

    Raises:
        core.errors.MesError: the secret is wrong, or a rule says no.
    """
    credentials = Credentials(secret=secret, user=user)
    actor, idem = Actor(user, STATION), f"{STATION}:{new_command_id()}"
    execution.submit(command, actor=actor, idem=idem, credentials=credentials)
    keys = execution.nouns.get(LogKeys, LOG)
    assert keys is not None
    key = short(command.key)
    if keys.proposed is not None:
        return f"{key}: {user} has proposed it. Now another person runs the same command."
    return "\n".join(
        (
            f"{key}: is revoked, its checkpoints count up to {command.trusted} entries.",
            *afterwards(keys, command.trusted),
        )
    )


def before_signing(execution: Execution, command: RevokeLogKey) -> tuple[str, ...]:
    """Return the statement that is signed, and what is refused afterwards.

    Raises:
        NoFormerKey: the command names no key that can be revoked.
    """
    keys = execution.nouns.get(LogKeys, LOG)
    key = next((one for one in can_be_revoked(keys) if one.vkey == command.key), None)
    if keys is None or key is None:
        raise NoFormerKey(command.key)
    anchors = execution.ledger.anchors()
    told = refused_from_then_on(keys, key, command.trusted, anchors=anchors)
    return (f"You sign: {revocation_words(keys, command)}", *told)


def can_be_revoked(keys: LogKeys | None) -> tuple[KeyUsed, ...]:
    """Return the former keys of which trust can still be taken, the newest first."""
    former = () if keys is None else keys.former
    return tuple(one for one in reversed(former) if most_trusted(one) >= 0)


def held_by(key: KeyUsed, keys: LogKeys, anchors: Sequence[AnchorRow]) -> tuple[AnchorRow, ...]:
    """Return what places outside hold of the checkpoints that a key signed, the newest first."""
    place = keys.former.index(key)
    after = keys.former[place - 1].until if place else 0
    return tuple(row for row in reversed(anchors) if after < row.size <= key.until)


def refused_from_then_on(
    keys: LogKeys, key: KeyUsed, trusted: int, *, anchors: Sequence[AnchorRow] = ()
) -> tuple[str, ...]:
    """Return in sentences what nobody takes any more once a key is revoked above a size."""
    name, newest = short(key.vkey), short(keys.newest)
    before = [short(one.vkey) for one in keys.former[: keys.former.index(key)]]
    counts = (
        f"Still counts: its checkpoints up to {trusted} entries, where the log of {newest} has the"
        " same root."
        if trusted
        else f"Nothing that {name} signed counts any more."
    )
    also = f", or {' or '.join(before)} before it," if before else ""
    lost = [row for row in held_by(key, keys, anchors) if row.size > trusted]
    return (
        counts,
        f"Refused: its checkpoints of {trusted + 1} entries and more (it signed up to {key.until}),"
        " by the offline verifier, the check on Audit, and restore with --anchor.",
        f"Refused whatever the size: a check with {name}{also} as the trusted key. Whoever has no"
        f" other key gets {newest} from you.",
        *((_no_anchors(lost),) if lost else ()),
        "The entries themselves stay, and nobody signs them anew. Trust that was taken does not"
        " come back; it can be taken further.",
    )


def _no_anchors(lost: Sequence[AnchorRow]) -> str:
    """Return which copies outside are refused, by name and size."""
    named = "; ".join(f"{row.place} ({row.size} entries)" for row in lost[:PLACES_NAMED])
    more = f" and {len(lost) - PLACES_NAMED} more" if len(lost) > PLACES_NAMED else ""
    return (
        f"No anchor any more: the copies at {named}{more}. What the place itself signed still says"
        " which root the log had."
    )


def afterwards(keys: LogKeys, trusted: int) -> tuple[str, ...]:
    """Return what people do next, once a key is revoked above a size."""
    newest = short(keys.newest)
    return (
        f"Give {keys.newest} to everybody who checks your bundles, by another hand than a bundle.",
        "Export anew what they hold: a bundle from before does not know of the revocation.",
        "Make a backup now: batchwright backup. One from before does not know of it either;"
        f" restore such a one with --anchor and a checkpoint by {newest}.",
        f"Tell the ERP's team, and whoever else keeps checkpoints, the key {newest} and the size"
        f" {trusted}. They keep what they have: what they signed themselves still proves the root.",
    )


def name_recovery_key(execution: Execution, key: str, *, why: str, user: str, secret: str) -> str:
    """Sign for a recovery key at the server's terminal, and return in words how it stands now.

    Raises:
        core.errors.MesError: the secret is wrong, or a rule says no.
    """
    before = execution.nouns.get(LogKeys, LOG)
    command = NameRecoveryKey(key=key, why=why, seen=execution.seen(STREAM))
    credentials = Credentials(secret=secret, user=user)
    actor, idem = Actor(user, STATION), f"{STATION}:{new_command_id()}"
    execution.submit(command, actor=actor, idem=idem, credentials=credentials)
    keys = execution.nouns.get(LogKeys, LOG)
    assert keys is not None
    if keys.recovery_proposed is not None:
        return f"{short(key)}: {user} has proposed it. Now another person runs the same command."
    following = after_naming(key, None if before is None else before.recovery)
    return "\n".join((f"{short(key)}: is the recovery key from now on.", *following))


def before_naming(keys: LogKeys | None, key: str) -> tuple[str, ...]:
    """Return in sentences what it means that a recovery key is named."""
    named = None if keys is None else keys.recovery
    before = "None was named before."
    if named is not None and named.vkey == key:
        before = f"Entry {named.entry} named it before; this naming counts in its place."
    elif named is not None:
        before = f"Counts no more then: {short(named.vkey)}, named by entry {named.entry}."
    return (
        recovery_words(key),
        before,
        "Its private half must have left the plant's folder and this machine, on paper or on a"
        " medium in a safe. What is lost together with log.key recovers nothing.",
    )


def after_naming(key: str, before: RecoveryKey | None) -> tuple[str, ...]:
    """Return what people do next, once a recovery key is named in place of one or of none."""
    replaced = before is not None and before.vkey != key
    return (
        "Try its file now and once a year: batchwright keys check-recovery.",
        *((f"Destroy the private half of {short(before.vkey)}.",) if before and replaced else ()),
        "Make a backup now: batchwright backup. One from before does not name this key.",
    )


def recovery_in(where: str) -> RecoveryKey | None:
    """Return the recovery key that a ledger names, None where there is none."""
    keys: LogKeys | None = None
    ledger = open_ledger(where)
    try:
        keys = Nouns(ledger.store).get(LogKeys, LOG)
    finally:
        ledger.close()
    return None if keys is None else keys.recovery


def recovery_says(where: str) -> str:
    """Return in words which recovery key a ledger names."""
    if (named := recovery_in(where)) is None:
        return (
            "No recovery key is named: if log.key is lost, nobody can go on under this log."
            " batchwright keys make-recovery"
        )
    return f"{named.vkey}  recovers the log, named by {named.proposed_by} and {named.by}"
