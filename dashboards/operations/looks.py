"""How a line's time is drawn: calm where it runs, hatched where nothing is known."""

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from dashboards import charts
from dashboards.operations import words
from dashboards.plots.base import HATCH
from dashboards.plots.lanes import Look
from dashboards.plots.trend import DASHES, MARKERS

# category -> what it is drawn like; the key lists them in this order
ORDER = (
    "run", "minor_stop", "breakdown", "setup", "blocked_starved", "regulated", "other",
    "unlabeled", "no_order", "off", "unknown",
)  # fmt: skip
REGULATED = ("cleaning", "line_clearance", "waiting_qa", "deviation_hold")
GROUP_WORDS = {
    "regulated": "Cleaning, clearance, QA, deviation hold",
    "off": "Not planned",
}


def group(category: str, *, planned: bool = True) -> str:
    """Return the kind a stretch is drawn as."""
    if category in REGULATED:
        return "regulated"
    if category == "planned_stop" or (not planned and category not in ("run", "unknown")):
        return "off"
    return category if category in ORDER else "other"


def looks() -> dict[str, Look]:
    """Return the look of each kind, in this visit's scheme."""
    own, series = charts.colours(), charts.series()
    return {
        "run": Look(fill=own.raised, line=own.control, height=0.5),
        "minor_stop": Look(fill=own.near, line=own.near, height=0.5),
        "breakdown": Look(fill=own.bad, line=own.bad),
        "setup": Look(fill=series[0], line=series[0]),
        "blocked_starved": Look(fill=series[4], line=series[4]),
        "regulated": Look(fill=own.held, line=own.held),
        "other": Look(fill=series[2], line=series[2]),
        "unlabeled": Look(fill=own.surface, line=own.bad, hatch="dot"),
        "no_order": Look(fill=own.surface, line=own.control, height=0.3),
        "off": Look(fill=own.page, line=own.line, height=0.12),
        "unknown": Look(fill=own.surface, line=own.text, hatch=HATCH),
    }


def key(kinds: Iterable[str]) -> Markup:
    """Return what the shapes mean, outside of the chart."""
    drawn, wanted = looks(), set(kinds)
    items = Markup("").join(
        Markup("<li>{}<span>{}</span></li>").format(
            swatch(drawn[name]), GROUP_WORDS.get(name, words.category(name))
        )
        for name in ORDER
        if name in wanted
    )
    return Markup('<ul class="key" aria-label="Key of the chart">{}</ul>').format(items)


def swatch(look: Look) -> Markup:
    """Return a look as a small picture."""
    height = max(3, round(16 * look.height))
    top = (16 - height) / 2
    marks = Markup("")
    if look.hatch == HATCH:
        marks = Markup('<path d="M0 16 16 0M8 20 28 0M16 24 36 4M-8 16 8 0" stroke="{}" '
                       'stroke-width="1.6" fill="none"/>').format(look.line)  # fmt: skip
    elif look.hatch == "dot":
        marks = Markup("").join(
            Markup('<circle cx="{}" cy="{}" r="1.3" fill="{}"/>').format(x, y, look.line)
            for x in (5, 11, 17, 22)
            for y in (5, 11)
        )
    return Markup(
        '<svg viewBox="0 0 26 16" aria-hidden="true"><rect x="1" y="{0}" width="24" height="{1}" '
        'fill="{2}" stroke="{3}" stroke-width="1.4"/>{4}</svg>'
    ).format(max(top, 1), min(height, 14), look.fill, look.line, marks)


def series_key(names: Mapping[str, int]) -> Markup:
    """Return which line of a chart belongs to which name: colour, dash and mark."""
    colours = charts.series()
    items = Markup("").join(
        Markup(
            '<li><svg viewBox="0 0 26 16" aria-hidden="true"><path d="M0 8H26" stroke="{0}" '
            'stroke-width="2"{1}/>{2}</svg><span>{3}</span></li>'
        ).format(
            colours[at % 7],
            Markup(' stroke-dasharray="6 3"') if DASHES[at % 7] != "solid" else "",
            _mark(MARKERS[at % 7], colours[at % 7]),
            name,
        )
        for name, at in names.items()
    )
    return Markup('<ul class="key" aria-label="Key of the chart">{}</ul>').format(items)


def _mark(name: str, colour: str) -> Markup:
    shapes = {
        "circle": Markup('<circle cx="13" cy="8" r="4.5"'),
        "square": Markup('<rect x="9" y="4" width="8" height="8"'),
        "triangle": Markup('<path d="M13 3 18 12H8Z"'),
    }
    fill = charts.colours().surface
    shape = shapes.get(name, Markup('<path d="M13 2 19 8 13 14 7 8Z"'))
    return Markup('{} fill="{}" stroke="{}" stroke-width="2"/>').format(shape, fill, colour)
