"""The means by which a person is known: enrolment code, secret, badge, a provider's identity.

The secrets themselves are never here; an entry says that one was given, changed or ended.

Source:
    21 CFR 11.100(b), 11.300(a) to (d).
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, ClassVar, Literal, assert_never

from msgspec import Meta

from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import (
    INSTALLER,
    SECURITY,
    BadgeNumber,
    BadgeOwner,
    Person,
    PersonState,
    check_one_owner,
)
from core.person_events import (
    BadgeIssued,
    BadgeRevoked,
    EnrolmentConfirmed,
    EnrolmentIssued,
    IdentityLinked,
    IdentityProposed,
    SecretChanged,
)
from core.quantity import Label, Name
from core.signature import Seen, sign

ENROLMENT = timedelta(hours=72)  # how long a code waits for its person
LINKING = "I propose that this identity is this person's"
CONFIRMING = "I confirm that this identity is this person's"

type Subject = Annotated[str, Meta(min_length=1, max_length=255)]
type Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$(?!\n)")]


class Document(StrEnum):
    """What showed who somebody is."""

    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    DRIVING_LICENCE = "driving_licence"
    COMPANY_CARD = "company_card"
    KNOWN_IN_PERSON = "known_in_person"


class BadgeEnd(StrEnum):
    """Why a badge is dead."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    RETURNED = "returned"


class IssueEnrolment(Command, frozen=True, kw_only=True, tag="person.issue-enrolment"):
    """Give a person a one-time code in the place of the secret, after checking who it is.

    `checked_by` is who looked at the document on the day `checked_on` (year-month-day).
    """

    person: Name
    checked_by: Label
    document: Document
    checked_on: Day
    why: Label = "First access."


class ConfirmEnrolment(Command, frozen=True, kw_only=True, tag="person.confirm-enrolment"):
    """Hand an issued code out, as another person than who issued it."""

    person: Name


class RecordSecretChange(Command, frozen=True, kw_only=True, tag="person.record-secret-change"):
    """A secret was chosen by its person, or set by the installer; said by the server alone."""

    person: Name
    origin: Literal["own", "installer"]


class RevokeBadge(Command, frozen=True, kw_only=True, tag="person.revoke-badge"):
    """End a badge at once, as after a loss."""

    badge: BadgeNumber
    cause: BadgeEnd = BadgeEnd.LOST


class IssueBadge(Command, frozen=True, kw_only=True, tag="person.issue-badge"):
    """Give a person another badge in the place of a dead one."""

    person: Name
    badge: BadgeNumber


class LinkIdentity(Command, frozen=True, kw_only=True, tag="person.link-identity"):
    """Propose, signed, which identity of a sign-in provider is this person."""

    person: Name
    issuer: Subject
    subject: Subject
    why: Label
    seen: Seen


class ConfirmIdentity(Command, frozen=True, kw_only=True, tag="person.confirm-identity"):
    """Link the identity that another person proposed to a person, signed; once, for ever."""

    person: Name
    seen: Seen


