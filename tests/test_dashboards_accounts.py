"""Accounts over HTTP: first sign-in, lost badges, retired people, keys of programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.access import ConfirmEnrolment, IssueEnrolment, RevokeBadge
from core.authentication import SIGNING, MustChangeSecret
from core.client import CLIENT, Client
from core.people import Person, RecordFailedAuthentication, RetirePerson
from dashboards.serving import put_to_work
from tests.accounts_plant import AccountsPlant, accounts_plant, seed_folder, ticket_of
from tests.hands import PACK
from tests.patience import eventually

CHOSEN = "nine quiet lamps by the door"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed_folder(tmp_path_factory.mktemp("accounts"))


@pytest.fixture
def plant(folder: Path, tmp_path: Path) -> Iterator[AccountsPlant]:
    with accounts_plant(folder, tmp_path / "plant") as found:
        yield found


def new_person(plant: AccountsPlant, person: str = "nora") -> str:
    """Register a person over REST, give a code over REST, and return the code."""
    with plant.signed_in("ada") as ada:
        body = {"person": person, "name": "Nora Blum", "badge": "20077", "roles": ["operator"]}
        assert plant.send(ada, "person.register", body).status_code == 200
        check = {
            "person": person, "checked_by": "H. Roth", "document": "passport",
            "checked_on": "2026-11-20",
        }  # fmt: skip
        issued = plant.send(ada, "person.issue-enrolment", check)
        assert (issued.status_code, "enrolment_code" in issued.json()) == (200, False)
        alone = plant.send(ada, "person.confirm-enrolment", {"person": person})
        assert (alone.status_code, alone.json()["rule"]) == (403, "OneHandAlone")
    with plant.signed_in("sana") as sana:
        out, key = {"person": person}, "test:code:nora"
        answer = plant.send(sana, "person.confirm-enrolment", out, idem=key)
        assert answer.status_code == 200, answer.text
        again = plant.send(sana, "person.confirm-enrolment", out, idem=key)
        assert "enrolment_code" not in again.json()
        return str(answer.json()["enrolment_code"])


@pytest.mark.requirement("H7")
def test_new_person_chooses_a_secret_before_anything_else(plant: AccountsPlant) -> None:
    code = new_person(plant)
    stored = b"".join(body for _, body in plant.execution.ledger.raw(0, 10_000))
    assert code.encode() not in stored
    with plant.client() as nora:
        asked = plant.sign_in(nora, "nora", code)
        assert (asked.status_code, "mes_session" in nora.cookies) == (200, False)
        assert "Choose your secret" in asked.text
        assert nora.get("/api/v1/order").status_code == 401
        assert plant.send(nora, "person.record-sign-in", {"person": "nora"}).status_code == 401
        plain = {"ticket": ticket_of(asked), "secret": "123456", "again": "123456"}
        weak = nora.post("/login/secret", data=plain)
        assert (weak.status_code, "row of digits" in weak.text) == (422, True)
        differ = {"ticket": ticket_of(weak), "secret": CHOSEN, "again": CHOSEN + "s"}
        unlike = nora.post("/login/secret", data=differ)
        assert "The two do not agree" in unlike.text
        done = {"ticket": ticket_of(unlike), "secret": CHOSEN, "again": CHOSEN}
        answer = nora.post("/login/secret", data=done)
        assert (answer.status_code, "mes_session" in nora.cookies) == (303, True)
        assert nora.get("/api/v1/order").status_code == 200
        assert nora.post("/login/secret", data=done).status_code == 403
    with plant.client() as other:
        assert plant.sign_in(other, "nora", code).status_code == 401
        assert plant.sign_in(other, "20077", CHOSEN).status_code == 303
    types = [one.type for one in plant.execution.ledger.stream("person/nora")]
    assert types[:5] == [
        "person.registered", "person.enrolment-issued", "person.enrolment-confirmed",
        "person.secret-changed", "person.signed-in",
    ]  # fmt: skip


@pytest.mark.requirement("H7")
def test_open_form_for_a_secret_ends_with_the_code_and_with_the_account(
    plant: AccountsPlant,
) -> None:
    """Who got hold of a first code and waits with the form cannot undo what was done about it."""
    code = new_person(plant)
    check = {"checked_by": "H. Roth", "document": "passport", "checked_on": "2026-11-20"}
    with plant.client() as thief, plant.client() as nora:
        form = plant.sign_in(thief, "nora", code)
        plant.act(IssueEnrolment(person="nora", **check), "ada")
        plant.act(ConfirmEnrolment(person="nora"), "sana")
        newer = plant.execution.authentication.enrol("nora")
        mine = {"ticket": ticket_of(form), "secret": CHOSEN, "again": CHOSEN}
        refused = thief.post("/login/secret", data=mine)
        assert (refused.status_code, "mes_session" in thief.cookies) == (422, False)
        assert "the access was changed meanwhile" in refused.text
        asked = plant.sign_in(nora, "nora", newer)
        for _ in range(5):
            plant.act(
                RecordFailedAuthentication(person="nora", purpose="sign-in"), "service:security"
            )
        late = nora.post("/login/secret", data=mine | {"ticket": ticket_of(asked)})
        assert (late.status_code, "is locked" in late.text) == (422, True)
    types = [one.type for one in plant.execution.ledger.stream("person/nora")]
    assert "person.secret-changed" not in types


@pytest.mark.requirement("H7")
def test_open_session_cannot_end_a_row_of_failures_over_rest(plant: AccountsPlant) -> None:
    """Whoever finds a screen unlocked must not guess the secret, four tries at a time."""
    with plant.signed_in("quinn") as found:
        for _ in range(3):
            plant.act(
                RecordFailedAuthentication(person="quinn", purpose="signing"), "service:security"
            )
        for name in ("person.record-sign-in", "person.record-sign-out"):
            answer = plant.send(found, name, {"person": "quinn"})
            assert (answer.status_code, answer.json()["rule"]) == (403, "SessionSaidByClient")
        assert plant.execution.nouns.get(Person, "quinn").failures == 3
    assert plant.entries(of="person.signed-out") == []


@pytest.mark.requirement("H7")
def test_secret_of_the_installer_opens_only_the_choice_of_another(
    plant: AccountsPlant, folder: Path
) -> None:
    put_to_work(plant.execution, PACK, folder / "accounts.json")
    given, own = plant.accounts["dora"].secret, "seven slow ferries at noon"
    with pytest.raises(MustChangeSecret, match="handed out by the installer"):
        plant.execution.authenticate("dora", given, station=None, purpose=SIGNING)
    with plant.client() as dora:
        asked = plant.sign_in(dora, "dora", given)
        assert (asked.status_code, "handed out by the installer" in asked.text) == (200, True)
        assert dora.get("/help").status_code == 401
        mine = {"ticket": ticket_of(asked), "secret": own, "again": own}
        assert dora.post("/login/secret", data=mine).status_code == 303
        assert dora.get("/help").status_code == 200
    with plant.client() as dora:
        assert plant.sign_in(dora, "dora", own).status_code == 303
    assert plant.execution.authenticate("dora", own, station=None, purpose=SIGNING)


@pytest.mark.requirement("H7")
def test_code_signs_nothing_over_rest(plant: AccountsPlant) -> None:
    quinn = plant.accounts["quinn"]
    with plant.signed_in("ines") as ines:
        plant.act(
            IssueEnrolment(
                person="quinn", checked_by="H. Roth", document="passport", checked_on="2026-11-20"
            ),
            "ada",
        )
        plant.act(ConfirmEnrolment(person="quinn"), "sana")
        code = plant.execution.authentication.enrol("quinn")
        seen = ines.get("/api/v1/lot/CC-3102").json()["seen"]
        body = {"lot": "CC-3102", "status": "on_hold", "why": "Ask.", "seen": seen}
        for secret in (code, quinn.secret):
            body["signature"] = {"user": "quinn", "secret": secret}
            answer = plant.send(ines, "lot.change-status", body)
            assert answer.status_code == 403
            assert answer.json()["rule"] in ("MustChangeSecret", "DoesNotFit")
            assert secret not in answer.text


@pytest.mark.requirement("H7")
def test_reset_and_lost_badge_end_every_open_session_of_that_person(plant: AccountsPlant) -> None:
    for ends in (
        RevokeBadge(badge="10011"),
        IssueEnrolment(
            person="olga", checked_by="H. Roth", document="passport", checked_on="2026-11-20"
        ),
    ):
        with plant.signed_in("olga", station="kiosk-B1") as olga, plant.signed_in("sana") as sana:
            plant.act(ends, "ada")
            eventually(lambda olga=olga: olga.get("/api/v1/order").status_code == 401)
            assert sana.get("/api/v1/order").status_code == 200
    with plant.client() as thief:
        answer = plant.sign_in(thief, "10011", plant.accounts["olga"].secret)
        assert (answer.status_code, "or has ended" in answer.text) == (401, True)
    assert plant.plant.accounts.name_of("10011") is None


@pytest.mark.requirement("H7")
def test_retired_person_is_dead_everywhere_and_the_names_stay_taken(plant: AccountsPlant) -> None:
    secret = plant.accounts["viktor"].secret
    with plant.signed_in("viktor") as viktor, plant.signed_in("ada") as ada:
        plant.act(RetirePerson(person="viktor"), "ada")
        eventually(lambda: viktor.get("/api/v1/order").status_code == 401)
        with plant.signed_in("sana", station="kiosk-B1") as sana:
            seen = {"stream": "plant/tablets", "ver": 1, "head": "0" * 64}
            body = {"batch": "B26-0001", "step": "1", "seen": seen}
            body["signature"] = {"user": "viktor", "secret": secret}
            assert plant.send(sana, "step.verify", body).json()["rule"] == "Locked"
        plant.execution.authentication.unlocked("viktor")  # as if the pause had gone by
        for user in ("viktor", "10012"):
            with plant.client() as client:
                answer = plant.sign_in(client, user, secret)
                assert (answer.status_code, "or has ended" in answer.text) == (401, True)
        taken = {"name": "New One", "roles": ["operator"]}
        for names in (
            {"person": "viktor", "badge": "20001"}, {"person": "newone", "badge": "10012"},
            {"person": "10012", "badge": "20001"},
        ):  # fmt: skip
            answer = plant.send(ada, "person.register", taken | names)
            assert (answer.status_code, answer.json()["rule"]) == (403, "AlreadyKnown")
        for name in ("person.issue-enrolment", "person.issue-badge", "person.unlock"):
            body: dict[str, str] = {"person": "viktor"}
            if name == "person.issue-enrolment":
                body |= {"checked_by": "x", "document": "passport", "checked_on": "2026-11-20"}
            if name == "person.issue-badge":
                body |= {"badge": "20002"}
            assert plant.send(ada, name, body).json()["rule"] == "WrongState"


@pytest.mark.requirement("H7")
def test_own_secret_is_changed_with_the_present_one_and_other_sessions_end(
    plant: AccountsPlant,
) -> None:
    present = plant.accounts["quinn"].secret
    with plant.signed_in("quinn") as here, plant.signed_in("quinn") as there:
        form = here.get("/account/secret")
        csrf = form.text.split('name="csrf" value="')[1].split('"')[0]
        data = {"csrf": csrf, "present": present, "secret": CHOSEN, "again": CHOSEN}
        assert "too old" in here.post("/account/secret", data=data | {"csrf": "x"}).text
        wrong = here.post("/account/secret", data=data | {"present": "not it"})
        assert (wrong.status_code, "do not fit" in wrong.text) == (422, True)
        changed = here.post("/account/secret", data=data)
        assert changed.headers["location"] == "/account?changed"
        assert "Quinn Marsh" in here.get("/account?changed").text
        assert there.get("/api/v1/order").status_code == 401
    with plant.client() as client:
        assert plant.sign_in(client, "quinn", present).status_code == 401
        assert plant.sign_in(client, "quinn", CHOSEN).status_code == 303
    [failed] = plant.entries(of="person.authentication-failed")[:1]
    assert failed.data["purpose"] == "secret change"


@pytest.mark.requirement("H7")
def test_program_acts_by_its_key_in_its_roles_until_the_key_is_revoked(
    plant: AccountsPlant,
) -> None:
    with plant.signed_in("ada") as ada:
        client = {"client": "lims", "name": "Laboratory", "roles": ["engineer"]}
        assert plant.send(ada, "client.register", client).status_code == 200
        keys = []
        for _ in range(2):
            answer = plant.send(ada, "client.issue-key", {"client": "lims", "days": 90})
            keys.append(answer.json()["key"])
        third = plant.send(ada, "client.issue-key", {"client": "lims", "days": 90})
        assert third.json()["rule"] == "TwoKeysLive"
        assert all(key.startswith("bw_") for key in keys)
        listed = ada.get("/api/v1/client/lims").text
        stored = b"".join(body for _, body in plant.execution.ledger.raw(0, 10_000))
        assert not any(key in listed or key.encode() in stored for key in keys)
        material = {"material": "sugar", "name": "Sugar", "unit": "g", "gtin": None, "hazards": []}
        with plant.client() as lims:
            lims.headers["authorization"] = f"Bearer {keys[0]}"
            assert plant.send(lims, "material.register", material).status_code == 200
            no = plant.send(lims, "person.unlock", {"person": "olga"})
            assert (no.status_code, no.json()["rule"]) == (403, "NotAuthorized")
            [entry] = plant.execution.ledger.stream("material/sugar")
            assert entry.actor == CLIENT + "lims"
            dead = {"client": "lims", "key": keys[0].split("_")[1], "why": "Rotated."}
            assert plant.send(ada, "client.revoke-key", dead).status_code == 200
            assert lims.get("/api/v1/order").status_code == 401
            lims.headers["authorization"] = f"Bearer {keys[1]}"
            assert lims.get("/api/v1/order").status_code == 200
            for forged in (keys[1][:-1] + "x", keys[1] + "x", "bw_x", "bw__", "x", "bw_%00_"):
                lims.headers["authorization"] = f"Bearer {forged}"
                assert lims.get("/api/v1/order").status_code == 401
    used = plant.execution.secrets.keys_used()
    assert set(used) == {one.key for one in plant.execution.nouns.get(Client, "lims").keys}


def test_seeded_people_sign_in_with_the_printed_secret(plant: AccountsPlant) -> None:
    for person in plant.accounts:
        with plant.signed_in(person):
            found = plant.execution.nouns.get(Person, person)
            assert found is not None
            assert found.enrolment_ends_at is None
