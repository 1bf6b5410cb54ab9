"""The manual, served by the plant itself: Markdown files to plain HTML, no HTML let through."""

import itertools
import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from markdown_it import MarkdownIt
from markupsafe import Markup

from dashboards import theme
from dashboards.login import chosen_scheme
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import Login

FOLDER = Path(__file__).parent / "help"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
PICTURE = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.(?:png|svg|webp)")
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def title_of(text: str, name: str) -> str:
    """Return a page's title: its first heading, else its name.

    >>> title_of("# Weighing", "weighing"), title_of("no heading", "first-steps")
    ('Weighing', 'First steps')
    """
    found = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else name.replace("-", " ").capitalize()


def anchor_of(heading: str) -> str:
    """Return the part of an address that leads to a heading.

    >>> anchor_of("When a scale may be used"), anchor_of("idempotency-key")
    ('when-a-scale-may-be-used', 'idempotency-key')
    """
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def render(text: str) -> Markup:
    """Return Markdown as HTML; HTML inside it is shown as text.

    Links and pictures are relative to the manual: `weighing.md` leads to `/help/weighing`, and
    `api.md#refused` to a heading of it.
    """
    tokens = _markdown.parse(text)
    for token, words in itertools.pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor_of(words.content))
    body = _markdown.renderer.render(tokens, _markdown.options, {})
    # What is wider than the page is moved sideways by itself, by the keyboard too.
    body = body.replace("<pre>", '<pre tabindex="0">')
    body = body.replace("<table>", '<div class="scroll" tabindex="0" role="group"><table>')
    body = body.replace("</table>", "</table></div>")
    body = re.sub(r'href="(?!/|#|https?:)([a-z0-9-]+)\.md(#[^"]*)?"', r'href="/help/\1\2"', body)
    body = re.sub(r'src="(?!/|https?:)([a-z0-9_-]+\.(?:png|svg|webp))"', r'src="/help/\1"', body)
    return Markup(body)  # noqa: S704  (made with html disabled)


def pages() -> list[tuple[str, str]]:
    """Return name and title of every page, the index first."""
    found = [
        (path.stem, title_of(path.read_text("utf-8"), path.stem)) for path in FOLDER.glob("*.md")
    ]
    return sorted(found, key=lambda page: (page[0] != "index", page[1].lower()))


def router(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes `/help` and `/help/<page>`."""
    routes = APIRouter(include_in_schema=False)
    reader = Depends(gate.guard("/help"))

    @routes.get("/help")
    @routes.get("/help/{name}")
    def show(request: Request, login: Annotated[Login, reader], name: str = "index") -> Response:
        if PICTURE.fullmatch(name) and (FOLDER / name).is_file():
            return FileResponse(FOLDER / name)
        path = FOLDER / f"{name}.md"
        if not NAME.fullmatch(name) or not path.is_file():
            raise HTTPException(404, "There is no such page in the manual. Go to /help.")
        text = path.read_text("utf-8")
        items = Markup("").join(
            Markup('<li><a href="/help/{}"{}>{}</a></li>').format(
                page, Markup(' aria-current="page"') if page == name else "", title
            )
            for page, title in pages()
        )
        body = Markup(
            '<div class="bw-help"><nav aria-label="Manual"><ul>{}</ul></nav>'
            "<article>{}</article></div>"
        ).format(items, render(text))
        return HTMLResponse(
            theme.plain(
                title_of(text, name),
                body,
                login=login,
                plant=plant.name,
                zone=str(plant.zone),
                here="/help",
                chosen=chosen_scheme(request),
            )
        )

    return routes
