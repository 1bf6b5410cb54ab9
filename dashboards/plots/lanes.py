"""Lanes over time: one lane per line, one box per stretch, cut to a window."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import panel as pn
from bokeh.models import ColumnDataSource, FactorRange, Range1d, Span

from dashboards import charts
from dashboards.plots import base

NAMES = (
    "key", "lane", "left", "right", "height", "color", "line", "hatch", "what", "when", "more",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a kind of stretch is drawn; `height` from 0 to 1."""

    fill: str
    line: str
    hatch: str = " "
    height: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One stretch, times in milliseconds since 1970 UTC."""

    key: str
    lane: str
    start_ms: float
    end_ms: float
    look: Look
    what: str
    when: str
    more: str = ""


class LaneChart:
    """The timeline; a click tells the key of a box."""

    def __init__(self, told: Callable[[str], None] | None = None) -> None:
        own = charts.colours()
        self._boxes = ColumnDataSource(base.columns([], NAMES))
        self._lanes, self._span = FactorRange(factors=[]), Range1d(0, 1)
        self.figure = base.new(height=120, y_range=self._lanes, x_range=self._span)
        made = self.figure
        boxes = base.still(
            made.hbar(
                y="lane", left="left", right="right", height="height", source=self._boxes,
                fill_color="color", line_color="line", line_width=1, hatch_pattern="hatch",
                hatch_color="line", hatch_scale=8, hatch_weight=1.5,
            )
        )  # fmt: skip
        made.ygrid.grid_line_color = None
        made.yaxis.major_tick_line_color = None
        made.yaxis.major_label_text_font_size = "15px"
        self._now = Span(
            location=0, dimension="height", line_color=own.text, line_width=2, visible=False
        )
        made.add_layout(self._now)
        base.hover(made, [boxes], [("", "@what"), ("", "@when"), ("", "@more")])
        if told is not None:
            base.on_tap(made, [boxes], self._boxes, told=told)
        self.pane: pn.pane.Bokeh = base.pane(made, height=120)

    def show(
        self,
        boxes: Sequence[Box],
        lanes: Sequence[str],
        *,
        start_ms: float,
        end_ms: float,
        places: Mapping[float, str],
        zone: str,
        now_ms: float | None = None,
    ) -> None:
        """Draw stretches in a window; `places` are the ticks with their local times."""
        names = list(reversed(lanes))
        if self._lanes.factors != names:
            self._lanes.factors = names
        self._span.start, self._span.end = start_ms, end_ms
        base.ticks(self.figure.xaxis[0], places)
        self.figure.xaxis[0].axis_label = f"Plant time, {zone}"
        self._now.visible = now_ms is not None
        if now_ms is not None:
            self._now.location = now_ms
        rows = [
            {
                "key": box.key, "lane": box.lane, "left": box.start_ms, "right": box.end_ms,
                "height": box.look.height, "color": box.look.fill, "line": box.look.line,
                "hatch": box.look.hatch, "what": box.what, "when": box.when, "more": box.more,
            }
            for box in boxes
        ]  # fmt: skip
        base.refill(self._boxes, rows, NAMES)
        height = 66 + 62 * max(1, len(lanes))
        if self.figure.height != height:
            self.figure.height = self.pane.height = height
