"""The manual's tables of clauses and items: each row is shown by a test that exists, or says why
there is none."""

import ast
import re
from pathlib import Path

import pytest

from dashboards import help as manual

TESTS = Path(__file__).resolve().parent
PAGES = ("regulation", "web-security")
REASONS = ("The plant: ", "Open: ")
ID = re.compile(r"[A-P]\d{1,2}")


def rows(page: str) -> list[list[str]]:
    """Return the cells of every row below a table's head."""
    text = (manual.FOLDER / f"{page}.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in found if row[0] not in ("clause", "item") and set(row[0]) != {"-"}]


def rules(module: str) -> set[str]:
    path = TESTS / f"test_{module}.py"
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {name.removeprefix("test_") for name in names if name.startswith("test_")}


@pytest.mark.requirement("P1")
@pytest.mark.parametrize("page", PAGES)
def test_every_row_is_shown_by_a_test_that_exists_or_says_why_not(page: str) -> None:
    lost = []
    for row in rows(page):
        assert row[-1], row
        for shown in row[-1].split(" · "):
            module, _, words = shown.partition(": ")
            is_reason = shown.startswith(REASONS) and len(words) > 3
            if not is_reason and words.replace(" ", "_") not in rules(module):
                lost.append(shown)
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_every_row_has_the_id_of_its_feature(page: str) -> None:
    assert len(rows(page)) > 20
    for row in rows(page):
        assert row[-2].split(), row
        assert all(ID.fullmatch(one) for one in row[-2].split()), row


def test_every_clause_says_what_the_product_or_the_plant_does() -> None:
    for row in rows("regulation"):
        assert row[2] or "The plant: " in row[-1], row


@pytest.mark.parametrize("word", ["certified", "guarantees", "validated out of the box", "ensures"])
def test_the_tables_promise_nothing(word: str) -> None:
    for page in PAGES:
        assert word not in (manual.FOLDER / f"{page}.md").read_text("utf-8").lower()
