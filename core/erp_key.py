"""The shared keys between plant and ERP: which are live, since when, and until when the old one is.

The ledger knows a key by its name alone, the start of its SHA-256; the key lies in the vault. While
two are live, messages carry both signatures and a receipt may carry either, so none is lost.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from core.clock import iso
from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.quantity import Name, Sentence, Utc

type Direction = Literal["send", "receive"]
LONGEST_DAYS = 30


class BeginErpKey(Command, frozen=True, kw_only=True, tag="erp-key.begin"):
    """Let a new key live beside the one before, for some days."""

    direction: Direction
    key: Name
    before: Name
    days: int
    why: Sentence


class EndErpKey(Command, frozen=True, kw_only=True, tag="erp-key.end"):
    """Let the older key die: the other side has the new one."""

    direction: Direction
    why: Sentence


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
    """The keys of one direction as the ledger knows them; `older` and `until` during a rotation."""

    KIND: ClassVar[str] = "erp-key"
    direction: str
    newest: str
    begun_at: datetime
    older: str | None = None
    until: datetime | None = None


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


def decide(plant: Plant, it: BeginErpKey | EndErpKey, context: Context) -> Facts:
    """Return what a step of a rotation causes, or refuse it.

    Raises:
        DaysOutOfRange: the overlap is none, or too long.
        SameKey: the new key is the old one.
        RotationOpen: two keys are live.
        NoOlderKey: there is none to end.
    """
    stream, held = f"{ErpKey.KIND}/{it.direction}", plant.get(ErpKey, it.direction)
    if isinstance(it, EndErpKey):
        if held is None or held.older is None:
            raise NoOlderKey(it.direction)
        return (Fact(stream, ErpKeyEnded(direction=it.direction, key=held.older), it.why),)
    if not 1 <= it.days <= LONGEST_DAYS:
        raise DaysOutOfRange(it.days)
    if it.key == it.before:
        raise SameKey(it.key)
    if held is not None and held.older is not None:
        raise RotationOpen(held)
    until = context.at + timedelta(days=it.days)
    begun = ErpKeyBegun(direction=it.direction, key=it.key, before=it.before, until=until)
    return (Fact(stream, begun, it.why),)


def apply(held: ErpKey | None, fact: Recorded) -> ErpKey:
    """Fold one step of a rotation."""
    match fact.event:
        case ErpKeyBegun() as it:
            return ErpKey(
                direction=it.direction,
                newest=it.key,
                begun_at=fact.at,
                older=it.before,
                until=it.until,
            )
        case _:
            assert held is not None, fact
            return ErpKey(direction=held.direction, newest=held.newest, begun_at=held.begun_at)
