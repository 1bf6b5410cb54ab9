"""What was signed, changed or risky in a batch: from the entries that say so."""

from collections.abc import Iterator, Sequence

from core.batch.amendment import Amendment
from core.batch_record.model import (
    AmendmentRecord,
    CommentRecord,
    RiskRecord,
    Signature,
)
from core.batch_record.risk import is_risky
from core.batch_record.sources import Sources
from core.batch_record.steps import correction
from core.clock import parse_iso
from core.ledger.entry import Entry
from core.signature_check import SignatureBroken, check_proof

SIGNED = "signature.applied"
SEALS = {
    "audit-trail.reviewed": "reviewer",
    "batch.released": "releaser",
    "batch.rejected": "releaser",
    "amendment.released": "releaser",
    "amendment.rejected": "releaser",
}


def signatures(it: Sources) -> tuple[Signature, ...]:
    """Return every signature of the trail, in the ledger's order."""
    seals = _seals(it.trail)
    return tuple(_signature(one, seals.get(one.seq)) for one in it.trail if one.type == SIGNED)


def _seals(trail: Sequence[Entry]) -> dict[int, str]:
    """Return which signature made a review or a decision: the last one before it in its stream."""
    last: dict[str, int] = {}
    found: dict[int, str] = {}
    for entry in trail:
        if entry.type == SIGNED:
            last[entry.stream] = entry.seq
        elif entry.type in SEALS and entry.stream in last:
            found[last[entry.stream]] = SEALS[entry.type]
    return found


def _signature(entry: Entry, seals: str | None) -> Signature:
    signed = entry.data["manifest"]
    return Signature(
        name=signed["name"],
        person=signed["signer"],
        meaning=signed["meaning"],
        words=signed["words"],
        comment=signed.get("comment", ""),
        components=tuple(entry.data["components"]),
        seals=seals,
        at=parse_iso(signed["at"]),
        zone=signed["zone"],
        record=signed["record"],
        version=signed["ver"],
        step=signed["step"],
        entry=entry.seq,
        proof=_proof(entry),
    )


def _proof(entry: Entry) -> str:
    """Return who beside the ledger proves a signature, checked now; that it fails is said so."""
    try:
        return check_proof(entry)
    except SignatureBroken as broken:
        return f"BROKEN: {broken}"


def amendment(it: Sources, one: Amendment) -> AmendmentRecord:
    """Return an amendment with everything that it changed."""
    decided = None
    if one.decided_by is not None:
        decided = it.deed(one.decided_by, one.decided_at)
    return AmendmentRecord(
        amendment=one.amendment,
        number=one.number,
        state=one.state.value,
        before=one.before,
        why=one.why,
        closed_ver=one.closed_ver,
        closed_leaf=one.closed_leaf,
        opened=it.deed(one.opened_by, one.opened_at),
        decided=decided,
        corrections=tuple(correction(it, change) for change in one.corrections),
        comments=tuple(
            CommentRecord(
                step=said.step, text=said.text, said=it.deed(said.by, said.at, entry=said.entry)
            )
            for said in one.comments
        ),
    )


def risks(it: Sources) -> tuple[RiskRecord, ...]:
    """Return the entries that a review of the audit trail reads first."""
    return tuple(
        RiskRecord(
            kind=one.type,
            done=it.deed(one.actor, parse_iso(one.at), entry=one.seq),
            reason=one.reason,
        )
        for one in it.trail
        if is_risky(one)
    )


def changed(it: Sources) -> tuple[str, ...]:
    """Return in words what was changed after it was first recorded, in the steps' order."""
    return tuple(_changed(it))


def _changed(it: Sources) -> Iterator[str]:
    for run in it.batch.steps:
        for what in dict.fromkeys(one.what for one in run.corrections):
            yield f"step {run.step}: {what.replace('_', ' ')} corrected"
        if run.reversals:
            yield f"step {run.step}: {len(run.reversals)} weighing taken back"
        if run.redone:
            yield f"step {run.step}: done again"
    for one in it.amendments:
        yield f"amendment {one.amendment}"
