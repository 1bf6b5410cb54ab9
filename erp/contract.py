"""The wire contract: CloudEvents 1.0 structured messages, canonical bytes, identifiers.

Every number is a decimal text, every instant UTC. Unknown members are refused on decoding, and
no member holds money: the ERP owns cost. Bytes are made once per message and sent unchanged on
every attempt.
"""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from core.clock import micros
from core.quantity import plain
from erp.errors import MessageRefused

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_BODY_BYTES = 1_048_576
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

type DecimalText = Annotated[str, Meta(pattern=r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", max_length=40)]
type EventId = Annotated[str, Meta(pattern=r"^evt_[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
type ErpRef = Annotated[str, Meta(pattern=r"^[0-9A-HJKMNP-TV-Z]{16}$")]
type Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]
type Day = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
type Name = Annotated[str, Meta(min_length=1, max_length=80)]
type Text = Annotated[str, Meta(min_length=1, max_length=4000)]
type UnitCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,3}$")]
type Movement = Literal["issue", "return", "scrap", "receipt", "release", "reject"]
type EquipmentState = Literal["running", "idle"]
type MessageType = Literal[
    "mes.work_order_started.v1",
    "mes.work_order_held.v1",
    "mes.work_order_resumed.v1",
    "mes.material_consumed.v1",
    "mes.material_returned.v1",
    "mes.scrap_recorded.v1",
    "mes.finished_goods_produced.v1",
    "mes.batch_released.v1",
    "mes.batch_rejected.v1",
    "mes.work_order_completed.v1",
    "mes.posting_reversed.v1",
    "mes.document_reversed.v1",
    "mes.deviation_opened.v1",
    "mes.deviation_closed.v1",
    "mes.equipment_state.v1",
]


class Wire(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of a message has in common: immutable, and nothing unnamed gets in."""


class OrderNumbers(Wire, frozen=True, kw_only=True):
    """The order in both systems' numbers."""

    erp: Name
    mes: Name


class Line(Wire, frozen=True, kw_only=True):
    """One movement of one lot. A reversal has negative quantities."""

    n: int
    item: Name
    lot: Name | None
    quantity: DecimalText
    unit: UnitCode
    movement: Movement
    location: Name | None = None


class SentCheckpoint(Wire, frozen=True, kw_only=True):
    """The ledger's newest checkpoint when the message was made; the receipt brings it back."""

    size: int
    root: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class SignedRecord(Wire, frozen=True, kw_only=True):
    """The signed batch record that a release or rejection rests on."""

    ebr: Name
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class OrderYield(Wire, frozen=True, kw_only=True):
    """Good quantity confirmed for the whole order; it moves no stock."""

    quantity: DecimalText
    unit: UnitCode


class BookedDocument(Wire, frozen=True, kw_only=True):
    """A document in the ERP's books, by the ERP's own number."""

    id: Name
    year: Name


class DeviationNumber(Wire, frozen=True, kw_only=True):
    """A deviation by its number here; its record stays in the MES."""

    id: Name
    severity: Literal["low", "medium", "high", "critical"] | UnsetType = UNSET


class MessageData(Wire, frozen=True, kw_only=True):
    """The business part of a message."""

    erp_ref: ErpRef
    occurred_at: Instant
    posting_date: Day
    order: OrderNumbers
    batch: Name | None
    lines: tuple[Line, ...]
    entry: int
    corrects: EventId | None = None
    checkpoint: SentCheckpoint | None = None
    signed_record: SignedRecord | None = None
    work_center: Name | UnsetType = UNSET
    order_yield: OrderYield | UnsetType = UNSET
    deviation: DeviationNumber | UnsetType = UNSET
    why: Text | UnsetType = UNSET
    document: BookedDocument | UnsetType = UNSET
    replaces: EventId | UnsetType = UNSET
    equipment_state: EquipmentState | UnsetType = UNSET


class Message(Wire, frozen=True, kw_only=True):
    """One CloudEvent; `partitionkey` is the lane, `sequence` the position in it."""

    id: EventId
    source: Name
    type: MessageType
    subject: Name
    time: Instant
    partitionkey: Name
    sequence: Annotated[str, Meta(pattern=r"^[1-9][0-9]*$")]
    data: MessageData
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = ""


ENCODER = msgspec.json.Encoder(order="sorted")
DECODER = msgspec.json.Decoder(Message)


def to_bytes(message: Message) -> bytes:
    """Return the canonical bytes; they are stored, signed and sent as they are."""
    body = ENCODER.encode(message)
    assert DECODER.decode(body) == message, "a message must survive its own bytes"
    return body


def from_bytes(body: bytes) -> Message:
    """Return the message in a body.

    Raises:
        MessageRefused: it is no JSON, or breaks the contract.
    """
    try:
        return DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise MessageRefused(str(fault)) from fault


def quantity_text(value: Decimal) -> str:
    """Return the one canonical spelling of a quantity.

    >>> quantity_text(Decimal("1.8090")), quantity_text(Decimal("-0"))
    ('1.809', '0')
    """
    text = plain(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def crockford(number: int, length: int) -> str:
    """Return a number as Crockford base32 of a fixed length.

    >>> crockford(32, 3)
    '010'
    """
    digits = [CROCKFORD[(number >> shift) & 31] for shift in range(5 * (length - 1), -1, -5)]
    return "".join(digits)


def event_id(at: datetime, leaf: bytes) -> str:
    """Return the message id of a ledger entry: the same for ever, made from the entry itself.

    The first 80 bits of the entry's leaf hash stand where a ULID has its random part.
    """
    milliseconds = micros(at) // 1000
    return "evt_" + crockford((milliseconds << 80) | int.from_bytes(leaf[:10]), 26)


def again_id(first: str, n: int) -> str:
    """Return the id under which a fact is told for the n-th time anew; made of its first id.

    >>> again_id("evt_01JDA0M2R0AAAAAAAAAAAAAAAA", 1)
    'evt_01JDA0M2R04WC3Q84DS9QA0PZX'
    """
    digest = hashlib.sha256(f"{first} again {n}".encode("ascii")).digest()
    return first[:14] + crockford(int.from_bytes(digest[:10]), 16)


def erp_ref(identifier: str) -> str:
    """Return the 16-character reference that fits the narrowest ERP document field."""
    digest = hashlib.sha256(identifier.encode("ascii")).digest()
    return crockford(int.from_bytes(digest[:10]), 16)


def digest_text(digest: str) -> str:
    """Return the first 125 bits of a SHA-256 as 25 characters: what fits into an ERP's text."""
    return crockford(int(digest, 16) >> (256 - 125), 25)


def schema_of(kind: str) -> str:
    """Return the schema name a message of this type declares."""
    return f"urn:batchwright:schema:{kind}"
