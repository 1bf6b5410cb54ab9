"""Books on screen: words without raw HTML, unknown as a dash, faults by line, proof at the end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from analytics.books.format import Book, View, parse
from analytics.books.run import BookRunner, Rendered, Table, ViewBlock
from dashboards.books import draw, proof
from dashboards.books.page import fault_list
from dashboards.books.shelf import books
from dashboards.books.text import prose
from dashboards.live import Hub
from dashboards.operations.rights import Rights
from tests.analytics_plant import ZONE, Plant, minutes
from tests.browser import grave_findings
from tests.operations_plant import a_morning, followed
from tests.ui_plant import SECRET, create_app, plant_of, running

AT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def view(kind: str, columns: tuple[str, ...], *rows: tuple[Any, ...], **options: Any) -> ViewBlock:
    table = Table(columns=columns, rows=rows)
    return ViewBlock(query="q", kind=kind, options=options, table=table)


@pytest.fixture
def plant() -> Plant:
    made = Plant()
    a_morning(made)
    made.projector.catch_up()
    return made


def shift_review(plant: Plant, values: Mapping[str, str] | None = None) -> Rendered:
    return BookRunner(plant.projector).run(books().books["shift-review"], values)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[x](javascript:alert(1))",
        "[x](//elsewhere.example/y)",
        "[x](https://elsewhere.example)",
    ],
)
def test_words_carry_no_markup_and_lead_nowhere_else(text: str) -> None:
    made = str(prose(text))
    assert "<script" not in made
    assert "<img" not in made
    assert "href" not in made


def test_words_may_link_within_the_plant() -> None:
    assert '<a href="/oee">OEE</a>' in prose("[OEE](/oee)")


def test_heading_of_a_book_is_below_the_page_title() -> None:
    assert "<h2>Title</h2>" in prose("# Title")


@pytest.mark.requirement("J2")
def test_unknown_figure_is_a_dash_and_says_so() -> None:
    made = draw.figures(view("kpi", ("oee", "good"), (None, 0), format={"oee": "pct"}), ZONE)
    assert "—" in made
    assert "Unknown" in made
    assert ">0<" in made.replace("\n", "")
    assert "0.0 %" not in made


def test_moment_has_its_zone_and_text_is_escaped() -> None:
    made = draw.rows_table(view("table", ("at", "says"), (AT, "<b>x</b>")), ZONE, Rights())
    assert "2026-03-02 06:00:00 CET" in made
    assert "&lt;b&gt;x" in made


def test_drill_leads_only_those_who_may_follow() -> None:
    shown = view("table", ("batch",), ("B/1?x",), drill="/review/batch/{batch}")
    qa, director = (Rights(roles=frozenset({role})) for role in ("qa", "director"))
    assert 'href="/review/batch/B%2F1%3Fx"' in draw.rows_table(shown, ZONE, qa)
    assert "href" not in draw.rows_table(shown, ZONE, director)


def test_cut_result_says_that_it_was_cut() -> None:
    table = Table(columns=("a",), rows=((1,),), cut=True)
    made = draw.heading(ViewBlock(query="q", kind="table", options={}, table=table))
    assert "Cut after 1 rows" in made


class Shown:
    """What stands where a sheet would."""

    def __init__(self) -> None:
        self.text = ""

    def show(self, *pieces: Any) -> None:
        self.text = "".join(pieces)


def drawn(shown: ViewBlock) -> tuple[draw.Chart, str, str]:
    """Return a chart with the words above and below it."""
    above, below = Shown(), Shown()
    made = View(query="q", kind=shown.kind, line=1, options=shown.options)
    chart = draw.Chart(made, cast(Any, above), cast(Any, below))
    chart.show(shown, ZONE, Rights())
    return chart, above.text, below.text


def test_result_without_rows_says_so_and_draws_no_chart() -> None:
    chart, above, below = drawn(view("bar", ("x", "y"), x="x", y="y"))
    assert "No rows for these parameters." in above
    assert (chart.chart.pane.visible, below) == (False, "")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pareto", {"x": "name", "y": "value"}),
        ("bar", {"x": "name", "y": "value"}),
        ("line", {"x": "name", "y": "value", "series": "name", "target": 2}),
        ("waterfall", {"x": "name", "y": "value"}),
        ("timeline", {"start": "start", "end": "end", "state": "name", "lane": "name"}),
        ("control_chart", {"x": "name", "y": "value", "center": "value", "low": "value",
                           "high": "value"}),
    ],
)  # fmt: skip
def test_every_kind_of_chart_has_its_numbers_in_a_table(kind: str, options: Any) -> None:
    columns = ("name", "value", "start", "end")
    shown = view(kind, columns, ("run", 1, AT, AT), ("unknown", None, AT, AT), **options)
    chart, _, below = drawn(shown)
    assert chart.chart.pane.visible
    assert 'data-testid="table-q"' in below
    assert "—" in below


def test_draft_says_what_it_is_not_for(plant: Plant) -> None:
    found = shift_review(plant)
    assert "DRAFT - not for GxP decisions" in proof.status(found)
    assert proof.DRAFT in proof.accordion(found, ZONE)


@pytest.mark.requirement("M7")
def test_proof_holds_sql_and_digests_of_every_query(plant: Plant) -> None:
    found = shift_review(plant)
    made = proof.accordion(found, ZONE)
    for one in found.provenance.queries:
        assert one.sql_sha256 in made
        assert one.result_sha256 in made
    assert found.book.sha256 in made


def test_parameters_are_a_form_of_their_type(plant: Plant) -> None:
    made = proof.form(shift_review(plant), "/books")
    assert '<option value="L1" selected>L1</option>' in made
    assert 'action="/books/shift-review"' in made


def test_fault_is_shown_as_file_and_line() -> None:
    text = "---\ntitle: A\nid: a\nversion: 1\nsources: []\n---\n# A\n\n<b>raw</b>\n"
    book, faults = parse(text, "a.md")
    assert book is None
    made = fault_list(faults)
    assert "a.md:9" in made
    assert "nothing was run" in made


def test_file_with_faults_does_not_hide_the_rest(tmp_path: Path) -> None:
    (tmp_path / "broken.md").write_text("no front matter", "utf-8")
    good = books().books["shift-review"]
    (tmp_path / "good.md").write_text(good.text, "utf-8")
    shelf = books(tmp_path)
    assert list(shelf.books) == ["shift-review"]
    assert [one.file for one in shelf.faults] == ["broken.md"]


def _readable(book: Book) -> bool:
    return "director" in book.audience or not book.audience


@pytest.mark.parametrize("dark", [False, True])
def test_book_opens_and_its_parameters_are_the_address(
    plant: Plant, open_screen: Any, dark: bool
) -> None:
    hub = Hub()
    with followed(plant, hub) as readers:
        services = plant_of(zone=ZONE, hub=hub, readers=readers)
        with running(create_app(services)) as url:
            screen = open_screen(url, dark=dark)
            screen.signed_in("dora", SECRET)
            page = screen.go("/books")
            assert _readable(books().books["shift-review"])
            page.get_by_role("link", name="Shift review").click()
            page.get_by_text("DRAFT - not for GxP decisions").first.wait_for()
            page.get_by_role("heading", name="Shift early of 2026-03-02 on L1").wait_for()
            page.get_by_text("SQL and provenance of").click()
            page.get_by_text("kpi: 1 rows").click()
            page.get_by_text("Result sha256").first.wait_for()
            assert grave_findings(page) == []
            page.get_by_role("button", name="Show").click()
            page.wait_for_url("**line=L1**")
            plant.book.label(minutes(120), minutes(129), "breakdown")
            page.get_by_test_id("newer").wait_for()


def test_book_for_another_role_is_not_here(plant: Plant, open_screen: Any) -> None:
    hub = Hub()
    with followed(plant, hub) as readers:
        services = plant_of(zone=ZONE, hub=hub, readers=readers)
        with running(create_app(services)) as url:
            screen = open_screen(url)
            screen.signed_in("ama", SECRET)
            page = screen.go("/books/shift-review")
            page.get_by_text("There is no book shift-review for your role.").wait_for()
            page = screen.go("/books")
            page.get_by_text("No book is for your role yet.").wait_for()
