"""The program's own files against what was released: a wheel's hashes, or a commit's.

In an install from a wheel, `RECORD` holds the hash of each file. In a checkout the commit does: its
tree names each file with the hash of its content, which is made anew here from the file itself.
"""

import shutil
import subprocess
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path

from dashboards.qualify.packages import HERE, OURS, checked, installed

ROOT = HERE.parents[2]
ROOMS = ("analytics", "capture", "config", "core", "dashboards", "erp")
TOLD_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFiles:
    """What the program's files were compared with, and which of them differ."""

    against: str
    files: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]


class Unknown(Exception):
    """There is nothing to compare the files with; the text says why."""


def version() -> str:
    """Return the version of the program that is installed."""
    it = installed(OURS)
    return "unknown" if it is None else it.version


def content_sha256(root: Path = ROOT) -> str:
    """Return one SHA-256 over the program's files, each by its path and its own hash."""
    lines = (
        f"{sha256((root / path).read_bytes()).hexdigest()}  {path}\n" for path in _present(root)
    )
    return sha256("".join(lines).encode()).hexdigest()


def _present(root: Path) -> list[str]:
    """Return the files in the program's rooms, without what Python itself puts there."""
    found = (
        path.relative_to(root).as_posix()
        for room in ROOMS
        for path in (root / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return sorted(found)


def compared(root: Path = ROOT) -> OwnFiles:
    """Compare the program's files with what was released.

    Raises:
        Unknown: it is neither a wheel with hashes nor a checkout that git can read.
    """
    if (root / ".git").exists():
        return against_commit(root)
    it = installed(OURS)
    if it is None:
        raise Unknown("The program is not installed as a package. Install its wheel.")
    found = checked(it)
    if found.files == 0:
        raise Unknown("The installed package carries no hashes. Install its wheel.")
    return OwnFiles(
        against=f"the wheel of version {it.version}", files=found.files, changed=found.changed,
        missing=found.missing, added=(),
    )  # fmt: skip


def against_commit(root: Path) -> OwnFiles:
    """Compare a checkout's files with its commit, each by the hash that git has of it.

    Raises:
        Unknown: git is not there, or cannot read the checkout.
    """
    commit = _git(root, "rev-parse", "HEAD").strip()
    changed, missing, known = list[str](), list[str](), set[str]()
    for line in _git(root, "ls-tree", "-r", "-z", "HEAD", "--", *ROOMS).split("\0"):
        if not line:
            continue
        about, path = line.split("\t", 1)
        known.add(path)
        try:
            body = (root / path).read_bytes()
        except OSError:
            missing.append(path)
            continue
        blob = sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
        if blob != about.split()[2]:
            changed.append(path)
    return OwnFiles(
        against=f"commit {commit}",
        files=len(known) - len(missing),
        changed=tuple(changed),
        missing=tuple(missing),
        added=tuple(path for path in _present(root) if path not in known),
    )


def _git(root: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise Unknown("This is a checkout, and git is not on this machine. Install git.")
    done = subprocess.run(  # noqa: S603
        [git, "-C", str(root), *arguments], capture_output=True, text=True, timeout=TOLD_S,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Unknown(f"git cannot read {root}: {done.stderr.strip()}")
    return done.stdout
