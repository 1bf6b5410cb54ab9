"""Secrets known from breaches, in a file that the plant brings.

A line is a secret's SHA-1 in hexadecimal capitals, with `:` and a count behind it or without, and
the lines are in their order: so Pwned Passwords are given out, and with some forty gigabytes they
are too many to travel along. The hash finds a line; it protects nothing.
"""

from hashlib import sha1
from pathlib import Path
from typing import IO

from core.errors import Refused

DIGITS = 40


class BreachedFileUnfit(Refused):
    """The file cannot be searched."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path}: {what}. Give SHA-1 hashes in capitals, one a line, in their order.",
            path=str(path),
        )


class BreachedFile:
    """A file of hashes in their order, searched where it lies; safe from any thread."""

    def __init__(self, path: Path) -> None:
        """Look at the beginning of the file.

        Raises:
            BreachedFileUnfit: it is not there, or is no such list.
        """
        if not path.is_file():
            raise BreachedFileUnfit(path, "is no file")
        self._path, self._size = path, path.stat().st_size
        with path.open("rb") as file:
            first, second = _key(file.readline()), _key(file.readline())
        keys = [key for key in (first, second) if key]
        if not all(_is_hash(key) for key in keys) or keys != sorted(keys) or not first:
            raise BreachedFileUnfit(path, "is no list of hashes in their order")

    def __call__(self, secret: str) -> bool:
        """Tell whether a secret, exactly as it is, is in the file."""
        digest = sha1(secret.encode(), usedforsecurity=False).hexdigest()
        wanted = digest.upper().encode()
        low, high = 0, self._size
        with self._path.open("rb") as file:
            while low < high:
                middle = (low + high) // 2
                key = _first_from(file, middle)
                if not key or key >= wanted:
                    high = middle
                else:
                    low = middle + 1
            return _first_from(file, low) == wanted


def _first_from(file: IO[bytes], at: int) -> bytes:
    """Return the hash of the first line that begins at a byte or behind it, empty for none."""
    file.seek(max(at - 1, 0))
    if at:
        file.readline()
    return _key(file.readline())


def _key(line: bytes) -> bytes:
    return line.strip().partition(b":")[0]


def _is_hash(key: bytes) -> bool:
    return len(key) == DIGITS and set(key) <= set(b"0123456789ABCDEF")
