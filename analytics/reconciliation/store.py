"""The match's private DuckDB: rows in, and judged again where something moved.

One thread writes; every reader has a cursor and a state of its own. Each turn is one transaction:
what came, what that touches, the verdicts, and the position. Everything here can be dropped and
is built again from the ledger, the outbox and the ERP's books.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from analytics.reconciliation.intake import Intake, Read
from analytics.reconciliation.kept import (
    TABLES,
    DoesNotFit,
    Kept,
    KeptMatch,
    Marks,
    NotKept,
    read,
    write,
)
from analytics.reconciliation.position import Position
from analytics.reconciliation.reading import Found
from analytics.reconciliation.rules import UNITS, MatchRules
from analytics.store import OFFLINE, sql
from core.clock import micros
from core.errors import MesError

MEMORY = "4GB"
COMPACT_AT = 200_000
CLOSE_S = 60


class MatchClosed(MesError):
    """Somebody would read while the server ends."""

    def __init__(self) -> None:
        super().__init__("Reconciliation: the server stops. Read again once it runs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one turn brings; `upto_seq` is the last entry that facts were read from.

    `documents` are (document, event id) of receipts, `undoings` (event id, document) of messages
    that undo one; `orders` are the ERP's (number, state), `stock` all that it has, both None where
    they are as they were.
    """

    at: datetime
    upto_seq: int
    facts: Sequence[Any] = ()
    lots: Sequence[Any] = ()
    messages: Sequence[Any] = ()
    documents: Sequence[tuple[str, str]] = ()
    undoings: Sequence[tuple[str, str]] = ()
    books: tuple[Read, ...] = ()
    orders: Sequence[tuple[str, str]] | None = None
    stock: Sequence[Any] | None = None
    read: bool = True


