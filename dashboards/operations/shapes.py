"""From a view to what the charts draw: bars, boxes, points and the words beside them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from analytics.losses import Loss
from analytics.oee import OeeRow, percent
from analytics.rules import HOUR_US
from analytics.timeline import Stretch
from dashboards import charts
from dashboards.operations import looks, words
from dashboards.operations.figures import OeeView
from dashboards.operations.kpi import at, bound
from dashboards.plots.bars import Bar
from dashboards.plots.lanes import Box
from dashboards.plots.trend import Point

MOST_CAUSES = 10
LEAST_US = 3_000_000  # what is shorter stands in the table alone
OPEN = ("unlabeled", "off")  # drawn as an outline: not a loss with a name


def colour(category: str) -> str:
    """Return the colour of a loss: that of its stretches, or of lost speed and quality."""
    own = charts.colours()
    if category in ("minor_stop", "reduced_speed", "not_counted"):
        return own.near
    if category == "defects":
        return charts.series()[5]
    return looks.looks()[looks.group(category)].line


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """One row of the waterfall; `us` is what it takes or, of a level, what is there."""

    name: str
    us: int
    is_loss: bool
    category: str = ""


def falls(view: OeeView) -> tuple[Fall, ...]:
    """Return the way from calendar time to good time; it adds up to the microsecond."""
    row = view.whole
    if row is None:
        return ()
    sums: dict[str, int] = {}
    for one in view.losses:
        sums[one.category] = sums.get(one.category, 0) + one.loss_us
    factor = {one.category: one.factor for one in view.losses}

    def taken(*kinds: str) -> list[Fall]:
        return [
            Fall(name=words.category(name), us=us, is_loss=True, category=name)
            for name, us in sorted(sums.items(), key=lambda pair: -pair[1])
            if factor[name] in kinds
        ]

    off_us = row.calendar_us - row.planned_us
    found = [Fall(name="Calendar time", us=row.calendar_us, is_loss=False)]
    if off_us:
        found.append(Fall(name="Not planned", us=off_us, is_loss=True, category="off"))
    found += [
        Fall(name="Planned time", us=row.planned_us, is_loss=False),
        *taken("availability", "unknown"),
        Fall(name="Run time", us=row.run_us, is_loss=False),
        *taken("performance"),
    ]
    if taken("quality"):
        found.append(Fall(name="Ideal time, all pieces", us=row.ideal_total_us, is_loss=False))
    found += [
        *taken("quality"),
        Fall(name="Ideal time, good pieces", us=row.ideal_good_us, is_loss=False),
    ]
    return tuple(found)


def fall_bars(view: OeeView) -> list[Bar]:
    """Return the waterfall as bars, in hours of the line."""
    own, rows = charts.colours(), falls(view)
    planned = view.whole.planned_us if view.whole else 0
    bars, level = list[Bar](), 0
    for row in rows:
        share = f" · {100 * row.us / planned:.1f} %" if planned else ""
        if row.name == "Calendar time" or row.category == "off":
            share = ""
        says = f"{'−' if row.is_loss and row.us >= 0 else ''}{words.duration(row.us)}{share}"
        if row.is_loss and abs(row.us) < LEAST_US:
            level -= row.us
        elif row.is_loss:
            bars.append(
                Bar(
                    key=f"loss:{row.category}", name=row.name, left=level / HOUR_US,
                    right=(level - row.us) / HOUR_US, color=colour(row.category), says=says,
                    is_unsure=row.category == "unknown", is_open=row.category in OPEN,
                )
            )  # fmt: skip
            level -= row.us
        else:
            level = row.us
            bars.append(
                Bar(key="", name=row.name, left=0, right=level / HOUR_US,
                    color=own.control, says=says)
            )  # fmt: skip
    return bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One bar of the Pareto, and the share of all losses up to it."""

    key: str
    name: str
    category: str
    us: int
    stops: int
    cumulative: float


def causes(view: OeeView) -> tuple[Cause, ...]:
    """Return positive losses, the largest first, and the share of all up to each."""
    rows = [one for one in view.losses if one.loss_us > 0]
    merged: dict[str, list[Loss]] = {}
    for one in rows:
        merged.setdefault(words.loss_name(one.category, one.reason), []).append(one)
    total = sum(one.loss_us for one in rows)
    sums = {name: sum(one.loss_us for one in same) for name, same in merged.items()}
    reached, found = 0, list[Cause]()
    for name in sorted(sums, key=lambda name: (-sums[name], name))[:MOST_CAUSES]:
        first, reached = merged[name][0], reached + sums[name]
        found.append(
            Cause(
                key=f"loss:{first.category}:{first.reason or ''}",
                name=name,
                category=first.category,
                us=sums[name],
                stops=sum(one.stops for one in merged[name]),
                cumulative=100 * reached / total,
            )
        )
    return tuple(found)


def cause_bars(found: Sequence[Cause]) -> list[Bar]:
    """Return causes as bars, in minutes."""
    bars = []
    for one in found:
        if one.us < LEAST_US:
            continue
        stops = f" · {one.stops} stop{'s' if one.stops != 1 else ''}" if one.stops else ""
        bars.append(
            Bar(
                key=one.key, name=one.name, left=0, right=words.minutes(one.us),
                color=colour(one.category), says=f"{words.duration(one.us)}{stops}",
                is_unsure=one.category == "unknown", is_open=one.category == "unlabeled",
            )
        )  # fmt: skip
    return bars


