"""Schema numbers: a new plant has the newest, an old one is carried up, a newer one refused."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner

import capture.telemetry
import core.credentials
import erp.tables
from core.credentials import Secrets
from core.ledger.tables import StoreUnsafe
from core.migrations.folder import FILES, NoPlantData, databases, migrate
from core.migrations.schema import PROBES, Schema, SchemaNewer, SchemaOld, lock, prepare
from dashboards.cli import app
from dashboards.compose import open_execution
from erp.outbox import Outbox
from tests.ledgers import fill, reading, writing

NAMES = tuple(FILES)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A plant's folder with all four databases, as this server makes them."""
    folder = tmp_path / "data"
    execution = open_execution(folder, "tablets")
    execution.start()
    execution.close()
    Outbox(f"sqlite:///{folder / 'erp_outbox.db'}").close()
    capture.telemetry.Telemetry(folder).close()
    return folder


def stamp(data: Path, name: str, version: str | None) -> None:
    """Give a database another number; None takes the number away, as servers before it left it."""
    with sqlite3.connect(data / FILES[name]) as connection:
        if version is None:
            connection.execute(f"drop table schema_{name}")
        else:
            connection.execute(f"update schema_{name} set version_num = ?", (version,))
    connection.close()


def opened(data: Path, name: str) -> None:
    """Open a database the way the running plant does."""
    if name == "outbox":
        Outbox(f"sqlite:///{data / 'erp_outbox.db'}").close()
    elif name == "telemetry":
        capture.telemetry.Telemetry(data).close()
    else:
        execution = open_execution(data, "tablets")
        execution.start()
        execution.close()


def shape(path: Path) -> list[tuple[str, str]]:
    """Return every table, index and trigger with its text, blanks apart."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select name, sql from sqlite_master where sql is not null")
        found = [(name, " ".join(sql.split())) for name, sql in rows]
    connection.close()
    return sorted(found)


@pytest.mark.parametrize("name", NAMES)
def test_new_database_carries_the_newest_number(data: Path, name: str) -> None:
    with create_engine(
        f"sqlite:///{data / FILES[name]}", poolclass=NullPool
    ).connect() as connection:
        assert Schema(name).version(connection) == Schema(name).newest
    opened(data, name)


@pytest.mark.parametrize("name", NAMES)
def test_database_without_number_is_refused_until_it_was_migrated(data: Path, name: str) -> None:
    before = shape(data / FILES[name])
    stamp(data, name, None)
    with pytest.raises(SchemaOld) as refusal:
        opened(data, name)
    assert str(refusal.value) == (
        f"{data / FILES[name]}: its schema has no number yet, this server needs"
        f" {Schema(name).newest}. Stop the server, make a backup, then run: batchwright migrate."
    )
    done = migrate(data, lambda _line: None)
    assert done == {one: Schema(one).steps(None) if one == name else [] for one in NAMES}
    assert shape(data / FILES[name]) == before
    opened(data, name)


@pytest.mark.parametrize("name", NAMES)
def test_database_of_a_newer_server_is_refused_with_both_numbers(data: Path, name: str) -> None:
    stamp(data, name, "0900")
    says = (
        f"{data / FILES[name]}: its schema is 0900, this server knows {Schema(name).newest}."
        " Start the newer server that made it, or restore the backup from before the update"
        " with: batchwright restore."
    )
    with pytest.raises(SchemaNewer) as refusal:
        opened(data, name)
    assert str(refusal.value) == says
    with pytest.raises(SchemaNewer) as again:
        migrate(data, lambda _line: None)
    assert str(again.value) == says


def test_nothing_is_migrated_where_one_database_is_newer(data: Path) -> None:
    stamp(data, "ledger", None)
    stamp(data, "telemetry", "0900")
    with pytest.raises(SchemaNewer):
        migrate(data, lambda _line: None)
    with pytest.raises(SchemaOld):
        opened(data, "ledger")


@pytest.mark.requirement("H5")
def test_entries_of_an_old_ledger_are_the_same_bytes_after_migrate(data: Path) -> None:
    with writing(data / "ledger.db") as writer:
        fill(writer, 30)
    with reading(data / "ledger.db") as ledger:
        before = (ledger.raw(), ledger.checkpoint(), ledger.root(30))
    stamp(data, "ledger", None)
    migrate(data, lambda _line: None)
    with reading(data / "ledger.db") as ledger:
        assert (ledger.raw(), ledger.checkpoint(), ledger.root(30)) == before


def test_running_server_keeps_migrate_out(data: Path) -> None:
    with writing(data / "ledger.db"), pytest.raises(StoreUnsafe):
        migrate(data, lambda _line: None)


def test_folder_without_databases_is_no_plant(tmp_path: Path) -> None:
    with pytest.raises(NoPlantData) as refusal:
        databases(tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path}: holds no database of a plant. Name the plant's data folder."
    )


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("credentials", core.credentials.METADATA),
        ("outbox", erp.tables.metadata),
        ("telemetry", capture.telemetry.METADATA),
    ],
)
def test_revisions_lead_to_the_tables_that_the_code_uses(
    tmp_path: Path, name: str, metadata: object
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}", poolclass=NullPool)
    prepare(engine, name)
    ours = f"schema_{name}"
    options = {"include_name": lambda table, kind, _parents: (kind, table) != ("table", ours)}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


# Two revisions of a database of this test alone.

FIRST = """
from alembic import op
revision, down_revision = "0001", None
def upgrade(): op.get_bind().exec_driver_sql("create table if not exists tool(name text)")
"""
SECOND = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade(): op.get_bind().exec_driver_sql("alter table tool add column weight_g text")
"""
BROKEN = (
    SECOND
    + """op_upgrade = upgrade
def upgrade():
    op_upgrade()
    op.get_bind().exec_driver_sql("insert into nowhere values (1)")
"""
)


