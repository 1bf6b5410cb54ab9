"""Numbers without gaps: each prefix is a stream whose last entry is the last number."""

from dataclasses import dataclass
from typing import ClassVar

from core.fact import Event, Fact, Plant, Recorded


class NumberAssigned(Event, frozen=True, kw_only=True, tag="number.assigned"):
    """The next number of a prefix was given out, and for what."""

    prefix: str
    number: int
    name: str
    assigned_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A prefix and the last number given out."""

    KIND: ClassVar[str] = "sequence"
    prefix: str
    last: int


def draw(plant: Plant, prefix: str, *, width: int, for_: str, nth: int = 1) -> tuple[str, Fact]:
    """Return the next name of a prefix, such as `B26-0178`, and the fact that takes it.

    `nth` counts the names of one prefix that one command draws, from 1.
    """
    sequence = plant.get(Sequence, prefix)
    number = nth if sequence is None else sequence.last + nth
    name = f"{prefix}-{number:0{width}d}"
    assigned = NumberAssigned(prefix=prefix, number=number, name=name, assigned_for=for_)
    return name, Fact(f"{Sequence.KIND}/{prefix}", assigned)


def apply(sequence: Sequence | None, fact: Recorded) -> Sequence:
    """Fold one event of a sequence."""
    assert isinstance(fact.event, NumberAssigned), fact
    return Sequence(prefix=fact.event.prefix, last=fact.event.number)
