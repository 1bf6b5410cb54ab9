"""The page's pieces in words: the head, each chart's heading, and the same figures as tables."""

from collections.abc import Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.oee import OeeRow, percent
from dashboards import parts
from dashboards.operations import looks, shapes, words
from dashboards.operations.ask import HERE, Ask
from dashboards.operations.figures import STALE_US, OeeView
from dashboards.operations.kpi import at, source_line
from dashboards.operations.rights import Rights, entry
from dashboards.palette import State

ELEMENTS = (
    ("planned_us", "Planned"), ("run_us", "Run"), ("setup_us", "Setup"),
    ("breakdown_us", "Breakdown"), ("blocked_starved_us", "Blocked"), ("regulated_us", "Regulated"),
    ("other_us", "Other"), ("unlabeled_us", "Unlabelled"), ("no_order_us", "No order"),
    ("unknown_us", "Unknown"), ("minor_stop_us", "Minor stops"), ("ideal_total_us", "Ideal, all"),
    ("ideal_good_us", "Ideal, good"),
)  # fmt: skip


def head(view: OeeView, ask: Ask, *, zone: ZoneInfo, age_us: int, fault: str | None) -> Markup:
    """Return how far the figures have read, and what may be chosen."""
    return parts.join(_as_of(view, zone, age_us), _trouble(view, age_us, fault), _bar(view, ask))


def _as_of(view: OeeView, zone: ZoneInfo, age_us: int) -> Markup:
    until = at(max(view.start_us, min(view.end_us, view.mark.at_us)))
    window = (
        f"{parts.local_time(at(view.start_us), zone, seconds=False)} to "
        f"{parts.local_time(until, zone, seconds=False)}"
    )
    name = "No time recorded yet"
    if view.day is not None:
        name = f"{view.shift.capitalize()} shift" if view.shift else "Whole day"
        name = f"{name} of {view.day.isoformat()}" + (", so far" if view.is_live else "")
    facts = [
        ("Shown", name),
        ("Time", window if view.end_us else words.NONE),
        ("Read", parts.local_time(at(view.mark.at_us), zone) if view.mark.at_us else words.NONE),
        ("As of entry", words.count(view.mark.seq)),
    ]
    cells = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts
    )
    return Markup('<dl class="asof{}" data-testid="as-of">{}</dl>').format(
        " gone" if age_us > STALE_US else "", cells
    )


def _trouble(view: OeeView, age_us: int, fault: str | None) -> Markup:
    if fault is not None:
        text = "They stopped and are tried again every second. Call the engineer if it stays."
        return parts.notice(State.BAD, "Not up to date.", text)
    if age_us > 2 * STALE_US and view.mark.at_us:
        text = f"Nothing new for {words.duration(age_us)}. What is shown is what was known then."
        return parts.notice(State.UNKNOWN, "Old figures.", text)
    if not view.lines:
        text = "No line has sent machine data yet. Connect one, then look again."
        return parts.notice(State.UNKNOWN, "Nothing to show.", text)
    return Markup("")


def _pick(label: str, href: str, *, chosen: bool) -> Markup:
    return Markup('<a class="pick" href="{}"{}>{}</a>').format(
        href, Markup(' aria-current="true"') if chosen else "", label
    )


def _bar(view: OeeView, ask: Ask) -> Markup:
    lines = [_pick("All lines", ask.url(line="", drill=""), chosen=not ask.line)]
    lines += [
        _pick(one.line, ask.url(line=one.line, drill=""), chosen=ask.line == one.line)
        for one in view.lines
    ]
    now = _pick("Current shift", ask.url(day=None, shift="", drill=""), chosen=ask.day is None)
    names = list(dict.fromkeys(span.shift for span in view.spans))
    options = Markup("").join(
        Markup('<option value="{}"{}>{}</option>').format(
            value, Markup(" selected") if value == view.shift else "", label
        )
        for value, label in [("", "Whole day"), *((name, name.capitalize()) for name in names)]
    )
    kept = Markup("").join(
        Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
        for name, value in (("line", ask.line), ("trend", ask.trend))
        if value and value != "shift"
    )
    days = [span.business_date for span in view.spans]
    limits = (
        Markup(' min="{}" max="{}"').format(min(days).isoformat(), max(days).isoformat())
        if days
        else Markup("")
    )
    form = Markup(
        '<form method="get" action="{}">{}<label for="date">Date</label>'
        '<input id="date" name="date" type="date" data-go data-key="date" value="{}"{}>'
        '<label for="shift">Shift</label><select id="shift" name="shift" data-go '
        'data-key="shift">{}</select><button type="submit" class="pick">Show</button></form>'
    ).format(HERE, kept, view.day.isoformat() if view.day else "", limits, options)
    return Markup('<div class="bar">{}<span class="gap"></span>{}{}</div>').format(
        Markup("").join(lines), now, form
    )


