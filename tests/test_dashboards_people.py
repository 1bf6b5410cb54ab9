"""The people pages: forms that become commands, what is shown once, and who is offered what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.access import ProviderIdentity, identity_name
from core.people import Person, RecordFailedAuthentication
from core.secret_rules import AccountPolicy
from tests.accounts_plant import AccountsPlant, accounts_plant, seed_folder, ticket_of
from tests.patience import eventually

CHECK = {
    "document": "passport", "checked_by": "H. Roth", "checked_on": "2026-11-20", "why": "First.",
}  # fmt: skip


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsPlant]:
    base: Path = tmp_path_factory.mktemp("people")
    with accounts_plant(seed_folder(base / "seeded"), base / "plant") as found:
        yield found


def hidden(page: httpx.Response) -> dict[str, list[str]]:
    """Return the hidden fields of a page's last form, as a browser sends them back."""
    form = page.text.rsplit("<form", 1)[1]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form):
        found.setdefault(name, []).append(value)
    return found


def fill(browser: httpx.Client, path: str, **fields: object) -> httpx.Response:
    page = browser.get(path)
    assert page.status_code == 200, page.text
    return browser.post(path, data=hidden(page) | fields)


@pytest.mark.requirement("H7")
def test_administrator_registers_and_issues_a_code_that_another_person_hands_out(
    plant: AccountsPlant,
) -> None:
    with plant.signed_in("ada") as ada:
        new = {"person": "nora", "name": "Nora Blum", "badge": "20077", "roles": ["operator", "qa"]}
        assert fill(ada, "/people/~new", **new).headers["location"] == "/people?done"
        again = fill(ada, "/people/~new", **new)
        assert (again.status_code, "already registered" in again.text) == (422, True)
        assert 'value="Nora Blum"' in again.text
        page = ada.get("/people/nora/enrolment")
        sent = hidden(page) | CHECK
        assert ada.post("/people/nora/enrolment", data=sent).status_code == 303
        alone = fill(ada, "/people/nora/hand-out")
        assert (alone.status_code, "issued this code" in alone.text) == (422, True)
        assert "Waits for code" in ada.get("/people").text
    with plant.signed_in("sana") as sana:
        sent = hidden(sana.get("/people/nora/hand-out"))
        given = sana.post("/people/nora/hand-out", data=sent)
        code = re.search(r'data-testid="once">([a-z2-9-]{19})<', given.text)
        assert code, given.text
        repeated = sana.post("/people/nora/hand-out", data=sent)
        assert code.group(1) not in repeated.text
        assert "Waits for first secret" in sana.get("/people").text
    with plant.client() as nora:
        assert "Choose your secret" in plant.sign_in(nora, "nora", code.group(1)).text


@pytest.mark.requirement("H7")
def test_lost_badge_is_dead_after_one_form_of_a_supervisor(plant: AccountsPlant) -> None:
    with plant.signed_in("sana") as sana, plant.signed_in("olga") as olga:
        page = sana.get("/people/olga")
        assert "Revoke the badge" in page.text
        assert "10011" not in page.text
        assert "End access" not in page.text
        done = fill(sana, "/people/olga/revoke-badge", cause="stolen")
        assert done.headers["location"] == "/people/olga?done"
        eventually(lambda: olga.get("/api/v1/order").status_code == 401)
        assert "badge 10011 stolen, dead" in sana.get("/people/olga").text
    with plant.signed_in("ada") as ada:
        assert fill(ada, "/people/olga/badge", badge="20011").status_code == 303
        assert plant.execution.nouns.get(Person, "olga").badge == "20011"


@pytest.mark.requirement("B7")
def test_form_of_another_role_is_refused_by_the_rule_and_other_roles_see_no_page(
    plant: AccountsPlant,
) -> None:
    with plant.signed_in("sana") as sana:
        no = fill(sana, "/people/viktor/retire")
        assert (no.status_code, "needs the role admin" in no.text) == (422, True)
    with plant.signed_in("viktor") as viktor:
        assert viktor.get("/people").status_code == 403
        assert viktor.get("/people/viktor/retire").status_code == 403
        assert viktor.post("/people/viktor/unlock", data={}).status_code == 403
    with plant.client() as nobody:
        assert nobody.get("/people").status_code == 401


