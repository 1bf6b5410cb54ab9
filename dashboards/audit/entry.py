"""One entry of the ledger opened: what it changed, its bytes, and the proof that it is in."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.clock import parse_iso
from core.execution import Execution
from core.ledger.checkpoint import Checkpoint
from core.ledger.entry import Entry, decode
from core.ledger.merkle import leaf_hash, verify_inclusion
from core.projections.nouns import fold
from core.signature_check import SIGNED, SignatureBroken, Standing, signature_in, standing
from dashboards import parts
from dashboards.entry_changes import changes
from dashboards.entry_words import is_risky, summary
from dashboards.names import Names
from dashboards.palette import State
from dashboards.review.evidence import panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An entry with its stored bytes, the states around it and its inclusion proof."""

    entry: Entry
    body: bytes
    leaf: bytes
    before: Any
    after: Any
    checkpoint: Checkpoint | None
    proof: tuple[bytes, ...]
    leads_to: bytes
    newer: int | None
    older: int | None
    signed: Standing | SignatureBroken | None = None

    @property
    def holds(self) -> bool:
        return self.checkpoint is not None and self.leads_to == self.checkpoint.root


def open_entry(execution: Execution, seq: int) -> Opened | None:
    """Return an entry with its proof against the newest checkpoint, None if there is none."""
    ledger = execution.ledger
    raw = ledger.raw(seq - 1, 1) if seq > 0 else []
    if not raw or raw[0][0] != seq:
        return None
    body = raw[0][1]
    entry = decode(body)
    before = after = None
    stream = ledger.stream(entry.stream)
    for one in stream[: entry.ver]:
        before, after = after, fold(after, one)
    checkpoint, leaf = ledger.checkpoint(), leaf_hash(body)
    proof: list[bytes] = []
    leads_to = b""
    if checkpoint is not None and seq <= checkpoint.size:
        proof = ledger.inclusion_proof(seq, checkpoint.size)
        leads_to = verify_inclusion(leaf, index=seq - 1, size=checkpoint.size, proof=proof)
    return Opened(
        entry=entry,
        body=body,
        leaf=leaf,
        before=before,
        after=after,
        checkpoint=checkpoint,
        proof=tuple(proof),
        leads_to=leads_to,
        newer=stream[entry.ver].seq if entry.ver < len(stream) else None,
        older=stream[entry.ver - 2].seq if entry.ver > 1 else None,
        signed=_signed(execution, entry),
    )


def _signed(execution: Execution, entry: Entry) -> Standing | SignatureBroken | None:
    """Return how the signature in an entry stands, or why it does not; None where there is none."""
    if entry.type != SIGNED:
        return None
    name = signature_in(entry).manifest.record
    record = execution.ledger.stream(name)
    bodies = execution.ledger.stream_raw(name)

    def head(ver: int) -> str | None:
        return leaf_hash(bodies[ver - 1][1]).hex() if 0 < ver <= len(bodies) else None

    try:
        return standing(entry, record, head=head)
    except SignatureBroken as broken:
        return broken


def drawn(it: Opened, names: Names, zone: ZoneInfo, *, close: Markup) -> Markup:
    """Return the opened entry as blocks."""
    entry = it.entry
    title = Markup("Entry {} {} {} <small>{}</small>").format(
        entry.seq,
        parts.chip(State.NEAR, "Higher risk") if is_risky(entry) else "",
        parts.chip(State.OK, "Proof holds") if it.holds else parts.chip(State.BAD, "No proof"),
        close,
    )
    return panel(
        title,
        Markup('<p class="says-so">{}</p>').format(summary(entry)),
        parts.facts(_facts(it, names, zone)),
        _signature(it.signed),
        _changes(it, zone),
        _body(it),
        _proof(it),
        testid="entry",
    )


def _signature(it: Standing | SignatureBroken | None) -> Markup:
    """Return what a signature proves: who gave what, over what, under which rules."""
    if it is None:
        return Markup("")
    if isinstance(it, SignatureBroken):
        return parts.notice(State.BAD, "Signature broken.", str(it))
    manifest, said = it.signature.manifest, it.signature
    proof = f"checked now: {it.proof}" if it.proof else "the ledger alone"
    rows: list[tuple[str, object]] = [
        ("Statement", manifest.words),
        ("Meaning", manifest.meaning),
        ("Comment", manifest.comment or "none"),
        ("Record", f"{manifest.record}, {it}"),
        ("Given", " and ".join(said.components)),
        ("Proof", proof),
        ("Gate", f"{said.gate or 'not named'}, table version {said.gates_version}"),
    ]
    return Markup('<div data-testid="signature">{}{}</div>').format(
        parts.heading("Signature"), parts.facts(rows)
    )


def _facts(it: Opened, names: Names, zone: ZoneInfo) -> list[tuple[str, object]]:
    entry = it.entry
    at = parse_iso(entry.at)
    record = Markup("{}, version {} {}").format(
        parts.link(entry.stream, f"/audit?stream={entry.stream}"), entry.ver, _neighbours(it)
    )
    return [
        ("Recorded", f"{parts.local_time(at, zone)} = {entry.at[:19]}Z"),
        ("Who", names.full(entry.actor)),
        ("Station", entry.station or "none"),
        ("Record", record),
        ("Type", f"{entry.type}, schema version {entry.v}"),
        ("Reason", entry.reason or "none given"),
        ("Command id", entry.idem or "none"),
    ]


def _neighbours(it: Opened) -> Markup:
    told = []
    if it.older is not None:
        told.append(parts.link("earlier", f"/audit?entry={it.older}"))
    if it.newer is not None:
        told.append(parts.link("later", f"/audit?entry={it.newer}"))
    return Markup("({})").format(Markup(", ").join(told)) if told else Markup("")


def _changes(it: Opened, zone: ZoneInfo) -> Markup:
    rows = [
        (
            path,
            Markup('<span class="old">{}</span>').format(old) if old != "–" else "–",
            new,
        )
        for path, old, new in changes(it.before, it.after, zone)
    ]
    return parts.table(
        "What it changed in the record",
        ("Field", "Before", "After"),
        rows,
        empty="Nothing: the entry is evidence, and the record's state stays as it was.",
        testid="changes",
    )


def _body(it: Opened) -> Markup:
    text = it.body.decode("utf-8", "replace")
    return Markup(
        "<details><summary>Canonical body, {} bytes as stored and hashed</summary>"
        '<pre data-testid="body" tabindex="0" role="region" aria-label="Canonical body"'
        ' class="body">{}</pre></details>'
    ).format(len(it.body), text)


def _proof(it: Opened) -> Markup:
    leaf = Markup('<code class="hash" data-testid="leaf">{}</code>').format(it.leaf.hex())
    if it.checkpoint is None:
        return parts.facts([("Leaf hash", leaf)], wide=True)
    root = Markup('<code class="hash">{}</code>')
    told: list[tuple[str, object]] = [
        ("Leaf hash", leaf),
        ("Newest checkpoint", f"{it.checkpoint.size} entries"),
        ("Its root", root.format(it.checkpoint.root.hex())),
        ("Root the proof leads to", root.format(it.leads_to.hex())),
    ]
    path = Markup("").join(
        Markup('<li><code class="hash">{}</code></li>').format(node.hex()) for node in it.proof
    )
    return Markup(
        "<details><summary>Inclusion proof, {} hashes</summary>{}<ol>{}</ol></details>"
    ).format(len(it.proof), parts.facts(told, wide=True), path)
