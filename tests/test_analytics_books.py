"""Books: the file, the run with its limits, provenance and narrative."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from markdown_it import MarkdownIt

from analytics.books.format import Book, BookRefused, library, parse
from analytics.books.lint import lint
from analytics.books.narrative import escape, fill, shown
from analytics.books.params import ParamRefused
from analytics.books.provenance import plain, result_sha256
from analytics.books.run import BookRunner, QueryTooLong, TextBlock, ViewBlock
from analytics.store import RELATIONS
from tests.analytics_plant import Plant, minutes
from tests.test_analytics_trends import shift

HEAD = """---
title: Line
id: line-oee
version: 3
params:
  line: {type: choice, query: "select distinct line from line_shift order by 1"}
  days: {type: int, default: 7, min: 1, max: 31}
  since: {type: date, default: 2026-03-01}
sources: [line_shift, loss]
---
"""
BODY = """# OEE of {{ line }}

It was {{ kpi.oee | pct }} in {{ days }} days.

```sql kpi
select oee, n from wins
```
```sql wins
select oee, $days as n from line_shift where line = $line and business_date >= $since
```
```view kpi
kind: kpi
unit: "%"
```
The end.
"""
CURSOR = duckdb.connect()


def book(body: str = BODY, head: str = HEAD) -> Book:
    found, faults = parse(head + body, "line.md")
    assert faults == []
    assert found is not None
    return found


def form(body: str, head: str = HEAD) -> list[str]:
    return [str(fault) for fault in parse(head + body, "line.md")[1]]


@cache
def shared() -> BookRunner:
    """Return the runner of one plant that no test changes."""
    return runner(shift())


def runner(plant: Plant | None = None, **limits: float) -> BookRunner:
    if plant is None and not limits:
        return shared()
    made = plant or shift()
    made.projector.catch_up()
    return BookRunner(made.projector, **limits)  # type: ignore[arg-type]


# -- the file --------------------------------------------------------------------------------


def test_book_is_read_in_the_order_of_its_file() -> None:
    found = book()
    assert [type(one).__name__ for one in found.blocks] == ["Narrative", "View", "Narrative"]
    assert list(found.queries) == ["kpi", "wins"]
    assert found.queries["wins"].line == 18
    assert found.params["since"].default == date(2026, 3, 1)
    assert lint(found, CURSOR) == ({"kpi": {"wins"}, "wins": set()}, [])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("```sql\nselect 1\n```", "line.md:11: a sql fence needs one name, such as ```sql losses."),
        ("```sql a\nselect 1\n```\n```sql a\nselect 2\n```",
         "line.md:14: a: there is another query of this name."),
        ("```view b\nkind: table\n```",
         "line.md:11: b: a view shows a query of this book; there is none of that name."),
        ("```sql a\nselect 1\n```\n```view a\nkind: pie\n```",
         "line.md:14: a: view kind pie is none of pareto, bar, line, waterfall, timeline,"
         " control_chart, kpi, table."),
        ("```sql a\nselect 1\n```\n```view a\nkind: pareto\nx: a\n```",
         "line.md:14: a: a pareto needs y."),
        ("```sql a\nselect 1\n```\n```view a\nkind: table\ncolour: red\n```",
         "line.md:14: a: colour is no key of a table."),
        ("```sql a\nselect 1\n```\n```view a\nkind: table\ndrill: //evil.example/x\n```",
         "line.md:14: a: drill must be a path of this plant, such as /audit?entry={seq}."),
        ("```sql a\nselect 1\n```\n```view a\nkind: table\ndrill: javascript:x\n```",
         "line.md:14: a: drill must be a path of this plant, such as /audit?entry={seq}."),
        ("<script>alert(1)</script>", "line.md:11: raw HTML is not shown. Write Markdown."),
        ("hello <b>x</b>", "line.md:11: raw HTML is not shown. Write Markdown."),
        ("- item\n  ```sql a\n  select 1\n  ```",
         "line.md:12: a fence stands for itself, not in a list or a quotation."),
    ],
)  # fmt: skip
def test_fault_of_form_names_file_line_and_query(body: str, fault: str) -> None:
    assert form(body) == [fault]


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ("no front matter", "line.md:1: a book opens with front matter between two lines of ---."),
        (HEAD.replace("version: 3", "version: x"),
         "line.md:2: front matter: version is missing or not of its type."),
        (HEAD.replace("version: 3", "version: 3\nhook: x"),
         "line.md:2: front matter: hook is no key of a book."),
        (HEAD.replace("min: 1, ", ""),
         "line.md:2: parameter days: an int needs default, min and max as whole numbers."),
        (HEAD.replace("type: date", "type: code"),
         "line.md:2: parameter since: type code; types are choice, date, int."),
        (HEAD.replace("version: 3", "version: !!python/object/apply:os.system [true]"),
         "line.md:2: front matter is no YAML: could not determine a constructor for the tag"
         " 'tag:yaml.org,2002:python/object/apply:os.system'."),
    ],
)  # fmt: skip
def test_fault_of_the_front_matter_is_named(head: str, fault: str) -> None:
    assert form("", head)[0] == fault


# -- the run ---------------------------------------------------------------------------------


def test_run_gives_blocks_in_order_with_values_as_plain_text() -> None:
    rendered = runner().run(book(), {"days": "3"})
    first, view, last = rendered.blocks
    assert isinstance(first, TextBlock)
    assert isinstance(view, ViewBlock)
    assert first.markdown.strip() == "# OEE of L1\n\nIt was 41\\.7 \\% in 3 days\\.".replace(
        "days\\.", "days."
    )
    assert (view.kind, view.table.columns, len(view.table.rows)) == ("kpi", ("oee", "n"), 1)
    assert isinstance(last, TextBlock)
    assert [(one.name, one.value) for one in rendered.params] == [
        ("line", "L1"),
        ("days", "3"),
        ("since", "2026-03-01"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("line", "L9", "Line: 'L9' is not one of the options. Choose another value."),
        ("days", "0", "Days: '0' is not 1 to 31. Choose another value."),
        ("days", "32", "Days: '32' is not 1 to 31. Choose another value."),
        ("days", "1; drop", "Days: '1; drop' is not a whole number. Choose another value."),
        ("since", "today", "Since: 'today' is not a day such as 2026-03-02. Choose another value."),
    ],
)
def test_parameter_outside_its_type_is_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(ParamRefused) as refusal:
        runner().run(book(), {name: value})
    assert str(refusal.value) == says


@pytest.mark.parametrize("days", ["1", "31"])
def test_parameter_at_its_limit_is_taken(days: str) -> None:
    assert runner().run(book(), {"days": days})


def test_faulty_book_is_not_run() -> None:
    with pytest.raises(BookRefused) as refusal:
        runner().run(book("```sql q\nselect * from weighing\n```"))
    assert str(refusal.value) == (
        "Book line-oee: line.md:11: q: reads weighing, which is not among the sources."
        " Correct the file."
    )


def test_view_of_a_column_that_is_not_there_is_refused() -> None:
    body = "```sql q\nselect line from loss\n```\n```view q\nkind: pareto\nx: line\ny: us\n```"
    assert [str(one) for one in runner().check(book(body))] == [
        "line.md:14: q: the query has no column us."
    ]


TEN = "(values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as v(a)"
SLOW = f"with t as (select a from {TEN}) select sum(t0.a * t1.a + t2.a) as n from " + ", ".join(
    f"t as t{n}" for n in range(11)
)


NO_PARAMETER = HEAD[: HEAD.index("params")] + HEAD[HEAD.index("sources") :]  # asks nothing itself
WIDE = "select count(*) as n from " + ", ".join(f"loss as l{n}" for n in range(12))


@pytest.mark.parametrize(("sql", "limit_s"), [(SLOW, 0.3), (WIDE, 0.02)])
def test_query_is_stopped_at_its_time_limit_while_planned_or_run(sql: str, limit_s: float) -> None:
    with pytest.raises(QueryTooLong) as refusal:
        runner(time_limit_s=limit_s).run(book(f"```sql q\n{sql}\n```", NO_PARAMETER))
    assert str(refusal.value) == (
        f"Book line-oee, query q: stopped after {limit_s:g} s. Ask for fewer days."
    )


def test_hole_of_a_column_that_is_not_there_is_refused() -> None:
    body = "x\n{{ q.us }}\n```sql q\nselect line from loss\n```\n"
    assert [str(one) for one in runner().check(book(body))] == [
        "line.md:12: q: the query has no column us."
    ]


@pytest.mark.parametrize(("cap", "rows", "cut"), [(2, 2, True), (3, 3, False)])
def test_row_cap_is_said(cap: int, rows: int, cut: bool) -> None:
    body = (
        "```sql q\nselect * from (values (1), (2), (3)) as v(a)\n```\n```view q\nkind: table\n```"
    )
    rendered = runner(row_cap=cap).run(book(body))
    [view] = rendered.blocks
    assert isinstance(view, ViewBlock)
    assert (len(view.table.rows), view.table.cut) == (rows, cut)
    assert rendered.provenance.queries[0].cut is cut


WRITES = [
    "insert into base.entry (seq) values (1)",
    "delete from base.entry",
    "copy (select 1) to '/tmp/bw-hostile.csv'",
    "select * from read_csv('/etc/passwd')",
    "attach '/tmp/bw-hostile.db' as x",
    "set enable_external_access = true",
    "set memory_limit = '8GB'",
    "install httpfs",
    "load '/tmp/evil.duckdb_extension'",
]


@pytest.mark.parametrize("sql", WRITES)
def test_snapshot_itself_refuses_what_the_linter_would(sql: str) -> None:
    with runner().snapshot().cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute(sql).fetchall()


def test_same_request_at_one_watermark_is_computed_once_and_anew_when_it_moves() -> None:
    plant = shift()
    made = runner(plant)
    first = made.run(book())
    assert made.run(book()) is first
    plant.machines.pieces(1, 0, minutes(20))
    plant.projector.catch_up()
    made.snapshot().made_s -= 60
    again = made.run(book())
    assert again.provenance.watermark != first.provenance.watermark


# -- provenance ------------------------------------------------------------------------------


def test_provenance_says_what_was_read_and_reproduces() -> None:
    one, other = runner().run(book()).provenance, runner(shift()).run(book()).provenance
    assert (one.book, one.version, one.book_sha256) == ("line-oee", 3, book().sha256)
    assert (one.as_of, one.engine) == (2, f"DuckDB {duckdb.__version__}")
    [kpi, wins] = one.queries
    assert (kpi.name, kpi.rows, kpi.params) == (
        "kpi", 1, {"days": "7", "line": "L1", "since": "2026-03-01"},
    )  # fmt: skip
    assert kpi.sql.startswith('with "wins" as (')
    assert [q.result_sha256 for q in other.queries] == [kpi.result_sha256, wins.result_sha256]
    assert [q.sql_sha256 for q in other.queries] == [kpi.sql_sha256, wins.sql_sha256]


def test_result_digest_does_not_depend_on_order_but_on_every_value() -> None:
    rows = [(1, Decimal("1.50"), None), (2, Decimal(3), "x")]
    digest = result_sha256(("a", "b", "c"), rows)
    assert result_sha256(("a", "b", "c"), rows[::-1]) == digest
    assert result_sha256(("a", "b", "c"), [(1, Decimal("1.5"), None), rows[1]]) == digest
    assert result_sha256(("a", "b", "c"), [(1, Decimal("1.51"), None), rows[1]]) != digest
    assert result_sha256(("a", "b", "d"), rows) != digest
    assert plain(datetime(2026, 3, 2, tzinfo=UTC)) == "2026-03-02T00:00:00.000000Z"


# -- the narrative ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "evil", ["<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "# big", "a\n\n# b", "`c`"]
)
def test_value_in_a_narrative_stays_text(evil: str) -> None:
    text = fill("Line {{ line }} ran.", {"line": evil}, {}, zone=ZoneInfo("UTC"))
    html = MarkdownIt("commonmark", {"html": False}).render(text)
    assert html.count("<") == 2  # one paragraph
    assert "href" not in html
    assert escape("1. a\n2. b") == "1\\. a 2\\. b"
    assert escape(" 12\u202f345 tablets,\t 5\u00a0kg\u2028") == "12\u202f345 tablets\\, 5\u00a0kg"


@pytest.mark.parametrize(
    ("value", "filter_", "text"),
    [
        (None, "pct", "—"),
        (Decimal("0.4167"), "pct", "41.7 %"),
        (1234567, "count", "1\u202f234\u202f567"),
        (5_400_000_000, "hours", "1.50 h"),
        (90_000_000, "minutes", "2 min"),
        (Decimal("1809"), "kg", "1.809 kg"),
        (datetime(2026, 3, 2, 5, tzinfo=UTC), None, "2026-03-02 06:00:00 CET"),
        (Decimal("1E+3"), None, "1000"),
    ],
)
def test_value_is_shown_with_its_unit(value: object, filter_: str | None, text: str) -> None:
    assert shown(value, filter_, ZoneInfo("Europe/Berlin")) == text


# -- the library -----------------------------------------------------------------------------


def test_every_book_of_the_library_passes_and_runs_on_an_empty_plant_too() -> None:
    books = library()
    assert "shift-review" in books
    for made in (runner(), runner(Plant())):
        for one in books.values():
            assert made.check(one) == []
            rendered = made.run(one)
            assert rendered.provenance.book_sha256 == one.sha256
            assert set(one.sources) <= set(RELATIONS)


def test_shift_review_says_what_the_shift_was() -> None:
    rendered = runner().run(library()["shift-review"])
    text = rendered.blocks[0]
    assert isinstance(text, TextBlock)
    assert "OEE was **41\\.7 \\%**" in text.markdown
    views = {one.query: one for one in rendered.blocks if isinstance(one, ViewBlock)}
    assert list(views) == ["kpi", "losses", "states", "hours", "deviations", "refusals"]
    assert views["losses"].table.rows[0][0] == "reduced_speed"


def test_folder_of_books_is_read_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text(HEAD + BODY, "utf-8")
    assert list(library(tmp_path)) == ["line-oee"]
    (tmp_path / "two.md").write_text("nothing", "utf-8")
    with pytest.raises(BookRefused, match=r"two\.md:1: a book opens"):
        library(tmp_path)
