"""A backup that goes into PostgreSQL: proven first, filled in one transaction, or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from sqlalchemy import make_url

from core.backup.files import NoBackup, Occupied
from core.backup.fill import FilledOtherwise
from core.backup.restore import BesideAnchor, restore
from core.backup.take import backup
from core.credentials import Secrets
from core.ledger.checkpoint import load_key, sign
from core.ledger.postgres import PostgresStore
from core.ledger.store import open_ledger
from core.ledger.tables import StoreFailed
from core.projections.nouns import differences
from dashboards.compose import log_name
from tests.plant import seed
from tests.plant_data import PIN
from tests.test_core_backup import receive, running, silent

HOLDS = "select count(*) from pg_class where relnamespace = 'public'::regnamespace"


class Kept(NamedTuple):
    """A plant in files, its backup, and what a program shows it."""

    plant: Path
    backup: Path
    program: str


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("restore")
    with running(folder / "plant") as execution:
        seed(execution)
        receive(execution, "BEFORE")
        program = execution.secrets.put_key("lims", "k1")
        for secret in ("other-secret", PIN):
            execution.secrets.put("sana", secret, set_at="2026-03-02T08:15:00Z")
    backup(folder / "plant", folder / "backup", silent, with_keys=True)
    return Kept(folder / "plant", folder / "backup", program)


@contextmanager
def admin(url: str) -> Iterator[psycopg.Connection]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection


def things_in(url: str) -> int:
    with admin(url) as other:
        row = other.execute(HOLDS).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.requirement("H5", "P2")
def test_restored_database_has_all_that_the_plant_had_and_goes_on(
    kept: Kept, postgres_url: str, tmp_path: Path
) -> None:
    done = restore(kept.backup, tmp_path / "new", silent, store=postgres_url)
    assert not (tmp_path / "new" / "ledger.db").exists()
    assert not (tmp_path / "new" / "credentials.db").exists()
    with running(tmp_path / "new", postgres_url) as execution:
        assert done.checkpoint is not None
        assert execution.ledger.root(done.checkpoint.size) == done.checkpoint.root
        assert differences(execution.ledger) == []
        receive(execution, "AFTER")
        assert execution.secrets.key_of(kept.program) == ("lims", "k1")
        assert execution.secrets.was_used("sana", "other-secret", remembered=5)
        execution.secrets.put("sana", "another-secret", set_at="2026-03-03T08:15:00Z")
        assert execution.authenticate("sana", "another-secret", station=None, purpose="test")


@pytest.mark.requirement("P2")
def test_programs_keys_and_former_secrets_leave_postgresql_too(
    kept: Kept, postgres_url: str, tmp_path: Path
) -> None:
    restore(kept.backup, tmp_path / "there", silent, store=postgres_url)
    backup(tmp_path / "there", tmp_path / "again", silent, store=postgres_url)
    restore(tmp_path / "again", tmp_path / "file", silent)
    with closing(Secrets(f"sqlite:///{tmp_path / 'file' / 'credentials.db'}")) as secrets:
        assert secrets.key_of(kept.program) == ("lims", "k1")
        assert secrets.was_used("sana", "other-secret", remembered=5)


@pytest.mark.requirement("H5", "P2")
def test_backup_that_does_not_hold_touches_neither_database_nor_folder(
    kept: Kept, postgres_url: str, tmp_path: Path
) -> None:
    key = load_key(kept.plant / "keys" / "log.key", log_name("test"))
    forged = tmp_path / "forged.note"
    forged.write_text(sign(key, 3, bytes(32)).note, "utf-8")
    new = tmp_path / "new"
    with pytest.raises(BesideAnchor):
        restore(kept.backup, new, silent, anchor=forged, store=postgres_url)
    spoiled = Path(shutil.copytree(kept.backup, tmp_path / "spoiled"))
    with (spoiled / "ledger.db").open("r+b") as file:
        file.write(b"another")
    with pytest.raises(NoBackup):
        restore(spoiled, new, silent, store=postgres_url)
    assert things_in(postgres_url) == 0
    assert not new.exists()


SPOILERS = {
    "a table of somebody else is in the way": (
        ("create table noun (x int)",),
        StoreFailed,
        "Nothing was restored. Name an empty database that answers.",
    ),
    "a trigger swallows rows": (
        (
            "create function lose() returns trigger language plpgsql as $$ begin"
            " if new.size = 3 then return null; end if; return new; end $$",
            "create trigger lose before insert on checkpoint for each row execute function lose()",
        ),
        FilledOtherwise,
        "gives back other rows of checkpoint than were written. Nothing was kept.",
    ),
    "the commit fails": (
        (
            "create function fail() returns trigger language plpgsql as $$ begin"
            " raise exception 'no room is left'; end $$",
            "create constraint trigger fail after insert on checkpoint deferrable initially"
            " deferred for each row when (new.size = 3) execute function fail()",
        ),
        StoreFailed,
        "no room is left. Nothing was restored.",
    ),
}


@pytest.mark.requirement("H5", "P2")
@pytest.mark.parametrize("name", SPOILERS)
def test_database_that_fails_on_the_way_is_left_as_it_was(
    kept: Kept, postgres_url: str, tmp_path: Path, name: str
) -> None:
    statements, refused, says = SPOILERS[name]
    if "noun" not in statements[0]:
        store = PostgresStore(postgres_url)
        store.connect().close()  # the tables are there, and empty
        store.release()
    with admin(postgres_url) as other:
        for statement in statements:
            other.execute(statement.encode())
    before = things_in(postgres_url)
    with pytest.raises(refused) as refusal:
        restore(kept.backup, tmp_path / "new", silent, store=postgres_url)
    assert says in str(refusal.value)
    assert things_in(postgres_url) == before
    assert list(tmp_path.iterdir()) == []
    if "noun" not in statements[0]:
        with closing(open_ledger(postgres_url)) as ledger:
            assert ledger.size() == 0
    with admin(postgres_url) as other:
        other.execute("drop schema public cascade; create schema public")
    restore(kept.backup, tmp_path / "new", silent, store=postgres_url)


def test_database_that_holds_entries_or_does_not_answer_is_refused_before_any_work(
    kept: Kept, postgres_url: str, tmp_path: Path
) -> None:
    restore(kept.backup, tmp_path / "first", silent, store=postgres_url)
    told: list[str] = []
    with pytest.raises(Occupied, match="entries already"):
        restore(kept.backup, tmp_path / "second", told.append, store=postgres_url)
    nowhere = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(StoreFailed, match=r"Nothing was restored\. Name an empty database"):
        restore(kept.backup, tmp_path / "second", told.append, store=nowhere)
    assert told == []
    assert not (tmp_path / "second").exists()
