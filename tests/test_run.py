"""The launcher: it starts under an old Python, finds a new one, and steps aside."""

from __future__ import annotations

import ast
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import run

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = ROOT / "run.py"
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in interpreters are shell scripts")

STDLIB_OF_3_8 = {
    *("__future__", "contextlib", "fcntl", "glob", "hashlib", "os", "pathlib", "platform", "re"),
    *("shutil", "subprocess", "sys", "time", "typing"),
}


def script(path: Path, *lines: str) -> str:
    """Write an executable shell script, as a shim or a stand-in for an interpreter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return str(path)


def interpreter(path: Path, version: str, ensurepip: bool = True) -> str:
    """Write a stand-in that answers the launcher's probe as that version of Python would."""
    return script(path, f"echo python {version} {ensurepip} CPython")


def search(path: Path, home: Path) -> list[str]:
    """Return what the launcher would try, without the Python that runs this test."""
    return [one for one in run.candidates(str(path), home) if str(path.parent) in one]


# --- any Python may start it


def test_launcher_is_written_for_python_3_8() -> None:
    ast.parse(LAUNCHER.read_text("utf-8"), feature_version=(3, 8))


def test_launcher_imports_only_what_python_3_8_has() -> None:
    tree = ast.parse(LAUNCHER.read_text("utf-8"))
    modules = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert modules <= STDLIB_OF_3_8


