"""The databases of a data folder, and carrying all of them up to what this server knows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from core.errors import MesError
from core.ledger.sqlite import SqliteStore
from core.migrations.schema import Schema, SchemaNewer, lock

# database -> its file in the data folder; with PostgreSQL the first two share one database
FILES = {
    "ledger": "ledger.db",
    "credentials": "credentials.db",
    "outbox": "erp_outbox.db",
    "telemetry": "telemetry.db",
}
IN_STORE = ("ledger", "credentials")


class NoPlantData(MesError):
    """A folder holds none of a plant's databases."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: holds no database of a plant. Name the plant's data folder.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database of a plant: what it is, how a person calls it, and its URL."""

    name: str
    where: str
    url: str


def databases(data: Path, store: str | None = None) -> list[Database]:
    """Return the databases that a plant has; `store` is the ledger's URL where it is no file.

    Raises:
        NoPlantData: there are none.
    """
    found = []
    for name, file in FILES.items():
        if store is not None and name in IN_STORE:
            shown = make_url(store).render_as_string(hide_password=True)
            found.append(Database(name=name, where=f"{shown} ({name})", url=store))
        elif (data / file).is_file():
            path = data / file
            found.append(Database(name=name, where=str(path), url=f"sqlite:///{path}"))
    if not found:
        raise NoPlantData(data)
    return found


def migrate(
    data: Path, told: Callable[[str], None], *, store: str | None = None
) -> dict[str, list[str]]:
    """Run what each database still needs, and return the revisions that were run on it.

    Nothing is run while one of them is of a newer server, or while a server runs on the folder.
    Each revision is one transaction: where one stops, those before it are done.

    Raises:
        NoPlantData: the folder has no database.
        SchemaNewer: a database was made by a newer server.
        StoreUnsafe: a server runs.
    """
    found = databases(data, store)
    with _alone(data, store):
        for one in found:
            _refuse_newer(one)
        return {one.name: _carry_up(one, told) for one in found}


def numbers(data: Path, store: str | None = None) -> dict[str, tuple[str | None, str]]:
    """Return for each database of a plant its schema's number and the one that is needed.

    Files are opened for reading alone.

    Raises:
        NoPlantData: the folder has no database.
    """
    found = {}
    for one in databases(data, store):
        schema, engine = Schema(one.name), create_engine(_reading(one.url), poolclass=NullPool)
        with engine.connect() as connection:
            found[one.name] = (schema.version(connection), schema.newest)
    return found


def _reading(url: str) -> str:
    """Return the URL that opens a file for reading alone; a server's is as it is."""
    path = url.removeprefix("sqlite:///")
    return url if path == url else f"sqlite:///file:{quote(path)}?mode=ro&uri=true"


@contextmanager
def _alone(data: Path, store: str | None) -> Iterator[None]:
    """Keep servers out of a SQLite ledger; PostgreSQL's wait for each revision's lock."""
    if store is not None:
        yield
        return
    home = SqliteStore(data / FILES["ledger"])
    home.hold()
    try:
        yield
    finally:
        home.release()


def _refuse_newer(one: Database) -> None:
    schema, engine = Schema(one.name), create_engine(one.url, poolclass=NullPool)
    with engine.connect() as connection:
        found = schema.version(connection)
    if found is not None and found > schema.newest:
        raise SchemaNewer(one.where, found, schema.newest)


def _carry_up(one: Database, told: Callable[[str], None]) -> list[str]:
    schema, engine = Schema(one.name), create_engine(one.url, poolclass=NullPool)
    with engine.connect() as connection:
        found = schema.version(connection)
    steps = schema.steps(found)
    for revision in steps:
        with engine.begin() as connection:
            lock(connection)
            if (schema.version(connection) or "") < revision:  # another server's migrate
                schema.step(connection, revision)
        told(f"{one.where}: {schema.title(revision)}, done")
    if not steps:
        told(f"{one.where}: is at {schema.newest}, nothing to do")
    return steps
