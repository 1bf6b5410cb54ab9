"""The page `/oee`: its state is the URL; figures come from `Figures`, drawn again as they move."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import panel.ui as pu
from markupsafe import Markup

from analytics.oee import percent
from core.errors import MesError, Refused
from core.line import LabelStop
from dashboards import parts, visit
from dashboards.components.sheet import Sheet
from dashboards.kiosk.lines import REASONS
from dashboards.operations import drill, kpi, sections, shapes, words
from dashboards.operations.ask import FIELDS, HERE, Ask, ask_of
from dashboards.operations.figures import TOPIC, Figures, OeeView
from dashboards.operations.rights import rights_of
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.plots.bars import BarChart
from dashboards.plots.lanes import LaneChart
from dashboards.plots.trend import LineChart
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

CSS = (Path(__file__).parent / "operations.css").read_text("utf-8")
PIECES = (
    "fall_head", "fall_table", "cause_head", "cause_table", "lane_head", "lane_table",
    "trend_head", "trend_table", "elements",
)  # fmt: skip

log = logging.getLogger(__name__)


class OeePage:
    """One visit to `/oee`."""

    def __init__(self, plant: PlantServices, viewer: Viewer, figures: Figures) -> None:
        self._plant, self._viewer, self._figures = plant, viewer, figures
        self._login, self._document = visit.login(), visit.document()
        self._ask = ask_of({name: visit.query(name) for name in FIELDS})
        self._note = Markup("")
        self._label_of: tuple[str, int, int | None] | None = None
        self._rights = rights_of(plant, viewer)
        self._bands = words.DEFAULT_BANDS
        self.top = Sheet(self._go, css=CSS, follows=True)
        self.drawer = Sheet(self._go, self._act, css=CSS, modal=True, margin=0)
        self.sheets = {name: Sheet(self._go, css=CSS) for name in PIECES}
        self._falls = BarChart("Hours", told=self._tapped)
        self._causes = BarChart("Minutes", cumulative=True, told=self._tapped)
        self._lanes = LaneChart(told=self._tapped)
        own = self._bands["oee"]
        newest = plant.hub.newest
        view = self._view()
        self._names = [one.line for one in view.lines]
        self._limits = {
            f"target {percent(own.high, 0)}": float(own.high * 100),
            f"minimum {percent(own.low, 0)}": float(own.low * 100),
        }
        self._trend = LineChart(self._names, "OEE, %", limits=self._limits, told=self._tapped)
        plant.hub.subscribe([TOPIC], lambda _news: visit.aside(self._redraw), after=newest)
        self._draw(view)
        if self._ask.drill:
            visit.aside(self._draw_drill)

    @property
    def body(self) -> list[Any]:
        """Return the page from the top down."""
        it = self.sheets

        def column(*pieces: Any) -> Any:
            return pu.Column(*pieces, sizing_mode="stretch_width", margin=0)

        pair = pu.Row(
            column(it["fall_head"], self._falls.pane, it["fall_table"]),
            column(it["cause_head"], self._causes.pane, it["cause_table"]),
            sizing_mode="stretch_width",
            margin=0,
        )
        return [
            self.top, it["lane_head"], self._lanes.pane, it["lane_table"], pair,
            it["trend_head"], self._trend.pane, it["trend_table"], it["elements"], self.drawer,
        ]  # fmt: skip

    # -- drawing -----------------------------------------------------------------------------

    def _view(self) -> OeeView:
        ask = self._ask
        return self._figures.oee(ask.line, *ask.window)

    async def _redraw(self) -> None:
        ask = self._ask
        view = await asyncio.to_thread(self._view)
        # charts are drawn by a worker's thread, as turns are, not by the event loop
        visit.later(self._document, lambda: self._draw_if(ask, view))

    def _draw_if(self, ask: Ask, view: OeeView) -> None:
        if ask == self._ask:
            self._draw(view)

    def _draw(self, view: OeeView) -> None:
        ask, zone, figures = self._ask, self._plant.zone, self._figures
        self.top.show(
            sections.head(
                view, ask, zone=zone, age_us=figures.age_us(), fault=figures.source.fault
            ),
            kpi.line_rows(view, ask, zone=zone, bands=self._bands),
        )
        found = shapes.causes(view)
        show = self.sheets
        show["fall_head"].show(sections.fall_head(view, ask))
        show["fall_table"].show(sections.fall_table(view, ask, zone))
        show["cause_head"].show(sections.cause_head(found, ask))
        show["cause_table"].show(sections.cause_table(view, found, ask, zone=zone))
        self._falls.show(shapes.fall_bars(view))
        self._causes.show(shapes.cause_bars(found), [one.cumulative for one in found])
        self._draw_lanes(view)
        self._draw_trend(view)
        show["elements"].show(sections.element_table(view, ask, zone))

    def _draw_lanes(self, view: OeeView) -> None:
        ask, zone = self._ask, self._plant.zone
        inside = view.start_us <= view.mark.at_us < view.end_us
        boxes, kinds = shapes.boxes(view, ask.line, zone)
        lanes = [one.line for one in view.lines if ask.line in ("", one.line)]
        self._lanes.show(
            boxes,
            lanes,
            start_ms=view.start_us / 1000,
            end_ms=view.end_us / 1000,
            places=shapes.hour_ticks(view.start_us, view.end_us, zone),
            zone=zone.key,
            now_ms=view.mark.at_us / 1000 if inside else None,
        )
        self.sheets["lane_head"].show(sections.lane_head(ask, kinds))
        self.sheets["lane_table"].show(sections.lane_table(view, ask, zone, rights=self._rights))

    def _draw_trend(self, view: OeeView) -> None:
        ask, zone = self._ask, self._plant.zone
        if ask.trend == "hour":
            rows = [row for row in view.by_hour if ask.line in ("", row.line)]
            hours, labels = shapes.hour_axis(view, zone)
            series = shapes.trend_points(
                rows,
                lambda row: hours[row.hour_us or 0],
                lambda row: shapes.hour_name(row.hour_us or 0, zone),
            )
        else:
            rows = [row for row in view.by_shift if ask.line in ("", row.line)]
            places, labels = shapes.shift_axis(rows)
            series = shapes.trend_points(
                rows,
                lambda row: places[(row.business_date, row.shift)],
                lambda row: f"{row.line}, {row.shift} shift of {row.business_date}",
            )
        self._trend.show(series, labels, top=100)
        self.sheets["trend_head"].show(
            sections.trend_head(ask, list(self._limits), self._trend.key(series))
        )
        self.sheets["trend_table"].show(sections.trend_table(view, rows, ask, zone=zone))

    async def _draw_drill(self) -> None:
        ask = self._ask
        if not ask.drill:
            self.drawer.show(Markup(""))
            return

        def read() -> tuple[OeeView, drill.Behind]:
            view = self._view()
            with self._figures.source.reader() as reader:
                return view, drill.behind(reader, view, ask)

        view, found = await asyncio.to_thread(read)
        if ask != self._ask:
            return
        if found.kind == "stop":
            it = found.stretches[0]
            self._label_of = (it.line, it.start_us, None if it.is_open else it.end_us)
        self.drawer.show(
            drill.drawer(
                found, view, ask, zone=self._plant.zone, rights=self._rights, note=self._note
            )
        )

    # -- what a person does ------------------------------------------------------------------

    async def _go(self, query: Mapping[str, str]) -> None:
        before, self._ask = self._ask, ask_of(query)
        if before.drill != self._ask.drill:
            self._note = Markup("")
        if replace(before, drill="") != replace(self._ask, drill=""):
            await self._redraw()
        await self._draw_drill()

    def _tapped(self, key: str) -> None:
        """Open what a mark of a chart stands for; a shift is shown, the rest is drilled into."""
        first, _, second = key.partition(":")
        if not first:
            return
        if first in ("loss", "stop"):
            asked = replace(self._ask, drill=key)
        elif second:
            asked = ask_of({"line": self._ask.line, "date": first, "shift": second})
        else:
            line = self._ask.line or next(iter(self._names), "")
            asked = replace(self._ask, drill=f"hour:{line}:{first}")
        self._send_to(asked)

    def _send_to(self, asked: Ask) -> None:
        query = dict.fromkeys(FIELDS) | {
            name: value
            for name, value in (
                ("line", asked.line),
                ("date", asked.day.isoformat() if asked.day else ""),
                ("shift", asked.shift),
                ("trend", asked.trend if asked.trend != "shift" else ""),
                ("drill", asked.drill),
            )
            if value
        }
        visit.set_query(**query)
        given = {name: value for name, value in query.items() if value}
        visit.soon(lambda: self._go(given))

    async def _act(self, act: str, press: str) -> None:
        kind, _, reason = act.partition(":")
        if kind != "label" or reason not in REASONS or self._label_of is None:
            return
        line, start_us, end_us = self._label_of
        said, category = REASONS[reason]
        command = LabelStop(
            line=line, start_us=start_us, end_us=end_us, reason=reason, category=category
        )
        self._note = await self._record(command, press, said)
        await self._draw_drill()

    async def _record(self, command: LabelStop, press: str, said: str) -> Markup:
        if self._login.ended:
            return parts.notice(State.BAD, "Not recorded.", "You are signed out. Sign in again.")
        actor = self._viewer.actor
        try:
            receipt = await asyncio.to_thread(
                self._plant.execution.submit, command, actor=actor, idem=f"oee-{press}"
            )
        except Refused as no:
            return parts.notice(State.BAD, "Refused.", str(no))
        except MesError as no:
            return parts.notice(State.BAD, "Changed.", str(no))
        except Exception:
            log.exception("a label was not recorded")
            text = "The server did not answer. Press again; it is recorded once."
            return parts.notice(State.BAD, "Not recorded.", text)
        await asyncio.to_thread(self._wait_for, receipt)
        return parts.notice(State.OK, "Recorded.", f"{command.line}: {said}.")

    def _wait_for(self, receipt: Any) -> None:
        wait_for = getattr(self._figures.source, "wait_for", None)
        if wait_for is not None and receipt.last_seq:
            wait_for(receipt.last_seq, 3.0)


def oee_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the page."""
    figures: Figures | None = plant.readers.get("figures")
    body: Any
    if figures is None:
        text = "This server reads no machine data. Start it with the plant's devices."
        body = parts.html(parts.notice(State.UNKNOWN, "Nothing to show.", text))
    else:
        body = OeePage(plant, viewer, figures).body
    return frame("OEE", body, viewer=viewer, nav=HERE, plant=plant.name, zone=plant.zone)
