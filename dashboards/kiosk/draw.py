"""Read-only pieces of the kiosk as escaped HTML: head, task, facts, notices."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import panel as pn
from markupsafe import Markup

from core.order import Gate
from dashboards import parts
from dashboards.kiosk.look import ScaleLook, StepLook
from dashboards.palette import State

CSS = (Path(__file__).parent / "kiosk.css").read_text("utf-8")
WARNING = Markup(
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2 22.5 21H1.5Z" fill="none"'
    ' stroke="currentColor" stroke-width="2.4" stroke-linejoin="round"/><path d="M12 9v6M12'
    ' 17v2" stroke="currentColor" stroke-width="2.6"/></svg>'
)


def piece(*markup: Markup, **params: Any) -> pn.pane.HTML:
    """Return a pane of the kiosk's own look."""
    params.setdefault("sizing_mode", "stretch_width")
    params.setdefault("margin", 0)
    return pn.pane.HTML(parts.markup(*markup), stylesheets=[parts.PARTS_CSS, CSS], **params)


def head(seen: StepLook) -> Markup:
    """Return what stays on top of every step: batch, product, scale, how far it is."""
    done = seen.number if not seen.step else seen.number - 1
    label = f"Step {seen.number} of {seen.of}" if seen.step else f"{seen.of} of {seen.of} steps"
    label = f"{label} · {seen.phase[:1].upper()}{seen.phase[1:]}" if seen.phase else label
    return Markup(
        '<div class="khead" data-testid="kiosk-head"><div class="who"><b>{}</b>'
        '<span class="product">{}</span><span class="order">Order {} · Room {}</span></div>{}'
        '<div class="kprogress"><span>{}</span>{}</div></div>'
    ).format(
        seen.batch, seen.product, seen.order, seen.room, scale_chip(seen.scale), label,
        _bar(label, done, seen.of, at_work=bool(seen.step)),
    )  # fmt: skip


def _bar(label: str, done: int, of: int, *, at_work: bool) -> Markup:
    """Return the progress bar: steps complete, and the one at hand in the text's colour."""
    share = 1000 * done // max(of, 1)
    width = 1000 // max(of, 1) if at_work else 0
    return Markup(
        '<div role="progressbar" aria-label="{}" aria-valuemin="0" aria-valuemax="{}"'
        ' aria-valuenow="{}"><svg viewBox="0 0 1000 12" preserveAspectRatio="none"'
        ' aria-hidden="true"><rect class="all" width="1000" height="12"/><rect class="done"'
        ' width="{}" height="12"/><rect class="now" x="{}" width="{}" height="12"/></svg></div>'
    ).format(label, of, done, share, share, width)


def scale_chip(scale: ScaleLook | None) -> Markup:
    """Return the scale with its state as sign and words."""
    if scale is None:
        return Markup("")
    state = State.OK if scale.usable else State.NEAR if scale.needs_check else State.BAD
    return Markup(
        '<div class="scale {}" data-testid="scale-state">{}<span>Scale {} {}</span><small>{}'
        "</small></div>"
    ).format(state.value, parts.sign(state), scale.scale, scale.word, scale.until)


def task(title: str, ask: str, *, hazards: Sequence[str] = (), why: str = "") -> Markup:
    """Return the one instruction, the hazards beside it."""
    return Markup(
        '<section class="ktask"><p class="title">{}</p>{}<p class="ask" data-testid="ask">{}</p>'
        "{}</section>"
    ).format(
        title, _hazards(hazards), ask, Markup('<p class="why">{}</p>').format(why) if why else ""
    )


def place_task(
    title: str, ask: str, *, scale: ScaleLook | None, bound: bool, notes: bool
) -> Markup:
    """Return the head of the lists: where the kiosk stands and its scale; `notes` says why not."""
    faults = Markup("") if scale is None else Markup("").join(
        note(State.NEAR if scale.needs_check else State.BAD, one) for one in scale.faults
    )  # fmt: skip
    if not bound:
        faults = note(
            State.NEAR,
            "This session is bound to no station, so nothing can be weighed here."
            " Sign out, and choose a station when signing in.",
        )
    return Markup(
        '<div class="khead"><div class="who"><b>{}</b><span class="product">{}</span></div>{}</div>'
        "{}"
    ).format(ask, title, scale_chip(scale), faults if notes else "")


