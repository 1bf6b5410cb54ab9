"""The projection's private DuckDB: its tables, its certified relations, rows in and hashes out."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from analytics.shifts import instant

HERE = Path(__file__).parent
RELATIONS = (
    "line_hour", "line_shift", "state_interval", "loss", "deviation", "deviation_trend",
    "weighing", "refusal", "batch_lead_time", "signature", "as_of",
)  # fmt: skip
COMPUTED = ("piece", "hour_time", "hour_count", "hour_last")
OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def sql(name: str) -> str:
    """Return the text of a query file."""
    return (HERE / "queries" / f"{name}.sql").read_text("utf-8")


def relation_text(name: str) -> str:
    """Return the definition of a certified relation, with its grain, units, owner and version."""
    return (HERE / "relations" / f"{name}.sql").read_text("utf-8")


def open_store(*, threads: int = 2, memory: str = "1GB") -> duckdb.DuckDBPyConnection:
    """Return a new private database with empty tables and the certified relations."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": str(threads),
        "memory_limit": memory,
        **OFFLINE,
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("set global timezone = 'UTC'")
    for statement in connection.extract_statements(sql("tables")):
        connection.execute(statement)
    for name in RELATIONS:
        connection.execute(relation_text(name))
    connection.execute("insert into base.watermark values (0, 0, 0, 0, 0)")
    return connection


def _arrow_type(kind: str) -> pa.DataType:
    if kind.startswith("DECIMAL"):
        return pa.decimal128(28, 9)
    types = {
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
    }
    return types[kind]


class Tables:
    """Appends rows to the tables of `base`; columns keep their exact types on the way."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._schemas: dict[str, pa.Schema] = {}

    def schema(self, table: str) -> pa.Schema:
        """Return a table's columns as Arrow sees them."""
        if table not in self._schemas:
            found = self._connection.execute(
                "select column_name, data_type from duckdb_columns()"
                " where schema_name = 'base' and table_name = ? order by column_index",
                [table],
            ).fetchall()
            fields = [pa.field(name, _arrow_type(kind)) for name, kind in found]
            self._schemas[table] = pa.schema(fields)
        return self._schemas[table]

    def append(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows whose values stand in the order of the columns."""
        schema, given = self.schema(table), list(rows)
        if not given:
            return
        columns = [
            pa.array([_plain(value, field.type) for value in column], field.type)
            for column, field in zip(zip(*given, strict=True), schema, strict=True)
        ]
        self._connection.register("incoming", pa.table(columns, schema=schema))
        self._connection.execute(f"insert into base.{table} select * from incoming")
        self._connection.unregister("incoming")


def _plain(value: Any, kind: pa.DataType) -> Any:
    """Return a value as its column takes it: dates may come as text, booleans as numbers."""
    if isinstance(value, str) and pa.types.is_date(kind):
        return date.fromisoformat(value)
    return bool(value) if value is not None and pa.types.is_boolean(kind) else value


def table_hash(cursor: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return a digest of a table's rows that does not depend on their order."""
    rows = cursor.execute(f"select * from {table}").fetchall()
    digest = hashlib.sha256()
    for line in sorted(repr(row) for row in rows):
        digest.update(line.encode())
    return digest.hexdigest()


def read(
    cursor: duckdb.DuckDBPyConnection, query: str, values: object = None
) -> list[dict[str, Any]]:
    """Return a query's rows by column: quantities as `Decimal`, instants as aware UTC.

    Instants are read as numbers, since DuckDB hands out zoned ones only with a library of its own.
    """
    columns, rows = read_table(cursor, query, values)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def read_table(
    cursor: duckdb.DuckDBPyConnection, query: str, values: object = None
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return a query's columns and its rows, with exact values."""
    relation = cursor.sql(query, params=values)
    assert relation is not None, query
    table = relation.to_arrow_table()
    columns = [_column(table.column(n)) for n in range(table.num_columns)]
    return tuple(table.column_names), list(zip(*columns, strict=True))


def _column(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return list(column.to_pylist())
    numbers = column.cast(pa.int64()).to_pylist()
    return [None if number is None else instant(number) for number in numbers]