def revisions(folder: Path, *texts: str) -> Schema:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts, 1):
        (folder / f"{number:04d}_change_tool.py").write_text(text, "utf-8")
    return Schema("tools", folder=folder, probe="tool")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgresql":
        found = request.getfixturevalue("postgres_url")
        yield found.replace("postgresql:", "postgresql+psycopg:", 1)
    else:
        yield f"sqlite:///{tmp_path / 'tools.db'}"


def test_old_database_gets_each_step_in_order(url: str, tmp_path: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    old = revisions(tmp_path / "old", FIRST)
    with engine.begin() as connection:
        old.ready(connection, "tools")
        connection.exec_driver_sql("insert into tool values ('spoon')")
    new = revisions(tmp_path / "new", FIRST, SECOND)
    with engine.begin() as connection:
        with pytest.raises(SchemaOld) as refusal:
            new.ready(connection, "tools")
        assert str(refusal.value).startswith("tools: its schema is 0001, this server needs 0002.")
        assert new.steps(new.version(connection)) == ["0002"]
        new.step(connection, "0002")
    with engine.begin() as connection:
        new.check(connection, "tools")
        rows = connection.exec_driver_sql("select name, weight_g from tool").fetchall()
        assert [tuple(row) for row in rows] == [("spoon", None)]
        with pytest.raises(SchemaNewer):
            old.check(connection, "tools")


def locked_step(schema: Schema, connection: Connection) -> None:
    lock(connection)
    schema.step(connection, "0002")


def test_step_that_stops_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        revisions(tmp_path / "old", FIRST).ready(connection, "tools")
    broken = revisions(tmp_path / "new", FIRST, BROKEN)
    with pytest.raises(Exception, match="nowhere"), engine.begin() as connection:
        locked_step(broken, connection)
    with engine.connect() as connection:
        assert broken.version(connection) == "0001"
        assert [one["name"] for one in inspect(connection).get_columns("tool")] == ["name"]


def test_ledger_and_credentials_share_a_postgres_database(postgres_url: str) -> None:
    with writing(postgres_url) as writer:
        fill(writer, 3)
    url = postgres_url.replace("postgresql:", "postgresql+psycopg:", 1)
    Secrets(url).close()
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop table schema_ledger")
    with pytest.raises(SchemaOld), writing(postgres_url):
        pass
    done = migrate(Path("nowhere"), lambda _line: None, store=url)
    assert done == {"ledger": Schema("ledger").steps(None), "credentials": []}
    with writing(postgres_url) as writer:
        fill(writer, 3)


def test_command_says_what_it_did_and_what_is_next(data: Path) -> None:
    stamp(data, "credentials", None)
    said = CliRunner().invoke(app, ["migrate", "--data", str(data)])
    assert said.exit_code == 0
    assert f"{data / 'credentials.db'}: 0001 create credential, done\n" in said.stdout
    count = len(Schema("credentials").steps(None))
    assert said.stdout.endswith(
        f"{count} revisions run. Start the server with: batchwright serve --data {data}\n"
    )
    refused = CliRunner().invoke(app, ["migrate", "--data", str(data / "keys")])
    assert refused.exit_code == 1


def test_every_database_of_a_folder_has_its_revisions() -> None:
    assert set(FILES) == set(PROBES)
    assert all(Schema(name).newest >= "0001" for name in FILES)
