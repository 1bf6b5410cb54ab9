"""Copies of databases at one instant: SQLite by its backup interface, PostgreSQL row by row."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, column, create_engine, insert, make_url, table, text
from sqlalchemy.pool import NullPool

from core.migrations.schema import prepare

PAGES, ROWS = 4_000, 5_000
# the tables of a database that is not rebuilt, with the order they are read in
STORED = {
    "ledger": {
        "entry": "seq", "checkpoint": "size", "receipt": "idem", "anchor": "size, at", "tile": "idx"
    },
    "credentials": {"credential": "person"},
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
    source = create_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    with source.connect() as reading:
        reading.exec_driver_sql("set transaction read only")
        for name, tables in STORED.items():
            target = create_engine(f"sqlite:///{folder / name}.db", poolclass=NullPool)
            prepare(target, name)
            with target.begin() as writing:
                _copy(reading, writing, tables, told=told)


def copy_in(folder: Path, url: str, told: Told) -> None:
    """Write the ledger and credentials of a backup into a PostgreSQL database, all or nothing.

    The caller has made the tables and found them empty.
    """
    target = create_engine(url, poolclass=NullPool)
    with target.begin() as writing:
        for name, tables in STORED.items():
            source = create_engine(f"sqlite:///{folder / name}.db", poolclass=NullPool)
            with source.connect() as reading:
                _copy(reading, writing, tables, told=told)


def make_tables(url: str, name: str) -> None:
    """Make the tables of a database in PostgreSQL, where they are not there yet."""
    prepare(create_engine(make_url(url), poolclass=NullPool), name)


def count(url: str) -> int:
    """Return how many entries a ledger's database holds."""
    engine = create_engine(make_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("select count(*) from entry").scalar_one()
    return int(found)


def _copy(reading: Connection, writing: Connection, tables: dict[str, str], *, told: Told) -> None:
    for name, order in tables.items():
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
