"""The signatures that entries hold: what each was made over, by whom, and with whose means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from core.verify.bundle import ENCODER
from core.verify.outside_words import proof_fault

APPLIED = "signature.applied"
MEANS = ("passkey.registered", "passkey.revoked", "person.identity-linked")


def signature_fault(entry: Any, found: dict[str, list[Any]]) -> Any:  # 8.
    """What does not hold of a signature: whose it is, its statement, or what it was made over."""
    signed, seq = entry["data"]["manifest"], entry["seq"]
    digest = hashlib.sha256(ENCODER.encode(signed).encode("utf-8")).hexdigest()
    if digest != entry["data"]["manifest_sha256"] or signed["signer"] != entry["actor"]:
        return seq, "is a signature of another statement or person than it says"
    reopens = entry["stream"].startswith("amendment/") and signed["record"].startswith("batch/")
    whole, ver = found.get(signed["record"], []), signed["ver"]
    is_there = type(ver) is int and 0 <= ver <= len(whole)
    head = whole[ver - 1][1].hex() if is_there and ver else ""
    is_own = signed["record"] == entry["stream"] or reopens
    if not (is_own and is_there) or head != signed["head"]:
        return seq, "is a signature over other content than its record's"
    why = proof_fault(entry)
    return (seq, f"is a signature, and {why}") if why else None


class Means(NamedTuple):
    """A passkey or an account at a sign-in provider: when it became whose, or signed for whom."""

    seq: int
    kind: str
    stream: str  # the means' own
    person: str
    key: str  # the passkey's public key


def means_in(entry: dict[str, Any]) -> Means | None:
    """What an entry says of a passkey or an account; None where it says nothing of any."""
    data, kind, seq = entry["data"], entry["type"], entry["seq"]
    if kind in MEANS:
        return Means(seq, kind, entry["stream"], data["person"], data.get("public_key", ""))
    if kind != APPLIED:
        return None
    said, signer = data.get("assertion"), data["manifest"]["signer"]
    if said is not None:
        return Means(seq, kind, f"passkey/{said['credential']}", signer, said["public_key"])
    said = data.get("vouched")
    if said is not None:
        named = f"{said['issuer']}\n{said['subject']}".encode()
        stream = f"identity/{hashlib.sha256(named).hexdigest()[:40]}"
        return Means(seq, kind, stream, signer, "")
    return None


def means_fault(found: Iterable[Means]) -> Any:
    """The first signature whose means were not its signer's when it was made; in order of seq."""
    owners: dict[str, Means] = {}
    for it in found:
        owner = owners.get(it.stream)
        if it.kind == "passkey.revoked":
            owners.pop(it.stream, None)
        elif it.kind != APPLIED:
            owners.setdefault(it.stream, it)
        elif owner is None:
            return it.seq, f"is a signature by {it.stream}, which nobody holds at that entry"
        elif (owner.person, owner.key) != (it.person, it.key):
            return it.seq, f"is a signature by {it.stream}, which entry {owner.seq} gave to another"
    return None
