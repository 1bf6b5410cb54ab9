"""The REST interface: every command a post, every noun a get, refusals as problem details.

A post needs an `Idempotency-Key`: sending the same request twice under one key records it once.
Refusals are RFC 9457 problem details that carry the facts of the rule.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from core.catalogue import COMMANDS
from core.errors import Conflict, LedgerBroken, Refused
from dashboards import api_lists, api_signing, asgi, logs, noun_readers, openapi, parts, theme
from dashboards.api_command import parse_command
from dashboards.login import chosen_scheme
from dashboards.plant import PlantServices
from dashboards.problem import Problem
from dashboards.security import Gate
from dashboards.session import COOKIE, Login, Viewer

# the fields that completing a command looks at
READ_TO_COMPLETE = ("raw", "equipment", "difference", "message", "document", "instead", "period")
SIGNING_AT_ONCE = 16  # signatures that may wait for their hash; more would hold up the others
MISFITS = ("malformed", "not-json", "idempotency-key", "unknown-command")  # told to the log
MOST_ASKED = 10_000  # retries of a weighing find its first reading among so many requests


def public(state: Any) -> Any:
    """Return a noun's state as JSON values, without what only its owner may know."""
    value = msgspec.to_builtins(state, builtin_types=(), enc_hook=_text)
    return _without_private(value)


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)


def _without_private(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_private(v) for k, v in value.items() if k not in openapi.PRIVATE}
    if isinstance(value, list | tuple):
        return [_without_private(item) for item in value]
    return value


class _Sent(NamedTuple):
    """A request's idempotency key and its body."""

    key: str
    body: bytes


