"""What a writer refuses to start on, and how it goes on when the database fails it."""

import os
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection

from core.errors import LedgerBroken
from core.ledger.anchor import AnchorBroken, AnchorFolder
from core.ledger.audit import EntryBroken, audit, check_anchors, check_outside
from core.ledger.checkpoint import LogKey, NoteBroken, sign
from core.ledger.entry import decode, encode
from core.ledger.merkle import TILE, Range, leaf_hash
from core.ledger.sqlite import SqliteStore
from core.ledger.store import StoreFailed, StoreUnsafe, open_store
from core.ledger.writer import Decision, NoHooks, View, Writer
from tests.ledgers import (
    KEY,
    ORIGIN,
    Growing,
    Hold,
    Recorder,
    deciding,
    draft,
    fill,
    job,
    reading,
    writing,
)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A stopped ledger of 300 entries, with its anchors."""
    with writing(tmp_path / "ledger.db", anchors=tmp_path / "anchors") as writer:
        fill(writer, 300)
    return tmp_path / "ledger.db"


def start(path: str | Path, anchors: Path | None = None, key: LogKey = KEY) -> None:
    writer = Writer(open_store(path), key, NoHooks(), anchor_dir=anchors)
    try:
        writer.start()
    finally:
        writer.close()
        writer.store.close()


def attack(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Change the file as its owner can: triggers first."""
    connection = sqlite3.connect(path, isolation_level=None)
    for table in ("entry", "checkpoint", "receipt"):
        for deed in ("update", "delete"):
            connection.execute(f"drop trigger if exists {table}_no_{deed}")
    for statement in statements:
        connection.execute(statement, values)
    connection.close()


# One SQLite file, one server.


def test_a_second_server_on_one_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with writing(path) as first:
        with pytest.raises(StoreUnsafe) as refusal:
            start(path)
        assert str(refusal.value) == (
            f"{path}: another server writes this ledger, and SQLite allows one."
            " Stop it first, or use PostgreSQL for several."
        )
        assert first.submit(job("k1:1", draft())).result(20).first_seq == 1
    start(path)


def test_the_writing_connection_is_durable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger.db")
    connection = store.connect()
    found = [
        connection.exec_driver_sql(f"pragma {name}").scalar()
        for name in ("journal_mode", "synchronous", "recursive_triggers", "trusted_schema")
    ]
    assert found == ["wal", 2, 1, 0]
    connection.close()
    store.release()


def test_a_reader_of_no_file_is_told_so(tmp_path: Path) -> None:
    with reading(tmp_path / "none.db") as ledger, pytest.raises(StoreFailed) as refusal:
        ledger.size()
    assert (
        str(refusal.value) == f"Ledger database: {tmp_path}/none.db does not exist. Check the path."
    )


def test_a_data_folder_names_its_ledger(filled: Path) -> None:
    with reading(filled.parent) as ledger:
        assert ledger.size() == 300


# What it refuses to start on.


def test_an_intact_ledger_starts(filled: Path) -> None:
    start(filled, filled.parent / "anchors")


@pytest.mark.requirement("K1")
@pytest.mark.parametrize(
    ("statements", "error", "sentence"),
    [
        (["update entry set body = cast(body || ' ' as blob) where seq = 7"], EntryBroken,
         "Entry 7: the stored bytes do not have the stored hash. Stop, and call QA."),
        (["update entry set type = 'x' where seq = 7"], EntryBroken,
         "Entry 7: the columns do not agree with the stored bytes. Stop, and call QA."),
        (["delete from entry where seq = 7"], EntryBroken,
         "Entry 7: is missing; the next stored is 8. Stop, and call QA."),
        (["delete from entry where seq = 300"], LedgerBroken,
         "Checkpoint 300: 299 entries are stored. Stop, and call QA."),
        (["update entry set leaf = zeroblob(32) where seq = 300"], LedgerBroken,
         "Checkpoint 300: the stored entries lead to another root. Stop, and call QA."),
        (["update tile set root = zeroblob(32)"], LedgerBroken,
         "Checkpoint 300: the stored entries lead to another root. Stop, and call QA."),
        (["delete from tile"], LedgerBroken, "Ledger: 0 of 1 tiles. Stop, and call QA."),
        (["delete from checkpoint"], LedgerBroken,
         "Ledger: 300 entries, no checkpoint. Stop, call QA."),
        (["update checkpoint set root = zeroblob(32)"], LedgerBroken,
         "Checkpoint 300: its columns are not its note. Call QA."),
    ],
)  # fmt: skip
def test_a_changed_database_is_refused_with_what_does_not_hold(
    filled: Path, statements: list[str], error: type[LedgerBroken], sentence: str
) -> None:
    attack(filled, *statements)
    with pytest.raises(error) as refusal:
        start(filled)
    assert str(refusal.value) == sentence


def test_another_key_is_refused(filled: Path) -> None:
    with pytest.raises(NoteBroken, match="no signature of"):
        start(filled, key=LogKey(ORIGIN, bytes(32)))


