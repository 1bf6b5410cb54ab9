"""Passkeys in a real browser with a virtual device: registered, used to sign, refused, revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from playwright.sync_api import CDPSession, Page, expect

from config.targets import passkey_site
from core.deviation import Deviation, DeviationState
from core.fact import Site
from core.passkey import Keyring, Passkey
from core.passkey_proof import check_stored
from core.refusal import Refusals
from core.signature import SignatureApplied
from tests.browser import Screen, grave_findings
from tests.plant import LivingPlant, running_plant
from tests.plant_data import PIN
from tests.reviewing import over_weighed

type Open = Callable[..., Screen]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    """A plant that people open as http://localhost: passkeys belong to a host name."""
    with running_plant(tmp_path_factory.mktemp("passkeys")) as running:
        running.execution.signing.site = passkey_site(running.url)
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running


def device(page: Page) -> tuple[CDPSession, str]:
    """Give the browser a device that verifies its owner."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def registered(plant: LivingPlant, screen: Screen, label: str, *, person: str = "quinn") -> str:
    """Register a passkey on the person's own page; return its id."""
    page = screen.page
    page.goto(plant.url + "/account/passkeys")
    page.get_by_label("Its name").fill(label)
    page.get_by_role("button", name="Make it with this device").click()
    expect(page.get_by_test_id("passkey-words")).to_contain_text(f"Passkey {label}, key ")
    page.get_by_label("Your secret").fill(PIN)
    page.get_by_role("button", name="Sign and register").click()
    expect(page.get_by_role("rowheader", name=label)).to_be_visible()
    return plant.execution.nouns.get(Keyring, person).credentials[-1]


def asked(plant: LivingPlant, screen: Screen, held: str) -> Page:
    """Open the dialog over a disposition, prepared for Quinn."""
    page = screen.go(f"/review/batch/{held}")
    page.get_by_test_id("pick-use_as_is").click()
    page.get_by_label("Assessment of the deviation").fill("No effect.")
    page.get_by_role("button", name="Sign the disposition").click()
    page.get_by_test_id("signature-badge").fill("quinn")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    return page


@pytest.mark.requirement("H1", "H3", "G2")
def test_passkey_is_registered_signs_a_disposition_and_is_revoked(
    plant: LivingPlant, open_screen: Open
) -> None:
    held = over_weighed(plant)
    screen = plant.screen(open_screen, "quinn", width=1920, height=1080)
    device(screen.page)
    credential = registered(plant, screen, "Laptop")
    assert grave_findings(screen.page) == []
    page = asked(plant, screen, held)
    expect(page.get_by_test_id("signature-sign")).to_be_disabled()  # no secret is needed
    assert grave_findings(page) == []
    page.get_by_test_id("signature-passkey").click()
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")
    name = plant.batch(held).deviations[0]
    deviation = plant.execution.nouns.get(Deviation, name)
    assert deviation.state is DeviationState.DISPOSITIONED
    [entry] = [
        one
        for one in plant.execution.ledger.stream(f"deviation/{name}")
        if one.type == "signature.applied"
    ]
    event = msgspec.convert({**entry.data, "type": entry.type}, SignatureApplied)
    assert event.components == ("passkey",)
    assert event.assertion is not None
    assert check_stored(event.assertion, event.manifest) == plant.url
    assert plant.execution.nouns.get(Passkey, credential).sign_count > 0
    page.goto(plant.url + "/account/passkeys")
    page.get_by_label("Why Laptop is revoked").fill("Test is over.")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("You have no passkey here.")).to_be_visible()
    assert plant.execution.nouns.get(Passkey, credential).revoked_at is not None


@pytest.mark.requirement("H1")
def test_device_that_does_not_verify_its_owner_signs_nothing(
    plant: LivingPlant, open_screen: Open
) -> None:
    held = over_weighed(plant)
    screen = plant.screen(open_screen, "quinn", width=1920, height=1080)
    session, authenticator = device(screen.page)
    registered(plant, screen, "Phone")
    page = asked(plant, screen, held)
    session.send(
        "WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False}
    )
    page.get_by_test_id("signature-passkey").click()
    expect(page.get_by_test_id("signature-refusal")).to_contain_text("the device gave no answer")
    page.get_by_test_id("signature-pin").fill(PIN)  # the other way stays open
    page.get_by_test_id("signature-sign").click()
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")


@pytest.mark.requirement("H1")
def test_answer_from_another_site_is_refused_and_recorded(
    plant: LivingPlant, open_screen: Open
) -> None:
    held = over_weighed(plant)
    screen = plant.screen(open_screen, "quinn", width=1920, height=1080)
    device(screen.page)
    registered(plant, screen, "Security key")
    page = asked(plant, screen, held)
    mine = plant.execution.signing.site
    plant.execution.signing.site = Site("localhost", ("https://mes.example",))
    try:
        page.get_by_test_id("signature-passkey").click()
        expect(page.get_by_test_id("signature-refusal")).to_contain_text(
            "Passkey: it was used on another site."
        )
    finally:
        plant.execution.signing.site = mine
    name = plant.batch(held).deviations[0]
    attempts = plant.execution.nouns.get(Refusals, f"deviation/{name}").attempts
    assert attempts[-1].rule == "PasskeyRefused"
    expect(page.get_by_test_id("signature-passkey")).to_be_enabled()  # shown anew
    page.get_by_test_id("signature-passkey").click()
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")


def test_page_under_another_address_says_where_passkeys_belong(
    plant: LivingPlant, open_screen: Open
) -> None:
    elsewhere = plant.url.replace("localhost", "127.0.0.1")
    screen = open_screen(elsewhere)
    screen.sign_in("quinn", PIN)
    screen.page.goto(elsewhere + "/account/passkeys")
    expect(screen.page.get_by_text("This page was opened under another address")).to_be_visible()
    expect(screen.page.get_by_role("button", name="Make it with this device")).to_be_hidden()


@pytest.mark.requirement("H1")
def test_second_signing_of_a_session_asks_for_the_secret_only(
    plant: LivingPlant, open_screen: Open
) -> None:
    first, second = over_weighed(plant, "B1"), over_weighed(plant, "B2")
    screen = plant.screen(open_screen, "quinn", width=1920, height=1080)
    page = asked(plant, screen, first)
    page.get_by_test_id("signature-pin").fill(PIN)
    page.get_by_test_id("signature-sign").click()
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")
    page = screen.go(f"/review/batch/{second}")
    page.get_by_test_id("pick-use_as_is").click()
    page.get_by_label("Assessment of the deviation").fill("No effect.")
    page.get_by_role("button", name="Sign the disposition").click()
    expect(page.get_by_test_id("signature-name")).to_have_text("Signs as: Quinn Quast")
    expect(page.get_by_test_id("signature-badge")).to_be_hidden()
    page.get_by_test_id("signature-other").click()
    expect(page.get_by_test_id("signature-badge")).to_be_visible()
    page.get_by_test_id("signature-cancel").click()
    page.get_by_role("button", name="Sign the disposition").click()
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")
    [entry] = [
        one
        for one in plant.execution.ledger.stream(f"deviation/{plant.batch(second).deviations[0]}")
        if one.type == "signature.applied"
    ]
    assert entry.data["components"] == ["secret"]
