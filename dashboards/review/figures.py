"""Two small drawings: a value between its limits, and a step over the last batches.

Drawn as SVG with the page's own colours; every shape has its words beside it.
"""

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup

from core.quantity import kg_text, plain
from dashboards import parts
from dashboards.palette import State
from dashboards.review.dossier import Earlier, Measured

WIDE = 1000


def amount(value: Decimal | None, unit: str) -> str:
    """Return a value with its unit; grams are shown as kilograms.

    >>> amount(Decimal("2467"), "g"), amount(Decimal("2.1"), "%")
    ('2.467 kg', '2.1 %')
    """
    if value is None:
        return "–"
    return kg_text(value) if unit == "g" else f"{plain(value)} {unit}".strip()


def limits_text(it: Measured) -> str:
    """Return the closed limits in words."""
    if it.low is None and it.high is None:
        return "no limits"
    if it.low is None:
        return f"at most {amount(it.high, it.unit)}"
    if it.high is None:
        return f"at least {amount(it.low, it.unit)}"
    return f"{amount(it.low, it.unit)} to {amount(it.high, it.unit)}"


def verdict(it: Measured) -> tuple[State, str]:
    """Return how a value stands to its limits, as state and word."""
    if it.low is None and it.high is None:
        return State.INFO, "No limits"
    if it.within:
        return State.OK, "Within limits"
    over = it.high is not None and it.value > it.high
    return State.BAD, "Above the limit" if over else "Below the limit"


def excess(it: Measured) -> str:
    """Return by how much a value is outside, empty where it is within."""
    if it.high is not None and it.value > it.high:
        return f"{amount(it.value - it.high, it.unit)} above the highest good value"
    if it.low is not None and it.value < it.low:
        return f"{amount(it.low - it.value, it.unit)} below the lowest good value"
    return ""


class _Axis:
    """Values to places between `left` and `right`."""

    def __init__(self, values: Sequence[Decimal], *, left: int, right: int) -> None:
        low, high = min(values), max(values)
        pad = (high - low) * Decimal("0.18") or Decimal(1)
        self._low, self._span = low - pad, high - low + 2 * pad
        self._left, self._right = left, right

    def at(self, value: Decimal) -> int:
        share = (value - self._low) / self._span
        return int(self._left + share * (self._right - self._left))


def _line(x1: int, y1: int, *, x2: int, y2: int, kind: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, kind)


def _text(x: int, y: int, words: str, *, anchor: str = "middle", kind: str = "") -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" class="{}">{}</text>').format(
        x, y, anchor, kind, words
    )


def limit_bar(it: Measured) -> Markup:
    """Return a bar with the good range, the target and the value."""
    marks = [one for one in (it.low, it.high, it.target, it.value) if one is not None]
    if it.low is None and it.high is None:
        return Markup("")
    axis = _Axis(marks, left=0, right=WIDE)
    low = 0 if it.low is None else axis.at(it.low)
    high = WIDE if it.high is None else axis.at(it.high)
    at, (state, word) = axis.at(it.value), verdict(it)
    near = min(max(at, 90), WIDE - 90)
    pieces = [
        Markup('<rect x="0" y="44" width="1000" height="26" class="track"/>'),
        Markup('<rect x="{}" y="44" width="{}" height="26" class="good"/>').format(
            low, max(high - low, 2)
        ),
        Markup('<path d="M{} 40l-11 -15h22z" class="needle {}"/>').format(at, state.value),
        _line(at, 40, x2=at, y2=76, kind=f"needle {state.value}"),
        _text(near, 18, amount(it.value, it.unit), kind=f"value {state.value}"),
    ]
    if it.target is not None:
        pieces.append(_line(axis.at(it.target), 44, x2=axis.at(it.target), y2=70, kind="target"))
    pieces += _under(it, axis)
    label = f"{amount(it.value, it.unit)}, {word.lower()}, limits {limits_text(it)}"
    return Markup(
        '<svg class="bar-figure" viewBox="0 0 1000 104" role="img" aria-label="{}">{}</svg>'
    ).format(label, Markup("").join(pieces))


def _under(it: Measured, axis: _Axis) -> list[Markup]:
    """Return the figures below the bar: the target only where it does not touch a limit's."""
    told: list[Markup] = []
    spots = []
    if it.low is not None:
        spots.append((axis.at(it.low), amount(it.low, it.unit)))
    if it.high is not None:
        spots.append((axis.at(it.high), amount(it.high, it.unit)))
    if it.target is not None and all(abs(axis.at(it.target) - x) > 190 for x, _ in spots):
        spots.append((axis.at(it.target), f"target {amount(it.target, it.unit)}"))
    close = len(spots) > 1 and it.low is not None and abs(spots[0][0] - spots[1][0]) < 150
    for n, (x, words) in enumerate(spots):
        anchor = ("end", "start")[n] if close and n < 2 else "middle"
        told.append(_text(min(max(x, 8 if anchor == "start" else 70), 930), 96, words,
                          anchor=anchor, kind="limit"))  # fmt: skip
    return told


def trend_figure(rows: Sequence[Earlier], batch: str, title: str) -> Markup:
    """Return the step's value in each of the last batches, with the limits of each."""
    values = [row.measured.value for row in rows]
    for row in rows:
        values += [one for one in (row.measured.low, row.measured.high) if one is not None]
    axis = _Axis(values, left=150, right=16)
    step = min((WIDE - 160) // max(len(rows), 1), 90)
    pieces = []
    newest = rows[-1].measured
    right = 150 + step * len(rows)
    for limit in (newest.low, newest.high):
        if limit is not None:
            y = axis.at(limit)
            pieces.append(_line(130, y, x2=right, y2=y, kind="edge"))
            pieces.append(_text(122, y + 6, amount(limit, newest.unit), anchor="end", kind="limit"))
    for n, row in enumerate(rows):
        x, y = 150 + step * n + step // 2, axis.at(row.measured.value)
        state, word = verdict(row.measured)
        own = " own" if row.batch == batch else ""
        told = f"{row.batch}: {amount(row.measured.value, row.measured.unit)}, {word.lower()}"
        shape = (
            Markup('<path d="M{} {}l8 14h-16z" class="dot {}{}"/>').format(
                x, y - 9, state.value, own
            )
            if state is State.BAD
            else Markup('<circle cx="{}" cy="{}" r="7" class="dot {}{}"/>').format(
                x, y, state.value, own
            )
        )
        pieces.append(Markup("<g><title>{}</title>{}</g>").format(told, shape))
        if own:
            pieces.append(_text(x, 186, row.batch, kind="limit"))
    label = f"{title} in {len(rows)} batches, the last is {rows[-1].batch}"
    return Markup(
        '<svg class="trend-figure" viewBox="0 0 {} 194" role="img" aria-label="{}">{}</svg>'
    ).format(WIDE, label, Markup("").join(pieces))


def verdict_chip(it: Measured) -> Markup:
    """Return the verdict as a chip."""
    return parts.chip(*verdict(it))
