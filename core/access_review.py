"""The periodic review of access: QA signs the list of people, states and roles that was read.

Source:
    21 CFR 11.300(b), EU Annex 11 (2011) section 12.
"""

from hashlib import sha256

import msgspec
from msgspec import Struct

from core.authority import PlantRules
from core.errors import Conflict, Refused
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.people import Person
from core.person_events import AccessReviewed, ReviewedAccess
from core.quantity import Label, Name
from core.signature import Seen, sign

REVIEWING = "I reviewed who has access"


class SeenPerson(Struct, frozen=True, kw_only=True):
    """A person on the list, and the version that the list showed."""

    person: Name
    ver: int


class ReviewAccess(Command, frozen=True, kw_only=True, tag="person.review-access"):
    """Sign that the people listed were looked at, under the authority matrix that was seen.

    `found` is the outcome in words; what must change is changed by an administrator.
    """

    plant: Name
    people: tuple[SeenPerson, ...]
    found: Label
    seen: Seen


class OwnAccess(Refused):
    """Nobody reviews his own access."""

    is_evidence = True

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: nobody reviews his own access. Leave your line to another person of QA.",
            name=name,
        )


class NobodyListed(Refused):
    """A review looks at somebody."""

    def __init__(self) -> None:
        super().__init__("Access review: the list is empty. Choose at least one person.")


class AccessMoved(Conflict):
    """A person's access changed between the look and the signature."""

    def __init__(self, person: str, *, seen: int, current: int) -> None:
        super().__init__(
            f"{person}: changed while you looked; you saw version {seen}, it is now {current}."
            " Read the list again and sign again.",
            person=person,
            seen=seen,
            current=current,
        )


def review_words(rows: tuple[ReviewedAccess, ...], found: str) -> str:
    """Return what is signed: how many people, the digest of their lines, and the outcome."""
    digest = sha256(msgspec.json.encode(rows, order="sorted")).hexdigest()
    return f"{len(rows)} people, list SHA-256 {digest}. {found}"


def decide(plant: Plant, command: ReviewAccess, context: Context) -> Facts:
    """Return the signed review, or refuse it.

    Raises:
        NobodyListed, OwnAccess: the list is empty, or holds the reviewer.
        AccessMoved: somebody's access is not what was looked at.
        SignatureRequired, RecordMoved: not signed over the authority matrix as it is.
    """
    need(plant, PlantRules, command.plant, next_step="Name the plant.")
    if not command.people:
        raise NobodyListed
    rows = []
    for one in sorted(command.people, key=lambda one: one.person):
        person = need(plant, Person, one.person, next_step="Take it off the list.")
        if context.signer is not None and context.signer.person == one.person:
            raise OwnAccess(person.name)
        ver = plant.head(f"{Person.KIND}/{one.person}").ver
        if ver != one.ver:
            raise AccessMoved(one.person, seen=one.ver, current=ver)
        rows.append(
            ReviewedAccess(
                person=person.person, ver=ver, state=str(person.state), roles=person.roles
            )
        )
    stream = f"{PlantRules.KIND}/{command.plant}"
    words = review_words(tuple(rows), command.found)
    signed = sign(plant, context, command.seen, record=stream, meaning=REVIEWING, words=words)
    reviewed = AccessReviewed(plant=command.plant, people=tuple(rows), found=command.found)
    return (Fact(stream, signed), Fact(stream, reviewed))