def test_form_without_its_token_or_with_an_unknown_choice_does_nothing(
    plant: AccountsPlant,
) -> None:
    before = plant.execution.ledger.size()
    with plant.signed_in("ada") as ada:
        sent = {**hidden(ada.get("/people/finn/retire")), "csrf": "forged"}
        assert ada.post("/people/finn/retire", data=sent).status_code == 403
        odd = fill(ada, "/people/finn/revoke-badge", cause="eaten")
        assert (odd.status_code, "Choose one of the options" in odd.text) == (422, True)
        assert ada.get("/people/nobody").status_code == 404
        assert ada.get("/people/finn/nothing").status_code == 404
    assert plant.execution.nouns.get(Person, "finn").state == "active"
    types = [one.type for one in plant.execution.ledger.entries(before, 1000)]
    assert set(types) <= {"person.signed-in", "person.signed-out"}


@pytest.mark.requirement("H7")
def test_provider_identity_is_linked_when_two_people_have_read_and_signed(
    plant: AccountsPlant,
) -> None:
    with plant.signed_in("ada") as ada:
        link = {"issuer": "https://idp.example", "subject": "s-1", "why": "Called back."}
        shown = fill(ada, "/people/quinn/identity", **link)
        assert "s-1 of https://idp.example is Quinn Marsh (quinn): Called back." in shown.text
        secret = plant.accounts["ada"].secret
        sent = hidden(shown) | {"user": "ada", "secret": "wrong"}
        wrong = ada.post("/people/~sign", data=sent)
        assert (wrong.status_code, "do not fit" in wrong.text) == (422, True)
        sent = hidden(wrong) | {"user": "ada", "secret": secret}
        assert ada.post("/people/~sign", data=sent).headers["location"] == "/people/quinn?done"
        assert "too old" in ada.post("/people/~sign", data=sent).text
        person = ada.get("/people/quinn").text
        assert "s-1 of https://idp.example, by ada. It opens nothing yet" in person
        alone = fill(ada, "/people/quinn/confirm-identity").text
        assert "proposed this identity, and does not confirm it as well" in alone
    name = identity_name("https://idp.example", "s-1")
    assert plant.execution.nouns.get(ProviderIdentity, name) is None
    with plant.signed_in("sana") as sana:
        shown = fill(sana, "/people/quinn/confirm-identity")
        assert "(quinn), as ada proposed: Called back." in shown.text
        secret = plant.accounts["sana"].secret
        sent = hidden(shown) | {"user": "sana", "secret": secret}
        assert sana.post("/people/~sign", data=sent).headers["location"] == "/people/quinn?done"
        assert "confirm-identity" not in sana.get("/people/quinn").text
    found = plant.execution.nouns.get(ProviderIdentity, name)
    assert found is not None
    assert found.person == "quinn"


@pytest.mark.requirement("B7")
def test_quality_signs_the_access_review_of_the_list_that_was_shown(plant: AccountsPlant) -> None:
    with plant.signed_in("ines") as ines:
        page = ines.get("/people/~review")
        listed = {one.partition(":")[2] for one in hidden(page)["people"]}
        assert {"ada", "quinn", "finn"} <= listed
        assert "ines" not in listed
        shown = ines.post("/people/~review", data=hidden(page) | {"found": "All is right."})
        assert ticket_of(shown)
        sent = hidden(shown) | {"user": "ines", "secret": plant.accounts["ines"].secret}
        assert ines.post("/people/~sign", data=sent).headers["location"] == "/people?done"
    [reviewed] = plant.entries(of="access.reviewed")
    assert {one["person"] for one in reviewed.data["people"]} == listed


