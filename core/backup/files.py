"""What a backup consists of on disk: names, the list of hashes under it, folder or zip."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.errors import LedgerBroken, MesError, file_says
from core.ledger.checkpoint import LogKey, Verifier, manifest_is_signed, sign_manifest
from core.ledger.rotation import VKEY as VKEY
from core.ledger.rotation import read_verifier

ABOUT, NOTE = "backup.json", "checkpoint"
MANIFEST, SIGNED = "manifest-sha256.txt", "manifest-sha256.sig"
FORMAT = 1


class NoBackup(MesError):
    """What was named is no backup, or is not the backup that was made."""

    def __init__(
        self, where: Path, why: str, next_step: str = "Take another copy of the backup."
    ) -> None:
        super().__init__(f"{where}: {why}. {next_step}")


class Occupied(MesError):
    """Something is where a backup or a restored plant is to go."""

    def __init__(self, where: Path | str, what: str) -> None:
        super().__init__(f"{where}: {what}. Name a new one; nothing is ever written over.")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def seal(folder: Path, key: LogKey) -> None:
    """Write the list of all files with their hashes, and the log key's signature under it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{digest_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    text = "".join(lines).encode("utf-8")
    (folder / MANIFEST).write_bytes(text)
    (folder / SIGNED).write_text(sign_manifest(key, text), "utf-8")


def check(folder: Path, where: Path) -> tuple[dict[str, Any], Verifier]:
    """Return what a backup says of itself and the key of its log, after every hash was compared.

    Raises:
        NoBackup: a file is missing, changed or too much, or the list is not signed by that key.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNED).read_text("utf-8")
        verifier = read_verifier(folder)
        about = json.loads((folder / ABOUT).read_text("utf-8"))
    except OSError as fault:
        name = Path(str(fault.filename)).name
        raise NoBackup(where, f"is no backup of a plant, {name} {file_says(fault)}") from fault
    except (ValueError, LedgerBroken) as fault:
        raise NoBackup(where, f"is no backup of a plant, {fault}") from fault
    if not manifest_is_signed(verifier, text, signature):
        raise NoBackup(where, f"its list of files is not signed by {verifier.text}")
    listed = {line[66:]: line[:64] for line in text.decode("utf-8").splitlines()}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name in sorted(listed.keys() - found):
        raise NoBackup(where, f"{name} is missing")
    for name in sorted(found - listed.keys() - {MANIFEST, SIGNED}):
        raise NoBackup(where, f"{name} is not of this backup")
    for name, digest in listed.items():
        if digest_of(folder / name) != digest:
            raise NoBackup(where, f"{name} is not the file that was backed up")
    if about.get("format") != FORMAT:
        raise NoBackup(where, f"has format {about.get('format')}, this server reads {FORMAT}")
    return about, verifier


@contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """Give a folder to fill; it becomes `out`, folder or zip, only when all of it is on the disk.

    Raises:
        Occupied: there is something at `out`.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise Occupied(out, "is there already")
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    packed = draft.with_name(draft.name + ".zip")
    try:
        yield draft
        if out.suffix == ".zip":
            _zip(draft, packed)
            _force(packed)
        for path in sorted(draft.rglob("*")) if out.suffix != ".zip" else ():
            if path.is_file():
                _force(path)
        if out.is_dir():
            out.rmdir()
        (packed if out.suffix == ".zip" else draft).replace(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        packed.unlink(missing_ok=True)


def _zip(folder: Path, packed: Path) -> None:
    packed.touch(mode=0o600)  # for its owner from its first byte on
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """Give the folder of a backup; a zip is unpacked for as long as it is needed.

    Raises:
        NoBackup: there is no such folder or zip.
    """
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="batchwright-restore-") as folder:
        try:
            with zipfile.ZipFile(source) as file:
                file.extractall(folder)  # leaves no name outside the folder
        except OSError as fault:
            raise NoBackup(source, file_says(fault), "Look at the path.") from fault
        except zipfile.BadZipFile as fault:
            why = "is no backup of a plant, neither a folder nor a whole zip"
            raise NoBackup(source, why) from fault
        yield Path(folder)
