"""A control chart: points, centre and limits that move with the size of each bucket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import panel as pn
from bokeh.models import ColumnDataSource, Range1d

from dashboards import charts
from dashboards.plots import base

POINTS = ("x", "y", "marker", "color", "size", "what", "says")
LINES = ("x", "center", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One bucket; limits are None where too little is known to draw any."""

    x: float
    value: float | None
    what: str
    says: str
    center: float | None = None
    low: float | None = None
    high: float | None = None
    is_signal: bool = False


class ControlChart:
    """Points outside the limits have their own mark, colour and words."""

    def __init__(self, unit: str, *, height: int = 300) -> None:
        own = charts.colours()
        self._points = ColumnDataSource(base.columns([], POINTS))
        self._lines = ColumnDataSource(base.columns([], LINES))
        self._span, self._values = Range1d(-0.6, 1), Range1d(0, 1)
        self.figure = base.new(height=height, x_range=self._span, y_range=self._values)
        made = self.figure
        made.yaxis.axis_label = unit
        made.xgrid.grid_line_color = None
        for name, dash, color in (
            ("high", "dashed", own.bad), ("low", "dashed", own.bad), ("center", "solid", own.muted),
        ):  # fmt: skip
            made.step(
                x="x", y=name, source=self._lines, mode="center", line_color=color,
                line_dash=dash, line_width=1.5,
            )  # fmt: skip
        made.line(x="x", y="y", source=self._points, line_color=charts.series()[0], line_width=2)
        dots = made.scatter(
            x="x", y="y", source=self._points, marker="marker", size="size",
            fill_color=own.surface, line_color="color", line_width=2.5,
        )  # fmt: skip
        base.hover(made, [dots], [("", "@what"), ("", "@says")])
        self.pane: pn.pane.Bokeh = base.pane(made, height=height)

    def show(self, spots: Sequence[Spot], places: Mapping[float, str]) -> None:
        """Draw buckets in order; both limits stay inside the axis."""
        own, color = charts.colours(), charts.series()[0]
        rows = [
            {
                "x": one.x, "y": one.value if one.value is not None else float("nan"),
                "marker": "x" if one.is_signal else "circle",
                "color": own.bad if one.is_signal else color, "size": 13 if one.is_signal else 9,
                "what": one.what, "says": one.says,
            }
            for one in spots
        ]  # fmt: skip
        base.refill(self._points, rows, POINTS)
        lines = [
            {"x": one.x, "center": one.center, "low": one.low, "high": one.high}
            for one in spots
            if one.center is not None and one.low is not None and one.high is not None
        ]
        base.refill(self._lines, lines, LINES)
        tops = [one.value for one in spots if one.value is not None]
        tops += [one.high for one in spots if one.high is not None]
        top = max(tops, default=0) or 1
        self._values.start, self._values.end = -0.03 * top, 1.1 * top
        self._span.start, self._span.end = -0.6, max(max(places, default=0), 1) + 0.6
        base.ticks(self.figure.xaxis[0], places)
