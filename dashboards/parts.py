"""Small read-only pieces of a page as plain, accessible HTML: crisp, quick and always escaped.

Every builder takes plain values and returns `Markup`; plain text given to a builder is escaped,
`Markup` is taken as it is. `html(...)` puts pieces on a page and takes nothing but `Markup`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import panel as pn
from markupsafe import Markup, escape

from dashboards.palette import State

LONG = 60  # signs; a longer fact has a row of its own
PARTS_CSS = (Path(__file__).parent / "assets" / "parts.css").read_text("utf-8")

# Each state has its own shape, drawn: a font may lack the sign.
_SHAPES = {
    State.OK: Markup('<path class="line" d="M2 8.5 6 12.5 14 3.5"/>'),
    State.NEAR: Markup('<path d="M8 2 15 14H1Z"/>'),
    State.BAD: Markup('<path class="line" d="M3 3 13 13M13 3 3 13"/>'),
    State.INFO: Markup('<circle cx="8" cy="8" r="5.5"/>'),
    State.HELD: Markup('<path d="M4 2h3v12H4zM9 2h3v12H9z"/>'),
    State.UNKNOWN: Markup('<circle class="line dashed" cx="8" cy="8" r="5.5"/>'),
}


def safe(value: object) -> Markup:
    """Return any value from people, scans or other systems as escaped text.

    >>> str(safe("<b>4711</b>"))
    '&lt;b&gt;4711&lt;/b&gt;'
    """
    return escape("" if value is None else value)


def join(*pieces: object) -> Markup:
    """Return pieces one after the other, plain text escaped."""
    return Markup("").join(safe(piece) for piece in pieces)


def html(*pieces: Markup, **params: Any) -> pn.pane.HTML:
    """Return a pane that shows pieces made by this module.

    Raises:
        TypeError: a piece is plain text, which would be read as HTML.
    """
    params.setdefault("sizing_mode", "stretch_width")
    params.setdefault("margin", (0, 10))
    return pn.pane.HTML(markup(*pieces), stylesheets=[PARTS_CSS], **params)


def markup(*pieces: Markup) -> str:
    """Return pieces as the text to give to a pane's `object` when it changes.

    Raises:
        TypeError: a piece is plain text, which would be read as HTML.
    """
    for piece in pieces:
        if not isinstance(piece, Markup):
            raise TypeError(f"not escaped: {piece!r:.60}; build it with dashboards.parts")
    return str(Markup("").join(pieces))


def sign(state: State) -> Markup:
    """Return the state's shape; decoration beside a word, hidden from screen readers."""
    return Markup('<svg class="sign" viewBox="0 0 16 16" aria-hidden="true">{}</svg>').format(
        _SHAPES[state]
    )


def chip(state: State, word: str, *, testid: str = "") -> Markup:
    """Return a status as colour, sign and word."""
    return Markup('<span class="chip {0}" data-state="{0}"{1}>{2}<span>{3}</span></span>').format(
        state.value, _testid(testid), sign(state), word
    )


def _testid(value: str) -> Markup:
    return Markup(' data-testid="{}"').format(value) if value else Markup("")


def heading(text: str, level: int = 2, *, note: str = "") -> Markup:
    """Return a heading; `note` stands beside it in small type."""
    small = Markup("<small>{}</small>").format(note) if note else Markup("")
    return Markup("<h{0}>{1} {2}</h{0}>").format(level, text, small)


def paragraph(text: object, *, muted: bool = False) -> Markup:
    """Return a paragraph."""
    return Markup('<p class="{}">{}</p>').format("muted" if muted else "", text)


def link(text: object, href: str) -> Markup:
    """Return a link to a page of ours.

    Raises:
        ValueError: the address does not start with one slash.
    """
    if not href.startswith("/") or href.startswith("//"):
        raise ValueError(f"{href}: links lead to pages of ours, starting with /")
    return Markup('<a href="{}">{}</a>').format(href, text)


def facts(
    rows: Iterable[tuple[str, object]] | Mapping[str, object], *, wide: bool = False
) -> Markup:
    """Return a list of facts, one label and value each."""
    pairs = rows.items() if isinstance(rows, Mapping) else rows
    body = Markup("").join(
        Markup("<div{}><dt>{}</dt><dd>{}</dd></div>").format(_breadth(value), label, safe(value))
        for label, value in pairs
    )
    return Markup('<dl class="facts{}">{}</dl>').format(" wide" if wide else "", body)


