"""People and what they may do: identities for ever, roles as data, lockout after failures.

An identity is never deleted and never becomes another person (21 CFR 11.100(a)). Secrets are
not here: `core/credentials.py` keeps them outside the ledger.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, assert_never

from msgspec import Meta

from core.errors import AlreadyKnown, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.person_events import (
    Authenticated,
    AuthenticationFailed,
    BadgeIssued,
    BadgeRevoked,
    EnrolmentConfirmed,
    EnrolmentIssued,
    IdentityLinked,
    IdentityProposed,
    LockWithheld,
    PersonLocked,
    PersonRegistered,
    PersonRetired,
    PersonUnlocked,
    RolesChanged,
    SecretChanged,
    SignedIn,
    SignedOut,
)
from core.person_refusals import (
    AnotherPersonsSession,
    LastAdministrator,
    MixedAdministrator,
    OwnRoles,
    UnknownRole,
)
from core.quantity import Label, Name

ROLES = ("operator", "supervisor", "qa", "engineer", "director", "finance", "admin")
SERVICE = "service:"
INSTALLER = "service:install"
SECURITY = "service:security"  # the server, where it checks who somebody is
ADMIN = "admin"
ACTIVE = "active"
FAILURES_UNTIL_LOCK = 5

# No colon: the names that begin with `service:` are the plant's own. No capitals: `Quinn` beside
# `quinn` would be two people whom nobody tells apart in a list.
type LoginName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._@+-]*$(?!\n)")
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
    """A secret or badge did not fit; the attempt is evidence.

    A dead `badge` that somebody tried does not count towards the lock of its former holder.
    """

    person: Name
    purpose: str
    badge: str | None = None


class RecordAuthentication(Command, frozen=True, kw_only=True, tag="person.record-authentication"):
    """After failures, a secret fitted again: the count of failures in a row ends."""

    person: Name
    purpose: str


class RecordSignIn(Command, frozen=True, kw_only=True, tag="person.record-sign-in"):
    """A person opened a session."""

    person: Name
    means: Name = "secret"


class RecordSignOut(Command, frozen=True, kw_only=True, tag="person.record-sign-out"):
    """A person's session ended."""

    person: Name
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
    registered_at: datetime | None = None
    secret_set_at: datetime | None = None
    enrolment_ends_at: datetime | None = None
    enrolment_by: str | None = None
    enrolment_confirmed: bool = False
    identity_checked_on: str | None = None
    former_badge: str | None = None
    issuers: tuple[str, ...] = ()
    identity_proposed: IdentityProposed | None = None
    identity_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeOwner:
    """Who holds a badge; a number is given out once. `dead` says why it is no longer one."""

    KIND: ClassVar[str] = "badge"
    badge: str
    person: str
    dead: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrators:
    """Who can administer people now: one stream for the plant, `administrators/active`."""

    KIND: ClassVar[str] = "administrators"
    people: tuple[str, ...] = ()


def _check_roles(person: str, roles: tuple[str, ...]) -> None:
    for role in roles:
        if role not in ROLES:
            raise UnknownRole(role, ROLES)
    if "admin" in roles and len(roles) > 1:
        raise MixedAdministrator(person)


def check_one_owner(plant: Plant, *, badge: str, person: str) -> None:
    """Refuse names that would sign in somebody else: one field takes login name and badge.

    Raises:
        AlreadyKnown: the badge is somebody's login name, or the login name somebody's badge.
    """
    if badge == person or plant.get(Person, badge) is not None:
        raise AlreadyKnown("Badge", badge)
    if plant.get(BadgeOwner, person) is not None:
        raise AlreadyKnown("Person", person)


def _is_last_administrator(plant: Plant, person: Person) -> bool:
    """Tell whether nobody else is known to administer; ledgers of old may not say."""
    if ADMIN not in person.roles or person.state is not PersonState.ACTIVE:
        return False
    known = plant.get(Administrators, ACTIVE)
    return known is None or not set(known.people) - {person.person}


