"""Signing in by the provider: to it, and back with a code that this browser alone can use.

What is known of a sign-in under way stays in the server, under its `state`. A cookie binds it to
the browser that began it, so that nobody can be signed in as somebody else by a link.
"""

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from core.errors import Refused
from dashboards import logs, menu, parts, theme
from dashboards.login import LoginPages, chosen_scheme
from dashboards.oidc.provider import Begun, Provider
from dashboards.plant import PlantServices
from dashboards.tickets import Tickets

BROWSER = "mes_provider"
BACK = "/login/provider/back"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A sign-in that the provider has not answered yet."""

    begun: Begun
    browser: str
    station: str | None
    goal: str


class ProviderPages:
    """The two routes of a provider."""

    def __init__(
        self, plant: PlantServices, pages: LoginPages, provider: Provider, *, origin: str | None
    ) -> None:
        """`origin` is the address that people open; None where the request's own is the one."""
        self._plant, self._pages, self._provider = plant, pages, provider
        self._origin = origin
        self._under_way = Tickets[UnderWay]()

    def router(self) -> APIRouter:
        """Return the routes."""
        routes = APIRouter(include_in_schema=False)
        routes.get("/login/provider")(self.go)
        routes.get(BACK)(self.back)
        return routes

    def _redirect(self, request: Request) -> str:
        base = self._origin or f"{request.url.scheme}://{request.url.netloc}"
        return f"{base}{BACK}"

    def go(
        self,
        request: Request,
        station: Annotated[str, Query(max_length=64)] = "",
        next: Annotated[str, Query(max_length=400)] = "/",
    ) -> Response:
        """Send the browser to the provider."""
        try:
            address, begun = self._provider.begin(self._redirect(request))
        except Refused as refusal:
            return self._refused(request, refusal)
        browser = secrets.token_urlsafe(24)
        under_way = UnderWay(
            begun=begun,
            browser=browser,
            station=station if station in self._plant.stations else None,
            goal=menu.next_path(next),
        )
        self._under_way.give(under_way, ticket=begun.state)
        answer = RedirectResponse(address, 303)
        # Lax, not Strict: the provider's answer is a navigation from another site.
        answer.set_cookie(BROWSER, browser, max_age=600, httponly=True, samesite="lax", path=BACK)
        return answer

    def back(
        self,
        request: Request,
        state: Annotated[str, Query(max_length=200)] = "",
        code: Annotated[str, Query(max_length=4000)] = "",
    ) -> Response:
        """Take the provider's answer, and open a session for the person it stands for."""
        it = self._under_way.take(state)
        here = request.cookies.get(BROWSER, "")
        if it is None or not hmac.compare_digest(it.browser.encode(), here.encode()):
            return self._said(request, "This sign-in was not begun here, or is too old.")
        if not code:
            return self._said(request, "The provider signed nobody in.")
        try:
            proven = self._provider.finish(code, it.begun)
            viewer = self._plant.accounts.by_provider(proven.issuer, proven.subject, it.station)
        except Refused as refusal:
            return self._refused(request, refusal)
        opened = self._pages.open(request, viewer, it.goal)
        # From a page of ours: the Strict session cookie does not come with a foreign navigation.
        goal = opened.headers["location"]
        page = HTMLResponse(self._document(request, "Signed in", _onward(viewer.name, goal)))
        for name, value in opened.headers.items():
            if name == "set-cookie":
                page.headers.append(name, value)
        page.delete_cookie(BROWSER, path=BACK)
        return page

    def _refused(self, request: Request, refusal: Refused) -> Response:
        client = request.client.host if request.client else ""
        logs.security("sign-in-refused", rule=refusal.rule, client=client)
        return self._said(request, str(refusal))

    def _said(self, request: Request, sentence: str) -> Response:
        body = Markup(
            '<div class="bw-sheet"><h1>Not signed in</h1>'
            '<div class="bw-refusal" role="alert" data-testid="refusal">{}</div>'
            '<p class="back">{}</p></div>'
        ).format(sentence, parts.link("Back to the sign-in", "/login"))
        return HTMLResponse(self._document(request, "Not signed in", body), 401)

    def _document(self, request: Request, title: str, body: Markup) -> str:
        return theme.plain(
            title, body, login=None, plant=self._plant.name, zone=str(self._plant.zone),
            chosen=chosen_scheme(request),
        )  # fmt: skip


def _onward(name: str, goal: str) -> Markup:
    assert not urlsplit(goal).netloc, goal
    return Markup(
        '<meta http-equiv="refresh" content="0; url={0}"><div class="bw-sheet"><h1>Signed in</h1>'
        "<p>{1}</p><p>{2}</p></div>"
    ).format(goal, name, parts.link("Go on", goal))
