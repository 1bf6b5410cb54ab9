"""The command line: a wrong folder is refused in a sentence, and nothing is made in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboards.cli import app
from tests.patience import PATIENCE_S
from tests.verifier import FILE

GOLDEN = Path(__file__).parent / "golden" / "bundle"


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["erp", "status"], "erp_outbox.db"),
        (["keys", "list"], "ledger.db"),
        (["rebuild"], "ledger.db"),
        (["export", "--out", "bundle"], "ledger.db"),
        (["adopt-actions", "--user", "quinn", "--plant", "tablets"], "ledger.db"),
        (["keys", "rotate", "--plant", "tablets", "--why", "Yearly."], "ledger.db"),
        (["keys", "check-recovery", "--recovery", "away.key"], "ledger.db"),
        (["secrets", "list"], "keys"),
        (["secrets", "drop", "erp-send"], "keys"),
        (["secrets", "rotate"], "keys"),
    ],
    ids=lambda it: " ".join(it[:2]) if isinstance(it, list) else it,
)
@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "absent"])
def test_folder_that_holds_no_plant_is_refused_and_left_as_it_is(
    tmp_path: Path, command: list[str], missing: str, *, is_there: bool
) -> None:
    data = tmp_path / "typed-wrong"
    if is_there:
        data.mkdir()
    told = CliRunner().invoke(app, [*command, "--data", str(data)])
    assert (told.exit_code, type(told.exception)) == (1, SystemExit)
    assert f"{data}: holds no {missing}. Name the" in told.output
    assert data.is_dir() is is_there
    assert not is_there or list(data.iterdir()) == []


def test_connected_erp_is_asked_for_without_making_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "typed-wrong"
    command = ["erp", "peer", "--plant", "tablets", "--data", str(data)]
    told = CliRunner().invoke(app, command)
    assert (told.exit_code, "No ERP: neither erp.toml nor" in told.output) == (1, True)
    monkeypatch.setenv("BATCHWRIGHT_ERP_ADDRESS", "https://erp.example")
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 1
    assert told.output == (
        f"{data}: keeps no erp-send and erp-receive for this address. Name the plant's data folder,"
        " or set them: batchwright secrets set NAME.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none", "none.zip"])
def test_path_that_is_not_there_is_said_in_words(tmp_path: Path, name: str) -> None:
    path, run = tmp_path / name, CliRunner().invoke
    told = run(app, ["restore", "--from", str(path), "--data", str(tmp_path / "new")])
    assert (told.exit_code, told.output) == (1, f"{path}: is not there. Look at the path.\n")
    told = run(app, ["verify", str(path)])
    assert (told.exit_code, told.output) == (1, f"NOT PROVEN: {path} is not there.\n")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_backup_and_no_bundle_is_called_so(tmp_path: Path) -> None:
    run, new = CliRunner().invoke, str(tmp_path / "new")
    packed, folder = tmp_path / "some.zip", tmp_path / "some"
    packed.write_bytes(b"no zip")
    folder.mkdir()
    told = run(app, ["restore", "--from", str(packed), "--data", new])
    assert f"{packed}: is no backup of a plant, neither a folder nor a whole zip." in told.output
    told = run(app, ["restore", "--from", str(folder), "--data", new])
    assert f"{folder}: is no backup of a plant, manifest-sha256.txt is not there." in told.output
    told = run(app, ["verify", str(packed)])
    assert told.output == f"NOT PROVEN: {packed} is neither a folder nor a whole zip.\n"
    told = run(app, ["verify", str(folder)])
    assert told.output == "NOT PROVEN: log.vkey is missing from the bundle.\n"


@pytest.mark.parametrize(("bundle", "status"), [("whole", 0), ("none", 1)])
def test_verifier_whose_reader_has_gone_keeps_its_verdict_and_shows_no_trace(
    bundle: str, status: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, str(FILE), str(GOLDEN / bundle)],
            stdout=gone, stderr=subprocess.PIPE, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, b"")
