"""Master-data pages with strong ETag and Last-Modified, and 304 where nothing changed."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from core.clock import parse_iso
from erp.sandbox.faults import Faults
from erp.sandbox.store import Database

type Row = dict[str, Any]


def _plain(row: sqlite3.Row) -> Row:
    return dict(row)


def _bom(row: sqlite3.Row) -> Row:
    return {**dict(row), "lines": json.loads(row["lines"])}


# name -> (SQL, record builder); the standard cost is not part of any page
PAGES: dict[str, tuple[str, Callable[[sqlite3.Row], Row]]] = {
    "items": ("SELECT code, name, unit, gtin, changed_at FROM item ORDER BY code", _plain),
    "boms": ("SELECT product, quantity, unit, lines, changed_at FROM bom ORDER BY product", _bom),
    "orders": ("SELECT * FROM production_order ORDER BY id", _plain),
    "customers": ("SELECT * FROM customer ORDER BY code", _plain),
    "lots": ("SELECT * FROM lot ORDER BY item, lot", _plain),
}


def _answer(request: Request, content: object, changed: str | None) -> Response:
    """Return the page, or 304 when the caller has it (RFC 9110: If-None-Match wins)."""
    body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    modified = parse_iso(changed).replace(microsecond=0) if changed else None
    if modified is not None:
        headers["last-modified"] = format_datetime(modified, usegmt=True)
    given = request.headers.get("if-none-match")
    since = request.headers.get("if-modified-since")
    if given is not None:
        tags = {tag.strip() for tag in given.split(",")}
        if etag in tags or "*" in tags:
            return Response(status_code=304, headers=headers)
    elif since is not None and modified is not None and _not_after(modified, since):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _not_after(modified: datetime, since: str) -> bool:
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return modified <= moment


def router(database: Database, faults: Faults) -> APIRouter:
    """Return the routes of all pages and of the single order."""
    routes = APIRouter()

    def page(name: str) -> Callable[..., Response]:
        sql, build = PAGES[name]

        def answer(request: Request, changed_since: str = "") -> Response:
            found = database.connection().execute(sql).fetchall()
            rows = [row for row in found if row["changed_at"] >= changed_since]
            changed = max((row["changed_at"] for row in rows), default=None)
            records = [build(row) for row in rows]
            if faults.take_page():
                renamed = [{f"{key}_v2": value for key, value in one.items()} for one in records]
                return _answer(request, {name: renamed}, changed)
            return _answer(request, {name: records}, changed)

        return answer

    for name in PAGES:
        routes.add_api_route(f"/{name}", page(name), methods=["GET"], response_model=None)

    @routes.get("/orders/{order}", response_model=None)
    def one_order(order: str, request: Request) -> Response:
        row = (
            database.connection()
            .execute("SELECT * FROM production_order WHERE id = ?", (order,))
            .fetchone()
        )
        if row is None:
            raise HTTPException(404, f"Order {order} is not known.")
        return _answer(request, _plain(row), row["changed_at"])

    return routes
