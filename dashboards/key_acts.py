"""A person at the server takes trust from a former log key."""

from typing import cast
from uuid import uuid4

from core.execution import Actor, Credentials, Execution
from core.key_revocation import RevokeLogKey
from core.ledger.rotation import STREAM
from core.log_key import LOG, Cause, LogKeys, short

STATION = "terminal"


def revoke(
    execution: Execution,
    key: str,
    *,
    trusted: int,
    cause: str,
    why: str,
    user: str,
    secret: str,
) -> str:
    """Sign the revocation of the key with this id, and return in words how it stands now.

    Raises:
        ValueError: the cause is none of the two, or the size is below 0.
        core.errors.MesError: the secret is wrong, or a rule says no.
    """
    if cause not in ("stolen", "lost") or trusted < 0:
        raise ValueError("--cause is stolen or lost, --trusted is 0 or more")
    before = execution.nouns.get(LogKeys, LOG)
    known = () if before is None else before.former
    vkey = next((one.vkey for one in known if short(one.vkey) == key), key)
    command = RevokeLogKey(
        key=vkey,
        trusted=trusted,
        cause=cast(Cause, cause),
        why=why,
        seen=execution.seen(STREAM),
    )
    credentials = Credentials(secret=secret, user=user)
    actor, idem = Actor(user, STATION), f"{STATION}:{uuid4().hex}"
    execution.submit(command, actor=actor, idem=idem, credentials=credentials)
    keys = execution.nouns.get(LogKeys, LOG)
    assert keys is not None
    if keys.proposed is not None:
        return f"{key}: {user} has proposed it. Now another person runs the same command."
    return (
        f"{key}: is revoked, its checkpoints count up to {trusted} entries. Give"
        f" {keys.newest} to everybody who checks your bundles."
    )
