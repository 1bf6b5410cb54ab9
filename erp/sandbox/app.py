"""The sandbox's HTTP face: events in, signed receipts out, books to read, switches for the demo."""

import asyncio
import json
import time
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from core.clock import iso, now
from erp.contract import MAX_BODY_BYTES, from_bytes
from erp.errors import MessageRefused, SignatureRefused
from erp.events import check
from erp.sandbox import admin, pages
from erp.sandbox.admin import Secrets
from erp.sandbox.faults import OVERTAKEN_S, DownGate, DroppedReply, Fault, Faults
from erp.sandbox.posting import BusinessRefusal, has_period, post
from erp.sandbox.store import Database
from erp.signing import sign, verify
from erp.webhook import content_digest

LEDGER_PAGE = 1000


def problem(status: int, code: str, detail: str) -> Response:
    """Return a refusal as problem details (RFC 9457)."""
    body = json.dumps({"status": status, "code": code, "detail": detail})
    return Response(body, status_code=status, media_type="application/problem+json")


async def _body(request: Request) -> bytes | None:
    """Return the raw body, or None when it is larger than the contract allows."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _take(
    database: Database,
    request: Request,
    *,
    body: bytes,
    secrets: Secrets,
    forgets_keys: bool,
    renames: bool = False,
) -> Response:
    """Answer one event: 1 signature, 2 digest and key, 3 parse, 4 book, 5 sign the receipt."""
    try:
        key = verify(secrets.events, request.headers, at=now(), body=body)  # 1
    except SignatureRefused as fault:
        return problem(401, "signature_refused", fault.why)
    if request.headers.get("content-digest") != content_digest(body):  # 2
        return problem(400, "digest_mismatch", "Content-Digest does not match the body.")
    if request.headers.get("idempotency-key") != f'"{key}"':
        return problem(400, "key_mismatch", "Idempotency-Key and webhook-id differ.")
    try:
        message = from_bytes(body)  # 3
        check(message)
    except MessageRefused as fault:
        return problem(400, "contract_broken", str(fault))
    if message.id != key:
        return problem(400, "key_mismatch", "The event's id and webhook-id differ.")
    try:
        answer = post(database, message, body, forgets_keys=forgets_keys)  # 4
    except BusinessRefusal as fault:
        return problem(422, fault.code, fault.detail)
    told = dict(answer.body)
    if renames:  # a release of the ERP that nobody spoke about
        told["docs"] = told.pop("documents")
    receipt = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    headers = sign(secrets.receipts, key, at=now(), body=receipt)  # 5
    return Response(receipt, headers=headers, media_type="application/json")


def _spoiled(fault: Fault) -> Response | None:
    """Return the answer of a fault that strikes before anything is booked."""
    if fault.kind == "409":
        return problem(409, "in_flight", "This key is being worked on.")
    if fault.kind == "429":
        answer = problem(429, "throttled", "Too many calls.")
        answer.headers["retry-after"] = str(int(fault.seconds))
        return answer
    if fault.kind == "500":
        return problem(500, "crashed", "The sandbox fell over on purpose.")
    return None


async def _overtaken(faults: Faults) -> None:
    """Wait until another message was answered, or nothing came for a while."""
    before, end = faults.booked, time.monotonic() + OVERTAKEN_S
    while faults.booked == before and time.monotonic() < end:
        await asyncio.sleep(0.02)


def _add_events(
    app: FastAPI, database: Database, *, secrets: Secrets, faults: Faults, forgets_keys: bool
) -> None:
    @app.post("/events", response_model=None)
    async def events(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return problem(413, "too_large", f"A message has at most {MAX_BODY_BYTES} bytes.")
        fault = faults.take()
        if fault is not None:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            spoiled = _spoiled(fault)
            if spoiled is not None:
                return spoiled
        kind = None if fault is None else fault.kind
        if kind == "reorder":
            await _overtaken(faults)

        def take() -> Response:
            return _take(
                database,
                request,
                body=body,
                secrets=secrets,
                forgets_keys=forgets_keys,
                renames=kind == "schema_change",
            )

        copies = 2 if kind == "duplicate" else 1
        *_, answer = await asyncio.gather(*(run_in_threadpool(take) for _ in range(copies)))
        faults.count()
        if fault is not None and fault.kind == "drop_reply":
            return DroppedReply()
        return answer


def _ledger_line(row: Any, gl: list[dict[str, str]]) -> dict[str, Any]:
    """Return one ledger line with its GL document; amounts are for the ERP's own people."""
    line = dict(row)
    line["order"] = line.pop("order_id")
    line["gl"] = gl
    return line


