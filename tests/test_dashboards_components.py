from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from core.errors import Refused
from dashboards import visit
from dashboards.components.keypad import Keypad
from dashboards.components.live_weight import Link, LiveWeight, judge
from dashboards.components.refusal_bar import RefusalBar
from dashboards.components.scan_field import ScanField
from tests.browser import Screen, grave_findings
from tests.patience import eventually
from tests.ui_bench import HEARD, LIMITS, PAGES, PLANT, WEIGHTS, WRONG_LOT, forget
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


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("delay_ms", [0, 2, 10])
def test_twenty_of_twenty_scans_arrive_whole(page: Page, delay_ms: int) -> None:
    for gap_ms in (0, 120):
        HEARD.clear()
        codes = [f"0104{gap_ms:03d}{n:06d}" for n in range(20)]
        for code in codes:
            page.keyboard.type(code, delay=delay_ms)
            page.keyboard.press("Enter")
            page.wait_for_timeout(gap_ms)
        eventually(lambda: len(HEARD) >= 20)
        assert codes == HEARD


def test_scan_right_after_a_tap_on_a_button_arrives_and_presses_nothing(page: Page) -> None:
    page.get_by_role("button", name="Tap").click()
    page.keyboard.type("L-4711")
    page.keyboard.press("Enter")
    eventually(lambda: "L-4711" in HEARD)
    assert HEARD == ["tap", "L-4711"]


def test_scan_goes_on_after_the_focus_was_in_a_text_field(page: Page) -> None:
    page.get_by_label("Comment").click()
    page.keyboard.type("half a sen")
    page.wait_for_timeout(400)
    expect(page.get_by_label("Comment")).to_have_value("half a sen")
    page.get_by_role("button", name="Tap").click()
    expect(page.get_by_test_id("scan")).to_be_focused()


def test_group_separator_of_a_reader_is_kept(page: Page) -> None:
    page.keyboard.type("10L-1")
    page.keyboard.press("Control+]")
    page.keyboard.type("3103009950")
    page.keyboard.press("Enter")
    eventually(lambda: bool(HEARD))
    assert HEARD == ["10L-1\x1d3103009950"]


def test_keypad_handles_keys_in_the_browser_and_sends_one_number(page: Page) -> None:
    pad = page.get_by_test_id("keypad").first
    for key in ("1", "Decimal point", "2", "Decimal point", "5", "9", "Delete the last digit"):
        pad.get_by_role("button", name=key, exact=True).click()
    expect(pad.get_by_label("Tare")).to_have_value("1.25")
    assert HEARD == []
    pad.get_by_test_id("keypad-ok").dblclick()
    eventually(lambda: bool(HEARD))
    page.wait_for_timeout(300)
    assert HEARD == ["1.25"]


def test_keypad_keeps_digits_typed_before_the_server_has_answered(page: Page) -> None:
    pad = page.get_by_test_id("keypad").first
    pad.evaluate(
        """(pad) => { const press = text => [...pad.querySelectorAll('button')]
            .find(b => b.textContent === text).click();
          for (const text of ['1', '2', 'OK', '3', 'OK', '4']) press(text); }"""
    )
    eventually(lambda: len(HEARD) == 2)
    page.wait_for_timeout(300)
    assert HEARD == ["12", "3"]
    expect(pad.get_by_label("Tare")).to_have_value("4")
    page.evaluate("document.dispatchEvent(new Event('bw-chosen'))")
    expect(pad.get_by_label("Tare")).to_have_value("")


def test_keypad_takes_a_comma_from_keys_and_no_letters(page: Page) -> None:
    field = page.get_by_label("Tare")
    field.click()
    page.keyboard.type("1,5e9x")
    expect(field).to_have_value("1.59")
    page.keyboard.press("Enter")
    eventually(lambda: bool(HEARD))
    assert HEARD == ["1.59"]


