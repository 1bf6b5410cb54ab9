"""People: identities for ever, roles, and the lock after failures."""

from __future__ import annotations

import pytest

from core.clock import parse_iso
from core.credentials import SecretTooShort
from core.errors import AlreadyKnown, WrongState
from core.execution import Actor, Credentials, DoesNotFit
from core.fields import FieldRefused
from core.material import ChangeLotStatus, LotStatus
from core.people import (
    FAILURES_UNTIL_LOCK,
    BadgeOwner,
    ChangeRoles,
    Person,
    PersonState,
    RecordFailedAuthentication,
    RecordSignIn,
    RecordSignOut,
    RegisterPerson,
    RetirePerson,
    UnlockPerson,
)
from core.person_refusals import (
    AnotherPersonsSession,
    Locked,
    MixedAdministrator,
    OwnRoles,
    UnknownRole,
)
from tests.floor import Floor
from tests.hands import refusal
from tests.paper import paper


def new(person: str = "ama", badge: str = "20001", roles: tuple[str, ...] = ("operator",)):
    return RegisterPerson(person=person, name="Ama Boateng", badge=badge, roles=roles)


@pytest.mark.requirement("B7")
def test_login_name_and_badge_are_given_out_once() -> None:
    plant = paper()
    plant.act(new(), "ada")
    assert refusal(AlreadyKnown, lambda: plant.act(new(badge="20002"), "ada")) == (
        "Person ama: already registered; names are never reused. Choose another name."
    )
    assert refusal(AlreadyKnown, lambda: plant.act(new(person="ama2"), "ada")) == (
        "Badge 20001: already registered; names are never reused. Choose another name."
    )
    assert plant.get(BadgeOwner, "20001").person == "ama"


def test_retired_person_keeps_the_name_and_may_do_nothing() -> None:
    plant = paper()
    plant.act(RetirePerson(person="viktor"), "ada")
    assert plant.get(Person, "viktor").state is PersonState.RETIRED
    refusal(AlreadyKnown, lambda: plant.act(new(person="viktor"), "ada"))
    assert refusal(WrongState, lambda: plant.act(RecordSignIn(person="viktor"), "viktor")) == (
        "Viktor Lenz: is retired, must be active. Choose another."
    )


@pytest.mark.requirement("B7")
def test_roles_are_the_plant_s_and_an_administrator_has_no_other() -> None:
    plant = paper()
    assert refusal(UnknownRole, lambda: plant.act(new(roles=("boss",)), "ada")) == (
        "Role boss: not one of operator, supervisor, qa, engineer, director, finance, admin."
        " Choose from these."
    )
    mixed = ChangeRoles(person="olga", roles=("admin", "qa"))
    assert refusal(MixedAdministrator, lambda: plant.act(mixed, "ada")) == (
        "olga: an administrator holds no other role, so that nobody can both grant and use a"
        " right. Register a second identity for the other work."
    )
    plant.act(ChangeRoles(person="olga", roles=("supervisor",)), "ada")
    assert plant.get(Person, "olga").roles == ("supervisor",)


def test_fifth_failure_in_a_row_locks_and_the_fourth_does_not() -> None:
    plant = paper()
    failed = RecordFailedAuthentication(person="olga", purpose="sign-in")
    for _ in range(FAILURES_UNTIL_LOCK - 1):
        plant.act(failed, "service:security")
    assert plant.get(Person, "olga").state is PersonState.ACTIVE
    plant.act(failed, "service:security")
    assert plant.get(Person, "olga").state is PersonState.LOCKED
    plant.act(UnlockPerson(person="olga"), "ada")
    assert (plant.get(Person, "olga").state, plant.get(Person, "olga").failures) == ("active", 0)
    assert refusal(WrongState, lambda: plant.act(UnlockPerson(person="olga"), "ada")) == (
        "Olga Brandt: is active, must be locked. Nothing to unlock."
    )


