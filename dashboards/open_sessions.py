"""Open sessions: everybody sees and ends their own, an administrator ends those of a person."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from core.authentication import CHANGING
from core.authority import PlantRules
from core.errors import Refused
from core.people import Person
from dashboards import parts, theme
from dashboards.login import chosen_scheme
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import COOKIE, Login, Viewer, same_csrf

ENDING = "person.unlock"  # who may let a person in again may also send them out
OTHERS = "others"
TOO_OLD = "This form is too old. Fill it in again."


def router(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes; those of other people's sessions stand before a person's forms."""
    pages = OpenSessions(plant, gate)
    routes = APIRouter(include_in_schema=False)
    own, people = [Depends(gate.guard("/account"))], [Depends(gate.guard("/people"))]
    routes.get("/account/sessions", dependencies=own)(pages.own)
    routes.post("/account/sessions", dependencies=own)(pages.end_own)
    routes.get("/people/{person}/sessions", dependencies=people)(pages.of_person)
    routes.post("/people/{person}/sessions", dependencies=people)(pages.end_of_person)
    return routes


def may_end(plant: PlantServices, viewer: Viewer) -> bool:
    """Tell whether the plant's matrix lets somebody end other people's sessions."""
    rules = plant.execution.nouns.get(PlantRules, plant.execution.plant)
    return rules is not None and bool(viewer.roles & set(rules.matrix.get(ENDING, ())))


class OpenSessions:
    """The pages of sessions; every route asks the gate first."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate = plant, gate

    def _login(self, request: Request) -> Login:
        return self._gate.guard("/account")(request)

    def _page(
        self, request: Request, title: str, body: Markup, *, is_refused: bool = False
    ) -> HTMLResponse:
        here = "/account" if request.url.path.startswith("/account") else "/people"
        document = theme.plain(
            title, Markup('<div class="bw-plain"><h1>{}</h1>{}</div>').format(title, body),
            login=self._login(request), plant=self._plant.name, zone=str(self._plant.zone),
            here=here, chosen=chosen_scheme(request),
        )  # fmt: skip
        return HTMLResponse(document, 422 if is_refused else 200)

    def _table(self, open_ones: list[Login], here: Login) -> Markup:
        rows = [
            (
                "this one" if one is here else one.id[:8],
                one.viewer.station or "none, a desk",
                one.address or "not known",
                parts.local_time(one.opened_at, self._plant.zone, seconds=False),
                f"{self._gate.sessions.idle_s(one) // 60} min ago",
            )
            for one in open_ones
        ]
        head = ("Session", "Station", "Address", "Since", "Used")
        return parts.table("Open sessions", head, rows)

    def own(self, request: Request) -> HTMLResponse:
        """Show one's own sessions, and the form to end others of them."""
        return self._own(request)

    def _own(self, request: Request, *, refusal: str = "") -> HTMLResponse:
        here = self._login(request)
        mine = self._gate.sessions.of_person(here.viewer.person)
        others = [one for one in mine if one is not here]
        done = parts.notice(State.OK, "Ended.", "The list shows what is open.")
        pieces = [
            done if "ended" in request.query_params else "",
            self._table(mine, here),
            _own_form(others, here, refusal=refusal) if others else
            parts.paragraph("No other session of yours is open."),
        ]  # fmt: skip
        is_refused = bool(refusal)
        return self._page(request, "Your sessions", parts.join(*pieces), is_refused=is_refused)

    def end_own(
        self,
        request: Request,
        *,
        csrf: Annotated[str, Form(max_length=128)],
        present: Annotated[str, Form(max_length=256)],
        which: Annotated[str, Form(max_length=64)],
    ) -> Response:
        """End other sessions of somebody who gives the present secret."""
        here = self._login(request)
        viewer = here.viewer
        if not same_csrf(here, csrf):
            return self._own(request, refusal=TOO_OLD)
        try:
            self._plant.execution.authenticate(
                viewer.person, present, station=viewer.station, purpose=CHANGING
            )
        except Refused as refusal:
            return self._own(request, refusal=str(refusal))
        only = "" if which == OTHERS else which
        stays = request.cookies.get(COOKIE)
        self._gate.sessions.end_person(viewer.person, "by its owner", but=stays, only=only)
        return RedirectResponse("/account/sessions?ended", 303)

    def _known(self, request: Request, person: str) -> tuple[Login, Person]:
        here = self._login(request)
        if not may_end(self._plant, here.viewer):
            raise HTTPException(403, "Sessions of others are ended by an administrator.")
        found = self._plant.execution.nouns.get(Person, person)
        if found is None:
            raise HTTPException(404, "Nobody has this user id. Go back to People.")
        return here, found

    def of_person(self, request: Request, person: str) -> HTMLResponse:
        """Show a person's sessions to an administrator, and the form to end them."""
        here, found = self._known(request, person)
        open_ones = self._gate.sessions.of_person(person)
        pieces = (
            parts.paragraph(found.name),
            self._table(open_ones, here),
            _form(f"/people/{person}/sessions", here, button="End all of them now")
            if open_ones
            else parts.paragraph("None is open."),
            Markup("<p>{}</p>").format(parts.link("Back", f"/people/{person}")),
        )
        return self._page(request, "Sessions of a person", parts.join(*pieces))

    def end_of_person(
        self, request: Request, person: str, csrf: Annotated[str, Form(max_length=128)]
    ) -> Response:
        """End a person's sessions; the entry of each says who did it."""
        here, _ = self._known(request, person)
        if not same_csrf(here, csrf):
            raise HTTPException(403, TOO_OLD)
        self._gate.sessions.end_person(person, "ended", by=here.viewer.person)
        return RedirectResponse(f"/people/{person}?done", 303)


def _form(action: str, here: Login, *, button: str, fields: Markup | str = "") -> Markup:
    return Markup(
        '<form class="bw-sheet" method="post" action="{}" autocomplete="off">'
        '<input type="hidden" name="csrf" value="{}">{}'
        '<button class="bw-button" type="submit">{}</button></form>'
    ).format(action, here.csrf, fields, button)


def _own_form(others: list[Login], here: Login, *, refusal: str) -> Markup:
    says = Markup(
        '<div class="bw-refusal" role="alert" data-testid="refusal"><strong>Not ended.</strong>'
        " {}</div>"
    ).format(refusal)
    options = Markup("").join(
        Markup('<option value="{}">{}, {}</option>').format(
            one.id, one.id[:8], one.viewer.station or "a desk"
        )
        for one in others
    )
    fields = parts.join(
        says if refusal else "",
        Markup(
            '<label for="which">Session</label><select id="which" name="which">'
            '<option value="{}">All but this one</option>{}</select>'
            '<label for="present">Your secret</label><input id="present" name="present"'
            ' type="password" maxlength="256" autocomplete="current-password" required>'
        ).format(OTHERS, options),
    )
    return _form("/account/sessions", here, button="End it", fields=fields)
