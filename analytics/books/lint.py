"""What a book's SQL and narrative may hold: an allow-list of syntax nodes, functions and relations.

What is not on a list is refused, so that a new kind of syntax is refused until somebody has
thought about it. Names are resolved scope by scope: a query's own WITH hides nothing outside it.

Source:
    DuckDB advises to treat SQL as code. Running also needs a read-only database without
    external access: see `analytics.books.run`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from analytics.books.format import HOLE, Book, BookFault, Narrative, Query
from analytics.store import RELATIONS

QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE"}
TABLE_NODES = {"BASE_TABLE", "JOIN", "SUBQUERY", "EXPRESSION_LIST", "EMPTY"}
JOINS = {"REGULAR", "CROSS", "NATURAL", "ASOF"}
OTHER_NODES = {
    "ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER",
    "ORDER_DEFAULT", "ASCENDING", "DESCENDING",
    "COLUMN_REF", "STAR", "VALUE_CONSTANT", "VALUE_PARAMETER", "TYPE", "CASE_EXPR", "FUNCTION",
    "OPERATOR_CAST", "OPERATOR_COALESCE", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL",
    "OPERATOR_NOT", "ARRAY_EXTRACT", "STRUCT_EXTRACT", "CONJUNCTION_AND", "CONJUNCTION_OR",
    "COMPARE_BETWEEN", "COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHAN", "COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_IN", "COMPARE_NOT_IN", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM",
    "WINDOW_AGGREGATE", "WINDOW_ROW_NUMBER", "WINDOW_RANK", "WINDOW_RANK_DENSE",
    "WINDOW_PERCENT_RANK", "WINDOW_CUME_DIST", "WINDOW_NTILE", "WINDOW_LAG", "WINDOW_LEAD",
    "WINDOW_FIRST_VALUE", "WINDOW_LAST_VALUE", "WINDOW_NTH_VALUE",
}  # fmt: skip
NODES = QUERY_NODES | TABLE_NODES | OTHER_NODES
FUNCTIONS = {
    "+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "~~*", "!~~*",
    "sum", "count", "count_star", "min", "max", "avg", "median", "any_value", "first", "last",
    "quantile_cont", "quantile_disc", "stddev_samp", "stddev_pop", "var_samp", "mode",
    "arg_min", "arg_max", "bool_and", "bool_or", "string_agg", "list", "count_if",
    "abs", "round", "trunc", "floor", "ceil", "sqrt", "greatest", "least", "nullif", "ifnull",
    "concat", "concat_ws", "lower", "upper", "length", "substr", "substring", "trim", "replace",
    "left", "right", "starts_with", "contains", "split_part", "lpad",
    "strftime", "date_trunc", "date_part", "date_diff", "to_days", "to_hours", "to_minutes",
    "to_seconds", "epoch_us", "make_timestamptz", "year", "month", "day", "hour", "dayofweek",
    "isodow", "week",
    "row_number", "rank", "dense_rank", "rank_dense", "percent_rank", "cume_dist", "ntile", "lag",
    "lead", "first_value", "last_value", "nth_value", "struct_pack", "list_value", "row",
}  # fmt: skip
TYPES = {
    "BIGINT", "INTEGER", "INT", "HUGEINT", "DOUBLE", "DECIMAL", "NUMERIC", "VARCHAR", "TEXT",
    "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "BOOLEAN", "INTERVAL",
}  # fmt: skip
# read as a column, yet answered by the engine: a result must depend on data and parameters alone
NOT_COLUMNS = re.compile(r"(current|local)_?(date|time|timestamp|user|role|schema|catalog)|.*user")
FILTERS = {"pct", "num", "count", "hours", "minutes", "kg", "day", "time"}


class _Walk:
    """Reads one syntax tree; `tables` are the names that it reads from outside itself."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.tables: set[str] = set()
        self.faults: list[str] = []

    def visit(self, node: Any, scope: frozenset[str]) -> None:
        if isinstance(node, list):
            for one in node:
                self.visit(one, scope)
        elif isinstance(node, dict):
            kind = node.get("type")
            if isinstance(kind, str):
                if not self._may(node, kind):
                    return
                if kind == "BASE_TABLE":
                    self._table(node, scope)
            for name, value in node.items():
                if name == "cte_map":
                    scope = self._ctes(value, scope)
            for name, value in node.items():
                if name != "cte_map":
                    self.visit(value, scope)

    def _may(self, node: Mapping[str, Any], kind: str) -> bool:
        """Note why a node is not allowed; return whether to look inside."""
        if kind not in NODES:
            what = {
                "TABLE_FUNCTION": "a table function",
                "SHOW_REF": "DESCRIBE, SHOW and SUMMARIZE",
                "RECURSIVE_CTE_NODE": "a recursive query",
                "LAMBDA": "a lambda",
                "PIVOT": "PIVOT",
            }.get(kind, kind)
            if kind.endswith("_QUERY_NODE"):
                what = "a statement that changes data"
            self.faults.append(f"{what} is not allowed.")
            return False
        if node.get("sample") is not None:
            self.faults.append("a sample is not allowed: the same book must give the same result.")
        if kind == "JOIN" and node.get("ref_type") not in JOINS:
            self.faults.append(f"{str(node.get('ref_type')).lower()} join is not allowed.")
        if kind == "FUNCTION" or kind.startswith("WINDOW_"):
            self._function(node)
        if kind == "TYPE" and str(node.get("type_name", "")).upper() not in TYPES:
            self.faults.append(f"type {node.get('type_name')} is not allowed.")
        if kind == "COLUMN_REF":
            name = str((node.get("column_names") or [""])[-1]).lower()
            if len(node.get("column_names") or ()) == 1 and NOT_COLUMNS.fullmatch(name):
                self.faults.append(f"{name} is not allowed: say it with a parameter.")
        return True

    def _function(self, node: Mapping[str, Any]) -> None:
        name = str(node.get("function_name", "")).lower()
        if node.get("schema") or node.get("catalog") or name not in FUNCTIONS:
            self.faults.append(f"function {name} is not on the list of a book's functions.")

    def _table(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        name = str(node.get("table_name", ""))
        if node.get("schema_name") or node.get("catalog_name"):
            path = (node.get("catalog_name"), node.get("schema_name"), name)
            said = ".".join(str(one) for one in path if one)
            self.faults.append(f"{said}: name a relation without its schema.")
        elif node.get("at_clause") is not None:
            self.faults.append(f"{name}: AT is not allowed.")
        elif name not in scope:
            self.tables.add(name)

    def _ctes(self, found: Mapping[str, Any], scope: frozenset[str]) -> frozenset[str]:
        """Return the scope with a query's own WITH names, each of which sees those before it."""
        for one in found.get("map", ()):
            name = str(one["key"])
            if name in self.taken:
                self.faults.append(f"WITH {name}: is a relation or query already. Rename it.")
            self.visit(one["value"], scope)
            scope |= {name}
        return scope


def lint_sql(
    sql: str, cursor: duckdb.DuckDBPyConnection, *, taken: Iterable[str] = ()
) -> tuple[set[str], set[str], list[str]]:
    """Return (tables read, parameters named, faults) of one statement.

    Args:
        sql: the text of a fence.
        cursor: any connection; nothing is run on it but the parser.
        taken: names that a WITH must not use.
    """
    try:
        statements = cursor.extract_statements(sql)
    except duckdb.Error as fault:
        return set(), set(), [f"is no SQL: {str(fault).splitlines()[0]}"]
    if len(statements) != 1:
        return set(), set(), [f"holds {len(statements)} statements, must hold exactly one."]
    [statement] = statements
    if statement.type != duckdb.StatementType.SELECT:
        return set(), set(), ["is no SELECT."]
    if sql.rstrip().endswith(";"):
        return set(), set(), ["leave out the semicolon."]
    text = cursor.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0][0]
    tree = json.loads(text)
    if tree.get("error"):
        return set(), set(), ["is no plain SELECT."]
    walk = _Walk(set(taken))
    walk.visit(tree["statements"], frozenset())
    return walk.tables, set(statement.named_parameters), list(dict.fromkeys(walk.faults))


