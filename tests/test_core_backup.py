"""Backup under load, restore, and what a restore proves or refuses."""

import json
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capture.telemetry import Telemetry
from core.backup.files import NoBackup, Occupied
from core.backup.restore import BesideAnchor, Restored, ShortOfAnchor, restore
from core.backup.take import Taken, backup
from core.errors import LedgerBroken
from core.execution import Actor, Execution
from core.ledger.anchor import AnchorBroken
from core.ledger.checkpoint import LogKey, sign
from core.ledger.store import open_ledger
from core.material import ContainerQuantity, Lot, ReceiveLot
from core.migrations.folder import NoPlantData
from core.people import Person
from core.projections.nouns import differences
from dashboards.cli import app
from dashboards.compose import LogKeyMissing, log_key, open_execution
from erp.outbox import Outbox
from tests.plant import seed
from tests.plant_data import PIN
from tests.servers import fresh_database
from tests.verifier import stand_alone

THREADS = 4


def silent(_line: str) -> None:
    pass


@contextmanager
def running(data: Path, store: str | None = None) -> Iterator[Execution]:
    execution = open_execution(data, "test", database=store)
    try:
        execution.start()
        yield execution
    finally:
        execution.close()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backup") / "plant"
    with running(folder) as execution:
        seed(execution)
    Outbox(f"sqlite:///{folder / 'erp_outbox.db'}").close()
    Telemetry(folder).close()
    segment = folder / "telemetry" / "L1" / "2026-11-26T08.jsonl.gz"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(b"one sealed hour")
    rows = folder / "reconciliations" / f"{'9b' * 32}.jsonl"
    rows.parent.mkdir()
    rows.write_bytes(b"one signed row")
    return folder


@pytest.fixture
def data(seeded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(seeded, tmp_path / "plant"))


def receive(execution: Execution, lot: str) -> None:
    containers = (ContainerQuantity(container="1", quantity=Decimal(25)),)
    material = execution.nouns.all(Lot)[-1].material
    command = ReceiveLot(
        lot=lot, material=material, supplier="Supplier", unit="kg", containers=containers,
        expires_on=execution.nouns.all(Lot)[-1].expires_on,
    )  # fmt: skip
    execution.submit(command, actor=Actor("sana"), idem=f"test:{lot}")


def grown(data: Path, *lots: str, store: str | None = None) -> None:
    with running(data, store) as execution:
        for lot in lots:
            receive(execution, lot)


def newest_note(data: Path, to: Path) -> Path:
    """Take the newest checkpoint away, as a second disk or the ERP would hold it."""
    return Path(shutil.copyfile(data / "anchors" / "newest.note", to))


@contextmanager
def load(execution: Execution) -> Iterator[list[int]]:
    """Receive lots from several threads until the block ends; gives the count of each thread."""
    ending, done = threading.Event(), [0] * THREADS

    def work(number: int) -> None:
        while not ending.is_set():
            receive(execution, f"LOAD-{number}-{done[number]}")
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        ending.set()
        for thread in threads:
            thread.join()


