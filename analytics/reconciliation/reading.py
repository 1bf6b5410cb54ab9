"""What is asked of the match: counts and sums by class, ages, and one page of rows.

Filters and order are SQL; only the rows of a page become objects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from analytics.reconciliation.columns import FACT, LINE, MESSAGE
from analytics.reconciliation.position import Position
from analytics.reconciliation.rules import OLDEST, MatchClass, MatchRules, fields_of
from analytics.shifts import instant
from analytics.store import sql
from core.clock import micros

BATCH = 5000
type Cleared = Mapping[str, tuple[str, str, str, str | None]]
SORTS = {
    "newest": "v.at_us desc, v.key desc",
    "oldest": "v.at_us, v.key",
    "class": "v.kind, v.at_us desc, v.key desc",
    "order": "v.erp_order nulls last, v.at_us desc, v.key desc",
    "item": "v.item nulls last, v.lot, v.at_us desc, v.key desc",
    "posted": "v.posting_date, v.key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which rows; what is empty leaves all. `first` and `last` are posting dates, both closed.

    `text` is an order, item, lot or batch, exactly.
    """

    match_class: str = ""
    first: date | None = None
    last: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSum:
    """Rows of one class in one unit, and what each side says of them in that unit, signed."""

    match_class: str
    unit: str | None
    rows: int
    floor: Decimal
    sent: Decimal
    booked: Decimal

    @property
    def difference(self) -> Decimal:
        """What the floor did less what the ERP booked."""
        return self.floor - self.booked


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One row: its class, the fields that differ, and all three sides by their records' names."""

    key: str
    match_class: str
    differs: tuple[str, ...]
    posting_date: date
    at: datetime
    age: timedelta
    bucket: str
    fact: Mapping[str, Any] | None
    message: Mapping[str, Any] | None
    lines: tuple[Mapping[str, Any], ...]


