"""Books: the file, the linter with its hostile corpus, the run with its limits, provenance."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from markdown_it import MarkdownIt

from analytics.books.format import Book, BookRefused, library, parse
from analytics.books.lint import lint, lint_sql
from analytics.books.narrative import escape, fill, shown
from analytics.books.provenance import plain, result_sha256
from analytics.books.run import BookRunner, ParamRefused, QueryTooLong, TextBlock, ViewBlock
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


def sql_faults(sql: str) -> list[str]:
    return [str(one) for one in lint(book(f"```sql q\n{sql}\n```\n"), CURSOR)[1]]


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
         "line.md:14: a: drill must be a path of this plant, such as /audit?seq={seq}."),
        ("```sql a\nselect 1\n```\n```view a\nkind: table\ndrill: javascript:x\n```",
         "line.md:14: a: drill must be a path of this plant, such as /audit?seq={seq}."),
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


# -- the linter ------------------------------------------------------------------------------

HOSTILE = [
    ("select 1; select 2", "holds 2 statements, must hold exactly one."),
    ("select 1 as a; drop table line_shift", "holds 2 statements, must hold exactly one."),
    ("attach '/tmp/x.db' as x", "is no SELECT."),
    ("copy line_shift to '/tmp/x.csv'", "is no SELECT."),
    ("pragma database_list", "is no SELECT."),
    ("set threads = 8", "is no SELECT."),
    ("install httpfs", "is no SELECT."),
    ("load httpfs", "is no SELECT."),
    ("create temp table x as select 1", "is no SELECT."),
    ("call pragma_version()", "is no SELECT."),
    ("select * from read_csv('/etc/passwd')", "a table function is not allowed."),
    ("select * from '/etc/passwd'", "reads /etc/passwd, which is not among the sources."),
    ("select * from 'x.parquet'", "reads x.parquet, which is not among the sources."),
    ("with x as (insert into loss values (1) returning *) select * from x",
     "a statement that changes data is not allowed."),
    ("with x as (delete from loss returning *) select * from x",
     "a statement that changes data is not allowed."),
    ("with x as (update loss set stops = 1 returning *) select * from x",
     "a statement that changes data is not allowed."),
    ("select * from query('select 1')", "a table function is not allowed."),
    ("select * from query_table('loss')", "a table function is not allowed."),
    ("select * from duckdb_settings()", "a table function is not allowed."),
    ("select * from range(10)", "a table function is not allowed."),
    ("select * from information_schema.tables",
     "information_schema.tables: name a relation without its schema."),
    ("select * from base.entry", "base.entry: name a relation without its schema."),
    ("select * from memory.main.loss", "memory.main.loss: name a relation without its schema."),
    ("select * from weighing", "reads weighing, which is not among the sources."),
    ("describe loss", "DESCRIBE, SHOW and SUMMARIZE is not allowed."),
    ("show tables", "DESCRIBE, SHOW and SUMMARIZE is not allowed."),
    ("pivot loss on line using sum(stops)", "is no SELECT."),
    ("select getenv('HOME') as a", "function getenv is not on the list of a book's functions."),
    ("select current_setting('threads') as a",
     "function current_setting is not on the list of a book's functions."),
    ("select random() as a", "function random is not on the list of a book's functions."),
    ("select now() as a", "function now is not on the list of a book's functions."),
    ("select current_date as a", "current_date is not allowed: say it with a parameter."),
    ("select current_user as a", "current_user is not allowed: say it with a parameter."),
    ("select nextval('s') as a", "function nextval is not on the list of a book's functions."),
    ("select repeat('x', 1000000000) as a",
     "function repeat is not on the list of a book's functions."),
    ("select unnest([1, 2]) as a", "function unnest is not on the list of a book's functions."),
    ("select list_transform([1], lambda x: x + 1) as a", "a lambda is not allowed."),
    ("with recursive c as (select 1 as a union all select a + 1 from c) select * from c",
     "a recursive query is not allowed."),
    ("select * from loss using sample 10%",
     "a sample is not allowed: the same book must give the same result."),
    ("select * from loss positional join line_shift", "positional join is not allowed."),
    ("select a::json as a from loss", "type json is not allowed."),
    ("select * from loss where line = $secret", "$secret is no declared parameter."),
    ("select * from loss where line = ?", "$1 is no declared parameter."),
    ("select (with weighing as (select 1 as a) select a from weighing) as b, * from weighing",
     "WITH weighing: is a relation or query already. Rename it."),
    ("select (with hid as (select 1 as a) select a from hid) as b, * from hid",
     "reads hid, which is not among the sources."),
    ("with loss as (select 1 as a) select * from loss",
     "WITH loss: is a relation or query already. Rename it."),
    ("with a as (select * from b), b as (select 1 as x) select * from a",
     "reads b, which is not among the sources."),
    ("select * from (select * from (select * from weighing))",
     "reads weighing, which is not among the sources."),
    ("select (select max(seq) from weighing) as a",
     "reads weighing, which is not among the sources."),
    ("select * from loss order by (select max(seq) from weighing)",
     "reads weighing, which is not among the sources."),
    ("select 1;", "leave out the semicolon."),
    ("selekt 1", "is no SQL: Parser Error: syntax error at or near \"selekt\""),
    ("select * from q", "reads itself in a circle."),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "says"), HOSTILE)
def test_hostile_query_is_refused_with_its_place(sql: str, says: str) -> None:
    assert f"line.md:11: q: {says}" in sql_faults(sql)


@pytest.mark.parametrize(("sql", "says"), HOSTILE)
def test_hostile_query_of_a_choice_is_refused_too(sql: str, says: str) -> None:
    head = HEAD.replace("select distinct line from line_shift order by 1", sql.replace('"', "'"))
    found, faults = parse(head + "x", "line.md")
    assert faults == []
    assert found is not None
    assert lint(found, CURSOR)[1] != [] or "says" in says


HARMLESS = [
    "select * from loss",
    "select line, sum(loss_us) filter (where stops > 0) as a from loss group by all order by a",
    "with a as (select 1 as x), b as (select x from a) select * from b union all select x from a",
    "select * from loss as l join line_shift as s using (line) left join loss as m using (line)",
    "select case when stops between 1 and 2 then 'few' else null end as c from loss limit 5",
    "select row_number() over (partition by line order by loss_us desc) as n from loss",
    "select date_trunc('day', make_timestamptz(hour_us)) as d, count(*) from loss group by all",
    "select * from loss where line in (select line from line_shift) and reason like 'b%'",
    "select stops::decimal(10, 2) as a, interval 5 minutes as b, coalesce(reason, '') from loss",
    "select * from (values (1, 2)) as v(a, b)",
    "select distinct line from loss where line = $line and not stops is null -- a comment",
]


@pytest.mark.parametrize("sql", HARMLESS)
def test_plain_select_passes_and_runs(sql: str) -> None:
    assert sql_faults(sql) == []
    assert runner().run(book(f"```sql q\n{sql}\n```\n```view q\nkind: table\n```\n"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ nobody }}", "line.md:11: {{ nobody }} is no parameter."),
        ("{{ a.b }}", "line.md:11: {{ a.b }} names no query of this book."),
        ("x\n{{ line | shell }}",
         "line.md:12: filter shell is none of count, day, hours, kg, minutes, num, pct, time."),
        ("{{ line.__class__ }}", "line.md:11: {{ opens nothing known."),
        ("{{ line() }}", "line.md:11: {{ opens nothing known."),
        ("{% for a in b %}", "line.md:11: {% opens nothing known."),
        ("[x]({{ line }})", "line.md:11: a link's address takes no values."),
        ("[x]: {{ line }}", "line.md:11: a link's address takes no values."),
    ],
)  # fmt: skip
def test_hole_that_names_nothing_is_refused(text: str, fault: str) -> None:
    assert [str(one) for one in lint(book(text), CURSOR)[1]] == [fault]


def test_source_must_be_certified() -> None:
    head = HEAD.replace("[line_shift, loss]", "[line_shift, duckdb_tables]")
    faults = lint(book("x", head), CURSOR)[1]
    assert [str(one) for one in faults] == [
        "line.md:2: sources: duckdb_tables is no certified relation."
    ]


def test_tables_of_a_query_are_those_read_outside_its_own_with() -> None:
    sql = "with a as (select * from t) select * from a, u where exists (select 1 from v)"
    assert lint_sql(sql, CURSOR)[0] == {"t", "u", "v"}


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


def test_query_is_stopped_at_its_time_limit() -> None:
    with pytest.raises(QueryTooLong) as refusal:
        runner(time_limit_s=0.3).run(book(f"```sql q\n{SLOW}\n```"))
    assert str(refusal.value) == (
        "Book line-oee, query q: stopped after 0.3 s. Ask for fewer days."
    )


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
