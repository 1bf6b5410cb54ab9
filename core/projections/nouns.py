"""The synchronous projection: each stream's folded state, one row a stream.

A row is the state's canonical bytes, so a rebuild from the ledger must equal it byte for byte.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, inspect

from core.catalogue import NOUNS, from_data
from core.clock import parse_iso
from core.fact import Recorded, State
from core.ledger.driver import driving, fetch
from core.ledger.entry import Entry
from core.ledger.store import Ledger, Store
from core.ledger.tables import Statement
from core.projections import verifications
from core.projections.replay import (
    Stored,
    canonical,
    folded,
    processes,
    ranges,
    stored,
    written,
)

NAME, VERSION = "nouns", 13
PROJECTION = (
    "create table if not exists projection("
    " name text primary key, version integer not null, upto_seq integer not null)"
)
SCHEMA = (
    "create table noun("
    " stream text primary key, kind text not null, ver integer not null,"
    " seq integer not null, is_over integer, body {blob} not null)",
)
INDEXES = (
    "create index noun_kind on noun(kind, seq)",
    "create index noun_open on noun(kind, seq) where is_over = 0",  # null: of a kind without end
)
OURS = {"stream", "kind", "ver", "seq", "body"}  # whoever else's table is in the way stays
INSERT = "insert into noun(stream, kind, ver, seq, is_over, body) values (?, ?, ?, ?, ?, ?)"
UPSERT = (
    f"{INSERT}"
    " on conflict (stream) do update set ver = excluded.ver, seq = excluded.seq,"
    " is_over = excluded.is_over, body = excluded.body"
)
COPY = "copy noun(stream, kind, ver, seq, is_over, body) from stdin (format binary)"
COPIED = ("text", "text", "int4", "int4", "int4", "bytea")
MARK = (
    "insert into projection(name, version, upto_seq) values (?, ?, ?)"
    " on conflict (name) do update set version = excluded.version, upto_seq = excluded.upto_seq"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One stream's folded state and how far it is folded."""

    stream: str
    ver: int
    seq: int
    state: Any

    @property
    def kind(self) -> str:
        """The noun's kind: the first part of the stream's name."""
        return self.stream.split("/", 1)[0]

    def body(self) -> bytes:
        """Return the state's canonical bytes."""
        return canonical(self.state)


def recorded(entry: Entry) -> Recorded:
    """Return an entry as the fold takes it."""
    return Recorded(
        event=from_data(entry.type, entry.v, entry.data),
        stream=entry.stream,
        seq=entry.seq,
        ver=entry.ver,
        at=parse_iso(entry.at),
        actor=entry.actor,
        station=entry.station,
    )


def fold(state: Any, entry: Entry) -> Any:
    """Return a stream's state after one more entry."""
    return NOUNS[entry.stream.split("/", 1)[0]].apply(state, recorded(entry))


def decode(kind: str, body: bytes) -> Any:
    """Return the state in a row's bytes."""
    return msgspec.json.decode(body, type=NOUNS[kind].state)


def statements(rows: list[Row], *, upto_seq: int) -> list[Statement]:
    """Return what writes folded states, and how far the projection has come."""
    values = [stored(row.stream, row.ver, row.seq, state=row.state) for row in rows]
    mark = Statement(MARK, [(NAME, VERSION, upto_seq)])
    return [Statement(UPSERT, values), mark] if values else [mark]


def replay(ledger: Ledger) -> Iterator[Row]:
    """Yield every stream's state, folded anew from the entries."""
    for within in ranges(ledger):
        for one in folded(ledger, within):
            yield Row(*one)


def prepare(store: Store, *, anew: bool = False) -> None:
    """Make the tables, and rebuild them where they are not in step with the ledger, or `anew`.

    Called before the writer starts, while nobody else may write.
    """
    connection = store.connect()
    try:
        connection.exec_driver_sql(PROJECTION)
        connection.commit()
        store.begin(connection)
        query = "select version, upto_seq from projection where name = ?"
        found = connection.exec_driver_sql(store.sql(query), (NAME,)).fetchone()
        ledger = Ledger(store)
        is_there = inspect(connection).has_table("noun")
        if anew or not is_there or found is None or tuple(found) != (VERSION, ledger.size()):
            rebuild(connection, store, ledger)
        connection.commit()
    finally:
        connection.close()
        store.release()
        store.close()


def fill(connection: Connection, store: Store, ledger: Ledger) -> None:
    """Make the tables in another database, and write the fold of a ledger into them.

    All in the caller's transaction on `store`; the ledger may be at home elsewhere.
    """
    connection.exec_driver_sql(PROJECTION)
    rebuild(connection, store, ledger)


def rebuild(connection: Connection, store: Store, ledger: Ledger) -> None:
    """Write a whole fold in place of what is stored, in the caller's transaction."""
    blob = "bytea" if connection.dialect.name == "postgresql" else "blob"
    looked = inspect(connection)
    if looked.has_table("noun") and {one["name"] for one in looked.get_columns("noun")} >= OURS:
        connection.exec_driver_sql("drop table noun")  # an older version's is of another form
    connection.exec_driver_sql("drop table if exists step_verification")
    for statement in (*SCHEMA, verifications.SCHEMA):
        connection.exec_driver_sql(statement.format(blob=blob))
    for found in written(ledger, jobs=processes(ledger.size())):
        _insert(connection, found.rows)
        verifications.insert(connection, store, found.verified)
    for statement in INDEXES:  # sorted once, which is less than to keep them sorted meanwhile
        connection.exec_driver_sql(statement)
    mark = (NAME, VERSION, ledger.size())
    connection.exec_driver_sql(store.sql(MARK), mark)


