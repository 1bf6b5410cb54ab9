"""The book file: front matter, narrative, `sql` fences and `view` fences; read, never run.

A fault of the file is data, `file:line: query: text`; all of them are found at once.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from core.errors import Refused

FRONT = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
NAME = re.compile(r"[a-z][a-z0-9_]*")
HOLE = re.compile(r"\{\{\s*([a-z]\w*)(?:\.([a-z]\w*))?\s*(?:\|\s*([a-z]+)\s*)?\}\}", re.ASCII)
HEAD_KEYS = {"title", "id", "version", "audience", "params", "sources", "schedule", "summary"}
PARAM_KINDS = {"choice", "int", "date"}
PARAM_KEYS = {"type", "label", "default", "query", "values", "min", "max"}
# kind -> (keys that name a column and must be there, keys that name a column and may be)
VIEWS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "pareto": (frozenset({"x", "y"}), frozenset({"series"})),
    "bar": (frozenset({"x", "y"}), frozenset({"series"})),
    "line": (frozenset({"x", "y"}), frozenset({"series"})),
    "waterfall": (frozenset({"x", "y"}), frozenset()),
    "timeline": (frozenset({"start", "end", "state"}), frozenset({"lane", "reason"})),
    "control_chart": (frozenset({"x", "y", "center", "low", "high"}), frozenset()),
    "kpi": (frozenset(), frozenset()),
    "table": (frozenset(), frozenset()),
}
COMMON_KEYS = {"kind", "title", "unit", "target", "note", "drill", "export", "columns", "format"}
EXPORTS = {"csv", "parquet", "xlsx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFault:
    """One thing that is wrong with a file."""

    file: str
    line: int
    name: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return where + (f"{self.name}: {self.text}" if self.name else self.text)


class BookRefused(Refused):
    """A book cannot be used as it is."""

    def __init__(self, book: str, faults: Sequence[BookFault]) -> None:
        super().__init__(f"Book {book}: {faults[0]} Correct the file.", book=book)
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A typed parameter; `query` gives the options of a choice."""

    name: str
    kind: str
    label: str
    default: str | int | date | None = None
    query: str | None = None
    values: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One named SELECT."""

    name: str
    sql: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a query is shown."""

    query: str
    kind: str
    line: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrative:
    """Markdown with holes such as `{{ kpi.oee | pct }}`."""

    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A book as its file states it; `sha256` is over the file's bytes."""

    file: str
    id: str
    title: str
    version: int
    audience: tuple[str, ...]
    summary: str
    params: Mapping[str, Param]
    sources: tuple[str, ...]
    queries: Mapping[str, Query]
    blocks: tuple[Narrative | View, ...]
    sha256: str
    text: str


