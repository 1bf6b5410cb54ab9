"""Lists of a plant that has much: a page of them at a time, and never silently cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from core.clock import now
from dashboards import home
from dashboards.kiosk import board
from dashboards.kiosk.board import LONGEST, Place
from dashboards.names import Names
from dashboards.palette import State
from dashboards.review import queue_page
from dashboards.review.queue import read_queue
from dashboards.session import Viewer
from dashboards.waiting import MOST, Section, Task
from tests.browser import Screen, grave_findings, ready
from tests.plant import ZONE, LivingPlant, running_plant
from tests.reviewing import dispositioned, finished, over_weighed

ORDERS = 2 * LONGEST + 1
VIEWER = Viewer(person="sana", name="Sana Sommer", roles=frozenset({"supervisor"}))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    with running_plant(tmp_path_factory.mktemp("long")) as running:
        for _ in range(ORDERS):
            running.opened()
        yield running


@pytest.mark.requirement("N1")
def test_every_waiting_order_is_on_one_page_of_the_kiosk(plant: LivingPlant) -> None:
    place = Place(room="B1", scale="SC-B1", zone=ZONE, at=now())
    pages = [board.orders(plant.execution, place, page=page) for page in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [LONGEST, LONGEST, 1]
    assert {(page.count, page.pages) for page in pages} == {(ORDERS, 3)}
    assert len({row.id for page in pages for row in page.rows}) == ORDERS
    for beyond in (0, 4, 99999):
        assert board.orders(plant.execution, place, page=beyond) in (pages[0], pages[-1])


@pytest.mark.requirement("N1")
def test_kiosk_turns_the_pages_of_waiting_orders(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "sana", station="K-B1").go("/kiosk")
    ready(page)
    expect(page.get_by_text(f"1 to {LONGEST} of {ORDERS}, those due first")).to_be_visible()
    expect(page.get_by_test_id("earlier")).to_have_count(0)
    page.get_by_test_id("later").click()
    page.get_by_text(f"{LONGEST + 1} to {2 * LONGEST} of {ORDERS}").wait_for()
    page.get_by_test_id("later").click()
    page.get_by_text(f"{ORDERS} to {ORDERS} of {ORDERS}").wait_for()
    expect(page.get_by_test_id("later")).to_have_count(0)
    assert page.url.endswith("page=3")
    assert grave_findings(page) == []
    page.get_by_test_id("earlier").click()
    page.get_by_text(f"{LONGEST + 1} to").wait_for()


@pytest.mark.parametrize(("tasks", "is_cut"), [(MOST, False), (MOST + 1, True)])
def test_home_shows_the_first_of_a_kind_and_says_how_many_there_are(
    tasks: int, is_cut: bool
) -> None:
    one = Task(title="T", tone=State.OK, word="Ready")
    it = Section(title="Orders", tasks=(one,) * tasks, empty="", more=("List", "/kiosk"))
    text = home.section(it, VIEWER)
    assert text.count('<li class="ok">') == MOST
    assert (f"The first {MOST} of {tasks} are shown." in text) is is_cut
    assert "<small>400</small>" in home.section(
        Section(title="Orders", tasks=(one,), empty="", count=400), VIEWER
    )


@pytest.mark.requirement("I2")
def test_review_turns_the_pages_of_its_queue(
    plant: LivingPlant, open_screen: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_page, "PAGE", 1)
    first = over_weighed(plant)
    dispositioned(plant, first)
    finished(plant, first)
    second = over_weighed(plant, "B1")
    page = plant.screen(open_screen, "quinn").go("/review")
    rows = page.get_by_test_id("batches")
    expect(rows).to_contain_text("Batches, 2")
    expect(rows).to_contain_text(first)
    expect(rows).not_to_contain_text(second)
    pages = page.get_by_role("navigation", name="Pages of the queue")
    expect(pages).to_contain_text("Page 1 of 2")
    pages.get_by_role("link", name="Next").click()
    expect(rows).to_contain_text(second)
    assert grave_findings(page) == []
    page.get_by_test_id("pick-held").click()  # another filter begins at its first page
    expect(rows).to_contain_text("Batches, 1")
    expect(pages).to_have_count(0)
    page.wait_for_url("**/review?show=held")


def test_deviations_that_are_open_longest_stand_on_top_of_the_queue(
    plant: LivingPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_weighed(plant, "B1")
    over_weighed(plant, "B2")
    queue, names = read_queue(plant.execution), Names(plant.execution)
    found = len(queue.deviations)
    assert f"Deviations to disposition, {found}<" in queue_page.deviations(queue, names)
    monkeypatch.setattr(queue_page, "MOST", found - 1)
    text = queue_page.deviations(queue, names)
    assert f"Deviations to disposition, {found}: the {found - 1} that are open longest" in text
    assert queue.deviations[-1].deviation not in text
    assert "/review?show=held" in text
