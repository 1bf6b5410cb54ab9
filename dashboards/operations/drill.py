"""The drawer: the rows behind a figure, a loss or a stop, down to ledger entries and telemetry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.evidence import CountRows, IntervalRow, LabelRow, counts, intervals, labels
from analytics.oee import OeeRow, percent
from analytics.rules import HOUR_US
from analytics.timeline import Stretch, timeline
from dashboards import parts
from dashboards.kiosk.lines import REASONS
from dashboards.operations import shapes, words
from dashboards.operations.ask import Ask
from dashboards.operations.figures import OeeView, within
from dashboards.operations.kpi import at, source_line
from dashboards.operations.rights import Rights, entry
from dashboards.palette import State

LIMIT = 200
HOURLY = ("hour_us", "line", "order_id", "sku")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What was found for a drill; `line` empty where it asks for nothing that exists."""

    kind: str
    line: str
    name: str = ""
    start_us: int = 0
    end_us: int = 0
    elements: tuple[OeeRow, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    intervals: tuple[IntervalRow, ...] = ()
    interval_count: int = 0
    counts: tuple[CountRows, ...] = ()
    labels: tuple[LabelRow, ...] = ()


def behind(reader: Any, view: OeeView, ask: Ask) -> Behind:
    """Read the rows that a drill asks for."""
    kind, _, rest = ask.drill.partition(":")
    first, _, second = rest.partition(":")
    names = [one.line for one in view.lines]
    if kind == "ratio" and first in names:
        return _ratio(reader, view, first, name=second)
    if kind == "hour" and first in names and second.isdigit():
        found = _window(reader, first, start_us=int(second), end_us=int(second) + HOUR_US)
        return _with(found, kind="hour", name=second)
    if kind == "loss":
        chosen = [ask.line] if ask.line in names else names
        return _loss(reader, view, chosen, category=first, reason=second)
    if kind == "stop" and first in names and second.isdigit():
        return _stop(reader, view, first, start_us=int(second))
    return Behind(kind="", line="")


def _with(found: Behind, **change: Any) -> Behind:
    values = {name: getattr(found, name) for name in Behind.__slots__}
    return Behind(**{**values, **change})


def _window(reader: Any, line: str, *, start_us: int, end_us: int) -> Behind:
    rows, total = intervals(reader, line, start_us=start_us, end_us=end_us, limit=LIMIT)
    return Behind(
        kind="", line=line, start_us=start_us, end_us=end_us, intervals=tuple(rows),
        interval_count=total, counts=tuple(counts(reader, line, start_us=start_us, end_us=end_us)),
        labels=tuple(labels(reader, line, start_us=start_us, end_us=end_us)),
    )  # fmt: skip


def _ratio(reader: Any, view: OeeView, line: str, *, name: str) -> Behind:
    rows = within(reader, HOURLY, view.day, shift=view.shift, line=line)
    found = _window(reader, line, start_us=view.start_us, end_us=view.end_us)
    return _with(found, kind="ratio", name=name, elements=tuple(rows))


def _loss(
    reader: Any, view: OeeView, lines: Sequence[str], *, category: str, reason: str
) -> Behind:
    rows, stretches = list[OeeRow](), list[Stretch]()
    for one in view.lines:
        if one.line in lines:
            stretches += [
                it
                for it in one.stretches
                if it.category == category and it.planned and reason in ("", it.reason or "")
            ]
    if not stretches:
        for line in lines:
            rows += within(reader, HOURLY, view.day, shift=view.shift, line=line)
    name = words.loss_name(category, reason or None)
    return Behind(
        kind="loss", line=", ".join(lines), name=name, start_us=view.start_us, end_us=view.end_us,
        stretches=tuple(stretches), elements=tuple(rows),
    )  # fmt: skip


def _stop(reader: Any, view: OeeView, line: str, *, start_us: int) -> Behind:
    near = timeline(reader, line, start_us=start_us - HOUR_US, end_us=start_us + 25 * HOUR_US)
    it = next((one for one in near if one.start_us <= start_us < one.end_us), None)
    if it is None:
        return Behind(kind="", line="")
    found = _window(reader, line, start_us=it.start_us, end_us=it.end_us)
    return _with(found, kind="stop", stretches=(it,))


def drawer(
    found: Behind, view: OeeView, ask: Ask, *, zone: ZoneInfo, rights: Rights, note: Markup
) -> Markup:
    """Return the drawer's content."""
    close = ask.url(drill="")
    if not found.kind:
        body = parts.notice(State.UNKNOWN, "Not here.", "Nothing in this window has this address.")
        return _frame("Nothing to show", "", body, close=close)
    if found.kind == "stop":
        title, under, body = _stop_body(found, zone, rights)
    elif found.kind == "loss":
        title = f"{found.name}, {found.line}"
        under = f"{len(found.stretches)} stretches" if found.stretches else "By hour and order"
        body = (
            _stretch_table(found, ask, zone, rights=rights)
            if found.stretches
            else _hours(found, zone)
        )
    elif found.kind == "hour":
        title, under = f"{found.line}: one hour", shapes.hour_name(found.start_us, zone)
        body = parts.join(_intervals(found, zone), _counts(found, zone))
    else:
        title, under, body = _ratio_body(found, view, zone)
    return _frame(title, under, parts.join(note, body, source_line(view, zone)), close=close)


def _frame(title: str, under: str, body: Markup, *, close: str) -> Markup:
    return Markup(
        '<div class="drawer-head" data-record="{0}"><div><h2 id="drawer-title" tabindex="-1" '
        'data-first>{0}</h2><p>{1}</p></div><a class="pick" data-close href="{2}">Close</a></div>'
        "{3}"
    ).format(title, under, close, body)


def _ratio_body(found: Behind, view: OeeView, zone: ZoneInfo) -> tuple[str, str, Markup]:
    one = view.of(found.line)
    row = one.row if one else None
    name = found.name if found.name in words.FORMULAS else "oee"
    title = f"{words.RATIO_NAMES[name]} of {found.line}"
    value = percent(getattr(row, name)) if row else words.NONE
    parts_of = {
        "oee": ("ideal_good_us", "planned_us"),
        "availability": ("run_us", "planned_us"),
        "performance": ("ideal_total_us", "run_us"),
        "quality": ("ideal_good_us", "ideal_total_us"),
        "coverage": ("unknown_us", "planned_us"),
    }[name]
    says = {
        "ideal_good_us": "Ideal time of good pieces", "ideal_total_us": "Ideal time of all pieces",
        "planned_us": "Planned time", "run_us": "Run time", "unknown_us": "Unknown time",
    }  # fmt: skip
    facts: list[tuple[str, object]] = [("Value", value), ("Formula", words.FORMULAS[name])]
    if row is not None:
        facts += [
            (says[one], f"{words.count(getattr(row, one))} µs = "
             f"{words.duration(getattr(row, one), seconds=True)}")
            for one in parts_of
        ]  # fmt: skip
        if name in row.why:
            facts.append(("Unknown because", row.why[name]))
        facts.append(("Definition", f"{view.definition}; ISO 22400-2 elements"))
    body = parts.join(
        parts.facts(facts), _hours(found, zone), _counts(found, zone), _intervals(found, zone)
    )
    return title, shapes.span(found.start_us, found.end_us, zone), body


def _hours(found: Behind, zone: ZoneInfo) -> Markup:
    names = (
        "planned_us", "run_us", "minor_stop_us", "unlabeled_us", "unknown_us", "ideal_total_us",
        "ideal_good_us",
    )  # fmt: skip
    heads = ("Planned", "Run", "Minor stops", "Unlabelled", "Unknown", "Ideal, all", "Ideal, good")
    rows = [
        (
            _hour(row.hour_us or 0, zone),
            row.line,
            words.order(row.order_id),
            row.sku or "no SKU",
            *(f"{words.minutes(getattr(row, name)):.1f}" for name in names),
            words.count(row.gq),
            words.count(row.sq),
        )
        for row in found.elements
    ]
    return parts.table(
        "Sums by hour, order and SKU",
        ("Hour", "Line", "Order", "SKU", *heads, "Good", "Scrap"), rows,
        units=dict.fromkeys(heads, "min"), numbers=(*heads, "Good", "Scrap"),
    )  # fmt: skip


def _hour(hour_us: int, zone: ZoneInfo) -> Markup:
    return Markup('<span class="nowrap">{}</span>').format(shapes.hour_name(hour_us, zone))


def _counts(found: Behind, zone: ZoneInfo) -> Markup:
    rows = [
        (
            _hour(row.hour_us, zone),
            words.order(row.order_id),
            words.count(row.good),
            words.count(row.scrap),
            words.count(row.estimated) if row.estimated else "none",
            f"{row.first_id} to {row.last_id}",
            words.count(row.rows),
        )
        for row in found.counts
    ]
    return parts.table(
        "Counts by hour", ("Hour", "Order", "Good", "Scrap", "Estimated", "Telemetry ids", "Rows"),
        rows, numbers=("Good", "Scrap", "Estimated", "Rows"), empty="Nothing was counted.",
    )  # fmt: skip


def _intervals(found: Behind, zone: ZoneInfo) -> Markup:
    rows = [
        (
            row.id,
            f"{at(row.start_us).astimezone(zone):%H:%M:%S}",
            f"{at(row.end_us).astimezone(zone):%H:%M:%S %Z}",
            words.duration(row.end_us - row.start_us, seconds=True),
            row.state,
            words.reason(row.reason) or words.NONE,
            words.order(row.order_id),
            row.source,
        )
        for row in found.intervals
    ]
    cut = f", the last {LIMIT} of {found.interval_count}" if found.interval_count > LIMIT else ""
    head = ("Telemetry id", "Start", "End", "Length", "State", "Machine's reason", "Order", "From")
    return parts.table(
        f"Machine intervals{cut}", head, rows, empty="The machine recorded nothing here yet.",
        testid="intervals",
    )  # fmt: skip


def _stretch_table(found: Behind, ask: Ask, zone: ZoneInfo, *, rights: Rights) -> Markup:
    rows = [
        (
            parts.link(
                f"{at(it.start_us).astimezone(zone):%Y-%m-%d %H:%M:%S %Z}",
                ask.url(drill=f"stop:{it.line}:{it.start_us}"),
            ),
            it.line,
            words.duration(it.end_us - it.start_us, seconds=True),
            it.state,
            shapes.what(it),
            words.order(it.order_id),
            entry(it.label_seq, rights),
        )
        for it in sorted(found.stretches, key=lambda it: it.start_us)
    ]
    head = ("Start", "Line", "Length", "State", "What", "Order", "Label entry")
    return parts.table("Stretches", head, rows, numbers=("Label entry",), show_caption=False)


def _stop_body(found: Behind, zone: ZoneInfo, rights: Rights) -> tuple[str, str, Markup]:
    it = found.stretches[0]
    facts = parts.facts(
        [
            ("What", shapes.what(it)),
            ("Machine state", it.state),
            ("Length", words.duration(it.end_us - it.start_us, seconds=True)
             + (", still so" if it.is_open else "")),
            ("Order", words.order(it.order_id)),
            ("Batch", it.batch or words.NONE),
            ("SKU", it.sku or words.NONE),
        ]
    )  # fmt: skip
    labelable = it.category not in ("run", "unknown", "minor_stop")
    ask_for = _label_buttons(it) if rights.label and labelable else Markup("")
    if it.category == "unlabeled" and not rights.label:
        text = "Operators and supervisors name it here or on the kiosk."
        ask_for = parts.notice(State.NEAR, "Nobody gave a reason yet.", text)
    body = parts.join(facts, ask_for, _labels(found, zone, rights), _intervals(found, zone))
    name = "Stop" if labelable else words.category(it.category)
    return f"{name} of {found.line}", shapes.span(it.start_us, it.end_us, zone), body


def _label_buttons(it: Stretch) -> Markup:
    title = "Why did it stop?" if it.labeled_by != "person" else "Name it again"
    buttons = Markup("").join(
        Markup(
            '<button type="button" class="pick" data-act="label:{0}" data-busy="Recording …" '
            'data-label="{1}"><b>{1}</b><small>{2}</small></button>'
        ).format(key, said, words.inner(words.category(kind)))
        for key, (said, kind) in REASONS.items()
    )
    return Markup('<h3>{} <small>one press records it, with your name</small></h3>'
                  '<div class="reasons">{}</div>').format(title, buttons)  # fmt: skip


def _labels(found: Behind, zone: ZoneInfo, rights: Rights) -> Markup:
    if not found.labels:
        return Markup("")
    rows = [
        (
            entry(row.seq, rights),
            words.reason(row.reason),
            words.category(row.category),
            row.person,
            parts.local_time(at(row.at_us), zone),
        )
        for row in found.labels
    ]
    return parts.table(
        "What people said", ("Entry", "Reason", "Counted as", "Person", "Said at"), rows
    )