def boxes(view: OeeView, line: str, zone: ZoneInfo) -> tuple[list[Box], set[str]]:
    """Return the timeline's boxes, and the kinds among them."""
    drawn, kinds, found = looks.looks(), set[str](), list[Box]()
    for one in view.lines:
        if line not in ("", one.line):
            continue
        for it in one.stretches:
            kind = looks.group(it.category, planned=it.planned)
            kinds.add(kind)
            found.append(
                Box(
                    key=f"stop:{it.line}:{it.start_us}", lane=it.line, start_ms=it.start_us / 1000,
                    end_ms=it.end_us / 1000, look=drawn[kind], what=what(it),
                    when=span(it.start_us, it.end_us, zone), more=_more(it),
                )
            )  # fmt: skip
    return found, kinds


def what(it: Stretch) -> str:
    """Return what a stretch is called, with who called it so."""
    name = words.loss_name(it.category, it.reason)
    if not it.planned and it.category not in ("run", "unknown"):
        name = f"{name}, not planned" if it.category != "planned_stop" else name
    by = {"person": "named by a person", "machine": "named by the machine"}
    said = by.get(it.labeled_by or "")
    return f"{name} ({said})" if said and it.category != "run" else name


def _more(it: Stretch) -> str:
    name = words.order(it.order_id, "")
    order = f"Order {name}" if name else "No order"
    return f"{order}; machine state {it.state}" + ("; click for its rows" if not it.is_open else "")


def span(start_us: int, end_us: int, zone: ZoneInfo) -> str:
    """Return a stretch's local times with the zone, and how long it took."""
    start, end = at(start_us).astimezone(zone), at(end_us).astimezone(zone)
    took = words.duration(end_us - start_us, seconds=True)
    return f"{start:%H:%M:%S} to {end:%H:%M:%S} {end:%Z}, {took}"


def hour_ticks(start_us: int, end_us: int, zone: ZoneInfo) -> dict[float, str]:
    """Return whole local hours in a window, by milliseconds; days are named at midnight."""
    if end_us <= start_us:
        return {}
    hours = (end_us - start_us) / HOUR_US
    step = 1 if hours <= 12 else 2 if hours <= 26 else 6
    first = at(start_us).astimezone(zone).replace(minute=0, second=0, microsecond=0)
    found: dict[float, str] = {}
    moment_us = round(first.timestamp()) * 1_000_000
    while moment_us <= end_us:
        local = at(moment_us).astimezone(zone)
        if moment_us >= start_us and local.hour % step == 0:
            found[moment_us / 1000] = f"{local:%H:%M}"
        moment_us += HOUR_US
    return found


def trend_points(
    rows: Iterable[OeeRow], place: Callable[[OeeRow], int], named: Callable[[OeeRow], str]
) -> dict[str, list[Point]]:
    """Return OEE as points by line, in percent; an unknown bucket is a gap with its bounds."""
    found: dict[str, list[Point]] = {}
    for row in rows:
        low, high = bound("oee", row)
        value = row.oee if row.valid else None
        unsure = low is not None and high is not None and high != low
        says = percent(value)
        if value is None:
            says = f"not known: {row.why.get('oee', 'too little is known')}"
        if unsure:
            says += f" ({words.bounds(low, high)})"
        key = f"{row.business_date}:{row.shift}" if row.hour_us is None else str(row.hour_us)
        found.setdefault(row.line or "", []).append(
            Point(
                key=key, x=float(place(row)), value=None if value is None else float(value * 100),
                what=named(row), says=says,
                low=float(low * 100) if unsure and low is not None else None,
                high=float(high * 100) if unsure and high is not None else None,
            )
        )  # fmt: skip
    return found


def shift_axis(rows: Sequence[OeeRow]) -> tuple[dict[tuple[object, object], int], dict[float, str]]:
    """Return the place of each shift and its label; the date stands under a day's first shift."""
    places: dict[tuple[object, object], int] = {}
    labels: dict[float, str] = {}
    day = None
    for row in rows:
        key = (row.business_date, row.shift)
        if key in places:
            continue
        places[key] = len(places)
        date = f"\n{row.business_date:%m-%d}" if row.business_date != day else ""
        labels[float(places[key])] = f"{row.shift}{date}"
        day = row.business_date
    return places, labels


def hour_axis(view: OeeView, zone: ZoneInfo) -> tuple[dict[int, int], dict[float, str]]:
    """Return the place of each hour of the window and its local label."""
    hours = sorted({row.hour_us for row in view.by_hour if row.hour_us is not None})
    if not hours:
        return {}, {}
    every = range(hours[0], hours[-1] + HOUR_US, HOUR_US)
    places = {hour: n for n, hour in enumerate(every)}
    labels = {float(n): f"{at(hour).astimezone(zone):%H:%M}" for hour, n in places.items()}
    return places, labels


def hour_name(hour_us: int, zone: ZoneInfo) -> str:
    """Return an hour as its local start and end with the zone."""
    start = at(hour_us).astimezone(zone)
    end = (at(hour_us) + timedelta(hours=1)).astimezone(zone)
    return f"{start:%Y-%m-%d %H:%M} to {end:%H:%M %Z}"
