"""A log key that is revoked at the office: what the form holds and what is signed; no widgets."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from core.errors import Refused
from core.key_revocation import NoFormerKey, RevokeLogKey, TrustedTooFar, most_trusted
from core.log_key import Cause, KeyUsed, LogKeys, Proposed, short
from core.signature import Seen
from dashboards.key_acts import can_be_revoked
from dashboards.signing_act import Ask

HAPPENED, CHECKED = "What happened", "What you looked at"
CAUSES = {"It was stolen": "stolen", "It was lost": "lost"}
_COUNT = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


class Step(StrEnum):
    """What can be done about a former key."""

    AGREE = "Agree to what is proposed"
    PROPOSE = "Propose a revocation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What the form holds; `agrees` is the proposal that the person read and agrees to."""

    key: str = ""
    size: str = ""
    cause: str = "stolen"
    why: str = ""
    agrees: Proposed | None = None


class NoReason(Refused):
    """Who proposes says why, and the second person what was looked at."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: is empty. Write it; it stands in the ledger for ever.")


class NoSize(Refused):
    """The size of a checkpoint is a whole number."""

    def __init__(self, text: str, most: int) -> None:
        super().__init__(
            f"Counts up to: {text!r} is no number of entries. Write a whole number, 0 to {most}.",
            text=text,
        )


class ProposalGone(Refused):
    """Nobody agrees to another proposal than the one that stood on the screen."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"{subject}: what was proposed is not the same any more. Close this, and read the table"
            " anew."
        )


def steps(keys: LogKeys | None) -> tuple[Step, ...]:
    """Return what can be done now, the likeliest first; empty where no key can be revoked."""
    if keys is None or not can_be_revoked(keys):
        return ()
    return (Step.PROPOSE,) if keys.proposed is None else (Step.AGREE, Step.PROPOSE)


def read(keys: LogKeys, it: Revocation) -> tuple[KeyUsed, int]:
    """Return the key that the form names, and up to which size it counts from then on.

    Raises:
        ProposalGone: who agrees would agree to something else.
        NoFormerKey: the key cannot be revoked.
        NoSize: the size is no number.
        TrustedTooFar: it is more than the key can count to.
    """
    if it.agrees is not None and keys.proposed != it.agrees:
        raise ProposalGone("Revocation")
    vkey = it.key if it.agrees is None else it.agrees.key
    key = next((one for one in can_be_revoked(keys) if one.vkey == vkey), None)
    if key is None:
        raise NoFormerKey(vkey)
    if it.agrees is not None:
        return key, it.agrees.trusted
    text, most = it.size.strip(), most_trusted(key)
    if not _COUNT.fullmatch(text):
        raise NoSize(text, most)
    if int(text) > most:
        raise TrustedTooFar(vkey, int(text), most=most)
    return key, int(text)


def ask_revocation(keys: LogKeys | None, it: Revocation, seen: Seen) -> Ask:
    """Return what is signed.

    Raises:
        NoReason, ProposalGone, NoFormerKey, NoSize, TrustedTooFar: see `read`.
    """
    if keys is None:
        raise NoFormerKey(it.key)
    key, trusted = read(keys, it)
    if not (why := it.why.strip()):
        raise NoReason(HAPPENED if it.agrees is None else CHECKED)
    cause = it.cause if it.agrees is None else it.agrees.cause
    command = RevokeLogKey(
        key=key.vkey, trusted=trusted, cause=cast(Cause, cause), why=why, seen=seen
    )
    before = [short(one.vkey) for one in keys.former[: keys.former.index(key) + 1]]
    lines = (
        ("Key", f"{short(key.vkey)}, signed up to {key.until} entries"),
        ("Refused then", f"its checkpoints of {trusted + 1} entries and more"),
        ("Proves nothing", f"{' or '.join(before)}, as the key that somebody trusts"),
        ("Record", f"version {seen.ver}"),
    )
    return Ask(subject="A log key that is trusted no more", lines=lines, command=command)
