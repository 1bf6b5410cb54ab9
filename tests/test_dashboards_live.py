import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import pytest

from dashboards import live
from dashboards.live import Hub, News, Tailer
from dashboards.turns import PageGone
from tests.patience import eventually


class Page:
    """A document that runs its turns when the test says so."""

    def __init__(self) -> None:
        self.turns: list[Callable[[], None]] = []
        self.gone = False

    def take(self, turn: Callable[[], None]) -> None:
        if self.gone:
            raise PageGone
        self.turns.append(turn)

    def run(self) -> int:
        done, self.turns = self.turns, []
        for turn in done:
            turn()
        return len(done)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub(hand_over=Page.take)
    yield made
    made.close()


def test_news_between_two_turns_are_one_and_the_newest(hub: Hub, page: Page) -> None:
    told: list[Mapping[str, News]] = []
    hub.attach(page, ["batch/1", "ledger"], told.append, after=0)
    for value in range(50):
        hub.publish("batch/1", value)
        hub.publish("other", value)
    eventually(lambda: page.turns)
    assert page.run() == 1
    assert [{topic: news.value for topic, news in one.items()} for one in told] == [{"batch/1": 49}]


@pytest.mark.requirement("D6")
@pytest.mark.parametrize(("topic", "a_second"), [("ledger", 2), ("scale/SC-1", 5)])
def test_a_page_is_told_at_its_pace(hub: Hub, page: Page, topic: str, a_second: int) -> None:
    told: list[float] = []
    hub.attach(page, [topic], lambda news: told.append(time.monotonic()), after=0)
    values = count()

    def told_often() -> bool:
        hub.publish(topic, next(values))
        page.run()
        return len(told) > 5

    eventually(told_often)
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert 1 / a_second - 0.02 <= min(gaps) < 1


@pytest.mark.requirement("J6")
def test_the_last_news_arrive_although_nothing_follows(hub: Hub, page: Page) -> None:
    values: list[Any] = []
    hub.attach(page, ["ledger"], lambda news: values.append(news["ledger"].value), after=0)
    hub.publish("ledger", 1)
    eventually(page.run)
    hub.publish("ledger", 2)  # inside the pause
    eventually(page.run)
    assert values == [1, 2]


@pytest.mark.requirement("D6")
def test_a_slow_topic_does_not_hold_up_the_scale(hub: Hub, page: Page) -> None:
    seen: list[set[str]] = []
    hub.attach(page, ["ledger", "scale/SC-1"], lambda news: seen.append(set(news)), after=0)
    hub.publish("ledger", 1)
    hub.publish("scale/SC-1", 1)
    eventually(page.run)
    hub.publish("ledger", 2)
    hub.publish("scale/SC-1", 2)
    eventually(page.run)
    assert seen == [{"ledger", "scale/SC-1"}, {"scale/SC-1"}]
    eventually(page.run)
    assert seen[-1] == {"ledger"}


@pytest.mark.requirement("J6")
def test_what_came_while_a_page_read_is_told_first(hub: Hub, page: Page) -> None:
    hub.publish("batch/1", "before")
    hub.publish("batch/2", "before")
    newest = hub.newest
    hub.publish("batch/1", "meanwhile")
    told: list[Mapping[str, News]] = []
    hub.attach(page, ["batch/1", "batch/2", "batch/3"], told.append, after=newest)
    eventually(page.run)
    assert [{topic: news.value for topic, news in one.items()} for one in told] == [
        {"batch/1": "meanwhile"}
    ]


@pytest.mark.requirement("D6")
def test_a_weight_does_not_wait_for_what_a_page_missed(hub: Hub, page: Page) -> None:
    hub.publish("ledger", 1)
    hub.publish("scale/SC-1", 1)
    told: list[set[str]] = []
    topics = ["ledger", "scale/SC-1"]
    hub.attach(page, topics, lambda news: told.append(set(news)), after=0, rest_s=1)
    hub.publish("scale/SC-1", 2)
    eventually(page.run)
    eventually(page.run)
    assert told == [{"scale/SC-1"}, {"ledger"}]


