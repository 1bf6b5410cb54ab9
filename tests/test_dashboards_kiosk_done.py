"""The kiosk's finished steps: a correction with its reason, the old value struck beside the new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from core.batch.state import StepState
from dashboards.kiosk.earlier import NoTime, instant
from tests.browser import Screen

if TYPE_CHECKING:
    from tests.plant import LivingPlant

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 11, 26, 5, 40, tzinfo=UTC)  # 06:40 in Berlin


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    from tests.plant import running_plant

    with running_plant(tmp_path_factory.mktemp("done")) as running:
        yield running


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("text", "ago"), [("06:40", 0), ("06:10", 30), ("06:42", 24 * 60 - 2), ("23:50", 410)]
)
def test_a_time_of_day_is_the_last_one_that_the_clocks_showed(text: str, ago: int) -> None:
    assert instant(text, at=AT, zone=BERLIN) == AT - timedelta(minutes=ago)


@pytest.mark.parametrize("text", ["", "640", "25:00", "06:61", "now"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(NoTime) as said:
        instant(text, at=AT, zone=BERLIN)
    assert str(said.value).endswith("is no time of day. Enter hours and minutes, such as 06:40.")


@pytest.mark.requirement("C4")
def test_a_value_is_corrected_and_the_old_one_is_struck(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    batch = plant.dispatched("B1")
    plant.brought_to(batch, "70")
    screen = plant.screen(open_screen, "olga", station="K-B1")
    page = screen.go(f"/kiosk?batch={batch}")
    page.get_by_test_id("steps").click()
    page.get_by_test_id("choice-60").click()
    page.get_by_test_id("keypad-value").fill("2.2")
    page.get_by_test_id("keypad-ok").click()
    expect(page.get_by_test_id("was")).to_have_text("2.1")
    expect(page.get_by_test_id("primary")).to_be_disabled()  # no reason yet
    page.get_by_label("Why?").fill("Read the wrong line.")
    expect(page.get_by_test_id("primary")).to_be_enabled()
    page.get_by_test_id("primary").click()
    row = page.get_by_test_id("choice-60")
    expect(row.locator("s")).to_have_text("2.1 %")
    expect(row).to_contain_text("Read the wrong line.")
    run = plant.batch(batch).run("60")
    assert run is not None
    assert (run.values, run.state) == ({"value": Decimal("2.2")}, StepState.DONE)