@pytest.mark.requirement("H7")
def test_key_of_a_program_is_shown_once_and_revoked(plant: AccountsPlant) -> None:
    with plant.signed_in("ada") as ada:
        made = {"client": "lims", "name": "Laboratory", "roles": ["engineer"]}
        assert fill(ada, "/people/~client", **made).status_code == 303
        given = fill(ada, "/people/~client/lims")
        key = re.search(r'data-testid="once">(bw_[^<]+)<', given.text)
        assert key, given.text
        id_ = key.group(1).split("_")[1]
        assert f"Key {id_}" in ada.get("/people").text
        with plant.client() as lims:
            lims.headers["authorization"] = f"Bearer {key.group(1)}"
            assert lims.get("/api/v1/order").status_code == 200
            assert fill(ada, f"/people/~client/lims/{id_}", why="Rotated.").status_code == 303
            assert lims.get("/api/v1/order").status_code == 401


@pytest.mark.requirement("H7")
def test_quality_puts_other_rules_for_secrets_in_force_and_everybody_reads_them(
    plant: AccountsPlant,
) -> None:
    with plant.signed_in("ada") as ada:
        page = ada.get("/people").text
        assert "The rules that every plant begins with." in page
        assert "Change the rules for secrets" not in page
        other = {"secret_days": "90", "remembered": "24", "local": "no"}
        refused = fill(ada, "/people/~policy", **other)
        assert (refused.status_code, "needs the role qa" in refused.text) == (422, True)
    with plant.signed_in("quinn") as quinn:
        page = quinn.get("/people/~policy").text
        assert '<option value="" selected>never</option>' in page
        assert '<option value="5" selected>5</option>' in page
        for wrong in ({"secret_days": "31"}, {"secret_days": "x"}, {"remembered": "25"}):
            refused = fill(quinn, "/people/~policy", **(other | wrong))
            assert refused.status_code == 422
        assert plant.execution.authentication.policy == AccountPolicy()
        done = fill(quinn, "/people/~policy", **other)
        assert done.headers["location"] == "/people?done"
        again = fill(quinn, "/people/~policy", **other)
        assert again.status_code == 422
        page = quinn.get("/people").text
        assert "after 90 days" in page
        assert "The provider alone opens the door" in page
        [entry] = plant.entries(of="account-policy.adopted")
        assert f'/audit?entry={entry.seq}"' in page
    assert plant.execution.authentication.policy == AccountPolicy(
        secret_days=90, remembered=24, local_with_provider=False
    )


@pytest.mark.requirement("H7")
def test_lock_is_on_the_alert_list_of_administrator_and_quality(plant: AccountsPlant) -> None:
    failed = RecordFailedAuthentication(person="dora", purpose="sign-in")
    for _ in range(5):
        plant.act(failed, "service:security")
    for user in ("ada", "quinn"):
        with plant.signed_in(user) as client:
            page = client.get("/people").text
            assert "dora locked after 5 failed attempts." in page
            assert " UTC" not in page, "every time is the plant's"
    with plant.signed_in("ada") as ada:
        assert fill(ada, "/people/dora/unlock").status_code == 303
    assert plant.execution.nouns.get(Person, "dora").state == "active"


@pytest.mark.requirement("H7")
def test_a_form_takes_no_file(plant: AccountsPlant) -> None:
    with plant.signed_in("ada") as ada:
        given = hidden(ada.get("/people/~new")) | {"person": "x1", "badge": "30001"}
        sent = ada.post("/people/~new", data=given, files={"name": ("x.txt", b"x")})
        assert sent.status_code == 400
        door = ada.post("/login", data={"user": "ada"}, files={"password": ("x.txt", b"x")})
        assert door.status_code == 422
    assert plant.execution.nouns.get(Person, "x1") is None


@pytest.mark.requirement("H7")
def test_text_of_people_is_never_markup(plant: AccountsPlant) -> None:
    with plant.signed_in("ada") as ada:
        name = '<img src=x onerror="alert(1)">'
        new = {"person": "x1", "name": name, "badge": "30001", "roles": ["operator"]}
        assert fill(ada, "/people/~new", **new).status_code == 303
        for path in ("/people", "/people/x1", "/people/x1/retire"):
            text = ada.get(path).text
            assert "&lt;img" in text
            assert "<img" not in text
