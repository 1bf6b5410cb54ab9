"""The batch record as files of an export: `record.json` and `record.pdf`, of the same model."""

from pathlib import Path

from core.batch_record.model import record_json
from core.batch_record.read import read_record
from core.clock import now
from core.ledger.store import Ledger
from dashboards.record.seal import Seal
from dashboards.record.typeset import Copy, pdf


def record_files(ledger: Ledger, batch: str, keys: Path) -> dict[str, bytes]:
    """Return a batch's record for its bundle; the PDF bears the plant's seal, and no copy number.

    Raises:
        Unknown: no such batch.
        NothingToExport: the ledger has no checkpoint.
    """
    record = read_record(ledger, batch)
    made = pdf(record, Copy(number=None, by="export", at=now()))
    name = ledger_name(keys)
    sealed = Seal(keys, name).put(made, f"Batch record {batch}, exported")
    return {"record.json": record_json(record), "record.pdf": sealed}


def ledger_name(keys: Path) -> str:
    """Return the name of the ledger whose public key lies in a folder."""
    return (keys / "log.vkey").read_text("utf-8").split("+")[0]
