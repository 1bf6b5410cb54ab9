"""The page `/deviations`: its state is the URL; figures are shared and follow the watermark."""

import asyncio
from collections.abc import Mapping
from typing import Any

import panel.ui as pu

from dashboards import parts, visit
from dashboards.components.sheet import Sheet
from dashboards.operations import deviation_view as draw
from dashboards.operations.deviation_figures import (
    FIELDS,
    HERE,
    Ask,
    DeviationView,
    ask_of,
    view_of,
)
from dashboards.operations.figures import TOPIC, Figures
from dashboards.operations.page import CSS
from dashboards.operations.rights import rights_of
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.plots import base
from dashboards.plots.bars import BarChart
from dashboards.plots.control import ControlChart
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

PIECES = ("trend_head", "trend_table", "cause_head", "cause_table", "records")


class DeviationPage:
    """One visit to `/deviations`."""

    def __init__(self, plant: PlantServices, viewer: Viewer, figures: Figures) -> None:
        self._plant, self._figures = plant, figures
        self._rights = rights_of(plant, viewer)
        self._document = visit.document()
        self._ask = ask_of({name: visit.query(name) for name in FIELDS})
        self.top = Sheet(self._go, css=CSS, follows=True)
        self.sheets = {name: Sheet(self._go, css=CSS) for name in PIECES}
        self._trend = ControlChart("Per 1,000 steps")
        self._causes = BarChart("Deviations", cumulative=True, whole=True)
        hub = plant.hub
        hub.subscribe([TOPIC], lambda _news: visit.aside(self._redraw), after=hub.newest)
        self._draw(view_of(figures, self._ask))

    @property
    def body(self) -> list[Any]:
        """Return the page from the top down."""
        it = self.sheets

        def column(*pieces: Any) -> Any:
            return pu.Column(*pieces, sizing_mode="stretch_width", margin=0)

        pair = pu.Row(
            column(it["trend_head"], self._trend.pane, it["trend_table"]),
            column(it["cause_head"], self._causes.pane, it["cause_table"]),
            sizing_mode="stretch_width",
            margin=0,
        )
        return [self.top, pair, it["records"]]

    async def _redraw(self) -> None:
        ask = self._ask
        view = await asyncio.to_thread(view_of, self._figures, ask)
        visit.later(self._document, lambda: self._draw_if(ask, view))

    def _draw_if(self, ask: Ask, view: DeviationView) -> None:
        if ask == self._ask:
            self._draw(view)

    def _draw(self, view: DeviationView) -> None:
        ask, zone, rights = self._ask, self._plant.zone, self._rights
        show = self.sheets
        self.top.show(draw.head(view, ask, zone=zone))
        self._trend.show(*draw.spots(view, zone))
        show["trend_head"].show(draw.trend_head(view, ask))
        show["trend_table"].show(draw.trend_table(view, zone))
        self._causes.show(*draw.cause_bars(view))
        base.reveal(self._causes, bool(view.causes))
        show["cause_head"].show(draw.cause_head(view, ask))
        show["cause_table"].show(draw.cause_table(view, rights))
        show["records"].show(
            draw.recurring(view, rights),
            draw.listed(view, zone, rights),
            draw.near_misses(view, zone, rights),
        )

    async def _go(self, query: Mapping[str, str]) -> None:
        self._ask = ask_of(query)
        await self._redraw()


def deviations_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the page."""
    figures: Figures | None = plant.readers.get("figures")
    body: Any
    if figures is None:
        text = "This server follows no ledger. Start it with the plant's data."
        body = parts.html(parts.notice(State.UNKNOWN, "Nothing to show.", text))
    else:
        body = DeviationPage(plant, viewer, figures).body
    return frame("Deviations", body, viewer=viewer, nav=HERE, plant=plant.name, zone=plant.zone)
