from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Screen, grave_findings
from tests.ui_bench import PAGES, PLANT, SIGNED, WEIGHTS, forget
from tests.ui_plant import SECRET, create_app, running


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(create_app(PLANT, pages=PAGES)) as address:
        yield address


@pytest.fixture
def page(url: str, open_screen: Callable[..., Screen]) -> Page:
    forget()
    screen = open_screen(url)
    screen.sign_in("ama", SECRET)
    opened = screen.go("/kiosk")
    expect(opened.get_by_test_id("scan")).to_be_focused()
    WEIGHTS[:-1] = []
    return opened


def focused(page: Page) -> str:
    return page.evaluate(
        "() => { let a = document.activeElement; while (a?.shadowRoot?.activeElement)"
        " a = a.shadowRoot.activeElement; return a?.dataset.testid || a?.tagName; }"
    )


@pytest.mark.requirement("F1")
def test_signature_dialog_names_itself_and_what_is_signed(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    dialog = page.get_by_role("dialog", name="Electronic signature")
    expect(dialog).to_be_visible()
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    expect(page.get_by_test_id("signature-what")).to_contain_text("Batch B26-0178, weigh lactose")
    expect(page.get_by_test_id("signature-what")).to_contain_text("10.000 kg")
    expect(page.get_by_test_id("signature-time")).to_contain_text("Europe/Zurich")
    expect(page.get_by_test_id("signature-meaning")).to_contain_text("I weighed this material.")
    expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    assert grave_findings(page) == []


def test_focus_stays_inside_the_dialog(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.get_by_label("Badge").fill("B-1")
    page.get_by_label("PIN", exact=True).fill("1")
    seen = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(focused(page))
    names = ["cancel", "sign", "badge", "pin", "cancel", "sign"]
    assert seen == [f"signature-{name}" for name in names]
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "signature-cancel"


def test_wrong_secret_keeps_the_dialog_open_and_empties_the_field(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.keyboard.type("B-1")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-name")).to_have_text("Signs as: Ama Mensah")
    for attempt in ("wrong", "again"):
        page.keyboard.type(attempt)
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("signature-refusal")).to_contain_text("do not fit")
        expect(page.get_by_test_id("signature-pin")).to_have_value("")
        expect(page.get_by_test_id("signature-pin")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_test_id("scan-result")).to_contain_text("Signed by Ama Mensah")
    assert SIGNED == [("B-1", "wrong"), ("B-1", "again"), ("B-1", SECRET)]


def test_two_presses_of_sign_are_one_signature(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    page.get_by_label("Badge").fill("B-1")
    page.get_by_label("PIN", exact=True).fill(SECRET)
    page.get_by_test_id("signature-sign").dblclick()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert len(SIGNED) == 1


def test_digits_of_the_dialog_write_into_the_secret_field(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    page.get_by_label("Badge").fill("B-1")
    for key in ("4", "7", "1", "Delete the last digit", "2"):
        page.get_by_role("dialog").get_by_role("button", name=key, exact=True).click()
    expect(page.get_by_test_id("signature-pin")).to_have_value("472")
    page.get_by_role("button", name="Clear the PIN").click()
    expect(page.get_by_test_id("signature-pin")).to_have_value("")


def test_cancel_leaves_without_a_signature(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    page.get_by_test_id("signature-cancel").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_test_id("scan-result")).to_contain_text("Not signed")
    assert SIGNED == []
    page.get_by_role("button", name="Ask").click()  # a second time it starts empty
    expect(page.get_by_test_id("signature-badge")).to_have_value("")