def _add_ledger(app: FastAPI, database: Database) -> None:
    @app.get("/ledger")
    def ledger(
        after: Annotated[int, Query(ge=0)] = 0, order: str | None = None
    ) -> dict[str, object]:
        connection = database.connection()
        rows = connection.execute(
            "SELECT * FROM ledger_line WHERE seq > ? AND (? IS NULL OR order_id = ?)"
            " ORDER BY seq LIMIT ?",
            (after, order, order, LEDGER_PAGE),
        ).fetchall()
        gl: dict[str, list[dict[str, str]]] = {}
        if rows:
            for line in connection.execute(
                "SELECT g.* FROM gl_line g JOIN ledger_line l ON l.gl_document = g.document"
                " WHERE l.seq BETWEEN ? AND ? ORDER BY g.document, g.n",
                (rows[0]["seq"], rows[-1]["seq"]),
            ):
                gl.setdefault(line["document"], []).append(
                    {name: line[name] for name in ("account", "debit", "credit")}
                )
        lines = [_ledger_line(row, gl.get(row["gl_document"], [])) for row in rows]
        last = rows[-1]["seq"] if rows else after
        return {"lines": lines, "next": last, "more": len(rows) == LEDGER_PAGE}

    @app.get("/stock")
    def stock() -> list[dict[str, str]]:
        rows = database.connection().execute(
            "SELECT s.item, s.lot, s.status, s.quantity, i.unit FROM stock s"
            " JOIN item i ON i.code = s.item ORDER BY 1, 2, 3"
        )
        return [dict(row) for row in rows]


def _add_answers(app: FastAPI, database: Database) -> None:
    @app.get("/postings/{erp_ref}")
    def posting(erp_ref: str) -> list[dict[str, str]]:
        row = (
            database.connection()
            .execute("SELECT response FROM posting WHERE erp_ref = ?", (erp_ref,))
            .fetchone()
        )
        if row is None:
            raise HTTPException(404, f"Reference {erp_ref} has no posting.")
        documents: list[dict[str, str]] = json.loads(row["response"])["documents"]
        return documents

    @app.get("/periods/{period}")
    def period(period: Annotated[str, Path(pattern=r"^\d{4}-\d\d$")]) -> dict[str, str]:
        if not has_period(period):
            return {"period": period, "state": "missing"}
        closed = (
            database.connection()
            .execute("SELECT 1 FROM closed_period WHERE period = ?", (period,))
            .fetchone()
        )
        return {"period": period, "state": "closed" if closed else "open"}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/time")
    def time() -> dict[str, str]:
        return {"now": iso(now())}


def build(database: Database, secrets: Secrets, *, forgets_keys: bool = False) -> FastAPI:
    """Return the application; one that forgets keys books every copy of a message."""
    faults = Faults()
    app = FastAPI(title="Batchwright sandbox ERP", docs_url=None, redoc_url=None)
    app.add_middleware(DownGate, faults=faults)
    _add_events(app, database, secrets=secrets, faults=faults, forgets_keys=forgets_keys)
    _add_ledger(app, database)
    _add_answers(app, database)
    app.include_router(pages.router(database, faults))
    app.include_router(admin.router(database, faults, secrets))
    return app