def _for_administrators(person: Person | None, facts: Facts) -> Facts:
    """Return facts with a copy of each one that may move the circle of administrators."""
    moving: tuple[type[Event], ...] = (PersonRegistered, RolesChanged, PersonLocked, PersonRetired)
    if person is not None and person.state is not PersonState.ACTIVE:
        moving = (PersonUnlocked,)  # whoever is locked or retired is in no circle
    held = () if person is None else person.roles
    found = list(facts)
    for fact in facts:
        event = fact.event
        roles = {*held, *getattr(event, "roles", ()), *getattr(event, "after", ())}
        if isinstance(event, moving) and ADMIN in roles and fact.stream.startswith(Person.KIND):
            found.append(Fact(f"{Administrators.KIND}/{ACTIVE}", event))
    return tuple(found)


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
        LastAdministrator: nobody would be left to administer people.
        AnotherPersonsSession: somebody else's sign-in or sign-out.
        WrongState: the person is retired, or not locked where unlocking is asked.
    """
    if isinstance(command, RegisterPerson):
        return _for_administrators(None, _register(plant, command))
    person = need(plant, Person, command.person, next_step="Register the person first.")
    tries = isinstance(command, RecordFailedAuthentication)
    if person.state is PersonState.RETIRED and not tries:
        raise WrongState(person.name, person.state, needed="active", next_step="Choose another.")
    _check_whose(command, person, context.actor)
    stream = f"{Person.KIND}/{person.person}"
    events = _events(plant, command, person)
    return _for_administrators(person, [Fact(stream, event) for event in events])


def _register(plant: Plant, it: RegisterPerson) -> Facts:
    if plant.get(Person, it.person) is not None:
        raise AlreadyKnown("Person", it.person)
    if plant.get(BadgeOwner, it.badge) is not None:
        raise AlreadyKnown("Badge", it.badge)
    check_one_owner(plant, badge=it.badge, person=it.person)
    _check_roles(it.person, it.roles)
    registered = PersonRegistered(
        person=it.person, name=it.name, badge=it.badge, roles=it.roles, simulated=it.simulated
    )
    return (
        Fact(f"{Person.KIND}/{it.person}", registered),
        Fact(f"{BadgeOwner.KIND}/{it.badge}", registered),
    )


def _events(plant: Plant, command: PersonCommand, person: Person) -> tuple[Event, ...]:
    match command:
        case ChangeRoles(roles=roles):
            _check_roles(command.person, roles)
            if ADMIN not in roles and _is_last_administrator(plant, person):
                raise LastAdministrator(person)
            return (RolesChanged(person=person.person, before=person.roles, after=roles),)
        case UnlockPerson():
            if person.state is not PersonState.LOCKED:
                raise WrongState(
                    person.name, person.state, needed="locked", next_step="Nothing to unlock."
                )
            return (PersonUnlocked(person=person.person),)
        case RetirePerson():
            if _is_last_administrator(plant, person):
                raise LastAdministrator(person)
            return (PersonRetired(person=person.person),)
        case RecordFailedAuthentication():
            return _failed(plant, command, person)
        case RecordAuthentication(purpose=purpose):
            return (Authenticated(person=person.person, purpose=purpose),)
        case RecordSignIn(means=means):
            return (SignedIn(person=person.person, means=means),)
        case RecordSignOut(cause=cause):
            return (SignedOut(person=person.person, cause=cause),)
        case RegisterPerson():
            raise AssertionError(command)
        case _ as unreachable:
            assert_never(unreachable)


def _failed(
    plant: Plant, it: RecordFailedAuthentication, person: Person
) -> tuple[AuthenticationFailed | PersonLocked | LockWithheld, ...]:
    failures = person.failures + (it.badge is None)
    failed = AuthenticationFailed(
        person=person.person, purpose=it.purpose, failures=failures, badge=it.badge
    )
    is_counted = it.badge is None and person.state is PersonState.ACTIVE
    if failures < FAILURES_UNTIL_LOCK or not is_counted:
        return (failed,)
    if _is_last_administrator(plant, person):
        return (failed, LockWithheld(person=person.person, failures=failures))
    return (failed, PersonLocked(person=person.person, failures=failures))


def apply(person: Person | None, fact: Recorded) -> Person:
    """Fold one event of a person's stream."""
    match fact.event:
        case PersonRegistered() as it:
            return Person(
                person=it.person, name=it.name, badge=it.badge, roles=it.roles,
                simulated=it.simulated, registered_at=fact.at,
            )  # fmt: skip
        case event:
            assert person is not None, fact
            return _change(person, event, fact)


def _change(person: Person, event: Event, fact: Recorded) -> Person:
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
            return replace(person, failures=0, signed_in_at=fact.at)
        case EnrolmentIssued() as it:
            return replace(
                person, enrolment_ends_at=it.ends_at, enrolment_by=fact.actor, failures=0,
                enrolment_confirmed=False, identity_checked_on=it.checked_on,
            )  # fmt: skip
        case EnrolmentConfirmed():
            return replace(person, enrolment_confirmed=True)
        case SecretChanged():
            return replace(person, enrolment_ends_at=None, secret_set_at=fact.at, failures=0)
        case BadgeIssued(badge=badge):
            return replace(person, badge=badge)
        case BadgeRevoked(badge=badge):
            return replace(person, badge="", former_badge=badge)
        case IdentityProposed() as it:
            return replace(person, identity_proposed=it, identity_by=fact.actor)
        case IdentityLinked(issuer=issuer):
            issuers = (*person.issuers, issuer)
            return replace(person, issuers=issuers, identity_proposed=None, identity_by=None)
        case _:
            return person


def apply_badge(owner: BadgeOwner | None, fact: Recorded) -> BadgeOwner:
    """Fold one event of a badge's stream: its first holder stands, until it is dead."""
    match fact.event:
        case (PersonRegistered() | BadgeIssued()) as it if owner is None:
            return BadgeOwner(badge=it.badge, person=it.person)
        case BadgeRevoked(cause=cause):
            assert owner is not None, fact
            return replace(owner, dead=cause)
        case _:
            assert owner is not None, fact
            return owner


def apply_administrators(circle: Administrators | None, fact: Recorded) -> Administrators:
    """Fold one event that moves the circle of active administrators."""
    people = set() if circle is None else set(circle.people)
    match fact.event:
        case PersonRegistered(person=person) | PersonUnlocked(person=person):
            people.add(person)
        case RolesChanged(person=person, after=after) if ADMIN in after:
            people.add(person)
        case PersonLocked(person=who) | PersonRetired(person=who) | RolesChanged(person=who):
            people.discard(who)
        case _:
            pass
    return Administrators(people=tuple(sorted(people)))
