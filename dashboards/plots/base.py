"""What all figures share: size, quiet axes, hatching of what is unknown, taps and tooltips."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel as pn
from bokeh.core.properties import value
from bokeh.models import (
    BasicTickFormatter,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    Label,
    Span,
    TapTool,
)
from bokeh.plotting import figure

from dashboards import charts, visit

HATCH = "right_diagonal_line"
ROW = 34  # px of one horizontal bar with its gap


def new(*, height: int, **options: Any) -> Any:
    """Return an empty figure in the house look."""
    options.setdefault("min_border_right", 16)
    made = figure(
        height=height,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
        outline_line_color=None,
        margin=(0, 10, 0, 10),
        **options,
    )
    made.toolbar.logo = None
    for axis in (*made.xaxis, *made.yaxis):
        if isinstance(axis.formatter, BasicTickFormatter):
            axis.formatter.use_scientific = False
    return made


def dressed(made: Any) -> Any:
    """Return a figure with the theme's values as its own.

    A document puts its own theme over a figure's when the figure joins it; values stay.
    """
    theme = charts.bokeh_theme(visit.is_dark())
    for model in made.references():
        for name, given in theme._for_class(type(model)).items():
            if name not in model.properties_with_values(include_defaults=False):
                setattr(model, name, given)
    return made


def pane(made: Any, *, height: int) -> pn.pane.Bokeh:
    """Return a finished figure as a piece of a page."""
    return pn.pane.Bokeh(dressed(made), sizing_mode="stretch_width", height=height, margin=(0, 10))


def text(size_px: int = 13, **more: Any) -> dict[str, Any]:
    """Return the properties of words inside a figure."""
    given = {"text_color": value(charts.colours().text), "text_font": value(charts.FONT)}
    return {**given, "text_font_size": value(f"{size_px}px"), **more}


def columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return rows as columns, empty ones too."""
    return {name: [row[name] for row in rows] for name in names}


def refill(source: ColumnDataSource, rows: Sequence[Mapping[str, Any]], names: Any) -> None:
    """Give a source new rows; nothing is sent where nothing changed."""
    data = columns(rows, names)
    if {name: list(source.data.get(name, ())) for name in data} != data:
        source.data = data


def hover(
    made: Any, renderers: Sequence[Any], tips: Sequence[tuple[str, str]], **more: Any
) -> None:
    """Say what is under the pointer; the same is in the chart's table."""
    made.add_tools(HoverTool(renderers=list(renderers), tooltips=list(tips)))


def on_tap(
    made: Any, renderers: Sequence[Any], source: ColumnDataSource, *, told: Callable[[str], None]
) -> None:
    """Tell the `key` of a mark that was clicked."""
    made.add_tools(TapTool(renderers=list(renderers)))

    def chosen(_name: str, _old: Any, indices: list[int]) -> None:
        if indices:
            key = str(source.data["key"][indices[0]])
            source.selected.indices = []
            told(key)

    source.selected.on_change("indices", chosen)


def still(renderer: Any) -> Any:
    """Keep a mark's look when another one is selected."""
    renderer.nonselection_glyph = renderer.glyph
    renderer.selection_glyph = renderer.glyph
    return renderer


def ticks(axis: Any, places: Mapping[float, str]) -> None:
    """Put ticks with their words where they are wanted."""
    axis.ticker = FixedTicker(ticks=sorted(places))
    axis.major_label_overrides = {
        (int(at) if float(at).is_integer() else at): words for at, words in places.items()
    }


def limit(made: Any, at: float, words: str) -> Label:
    """Draw a limit across a figure; its name is put at the right end by `Label.x`."""
    own = charts.colours()
    made.add_layout(
        Span(
            location=at, dimension="width", line_color=own.muted, line_dash="dashed", line_width=1.5
        )
    )
    label = Label(
        x=0, y=at, text=words, y_offset=2, text_align="right", text_color=own.muted,
        text_font=charts.FONT, text_font_size="12px", background_fill_color=own.surface,
        background_fill_alpha=0.8,
    )  # fmt: skip
    made.add_layout(label)
    return label


def reveal(chart: Any, shown: bool) -> None:
    """Show or hide a chart; its pane takes over what its figure says."""
    chart.figure.visible = shown
    chart.pane.visible = shown
