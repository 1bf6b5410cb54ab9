"""The evidence of one row: the entry, the bytes sent, the signed receipts, the ERP's lines."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from core.execution import Execution
from core.ledger.entry import Entry
from core.people import Person
from dashboards.finance.compare import MatchRow, document_of
from dashboards.finance.matching import BoundarySide
from erp import evidence
from erp.contract import from_bytes
from erp.port import DOCUMENT_REVERSED
from erp.rows import AttemptRow, ReceiptRow, Row


@dataclass(frozen=True, slots=True)
class Proof:
    """A receipt, and why it is not proven to be the ERP's (None: it is)."""

    receipt: ReceiptRow
    fault: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """Another message of the row: how the fact was told before, or what undid its posting."""

    message: Row
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEvidence:
    """All that is kept about one row; `others` are told in the order of their entries."""

    row: MatchRow
    entry: Entry | None
    who: str
    message: Row | None
    digest_holds: bool
    attempts: tuple[AttemptRow, ...]
    proofs: tuple[Proof, ...]
    others: tuple[Told, ...] = ()


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
    key = row.message_id or ""
    message = evidence.find(boundary.outbox, key) if key else None
    return RowEvidence(
        row=row,
        entry=entry,
        who=name_of(execution, entry.actor) if entry else "",
        message=message,
        digest_holds=message is not None
        and hashlib.sha256(message.body).hexdigest() == message.sha256,
        attempts=tuple(evidence.attempts(boundary.outbox, key)) if message else (),
        proofs=_proofs(key, boundary) if message else (),
        others=_others(row, boundary),
    )


def _proofs(key: str, boundary: BoundarySide) -> tuple[Proof, ...]:
    found = evidence.receipts(boundary.outbox, [key])
    return tuple(Proof(it, evidence.unproven(it, boundary.receipt_keys)) for it in found)


def _others(row: MatchRow, boundary: BoundarySide) -> tuple[Told, ...]:
    """Return the other messages of a fact: its earlier ones, and those that undid a document."""
    documents = {document_of(one) for one in row.postings}
    found = [
        one
        for one in evidence.of_type(boundary.outbox, DOCUMENT_REVERSED)
        if _undone(one) in documents
    ]
    if row.event_id is not None:
        found += evidence.told(boundary.outbox, row.event_id)
    others = {one.event_id: one for one in found if one.event_id != row.message_id}
    ordered = sorted(others.values(), key=lambda one: one.entry_seq)
    return tuple(Told(one, _proofs(one.event_id, boundary)) for one in ordered)


def _undone(it: Row) -> str | None:
    named = from_bytes(it.body).data.document
    return None if named is UNSET else f"{named.id}/{named.year}"


def pretty(body: bytes) -> str:
    """Return JSON bytes indented, or as text where they are no JSON."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", "replace")
