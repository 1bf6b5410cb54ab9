"""The shapes every noun is written in: commands, events, and what `decide` may look at.

A noun module holds, in this order: commands, events, state, `decide`, `apply`. Both functions
are pure. `decide` may refuse; `apply` never does, since history cannot be refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from core.errors import Unknown
from core.manifest import Assertion, Manifest, Vouched
from core.master_data import MasterData
from core.policy import OPEN, Decisions


class Command(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What a person, a device or a service asks for; the tag is its name everywhere."""


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What happened. The tag is stored for ever and never renamed; fields are only added.

    Where a field must change its meaning or its shape, `SCHEMA` goes up by one and
    `core.catalogue.UPCAST` gets the step from the version before.
    """

    SCHEMA: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Fact:
    """One event to append, and the stream that it belongs to."""

    stream: str
    event: Event
    reason: str | None = None


class Recorded(Struct, frozen=True):
    """An event as the ledger holds it, ready to be folded."""

    event: Event
    stream: str
    seq: int
    ver: int
    at: datetime
    actor: str
    station: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """What passkeys are bound to: the relying party, a host name, and the pages' origins."""

    rp_id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A person who has just proved who they are, by which components, and what they state.

    `meaning` is None where the signer chose none; `prepared` is the manifest that was shown.
    """

    person: str
    name: str
    components: tuple[str, ...]
    meaning: str | None = None
    comment: str = ""
    prepared: Manifest | None = None
    assertion: Assertion | None = None
    vouched: Vouched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Around a command: the instant, who asks, where, under which id and policy, signed by whom.

    `plant` names whose rules apply, `action` is the command's own name, `site` is None where
    the server takes no passkeys. `entry` is the number that the first event would get.
    `master_data` is None where no ERP is asked for any.
    """

    at: datetime
    actor: str
    station: str | None
    idem: str
    zone: str
    reason: str | None = None
    signer: Signer | None = None
    policy: Decisions = OPEN
    plant: str = ""
    action: str = ""
    site: Site | None = None
    entry: int = 0
    master_data: MasterData | None = None

    @property
    def today(self) -> date:
        """The plant's calendar day at `at`."""
        return self.at.astimezone(ZoneInfo(self.zone)).date()


class State(Protocol):
    """A noun folded from its stream. `KIND` is the first part of the stream's name."""

    KIND: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Head:
    """Position of a stream: entries so far and the leaf hash of its newest one."""

    ver: int
    leaf: str | None


class Plant(Protocol):
    """Read-only view of every noun at the moment a command is decided."""

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        """Return a noun's state, or None where its stream is empty."""
        ...

    def head(self, stream: str) -> Head:
        """Return a stream's position; version 0 and no leaf where it is empty."""
        ...


def need[S: State](plant: Plant, noun: type[S], name: str, *, next_step: str = "Check it.") -> S:
    """Return a noun's state.

    Raises:
        Unknown: the stream is empty.
    """
    state = plant.get(noun, name)
    if state is None:
        raise Unknown(noun.KIND, name, next_step)
    return state


@dataclass(slots=True)
class Sketch:
    """A plant made of given states: for rules that must be tried without a ledger."""

    states: dict[str, Any] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        """Return the given state, or None."""
        return self.states.get(f"{noun.KIND}/{name}")

    def head(self, stream: str) -> Head:
        """Return the given head, or the empty one."""
        return self.heads.get(stream, Head(0, None))


type Facts = Sequence[Fact]
