"""The outbox: every message once, its exact bytes, its state, its attempts and its receipts."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Engine,
    Select,
    Update,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.engine import Connection, RowMapping

from core.clock import iso
from erp import tables
from erp.contract import Message, again_id, from_bytes, to_bytes
from erp.events import check
from erp.port import Exchange
from erp.replaying import Choice, send_again
from erp.rows import DUE, OPEN, Aside, Result, Row, State
from erp.sharing import SharedCommits
from erp.statements import Statements
from erp.tables import open_engine

message, receipt, attempt, aside = tables.message, tables.receipt, tables.attempt, tables.aside
TEXT = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who sends a message, from when, and how long nobody else may."""

    owner: str
    at: datetime
    until: datetime


def row_of(found: Mapping[str, Any] | RowMapping) -> Row:
    """Return a message from its stored row."""
    return _row([found[name] for name in Row.__slots__])


def _row(values: Sequence[Any]) -> Row:
    fields = dict(zip(Row.__slots__, values, strict=True))
    fields["state"], fields["body"] = State(fields["state"]), bytes(fields["body"])
    return Row(**fields)


class Derivation:
    """One transaction of the relay's cursor: rows and position are saved together or not at all."""

    def __init__(self, connection: Connection, target: str, upto: int) -> None:
        self._connection = connection
        self._target = target
        self.upto = upto
        self._from = upto
        self._made: list[dict[str, Any]] = []  # not inserted yet
        self._last: dict[str, int] = {}

    def known(self, low: int, high: int) -> set[int]:
        """Return the entries from `low` to `high` that have their message already."""
        query = select(message.c.entry_seq).where(message.c.entry_seq.between(low, high))
        return set(self._connection.execute(query).scalars())

    def original(self, entry_seq: int) -> Message | None:
        """Return the message of an entry, as it was told last, or None."""
        self._insert()
        query = select(message.c.body).where(message.c.entry_seq == entry_seq)
        body = self._connection.execute(query).scalar()
        return None if body is None else self._newest(from_bytes(bytes(body)))

    def _newest(self, first: Message) -> Message:
        """Return what stands for a message: the last time it was told anew and not given up."""
        stands, n = first, 1
        while True:
            query = select(message.c.body, message.c.state)
            query = query.where(message.c.event_id == again_id(first.id, n))
            found = self._connection.execute(query).first()
            if found is None:
                return stands
            if found.state not in (State.SKIPPED, State.SUPERSEDED):
                stands = from_bytes(bytes(found.body))
            n += 1

    def entry_of(self, event_id: str) -> int:
        """Return the entry that a message is of."""
        query = select(message.c.entry_seq).where(message.c.event_id == event_id)
        return int(self._connection.execute(query).scalar_one())

    def withdraw(self, entry_seq: int, *, by: str) -> None:
        """Settle the message of an entry, which waits behind one that is given up."""
        self._insert()
        waits = message.c.state.in_((State.PENDING, State.DEAD))
        self._connection.execute(
            update(message)
            .where(message.c.entry_seq == entry_seq, waits)
            .values(state=State.SKIPPED, settled_by=by)
        )

    def next_sequence(self, lane: str) -> int:
        """Return the next position in a lane; gap-free, since the cursor's row is locked."""
        if lane not in self._last:
            query = select(func.max(message.c.lane_seq)).where(message.c.lane == lane)
            self._last[lane] = self._connection.execute(query).scalar() or 0
        return self._last[lane] + 1

    def put(self, made: Message, *, at: datetime, due_at: datetime | None = None) -> None:
        """Store a message's bytes, once and for ever; it leaves at `due_at`, else at once.

        Raises:
            MessageRefused: it breaks the contract.
        """
        check(made)
        body = to_bytes(made)
        self._made.append(
            {
                "event_id": made.id,
                "erp_ref": made.data.erp_ref,
                "lane": made.partitionkey,
                "lane_seq": int(made.sequence),
                "entry_seq": made.data.entry,
                "type": made.type,
                "body": body,
                "sha256": hashlib.sha256(body).hexdigest(),
                "made_at": iso(at),
                "state": State.PENDING,
                "attempts": 0,
                "due_at": iso(due_at or at),
            }
        )
        self._last[made.partitionkey] = int(made.sequence)

    def _insert(self) -> None:
        if self._made:
            self._connection.execute(insert(message), self._made)
            behind = [one for one in self._made if one["entry_seq"] <= self._from]
            if behind:
                names = [{"event_id": one["event_id"]} for one in behind]
                self._connection.execute(insert(tables.late), names)
            self._made = []

    def put_aside(self, it: Aside) -> None:
        """Remember a fact that has no message yet."""
        self._connection.execute(delete(aside).where(aside.c.entry_seq == it.entry_seq))
        self._connection.execute(
            insert(aside).values({name: getattr(it, name) for name in Aside.__slots__})
        )

    def take_unlinked(self, lane: str) -> list[int]:
        """Return and forget the entries of an order that waited for its ERP number."""
        where = (aside.c.lane == lane) & (aside.c.code == "no_erp_order")
        query = select(aside.c.entry_seq).where(where).order_by(aside.c.entry_seq)
        found = list(self._connection.execute(query).scalars())
        self._connection.execute(delete(aside).where(where))
        return found

    def replay(self, event_ids: Sequence[str], *, at: datetime) -> int:
        """Make messages due again, with the cursor: a decision is carried out once.

        Their ids and bytes stay; what the ERP has booked it answers with its first documents.
        """
        return _replay(self._connection, event_ids, at)

    def send_again(self, choice: Choice, *, before: int, at: datetime) -> int:
        """Make the chosen messages of facts before an entry due again, with the cursor."""
        self._insert()
        return send_again(self._connection, choice, before=before, at=at)

    def settle(self, event_id: str, state: State, *, by: str) -> bool:
        """Close a refused message, with the cursor; False where it is not refused any more."""
        return _settle(self._connection, event_id, state, by=by)

    def move(self, upto: int) -> None:
        """Insert what was put, and move the cursor on; it never goes back."""
        self._insert()
        cursor = tables.relay_cursor
        mine = (cursor.c.target == self._target) & (cursor.c.upto_seq < upto)
        self._connection.execute(update(cursor).where(mine).values(upto_seq=upto))
        self.upto = max(self.upto, upto)


