"""Signing in and signing by the provider: to it, and back with a code for this browser alone.

What is known of a sign-in under way stays in the server, under its `state`. A cookie binds it to
the browser that began it, so that nobody can be signed in as somebody else by a link.

A signature goes the same way in a window of its own. There the provider asks for the secret
again, about the statement that was shown; its answer waits beside the statement, and the page that
shows it is told under which name.
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
from core.manifest import Manifest, Vouched
from core.provider_proof import ProviderRefused
from dashboards import cookies, logs, menu, parts, theme
from dashboards.login import LoginPages, chosen_scheme
from dashboards.oidc.provider import Begun, NotProven, Provider
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.tickets import Tickets

BROWSER = cookies.PROVIDER_COOKIE
BACK = "/login/provider/back"
NOT_HERE = "This sign-in was not begun here, or is too old."
NOT_SHOWN = "What you would sign is not shown any more. Close this window and read it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """What the provider has not answered yet: a sign-in, or a signature over what is `pending`."""

    begun: Begun
    browser: str
    station: str | None = None
    goal: str = "/"
    pending: str = ""


class ProviderPages:
    """The routes of a provider."""

    def __init__(
        self,
        plant: PlantServices,
        pages: LoginPages,
        provider: Provider,
        *,
        gate: Gate,
        origin: str | None,
    ) -> None:
        """`origin` is the address that people open; None where the request's own is the one."""
        self._plant, self._pages, self._provider = plant, pages, provider
        self._guard, self._origin = gate.guard("/account"), origin
        self._under_way = Tickets[UnderWay]()

    def router(self) -> APIRouter:
        """Return the routes."""
        routes = APIRouter(include_in_schema=False)
        routes.get("/login/provider")(self.go)
        routes.get("/login/provider/sign")(self.go_and_sign)
        routes.get(BACK)(self.back)
        return routes

    def go(
        self,
        request: Request,
        station: Annotated[str, Query(max_length=64)] = "",
        next: Annotated[str, Query(max_length=400)] = "/",
    ) -> Response:
        """Send the browser to the provider."""
        if request.headers.get("sec-fetch-site", "").lower() not in cookies.OWN_SITES:
            return RedirectResponse("/login", 303)  # a link of another site signs nobody in
        place = station if station in self._plant.stations else None
        try:
            address, begun = self._provider.begin(self._redirect(request))
        except Refused as refusal:
            return self._refused(request, refusal)
        return self._leave(
            address,
            UnderWay(
                begun=begun, browser=secrets.token_urlsafe(24), station=place,
                goal=menu.next_path(next),
            ),
        )  # fmt: skip

    def go_and_sign(
        self, request: Request, pending: Annotated[str, Query(max_length=64)] = ""
    ) -> Response:
        """Send the window to the provider, for the secret of whom a statement was shown to."""
        self._guard(request)
        shown: Manifest | None = self._plant.execution.signing.statements.shown(pending)
        if shown is None:
            return self._unsigned(request, NOT_SHOWN, pending)
        try:
            address, begun = self._provider.begin(self._redirect(request), signs=shown)
        except Refused as refusal:
            return self._unsigned(request, str(refusal), pending)
        browser = secrets.token_urlsafe(24)
        return self._leave(address, UnderWay(begun=begun, browser=browser, pending=pending))

    def _redirect(self, request: Request) -> str:
        base = self._origin or f"{request.url.scheme}://{request.url.netloc}"
        return f"{base}{BACK}"

    def _leave(self, address: str, it: UnderWay) -> Response:
        self._under_way.give(it, ticket=it.begun.state)
        answer = RedirectResponse(address, 303)
        # Lax, not Strict: the provider's answer is a navigation from another site.
        answer.set_cookie(
            BROWSER, it.browser, max_age=600, httponly=True, samesite="lax", path=BACK
        )
        return answer

    def back(
        self,
        request: Request,
        state: Annotated[str, Query(max_length=200)] = "",
        code: Annotated[str, Query(max_length=4000)] = "",
    ) -> Response:
        """Take the provider's answer: open a session, or keep it beside what is signed."""
        it = self._under_way.take(state)
        here = request.cookies.get(BROWSER, "")
        if it is None or not hmac.compare_digest(it.browser.encode(), here.encode()):
            return self._said(request, NOT_HERE)
        if it.pending:
            return self._vouched(request, it, code)
        if not code:
            return self._said(request, "The provider signed nobody in.")
        try:
            proven = self._provider.finish(code, it.begun)
            viewer = self._plant.accounts.by_provider(proven.issuer, proven.subject, it.station)
        except Refused as refusal:
            return self._refused(request, refusal)
        opened = self._pages.open(request, viewer, it.goal, means="provider")
        # From a page of ours: the Strict session cookie does not come with a foreign navigation.
        goal = opened.headers["location"]
        page = HTMLResponse(self._document(request, "Signed in", _onward(viewer.name, goal)))
        for name, value in opened.headers.items():
            if name == "set-cookie":
                page.headers.append(name, value)
        page.delete_cookie(BROWSER, path=BACK)
        return page

    def _vouched(self, request: Request, it: UnderWay, code: str) -> Response:
        """Keep what the provider said about a signature, a refusal too: it becomes evidence."""
        issuer = self._provider.link.issuer
        said: Vouched | ProviderRefused
        try:
            if not code:
                return self._unsigned(request, f"{issuer}: it signed nobody in.", it.pending)
            said = self._provider.vouched(code, it.begun)
        except NotProven as refusal:
            said = ProviderRefused(issuer, str(refusal.facts["what"]))
        except Refused as refusal:
            return self._unsigned(request, str(refusal), it.pending)
        answer = self._plant.execution.signing.statements.answered(it.pending, said)
        if answer is None:
            return self._unsigned(request, NOT_SHOWN, it.pending)
        return self._handed_over(
            request, "The provider has answered.", pending=it.pending, answer=answer
        )

    def _unsigned(self, request: Request, sentence: str, pending: str) -> Response:
        return self._handed_over(request, sentence, pending=pending, answer="")

    def _handed_over(
        self, request: Request, sentence: str, *, pending: str, answer: str
    ) -> Response:
        """Return the page that tells the signer's own page, and closes the window."""
        body = Markup(
            '<div class="bw-sheet" id="provider-answer" data-pending="{}" data-answer="{}"'
            ' data-says="{}"><h1>{}</h1><p>{} You can close this window.</p></div>'
            '<script src="/assets/provider.js?v={}"></script>'
        ).format(
            pending, answer, sentence, "Back to what you sign" if answer else "Not signed",
            sentence, theme.VERSION,
        )  # fmt: skip
        page = HTMLResponse(self._document(request, "Signature", body), 200 if answer else 409)
        page.delete_cookie(BROWSER, path=BACK)
        return page

    def _refused(self, request: Request, refusal: Refused) -> Response:
        client = request.client.host if request.client else ""
        logs.security("sign-in-refused", rule=refusal.rule, means="provider", client=client)
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
