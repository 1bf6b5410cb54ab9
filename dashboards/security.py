"""Who may open what: one policy for pages and their websockets, and for plain HTTP routes.

Default deny. A page's websocket needs the login's cookie, a role for the path, and a page token
that this very login built: a token alone, or a token with somebody else's cookie, opens nothing.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from bokeh.server.auth import AuthPolicy
from bokeh.util.token import get_session_id
from fastapi import HTTPException, Request
from markupsafe import Markup
from panel.viewable import Viewable

from core.errors import MesError
from dashboards import logs, menu, parts, visit
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import COOKIE, Login, PageOwners, Sessions, Viewer
from dashboards.theme import frame

log = logging.getLogger(__name__)

type PageFunction = Callable[[PlantServices, Viewer], Viewable]


class Gate:
    """The sessions and page owners of one server, and the questions asked of them."""

    def __init__(self, sessions: Sessions | None = None) -> None:
        self.sessions = sessions if sessions is not None else Sessions()
        self.owners = PageOwners()

    def login_of(self, request: Any) -> Login | None:
        """Return the login of a Bokeh request."""
        cookie = request.cookies.get(COOKIE)
        return self.sessions.get(cookie.value if cookie else None)

    def authenticate(self, request: Any) -> Login | None:
        """Return the login that may have this page or websocket, or None.

        Runs for every document, autoload, metadata and websocket request, in a worker thread.
        """
        login = self.login_of(request)
        if login is None:
            return None
        if not menu.may_open(request.path, login.viewer.roles):
            logs.security("page-refused", path=request.path, login=login.id)
            return None
        if not request.path.rstrip("/").endswith("/ws") and request.path != "/ws":
            return login
        protocols = request.headers.get("Sec-WebSocket-Protocol", "")
        try:
            page_id = get_session_id(protocols.split(",")[-1].strip())
        except Exception:  # whatever a forged token makes the decoder raise, it opens nothing
            page_id = ""
        if not self.owners.owns(page_id, login.id):
            logs.security("foreign-page", path=request.path, login=login.id)
            return None
        return login

    def login_url(self, request: Any) -> str:
        """Return where somebody without access is sent."""
        if self.login_of(request) is not None:
            return "/forbidden"
        target = request.path + (f"?{request.query}" if request.query else "")
        return "/login?next=" + quote(target, safe="/")

    def policy(self) -> AuthPolicy:
        """Return the policy to give to Panel."""
        return AuthPolicy(self.authenticate, login_url=self.login_url, logout_url="/logout")

    def owned(self, page: PageFunction, plant: PlantServices) -> Callable[[], Viewable]:
        """Return a page function for Panel: bound to its visitor, and never without an answer."""

        def build() -> Viewable:
            login, page_id = visit.login(), visit.page_id()
            self.owners.claim(page_id, login.id)
            visit.on_leave(lambda: self.owners.release(page_id))
            visit.use_theme(visit.is_dark())
            try:
                return page(plant, login.viewer)
            except MesError as refusal:
                return _refused(plant, login.viewer, str(refusal))
            except Exception:
                number = secrets.token_hex(4)
                log.exception("page %s could not be drawn, report %s", page.__name__, number)
                return _refused(
                    plant,
                    login.viewer,
                    f"This page could not be drawn; the server's log has report {number}. "
                    "Go back, and call the engineer if it stays so.",
                )

        return build

    def guard(self, path: str) -> Callable[[Request], Login]:
        """Return a FastAPI dependency: the login, if its roles may open `path`."""

        def need(request: Request) -> Login:
            login = self.sessions.get(request.cookies.get(COOKIE))
            if login is None:
                raise HTTPException(401, "Not signed in. Sign in at /login.")
            if not menu.may_open(path, login.viewer.roles):
                logs.security("page-refused", path=path, login=login.id)
                raise HTTPException(403, f"{path}: not for your role. Ask an administrator.")
            return login

        return need


def _refused(plant: PlantServices, viewer: Viewer, sentence: str) -> Viewable:
    body = parts.html(
        parts.notice(State.BAD, "Not shown.", sentence),
        Markup("<p>{}</p>").format(parts.link("Home", "/")),
    )
    return frame("Not shown", body, viewer=viewer, nav="/", plant=plant.name, zone=plant.zone)