def chart_head(title: str, note: str, *, level: int = 2) -> Markup:
    """Return a chart's heading and what it shows, in one sentence."""
    said = Markup("<p>{}</p>").format(note) if note else Markup("")
    return Markup('<div class="chart-head"><h{0}>{1}</h{0}>{2}</div>').format(level, title, said)


def folded(key: str, summary: str, *body: Markup) -> Markup:
    """Return what is unfolded by a press and stays so."""
    return Markup('<details data-key="{}"><summary>{}</summary>{}</details>').format(
        key, summary, Markup("").join(body)
    )


def fall_head(view: OeeView, ask: Ask) -> Markup:
    """Return the waterfall's heading."""
    row = view.whole
    note = "No time in this window."
    if row is not None:
        note = (
            f"From {words.duration(row.planned_us)} planned to "
            f"{words.duration(row.ideal_good_us)} of good pieces at the ideal rate"
            + (f": OEE {percent(row.oee)}." if row.oee is not None and row.valid else ".")
        )
    return chart_head(f"Where the time went, {_of(ask)}", note)


def _of(ask: Ask) -> str:
    return ask.line or "all lines"


def fall_table(view: OeeView, ask: Ask, zone: ZoneInfo) -> Markup:
    """Return the waterfall as a table."""
    planned = view.whole.planned_us if view.whole else 0
    rows = [
        (
            parts.link(one.name, ask.url(drill=f"loss:{one.category}"))
            if one.category
            else one.name,
            "loss" if one.is_loss else "level",
            words.duration(-one.us if one.is_loss else one.us),
            f"{100 * one.us / planned:.1f}" if planned and one.category != "off" else words.NONE,
        )
        for one in shapes.falls(view)
    ]
    made = parts.table(
        "Time by loss", ("Time", "Kind", "Amount", "Of planned time"), rows,
        units={"Of planned time": "%"}, numbers=("Amount", "Of planned time"), show_caption=False,
        testid="falls",
    )  # fmt: skip
    return parts.join(source_line(view, zone), folded("falls", "As a table", made))


def _fall_name(one: shapes.Fall, ask: Ask) -> object:
    has_rows = one.category not in ("", "off")
    return parts.link(one.name, ask.url(drill=f"loss:{one.category}")) if has_rows else one.name


def cause_head(found: Sequence[shapes.Cause], ask: Ask) -> Markup:
    """Return the Pareto's heading."""
    note = "No loss in this window."
    if found:
        note = f"Largest: {found[0].name}, {words.duration(found[0].us)}. The line ends at 100 %."
    return chart_head(f"Losses by cause, {_of(ask)}", note)


def cause_table(
    view: OeeView, found: Sequence[shapes.Cause], ask: Ask, *, zone: ZoneInfo
) -> Markup:
    """Return the Pareto as a table."""
    rows = [
        (
            parts.link(one.name, ask.url(drill=one.key)),
            f"{words.minutes(one.us):.1f}",
            one.stops or words.NONE,
            f"{one.cumulative:.1f}",
        )
        for one in found
    ]
    made = parts.table(
        "Losses by cause", ("Cause", "Time", "Stops", "Cumulative"), rows,
        units={"Time": "min", "Cumulative": "%"}, numbers=("Time", "Stops", "Cumulative"),
        show_caption=False, testid="causes",
    )  # fmt: skip
    return parts.join(source_line(view, zone), folded("causes", "As a table", made))


def lane_head(ask: Ask, kinds: set[str]) -> Markup:
    """Return the timeline's heading and its key."""
    note = "Click a stop for its rows; where it has no name yet, whoever may can give it one."
    return parts.join(chart_head(f"What happened when, {_of(ask)}", note), looks.key(kinds))