def test_the_audit_reads_what_the_start_does_not(filled: Path) -> None:
    with reading(filled) as ledger:
        body = next(body for seq, body in ledger.raw() if seq == 7)
    forged = encode(decode(body.replace(b"1000.50", b"1000.51")))
    leaf = leaf_hash(forged)
    attack(filled, "update entry set body = ?, leaf = ? where seq = 7", values=(forged, leaf))
    with reading(filled) as ledger, pytest.raises(EntryBroken, match="Entry 14: does not follow"):
        audit(ledger, KEY.verifier)


def test_the_audit_refuses_a_row_behind_the_newest_checkpoint(filled: Path) -> None:
    with reading(filled) as ledger:
        last = ledger.rows(ledger.size() - 1)[-1]
    fields = msgspec.structs.replace(
        decode(last.body), seq=last.seq + 1, ver=last.ver + 1, prev=last.leaf.hex()
    )
    body = encode(fields)
    attack(
        filled,
        "insert into entry values (?, ?, ?, ?, ?, ?, ?)",
        values=(
            last.seq + 1, last.stream, last.ver + 1, last.type, last.idem, body, leaf_hash(body),
        ),
    )  # fmt: skip
    with reading(filled) as ledger, pytest.raises(EntryBroken, match="no checkpoint covers it"):
        audit(ledger, KEY.verifier)


@pytest.mark.requirement("H5")
def test_the_audit_refuses_tiles_of_another_history_which_an_anchor_would_agree_with(
    tmp_path: Path,
) -> None:
    """A thief of database and key writes one entry anew and leaves the old tiles to the anchors."""
    path = tmp_path / "ledger.db"
    with writing(path) as writer:
        fill(writer, TILE + 4, streams=1000)
    with reading(path) as ledger:
        genuine = sign(KEY, TILE, ledger.root(TILE))
        bodies = [body for _, body in ledger.raw(0, 1000)]
    bodies[6] = encode(decode(bodies[6].replace(b"1000.50", b"1000.51")))
    forged, size = Range(), len(bodies)
    for body in bodies:
        forged.add(leaf_hash(body))
    note = sign(KEY, size, forged.root()).note
    attack(
        path,
        "update entry set body = ?, leaf = ? where seq = 7",
        values=(bodies[6], leaf_hash(bodies[6])),
    )
    attack(
        path,
        "update checkpoint set root = ?, note = ? where size = ?",
        values=(forged.root(), note, size),
    )
    folder = AnchorFolder(tmp_path / "anchors")
    (folder.folder / "kept.note").write_text(genuine.note, "utf-8")
    with reading(path) as ledger:
        check_anchors(ledger, folder, KEY.verifier)  # so it would be taken in
        with pytest.raises(LedgerBroken, match="the stored tiles lead to another root"):
            audit(ledger, KEY.verifier)


# Anchors.


@pytest.mark.requirement("K3")
def test_a_rolled_back_database_is_refused_by_its_anchor(tmp_path: Path) -> None:
    path, anchors = tmp_path / "ledger.db", tmp_path / "anchors"
    with writing(path, anchors=anchors) as writer:
        fill(writer, 10)
    shutil.copy(path, tmp_path / "old.db")
    with writing(path, anchors=anchors) as writer:
        writer.submit(job("k1:1", draft())).result(20)
    shutil.copy(tmp_path / "old.db", path)
    with pytest.raises(AnchorBroken) as refusal:
        start(path, anchors)
    assert "holds a checkpoint of 11 entries, and the ledger holds only 10" in str(refusal.value)
    start(path)  # control: without the copy outside nothing is seen


@pytest.mark.requirement("K3")
def test_a_rewritten_history_is_refused_by_its_anchor(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with writing(tmp_path / f"{name}.db", anchors=tmp_path / name) as writer:
            writer.submit(job(f"{name}:1", draft(said=name))).result(20)
            writer.submit(job(f"{name}:2", draft(said=name))).result(20)
    with pytest.raises(AnchorBroken, match="has another root at that size"):
        start(tmp_path / "a.db", tmp_path / "b")


def test_anchors_are_kept_few_and_the_newest_always(tmp_path: Path) -> None:
    folder = AnchorFolder(tmp_path)
    for size in range(1, 10):
        folder.keep(sign(KEY, size, bytes(32)))
        assert folder.checkpoints(KEY.verifier)[0][1].size == size
        folder.settle()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [*(f"{size:012d}.note" for size in range(5, 10)), "newest.note"]


def test_the_first_anchor_is_forced_so_that_a_cut_may_tear_the_newest(tmp_path: Path) -> None:
    with writing(tmp_path / "ledger.db", anchors=tmp_path / "anchors") as writer:
        writer.submit(job("first", draft())).result(20)
        shutil.copytree(tmp_path / "anchors", tmp_path / "left")  # as the power goes
    (tmp_path / "left" / "newest.note").write_bytes(b"")
    start(tmp_path / "ledger.db", tmp_path / "left")


def test_an_anchor_is_whole_though_the_disk_takes_it_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:10]))
    folder = AnchorFolder(tmp_path)
    folder.keep(sign(KEY, 3, bytes(32)))
    assert [c.size for _, c in folder.checkpoints(KEY.verifier)] == [3, 3]


