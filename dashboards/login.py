"""Signing in and out, on plain server-made pages: they work before any script has loaded."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from core.errors import Refused
from dashboards import cookies, logs, menu, parts, theme
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import COOKIE, Login, Throttle, same_csrf

LONG_S = 400 * 24 * 3600


class LoginPages:
    """The pages before and after everything else."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate = plant, gate
        self._throttle = Throttle()

    def router(self) -> APIRouter:
        """Return the routes."""
        routes = APIRouter(include_in_schema=False)
        routes.get("/login")(self.show)
        routes.post("/login")(self.sign_in)
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
            stations=sorted(self._plant.stations.items()),
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
        client = request.client.host if request.client else ""
        key = f"{client} {user.lower()}"
        if wait := self._throttle.wait_s(key):
            sentence = f"Too many tries for this name from here. Try again in {wait} s."
            logs.security("sign-in-slowed", client=client, station=place)
            slow = self._page(request, status=429, refusal=sentence, user=user, next=goal)
            slow.headers["retry-after"] = str(wait)
            return slow
        try:
            viewer = self._plant.accounts.authenticate(user, password, place)
        except Refused as refusal:
            self._throttle.failed(key)
            logs.security("sign-in-refused", rule=refusal.rule, client=client, station=place)
            return self._page(
                request, status=401, refusal=str(refusal), user=user, next=goal,
                station=place or "",
            )  # fmt: skip
        self._throttle.passed(key)
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
        token = self._gate.sessions.open(viewer, mark=mark)
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
        login = self._gate.sessions.get(token)
        logs.security("signed-in", login=login and login.id, client=client, station=place)
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


def chosen_scheme(request: Request) -> str:
    """Return the scheme somebody chose, empty where the browser's own is followed."""
    for value in (request.query_params.get("theme"), request.cookies.get("mes_theme")):
        if value in ("light", "dark"):
            return value
    return ""
