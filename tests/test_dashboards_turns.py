"""Turns of a page, on a real server: none is lost, none runs beside another."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import param
import pytest

from dashboards import turns, visit
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame
from tests.patience import eventually
from tests.ui_plant import create_app, plant_of, running, signed_in


@dataclass
class Opened:
    """A page that somebody opened, and what its building was told to begin."""

    documents: list[Any] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    was_built: list[bool] = field(default_factory=list)

    def draw(self, plant: PlantServices, viewer: Viewer) -> Frame:
        self.documents.append(visit.document())
        self.was_built.append(visit.is_built())
        visit.soon(lambda: self.begun.append("soon"))
        visit.aside(self._began_aside)
        time.sleep(0.1)  # a page takes its time until its session is there
        return frame("Empty", [], viewer=viewer, nav="/", plant=plant.name, zone=plant.zone)

    async def _began_aside(self) -> None:
        self.begun.append("aside")

    @property
    def document(self) -> Any:
        return self.documents[-1]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    it = Opened()
    with running(create_app(plant_of(), pages={"/": it.draw})) as url:
        assert signed_in(url, "dora").get("/").status_code == 200
        yield it


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take over from each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.requirement("J6")
@pytest.mark.usefixtures("hasty")
def test_no_turn_is_lost_while_a_page_draws(opened: Opened) -> None:
    document, asked, ran = opened.document, 0, list[int]()
    done = threading.Event()

    def draw() -> None:
        end = time.monotonic() + 2
        while time.monotonic() < end:  # as each change of a figure does, here without a pause
            document.hold("combine")
            document.unhold()
        done.set()

    visit.later(document, draw)
    while not done.is_set():
        visit.later(document, lambda number=asked: ran.append(number))
        asked += 1
        time.sleep(0.0005)
    eventually(lambda: len(ran) == asked)
    assert ran == list(range(asked))


@pytest.mark.requirement("J6")
def test_turns_of_a_page_follow_each_other(opened: Opened) -> None:
    inside, most, ran = 0, 0, list[int]()

    def turn(number: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.002)
        inside -= 1
        ran.append(number)

    def hand_over(first: int) -> None:
        for number in range(first, first + 20):
            visit.later(opened.document, lambda number=number: turn(number))

    threads = [threading.Thread(target=hand_over, args=(100 * n,)) for n in range(4)]
    for one in threads:
        one.start()
    eventually(lambda: len(ran) == 80)
    assert most == 1
    for n in range(4):
        own = [number for number in ran if number // 100 == n]
        assert own == sorted(own)


@pytest.mark.requirement("J6")
def test_what_a_page_begins_while_it_is_built_waits_for_its_session(opened: Opened) -> None:
    eventually(lambda: sorted(opened.begun) == ["aside", "soon"])


@pytest.mark.requirement("J6")
def test_work_aside_gives_the_page_away_while_it_waits(opened: Opened) -> None:
    said, go_on = list[str](), threading.Event()
    locked = list[bool]()

    async def work() -> None:
        said.append("began")
        await asyncio.to_thread(go_on.wait, 10)
        locked.append(opened.document.session_context.session._lock.locked())
        said.append("went on")

    visit.later(opened.document, lambda: visit.aside(work))
    eventually(lambda: said == ["began"])
    visit.later(opened.document, lambda: said.append("a turn"))
    eventually(lambda: said == ["began", "a turn"])
    go_on.set()
    eventually(lambda: said == ["began", "a turn", "went on"])
    assert locked == [True]


@pytest.mark.requirement("D6")
def test_slow_reads_of_many_pages_stop_no_other_page(opened: Opened) -> None:
    begun, ran, go_on = list[int](), list[int](), threading.Event()

    async def read() -> None:
        begun.append(1)
        await asyncio.to_thread(go_on.wait, 20)

    for _ in range(20):
        visit.later(opened.document, lambda: visit.aside(read))
    eventually(lambda: len(begun) == 20)
    visit.later(opened.document, lambda: ran.append(1))
    try:
        eventually(lambda: ran == [1])
    finally:
        go_on.set()


@pytest.mark.requirement("J6")
def test_a_turn_that_is_a_coroutine_keeps_the_page(opened: Opened) -> None:
    said, go_on = list[str](), threading.Event()

    async def work() -> None:
        said.append("began")
        await asyncio.to_thread(go_on.wait, 10)
        said.append("ended")

    visit.later(opened.document, work)
    eventually(lambda: said == ["began"])
    visit.later(opened.document, lambda: said.append("a turn"))
    time.sleep(0.1)
    assert said == ["began"]
    go_on.set()
    eventually(lambda: said == ["began", "ended", "a turn"])


@pytest.mark.requirement("J6")
def test_work_aside_hears_of_the_fault_it_waited_for(opened: Opened) -> None:
    said = list[str]()

    def fail() -> None:
        raise LookupError("not there")

    async def work() -> None:
        try:
            await asyncio.to_thread(fail)
        except LookupError as fault:
            said.append(str(fault))
        await asyncio.sleep(0)
        said.append("went on")

    visit.later(opened.document, lambda: visit.aside(work))
    eventually(lambda: said == ["not there", "went on"])


@pytest.mark.requirement("J6")
def test_a_turn_knows_its_page_to_its_end(opened: Opened) -> None:
    seen = list[Any]()

    async def work() -> None:
        await asyncio.sleep(0.01)
        seen.append(visit.document())

    built = list[bool]()
    visit.later(opened.document, lambda: built.append(visit.is_built()))
    visit.later(opened.document, lambda: seen.append(visit.document()))
    visit.later(opened.document, work)
    visit.later(opened.document, lambda: visit.aside(work))
    eventually(lambda: len(seen) == 3)
    assert seen == [opened.document] * 3
    assert (opened.was_built, built) == ([False], [True])


@pytest.mark.requirement("J6")
def test_an_answer_of_a_widget_takes_the_pages_lock(opened: Opened) -> None:
    locked = list[bool]()

    class Widget(param.Parameterized):
        pressed = param.Integer(default=0)

    async def answer(_: Any) -> None:
        await asyncio.sleep(0.01)
        locked.append(opened.document.session_context.session._lock.locked())

    widget = Widget()
    widget.param.watch(answer, "pressed")
    visit.later(opened.document, lambda: widget.param.update(pressed=1))
    eventually(lambda: locked == [True])


@pytest.mark.requirement("J6")
def test_a_turn_that_fails_is_logged_and_the_next_one_runs(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    ran = list[int]()

    def fail() -> None:
        raise ValueError("in a turn")

    with caplog.at_level(logging.ERROR, logger="dashboards.turns"):
        visit.later(opened.document, fail)
        visit.later(opened.document, lambda: ran.append(1))
        eventually(lambda: ran == [1])
    assert "a turn of a page failed" in caplog.text
    assert "in a turn" in caplog.text


@pytest.mark.requirement("J6")
def test_a_page_that_is_gone_takes_no_turn() -> None:
    it = Opened()
    with running(create_app(plant_of(), pages={"/": it.draw})) as url:
        assert signed_in(url, "dora").get("/").status_code == 200
    with pytest.raises(turns.PageGone):
        turns.hand_over(it.document, lambda: None)
    visit.later(it.document, lambda: None)  # nobody is told
