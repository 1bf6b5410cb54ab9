"""A recovery key, named at the office: what the form holds and what is signed; no widgets."""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import Refused
from core.log_key import LogKeys, RecoveryKey, short
from core.recovery_key import NameRecoveryKey, check_recovery_key
from core.signature import Seen
from dashboards.office.log_keys import NoReason, ProposalGone
from dashboards.signing_act import Ask

SUBJECT = "Recovery key"
PUBLIC_HALF, WHY, COMPARED = "Public half", "Why this key", "What you compared"


class Step(StrEnum):
    """What can be done about the recovery key."""

    AGREE = "Agree to what is proposed"
    PROPOSE = "Propose another key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the form holds; `agrees` is the proposal that the person read and agrees to."""

    key: str = ""
    why: str = ""
    agrees: RecoveryKey | None = None

    @property
    def vkey(self) -> str:
        """The key that is meant, without what pasting has put around it."""
        return self.key.strip() if self.agrees is None else self.agrees.vkey


class NoKey(Refused):
    """Nothing was pasted."""

    def __init__(self) -> None:
        super().__init__(
            f"{PUBLIC_HALF}: is empty. Paste the line that batchwright keys make-recovery printed."
        )


class ProposedAlready(Refused):
    """Who pastes the proposed key means to agree, and does so to what the screen shows."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{SUBJECT} {short(key)}: is proposed already. Choose: {Step.AGREE}.", key=key
        )


def steps(keys: LogKeys | None) -> tuple[Step, ...]:
    """Return what can be done now, the likeliest first."""
    is_open = keys is not None and keys.recovery_proposed is not None
    return (Step.AGREE, Step.PROPOSE) if is_open else (Step.PROPOSE,)


def read(keys: LogKeys | None, it: Naming, *, plant: str) -> str:
    """Return the key that the form names.

    Raises:
        ProposalGone: who agrees would agree to something else.
        NoKey: the field is empty.
        PrivateHalfShown, NoRecoveryKey: see `core.recovery_key.check_recovery_key`.
        ProposedAlready: the key waits for a second person.
    """
    proposed = None if keys is None else keys.recovery_proposed
    if it.agrees is not None and proposed != it.agrees:
        raise ProposalGone(SUBJECT)
    if not it.vkey:
        raise NoKey
    check_recovery_key(keys, it.vkey, plant=plant)
    if it.agrees is None and proposed is not None and proposed.vkey == it.vkey:
        raise ProposedAlready(it.vkey)
    return it.vkey


def ask_naming(keys: LogKeys | None, it: Naming, seen: Seen, *, plant: str) -> Ask:
    """Return what is signed.

    Raises:
        NoReason, ProposalGone, NoKey, PrivateHalfShown, NoRecoveryKey, ProposedAlready: see `read`.
    """
    key = read(keys, it, plant=plant)
    if not (why := it.why.strip()):
        raise NoReason(WHY if it.agrees is None else COMPARED)
    named = None if keys is None else keys.recovery
    lines = (
        (PUBLIC_HALF, key),
        ("Counts no more then", "none was named" if named is None else short(named.vkey)),
    )
    return Ask(
        subject="A recovery key of the log",
        lines=lines,
        command=NameRecoveryKey(key=key, why=why, seen=seen),
    )