@pytest.mark.requirement("J6")
def test_a_page_that_missed_nothing_is_told_nothing(hub: Hub, page: Page) -> None:
    hub.publish("batch/1", "before")
    hub.attach(page, ["batch/1"], lambda _news: None, after=hub.newest)
    time.sleep(0.05)
    assert page.turns == []


@pytest.mark.requirement("J6")
def test_topics_long_silent_are_forgotten(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "KEPT", 3)
    for topic in ("a", "b", "c", "a", "d"):
        hub.publish(topic, topic)
    assert [topic for topic in "abcd" if hub.latest(topic)] == ["a", "c", "d"]


@pytest.mark.requirement("J6")
def test_a_fault_in_handing_over_silences_one_page_only(page: Page) -> None:
    def fails_for_some(document: Page, turn: Callable[[], None]) -> None:
        if document is not page:
            raise ValueError("no turn")
        document.take(turn)

    hub = Hub(hand_over=fails_for_some)
    hub.attach(Page(), ["ledger"], lambda _news: None, after=0)
    told: list[Any] = []
    hub.attach(page, ["ledger"], told.append, after=0)
    hub.publish("ledger", 1)
    eventually(page.run)
    eventually(lambda: len(hub) == 1)
    hub.close()
    assert len(told) == 1


def test_a_page_that_leaves_is_told_no_more(hub: Hub, page: Page) -> None:
    told: list[Any] = []
    number = hub.attach(page, ["ledger"], told.append, after=0)
    hub.publish("ledger", 1)
    eventually(lambda: page.turns)
    hub.unsubscribe(number)
    page.run()
    assert (told, len(hub)) == ([], 0)


def test_a_document_that_is_gone_is_forgotten(hub: Hub, page: Page) -> None:
    hub.attach(page, ["ledger"], lambda news: None, after=0)
    page.gone = True
    hub.publish("ledger", 1)
    eventually(lambda: len(hub) == 0)


@dataclass
class Line:
    seq: int
    stream: str


class Ledger:
    def __init__(self) -> None:
        self.lines = [Line(n + 1, "batch/1") for n in range(5)]
        self.lock = threading.Lock()

    def entries(self, after: int = 0, limit: int = 1000) -> list[Line]:
        with self.lock:
            return [line for line in self.lines if line.seq > after][:limit]

    def size(self) -> int:
        return len(self.lines)


@pytest.mark.requirement("J6")
def test_the_tailer_starts_at_the_end_and_publishes_by_kind_and_stream(hub: Hub) -> None:
    ledger = Ledger()
    tailer = Tailer(ledger, hub, poll_s=0.02)
    tailer.start()
    with ledger.lock:
        ledger.lines += [Line(6, "batch/1"), Line(7, "lot/L-1"), Line(8, "batch/2")]
    tailer.wake()
    eventually(lambda: hub.latest("ledger"))
    tailer.stop()
    topics = ("ledger", "kind/batch", "kind/lot", "batch/1", "batch/2", "lot/L-1")
    assert {topic: hub.latest(topic).value.seq for topic in topics} == {  # type: ignore[union-attr]
        "ledger": 8, "kind/batch": 8, "kind/lot": 7, "batch/1": 6, "batch/2": 8, "lot/L-1": 7,
    }  # fmt: skip
    assert hub.latest("kind/order") is None


class Flaky(Ledger):
    """A ledger whose next read fails."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = threading.Event()

    def entries(self, after: int = 0, limit: int = 1000) -> list[Line]:
        if not self.broken.is_set():
            self.broken.set()
            raise OSError("disk")
        return super().entries(after, limit)


@pytest.mark.requirement("J6")
def test_the_tailer_goes_on_after_a_fault(hub: Hub) -> None:
    ledger = Flaky()
    tailer = Tailer(ledger, hub, poll_s=0.02)
    tailer.start()
    eventually(ledger.broken.is_set)
    with ledger.lock:
        ledger.lines.append(Line(6, "batch/9"))
    eventually(lambda: hub.latest("batch/9"))
    tailer.stop()
