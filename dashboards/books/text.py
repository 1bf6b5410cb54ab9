"""A book's words as HTML: Markdown without raw HTML, links within the plant only."""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup


def _ours(address: str) -> bool:
    return address.startswith("/") and not address.startswith("//") and "\\" not in address


def _reader() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    made.validateLink = _ours  # type: ignore[method-assign, assignment]
    return made


_MARKDOWN = _reader()


def prose(markdown: str) -> Markup:
    r"""Return Markdown as HTML; a heading is one level lower, since the page has its own.

    >>> str(prose("# A"))
    '<div class="prose"><h2>A</h2>\n</div>'
    >>> "<script" in prose("<script>x</script> [x](javascript:alert(1))")
    False
    """
    tokens = _lowered(_MARKDOWN.parse(markdown))
    assert isinstance(_MARKDOWN.renderer, RendererHTML)
    made = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # the renderer escapes every text; raw HTML is switched off above
    return Markup('<div class="prose">{}</div>').format(Markup(made))  # noqa: S704


def _lowered(tokens: Sequence[Token]) -> list[Token]:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + 1)}"
    return list(tokens)