class Api:
    """The routes below `/api`."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate, self._commands = plant, gate, COMMANDS
        self._document: bytes | None = None
        self._signing = threading.BoundedSemaphore(SIGNING_AT_ONCE)
        self._asked: OrderedDict[str, tuple[bytes, dict[str, Any]]] = OrderedDict()

    def router(self) -> APIRouter:
        """Return the routes; they answer problems themselves, so FastAPI describes none."""
        routes = APIRouter(include_in_schema=False)
        routes.post("/api/v1/commands/{name}")(self.command)
        routes.post("/api/v1/signatures/prepare")(self.prepare)
        routes.get("/api/v1/{noun}")(self.all)
        routes.get("/api/v1/{noun}/{name:path}")(self.one)
        routes.get("/api/docs")(self.docs)
        routes.get("/api/openapi.json")(self.openapi)
        return routes

    def _login(self, request: Request) -> Login | None:
        return self._gate.sessions.get(request.cookies.get(COOKIE))

    def _viewer(self, request: Request) -> Viewer:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            viewer = self._plant.api_keys(key.strip())
            if viewer is None:
                logs.security("key-refused", client=asgi.client_of(request.scope))
        else:
            login = self._login(request)
            viewer = login.viewer if login else None
        if viewer is None:
            raise Problem(401, "not-signed-in", "Sign in at /login, or send an API key as Bearer.")
        return viewer

    async def command(self, request: Request, name: str) -> Response:
        """Record one command."""
        return await self._answer(request, lambda _: name, self._record)

    async def prepare(self, request: Request) -> Response:
        """Return what a person would sign with the command in the body, which names its `type`."""
        return await self._answer(request, _named, self._prepare)

    async def _answer(
        self,
        request: Request,
        name_in: Callable[[bytes], str],
        take: Callable[[Viewer, str, _Sent], Any],
    ) -> Response:
        by = None
        try:
            viewer = self._viewer(request)
            by = _by(viewer)
            key = request.headers.get("idempotency-key", "")
            if not openapi.KEY.fullmatch(key):
                raise Problem(
                    400, "idempotency-key", "Idempotency-Key: 8 to 200 visible characters, made"
                    " once per request and sent again with every retry.",
                )  # fmt: skip
            _need_json(request)
            body = await request.body()
            answer = await asyncio.to_thread(take, viewer, name_in(body), _Sent(key, body))
        except Problem as problem:
            if problem.kind in MISFITS:
                logs.security("input-refused", kind=problem.kind, path=request.url.path, login=by)
            return problem.response()
        return _json(answer)

    def _prepare(self, viewer: Viewer, name: str, sent: _Sent) -> Any:
        command, signature, reason = self._read(viewer, name, sent, is_signing=False)
        given = signature or {}
        actor, who = viewer.actor, given.get("badge") or given.get("user")
        with _problems():
            return api_signing.shown(
                self._plant.execution.prepare(
                    command, actor=actor, idem=sent.key, who=who, meaning=given.get("meaning"),
                    comment=given.get("comment", ""), reason=reason,
                )
            )  # fmt: skip

    def _read(
        self, viewer: Viewer, name: str, sent: _Sent, *, is_signing: bool = True
    ) -> tuple[Any, dict[str, Any] | None, str | None]:
        """Return a request's command, completed with what the station's own devices say."""
        try:
            return parse_command(
                name,
                sent.body,
                self._commands,
                complete=lambda given: self._completed(viewer, name, key=sent.key, given=given),
                is_signing=is_signing,
            )
        except Refused as no:
            raise Problem(403, "refused", str(no), rule=no.rule, facts=no.facts) from no
        except RecursionError as no:
            raise Problem(422, "malformed", "The body is nested too deep.") from no

    def _record(self, viewer: Viewer, name: str, sent: _Sent) -> Any:
        """Submit a request; signatures take their turn."""
        command, signature, reason = self._read(viewer, name, sent)
        if signature is None:
            return self._submit(viewer, command, key=sent.key, signature=None, reason=reason)
        if not self._signing.acquire(blocking=False):
            raise Problem(
                429, "too-many", "Signatures: too many people sign at this moment. Send it again"
                " under the same Idempotency-Key in 2 s.", retry_after_s=2,
            )  # fmt: skip
        try:
            return self._submit(viewer, command, key=sent.key, signature=signature, reason=reason)
        finally:
            self._signing.release()

    def _completed(
        self, viewer: Viewer, name: str, *, key: str, given: dict[str, Any]
    ) -> dict[str, Any]:
        """Return a command's body with its reading or label; a retry gets the first one again."""
        asked = msgspec.json.encode([viewer.person, name, given], order="sorted")
        known = self._asked.get(key)
        if known is not None and known[0] == asked:
            return known[1]
        told = {n: msgspec.json.decode(given[n]) for n in READ_TO_COMPLETE if n in given}
        completed = self._plant.complete(name, {**given, **told}, viewer.station)
        if completed != given:
            self._asked[key] = (asked, completed)
            while len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)
        return completed

    def _submit(
        self,
        viewer: Viewer,
        command: Any,
        *,
        key: str,
        signature: dict[str, Any] | None,
        reason: str | None,
    ) -> Any:
        credentials = None if signature is None else api_signing.credentials_of(signature)
        actor = viewer.actor
        with _problems():
            receipt = self._plant.execution.submit(
                command, actor=actor, idem=key, credentials=credentials, reason=reason
            )
            once = self._plant.shown_once(command, receipt)
        return {**msgspec.to_builtins(receipt), **once} if once else receipt

    def all(self, request: Request, noun: str) -> Response:
        """List the states of a noun, the one that changed last first; `Link` names the rest."""
        try:
            self._need_reader(self._viewer(request), noun)
            ask = api_lists.asked(request.query_params.multi_items())
        except Problem as problem:
            return problem.response()
        rows = ask.rows(self._plant.execution.nouns, noun)
        answer = _json([public(row.state) for row in rows[: ask.limit]])
        ask.name_rest(answer, noun, rows)
        return answer

    def one(self, request: Request, noun: str, name: str) -> Response:
        """Return one state of a noun, and as `seen` what a signature over it names."""
        try:
            self._need_reader(self._viewer(request), noun, name)
            shown = self._plant.execution.shown(f"{noun}/{name}")
            if shown is None:
                raise Problem(404, "unknown", f"{noun} {name}: not known here. Check the name.")
        except Problem as problem:
            return problem.response()
        state, seen = shown
        return _json({**public(state), "seen": msgspec.to_builtins(seen)})

    def _need_reader(self, viewer: Viewer, noun: str, name: str | None = None) -> None:
        """Refuse a noun that there is not, or that is not for the viewer."""
        if noun not in openapi.noun_kinds():
            raise Problem(404, "unknown-noun", f"{noun}: no such noun. See /api/docs.")
        is_own = noun in noun_readers.OWN and name == viewer.person
        if not is_own and not noun_readers.may_read(noun, viewer.roles):
            logs.security("noun-refused", noun=noun, login=_by(viewer))
            raise Problem(
                403, "not-for-your-role", f"{noun}: read by {noun_readers.readers_of(noun)}. Ask"
                " an administrator.",
            )  # fmt: skip

    def _description(self) -> dict[str, Any]:
        return openapi.document(self._commands, self._plant.name)

    def openapi(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        try:
            self._viewer(request)
        except Problem as problem:
            return problem.response()
        if self._document is None:
            self._document = msgspec.json.encode(self._description())
        return Response(self._document, media_type="application/json")

    def docs(self, request: Request) -> Response:
        """Show the operations as a page of our own: the plant may have no internet."""
        login = self._login(request)
        if login is None:
            return Response(status_code=303, headers={"location": "/login?next=/help"})
        rows = [
            (parts.join(Markup("<code>"), name, Markup("</code>")), summary, fields)
            for name, summary, fields in openapi.operations(self._commands)
        ]
        body = Markup('<div class="bw-plain">{}</div>').format(
            parts.join(
                parts.heading("REST interface", 1),
                parts.paragraph(
                    "POST /api/v1/commands/<type> with the command as JSON, an Idempotency-Key"
                    " header, and a login or an API key (Authorization: Bearer)."
                    " GET /api/v1/<noun> and /api/v1/<noun>/<id> read. Refusals are problem"
                    " details (RFC 9457)."
                ),
                Markup("<p>{}</p>").format(parts.link("OpenAPI document", "/api/openapi.json")),
                parts.table("Commands", ("Type", "What it does", "Fields"), rows),
                parts.table(
                    "Nouns",
                    ("Path", "Read by"),
                    [(f"/api/v1/{k}", noun_readers.readers_of(k)) for k in openapi.noun_kinds()],
                ),
            )
        )
        return HTMLResponse(
            theme.plain(
                "REST interface",
                body,
                login=login,
                plant=self._plant.name,
                zone=str(self._plant.zone),
                here="/help",
                chosen=chosen_scheme(request),
            )
        )


def _by(viewer: Viewer) -> str:
    """Return who asks as the log may say it: a session, or a program; no person."""
    return viewer.session or viewer.person


def _need_json(request: Request) -> None:
    """Refuse a form, which a page of another site could send; a body without a type is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/json"):
        raise Problem(415, "not-json", "Content-Type: must be application/json.")


@contextmanager
def _problems() -> Iterator[None]:
    """Turn what the plant says into problem documents."""
    try:
        yield
    except Refused as no:
        raise Problem(403, "refused", str(no), rule=no.rule, facts=no.facts) from no
    except Conflict as no:
        more = api_signing.moved_facts(no)
        raise Problem(409, "conflict", str(no), rule=no.rule, facts=no.facts, **more) from no
    except LedgerBroken as no:
        raise Problem(503, "ledger-broken", str(no)) from no
    except TimeoutError as no:
        raise Problem(
            503, "no-answer-yet", "The ledger has not answered. It may still record this: send"
            " the same request again under the same Idempotency-Key.",
        ) from no  # fmt: skip


def _named(body: bytes) -> str:
    """Return the command that a body names as its `type`."""
    try:
        return str(msgspec.json.decode(body or b"{}", type=dict[str, Any]).get("type", ""))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem(422, "malformed", "The body must be one JSON object with a type.") from error


def _json(value: Any) -> Response:
    return Response(
        msgspec.json.encode(value, enc_hook=_text), media_type="application/json",
        headers={"cache-control": "no-store"},
    )  # fmt: skip
