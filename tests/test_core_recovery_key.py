"""A log key lost without a copy: the recovery key that two people named hands the log over."""

import shutil
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.backup.restore import ShortOfAnchor, restore
from core.backup.take import backup
from core.key_files import NoPublicKey, NothingLost
from core.ledger.anchor import AnchorBroken
from core.ledger.audit import audit
from core.ledger.checkpoint import LogKey, Verifier, load_key, verify
from core.ledger.rotation import KEYS, STREAM, parse_keys, read_verifier, rotations_of
from core.ledger.store import open_ledger
from core.log_key import LogKeys, short
from core.projections.nouns import differences
from core.recovery_key import NoRecoveryKey, NotRecovered, SecondPersonNames
from dashboards.cli import app
from dashboards.compose import LogKeyMissing, open_execution, recover_log_key, recovery_name
from dashboards.key_acts import name_recovery_key, revocation, revoke
from tests.hands import refusal
from tests.plant import seed
from tests.plant_data import PIN
from tests.test_core_key_rotation import _Pack, act, exported, grown, rotated, running
from tests.verifier import stand_alone

WHY = "The disk with the key died, and nobody has a copy."
NAMING = "A key in the bank's safe, held by quality and engineering."
AWAY = LogKey(recovery_name("test"), bytes([7] * 32))
OTHER = LogKey(recovery_name("test"), bytes([8] * 32))


def saved(key: LogKey, path: Path) -> Path:
    """Write a private key as its file."""
    made = {AWAY.vkey: 7, OTHER.vkey: 8}[key.vkey]
    blob = stand_alone.base64.b64encode(b"\x01" + bytes([made] * 32)).decode()
    path.write_text(f"PRIVATE+KEY+{key.name}+{key.verifier.key_id.hex()}+{blob}\n", "ascii")
    path.chmod(0o600)
    return path


def named(data: Path, key: LogKey = AWAY, *, store: str | None = None) -> None:
    with running(data, store) as execution:
        for person in ("quinn", "erik"):
            name_recovery_key(execution, key.vkey, why=NAMING, user=person, secret=PIN)


def lost(data: Path) -> Verifier:
    """Lose the private key; return the public half of what was lost."""
    (data / "keys" / "log.key").unlink()
    return read_verifier(data / "keys")


def recovered(data: Path, key: LogKey = AWAY, *, store: str | None = None) -> Verifier:
    path = saved(key, data.parent / f"{key.verifier.key_id.hex()}.key")
    return recover_log_key(data, "test", path, database=store, why=WHY)


def size_of(data: Path) -> int:
    with closing(open_ledger(data / "ledger.db")) as ledger:
        return ledger.size()


def with_recovery_key(folder: Path) -> Path:
    """Make a plant that has named a recovery key, and recorded something since."""
    with running(folder) as execution:
        seed(execution)
    named(folder)
    grown(folder, 1)
    return folder


@pytest.fixture(scope="module")
def named_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_recovery_key(tmp_path_factory.mktemp("recovery") / "plant")


@pytest.fixture
def data(named_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(named_folder, tmp_path / "plant"))


# -- naming ----------------------------------------------------------------------------------------


@pytest.mark.requirement("H5", "H7")
def test_two_people_name_a_recovery_key_and_one_alone_does_not(data: Path) -> None:
    with running(data) as execution:
        tell = partial(name_recovery_key, execution, OTHER.vkey, why=NAMING, secret=PIN)
        assert tell(user="quinn").endswith("quinn has proposed it. Now another person runs the same"
                                           " command.")  # fmt: skip
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.recovery is not None
        assert (keys.recovery.vkey, keys.newest) == (
            AWAY.vkey,
            "",
        )
        says = refusal(SecondPersonNames, lambda: tell(user="quinn"))
        assert says == (
            f"Recovery key {short(OTHER.vkey)}: Quinn Quast has proposed it; another person must"
            " agree. Ask a second person to sign."
        )
        assert "is the recovery key from now on" in tell(user="erik")
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.recovery is not None
        assert (keys.recovery.vkey, keys.recovery.proposed_by, keys.recovery.by) == (
            OTHER.vkey, "quinn", "erik",
        )  # fmt: skip
        types = [one.type for one in execution.ledger.stream(STREAM)]
        assert types[-4:] == [
            "signature.applied", "key.recovery-proposed", "signature.applied", "key.recovery-named",
        ]  # fmt: skip
        assert differences(execution.ledger) == []


