"""The keys between plant and ERP as the office changes them; no widgets."""

from dataclasses import dataclass
from enum import StrEnum

from core.erp_key import BeginErpKey, Direction, EndErpKey, ErpKey, ErpKeyProposed
from core.errors import Refused
from core.signature import Seen
from dashboards.signing_act import Ask
from erp.live_keys import KeyStand

TITLES: dict[Direction, str] = {
    "send": "Messages to the ERP, signed here",
    "receive": "Receipts of the ERP, checked here",
}
DAYS = 7


class Step(StrEnum):
    """What can be done about a direction's keys."""

    AGREE = "Agree to what is proposed"
    BEGIN = "Begin a new key"
    END = "End the older key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """The keys of one direction: what this server uses, and what the ledger says of them."""

    stand: KeyStand
    held: ErpKey | None = None

    @property
    def direction(self) -> Direction:
        return self.stand.direction

    @property
    def proposed(self) -> ErpKeyProposed | None:
        """What a first person has signed and no second one yet."""
        return None if self.held is None else self.held.proposed

    @property
    def steps(self) -> tuple[Step, ...]:
        """What can be done now, the likeliest first."""
        turns = self.held is not None and self.held.older is not None
        own = Step.END if turns else Step.BEGIN
        return (own,) if self.proposed is None else (Step.AGREE, own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the form holds; `key` is the name of the new key, kept in the vault by now."""

    step: Step
    key: str = ""
    days: int = DAYS
    why: str = ""


class NoReason(Refused):
    """A change of a key says why it was made."""

    def __init__(self) -> None:
        super().__init__("Reason: is empty. Write why the key changes.")


class NoSuchSecret(Refused):
    """What was typed is no secret of a webhook; it is not repeated."""

    def __init__(self) -> None:
        super().__init__(
            "The ERP's secret: is no whsec_ text of 24 to 64 bytes. Ask its team for another."
        )


class NothingProposed(Refused):
    """Somebody was faster, or nobody has proposed anything."""

    def __init__(self) -> None:
        super().__init__("Key: nothing is proposed. Propose a step first.")


class KeyNotHere(Refused):
    """Who agrees to a key that this server does not hold would stop the boundary."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Key {key}: its secret is not kept on this server. Propose a new key instead.",
            key=key,
        )


def ask_change(row: KeyRow, it: Change, seen: Seen) -> Ask:
    """Return what is signed for one step.

    Raises:
        NoReason: why is empty.
        NothingProposed: there is nothing to agree to.
        KeyNotHere: the proposed key is not in this server's vault.
    """
    if not it.why.strip():
        raise NoReason
    way, why, step = row.direction, it.why.strip(), row.proposed
    if it.step is not Step.AGREE:
        step = _own_step(row, it)
    elif step is None:
        raise NothingProposed
    elif step.step == "begin" and step.key not in row.stand.waiting:
        raise KeyNotHere(step.key)
    command: BeginErpKey | EndErpKey
    if step.step == "begin":
        command = BeginErpKey(
            direction=way, key=step.key, before=step.before, days=step.days, why=why, seen=seen
        )
        lines = (("New key", step.key), ("Beside", step.before), ("For", f"{step.days} days"))
    else:
        command = EndErpKey(direction=way, why=why, seen=seen)
        lines = (("Ends", step.key), ("Stays", step.before), ("When", "at once"))
    told = (*lines, ("Reason", why), ("Record", f"version {seen.ver}"))
    return Ask(subject=TITLES[way], lines=told, command=command)


def _own_step(row: KeyRow, it: Change) -> ErpKeyProposed:
    newest, *older = row.stand.live
    if it.step is Step.END:
        key = older[0] if older else ""
        return ErpKeyProposed(direction=row.direction, step="end", key=key, before=newest, days=0)
    return ErpKeyProposed(
        direction=row.direction, step="begin", key=it.key, before=newest, days=it.days
    )