@pytest.mark.requirement("H5")
def test_backup_under_load_restores_to_the_same_root_without_differences(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "backup"
    with running(data) as execution, load(execution) as done:
        while min(done) < 3:
            ending = threading.Event()
            ending.wait(0.05)
        before = execution.ledger.size()
        taken = backup(data, out, silent, with_keys=True)
        at_end = execution.ledger.size()
    assert taken.checkpoint is not None
    assert before <= taken.checkpoint.size <= at_end
    with running(data) as execution:
        assert execution.ledger.root(taken.checkpoint.size) == taken.checkpoint.root
    shutil.rmtree(data)
    new = tmp_path / "new"
    found = restore(out, new, silent)
    assert found == Restored(
        data=new, checkpoint=taken.checkpoint, anchored=found.anchored, given=None, with_keys=True
    )
    ledger = open_ledger(new)
    assert (ledger.size(), ledger.root(ledger.size())) == taken.checkpoint[:2]
    assert differences(ledger) == []
    ledger.close()
    with running(new) as execution:  # the plant goes on, with its people and its key
        receive(execution, "AFTER")
        assert execution.ledger.size() > taken.checkpoint.size
        assert execution.authenticate("sana", PIN, station=None, purpose="test").person == "sana"
        assert execution.nouns.get(Person, "sana") is not None


def test_backup_holds_segments_signed_rows_and_outbox_and_only_the_public_key(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "backup"
    backup(data, out, silent)
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {name for name in names if not name.startswith("anchors/")} == {
        "backup.json", "checkpoint", "credentials.db", "erp_outbox.db", "ledger.db", "log.vkey",
        "manifest-sha256.sig", "manifest-sha256.txt", "telemetry.db",
        f"reconciliations/{'9b' * 32}.jsonl",
        "telemetry/L1/2026-11-26T08.jsonl.gz",
    }  # fmt: skip
    assert "anchors/newest.note" in names


def test_plant_restored_without_its_key_does_not_start_with_another(
    data: Path, tmp_path: Path
) -> None:
    backup(data, tmp_path / "backup", silent)
    new = tmp_path / "new"
    assert not restore(tmp_path / "backup", new, silent).with_keys
    with pytest.raises(LogKeyMissing) as refusal:
        open_execution(new, "test")
    assert str(refusal.value) == (
        f"{new / 'keys' / 'log.key'}: is missing, and log.vkey beside it says that this plant has"
        " a key. Put it back from where the keys are kept; a new key could not continue this"
        " ledger. Where it is lost, and the ledger names a recovery key: batchwright keys recover."
    )
    shutil.copy2(data / "keys" / "log.key", new / "keys" / "log.key")
    grown(new, "AFTER")


def test_restore_proves_the_given_anchor(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "backup", silent, with_keys=True)
    anchor = newest_note(data, tmp_path / "anchor.note")
    found = restore(tmp_path / "backup", tmp_path / "new", silent, anchor=anchor)
    assert found.checkpoint is not None
    assert found.given == found.anchored == found.checkpoint.size


def test_older_backup_is_refused_by_the_newer_anchor_and_nothing_goes_on_there(
    data: Path, tmp_path: Path
) -> None:
    taken = backup(data, tmp_path / "backup", silent, with_keys=True)
    grown(data, "LATER-1", "LATER-2")
    anchor, new = newest_note(data, tmp_path / "anchor.note"), tmp_path / "new"
    ledger = open_ledger(data)
    newest = ledger.size()
    ledger.close()
    assert taken.checkpoint is not None
    with pytest.raises(ShortOfAnchor) as refusal:
        restore(tmp_path / "backup", new, silent, anchor=anchor)
    size = taken.checkpoint.size
    assert str(refusal.value) == (
        f"{new}: {size} entries are restored and hold, the anchor covers {newest}:"
        f" {newest - size} entries are missing. It can be read and exported; no server writes to"
        " it as batchwright.example/test. Restore a newer backup. If there is none, begin a"
        " new ledger with a plant id of its own, and keep this folder."
    )
    with pytest.raises(AnchorBroken) as stopped, running(new):
        pass
    assert str(stopped.value).startswith(
        f"Anchor given-at-restore.note: holds a checkpoint of {newest} entries, and the ledger"
        f" holds only {size}."
    )
    ledger = open_ledger(new)
    assert ledger.size() == size
    ledger.close()


def test_anchor_of_another_history_stops_the_restore(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "backup", silent, with_keys=True)
    forged = sign(log_key(data, "test"), 5, b"\1" * 32)
    (tmp_path / "anchor.note").write_text(forged.note, "utf-8")
    with pytest.raises(BesideAnchor):
        restore(tmp_path / "backup", tmp_path / "new", silent, anchor=tmp_path / "anchor.note")
    assert not (tmp_path / "new").exists()


def test_anchor_of_another_key_is_no_checkpoint_of_this_log(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "backup", silent)
    note = sign(LogKey("batchwright.example/test", b"\7" * 32), 5, b"\1" * 32).note
    (tmp_path / "anchor.note").write_text(note, "utf-8")
    with pytest.raises(NoBackup, match="is no checkpoint of batchwright"):
        restore(tmp_path / "backup", tmp_path / "new", silent, anchor=tmp_path / "anchor.note")


def flip(path: Path, at: int) -> None:
    blob = bytearray(path.read_bytes())
    blob[at] ^= 1
    path.write_bytes(blob)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ledger.db", "ledger.db is not the file that was backed up"),
        ("credentials.db", "credentials.db is not the file that was backed up"),
        ("manifest-sha256.txt", "its list of files is not signed by"),
        ("manifest-sha256.sig", "its list of files is not signed by"),
    ],
)
def test_changed_backup_is_named(data: Path, tmp_path: Path, name: str, says: str) -> None:
    out = tmp_path / "backup"
    backup(data, out, silent)
    flip(out / name, 60)
    with pytest.raises(NoBackup, match=says):
        restore(out, tmp_path / "new", silent)
    assert not (tmp_path / "new").exists()


