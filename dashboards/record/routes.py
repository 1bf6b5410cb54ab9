"""Where QA gets the batch record: `record.pdf`, numbered and sealed, and `record.json`."""

import logging
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import PlainTextResponse

from core.batch_record.model import BatchRecord, record_json, record_sha256
from core.batch_record.read import read_record
from core.command_id import new_command_id
from core.errors import LedgerBroken, Refused, Unknown
from core.execution import Actor, Execution
from core.record_print import CopyNeedsReason, PrintRecord, Prints, SealRecord
from dashboards.names import Names
from dashboards.plant import PlantServices
from dashboards.record.bundle import attachments
from dashboards.record.closing import ARCHIVE, closed_json
from dashboards.record.seal import Seal, Sealed
from dashboards.record.typeset import Copy, pdf
from dashboards.security import Gate
from dashboards.session import Login

PATH = "/review/batch/{batch}/record"
ANCHOR_WAIT_S = 10
log = logging.getLogger("batchwright.record")


def print_copy(execution: Execution, record: BatchRecord, actor: Actor, *, why: str = "") -> Copy:
    """Record that a copy is printed; return it with its number.

    The paper shows the checkpoint, so it is an anchor outside the database.

    Raises:
        Refused: this person may not print records, or a further copy has no reason.
    """
    batch = record.header.batch
    command = PrintRecord(
        batch=batch,
        size=record.checkpoint.size,
        root=record.checkpoint.root,
        content_sha256=record_sha256(record),
        why=why.strip() or None,
    )
    receipt = execution.submit(command, actor=actor, idem=f"print:{new_command_id()}")
    prints = execution.nouns.get(Prints, batch)
    assert prints is not None, batch
    made = next(one for one in prints.copies if one.seq == receipt.last_seq)
    place = f"printed record of {batch}, copy {made.copy}"
    kept = execution.writer.record_anchor(command.size, place, command.root, at=made.at)
    kept.result(ANCHOR_WAIT_S)
    return Copy(number=made.copy, by=Names(execution).full(made.by), at=made.at, why=made.why)


def note_sealed(execution: Execution, batch: str, copy: Copy, *, sealed: Sealed) -> None:
    """Record the file of a copy before it is handed out, and until when it can be checked.

    It is the server's word beside the print that stands already: where a plant has not adopted
    this action yet, the print log says that the file is not recorded.
    """
    assert copy.number is not None, batch
    command = SealRecord(
        batch=batch,
        copy=copy.number,
        file_sha256=sha256(sealed.body).hexdigest(),
        until=sealed.hold.until,
        stamped_by=sealed.hold.stamped_by,
        why=sealed.hold.why,
    )
    try:
        execution.submit(
            command, actor=ARCHIVE, idem=f"seal:{batch}:{copy.number}:{new_command_id()}"
        )
    except Refused as refusal:
        log.warning(
            "event=seal-not-recorded batch=%s copy=%d reason=%s", batch, copy.number, refusal
        )


def router(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes of the record; where the plant has no key folder, nothing is printed."""
    routes = APIRouter(include_in_schema=False)
    reader = Depends(gate.guard("/review"))

    @routes.get(PATH + ".json")
    def as_json(batch: str, login: Annotated[Login, reader]) -> Response:
        try:
            record = read_record(plant.ledger, batch)
        except (Unknown, LedgerBroken) as fault:
            return PlainTextResponse(str(fault), 404)
        return _file(record_json(record), "application/json", f"record-{batch}.json")

    @routes.get(PATH + "-{revision}.json")
    def as_closed(batch: str, revision: int, login: Annotated[Login, reader]) -> Response:
        try:
            body = closed_json(plant.ledger, batch, revision)
        except (Unknown, LedgerBroken) as fault:
            return PlainTextResponse(str(fault), 404)
        return _file(body, "application/json", f"record-{batch}-{revision}.json")

    # It takes a number, so it is no GET: a page loaded again, or a link followed, prints nothing.
    @routes.post(PATH + ".pdf")
    def as_pdf(
        batch: str, login: Annotated[Login, reader], why: Annotated[str, Form(max_length=2000)] = ""
    ) -> Response:
        if plant.keys is None:
            return PlainTextResponse("This plant has no folder for its seal. Name one.", 503)
        actor = login.viewer.actor
        try:
            record = read_record(plant.ledger, batch)
            copy = print_copy(plant.execution, record, actor, why=why)
        except (Unknown, LedgerBroken) as fault:
            return PlainTextResponse(str(fault), 404)
        except CopyNeedsReason as refusal:
            return PlainTextResponse(str(refusal), 409)
        except Refused as refusal:
            return PlainTextResponse(str(refusal), 403)
        inside = attachments(plant.ledger, record)
        sealed = Seal(plant.keys, plant.name, plant.stamps).put(
            lambda hold: pdf(record, copy, inside, hold=hold), record, f"copy {copy.number}"
        )
        note_sealed(plant.execution, batch, copy, sealed=sealed)
        return _file(sealed.body, "application/pdf", f"record-{batch}-copy-{copy.number}.pdf")

    return routes


def _file(body: bytes, kind: str, name: str) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    return Response(body, media_type=kind, headers=headers)
