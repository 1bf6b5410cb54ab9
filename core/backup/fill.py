"""A plant's PostgreSQL database filled from files, in one transaction that is committed last."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from core.backup.files import Occupied
from core.backup.tables import STORED, Told, copy_tables, sum_of
from core.errors import LedgerBroken
from core.ledger import reach
from core.ledger.postgres import PostgresStore
from core.ledger.store import Ledger
from core.ledger.tables import StoreFailed, reason
from core.migrations.folder import FILES
from core.migrations.schema import Schema, lock
from core.projections import nouns

FOLDED = ("noun", "step_verification", "projection")
NEXT_FORMER = (  # rows were given with their numbers
    "select setval(pg_get_serial_sequence('former_credential', 'id'), max(id))"
    " from former_credential having max(id) is not null"
)


class FilledOtherwise(LedgerBroken):
    """The database does not give back what was written into it."""

    def __init__(self, where: str, table: str) -> None:
        super().__init__(
            f"{where}: gives back other rows of {table} than were written. Nothing was kept."
            " Name a database that holds nothing, without triggers of somebody else."
        )


class Filling:
    """A PostgreSQL database that holds no ledger yet, and the transaction that fills it.

    Tables, rows and projections are made in that transaction, read back, and compared with the
    files. Whatever fails before the commit leaves the database as it was.
    """

    def __init__(self, url: str) -> None:
        self._store = PostgresStore(url)
        self._engine = create_engine(
            self._store.url,
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            connect_args=reach.arguments(self._store.url),
        )
        self._connection: Connection | None = None

    def look(self) -> None:
        """Refuse a database that cannot be filled; nothing is written.

        Raises:
            StoreUnsafe: it would lose entries.
            Occupied: it holds entries.
            StoreFailed: it does not answer.
        """
        with _answering(), self._engine.connect() as connection:
            self._store.check(connection)
            self._refuse_occupied(connection)

    def fill(self, folder: Path, ledger: Ledger, told: Told) -> None:
        """Write a plant's files and their fold, and compare what the database gives back.

        Raises:
            Occupied: somebody else was faster.
            FilledOtherwise: a table is not what was written.
            StoreFailed: the database refuses something.
        """
        with _answering():
            connection = self._connection = self._engine.connect()
            self._store.check(connection)
            connection.commit()
            self._store.begin(connection)  # no server begins here meanwhile
            lock(connection)
            self._refuse_occupied(connection)
            for name in STORED:
                Schema(name).ready(connection, self._store.name)
                with _reading(folder / FILES[name]) as source:
                    copy_tables(source, connection, STORED[name], told=told)
            connection.exec_driver_sql(NEXT_FORMER)
            nouns.fill(connection, self._store, ledger)
            for name in STORED:
                with _reading(folder / FILES[name]) as source:
                    for table in (*STORED[name], *(FOLDED if name == "ledger" else ())):
                        self._compare(source, connection, table)

    def commit(self) -> None:
        """Keep all that was filled in.

        Raises:
            StoreFailed: the database did not confirm it.
        """
        assert self._connection is not None, "nothing was filled in"
        with _answering():
            self._connection.commit()

    def close(self) -> None:
        """Let go; what was not committed is gone."""
        if self._connection is not None:
            self._connection.close()
        self._store.close()

    def _refuse_occupied(self, connection: Connection) -> None:
        if not inspect(connection).has_table("entry"):
            return
        held = connection.exec_driver_sql("select count(*) from entry").scalar_one()
        if held:
            raise Occupied(self._store.name, f"holds {held} entries already")

    def _compare(self, source: Connection, filled: Connection, table: str) -> None:
        if not inspect(source).has_table(table):
            return
        columns = ", ".join(source.execute(text(f"select * from {table} limit 0")).keys())
        query = f"select {columns} from {table}"
        if sum_of(source, query) != sum_of(filled, query):
            raise FilledOtherwise(self._store.name, table)


@contextmanager
def filling(url: str | None, data: Path) -> Iterator[Filling | None]:
    """Give the database to fill, None where the ledger is a file; commit it when all is well.

    Where the commit is not confirmed, the plant's new folder at `data` is taken away again.

    Raises:
        Occupied, StoreUnsafe, StoreFailed: the database cannot be filled.
    """
    if url is None:
        yield None
        return
    target = Filling(url)
    try:
        target.look()
        yield target
        try:
            target.commit()
        except BaseException:
            shutil.rmtree(data, ignore_errors=True)
            raise
    finally:
        target.close()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as fault:
        raise StoreFailed(
            reason(fault), "Nothing was restored. Name an empty database that answers."
        ) from fault


@contextmanager
def _reading(path: Path) -> Iterator[Connection]:
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).connect() as connection:
        yield connection