class _Reader:
    """Collects faults while one file is read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[BookFault] = []

    def fault(self, line: int, text: str, name: str = "") -> None:
        self.faults.append(BookFault(file=self.file, line=line, name=name, text=text))

    def head(self, text: str) -> dict[str, Any]:
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as broken:
            self.fault(2, f"front matter is no YAML: {str(broken).splitlines()[0]}.")
            return {}
        if not isinstance(found, dict):
            self.fault(2, "front matter must be keys with values.")
            return {}
        for key in set(found) - HEAD_KEYS:
            self.fault(2, f"front matter: {key} is no key of a book.")
        for key, kind in (("title", str), ("id", str), ("version", int), ("sources", list)):
            if not isinstance(found.get(key), kind):
                self.fault(2, f"front matter: {key} is missing or not of its type.")
        return found

    def params(self, found: object) -> dict[str, Param]:
        if not isinstance(found, dict):
            self.fault(2, "front matter: params must be names with types.")
            return {}
        made = {}
        for name, given in found.items():
            if not isinstance(name, str) or not NAME.fullmatch(name) or not isinstance(given, dict):
                self.fault(2, f"parameter {name}: is no name with a type.")
                continue
            param = self._param(name, given)
            if param is not None:
                made[name] = param
        return made

    def _param(self, name: str, given: dict[str, Any]) -> Param | None:
        kind = given.get("type")
        unknown = set(given) - PARAM_KEYS
        if kind not in PARAM_KINDS or unknown:
            says = (
                f"{', '.join(sorted(map(str, unknown)))} is no key" if unknown else f"type {kind}"
            )
            self.fault(2, f"parameter {name}: {says}; types are {', '.join(sorted(PARAM_KINDS))}.")
            return None
        values = tuple(str(value) for value in given.get("values") or ())
        query = given.get("query")
        if kind == "choice" and not values and not isinstance(query, str):
            self.fault(2, f"parameter {name}: a choice needs values or a query.")
            return None
        default = given.get("default")
        if kind == "int" and not all(
            type(given.get(key)) is int for key in ("default", "min", "max")
        ):
            self.fault(2, f"parameter {name}: an int needs default, min and max as whole numbers.")
            return None
        if kind == "date" and type(default) is not date:
            self.fault(2, f"parameter {name}: a date needs a default such as 2026-03-02.")
            return None
        return Param(
            name=name,
            kind=kind,
            label=str(given.get("label") or name.replace("_", " ").capitalize()),
            default=str(default) if kind == "choice" and default is not None else default,
            query=query if isinstance(query, str) else None,
            values=values,
            low=given.get("min"),
            high=given.get("max"),
        )

    def view(self, name: str, text: str, line: int) -> View | None:
        try:
            options = yaml.safe_load(text)
        except yaml.YAMLError:
            options = None
        if not isinstance(options, dict):
            self.fault(line, "a view is keys with values.", name)
            return None
        kind = options.get("kind")
        if kind not in VIEWS:
            self.fault(line, f"view kind {kind} is none of {', '.join(VIEWS)}.", name)
            return None
        needed, may = VIEWS[kind]
        for key in sorted(needed - set(options)):
            self.fault(line, f"a {kind} needs {key}.", name)
        for key in sorted(set(options) - needed - may - COMMON_KEYS):
            self.fault(line, f"{key} is no key of a {kind}.", name)
        if not set(options.get("export") or ()) <= EXPORTS:
            self.fault(line, f"export is some of {', '.join(sorted(EXPORTS))}.", name)
        drill = options.get("drill")
        if drill is not None and not re.fullmatch(r"/(?!/)[\w/{}?&=.-]*", str(drill)):
            path = "drill must be a path of this plant, such as /audit?entry={seq}."
            self.fault(line, path, name)
        rest = {key: value for key, value in options.items() if key != "kind"}
        return View(query=name, kind=kind, line=line, options=rest)


def parse(text: str, file: str) -> tuple[Book | None, list[BookFault]]:
    """Return the book in a file's text and every fault of its form; no book where it has none."""
    reader = _Reader(file)
    front = FRONT.match(text)
    if front is None:
        reader.fault(1, "a book opens with front matter between two lines of ---.")
        return None, reader.faults
    head = reader.head(front.group(1))
    params = reader.params(head.get("params") or {})
    first = front.group(0).count("\n")
    queries, blocks = _body(reader, text[front.end() :], first)
    for name in sorted({one.query for one in blocks if isinstance(one, View)} - set(queries)):
        line = next(one.line for one in blocks if isinstance(one, View) and one.query == name)
        reader.fault(line, "a view shows a query of this book; there is none of that name.", name)
    if reader.faults:
        return None, reader.faults
    book = Book(
        file=file,
        id=head["id"],
        title=head["title"],
        version=head["version"],
        audience=tuple(head.get("audience") or ()),
        summary=str(head.get("summary") or ""),
        params=params,
        sources=tuple(map(str, head["sources"])),
        queries=queries,
        blocks=tuple(blocks),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )
    return book, []


def _body(
    reader: _Reader, body: str, first: int
) -> tuple[dict[str, Query], list[Narrative | View]]:
    """Split a book's body at its fences; a line number counts from the file's top."""
    lines = body.splitlines(keepends=True)
    queries: dict[str, Query] = {}
    blocks: list[Narrative | View] = []
    at = 0
    for token in MarkdownIt("commonmark").parse(body):
        line = first + (token.map[0] if token.map else 0) + 1
        if token.type == "html_block" or any(
            child.type == "html_inline" for child in token.children or ()
        ):
            reader.fault(line, "raw HTML is not shown. Write Markdown.")
        kind, _, name = token.info.strip().partition(" ")
        if token.type != "fence" or kind not in ("sql", "view") or token.map is None:
            continue
        if token.level:
            reader.fault(line, "a fence stands for itself, not in a list or a quotation.")
        _add_narrative(blocks, "".join(lines[at : token.map[0]]), first + at + 1)
        at = token.map[1]
        if not NAME.fullmatch(name):
            reader.fault(line, f"a {kind} fence needs one name, such as ```{kind} losses.", name)
        elif kind == "view":
            view = reader.view(name, token.content, line)
            blocks += [view] if view else []
        elif name in queries:
            reader.fault(line, "there is another query of this name.", name)
        else:
            queries[name] = Query(name=name, sql=token.content.strip(), line=line)
    _add_narrative(blocks, "".join(lines[at:]), first + at + 1)
    return queries, blocks


def _add_narrative(blocks: list[Narrative | View], text: str, line: int) -> None:
    if text.strip():
        blocks.append(Narrative(text=text, line=line))


def load(path: Path) -> Book:
    """Return the book in a file.

    Raises:
        BookRefused: the file has faults of form; all of them are in `faults`.
    """
    book, faults = parse(path.read_text("utf-8"), path.name)
    if book is None:
        raise BookRefused(path.stem, faults)
    return book


LIBRARY = Path(__file__).parent / "library"


def library(folder: Path = LIBRARY) -> dict[str, Book]:
    """Return the books of a folder by id.

    Raises:
        BookRefused: a file has faults of form.
    """
    books = [load(path) for path in sorted(folder.glob("*.md"))]
    return {book.id: book for book in books}
