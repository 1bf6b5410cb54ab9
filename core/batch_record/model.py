"""The batch record: what every rendering shows, in one value.

A rendering changes nothing but the way an instant is written. Amounts carry the text that people
read beside the exact value, so that no rendering rounds on its own.
"""

from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from msgspec import Struct

from core.batch_record.facts import facts_of as facts_of  # renderings take it from here
from core.ledger.entry import canonical
from core.order import Gate

FORM = "batch-record-3"


class Amount(Struct, frozen=True, kw_only=True):
    """A quantity: exact value, unit, and how people read it."""

    value: Decimal
    unit: str
    text: str


class Deed(Struct, frozen=True, kw_only=True):
    """Who did something, when, and the entry that holds it."""

    by: str
    name: str
    at: datetime | None
    entry: int | None = None


class Header(Struct, frozen=True, kw_only=True):
    """Which batch this is and when it ran.

    `state` is that of its own stream, `stands` the one with its amendments; `changed` names what
    was changed after it was first recorded (Annex 11 (2011) 8.2).
    """

    batch: str
    state: str
    stands: str
    changed: tuple[str, ...]
    product: str
    product_name: str
    size: Amount
    pieces: int
    order: str
    order_quantity: Amount | None
    erp_order: str | None
    recipe: str
    recipe_sha256: str
    room: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    decided_at: datetime | None
    zone: str
    entries: int
    head: str


class MaterialLot(Struct, frozen=True, kw_only=True):
    """A lot that went into the batch."""

    material: str
    lot: str
    supplier: str
    expires_on: str | None
    assay: str | None
    containers: tuple[str, ...]
    used: Amount
    steps: tuple[str, ...]


class Void(Struct, frozen=True, kw_only=True):
    """Why an accepted weighing no longer counts; it stays readable."""

    why: str
    by: Deed


class Weighing(Struct, frozen=True, kw_only=True):
    """One accepted weighing, with the line as the scale sent it."""

    lot: str
    container: str
    gross: Amount
    tare: Amount
    net: Amount
    scale: str
    certificate: str
    raw: str
    by: str
    name: str
    at: datetime
    entry: int
    void: Void | None = None


class CorrectionRecord(Struct, frozen=True, kw_only=True):
    """A recorded value that was replaced: old and new, why, and the entry it points at."""

    step: str
    what: str
    old: Amount
    new: Amount
    why: str
    corrected: Deed
    corrects: int


class Late(Struct, frozen=True, kw_only=True):
    """Both times of what was recorded late."""

    happened_at: datetime
    recorded_at: datetime


