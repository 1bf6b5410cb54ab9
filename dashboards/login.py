"""Signing in and out, on plain server-made pages: they work before any script has loaded."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from core.authentication import MustChangeSecret, NotLetIn
from core.errors import Refused
from core.people import Person
from core.person_refusals import BadgeIsDead, Locked
from core.secret_rules import PIN_DIGITS, PIN_ROLES, SHORTEST
from core.signing import DoesNotFit
from dashboards import cookies, logs, menu, parts, theme
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import COOKIE, Login, Throttle, Viewer, same_csrf
from dashboards.tickets import Tickets

LONG_S = 400 * 24 * 3600
TOLD_ALIKE = (DoesNotFit, Locked, BadgeIsDead)


def secret_hint(roles: tuple[str, ...] | frozenset[str]) -> str:
    """Return in words what a secret must be for somebody with these roles."""
    words = f"A passphrase of {SHORTEST} characters or more: several words are easy to keep."
    if PIN_ROLES & set(roles):
        least, most = PIN_DIGITS
        words += f" Or a PIN of {least} to {most} digits, to go with your badge."
    return words


@dataclass(frozen=True, slots=True, kw_only=True)
class MustChange:
    """Somebody who was proven and has to choose a secret before anything else."""

    person: Person
    why: str
    station: str | None
    goal: str


class LoginPages:
    """The pages before and after everything else."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate = plant, gate
        self._throttle = Throttle()
        self._changes = Tickets[MustChange]()

    def router(self) -> APIRouter:
        """Return the routes."""
        routes = APIRouter(include_in_schema=False)
        routes.get("/login")(self.show)
        routes.post("/login")(self.sign_in)
        routes.post("/login/secret")(self.choose_secret)
        routes.get("/logout")(self.ask_sign_out)
        routes.post("/logout")(self.sign_out)
        routes.get("/forbidden")(self.forbidden)
        routes.get("/api/session")(self.session)
        return routes

    def _page(self, request: Request, *, status: int = 200, **values: str) -> HTMLResponse:
        station = values.pop("station", "") or request.query_params.get("station", "")
        kept = request.cookies.get(cookies.STATION_COOKIE, "")
        station = station or cookies.station_in(kept)
        body = theme.plain(
            "Sign in", Markup(""), login=None, plant=self._plant.name, zone=str(self._plant.zone),
            chosen=chosen_scheme(request), template="login.html", notice=self._plant.notice,
            stations=sorted(self._plant.stations.items()), provider=self._plant.provider_label,
            station=station if station in self._plant.stations else "",
            **({"refusal": "", "user": "", "next": "/"} | values),
        )  # fmt: skip
        return HTMLResponse(body, status)

    def show(self, request: Request) -> HTMLResponse:
        """Show the form."""
        return self._page(request, next=menu.next_path(request.query_params.get("next")))

    def sign_in(
        self,
        request: Request,
        *,
        user: Annotated[str, Form(max_length=128)],
        password: Annotated[str, Form(max_length=256)],
        station: Annotated[str, Form(max_length=64)] = "",
        next: Annotated[str, Form(max_length=400)] = "/",
    ) -> Response:
        """Take user and password, and open a session bound to the station."""
        user, goal = user.strip(), menu.next_path(next)
        place = station if station in self._plant.stations else None
        client = _address(request)
        key = f"{client} {user.lower()}"
        if wait := self._throttle.wait_s(key):
            sentence = f"Too many tries for this name from here. Try again in {wait} s."
            logs.security("sign-in-slowed", client=client, station=place)
            slow = self._page(request, status=429, refusal=sentence, user=user, next=goal)
            slow.headers["retry-after"] = str(wait)
            return slow
        try:
            viewer = self._plant.accounts.authenticate(user, password, place, address=client)
        except MustChangeSecret as must:
            self._throttle.passed(key)
            change = MustChange(person=must.who, why=must.why, station=place, goal=goal)
            return self._ask_secret(request, change)
        except Refused as refusal:
            self._throttle.failed(key)
            logs.security("sign-in-refused", rule=refusal.rule, client=client, station=place)
            says = str(NotLetIn() if isinstance(refusal, TOLD_ALIKE) else refusal)
            return self._page(
                request, status=401, refusal=says, user=user, next=goal, station=place or ""
            )
        self._throttle.passed(key)
        return self.open(request, viewer, goal)

    def _ask_secret(self, request: Request, it: MustChange, *, refusal: str = "") -> HTMLResponse:
        """Show the form that must be filled before a session is opened."""
        body = theme.plain(
            "Choose your secret", Markup(""), login=None, plant=self._plant.name,
            zone=str(self._plant.zone), chosen=chosen_scheme(request), template="secret.html",
            name=it.person.name, why=it.why, refusal=refusal, action="/login/secret",
            ticket=self._changes.give(it), csrf="", hint=secret_hint(it.person.roles),
            button="Keep it and sign in",
        )  # fmt: skip
        return HTMLResponse(body, 422 if refusal else 200)

    def choose_secret(
        self,
        request: Request,
        *,
        ticket: Annotated[str, Form(max_length=128)],
        secret: Annotated[str, Form(max_length=256)],
        again: Annotated[str, Form(max_length=256)],
    ) -> Response:
        """Take the secret that somebody has chosen, and open the session."""
        it = self._changes.take(ticket)
        if it is None:
            sentence = "This form is too old. Sign in again with the code or secret you have."
            return self._page(request, status=403, refusal=sentence)
        if secret != again:
            return self._ask_secret(request, it, refusal="The two do not agree. Type both again.")
        try:
            self._plant.accounts.change_secret(it.person, secret, it.station)
            viewer = self._plant.accounts.authenticate(
                it.person.person, secret, it.station, address=_address(request)
            )
        except Refused as refusal:
            return self._ask_secret(request, it, refusal=str(refusal))
        self._gate.sessions.end_person(it.person.person, "secret-changed")
        return self.open(request, viewer, it.goal)

    def open(
        self, request: Request, viewer: Viewer, goal: str, *, means: str = "secret"
    ) -> Response:
        """Open a session for somebody who was proven by these means, and go where they wanted."""
        place, client = viewer.station, _address(request)
        self._gate.sessions.end(request.cookies.get(COOKIE))
        if not menu.may_open(goal, viewer.roles):
            goal = "/"
        answer = RedirectResponse(goal, 303)
        mark = ""
        if place:
            kept = cookies.station_cookie(place)
            mark = cookies.mark_of(kept)
            answer.set_cookie(
                cookies.STATION_COOKIE, kept, max_age=LONG_S, httponly=True, samesite="strict"
            )
        token = self._gate.sessions.open(viewer, mark=mark, address=client)
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
        login = self._gate.sessions.get(token)
        logs.security(
            "signed-in", login=login and login.id, means=means, client=client, station=place
        )
        return answer

    def ask_sign_out(self, request: Request) -> Response:
        """Show one button; a link alone signs nobody out."""
        login = self._gate.sessions.get(request.cookies.get(COOKIE))
        if login is None:
            return RedirectResponse("/login", 303)
        form = Markup(
            '<form method="post" action="/logout"><input type="hidden" name="csrf" value="{}">'
            '<button class="bw-button" type="submit">Sign out now</button></form>'
        ).format(login.csrf)
        body = Markup('<div class="bw-sheet"><h1>Sign out</h1>{}{}</div>').format(
            parts.paragraph(f"{login.viewer.name} is signed in."), form
        )
        return HTMLResponse(self._plain(request, "Sign out", body, login=login))

    def sign_out(
        self, request: Request, csrf: Annotated[str, Form(max_length=128)] = ""
    ) -> Response:
        """End the session and every page it has open."""
        token = request.cookies.get(COOKIE)
        login = self._gate.sessions.get(token)
        if login is not None and not same_csrf(login, csrf):
            return HTMLResponse("This form is too old. Go back and press Sign out again.", 403)
        self._gate.sessions.end(token)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer

    def forbidden(self, request: Request) -> HTMLResponse:
        """Say that the page is for other roles."""
        login = self._gate.sessions.get(request.cookies.get(COOKIE))
        who = f"{login.viewer.name} has the role {login.viewer.role_text}." if login else ""
        body = Markup('<div class="bw-plain"><h1>Not for your role</h1>{}<p>{}</p></div>').format(
            parts.paragraph(f"This page is for other roles. {who} Ask an administrator."),
            parts.link("Home", "/"),
        )
        return HTMLResponse(self._plain(request, "Not for your role", body, login=login), 403)

    def session(self, request: Request) -> Response:
        """Tell a page that lost its connection whether its login still stands."""
        login = self._gate.sessions.get(request.cookies.get(COOKIE), touch=False)
        return Response(status_code=204 if login else 401, headers={"cache-control": "no-store"})

    def _plain(self, request: Request, title: str, body: Markup, *, login: Login | None) -> str:
        return theme.plain(
            title, body, login=login, plant=self._plant.name, zone=str(self._plant.zone),
            here=request.url.path, chosen=chosen_scheme(request),
        )  # fmt: skip


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def chosen_scheme(request: Request) -> str:
    """Return the scheme somebody chose, empty where the browser's own is followed."""
    for value in (request.query_params.get("theme"), request.cookies.get("mes_theme")):
        if value in ("light", "dark"):
            return value
    return ""
