"""Home by role: what waits for whom, with the reason and who can mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from analytics.oee import OeeRow
from core.clock import now
from core.equipment import RecordCalibration, RecordDailyCheck
from core.execution import Actor
from core.order import OpenOrder
from core.people import Person, PersonState, RecordFailedAuthentication
from dashboards import menu
from dashboards.home import lines_now, match_now
from dashboards.kiosk import board
from dashboards.kiosk.board import Place
from dashboards.names import Names
from dashboards.pages import PAGES
from dashboards.palette import State
from dashboards.session import Viewer
from dashboards.waiting import Here, Section, waiting
from tests.browser import Screen, grave_findings
from tests.plant import PEOPLE, ZONE, LivingPlant, running_plant
from tests.reviewing import SAYS, over_weighed

PLAIN = {"/help", "/people"}  # served as plain HTML, not as a live page


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingPlant]:
    with running_plant(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def held(plant: LivingPlant) -> str:
    return over_weighed(plant, "B1")


def here(plant: LivingPlant, person: str, station: str | None = None) -> Here:
    name, _, roles = PEOPLE[person]
    viewer = Viewer(person=person, name=name, roles=frozenset(roles), station=station)
    execution = plant.execution
    return Here(execution=execution, viewer=viewer, zone=ZONE, at=now(), names=Names(execution))


def titled(sections: list[Section], start: str) -> Section:
    return next(one for one in sections if one.title.startswith(start))


@pytest.mark.parametrize(
    ("person", "titles"),
    [
        ("olga", ["Batches in all rooms"]),
        ("sana", ["Orders to dispatch", "Batches at work"]),
        (
            "quinn",
            [
                "Deviations to disposition",
                "Batches to review",
                "Reopened batches to decide",
                "People locked",
            ],
        ),
        ("dora", ["Deviations of "]),
        ("erik", ["Scales due within 30 days, or not usable now"]),
        ("finn", []),
        ("ada", ["People locked out"]),
    ],
)
def test_each_role_sees_its_own_work(plant: LivingPlant, person: str, titles: list[str]) -> None:
    found = waiting(here(plant, person))
    assert len(found) == len(titles)
    assert all(one.title.startswith(title) for one, title in zip(found, titles, strict=True))
    assert all(one.empty.endswith(".") for one in found)


@pytest.mark.parametrize(("station", "has_it"), [("K-B1", True), ("K-B2", False), (None, True)])
def test_operator_sees_the_batches_of_the_own_room(
    plant: LivingPlant, held: str, station: str | None, has_it: bool
) -> None:
    [section] = waiting(here(plant, "olga", station))
    assert (held in [task.title for task in section.tasks]) is has_it


def test_held_batch_says_which_step_and_who_decides(plant: LivingPlant, held: str) -> None:
    task = next(
        one for one in titled(waiting(here(plant, "sana")), "Batches").tasks if one.title == held
    )
    assert task.word == f"Held by {plant.batch(held).held_by}, QA decides"
    assert task.lines[1] == "Step 4 of 9: Weigh Croscarmellose sodium"
    assert task.tone is State.HELD


def test_open_deviation_leads_quality_to_its_exception(plant: LivingPlant, held: str) -> None:
    [task] = titled(waiting(here(plant, "quinn")), "Deviations").tasks
    deviation = plant.batch(held).deviations[0]
    assert task.href == f"/review/batch/{held}?at={deviation}"
    assert task.lines[0] == SAYS
    [today] = titled(waiting(here(plant, "dora")), "Deviations").tasks
    assert today.word == "Open"


@pytest.mark.requirement("A4")
def test_order_that_is_not_ready_names_the_red_gate_and_its_owner(plant: LivingPlant) -> None:
    opening = OpenOrder(
        order="M-HALF", product="PARA500", quantity=Decimal(30), unit="kg", why="Half a batch."
    )
    plant.do(opening, "sana")
    tasks = titled(waiting(here(plant, "sana")), "Orders").tasks
    task = next(one for one in tasks if one.title == "M-HALF")
    assert task.word == "Not ready. Owner: planning"
    assert [gate.says for gate in task.red] == ["Order is for 30 kg, the recipe makes 60 kg."]
    ready = plant.opened()
    tasks = titled(waiting(here(plant, "sana")), "Orders").tasks
    assert tasks[0].title == ready
    assert (tasks[0].word, tasks[0].red) == ("Ready for B1, B2", ())


@pytest.mark.requirement("A4")
def test_kiosk_without_a_room_says_that_no_gate_was_checked(plant: LivingPlant) -> None:
    order = plant.opened()
    words = {}
    for room in ("B1", None):
        place = Place(room=room, scale=None, zone=ZONE, at=now())
        [row] = [one for one in board.orders(plant.execution, place).rows if one.id == order]
        words[room] = (row.tone, row.word, row.why)
    assert words["B1"] == (State.OK, "Ready", ())
    assert words[None] == (State.UNKNOWN, "Not checked", (board.NO_ROOM,))


@pytest.mark.parametrize(
    ("days", "is_listed", "tone"),
    [(31, False, None), (30, True, State.NEAR), (0, True, State.NEAR), (-1, True, State.BAD)],
)
def test_calibration_is_due_on_its_last_good_day(
    plant: LivingPlant, days: int, is_listed: bool, tone: State | None
) -> None:
    today = now().astimezone(ZONE).date()
    check = RecordDailyCheck(equipment="SC-B2", reading=plant.weight("5000", "SC-B2"))
    plant.do(check, "olga", station="K-B2")
    calibrated = RecordCalibration(
        equipment="SC-B2", certificate=f"CAL-{days}", calibrated_on=today - timedelta(days=200),
        due_on=today + timedelta(days=days),
    )  # fmt: skip
    plant.do(calibrated, "erik")
    [section] = waiting(here(plant, "erik"))
    tones = [task.tone for task in section.tasks if task.title.startswith("SC-B2")]
    assert tones == ([tone] if is_listed else [])


def test_locked_person_waits_for_the_administrator(plant: LivingPlant) -> None:
    failed = RecordFailedAuthentication(person="viktor", purpose="sign-in")
    for number in range(5):
        idem = f"fails:{number}"
        plant.execution.submit(failed, actor=Actor("service:security"), idem=idem)
    person = plant.execution.nouns.get(Person, "viktor")
    assert person is not None
    assert person.state is PersonState.LOCKED
    [section] = waiting(here(plant, "ada"))
    assert [task.title for task in section.tasks] == ["Viktor Vogel (viktor)"]


def test_age_is_told_from_the_given_instant(plant: LivingPlant, held: str) -> None:
    later = replace(here(plant, "quinn"), at=now() + timedelta(hours=3, minutes=6))
    [task] = titled(waiting(later), "Deviations").tasks
    assert task.since.startswith("for 3 h 0")


# -- figures of other floors ---------------------------------------------------------------------


def test_without_machine_data_nothing_is_guessed() -> None:
    assert "No machine data is read here." in lines_now(None)
    assert "%" not in lines_now(None)


def test_unknown_line_is_unknown_not_zero() -> None:
    line = SimpleNamespace(line="L1", name="Press <1>", row=None, now=None)
    view: Any = SimpleNamespace(day=None, shift="", lines=[line])
    drawn = lines_now(SimpleNamespace(oee=lambda *_: view))
    assert "Nothing known" in drawn
    assert "0.0 %" not in drawn
    assert "Press &lt;1&gt;" in drawn


@pytest.mark.requirement("J2")
@pytest.mark.parametrize(("unknown", "is_figure"), [(5, True), (6, False), (100, False)])
def test_oee_of_a_shift_of_which_too_little_is_known_is_no_figure(
    unknown: int, is_figure: bool
) -> None:
    row = OeeRow(planned_us=100, run_us=100 - unknown, unknown_us=unknown, pq=93, rated_pq=93,
                 ideal_total_us=93, ideal_good_us=93)  # fmt: skip
    line = SimpleNamespace(line="L1", name="Press", row=row, now=None)
    view: Any = SimpleNamespace(day="2026-03-02", shift="early", lines=[line])
    drawn = lines_now(SimpleNamespace(oee=lambda *_: view))
    assert ("93.0 %" in drawn) is is_figure
    assert ("no figure is valid" in drawn) is not is_figure


@pytest.mark.parametrize(
    ("reader", "sentence"),
    [
        (None, "No ERP is connected here. Nothing is compared, and nothing is called matched."),
        (SimpleNamespace(newest=None), "Reading the three sides …"),
    ],
)
def test_match_that_was_not_made_is_not_called_matched(reader: Any, sentence: str) -> None:
    assert sentence in match_now(reader)


# -- menu and pages ------------------------------------------------------------------------------


def test_the_menu_offers_only_pages_that_exist() -> None:
    served = {menu.section(path) for path in PAGES} | PLAIN
    assert {entry.path for entry in menu.MENU} - served == set()


def test_every_page_is_in_the_menus_table() -> None:
    for path in PAGES:
        assert menu.may_open(path, menu.ROLES), path


def test_home_freshens_when_the_floor_moves(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = plant.screen(open_screen, "sana").go("/")
    order = plant.opened()
    expect(page.get_by_role("link", name=order)).to_be_visible()


@pytest.mark.parametrize("person", ["olga", "sana", "quinn", "dora", "erik", "finn", "ada"])
def test_home_of_each_role_has_no_grave_finding(
    plant: LivingPlant, held: str, open_screen: Callable[..., Screen], person: str
) -> None:
    screen = plant.screen(open_screen, person, dark=person in ("sana", "dora"))
    page = screen.go("/")
    assert page.get_by_role("heading", level=1).inner_text() == "What waits for you"
    assert grave_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