def _insert(connection: Connection, rows: list[Stored]) -> None:
    with driving(connection) as raw:
        if connection.dialect.name != "postgresql":
            raw.executemany(INSERT, rows)
            return
        with raw.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(COPIED)
            for row in rows:
                copy.write_row(row)


class Difference(NamedTuple):
    """One place where a stored row is not what the entries say; both values as JSON, or None."""

    stream: str
    path: str
    stored: str | None
    folded: str | None

    def __str__(self) -> str:
        said = self.stored or "nothing", self.folded or "nothing"
        return f"{self.stream} {self.path}: stored {said[0]}, folded {said[1]}"


def compare(ledger: Ledger) -> list[Difference]:
    """Return every difference between what is stored and what the entries fold to now.

    A row that is there on one side only differs as a whole, with the path `row`.
    """
    last, differing = "", list[Difference]()
    for found in written(ledger, jobs=processes(ledger.size())):
        stored = _stored(ledger, "stream > ? and stream <= ?", *found.within)
        anew = {stream: values for stream, _, *values in found.rows}
        last = found.within.high
        if stored != anew:
            names = sorted(n for n in {*stored, *anew} if stored.get(n) != anew.get(n))
            differing += (d for n in names for d in _between(n, stored.get(n), anew.get(n)))
    for name, row in sorted(_stored(ledger, "stream > ?", last).items()):
        differing += _between(name, row, None)
    return differing


type _Values = Sequence[Any]  # version, `seq`, whether it is over, body


def _stored(ledger: Ledger, where: str, *values: str) -> dict[str, _Values]:
    """Return the values of the stored rows of some streams."""
    query = f"select stream, ver, seq, is_over, body from noun where {where}"
    with ledger.store.reading() as connection:
        found = fetch(connection, ledger.store.sql(query), values)
    return {stream: values for stream, *values in found}


def _between(stream: str, stored: _Values | None, folded: _Values | None) -> Iterator[Difference]:
    left, right = _leaves(stored), _leaves(folded)
    paths = sorted(path for path in {*left, *right} if left.get(path) != right.get(path))
    if not paths and stored and folded:  # the same values, spelled otherwise
        yield Difference(stream, "bytes", stored[3].hex(), folded[3].hex())
    for path in paths:
        yield Difference(stream, path, left.get(path), right.get(path))


def _leaves(row: _Values | None) -> dict[str, str]:
    """Return each value of a row by its path, as JSON text."""
    if row is None:
        return {}
    ver, seq, is_over, body = row
    found = {"row": "there", "ver": str(ver), "seq": str(seq), "is_over": str(is_over)}
    try:
        todo: list[tuple[str, Any]] = [("", msgspec.json.decode(body))]
    except msgspec.DecodeError:
        return {**found, "body": body.hex()}
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict) and value:
            todo += [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
        elif isinstance(value, list) and value:
            todo += [(f"{path}[{place}]", item) for place, item in enumerate(value)]
        else:
            found[f"state.{path}"] = msgspec.json.encode(value).decode()
    return found


def differences(ledger: Ledger) -> list[str]:
    """Return the streams whose stored state is not what a replay gives; empty when in step."""
    return sorted({one.stream for one in compare(ledger)})


class Nouns:
    """The read side: folded states as of the last commit. Safe from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def row(self, stream: str) -> Row | None:
        """Return one stream's state with its version, or None."""
        query = "select ver, seq, body from noun where stream = ?"
        with self._store.reading() as connection:
            found = connection.exec_driver_sql(self._store.sql(query), (stream,)).fetchone()
        if found is None:
            return None
        ver, seq, body = found
        return Row(stream, ver, seq, decode(stream.split("/", 1)[0], bytes(body)))

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        """Return a noun's state, or None where its stream is empty."""
        row = self.row(f"{noun.KIND}/{name}")
        return None if row is None else row.state

    def all[S: State](self, noun: type[S]) -> list[S]:
        """Return all nouns of a kind, the one that changed last first."""
        return [row.state for row in self.rows(noun.KIND)]

    def open[S: State](self, noun: type[S]) -> list[S]:
        """Return the nouns of a kind that are not over, the one that changed last first.

        There are as many as there is work at hand, however long the plant has run.
        """
        return [row.state for row in self.rows(noun.KIND, is_open=True)]

    def names_over[S: State](self, noun: type[S]) -> list[str]:
        """Return the names of the nouns of a kind that are over; no state is read."""
        query = "select stream from noun where kind = ? and is_over = 1 order by seq"
        with self._store.reading() as connection:
            found = connection.exec_driver_sql(self._store.sql(query), (noun.KIND,)).fetchall()
        return [stream.partition("/")[2] for (stream,) in found]

    def rows(
        self,
        kind: str,
        limit: int | None = None,
        *,
        before: int | None = None,
        is_open: bool = False,
    ) -> list[Row]:
        """Return rows of a kind, the one that changed last first.

        Args:
            kind: of the noun.
            limit: how many at most; None is all.
            before: only those whose last entry is below this number; None is all.
            is_open: only those that are not over.
        """
        which = "kind = ?" + (" and is_over = 0" if is_open and NOUNS[kind].ends else "")
        which += "" if before is None else f" and seq < {before:d}"
        most = "" if limit is None else f" limit {limit:d}"
        query = f"select stream, ver, seq, body from noun where {which} order by seq desc{most}"
        with self._store.reading() as connection:
            found = connection.exec_driver_sql(self._store.sql(query), (kind,)).fetchall()
        return [
            Row(stream, ver, seq, decode(kind, bytes(body))) for stream, ver, seq, body in found
        ]