class MatchStore:
    """The three sides and their verdicts."""

    def __init__(self, rules: MatchRules | None = None, *, threads: int = 2) -> None:
        self.rules = rules or MatchRules()
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": str(threads), "memory_limit": MEMORY, **OFFLINE,
        }  # fmt: skip
        self._connection = duckdb.connect(":memory:", config=config)
        self._writing = threading.Lock()
        self._readers, self._is_closed = 0, False
        self._left = threading.Condition()  # a reader is done
        self._position = Position()
        self._written = 0
        for statement in self._connection.extract_statements(sql("match_tables")):
            self._connection.execute(statement)
        self._intake = Intake(self._connection)
        self._connection.executemany(
            "insert into unit_factor values (?, ?, ?)",
            [(unit, *found) for unit, found in UNITS.items()],
        )
        for unit, scale in self.rules.scales.items():
            self._connection.execute(
                "insert into unit_scale values (?, ?, cast(? as decimal(28, 9)))",
                [unit, scale, f"1e-{scale}" if scale else "1"],
            )

    def close(self) -> None:
        """Give the memory back once nobody reads; whoever comes later is refused."""
        with self._left:
            self._is_closed = True
            self._left.wait_for(lambda: not self._readers, CLOSE_S)
        with self._writing:
            self._connection.close()

    @property
    def position(self) -> Position:
        """Up to where the newest turn has read."""
        return self._position

    @contextmanager
    def reading(self) -> Iterator[Found]:
        """Give one request its own cursor on one unmoving state.

        Raises:
            MatchClosed: the server ends.
        """
        with self._counted():
            with self._writing:
                cursor = self._connection.cursor()
                position = self._position
                cursor.execute("begin transaction read only")
                cursor.execute("select count(*) from our_order").fetchall()  # fixes the state
            try:
                yield Found(cursor, position, self.rules)
            finally:
                cursor.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Keep the store open meanwhile: DuckDB refuses to close below a query that runs."""
        with self._left:
            if self._is_closed:
                raise MatchClosed
            self._readers += 1
        try:
            yield
        finally:
            with self._left:
                self._readers -= 1
                self._left.notify_all()

    def written(self, kept: KeptMatch, version: str) -> Callable[[Marks], None]:
        """Take hold of the state as it is now; return what writes it to a file, with its marks.

        Readers and the writer go on meanwhile. What is returned raises `NotKept`.
        """
        with self._writing:
            cursor, position = self._connection.cursor(), self._position
            cursor.execute("begin transaction")
            cursor.execute("select count(*) from our_order").fetchall()  # fixes the state

        def write_to(marks: Marks) -> None:
            try:
                draft = kept.draft()
                write(cursor, draft)
                cursor.execute("commit")
                cursor.execute("detach kept")
                kept.adopt(draft, Kept(position=position, marks=marks), version=version)
            except (OSError, duckdb.Error) as fault:
                raise NotKept(str(fault)) from fault
            finally:
                cursor.close()

        return write_to

    def restore(self, path: Path, kept: Kept) -> None:
        """Go on from what was kept.

        Raises:
            DoesNotFit: the file cannot be read.
        """
        assert not self._position.number, "what is judged once is judged on"
        with self._writing:
            try:
                read(self._connection, path)
            except duckdb.Error as fault:
                self._clear()
                raise DoesNotFit(f"{path.name}: {fault}") from fault
            self._position = kept.position
            self._written = self._count("verdict")

    def clear(self) -> None:
        """Forget everything: what is taken in next is the beginning."""
        with self._writing:
            self._clear()

    def _clear(self) -> None:
        for table in TABLES:
            self._connection.execute(f"delete from {table}")
        self._position, self._written = Position(), 0

    def load(self, news: News) -> None:
        """Take in a part of the first reading; nothing is judged before it is whole."""
        assert not self._position.number, "what is judged once is judged on"
        with self._writing, self._transaction():
            self._put(news, whole=True)

    def take(self, news: News) -> Position:
        """Take in what came and judge what it touches; return the new position."""
        with self._writing:
            with self._transaction():
                after = self._turn(news)
            self._position = after
            return after

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin transaction")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def _put(self, news: News, *, whole: bool) -> None:
        self._connection.execute("create or replace temp table todo(event_id text)")
        intake = self._intake
        intake.put_facts(news.facts, whole=whole)
        intake.put_lots(news.lots)
        intake.put_messages(news.messages, news.documents, whole=whole)
        intake.put_undoings(news.undoings)
        for part in news.books:
            intake.put_lines(part)
        if news.orders is not None:
            intake.put_orders(news.orders)

    def _turn(self, news: News) -> Position:
        whole = not self._position.number
        self._put(news, whole=whole)
        self._intake.attach(whole=whole)
        self._intake.by_hand()
        if not whole:
            self._touch(news.at)
        judged = self._judge(news, whole=whole)
        if news.stock is not None:
            self._intake.put_stock(news.stock)
            for statement in self._connection.extract_statements(sql("match_stock")):
                self._connection.execute(statement)
        was = self._position
        return replace(
            was,
            upto_seq=news.upto_seq,
            read_at=news.at,
            books_at=news.at if news.read else was.books_at,
            read=news.read,
            stock_at=was.stock_at if news.stock is None else news.at,
            stock_seq=was.stock_seq if news.stock is None else news.upto_seq,
            outside=self._outside(),
            judged=judged,
            number=was.number + 1,
        )

    def _count(self, table: str) -> int:
        [(found,)] = self._connection.execute(f"select count(*) from {table}").fetchall()
        return int(found)

    def _outside(self) -> int:
        [found] = self._connection.execute(
            "select count(*) from line where mid is null and kind <> 'gl' and (erp_order is null"
            " or erp_order not in (select erp_order from our_order))"
            " and (event_id is null or event_id not in (select event_id from undoing))"
        ).fetchall()
        return int(found[0])

    def _touch(self, at: datetime) -> None:
        """Note what else must be judged again: reversals, and rows whose time is over."""
        run = self._connection.execute
        run("insert into todo select event_id from fact where corrects in (from todo)")
        run(
            "insert into todo select event_id from verdict where until_us <= ?"
            " or (match_class = 'in_flight' and not has_fact)",
            [micros(at)],
        )

    def _judge(self, news: News, *, whole: bool) -> int:
        run, rules = self._connection.execute, self.rules
        stands = "where key is not null"  # what was told anew later does not stand any more
        for name, key, what in (
            ("fact", "event_id", "where true"), ("message", "fact_id", stands),
            ("line", "mid", "where true"),
        ):  # fmt: skip
            some = f"from {name} {what}" + ("" if whole else f" and {key} in (from todo)")
            run(f"drop view if exists todo_{name}")
            run(f"create or replace temp table todo_{name} as {some}" if not whole
                else f"create temp view todo_{name} as {some}")  # fmt: skip
        run("delete from verdict where event_id is null or event_id in (from todo)")
        before = self._count("verdict")
        values: dict[str, Any] = {
            "now_us": micros(news.at),
            "sla_us": _us(rules.sla),
            "settle_us": _us(rules.settle),
            "late_us": _us(rules.late),
            "tolerance": rules.quantity,
            "upto_seq": news.upto_seq,
        }
        run(sql("match_judge"), values)
        run(sql("match_alone"))
        run(sql("match_hand_rows"))
        for name in ("fact", "message", "line"):
            run(f"drop {'view' if whole else 'table'} todo_{name}")
        after = self._count("verdict")
        self._compact(after - before, after)
        return after - before

    def _compact(self, written: int, rows: int) -> None:
        """Write tables anew, without the rows that were replaced, once these are many."""
        self._written += written
        if self._written < max(COMPACT_AT, 2 * rows):
            return
        for table in ("verdict", "message", "line", "fact"):
            self._connection.execute(f"create or replace table {table} as from {table}")
        self._written = rows


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