class Found:
    """The match in one unmoving state."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, position: Position, rules: MatchRules
    ) -> None:
        self._cursor, self.position, self.rules = cursor, position, rules
        self._kind = "v.match_class" if position.read else "v.unread_class"

    def ask(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of another question to the same state."""
        return self._cursor.execute(query, dict(values)).fetchall()

    def counts(self, where: Where | None = None) -> dict[str, int]:
        """Return how many rows each class has, zeros included."""
        condition, values = self._where(where or Where())
        found = dict(
            self._cursor.execute(
                f"select {self._kind}, count(*) from verdict as v where {condition} group by 1",
                values,
            ).fetchall()
        )
        return {str(name): int(found.get(name.value, 0)) for name in MatchClass}

    def sums(self, where: Where | None = None) -> tuple[ClassSum, ...]:
        """Return one line per class and unit, in the order of the classes."""
        condition, values = self._where(where or Where())
        rows = self._cursor.execute(
            f"with v as (select *, {self._kind} as kind from verdict as v where {condition}),"
            " sides as (select kind, coalesce(unit, booked_unit, sent_unit) as unit, 1 as n,"
            " 0 as floor, 0 as sent, 0 as booked from v"
            " union all select kind, unit, 0, quantity, 0, 0 from v where has_fact"
            " union all select kind, sent_unit, 0, 0, sent_quantity, 0 from v where has_message"
            " union all select kind, booked_unit, 0, 0, 0, booked_quantity from v where lines > 0)"
            " select kind, unit, sum(n), coalesce(sum(floor), 0), coalesce(sum(sent), 0),"
            " coalesce(sum(booked), 0) from sides group by 1, 2 order by 1, 2 nulls first",
            values,
        ).fetchall()
        return tuple(
            ClassSum(
                match_class=kind, unit=unit, rows=int(n), floor=floor, sent=sent, booked=booked
            )
            for kind, unit, n, floor, sent, booked in rows
        )

    def ageing(self, where: Where | None = None) -> dict[str, dict[str, int]]:
        """Return counts by class and age of what does not agree, every age named."""
        condition, values = self._where(where or Where())
        rows = self._cursor.execute(
            f"select {self._kind}, {self._bucket()}, count(*) from verdict as v where {condition}"
            f" and {self._kind} <> 'matched' group by 1, 2 order by 1",
            values,
        ).fetchall()
        names = [*(name for name, _ in self.rules.buckets), OLDEST]
        found: dict[str, dict[str, int]] = {}
        for kind, bucket, n in rows:
            found.setdefault(kind, dict.fromkeys(names, 0))[bucket] = int(n)
        return found

    def oldest(self, where: Where | None = None) -> timedelta | None:
        """Return the age of the oldest row that does not agree."""
        condition, values = self._where(where or Where())
        [(at_us,)] = self._cursor.execute(
            f"select min(v.at_us) from verdict as v where {condition}"
            f" and {self._kind} <> 'matched'",
            values,
        ).fetchall()
        return None if at_us is None else self._age(at_us)

    def page(
        self, where: Where | None = None, *, sort: str = "newest", page: int = 1, size: int = 100
    ) -> list[Judged]:
        """Return one page of rows."""
        return self._rows(where or Where(), sort, size=size, skip=(page - 1) * size)

    def rows(self, where: Where | None = None) -> Iterator[Judged]:
        """Return all rows by posting date and key; they are read in batches."""
        after: Judged | None = None
        while batch := self._rows(where or Where(), "posted", size=BATCH, after=after):
            yield from batch
            after = batch[-1]

    def lines(self, where: Where, titles: Mapping[str, str], cleared: Cleared) -> Iterator[str]:
        """Yield all rows as JSON texts, by posting date and key, as `match_rows.sql` says.

        Args:
            where: which rows.
            titles: what a type or a movement is called.
            cleared: what people said of differences: key -> owner, code, note, deviation.
        """
        condition, values = self._where(where)
        query = sql("match_rows").replace("{kind}", self._kind).replace("{where}", condition)
        query = query.replace("{read}", "true" if self.position.read else "false")
        said = [list(column) for column in zip(*cleared.values(), strict=True)] or [[]] * 4
        found = self._cursor.execute(
            query,
            values
            | {"names": list(titles), "titles": list(titles.values()), "keys": list(cleared)}
            | dict(zip(("owners", "codes", "notes", "deviations"), said, strict=True)),
        )
        while some := found.fetchmany(BATCH):
            yield from (text for (text,) in some)

    def open_keys(self, where: Where) -> list[tuple[str, str]]:
        """Return key and class of every difference, by posting date and key."""
        condition, values = self._where(where)
        found = self.ask(
            f"select v.key, {self._kind}::text from verdict as v where {condition} and {self._kind}"
            " not in ('matched', 'in_flight', 'not_compared') order by v.posting_date, v.key",
            values,
        )
        return [(str(key), str(kind)) for key, kind in found]

    def row(self, key: str) -> Judged | None:
        """Return one row."""
        return next(iter(self._rows(Where(), "newest", key=key)), None)

    def taken_back(self, event_id: str) -> int | None:
        """Return the entry by which the floor took a fact back, None where it did not."""
        found = self.ask("select min(entry_seq) from fact where corrects = $id", {"id": event_id})
        return None if found[0][0] is None else int(found[0][0])

    def stuck(self) -> dict[str, int]:
        """Return which message of an order the ERP refused first: what comes after it waits."""
        found = self._cursor.execute(
            "select lane, min(lane_seq) from message where state = 'dead' group by lane"
        ).fetchall()
        return {lane: int(seq) for lane, seq in found}

    def _rows(
        self,
        where: Where,
        sort: str,
        *,
        size: int = 1,
        skip: int = 0,
        key: str | None = None,
        after: Judged | None = None,
    ) -> list[Judged]:
        condition, values = self._where(where)
        if key is not None:
            condition, values = f"{condition} and v.key = $key", {**values, "key": key}
        if after is not None:
            condition += " and (v.posting_date, v.key) > ($after_date, $after_key)"
            values |= {"after_date": after.posting_date, "after_key": after.key}
        order = SORTS[sort]
        found = self._cursor.execute(
            f"with v as (select *, {self._kind} as kind from verdict as v where {condition})"
            f" select v.key, v.kind, v.differs, v.posting_date, v.at_us, {self._bucket()}, v.seq"
            f" from v order by {order} limit {int(size)} offset {int(skip)}",
            values or None,
        ).fetchall()
        keys = [one[0] for one in found]
        facts, messages = self._sides("fact", keys), self._sides("message", keys)
        lines = self._lines([one[6] for one in found if one[6] is not None])
        more = self._more(keys)
        return [
            self._judged(
                one,
                facts.get(one[0]),
                messages.get(one[0]),
                lines=[lines[one[6]], *more.get(one[0], [])] if one[6] in lines else [],
            )
            for one in found
        ]

    # Whole rows are wide: only their key is looked at in all of them, then rows by their place.

    def _sides(self, table: str, keys: list[str]) -> dict[str, Any]:
        rows = self.ask(
            f"select key, s from {table} as s where rowid in"
            f" (select rowid from {table} where key in (select unnest($keys)))",
            {"keys": keys},
        )
        return dict(rows)

    def _lines(self, seqs: list[int]) -> dict[int, Any]:
        """Return the first line of each row, none while the books cannot be read."""
        if not self.position.read:
            return {}
        rows = self.ask(
            "select seq, e from line as e where rowid in"
            " (select rowid from line where seq in (select unnest($seqs)))",
            {"seqs": seqs},
        )
        return dict(rows)

    def _more(self, keys: list[str]) -> dict[str, list[Any]]:
        """Return the lines of rows beyond their first: twins, and what takes a posting back."""
        if not self.position.read:
            return {}
        rows = self.ask(
            "select key, e from line as e where rowid in"
            " (select rowid from line where nth > 1 and key in (select unnest($keys)))",
            {"keys": keys},
        )
        rows += self.ask(
            "select u.key, e from undo as u join line as e on e.seq = u.seq where u.key in"
            " (select unnest($keys))",
            {"keys": keys},
        )
        found: dict[str, list[Any]] = {}
        for key, line in sorted(rows, key=lambda one: int(one[1]["seq"])):
            found.setdefault(key, []).append(line)
        return found

    def _judged(self, row: tuple[Any, ...], fact: Any, message: Any, *, lines: list[Any]) -> Judged:
        key, kind, differs, posting_date, at_us, bucket, _ = row
        return Judged(
            key=key,
            match_class=str(kind),
            differs=fields_of(differs) if self.position.read else (),
            posting_date=posting_date,
            at=instant(at_us),
            age=self._age(at_us),
            bucket=bucket,
            fact=None if fact is None else FACT.record(fact),
            message=None if message is None else MESSAGE.record(message),
            lines=tuple(LINE.record(one) for one in lines),
        )

    def _where(self, where: Where) -> tuple[str, dict[str, Any]]:
        terms, values = [f"{self._kind} is not null"], dict[str, Any]()
        if where.match_class:
            terms.append(f"{self._kind} = $match_class")
            values["match_class"] = where.match_class
        if where.first is not None:
            terms.append("v.posting_date >= $first")
            values["first"] = where.first
        if where.last is not None:
            terms.append("v.posting_date <= $last")
            values["last"] = where.last
        if where.text:
            terms.append("$text in (v.erp_order, v.mes_order, v.item, v.lot, v.batch)")
            values["text"] = where.text
        return " and ".join(terms), values

    def _bucket(self) -> str:
        at_us = micros(self._at())
        cases = " ".join(
            f"when {at_us} - v.at_us < {upto // timedelta(microseconds=1)} then '{name}'"
            for name, upto in self.rules.buckets
        )
        return f"case {cases} else '{OLDEST}' end"

    def _at(self) -> datetime:
        return self.position.read_at or datetime.min.replace(tzinfo=UTC)

    def _age(self, at_us: int) -> timedelta:
        return max(timedelta(0), self._at() - instant(at_us))
