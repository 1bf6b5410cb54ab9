#!/usr/bin/env python3
"""Start Batchwright from a checkout: make its environment once, then run the plant or its checks.

Standard library only, and written for any Python from 3.8 on: the Python that starts this
file is often not the one the plant needs. The environment is `.venv` beside this file. It is made
from `requirements.lock` (every file pinned by hash), and again when that or pyproject.toml changes.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, NoReturn, Tuple

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "batchwright-stamp"
OLDEST = (3, 12)
MINORS = (14, 13, 12)  # the order of search beyond the Python that started us
WINDOWS = os.name == "nt"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

HELP = """\
Batchwright: the plant floor's system of record.

  python3 run.py demo [options]     start a living plant and print one link and account per role
                                    (python3 run.py demo --help lists the options)
  python3 run.py test [pytest ...]  run the tests; what was skipped is printed with its reason
  python3 run.py check              lint, format, types, tests
                 --no-tests         without the tests
                 --fix              let the linter and the formatter mend what they can
  python3 run.py setup              only make the environment, for example before going offline
  python3 run.py lock [--upgrade]   write requirements.lock anew from pyproject.toml (needs uv)
  python3 run.py sbom [FILE]        write the bill of materials of requirements.lock (CycloneDX)

The first run looks for Python 3.12 or newer, makes .venv and installs what requirements.lock
names, with uv where it is on PATH, else with pip. Later runs start at once. To begin again,
delete .venv. Nothing outside this folder is changed, and no command here needs root.
"""


class Stop(Exception):
    """The launcher cannot go on; the text says why and what to do next."""


def say(text: str) -> None:
    """Print one line for the person at the terminal, apart from the output of what we start."""
    print(text, file=sys.stderr, flush=True)


class Found(NamedTuple):
    """A Python that really starts: its path, version, and whether it can make environments."""

    path: str
    version: Tuple[int, ...]  # noqa: UP006 - evaluated, also by Python 3.8
    can_make: bool  # Debian splits ensurepip off into python3-venv


PROBE = (
    "import importlib.util as u, platform, sys;"
    "print('python', *sys.version_info[:3], u.find_spec('ensurepip') is not None,"
    " platform.python_implementation())"
)


def probe(path: str) -> Found | None:
    """Return what `path` is, or None: a name on PATH may be a shim without its Python."""
    nowhere = {"stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run([path, "-c", PROBE], stdout=subprocess.PIPE, timeout=30, **nowhere)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.decode("utf-8", "replace").split()
    if done.returncode != 0 or len(words) != 6 or words[0] != "python" or words[5] != "CPython":
        return None
    return Found(path, tuple(int(word) for word in words[1:4]), words[4] == "True")


def candidates(path: str, home: Path) -> Iterator[str]:
    """Yield the interpreters worth a try, best first; the same file may come twice."""
    yield sys.executable
    folders = [folder for folder in path.split(os.pathsep) if folder]
    for minor in MINORS:  # every folder: the first hit may be a shim that does not start
        yield from filter(None, (shutil.which(f"python3.{minor}", path=one) for one in folders))
    for folder in folders:
        yield from filter(None, (shutil.which(name, path=folder) for name in ("python3", "python")))
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    kept = [
        Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"),
        Path("/Library/Frameworks/Python.framework/Versions"),
        Path("/opt/homebrew/opt"),
        Path("/usr/local/opt"),
    ]
    if WINDOWS:
        kept.append(Path(os.environ.get("APPDATA", home)) / "uv" / "python")
        kept.append(Path(os.environ.get("LOCALAPPDATA", home)) / "Programs" / "Python")
    for minor in MINORS:
        for store in kept:
            for inside in (f"bin/python3.{minor}", "python.exe"):
                yield from sorted(glob.glob(str(store / f"*3*{minor}*" / inside)), reverse=True)


def choose(paths: Iterable[str], must_make: bool) -> tuple[Found | None, list[Found]]:
    """Return the first Python that is new enough, and all that were looked at.

    Args:
        paths: interpreters to try, best first.
        must_make: also ask for the parts that make an environment (not needed beside uv).
    """
    seen: dict[str, Found] = {}
    for path in paths:
        if not path or path in seen:
            continue
        found = probe(path)
        if found is None:
            continue
        seen[path] = found
        if found.version[:2] >= OLDEST and (found.can_make or not must_make):
            return found, list(seen.values())
    return None, list(seen.values())


def release() -> dict[str, str]:
    """Return the keys of /etc/os-release, empty elsewhere."""
    try:
        text = Path("/etc/os-release").read_text("utf-8")
    except OSError:
        return {}
    return {key: value.strip('"') for key, value in re.findall(r"^(\w+)=(.*)$", text, re.M)}


def advice(seen: list[Found], system: str, about: dict[str, str]) -> str:
    """Return what to install so that the next start succeeds, for this system."""
    split = [found for found in seen if found.version[:2] >= OLDEST]
    if split:
        first = split[0]
        return (
            f"{first.path} is new enough, but cannot make environments: ensurepip is missing.\n"
            f"Install it:  sudo apt install python3.{first.version[1]}-venv\n"
            "Then run the same command again."
        )
    have = ", ".join(sorted({".".join(map(str, found.version)) for found in seen})) or "none"
    uv = "curl -LsSf https://astral.sh/uv/install.sh | sh    (uv then fetches Python by itself)"
    number = float("0" + (re.match(r"\d+(\.\d+)?", about.get("VERSION_ID", "")) or [""])[0])
    name, steps = about.get("ID", ""), [uv]
    if system == "Darwin":
        steps = ["brew install python@3.13", "or the installer from https://www.python.org", uv]
    elif system == "Windows":
        steps = ["winget install Python.Python.3.13"]
    elif (name == "debian" and number >= 13) or (name == "ubuntu" and number >= 25):
        steps = ["sudo apt install python3.13 python3.13-venv", uv]
    elif name == "ubuntu" and number >= 24:
        steps = ["sudo apt install python3.12 python3.12-venv", uv]
    elif name in ("fedora", "rhel", "centos", "rocky", "almalinux"):
        steps = ["sudo dnf install python3.12", uv]
    elif name == "arch":
        steps = ["sudo pacman -S python"]
    lines = "\n  or  ".join(steps)
    return (
        f"Batchwright needs Python 3.12 or newer; found on this machine: {have}.\n"
        f"Install one:\n      {lines}\nThen run the same command again."
    )


def python_in(venv: Path) -> Path:
    """Return the interpreter of an environment."""
    return venv / "Scripts" / "python.exe" if WINDOWS else venv / "bin" / "python"


def fingerprint() -> str:
    """Return what an environment must have been made from to be used as it is."""
    digest = hashlib.sha256(str(ROOT).encode("utf-8"))  # an environment does not survive a move
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current() -> bool:
    """Say whether the environment can be used without a look inside."""
    try:
        return STAMP.read_text("ascii") == fingerprint() and python_in(VENV).exists()
    except OSError:
        return False


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the set-up lock: two terminals started at once must not install into one folder."""
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows, where the second start is on its own
    except ImportError:
        yield
        return
    with (ROOT / ".venv.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(command: list[str], what: str) -> None:
    """Run one step with its own output; a failure stops with the step's name."""
    if subprocess.call(command, cwd=str(ROOT), env=pip_environment()) != 0:
        raise Stop(f"{what} did not succeed; the lines above say why. Mend that and run again.")


def pip_environment() -> dict[str, str]:
    """Return the environment without what would send pip's work elsewhere."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    kept.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return kept


def pip(python: str, arguments: list[str], total: int) -> None:
    """Run pip and count its packages on one line, since its own output is hundreds of lines."""
    command = [python, "-m", "pip", "install", *arguments]
    tail: list[str] = []
    count, shown, live = 0, 0.0, sys.stderr.isatty()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=str(ROOT), env=pip_environment(), **pipes) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            tail = [*tail[-24:], line]
            count += line.startswith("Collecting ")
            if total and time.monotonic() - shown > (0.2 if live else 10):
                shown = time.monotonic()
                end = "\r" if live else "\n"
                print(f"  {count} of {total}", end=end, file=sys.stderr, flush=True)
    if process.returncode != 0:
        say("\n".join(tail))
        raise Stop("pip did not succeed; the lines above say why. Mend that and run again.")


def own_uv(python: str) -> str | None:
    """Install the lock's own uv, which installs the rest many times faster; None without it."""
    entry = re.search(r"^uv==.*(?:\n    .*)*", LOCK.read_text("utf-8"), re.M)
    only = VENV / "uv.txt"
    only.write_text(entry.group() + "\n" if entry else "", "utf-8")
    locked = ["--no-compile", "--no-deps", "--require-hashes", "-r", str(only)]
    subprocess.call([python, "-m", "pip", "install", *locked], env=pip_environment(), **QUIET)
    return shutil.which("uv", path=str(Path(python).parent))


def make() -> None:
    """Make or mend the environment so that it holds the lock and this project."""
    uv = shutil.which("uv")
    usable = probe(str(python_in(VENV))) if VENV.exists() else None
    if VENV.exists() and (usable is None or usable.version[:2] < OLDEST):
        if not (VENV / "pyvenv.cfg").is_file():
            raise Stop(f"{VENV} is not a Python environment. Move it away and run again.")
        shutil.rmtree(str(VENV))
        usable = None
    if usable is None:
        found, seen = choose(candidates(os.environ.get("PATH", ""), Path.home()), must_make=not uv)
        if found is None and not uv:
            raise Stop(advice(seen, platform.system(), release()))
        base = found.path if found else "3.13"
        say(f"Making .venv with {base if found else 'Python 3.13, fetched by uv'}")
        if uv:
            run([uv, "venv", "--quiet", "--seed", "--python", base, str(VENV)], "uv venv")
        else:
            run([base, "-m", "venv", str(VENV)], "python -m venv")
    python = str(python_in(VENV))
    with contextlib.suppress(OSError):  # a half-changed environment must not pass for a whole one
        STAMP.unlink()
    total = len(re.findall(r"^[\w.-]+(\[.*\])?==", LOCK.read_text("utf-8"), re.M))
    say(f"Installing up to {total} packages from requirements.lock (once)")
    locked = ["--no-deps", "--require-hashes", "-r", str(LOCK)]
    project = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    uv = uv or own_uv(python)
    if uv:
        run([uv, "pip", "install", "--python", python, *locked], "uv pip install")
        run([uv, "pip", "install", "--quiet", "--python", python, *project], "uv pip install")
    else:
        pip(python, ["--no-compile", *locked], total)
        pip(python, project, 0)
    STAMP.write_text(fingerprint(), "ascii")


def environment() -> str:
    """Return the interpreter of the finished environment; make it first where needed."""
    if not is_current():
        started = time.monotonic()
        with alone():
            if not is_current():
                make()
        say("The environment is ready after %.0f s." % (time.monotonic() - started))
    return str(python_in(VENV))


def become(command: list[str]) -> NoReturn:
    """Run `command` as this process where the system can, so that signals reach it directly."""
    # Compiled once, and kept beside the environment, even where compiling is switched off.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(VENV / "pycache")
    if not WINDOWS:
        os.execv(command[0], command)
    try:
        sys.exit(subprocess.call(command))
    except KeyboardInterrupt:
        sys.exit(130)


def tests(arguments: list[str]) -> list[str]:
    """Return pytest's arguments: the whole suite is spread over the processors, a file is not."""
    chosen = any(
        not argument.startswith("-") and (ROOT / argument.split("::")[0]).exists()
        for argument in arguments
    )
    spread = any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in arguments)
    workers = min(4, (os.cpu_count() or 1) + 2)  # more: tests of servers wait a third of their time
    if chosen or spread or workers < 3:
        return ["-m", "pytest", *arguments]
    return ["-m", "pytest", "-n", str(workers), "--dist", "worksteal", *arguments]