def test_help_is_printed_by_the_oldest_python_of_this_machine() -> None:
    old = oldest_python()
    if old is None:
        pytest.skip("no Python from 3.8 to 3.11 on this machine")
    done = subprocess.run([old, str(LAUNCHER), "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("demo", "test", "check", "setup"):
        assert f"run.py {command}" in done.stdout


def oldest_python() -> str | None:
    kept = sorted(
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin/python")
    )
    names = [*map(str, kept), "/usr/bin/python3", *(f"python3.{minor}" for minor in range(8, 12))]
    found = [one for one in map(run.probe, names) if one and (3, 8) <= one.version < (3, 12)]
    return min(found, key=lambda one: one.version).path if found else None


def test_no_command_prints_the_help() -> None:
    done = subprocess.run([sys.executable, str(LAUNCHER)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, run.HELP)


def test_unknown_command_names_the_next_step() -> None:
    done = subprocess.run([sys.executable, str(LAUNCHER), "serve"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "serve is not a command. Run: python3 run.py --help\n"


# --- finding Python


def test_python_that_runs_is_the_first_choice() -> None:
    found, _ = run.choose(run.candidates(os.environ["PATH"], Path.home()), must_make=False)
    assert found is not None
    assert (found.path, found.version) == (sys.executable, sys.version_info[:3])


@posix
def test_shim_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    shims, real = tmp_path / "shims", tmp_path / "bin"
    script(shims / "python3.13", "echo 'command not found' >&2", "exit 127")
    expected = interpreter(real / "python3.13", "3 13 0")
    paths = [str(shims / "python3.13"), *run.candidates(f"{shims}{os.pathsep}{real}", tmp_path)]
    found, _ = run.choose([one for one in paths if str(tmp_path) in one], must_make=True)
    assert found is not None
    assert found.path == expected


@posix
def test_newest_name_on_the_path_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    for minor in (12, 14, 13):
        interpreter(folder / f"python3.{minor}", f"3 {minor} 0")
    assert [Path(one).name for one in search(folder, tmp_path)] == [
        "python3.14",
        "python3.13",
        "python3.12",
    ]


@posix
@pytest.mark.parametrize(("version", "chosen"), [("3 11 9", False), ("3 12 0", True)])
def test_python_3_12_is_the_oldest_that_will_do(tmp_path: Path, version: str, chosen: bool) -> None:
    found, seen = run.choose([interpreter(tmp_path / "python3", version)], must_make=True)
    assert (found is not None, len(seen)) == (chosen, 1)


@posix
def test_python_kept_by_pyenv_or_uv_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    kept = [
        interpreter(tmp_path / ".pyenv/versions/3.13.0/bin/python3.13", "3 13 0"),
        interpreter(
            tmp_path / ".local/share/uv/python/cpython-3.12.4-linux/bin/python3.12", "3 12 4"
        ),
    ]
    assert search(tmp_path / "empty", tmp_path) == kept


@posix
def test_python_without_ensurepip_will_do_beside_uv_only(tmp_path: Path) -> None:
    paths = [interpreter(tmp_path / "python3.13", "3 13 5", ensurepip=False)]
    assert run.choose(paths, must_make=False)[0] is not None
    found, seen = run.choose(paths, must_make=True)
    assert found is None
    assert run.advice(seen, "Linux", {"ID": "debian", "VERSION_ID": "13"}) == (
        f"{paths[0]} is new enough, but cannot make environments: ensurepip is missing.\n"
        "Install it:  sudo apt install python3.13-venv\n"
        "Then run the same command again."
    )


@pytest.mark.parametrize(
    ("system", "about", "step"),
    [
        (
            "Linux",
            {"ID": "debian", "VERSION_ID": "13"},
            "sudo apt install python3.13 python3.13-venv",
        ),
        (
            "Linux",
            {"ID": "ubuntu", "VERSION_ID": "24.04"},
            "sudo apt install python3.12 python3.12-venv",
        ),
        (
            "Linux",
            {"ID": "debian", "VERSION_ID": "12"},
            "curl -LsSf https://astral.sh/uv/install.sh | sh",
        ),
        ("Linux", {"ID": "fedora", "VERSION_ID": "43"}, "sudo dnf install python3.12"),
        ("Linux", {}, "curl -LsSf https://astral.sh/uv/install.sh | sh"),
        ("Darwin", {}, "brew install python@3.13"),
        ("Windows", {}, "winget install Python.Python.3.13"),
    ],
)
def test_too_old_a_machine_is_told_what_to_install(
    system: str, about: dict[str, str], step: str
) -> None:
    text = run.advice([run.Found("/usr/bin/python3", (3, 11, 2), True)], system, about)
    first, second, third, *_ = text.splitlines()
    assert first == "Batchwright needs Python 3.12 or newer; found on this machine: 3.11.2."
    assert second == "Install one:"
    assert third.strip().startswith(step)
    assert text.endswith("Then run the same command again.")


# --- the environment

ECHO = "import json, os, sys; print(json.dumps([os.getcwd(), sys.argv[1:]]))"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with a finished environment; its Python prints what it was asked."""
    for name in ("run.py", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    script(tmp_path / ".venv/bin/python", f"exec '{sys.executable}' -c '{ECHO}' \"$@\"")
    stamp(tmp_path)
    return tmp_path


def stamp(checkout: Path) -> None:
    ask = "import run; run.STAMP.write_text(run.fingerprint())"
    subprocess.run([sys.executable, "-c", ask], cwd=checkout, check=True)


def start(checkout: Path, *arguments: str, cwd: Path | None = None) -> tuple[str, list[str]]:
    """Start the launcher; return the folder and the arguments that its Python was given."""
    command = [sys.executable, str(checkout / "run.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
    assert done.stderr == ""
    folder, given = json.loads(done.stdout)
    return folder, given


@posix
def test_demo_hands_its_options_on_and_stays_where_it_was_called(checkout: Path) -> None:
    elsewhere = checkout / "elsewhere"
    elsewhere.mkdir()
    folder, given = start(checkout, "demo", "--data", "D", "--for", "90", "--help", cwd=elsewhere)
    assert Path(folder) == elsewhere.resolve()
    assert given == ["-P", "-m", "dashboards.cli", "demo", "--data", "D", "--for", "90", "--help"]


@posix
def test_test_runs_pytest_in_the_checkout(checkout: Path) -> None:
    folder, given = start(checkout, "test", "tests/test_run.py", "-k", "help", cwd=Path("/"))
    assert Path(folder) == checkout.resolve()
    assert given[:2] == ["-m", "pytest"]
    assert given[-3:] == ["tests/test_run.py", "-k", "help"]


def spent() -> float:
    """Return the processor time of ended children: a clock would measure the other tests, too."""
    found = os.times()
    return found.children_user + found.children_system


@posix
def test_second_start_adds_less_than_half_a_second(checkout: Path) -> None:
    def seconds(command: list[str]) -> float:
        begun = spent()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return spent() - begun

    alone = [str(checkout / ".venv/bin/python"), "demo"]
    through = [sys.executable, str(checkout / "run.py"), "demo"]
    added = statistics.median(seconds(through) - seconds(alone) for _ in range(5))
    assert added < 0.5


@posix
@pytest.mark.requirement("P2")
def test_bill_of_materials_names_every_package_of_the_lock_with_its_hashes(tmp_path: Path) -> None:
    made_twice = []
    for name, more in (("one.json", []), ("two.json", ["--no-validate"])):
        # The first is checked against its schema as it is made: seconds, and once is enough.
        command = [sys.executable, *run.sbom([str(tmp_path / name)]), *more]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
        made_twice.append((tmp_path / name).read_bytes())
    assert made_twice[0] == made_twice[1]  # the same lock, the same bytes: no clock, no chance
    made = json.loads(made_twice[0])
    assert (made["bomFormat"], made["metadata"]["component"]["name"]) == (
        "CycloneDX",
        "batchwright",
    )
    text = run.LOCK.read_text("utf-8")
    locked = dict(re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", text, re.M))
    assert {one["name"]: one["version"] for one in made["components"]} == locked
    assert all(one["externalReferences"][0]["hashes"] for one in made["components"])


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_lock_or_project_makes_the_environment_stale(checkout: Path, name: str) -> None:
    ask = [sys.executable, "-c", "import run; print(run.is_current())"]
    before = subprocess.run(ask, cwd=checkout, capture_output=True, text=True, check=True).stdout
    (checkout / name).write_text((checkout / name).read_text() + "\n# changed\n")
    after = subprocess.run(ask, cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert (before, after) == ("True\n", "False\n")


@posix
def test_moved_checkout_makes_the_environment_stale(checkout: Path) -> None:
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    ask = [sys.executable, "-c", "import run; print(run.is_current())"]
    assert subprocess.run(ask, cwd=moved, capture_output=True, check=True).stdout == b"False\n"


@posix
def test_folder_that_is_no_environment_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv/batchwright-stamp").unlink()
    (checkout / ".venv/bin/python").unlink()
    done = subprocess.run(
        [sys.executable, str(checkout / "run.py"), "setup"], capture_output=True, text=True
    )
    sentence = f"{checkout / '.venv'} is not a Python environment. Move it away and run again.\n"
    assert (done.returncode, done.stderr) == (1, sentence)
    assert (checkout / ".venv").is_dir()


# --- test and check


def test_whole_suite_is_spread_and_one_file_is_not() -> None:
    whole = run.tests(["-x"])
    if (os.cpu_count() or 1) > 1:
        assert whole[:3] == ["-m", "pytest", "-n"]
    assert run.tests(["tests/test_run.py::test_x"]) == ["-m", "pytest", "tests/test_run.py::test_x"]
    assert run.tests(["-n0"]) == ["-m", "pytest", "-n0"]


def test_check_refuses_an_option_it_does_not_know() -> None:
    with pytest.raises(run.Stop) as refusal:
        run.check(sys.executable, ["--no-test"])
    assert str(refusal.value) == "check: --no-test is not an option. It takes --no-tests and --fix."
