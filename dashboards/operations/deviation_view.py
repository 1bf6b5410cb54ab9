"""Draws `/deviations`: rates beside their n, causes, what recurs, the records behind."""

import re
from collections.abc import Mapping, Sequence, Sized
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.deviations import RECURS_AT, RECURS_DAYS, RatePoint
from analytics.oee import percent
from core.clock import micros, now
from dashboards import charts, parts
from dashboards.operations import shapes, words
from dashboards.operations.deviation_figures import (
    CAUSES,
    DAYS,
    LEAST_FOUND,
    LEAST_POINTS,
    LISTED,
    Ask,
    DeviationView,
)
from dashboards.operations.kpi import at
from dashboards.operations.rights import Rights, entry, opened
from dashboards.operations.sections import chart_head, folded
from dashboards.palette import State
from dashboards.plots.bars import Bar
from dashboards.plots.control import Spot

SEVERITIES = {"critical": State.BAD, "high": State.BAD, "major": State.BAD, "medium": State.NEAR}
STATES = {"open": State.HELD, "dispositioned": State.OK, "closed": State.OK}
MOST = 10


def rate(value: Fraction | None) -> str:
    """Return a rate per 1,000 steps.

    >>> rate(Fraction(7, 2)), rate(None)
    ('3.5', '—')
    """
    return words.NONE if value is None else f"{float(value):.1f}"


def head(view: DeviationView, ask: Ask, *, zone: ZoneInfo) -> Markup:
    """Return the choice of days, how far was read, and the figures."""
    facts = [
        ("Shown", f"{view.from_day.isoformat()} to {view.to_day.isoformat()}, {zone.key}"),
        ("Read", parts.local_time(at(view.mark.at_us), zone) if view.mark.at_us else words.NONE),
        ("As of entry", words.count(view.mark.seq)),
    ]
    cells = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts
    )
    return parts.join(
        Markup('<dl class="asof" data-testid="as-of">{}</dl>').format(cells),
        _picks(
            "Days",
            [(f"Last {n} days" if n > 1 else "Today", ask.url(days=n), ask.days == n)
             for n in DAYS],
        ),
        _cards(view),
    )  # fmt: skip


def _picks(label: str, choices: Sequence[tuple[str, str, bool]]) -> Markup:
    links = Markup("").join(
        Markup('<a class="pick" href="{}"{}>{}</a>').format(
            href, Markup(' aria-current="true"') if chosen else "", text
        )
        for text, href, chosen in choices
    )
    return Markup('<div class="bar" role="group" aria-label="{}">{}</div>').format(label, links)


def _cards(view: DeviationView) -> Markup:
    n = f"{words.some(view.found, 'deviation')} in {words.some(view.steps, 'executed step')}"
    waiting = view.open
    age = words.NONE
    if waiting:
        age = f"oldest {waiting[0]['deviation']}, {words.duration(_age_us(waiting[0]))}"
    signals = [point for point in view.points if point.is_signal] if view.has_limits else []
    return parts.cards(
        parts.card(
            "Rate", rate(view.rate), unit="per 1,000 steps" if view.rate is not None else "",
            note=n if view.steps else f"{n}: no rate without a step", testid="rate",
        ),
        parts.card(
            "Waiting for a disposition", len(waiting),
            state=State.HELD if waiting else State.OK, word="Open" if waiting else "None",
            note=age if waiting else "", testid="open",
        ),
        parts.card(
            "Recurring", len(view.recurring), state=State.NEAR if view.recurring else State.OK,
            word="Look here" if view.recurring else "None",
            note=f"same kind and step {RECURS_AT} times or more in {RECURS_DAYS} days",
            testid="recurring",
        ),
        parts.card(
            "Outside the limits", len(signals) if view.has_limits else words.NONE,
            state=(State.BAD if signals else State.OK) if view.has_limits else State.UNKNOWN,
            word=("Signal" if signals else "None") if view.has_limits else "Too little data",
            testid="signals",
        ),
        parts.card(
            "Near misses", rate(view.refusal_rate),
            unit="per 1,000 steps" if view.refusal_rate is not None else "",
            note=f"{words.some(view.refused, 'attempt')} that a rule refused", testid="refused",
        ),
    )  # fmt: skip


def _age_us(row: Mapping[str, Any]) -> int:
    return micros(now()) - int(row["raised_us"])


def bucket(point: RatePoint, zone: ZoneInfo) -> str:
    """Return a bucket's name: a day, or an hour in plant time."""
    if isinstance(point.bucket, int):
        return shapes.hour_name(point.bucket, zone)
    return point.bucket.isoformat()


