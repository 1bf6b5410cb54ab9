"""Copies of databases at one instant: SQLite by its backup interface, PostgreSQL row by row."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, column, create_engine, insert, inspect, make_url, table, text
from sqlalchemy.pool import NullPool

from core.ledger import reach
from core.migrations.schema import prepare

PAGES, ROWS = 4_000, 5_000
# the tables of a database that is not rebuilt, with the order they are read in
STORED = {
    "ledger": {
        "entry": "seq", "checkpoint": "size", "receipt": "idem", "anchor": "size, at", "tile": "idx"
    },
    "credentials": {
        "credential": "person", "enrolment": "person", "former_credential": "id", "api_key": "key"
    },
}  # fmt: skip

type Told = Callable[[int, int], None]


def copy_file(source: Path, target: Path, told: Told) -> None:
    """Copy a SQLite database as of now, while its writer goes on.

    One read transaction holds the whole copy, so that a busy writer cannot make it begin anew.
    The copy is one file without a log. `told` hears pages done and pages in all.
    """
    whole = f"file:{source.resolve().as_posix()}?mode=ro"
    with (
        closing(sqlite3.connect(whole, uri=True, timeout=30, isolation_level=None)) as reader,
        closing(sqlite3.connect(target, isolation_level=None)) as writer,
    ):
        reader.execute("begin")
        reader.execute("select count(*) from sqlite_master").fetchone()
        reader.backup(
            writer, pages=PAGES, progress=lambda _status, left, total: told(total - left, total)
        )
        reader.execute("rollback")
        writer.execute("pragma journal_mode=delete")


def copy_out(url: str, folder: Path, told: Told) -> None:
    """Write a PostgreSQL ledger and its credentials into SQLite files, as of one snapshot."""
    source = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        connect_args=reach.arguments(make_url(url)),
    )
    with source.connect() as reading:
        reading.exec_driver_sql("set transaction read only")
        for name, tables in STORED.items():
            target = create_engine(f"sqlite:///{folder / name}.db", poolclass=NullPool)
            prepare(target, name)
            with target.begin() as writing:
                copy_tables(reading, writing, tables, told=told)


def copy_tables(
    reading: Connection, writing: Connection, tables: dict[str, str], *, told: Told
) -> None:
    """Write the rows of some tables into the same ones of another database, in its transaction."""
    for name, order in tables.items():
        if not inspect(reading).has_table(name):  # of an older server
            continue
        whole = reading.execute(text(f"select count(*) from {name}")).scalar_one()
        found = reading.execution_options(stream_results=True).execute(
            text(f"select * from {name} order by {order}")
        )
        statement = insert(table(name, *map(column, found.keys())))
        done = 0
        for rows in found.mappings().partitions(ROWS):
            writing.execute(statement, [dict(row) for row in rows])
            done += len(rows)
            told(done, int(whole))


def sum_of(connection: Connection, query: str) -> tuple[int, int]:
    """Return how many rows a query gives, and one figure for them all, in whatever order."""
    count = total = 0
    for row in connection.execution_options(stream_results=True).execute(text(query)):
        count += 1
        total += int.from_bytes(sha256(repr(tuple(row)).encode("utf-8")).digest())
    return count, total % 2**256