type AccessCommand = (
    IssueEnrolment
    | ConfirmEnrolment
    | RecordSecretChange
    | RevokeBadge
    | IssueBadge
    | LinkIdentity
    | ConfirmIdentity
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderIdentity:
    """Whose a provider's subject is. Its name is a digest: a subject may hold any sign."""

    KIND: ClassVar[str] = "identity"
    issuer: str
    subject: str
    person: str


class BadgeStillLives(Refused):
    """One person, one badge."""

    def __init__(self, person: Person) -> None:
        super().__init__(
            f"{person.name}: holds a badge that works. Revoke it first, then give the new one.",
            person=person.person,
        )


class ServerSays(Refused):
    """What the server alone can know is said by nobody else."""

    is_evidence = True

    def __init__(self, person: Person, actor: str) -> None:
        super().__init__(
            f"{person.name}: {actor} cannot say that a secret was changed."
            " Change the secret on the page of the account.",
            person=person.person,
            actor=actor,
        )


class OwnEnrolment(Refused):
    """Nobody checks his own identity, nor links an identity to himself."""

    is_evidence = True

    def __init__(self, person: Person) -> None:
        super().__init__(
            f"{person.name}: nobody vouches for himself. Ask another administrator.",
            person=person.person,
        )


class OneHandAlone(Refused):
    """Who issued a code could use it: so another person hands it out."""

    is_evidence = True

    def __init__(self, person: Person, actor: str) -> None:
        super().__init__(
            f"{person.name}: {actor} issued this code, and does not hand it out as well. Ask a"
            " supervisor, QA, or another administrator.",
            person=person.person,
            actor=actor,
        )


class OneHandLinks(Refused):
    """Who proposed an account could hold it, and sign for its person: so another one confirms."""

    is_evidence = True

    def __init__(self, person: Person, name: str) -> None:
        super().__init__(
            f"{person.name}: {name} proposed this identity, and does not confirm it as well. Ask a"
            " supervisor, QA, or another administrator.",
            person=person.person,
            name=name,
        )


class NotYet(Refused):
    """An identity check is done before it is recorded."""

    def __init__(self, day: str, today: str) -> None:
        super().__init__(
            f"Identity check: the day {day} is none up to today, {today}. Give the day on which"
            " the document was looked at.",
            day=day,
        )


def identity_name(issuer: str, subject: str) -> str:
    """Return the name of the stream that says whose a provider's subject is."""
    return sha256(f"{issuer}\n{subject}".encode()).hexdigest()[:40]


def decide(plant: Plant, command: AccessCommand, context: Context) -> Facts:
    """Return what a command about means of access causes, or refuse it.

    Raises:
        Unknown, WrongState: nobody has this badge or name, or not in a state that allows it.
        AlreadyKnown: the badge or the identity was given out before.
        BadgeStillLives: the person holds a badge that works.
        OwnEnrolment, OneHandAlone, OneHandLinks: one's own identity, or both halves by one person.
        ServerSays: somebody else says that a secret was changed.
        NotYet: the identity check is in the future, or on no day.
        SignatureRequired, RecordMoved: the link is not signed over the person as it is.
    """
    if isinstance(command, RevokeBadge):
        return _revoke(plant, command)
    person = need(plant, Person, command.person, next_step="Register the person first.")
    if person.state is PersonState.RETIRED:
        raise WrongState(person.name, person.state, needed="active", next_step="Choose another.")
    stream = f"{Person.KIND}/{person.person}"
    match command:
        case IssueEnrolment():
            return (Fact(stream, _enrolment(command, person, context)),)
        case ConfirmEnrolment():
            return (Fact(stream, _confirmed(plant, person, context)),)
        case RecordSecretChange(origin=origin):
            if context.actor != {"own": SECURITY, "installer": INSTALLER}[origin]:
                raise ServerSays(person, context.actor)
            return (Fact(stream, SecretChanged(person=person.person, origin=origin)),)
        case IssueBadge():
            return _issue(plant, command, person)
        case LinkIdentity():
            return _proposed(plant, command, person=person, context=context)
        case ConfirmIdentity():
            return _linked(plant, command, person=person, context=context)
        case _ as unreachable:
            assert_never(unreachable)


def _enrolment(it: IssueEnrolment, person: Person, context: Context) -> Event:
    if context.actor == person.person:
        raise OwnEnrolment(person)
    if person.state is PersonState.LOCKED:
        raise WrongState(person.name, person.state, needed="active", next_step="Unlock it first.")
    today = context.today.isoformat()
    if not "1990-01-01" <= it.checked_on <= today:
        raise NotYet(it.checked_on, today)
    return EnrolmentIssued(
        person=person.person,
        ends_at=context.at + ENROLMENT,
        checked_by=it.checked_by,
        document=it.document,
        checked_on=it.checked_on,
        why=it.why,
    )


def _confirmed(plant: Plant, person: Person, context: Context) -> Event:
    """Return that a code is handed out: two people have their hands in it, and none of them alone.

    A program may issue a code, but whoever made its key could hand it out with another one.
    """
    need(plant, Person, context.actor, next_step="A person hands a code out.")
    ends_at, is_out = person.enrolment_ends_at, person.enrolment_confirmed
    if ends_at is None or context.at >= ends_at or is_out:
        raise WrongState(
            f"Enrolment code of {person.name}",
            "handed out" if is_out else "not issued, or ended",
            needed="issued",
            next_step="Ask an administrator to issue one.",
        )
    if context.actor == person.person:
        raise OwnEnrolment(person)
    if context.actor == person.enrolment_by:
        raise OneHandAlone(person, context.actor)
    return EnrolmentConfirmed(person=person.person)


def _revoke(plant: Plant, it: RevokeBadge) -> Facts:
    owner = need(plant, BadgeOwner, it.badge, next_step="Look at the number on the badge.")
    if owner.dead is not None:
        raise WrongState(
            f"Badge {it.badge}", owner.dead, needed="in use", next_step="Nothing to revoke."
        )
    event = BadgeRevoked(person=owner.person, badge=it.badge, cause=it.cause)
    streams = (f"{Person.KIND}/{owner.person}", f"{BadgeOwner.KIND}/{it.badge}")
    return tuple(Fact(stream, event) for stream in streams)


def _issue(plant: Plant, it: IssueBadge, person: Person) -> Facts:
    if plant.get(BadgeOwner, it.badge) is not None:
        raise AlreadyKnown("Badge", it.badge)
    if person.badge:
        raise BadgeStillLives(person)
    check_one_owner(plant, badge=it.badge, person=person.person)
    event = BadgeIssued(person=person.person, badge=it.badge, replaces=person.former_badge)
    streams = (f"{Person.KIND}/{person.person}", f"{BadgeOwner.KIND}/{it.badge}")
    return tuple(Fact(stream, event) for stream in streams)


def _proposed(plant: Plant, it: LinkIdentity, *, person: Person, context: Context) -> Facts:
    _check_identity(plant, it.issuer, it.subject, person=person, context=context)
    stream = f"{Person.KIND}/{person.person}"
    proposed = IdentityProposed(
        person=person.person, issuer=it.issuer, subject=it.subject, why=it.why
    )
    words = f"{_whose(person, proposed)}: {it.why}"
    signed = sign(plant, context, it.seen, record=stream, meaning=LINKING, words=words)
    return (Fact(stream, signed), Fact(stream, proposed))


def _linked(plant: Plant, it: ConfirmIdentity, *, person: Person, context: Context) -> Facts:
    """Return that the proposed identity is linked, by another person than who proposed it."""
    proposed = person.identity_proposed
    if proposed is None:
        raise WrongState(
            f"Identity of {person.name}", "not proposed", needed="proposed",
            next_step="Ask an administrator to propose one.",
        )  # fmt: skip
    _check_identity(plant, proposed.issuer, proposed.subject, person=person, context=context)
    stream = f"{Person.KIND}/{person.person}"
    words = f"{_whose(person, proposed)}, as {person.identity_by} proposed: {proposed.why}"
    signed = sign(
        plant, context, it.seen, record=stream, meaning=CONFIRMING, words=words,
        performers=(person.identity_by,), own=lambda name: OneHandLinks(person, name),
    )  # fmt: skip
    linked = IdentityLinked(
        person=person.person, issuer=proposed.issuer, subject=proposed.subject, why=proposed.why
    )
    name = identity_name(linked.issuer, linked.subject)
    return (
        Fact(stream, signed),
        Fact(stream, linked),
        Fact(f"{ProviderIdentity.KIND}/{name}", linked),
    )


def _check_identity(
    plant: Plant, issuer: str, subject: str, *, person: Person, context: Context
) -> None:
    """Refuse one's own identity, and one that is somebody's already."""
    if context.signer is not None and context.signer.person == person.person:
        raise OwnEnrolment(person)
    if plant.get(ProviderIdentity, identity_name(issuer, subject)) is not None:
        raise AlreadyKnown("Identity", subject)


def _whose(person: Person, it: IdentityProposed) -> str:
    return f"{it.subject} of {it.issuer} is {person.name} ({person.person})"


def apply_identity(identity: ProviderIdentity | None, fact: Recorded) -> ProviderIdentity:
    """Fold one event of an identity's stream: the first one stands."""
    if identity is None:
        assert isinstance(fact.event, IdentityLinked), fact
        it = fact.event
        return ProviderIdentity(issuer=it.issuer, subject=it.subject, person=it.person)
    return identity
