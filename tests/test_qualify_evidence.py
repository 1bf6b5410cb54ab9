"""The evidence of a qualification, and the command that makes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from core.ledger.checkpoint import LogKey
from dashboards.cli import app
from dashboards.qualify import machine, operation, plant_data
from dashboards.qualify.machine import Install
from dashboards.qualify.qualification import NotEmpty, _check_empty
from dashboards.qualify.requirements import TITLES
from dashboards.qualify.script import Found, NotRun, Script, run, script
from tests.hands import PACK
from tests.qualified import installed_plant
from tests.records import squeezed


def told(outcome: str, id: str = "IQ-90") -> Script[Install]:
    """Return a test that ends as it is told."""

    @script(
        id, f"Ends {outcome}", shows=("P2",), clauses=("21 CFR 11.10(a)",), steps=("Do it.",),
        expected="It passes.",
    )  # fmt: skip
    def act(_: Install, found: Found) -> None:
        """To see how it is shown."""
        if outcome == "not run":
            raise NotRun("There is no lamp. Bring one.")
        found.must(outcome == "passed", "The lamp is on.", otherwise="The lamp is off.")

    return act


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant's data folder with its keys."""
    return installed_plant(tmp_path_factory.mktemp("plant") / "data")


@pytest.fixture
def tests_are(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put these outcomes in the place of the tests of installation."""

    def put(*outcomes: str) -> None:
        scripts = tuple(told(one, f"IQ-9{n}") for n, one in enumerate(outcomes))
        monkeypatch.setattr(machine, "SCRIPTS", scripts)
        monkeypatch.setattr(plant_data, "SCRIPTS", ())

    return put


def qualified(plant: Path, out: Path, *more: str) -> Any:
    arguments = ["qualify", "--data", str(plant), "--only", "IQ", "--out", str(out), *more]
    return CliRunner().invoke(app, arguments)


def verified(folder: Path, *more: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(folder / "verify.py"), str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.requirement("P2")
@pytest.mark.parametrize(
    ("outcomes", "status", "sentence"),
    [
        (("passed", "passed"), 0, "2 of 2 tests passed."),
        (("passed", "not run"), 2, "1 of 2 tests passed, 1 were not run."),
        (("passed", "failed", "not run"), 1, "1 of 3 tests passed, 1 failed, 1 were not run."),
    ],
)
def test_status_and_sentence_hide_nothing(
    plant: Path, tmp_path: Path, tests_are: Any, outcomes: tuple[str, ...], status: int,
    sentence: str,
) -> None:  # fmt: skip
    tests_are(*outcomes)
    done = qualified(plant, tmp_path / "out", "--json", str(tmp_path / "r.json"), "--by", "Ines")
    assert done.exit_code == status, done.output
    assert sentence in done.output.splitlines()
    report = json.loads((tmp_path / "r.json").read_text())
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    [requirement] = report["requirements"]
    assert (requirement["id"], requirement["title"]) == ("P2", TITLES["P2"])
    assert [one["outcome"] for one in requirement["tests"]] == list(outcomes)
    assert report["by"] == "Ines"
    paper = PdfReader(BytesIO((tmp_path / "out" / "report.pdf").read_bytes()))
    text = squeezed("".join(page.extract_text() for page in paper.pages))
    for words in (
        sentence,
        "Signatures on paper",
        "Trace matrix",
        *(f"Ends {o}" for o in outcomes),
    ):
        assert squeezed(words) in text
    if "failed" in outcomes:
        assert squeezed("The lamp is off.") in text
    if "not run" in outcomes:
        assert squeezed("There is no lamp. Bring one.") in text


@pytest.mark.requirement("P2", "H8")
def test_evidence_is_checked_offline_and_one_changed_byte_is_refused(
    plant: Path, tmp_path: Path, tests_are: Any
) -> None:
    tests_are("passed")
    out = tmp_path / "out"
    qualified(plant, out)
    vkey = (plant / "keys" / "log.vkey").read_text().strip()
    status, says = verified(out, "--vkey", vkey)
    assert (status, says.splitlines()[0]) == (
        0, f"OK: 4 files as batchwright.example/{PACK.id} signed them, a list and no ledger",
    )  # fmt: skip
    assert says.endswith("(as given)\n")
    note = str(plant / "anchors" / "newest.note")
    assert verified(out, "--anchor", note)[0] == 1
    for name in ("report.json", "report.pdf", "log.vkey"):
        bad = Path(shutil.copytree(out, tmp_path / f"bad-{name}"))
        body = bytearray((bad / name).read_bytes())
        body[len(body) // 2] ^= 1
        (bad / name).write_bytes(bytes(body))
        assert verified(bad, "--vkey", vkey)[0] == 1
    (out / "more.txt").write_text("more")
    assert verified(out) == (
        1, "NOT PROVEN: more.txt: does not belong to the bundle, the manifest lacks it.\n",
    )  # fmt: skip


@pytest.mark.requirement("P2", "H8")
def test_evidence_signed_by_another_key_or_by_none_is_refused(
    plant: Path, tmp_path: Path, tests_are: Any
) -> None:
    tests_are("passed")
    out = tmp_path / "out"
    qualified(plant, out)
    other = LogKey(f"batchwright.example/{PACK.id}", bytes(32)).vkey
    assert "did not sign it, so nothing proves report.json" in verified(out, "--vkey", other)[1]
    (out / "report.json").unlink()
    (out / "report.pdf").unlink()
    lines = (out / "manifest-sha256.txt").read_text().splitlines(keepends=True)
    kept = "".join(one for one in lines if "report" not in one)
    (out / "manifest-sha256.txt").write_text(kept)
    assert verified(out) == (
        1, "NOT PROVEN: it holds neither a ledger nor files that a key signed.\n",
    )  # fmt: skip


@pytest.mark.requirement("P2")
def test_refusals_say_what_to_do(plant: Path, tmp_path: Path, tests_are: Any) -> None:
    tests_are("passed")
    done = CliRunner().invoke(app, ["qualify", "--only", "PQ"])
    assert done.exit_code == 1
    assert "--only PQ: must be IQ or OQ, or left out for both." in done.output
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.txt").write_text("old")
    done = qualified(plant, tmp_path / "full")
    assert "full: is there already. Name a new one; nothing is ever written over." in done.output
    done = qualified(tmp_path / "nowhere", tmp_path / "out")
    assert done.exit_code == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.requirement("P2")
def test_a_database_that_holds_entries_is_no_place_for_a_scratch_plant(
    postgres_url: str, tmp_path: Path
) -> None:
    _check_empty(postgres_url)
    installed_plant(tmp_path, database=postgres_url)
    with pytest.raises(NotEmpty) as refusal:
        _check_empty(postgres_url)
    assert "Name an empty one" in str(refusal.value)


@pytest.mark.requirement("P1", "P2")
def test_every_test_has_a_whole_script_and_shows_a_requirement_that_has_a_title() -> None:
    scripts: list[Script[Any]] = [*machine.SCRIPTS, *plant_data.SCRIPTS, *operation.SCRIPTS]
    assert len({one.id for one in scripts}) == len(scripts)
    for one in scripts:
        assert all((one.purpose, one.steps, one.expected, one.clauses, one.shows)), one.id
        assert set(one.shows) <= TITLES.keys(), one.id
    assert {name for one in scripts for name in one.shows} == TITLES.keys()
    wanted = {"H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "C4", "C5", "I4", "I7"}
    assert wanted <= {name for one in operation.SCRIPTS for name in one.shows}


@pytest.mark.requirement("P2")
def test_a_test_that_stops_or_looks_at_nothing_has_failed(plant: Path) -> None:
    def stops(_where: object, _found: Found) -> None:
        raise RuntimeError("no lamp")

    def nothing(_where: object, _found: Found) -> None:
        """Look at nothing."""

    about: Any = {
        "shows": ("P2",), "clauses": ("x",), "steps": ("x",), "expected": "x",
    }  # fmt: skip
    assert run(script("X", "x", **about)(stops), plant).why == (
        "The test stopped: RuntimeError: no lamp"
    )
    assert run(script("X", "x", **about)(nothing), plant).why == "Nothing was looked at."
