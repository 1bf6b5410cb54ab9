"""Answers to what does not fit: a page for a browser, a problem document for a program.

Nothing of a request is repeated: what was typed into a password field stays there.
"""

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.exceptions import HTTPException

from dashboards import asgi, logs, parts, theme
from dashboards.login import chosen_scheme
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import COOKIE

TITLES = {
    400: "Not understood",
    403: "Not for your role",
    404: "There is no such page",
    405: "Not possible here",
    422: "This form does not fit",
}
SENTENCES = {
    404: "The address may be mistyped, or what it named has another number. Go to Home.",
    405: "This address does not take such a request. Go to Home.",
}


def add_answers(app: FastAPI, plant: PlantServices, gate: Gate) -> None:
    """Give an application its answers to refusals, unknown addresses and forms that do not fit."""

    def page(request: Request, status: int, sentence: str) -> HTMLResponse:
        title = TITLES.get(status, "Not shown")
        body = Markup('<div class="bw-plain"><h1>{}</h1>{}<p>{}</p></div>').format(
            title, parts.paragraph(sentence), parts.link("Home", "/")
        )
        document = theme.plain(
            title, body, login=gate.sessions.get(request.cookies.get(COOKIE)), plant=plant.name,
            zone=str(plant.zone), chosen=chosen_scheme(request), here=request.url.path,
        )  # fmt: skip
        return HTMLResponse(document, status)

    async def refused(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        if not _is_browser(request):
            return JSONResponse({"detail": fault.detail}, fault.status_code, fault.headers)
        if fault.status_code == 401 and request.method in ("GET", "HEAD"):
            return RedirectResponse("/login?next=" + quote(request.url.path, safe="/"), 303)
        sentence = str(fault.detail)
        if fault.status_code in SENTENCES and sentence in ("Not Found", "Method Not Allowed"):
            sentence = SENTENCES[fault.status_code]
        return page(request, fault.status_code, sentence)

    async def unfit(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, RequestValidationError)
        logs.security("input-refused", path=request.url.path, client=asgi.client_of(request.scope))
        told = "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in fault.errors())
        if not _is_browser(request):
            return JSONResponse({"detail": f"{told}."}, 422)
        return page(request, 422, f"{told}. Go back and correct it.")

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, unfit)


def _is_browser(request: Request) -> bool:
    asked = request.headers.get("accept", "")
    return "text/html" in asked and not request.url.path.startswith("/api/v1/")
