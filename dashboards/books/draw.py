"""A book's views as pieces of a page: each chart with its caption and its numbers in a table."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.books.format import Narrative, View
from analytics.books.narrative import shown
from analytics.books.run import Table, TextBlock, ViewBlock
from core.clock import micros
from dashboards import charts, parts
from dashboards.books.text import prose
from dashboards.components.sheet import Sheet
from dashboards.operations import looks, shapes, words
from dashboards.operations.rights import Rights, opened
from dashboards.operations.sections import chart_head, folded
from dashboards.palette import State
from dashboards.plots import base
from dashboards.plots.bars import Bar, BarChart
from dashboards.plots.columns import ColumnChart, Tower
from dashboards.plots.control import ControlChart, Spot
from dashboards.plots.lanes import Box, LaneChart
from dashboards.plots.trend import LineChart, Point

MOST_ROWS, MOST_BARS, MOST_TICKS, MOST_SERIES = 200, 14, 14, 7
HOLE = re.compile(r"\{(\w+)\}")


def cell(value: Any, zone: ZoneInfo, format_: str | None = None) -> str:
    """Return a value for people; unknown is a dash, a moment has its zone."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and format_ is None:
        return f"{value:.6g}"
    return shown(value, format_, zone)


def title(view: ViewBlock) -> str:
    """Return a view's title."""
    return str(view.options.get("title") or view.query.replace("_", " ").capitalize())


def heading(view: ViewBlock) -> Markup:
    """Return a view's title and note; a result that was cut says so."""
    note = str(view.options.get("note") or "")
    if view.table.cut:
        note += f" Cut after {words.count(len(view.table.rows))} rows: ask for less."
    if not view.table.rows and view.kind != "table":
        note += " No rows for these parameters."
    return chart_head(title(view), note.strip(), level=4)


def rows_table(view: ViewBlock, zone: ZoneInfo, rights: Rights) -> Markup:
    """Return the rows as a table; `drill` makes the first cell a link."""
    table = view.table
    names = [name for name in view.options.get("columns") or table.columns if name in table.columns]
    formats = view.options.get("format") or {}
    numbers = [name for name in names if _is_number(table, name)]
    body = []
    for row in table.dicts()[:MOST_ROWS]:
        cells: list[object] = [cell(row[name], zone, formats.get(name)) for name in names]
        drill = view.options.get("drill")
        if drill and cells:
            cells[0] = opened(str(cells[0]), _filled(str(drill), row), rights)
        body.append(cells)
    heads = [name.replace("_", " ").capitalize() for name in names]
    right = [head for head, name in zip(heads, names, strict=True) if name in numbers]
    cut = f", the first {MOST_ROWS} of {len(table.rows)}" if len(table.rows) > MOST_ROWS else ""
    return parts.table(
        f"{title(view)}{cut}", heads, body, numbers=right, show_caption=bool(cut),
        empty="No rows for these parameters.", testid=f"table-{view.query}",
    )  # fmt: skip


def _filled(path: str, row: Mapping[str, Any]) -> str:
    return HOLE.sub(lambda hole: quote(str(row.get(hole.group(1), "")), safe=""), path)


def _is_number(table: Table, name: str) -> bool:
    at = table.columns.index(name)
    values = [row[at] for row in table.rows if row[at] is not None]
    return bool(values) and all(isinstance(v, int | float | Decimal) for v in values)


