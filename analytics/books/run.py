"""Runs books: on a read-only snapshot without external access, within a time limit and a row cap.

Each snapshot is a copy of the projection at one watermark, opened by a database of its own in
which nothing can be written, loaded or configured.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from analytics.books.format import HOLE, Book, BookFault, BookRefused, Narrative, View
from analytics.books.lint import choices, lint, order
from analytics.books.narrative import fill
from analytics.books.params import ParamField, any_value, bound_value, field_of
from analytics.books.provenance import Provenance, QueryProof, plain, result_sha256, text_sha256
from analytics.books.snapshot import Snapshot, limited
from analytics.projector import Projector
from analytics.store import read_table
from core.clock import now
from core.errors import Refused

TIME_LIMIT_S = 10.0
ROW_CAP = 100_000
KEPT = 64
YOUNG_S = 2.0


class QueryTooLong(Refused):
    """A query did not finish in its time."""

    def __init__(self, book: str, query: str, limit_s: float) -> None:
        super().__init__(
            f"Book {book}, query {query}: stopped after {limit_s:g} s. Ask for fewer days.",
            book=book,
            query=query,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A result: exact values, aware instants. `cut` says that the row cap left some out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool = False

    @property
    def first(self) -> dict[str, Any]:
        """The first row by column, empty where there is none."""
        return dict(zip(self.columns, self.rows[0], strict=True)) if self.rows else {}

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """Markdown whose inserted values are escaped; render it without raw HTML."""

    markdown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewBlock:
    """A result and how to show it; `options` are the keys of the view fence."""

    query: str
    kind: str
    options: Mapping[str, Any]
    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A book at one watermark with its parameters: blocks in the file's order, and the footer."""

    book: Book
    params: tuple[ParamField, ...]
    blocks: tuple[TextBlock | ViewBlock, ...]
    provenance: Provenance


class BookRunner:
    """Runs books for everybody; equal requests at one watermark are computed once."""

    def __init__(
        self, projector: Projector, *, time_limit_s: float = TIME_LIMIT_S, row_cap: int = ROW_CAP
    ) -> None:
        self._projector = projector
        self._time_limit_s, self._row_cap = time_limit_s, row_cap
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._passed: dict[str, Mapping[str, set[str]]] = {}
        self._kept: OrderedDict[tuple[Any, ...], Rendered] = OrderedDict()

    def check(self, book: Book) -> list[BookFault]:
        """Return every fault of a book: form, SQL, narrative, and columns that are not there."""
        snapshot = self.snapshot()
        with snapshot.cursor() as cursor:
            reads, faults = lint(book, cursor)
            return faults or self._column_faults(book, reads, cursor)

    def run(self, book: Book, values: Mapping[str, str] | None = None) -> Rendered:
        """Return the book with its parameters filled in.

        Args:
            book: a loaded book.
            values: parameters as text, as they stand in a URL; what is missing is the default.

        Raises:
            BookRefused: the book does not pass the linter; nothing was run.
            ParamRefused: a value is not one of the parameter's.
            QueryTooLong: a query was stopped.
        """
        snapshot = self.snapshot()
        given = {name: text for name, text in (values or {}).items() if name in book.params}
        key = (book.sha256, tuple(sorted(given.items())), snapshot.watermark)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rendered = self._render(book, given, snapshot)
        with self._lock:
            self._kept[key] = rendered
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return rendered

    def snapshot(self) -> Snapshot:
        """Return a snapshot: the newest, made anew when it is old and the watermark has moved."""
        with self._lock:
            kept = self._snapshot
            if kept is not None:
                is_young = time.monotonic() - kept.made_s < YOUNG_S
                if is_young or kept.watermark == self._projector.watermark:
                    return kept
            self._snapshot = Snapshot(self._projector)
            return self._snapshot

    def _render(self, book: Book, values: Mapping[str, str], snapshot: Snapshot) -> Rendered:
        reads = self._linted(book, snapshot)
        proofs: list[QueryProof] = []
        asked = {query.name: query for query in choices(book)}
        fields: list[ParamField] = []
        for param in book.params.values():
            options = param.values
            query = asked.get(f"parameter {param.name}")
            if query is not None:
                found = self._ask(snapshot, book, query.name, sql=query.sql, values={})[0]
                options = tuple(str(plain(row[0])) for row in found.rows)
            fields.append(field_of(param, options, values.get(param.name)))
        bound = {one.name: bound_value(book.params[one.name], one.value) for one in fields}
        tables: dict[str, Table] = {}
        for name in book.queries:
            sql = compiled(book, reads, name)
            tables[name], proof = self._ask(snapshot, book, name, sql=sql, values=bound)
            proofs.append(proof)
        first = {name: table.first for name, table in tables.items()}
        blocks = [
            _block(one, tables, bound, first=first, zone=self._projector.zone)
            for one in book.blocks
        ]
        provenance = Provenance(
            book=book.id,
            version=book.version,
            book_sha256=book.sha256,
            engine=f"DuckDB {duckdb.__version__}",
            watermark=snapshot.watermark,
            queries=tuple(proofs),
            rendered_at=now(),
        )
        return Rendered(
            book=book, params=tuple(fields), blocks=tuple(blocks), provenance=provenance
        )

    def _linted(self, book: Book, snapshot: Snapshot) -> Mapping[str, set[str]]:
        """Return which queries each query reads; a book that passed once is not read again."""
        if book.sha256 not in self._passed:
            with snapshot.cursor() as cursor:
                reads, faults = lint(book, cursor)
                faults = faults or self._column_faults(book, reads, cursor)
            if faults:
                raise BookRefused(book.id, faults)
            self._passed[book.sha256] = reads
        return self._passed[book.sha256]

    def _column_faults(
        self, book: Book, reads: Mapping[str, set[str]], cursor: duckdb.DuckDBPyConnection
    ) -> list[BookFault]:
        """Return faults of queries that do not bind, and of views and holes without a column."""
        faults: list[BookFault] = []
        columns: dict[str, set[str]] = {}
        for query in book.queries.values():
            sql = f"select * from (\n{compiled(book, reads, query.name)}\n) limit 0"
            try:
                [statement] = cursor.extract_statements(sql)
                given = {one: any_value(book.params[one]) for one in statement.named_parameters}
                with limited(cursor, self._time_limit_s):
                    columns[query.name] = set(read_table(cursor, sql, given or None)[0])
            except duckdb.InterruptException as stopped:
                raise QueryTooLong(book.id, query.name, self._time_limit_s) from stopped
            except duckdb.ConversionException:
                continue  # the value made up for a choice is of no use to its cast
            except duckdb.Error as fault:
                says = f"{str(fault).splitlines()[0]}."
                one = BookFault(file=book.file, line=query.line, name=query.name, text=says)
                faults.append(one)
        return faults + _view_faults(book, columns) + _hole_faults(book, columns)

    def _ask(
        self, snapshot: Snapshot, book: Book, name: str, *, sql: str, values: Mapping[str, Any]
    ) -> tuple[Table, QueryProof]:
        """Run one compiled query within its limits."""
        text = f"select * from (\n{sql}\n) limit {self._row_cap + 1}"
        started = time.perf_counter()
        with snapshot.cursor() as cursor:
            [statement] = cursor.extract_statements(text)
            given = {one: values[one] for one in statement.named_parameters}
            try:
                with limited(cursor, self._time_limit_s):
                    columns, rows = read_table(cursor, text, given or None)
            except duckdb.InterruptException as stopped:
                raise QueryTooLong(book.id, name, self._time_limit_s) from stopped
            except duckdb.Error as fault:
                says = str(fault).splitlines()[0]
                line = book.queries[name].line if name in book.queries else 2
                one = BookFault(file=book.file, line=line, name=name, text=f"{says}.")
                raise BookRefused(book.id, [one]) from fault
        cut = len(rows) > self._row_cap
        table = Table(columns=columns, rows=tuple(rows[: self._row_cap]), cut=cut)
        proof = QueryProof(
            name=name,
            sql=sql,
            sql_sha256=text_sha256(sql),
            params={one: str(plain(value)) for one, value in given.items()},
            result_sha256=result_sha256(columns, table.rows),
            rows=len(table.rows),
            cut=cut,
            ms=round((time.perf_counter() - started) * 1000),
        )
        return table, proof