def test_what_is_no_recovery_key_of_this_log_is_not_named(data: Path) -> None:
    elsewhere = LogKey(recovery_name("salad"), bytes([7] * 32)).vkey
    with running(data) as execution:
        attempts = {
            AWAY.vkey: "is named already",
            AWAY.vkey[:-3] + "abc": "is no public key; a letter may be wrong",
            elsewhere: "is of batchwright.example/salad/recovery; a recovery key of this log ends",
            execution.verifier.text: "a recovery key of this log ends in /test/recovery",
        }
        for key, why in attempts.items():
            tell = partial(name_recovery_key, execution, key, why=NAMING, user="quinn", secret=PIN)
            says = refusal(NoRecoveryKey, tell)
            assert why in says
            assert "batchwright keys make-recovery" in says


# -- recovering ------------------------------------------------------------------------------------


@pytest.mark.requirement("H5", "H8", "P2")
def test_log_whose_key_is_lost_goes_on_under_a_key_that_the_recovery_key_names(data: Path) -> None:
    old, size = lost(data), size_of(data)
    with pytest.raises(LogKeyMissing, match="batchwright keys recover"):
        open_execution(data, "test")
    new = recovered(data)
    assert new.text != old.text
    with running(data) as execution:
        newest = execution.ledger.checkpoint()
        assert newest is not None
        assert verify(newest.note, new) == newest
        act(execution, 2)
        checkpoint = audit(execution.ledger, execution.verifier)
        assert checkpoint is not None
        assert checkpoint.size == size + 2
        entry = execution.ledger.stream(STREAM)[-1]
        assert (entry.type, entry.seq, entry.actor, entry.reason) == (
            "key.recovered", size + 1, "service:keys", WHY,
        )  # fmt: skip
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert (keys.newest, keys.recovery) == (new.text, None)
        [former] = keys.former
        assert (former.vkey, former.until, former.recovery) == (old.text, size, AWAY.vkey)
        assert differences(execution.ledger) == []
    assert (data / "keys" / "log.key").stat().st_mode & 0o077 == 0
    rotated(data)
    grown(data, 3)


@pytest.mark.requirement("H5", "H8")
def test_verifier_follows_a_recovery_from_the_lost_key_and_from_its_anchors(
    data: Path, tmp_path: Path
) -> None:
    anchor = Path(shutil.copyfile(data / "anchors" / "newest.note", tmp_path / "old.note"))
    first = read_verifier(data / "keys")
    rotated(data)
    grown(data, 2)
    old, size = lost(data), size_of(data)
    new = recovered(data)
    grown(data, 3)
    out = exported(data, tmp_path / "whole")
    so = f", signed by 3 keys in turn, {short(old.text)} was lost at {size} and recovered"
    for vkey in (None, first.text, old.text, new.text):
        says = stand_alone.verify(str(out), vkey, str(anchor))
        assert says.startswith("OK: ")
        assert says.splitlines()[0].endswith(so)
    part = exported(data, tmp_path / "part", streams=("person/quinn",))
    for vkey in (None, new.text):
        says = stand_alone.verify(str(part), vkey, str(anchor))
        assert says.startswith("OK: ")
        assert so in says.splitlines()[0]
    for vkey in (first.text, old.text):
        with pytest.raises(stand_alone.Broken) as refused:
            stand_alone.verify(str(part), vkey, str(anchor))
        assert str(refused.value) == (
            f"{short(old.text)} was lost and followed by the word of a recovery key, which only the"
            f" whole ledger proves; give {short(new.text)} as the key, from a source that you"
            " trust, or take a bundle of the whole ledger"
        )


