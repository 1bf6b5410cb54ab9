"""The composition root: one FastAPI application with pages, plain HTML, REST and health."""

import asyncio
import logging
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

# Read by Bokeh when Panel is first imported: every file comes from this host.
os.environ.setdefault("BOKEH_RESOURCES", "server")
# A browser describes a model that was added after loading in full, once; Bokeh keeps its own.
warnings.filterwarnings("ignore", message="reference already known")
# Its warnings name page ids, which are nobody's business but the page's.
logging.getLogger("bokeh.server.contexts").setLevel(logging.ERROR)
# Their lines for finding faults hold whole headers, cookies included.
for chatty in ("uvicorn.error", "websockets.server"):
    logging.getLogger(chatty).setLevel(logging.INFO)

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from panel.io.fastapi import add_applications
from prometheus_client import CONTENT_TYPE_LATEST

from dashboards import api, help, open_sessions, own_account, passkeys, theme
from dashboards.answers import add_answers
from dashboards.finance import routes as finance_routes
from dashboards.headers import Headers
from dashboards.hosts import Hosts
from dashboards.limits import LARGEST_HEADERS, Guard, Impatient, Limits
from dashboards.login import LoginPages
from dashboards.metrics import Figures
from dashboards.oidc.provider import Provider
from dashboards.oidc.routes import ProviderPages
from dashboards.pages import PAGES
from dashboards.people.routes import PeoplePages
from dashboards.plant import PlantServices
from dashboards.record import routes as record_routes
from dashboards.security import Gate, PageFunction
from dashboards.session import COOKIE, Sessions

# Sets its own level when it is imported; its lines for finding faults hold what is typed on pages.
logging.getLogger("panel").setLevel(logging.INFO)

__all__ = ["PlantServices", "create_app", "serve"]

MOST_CONNECTIONS = 1000
# Turns of pages, presses and slow reads share these threads; by default there are six on two
# processors, and six long reads would stop every kiosk.
AT_ONCE = 64
# Of TLS 1.2; those of 1.3 are all good. Each keeps past sessions secret when the key gets known.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

type Lifespan = Callable[[], AbstractAsyncContextManager[None]]


def create_app(
    plant: PlantServices,
    *,
    pages: Mapping[str, PageFunction] | None = None,
    gate: Gate | None = None,
    routers: Sequence[APIRouter] = (),
    lifespan: Lifespan | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the whole application.

    Args:
        pages: the live pages by path; all of them where left out.
        routers: further routes (webhooks, downloads); each guards itself.
        lifespan: starts and stops what runs beside the server.
        limits: what one client may ask; the usual ones where left out.
    """
    gate = gate if gate is not None else Gate(Sessions(ended=plant.accounts.signed_out))

    provider = None if plant.provider is None else Provider(plant.provider)

    @asynccontextmanager
    async def around(_app: FastAPI) -> AsyncIterator[None]:
        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="page")
        asyncio.get_running_loop().set_default_executor(threads)
        try:
            async with nullcontext() if lifespan is None else lifespan():
                yield
        finally:
            if provider is not None:
                provider.close()  # its connections are the server's

    app = FastAPI(lifespan=around, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.gate, app.state.plant = gate, plant
    add_answers(app, plant, gate)
    app.include_router(_assets())
    app.include_router(_watch(plant, gate))
    for router in (*_doors(plant, gate, provider), *_sheets(plant, gate), *routers):
        app.include_router(router)
    app.include_router(api.Api(plant, gate).router())
    add_applications(
        {
            path: gate.owned(page, plant)
            for path, page in (PAGES if pages is None else pages).items()
        },
        app=app,
        title="Batchwright",
        index_enabled=False,
        ico_path="none",
        auth_policy=gate.policy(),
        exclude_cookies=[COOKIE],
        secret_key=plant.secret_key.encode(),
        sign_sessions=True,
    )
    # Added after the pages, or they would not wrap them; the last one is the outermost.
    app.add_middleware(Guard, limits=limits or Limits())
    hosts = Hosts(plant.hosts, origin=plant.origin)
    app.add_middleware(Headers, sessions=gate.sessions, hosts=hosts)
    return app


def _doors(plant: PlantServices, gate: Gate, provider: Provider | None) -> Iterator[APIRouter]:
    """Yield the routes by which people come in and look after their access."""
    door = LoginPages(plant, gate)
    yield door.router()
    if provider is not None:
        pages = ProviderPages(plant, door, provider, gate=gate, origin=plant.origin)
        yield pages.router()
    yield own_account.router(plant, gate)
    yield open_sessions.router(plant, gate)  # before the forms of a person, whose names it shares
    yield PeoplePages(plant, gate).router()
    yield passkeys.router(plant, gate)


def _sheets(plant: PlantServices, gate: Gate) -> Iterator[APIRouter]:
    """Yield the routes that only show: the manual, and records on paper."""
    yield help.router(plant, gate)
    yield record_routes.router(plant, gate)
    yield finance_routes.router(plant, gate)


def _assets() -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    known = {path.name: path for path in theme.ASSETS.iterdir() if path.is_file()}

    @routes.get("/assets/{name}")
    def asset(name: str) -> Response:
        if name not in known:
            return Response("Not found", 404, media_type="text/plain")
        return FileResponse(known[name])

    @routes.get("/favicon.ico")
    def icon() -> Response:
        return FileResponse(known["icon.svg"], media_type="image/svg+xml")

    return routes


def _watch(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes that watch the server: health for anyone, figures for this host."""
    routes = APIRouter(include_in_schema=False)
    figures = Figures(plant, gate)

    @routes.get("/api/health")
    def health() -> Response:
        try:
            checks = dict(plant.health())
        except Exception as fault:  # whatever broke, the answer must say that it is broken
            body: dict[str, Any] = {"status": "fail", "reason": type(fault).__name__}
            return JSONResponse(body, 503, headers={"cache-control": "no-store"})
        return JSONResponse({"status": "ok", **checks}, headers={"cache-control": "no-store"})

    @routes.get("/metrics")
    def metrics(request: Request) -> Response:
        local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
        if not local or "x-forwarded-for" in request.headers:
            return Response("Figures are for this host only.", 403, media_type="text/plain")
        return Response(figures.text(), media_type=CONTENT_TYPE_LATEST)

    return routes


def serve(
    app: FastAPI, host: str = "127.0.0.1", port: int = 0, *, tls: tuple[Path, Path] | None = None
) -> uvicorn.Server:
    """Return a configured server; `run()` it, or run it in a thread and set `should_exit`.

    `tls` names the files of the certificate with its chain, and of its key.
    """
    certificate, key = tls if tls is not None else (None, None)
    settings = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Impatient,
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        limit_concurrency=MOST_CONNECTIONS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ciphers=CIPHERS,
        ws_max_size=4 * 1024 * 1024,
        timeout_graceful_shutdown=3,
    )
    return uvicorn.Server(settings)
