"""The manual's tables of clauses and items: each row is shown by a test that exists, or says why
there is none."""

import ast
import re
from pathlib import Path

import pytest

from dashboards import help as manual

TESTS = Path(__file__).resolve().parent
PAGES = ("regulation", "web-security")
ITEMS = "asvs"
REASONS = ("The plant: ", "Open: ", "Does not apply: ")
WRITTEN = re.compile(r"Manual: \[[^\]]+\]\([a-z-]+\.md(#[a-z-]+)?\)")
ID = re.compile(r"[A-P]\d{1,2}")
# OWASP ASVS 5.0.0: of each section the level of its first, second, third item and so on.
LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3",
    "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333",
    "6.6": "2223", "6.7": "33", "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222",
    "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222",
    "10.6": "22", "10.7": "222",
    "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23",
    "11.7": "33",
    "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233",
    "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
    "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip


def rows(page: str) -> list[list[str]]:
    """Return the cells of every row below a table's head."""
    text = (manual.FOLDER / f"{page}.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        row for row in found if row[0] not in ("clause", "item", "number") and set(row[0]) != {"-"}
    ]


def rules(module: str) -> set[str]:
    path = TESTS / f"test_{module}.py"
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {name.removeprefix("test_") for name in names if name.startswith("test_")}


@pytest.mark.requirement("P1")
@pytest.mark.parametrize("page", [*PAGES, ITEMS])
def test_every_row_is_shown_by_a_test_that_exists_or_says_why_not(page: str) -> None:
    lost = []
    for row in rows(page):
        assert row[-1], row
        for shown in row[-1].split(" · "):
            module, _, words = shown.partition(": ")
            is_reason = shown.startswith(REASONS) and len(words) > 3
            is_reason = is_reason or (page == ITEMS and WRITTEN.fullmatch(shown) is not None)
            if not is_reason and words.replace(" ", "_") not in rules(module):
                lost.append(shown)
    assert lost == []


@pytest.mark.requirement("H7")
def test_every_item_of_the_first_two_levels_is_answered_once() -> None:
    levels = "".join(LEVELS.values())
    assert [levels.count(one) for one in "123"] == [70, 183, 92]
    asked = [
        f"v5.0.0-{section}.{number}"
        for section, its_levels in LEVELS.items()
        for number, level in enumerate(its_levels, 1)
        if level in "12"
    ]
    answered = [number for row in rows(ITEMS) for number in row[0].split(" · ")]
    assert sorted(answered) == sorted(asked)


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
    for page in (*PAGES, ITEMS):
        assert word not in (manual.FOLDER / f"{page}.md").read_text("utf-8").lower()