def check(python: str, arguments: list[str]) -> int:
    """Run every check, the later ones too when an earlier one fails; return the exit status."""
    unknown = [argument for argument in arguments if argument not in ("--no-tests", "--fix")]
    if unknown:
        raise Stop(f"check: {unknown[0]} is not an option. It takes --no-tests and --fix.")
    fix = "--fix" in arguments
    steps = [
        ("lint", ["-m", "ruff", "check", *(["--fix"] if fix else []), "."]),
        ("format", ["-m", "ruff", "format", *([] if fix else ["--check"]), "."]),
        ("types", ["-m", "mypy"]),
    ]
    if "--no-tests" not in arguments:
        steps.append(("tests", tests([])))
    failed = []
    for name, command in steps:
        say(f"== {name}")
        if subprocess.call([python, *command], cwd=str(ROOT)) != 0:
            failed.append(name)
    say(f"check: not passed: {', '.join(failed)}" if failed else "check: all passed")
    return 1 if failed else 0


def lock(arguments: list[str]) -> int:
    """Write requirements.lock: one file for every system and Python, hashes, no index address."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(python_in(VENV).parent))
    if uv is None:
        raise Stop("lock: there is no uv here. Run: python3 run.py setup")
    command = [
        *(uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes"),
        *("--python-version", "3.12", "--no-emit-index-url", "--no-emit-find-links"),
        *("--extra", "postgres", "--group", "dev", "-o", LOCK.name, "pyproject.toml"),
    ]
    os.environ["UV_CUSTOM_COMPILE_COMMAND"] = "python3 run.py lock"
    return subprocess.call([*command, *arguments], cwd=str(ROOT))


def sbom(arguments: list[str]) -> list[str]:
    """Return what writes the bill of materials: every package of the lock with its hashes."""
    to = os.path.abspath(arguments[0]) if arguments else "-"
    made = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "-o", to]
    return ["-W", "ignore", "-m", "cyclonedx_py", "requirements", *made, str(LOCK)]


def main(arguments: list[str]) -> int:
    """Run one command line; return the exit status."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if command not in ("demo", "test", "check", "setup", "lock", "sbom"):
        raise Stop(f"{command} is not a command. Run: python3 run.py --help")
    if command == "lock":
        return lock(rest)
    python = environment()
    if command == "check":
        return check(python, rest)
    if command == "sbom":
        become([python, *sbom(rest)])
    if command == "test":
        os.chdir(str(ROOT))
        become([python, *tests(rest)])
    if command == "demo":
        # -P: a folder named core or config where the caller stands must not hide ours
        become([python, "-P", "-m", "dashboards.cli", "demo", *rest])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stop as reason:
        sys.exit(str(reason))
    except KeyboardInterrupt:
        sys.exit(130)
