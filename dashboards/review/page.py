"""The page `/review/batch/{batch}`: the walk through exceptions, or the whole record."""

import asyncio
from collections.abc import Callable
from typing import Any

import panel.ui as pu
from markupsafe import Markup

from core.errors import MesError, Refused
from core.execution import Actor
from dashboards import parts, visit
from dashboards.components.announcer import Announcer
from dashboards.components.signature_dialog import SignatureDialog
from dashboards.names import Names
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.record.seal import outlook
from dashboards.review.amend_draw import amendments_panel
from dashboards.review.desk import (
    AMENDMENT,
    ATTEMPTS,
    RULES,
    TRAIL,
    ReviewAsk,
    ReviewDesk,
)
from dashboards.review.evidence import Draw, pane, panel
from dashboards.review.forms import Forms
from dashboards.review.full_record import record
from dashboards.review.strip import about, rules, strip
from dashboards.review.walk import WalkList
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

LIST_WIDTH = 330


def batch_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw one batch: its exceptions with evidence, or its whole record."""
    names = Names(plant.execution)
    newest = plant.hub.newest
    desk = ReviewDesk(
        plant.execution,
        Actor(viewer.person, viewer.station, visit.signing_session(plant.execution)),
        visit.part("batch"),
        at=visit.query("at"),
    )
    draw = Draw(plant.execution, names, plant.zone)
    whole = visit.query("view") == "record"
    page = (
        RecordPage(desk, plant) if whole else ReviewPage(desk, draw, issuer=plant.provider_issuer)
    )
    batch = desk.file.batch
    topics = [f"batch/{batch.batch}", f"refusal/batch/{batch.batch}", "kind/deviation"]
    topics += [f"record/{batch.batch}", "kind/amendment", "kind/correction-request"]
    plant.hub.subscribe(topics, lambda _news: page.follow(), after=newest)
    return frame(
        f"Batch {batch.batch} · {batch.content.product_name}",
        page.body(),
        viewer=viewer,
        nav="/review",
        plant=plant.name,
        zone=plant.zone,
    )


class RecordPage:
    """The whole record, read only."""

    def __init__(self, desk: ReviewDesk, plant: PlantServices) -> None:
        self._desk, self._plant = desk, plant
        self._about, self._record = pane(), pane()
        desk.param.watch(self._redraw, ["file"])
        self._redraw()

    def body(self) -> list[Any]:
        return [self._about, self._record]

    def follow(self) -> None:
        """Show the record as it is now; a print or an amendment changes it too."""
        self._desk.refresh()
        self._redraw()

    def _redraw(self, *_: Any) -> None:
        file = self._desk.file
        self._about.object = parts.markup(about(file, whole=True))
        plant = self._plant
        seals = outlook(plant.keys, plant.stamps, plant.zone) if plant.keys else ""
        shown = parts.markup(record(plant.ledger, file.batch.batch, plant.zone, seals=seals))
        if shown != self._record.object:
            self._record.object = shown


class ReviewPage:
    """The walk through one batch's exceptions."""

    def __init__(self, desk: ReviewDesk, draw: Draw, *, issuer: str) -> None:
        self._desk, self._draw = desk, draw
        self._about, self._strip, self._message = pane(), pane(), pane(margin=0)
        self._list = WalkList(desk.choose, label="What to review")
        self._evidence, self._context = pane(margin=0), pane(margin=0)
        self._dialog, self._announcer = SignatureDialog(issuer=issuer), Announcer()
        self._forms = Forms(desk, sign=self._sign, act=self._act)
        desk.param.watch(self._redraw, ["file", "at"])
        desk.param.watch(self._say, ["message", "tone"])
        self._redraw()
        self._say()

    def follow(self) -> None:
        """Show the record as it is now; half-written texts stay."""
        self._desk.refresh()

    def body(self) -> list[Any]:
        left = pu.Column(self._list, width=LIST_WIDTH, margin=(0, 14, 0, 10))
        right = pu.Column(
            self._evidence,
            self._announcer,
            self._message,  # beside what was pressed, so that it is seen without scrolling
            self._forms.body(),
            self._context,
            sizing_mode="stretch_width",
            min_width=0,
            margin=(0, 10, 0, 0),
        )
        columns = pu.Row(left, right, sizing_mode="stretch_width", margin=0)
        return [self._about, self._strip, columns, self._dialog]

    def _redraw(self, *events: Any) -> None:
        desk, file = self._desk, self._desk.file
        if not events or any(event.name == "file" for event in events):
            self._about.object = parts.markup(about(file, whole=False))
            self._strip.object = parts.markup(strip(file))
        self._list.show(desk.items(), desk.at)
        evidence, context = self._drawn()
        self._evidence.object = parts.markup(evidence)
        self._context.object = parts.markup(context)
        self._forms.show()
        visit.set_query(at=desk.at)

    def _drawn(self) -> tuple[Markup, Markup]:
        desk, file, draw = self._desk, self._desk.file, self._draw
        exception = file.exception(desk.at)
        if exception is not None:
            return draw.exception(file, exception), draw.context(file, exception)
        if desk.at == RULES:
            note = parts.paragraph(
                f"{file.judged} rules were applied to what was done so far. {len(file.passed)} held"
                f" and are listed here; {len(file.batch.exceptions)} were broken, each is an"
                " exception."
            )
            return panel("Rules that held", note, rules(file), testid="evidence"), Markup("")
        if desk.at == ATTEMPTS:
            note = parts.paragraph(
                "Each was refused by a rule and changed nothing; it is evidence."
            )
            table = draw.attempts(file.attempts, f"Refused attempts, {len(file.attempts)}")
            return panel("Refused attempts", note, table, testid="evidence"), Markup("")
        if desk.at == TRAIL:
            return self._trail()
        if desk.at == AMENDMENT:
            return amendments_panel(draw, file), Markup("")
        return panel("Gates and release", draw.gates(file), testid="evidence"), Markup("")

    def _trail(self) -> tuple[Markup, Markup]:
        file, draw = self._desk.file, self._draw
        risky = file.risky
        note = parts.paragraph(
            f"{len(risky)} of {len(file.trail)} entries carry risk: exceptions, decisions about"
            " them, refused attempts, values outside limits. Read them first; all others follow."
        )
        first = draw.entries(risky, f"Entries of higher risk, {len(risky)}")
        rest = draw.entries(file.trail, f"All entries, {len(file.trail)}")
        more = Markup("<details><summary>All {} entries in order</summary>{}</details>").format(
            len(file.trail), rest
        )
        return panel("Audit trail of the batch", note, first, more, testid="evidence"), Markup("")

    def _say(self, *_: Any) -> None:
        desk = self._desk
        words = {State.OK: "Recorded.", State.BAD: "Not recorded.", State.INFO: "New."}
        text = desk.message.removeprefix("Recorded: ")
        shown = parts.notice(desk.tone, words[desk.tone], text) if desk.message else Markup("")
        answer = Markup('<div data-testid="answer">{}</div>').format(shown)
        self._message.object = parts.markup(answer)
        self._announcer.text = f"{words[desk.tone]} {text}" if desk.message else ""

    def _sign(self, made: Callable[[], ReviewAsk]) -> None:
        """Ask for a signature over what the desk shows now."""
        desk = self._desk
        try:
            ask = made()
        except Refused as missing:
            desk.tell(missing, State.BAD)
            return
        desk.tell("")
        self._dialog.request(
            desk.act(made), done=lambda _: desk.signed(ask), renew=lambda: desk.refresh()
        )

    async def _act(self, deed: Callable[[], str]) -> None:
        """Do something that needs no signature, off the page's thread."""
        try:
            answer: str | MesError = await asyncio.to_thread(deed)
        except MesError as refusal:
            answer = refusal
        self._desk.tried(answer)