def test_backup_after_a_recovery_restores_and_goes_on(data: Path, tmp_path: Path) -> None:
    anchor = Path(shutil.copyfile(data / "anchors" / "newest.note", tmp_path / "old.note"))
    lost(data)
    recovered(data)
    grown(data, 2)
    out = tmp_path / "backup"
    backup(data, out, lambda _: None, with_keys=True)
    with running(data) as execution:
        assert parse_keys((out / KEYS).read_text("utf-8")) == rotations_of(execution.ledger)
    assert restore(out, tmp_path / "new", lambda _: None, anchor=anchor).given is not None
    grown(tmp_path / "new", 3)


@pytest.mark.postgres
def test_recovery_goes_on_with_a_ledger_in_postgresql(postgres_url: str, tmp_path: Path) -> None:
    data = tmp_path / "plant"
    with running(data, postgres_url) as execution:
        seed(execution)
    named(data, store=postgres_url)
    lost(data)
    new = recovered(data, store=postgres_url)
    with running(data, postgres_url) as execution:
        act(execution, 1)
        assert execution.verifier.text == new.text


def test_start_finishes_a_recovery_that_a_power_cut_left_between_entry_and_file(data: Path) -> None:
    lost(data)
    new = recovered(data)
    (data / "keys" / "log.key").rename(data / "keys" / "log.key.next")
    (data / "keys" / KEYS).unlink()
    with running(data) as execution:
        act(execution, 2)
        assert execution.verifier.text == new.text


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.requirement("H5")
def test_another_key_than_the_named_one_recovers_nothing(data: Path) -> None:
    lost(data)
    size = size_of(data)
    says = refusal(NotRecovered, lambda: recovered(data, OTHER))
    assert says == (
        f"Log key: {short(OTHER.vkey)} is not the recovery key that this log names. Run batchwright"
        " keys recover with the key that keys list names."
    )
    assert size_of(data) == size
    assert not (data / "keys" / "log.key").exists()
    recovered(data)  # the key that was made before is taken


def test_recovery_key_that_another_one_replaced_recovers_nothing(data: Path) -> None:
    named(data, OTHER)
    lost(data)
    assert "is not the recovery key" in refusal(NotRecovered, lambda: recovered(data))
    recovered(data, OTHER)


def test_recovery_key_is_good_once(data: Path) -> None:
    lost(data)
    recovered(data)
    lost(data)
    assert "is not the recovery key" in refusal(NotRecovered, lambda: recovered(data))


def test_used_recovery_key_is_not_named_again_and_a_new_one_is(data: Path) -> None:
    lost(data)
    recovered(data)
    with running(data) as execution:
        tell = partial(name_recovery_key, execution, AWAY.vkey, why=NAMING, secret=PIN)
        says = refusal(NoRecoveryKey, lambda: tell(user="quinn"))
        assert "has recovered this log before, and none does so twice" in says
    named(data, OTHER)
    lost(data)
    recovered(data, OTHER)
    grown(data, 4)


def test_nothing_is_recovered_while_the_key_is_there_or_nothing_says_which_is_lost(
    data: Path,
) -> None:
    with pytest.raises(NothingLost, match="is there, so nothing is lost"):
        recovered(data)
    lost(data)
    (data / "keys" / "log.vkey").unlink()
    with pytest.raises(NoPublicKey, match="Put it back from a backup or a bundle"):
        recovered(data)


