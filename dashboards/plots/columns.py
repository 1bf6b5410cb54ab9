"""Upright bars over ordered buckets, such as hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import panel as pn
from bokeh.models import ColumnDataSource, Range1d

from dashboards import charts
from dashboards.plots import base

NAMES = ("x", "top", "what", "says")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """One bar; `value` None is unknown and leaves its place empty."""

    x: float
    value: float | None
    what: str
    says: str


class ColumnChart:
    """Bars from zero, one for each bucket."""

    def __init__(self, unit: str, *, height: int = 280, target: float | None = None) -> None:
        self._bars = ColumnDataSource(base.columns([], NAMES))
        self._span, self._values = Range1d(-0.6, 1), Range1d(0, 1)
        self.figure = base.new(height=height, x_range=self._span, y_range=self._values)
        made, color = self.figure, charts.series()[0]
        made.yaxis.axis_label = unit
        made.xgrid.grid_line_color = None
        self._target = target
        self._label = None if target is None else base.limit(made, target, f"target {target:g}")
        bars = made.vbar(
            x="x", top="top", width=0.62, source=self._bars, fill_color=color, line_color=color
        )
        base.hover(made, [bars], [("", "@what"), (unit or "", "@says")])
        self.pane: pn.pane.Bokeh = base.pane(made, height=height)

    def show(self, towers: Sequence[Tower], places: Mapping[float, str]) -> None:
        """Draw bars in order."""
        known = [one for one in towers if one.value is not None]
        rows = [{"x": it.x, "top": it.value, "what": it.what, "says": it.says} for it in known]
        base.refill(self._bars, rows, NAMES)
        tops = [one.value for one in known if one.value is not None]
        tops += [] if self._target is None else [self._target]
        self._values.end = (max(tops, default=0) or 1) * 1.1
        self._values.start = min([0, *tops]) * 1.1
        self._span.start, self._span.end = -0.6, max(places, default=0) + 0.6
        if self._label is not None:
            self._label.x = self._span.end
        base.ticks(self.figure.xaxis[0], places)
