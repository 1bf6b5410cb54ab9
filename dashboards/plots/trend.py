"""Lines over ordered buckets: OEE by shift or hour, rates with limits. Unknown is a gap."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource, Range1d

from dashboards import charts
from dashboards.plots import base

MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "star")
DASHES = ("solid", [8, 3], [2, 2], [10, 3, 2, 3], "solid", [8, 3], [2, 2])
POINTS = ("key", "x", "y", "what", "says")
SPREADS = ("x", "low", "high", "what", "says")
NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bucket of a series; `value` None is a gap, `low` and `high` what it may be."""

    key: str
    x: float
    value: float | None
    what: str
    says: str
    low: float | None = None
    high: float | None = None


class LineChart:
    """Named series over the same buckets; limits are drawn once, at the start.

    Args of the constructor:
        slots: how many series there may be when `names` is set anew.
    """

    def __init__(
        self,
        names: Sequence[str],
        unit: str,
        *,
        limits: Mapping[str, float] | None = None,
        height: int = 300,
        floor: float = 0,
        slots: int = 0,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._span, self._values = Range1d(-0.5, 1), Range1d(floor, 1)
        self.figure = base.new(height=height, x_range=self._span, y_range=self._values)
        made = self.figure
        made.yaxis.axis_label = unit
        made.xgrid.grid_line_color = None
        self._labels = [base.limit(made, at, words) for words, at in (limits or {}).items()]
        self.names = list(names)
        self._slots = [self._slot(at, told) for at in range(max(slots, len(self.names)))]
        self.pane: pn.pane.Bokeh = base.pane(made, height=height)

    def _slot(
        self, at: int, told: Callable[[str], None] | None
    ) -> tuple[ColumnDataSource, ColumnDataSource]:
        made, own, color = self.figure, charts.colours(), charts.series()[at % 7]
        points = ColumnDataSource(base.columns([], POINTS))
        spreads = ColumnDataSource(base.columns([], SPREADS))
        spread = made.vbar(
            x="x", bottom="low", top="high", width=0.34, source=spreads, fill_alpha=0,
            line_color=color, hatch_pattern=base.HATCH, hatch_color=color, hatch_scale=6,
        )  # fmt: skip
        made.line(
            x="x", y="y", source=points, line_color=color, line_width=2, line_dash=DASHES[at % 7]
        )
        dots = base.still(
            made.scatter(
                x="x", y="y", source=points, size=9, marker=MARKERS[at % 7],
                fill_color=own.surface, line_color=color, line_width=2,
            )
        )  # fmt: skip
        base.hover(made, [dots, spread], [("", "@what"), ("", "@says")])
        if told is not None:
            base.on_tap(made, [dots], points, told=told)
        return points, spreads

    def key(self, names: Container[str]) -> dict[str, int]:
        """Return the drawn series with their places in the house's colours and marks."""
        return {name: at for at, name in enumerate(self.names) if name in names}

    def show(
        self,
        series: Mapping[str, Sequence[Point]],
        places: Mapping[float, str],
        *,
        top: float | None = None,
        bottom: float | None = None,
    ) -> None:
        """Draw all series; the axis starts at its floor unless `bottom` lifts it."""
        seen: list[float] = []
        for at, (points, spreads) in enumerate(self._slots):
            given = series.get(self.names[at], ()) if at < len(self.names) else ()
            base.refill(points, [_point(one) for one in given], POINTS)
            unsure = [one for one in given if one.low is not None and one.high is not None]
            base.refill(spreads, [_spread(one) for one in unsure], SPREADS)
            seen += [one.value for one in given if one.value is not None]
            seen += [one.high for one in unsure if one.high is not None]
        last = max(places, default=0)
        self._span.start, self._span.end = -0.6, max(last, 1) * 1.08 + 0.7
        for label in self._labels:
            label.x = self._span.end
        if bottom is not None:
            self._values.start = bottom
        self._values.end = top if top is not None else max(seen, default=1) * 1.12 or 1
        base.ticks(self.figure.xaxis[0], places)


def _point(one: Point) -> dict[str, Any]:
    return {
        "key": one.key,
        "x": one.x,
        "y": NAN if one.value is None else one.value,
        "what": one.what,
        "says": one.says,
    }


def _spread(one: Point) -> dict[str, Any]:
    return {"x": one.x, "low": one.low, "high": one.high, "what": one.what, "says": one.says}
