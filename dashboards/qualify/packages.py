"""What is installed against what was locked: versions, and each file against its hash.

A package's wheel brings `RECORD`, the SHA-256 of each file in it; pip and uv check the wheel itself
against the lock's hash when they install it. Here each installed file is hashed again, so that a
file that was changed since shows by its name. A `RECORD` that was changed together with its file
does not show; its own SHA-256 is reported, to be compared with that of an earlier run.
"""

import csv
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "batchwright"
LOCK = "requirements.lock"
HERE = Path(__file__).resolve()
_PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]*\])?==(\S+?)(?:\s*;\s*(.+?))?\s*\\?$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One line of the lock; `applies` where its marker is true on this machine."""

    name: str
    version: str
    applies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One installed package: how many of its files have their hash, and which have not."""

    name: str
    version: str
    files: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    record_sha256: str

    @property
    def holds(self) -> bool:
        """Whether every file is there, as its wheel brought it."""
        return self.files > 0 and not self.changed and not self.missing


def lock_file() -> Path | None:
    """Return the lock: of the checkout, or the copy that travels in the wheel; None for none."""
    for path in (HERE.parents[2] / LOCK, HERE.with_name(LOCK)):
        if path.is_file():
            return path
    return None


def pins(lock: str) -> tuple[Pin, ...]:
    r"""Return what a lock names.

    >>> lock = "panel==1.10.0 \\\n    --hash=sha256:00\nwin==3 ; sys_platform == 'x' \\\n"
    >>> [(one.name, one.version, one.applies) for one in pins(lock)]
    [('panel', '1.10.0', True), ('win', '3', False)]
    """
    return tuple(
        Pin(
            name=str(canonicalize_name(name)),
            version=version,
            applies=not marker or Requirement(f"x ; {marker}").marker.evaluate(),  # type: ignore[union-attr]
        )
        for name, version, marker in _PINNED.findall(lock)
    )


def installed(name: str) -> Distribution | None:
    """Return an installed package, None where it is not there."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def needed(start: str = OURS) -> frozenset[str]:
    """Return the packages that the program needs to run here, itself left out."""
    waiting, found = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name in found or (it := installed(name)) is None:
            found.add(name)
            continue
        found.add(name)
        for line in it.requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                waiting.append(str(canonicalize_name(wanted.name)))
    return frozenset(found - {start})


def checked(it: Distribution) -> Checked:
    """Hash every file of a package that its `RECORD` names with a hash."""
    changed, missing, count = list[str](), list[str](), 0
    record = it.read_text("RECORD") or ""  # `files` would pass over those that are missing
    for name, given, _ in csv.reader(record.splitlines()):
        mode, _, wanted = given.partition("=")
        if mode != "sha256":
            continue
        try:
            found = _hash_of(Path(str(it.locate_file(name))))
        except OSError:
            missing.append(name)
            continue
        count += 1
        if found != wanted:
            changed.append(name)
    digest = sha256(record.encode()).hexdigest()
    return Checked(
        name=str(canonicalize_name(it.name)), version=it.version, files=count,
        changed=tuple(changed), missing=tuple(missing), record_sha256=digest,
    )  # fmt: skip


def _hash_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as body:
        while block := body.read(1 << 20):
            digest.update(block)
    return urlsafe_b64encode(digest.digest()).rstrip(b"=").decode("ascii")