def _breadth(value: object) -> Markup:
    """Return what gives a long value, such as a hash or a sentence, more room than a name."""
    is_long = len(Markup(safe(value)).striptags()) > LONG  # noqa: S704  (measured, not shown)
    return Markup(' class="long"') if is_long else Markup("")


def card(
    label: str,
    value: object,
    *,
    unit: str = "",
    state: State | None = None,
    word: str = "",
    note: object = "",
    href: str = "",
    testid: str = "",
) -> Markup:
    """Return one figure with its unit; `href` opens its evidence."""
    inner = Markup('<h3>{}</h3><p class="figure">{}{}</p>{}{}').format(
        label,
        value,
        Markup(' <span class="unit">{}</span>').format(unit) if unit else "",
        chip(state, word) if state is not None and word else "",
        Markup('<p class="note">{}</p>').format(note) if note else "",
    )
    if href:
        inner = Markup('{}<p class="open">{}</p>').format(
            inner, link(Markup('Open<span class="hidden"> {}</span>').format(label), href)
        )
    return Markup('<section class="card {}"{}>{}</section>').format(
        state.value if state else "", _testid(testid), inner
    )


def cards(*items: Markup) -> Markup:
    """Return cards side by side, as many as fit."""
    return Markup('<div class="cards">{}</div>').format(Markup("").join(items))


def columns(*items: Markup) -> Markup:
    """Return blocks side by side, stacked where the screen is narrow."""
    body = Markup("").join(Markup("<div>{}</div>").format(item) for item in items)
    return Markup('<div class="columns">{}</div>').format(body)


def notice(state: State, word: str, text: object) -> Markup:
    """Return a full-width notice with sign, word and sentence."""
    return Markup(
        '<p class="notice {0}" data-state="{0}">{1}<strong>{2}</strong> <span>{3}</span></p>'
    ).format(state.value, sign(state), word, text)


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    units: Mapping[str, str] | None = None,
    numbers: Sequence[str] = (),
    row_head: bool = True,
    show_caption: bool = True,
    empty: str = "Nothing to show.",
    testid: str = "",
) -> Markup:
    """Return a table; the first cell of a row is its heading.

    Args:
        units: unit by column, printed once in the column's head.
        numbers: columns set flush right with digits of one width.
        empty: the sentence shown where there are no rows.
    """
    given, right = units or {}, [name in numbers for name in head]
    heads = Markup("").join(
        Markup('<th scope="col"{}>{}{}</th>').format(
            Markup(' class="number"') if flush else "",
            name,
            Markup(' <span class="unit">{}</span>').format(given[name]) if name in given else "",
        )
        for name, flush in zip(head, right, strict=True)
    )
    body = Markup("").join(_row(row, right, row_head=row_head) for row in rows)
    if not body:
        body = Markup('<tr><td colspan="{}" class="muted">{}</td></tr>').format(len(head), empty)
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table{1}>'
        "<caption{2}>{0}</caption><thead><tr>{3}</tr></thead><tbody>{4}</tbody></table></div>"
    ).format(
        caption,
        _testid(testid),
        "" if show_caption else Markup(' class="hidden"'),
        heads,
        body,
    )


def _row(row: Sequence[object], right: Sequence[bool], *, row_head: bool) -> Markup:
    cells = []
    for at, (cell, flush) in enumerate(zip(row, right, strict=True)):
        tag = Markup('th scope="row"') if row_head and at == 0 else Markup("td")
        kind = Markup(' class="number"') if flush else Markup("")
        cells.append(
            Markup("<{}{}>{}</{}>").format(tag, kind, safe(cell), "th" if "th" in tag else "td")
        )
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def progress(label: str, done: int, of: int) -> Markup:
    """Return a bar of steps done, with its words."""
    share = 0 if of == 0 else 100 * done // of
    return Markup(
        '<div class="progress"><span>{0}</span><div role="progressbar" aria-label="{0}" '
        'aria-valuemin="0" aria-valuemax="{1}" aria-valuenow="{2}">'
        '<div class="bar" data-done="{3}"><svg viewBox="0 0 100 4" preserveAspectRatio="none" '
        'aria-hidden="true"><rect width="{3}" height="4"/></svg></div></div></div>'
    ).format(label, of, done, share)


def local_time(at: datetime | None, zone: ZoneInfo, *, seconds: bool = True) -> str:
    """Return an instant in plant time with its zone, or a dash for none.

    >>> from datetime import UTC
    >>> local_time(datetime(2026, 11, 23, 5, 44, 40, tzinfo=UTC), ZoneInfo("Europe/Zurich"))
    '2026-11-23 06:44:40 CET'
    """
    if at is None:
        return "–"
    local = at.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M") + f" {local:%Z}"
