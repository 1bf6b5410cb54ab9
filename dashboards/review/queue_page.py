"""The page `/review`: deviations to disposition on top, then batches; filters in the URL."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import panel.ui as pu
from markupsafe import Markup

from core.clock import now
from dashboards import parts, visit
from dashboards.names import Names
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.review.dossier import age
from dashboards.review.evidence import pane
from dashboards.review.pick import Pick
from dashboards.review.queue import SHOWS, SORTS, Queue, Queued, read_queue
from dashboards.review.strip import state_chip
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

SEVERITY = {
    "low": State.INFO, "medium": State.NEAR, "high": State.BAD, "critical": State.BAD,
}  # fmt: skip
PAGE, MOST = 50, 20  # batches of a page, and deviations on top of it
SORT_NAMES = {"age": "State, then age", "exceptions": "Open exceptions", "batch": "Batch number"}


def queue_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the queue."""
    newest = plant.hub.newest
    page = QueuePage(plant)
    topics = ["kind/deviation", "kind/batch"]
    plant.hub.subscribe(topics, lambda _news: page.redraw(), after=newest)
    return frame(
        "Review", page.body(), viewer=viewer, nav="/review", plant=plant.name, zone=plant.zone
    )


class QueuePage:
    """Filters and two tables."""

    def __init__(self, plant: PlantServices) -> None:
        self._plant, self._names = plant, Names(plant.execution)
        show, sort = visit.query("show", "open"), visit.query("sort", "age")
        self._show = Pick(
            {name: name.capitalize() for name in SHOWS},
            label="Show",
            value=show if show in SHOWS else "open",
            margin=(0, 16, 8, 10),
        )
        self._find = pu.TextInput(
            label="Find a batch, product or order", value=visit.query("find"), width=300,
            margin=(0, 6, 8, 0), size="small",
        )  # fmt: skip
        self._sort = pu.Select(
            label="Order by",
            options={words: name for name, words in SORT_NAMES.items()},
            value=sort if sort in SORTS else "age",
            width=200,
            margin=(0, 10, 8, 10),  # in line with the rest where it wraps
            size="small",
        )
        asked = visit.query("page")
        self._page = max(int(asked), 1) if asked.isdecimal() and len(asked) < 6 else 1
        self._top, self._table = pane(), pane()
        for control in (self._show, self._find, self._sort):
            control.param.watch(self._changed, "value")
        self.redraw()

    def body(self) -> list[Any]:
        bar = pu.FlexBox(self._show, self._find, self._sort, align_items="center", margin=0)
        return [self._top, bar, self._table]

    def _changed(self, *_: Any) -> None:
        self._page = 1
        visit.set_query(**self._chosen(), page=None)
        self.redraw()

    def _chosen(self) -> dict[str, str | None]:
        """Return the filters as the address has them."""
        return {
            "show": None if self._show.value == "open" else self._show.value,
            "find": self._find.value,
            "sort": None if self._sort.value == "age" else self._sort.value,
        }

    def redraw(self) -> None:
        """Read the queue again and show it."""
        queue = read_queue(
            self._plant.execution,
            show=self._show.value or "open",
            find=self._find.value or "",
            sort=self._sort.value,
            piece=slice((self._page - 1) * PAGE, self._page * PAGE),
        )
        pages = max(-(-queue.found // PAGE), 1)
        if self._page > pages:
            self._page = pages
            self.redraw()
            return
        self._show.count(queue.counts)
        self._top.object = parts.markup(deviations(queue, self._names))
        chosen = {name: value for name, value in self._chosen().items() if value}
        self._table.object = parts.markup(batches(queue), pager(chosen, self._page, pages))


def deviations(queue: Queue, names: Names) -> Markup:
    """Return the deviations that wait for a disposition, the oldest first."""
    at = now()
    rows = []
    for one in queue.deviations[:MOST]:
        exception = f"/review/batch/{one.batch}?at={one.deviation}"
        rows.append(
            (
                parts.link(one.deviation, exception),
                parts.chip(SEVERITY[one.severity.value], one.severity.value.capitalize()),
                Markup('<span class="nowrap">{}</span>').format(age(one.raised_at, at)),
                parts.link(one.batch, exception),
                one.step,
                Markup('{}<br><span class="muted">Reason given: {}</span>').format(
                    one.says, one.why
                ),
                names.name(one.raised_by),
            )
        )
    head = ("Deviation", "Severity", "Open for", "Batch", "Step", "What happened", "Raised by")
    title, more = f"Deviations to disposition, {len(queue.deviations)}", Markup("")
    if len(queue.deviations) > MOST:
        title += f": the {MOST} that are open longest"
        link = parts.link("Batches that a deviation holds", "/review?show=held")
        more = Markup("<p>{}</p>").format(link)
    shown = parts.table(
        title,
        head,
        rows,
        empty="None: no batch is held by a deviation.",
        testid="open-deviations",
    )
    return parts.join(shown, more)


def batches(queue: Queue) -> Markup:
    """Return a page of the batches that the filters leave."""
    head = (
        "Batch", "Product", "State", "For", "Open exceptions", "Open deviations", "Rules passed",
        "Gates green",
    )  # fmt: skip
    rows = [_row(one) for one in queue.batches]
    among = f", among the {queue.newest} that changed last" if queue.newest else ""
    empty = "No batch fits these filters. Show another state, or empty the search field."
    if not any(queue.counts.values()):
        empty = "No batch was made yet. A supervisor dispatches an order on the kiosk."
    return parts.table(
        f"Batches, {queue.found}{among}",
        head,
        rows,
        numbers=head[4:],
        empty=empty,
        testid="batches",
    )


def pager(chosen: Mapping[str, str], page: int, pages: int) -> Markup:
    """Return the way to the other pages of the batches, empty where there is one."""
    if pages == 1:
        return Markup("")
    steps = (("Previous", page - 1), ("Next", page + 1))
    links = [
        parts.link(words, "/review?" + urlencode({**chosen, "page": number}))
        for words, number in steps
        if 1 <= number <= pages
    ]
    words_ = Markup("<span>Page {} of {}, {} batches each</span>").format(page, pages, PAGE)
    return Markup('<nav class="pages" aria-label="Pages of the queue">{}{}</nav>').format(
        words_, parts.join(*links)
    )


def _row(it: Queued) -> tuple[object, ...]:
    batch = it.batch
    return (
        parts.link(batch.batch, f"/review/batch/{batch.batch}"),
        Markup('{}<br><span class="muted">Order {} · {}</span>').format(
            batch.content.product_name, batch.order, batch.room
        ),
        state_chip(batch.state),
        Markup('<span class="nowrap">{}</span>').format(age(it.since, now())),
        f"{it.open_exceptions} of {len(batch.exceptions)}",
        f"{it.open_deviations} of {len(batch.deviations)}",
        it.passed,
        f"{it.green} of {len(it.gates)}" if it.gates else "–",
    )
