"""Means of access: enrolment codes, secrets, badges, the last administrator, access reviews."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from core.access import (
    ENROLMENT,
    BadgeEnd,
    BadgeStillLives,
    ConfirmEnrolment,
    Document,
    IssueBadge,
    IssueEnrolment,
    NotYet,
    OwnEnrolment,
    RecordSecretChange,
    RevokeBadge,
    ServerSays,
)
from core.access_review import AccessMoved, NobodyListed, OwnAccess, ReviewAccess, SeenPerson
from core.authentication import (
    CHANGING,
    MustChangeSecret,
)
from core.authority import AdoptAccountPolicy, PlantRules, PolicyInForce
from core.credentials import SecretUsedBefore, new_code
from core.errors import AlreadyKnown, WrongState
from core.people import (
    FAILURES_UNTIL_LOCK,
    Administrators,
    BadgeOwner,
    ChangeRoles,
    Person,
    RecordFailedAuthentication,
    RegisterPerson,
    RetirePerson,
    UnlockPerson,
)
from core.person_refusals import BadgeIsDead, LastAdministrator
from core.secret_rules import (
    AccountPolicy,
    PolicyOutOfRange,
    check_policy,
)
from core.signing import DoesNotFit
from tests.floor import Floor
from tests.hands import PACK, refusal
from tests.paper import Paper, paper

GOOD = "nine quiet lamps by the door"


def enrol(person: str = "quinn", **changes: object) -> IssueEnrolment:
    fields = {
        "checked_by": "H. Roth, personnel", "document": Document.PASSPORT,
        "checked_on": "2026-11-20",
    } | changes  # fmt: skip
    return IssueEnrolment(person=person, **fields)


def handed_out(floor: Floor, by: str = "sana") -> str:
    floor.act(ConfirmEnrolment(person="quinn"), by)
    return floor.execution.authentication.enrol("quinn")


def second_admin(plant: Paper | Floor) -> None:
    plant.act(
        RegisterPerson(person="bodo", name="Bodo Kern", badge="10002", roles=("admin",)), "ada"
    )


@pytest.mark.requirement("H7")
def test_enrolment_code_needs_an_identity_check_by_another_person_up_to_today() -> None:
    plant = paper()
    plant.act(enrol(), "ada")
    person = plant.get(Person, "quinn")
    assert person.enrolment_ends_at == plant.at + ENROLMENT
    assert person.identity_checked_on == "2026-11-20"
    assert refusal(NotYet, lambda: plant.act(enrol(checked_on="2026-11-24"), "ada")) == (
        "Identity check: the day 2026-11-24 is none up to today, 2026-11-23."
        " Give the day on which the document was looked at."
    )
    plant.act(enrol(checked_on="2026-11-23"), "ada")
    assert refusal(OwnEnrolment, lambda: plant.act(enrol("ada"), "ada")) == (
        "Ada Winter: nobody vouches for himself. Ask another administrator."
    )


@pytest.mark.requirement("H7")
def test_code_opens_only_the_choice_of_a_secret_and_ends_the_secret_before(floor: Floor) -> None:
    execution, old = floor.execution, floor.accounts["quinn"].secret
    floor.act(enrol(), "ada")
    code = handed_out(floor)
    refusal(DoesNotFit, lambda: execution.authenticate("quinn", old, station=None))
    for purpose in ("sign-in", "signing"):
        said = refusal(
            MustChangeSecret,
            lambda purpose=purpose: execution.authenticate(
                "quinn", code, station=None, purpose=purpose
            ),
        )
        assert said == (
            "Quinn Marsh: this code was given by an administrator."
            " Choose a secret of your own at the sign-in page."
        )
    person = execution.authenticate("quinn", code, station=None, purpose=CHANGING)
    execution.authentication.change(person, GOOD, station=None)
    assert execution.authenticate("quinn", GOOD, station=None).person == "quinn"
    refusal(DoesNotFit, lambda: execution.authenticate("quinn", code, station=None))
    entries = execution.ledger.stream("person/quinn")
    [_, changed] = [one for one in entries if one.type == "person.secret-changed"]
    assert (changed.actor, changed.data["origin"]) == ("service:security", "own")


@pytest.mark.requirement("H7")
def test_nobody_but_the_server_says_that_a_secret_was_changed() -> None:
    plant = paper()
    for actor, origin in (
        ("quinn", "own"), ("ada", "own"), ("service:install", "own"), ("ada", "installer"),
        ("service:security", "installer"), ("service:erp", "own"),
    ):  # fmt: skip
        change = RecordSecretChange(person="quinn", origin=origin)
        refusal(ServerSays, lambda change=change, actor=actor: plant.act(change, actor))
    plant.act(RecordSecretChange(person="quinn", origin="own"), "service:security")
    assert plant.get(Person, "quinn").secret_set_at == plant.at


@pytest.mark.parametrize("days", [30, 60, 90])
@pytest.mark.requirement("H7")
def test_secret_must_be_changed_on_the_last_day_of_the_plant_s_policy(
    floor: Floor, days: int
) -> None:
    secret, check = floor.accounts["quinn"].secret, floor.execution.authenticate
    policy = AccountPolicy(secret_days=days)
    floor.act(AdoptAccountPolicy(plant=PACK.id, policy=policy), "quinn")
    floor.clock.pass_time(days=days - 1)
    check("quinn", secret, station=None)
    floor.clock.pass_time(days=1, seconds=1)
    said = refusal(MustChangeSecret, lambda: check("quinn", secret, station=None))
    assert f"the secret is older than {days} days" in said
    refusal(MustChangeSecret, lambda: check("quinn", secret, station=None, purpose="signing"))
    person = check("quinn", secret, station=None, purpose=CHANGING)
    floor.execution.authentication.change(person, GOOD, station=None)
    check("quinn", GOOD, station=None)


def test_secret_has_no_age_where_the_plant_sets_none(floor: Floor) -> None:
    floor.clock.pass_time(days=4000)
    floor.execution.authenticate("quinn", floor.accounts["quinn"].secret, station=None)


@pytest.mark.requirement("H7")
def test_last_secrets_are_not_taken_again_and_the_one_before_them_is(floor: Floor) -> None:
    policy = AccountPolicy(remembered=2)
    floor.act(AdoptAccountPolicy(plant=PACK.id, policy=policy), "quinn")

    def change(secret: str) -> None:
        floor.execution.authentication.change(floor.get(Person, "quinn"), secret, station=None)

    for number in (1, 2, 3):
        change(f"{GOOD} {number}")
    for number in (1, 2, 3):
        said = refusal(SecretUsedBefore, lambda number=number: change(f"{GOOD} {number}"))
        assert said == "Secret: is the present one or one of your last 2. Choose another."
    change(f"{GOOD} 4")
    change(f"{GOOD} 1")


def test_policy_stays_within_its_range_and_is_adopted_once(floor: Floor) -> None:
    for policy in (AccountPolicy(secret_days=45), AccountPolicy(remembered=25)):
        refusal(PolicyOutOfRange, lambda policy=policy: check_policy(policy))
    check_policy(AccountPolicy(secret_days=90, remembered=24))
    refusal(
        PolicyInForce,
        lambda: floor.act(AdoptAccountPolicy(plant=PACK.id, policy=AccountPolicy()), "quinn"),
    )


@pytest.mark.usefixtures("plants_hasher")
def test_hash_of_a_lower_cost_is_renewed_when_it_fits(floor: Floor) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
    secrets = floor.execution.secrets
    secrets.put_hash("quinn", weak.hash(GOOD), set_at="2026-11-23")
    assert not secrets.fits("quinn", "another one")
    assert stored(floor).startswith("$argon2id$v=19$m=8192")
    assert secrets.fits("quinn", GOOD)
    assert stored(floor).startswith("$argon2id$v=19$m=47104")
    assert secrets.fits("quinn", GOOD)


def stored(floor: Floor) -> str:
    with floor.execution.secrets._engine.connect() as connection:
        query = "select hash from credential where person = 'quinn'"
        return str(connection.exec_driver_sql(query).scalar())


def test_codes_differ_and_hold_no_signs_that_look_alike() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert not set("".join(codes)) & set("il10oOABC")


@pytest.mark.requirement("H7")
def test_last_administrator_is_slowed_and_told_of_but_never_locked() -> None:
    plant = paper()
    failed = RecordFailedAuthentication(person="ada", purpose="sign-in")
    for _ in range(FAILURES_UNTIL_LOCK + 2):
        plant.act(failed, "service:security")
    assert plant.get(Person, "ada").state == "active"
    withheld = [one.event for one in plant.written if "LockWithheld" in type(one.event).__name__]
    assert [one.failures for one in withheld] == [5, 6, 7]
    second_admin(plant)
    plant.act(failed, "service:security")
    assert plant.get(Person, "ada").state == "locked"
    assert plant.get(Administrators, "active").people == ("bodo",)
    other = RecordFailedAuthentication(person="bodo", purpose="sign-in")
    for _ in range(FAILURES_UNTIL_LOCK):
        plant.act(other, "service:security")
    assert plant.get(Person, "bodo").state == "active"
    plant.act(UnlockPerson(person="ada"), "bodo")
    assert plant.get(Administrators, "active").people == ("ada", "bodo")


@pytest.mark.requirement("B7")
def test_last_administrator_stays() -> None:
    plant = paper()
    retire = RetirePerson(person="ada")
    says = (
        "Ada Winter: is the last active administrator, at least one must stay."
        " Register or unlock another one first."
    )
    assert refusal(LastAdministrator, lambda: plant.act(retire, "service:x")) == says
    demote = ChangeRoles(person="ada", roles=("qa",))
    assert refusal(LastAdministrator, lambda: plant.act(demote, "service:x")) == says
    second_admin(plant)
    plant.act(demote, "bodo")
    assert plant.get(Administrators, "active").people == ("bodo",)
    refusal(LastAdministrator, lambda: plant.act(RetirePerson(person="bodo"), "service:x"))


@pytest.mark.requirement("H7")
def test_revoked_badge_opens_nothing_and_its_use_is_recorded_but_locks_nobody(
    floor: Floor,
) -> None:
    floor.act(RevokeBadge(badge="10011"), "sana")
    secret = floor.accounts["olga"].secret
    for _ in range(FAILURES_UNTIL_LOCK + 1):
        said = refusal(
            BadgeIsDead,
            lambda: floor.execution.authenticate(
                "10011", secret, station="kiosk-B1", purpose="signing"
            ),
        )
        floor.clock.pass_time(seconds=20)
    assert said == (
        "Badge 10011: ended, lost. Use your user id, and hand the badge to an administrator."
    )
    [newest] = floor.execution.ledger.stream("person/olga")[-1:]
    assert (newest.type, newest.data["badge"]) == ("person.authentication-failed", "10011")
    assert (floor.get(Person, "olga").state, floor.get(Person, "olga").failures) == ("active", 0)
    assert floor.execution.authenticate("olga", secret, station="kiosk-B1").badge == ""


@pytest.mark.requirement("H7")
def test_new_badge_names_the_one_it_replaces_and_no_number_comes_back() -> None:
    plant = paper()
    assert refusal(
        BadgeStillLives, lambda: plant.act(IssueBadge(person="olga", badge="20001"), "ada")
    ) == ("Olga Brandt: holds a badge that works. Revoke it first, then give the new one.")
    plant.act(RevokeBadge(badge="10011", cause=BadgeEnd.STOLEN), "ada")
    assert refusal(WrongState, lambda: plant.act(RevokeBadge(badge="10011"), "ada")) == (
        "Badge 10011: is stolen, must be in use. Nothing to revoke."
    )
    for number in ("10011", "10012", "olga", "viktor"):
        again = IssueBadge(person="olga", badge=number)
        refusal(AlreadyKnown, lambda again=again: plant.act(again, "ada"))
    [fact, _] = plant.act(IssueBadge(person="olga", badge="20001"), "ada")
    assert fact.event.replaces == "10011"
    assert plant.get(Person, "olga").badge == "20001"
    assert plant.get(BadgeOwner, "10011").dead == "stolen"


@pytest.mark.requirement("B7")
def test_access_review_is_signed_over_people_as_they_were_seen(floor: Floor) -> None:
    def review(*people: str, found: str = "As it should be.") -> ReviewAccess:
        rows = tuple(SeenPerson(person=one, ver=floor.seen(f"person/{one}").ver) for one in people)
        return ReviewAccess(
            plant=PACK.id, people=rows, found=found, seen=floor.seen(f"plant/{PACK.id}")
        )

    refusal(NobodyListed, lambda: floor.sign(review(), "quinn"))
    assert refusal(OwnAccess, lambda: floor.sign(review("olga", "quinn"), "quinn")) == (
        "Quinn Marsh: nobody reviews his own access. Leave your line to another person of QA."
    )
    stale = review("olga", "sana")
    floor.act(ChangeRoles(person="sana", roles=("operator",)), "ada")
    with pytest.raises(AccessMoved):
        floor.sign(stale, "quinn")
    floor.sign(review("sana", "olga"), "quinn")
    signed, reviewed = floor.execution.ledger.stream(f"plant/{PACK.id}")[-2:]
    assert (signed.type, signed.data["manifest"]["signer"]) == ("signature.applied", "quinn")
    assert [(one["person"], one["roles"]) for one in reviewed.data["people"]] == [
        ("olga", ["operator"]), ("sana", ["operator"]),
    ]  # fmt: skip
    assert floor.get(PlantRules, PACK.id).zone == "Europe/Berlin"