def compiled(book: Book, reads: Mapping[str, set[str]], name: str) -> str:
    """Return a query with the queries that it reads in front of it."""
    needs = order(reads, name)[:-1]
    own = book.queries[name].sql
    if not needs:
        return own
    ctes = ",\n".join(f'"{one}" as (\n{book.queries[one].sql}\n)' for one in needs)
    return f"with {ctes}\nselect * from (\n{own}\n)"


def _view_faults(book: Book, columns: Mapping[str, set[str]]) -> list[BookFault]:
    """Return a fault for each column that a view names and its query has not."""
    keys = ("x", "y", "series", "start", "end", "state", "lane", "reason", "center", "low", "high")
    faults: list[BookFault] = []
    for block in book.blocks:
        if not isinstance(block, View) or block.query not in columns:
            continue
        named = [block.options[key] for key in keys if key in block.options]
        named += block.options.get("columns") or ()
        faults += [
            BookFault(
                file=book.file,
                line=block.line,
                name=block.query,
                text=f"the query has no column {one}.",
            )
            for one in named
            if one not in columns[block.query]
        ]
    return faults


def _hole_faults(book: Book, columns: Mapping[str, set[str]]) -> list[BookFault]:
    """Return a fault for each column that a narrative names and its query has not."""
    return [
        BookFault(
            file=book.file,
            line=block.line + block.text.count("\n", 0, hole.start()),
            name=hole.group(1),
            text=f"the query has no column {hole.group(2)}.",
        )
        for block in book.blocks
        if isinstance(block, Narrative)
        for hole in HOLE.finditer(block.text)
        if hole.group(2) and hole.group(2) not in columns.get(hole.group(1), {hole.group(2)})
    ]


def _block(
    block: Narrative | View,
    tables: Mapping[str, Table],
    bound: Mapping[str, Any],
    *,
    first: Mapping[str, Mapping[str, Any]],
    zone: Any,
) -> TextBlock | ViewBlock:
    if isinstance(block, Narrative):
        return TextBlock(markdown=fill(block.text, bound, first, zone=zone))
    return ViewBlock(
        query=block.query, kind=block.kind, options=block.options, table=tables[block.query]
    )
