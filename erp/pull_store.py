"""What the pull has read, kept over restarts: one row for each kind, one for each record of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql.base import Executable

from core.clock import iso, parse_iso
from erp import tables
from erp.port import Kind

pages, records = tables.pull_page, tables.pull_record
COUNTS = ("count_200", "count_304", "count_unchanged", "count_failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """What a screen says about one kind of master data.

    `cursor_since` is from when changes are asked for, None where the whole page is; `swept_at` is
    when the whole was last read without any validator.
    """

    kind: Kind
    url: str
    etag: str | None
    fetched_at: str | None
    checked_at: str | None
    status: str
    fault: str | None
    count_200: int
    count_304: int
    count_unchanged: int
    count_failed: int
    cursor_since: str | None
    swept_at: str | None
    age_s: int | None
    is_stale: bool
    refused: tuple[tuple[str, str], ...]
    vanished: tuple[tuple[str, str], ...]


OF_PAGE = tuple(
    name
    for name in PullState.__slots__
    if name not in ("kind", "age_s", "is_stale", "refused", "vanished")
)


class PullStore:
    """The pull's two tables behind one small vocabulary."""

    def __init__(self, engine: Engine, target: str) -> None:
        self._engine, self._target = engine, target

    def page(self, kind: Kind) -> Mapping[str, Any] | None:
        """Return the row of a kind, None before it was asked for."""
        where = (pages.c.target == self._target) & (pages.c.kind == kind)
        found = self._read(select(pages).where(where))
        return found[0] if found else None

    def note(self, kind: Kind, values: dict[str, Any], *, count: str) -> None:
        """Write what an answer said, and count it."""
        where = (pages.c.target == self._target) & (pages.c.kind == kind)
        with self._engine.begin() as connection:
            self._ensure(connection, kind)
            counted = {**values, count: pages.c[count] + 1}
            connection.execute(pages.update().where(where).values(counted))

    def seen(self, kind: Kind) -> dict[str, tuple[str, bool]]:
        """Return the digest of each record, and whether it was accepted."""
        return {
            row["name"]: (row["sha256"], bool(row["accepted"]))
            for row in self._read(select(records).where(self._of(kind)))
        }

    def mark(self, kind: Kind, name: str, *, sha256: str, fault: str | None) -> None:
        """Remember what became of a record."""
        key = {"target": self._target, "kind": kind, "name": name}
        with self._engine.begin() as connection:
            connection.execute(
                records.delete().where(*(records.c[part] == value for part, value in key.items()))
            )
            connection.execute(
                records.insert().values(
                    **key, sha256=sha256, accepted=int(fault is None), fault=fault
                )
            )

    def flag_vanished(self, kind: Kind, listed: set[str], *, at: datetime) -> None:
        """Note what the ERP no longer lists, and what it lists again; nothing is deleted here."""
        where = self._of(kind)
        for row in self._read(select(records.c.name, records.c.vanished_at).where(where)):
            is_gone = row["name"] not in listed
            if is_gone is (row["vanished_at"] is not None):
                continue
            with self._engine.begin() as connection:
                same = records.update().where(where, records.c.name == row["name"])
                connection.execute(same.values(vanished_at=iso(at) if is_gone else None))

    def state(self, kind: Kind, *, at: datetime, fresh_for: timedelta) -> PullState | None:
        """Return what a screen says about a kind, None before it was asked for."""
        page = self.page(kind)
        if page is None:
            return None
        checked = page["checked_at"]
        age = at - parse_iso(checked) if checked else None
        return PullState(
            kind=kind,
            age_s=int(age.total_seconds()) if age is not None else None,
            is_stale=age is None or age > fresh_for,
            refused=self._pairs(kind, "fault"),
            vanished=self._pairs(kind, "vanished_at"),
            **{name: page[name] for name in OF_PAGE},
        )

    def _pairs(self, kind: Kind, column: str) -> tuple[tuple[str, str], ...]:
        query = select(records).where(self._of(kind), records.c[column].is_not(None))
        return tuple((row["name"], row[column]) for row in self._read(query))

    def _of(self, kind: Kind) -> Any:
        return (records.c.target == self._target) & (records.c.kind == kind)

    def _ensure(self, connection: Connection, kind: Kind) -> None:
        where = (pages.c.target == self._target) & (pages.c.kind == kind)
        if connection.execute(select(pages.c.kind).where(where)).first() is None:
            zero = dict.fromkeys(COUNTS, 0)
            connection.execute(
                pages.insert().values(
                    target=self._target, kind=kind, url="", status="never", **zero
                )
            )

    def _read(self, query: Executable) -> list[Any]:
        with self._engine.connect().execution_options(reads=True) as connection:
            return list(connection.execute(query).mappings())
