"""A record's layout as HTML: for the page that follows a batch while it runs."""

from collections.abc import Sequence

from markupsafe import Markup

from dashboards import parts
from dashboards.palette import State
from dashboards.record.blocks import Block, Card, Cell, Line, Note, Section, Table, Told

LIGHTS = {"green": State.OK, "yellow": State.NEAR, "red": State.BAD, "none": State.UNKNOWN}
_MARKS = {
    "strong": Markup("<b>{}</b>"),
    "mono": Markup('<code class="hash">{}</code>'),
    "muted": Markup('<span class="muted">{}</span>'),
    "struck": Markup('<del class="old">{}</del>'),
}


def drawn(sections: Sequence[Section]) -> Markup:
    """Return the sections in their order, each a panel."""
    return Markup("").join(_section(one) for one in sections)


def name_of(title: str) -> str:
    """Return what a section's panel is called.

    >>> name_of("Yield and labels")
    'record-yield'
    """
    return "record-" + title.lower().split()[0].rstrip(",")


def _section(it: Section) -> Markup:
    body = Markup("").join(_block(one) for one in it.blocks)
    name = name_of(it.title)
    return Markup(
        '<section class="panel" tabindex="-1" data-testid="{0}" aria-labelledby="{0}-title">'
        '<h2 id="{0}-title">{1}</h2>{2}</section>'
    ).format(name, it.title, body)


def _block(it: Block) -> Markup:
    match it:
        case Told(facts):
            return parts.facts((label, _cell(value)) for label, value in facts)
        case Note(text, look):
            return parts.paragraph(text, muted=look == "muted")
        case Table():
            rows = [tuple(_cell(one) for one in row) for row in it.rows]
            numbers = [it.head[n] for n in it.right]
            return parts.table(
                it.title, it.head, rows, numbers=numbers, row_head=False, show_caption=False
            )
        case Card():
            return _card(it)


def _card(it: Card) -> Markup:
    state = LIGHTS.get(it.light)
    kind = "signed" if it.light == "signed" else f"step {state.value if state else ''}"
    mark = parts.chip(state, it.word) if state else Markup("")
    return Markup('<article class="{}"{}><h3>{} {}</h3>{}</article>').format(
        kind,
        Markup(' id="{}"').format(it.id) if it.id else "",
        it.title,
        mark,
        Markup("").join(_block(one) for one in it.blocks),
    )


def _cell(it: Cell) -> Markup:
    return Markup("<br>").join(_line(one) for one in it)


def _line(it: Line) -> Markup:
    return _MARKS.get(it.look, Markup("{}")).format(it.text)
