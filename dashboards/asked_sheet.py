"""What finance asked this person to correct, on the first page; or the answer that it is right."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from core.clock import now
from core.command_id import new_command_id
from core.correction_request import CorrectionRequest, DeclineCorrection
from core.errors import MesError
from core.execution import Actor, Execution
from dashboards import menu, parts, visit
from dashboards.components.sheet import Sheet
from dashboards.names import Names
from dashboards.palette import State
from dashboards.parts import join, notice, paragraph
from dashboards.plant import PlantServices
from dashboards.session import Viewer


def asked_of(execution: Execution, person: str) -> list[CorrectionRequest]:
    """Return the open requests to a person, the one that is due first before the others."""
    found = execution.nouns.open(CorrectionRequest)
    return sorted((one for one in found if one.to == person), key=lambda one: one.due_on)


class AskedSheet:
    """The requests to one person, drawn anew when one of them moves."""

    def __init__(self, plant: PlantServices, viewer: Viewer, names: Names) -> None:
        self._plant, self._viewer, self._names = plant, viewer, names
        execution = plant.execution
        self._actor = Actor(viewer.person, viewer.station, visit.signing_session(execution))
        self._login, self._said = visit.login(), Markup("")
        self.sheet = Sheet(lambda _query: None, self._act, follows=True)
        topics = ["kind/correction-request"]
        plant.hub.subscribe(topics, lambda _news: self.draw(), after=plant.hub.newest)
        self.draw()

    def draw(self) -> None:
        """Show what is asked; nothing where nothing is."""
        found = asked_of(self._plant.execution, self._viewer.person)
        if not found and not self._said:
            self.sheet.show(Markup(""))
            return
        head = parts.heading("Corrections asked of you", note=f"{len(found)}" if found else "none")
        self.sheet.show(head, self._said, *map(self._request, found))

    def _request(self, it: CorrectionRequest) -> Markup:
        today = now().astimezone(self._plant.zone).date()
        late = it.due_on < today
        word = f"Entry {it.entry}, due {it.due_on.isoformat()}{', overdue' if late else ''}."
        text = join(
            f"{self._names.full(it.asked_by)} asks: {it.what} ", self._opens(it.batch),
            " Corrected, it closes by itself.",
        )  # fmt: skip
        form = Markup(
            '<details class="fix" data-key="decline-{0}"><summary data-key="s-{0}">It is right as '
            'it is …</summary><form class="act">{1}<input type="hidden" name="entry" value="{0}">'
            '<label class="wide">Why it stays as it is<textarea name="why" data-key="why-{0}" '
            'rows="2" maxlength="2000" required></textarea></label><button type="button" '
            'class="pick primary" data-act="decline" data-key="do-{0}" data-label="Answer" '
            'data-busy="Recording …">Answer</button></form></details>'
        ).format(it.entry, paragraph("Finance reads your answer beside the difference."))
        head = notice(State.BAD if late else State.NEAR, word, text)
        return Markup('<section data-testid="asked-{}">{}{}</section>').format(it.entry, head, form)

    def _opens(self, batch: str) -> Markup:
        for href in (f"/review/batch/{batch}", f"/kiosk?batch={batch}"):
            if menu.may_open(href.partition("?")[0], self._viewer.roles):
                return parts.link(f"Open batch {batch}.", href)
        return parts.safe(f"Batch {batch}.")

    def _act(self, act: str, _press: str) -> None:
        values = dict(self.sheet.values)
        if act != "decline" or not values.get("entry", "").isdigit():
            return
        self._said = self._answered(lambda: self._decline(int(values["entry"]), values))
        self.draw()

    def _decline(self, entry: int, values: dict[str, str]) -> Any:
        command = DeclineCorrection(entry=entry, why=values.get("why", "").strip())
        idem = f"asked:{new_command_id()}"
        return self._plant.execution.submit(command, actor=self._actor, idem=idem)

    def _answered(self, deed: Callable[[], Any]) -> Markup:
        if self._login.ended:
            return notice(State.BAD, "Not recorded.", "You are signed out. Sign in again.")
        try:
            deed()
        except MesError as refusal:
            return notice(State.BAD, "Not recorded.", str(refusal))
        return notice(State.OK, "Recorded.", "Finance sees your answer beside the difference.")