@pytest.mark.requirement("H5", "P2")
def test_ledger_that_is_behind_an_anchor_of_the_lost_key_is_not_recovered(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "backup"
    backup(data, out, lambda _: None)
    grown(data, 2)
    anchor = data / "anchors" / "newest.note"
    with pytest.raises(ShortOfAnchor):
        restore(out, tmp_path / "new", lambda _: None, anchor=anchor)
    with pytest.raises(AnchorBroken, match="and the ledger holds only"):
        recovered(tmp_path / "new")


def revoked(data: Path, vkey: str, trusted: int) -> None:
    with running(data) as execution:
        for person in ("quinn", "erik"):
            command = revocation(execution, short(vkey), trusted=trusted, cause="stolen", why=WHY)
            revoke(execution, command, user=person, secret=PIN)


@pytest.mark.requirement("H5")
def test_recovery_key_named_under_a_key_that_was_revoked_from_before_counts_only_named_anew(
    data: Path,
) -> None:
    first = read_verifier(data / "keys")
    with running(data) as execution:
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.recovery is not None
        entry = keys.recovery.entry
    rotated(data)
    revoked(data, first.text, entry - 1)
    kept = shutil.copytree(data, data.parent / "kept")
    lost(data)
    says = refusal(NotRecovered, lambda: recovered(data))
    assert f"was named by entry {entry}, under a key that was revoked from before that" in says
    named(kept)
    lost(kept)
    recovered(kept)


def test_recovery_key_named_under_a_key_that_is_trusted_up_to_there_counts(data: Path) -> None:
    first = read_verifier(data / "keys")
    with running(data) as execution:
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.recovery is not None
        entry = keys.recovery.entry
    rotated(data)
    revoked(data, first.text, entry)
    lost(data)
    recovered(data)


# -- the command line ------------------------------------------------------------------------------


def test_command_line_makes_names_tries_and_uses_a_recovery_key(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.load.load_plant", lambda _name: _Pack)
    run = CliRunner().invoke
    out, at = tmp_path / "away.key", ["--data", str(data)]
    told = run(app, ["keys", "make-recovery", "--out", str(data / "keys" / "r.key"), *at])
    assert (told.exit_code, "is in the plant's folder" in told.output) == (1, True)
    assert not (data / "keys" / "r.key").exists()
    told = run(app, ["keys", "make-recovery", "--out", str(out), *at])
    assert (told.exit_code, out.stat().st_mode & 0o077) == (0, 0), told.output
    vkey = load_key(out, recovery_name("test")).vkey
    assert f"--key {vkey}" in told.output
    told = run(app, ["keys", "make-recovery", "--out", str(out), *at])
    assert (told.exit_code, "is there already" in told.output) == (1, True)
    tries = ["keys", "check-recovery", "--recovery", str(out), *at]
    told = run(app, tries)
    assert (told.exit_code, "and the ledger names" in told.output) == (1, True)
    names = ["keys", "name-recovery", "--key", vkey, "--why", NAMING, *at]
    told = run(app, [*names, "--user", "quinn"], input=f"{PIN}\n")
    assert (told.exit_code, "quinn has proposed it" in told.output) == (0, True), told.output
    assert f"You sign: The recovery key {short(vkey)} may hand the log over" in told.output
    told = run(app, [*names, "--user", "erik"], input=f"{PIN}\n")
    assert (told.exit_code, "is the recovery key from now on" in told.output) == (0, True)
    told = run(app, tries)
    assert (told.exit_code, "Put it away again" in told.output) == (0, True), told.output
    told = run(app, ["keys", "list", *at])
    assert f"{vkey}  recovers the log, named by quinn and erik" in told.output
    recovers = ["keys", "recover", "--recovery", str(out), "--why", WHY, *at]
    told = run(app, recovers)
    assert (told.exit_code, "is there, so nothing is lost" in told.output) == (1, True)
    lost(data)
    told = run(app, recovers)
    assert (told.exit_code, "The recovery key is used up" in told.output) == (0, True), told.output
    told = run(app, ["keys", "list", *at])
    assert (
        "No recovery key is named: if log.key is lost, nobody can go on under this log."
        in told.output
    )
    told = run(app, tries)
    assert (told.exit_code, "names no recovery key" in told.output) == (1, True)