def spots(view: DeviationView, zone: ZoneInfo) -> tuple[list[Spot], dict[float, str]]:
    """Return the control chart's points and their labels; no limits where too little is known."""
    made, labels = list[Spot](), dict[float, str]()
    limits = view.has_limits
    every = max(1, -(-len(view.points) // 16))
    for n, point in enumerate(view.points):
        says = f"{rate(point.rate)} per 1,000: {point.deviations} in {point.steps} steps"
        if limits and point.is_signal:
            says += ", outside the limits"
        made.append(
            Spot(
                x=float(n),
                value=None if point.rate is None else float(point.rate),
                what=bucket(point, zone),
                says=says,
                center=float(point.center) if limits and point.center is not None else None,
                low=point.low if limits else None,
                high=point.high if limits else None,
                is_signal=limits and point.is_signal,
            )
        )
        if n % every == 0:
            local = at(point.bucket).astimezone(zone) if isinstance(point.bucket, int) else None
            name = f"{local:%H:%M\n%m-%d}" if local else f"{point.bucket:%m-%d}"
            labels[float(n)] = f"{name}\nn={point.steps}"
    return made, labels


def trend_head(view: DeviationView, ask: Ask) -> Markup:
    """Return the control chart's heading; it says when there are no limits, and why."""
    buckets = sum(1 for point in view.points if point.steps)
    unit = "day" if ask.by == "day" else "hour"
    note = "Solid: mean. Dashed: three-sigma limits of a u-chart, wider where n is small."
    if not view.has_limits:
        note = (
            f"No limits yet: {words.some(buckets, unit)} with executed steps and "
            f"{words.some(view.found, 'deviation')}; "
            f"limits need {LEAST_POINTS} and {LEAST_FOUND}. n is the number of executed steps."
        )
    choices = [
        ("By day", ask.url(by="day"), ask.by == "day"),
        ("By hour", ask.url(by="hour"), ask.by == "hour"),
    ]
    return parts.join(
        chart_head("Deviations per 1,000 executed steps", note), _picks("Buckets", choices)
    )


def trend_table(view: DeviationView, zone: ZoneInfo) -> Markup:
    """Return the control chart as a table."""
    rows = [
        (
            bucket(point, zone),
            point.deviations,
            words.count(point.steps),
            rate(point.rate),
            f"{point.low:.1f}" if view.has_limits and point.low is not None else words.NONE,
            f"{point.high:.1f}" if view.has_limits and point.high is not None else words.NONE,
            "outside" if view.has_limits and point.is_signal else "",
        )
        for point in reversed(view.points)
    ]
    head_ = ("Time", "Deviations", "Steps", "Rate", "Low limit", "High limit", "Signal")
    made = parts.table(
        "Deviations per 1,000 executed steps", head_, rows, numbers=head_[1:6],
        show_caption=False, empty="No step was executed in these days.",
    )  # fmt: skip
    return folded("trend", "As a table", made)


def cause_bars(view: DeviationView) -> tuple[list[Bar], list[float]]:
    """Return the Pareto's bars and the share of all up to each."""
    color = charts.series()[0]
    rows = view.causes[:MOST]
    bars = [
        Bar(key=row.name, name=cause(row.name), left=0, right=float(row.count), color=color,
            says=str(row.count))
        for row in rows
    ]  # fmt: skip
    return bars, [float(row.cumulative * 100) for row in rows]


def cause(name: str) -> str:
    """Return a cause or a rule in words.

    >>> cause("SamePerson"), cause("out_of_tolerance")
    ('Same person', 'Out of tolerance')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", name)
    return "Not stated" if name == "none" else spaced.capitalize()


def cause_head(view: DeviationView, ask: Ask) -> Markup:
    """Return the Pareto's heading and what it may be broken down by."""
    choices = [(label, ask.url(cause=name), ask.cause == name) for name, label in CAUSES.items()]
    note = f"{words.some(view.found, 'deviation')}; the line ends at 100 %."
    if not view.causes:
        note = "No deviation in these days."
    return parts.join(
        chart_head(f"Causes, by {CAUSES[ask.cause].lower()}", note), _picks("By", choices)
    )


def cause_table(view: DeviationView, rights: Rights) -> Markup:
    """Return the Pareto as a table with the deviations behind each bar."""
    batches = {row["deviation"]: row["batch"] for row in view.deviations}
    rows = [
        (
            cause(row.name),
            row.count,
            percent(row.cumulative),
            parts.join(*_spaced(row.deviations[:12], batches, rights)),
        )
        for row in view.causes
    ]
    made = parts.table(
        "Causes", ("Cause", "Count", "Cumulative", "Deviations"), rows,
        numbers=("Count", "Cumulative"), show_caption=False, empty="No deviation.",
    )  # fmt: skip
    return folded("causes", "As a table, with the deviations behind", made)


def _spaced(numbers: Sequence[str], batches: Mapping[str, str], rights: Rights) -> list[object]:
    found: list[object] = []
    for n, number in enumerate(numbers):
        found += [", "] if n else []
        found.append(record(number, batches.get(number), rights))
    return found


def record(number: str, batch: str | None, rights: Rights) -> Markup:
    """Return a deviation as a link to its record, for those who may open it."""
    shown = opened(number, f"/review/batch/{batch}", rights) if batch else parts.safe(number)
    return words.fixed(shown)


def recurring(view: DeviationView, rights: Rights) -> Markup:
    """Return what keeps coming back."""
    if not view.recurring:
        return Markup("")
    batches = {row["deviation"]: row["batch"] for row in view.deviations}
    rows = [
        (
            parts.join(parts.chip(State.NEAR, "Recurs"), f" {cause(one.kind)}"),
            one.step_title or one.step,
            one.product or words.NONE,
            one.count,
            f"{one.first_on} to {one.last_on}",
            parts.join(*_spaced(one.deviations, batches, rights)),
        )
        for one in view.recurring
    ]
    head_ = ("What", "Step", "Product", "Times", "Days", "Deviations")
    return parts.table(
        f"Recurring: {RECURS_AT} times or more in {RECURS_DAYS} days", head_, rows,
        numbers=("Times",), testid="recurrences",
    )  # fmt: skip


def newest(what: str, rows: Sized) -> str:
    """Return the title of a list that may be cut."""
    return f"{what}, the newest {LISTED if len(rows) == LISTED else 'first'}"


def listed(view: DeviationView, zone: ZoneInfo, rights: Rights) -> Markup:
    """Return the deviations, the newest first."""
    rows = [
        (
            record(row["deviation"], row["batch"], rights),
            words.fixed(parts.local_time(row["raised_at"], zone, seconds=False)),
            words.fixed(row["batch"]),
            row["step_title"] or row["step"],
            cause(row["kind"]),
            parts.chip(SEVERITIES.get(row["severity"], State.INFO), row["severity"].capitalize()),
            parts.chip(STATES.get(row["state"], State.INFO), _state(row)),
            words.duration(row["open_us"] if row["open_us"] is not None else _age_us(row)),
            row["says"],
            entry(row["seq"], rights),
        )
        for row in view.deviations
    ]
    head_ = (
        "Deviation", "Raised", "Batch", "Step", "Kind", "Severity", "State", "Open for", "What",
        "Entry",
    )  # fmt: skip
    return parts.table(
        newest("Deviations", rows), head_, rows, numbers=("Open for", "Entry"),
        empty="No deviation in these days.", testid="deviations",
    )  # fmt: skip


def _state(row: Mapping[str, Any]) -> str:
    said = row["disposition"]
    return (
        said.replace("_", " ").replace("-", " ").capitalize() if said else row["state"].capitalize()
    )


def near_misses(view: DeviationView, zone: ZoneInfo, rights: Rights) -> Markup:
    """Return refused attempts: by rule, and one by one."""
    by_rule = [(cause(rule), count) for rule, count in view.rules]
    first = parts.table(
        "By rule", ("Rule", "Times"), by_rule, numbers=("Times",), empty="No attempt was refused.",
    )  # fmt: skip
    rows = [
        (
            words.fixed(parts.local_time(row["refused_at"], zone)),
            cause(row["rule"]),
            words.fixed(row["batch"] or words.NONE),
            row["step"] or words.NONE,
            row["says"],
            row["person"],
            entry(row["seq"], rights),
        )
        for row in view.refusals
    ]
    head_ = ("When", "Rule", "Batch", "Step", "What was said", "Person", "Entry")
    second = parts.table(
        newest("Refused attempts", rows), head_, rows, numbers=("Entry",),
        empty="No attempt was refused in these days.", testid="refusals",
    )  # fmt: skip
    note = "A rule held: nothing was recorded as done. What is refused often is worth a look."
    return parts.join(chart_head("Near misses", note), first, second)