def lint(
    book: Book, cursor: duckdb.DuckDBPyConnection
) -> tuple[dict[str, set[str]], list[BookFault]]:
    """Return which queries each query reads, and every fault of the book's SQL and narrative."""
    faults: list[BookFault] = []

    def fault(line: int, name: str, text: str) -> None:
        faults.append(BookFault(file=book.file, line=line, name=name, text=text))

    for source in book.sources:
        if source not in RELATIONS:
            fault(2, "sources", f"{source} is no certified relation.")
    for name in sorted(
        (set(book.queries) & set(RELATIONS)) | (set(book.queries) & set(book.params))
    ):
        fault(book.queries[name].line, name, "the name is taken. Rename the query.")
    may_read = set(book.sources) & set(RELATIONS)
    taken = set(RELATIONS) | set(book.queries)
    reads: dict[str, set[str]] = {}
    for query in (*book.queries.values(), *choices(book)):
        is_choice = query.name not in book.queries
        tables, params, found = lint_sql(query.sql, cursor, taken=taken)
        for text in found:
            fault(query.line, query.name, text)
        for table in sorted(tables - may_read - (set() if is_choice else set(book.queries))):
            fault(query.line, query.name, f"reads {table}, which is not among the sources.")
        for param in sorted(params - (set() if is_choice else set(book.params))):
            fault(query.line, query.name, f"${param} is no declared parameter.")
        if not is_choice:
            reads[query.name] = tables & set(book.queries)
    for name in _in_cycles(reads):
        fault(book.queries[name].line, name, "reads itself in a circle.")
    for block in book.blocks:
        if isinstance(block, Narrative):
            for offset, text in _narrative(block.text, book):
                fault(block.line + offset, "", text)
    return reads, faults


