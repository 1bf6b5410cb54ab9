"""The evidence of one row: the entry, the bytes sent, the signed receipts, the ERP's lines."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from core.execution import Execution
from core.ledger.entry import Entry
from core.people import Person
from dashboards.finance.compare import MatchRow
from dashboards.finance.matching import BoundarySide
from erp import evidence
from erp.rows import AttemptRow, ReceiptRow, Row


@dataclass(frozen=True, slots=True)
class Proof:
    """A receipt, and why it is not proven to be the ERP's (None: it is)."""

    receipt: ReceiptRow
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEvidence:
    """All that is kept about one row."""

    row: MatchRow
    entry: Entry | None
    who: str
    message: Row | None
    digest_holds: bool
    attempts: tuple[AttemptRow, ...]
    proofs: tuple[Proof, ...]


def name_of(execution: Execution | None, person: str) -> str:
    """Return a person's printed name with their id, or the id alone."""
    found = execution.nouns.get(Person, person) if execution is not None else None
    return f"{found.name} ({person})" if found is not None else person


def evidence_of(
    row: MatchRow, boundary: BoundarySide, *, execution: Execution | None, ledger: Any
) -> RowEvidence:
    """Read everything about one row; does I/O."""
    entry: Entry | None = None
    if row.entry_seq is not None:
        found = ledger.entries(row.entry_seq - 1, 1)
        entry = found[0] if found else None
    key = row.event_id or ""
    message = evidence.find(boundary.outbox, key) if key else None
    return RowEvidence(
        row=row,
        entry=entry,
        who=name_of(execution, entry.actor) if entry else "",
        message=message,
        digest_holds=message is not None
        and hashlib.sha256(message.body).hexdigest() == message.sha256,
        attempts=tuple(evidence.attempts(boundary.outbox, key)) if message else (),
        proofs=tuple(
            Proof(it, evidence.unproven(it, boundary.receipt_keys))
            for it in (evidence.receipts(boundary.outbox, [key]) if message else ())
        ),
    )


def pretty(body: bytes) -> str:
    """Return JSON bytes indented, or as text where they are no JSON."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", "replace")
