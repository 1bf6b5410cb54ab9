"""Charts: one quiet look in light and dark, no toolbar, no logo, colours from the palette.

A chart is made with HoloViews, styled with `quiet(...)` and put on a page with `pane(...)`.
Numbers are reduced in the query first; a chart never carries more than some hundred points.
"""

from typing import Any

import holoviews as hv
import panel as pn
from bokeh.themes import Theme

from dashboards import palette, visit

hv.extension("bokeh", logo=False)

FONT = "Segoe UI, system-ui, Roboto, Arial, sans-serif"


def colours() -> palette.Palette:
    """Return the palette of this visit."""
    return palette.of(visit.is_dark())


def series() -> tuple[str, ...]:
    """Return the colours of data series, in order."""
    return palette.SERIES_DARK if visit.is_dark() else palette.SERIES_LIGHT


def bokeh_theme(dark: bool) -> Theme:
    """Return the Bokeh theme of a scheme."""
    own = palette.of(dark)
    text = {"text_color": own.text, "text_font": FONT}
    label = {f"major_label_{name}": value for name, value in text.items()}
    axis_label = {f"axis_label_{name}": value for name, value in text.items()}
    return Theme(
        json={
            "attrs": {
                "figure": {
                    "background_fill_color": own.surface,
                    "border_fill_color": own.surface,
                    "outline_line_color": own.line,
                    "toolbar_location": None,
                },
                "Axis": {
                    **label,
                    **axis_label,
                    "axis_line_color": own.control,
                    "major_tick_line_color": own.control,
                    "minor_tick_line_color": None,
                    "major_label_text_font_size": "13px",
                    "axis_label_text_font_size": "14px",
                    "axis_label_text_font_style": "normal",
                },
                "Grid": {"grid_line_color": own.line, "grid_line_alpha": 0.7},
                "Title": {**text, "text_font_size": "16px", "text_font_style": "bold"},
                "Legend": {
                    "background_fill_color": own.surface,
                    "background_fill_alpha": 1.0,
                    "border_line_color": own.line,
                    "label_text_color": own.text,
                    "label_text_font": FONT,
                    "label_text_font_size": "13px",
                },
            }
        }
    )


def _plain_figure(plot: Any, _element: Any) -> None:
    """Take toolbar and logo off, and keep the legend's box out of the data."""
    figure = plot.state
    figure.toolbar_location = None
    figure.toolbar.logo = None
    for legend in figure.legend:
        legend.border_line_color = None
        legend.padding, legend.margin = 2, 0


def quiet(element: Any, **options: Any) -> Any:
    """Return an element or overlay with the house options; `options` win."""
    given: dict[str, Any] = {
        "responsive": True,
        "height": 320,
        "toolbar": None,
        "default_tools": [],
        "show_grid": True,
        "hooks": [_plain_figure],
    }
    if isinstance(element, hv.Overlay | hv.NdOverlay):
        given["legend_position"] = "top"
    return element.opts(**(given | options), backend="bokeh")


def pane(element: Any, **params: Any) -> pn.pane.HoloViews:
    """Return a pane for a chart; give the same numbers in a table beside or below it."""
    params.setdefault("sizing_mode", "stretch_width")
    params.setdefault("margin", (0, 10, 14, 10))
    return pn.pane.HoloViews(
        element, theme=bokeh_theme(visit.is_dark()), linked_axes=False, **params
    )
