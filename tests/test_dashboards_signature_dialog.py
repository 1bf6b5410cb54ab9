from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from core.fact import Command
from core.signing_gates import CommentRule, Gate
from dashboards.signing_act import Ask
from tests.browser import Screen, grave_findings
from tests.ui_bench import PAGES, PLANT, SIGNED, WEIGHTS, BenchAct, forget
from tests.ui_plant import SECRET, create_app, running


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(create_app(PLANT, pages=PAGES)) as address:
        yield address


@pytest.fixture
def page(url: str, open_screen: Callable[..., Screen]) -> Page:
    forget()
    screen = open_screen(url)
    screen.signed_in("ama", SECRET)
    opened = screen.go("/kiosk")
    expect(opened.get_by_test_id("scan")).to_be_focused()
    WEIGHTS[:-1] = []
    return opened


def focused(page: Page) -> str:
    return page.evaluate(
        "() => { let a = document.activeElement; while (a?.shadowRoot?.activeElement)"
        " a = a.shadowRoot.activeElement; return a?.dataset.testid || a?.tagName; }"
    )


def named(page: Page, badge: str = "B-1") -> None:
    """Give a badge and wait until what would be signed is on the screen."""
    page.get_by_test_id("signature-badge").fill(badge)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-pin")).to_be_focused()
    expect(page.get_by_test_id("signature-words")).to_be_visible()


@pytest.mark.requirement("F1")
def test_signature_dialog_names_itself_and_what_is_signed(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    dialog = page.get_by_role("dialog", name="Electronic signature")
    expect(dialog).to_be_visible()
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    expect(page.get_by_test_id("signature-what")).to_contain_text("Batch B26-0178, weigh lactose")
    expect(page.get_by_test_id("signature-what")).to_contain_text("10.000 kg")
    expect(page.get_by_test_id("signature-states")).to_be_hidden()
    named(page)
    expect(page.get_by_test_id("signature-words")).to_contain_text("Lactose net 10.000 kg")
    expect(page.get_by_test_id("signature-time")).to_contain_text("Europe/Zurich")
    expect(page.get_by_test_id("signature-time")).to_contain_text("batch/B26-0178, version 3")
    expect(page.get_by_test_id("signature-meaning")).to_contain_text("I weighed this material.")
    expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    expect(page.get_by_test_id("signature-passkey")).to_be_hidden()
    assert grave_findings(page) == []


def test_focus_stays_inside_the_dialog(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    named(page)
    page.get_by_label("PIN", exact=True).fill("1")
    page.get_by_label("Badge").focus()
    seen = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(focused(page))
    names = ["pin", "cancel", "sign", "badge", "pin", "cancel"]
    assert seen == [f"signature-{name}" for name in names]
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "signature-pin"


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
    named(page)
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


def test_cancel_gives_the_focus_back_to_what_asked_for_the_signature(page: Page) -> None:
    asks = page.get_by_role("button", name="Ask")
    asks.press("Enter")
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.get_by_test_id("signature-cancel").press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(asks).to_be_focused()


@pytest.mark.requirement("H3")
def test_what_is_not_on_the_screen_cannot_be_signed(page: Page) -> None:
    page.get_by_role("button", name="Ask").click()
    named(page)
    page.get_by_label("PIN", exact=True).fill(SECRET)
    expect(page.get_by_test_id("signature-sign")).to_be_enabled()
    page.get_by_label("Badge").fill("B-404")  # another person: what was shown is off at once
    expect(page.get_by_test_id("signature-words")).to_be_hidden()
    expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    page.get_by_label("PIN", exact=True).focus()
    expect(page.get_by_test_id("signature-refusal")).to_contain_text("not known here")
    page.keyboard.press("Enter")
    assert SIGNED == []


@pytest.mark.requirement("H4")
def test_signer_chooses_the_meaning_and_writes_the_comment_that_the_gate_asks(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(meanings=("I saw it", "I did it"), comment=CommentRule.REQUIRED)
    monkeypatch.setattr(BenchAct, "gate", gate)
    page.get_by_role("button", name="Ask").click()
    page.get_by_test_id("signature-badge").fill("B-1")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Meaning")).to_be_focused()
    expect(page.get_by_label("Meaning")).to_have_value("")
    page.get_by_label("Meaning").select_option("I did it")
    expect(page.get_by_test_id("signature-refusal")).to_contain_text("is empty. Write one.")
    page.get_by_label("Comment (needed)").fill("Twice.")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-meaning")).to_contain_text("I did it")
    expect(page.get_by_test_id("signature-refusal")).to_be_hidden()
    page.get_by_label("Comment (needed)").fill("Three times.")
    expect(page.get_by_test_id("signature-words")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    assert grave_findings(page) == []
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert SIGNED == [("B-1", SECRET)]


@pytest.mark.requirement("H1")
def test_period_that_ends_while_the_dialog_is_open_asks_for_both_and_says_why(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BenchAct, "is_in_period", True)
    monkeypatch.setattr(BenchAct, "life_s", 2.0)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_test_id("signature-words")).to_be_visible()
    expect(page.get_by_test_id("signature-badge")).to_be_hidden()
    monkeypatch.setattr(BenchAct, "is_in_period", False)  # what is shown has its time
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    refusal = page.get_by_test_id("signature-refusal")
    expect(refusal).to_contain_text("the first signing of a period needs badge or user id, and")
    expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    monkeypatch.setattr(BenchAct, "life_s", 180.0)
    named(page)
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert SIGNED == [("B-1", SECRET)]


LONG = "Lactose net 10.000 kg from lot L-1, checked against the label of its container. " * 12
UNCOVERED = """el => { const b = el.getBoundingClientRect(), root = el.getRootNode();
    const seen = y => root.elementFromPoint(b.left + b.width / 2, y) === el;
    return [b.top + 2, b.bottom - 2].every(y => y > 0 && y < innerHeight && seen(y)); }"""


@pytest.mark.requirement("H2", "N1")
@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (640, 400)])
def test_sign_stays_on_the_screen_however_long_the_statement_is(
    page: Page, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    lines = tuple((f"Lot {n}", "10.000 kg of 10.000 kg") for n in range(12))
    asked = Ask(subject=LONG[:180], lines=lines, command=Command())
    monkeypatch.setattr(BenchAct, "ask", lambda _act: asked)
    monkeypatch.setattr(BenchAct, "words", LONG)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.get_by_role("button", name="Ask").press("Enter")
    sign, pin = page.get_by_test_id("signature-sign"), page.get_by_test_id("signature-pin")
    expect(sign).to_be_visible()
    assert sign.evaluate(UNCOVERED)
    named(page)
    page.keyboard.type(SECRET)  # the statement was read below it; what is typed is seen
    assert sign.evaluate(UNCOVERED)
    assert pin.evaluate(UNCOVERED)
    page.get_by_test_id("signature-badge").focus()
    assert page.get_by_test_id("signature-badge").evaluate(UNCOVERED)
    page.get_by_test_id("signature-time").scroll_into_view_if_needed()
    assert sign.evaluate(UNCOVERED)
    assert grave_findings(page) == []
    sign.click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert SIGNED == [("B-1", SECRET)]
