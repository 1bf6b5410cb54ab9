"""What happens to a person and the means of access, as stored for ever."""

from datetime import datetime

from msgspec import Struct

from core.fact import Event


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
    """One failed attempt; `failures` counts since the last success, this one where it counts."""

    person: str
    purpose: str
    failures: int
    badge: str | None = None


class Authenticated(Event, frozen=True, kw_only=True, tag="person.authenticated"):
    """A secret fitted after failures."""

    person: str
    purpose: str


class PersonLocked(Event, frozen=True, kw_only=True, tag="person.locked"):
    """Too many failures in a row: alert (21 CFR 11.300(d))."""

    person: str
    failures: int


class LockWithheld(Event, frozen=True, kw_only=True, tag="person.lock-withheld"):
    """Too many failures of the last administrator, who is slowed down and not locked: alert."""

    person: str
    failures: int


class PersonUnlocked(Event, frozen=True, kw_only=True, tag="person.unlocked"):
    """The lock was taken off."""

    person: str


class PersonRetired(Event, frozen=True, kw_only=True, tag="person.retired"):
    """Access ended."""

    person: str


class SignedIn(Event, frozen=True, kw_only=True, tag="person.signed-in"):
    """A session was opened; `means` is how the person was proven."""

    person: str
    means: str = "secret"


class SignedOut(Event, frozen=True, kw_only=True, tag="person.signed-out"):
    """A session ended, and by what."""

    person: str
    cause: str


class EnrolmentIssued(Event, frozen=True, kw_only=True, tag="person.enrolment-issued"):
    """A one-time code took the place of the secret, after an identity check (21 CFR 11.100(b)).

    The code opens nothing but the form in which the person chooses a secret.
    """

    person: str
    ends_at: datetime
    checked_by: str
    document: str
    checked_on: str
    why: str


class EnrolmentConfirmed(Event, frozen=True, kw_only=True, tag="person.enrolment-confirmed"):
    """Another person than the issuer handed the code out (21 CFR 11.200(a)(3))."""

    person: str


class SecretChanged(Event, frozen=True, kw_only=True, tag="person.secret-changed"):
    """The person chose a secret, or the installer set the first one."""

    person: str
    origin: str


class BadgeIssued(Event, frozen=True, kw_only=True, tag="person.badge-issued"):
    """A new badge, in the place of one that is dead."""

    person: str
    badge: str
    replaces: str | None


class BadgeRevoked(Event, frozen=True, kw_only=True, tag="person.badge-revoked"):
    """A badge is dead from here on, everywhere, and its number is never given again."""

    person: str
    badge: str
    cause: str


class IdentityProposed(Event, frozen=True, kw_only=True, tag="person.identity-proposed"):
    """The first of two people signed whose an identity is; it opens nothing until the second."""

    person: str
    issuer: str
    subject: str
    why: str


class IdentityLinked(Event, frozen=True, kw_only=True, tag="person.identity-linked"):
    """An identity of a sign-in provider is this person's, for ever."""

    person: str
    issuer: str
    subject: str
    why: str


class ReviewedAccess(Struct, frozen=True, kw_only=True):
    """One person's access as it was reviewed: the version of the stream, and what it said."""

    person: str
    ver: int
    state: str
    roles: tuple[str, ...]


class AccessReviewed(Event, frozen=True, kw_only=True, tag="access.reviewed"):
    """Somebody of QA looked at who may do what, and signed what was found."""

    plant: str
    people: tuple[ReviewedAccess, ...]
    found: str
