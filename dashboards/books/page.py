"""The pages `/books` and `/books/{book}`: parameters in the URL, provenance at the end."""

import asyncio
from collections.abc import Mapping
from typing import Any

import panel.ui as pu
from markupsafe import Markup

from analytics.books.format import Book, BookFault, BookRefused
from analytics.books.run import BookRunner, Rendered
from core.errors import Refused
from dashboards import parts, visit
from dashboards.books import proof
from dashboards.books.draw import block_of
from dashboards.books.shelf import books
from dashboards.components.sheet import Sheet
from dashboards.operations.figures import TOPIC
from dashboards.operations.page import CSS
from dashboards.operations.rights import rights_of
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

HERE = "/books"


class BookPage:
    """One visit to a book. It stays as it was read; newer entries are announced, not drawn."""

    def __init__(
        self, plant: PlantServices, viewer: Viewer, runner: BookRunner, *, book: Book
    ) -> None:
        self._plant, self._runner, self._book = plant, runner, book
        self._rights = rights_of(plant, viewer)
        self._document = visit.document()
        self._query = {name: visit.query(name) for name in book.params}
        self._shown: Rendered | None = None
        self.top = Sheet(self._go, css=CSS, follows=True)
        # every chart is on the page from the start, and only filled: one that is put on a page
        # later may be measured by the browser before it is drawn
        self._blocks = [block_of(one, lambda: Sheet(self._go, css=CSS)) for one in book.blocks]
        pieces = [piece for one in self._blocks for piece in one.pieces]
        self.middle = pu.Column(*pieces, sizing_mode="stretch_width", margin=0)
        self.foot = Sheet(self._go, css=CSS)
        self.top.show(parts.paragraph("Reading the book …", muted=True))
        plant.hub.subscribe([TOPIC], lambda _news: self._announce(), after=plant.hub.newest)
        visit.aside(self._read)

    @property
    def body(self) -> list[Any]:
        """Return the page from the top down."""
        return [self.top, self.middle, self.foot]

    async def _go(self, query: Mapping[str, str]) -> None:
        self._query = {name: query.get(name, "") for name in self._book.params}
        await self._read()

    async def _read(self) -> None:
        asked = {name: value for name, value in self._query.items() if value}
        try:
            found: Rendered | Refused = await asyncio.to_thread(self._runner.run, self._book, asked)
        except Refused as no:
            found = no
        visit.later(self._document, lambda: self._draw(found))

    def _draw(self, found: Rendered | Refused) -> None:
        if isinstance(found, BookRefused):
            self._clear(fault_list(found.faults))
            return
        if isinstance(found, Refused):
            again = parts.link("Read it with its defaults", f"{HERE}/{self._book.id}")
            self._clear(parts.join(parts.notice(State.BAD, "Not shown.", str(found)), again))
            return
        self._shown = found
        zone = self._plant.zone
        self.top.show(proof.head(found, zone, newer=False), proof.form(found, HERE))
        for place, block in zip(self._blocks, found.blocks, strict=True):
            place.show(block, zone, self._rights)
        self.middle.visible = True
        self.foot.show(proof.accordion(found, zone))

    def _clear(self, said: Markup) -> None:
        self._shown = None
        self.top.show(said)
        self.middle.visible = False
        self.foot.show(Markup(""))

    def _announce(self) -> None:
        """Say that the ledger has gone on since; the page itself does not move."""
        found = self._shown
        if found is None:
            return
        newest = self._plant.readers["analytics"].watermark
        if newest.seq > found.provenance.as_of:
            head = proof.head(found, self._plant.zone, newer=True)
            self.top.show(head, proof.form(found, HERE))


def fault_list(faults: tuple[BookFault, ...] | list[BookFault]) -> Markup:
    """Return the linter's faults as file, line and sentence."""
    rows = [(f"{one.file}:{one.line}", one.name or "book", one.text) for one in faults]
    text = f"{len(faults)} to correct; nothing was run."
    return parts.join(
        parts.notice(State.BAD, "This book does not pass its checks.", text),
        parts.table("What is wrong", ("Where", "Part", "What"), rows, testid="faults"),
    )


def _may_read(book: Book, viewer: Viewer) -> bool:
    return not book.audience or not viewer.roles.isdisjoint(book.audience)


def books_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the index: the books this person may read, and files that are not books."""
    shelf = books()
    cards = [
        Markup('<a class="place" href="{}/{}"><b>{}</b><span>{}</span><span class="muted">'
               "Version {}, draft. For {}.</span></a>").format(
            HERE, book.id, book.title, book.summary, book.version,
            ", ".join("QA" if role == "qa" else role for role in book.audience) or "everyone",
        )
        for book in shelf.books.values()
        if _may_read(book, viewer)
    ]  # fmt: skip
    body = parts.cards(*cards) if cards else parts.paragraph("No book is for your role yet.")
    faults = fault_list(shelf.faults) if shelf.faults else Markup("")
    note = parts.paragraph(
        "A book is a page of words, figures and charts; each figure comes with its query and its "
        "digest.", muted=True,
    )  # fmt: skip
    return frame(
        "Books", parts.html(note, body, faults), viewer=viewer, nav=HERE, plant=plant.name,
        zone=plant.zone,
    )  # fmt: skip


def book_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw one book."""
    name = visit.part("book")
    shelf, runner = books(), plant.readers.get("books")
    book = shelf.books.get(name)
    faults = [one for one in shelf.faults if one.file == f"{name}.md"]
    body: Any
    if faults:
        body = parts.html(fault_list(faults))
    elif book is None or not _may_read(book, viewer):
        text = Markup("There is no book {} for your role. {}").format(
            name, parts.link("All books", HERE)
        )
        body = parts.html(parts.notice(State.UNKNOWN, "Not here.", text))
    elif runner is None:
        text = Markup("This server follows no ledger, so books have nothing to read.")
        body = parts.html(parts.notice(State.UNKNOWN, "Nothing to show.", text))
    else:
        body = BookPage(plant, viewer, runner, book=book).body
    title = book.title if book is not None else "Book"
    return frame(title, body, viewer=viewer, nav=HERE, plant=plant.name, zone=plant.zone)
