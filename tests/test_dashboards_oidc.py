"""Signing in by a provider that is really asked over HTTP, and everything it must not prove."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.authority import AdoptAccountPolicy
from core.people import ChangeRoles, RetirePerson
from core.secret_rules import AccountPolicy
from dashboards.oidc.provider import NotProven, Proven, Provider, ProviderDown, ProviderLink
from dashboards.oidc.routes import BACK
from tests.accounts_plant import AccountsPlant, accounts_plant, seed_folder
from tests.company_account import link_account
from tests.hands import PACK, refusal
from tests.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider, log_in

REDIRECT = "http://127.0.0.1:1/login/provider/back"


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    with identity_provider() as found:
        yield found


def link_to(idp: IdentityProvider) -> ProviderLink:
    return ProviderLink(issuer=idp.url, client_id=CLIENT, client_secret=SECRET)


@pytest.fixture
def client(idp: IdentityProvider) -> Iterator[Provider]:
    found = Provider(link_to(idp))
    yield found
    found.close()


def proven(client: Provider, *, fresh: bool = False) -> Proven:
    address, begun = client.begin(REDIRECT, fresh=fresh)
    return client.finish(httpx.URL(log_in(address)).params["code"], begun)


@pytest.mark.requirement("H1")
def test_code_with_pkce_proves_the_subject(idp: IdentityProvider, client: Provider) -> None:
    found = proven(client)
    assert (found.issuer, found.subject) == (idp.url, "s-quinn")
    [asked] = idp.asked
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid"
    assert "prompt" not in asked


@pytest.mark.requirement("H1")
@pytest.mark.parametrize(
    ("claims", "what"),
    [
        ({"iss": "https://other.example"}, "the token is another issuer's"),
        ({"aud": "another-client"}, "the token is for another client"),
        ({"aud": [CLIENT, "second"]}, "the token was asked by another client"),
        ({"azp": "second"}, "the token was asked by another client"),
        ({"exp": 1000}, "the token has ended"),
        ({"exp": None}, "the token has ended"),
        ({"exp": time.time() - 30}, "the token has ended"),
        ({"nbf": time.time() + 3600}, "the token has not begun"),
        ({"nbf": "soon"}, "the token has not begun"),
        ({"iat": time.time() + 3600}, "the token is from no past moment"),
        ({"iat": None}, "the token is from no past moment"),
        ({"nonce": "another"}, "the token answers another sign-in"),
        ({"nonce": None}, "the token answers another sign-in"),
        ({"sub": None}, "the token names nobody"),
        ({"sub": ""}, "the token names nobody"),
        ({"sub": 7}, "the token names nobody"),
    ],
)
def test_token_with_a_wrong_claim_proves_nobody(
    idp: IdentityProvider, client: Provider, claims: dict[str, Any], what: str
) -> None:
    idp.claims = claims
    said = refusal(NotProven, lambda: proven(client))
    assert said == f"{idp.url}: {what}, so nobody is proven. Begin the sign-in again."
    idp.claims = {}
    assert proven(client).subject == "s-quinn"


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("signing", ["none", "HS256", "foreign"])
def test_token_that_no_key_of_the_issuer_signed_proves_nobody(
    idp: IdentityProvider, client: Provider, signing: str
) -> None:
    idp.signing = signing
    assert "the token's signature fails" in refusal(NotProven, lambda: proven(client))


@pytest.mark.requirement("H1")
def test_code_is_taken_once_and_only_with_its_verifier(
    idp: IdentityProvider, client: Provider
) -> None:
    address, begun = client.begin(REDIRECT)
    code = httpx.URL(log_in(address)).params["code"]
    client.finish(code, begun)
    assert "the code was not taken" in refusal(NotProven, lambda: client.finish(code, begun))
    _, other = client.begin(REDIRECT)
    address, _ = client.begin(REDIRECT)
    stolen = httpx.URL(log_in(address)).params["code"]
    refusal(NotProven, lambda: client.finish(stolen, other))


@pytest.mark.requirement("H1")
def test_fresh_sign_in_asks_for_the_secret_again_and_checks_when(
    idp: IdentityProvider, client: Provider
) -> None:
    proven(client)
    assert proven(client, fresh=True).subject == "s-quinn"
    assert (idp.asked[-1]["prompt"], idp.asked[-1]["max_age"]) == ("login", "0")
    for stale in (time.time() - 60, time.time() + 3600, None, "now", True):
        idp.claims = {"auth_time": stale}
        said = refusal(NotProven, lambda: proven(client, fresh=True))
        assert "the provider did not ask for the secret again" in said
    assert proven(client).subject == "s-quinn"  # at the door a session of the provider is enough


def test_key_that_was_changed_is_fetched_once_the_old_one_fails(
    idp: IdentityProvider, client: Provider
) -> None:
    proven(client)
    idp.rotate()
    refusal(NotProven, lambda: proven(client))  # asked for keys a moment ago
    client._clock = lambda: time.time() + 31
    idp.claims = {"exp": time.time() + 200}
    assert proven(client).subject == "s-quinn"


def test_provider_that_is_down_or_another_one_is_said_so(idp: IdentityProvider) -> None:
    def refused(link: ProviderLink) -> str:
        with closing(Provider(link)) as asked:
            return refusal(ProviderDown, lambda: asked.begin(REDIRECT))

    idp.is_down = True
    said = refused(link_to(idp))
    assert said.startswith(f"{idp.url}: the sign-in provider does not answer.")
    refused(ProviderLink(issuer="http://127.0.0.1:9", client_id=CLIENT, client_secret=SECRET))
    idp.is_down = False
    other = ProviderLink(issuer=idp.url + "/x", client_id=CLIENT, client_secret=SECRET)
    refused(other)
    assert SECRET not in repr(other)


# -- the routes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed_folder(tmp_path_factory.mktemp("oidc"))


@pytest.fixture
def plant(folder: Path, tmp_path: Path, idp: IdentityProvider) -> Iterator[AccountsPlant]:
    with accounts_plant(folder, tmp_path / "plant", provider=link_to(idp)) as found:
        yield found


def link(plant: AccountsPlant, idp: IdentityProvider, subject: str = "s-quinn") -> None:
    secrets = {one: plant.accounts[one].secret for one in ("ada", "sana")}
    link_account(plant.execution, "quinn", issuer=idp.url, subject=subject, secrets=secrets)


def arrive(browser: httpx.Client, subject: str = "s-quinn", **asked: str) -> httpx.Response:
    """Go to the provider and come back, as a browser does."""
    gone = browser.get("/login/provider", params=asked)
    assert gone.status_code == 303, gone.text
    return browser.get(log_in(gone.headers["location"], subject))


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_of_another_site_signs_nobody_in(
    plant: AccountsPlant, idp: IdentityProvider, site: str
) -> None:
    """Where the provider asks for nothing any more, a click elsewhere would open a session."""
    with plant.client() as browser:
        there = browser.get("/login/provider", headers={"sec-fetch-site": site})
        assert (there.status_code, there.headers["location"]) == (303, "/login")
        for own in ("none", "same-origin"):  # typed in, or our own button
            gone = browser.get("/login/provider", headers={"sec-fetch-site": own})
            assert gone.headers["location"].startswith(idp.url)


@pytest.mark.requirement("H7")
def test_linked_person_signs_in_and_the_entry_says_how(
    plant: AccountsPlant, idp: IdentityProvider
) -> None:
    link(plant, idp)
    with plant.client() as browser:
        assert "/login/provider?next=" in browser.get("/login").text
        answer = arrive(browser, next="/review", station="kiosk-B1")
        assert (answer.status_code, "url=/review" in answer.text) == (200, True)
        assert browser.get("/api/v1/order").status_code == 200
    [entry] = [one for one in plant.entries(of="person.signed-in") if one.actor == "quinn"]
    assert (entry.data["means"], entry.station) == (f"provider {idp.url}"[:64], "kiosk-B1")


@pytest.mark.requirement("H7")
def test_identity_that_nobody_linked_and_a_person_who_left_come_in_nowhere(
    plant: AccountsPlant, idp: IdentityProvider
) -> None:
    link(plant, idp)
    with plant.client() as browser:
        answer = arrive(browser, "s-x")
        assert (answer.status_code, "linked to nobody here" in answer.text) == (401, True)
        assert "mes_session" not in browser.cookies
    plant.act(ChangeRoles(person="quinn", roles=("director",)), "ada")
    plant.act(RetirePerson(person="quinn"), "ada")
    idp.signed_in = None
    with plant.client() as browser:
        answer = arrive(browser)
        assert (answer.status_code, "access has ended" in answer.text) == (401, True)
        assert browser.get("/api/v1/order").status_code == 401


@pytest.mark.requirement("H7")
def test_answer_counts_once_and_only_in_the_browser_that_asked(
    plant: AccountsPlant, idp: IdentityProvider
) -> None:
    link(plant, idp)
    with plant.client() as browser, plant.client() as victim:
        gone = browser.get("/login/provider")
        back = log_in(gone.headers["location"])
        assert "was not begun here" in victim.get(back).text
        assert "mes_session" not in victim.cookies
        assert "was not begun here" in browser.get(back).text  # the first look used it up
        first = arrive(browser)
        assert first.status_code == 200
        assert "was not begun here" in browser.get(str(first.request.url)).text
        forged = browser.get(f"{BACK}?state=x&code=y")
        assert (forged.status_code, "was not begun here" in forged.text) == (401, True)
        gone = browser.get("/login/provider", params={"next": "https://evil.example/"})
        answer = browser.get(log_in(gone.headers["location"]))
        assert "url=/&#34;" in answer.text or 'url=/"' in answer.text


@pytest.mark.requirement("H7")
def test_local_secret_opens_the_door_where_the_plant_allows_it(
    plant: AccountsPlant, idp: IdentityProvider
) -> None:
    idp.is_down = True
    with plant.client() as browser:
        assert "does not answer" in browser.get("/login/provider").text
        assert plant.sign_in(browser, "quinn").status_code == 303
    policy = AccountPolicy(local_with_provider=False)
    plant.act(AdoptAccountPolicy(plant=PACK.id, policy=policy), "quinn")
    with plant.client() as browser:
        answer = plant.sign_in(browser, "quinn")
        assert (answer.status_code, "company account only" in answer.text) == (401, True)
