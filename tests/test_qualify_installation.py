"""IQ: what is not as it was released, or not as it must be, is named."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from base64 import urlsafe_b64encode
from contextlib import closing
from hashlib import sha256
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from core.authority import AdoptAuthority
from core.errors import MesError
from core.execution import Actor
from dashboards.compose import open_execution
from dashboards.qualify import machine, own_files, packages, plant_data
from dashboards.qualify.machine import Install
from dashboards.qualify.script import NotRun, Outcome, Result, run
from tests.hands import PACK
from tests.qualified import installed_plant


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant's whole data folder, its server stopped."""
    return installed_plant(tmp_path_factory.mktemp("whole") / "plant")


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """The plant's data of this test alone."""
    return Path(shutil.copytree(whole, tmp_path / "plant"))


def of(data: Path) -> Install:
    return Install(plant=PACK.id, data=data, store=None)


def contents(data: Path) -> dict[Path, bytes]:
    """Return every file but SQLite's index of its log, where readers leave their marks."""
    files = (path for path in data.rglob("*") if path.is_file() and path.suffix != ".db-shm")
    return {path: body for path in files if (body := path.read_bytes())}


def says(result: Result) -> str:
    """Return the first thing that did not hold."""
    assert result.outcome is Outcome.FAILED
    return result.why


@pytest.mark.requirement("P2")
def test_a_plant_as_it_must_be_passes_and_is_only_read(data: Path) -> None:
    before = contents(data)
    results = [run(one, of(data)) for one in plant_data.SCRIPTS]
    assert {one.script.id: one.why for one in results if one.outcome is not Outcome.PASSED} == {}
    assert contents(data) == before


@pytest.mark.requirement("P2")
def test_a_server_that_runs_goes_on(data: Path) -> None:
    execution = open_execution(data, PACK.id)
    execution.start()
    try:
        results = [run(one, of(data)) for one in plant_data.SCRIPTS]
        assert [one.why for one in results if one.outcome is not Outcome.PASSED] == []
        with pytest.raises(MesError):  # its lock is its own still
            open_execution(data, PACK.id).start()
    finally:
        execution.close()


@pytest.mark.requirement("P2", "H5")
def test_a_missing_trigger_is_named(data: Path) -> None:
    with closing(sqlite3.connect(data / "ledger.db")) as raw:
        raw.execute("drop trigger checkpoint_no_update")
    assert says(run(plant_data.durability, of(data))) == ("checkpoint: no trigger refuses UPDATE.")


@pytest.mark.requirement("P2", "H5")
def test_a_changed_entry_is_named(data: Path) -> None:
    with closing(sqlite3.connect(data / "ledger.db")) as raw:
        raw.execute("drop trigger entry_no_update")
        raw.execute(
            "update entry set body = cast(replace(body, 'quinn', 'ines') as blob) where seq = 9"
        )
        raw.execute("update entry set body = cast(body || ' ' as blob) where seq = 7")
        raw.commit()
    assert "Entry 7" in says(run(plant_data.entries_hold, of(data)))


@pytest.mark.requirement("P2")
def test_a_database_of_another_schema_is_named(data: Path) -> None:
    with closing(sqlite3.connect(data / "credentials.db")) as raw:
        raw.execute("update schema_credentials set version_num = '0001'")
        raw.commit()
    assert says(run(plant_data.schemas, of(data))) == (
        "credentials: schema 0001, this version needs 0002."
    )


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("name", ["keys", "keys/log.key"])
def test_a_key_that_others_may_read_is_named(data: Path, name: str) -> None:
    (data / name).chmod(0o750 if name == "keys" else 0o640)
    assert f"Others may read {name}." in says(run(plant_data.keys, of(data)))