class Signature(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A signature in full (21 CFR 11.50): `version` of `record` is what the signer saw.

    `seals` names the decision that it made, which a print mirrors as a seal: reviewer, releaser.
    `proof` says who beside the ledger proves it, where a passkey or a sign-in provider did.
    """

    name: str
    person: str
    meaning: str
    words: str
    comment: str
    components: tuple[str, ...]
    seals: str | None
    at: datetime
    zone: str
    record: str
    version: int
    step: str | None
    entry: int
    proof: str = ""


class Limits(Struct, frozen=True, kw_only=True):
    """Closed limits of a step; an end that is not there is said so."""

    low: Amount | None
    high: Amount | None
    target: Amount | None
    within: bool | None


class RedoneRecord(Struct, frozen=True, kw_only=True):
    """What a step held before QA let it be done again; its weighings stand struck through."""

    values: dict[str, Amount]
    performed: Deed | None
    deviation: str
    set_aside: Deed


class StepRecord(Struct, frozen=True, kw_only=True):
    """A step: what the recipe says and what was done.

    `light` is green where all is done and held, yellow where something waits or was out of the
    ordinary, red where QA must decide, none before the start; `says` is the same in words.
    """

    light: str
    says: str

    step: str
    phase: str
    title: str
    instruction: str
    kind: str
    state: str
    equipment: str | None
    material: str | None
    started_at: datetime | None
    completed_at: datetime | None
    limits: Limits | None
    net: Amount | None
    values: dict[str, Amount]
    weighings: tuple[Weighing, ...]
    performed: Deed | None
    verification_asked: bool
    verified: Deed | None
    deviation: str | None
    late: Late | None
    corrections: tuple[CorrectionRecord, ...]
    redone: tuple[RedoneRecord, ...]
    asked: str | None


class CommentRecord(Struct, frozen=True, kw_only=True):
    """A comment or assessment in an amendment."""

    step: str | None
    text: str
    said: Deed


class AmendmentRecord(Struct, frozen=True, kw_only=True):
    """What was changed after the decision: a revision of its own beside the closed record."""

    amendment: str
    number: int
    state: str
    before: str
    why: str
    closed_ver: int
    closed_leaf: str
    opened: Deed
    decided: Deed | None
    corrections: tuple[CorrectionRecord, ...]
    comments: tuple[CommentRecord, ...]


class RiskRecord(Struct, frozen=True, kw_only=True):
    """An entry that a review of the audit trail reads first."""

    kind: str
    done: Deed
    reason: str | None


class CapaRecord(Struct, frozen=True, kw_only=True):
    """A corrective action of the quality system for a deviation, as it was last told."""

    capa: str
    address: str | None
    status: str | None
    linked: Deed


class DeviationRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deviation with its decision, and what the quality system does about it."""

    deviation: str
    step: str
    kind: str
    severity: str
    says: str
    why: str
    state: str
    raised: Deed
    lots: tuple[str, ...]
    scale: str | None
    disposition: str | None
    assessment: str | None
    dispositioned: Deed | None
    capas: tuple[CapaRecord, ...] = ()


class ExceptionRecord(Struct, frozen=True, kw_only=True):
    """A broken rule and what a reviewer wrote about it."""

    exception: str
    step: str
    kind: str
    says: str
    deviation: str | None
    raised: Deed
    reviewed_by: str | None
    assessment: str | None


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """A refused attempt; nothing was changed by it."""

    command: str
    rule: str
    says: str
    step: str | None
    station: str | None
    tried: Deed


class Yield(Struct, frozen=True, kw_only=True):
    """A yield as recorded, with its share of the batch size."""

    step: str
    actual: Amount
    theoretical: Amount
    percent: str


class Labels(Struct, frozen=True, kw_only=True):
    """Label counts of a reconciliation."""

    step: str
    issued: Decimal
    used: Decimal
    returned: Decimal
    destroyed: Decimal


class RuleHeld(Struct, frozen=True, kw_only=True):
    """A rule and the steps at which it was applied and held."""

    rule: str
    steps: tuple[str, ...]
    times: int


class MatrixRow(Struct, frozen=True, kw_only=True):
    """A row of 21 CFR 211.188(b): its evidence, and what is missing."""

    no: int
    content: str
    evidence: tuple[str, ...]
    missing: str | None


class SealLogged(Struct, frozen=True, kw_only=True):
    """The file of a copy as it was handed out: its hash, and until when its seals can be checked.

    `stamped_by` names the authority whose time stamp it bears; else `why` says why there is none.
    """

    file_sha256: str
    until: datetime
    stamped_by: str
    why: str


class PrintLogged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An earlier numbered copy."""

    copy: int
    size: int
    content_sha256: str
    why: str
    printed: Deed
    sealed: SealLogged | None = None


class RevisionRecord(Struct, frozen=True, kw_only=True):
    """A revision of the record as it was closed: the hash of its JSON as of that size."""

    revision: int
    size: int
    content_sha256: str
    closed: Deed


class CheckpointShown(Struct, frozen=True, kw_only=True):
    """The ledger's newest signed checkpoint when the record was read."""

    size: int
    root: str
    note: str


class BatchRecord(Struct, frozen=True, kw_only=True):
    """Everything of one batch, in the order in which it is read."""

    form: str
    header: Header
    materials: tuple[MaterialLot, ...]
    steps: tuple[StepRecord, ...]
    exceptions: tuple[ExceptionRecord, ...]
    deviations: tuple[DeviationRecord, ...]
    amendments: tuple[AmendmentRecord, ...]
    signatures: tuple[Signature, ...]
    attempts: tuple[AttemptRecord, ...]
    risks: tuple[RiskRecord, ...]
    yields: tuple[Yield, ...]
    labels: tuple[Labels, ...]
    gates: tuple[Gate, ...]
    rules: tuple[RuleHeld, ...]
    completeness: tuple[MatrixRow, ...]
    revisions: tuple[RevisionRecord, ...]
    prints: tuple[PrintLogged, ...]
    checkpoint: CheckpointShown


def record_json(record: BatchRecord) -> bytes:
    """Return `record.json`: the canonical bytes of the record."""
    return canonical(facts_of(record))


def record_sha256(record: BatchRecord) -> str:
    """Return the hash of `record.json`."""
    return sha256(record_json(record)).hexdigest()
