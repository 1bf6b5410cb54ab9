"""What a command brings to the writer, what it sees there, and what it gets back."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection

from core.ledger.entry import Entry
from core.ledger.tables import Head, Statement


class Draft(msgspec.Struct, frozen=True):
    """One entry to be: the writer gives it its numbers, its links and its time."""

    stream: str
    type: str
    v: int
    data: dict[str, Any]
    reason: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """What a command causes: entries, and an answer that is kept with the receipt.

    The answer has canonical bytes (no floats), and comes back unchanged on every replay.
    """

    drafts: tuple[Draft, ...] = ()
    answer: dict[str, Any] = msgspec.field(default_factory=dict)


class View(Protocol):
    """The ledger as the command being decided sees it: everything before it, its group included.

    Touching `connection` inside a job costs a savepoint; `head` and `stream` do not.
    """

    @property
    def connection(self) -> Connection:
        """The transaction; all entries decided so far are in it. Never commit or roll back."""

    @property
    def at(self) -> datetime:
        """The instant that the entries of the present job carry."""

    @property
    def size(self) -> int:
        """The `seq` of the last entry decided so far."""

    def head(self, stream: str) -> Head | None:
        """Return the stream's last version and leaf hash, None before its first entry."""

    def stream(self, stream: str) -> list[Entry]:
        """Return all entries of a stream, those of the group included."""


class Hooks(Protocol):
    """What is kept in step with the ledger: synchronous projections and their caches."""

    def appended(self, view: View, entries: Sequence[Entry]) -> None:
        """Take one job's entries. To raise is to refuse the job, and only that job."""

    def foreign(self, view: View, entries: Sequence[Entry]) -> None:
        """Take entries that another process committed since we last held the lock."""

    def flush(self, view: View) -> Sequence[Statement]:
        """Return what writes all that is dirty, once per group; it is carried out before COMMIT."""

    def dropped(self, streams: frozenset[str] | None) -> None:
        """Forget what was cached and not committed: of these streams (one job), or of all.

        After one job of a group was undone, earlier jobs of the group still stand: `view.stream`
        shows them, and a stream that they made dirty stays dirty.
        """


class NoHooks:
    """Hooks of a ledger without projections."""

    def appended(self, view: View, entries: Sequence[Entry]) -> None:
        pass

    def foreign(self, view: View, entries: Sequence[Entry]) -> None:
        pass

    def flush(self, view: View) -> Sequence[Statement]:
        return ()

    def dropped(self, streams: frozenset[str] | None) -> None:
        pass


class Job(msgspec.Struct, frozen=True):
    """One command, ready to be decided under the lock.

    `decide` is called with the view; whatever it raises is its caller's answer, and nothing of
    the job is written. It may be called again when its group could not be committed, so it has
    no effect of its own. `request_sha256` tells a repeated request from another one that came
    with the same `idem`.
    """

    idem: str
    request_sha256: str
    actor: str
    station: str | None
    at: Callable[[], datetime]
    decide: Callable[[View], Decision]


class Receipt(msgspec.Struct, frozen=True):
    """What was committed for a command id, the first time; `replayed` says it is a repeat.

    `checkpoint_size` is the size of the signed checkpoint that covers the entries.
    """

    idem: str
    first_seq: int | None
    last_seq: int | None
    count: int
    answer: dict[str, Any]
    replayed: bool
    checkpoint_size: int
