"""The page `/reconcile`: its state is the URL, its content a view of the reader's snapshot."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.clock import now
from dashboards import menu, parts, visit
from dashboards.components.sheet import Sheet
from dashboards.finance.drawer import drawer, gone
from dashboards.finance.evidence import evidence_of
from dashboards.finance.link import link_view
from dashboards.finance.matching import ReconcileReader
from dashboards.finance.reading import Listing
from dashboards.finance.view import HERE, ask_of, overview, tabs
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

CSS = (Path(__file__).parent / "finance.css").read_text("utf-8")
FIELDS = ("view", "class", "day", "find", "sort", "row", "page", "ask")


class ReconcilePage:
    """One visit to `/reconcile`."""

    def __init__(self, plant: PlantServices, viewer: Viewer, reader: ReconcileReader) -> None:
        self._plant, self._viewer, self._reader = plant, viewer, reader
        self._login = visit.login()
        self._ask = ask_of({name: visit.query(name) for name in FIELDS})
        self._note = Markup("")
        self._queued = False
        self.sheet = Sheet(self._go, css=CSS, follows=True)
        self.drawer = Sheet(self._go, self._act, css=CSS, modal=True, margin=0)
        self._document = visit.document()
        visit.on_leave(reader.watch(self._told))
        self._show(None)
        visit.soon(self._news)

    def _told(self) -> None:
        """Hear of news, in the reader's thread: one turn of the page is queued at a time."""
        if not self._queued:
            self._queued = True
            visit.later(self._document, self._news)

    async def _news(self) -> None:
        self._queued = False
        await self._draw()
        await self._draw_row()

    async def _draw(self) -> None:
        """Read the page of the match that is asked for, off the event loop, and show it."""
        ask, found = self._ask, None
        if ask.view != "link":
            listing = self._reader.listing
            found = await asyncio.to_thread(listing, ask.scope, sort=ask.sort, page=ask.page)
        if self._ask == ask:
            self._show(found)

    def _show(self, found: Listing | None) -> None:
        zone, ask, link = self._plant.zone, self._ask, self._reader.newest_link
        head = tabs(ask, link.waiting if link else None)
        if ask.view == "link":
            body = link_view(link, zone=zone, size=self._plant.ledger.size())
        else:
            today = now().astimezone(zone).date()
            body = overview(ask, self._reader.newest, found, zone=zone, today=today)
        self.sheet.show(head, body)

    async def _draw_row(self) -> None:
        ask = self._ask
        if not ask.row or self._reader.newest is None:
            self.drawer.show(Markup(""))
            return
        row = await asyncio.to_thread(self._reader.row, ask.row)
        if row is None:
            self.drawer.show(gone(ask))
            return
        plant = self._plant
        found = await asyncio.to_thread(
            evidence_of,
            row,
            self._reader.boundary,
            execution=plant.execution,
            ledger=plant.ledger,
        )
        if self._ask == ask:
            shown = drawer(found, ask, zone=plant.zone, opens=self._opens, note=self._note)
            self.drawer.show(shown)

    def _opens(self, text: str, href: str) -> Markup:
        path = href.partition("?")[0]
        may = menu.may_open(path, self._viewer.roles)
        return parts.link(text, href) if may else parts.safe(text)

    async def _go(self, query: Mapping[str, str]) -> None:
        before, self._ask = self._ask, ask_of(query)
        if before.row != self._ask.row:
            self._note = Markup("")
        await self._draw()
        await self._draw_row()

    async def _act(self, act: str, _press: str) -> None:
        ask = self._ask
        if act != "resend" or not (ask.row and ask.resend):
            return
        if self._login.ended:
            self._note = parts.notice(State.BAD, "Not sent.", "You are signed out. Sign in again.")
        else:
            count = await asyncio.to_thread(self._reader.replay, ask.row)
            self._note = _sent(count)
        self._ask = replace(ask, resend=False)
        self.drawer.at(self._ask.url())
        await self._draw_row()


def _sent(count: int) -> Markup:
    if count:
        text = "The relay sends it in its order's turn; the answer shows below."
        return parts.notice(State.INFO, "Made due again, same key.", text)
    text = "It is being sent, or was settled. See its state below."
    return parts.notice(State.HELD, "Not resent.", text)


def reconcile_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the page."""
    reader: Any = plant.readers.get("reconcile")
    body: Any
    if reader is None:
        body = parts.html(
            parts.notice(
                State.UNKNOWN,
                "No ERP is connected.",
                parts.join("Nothing is sent and nothing is compared. See ",
                           parts.link("how to connect one", "/help/erp"), "."),
            )
        )  # fmt: skip
    else:
        page = ReconcilePage(plant, viewer, reader)
        body = [page.sheet, page.drawer]
    return frame("Reconciliation", body, viewer=viewer, nav=HERE, plant=plant.name, zone=plant.zone)