def lane_table(view: OeeView, ask: Ask, zone: ZoneInfo, *, rights: Rights) -> Markup:
    """Return the stops as a table, unlabelled ones first, and how many there are."""
    stops = [
        it
        for one in view.lines
        if ask.line in ("", one.line)
        for it in one.stretches
        if it.category != "run" and it.planned
    ]
    stops.sort(key=lambda it: (it.category != "unlabeled", -it.start_us))
    unnamed = sum(1 for it in stops if it.category == "unlabeled")
    rows = [
        (
            it.line,
            parts.link(
                f"{at(it.start_us).astimezone(zone):%H:%M:%S %Z}",
                ask.url(drill=f"stop:{it.line}:{it.start_us}"),
            ),
            words.duration(it.end_us - it.start_us, seconds=True),
            shapes.what(it),
            words.order(it.order_id, words.NONE),
            entry(it.label_seq, rights),
        )
        for it in stops[:200]
    ]
    made = parts.table(
        "Stops", ("Line", "Start", "Length", "What", "Order", "Label entry"), rows,
        numbers=("Label entry",), show_caption=False, empty="No stop in this window.",
        testid="stops",
    )  # fmt: skip
    cut = f", the first 200 of {len(stops)}" if len(stops) > 200 else ""
    title = f"{len(stops)} stops as a table, {unnamed} unlabelled{cut}"
    return parts.join(source_line(view, zone), folded("stops", title, made))


def trend_head(ask: Ask, limits: Sequence[str], lines: Mapping[str, int]) -> Markup:
    """Return the trend's heading, the choice of buckets, and which line is which."""
    by = [
        _pick("By shift", ask.url(trend="shift", drill=""), chosen=ask.trend == "shift"),
        _pick("By hour of what is shown", ask.url(trend="hour", drill=""),
              chosen=ask.trend == "hour"),
    ]  # fmt: skip
    note = (
        "A gap is a time without a figure; a hatched bar is what it may be. Dashed: "
        + ", ".join(limits)
        + "."
    )
    return parts.join(
        chart_head("OEE over time", note),
        Markup('<div class="bar">{}</div>').format(Markup("").join(by)),
        looks.series_key(lines),
    )


def trend_table(view: OeeView, rows: Sequence[OeeRow], ask: Ask, *, zone: ZoneInfo) -> Markup:
    """Return the trend as a table, the newest first."""
    body = [
        (
            _bucket(row, zone),
            row.line,
            percent(row.availability if row.valid else None),
            percent(row.performance),
            percent(row.quality),
            percent(row.oee if row.valid else None),
            percent(row.coverage),
        )
        for row in reversed(rows)
    ]
    head_ = ("Time", "Line", "Availability", "Performance", "Quality", "OEE", "Coverage")
    made = parts.table("OEE over time", head_, body, numbers=head_[2:], show_caption=False)
    return parts.join(source_line(view, zone), folded("trend", "As a table", made))


def _bucket(row: OeeRow, zone: ZoneInfo) -> str:
    if row.hour_us is not None:
        return shapes.hour_name(row.hour_us, zone)
    return f"{_iso(row.business_date)} {row.shift}"


def _iso(day: date | None) -> str:
    return day.isoformat() if day else words.NONE


def element_table(view: OeeView, ask: Ask, zone: ZoneInfo) -> Markup:
    """Return the sums that every ratio is made of, by line, shift and SKU."""
    body = [
        (
            Markup('<span class="nowrap">{}</span>').format(
                parts.link(
                    f"{row.line} {_iso(row.business_date)} {row.shift}",
                    ask.url(drill=f"ratio:{row.line}:oee"),
                )
            ),
            row.sku or "no SKU",
            *(f"{words.minutes(getattr(row, name)):.1f}" for name, _ in ELEMENTS),
            words.count(row.pq),
            words.count(row.gq),
            words.count(row.sq),
        )
        for row in view.rows
        if row.planned_us or row.pq
    ]
    names = [name for _, name in ELEMENTS]
    counts = ("Pieces", "Good", "Scrap")
    made = parts.table(
        "Elements by line, shift and SKU", ("Line and shift", "SKU", *names, *counts), body,
        units=dict.fromkeys(names, "min"), numbers=(*names, *counts), show_caption=False,
        testid="elements",
    )  # fmt: skip
    note = "Times are sums in minutes, pieces are counts; every ratio is made from them, last."
    return parts.join(
        chart_head("What the figures are made of", note), made, source_line(view, zone)
    )
