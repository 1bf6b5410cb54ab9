"""A form of /people signed in a browser: by passkey, by company account, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from config.targets import passkey_site
from core.execution import Actor
from core.fact import Site
from core.ledger.entry import Entry
from core.people import Person, RegisterPerson
from core.signature import SignatureApplied
from core.signature_check import check_proof
from tests.browser import Screen, grave_findings
from tests.company_account import link_account
from tests.identity_provider import IdentityProvider, identity_provider
from tests.plant import LivingPlant, running_plant
from tests.plant_data import PIN
from tests.test_dashboards_oidc import link_to
from tests.test_dashboards_passkeys import device, registered

type Open = Callable[..., Screen]


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    with identity_provider() as found:
        yield found


@pytest.fixture
def plant(tmp_path: Path, idp: IdentityProvider) -> Iterator[LivingPlant]:
    """A plant that people open as http://localhost: passkeys belong to a host name."""
    with running_plant(tmp_path / "plant", provider=link_to(idp)) as running:
        running.execution.signing.site = passkey_site(running.url)
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running


def asked(plant: LivingPlant, screen: Screen, subject: str) -> Page:
    """Fill in the form that proposes an identity, up to the sheet on which it is signed."""
    page = screen.page
    page.goto(plant.url + "/people/quinn/identity")
    page.get_by_label("Issuer").fill("https://idp.example")
    page.get_by_label("Subject").fill(subject)
    page.get_by_label("How you know").fill("Called back.")
    page.get_by_role("button", name="Go on to sign").click()
    expect(page.get_by_text(f"{subject} of https://idp.example is Quinn Quast")).to_be_visible()
    return page


def newest(plant: LivingPlant) -> tuple[Entry, SignatureApplied]:
    entries = plant.execution.ledger.stream("person/quinn")
    entry = [one for one in entries if one.type == "signature.applied"][-1]
    return entry, msgspec.convert({**entry.data, "type": entry.type}, SignatureApplied)


def is_proposed(plant: LivingPlant, subject: str) -> bool:
    quinn = plant.execution.nouns.get(Person, "quinn")
    held = None if quinn is None else quinn.identity_proposed
    return held is not None and held.subject == subject


@pytest.mark.requirement("H1", "H7")
def test_form_is_signed_by_the_passkey_of_who_filled_it_in(
    plant: LivingPlant, open_screen: Open
) -> None:
    screen = plant.screen(open_screen, "ada", width=1280, height=900)
    device(screen.page)
    registered(plant, screen, "Laptop", person="ada")
    page = asked(plant, screen, "s-1")
    expect(page.get_by_test_id("sign-provider")).to_have_count(0)  # Ada has no account there
    expect(page.get_by_test_id("sign-passkey")).to_be_visible()
    page.set_viewport_size({"width": 640, "height": 400})  # 1280 by 800 at 200 %
    for field in ("User id or badge", "Secret"):
        page.get_by_label(field).focus()
        box = page.get_by_role("button", name="Sign", exact=True).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 400, field
    page.set_viewport_size({"width": 1280, "height": 900})
    assert grave_findings(page) == []
    page.get_by_test_id("sign-passkey").click()
    expect(page.get_by_text("Recorded.")).to_be_visible()
    entry, event = newest(plant)
    assert (event.components, event.manifest.signer) == (("passkey",), "ada")
    assert check_proof(entry).startswith("passkey with key ")
    assert is_proposed(plant, "s-1")
    mine = plant.execution.signing.site
    plant.execution.signing.site = Site("localhost", ("https://mes.example",))
    try:
        page = asked(plant, screen, "s-2")
        page.get_by_test_id("sign-passkey").click()
        expect(page.get_by_text("Passkey: it was used on another site.")).to_be_visible()
    finally:
        plant.execution.signing.site = mine
    screen.errors.clear()  # the browser logs the refusal's status
    assert not is_proposed(plant, "s-2")


@pytest.mark.requirement("H1", "H7")
def test_form_is_signed_by_the_company_account_of_who_filled_it_in(
    plant: LivingPlant, idp: IdentityProvider, open_screen: Open
) -> None:
    other = RegisterPerson(person="bea", name="Bea Adam", badge="BADGE-BEA", roles=("admin",))
    plant.execution.register(other, secret=PIN, actor=Actor("ada"), idem="test:bea")
    secrets = {"bea": PIN, "sana": PIN}
    link_account(plant.execution, "ada", issuer=idp.url, subject="s-x", secrets=secrets)
    screen = plant.screen(open_screen, "ada", width=1280, height=900)
    page = asked(plant, screen, "s-1")
    for subject in ("s-quinn", "s-x"):  # somebody else's account first: refused, and said here
        with page.expect_popup() as opened:
            page.get_by_test_id("sign-provider").click()
        window = opened.value
        window.get_by_label("Subject").fill(subject)
        window.get_by_label("Password").fill(f"pw-{subject.removeprefix('s-')}")
        window.get_by_role("button", name="Go").click()
        if subject == "s-quinn":
            says = "its account is linked to nobody here, so nothing is signed"
            expect(page.get_by_test_id("refusal")).to_contain_text(says)
            assert not is_proposed(plant, "s-1")
            screen.errors.clear()  # as above
    expect(page.get_by_text("Recorded.")).to_be_visible()
    entry, event = newest(plant)
    assert (event.components, event.manifest.signer) == (("provider",), "ada")
    assert check_proof(entry).startswith("account s-x at ")


@pytest.mark.requirement("H1")
def test_sheet_of_a_person_without_other_means_asks_for_user_and_secret(
    plant: LivingPlant, open_screen: Open
) -> None:
    screen = plant.screen(open_screen, "ada", width=1280, height=900)
    page = asked(plant, screen, "s-1")
    expect(page.get_by_test_id("sign-passkey")).to_have_count(0)
    page.get_by_label("User id or badge").fill("ada")
    page.get_by_label("Secret").fill(PIN)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Recorded.")).to_be_visible()
    assert newest(plant)[1].components == ("user", "secret")