@pytest.mark.requirement("P2")
def test_a_disk_that_is_full_with_the_next_backup_fails(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    for free, outcome in (
        (used + (1 << 30), Outcome.PASSED),
        (used + (1 << 30) - 1, Outcome.FAILED),
    ):
        disk = type("Disk", (), {"free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda _path, disk=disk: disk)
        assert run(plant_data.room, of(data)).outcome is outcome


@pytest.mark.requirement("P2", "C5")
@pytest.mark.parametrize(
    ("kept", "error_us", "outcome"),
    [
        (True, 999_999, Outcome.PASSED),
        (True, 1_000_000, Outcome.FAILED),
        (False, 0, Outcome.FAILED),
    ],
)
def test_a_clock_that_nothing_keeps_fails(
    data: Path, monkeypatch: pytest.MonkeyPatch, kept: bool, error_us: int, outcome: Outcome
) -> None:
    monkeypatch.setattr(machine, "synchronized", lambda: (kept, error_us))
    assert run(machine.time_source, of(data)).outcome is outcome


@pytest.mark.requirement("P2")
def test_a_system_that_does_not_tell_of_its_clock_is_not_run(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    result = run(machine.time_source, of(data))
    assert result.outcome is Outcome.NOT_RUN
    assert "does not tell" in result.why
    with pytest.raises(NotRun):
        machine.synchronized()


def wheel(folder: Path, **files: bytes) -> PathDistribution:
    """Return an installed package with these files and their hashes."""
    about = folder / "lamp-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp\nVersion: 1.2\n")
    lines = []
    for name, body in files.items():
        (folder / f"{name}.py").write_bytes(body)
        digest = urlsafe_b64encode(sha256(body).digest()).rstrip(b"=").decode()
        lines.append(f"{name}.py,sha256={digest},{len(body)}\n")
    (about / "RECORD").write_text("".join(lines) + "lamp-1.2.dist-info/RECORD,,\n")
    return PathDistribution(about)


@pytest.mark.requirement("P2", "P3")
def test_a_changed_missing_or_unlocked_package_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = wheel(tmp_path / "site", bulb=b"light = 1\n", cord=b"length = 2\n")
    assert packages.checked(it).holds
    (tmp_path / "site" / "bulb.py").write_bytes(b"light = 2\n")
    (tmp_path / "site" / "cord.py").unlink()
    found = packages.checked(it)
    assert (found.changed, found.missing, found.holds) == (("bulb.py",), ("cord.py",), False)
    lock = tmp_path / "requirements.lock"
    lock.write_text("lamp==1.3 \\\n    --hash=sha256:00\nshade==1 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(packages, "lock_file", lambda: lock)
    monkeypatch.setattr(packages, "installed", lambda name: it if name == "lamp" else None)
    monkeypatch.setattr(packages, "needed", lambda: frozenset({"lamp", "shade", "plug"}))
    result = run(machine.locked, of(data))
    assert [one.says for one in result.actual if not one.holds] == [
        "Not installed: shade.",
        "Needed and not locked: plug.",
        "lamp 1.2 instead of 1.3.",
        "2 of 1 files differ or are missing: lamp: bulb.py; lamp: cord.py.",
    ]


@pytest.mark.requirement("P2")
def test_what_runs_here_is_locked_and_a_marker_of_another_system_is_left_out() -> None:
    lock = packages.lock_file()
    assert lock is not None
    pins = {one.name: one for one in packages.pins(lock.read_text("utf-8"))}
    assert {"panel", "sqlalchemy", "packaging", "typst"} <= packages.needed() <= pins.keys()
    text = "win==3 ; sys_platform == 'nowhere' \\\n    --hash=sha256:00\n"
    assert [one.applies for one in packages.pins(text)] == [False]


@pytest.mark.requirement("P2", "P3")
def test_files_that_are_not_the_commits_are_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "checkout"
    (root / "core").mkdir(parents=True)
    for name in ("one", "two", "three"):
        (root / "core" / f"{name}.py").write_text(f"{name} = 1\n")
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    assert own_files.compared(root).changed == ()
    (root / "core" / "one.py").write_text("one = 2\n")
    (root / "core" / "two.py").unlink()
    (root / "core" / "four.py").write_text("four = 1\n")
    found = own_files.compared(root)
    assert (found.changed, found.missing, found.added) == (
        ("core/one.py",), ("core/two.py",), ("core/four.py",),
    )  # fmt: skip
    monkeypatch.setattr(own_files, "compared", lambda: found)
    result = run(machine.program, of(data))
    assert len([one for one in result.actual if not one.holds]) == 3
    monkeypatch.setenv("PATH", "")
    with pytest.raises(own_files.Unknown):
        own_files.against_commit(root)


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("name", ["machine", "sqlite", "time_runs", "plant_pack", "paper"])
def test_this_machine_passes_what_every_machine_of_ours_must(data: Path, name: str) -> None:
    result = run(getattr(machine, name), of(data))
    assert (result.outcome, result.why) == (Outcome.PASSED, "")


@pytest.mark.requirement("P3")
def test_other_rules_have_another_hash(data: Path) -> None:
    before = run(plant_data.rules, of(data)).values["plant"]
    assert run(plant_data.rules, of(data)).values["plant"] == before
    execution = open_execution(data, PACK.id)
    execution.start()
    matrix = PACK.authority.matrix | {"person.retire": ("admin", "qa")}
    adopt = AdoptAuthority(plant=PACK.id, zone="Europe/Berlin", matrix=matrix)
    execution.submit(adopt, actor=Actor("quinn"), idem="test:other")
    execution.close()
    assert run(plant_data.rules, of(data)).values["plant"] != before
