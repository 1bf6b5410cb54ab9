"""The page `/kiosk`: where it is, what it shows, and when it draws anew.

Where the page is stands in the URL (`batch`, `order`, `view`, `line`, `stop`, `do`); how far a
step is stands in the ledger. So a reload, or another kiosk, shows the same.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import panel as pn
from markupsafe import Markup

from core.batch.amendment import standing
from core.batch.state import DECIDED, Batch
from core.clock import now
from core.reading import ScaleReading
from dashboards import parts, visit
from dashboards.components.announcer import Announcer
from dashboards.kiosk import done, draw, hand, lines, lists, newborn, second, weigh
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.look import Doing, StepLook, scale_look
from dashboards.live import News
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

TAG = re.compile("<[^>]*>")
WHERE = ("batch", "order", "view", "line", "stop", "do", "page")
SCREENS = {**weigh.SCREENS, **hand.SCREENS, **second.SCREENS}
ROOT = """
:host { min-height: calc(100vh - 150px); width: 100%; padding: 0 10px; box-sizing: border-box; }
@media (min-width: 1700px) and (min-height: 950px) {
  :host { zoom: 1.25; min-height: calc(80vh - 120px); }
}
"""
BAR = """
:host { margin-top: auto; position: sticky; bottom: 0; z-index: 5; padding: 6px 0 4px;
  background: var(--bw-page); border-top: 1px solid var(--bw-line); }
