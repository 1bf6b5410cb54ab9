"""The row of figures of each line: value, verdict, bounds; a dash with its reason where unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.oee import Elements, percent
from dashboards import parts
from dashboards.operations import words
from dashboards.operations.ask import Ask
from dashboards.operations.figures import LineFigures, OeeView
from dashboards.operations.words import Bands
from dashboards.palette import State

FULL = percent(Fraction(1))
RATIOS = ("oee", "availability", "performance", "quality", "coverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One tile. `value` None is unknown and `because` says why; it is never 0.

    `low` and `high` bound it where part of the time is unknown.
    """

    name: str
    value: Fraction | None
    low: Fraction | None
    high: Fraction | None
    state: State
    word: str
    because: str = ""

    @property
    def is_range(self) -> bool:
        """Whether the bounds stand in place of the number."""
        return self.value is None and self.low is not None and self.high is not None

    @property
    def shown(self) -> str:
        """The figure as it is printed."""
        return words.bounds(self.low, self.high) if self.is_range else percent(self.value)


def kpis(row: Elements | None, bands: Mapping[str, Bands]) -> tuple[Kpi, ...]:
    """Return the tiles of one line; with `row` None nothing is known of it."""
    return tuple(_kpi(name, row, bands[name]) for name in RATIOS)


def _kpi(name: str, row: Elements | None, bands: Bands) -> Kpi:
    if row is None:
        return Kpi(name=name, value=None, low=None, high=None, state=State.UNKNOWN,
                   word="Unknown", because="nothing was recorded in this time")  # fmt: skip
    value = getattr(row, name)
    if value is None:
        return Kpi(name=name, value=None, low=None, high=None, state=State.UNKNOWN,
                   word="Unknown", because=row.why.get(name, "not known"))  # fmt: skip
    low, high = bound(name, row)
    if name != "coverage" and not row.valid:
        because = f"the state is known for {percent(row.coverage)} of planned time"
        if low is None and row.coverage:
            low = high = value
        return Kpi(name=name, value=None, low=low, high=high, state=State.UNKNOWN,
                   word="Not valid", because=because)  # fmt: skip
    state, word = bands.judge(value)
    because = ""
    if name == "coverage":
        word = "Known" if state is State.OK else "Too little is known"
        because = (
            f"{words.duration(row.unknown_us, seconds=True)} unknown"
            if percent(value) != FULL
            else ""
        )
    elif name == "performance" and value > 1:
        state, word = State.BAD, "Above 100 %"
        because = "counts and run time disagree"
    return Kpi(name=name, value=value, low=low, high=high, state=state, word=word, because=because)


def bound(name: str, row: Elements) -> tuple[Fraction | None, Fraction | None]:
    """Return what a ratio may be: unknown time taken as down, and as running on."""
    if not row.unknown_us or name not in ("availability", "oee"):
        return None, None
    low, high = row.availability, row.availability_high
    if name == "oee":
        performance, quality = row.performance, row.quality
        if row.oee is None or performance is None or quality is None or high is None:
            return None, None
        low, high = row.oee, high * performance * quality
    # what does not show in the printed figure is no spread
    return (None, None) if percent(low) == percent(high) else (low, high)


def line_rows(view: OeeView, ask: Ask, *, zone: ZoneInfo, bands: Mapping[str, Bands]) -> Markup:
    """Return all lines, one below the other; the chosen one is marked."""
    made = Markup("").join(
        _line(one, view, ask, zone=zone, bands=bands)
        for one in view.lines
        if ask.line in ("", one.line)
    )
    return Markup('<div class="lines">{}</div>').format(made)


def _line(
    one: LineFigures, view: OeeView, ask: Ask, *, zone: ZoneInfo, bands: Mapping[str, Bands]
) -> Markup:
    tiles = Markup("").join(
        _tile(tile, one.line, ask, bands=bands[tile.name]) for tile in kpis(one.row, bands)
    )
    flags = Markup("").join(
        Markup('<p class="flag near">{}<span>{}</span></p>').format(parts.sign(State.NEAR), text)
        for text in (one.row.flags if one.row else ())
    )
    name = one.line if one.name == one.line else f"{one.line} · {one.name}"
    return Markup(
        '<section class="line" data-testid="line-{0}" aria-label="Line {0}">'
        '<div class="line-head"><h2>{1}</h2>{2}</div><div class="kpis">{3}</div>{4}{5}</section>'
    ).format(one.line, name, _present(one, view, zone), tiles, flags, source_line(view, zone))