def test_keypad_hides_a_secret_number_and_keeps_none(page: Page) -> None:
    pad = page.get_by_test_id("keypad").nth(1)
    for key in "4711":
        pad.get_by_role("button", name=key, exact=True).click()
    assert pad.get_by_label("Secret number").get_attribute("type") == "password"
    pad.get_by_test_id("keypad-ok").click()
    eventually(lambda: bool(HEARD))
    assert HEARD == ["4711"]
    expect(pad.get_by_label("Secret number")).to_have_value("")


@pytest.mark.parametrize("text", ["", "1.2.3", "1e5", "-1", "١٢", "1" * 13, None, 5])
def test_keypad_believes_no_message_that_is_no_number(text: object) -> None:
    heard: list[str] = []
    Keypad(heard.append)._handle_msg({"text": text})
    assert heard == []


@pytest.mark.parametrize("message", [None, "x", {}, {"text": 5}, {"text": ""}, {"text": "x" * 129}])
def test_scan_field_believes_no_message_of_another_shape(message: object) -> None:
    heard: list[str] = []
    ScanField(heard.append)._handle_msg(message)
    assert heard == []


@pytest.mark.parametrize(
    ("net", "name"),
    [
        ("9899.9", "below_minimum"), ("9900", "near_limit"), ("9919.9", "near_limit"),
        ("9920", "in_tolerance"), ("10080", "in_tolerance"), ("10080.1", "near_limit"),
        ("10100", "near_limit"), ("10100.1", "above_maximum"),
    ],
)  # fmt: skip
def test_limits_are_closed_and_the_outer_tenths_are_near(net: str, name: str) -> None:
    low, _, high = LIMITS
    assert judge(Decimal(net), low, high).name == name


@pytest.mark.parametrize("link", [Link.OVERLOAD, Link.UNDERLOAD, Link.NO_LINK])
def test_a_scale_that_cannot_weigh_has_no_weight(link: Link) -> None:
    weight = LiveWeight()
    weight.limits(*LIMITS)
    assert weight.show(Decimal(10000), stable=True, link=link).name == link.value
    assert weight.reading["net"] == ""


SHOWN = [
    ("10000", "in_tolerance", "IN TOLERANCE", "Stable"),
    ("9905", "near_limit", "NEAR LIMIT", "Stable"),
    ("9000", "below_minimum", "BELOW MINIMUM", "Stable · 1.000 kg to go"),
    ("10250", "above_maximum", "ABOVE MAXIMUM", "Stable · 0.250 kg over target"),
]


def test_live_weight_tells_by_word_and_state(page: Page) -> None:
    weight = WEIGHTS[-1]
    document = next(iter(weight._models.values()))[0].document
    for net, state, word, hint in SHOWN:
        show = partial(weight.show, Decimal(net), stable=True)
        visit.later(document, show)
        shown = page.get_by_test_id("live-weight")
        expect(shown).to_have_attribute("data-state", state)
        expect(shown).to_have_attribute("data-stable", "true")
        expect(page.get_by_test_id("weight-state")).to_have_text(word)
        expect(page.get_by_test_id("weight-hint")).to_have_text(hint)
        expect(page.get_by_test_id("net")).to_have_text(f"{Decimal(net) / 1000:.3f}kg")
    size = page.get_by_test_id("net").evaluate("e => getComputedStyle(e).fontSize")
    assert size == "96px"
    expect(page.get_by_test_id("net")).to_have_attribute("aria-live", "off")


@pytest.mark.requirement("E3")
def test_live_weight_without_news_says_so(page: Page) -> None:
    expect(page.get_by_test_id("live-weight")).to_have_attribute("data-state", "stale")
    expect(page.get_by_test_id("weight-state")).to_have_text("NO NEW READING")


def test_wrong_lot_stops_everything_until_it_is_understood(page: Page) -> None:
    page.keyboard.type("L-77")
    page.keyboard.press("Enter")
    stop = page.get_by_test_id("refusal-stop")
    expect(stop).to_be_visible()
    expect(stop).to_contain_text(WRONG_LOT)
    page.keyboard.type("L-1")  # the next scan must not press the button
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    expect(stop).to_be_visible()
    understood = page.get_by_role("button", name="Understood")
    box = understood.bounding_box()
    assert box is not None
    assert box["height"] >= 72
    understood.click()
    expect(stop).to_be_hidden()
    expect(page.get_by_test_id("scan")).to_be_focused()
    eventually(lambda: "understood" in HEARD)
    assert HEARD == ["L-77", "understood"]


