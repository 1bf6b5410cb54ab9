"""The page `/account`: who somebody is here, and the form for another secret."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from core.authentication import CHANGING
from core.errors import Refused
from core.people import Person
from core.secret_rules import ends_at
from dashboards import parts, theme
from dashboards.login import chosen_scheme, secret_hint
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import COOKIE, Login, same_csrf


def router(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes of one's own account."""
    pages = OwnAccount(plant, gate)
    guard = [Depends(gate.guard("/account"))]
    routes = APIRouter(include_in_schema=False, dependencies=guard)
    routes.get("/account")(pages.show)
    routes.get("/account/secret")(pages.ask)
    routes.post("/account/secret")(pages.change)
    return routes


class OwnAccount:
    """One's own account; every route asks the gate first."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate = plant, gate

    def _login(self, request: Request) -> Login:
        return self._gate.guard("/account")(request)

    def _document(self, request: Request, title: str, *, body: Markup, **more: Any) -> str:
        return theme.plain(
            title, body, login=self._login(request), plant=self._plant.name,
            zone=str(self._plant.zone), here="/account", chosen=chosen_scheme(request), **more,
        )  # fmt: skip

    def show(self, request: Request) -> HTMLResponse:
        """Show who somebody is here."""
        login = self._login(request)
        person = self._plant.execution.nouns.get(Person, login.viewer.person)
        changed = Markup("")
        if "changed" in request.query_params:
            changed = parts.notice(State.OK, "Changed.", "Sign and sign in with the new secret.")
        ways = (
            ("Change your secret", "/account/secret"),
            ("Your passkeys", "/account/passkeys"),
            ("Your sessions", "/account/sessions"),
        )
        buttons = Markup("").join(
            Markup('<li><a class="bw-act" href="{}">{}</a></li>').format(href, label)
            for label, href in ways
        )
        body = Markup(
            '<div class="bw-plain"><h1>Your account</h1>{}{}<ul class="bw-acts">{}</ul></div>'
        ).format(changed, parts.facts(_facts(self._plant, login, person), wide=True), buttons)
        return HTMLResponse(self._document(request, "Your account", body=body))

    def ask(self, request: Request) -> HTMLResponse:
        """Show the form for another secret."""
        return self._form(request)

    def _form(self, request: Request, *, refusal: str = "") -> HTMLResponse:
        login = self._login(request)
        document = self._document(
            request, "Change your secret", body=Markup(""), template="secret.html",
            name=login.viewer.name, why="", refusal=refusal, action="/account/secret",
            ticket="", csrf=login.csrf, hint=secret_hint(login.viewer.roles), button="Change it",
        )  # fmt: skip
        return HTMLResponse(document, 422 if refusal else 200)

    def change(
        self,
        request: Request,
        *,
        csrf: Annotated[str, Form(max_length=128)],
        present: Annotated[str, Form(max_length=256)],
        secret: Annotated[str, Form(max_length=256)],
        again: Annotated[str, Form(max_length=256)],
    ) -> Response:
        """Take another secret from somebody who gives the present one."""
        login = self._login(request)
        if not same_csrf(login, csrf):
            return self._form(request, refusal="This form is too old. Fill it in again.")
        if secret != again:
            return self._form(request, refusal="The two do not agree. Type both again.")
        viewer = login.viewer
        try:
            person = self._plant.execution.authenticate(
                viewer.person, present, station=viewer.station, purpose=CHANGING
            )
            self._plant.accounts.change_secret(person, secret, viewer.station)
        except Refused as refusal:
            return self._form(request, refusal=str(refusal))
        here = request.cookies.get(COOKIE)
        self._gate.sessions.end_person(viewer.person, "secret-changed", but=here)
        return RedirectResponse("/account?changed", 303)


def _facts(plant: PlantServices, login: Login, person: Person | None) -> list[tuple[str, object]]:
    viewer = login.viewer
    rows: list[tuple[str, object]] = [
        ("Name", viewer.name),
        ("User id", viewer.person),
        ("Roles", viewer.role_text),
        ("Station", viewer.station or "none, a desk"),
    ]
    if person is None:
        return rows
    end = ends_at(
        person.secret_set_at or person.registered_at, plant.execution.authentication.policy
    )
    return [
        *rows,
        ("Badge", f"ends in {person.badge[-2:]}" if person.badge else "none that works"),
        ("Secret chosen", parts.local_time(person.secret_set_at, plant.zone, seconds=False)),
        ("To be changed", "at no fixed time" if end is None else
            f"until {parts.local_time(end, plant.zone, seconds=False)}"),
        ("Newest sign-in", parts.local_time(person.signed_in_at, plant.zone)),
        ("Company account", ", ".join(person.issuers) or "none is linked"),
    ]  # fmt: skip
