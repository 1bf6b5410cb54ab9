"""The batch record as files of an export: JSON and PDF of the same model, and closed revisions."""

from pathlib import Path

from core.batch.bundle import batch_streams
from core.batch_record.model import BatchRecord, record_json
from core.batch_record.read import read_record
from core.clock import now
from core.ledger.store import Ledger
from dashboards.record.closing import closed_json
from dashboards.record.seal import Seal
from dashboards.record.stamp import Stamps
from dashboards.record.typeset import Attached, Copy, pdf


def attachments(ledger: Ledger, record: BatchRecord) -> tuple[Attached, ...]:
    """Return what a print carries inside: the entries as stored, the checkpoint, the values."""
    size = record.checkpoint.size
    lines = sorted(
        row
        for stream in batch_streams(ledger, record.header.batch)
        for row in ledger.stream_raw(stream)
        if row[0] <= size
    )
    entries = b"".join(body + b"\n" for _, body in lines).decode("utf-8")
    return (
        Attached(
            name="entries.jsonl",
            text=entries,
            kind="source",
            mime="application/x-ndjson",
            says="The entries of the ledger that this record is made from, as they are stored.",
        ),
        Attached(
            name="checkpoint",
            text=record.checkpoint.note,
            kind="supplement",
            mime="text/plain",
            says="Size and root of the ledger, signed with the plant's key.",
        ),
        Attached(
            name="record.json",
            text=record_json(record).decode("utf-8"),
            kind="data",
            mime="application/json",
            says="This record as values.",
        ),
    )


def record_files(
    ledger: Ledger, batch: str, keys: Path, *, stamps: Stamps | None = None
) -> dict[str, bytes]:
    """Return a batch's record for its bundle; the PDF bears the seals, and no copy number.

    `stamps` is the time-stamp authority, where one is named.

    Raises:
        Unknown: no such batch.
        NothingToExport: the ledger has no checkpoint.
        OtherForm: a closed revision cannot be made anew by this version.
    """
    record = read_record(ledger, batch)
    copy = Copy(number=None, by="export", at=now())
    inside = attachments(ledger, record)
    sealed = Seal(keys, ledger_name(keys), stamps).put(
        lambda hold: pdf(record, copy, inside, hold=hold), record, "exported"
    )
    files = {
        "record.json": record_json(record),
        "record.pdf": sealed.body,
    }
    for one in record.revisions:
        files[f"record-{one.revision}.json"] = closed_json(ledger, batch, one.revision)
    return files


def ledger_name(keys: Path) -> str:
    """Return the name of the ledger whose public key lies in a folder."""
    return (keys / "log.vkey").read_text("utf-8").split("+")[0]
