"""A bundle on disk, folder or zip, and what is said of one that proves nothing."""

from __future__ import annotations

import base64
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

PROVEN = {"entries.jsonl", "leaves.txt", "proofs.json", "checkpoint", "log.vkey", "keys.txt"}
PROVEN.add("verify.py")
MANIFEST, SIGNED = "manifest-sha256.txt", "manifest-sha256.sig"
LONGEST = 1 << 26  # of a line, and of a text: what has no end must not fill the memory


class Broken(Exception):
    """What is not proven, as a sentence."""


class Bundle:
    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self.zip = None if self.folder.is_dir() else self.opened(path)
        self.closings: list[dict[str, Any]] = []
        self.key_acts: list[Any] = []  # on the log's keys: entry number, type, body

    @staticmethod
    def opened(path: str) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(path)
        except FileNotFoundError:
            raise Broken(f"{path} is not there") from None
        except zipfile.BadZipFile:
            raise Broken(f"{path} is neither a folder nor a whole zip") from None

    def open(self, name: str) -> IO[bytes]:
        try:
            return self.zip.open(name) if self.zip is not None else (self.folder / name).open("rb")
        except (KeyError, OSError):
            raise Broken(f"{name} is missing from the bundle") from None

    def text(self, name: str) -> str:
        with self.open(name) as file:
            text = file.read(LONGEST)
        if len(text) == LONGEST:
            raise Broken(f"{name}: is longer than any of ours")
        return text.decode("utf-8")

    def length(self, name: str) -> int:
        with self.open(name) as file:
            return file.seek(0, 2) if self.zip is None else self.zip.getinfo(name).file_size

    def names(self) -> set[str]:
        if self.zip is not None:
            return self.names_in(self.zip)
        files = (path for path in self.folder.rglob("*") if path.is_symlink() or not path.is_dir())
        return {path.relative_to(self.folder).as_posix() for path in files}

    @staticmethod
    def names_in(packed: zipfile.ZipFile) -> set[str]:
        """Where another program might show other files than are read here, nothing is proven."""
        members = packed.infolist()
        names = [one.filename for one in members if one.file_size or not one.is_dir()]
        for name in (name for name in names if names.count(name) > 1):
            raise Broken(f"{name}: is there twice, and programs differ in which one they show")
        if min((one.header_offset for one in members), default=0):
            raise Broken("the zip has other bytes before its first file")
        return set(names)


def shown(text: str) -> str:
    """A line as it can be read: what would end, hide or turn it around stands as its number."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def base64_of(text: str, what: str) -> bytes:
    blob = b""
    with suppress(ValueError):
        blob = base64.b64decode(text, validate=True)
    if base64.b64encode(blob).decode("ascii") != text:
        raise Broken(f"{what}: base64 is malformed")
    return blob


def refuse(text: str) -> Any:
    raise ValueError(f"{text} is not allowed, decimals are strings")


def whole(text: str) -> int:
    number = int(text)
    return number if -(2**53) < number < 2**53 else refuse(text)


DECODER = json.JSONDecoder(parse_float=refuse, parse_constant=refuse, parse_int=whole)
FORM: Any = {"sort_keys": True, "ensure_ascii": False, "check_circular": False}
ENCODER = json.JSONEncoder(separators=(",", ":"), **FORM)