def _hazards(hazards: Sequence[str]) -> Markup:
    if not hazards:
        return Markup("")
    items = Markup("").join(
        Markup("<li>{}<span>{}</span></li>").format(WARNING, one) for one in hazards
    )
    return Markup('<ul class="khazards" aria-label="Hazards" data-testid="hazards">{}</ul>').format(
        items
    )


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Return label and value pairs, large."""
    body = Markup("").join(
        Markup('<div class="{}"><dt>{}</dt><dd>{}</dd></div>').format(
            "wide" if len(text) > 60 else "", label, text
        )
        for label, text in rows
    )
    return Markup('<dl class="kfacts" data-testid="facts">{}</dl>').format(body)


def words(text: str) -> Markup:
    """Return exactly what a signature will say."""
    return Markup(
        '<p class="kwords" data-testid="words"><small>The second person signs for these words'
        "</small>{}</p>"
    ).format(text)


def note(state: State, *sentences: str) -> Markup:
    """Return a notice inside the work area."""
    if len(sentences) == 1:
        text = Markup("<span>{}</span>").format(sentences[0])
    else:
        items = Markup("").join(Markup("<li>{}</li>").format(one) for one in sentences)
        text = Markup("<ul>{}</ul>").format(items)
    return Markup('<div class="knote {0}" data-state="{0}">{1}{2}</div>').format(
        state.value, parts.sign(state), text
    )


def held(deviation: str) -> Markup:
    """Return the sign of a held batch."""
    return Markup(
        '<div class="khold" data-testid="held">{}<div><strong>HELD</strong><p>{} QA has been'
        " told. This screen goes on by itself when QA has decided.</p></div></div>"
    ).format(parts.sign(State.HELD), deviation)


def end(state: State, sentence: str) -> Markup:
    """Return the last screen of a batch."""
    return Markup('<div class="kend {}">{}<p data-testid="ask">{}</p></div>').format(
        state.value, parts.sign(state), sentence
    )


def heading(text: str, note: str = "") -> Markup:
    """Return a heading inside the kiosk."""
    small = Markup("<small>{}</small>").format(note) if note else Markup("")
    return Markup('<h2 class="kh2">{}{}</h2>').format(text, small)


def said(text: str, at: str) -> Markup:
    """Return what was recorded last, and when; empty where nothing was."""
    if not text:
        return Markup('<p class="ksaid" role="status"></p>')
    return Markup(
        '<p class="ksaid" role="status" data-testid="recorded">{}Recorded<span>{} · {}</span></p>'
    ).format(parts.sign(State.OK), text, at)


def pours(rows: Iterable[tuple[str, str]]) -> Markup:
    """Return a line of small facts below the weight."""
    body = Markup("").join(Markup("<span>{} <b>{}</b></span>").format(*row) for row in rows)
    return Markup('<p class="kpours" data-testid="pours">{}</p>').format(body)


def value(
    label: str, limits: str, *, entered: str = "", unit: str = "", says: tuple[State, str] | None
) -> Markup:
    """Return what is asked for with its limits, and what was entered."""
    state = says[0].value if says else ""
    figure = (
        Markup('<span class="entered" data-testid="entered">{} <small>{}</small></span>').format(
            entered, unit
        )
        if entered
        else Markup("")
    )
    sentence = (
        Markup('<span class="says">{}<span>{}</span></span>').format(parts.sign(says[0]), says[1])
        if says
        else Markup("")
    )
    return Markup(
        '<div class="kvalue {}"><span class="label">{}</span><span class="limits">{}</span>{}{}'
        "</div>"
    ).format(state, label, limits, figure, sentence)


def corrected(label: str, old: str, new: str, *, unit: str, limits: str) -> Markup:
    """Return a recorded value, struck beside its new one as soon as that is entered."""
    figure = Markup('<s class="was" data-testid="was">{}</s> <b data-testid="new">{}</b>')
    text = figure.format(old, new) if new else Markup("<b>{}</b>").format(old)
    return Markup(
        '<div class="kvalue"><span class="label">{} as recorded</span>'
        '<span class="entered">{} <small>{}</small></span><span class="limits">{}</span></div>'
    ).format(label, text, unit, f"Must be {limits}" if limits else "")


def gates(found: Iterable[Gate]) -> Markup:
    """Return ready gates green and red, each red one with who can mend it."""
    row = Markup(
        '<li class="{0}" data-state="{0}">{1}<span>{2}<b>{3}</b></span><small>{4}</small></li>'
    )
    rows = Markup("").join(row.format(*_gate(one)) for one in found)
    return Markup('<ul class="kgates" data-testid="gates">{}</ul>').format(rows)


def _gate(one: Gate) -> tuple[str, Markup, str, str, str]:
    if one.passed:
        return State.OK.value, parts.sign(State.OK), one.says, "", ""
    state = State.BAD if one.blocks else State.NEAR
    later = "Its turn comes" if one.gate.startswith("room") else "To be done in the first steps"
    word = "Not ready" if one.blocks else later
    return state.value, parts.sign(state), one.says, word, f"Owner: {one.owner}"
