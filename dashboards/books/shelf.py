"""The books on disk, read again when a file changes; a file with faults does not hide the rest."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from analytics.books.format import LIBRARY, Book, BookFault, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Books by id, and the faults of files that are none."""

    books: dict[str, Book]
    faults: tuple[BookFault, ...]


def books(folder: Path = LIBRARY) -> Shelf:
    """Return the books of a folder."""
    files = sorted(folder.glob("*.md"))
    return _read(tuple((path, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=8)
def _read(files: tuple[tuple[Path, int], ...]) -> Shelf:
    found: dict[str, Book] = {}
    faults: list[BookFault] = []
    for path, _ in files:
        book, wrong = parse(path.read_text("utf-8"), path.name)
        faults += wrong
        if book is not None:
            found[book.id] = book
    return Shelf(books=found, faults=tuple(faults))
