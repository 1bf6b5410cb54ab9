"""Requests for a correction: finance asks, the floor or QA corrects its own record or says why not.

A request is about one entry of the floor and has its number. It is closed by the correction that
names that entry, in the same commit, or declined with a reason. Who asks changes no fact.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from core.difference import MATCHED, FloorFact, Key, NothingDiffers, ShownRow
from core.errors import Refused, Unknown, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.order import Order
from core.people import Person, PersonState
from core.quantity import Name, Sentence

CORRECTS = ("operator", "supervisor", "qa")
ANSWERS = ("supervisor", "qa")  # may decline for the person who was asked


class RequestState(StrEnum):
    """Life of a request."""

    OPEN = "open"
    MADE = "made"
    DECLINED = "declined"


class RequestCorrection(Command, frozen=True, kw_only=True, tag="correction.request"):
    """Ask a person of the floor or QA to correct an entry; the server fills in `fact`."""

    difference: Key
    to: Name
    what: Sentence
    due_on: date
    fact: FloorFact
    shown: ShownRow


class DeclineCorrection(Command, frozen=True, kw_only=True, tag="correction.decline"):
    """Say why an entry is not corrected: it is right, or it cannot be any more."""

    entry: int
    why: Sentence


class CorrectionRequested(Event, frozen=True, kw_only=True, tag="correction.requested"):
    """This person is asked to correct an entry until a day."""

    entry: int
    difference: str
    batch: str
    to: str
    what: str
    due_on: date
    fact: FloorFact
    shown: ShownRow


class CorrectionMade(Event, frozen=True, kw_only=True, tag="correction.made"):
    """The entry was corrected, by the event that stands before this one."""

    entry: int
    by: str
    why: str


class CorrectionDeclined(Event, frozen=True, kw_only=True, tag="correction.declined"):
    """The entry stays as it is."""

    entry: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRequest:
    """The newest request about an entry, and what became of it."""

    KIND: ClassVar[str] = "correction-request"
    entry: int
    difference: str
    batch: str
    to: str
    what: str
    due_on: date
    fact: FloorFact
    asked_by: str
    asked_at: datetime
    state: RequestState = RequestState.OPEN
    answered_by: str | None = None
    answered_at: datetime | None = None
    answer: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state is RequestState.OPEN


class NoBatch(Refused):
    """What no batch holds, nobody of the floor can correct."""

    def __init__(self, entry: int) -> None:
        super().__init__(
            f"Entry {entry}: is of no batch. Ask the supervisor of the order.", entry=entry
        )


class CannotCorrect(Refused):
    """A record is corrected by the floor or by QA."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Person {name}: is no {', '.join(CORRECTS)}. Ask one who is.", name=name)


class DueInThePast(Refused):
    """What is asked has a day to come."""

    def __init__(self, due_on: date, today: date) -> None:
        super().__init__(
            f"Due on {due_on}: is before today, {today}. Choose today or a later day.",
            due_on=due_on.isoformat(),
        )


class NotAskedOfYou(Refused):
    """A request is answered by who was asked, a supervisor or QA."""

    def __init__(self, entry: int, *, to: str, name: str) -> None:
        super().__init__(
            f"Entry {entry}: {to} was asked, {name} was not. Ask {to}, a supervisor or QA to"
            " answer.",
            entry=entry,
            to=to,
            name=name,
        )


def decide(plant: Plant, command: RequestCorrection | DeclineCorrection, context: Context) -> Facts:
    """Return what a request or its refusal causes, or refuse it.

    Raises:
        NothingDiffers, NoBatch, CannotCorrect, DueInThePast: nothing can be asked so.
        WrongState: the entry has an open request, or none to answer.
        Unknown: no such person, order or request.
        NotAskedOfYou: another person was asked.
    """
    if isinstance(command, DeclineCorrection):
        return _decline(plant, command, context)
    if command.shown.match_class == MATCHED:
        raise NothingDiffers(command.difference)
    entry = command.fact.entry
    before = plant.get(CorrectionRequest, str(entry))
    if before is not None and before.is_open:
        raise WrongState(
            f"Entry {entry}", f"asked of {before.to} already", needed="without an open request",
            next_step="Wait for the answer.",
        )  # fmt: skip
    person = need(plant, Person, command.to, next_step="Choose a person of the plant.")
    if person.state is not PersonState.ACTIVE or not set(CORRECTS) & set(person.roles):
        raise CannotCorrect(person.name)
    if command.due_on < context.today:
        raise DueInThePast(command.due_on, context.today)
    order = need(plant, Order, command.fact.order)
    if order.batch is None:
        raise NoBatch(entry)
    asked = CorrectionRequested(
        entry=entry,
        difference=command.difference,
        batch=order.batch,
        to=command.to,
        what=command.what,
        due_on=command.due_on,
        fact=command.fact,
        shown=command.shown,
    )
    return (Fact(_stream(entry), asked, command.what),)


def _stream(entry: int) -> str:
    return f"{CorrectionRequest.KIND}/{entry}"


def _decline(plant: Plant, command: DeclineCorrection, context: Context) -> Facts:
    found = plant.get(CorrectionRequest, str(command.entry))
    if found is None:
        raise Unknown("Correction request", str(command.entry))
    if not found.is_open:
        raise WrongState(
            f"Request about entry {command.entry}", found.state, needed="open",
            next_step="Read the row once more.",
        )  # fmt: skip
    person = plant.get(Person, context.actor)
    roles = set() if person is None else set(person.roles)
    if context.actor != found.to and not roles & set(ANSWERS):
        name = context.actor if person is None else person.name
        raise NotAskedOfYou(command.entry, to=found.to, name=name)
    declined = CorrectionDeclined(entry=command.entry, why=command.why)
    return (Fact(_stream(command.entry), declined, command.why),)


def answered(plant: Plant, entry: int, event: Event, *, why: str) -> tuple[Fact, ...]:
    """Return that a correction closes the open request about its entry; nothing without one."""
    found = plant.get(CorrectionRequest, str(entry))
    if found is None or not found.is_open:
        return ()
    made = CorrectionMade(entry=entry, by=str(type(event).__struct_config__.tag), why=why)
    return (Fact(_stream(entry), made, why),)


def apply(request: CorrectionRequest | None, fact: Recorded) -> CorrectionRequest:
    """Fold one event of a request's stream; a later request about the entry begins anew."""
    match fact.event:
        case CorrectionRequested() as it:
            return CorrectionRequest(
                entry=it.entry,
                difference=it.difference,
                batch=it.batch,
                to=it.to,
                what=it.what,
                due_on=it.due_on,
                fact=it.fact,
                asked_by=fact.actor,
                asked_at=fact.at,
            )
        case event:
            assert request is not None, fact
            assert isinstance(event, CorrectionMade | CorrectionDeclined), fact
            is_made = isinstance(event, CorrectionMade)
            return replace(
                request,
                state=RequestState.MADE if is_made else RequestState.DECLINED,
                answered_by=fact.actor,
                answered_at=fact.at,
                answer=event.why,
            )
