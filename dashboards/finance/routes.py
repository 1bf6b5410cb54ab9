"""Where finance gets files: a signed period in three forms, and the exchange of one message."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse

from core.errors import LedgerBroken, Refused
from dashboards.finance.exchange import EXCHANGE, exchange
from dashboards.finance.matching import BoundarySide
from dashboards.finance.paper import sealed
from dashboards.finance.periods import Periods
from dashboards.finance.workbook import workbook
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import Login
from erp import evidence
from erp.rows import Row

PATH = "/reconcile/period/{period}/{revision}.{form}"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = {"pdf": "application/pdf", "xlsx": XLSX, "jsonl": "application/jsonl"}

type Form = Literal["pdf", "xlsx", "jsonl"]


def href(period: str, revision: int, form: str) -> str:
    """Return the address of one sign-off in one form.

    >>> href("2026-11-25", 1, "pdf")
    '/reconcile/period/2026-11-25/1.pdf'
    """
    return PATH.format(period=period, revision=revision, form=form)


def router(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes; where the plant has no key folder, no paper is sealed."""
    routes = APIRouter(include_in_schema=False)
    reader = Depends(gate.guard("/reconcile"))

    @routes.get(PATH)
    def signed(
        period: str, revision: int, form: Form, *, login: Annotated[Login, reader]
    ) -> Response:
        if form == "pdf" and plant.keys is None:
            return PlainTextResponse("This plant has no folder for its seal. Name one.", 503)
        try:
            body = _made(plant, plant.periods(), period, form=form, number=revision)
        except (Refused, LedgerBroken) as fault:
            return PlainTextResponse(str(fault), 404)
        return _file(body, f"reconciliation-{period}-{revision}.{form}", KINDS[form])

    @routes.get(EXCHANGE)
    def exchanged(event_id: str, *, login: Annotated[Login, reader]) -> Response:
        boundary: BoundarySide | None = plant.readers.get("boundary")
        found = None if boundary is None else evidence.find(boundary.outbox, event_id)
        if boundary is None or found is None:
            return PlainTextResponse("No message has this id. Open it from its row.", 404)
        return _file(_exchange(plant, boundary, found), f"{event_id}.zip", "application/zip")

    return routes


def _file(body: bytes, name: str, kind: str) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    return Response(body, media_type=kind, headers=headers)


def _exchange(plant: PlantServices, boundary: BoundarySide, message: Row) -> bytes:
    """Return one message's exchange with the ERP."""
    ledger, outbox = plant.ledger, boundary.outbox
    entries = ledger.entries(message.entry_seq - 1, 1) if ledger is not None else []
    return exchange(
        message, entries[0] if entries else None, evidence.attempts(outbox, message.event_id),
        receipts=evidence.receipts(outbox, [message.event_id]),
    )  # fmt: skip


def _made(plant: PlantServices, periods: Periods, period: str, *, form: Form, number: int) -> bytes:
    """Return one sign-off in one form."""
    it = periods.revision(period, number)
    if form == "jsonl":
        return periods.body(it)
    if form == "xlsx":
        return workbook(periods.report(period, it), periods.rows(it))
    assert plant.keys is not None, plant
    return sealed(periods.report(period, it), plant.keys, plant.stamps)
