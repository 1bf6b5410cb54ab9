"""People and what they may do: identities for ever, roles as data, lockout after failures.

An identity is never deleted and never becomes another person (21 CFR 11.100(a)). Secrets are
not here: `core/credentials.py` keeps them outside the ledger.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, assert_never

from msgspec import Meta

from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.quantity import Label, Name

ROLES = ("operator", "supervisor", "qa", "engineer", "director", "finance", "admin")
SERVICE = "service:"
INSTALLER = "service:install"
FAILURES_UNTIL_LOCK = 5

# No colon: the names that begin with `service:` are the plant's own.
type LoginName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$(?!\n)")
]
type BadgeNumber = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$(?!\n)")
]


class PersonState(StrEnum):
    """Whether a person may act."""

    ACTIVE = "active"
    LOCKED = "locked"
    RETIRED = "retired"


class RegisterPerson(Command, frozen=True, kw_only=True, tag="person.register"):
    """Make a person known, with a login name that is never given to anyone else."""

    person: LoginName
    name: Label
    badge: BadgeNumber
    roles: tuple[str, ...]
    simulated: bool = False


class ChangeRoles(Command, frozen=True, kw_only=True, tag="person.change-roles"):
    """Replace a person's roles."""

    person: Name
    roles: tuple[str, ...]


class UnlockPerson(Command, frozen=True, kw_only=True, tag="person.unlock"):
    """Let a locked person act again."""

    person: Name


class RetirePerson(Command, frozen=True, kw_only=True, tag="person.retire"):
    """End a person's access for ever; the identity stays taken."""

    person: Name


class RecordFailedAuthentication(
    Command, frozen=True, kw_only=True, tag="person.record-failed-authentication"
):
    """A secret or badge did not fit; the attempt is evidence."""

    person: Name
    purpose: str


class RecordAuthentication(Command, frozen=True, kw_only=True, tag="person.record-authentication"):
    """After failures, a secret fitted again: the count of failures in a row ends."""

    person: Name
    purpose: str


class RecordSignIn(Command, frozen=True, kw_only=True, tag="person.record-sign-in"):
    """A person opened a session."""

    person: Name


class RecordSignOut(Command, frozen=True, kw_only=True, tag="person.record-sign-out"):
    """A person's session ended."""

    person: Name
    cause: str


class PersonRegistered(Event, frozen=True, kw_only=True, tag="person.registered"):
    """A person is known from here on."""

    person: str
    name: str
    badge: str
    roles: tuple[str, ...]
    simulated: bool = False


class RolesChanged(Event, frozen=True, kw_only=True, tag="person.roles-changed"):
    """The roles before and after."""

    person: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class AuthenticationFailed(Event, frozen=True, kw_only=True, tag="person.authentication-failed"):
    """One failed attempt, counted since the last success."""

    person: str
    purpose: str
    failures: int


class Authenticated(Event, frozen=True, kw_only=True, tag="person.authenticated"):
    """A secret fitted after failures."""

    person: str
    purpose: str


class PersonLocked(Event, frozen=True, kw_only=True, tag="person.locked"):
    """Too many failures in a row: alert (21 CFR 11.300(d))."""

    person: str
    failures: int


class PersonUnlocked(Event, frozen=True, kw_only=True, tag="person.unlocked"):
    """The lock was taken off."""

    person: str


class PersonRetired(Event, frozen=True, kw_only=True, tag="person.retired"):
    """Access ended."""

    person: str


class SignedIn(Event, frozen=True, kw_only=True, tag="person.signed-in"):
    """A session was opened."""

    person: str


class SignedOut(Event, frozen=True, kw_only=True, tag="person.signed-out"):
    """A session ended, and by what."""

    person: str
    cause: str


type PersonCommand = (
    RegisterPerson
    | ChangeRoles
    | UnlockPerson
    | RetirePerson
    | RecordFailedAuthentication
    | RecordAuthentication
    | RecordSignIn
    | RecordSignOut
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of the plant."""

    KIND: ClassVar[str] = "person"
    person: str
    name: str
    badge: str
    roles: tuple[str, ...]
    simulated: bool = False
    state: PersonState = PersonState.ACTIVE
    failures: int = 0
    signed_in_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeOwner:
    """Who holds a badge; a badge number is given out once."""

    KIND: ClassVar[str] = "badge"
    badge: str
    person: str


class UnknownRole(Refused):
    """A role that this plant does not have."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"Role {role}: not one of {', '.join(ROLES)}. Choose from these.", role=role
        )


class MixedAdministrator(Refused):
    """An administrator keeps no GxP role beside it."""

    def __init__(self, person: str) -> None:
        super().__init__(
            f"{person}: an administrator holds no other role, so that nobody can both grant and"
            " use a right. Register a second identity for the other work.",
            person=person,
        )


class OwnRoles(Refused):
    """Nobody grants a right to himself."""

    is_evidence = True

    def __init__(self, person: Person) -> None:
        super().__init__(
            f"{person.name}: nobody changes his own roles. Ask another administrator.",
            person=person.person,
        )


class AnotherPersonsSession(Refused):
    """Only the person, or the plant's own sign-in, says that a session began or ended."""

    is_evidence = True

    def __init__(self, person: Person, actor: str) -> None:
        super().__init__(
            f"{person.name}: {actor} cannot record another person's session."
            " Each person signs in and out alone.",
            person=person.person,
            actor=actor,
        )


