"""The kiosk as an operator works with it: scan, weigh, sign, deviate, be held and freed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from core.batch.state import BatchState, StepState
from core.deviation import Deviation, DeviationState, DispositionDeviation
from core.deviation import Disposition as What
from core.order import Order
from tests.browser import Screen, grave_findings, ready

if TYPE_CHECKING:
    from tests.plant import LivingPlant

type Open = Callable[..., Screen]

PIN = "482913"
POVIDONE = "(01)04012345000030(10)PV-3302(21)1"
LACTOSE = "(01)04012345000023(10)LA-2291(21)1"
CROSCARMELLOSE = "(01)04012345000047(10)CC-4410(21)2"
SMALL = """() => {
  const found = [], walk = root => { for (const e of root.querySelectorAll('*')) {
    if (e.shadowRoot) walk(e.shadowRoot);
    if (e.tagName !== 'BUTTON' && e.tagName !== 'INPUT') continue;
    const r = e.getBoundingClientRect();
    const small = r.width && (r.height < 72 || r.width < 72);
    if (small) found.push(`${e.textContent}: ${r.width} x ${r.height}`);
  } };
  walk(document.querySelector('main')); return found;
}"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    """One plant for this module: each test takes a batch of its own."""
    from tests.plant import running_plant

    with running_plant(tmp_path_factory.mktemp("kiosk")) as running:
        yield running


@pytest.fixture
def olga(plant: LivingPlant, open_screen: Open) -> Screen:
    plant.scales["SC-B1"].remove()
    screen = plant.screen(open_screen, "olga", station="K-B1")
    return screen


def at_step(plant: LivingPlant, screen: Screen, step: str) -> tuple[str, Page]:
    batch = plant.dispatched("B1")
    plant.brought_to(batch, step)
    return batch, screen.go(f"/kiosk?batch={batch}")


def ask(page: Page, sentence: str) -> None:
    # While one step gives way to the next, both stand on the page for a moment.
    asked = page.get_by_test_id("ask").filter(has_text=sentence)
    expect(asked).to_be_visible()


def scan(page: Page, text: str) -> None:
    page.get_by_test_id("scan").fill(text)
    page.keyboard.press("Enter")


def sign(page: Page, badge: str, pin: str = PIN) -> None:
    page.get_by_test_id("signature-badge").fill(badge)
    page.keyboard.press("Enter")
    page.get_by_test_id("signature-pin").fill(pin)
    page.get_by_test_id("signature-sign").click()


def keyed(page: Page, digits: str) -> None:
    pad = page.get_by_test_id("keypad")
    for digit in digits:
        name = "Decimal point" if digit == "." else digit
        pad.get_by_role("button", name=name, exact=True).click()
    page.get_by_test_id("keypad-ok").click()


def poured(plant: LivingPlant, page: Page, label: str, *, gross_g: str) -> None:
    """Scan, take a tare of 412 g and pour until the pan carries so much."""
    scan(page, label)
    ask(page, "Put the empty container")
    plant.scales["SC-B1"].place_g(Decimal(412))
    expect(page.get_by_test_id("net")).to_contain_text("0.412")
    press_when_ready(page)
    ask(page, "Pour until")
    plant.scales["SC-B1"].place_g(Decimal(gross_g))


def press_when_ready(page: Page) -> None:
    expect(page.get_by_test_id("primary")).to_be_enabled()
    page.get_by_test_id("primary").click()


@pytest.mark.requirement("D4")
def test_wrong_container_stops_in_red_and_is_recorded(plant: LivingPlant, olga: Screen) -> None:
    batch, page = at_step(plant, olga, "30")
    ask(page, "Scan a container of Povidone K30.")
    expect(page.get_by_test_id("hazards")).to_contain_text("Dust: wear a mask")
    scan(page, LACTOSE)
    stop = page.get_by_test_id("refusal-stop")
    expect(stop).to_contain_text(
        "This is Lactose monohydrate, lot LA-2291. Step 30 needs Povidone K30."
        " Scan a Povidone K30 container."
    )
    box = stop.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (1280, 800)
    attempt = plant.execution.ledger.stream(f"refusal/batch/{batch}")[-1]
    assert (attempt.actor, attempt.data["rule"]) == ("olga", "WrongMaterial")
    page.get_by_role("button", name="Understood").click()
    scan(page, POVIDONE)
    ask(page, "Put the empty container on scale SC-B1.")


@pytest.mark.requirement("D1", "D5", "D6", "C2")
def test_weight_in_tolerance_is_recorded_and_verified_by_a_second_person(
    plant: LivingPlant, olga: Screen
) -> None:
    batch, page = at_step(plant, olga, "30")
    poured(plant, page, POVIDONE, gross_g="1500")
    expect(page.get_by_test_id("net")).to_contain_text("1.088")
    expect(page.get_by_test_id("primary")).to_be_disabled()
    plant.scales["SC-B1"].place_g(Decimal(2221))
    expect(page.get_by_test_id("weight-state")).to_contain_text("TOLERANCE")
    press_when_ready(page)
    ask(page, "A second person checks, then signs.")
    expect(page.get_by_test_id("recorded")).to_contain_text("Povidone K30, net 1.809 kg")
    run = plant.batch(batch).run("30")
    assert run is not None
    assert (run.net_g, run.tare_g, run.performed_by) == (Decimal(1809), None, "olga")
    assert run.partials[0].raw == "S S       2221 g"

    words = f"Batch {batch}, step 30, Weigh Povidone K30. PVP net 1809 g from lot PV-3302."
    expect(page.get_by_test_id("words")).to_contain_text(words)
    page.get_by_test_id("verify").click()
    expect(page.get_by_test_id("signature-what")).to_contain_text("Done by")
    page.get_by_test_id("signature-badge").fill("BADGE-OLGA")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-refusal")).to_have_text(
        "Olga Ortmann did this step (30); a second person must verify."
    )
    page.get_by_test_id("signature-badge").fill("BADGE-VIKTOR")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_have_text(words)
    expect(page.get_by_test_id("signature-meaning")).to_contain_text(
        "I verify that this step was done as written"
    )
    page.get_by_test_id("signature-pin").fill(PIN)
    page.get_by_test_id("signature-sign").click()
    ask(page, "Scan a container of Croscarmellose sodium.")
    signature = plant.batch(batch).signatures[-1]
    assert (signature.name, signature.words) == ("Viktor Vogel", words)


@pytest.mark.requirement("D6", "G1")
def test_overweight_holds_the_batch_until_quality_frees_it(
    plant: LivingPlant, olga: Screen
) -> None:
    batch, page = at_step(plant, olga, "40")
    poured(plant, page, CROSCARMELLOSE, gross_g="2879")
    expect(page.get_by_text("Too much: at most 2.424 kg.")).to_be_visible()
    expect(page.get_by_test_id("primary")).to_be_disabled()
    page.get_by_test_id("deviate").click()
    expect(page.get_by_test_id("primary")).to_be_disabled()
    page.get_by_test_id("choice-mixed").click()
    press_when_ready(page)
    held = page.get_by_test_id("held")
    expect(held).to_contain_text("net 2.467 kg is over the limits 2.376 kg to 2.424 kg")
    expect(held).to_contain_text("QA has been told")
    expect(page.get_by_test_id("facts")).to_contain_text("QA: Quinn Quast")
    found = plant.batch(batch)
    assert found.state is BatchState.HELD

    deviation = found.held_by or ""
    decision = DispositionDeviation(
        deviation=deviation, disposition=What.USE_AS_IS, assessment="Tablets still dissolve.",
        seen=plant.execution.seen(f"deviation/{deviation}"),
    )  # fmt: skip
    plant.do(decision, "quinn", signs=True)
    page.get_by_test_id("verify").wait_for()
    decided = plant.execution.nouns.get(Deviation, deviation)
    assert decided is not None
    assert decided.state is DeviationState.DISPOSITIONED


@pytest.mark.requirement("D7")
def test_two_containers_make_one_weight(plant: LivingPlant, olga: Screen) -> None:
    batch, page = at_step(plant, olga, "30")
    poured(plant, page, POVIDONE, gross_g="1212")
    expect(page.get_by_test_id("more")).to_be_enabled()
    page.get_by_test_id("more").click()
    ask(page, "Scan a container of Povidone K30.")
    expect(page.get_by_test_id("pours")).to_contain_text("0.800 kg")
    poured(plant, page, POVIDONE.replace("(21)1", "(21)2"), gross_g="1412")
    expect(page.get_by_test_id("net")).to_contain_text("1.800")
    press_when_ready(page)
    ask(page, "A second person checks")
    run = plant.batch(batch).run("30")
    assert run is not None
    assert [(one.container, one.net_g) for one in run.partials] == [
        ("1", Decimal(800)), ("2", Decimal(1000))
    ]  # fmt: skip


def test_press_that_came_too_late_does_not_leave_its_button_waiting() -> None:
    from dashboards.kiosk.press import Press

    done: list[str] = []
    press = Press("Accept", done.append, enabled=False)
    press._handle_msg({"id": "0" * 32})
    assert (press.answered, done) == (1, [])


@pytest.mark.requirement("N5")
def test_two_taps_record_once(plant: LivingPlant, olga: Screen) -> None:
    batch, page = at_step(plant, olga, "50")
    page.get_by_test_id("primary").dblclick()
    ask(page, "loss on drying")
    page.wait_for_timeout(500)
    facts = [one.type for one in plant.execution.ledger.stream(f"batch/{batch}")]
    assert facts[-3:] == ["step.started", "step.value-recorded", "step.completed"]
    assert plant.batch(batch).current is not None
    assert plant.batch(batch).current.step == "60"  # type: ignore[union-attr]


def test_value_outside_its_limits_is_shown_before_it_is_recorded(
    plant: LivingPlant, olga: Screen
) -> None:
    batch, page = at_step(plant, olga, "60")
    expect(page.get_by_test_id("primary")).to_be_disabled()
    keyed(page, "3.1")
    expect(page.get_by_test_id("entered")).to_have_text("3.1 %")
    expect(page.get_by_test_id("primary")).to_have_text("Record and hold the batch")
    page.get_by_test_id("keypad").get_by_role("button", name="Clear").click()
    keyed(page, "3.0")
    expect(page.get_by_test_id("primary")).to_have_text("Record")
    press_when_ready(page)
    ask(page, "A second person checks")
    run = plant.batch(batch).run("60")
    assert run is not None
    assert run.values == {"value": Decimal("3.0")}


def test_line_runs_from_start_to_end_of_its_step(plant: LivingPlant, olga: Screen) -> None:
    _, page = at_step(plant, olga, "70")
    ask(page, "Start this batch on line L1.")
    press_when_ready(page)
    ask(page, "Then end the run on L1.")
    press_when_ready(page)
    ask(page, "Compress at 600 mg")
    expect(page.get_by_test_id("primary")).to_have_text("Done as written")
    assert [one.type for one in plant.execution.ledger.stream("line/L1")][-2:] == [
        "run.started", "run.ended"
    ]  # fmt: skip


def test_labels_must_add_up_before_they_are_recorded(plant: LivingPlant, olga: Screen) -> None:
    batch, page = at_step(plant, olga, "90")
    for count in ("1000", "990", "6", "3"):
        keyed(page, count)
    expect(page.get_by_text("1 EA missing. Count again.")).to_be_visible()
    expect(page.get_by_test_id("primary")).to_be_disabled()
    page.get_by_test_id("choice-destroyed").click()
    keyed(page, "4")
    expect(page.get_by_text("All 1000 EA are accounted for.")).to_be_visible()
    press_when_ready(page)
    ask(page, "A second person checks")
    page.get_by_test_id("verify").click()
    sign(page, "BADGE-VIKTOR")
    ask(page, "Every step is complete. QA reviews the batch.")
    assert plant.batch(batch).state is BatchState.COMPLETE


@pytest.mark.requirement("F3")
def test_daily_check_fails_then_passes(plant: LivingPlant, open_screen: Open) -> None:
    batch = plant.dispatched("B2")
    plant.brought_to(batch, "20")
    screen = plant.screen(open_screen, "olga", station="K-B2")
    page = screen.go(f"/kiosk?batch={batch}")
    ask(page, "Put the 5.000 kg check weight on scale SC-B2, nothing else.")
    expect(page.get_by_test_id("primary")).to_be_disabled()  # an empty pan is no failed check
    plant.scales["SC-B2"].place_g(Decimal(5006))
    press_when_ready(page)
    expect(page.get_by_test_id("refusal")).to_contain_text(
        "Scale SC-B2: shows 5.006 kg, must show 4.995 kg to 5.005 kg."
    )
    plant.scales["SC-B2"].place_g(Decimal(5005))
    expect(page.get_by_test_id("net")).to_contain_text("5.005")
    press_when_ready(page)
    ask(page, "Scan a container of Povidone K30.")
    run = plant.batch(batch).run("20")
    assert run is not None
    assert run.state is StepState.COMPLETE


@pytest.mark.requirement("A4")
def test_supervisor_dispatches_an_order_with_green_gates(
    plant: LivingPlant, open_screen: Open
) -> None:
    order = plant.opened()
    screen = plant.screen(open_screen, "sana", station="K-B1")
    page = screen.go("/kiosk")
    page.get_by_test_id(f"choice-{order}").click()
    expect(page.get_by_test_id("gates")).to_contain_text("Recipe PARA500@1 is effective.")
    press_when_ready(page)
    expect(page.get_by_test_id("recorded")).to_contain_text(f"Order {order} is batch B")
    found = plant.execution.nouns.get(Order, order)
    assert found is not None
    expect(page.get_by_test_id(f"choice-{found.batch}")).to_be_visible()


def test_operator_sees_gates_and_cannot_dispatch(plant: LivingPlant, olga: Screen) -> None:
    order = plant.opened()
    page = olga.go(f"/kiosk?order={order}")
    expect(page.get_by_text("A supervisor dispatches this order.")).to_be_visible()
    expect(page.get_by_test_id("primary")).to_have_count(0)


def test_lost_link_shows_no_old_weight(plant: LivingPlant, olga: Screen) -> None:
    _, page = at_step(plant, olga, "30")
    poured(plant, page, POVIDONE, gross_g="2212")
    expect(page.get_by_test_id("primary")).to_be_enabled()
    plant.scales["SC-B1"].drop(3)
    expect(page.get_by_test_id("weight-state")).to_contain_text("NO LINK")
    expect(page.get_by_test_id("net")).not_to_contain_text("1.800")
    expect(page.get_by_test_id("primary")).to_be_disabled()


@pytest.mark.requirement("N1")
@pytest.mark.parametrize(
    ("width", "height", "dark"), [(1280, 800, False), (1920, 1080, True)], ids=["light", "dark"]
)
def test_targets_fit_gloves_and_pages_have_no_grave_finding(
    plant: LivingPlant, open_screen: Open, *, width: int, height: int, dark: bool
) -> None:
    screen = plant.screen(
        open_screen, "olga", station="K-B1", width=width, height=height, dark=dark
    )
    batch = plant.dispatched("B1")
    pages = ["/kiosk", "/kiosk?view=lines"]
    for path in pages:
        page = screen.go(path)
        assert (page.evaluate(SMALL), grave_findings(page)) == ([], [])
    for step in ("10", "30", "60", "90"):
        plant.brought_to(batch, step)
        page = screen.go(f"/kiosk?batch={batch}")
        ready(page)
        assert (step, page.evaluate(SMALL), grave_findings(page)) == (step, [], [])
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"step {step} is {wide} px wide"