def choices(book: Book) -> list[Query]:
    """Return the queries that give a parameter its options; they are linted like any other."""
    return [
        Query(name=f"parameter {param.name}", sql=param.query, line=2)
        for param in book.params.values()
        if param.query is not None
    ]


def order(reads: Mapping[str, set[str]], name: str) -> list[str]:
    """Return the queries that one needs, each after those it reads, itself last."""
    found: list[str] = []

    def add(one: str) -> None:
        for other in sorted(reads[one]):
            add(other)
        if one not in found:
            found.append(one)

    add(name)
    return found


def _in_cycles(reads: Mapping[str, set[str]]) -> list[str]:
    left = {name: set(read) for name, read in reads.items()}
    while ready := [name for name, read in left.items() if not read & set(left)]:
        for name in ready:
            del left[name]
    return sorted(left)


def _narrative(text: str, book: Book) -> Iterable[tuple[int, str]]:
    """Yield (line, fault) of holes that name nothing, and of markup that is not ours."""
    for hole in HOLE.finditer(text):
        line = text.count("\n", 0, hole.start())
        name, column, used = hole.groups()
        if used is not None and used not in FILTERS:
            yield line, f"filter {used} is none of {', '.join(sorted(FILTERS))}."
        if column is None and name not in book.params:
            yield line, f"{{{{ {name} }}}} is no parameter."
        if column is not None and name not in book.queries:
            yield line, f"{{{{ {name}.{column} }}}} names no query of this book."
    rest = HOLE.sub("", text)
    for mark in ("{{", "{%", "{#"):
        if mark in rest:
            yield text.count("\n", 0, max(text.find(mark), 0)), f"{mark} opens nothing known."
    if re.search(r"\]\([^)]*\{\{", text) or re.search(r"(?m)^\s*\[[^\]]+\]:.*\{\{", text):
        yield 0, "a link's address takes no values."
