"""The shared keys between plant and ERP: which are live, since when, and until when the old one is.

The ledger knows a key by its name alone, the start of its SHA-256; the key lies in the vault. While
two are live, messages carry both signatures and a receipt may carry either, so none is lost. Two
people sign each step: who holds the key of a boundary could speak for the plant.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from core.clock import iso
from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.quantity import Name, Sentence, Utc
from core.signature import Seen, sign

type Direction = Literal["send", "receive"]
type Step = Literal["begin", "end"]
LONGEST_DAYS = 30
PROPOSING = "I propose this change of a key between plant and ERP"
AGREEING = "I agree to this change of a key between plant and ERP"
SIGNERS = {"send": "messages to the ERP", "receive": "receipts of the ERP"}


class BeginErpKey(Command, frozen=True, kw_only=True, tag="erp-key.begin"):
    """Let a new key live beside the one before, for some days.

    The first signature proposes it, a second person's puts it in force.
    """

    direction: Direction
    key: Name
    before: Name
    days: int
    why: Sentence
    seen: Seen


class EndErpKey(Command, frozen=True, kw_only=True, tag="erp-key.end"):
    """Let the older key die, once the other side uses the new one; two people sign."""

    direction: Direction
    why: Sentence
    seen: Seen


class ErpKeyProposed(Event, frozen=True, kw_only=True, tag="erp-key.proposed"):
    """The first of two people has signed: `key` is to begin, or the older `key` to end."""

    direction: str
    step: Step
    key: str
    before: str
    days: int


class ErpKeyBegun(Event, frozen=True, kw_only=True, tag="erp-key.begun"):
    """Two keys are live from here on; the older one should be ended by `until`."""

    direction: str
    key: str
    before: str
    until: Utc


class ErpKeyEnded(Event, frozen=True, kw_only=True, tag="erp-key.ended"):
    """`key` is dead from here on."""

    direction: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpKey:
    """The keys of one direction as the ledger knows them; `older` and `until` during a rotation.

    `proposed` is what a first person has signed and no second one yet.
    """

    KIND: ClassVar[str] = "erp-key"
    direction: str
    newest: str
    begun_at: datetime | None = None
    older: str | None = None
    until: datetime | None = None
    proposed: ErpKeyProposed | None = None
    proposed_by: str | None = None


class DaysOutOfRange(Refused):
    """An overlap of no day loses messages, one of months is no rotation."""

    def __init__(self, days: int) -> None:
        super().__init__(f"Key: an overlap of {days} days; give 1 to {LONGEST_DAYS}.", days=days)


class RotationOpen(Refused):
    """A third key would leave nobody knowing which one the other side has."""

    def __init__(self, it: ErpKey) -> None:
        until = "" if it.until is None else f", to be ended by {iso(it.until)}"
        super().__init__(
            f"Key {it.direction}: {it.older} is still live beside {it.newest}{until}."
            " End the older one first.",
            direction=it.direction,
        )


class NoOlderKey(Refused):
    """The only key cannot be ended."""

    def __init__(self, direction: str) -> None:
        super().__init__(
            f"Key {direction}: only one is live, and it must stay. Begin a new one first.",
            direction=direction,
        )


class SameKey(Refused):
    """A key does not take its own place."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Key {key}: is live already. Make another one.", key=key)


class SecondPersonNeeded(Refused):
    """Nobody changes a key of the boundary alone."""

    is_evidence = True

    def __init__(self, key: str, name: str) -> None:
        super().__init__(
            f"Key {key}: {name} has proposed this; another person must agree. Ask a second person"
            " to sign.",
            key=key,
            name=name,
        )


def words_of(step: ErpKeyProposed, why: str) -> str:
    """Return in words what is signed for one step."""
    signs = SIGNERS[step.direction]
    if step.step == "end":
        return f"Key {step.key}, which signs {signs}, is dead; {step.before} alone is live. {why}"
    return (
        f"Key {step.key} signs {signs} beside {step.before}, which dies within {step.days} days."
        f" {why}"
    )


def decide(plant: Plant, it: BeginErpKey | EndErpKey, context: Context) -> Facts:
    """Return what a step of a rotation causes, or refuse it.

    Raises:
        DaysOutOfRange: the overlap is none, or too long.
        SameKey: the new key is the old one.
        RotationOpen: two keys are live.
        NoOlderKey: there is none to end.
        SecondPersonNeeded: who proposed a step cannot agree to it.
        SignatureRequired, RecordMoved: see `core.signature.sign`.
    """
    stream, held = f"{ErpKey.KIND}/{it.direction}", plant.get(ErpKey, it.direction)
    step = _ended(it, held) if isinstance(it, EndErpKey) else _begun(it, held)
    is_second = held is not None and held.proposed == step
    signature = sign(
        plant,
        context,
        it.seen,
        record=stream,
        meaning=AGREEING if is_second else PROPOSING,
        words=words_of(step, it.why),
        party="second" if is_second else "first",
        performers=(held.proposed_by,) if is_second and held is not None else (),
        own=lambda name: SecondPersonNeeded(step.key, name),
    )
    event: Event = step
    if is_second and step.step == "end":
        event = ErpKeyEnded(direction=it.direction, key=step.key)
    elif is_second:
        until = context.at + timedelta(days=step.days)
        event = ErpKeyBegun(direction=it.direction, key=step.key, before=step.before, until=until)
    return (Fact(stream, event, it.why), Fact(stream, signature, it.why))


def _ended(it: EndErpKey, held: ErpKey | None) -> ErpKeyProposed:
    if held is None or held.older is None:
        raise NoOlderKey(it.direction)
    return ErpKeyProposed(
        direction=it.direction, step="end", key=held.older, before=held.newest, days=0
    )


def _begun(it: BeginErpKey, held: ErpKey | None) -> ErpKeyProposed:
    if not 1 <= it.days <= LONGEST_DAYS:
        raise DaysOutOfRange(it.days)
    if it.key == it.before:
        raise SameKey(it.key)
    if held is not None and held.older is not None:
        raise RotationOpen(held)
    return ErpKeyProposed(
        direction=it.direction, step="begin", key=it.key, before=it.before, days=it.days
    )


def apply(held: ErpKey | None, fact: Recorded) -> ErpKey:
    """Fold one step of a rotation."""
    match fact.event:
        case ErpKeyProposed() as it:
            before = held or ErpKey(direction=it.direction, newest=it.before)
            return replace(before, proposed=it, proposed_by=fact.actor)
        case ErpKeyBegun() as it:
            return ErpKey(
                direction=it.direction,
                newest=it.key,
                begun_at=fact.at,
                older=it.before,
                until=it.until,
            )
        case ErpKeyEnded() as it:
            assert held is not None, fact
            return ErpKey(direction=it.direction, newest=held.newest, begun_at=held.begun_at)
        case _:  # the signature of the step before it
            assert held is not None, fact
            return held
