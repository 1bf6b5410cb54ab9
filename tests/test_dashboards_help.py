"""The manual: every page renders, has one title, and every link of it leads somewhere."""

import re
from pathlib import Path

import pytest

from analytics.books.format import parse
from analytics.books.lint import lint
from analytics.store import RELATIONS, open_store
from core.catalogue import COMMANDS
from core.secret_rules import PLANT_WORDS
from dashboards import help as manual
from dashboards.menu import MENU

PAGES = sorted(path.stem for path in manual.FOLDER.glob("*.md"))
# Served beside the pages of the menu.
ROUTES = {
    "/login", "/logout", "/api/docs", "/api/health", "/api/openapi.json", "/metrics", "/account",
    "/account/passkeys",
}  # fmt: skip


def text_of(page: str) -> str:
    return (manual.FOLDER / f"{page}.md").read_text("utf-8")


def html_of(page: str) -> str:
    return str(manual.render(text_of(page)))


def anchors(page: str) -> set[str]:
    return set(re.findall(r'<h\d id="([^"]+)"', html_of(page)))


def test_markup_in_the_manual_is_shown_as_text() -> None:
    text = manual.render("<script>alert(1)</script> [x](javascript:alert(1)) <b>b</b>")
    assert "<script" not in text
    assert "<b>" not in text
    assert 'href="javascript' not in text


def test_a_wide_table_moves_by_itself_and_by_the_keyboard() -> None:
    shown = manual.render("|a|b|\n|-|-|\n|1|`<table>`|\n")
    assert shown.startswith('<div class="scroll" tabindex="0" role="group"><table>')
    assert shown.count("</table></div>") == shown.count("<div") == 1


def test_links_and_pictures_are_relative_to_the_manual() -> None:
    text = manual.render("[Weigh](weighing.md#tare) ![k](kiosk.png) [Kiosk](/kiosk)")
    assert 'href="/help/weighing#tare"' in text
    assert 'src="/help/kiosk.png"' in text
    assert 'href="/kiosk"' in text


def test_a_heading_can_be_linked_to() -> None:
    assert '<h2 id="too-much-or-too-little">' in manual.render("## Too much, or too little")


def test_the_index_comes_first_and_every_page_has_a_title() -> None:
    pages = manual.pages()
    assert pages[0][0] == "index"
    assert all(title and not title.startswith("#") for _, title in pages)
    assert len({title for _, title in pages}) == len(pages)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title_and_a_name_that_is_served(page: str) -> None:
    assert html_of(page).count("<h1") == 1
    assert text_of(page).startswith("# ")
    assert manual.NAME.fullmatch(page)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    served = {entry.path for entry in MENU}
    lost = []
    for target in re.findall(r'(?:href|src)="([^"]+)"', html_of(page)):
        path, _, anchor = target.partition("#")
        name = path.removeprefix("/help/")
        if not path:
            found = anchor in anchors(page)
        elif path.startswith("/help/"):
            is_page = name in PAGES and (not anchor or anchor in anchors(name))
            found = is_page or (manual.FOLDER / name).is_file()
        else:
            found = path in served | ROUTES or path.partition("?")[0] in served
        if not found:
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_no_line_of_a_page_needs_the_internet(page: str) -> None:
    hosts = set(re.findall(r"https?://([^/:\s)`\"]+)", text_of(page)))
    allowed = {"127.0.0.1", "localhost"}
    assert {one for one in hosts if one not in allowed and not one.endswith(".example")} == set()


def test_every_kind_of_problem_is_explained_where_its_type_leads() -> None:
    folder = Path(manual.__file__).parent
    source = "".join(
        (folder / name).read_text("utf-8") for name in ("api.py", "api_command.py", "limits.py")
    )
    kinds = set(re.findall(r'Problem\(\s*\d+,\s*"([a-z-]+)"', source))
    assert len(kinds) > 5
    assert kinds - anchors("api") == set()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_commands_that_exist(page: str) -> None:
    verbs = {name.split(".")[0] for name in COMMANDS}
    named = re.findall(r"`([a-z-]+\.(?!toml|json|db)[a-z-]+)`", text_of(page))
    assert [one for one in named if one.split(".")[0] in verbs and one not in COMMANDS] == []


def test_the_book_of_the_manual_has_no_fault() -> None:
    found = re.search(r"^````\n(.*?)^````$", text_of("books"), re.M | re.S)
    assert found is not None
    book, faults = parse(found[1], "books.md")
    assert faults == []
    assert book is not None
    connection = open_store()
    try:
        assert lint(book, connection.cursor())[1] == []
    finally:
        connection.close()


def test_the_manual_names_every_relation_that_a_book_may_read() -> None:
    assert [one for one in RELATIONS if f"`{one}`" not in text_of("books")] == []


@pytest.mark.requirement("H7")
def test_the_manual_lists_the_words_that_no_secret_is_made_of() -> None:
    assert [word for word in PLANT_WORDS if f"`{word}`" not in text_of("accounts")] == []
