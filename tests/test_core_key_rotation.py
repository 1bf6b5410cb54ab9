"""The log key handed over: the old one signs its successor, and every reader follows the chain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from core.backup.restore import restore
from core.backup.take import backup
from core.execution import Actor, Execution
from core.ledger.audit import audit
from core.ledger.checkpoint import LogKey, NoteBroken, Verifier, load_key, parse_vkey, sign, verify
from core.ledger.export import export_bundle, export_streams
from core.ledger.group import KeyChanged
from core.ledger.rotation import (
    KEYS,
    STREAM,
    OtherKey,
    chained,
    parse_keys,
    parse_note,
    read_verifier,
    rotation_note,
    rotations_of,
)
from core.ledger.store import open_ledger
from core.ledger.tables import StoreUnsafe
from core.log_key import LogKeys, NotHandedOver, RotateKey
from core.people import RecordSignOut
from dashboards.cli import app
from dashboards.compose import open_execution, rotate_log_key
from tests.hands import refusal
from tests.ledgers import KEY, ORIGIN
from tests.plant import seed
from tests.verifier import stand_alone

SECOND, THIRD = LogKey(ORIGIN, bytes([2] * 32)), LogKey(ORIGIN, bytes([3] * 32))
NOTE = rotation_note(KEY, SECOND, entry=10)
WHY = "Two years have passed."


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
    folder = tmp_path_factory.mktemp("rotation") / "plant"
    with running(folder) as execution:
        seed(execution)
    return folder


@pytest.fixture
def data(seeded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(seeded, tmp_path / "plant"))


def act(execution: Execution, number: int) -> None:
    command = RecordSignOut(person="quinn", cause="test")
    execution.submit(command, actor=Actor("quinn"), idem=f"test:out:{number}")


def grown(data: Path, number: int) -> None:
    with running(data) as execution:
        act(execution, number)


def rotated(data: Path, store: str | None = None) -> Verifier:
    return rotate_log_key(data, "test", database=store, why=WHY)


def exported(data: Path, out: Path, *, streams: tuple[str, ...] = ()) -> Path:
    ledger, vkey = open_ledger(data / "ledger.db"), read_verifier(data / "keys")
    key = load_key(data / "keys" / "log.key", vkey.name)
    try:
        if streams:
            export_streams(ledger, streams, out, vkey=vkey.text, key=key, anchors=range(1, 400))
        else:
            export_bundle(ledger, out, vkey=vkey.text, key=key)
    finally:
        ledger.close()
    return out


# -- the note and the chain ------------------------------------------------------------------------


def test_note_names_entry_and_both_keys_and_is_signed_by_both() -> None:
    assert parse_note(NOTE) == (10, KEY.verifier, SECOND.verifier)
    assert NOTE.startswith(
        f"batchwright key rotation v1\nentry 10\n{KEY.vkey}\n{SECOND.vkey}\n\n— {ORIGIN} "
    )


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 127))
def test_note_with_one_changed_sign_hands_nothing_over(place: int, step: int) -> None:
    other = chr((ord(NOTE[place]) + step) % 128)
    changed = NOTE[:place] + other + NOTE[place + 1 :]
    if changed != NOTE:
        with pytest.raises(NoteBroken):
            parse_note(changed)


def test_former_key_counts_up_to_the_entry_that_ended_it_and_no_further() -> None:
    chain = chained([NOTE, rotation_note(SECOND, THIRD, entry=20)], THIRD.verifier)
    root = bytes(32)
    for key, size in ((KEY, 9), (SECOND, 19), (THIRD, 5), (THIRD, 1000)):
        assert verify(sign(key, size, root).note, chain).size == size
    for key, size in ((KEY, 10), (SECOND, 20)):
        with pytest.raises(NoteBroken, match=f"{size} entries are signed by a key that ended"):
            verify(sign(key, size, root).note, chain)
    stranger = LogKey(ORIGIN, bytes([9] * 32))
    with pytest.raises(NoteBroken, match="no signature of"):
        verify(sign(stranger, 5, root).note, chain)


def test_notes_that_do_not_follow_each_other_are_no_chain() -> None:
    with pytest.raises(NoteBroken, match="does not follow the one before"):
        chained([NOTE, rotation_note(KEY, THIRD, entry=20)], THIRD.verifier)
    with pytest.raises(NoteBroken, match="does not follow the one before"):
        chained([NOTE, rotation_note(SECOND, THIRD, entry=10)], THIRD.verifier)
    with pytest.raises(OtherKey, match="Put the newest key back"):
        chained([NOTE], KEY.verifier)


# -- a plant ---------------------------------------------------------------------------------------


@pytest.mark.requirement("H5", "H8")
def test_checkpoints_are_signed_by_the_new_key_from_the_handing_over_on(data: Path) -> None:
    old = read_verifier(data / "keys")
    with running(data) as execution:
        size = execution.ledger.size()
    new = rotated(data)
    assert (new.name, new.text) != (old.name, old.text)
    chain = read_verifier(data / "keys")
    assert [(one.public, one.until) for one in chain.former] == [(old.public, size)]
    with running(data) as execution:
        newest = execution.ledger.checkpoint()
        assert newest is not None
        assert newest.size == size + 1
        assert verify(newest.note, new) == newest  # the new key's own, over all that was before
        act(execution, 1)
        checkpoint = audit(execution.ledger, execution.verifier)
        assert checkpoint is not None
        assert verify(checkpoint.note, new).size == size + 2
        entry = execution.ledger.stream(STREAM)[0]
        assert (entry.type, entry.seq, entry.actor, entry.reason) == (
            "key.rotated", size + 1, "service:keys", WHY,
        )  # fmt: skip
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert (keys.newest, [(one.vkey, one.until) for one in keys.former]) == (
            new.text, [(old.text, size)],
        )  # fmt: skip
    assert not (data / "keys" / "log.key.next").exists()
    assert (data / "keys" / "log.key").stat().st_mode & 0o077 == 0


@pytest.mark.requirement("H8")
@pytest.mark.parametrize("streams", [(), ("person/quinn",)])
def test_bundle_proves_itself_to_whoever_trusts_any_key_of_the_log(
    data: Path, tmp_path: Path, streams: tuple[str, ...]
) -> None:
    first = read_verifier(data / "keys")
    anchor = Path(shutil.copyfile(data / "anchors" / "newest.note", tmp_path / "old.note"))
    rotated(data)
    grown(data, 1)
    second = read_verifier(data / "keys")
    rotated(data)
    grown(data, 2)
    third = read_verifier(data / "keys")
    out = exported(data, tmp_path / "bundle", streams=streams)
    for vkey in (None, first.text, second.text, third.text):
        says = stand_alone.verify(str(out), vkey, str(anchor))
        assert says.startswith("OK: ")
        assert ", signed by 3 keys in turn\n" in says
    with pytest.raises(stand_alone.Broken, match=r"keys\.txt: does not lead to"):
        stand_alone.verify(str(out), LogKey(first.name, bytes([9] * 32)).vkey, None)


@pytest.mark.requirement("H8")
def test_bundle_whose_keys_were_changed_proves_nothing(data: Path, tmp_path: Path) -> None:
    first = read_verifier(data / "keys")
    old_key = load_key(data / "keys" / "log.key", first.name)
    rotated(data)
    grown(data, 1)
    whole = exported(data, tmp_path / "whole")
    text = (whole / KEYS).read_text("utf-8")
    lines = text.splitlines(keepends=True)
    new = parse_vkey(lines[3])
    note = (whole / "checkpoint").read_text("utf-8")
    size = int(note.splitlines()[1])
    forged = sign(old_key, size, stand_alone.base64_of(note.splitlines()[2], "root"))
    stranger = LogKey(first.name, bytes([9] * 32))
    later = rotation_note(old_key, stranger, entry=size + 1)
    attacks = {
        "keys.txt gone": (KEYS, None, "keys.txt is missing|is not signed by"),
        "another entry": (KEYS, text.replace("entry ", "entry 1"), "is not signed by"),
        "the old key goes on": ("checkpoint", forged.note, f"is not signed by {new.name}"),
        "one more rotation": (KEYS, text + later, "do not follow each other"),
        "a line too much": (KEYS, text + "x\n", "IndexError|malformed"),
        "a stranger follows": (KEYS, later, "is not signed by"),
    }
    for number, (name, content, says) in enumerate(attacks.values()):
        out = Path(shutil.copytree(whole, tmp_path / f"attack{number}"))
        (out / name).unlink()
        if content is not None:
            (out / name).write_text(content, "utf-8")
        with pytest.raises(stand_alone.Broken, match=says):
            stand_alone.verify(str(out), first.text, None)
    assert stand_alone.verify(str(whole), first.text, None).startswith("OK")


def test_thief_of_the_old_key_cannot_make_a_bundle_for_whoever_trusts_the_new_one(
    data: Path, tmp_path: Path
) -> None:
    """He holds the genuine note too, and a history of his own up to the entry before it."""
    first = read_verifier(data / "keys")
    stolen = load_key(data / "keys" / "log.key", first.name)
    before = exported(data, tmp_path / "before")
    new = rotated(data)
    shutil.copyfile(data / "keys" / KEYS, before / KEYS)
    note = (before / "checkpoint").read_text("utf-8").splitlines()
    forged = sign(stolen, int(note[1]), stand_alone.base64_of(note[2], "root"))
    (before / "checkpoint").write_text(forged.note, "utf-8")
    with pytest.raises(stand_alone.Broken, match="the checkpoint is not signed by"):
        stand_alone.verify(str(before), new.text, None)


def test_start_finishes_what_a_power_cut_left_between_entry_and_file(data: Path) -> None:
    keys = data / "keys"
    old = (keys / "log.key").read_text("utf-8")
    new = rotated(data)
    (keys / "log.key").rename(keys / "log.key.next")
    (keys / "log.key").write_text(old, "utf-8")
    (keys / "log.key").chmod(0o600)
    (keys / KEYS).unlink()
    with running(data) as execution:
        act(execution, 1)
        assert execution.verifier.text == new.text
    assert (keys / KEYS).exists()
    assert not (keys / "log.key.next").exists()


def test_key_that_was_made_and_never_recorded_changes_nothing(data: Path) -> None:
    keys = data / "keys"
    old = read_verifier(keys)
    shutil.copyfile(keys / "log.key", keys / "log.key.next")  # a key, but not the ledger's next
    (keys / "log.key.next").chmod(0o600)
    grown(data, 1)
    assert read_verifier(keys) == old


def still_open(folder: Path) -> list[str]:
    """Return the files of a folder that this process has open, where the system shows them."""
    links = Path("/proc/self/fd").glob("*")
    return [name for link in links if (name := os.path.realpath(link)).startswith(str(folder))]


def test_old_key_put_back_starts_no_server_and_leaves_nothing_open(data: Path) -> None:
    keys = data / "keys"
    old = (keys / "log.key").read_text("utf-8")
    rotated(data)
    (keys / "log.key").write_text(old, "utf-8")
    with pytest.raises(OtherKey, match="Put the newest key back from where the keys are kept"):
        open_execution(data, "test")
    assert still_open(data) == []


def test_rotation_is_refused_while_a_server_runs_and_where_it_is_not_the_plants_own(
    data: Path,
) -> None:
    before = (data / "keys" / "log.key").read_text("utf-8")
    with running(data) as execution:
        with pytest.raises(StoreUnsafe, match="Stop it first"):
            rotated(data)
        old = load_key(data / "keys" / "log.key", execution.verifier.name)
        new = LogKey(old.name, bytes([5] * 32))
        size = execution.ledger.size()

        def hand(note: str) -> None:
            actor = Actor("service:keys")
            execution.submit(RotateKey(note=note), actor=actor, idem=f"hand:{len(note)}")

        says = refusal(NotHandedOver, lambda: hand(rotation_note(old, new, entry=size)))
        assert f"the note is for entry {size}, and the next one is {size + 1}" in says
        says = refusal(NotHandedOver, lambda: hand("nonsense"))
        assert says == (
            "Log key: both keys must have signed the note. Run batchwright keys rotate where the"
            " plant's keys are."
        )
        assert execution.ledger.size() == size
    assert (data / "keys" / "log.key").read_text("utf-8") == before
    rotated(data)  # the key that was made before is taken


def test_former_key_hands_nothing_over_and_gets_nothing_back(data: Path) -> None:
    name = read_verifier(data / "keys").name
    old = load_key(data / "keys" / "log.key", name)
    rotated(data)
    new, other = load_key(data / "keys" / "log.key", name), LogKey(name, bytes([5] * 32))
    with running(data) as execution:
        entry = execution.ledger.size() + 1
        for number, (notes, why) in enumerate(
            (
                ((old, other), "does not sign this log any more"),
                ((new, old), "signed this log before"),
            )
        ):
            command = RotateKey(note=rotation_note(*notes, entry=entry))
            keys, idem = Actor("service:keys"), f"hand:{number}"
            assert why in refusal(
                NotHandedOver,
                lambda: execution.submit(command, actor=keys, idem=idem),  # noqa: B023
            )


@pytest.mark.requirement("P2")
def test_backup_after_a_rotation_restores_against_an_anchor_of_the_old_key(
    data: Path, tmp_path: Path
) -> None:
    anchor = Path(shutil.copyfile(data / "anchors" / "newest.note", tmp_path / "old.note"))
    rotated(data)
    grown(data, 1)
    out = tmp_path / "backup"
    backup(data, out, lambda _: None, with_keys=True)
    with running(data) as execution:
        assert parse_keys((out / KEYS).read_text("utf-8")) == rotations_of(execution.ledger)
    done = restore(out, tmp_path / "new", lambda _: None, anchor=anchor)
    assert done.given is not None
    assert done.given < done.anchored
    grown(tmp_path / "new", 2)
    rotated(tmp_path / "new")
    grown(tmp_path / "new", 3)


def test_other_process_on_postgres_stops_signing_with_the_old_key(
    postgres_url: str, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with running(here, postgres_url) as execution:
        seed(execution)
    shutil.copytree(here, there)
    with running(there, postgres_url) as other:
        act(other, 1)
        new = rotated(here, postgres_url)
        size = other.ledger.size()
        with pytest.raises(KeyChanged, match="was handed over by another process"):
            act(other, 2)
        with pytest.raises(KeyChanged):
            act(other, 3)
        assert other.ledger.size() == size
    with running(here, postgres_url) as execution:
        act(execution, 4)
        newest = execution.ledger.checkpoint()
        assert newest is not None
        assert verify(newest.note, new).size == size + 1


def test_command_line_rotates_lists_and_says_what_is_next(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner().invoke
    told = run(app, ["keys", "list", "--data", str(data)])
    assert (told.exit_code, told.output.count("signs now")) == (0, 1)
    told = run(app, ["keys", "rotate", "--data", str(data / "none"), "--why", WHY])
    assert told.exit_code == 1
    monkeypatch.setattr("config.load.load_plant", lambda _name: _Pack)
    told = run(app, ["keys", "rotate", "--data", str(data), "--why", WHY])
    assert told.exit_code == 0, told.output
    assert "signs from now on, and stands in the ledger" in told.output
    told = run(app, ["keys", "list", "--data", str(data)])
    assert told.output.count("signed up to") == 1
    out = data.parent / "whole"
    assert run(app, ["export", "--data", str(data), "--out", str(out)]).exit_code == 0
    assert "signed by 2 keys in turn" in run(app, ["verify", str(out)]).output


class _Pack:
    """The test's plant, which is no pack on disk."""

    id = "test"
