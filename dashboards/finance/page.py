"""The page `/reconcile`: its state is the URL, its content a view of the reader's snapshot."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.clock import now
from core.errors import MesError, Refused
from core.execution import Actor
from core.reconciliation import Reconciliation
from dashboards import menu, parts, visit
from dashboards.components.sheet import Sheet
from dashboards.components.signature_dialog import SignatureDialog
from dashboards.finance.acts import RowActs
from dashboards.finance.desk import PLAIN, RECORDED, SIGNED, FinanceDesk, Looked
from dashboards.finance.drawer import drawer, gone
from dashboards.finance.evidence import evidence_of
from dashboards.finance.link import link_view
from dashboards.finance.matching import ReconcileReader
from dashboards.finance.periods_view import PeriodShown, period_shown, periods_view
from dashboards.finance.pulled import stale_view
from dashboards.finance.reading import Listing, StockListing
from dashboards.finance.row_state import row_state
from dashboards.finance.stock import stock_view
from dashboards.finance.view import HERE, ask_of, overview, tabs
from dashboards.names import Names
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.signing_act import Ask as Signs
from dashboards.theme import Frame, frame

CSS = (Path(__file__).parent / "finance.css").read_text("utf-8")
FIELDS = ("view", "class", "day", "find", "kind", "sort", "row", "page", "ask", "period")


class ReconcilePage:
    """One visit to `/reconcile`."""

    def __init__(self, plant: PlantServices, viewer: Viewer, reader: ReconcileReader) -> None:
        self._plant, self._viewer, self._reader = plant, viewer, reader
        self._login = visit.login()
        actor = Actor(viewer.person, viewer.station, visit.signing_session(plant.execution))
        rows, self._periods = RowActs(reader, plant.execution), plant.periods()
        self._desk = FinanceDesk(plant.execution, actor, rows, self._periods)
        self._names = Names(plant.execution)
        self._ask = ask_of({name: visit.query(name) for name in FIELDS})
        self._note = self._said = Markup("")
        self._queued = False
        self._looked: Looked | None = None
        self._period: PeriodShown | Refused | None = None
        self._signed_periods: tuple[Reconciliation, ...] = ()
        self._period_of: object = None
        self._period_due = 0.0
        self.sheet = Sheet(self._go, self._act, css=CSS, follows=True)
        self.drawer = Sheet(self._go, self._act_on_row, css=CSS, modal=True, margin=0)
        self.dialog = SignatureDialog()
        self._document = visit.document()
        visit.on_leave(reader.watch(self._told))
        self._show(None)
        visit.aside(self._news)

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
        """Read what is asked for, off the event loop, and show it."""
        ask = self._ask
        found: Listing | StockListing | None = None
        if ask.view == "periods":
            await asyncio.to_thread(self._read_period, ask.period)
        elif ask.view == "stock":
            found = await asyncio.to_thread(
                self._reader.stock, text=ask.text, stock_class=ask.kind, page=ask.page
            )
        elif ask.view != "link":
            listing = self._reader.listing
            found = await asyncio.to_thread(listing, ask.scope, sort=ask.sort, page=ask.page)
        if self._ask == ask:
            self._show(found)

    def _read_period(self, period: str) -> None:
        """Read a period and what is signed, where match or ledger moved since the last look.

        A look that takes long is followed by a pause: it never takes more than a fifth of the time.
        """
        began = time.monotonic()
        if self._period_of is not None and began < self._period_due:
            return
        newest = self._reader.read().number
        mark = (period, newest, self._plant.ledger.size())
        if mark == self._period_of:
            return
        try:
            self._period = period_shown(self._periods, period) if period else None
        except Refused as refusal:
            self._period = refusal
        self._signed_periods = tuple(self._periods.all())
        self._period_of = mark
        self._period_due = time.monotonic() + 4 * (time.monotonic() - began)

    def _show(self, found: Listing | StockListing | None) -> None:
        zone, ask, link = self._plant.zone, self._ask, self._reader.newest_link
        head = tabs(ask, link.waiting if link else None)
        today = now().astimezone(zone).date()
        if ask.view == "link":
            body = link_view(link, zone=zone, size=self._plant.ledger.size())
        elif ask.view == "periods":
            shown, signed = self._period, self._signed_periods
            body = periods_view(ask, shown, signed, zone=zone, today=today, name=self._names.full)
        elif ask.view == "stock":
            stock = found if isinstance(found, StockListing) else None
            body = stock_view(ask, stock, zone=zone)
        else:
            rows = found if isinstance(found, Listing) else None
            body = overview(ask, self._reader.newest, rows, zone=zone, today=today)
        stale = Markup("")
        if link is not None:
            stale = stale_view(link.pulls, self._plant.execution.master_data(), link.at)
        self.sheet.show(head, stale, self._said, body)

    async def _draw_row(self) -> None:
        ask = self._ask
        if not ask.row or self._reader.newest is None:
            self.drawer.show(Markup(""))
            return
        row = await asyncio.to_thread(self._desk.rows.find, ask.row)
        if row is None:
            self._looked = None
            self.drawer.show(gone(ask))
            return
        plant, rows = self._plant, self._desk.rows
        found = await asyncio.to_thread(
            evidence_of,
            row,
            self._reader.boundary,
            execution=plant.execution,
            ledger=plant.ledger,
        )
        state = await asyncio.to_thread(row_state, row, rows)
        if self._ask == ask:
            self._looked = Looked(row=row, state=state)
            shown = drawer(
                found, ask, state, zone=plant.zone, opens=self._opens, name=self._names.full,
                note=self._note,
            )  # fmt: skip
            self.drawer.show(shown)

    def _opens(self, text: str, href: str) -> Markup:
        path = href.partition("?")[0]
        may = menu.may_open(path, self._viewer.roles)
        return parts.link(text, href) if may else parts.safe(text)

    async def _go(self, query: Mapping[str, str]) -> None:
        before, self._ask = self._ask, ask_of(query)
        if before.row != self._ask.row:
            self._note = Markup("")
        if (before.view, before.period) != (self._ask.view, self._ask.period):
            self._said, self._period, self._period_of = Markup(""), None, None
        await self._draw()
        await self._draw_row()

    async def _act_on_row(self, act: str, _press: str) -> None:
        """Do what a form of the drawer says about the row that it shows."""
        looked, values = self._looked, dict(self.drawer.values)
        if looked is None or act not in PLAIN + SIGNED:
            return
        if self._login.ended:
            self._note = _ended()
        elif act in SIGNED:
            self._note = await self._sign(
                lambda: self._desk.ask(act, self._looked or looked, values),
                lambda: _recorded(RECORDED[act]),
            )
        else:
            self._note = await self._recorded(
                lambda: self._desk.record(act, self._looked or looked, values)
            )
        if self._ask.resend:
            self._ask = replace(self._ask, resend=False)
            self.drawer.at(self._ask.url())
        await self._draw_row()

    async def _act(self, act: str, _press: str) -> None:
        """Do what the sheet's own forms say: assign differences of a period, or sign it."""
        period, why = self._ask.period, self.sheet.values.get("why", "")
        if act not in ("sign", "assign-class") or not period:
            return
        if self._login.ended:
            self._said = _ended()
        elif act == "assign-class":
            values = dict(self.sheet.values)
            self._said = await self._recorded(lambda: self._desk.assign_class(period, values))
            self._period_of = None
        else:
            self._said = await self._sign(
                lambda: self._desk.ask_period(period, why),
                lambda: _recorded(f"{period} is signed; its figures stand."),
            )
        await self._draw()

    async def _recorded(self, deed: Callable[[], str]) -> Markup:
        try:
            return _recorded(await asyncio.to_thread(deed))
        except MesError as refusal:
            return parts.notice(State.BAD, "Not recorded.", str(refusal))

    async def _sign(self, made: Callable[[], Signs], done: Callable[[], Markup]) -> Markup:
        """Ask for a signature; return what the page says meanwhile, nothing where all is well."""
        read = _ReadAside(made)
        try:
            await asyncio.to_thread(read)
        except MesError as refusal:
            return parts.notice(State.BAD, "Not signed.", str(refusal))
        self.dialog.request(
            self._desk.act(read),
            done=lambda _: self._signed(done()),
            renew=lambda: visit.aside(self._news),
        )
        return Markup("")

    def _signed(self, note: Markup) -> None:
        """Show that something was signed, on the row or the period as it is now."""
        if self._ask.row:
            self._note = note
        else:
            self._said, self._period_of = note, None
        self._reader.wake()
        visit.aside(self._news)


class _ReadAside:
    """What is asked to be signed: read anew on a worker's thread, as read last on the page's."""

    def __init__(self, made: Callable[[], Signs]) -> None:
        self._made = made
        self._last: Signs | None = None

    def __call__(self) -> Signs:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._last = self._made()
        assert self._last is not None
        return self._last


def _recorded(text: str) -> Markup:
    return parts.notice(State.OK, "Recorded.", text)


def _ended() -> Markup:
    return parts.notice(State.BAD, "Not recorded.", "You are signed out. Sign in again.")


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
        body = [page.sheet, page.drawer, page.dialog]
    return frame("Reconciliation", body, viewer=viewer, nav=HERE, plant=plant.name, zone=plant.zone)
