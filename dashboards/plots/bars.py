"""Horizontal bars: the Pareto of causes and the waterfall of time. Names never overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import panel as pn
from bokeh.models import BasicTicker, ColumnDataSource, FactorRange, LinearAxis, Range1d

from dashboards import charts
from dashboards.plots import base

NAMES = (
    "key",
    "name",
    "left",
    "right",
    "color",
    "hatch",
    "line",
    "says",
    "end",
    "tip",
    "align",
    "off",
    "ink",
    "veil",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar from `left` to `right`; `says` stands beside it, `is_unsure` hatches it."""

    key: str
    name: str
    left: float
    right: float
    color: str
    says: str
    tip: str = ""
    is_unsure: bool = False
    is_open: bool = False


def _row(bar: Bar, surface: str, ink: str, *, inside: bool) -> dict[str, Any]:
    bare = inside and not (bar.is_open or bar.is_unsure)
    return {
        "key": bar.key,
        "name": bar.name,
        "left": min(bar.left, bar.right),
        "right": max(bar.left, bar.right),
        "end": max(bar.left, bar.right),
        "color": surface if bar.is_open or bar.is_unsure else bar.color,
        "hatch": base.HATCH if bar.is_unsure else " ",
        "line": bar.color,
        "says": bar.says,
        "tip": bar.tip or bar.says,
        "align": "right" if inside else "left",
        "off": -14 if inside else 14,
        # on the bar's own colour words stand bare; elsewhere a veil keeps lines out of them
        "ink": surface if bare else ink,
        "veil": 0.0 if bare else 0.85,
    }


class BarChart:
    """Bars below each other; with `cumulative` a second axis from 0 to 100 %."""

    def __init__(
        self,
        unit: str,
        *,
        cumulative: bool = False,
        told: Callable[[str], None] | None = None,
        whole: bool = False,
    ) -> None:
        self._own = charts.colours()
        self._bars = ColumnDataSource(base.columns([], NAMES))
        self._line = ColumnDataSource({"x": [], "name": [], "says": []})
        self._names = FactorRange(factors=[])
        self._span, self._share = Range1d(0, 1), Range1d(0, 104)
        self.figure = base.new(height=200, y_range=self._names, x_range=self._span)
        made = self.figure
        bars = base.still(
            made.hbar(
                y="name", left="left", right="right", height=0.62, source=self._bars,
                fill_color="color", line_color="line", line_width=1.5,
                hatch_pattern="hatch", hatch_color="line", hatch_alpha=0.9, hatch_scale=8,
                hatch_weight=1.5,
            )
        )  # fmt: skip
        made.xaxis.axis_label = unit
        if whole:
            made.xaxis.ticker = BasicTicker(min_interval=1)
        made.ygrid.grid_line_color = None
        made.yaxis.major_tick_line_color = None
        base.hover(made, [bars], [("", "@name"), ("", "@tip")])
        if told is not None:
            base.on_tap(made, [bars], self._bars, told=told)
        if cumulative:
            self._add_cumulative()
        made.text(
            x="end", y="name", text="says", source=self._bars, x_offset="off", text_align="align",
            text_baseline="middle", background_fill_color=self._own.surface,
            background_fill_alpha="veil", **base.text(13, text_color="ink"),
        )  # fmt: skip
        self.pane: pn.pane.Bokeh = base.pane(made, height=200)

    def _add_cumulative(self) -> None:
        made = self.figure
        made.extra_x_ranges = {"share": self._share}
        axis = LinearAxis(x_range_name="share", axis_label="Cumulative share, %")
        base.ticks(axis, {at: str(at) for at in (0, 25, 50, 75, 100)})
        made.add_layout(axis, "above")
        color = charts.series()[6]
        made.line(
            x="x", y="name", source=self._line, x_range_name="share", line_color=color,
            line_width=2,
        )  # fmt: skip
        dots = made.scatter(
            x="x", y="name", source=self._line, x_range_name="share", size=8,
            fill_color=self._own.surface, line_color=color, line_width=2,
        )  # fmt: skip
        base.hover(made, [dots], [("", "@name"), ("Cumulative", "@says")])

    def show(self, bars: Sequence[Bar], shares: Sequence[float] = ()) -> None:
        """Draw bars from the top down; `shares` are cumulative percents, one per bar."""
        names = [bar.name for bar in reversed(bars)]
        if self._names.factors != names:
            self._names.factors = names
        low = min((min(bar.left, bar.right) for bar in bars), default=0)
        high = max((max(bar.left, bar.right) for bar in bars), default=1)
        span = (high - low) or 1
        if shares:  # both axes tell the same: the whole is 100 %
            self._span.start, self._span.end = 0, sum(bar.right for bar in bars) * 1.04
        else:
            self._span.start, self._span.end = low, high + span * 0.62
        limit = 0.75 * self._span.end  # beyond it there is no room for words beside the bar
        own = self._own.surface
        ink = self._own.text
        rows = [_row(bar, own, ink, inside=bool(shares) and bar.right > limit) for bar in bars]
        base.refill(self._bars, rows, NAMES)
        line = [
            {"x": share, "name": bar.name, "says": f"{share:.0f} %"}
            for bar, share in zip(bars, shares, strict=False)
        ]
        base.refill(self._line, line, ("x", "name", "says"))
        height = 74 + base.ROW * max(2, len(bars)) + (52 if shares else 0)
        if self.figure.height != height:
            self.figure.height = self.pane.height = height