def test_refusal_bar_says_its_sentence_and_goes_when_understood(page: Page) -> None:
    page.get_by_role("button", name="No", exact=True).click()
    bar = page.get_by_role("alert").filter(has_text="Too heavy.")
    expect(bar).to_be_visible()
    page.get_by_role("button", name="Understood").click()
    expect(page.get_by_test_id("refusal")).to_have_count(0)


def test_a_press_on_an_older_refusal_leaves_the_newer_one() -> None:
    bar = RefusalBar()
    bar.show("one")
    bar.show("two")
    bar._handle_msg({"n": 1})
    assert bar.refusal["sentence"] == "two"
    bar._handle_msg({"n": 2})
    assert bar.refusal["sentence"] == ""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
@pytest.mark.parametrize("dark", [False, True])
def test_bench_has_large_targets_and_no_grave_finding(
    url: str, open_screen: Callable[..., Screen], width: int, height: int, dark: bool
) -> None:
    screen = open_screen(url, width=width, height=height, dark=dark)
    screen.signed_in("ama", SECRET)
    page = screen.go("/kiosk")
    assert page.evaluate("() => document.documentElement.dataset.theme") == (
        "dark" if dark else "light"
    )
    assert grave_findings(page) == []
    for button in page.get_by_role("main").get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 72, button.inner_text()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_refused_signature_is_a_sentence_not_a_fault() -> None:
    with pytest.raises(Refused, match="do not fit"):
        PLANT.accounts.authenticate("B-1", "x", None)


def test_signing_out_in_one_tab_takes_the_other_to_the_form(
    url: str, open_screen: Callable[..., Screen]
) -> None:
    screen = open_screen(url)
    screen.signed_in("ama", SECRET)
    kept = screen.go("/kiosk")
    other = screen.page.context.new_page()
    other.goto(url + "/logout")
    other.get_by_role("button", name="Sign out now").click()
    kept.wait_for_url(lambda address: "/login?next=%2Fkiosk" in address)
    screen.errors.clear()  # the browser logs the 401 by which the page learned it


def test_a_page_says_when_the_server_is_gone_and_comes_back(
    open_screen: Callable[..., Screen],
) -> None:
    with running(create_app(PLANT, pages=PAGES)) as address:
        screen = open_screen(address)
        screen.signed_in("ama", SECRET)
        page = screen.go("/kiosk")
        expect(page.locator("#bw-lost")).to_be_hidden()
    expect(page.locator("#bw-lost")).to_contain_text("Nothing entered now is recorded")
    expect(page.locator("#bw-lost")).to_contain_text("Last data at ")
    screen.errors.clear()


@pytest.mark.requirement("H7")
def test_a_page_without_its_server_forgets_what_it_showed_after_half_an_hour(
    open_screen: Callable[..., Screen],
) -> None:
    with running(create_app(PLANT, pages=PAGES)) as address:
        screen = open_screen(address)
        screen.signed_in("ama", SECRET)
        screen.page.clock.install()
        page = screen.go("/kiosk")
    expect(page.locator("#bw-lost")).to_contain_text("Last data at ")
    page.clock.fast_forward("29:00")
    expect(page.locator("#bw-lost")).to_contain_text("Last data at ")
    assert page.locator("#main").count() == 1
    page.clock.fast_forward("02:00")
    expect(page.locator("#bw-lost")).to_contain_text("What was shown here is gone.")
    assert page.locator("#main").count() == 0
    screen.errors.clear()


def test_scheme_follows_the_choice_before_the_browser(
    url: str, open_screen: Callable[..., Screen]
) -> None:
    screen = open_screen(url, dark=True)
    screen.signed_in("ama", SECRET)
    page = screen.go("/kiosk?theme=light")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    screen.go("/kiosk")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Light", exact=True).click()
    expect(root).to_have_attribute("data-theme", "light")
    screen.go("/kiosk")
    expect(root).to_have_attribute("data-theme", "light")