def _present(one: LineFigures, view: OeeView, zone: ZoneInfo) -> Markup:
    """Return what the line does now; of a window that is over, nothing."""
    if not view.is_live:
        return Markup("")
    if one.now is None:
        return parts.chip(State.UNKNOWN, "Nothing recorded yet")
    since = parts.local_time(at(one.now.since_us), zone)
    states = {"run": State.OK, "unknown": State.UNKNOWN, "breakdown": State.BAD,
              "unlabeled": State.BAD, "no_order": State.INFO, "off": State.INFO}  # fmt: skip
    state = states.get(one.now.category, State.NEAR)
    what = words.loss_name(one.now.category, one.now.reason)
    if one.now.category == "unlabeled":
        what = "Stopped, no reason given yet"
    batch = f", batch {one.now.batch}" if one.now.batch else ""
    chip = parts.chip(state, what, testid=f"now-{one.line}")
    return Markup('{}<span class="since">since {}{}</span>').format(chip, since, batch)


def _tile(kpi: Kpi, line: str, ask: Ask, *, bands: Bands) -> Markup:
    href = ask.url(drill=f"ratio:{line}:{kpi.name}")
    unsure = kpi.is_range or kpi.value is None or (kpi.high is not None and kpi.high != kpi.low)
    note = kpi.because
    if kpi.value is not None and unsure:
        note = f"{words.bounds(kpi.low, kpi.high)}: low and high bound"
    elif kpi.is_range:
        note = f"low and high bound; {kpi.because}"
    return Markup(
        '<div class="kpi {0}{1}" data-state="{0}" data-testid="kpi-{2}-{3}"><h3>{4}</h3>'
        '<a href="{5}" aria-label="{4} of {2}: {6}. Open the rows behind it"{7}>{6}</a>'
        '<span class="verdict">{8}{9}</span>{10}{11}</div>'
    ).format(
        kpi.state.value,
        " hatched" if unsure else "",
        line,
        kpi.name,
        words.RATIO_NAMES[kpi.name],
        href,
        kpi.shown,
        Markup(' class="range"') if kpi.is_range else "",
        parts.sign(kpi.state),
        kpi.word,
        _bullet(kpi, bands),
        Markup('<span class="because">{}</span>').format(note) if note else "",
    )


def _bullet(kpi: Kpi, bands: Bands) -> Markup:
    """Return the figure as a bar from 0 to 100 % with both target marks; unknown is hatched."""
    if kpi.value is None and not kpi.is_range:
        return Markup("")
    low = kpi.low if kpi.is_range else kpi.value
    high = kpi.high if kpi.high is not None else kpi.value
    assert low is not None
    assert high is not None
    to, end = _place(low), _place(high)
    hatch = Markup("").join(
        Markup('<path class="frame" d="M{} 10 {} 2"/>').format(x / 10, x / 10 + 1.5)
        for x in range(round(to * 10), round(end * 10), 12)
    )
    frame = Markup('<rect class="frame" x="{}" y="2" width="{}" height="8"/>').format(
        to, max(end - to, 0)
    )
    marks = Markup("").join(
        Markup('<path class="target" d="M{0} 0V12"/>').format(_place(edge))
        for edge in dict.fromkeys((bands.low, bands.high))
    )
    return Markup(
        '<svg class="bullet" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" y="2" width="100" height="8"/>'
        '<rect class="value" y="2" width="{}" height="8"/>{}{}{}</svg>'
    ).format(to, hatch, frame if end > to else "", marks)


def _place(value: Fraction) -> float:
    return round(float(min(max(value, Fraction(0)), Fraction(1))) * 100, 2)


def source_line(view: OeeView, zone: ZoneInfo, what: str = "") -> Markup:
    """Return where a tile's figures come from, and how far they have read."""
    mark = view.mark
    text = (
        f"{what}as of entry {words.count(mark.seq)} and machine interval "
        f"{words.count(mark.interval_id)}, {zone.key}, definition {view.definition}"
    )
    return Markup('<p class="source">{}</p>').format(text[0].upper() + text[1:])


def at(us: int) -> datetime:
    """Return the instant so many microseconds after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
