"""The door by which an ERP that polls us comes in: that it was shut after too many refused tries.

The tries are counted where they are made; what is recorded is the alert, once per time it is shut.
"""

from dataclasses import dataclass
from typing import ClassVar

from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.people import FAILURES_UNTIL_LOCK
from core.quantity import Name, Utc


class RecordDoorLocked(Command, frozen=True, kw_only=True, tag="erp-door.record-locked"):
    """Say that a door was shut `until` a time, after refused tries in a row."""

    door: Name
    failures: int
    until: Utc


class DoorLocked(Event, frozen=True, kw_only=True, tag="erp-door.locked"):
    """Too many refused tries in a row: alert (21 CFR 11.300(d)). It opens again by itself."""

    door: str
    failures: int
    until: Utc


class TooFewFailures(Refused):
    """A door is not shut for that."""

    def __init__(self, door: str, failures: int) -> None:
        super().__init__(
            f"Door {door}: {failures} refused tries, it is shut from {FAILURES_UNTIL_LOCK} on."
            " Nothing is to be recorded."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpDoor:
    """A door: how often it was shut, and until when it was the last time."""

    KIND: ClassVar[str] = "erp-door"
    door: str
    locked_until: Utc
    times: int = 1


def decide(plant: Plant, command: RecordDoorLocked, context: Context) -> Facts:
    """Return what a shut door causes: an alert.

    Raises:
        TooFewFailures: fewer refused tries than shut it.

    Source:
        21 CFR 11.300(d).
    """
    if command.failures < FAILURES_UNTIL_LOCK:
        raise TooFewFailures(command.door, command.failures)
    locked = DoorLocked(door=command.door, failures=command.failures, until=command.until)
    return (Fact(f"{ErpDoor.KIND}/{command.door}", locked),)


def apply(door: ErpDoor | None, fact: Recorded) -> ErpDoor:
    """Fold one lock."""
    assert isinstance(fact.event, DoorLocked), fact
    times = door.times if door is not None else 0
    return ErpDoor(door=fact.event.door, locked_until=fact.event.until, times=times + 1)