"""
SIDE = ":host { margin-left: 28px; }"
ROW = ":host { align-items: center; gap: 18px; margin-top: 6px; }"


def _nothing() -> pn.Spacer:
    """Return what stands where nothing does; an empty layout is a fault to Bokeh."""
    return pn.Spacer(height=0, margin=0)


class Kiosk:
    """One open kiosk page."""

    def __init__(self, plant: PlantServices, viewer: Viewer) -> None:
        self.desk = Desk(plant, viewer)
        self.desk.at = {name: visit.query(name) for name in WHERE}
        self.desk.redraw = self.draw
        self.head = draw.piece()
        self.task = draw.piece()
        self.announcer = Announcer()
        self.main = pn.Column(_nothing(), margin=0, sizing_mode="stretch_width")
        self.side = pn.Column(_nothing(), margin=0, stylesheets=[SIDE])
        self.above = pn.Column(_nothing(), margin=0, sizing_mode="stretch_width")
        self.actions = pn.Row(_nothing(), margin=0, sizing_mode="stretch_width", stylesheets=[ROW])
        self._shown: object = None
        self._screen = Screen()
        self._watched: int | None = None
        self._topics: tuple[str, ...] = ()
        self._newest = 0
        self.root = pn.Column(
            self.head,
            self.desk.bar,
            self.announcer,
            pn.Row(
                pn.Column(self.task, self.main, margin=0, sizing_mode="stretch_width"),
                self.side,
                margin=0,
                sizing_mode="stretch_width",
            ),
            pn.Column(
                self.above,
                self.actions,
                margin=0,
                sizing_mode="stretch_width",
                stylesheets=[BAR],
            ),
            self.desk.dialog,
            margin=0,
            sizing_mode="stretch_width",
            stylesheets=[ROOT],
        )

    def draw(self) -> bool:
        """Draw what the ledger and the URL say now; return whether anything changed."""
        before, self._newest = self._shown, self.desk.plant.hub.newest
        with pn.io.hold():
            name = self.desk.at.get("batch")
            if name:
                self._draw_batch(name)
            else:
                self._draw_lists()
        return self._shown != before

    def _draw_batch(self, name: str) -> None:
        batch, desk = self.desk.batch(name), self.desk
        if batch is None:
            says = f"Batch {name}: not known here. Go back to the dispatch list."
            note = draw.piece(draw.note(State.BAD, says))
            back = lines.back_to_list(desk)
            self._put(Screen(key=says, main=[note], quiet=[back]))
            self._heads("", "")
            return
        if done.is_here(desk.at.get("do", "")):
            self._draw_done(standing(desk.execution.nouns, batch))
            return
        seen = desk.look(batch)
        deviates = desk.at.get("do") == "deviate" and seen.doing is Doing.POUR
        is_born = desk.at.get("do") == newborn.BEGINS and seen.doing is Doing.SCAN
        is_born = is_born and bool(desk.scanned)
        if (seen, deviates, is_born) == self._shown:
            return
        aside = newborn.screen if is_born else weigh.deviate_screen if deviates else None
        screen = (aside or SCREENS[seen.doing])(desk, seen)
        if seen.doing not in (Doing.OVER, Doing.HELD) and aside is None:
            screen.quiet.insert(0, lines.back_to_list(desk))
        worked = any(one.performed_by or one.partials for one in batch.steps)
        if worked and aside is None and batch.state not in DECIDED:
            screen.quiet.append(done.button(desk))
        screen.topics = (f"batch/{name}", "kind/deviation", "kind/equipment", "kind/line")
        screen.key = (seen, deviates, is_born)
        self._put(screen)
        self._heads(draw.head(seen), self._task(seen, deviates, is_born))

    def _draw_done(self, batch: Batch) -> None:
        key = (batch, self.desk.at.get("do"))
        if key == self._shown:
            return
        screen = done.screen(self.desk, batch)
        screen.key, screen.topics = key, (f"batch/{batch.batch}",)
        self._put(screen)
        self._heads(draw.head(self.desk.look(batch)), done.heading(self.desk, batch))

    def _task(self, seen: StepLook, deviates: bool, is_born: bool) -> Markup:
        if seen.doing is Doing.OVER:
            return Markup("")
        title = f"Step {seen.step} · {seen.title}"
        if is_born:
            return draw.task(f"{title} · an unknown lot", "Record it?", hazards=seen.hazards)
        if deviates:
            title = f"{title} · outside its limits"
            ask = "Why?"
            return draw.task(title, ask, hazards=seen.hazards)
        shows_how = seen.doing in (Doing.SCAN, Doing.CHECK_SCALE, Doing.START_LINE)
        why = seen.instruction if shows_how else ""
        return draw.task(title, seen.ask, hazards=seen.hazards, why=why)

    def _draw_lists(self) -> None:
        desk = self.desk
        place, order = desk.place(), desk.at.get("order")
        if desk.at.get("view") == "lines":
            screen, title, ask = lines.lines_screen(desk), "Name the reason of each stop.", "Lines"
        elif order:
            screen, title, ask = lists.order_screen(desk, order), "", lists.title(desk, order)
        else:
            ask = f"Room {place.room}" if place.room else "All rooms"
            screen, title = lists.list_screen(desk), "Dispatch list"
        self._put(screen)
        scale = scale_look(desk.execution, place.scale, at=now(), zone=place.zone)
        is_list = not order and desk.at.get("view") != "lines"
        bound = place.room is not None
        self._heads("", draw.place_task(title, ask, scale=scale, bound=bound, notes=is_list))

    def _heads(self, head: Any, task: Any) -> None:
        for pane, markup in ((self.head, head), (self.task, task)):
            text = parts.markup(markup) if markup else ""
            if pane.object != text:
                pane.object = text
        self.announcer.text = " ".join(unescape(TAG.sub(" ", task)).split())

    def _put(self, screen: Screen) -> None:
        if screen.key == self._shown:
            return
        self._shown, self._screen = screen.key, screen
        self.main[:] = screen.main or [_nothing()]
        self.side[:] = [screen.side or _nothing()]
        self.side.visible = screen.side is not None
        last = [] if screen.primary is None else [screen.primary]
        roomy = len(screen.quiet) <= 1
        middle = self.desk.said if roomy else pn.Spacer(sizing_mode="stretch_width")
        self.above[:] = [_nothing() if roomy else self.desk.said]
        self.actions[:] = [*screen.quiet, middle, *last]
        self._watch(screen)

    def _watch(self, screen: Screen) -> None:
        """Follow what this screen shows, and nothing else."""
        hub, topics = self.desk.plant.hub, screen.topics
        scale = self.desk.place().scale
        if screen.on_weight is not None and scale is not None:
            topics = (*topics, f"scale/{scale}")
            news = hub.latest(f"scale/{scale}")
            if news is not None:
                screen.on_weight(news.value)
        if topics == self._topics:
            return
        if self._watched is not None:
            hub.unsubscribe(self._watched)
        self._topics = topics
        self._watched = None
        if topics:
            self._watched = hub.subscribe(topics, self._news, after=self._newest)

    def _news(self, news: Mapping[str, News]) -> None:
        """Take what is new, on this page's own turn."""
        weights = [one.value for one in news.values() if isinstance(one.value, ScaleReading)]
        if len(news) > len(weights) and not self.desk.dialog.is_open and self.draw():
            self.desk.quiet()  # somebody else went on; what was recorded here is not the news
        if weights and self._screen.on_weight is not None:
            with pn.io.hold():
                self._screen.on_weight(weights[-1])


def kiosk_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the kiosk for one person at one station."""
    kiosk = Kiosk(plant, viewer)
    kiosk.draw()
    return frame(
        "Kiosk",
        kiosk.root,
        viewer=viewer,
        nav="/kiosk",
        plant=plant.name,
        zone=plant.zone,
        quiet_title=True,
    )