def test_missing_and_added_files_of_a_backup_are_named(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "backup"
    backup(data, out, silent)
    (out / "erp_outbox.db").rename(out / "other.db")
    with pytest.raises(NoBackup, match=r"erp_outbox\.db is missing"):
        restore(out, tmp_path / "new", silent)
    shutil.copyfile(out / "other.db", out / "erp_outbox.db")
    with pytest.raises(NoBackup, match=r"other\.db is not of this backup"):
        restore(out, tmp_path / "new", silent)


def test_nothing_is_written_over(data: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "backup", tmp_path / "new"
    backup(data, out, silent)
    with pytest.raises(Occupied) as refusal:
        backup(data, out, silent)
    assert str(refusal.value) == (
        f"{out}: is there already. Name a new one; nothing is ever written over."
    )
    new.mkdir()
    (new / "note.txt").write_text("mine", "utf-8")
    with pytest.raises(Occupied):
        restore(out, new, silent)
    (new / "note.txt").unlink()
    restore(out, new, silent)


def test_folder_without_a_plant_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(NoPlantData):
        backup(tmp_path, tmp_path / "backup", silent)
    with pytest.raises(NoBackup):
        restore(tmp_path / "nothing", tmp_path / "new", silent)


def test_ledger_that_does_not_hold_gives_no_backup(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "ledger.db")) as connection:
        connection.execute("drop trigger entry_no_update")
        connection.execute(
            "update entry set body = cast(replace(body, 'Ortmann', 'Oltmann') as blob)"
        )
        connection.commit()
    with pytest.raises(LedgerBroken, match="the stored bytes do not have the stored hash"):
        backup(data, tmp_path / "backup", silent)
    assert sorted(tmp_path.iterdir()) == [data]


def test_zip_is_a_backup_too(data: Path, tmp_path: Path) -> None:
    taken = backup(data, tmp_path / "b.zip", silent)
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        about = json.loads(file.read("backup.json"))
    assert taken.checkpoint is not None
    assert (about["size"], about["root"]) == (taken.checkpoint.size, taken.checkpoint.root.hex())
    assert restore(tmp_path / "b.zip", tmp_path / "new", silent).checkpoint == taken.checkpoint
    assert {path.name for path in tmp_path.iterdir()} == {"plant", "b.zip", "new"}


def test_postgres_ledger_is_backed_up_under_load_and_restored_to_either_home(
    tmp_path: Path, postgres_server: object
) -> None:
    with fresh_database(postgres_server) as first, fresh_database(postgres_server) as second:  # type: ignore[arg-type]
        data = tmp_path / "plant"
        with running(data, first) as execution:
            seed(execution)
            with load(execution):
                taken: Taken = backup(data, tmp_path / "b", silent, store=first, with_keys=True)
        assert taken.checkpoint is not None
        in_file = restore(tmp_path / "b", tmp_path / "file", silent)
        in_store = restore(tmp_path / "b", tmp_path / "store", silent, store=second)
        assert in_file.checkpoint == in_store.checkpoint == taken.checkpoint
        with running(tmp_path / "store", second) as execution:
            receive(execution, "AFTER")
            signer = execution.authenticate("sana", PIN, station=None, purpose="test")
            assert signer.person == "sana"
        with pytest.raises(Occupied, match="entries already"):
            restore(tmp_path / "b", tmp_path / "again", silent, store=second)


@pytest.mark.requirement("H8")
def test_export_and_rebuild_read_the_ledger_in_postgres(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = tmp_path / "plant", CliRunner().invoke
    monkeypatch.delenv("BATCHWRIGHT_STORE", raising=False)
    with running(data, postgres_url) as execution:
        seed(execution)
        said = run(app, ["export", "--data", str(data), "--out", str(tmp_path / "none")])
        assert said.exit_code == 1
        assert "holds no ledger.db. Name the plant's data folder, or the database in" in said.output
        monkeypatch.setenv("BATCHWRIGHT_STORE", postgres_url)
        out, size = tmp_path / "bundle", execution.ledger.size()
        said = run(app, ["export", "--data", str(data), "--out", str(out)])
        assert said.exit_code == 0, said.output
        assert (
            f"{size} of its {size} entries have no anchor outside, the oldest for " in said.output
        )
        vkey = (data / "keys" / "log.vkey").read_text("utf-8")
        assert stand_alone.verify(str(out), vkey, None).startswith(f"OK: {size} entries\n")
        with execution.writer.store.connect() as connection:
            spoiled = "update noun set body = ? where stream = 'person/quinn'"
            body = b'{"name":"Somebody else"}'
            connection.exec_driver_sql(execution.writer.store.sql(spoiled), (body,))
            connection.commit()
        said = run(app, ["rebuild", "--data", str(data), "--compare"])
        assert (said.exit_code, said.output.splitlines()[-1]) == (1, "1 streams differ")
        assert 'person/quinn state.state: stored nothing, folded "active"' in said.output
        said = run(app, ["rebuild", "--data", str(data)])  # the server goes on
        assert (said.exit_code, said.output) == (0, "0 streams differ\n")
        receive(execution, "AFTER")
        assert differences(execution.ledger) == []
    monkeypatch.setenv("BATCHWRIGHT_STORE", "mysql://nowhere")
    said = run(app, ["rebuild", "--data", str(data)])
    assert said.exit_code == 1


def test_commands_say_what_they_did_and_what_is_next(data: Path, tmp_path: Path) -> None:
    run, out, new = CliRunner().invoke, tmp_path / "b.zip", tmp_path / "new"
    said = run(app, ["backup", "--data", str(data), "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert "entries, without the private keys\n" in said.output
    assert said.output.endswith(f"Try it: batchwright restore --from {out} --data NEW_FOLDER\n")
    grown(data, "LATER")
    anchor = newest_note(data, tmp_path / "anchor.note")
    again = run(app, ["restore", "--from", str(out), "--data", str(new), "--anchor", str(anchor)])
    assert again.exit_code == 1
    assert "entries are missing." in again.output
    good = run(app, ["restore", "--from", str(out), "--data", str(tmp_path / "good")])
    assert good.exit_code == 0, good.output
    assert "Put log.key and the other private keys back" in good.output
