"""The match kept over restarts: a DuckDB file beside a note that says what it is, and of when.

The file is only saved work. It is written aside and takes the place of the one before in one step,
so a crash leaves the older one. What does not fit in any way is thrown away, and the match is made
anew from its sources: another version, other rules, other sources, other bytes.
"""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import duckdb

from analytics.reconciliation.columns import FACT, LINE, LOT, MESSAGE, STOCK
from analytics.reconciliation.position import Position
from analytics.reconciliation.rules import MatchRules
from analytics.store import sql
from core.clock import iso, parse_iso

TABLES = (
    "fact", "message", "receipt_document", "line", "undo", "undoing", "our_order", "erp_order",
    "verdict", "lot", "erp_stock", "stock_row",
)  # fmt: skip
NOTE = "match.json"
TEXTS = (
    "match_tables", "match_standing", "match_named", "match_rekeyed", "match_hand", "match_judge",
    "match_alone", "match_hand_rows", "match_stock",
)  # fmt: skip

type Marks = Mapping[str, Any]


class DoesNotFit(Exception):
    """What was kept is not of these sources, rules and programs, or is not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept: up to where the sides were read, and where their readers stood."""

    position: Position
    marks: Marks


class NotKept(Exception):
    """The file could not be written."""


def version(rules: MatchRules, of: str = "") -> str:
    """Return what the kept rows depend on beside their sources: program, queries, rules, `of`."""
    sides = [[side.table, *side.columns] for side in (FACT, MESSAGE, LINE, LOT, STOCK)]
    said = [duckdb.__version__, sides, [sql(name) for name in TEXTS], repr(rules), of]
    return sha256(json.dumps(said).encode()).hexdigest()


def write(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write the tables of the state that a cursor stands on to a new file."""
    cursor.execute(f"attach '{_quoted(path)}' as kept")
    for table in TABLES:
        cursor.execute(f"create table kept.{table} as from main.{table}")


def read(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Fill empty tables from a file; inside the caller's transaction."""
    connection.execute(f"attach '{_quoted(path)}' as kept (read_only)")
    try:
        for table in TABLES:
            connection.execute(f"insert into main.{table} from kept.{table}")
    finally:
        connection.execute("detach kept")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


class KeptMatch:
    """The folder of the file and its note; for one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def draft(self) -> Path:
        """Return where a new file is to be written."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / f"match-{secrets.token_hex(8)}.duckdb"

    def adopt(self, draft: Path, kept: Kept, *, version: str) -> None:
        """Let a written file take the place of the one before."""
        note: dict[str, Any] = {
            "file": draft.name,
            "sha256": _digest(draft),
            "version": version,
            "position": _plain(kept.position),
            "marks": kept.marks,
        }
        note["seal"] = _seal(note)
        _durable(draft)
        aside = self._folder / f".{NOTE}.{secrets.token_hex(8)}"
        aside.write_text(json.dumps(note, sort_keys=True), "utf-8")
        _durable(aside)
        aside.replace(self._folder / NOTE)
        _durable(self._folder)
        self._sweep(draft.name)

    def find(self, *, version: str) -> tuple[Path, Kept] | None:
        """Return the kept file and what it is, None where nothing was kept.

        Raises:
            DoesNotFit: its note cannot be read, or it is of another version, or of other bytes.
        """
        path = self._folder / NOTE
        if not path.exists():
            return None
        try:
            note = json.loads(path.read_text("utf-8"))
            file = self._folder / Path(note["file"]).name
            kept = Kept(position=_position(note["position"]), marks=note["marks"])
            is_whole = (note["sha256"], note["seal"]) == (_digest(file), _seal(note))
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise DoesNotFit(f"{path.name} cannot be read: {fault}") from fault
        if note["version"] != version:
            raise DoesNotFit("made by another version, or by other rules")
        if not is_whole:
            raise DoesNotFit(f"{file.name} or its note is not what was written")
        return file, kept

    def drop(self) -> None:
        """Forget what was kept."""
        with suppress(FileNotFoundError):
            (self._folder / NOTE).unlink()
        self._sweep("")

    def _sweep(self, but: str) -> None:
        """Remove files that no note names, those of a crash too."""
        for found in (*self._folder.glob("match-*.duckdb*"), *self._folder.glob(f".{NOTE}.*")):
            if found.name != but:
                with suppress(FileNotFoundError):
                    found.unlink()


def _seal(note: Mapping[str, Any]) -> str:
    """Return the digest of a note without its seal."""
    said = {name: value for name, value in note.items() if name != "seal"}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(position: Position) -> dict[str, Any]:
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in asdict(position).items()
    }


def _position(said: Mapping[str, Any]) -> Position:
    times = {name: parse_iso(said[name]) if said[name] else None for name in said if _is_time(name)}
    return Position(**{**said, **times})


def _is_time(name: str) -> bool:
    return name.endswith("_at")