def test_sign_in_ends_a_row_of_failures() -> None:
    plant = paper()
    failed = RecordFailedAuthentication(person="olga", purpose="sign-in")
    plant.act(failed, "service:security")
    plant.act(RecordSignIn(person="olga"), "olga")
    plant.act(RecordSignOut(person="olga", cause="idle"), "olga")
    assert (plant.get(Person, "olga").failures, plant.get(Person, "olga").signed_in_at) == (
        0, plant.at
    )  # fmt: skip


def test_wrong_secrets_are_counted_and_lock_a_person_out(floor: Floor) -> None:
    secret = floor.accounts["olga"].secret
    for number in range(FAILURES_UNTIL_LOCK):
        said = refusal(
            DoesNotFit,
            lambda: floor.execution.authenticate("olga", "not hers", station="kiosk-B1"),
        )
        floor.clock.pass_time(seconds=10)
        assert said == "Sign-in: user or badge and secret do not fit. Try again."
        assert floor.get(Person, "olga").failures == number + 1
    assert refusal(
        Locked, lambda: floor.execution.authenticate("10011", secret, station="kiosk-B1")
    ) == (
        "Olga Brandt: access is locked after 5 failed attempts. Ask an administrator to unlock it."
    )
    floor.act(UnlockPerson(person="olga"), "ada")
    floor.clock.pass_time(seconds=16)  # a try at a locked access is one more failure in a row
    assert floor.execution.authenticate("10011", secret, station="kiosk-B1").person == "olga"


@pytest.mark.requirement("H7")
def test_a_secret_that_fits_at_a_signature_ends_a_row_of_failures(floor: Floor) -> None:
    def tries(secret: str) -> None:
        floor.clock.pass_time(seconds=10)
        floor.execution.authenticate("olga", secret, station="kiosk-B1", purpose="signing")

    for _ in range(FAILURES_UNTIL_LOCK - 1):
        refusal(DoesNotFit, lambda: tries("not hers"))
    tries(floor.accounts["olga"].secret)
    assert floor.get(Person, "olga").failures == 0
    refusal(DoesNotFit, lambda: tries("not hers"))
    assert floor.get(Person, "olga").state == "active"


@pytest.mark.requirement("H7")
def test_a_try_at_a_locked_or_ended_access_is_recorded(floor: Floor) -> None:
    secret = floor.accounts["viktor"].secret
    floor.act(RetirePerson(person="viktor"), "ada")
    before = floor.size()
    said = refusal(Locked, lambda: floor.execution.authenticate("viktor", secret, station=None))
    assert said == "Viktor Lenz: access has ended. Ask a person who is active."
    assert floor.size() == before + 1


def test_unknown_person_is_told_the_same_as_a_wrong_secret(floor: Floor) -> None:
    before = floor.size()
    refusal(DoesNotFit, lambda: floor.execution.authenticate("nobody", "12345678", station=None))
    assert floor.size() == before


def test_secret_has_a_least_length(floor: Floor) -> None:
    def put(secret: str) -> None:
        floor.execution.secrets.put("olga", secret, set_at="2026-11-23")

    put("123456")
    assert refusal(SecretTooShort, lambda: put("12345")) == (
        "Secret: needs at least 6 characters. Choose a longer one."
    )


def test_no_secret_is_in_the_ledger(floor: Floor) -> None:
    command = new()
    floor.execution.register(
        command, secret="Tr1cky-secret", actor=Actor("ada"), idem="register:ama"
    )
    stored = b"".join(body for _, body in floor.execution.ledger.raw(0, 1000))
    assert b"ama" in stored
    assert b"Tr1cky" not in stored
    assert b"$argon2" not in stored
    assert floor.execution.authenticate("ama", "Tr1cky-secret", station=None).name == "Ama Boateng"