def test_a_torn_anchor_is_passed_over_while_another_holds(tmp_path: Path) -> None:
    folder = AnchorFolder(tmp_path)
    folder.keep(sign(KEY, 3, bytes(32)))
    folder.close()
    (tmp_path / "newest.note").write_bytes(b"")
    assert [c.size for _, c in folder.checkpoints(KEY.verifier)] == [3]
    (tmp_path / "000000000003.note").write_bytes(b"")
    with pytest.raises(LedgerBroken, match="none holds"):
        folder.checkpoints(KEY.verifier)


def test_what_is_written_while_anchors_are_compared_raises_no_alarm(tmp_path: Path) -> None:
    with writing(tmp_path / "ledger.db", anchors=tmp_path / "anchors") as writer:
        writer.submit(job("k1:1", draft())).result(20)
        folder = AnchorFolder(tmp_path / "anchors")
        ledger = Growing(writer)
        for _ in range(3):
            check_anchors(ledger, folder, KEY.verifier)
            check_outside(ledger)
        assert len(ledger.anchors()) == 6


# A database that fails.


def test_a_folder_of_anchors_that_is_gone_keeps_no_other_server_out(tmp_path: Path) -> None:
    """Who closes hears of it; the lock and the connection are let go all the same."""
    writer = Writer(SqliteStore(tmp_path / "l.db"), KEY, NoHooks(), anchor_dir=tmp_path / "anchors")
    writer.start()
    writer.submit(job("k1:1", draft())).result(20)
    shutil.rmtree(tmp_path / "anchors")
    assert writer.submit(job("k1:2", draft())).result(20).first_seq == 2
    with pytest.raises(FileNotFoundError):
        writer.close()
    start(tmp_path / "l.db")


def test_copy_that_fails_in_the_background_is_said_by_whoever_closes(tmp_path: Path) -> None:
    folder = AnchorFolder(tmp_path / "anchors")
    for size in (1, 2):
        folder.keep(sign(KEY, size, bytes(32)))
    shutil.rmtree(tmp_path / "anchors")
    for act in (folder.settle, folder.close):
        with pytest.raises(FileNotFoundError):
            act()


class LosingStore(SqliteStore):
    """A home that loses its connection at COMMIT, before or after it took effect."""

    lose = ""

    def _commit(self, connection: Connection) -> None:
        lose, self.lose = self.lose, ""
        if lose == "before":
            raise OSError("the connection was lost")
        super()._commit(connection)
        if lose == "after":
            raise OSError("the connection was lost")


@pytest.mark.parametrize("lose", ["before", "after"])
def test_a_commit_with_unknown_outcome_is_looked_up(tmp_path: Path, lose: str) -> None:
    hooks = Recorder()
    store = LosingStore(tmp_path / "ledger.db")
    writer = Writer(store, KEY, hooks, anchor_dir=tmp_path / "anchors")
    writer.start()
    writer.submit(job("k1:1", draft())).result(20)
    store.lose = lose
    future = writer.submit(job("k1:2", draft()))
    if lose == "after":
        receipt = future.result(20)
        assert (receipt.first_seq, receipt.replayed, receipt.checkpoint_size) == (2, False, 2)
        assert ("foreign", [2]) in hooks.calls
        copies = AnchorFolder(tmp_path / "anchors").checkpoints(KEY.verifier)
        assert copies[0][1].size == 2  # before the caller hears of it, as after every commit
    else:
        with pytest.raises(StoreFailed) as refusal:
            future.result(20)
        assert str(refusal.value) == (
            "Ledger database: the connection was lost. Send the command again, same id."
        )
    assert ("dropped", None) in hooks.calls
    assert writer.submit(job("k1:2", draft())).result(20).replayed is (lose == "after")
    assert writer.submit(job("k1:3", draft())).result(20).first_seq == 3
    writer.close()
    store.close()
    with reading(tmp_path / "ledger.db") as ledger:
        assert audit(ledger, KEY.verifier) is not None


def test_a_repeat_in_a_group_with_unknown_outcome_is_answered_as_a_repeat(tmp_path: Path) -> None:
    store = LosingStore(tmp_path / "ledger.db")
    writer = Writer(store, KEY, NoHooks())
    writer.start()
    writer.submit(job("k1:1", draft())).result(20)

    def decide(view: View) -> Decision:
        store.lose = "after"  # at the commit of this group
        return Decision((draft(),))

    hold = Hold(writer)
    jobs = job("k1:1", draft()), deciding("k1:2", decide), job("k1:2", draft())
    waiting = [writer.submit(one) for one in jobs]
    hold.release()
    answers = [one.result(20) for one in waiting]
    assert [(one.first_seq, one.replayed) for one in answers] == [(1, True), (2, False), (2, True)]
    writer.close()
    store.close()
