"""Signatures over the REST interface: what a request may carry, and what is shown to be signed."""

from typing import Any

from core.clock import iso
from core.execution import Credentials
from core.manifest import manifest_bytes
from core.signature import RecordMoved
from core.signing import PasskeyAnswer, Preparation
from dashboards.problem import Problem

LONGEST = 2000
PREPARING = frozenset({"user", "badge", "meaning", "comment"})
SIGNING = PREPARING | {"secret", "pending", "passkey", "provider"}
ANSWER = frozenset(PasskeyAnswer.__dataclass_fields__)


def read_signature(given: Any, *, is_signing: bool) -> dict[str, Any] | None:
    """Return the signature field of a request, None where there is none.

    Args:
        is_signing: the secret is needed; while a signature is prepared none is taken.

    Raises:
        Problem: 422 for what does not fit.
    """
    if given is None:
        return None
    known = SIGNING if is_signing else PREPARING
    if not isinstance(given, dict) or not set(given) <= known:
        raise _misfit(f"takes {', '.join(sorted(known))}")
    passkey = given.get("passkey")
    if passkey is not None and (not isinstance(passkey, dict) or set(passkey) != ANSWER):
        raise _misfit(f"passkey has {', '.join(sorted(ANSWER))}")
    texts = [value for name, value in given.items() if name != "passkey"]
    texts += [] if passkey is None else passkey.values()
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in texts):
        raise _misfit(f"all values are text of at most {LONGEST} characters")
    if is_signing and not {"secret", "passkey", "provider"} & set(given):
        raise _misfit("needs secret, and user or badge at the first signing of a period")
    return given


def _misfit(what: str) -> Problem:
    return Problem(422, "malformed", f"signature: {what}.", field="$.signature")


def credentials_of(signature: dict[str, Any]) -> Credentials:
    """Return what a signer gave."""
    given = dict(signature)
    if passkey := given.pop("passkey", None):
        given["passkey"] = PasskeyAnswer(**passkey)
    return Credentials(**given)


def shown(preparation: Preparation) -> dict[str, Any]:
    """Return a prepared manifest as a client shows it: its fields, its exact bytes, its life."""
    return {
        "pending": preparation.pending,
        "manifest": preparation.manifest,
        "bytes": manifest_bytes(preparation.manifest).decode(),
        "manifest_sha256": preparation.sha256,
        "expires_at": iso(preparation.expires_at),
        "secret_is_enough": preparation.secret_is_enough,
        "rp_id": preparation.rp_id,
        "passkeys": preparation.passkeys,
        "issuers": preparation.issuers,
    }


def moved_facts(conflict: Exception) -> dict[str, Any]:
    """Return what changed in a record since it was seen, one object per entry."""
    if not isinstance(conflict, RecordMoved):
        return {}
    changes = [
        {"seq": one.seq, "type": one.type, "by": one.by, "at": iso(one.at), "step": one.step}
        for one in conflict.changes
    ]
    return {"changes": changes}
