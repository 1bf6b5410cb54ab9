"""What every home of the ledger offers to the writer and to readers, and the rows they exchange.

Statements are written once with `?`; each home spells them for its driver. Five tables: `entry`,
`checkpoint`, `receipt` and `anchor` are append-only by trigger; `tile` is an index that can be
computed again from `entry`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from core.errors import LedgerBroken, MesError
from core.ledger.checkpoint import Checkpoint

APPEND_ONLY = ("entry", "checkpoint", "receipt", "anchor")

SIZE = "select coalesce(max(seq), 0) from entry"
LEAF_OF = "select leaf from entry where stream = ? and ver = ?"
HEAD = "select ver, leaf from entry where stream = ? order by ver desc limit 1"
STREAM = "select body from entry where stream = ? order by ver"
STREAM_RAW = "select seq, body from entry where stream = ? order by ver"
BY_STREAM = (
    "select stream, ver, seq, body from entry where (stream, ver) > (?, ?) and stream <= ?"
    " order by stream, ver limit ?"
)
LAST_STREAM = "select max(stream) from entry"
STREAM_AFTER = (
    "select stream from entry where stream > ? and ver = 1 order by stream limit 1 offset ?"
)
BODIES = "select body from entry where seq > ? order by seq limit ?"
RAW = "select seq, body from entry where seq > ? order by seq limit ?"
ROWS = (
    "select seq, stream, ver, type, idem, body, leaf from entry where seq > ? order by seq limit ?"
)
LEAVES = "select leaf from entry where seq > ? and seq <= ? order by seq"
TILES = "select idx, root from tile where idx >= ? order by idx"
NEWEST_CHECKPOINT = "select size, root, note from checkpoint order by size desc limit 1"
CHECKPOINT_AT = "select size, root, note from checkpoint where size >= ? order by size limit 1"
INSERT_CHECKPOINT = "insert into checkpoint(size, root, note) values (?, ?, ?)"
INSERT_TILE = "insert into tile(idx, root) values (?, ?)"
INSERT_ANCHOR = "insert into anchor(size, place, receipt, at) values (?, ?, ?, ?)"
ANCHORS = "select size, place, receipt, at from anchor order by size, at"
RECEIPT = (
    "select idem, request_sha256, first_seq, last_seq, count, answer, checkpoint_size"
    " from receipt where idem = ?"
)


class StoreFailed(MesError):
    """The database did not answer; what was asked for is not done, unless the sentence says so."""

    def __init__(self, why: str, next_step: str = "Send the command again, same id.") -> None:
        super().__init__(f"Ledger database: {why.strip().rstrip('.')}. {next_step}")


class StoreUnsafe(LedgerBroken):
    """The database would not keep what it confirms, or is already in use; nothing was written."""


class WriterStopped(LedgerBroken):
    """The writer met a fault of its own and writes nothing more; what was answered is on disk."""

    def __init__(self, fault: BaseException) -> None:
        why = f"{type(fault).__name__}: {fault}".rstrip(".")
        super().__init__(f"Ledger writer: stopped by a fault, {why}. Start the server again.")


class OutcomeUnknown(Exception):
    """The connection was lost while COMMIT was under way; `str` is the reason."""


def reason(fault: BaseException) -> str:
    """Return the first line of what went wrong, in the database's own words."""
    return str(fault.orig if isinstance(fault, DBAPIError) else fault).split("\n", 1)[0]


def mapped(fault: BaseException) -> BaseException:
    """Return the fault as our own, so that no driver's exception reaches a caller."""
    if not isinstance(fault, SQLAlchemyError):
        return fault
    found = StoreFailed(reason(fault))
    found.__cause__ = fault
    return found


class Head(msgspec.Struct, frozen=True):
    """The last entry of a stream: its version and its leaf hash in hex."""

    ver: int
    leaf: str


class EntryRow(NamedTuple):
    """One row of `entry`: the stored bytes, their hash, and the columns copied out of them."""

    seq: int
    stream: str
    ver: int
    type: str
    idem: str | None
    body: bytes
    leaf: bytes


class ReceiptRow(NamedTuple):
    """One row of `receipt`: what a command id was answered with, the first time."""

    idem: str
    request_sha256: str
    first_seq: int | None
    last_seq: int | None
    entry_count: int
    answer: str
    checkpoint_size: int


class AnchorRow(NamedTuple):
    """One row of `anchor`: a place outside that holds the checkpoint of this size."""

    size: int
    place: str
    receipt: str
    at: str


type Value = str | int | bytes | None


class Statement(NamedTuple):
    """A statement with `?` for values, carried out for each row of them."""

    sql: str
    rows: Sequence[Sequence[Value]]


class Sealed(NamedTuple):
    """What a transaction writes before it commits; an entry that is not new is not here."""

    entries: Sequence[EntryRow]
    receipts: Sequence[ReceiptRow]
    checkpoint: Checkpoint | None
    others: Sequence[Statement] = ()


class Store(Protocol):
    """One home of the ledger: how to connect, to lock and to insert many rows at once."""

    @property
    def name(self) -> str:
        """The home as a person names it, without any password."""

    def sql(self, statement: str) -> str:
        """Return a statement with the driver's own place holders."""

    def connect(self) -> Connection:
        """Return the writing connection; tables exist and durability has been asserted.

        Raises:
            StoreUnsafe: a setting would lose confirmed entries, or another writer holds the file.
        """

    def begin(self, connection: Connection) -> None:
        """Begin a transaction that holds the ledger's exclusive lock until it ends."""

    def enter(self, connection: Connection, idems: Sequence[str]) -> tuple[int, list[ReceiptRow]]:
        """Begin as `begin`; return the number of entries and the receipts of these command ids."""

    def commit(self, connection: Connection, sealed: Sealed) -> None:
        """Write the last of a transaction and commit it; return only after it is on the disk.

        Raises:
            OutcomeUnknown: COMMIT was under way; every other fault means that nothing is committed.
        """

    def roll_back(self, connection: Connection) -> None:
        """Undo what was not committed, however it was begun."""

    def receipts(self, connection: Connection, idems: Sequence[str]) -> list[ReceiptRow]:
        """Return the receipts of these command ids, those that exist."""

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
        """Insert entries ahead of the rest of their transaction."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a connection that cannot write; a statement of it sees one committed state."""

    def rest(self, connection: Connection) -> None:
        """Do what the database puts off, while no caller waits; nothing of it is ever needed."""

    def settle(self, connection: Connection) -> None:
        """Leave the database in one piece before the writing connection closes."""

    def release(self) -> None:
        """Let the writing side go: its connections and locks."""

    def close(self) -> None:
        """Let the readers' connections go."""
