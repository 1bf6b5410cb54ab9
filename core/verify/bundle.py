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


class Broken(Exception):
    """What is not proven, as a sentence."""


class Bundle:
    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self.zip = None if self.folder.is_dir() else zipfile.ZipFile(path)
        self.closings: list[dict[str, Any]] = []
        self.key_acts: list[Any] = []  # on the log's keys: entry number, type, body

    def open(self, name: str) -> IO[bytes]:
        try:
            return self.zip.open(name) if self.zip is not None else (self.folder / name).open("rb")
        except (KeyError, OSError):
            raise Broken(f"{name} is missing from the bundle") from None

    def text(self, name: str) -> str:
        with self.open(name) as file:
            return file.read().decode("utf-8")

    def names(self) -> set[str]:
        if self.zip is not None:
            return {name for name in self.zip.namelist() if not name.endswith("/")}
        files = (path for path in self.folder.rglob("*") if not path.is_dir())
        return {path.relative_to(self.folder).as_posix() for path in files}


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