class Locked(Refused):
    """The person may not act now."""

    is_evidence = True

    def __init__(self, person: Person) -> None:
        if person.state is PersonState.RETIRED:
            says = "access has ended. Ask a person who is active."
        else:
            says = (
                f"access is locked after {person.failures} failed attempts."
                " Ask an administrator to unlock it."
            )
        super().__init__(
            f"{person.name}: {says}",
            person=person.person,
            state=person.state,
        )


def _check_roles(person: str, roles: tuple[str, ...]) -> None:
    for role in roles:
        if role not in ROLES:
            raise UnknownRole(role)
    if "admin" in roles and len(roles) > 1:
        raise MixedAdministrator(person)


def _check_one_owner(plant: Plant, it: RegisterPerson) -> None:
    """Refuse names that would sign in somebody else: one field takes login name and badge."""
    if it.badge == it.person or plant.get(Person, it.badge) is not None:
        raise AlreadyKnown("Badge", it.badge)
    if plant.get(BadgeOwner, it.person) is not None:
        raise AlreadyKnown("Person", it.person)


def _check_whose(command: PersonCommand, person: Person, actor: str) -> None:
    is_own = actor == person.person
    if isinstance(command, ChangeRoles) and is_own:
        raise OwnRoles(person)
    is_session = isinstance(command, RecordSignIn | RecordSignOut)
    if is_session and not is_own and not actor.startswith(SERVICE):
        raise AnotherPersonsSession(person, actor)


def decide(plant: Plant, command: PersonCommand, context: Context) -> Facts:
    """Return what a command about a person causes, or refuse it.

    Raises:
        AlreadyKnown: the login name or the badge was given out before.
        UnknownRole, MixedAdministrator, OwnRoles: the roles cannot be held, or not be given.
        AnotherPersonsSession: somebody else's sign-in or sign-out.
        WrongState: the person is retired, or not locked where unlocking is asked.
    """
    stream = f"{Person.KIND}/{command.person}"
    if isinstance(command, RegisterPerson):
        if plant.get(Person, command.person) is not None:
            raise AlreadyKnown("Person", command.person)
        if plant.get(BadgeOwner, command.badge) is not None:
            raise AlreadyKnown("Badge", command.badge)
        _check_one_owner(plant, command)
        _check_roles(command.person, command.roles)
        registered = PersonRegistered(
            person=command.person,
            name=command.name,
            badge=command.badge,
            roles=command.roles,
            simulated=command.simulated,
        )
        return (Fact(stream, registered), Fact(f"{BadgeOwner.KIND}/{command.badge}", registered))
    person = need(plant, Person, command.person, next_step="Register the person first.")
    tries = isinstance(command, RecordFailedAuthentication)
    if person.state is PersonState.RETIRED and not tries:
        raise WrongState(person.name, person.state, needed="active", next_step="Choose another.")
    _check_whose(command, person, context.actor)
    match command:
        case ChangeRoles(roles=roles):
            _check_roles(command.person, roles)
            changed = RolesChanged(person=person.person, before=person.roles, after=roles)
            return (Fact(stream, changed),)
        case UnlockPerson():
            if person.state is not PersonState.LOCKED:
                raise WrongState(
                    person.name, person.state, needed="locked", next_step="Nothing to unlock."
                )
            return (Fact(stream, PersonUnlocked(person=person.person)),)
        case RetirePerson():
            return (Fact(stream, PersonRetired(person=person.person)),)
        case RecordFailedAuthentication(purpose=purpose):
            failures = person.failures + 1
            failed = AuthenticationFailed(person=person.person, purpose=purpose, failures=failures)
            if failures < FAILURES_UNTIL_LOCK or person.state is not PersonState.ACTIVE:
                return (Fact(stream, failed),)
            locked = PersonLocked(person=person.person, failures=failures)
            return (Fact(stream, failed), Fact(stream, locked))
        case RecordAuthentication(purpose=purpose):
            return (Fact(stream, Authenticated(person=person.person, purpose=purpose)),)
        case RecordSignIn():
            return (Fact(stream, SignedIn(person=person.person)),)
        case RecordSignOut(cause=cause):
            return (Fact(stream, SignedOut(person=person.person, cause=cause)),)
        case _ as unreachable:
            assert_never(unreachable)


def apply(person: Person | None, fact: Recorded) -> Person:
    """Fold one event of a person's stream."""
    match fact.event:
        case PersonRegistered() as it:
            return Person(
                person=it.person,
                name=it.name,
                badge=it.badge,
                roles=it.roles,
                simulated=it.simulated,
            )
        case event:
            assert person is not None, fact
            return _change(person, event, fact.at)


def _change(person: Person, event: Event, at: datetime) -> Person:
    match event:
        case RolesChanged(after=after):
            return replace(person, roles=after)
        case AuthenticationFailed(failures=failures):
            return replace(person, failures=failures)
        case PersonLocked():
            return replace(person, state=PersonState.LOCKED)
        case PersonUnlocked():
            return replace(person, state=PersonState.ACTIVE, failures=0)
        case PersonRetired():
            return replace(person, state=PersonState.RETIRED)
        case Authenticated():
            return replace(person, failures=0)
        case SignedIn():
            return replace(person, failures=0, signed_in_at=at)
        case _:
            return person


def apply_badge(owner: BadgeOwner | None, fact: Recorded) -> BadgeOwner:
    """Fold one event of a badge's stream: the first one stands."""
    if owner is None and isinstance(fact.event, PersonRegistered):
        return BadgeOwner(badge=fact.event.badge, person=fact.event.person)
    assert owner is not None, fact
    return owner
