"""What waits for the Web Connector's next poll, what became of it, and a mirror of the last read.

Nothing here is the proof of anything: a queue that is lost is filled again by the relay, and every
build is looked for in QuickBooks before it is asked for.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection

from core.clock import iso, parse_iso
from erp.port import DocumentRef, Posting

WAITING, SENT, DONE, REFUSED = "waiting", "sent", "done", "refused"
OPEN = (WAITING, SENT)
metadata = MetaData()
posting_row = Table(
    "qb_posting",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("ref", String(16), nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("order", String, nullable=False),
    Column("item", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("request", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("claimed_until", String(27), nullable=False),
    Column("document", Text),
    Column("code", String),
    Column("detail", Text),
)
mirror_row = Table(
    "qb_mirror",
    metadata,
    Column("kind", String, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)
contact = Table(
    "qb_contact",
    metadata,
    Column("kind", String, primary_key=True),  # "poll", or a kind of record that was read whole
    Column("at", String(27), nullable=False),
    Column("fault", Text),
)
tried = Table(
    "qb_tried",
    metadata,
    Column("door", String, primary_key=True),
    Column("failures", Integer, nullable=False),  # refused in a row
    Column("shut_until", String(27), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One build on its way, as the queue keeps it."""

    ref: str
    digest: str
    order: str
    item: str
    unit: str
    request: str
    tries: int
    state: str
    document: DocumentRef | None
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Tries:
    """How many tries to come in were refused in a row, and until when none is looked at."""

    failures: int = 0
    shut_until: datetime | None = None


class Queue:
    """The tables; `url` as SQLAlchemy spells it."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _pragmas)
        metadata.create_all(self._engine)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # builds

    def put(self, posting: Posting, *, unit: str, request: Callable[[int], str]) -> Waiting:
        """Keep a build for the next poll; one that stands is returned as it is.

        One that was refused waits anew, for another try: somebody has mended the reason. `request`
        returns what is asked at the n-th try.
        """
        [line] = posting.lines
        fresh: dict[str, Any] = {"item": line.item, "unit": unit, "state": WAITING}
        with self._engine.begin() as connection:
            found = self._find(connection, posting.ref)
            if found is None:
                values = {
                    **fresh,
                    "request": request(1),
                    "tries": 1,
                    "ref": posting.ref,
                    "digest": posting.digest,
                    "order": posting.order.erp,
                    "claimed_until": "",
                }
                connection.execute(insert(posting_row).values(**values))
            elif found.state == REFUSED and found.digest == posting.digest:
                tries = found.tries + 1
                again = {**fresh, "request": request(tries), "tries": tries, "code": None}
                again |= {"detail": None, "claimed_until": ""}
                where = posting_row.c.ref == posting.ref
                connection.execute(update(posting_row).where(where).values(**again))
            found = self._find(connection, posting.ref)
        assert found is not None
        return found

    def find(self, ref: str) -> Waiting | None:
        """Return a build by its reference."""
        with self._engine.connect() as connection:
            return self._find(connection, ref)

    def _find(self, connection: Connection, ref: str) -> Waiting | None:
        query = select(posting_row).where(posting_row.c.ref == ref)
        row = connection.execute(query).mappings().first()
        return None if row is None else _waiting(row)

    def claim(self, *, at: datetime, until: datetime) -> list[Waiting]:
        """Take the builds that wait; nobody else gets them before `until`."""
        mine = (posting_row.c.state.in_(OPEN)) & (posting_row.c.claimed_until <= iso(at))
        with self._engine.begin() as connection:
            change = update(posting_row).where(mine).values(claimed_until=iso(until))
            refs = connection.execute(change.returning(posting_row.c.ref)).scalars().all()
            query = select(posting_row).where(posting_row.c.ref.in_(refs)).order_by(posting_row.c.n)
            return [_waiting(row) for row in connection.execute(query).mappings()]

    def sent(self, ref: str) -> None:
        """Note, before it goes out, that a build may be in the books from now on."""
        self._set(ref, state=SENT)

    def release(self, ref: str) -> None:
        """Give a build back to the next poll."""
        self._set(ref, claimed_until="")

    def done(self, ref: str, document: DocumentRef) -> None:
        """Note the build's document."""
        kept = json.dumps([document.type, document.id, document.year, document.line])
        self._set(ref, state=DONE, document=kept)

    def refused(self, ref: str, code: str, detail: str) -> None:
        """Note why QuickBooks does not take a build."""
        self._set(ref, state=REFUSED, code=code, detail=detail)

    def _set(self, ref: str, **values: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(posting_row).where(posting_row.c.ref == ref).values(**values))

    # mirror

    def mirror(self, kind: str, records: Sequence[Mapping[str, Any]], *, at: datetime) -> None:
        """Replace all records of a kind by what was just read."""
        rows = [
            {"kind": kind, "n": n, "body": json.dumps(record, sort_keys=True)}
            for n, record in enumerate(records)
        ]
        with self._engine.begin() as connection:
            connection.execute(delete(mirror_row).where(mirror_row.c.kind == kind))
            if rows:
                connection.execute(insert(mirror_row), rows)
            self._touch(connection, kind, at)

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return the records of a kind as they were last read."""
        query = select(mirror_row.c.body).where(mirror_row.c.kind == kind).order_by(mirror_row.c.n)
        with self._engine.connect() as connection:
            return [json.loads(body) for body in connection.execute(query).scalars()]

    def touch(self, at: datetime, fault: str | None = None) -> None:
        """Note that the Web Connector has come, and what went wrong at its visit."""
        with self._engine.begin() as connection:
            self._touch(connection, "poll", at, fault=fault)

    def _touch(
        self, connection: Connection, kind: str, at: datetime, *, fault: str | None = None
    ) -> None:
        connection.execute(delete(contact).where(contact.c.kind == kind))
        connection.execute(insert(contact).values(kind=kind, at=iso(at), fault=fault))

    def tries(self) -> Tries:
        """Return the tries that were refused in a row, and until when the door is shut."""
        with self._engine.connect() as connection:
            row = connection.execute(select(tried.c.failures, tried.c.shut_until)).first()
        return Tries() if row is None else Tries(row[0], parse_iso(row[1]) if row[1] else None)

    def note_try(self, found: Tries) -> None:
        """Keep how the tries stand: they are counted over restarts of the server."""
        until = "" if found.shut_until is None else iso(found.shut_until)
        with self._engine.begin() as connection:
            connection.execute(delete(tried))
            row = {"door": "qbwc", "failures": found.failures, "shut_until": until}
            connection.execute(insert(tried).values(**row))

    def fault(self) -> str | None:
        """Return what went wrong at the last visit, None where nothing did."""
        with self._engine.connect() as connection:
            return connection.execute(
                select(contact.c.fault).where(contact.c.kind == "poll")
            ).scalar()

    def seen_at(self, kind: str = "poll") -> datetime | None:
        """Return when the Web Connector last came, or a kind was last read whole."""
        query = select(contact.c.at).where(contact.c.kind == kind)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else parse_iso(found)


def _waiting(row: Mapping[Any, Any]) -> Waiting:
    fields = {name: row[name] for name in Waiting.__slots__ if name != "document"}
    document = DocumentRef(*json.loads(row["document"])) if row["document"] else None
    return Waiting(**fields, document=document)


def _pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
