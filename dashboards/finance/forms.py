"""Forms of a row: what is filled in, what is chosen, and the act that a button names.

Each form names its act in `data-act`; the keys of its fields carry the record's version, so that a
text is kept while news come in and gone once it is recorded.
"""

from collections.abc import Iterable

from markupsafe import Markup

from dashboards.finance.row_state import RowState
from dashboards.parts import join, paragraph


def field_key(state: RowState, name: str) -> str:
    """Return the key of a form's field: another one as soon as something was recorded.

    >>> from types import SimpleNamespace as N
    >>> field_key(N(seen=N(ver=3)), "why")
    'why-3'
    """
    return f"{name}-{state.seen.ver}"


def hint(text: str) -> Markup:
    """Return a muted sentence, nothing where there is none."""
    return paragraph(text, muted=True) if text else Markup("")


def need_owner(state: RowState) -> Markup:
    """Return what is missing before anything is signed."""
    return Markup("") if state.is_owned else hint("Assign it first: what is signed has an owner.")


def folded(key: str, title: str, body: Markup, *, unfolded: bool = False) -> Markup:
    """Return a form under its title."""
    return Markup(
        '<details class="fix" data-key="fix-{0}" data-testid="fix-{0}"{1}><summary '
        'data-key="s-fix-{0}">{2}</summary>{3}</details>'
    ).format(key, Markup(" open") if unfolded else "", title, body)


def form(act: str, label: str, *pieces: Markup, busy: str = "Recording …") -> Markup:
    """Return a form that names its act."""
    return Markup(
        '<form class="act">{}<button type="button" class="pick primary" data-act="{}" '
        'data-key="do-{}" data-label="{}" data-busy="{}">{}</button></form>'
    ).format(join(*pieces), act, act, label, busy, label)


def area(state: RowState, name: str, label: str, *, field: str = "why") -> Markup:
    """Return a text to be filled in."""
    return Markup(
        '<label class="wide">{}<textarea name="{}" data-key="{}" rows="2" maxlength="2000" '
        "required></textarea></label>"
    ).format(label, field, field_key(state, name))


def choice(name: str, choices: Iterable[tuple[str, str]], *, label: str, none: str) -> Markup:
    """Return a list to choose from, in a form of the page itself."""
    options = join(*(Markup('<option value="{}">{}</option>').format(*one) for one in choices))
    return Markup(
        '<label>{}<select name="{}" data-key="all-{}" required><option value="">{}</option>{}'
        "</select></label>"
    ).format(label, name, name, none, options)


def select(
    state: RowState,
    name: str,
    choices: Iterable[tuple[str, str]],
    *,
    label: str,
    none: str,
    chosen: str | None = "",
) -> Markup:
    """Return a list to choose from."""
    options = join(
        *(
            Markup('<option value="{}"{}>{}</option>').format(
                value, Markup(" selected") if value == chosen else "", text
            )
            for value, text in choices
        )
    )
    return Markup(
        '<label>{}<select name="{}" data-key="{}" required><option value="">{}</option>{}'
        "</select></label>"
    ).format(label, name, field_key(state, name), none, options)