class Outbox:
    """The tables behind one small vocabulary. Safe to use from several threads."""

    def __init__(self, url: str, target: str = "erp") -> None:
        self.engine: Engine = open_engine(url)
        self.target = target
        self._commits = SharedCommits(self.engine)
        self._do = Statements(self.engine.dialect)
        cursor = tables.relay_cursor
        with self.engine.begin() as connection:
            query = select(cursor.c.upto_seq).where(cursor.c.target == target)
            if connection.execute(query).first() is None:
                connection.execute(insert(cursor).values(target=target, upto_seq=0))

    @property
    def is_embedded(self) -> bool:
        """Whether one process alone can send: SQLite."""
        return self.engine.dialect.name == "sqlite"

    @property
    def commits(self) -> int:
        """How often this process has waited for the disk, since it opened the outbox."""
        return self._commits.count

    def close(self) -> None:
        """Give the connections back."""
        self._commits.close()
        self.engine.dispose()

    def read(self, query: Select[Any]) -> Sequence[RowMapping]:
        """Return the rows of a question; it waits for no writer."""
        with self.engine.connect().execution_options(reads=True) as connection:
            return connection.execute(query).mappings().all()

    @contextmanager
    def deriving(self) -> Iterator[Derivation]:
        """Open the cursor's transaction."""
        cursor = tables.relay_cursor
        with self._commits.alone() as connection:
            query = select(cursor.c.upto_seq).where(cursor.c.target == self.target)
            upto = connection.execute(query.with_for_update()).scalar_one()
            yield Derivation(connection, self.target, upto)

    def upto(self) -> int:
        """Return the last entry the cursor has read."""
        cursor = tables.relay_cursor
        query = select(cursor.c.upto_seq).where(cursor.c.target == self.target)
        return int(self.read(query)[0]["upto_seq"])

    def heads(self) -> list[Row]:
        """Return the first open message of every lane, in order of their facts."""
        first = (
            select(message.c.lane, func.min(message.c.lane_seq).label("lane_seq"))
            .where(message.c.state.in_(OPEN))
            .group_by(message.c.lane)
            .subquery()
        )
        join = (message.c.lane == first.c.lane) & (message.c.lane_seq == first.c.lane_seq)
        query = select(message).join(first, join).order_by(message.c.entry_seq)
        return [row_of(found) for found in self.read(query)]

    def take(self, lane: str, lease: Lease) -> Row | None:
        """Mark a lane's first open message as being sent, where it is due, and return it.

        Its row is as it was before; None where it is not due yet, or another one took it.
        """
        return self._commits.do(lambda connection: self._take(connection, lane, lease))

    def _take(self, connection: Connection, lane: str, lease: Lease) -> Row | None:
        found = self._do.head.run(connection, {"lane": lane}).fetchone()
        row = None if found is None else _row(found)
        if row is None or row.state not in DUE or row.due_at > iso(lease.at):
            return None
        mark = {"id": row.event_id, "was": str(row.state), "owner": lease.owner}
        done = self._do.lease.run(connection, {**mark, "until": iso(lease.until)})
        return row if done.rowcount == 1 else None

    def recover(self, *, at: datetime, everything: bool = False) -> int:
        """Turn messages whose sender is gone into `unknown`; they may or may not have arrived.

        A lease that has run out tells; with `everything`, the only sender has just started.
        """
        lost = true() if everything else message.c.lease_until < iso(at)
        return self._update(
            update(message)
            .where(message.c.state == State.SENDING, lost)
            .values(state=State.UNKNOWN, due_at=iso(at), lease_owner=None, lease_until=None)
        )

    def _update(self, statement: Update) -> int:
        """Carry out a change of messages; return how many it met."""
        return self._commits.do(lambda connection: connection.execute(statement).rowcount)

    def finish(
        self,
        row: Row,
        result: Result,
        *,
        at: datetime,
        then: Lease | None = None,
        beside: int = 0,
    ) -> Row | None:
        """Record one attempt, its receipt where there is one, and the new state, in one go.

        With `then` the lane's next message is taken in the same transaction, and returned as
        `take` does: one wait for the disk a message, not two. `beside` others are expected to
        record theirs soon, and share that wait.
        """
        exchange = result.exchange or Exchange({})
        tried = {
            "event_id": row.event_id,
            "at": iso(at),
            "outcome": result.outcome,
            "code": result.code,
            "status": exchange.status,
            "error": result.error,
            "sent_headers": _text(dict(exchange.sent_headers)),
        }
        stands = {
            "id": row.event_id,
            "now": str(result.state),
            "tries": result.attempts,
            "due": iso(result.due_at),
            "mark": result.ticket,
            "code": result.code,
            "error": result.error,
        }
        kept = _receipt(row, result, at=at) if result.state is State.DONE else None

        def record(connection: Connection) -> Row | None:
            self._do.attempt.run(connection, tried)
            if kept is not None:
                self._do.receipt.run(connection, kept)
            self._do.finish.run(connection, stands)
            return None if then is None else self._take(connection, row.lane, then)

        return self._commits.do(record, beside=beside)

    def hasten(self, *, at: datetime) -> None:
        """Make everything due that waits after a try: the ERP is back.

        What the boundary policy gathers was not tried yet, and goes on waiting for its time.
        """
        self._update(
            update(message)
            .where(message.c.state.in_((State.PENDING, State.UNKNOWN)))
            .where(message.c.last_code.is_not(None))
            .where(message.c.due_at > iso(at))
            .values(due_at=iso(at))
        )