def figures(view: ViewBlock, zone: ZoneInfo) -> Markup:
    """Return a `kpi` view: the first row as cards; what is unknown is a dash and says so."""
    row, formats = view.table.first, view.options.get("format") or {}
    names = view.options.get("columns") or view.table.columns
    unit = str(view.options.get("unit") or "")
    made = [
        parts.card(
            words.RATIO_NAMES.get(name, name.replace("_", " ").capitalize()),
            cell(row.get(name), zone, formats.get(name)),
            unit=unit if row.get(name) is not None else "",
            state=None if row.get(name) is not None else State.UNKNOWN,
            word="" if row.get(name) is not None else "Unknown",
        )
        for name in names
    ]
    return Markup('<div class="figures">{}</div>').format(parts.cards(*made))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _axis(values: Sequence[Any], zone: ZoneInfo) -> tuple[list[str], dict[float, str]]:
    """Return each bucket's name, and the labels that fit below the axis."""
    names, short = [], []
    days = {v.astimezone(zone).date() for v in values if isinstance(v, datetime)}
    for value in values:
        names.append(cell(value, zone))
        if isinstance(value, datetime):
            local = value.astimezone(zone)
            short.append(f"{local:%H:%M}" if len(days) < 2 else f"{local:%H:%M\n%m-%d}")
        else:
            short.append(f"{value:%m-%d}" if isinstance(value, date) else cell(value, zone))
    every = max(1, -(-len(values) // MOST_TICKS))
    return names, {float(n): text for n, text in enumerate(short) if n % every == 0}


def _pareto(chart: BarChart, view: ViewBlock, zone: ZoneInfo) -> Markup:
    options, unit = view.options, str(view.options.get("unit") or "")
    x, y = options["x"], options["y"]
    rows = sorted(
        (row for row in view.table.dicts() if (_number(row[y]) or 0) > 0),
        key=lambda row: -float(row[y]),
    )
    total, reached, bars, shares = sum(float(row[y]) for row in rows), 0.0, [], []
    category = "category" if "category" in view.table.columns else None
    for row in rows[:MOST_BARS]:
        value, name = float(row[y]), str(row[x] if row[x] is not None else words.NONE)
        reached += value
        kind = str(row[category]) if category else ""
        color = shapes.colour(kind) if kind else charts.series()[0]
        bars.append(
            Bar(
                key="", name=words.loss_name(kind, name) if kind else name, left=0, right=value,
                color=color, says=f"{value:g} {unit}".strip(), is_unsure=kind == "unknown",
                is_open=kind == "unlabeled",
            )
        )  # fmt: skip
        shares.append(100 * reached / total)
    chart.show(_told_apart(bars), shares)
    return Markup("")


def _told_apart(bars: Sequence[Bar]) -> list[Bar]:
    """Return bars of which no two share a name."""
    seen: dict[str, int] = {}
    made = []
    for bar in bars:
        n = seen[bar.name] = seen.get(bar.name, 0) + 1
        values = {name: getattr(bar, name) for name in Bar.__slots__}
        made.append(Bar(**{**values, "name": bar.name if n == 1 else f"{bar.name} ({n})"}))
    return made


def _waterfall(chart: BarChart, view: ViewBlock, zone: ZoneInfo) -> Markup:
    x, y, unit = view.options["x"], view.options["y"], str(view.options.get("unit") or "")
    bars, level = list[Bar](), 0.0
    for row in view.table.dicts():
        change = _number(row[y])
        if change is None:
            continue
        bars.append(
            Bar(key="", name=str(row[x]), left=level, right=level + change,
                color=charts.series()[0] if change >= 0 else charts.series()[1],
                says=f"{change:g} {unit}".strip())
        )  # fmt: skip
        level += change
    chart.show(_told_apart(bars))
    return Markup("")


def _line(chart: LineChart, view: ViewBlock, zone: ZoneInfo) -> Markup:
    x, y, by = view.options["x"], view.options["y"], view.options.get("series")
    rows = view.table.dicts()
    buckets = list(dict.fromkeys(row[x] for row in rows))
    names, labels = _axis(buckets, zone)
    place = {bucket: n for n, bucket in enumerate(buckets)}
    series: dict[str, list[Point]] = {}
    for row in rows:
        n = place[row[x]]
        point = Point(key="", x=float(n), value=_number(row[y]), what=names[n],
                      says=cell(row[y], zone))  # fmt: skip
        series.setdefault(str(row[by]) if by else title(view), []).append(point)
    chart.names = list(series)[:MOST_SERIES]
    chart.show(series, labels)
    return looks.series_key(chart.key(series)) if by else Markup("")


def _bar(chart: ColumnChart, view: ViewBlock, zone: ZoneInfo) -> Markup:
    x, y = view.options["x"], view.options["y"]
    rows = view.table.dicts()
    names, labels = _axis([row[x] for row in rows], zone)
    towers = [
        Tower(x=float(n), value=_number(row[y]), what=names[n], says=cell(row[y], zone))
        for n, row in enumerate(rows)
    ]
    chart.show(towers, labels)
    return Markup("")


def _control(chart: ControlChart, view: ViewBlock, zone: ZoneInfo) -> Markup:
    it, rows = view.options, view.table.dicts()
    names, labels = _axis([row[it["x"]] for row in rows], zone)
    spots = []
    for n, row in enumerate(rows):
        value, low, high = (_number(row[it[key]]) for key in ("y", "low", "high"))
        outside = (
            value is not None and low is not None and high is not None
            and not low <= value <= high
        )  # fmt: skip
        spots.append(
            Spot(x=float(n), value=value, what=names[n], says=cell(row[it["y"]], zone),
                 center=_number(row[it["center"]]), low=low, high=high, is_signal=outside)
        )  # fmt: skip
    chart.show(spots, labels)
    return Markup("")


def _timeline(chart: LaneChart, view: ViewBlock, zone: ZoneInfo) -> Markup:
    it, rows = view.options, view.table.dicts()
    drawn, kinds, boxes = looks.looks(), set[str](), []
    lanes: list[str] = []
    for row in rows:
        lane = str(row[it["lane"]]) if it.get("lane") else title(view)
        lanes += [lane] if lane not in lanes else []
        start, end = row[it["start"]], row[it["end"]]
        if start is None or end is None:
            continue
        state = str(row[it["state"]])
        reason = row[it["reason"]] if it.get("reason") else None
        kind = looks.group(state)
        kinds.add(kind)
        start_us, end_us = micros(start), micros(end)
        boxes.append(
            Box(
                key="", lane=lane, start_ms=start_us / 1000, end_ms=end_us / 1000,
                look=drawn[kind], what=words.loss_name(state, reason),
                when=shapes.span(start_us, end_us, zone),
            )
        )  # fmt: skip
    low = min((box.start_ms for box in boxes), default=0)
    high = max((box.end_ms for box in boxes), default=1)
    places = shapes.hour_ticks(round(low * 1000), round(high * 1000), zone)
    chart.show(boxes, lanes, start_ms=low, end_ms=high, places=places, zone=zone.key)
    return looks.key(kinds)


def _limits(options: Mapping[str, Any]) -> dict[str, float]:
    target = options.get("target")
    return {} if target is None else {f"target {target:g}": float(target)}


def _unit(options: Mapping[str, Any]) -> str:
    return str(options.get("unit") or "")


def _column_chart(options: Mapping[str, Any]) -> ColumnChart:
    return ColumnChart(_unit(options), target=next(iter(_limits(options).values()), None))


# kind -> (an empty chart from a view's keys, what fills it and returns the key beside it)
CHARTS: dict[str, tuple[Callable[[Mapping[str, Any]], Any], Callable[..., Markup]]] = {
    "pareto": (lambda it: BarChart(_unit(it), cumulative=True), _pareto),
    "waterfall": (lambda it: BarChart(_unit(it)), _waterfall),
    "line": (
        lambda it: LineChart([], _unit(it), limits=_limits(it), slots=MOST_SERIES),
        _line,
    ),
    "bar": (_column_chart, _bar),
    "control_chart": (lambda it: ControlChart(_unit(it)), _control),
    "timeline": (lambda _: LaneChart(), _timeline),
}


class Words:
    """A block of words, figures or a table: one sheet."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet

    @property
    def pieces(self) -> list[Any]:
        """What stands on the page, from the top down."""
        return [self._sheet]

    def show(self, block: TextBlock | ViewBlock, zone: ZoneInfo, rights: Rights) -> None:
        """Fill the block."""
        if isinstance(block, TextBlock):
            self._sheet.show(prose(block.markdown))
        elif block.kind == "kpi":
            self._sheet.show(heading(block), figures(block, zone))
        else:
            self._sheet.show(heading(block), rows_table(block, zone, rights))


class Chart:
    """A chart between its heading and its numbers; made once, filled again and again."""

    def __init__(self, view: View, above: Sheet, below: Sheet) -> None:
        make, self._fill = CHARTS[view.kind]
        self._above, self._below = above, below
        self.chart = make(view.options)
        base.reveal(self.chart, False)

    @property
    def pieces(self) -> list[Any]:
        """What stands on the page, from the top down."""
        return [self._above, self.chart.pane, self._below]

    def show(self, block: TextBlock | ViewBlock, zone: ZoneInfo, rights: Rights) -> None:
        """Fill heading, chart and table; without rows there is no chart."""
        assert isinstance(block, ViewBlock)
        rows = len(block.table.rows)
        key = self._fill(self.chart, block, zone) if rows else Markup("")
        base.reveal(self.chart, rows > 0)
        self._above.show(heading(block), key)
        unit = str(block.options.get("unit") or "")
        text = f"{rows} rows as a table" + (f", in {unit}" if unit else "")
        table = folded(f"rows-{block.query}", text, rows_table(block, zone, rights))
        self._below.show(table if rows else Markup(""))


def block_of(block: Narrative | View, sheet: Callable[[], Sheet]) -> Words | Chart:
    """Return an empty block of a page for a block of a book."""
    if isinstance(block, View) and block.kind in CHARTS:
        return Chart(block, sheet(), sheet())
    return Words(sheet())