@pytest.mark.requirement("B7")
@pytest.mark.parametrize(
    "name", ["service:erp-pull", "a b", "-x", "olga\n", "ölga", "a/b", "", "Olga", "OLGA", "оlga"]
)
def test_login_name_that_could_be_taken_for_another_is_refused(floor: Floor, name: str) -> None:
    before = floor.size()
    refusal(FieldRefused, lambda: floor.act(new(person=name), "ada"))
    assert floor.size() == before


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("name", ["o.lindt@plant.example", "7", "a_b-c+d"])
def test_login_name_as_directories_write_it_is_taken(floor: Floor, name: str) -> None:
    floor.act(new(person=name), "ada")
    assert floor.get(Person, name).badge == "20001"


@pytest.mark.requirement("B7")
def test_badge_and_login_name_never_lead_to_two_people() -> None:
    plant = paper()
    held = plant.get(Person, "olga").badge
    sentence = "already registered; names are never reused. Choose another name."
    for command, what in (
        (new(badge="olga"), "Badge olga"),
        (new(badge="ama"), "Badge ama"),
        (new(person=held), f"Person {held}"),
    ):
        said = refusal(AlreadyKnown, lambda command=command: plant.act(command, "ada"))
        assert said == f"{what}: {sentence}"
    plant.act(new(), "ada")


@pytest.mark.parametrize("badge", ["", "2 0001", "20001\n", "2\x00"])
def test_badge_that_no_scanner_reads_is_refused(floor: Floor, badge: str) -> None:
    refusal(FieldRefused, lambda: floor.act(new(badge=badge), "ada"))


def test_printed_name_of_a_signer_is_one_line(floor: Floor) -> None:
    for name in ("", " ", "Ama\nBoateng", "Ama\u202e"):
        blank = RegisterPerson(person="ama", name=name, badge="20001", roles=("operator",))
        refusal(FieldRefused, lambda blank=blank: floor.act(blank, "ada"))


@pytest.mark.requirement("B7")
def test_nobody_grants_a_right_to_himself() -> None:
    plant = paper()
    own = ChangeRoles(person="ada", roles=("qa",))
    assert refusal(OwnRoles, lambda: plant.act(own, "ada")) == (
        f"{plant.get(Person, 'ada').name}: nobody changes his own roles. Ask another administrator."
    )


@pytest.mark.requirement("B7")
def test_sign_in_recorded_by_another_does_not_clear_failures(floor: Floor) -> None:
    for _ in range(FAILURES_UNTIL_LOCK - 1):
        floor.clock.pass_time(seconds=10)
        refusal(DoesNotFit, lambda: floor.execution.authenticate("quinn", "wrong", station=None))
    for command in (RecordSignIn(person="quinn"), RecordSignOut(person="quinn", cause="idle")):
        said = refusal(AnotherPersonsSession, lambda command=command: floor.act(command, "olga"))
        assert "olga cannot record another person's session" in said
    assert floor.get(Person, "quinn").failures == FAILURES_UNTIL_LOCK - 1


@pytest.mark.requirement("H1")
def test_signature_says_badge_only_where_a_badge_was_given(floor: Floor) -> None:
    secret = floor.accounts["quinn"].secret
    hold = ChangeLotStatus(
        lot="CC-3102", status=LotStatus.ON_HOLD, why="Ask.", seen=floor.seen("lot/CC-3102")
    )
    floor.sign(hold, "quinn", credentials=Credentials(secret=secret, badge="quinn"))
    [signed] = [
        one.data["components"]
        for one in floor.execution.ledger.stream("lot/CC-3102")
        if one.type == "signature.applied"
    ][-1:]
    assert signed == ["user", "secret"]


@pytest.mark.requirement("H5")
def test_every_entry_says_who_and_when(floor: Floor) -> None:
    """A person of the plant, or the part of the server that did it by itself."""
    floor.act(new(), "ada")
    floor.act(RetirePerson(person="viktor"), "ada")
    entries = floor.execution.ledger.entries(0, 100_000)
    people = {one.actor for one in entries if not one.actor.startswith("service:")}
    assert {"ada"} <= people <= {one.person for one in floor.execution.nouns.all(Person)}
    assert all(parse_iso(one.at).tzinfo is not None for one in entries)
