"""A company account is linked to a person by two others, so that nobody alone signs for another."""

from __future__ import annotations

import pytest

from core.access import (
    ConfirmIdentity,
    LinkIdentity,
    OneHandLinks,
    OwnEnrolment,
    ProviderIdentity,
    identity_name,
)
from core.authority import NotAuthorized
from core.errors import AlreadyKnown, WrongState
from core.people import Person, RetirePerson
from core.projections.nouns import differences
from core.signature import RecordMoved, SignatureRequired
from tests.floor import Floor
from tests.hands import refusal
from tests.test_core_access import enrol

ISSUER = "https://idp.example"


def link(floor: Floor, person: str = "quinn", subject: str = "s-1") -> LinkIdentity:
    return LinkIdentity(
        person=person, issuer=ISSUER, subject=subject, why="Checked by phone.",
        seen=floor.seen(f"person/{person}"),
    )  # fmt: skip


def confirm(floor: Floor, person: str = "quinn") -> ConfirmIdentity:
    return ConfirmIdentity(person=person, seen=floor.seen(f"person/{person}"))


def owner(floor: Floor, subject: str = "s-1") -> str | None:
    found = floor.execution.nouns.get(ProviderIdentity, identity_name(ISSUER, subject))
    return None if found is None else found.person


@pytest.mark.requirement("H1", "H7")
def test_account_is_nobodys_until_another_person_confirms_it(floor: Floor) -> None:
    refusal(WrongState, lambda: floor.sign(confirm(floor), "sana"))
    floor.sign(link(floor), "ada")
    proposed = floor.get(Person, "quinn").identity_proposed
    assert (owner(floor), proposed.subject) == (None, "s-1")
    assert refusal(OneHandLinks, lambda: floor.sign(confirm(floor), "ada")) == (
        "Quinn Marsh: Ada Winter proposed this identity, and does not confirm it as well. Ask a"
        " supervisor, QA, or another administrator."
    )
    refusal(OwnEnrolment, lambda: floor.sign(confirm(floor), "quinn"))
    refusal(NotAuthorized, lambda: floor.sign(confirm(floor), "olga"))
    refusal(SignatureRequired, lambda: floor.act(confirm(floor), "sana"))
    assert owner(floor) is None
    floor.sign(confirm(floor), "sana")
    assert owner(floor) == "quinn"
    quinn = floor.get(Person, "quinn")
    assert (quinn.issuers, quinn.identity_proposed, quinn.identity_by) == ((ISSUER,), None, None)
    refusal(WrongState, lambda: floor.sign(confirm(floor), "ines"))
    assert differences(floor.execution.ledger) == []


@pytest.mark.requirement("H3")
def test_what_is_confirmed_is_what_was_read(floor: Floor) -> None:
    floor.sign(link(floor), "ada")
    read = confirm(floor)
    floor.sign(link(floor, subject="s-2"), "ada")
    with pytest.raises(RecordMoved):
        floor.sign(read, "sana")
    floor.sign(confirm(floor), "sana")
    assert (owner(floor), owner(floor, "s-2")) == (None, "quinn")
    signed = floor.execution.ledger.stream("person/quinn")[-2]
    assert signed.data["manifest"]["words"] == (
        "s-2 of https://idp.example is Quinn Marsh (quinn), as ada proposed: Checked by phone."
    )


@pytest.mark.requirement("H7")
def test_account_is_one_persons_for_ever(floor: Floor) -> None:
    for person in ("quinn", "ines"):  # proposed for two: whoever is confirmed first has it
        floor.sign(link(floor, person), "ada")
    floor.sign(confirm(floor), "sana")
    refusal(AlreadyKnown, lambda: floor.sign(confirm(floor, "ines"), "sana"))
    refusal(AlreadyKnown, lambda: floor.sign(link(floor, "olga"), "ada"))
    floor.sign(link(floor, "ines", "s-2"), "ada")
    floor.sign(confirm(floor, "ines"), "sana")
    assert (owner(floor), owner(floor, "s-2")) == ("quinn", "ines")


@pytest.mark.requirement("H3")
def test_proposal_is_signed_over_the_person_as_it_is_and_not_by_itself(floor: Floor) -> None:
    refusal(SignatureRequired, lambda: floor.act(link(floor), "ada"))
    stale = link(floor)
    floor.act(enrol(), "ada")
    with pytest.raises(RecordMoved):
        floor.sign(stale, "ada")
    refusal(OwnEnrolment, lambda: floor.sign(link(floor, "ada"), "ada"))
    floor.sign(link(floor, "olga", "s-3"), "ada")
    floor.act(RetirePerson(person="olga"), "ada")
    refusal(WrongState, lambda: floor.sign(confirm(floor, "olga"), "sana"))
