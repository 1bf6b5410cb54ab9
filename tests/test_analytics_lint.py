"""The linter of books and its hostile corpus: run it again on every new version of DuckDB."""

import pytest

from analytics.books.format import parse
from analytics.books.lint import lint, lint_sql
from tests.test_analytics_books import CURSOR, HEAD, book, runner


def sql_faults(sql: str) -> list[str]:
    return [str(one) for one in lint(book(f"```sql q\n{sql}\n```\n"), CURSOR)[1]]


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
    assert lint(found, CURSOR)[1] != []


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