def _text(value: object) -> str:
    return TEXT.encode(value).decode()


def _receipt(row: Row, result: Result, *, at: datetime) -> dict[str, Any]:
    """Return the stored row of a receipt."""
    exchange = result.exchange or Exchange({})
    size, root = result.checkpoint or (None, None)
    documents = [[doc.type, doc.id, doc.year, doc.line] for doc in result.documents]
    return {
        "event_id": row.event_id,
        "at": iso(at),
        "status": result.outcome,
        "body": exchange.body,
        "headers": _text(dict(exchange.headers)),
        "documents": _text(documents),
        "period": result.period,
        "checkpoint_size": size,
        "checkpoint_root": root,
    }


def _replay(connection: Connection, event_ids: Sequence[str], at: datetime) -> int:
    states = (State.DEAD, State.UNKNOWN, State.PENDING, State.DONE)
    done = connection.execute(
        update(message)
        .where(message.c.event_id.in_(event_ids), message.c.state.in_(states))
        .values(state=State.PENDING, attempts=0, due_at=iso(at))
    )
    return done.rowcount


def _settle(connection: Connection, event_id: str, state: State, *, by: str) -> bool:
    assert state in (State.SKIPPED, State.SUPERSEDED)
    done = connection.execute(
        update(message)
        .where(message.c.event_id == event_id, message.c.state == State.DEAD)
        .values(state=state, settled_by=by)
    )
    return done.rowcount == 1
