"""A stolen or lost log key: two people take trust from it, and everybody who checks follows."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.backup.files import NoBackup
from core.backup.restore import restore
from core.backup.take import backup
from core.execution import Actor, Credentials, Execution
from core.key_revocation import (
    NoFormerKey,
    RevokeLogKey,
    SecondPersonRevokes,
    TrustedTooFar,
)
from core.ledger.anchor import AnchorFolder
from core.ledger.checkpoint import (
    KeyRevoked,
    LogKey,
    NoteBroken,
    Verifier,
    load_key,
    sign,
    verify,
)
from core.ledger.rotation import KEYS, STREAM, as_recorded, read_verifier
from core.ledger.store import open_ledger
from core.log_key import LogKeys, short
from core.projections.nouns import differences
from dashboards.audit.checks import verify as check
from dashboards.cli import app
from dashboards.key_acts import revocation, revoke
from tests.hands import refusal
from tests.plant import seed
from tests.plant_data import PIN
from tests.test_core_key_rotation import _Pack, exported, grown, rotated, running
from tests.verifier import stand_alone

WHY = "The stick with the key was taken from the safe."
GOOD = 20  # entries up to which the plant still trusts the stolen key


@dataclass
class Stolen:
    """A plant whose first key was stolen, and handed over since; its people sign with a PIN."""

    data: Path
    first: Verifier
    key: LogKey

    def told(self, execution: Execution, person: str, **other: object) -> str:
        given = {"trusted": GOOD, "cause": "stolen", "why": WHY} | other
        command = revocation(execution, short(self.first.text), **given)  # type: ignore[arg-type]
        return revoke(execution, command, user=person, secret=PIN)

    def anchor(self, size: int, root: bytes, name: str = "thief.note") -> Path:
        """Return a checkpoint that the thief signs."""
        path = self.data.parent / name
        path.write_text(sign(self.key, size, root).note, "utf-8")
        return path

    def root(self, size: int) -> bytes:
        ledger = open_ledger(self.data / "ledger.db")
        try:
            return ledger.root(size)
        finally:
            ledger.close()


@pytest.fixture(scope="module")
def rotated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("revocation") / "plant"
    with running(folder) as execution:
        seed(execution)
    shutil.copytree(folder / "keys", folder.parent / "taken")
    rotated(folder)
    grown(folder, 1)
    return folder


@pytest.fixture(scope="module")
def revoked_folder(rotated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(rotated_folder, tmp_path_factory.mktemp("revoked") / "plant"))
    it = thief(rotated_folder, folder)
    with running(folder) as execution:
        it.told(execution, "quinn")
        it.told(execution, "erik")
    return folder


def thief(rotated_folder: Path, data: Path) -> Stolen:
    """Return the plant as the thief of its first key knows it."""
    first = read_verifier(rotated_folder.parent / "taken")
    return Stolen(data, first, load_key(rotated_folder.parent / "taken" / "log.key", first.name))


@pytest.fixture
def handed(rotated_folder: Path, tmp_path: Path) -> Stolen:
    """The log was handed over, and nobody has revoked the first key yet."""
    return thief(rotated_folder, Path(shutil.copytree(rotated_folder, tmp_path / "plant")))


@pytest.fixture
def plant(rotated_folder: Path, revoked_folder: Path, tmp_path: Path) -> Stolen:
    """The first key is revoked."""
    return thief(rotated_folder, Path(shutil.copytree(revoked_folder, tmp_path / "plant")))


# -- the entry -------------------------------------------------------------------------------------


@pytest.mark.requirement("H5", "H7")
def test_two_people_revoke_a_former_key_and_one_alone_does_not(handed: Stolen) -> None:
    with running(handed.data) as execution:
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        told = handed.told(execution, "quinn")
        assert told.endswith("quinn has proposed it. Now another person runs the same command.")
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert (keys.former[0].revoked, keys.proposed and keys.proposed.by) == (None, "quinn")
        says = refusal(SecondPersonRevokes, lambda: handed.told(execution, "quinn"))
        assert says == (
            f"Log key {short(handed.first.text)}: Quinn Quast has proposed its revocation; another"
            " person must agree. Ask a second person to sign."
        )
        told = handed.told(execution, "erik")
        assert (
            f"is revoked, its checkpoints count up to {GOOD} entries.\nGive {keys.newest}" in told
        )
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        gone = keys.former[0].revoked
        assert gone is not None
        assert (gone.trusted, gone.cause, gone.proposed_by, gone.by, keys.proposed) == (
            GOOD, "stolen", "quinn", "erik", None,
        )  # fmt: skip
        entries = execution.ledger.stream(STREAM)
        assert [one.type for one in entries] == [
            "key.rotated", "signature.applied", "key.revocation-proposed", "signature.applied",
            "key.revoked",
        ]  # fmt: skip
        assert entries[3].data["manifest"]["words"] == (
            f"The log key {short(handed.first.text)} of {handed.first.name} was stolen. Its"
            f" checkpoints count up to {GOOD} entries and no further; who trusts it must take the"
            f" key {short(keys.newest)} instead. {WHY}"
        )
        assert differences(execution.ledger) == []


def test_another_size_or_cause_is_another_proposal(handed: Stolen) -> None:
    with running(handed.data) as execution:
        handed.told(execution, "quinn")
        told = handed.told(execution, "erik", trusted=GOOD - 1)
        assert "erik has proposed it" in told
        told = handed.told(execution, "quinn", trusted=GOOD - 1, cause="lost")
        assert "quinn has proposed it" in told
        assert "is revoked" in handed.told(execution, "erik", trusted=GOOD - 1, cause="lost")


def test_key_that_signs_now_is_first_followed_by_another(handed: Stolen) -> None:
    with running(handed.data) as execution:
        newest = execution.verifier.text

        def send(key: str) -> None:
            command = RevokeLogKey(
                key=key, trusted=0, cause="lost", why=WHY, seen=execution.seen(STREAM)
            )
            credentials = Credentials(secret=PIN, user="quinn")
            actor = Actor("quinn", "terminal")
            execution.submit(command, actor=actor, idem=f"t:{key}", credentials=credentials)

        for key in (newest, "deadbeef"):
            says = refusal(NoFormerKey, partial(send, key))
            assert "is no former key of this log" in says
            assert "batchwright keys rotate" in says


def test_trust_ends_within_what_the_key_signed_and_never_comes_back(handed: Stolen) -> None:
    with running(handed.data) as execution:
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        until = keys.former[0].until
        says = refusal(TrustedTooFar, lambda: handed.told(execution, "quinn", trusted=until + 1))
        assert f"it counts up to {until} at most" in says
        for person in ("quinn", "erik"):
            handed.told(execution, person, trusted=until)
        refusal(TrustedTooFar, lambda: handed.told(execution, "quinn", trusted=until))
        for person in ("quinn", "erik"):  # it was stolen earlier than was thought
            handed.told(execution, person, trusted=0)
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.former[0].revoked is not None
        assert keys.former[0].revoked.trusted == 0


# -- whoever checks --------------------------------------------------------------------------------


@pytest.mark.requirement("H5", "H8")
@pytest.mark.parametrize("streams", [(), ("person/quinn",)])
def test_verifier_takes_the_stolen_keys_checkpoints_up_to_the_named_one_and_no_later(
    plant: Stolen, tmp_path: Path, streams: tuple[str, ...]
) -> None:
    newest = read_verifier(plant.data / "keys").text
    out = exported(plant.data, tmp_path / "out", streams=streams)
    revoked = short(plant.first.text)
    good = plant.anchor(GOOD, plant.root(GOOD))
    says = stand_alone.verify(str(out), newest, str(good))
    assert says.startswith("OK: ")
    assert f", {revoked} revoked: good to {GOOD}\n" in says
    later = plant.anchor(GOOD + 1, plant.root(GOOD + 1))  # even where it is of this history
    with pytest.raises(stand_alone.Broken) as refused:
        stand_alone.verify(str(out), newest, str(later))
    ledger = open_ledger(plant.data / "ledger.db")
    entry = ledger.stream(STREAM)[-1].seq
    ledger.close()
    assert str(refused.value) == (
        f"the anchor: is signed by key {revoked}, which entry {entry} revoked; it counts up to"
        f" {GOOD} entries"
    )


@pytest.mark.requirement("H5", "H8")
def test_history_that_the_thief_forges_is_refused_and_so_is_trust_in_his_key(
    plant: Stolen, tmp_path: Path
) -> None:
    newest = read_verifier(plant.data / "keys").text
    out = exported(plant.data, tmp_path / "out")
    other = plant.anchor(GOOD, bytes(32))
    with pytest.raises(stand_alone.Broken, match="are not those of the anchor"):
        stand_alone.verify(str(out), newest, str(other))
    with pytest.raises(stand_alone.Broken) as refused:
        stand_alone.verify(str(out), plant.first.text, None)
    assert f"the key {short(plant.first.text)} proves nothing any more: entry" in str(refused.value)
    assert f"get {short(newest)} from a source that you trust" in str(refused.value)
    note = (out / "checkpoint").read_text("utf-8").splitlines()
    forged = sign(plant.key, int(note[1]), stand_alone.base64_of(note[2], "root"))
    (out / "checkpoint").write_text(forged.note, "utf-8")
    with pytest.raises(stand_alone.Broken, match="the checkpoint is not signed by"):
        stand_alone.verify(str(out), newest, None)


def test_key_from_before_the_stolen_one_leads_nowhere_either(
    handed: Stolen, tmp_path: Path
) -> None:
    """Its successor was named by a key that the thief has."""
    second = read_verifier(handed.data / "keys")
    rotated(handed.data)
    third = read_verifier(handed.data / "keys")
    with running(handed.data) as execution:
        for person in ("quinn", "erik"):
            command = revocation(
                execution, short(second.text), trusted=GOOD, cause="stolen", why=WHY
            )
            revoke(execution, command, user=person, secret=PIN)
    out = exported(handed.data, tmp_path / "out")
    for vkey in (handed.first.text, second.text):
        with pytest.raises(stand_alone.Broken, match="proves nothing any more"):
            stand_alone.verify(str(out), vkey, None)
    assert stand_alone.verify(str(out), third.text, None).startswith("OK: ")


def test_ledger_side_refuses_the_same_notes(plant: Stolen) -> None:
    ledger = open_ledger(plant.data / "ledger.db")
    try:
        keys = as_recorded(read_verifier(plant.data / "keys"), ledger)
        assert verify(sign(plant.key, GOOD, bytes(32)).note, keys).size == GOOD
        with pytest.raises(KeyRevoked, match=f"it counts up to {GOOD} entries"):
            verify(sign(plant.key, GOOD + 1, bytes(32)).note, keys)
        with pytest.raises(NoteBroken, match="no signature of"):
            verify(sign(LogKey(keys.name, bytes(32)), GOOD, bytes(32)).note, keys)
    finally:
        ledger.close()


def test_reader_without_the_notes_says_which_key_they_would_lead_from(plant: Stolen) -> None:
    (plant.data / "keys" / KEYS).unlink()
    told = CliRunner().invoke(app, ["keys", "list", "--data", str(plant.data)])
    assert told.exit_code == 1
    assert f"keys.txt: does not know the log key {short(plant.first.text)}, which entry" in (
        told.output
    )
    assert "Put keys.txt back from a backup or a bundle" in told.output
    grown(plant.data, 4)  # a start writes it anew
    assert (plant.data / "keys" / KEYS).exists()


@pytest.mark.requirement("H5")
def test_audit_says_which_copies_count_for_nothing_and_the_plant_goes_on(plant: Stolen) -> None:
    copy = plant.data / "anchors" / f"{GOOD + 2:012d}.note"
    copy.write_text(sign(plant.key, GOOD + 2, bytes(32)).note, "utf-8")
    with running(plant.data) as execution:
        verdict = check(execution, lambda _done, _whole: None)
        assert verdict.holds
        assert f"This copy proves nothing: {copy.name}: {GOOD + 2} entries are signed by key" in (
            verdict.says
        )
        found = AnchorFolder(plant.data / "anchors").checkpoints(execution.verifier)
        assert copy not in [path for path, _ in found]
    grown(plant.data, 2)


@pytest.mark.requirement("P2")
def test_restore_refuses_an_anchor_that_the_thief_signed_and_takes_an_older_one(
    plant: Stolen, tmp_path: Path
) -> None:
    out = tmp_path / "backup"
    backup(plant.data, out, lambda _: None, with_keys=True)
    later = plant.anchor(GOOD + 1, plant.root(GOOD + 1))
    with pytest.raises(NoBackup, match=f"revoked; it counts up to {GOOD} entries"):
        restore(out, tmp_path / "refused", lambda _: None, anchor=later)
    assert not (tmp_path / "refused").exists()
    good = plant.anchor(GOOD, plant.root(GOOD))
    done = restore(out, tmp_path / "new", lambda _: None, anchor=good)
    assert done.given == GOOD
    grown(tmp_path / "new", 3)


# -- the command line ------------------------------------------------------------------------------


def test_command_line_revokes_for_two_people_and_lists_it(
    handed: Stolen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.load.load_plant", lambda _name: _Pack)
    run = CliRunner().invoke
    key = short(handed.first.text)
    words = ["keys", "revoke", "--data", str(handed.data), "--key", key, "--why", WHY]
    words += ["--trusted", str(GOOD), "--cause", "stolen"]
    told = run(app, [*words, "--user", "quinn"], input=f"{PIN}\n")
    assert (told.exit_code, "quinn has proposed it" in told.output) == (0, True), told.output
    assert f"You sign: The log key {key} of " in told.output
    assert f"Refused: its checkpoints of {GOOD + 1} entries and more" in told.output
    told = run(app, [*words, "--user", "erik"], input="wrong-secret\n")
    assert told.exit_code == 1
    told = run(app, [*words[:-1], "mislaid", "--user", "erik"], input=f"{PIN}\n")
    assert "--cause is stolen or lost" in told.output
    told = run(app, [*words, "--user", "erik"], input=f"{PIN}\n")
    assert (told.exit_code, "is revoked" in told.output) == (0, True), told.output
    told = run(app, ["keys", "list", "--data", str(handed.data)])
    assert f"counts up to {GOOD} entries" in told.output
    assert told.output.count("signs now") == 1
    out = handed.data.parent / "out"
    assert run(app, ["export", "--data", str(handed.data), "--out", str(out)]).exit_code == 0
    broken = handed.anchor(0, bytes(32))
    broken.write_text("no note", "utf-8")
    asks = ["export", "--data", str(handed.data), "--batch", "B1", "--anchor", str(broken)]
    told = run(app, [*asks, "--out", str(out / "more")])
    assert (told.exit_code, "is no checkpoint, its second line must be" in told.output) == (1, True)
    newest = read_verifier(handed.data / "keys").text
    told = run(app, ["verify", str(out), "--vkey", newest])
    assert (told.exit_code, f"{key} revoked: good to {GOOD}" in told.output) == (0, True)
    told = run(app, ["verify", str(out), "--vkey", handed.first.text])
    assert (told.exit_code, "proves nothing any more" in told.output) == (1, True)
