"""The schema number a database carries, compared with the one this server knows.

An empty database gets the newest schema. One with tables and another number is refused until a
person has looked: an older one is carried up by `batchwright migrate`, a newer one belongs to a
newer server.

The library that carries databases up is loaded where one is made or carried up, not at every start:
loading it takes as long as all the rest of the ledger.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from core.errors import MesError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

HERE = Path(__file__).parent
LOCK_KEY = 4_776_412_079_263_158_338  # one constant for all who make or change tables
# database -> a table that is there since the first revision
PROBES = {
    "ledger": "entry",
    "credentials": "credential",
    "outbox": "erp_message",
    "telemetry": "interval",
}


class SchemaOld(MesError):
    """A database was made by an older server."""

    def __init__(self, where: str, found: str | None, needed: str) -> None:
        has = "its schema has no number yet" if found is None else f"its schema is {found}"
        super().__init__(
            f"{where}: {has}, this server needs {needed}. Stop the server, make a backup, then"
            " run: batchwright migrate."
        )


class SchemaNewer(MesError):
    """A database was made by a newer server."""

    def __init__(self, where: str, found: str, known: str) -> None:
        super().__init__(
            f"{where}: its schema is {found}, this server knows {known}. Start the newer server"
            " that made it, or restore the backup from before the update with: batchwright"
            " restore."
        )


class Schema:
    """The revisions of one database, and the table that holds its number."""

    def __init__(self, name: str, *, folder: Path | None = None, probe: str = "") -> None:
        self.name = name
        self.folder = folder or HERE / name
        self.table = f"schema_{name}"
        self._probe = probe or PROBES[name]

    @property
    def newest(self) -> str:
        """The number that this server needs."""
        return max(path.name[:4] for path in self.folder.glob("[0-9]*_*.py"))

    def version(self, connection: Connection) -> str | None:
        """Return the number that a database carries, None for none."""
        if not inspect(connection).has_table(self.table):
            return None
        return connection.execute(text(f"select version_num from {self.table}")).scalar()

    def is_empty(self, connection: Connection) -> bool:
        """Return whether a database has none of the tables yet."""
        return not inspect(connection).has_table(self._probe)

    def check(self, connection: Connection, where: str) -> None:
        """Refuse a database of another version.

        Raises:
            SchemaOld: `batchwright migrate` carries it up.
            SchemaNewer: this server cannot read it.
        """
        found, newest = self.version(connection), self.newest
        if found is not None and found > newest:
            raise SchemaNewer(where, found, newest)
        if found != newest:
            raise SchemaOld(where, found, newest)

    def ready(self, connection: Connection, where: str) -> None:
        """Make the tables of an empty database, and refuse one of another version.

        Runs in the caller's transaction, and leaves the commit to it.
        """
        if self.is_empty(connection):
            for revision in self.steps(None):
                self.step(connection, revision)
        self.check(connection, where)

    def steps(self, found: str | None) -> list[str]:
        """Return the revisions after a number, the oldest first."""
        scripts = self._scripts().iterate_revisions("head", found or "base")
        return [script.revision for script in scripts][::-1]

    def title(self, revision: str) -> str:
        """Return a revision's number and what it does, as in its file's name."""
        [path] = self.folder.glob(f"{revision}_*.py")
        return path.stem.replace("_", " ")

    def step(self, connection: Connection, revision: str) -> None:
        """Run one revision and note its number, in the caller's transaction."""
        from alembic.migration import MigrationContext  # noqa: PLC0415
        from alembic.operations import Operations  # noqa: PLC0415

        scripts = self._scripts()
        context = MigrationContext.configure(connection, opts={"version_table": self.table})
        with Operations.context(context):
            scripts.get_revision(revision).module.upgrade()
        context.stamp(scripts, revision)

    def _scripts(self) -> "ScriptDirectory":
        return _scripts(self.folder)


@cache
def _scripts(folder: Path) -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(folder), version_locations=[str(folder)])


def lock(connection: Connection) -> None:
    """Wait for others who make or change tables; the lock ends with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("select pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        return
    raw = connection.connection.dbapi_connection
    if not getattr(raw, "in_transaction", False):
        connection.exec_driver_sql("begin immediate")


def prepare(engine: Engine, name: str) -> None:
    """Make the tables of a database where it has none, and refuse one of another version.

    Raises:
        SchemaOld: `batchwright migrate` carries it up.
        SchemaNewer: this server cannot read it.
    """
    where = engine.url.render_as_string(hide_password=True).removeprefix("sqlite:///")
    try:
        with engine.begin() as connection:
            lock(connection)
            Schema(name).ready(connection, where)
    except BaseException:
        engine.dispose()
        raise
