"""A batch is signed by keyboard alone: sign-in, verification, disposition, review, release.

No pointer is used on any page. After each act the focus is where the next one is done, and what is
asked next is said by a region that was there before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Screen, grave_findings, ready
from tests.test_story_browser import ask, batch_of, the_order_is_dispatched

if TYPE_CHECKING:
    from tests.composed_plant import ComposedPlant

type Open = Callable[..., Screen]

HAS_FOCUS = """e => { let a = document.activeElement;
    while (a?.shadowRoot?.activeElement) a = a.shadowRoot.activeElement;
    return a === e || e.contains(a); }"""
MOST_STOPS = 60


@pytest.fixture
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedPlant]:
    from tests.composed_plant import composed_plant

    with composed_plant(tmp_path_factory.mktemp("keys") / "data") as running:
        yield running


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    expect(wanted).to_be_visible()
    for _ in range(MOST_STOPS):
        if wanted.evaluate(HAS_FOCUS):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"never reached by Tab: {wanted}")


def press(page: Page, wanted: Locator) -> None:
    expect(wanted).to_be_enabled()
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def enter(plant: ComposedPlant, screen: Screen, person: str, *, station: str = "") -> Page:
    """Sign in, at first with a wrong secret: that is told where the secret is typed again."""
    page = screen.page
    page.goto(plant.web.base + (f"/login?station={station}" if station else "/login"))
    page.keyboard.type(person)
    page.keyboard.press("Tab")
    page.keyboard.type("not the secret")
    page.keyboard.press("Enter")
    again = page.get_by_label("Password")
    expect(again).to_have_accessible_description(re.compile("secret do not fit"))
    expect(again).to_be_focused()  # of the page that says so, not of the one that was left
    page.keyboard.type(plant.secret(person))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    screen.errors.clear()  # a browser logs the 401 of the wrong secret
    return page


def said(page: Page, sentence: str) -> None:
    """What is asked next is said, and the focus is there, before what is new."""
    announced = page.get_by_test_id("announced")
    expect(announced).to_contain_text(sentence)
    expect(announced).to_be_focused()


def named(plant: ComposedPlant, page: Page, person: str) -> None:
    """Give a badge where the focus is, and hear what would be signed."""
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.keyboard.type(plant.accounts[person].badge)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    pin = page.get_by_test_id("signature-pin")
    expect(pin).to_be_focused()
    expect(pin).to_have_accessible_description(re.compile("By signing I state: "))


def sign(plant: ComposedPlant, page: Page, person: str) -> None:
    named(plant, page, person)
    page.keyboard.type(plant.secret(person))
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature")).to_be_hidden()


@pytest.mark.timeout(300)
@pytest.mark.requirement("H1", "H2", "N1")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_step_is_done_and_verified_by_keyboard_alone(
    plant: ComposedPlant, open_screen: Open, *, dark: bool
) -> None:
    batch = the_order_is_dispatched(plant)
    page = enter(plant, open_screen(plant.web.base, dark=dark), "olga", station="kiosk-B1")
    page.goto(plant.web.base + f"/kiosk?batch={batch}")
    ready(page)
    ask(page, "nothing of the last batch is left")
    press(page, page.get_by_test_id("primary"))
    said(page, "A second person checks, then signs.")
    press(page, page.get_by_test_id("verify"))
    named(plant, page, "viktor")
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="do not fit")).to_be_visible()
    pin = page.get_by_test_id("signature-pin")
    expect(pin).to_be_focused()
    expect(pin).to_have_accessible_description(re.compile("do not fit"))
    assert grave_findings(page) == []
    page.keyboard.type(plant.secret("viktor"))
    tab_to(page, page.get_by_test_id("signature-sign"))
    page.keyboard.press("Enter")
    said(page, "Put the 5.000 kg check weight on scale B1-S1")
    page.keyboard.press("Enter")  # what a reader sends after a code presses nothing here
    run = batch_of(plant, batch).run("1")
    assert run is not None
    assert (run.performed_by, run.verified_by) == ("olga", "viktor")
    assert grave_findings(page) == []
