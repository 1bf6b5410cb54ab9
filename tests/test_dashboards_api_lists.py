"""A noun's list over REST comes a page at a time; the header names the next page."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from core.execution import Execution
from tests.test_dashboards_api import SECRET, execution, material, send, url

__all__ = ["execution", "url"]  # fixtures
LIST = "/api/v1/material"


@pytest.fixture(scope="module")
def reader(execution: Execution, url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as client:
        client.post("/login", data={"user": "erik", "password": SECRET})
        for number in range(4):
            send(client, "material.register", material(f"M{number}"))
        yield client


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["material"] for one in answer.json()]


@pytest.mark.requirement("A2")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_pages_hold_every_state_once_and_the_last_names_no_other(
    reader: httpx.Client, limit: int
) -> None:
    whole = names(reader.get(LIST))
    assert len(whole) == 4
    found, path = list[str](), f"{LIST}?limit={limit}"
    while path:
        answer = reader.get(path)
        assert len(answer.json()) <= limit
        found += names(answer)
        path = answer.links.get("next", {}).get("url", "")
    assert found == whole


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit: a count from 1 to 1000."),
        ("limit=1001", "limit: a count from 1 to 1000."),
        ("limit=%D9%A3", "limit: a count from 1 to 1000."),
        ("before=0", "before: an entry's number, as the Link header of the page before names it."),
        ("open=false", "open: true leaves out what is over: ended, decided, answered."),
        ("limit=2&limit=3", "The query: takes limit, before, open, each once."),
        ("page=2", "The query: takes limit, before, open, each once."),
    ],
)
def test_query_that_is_not_understood_is_refused(
    reader: httpx.Client, query: str, says: str
) -> None:
    answer = reader.get(f"{LIST}?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (422, says)


def test_limits_of_a_page_are_taken(reader: httpx.Client) -> None:
    for query in ("limit=1", "limit=1000", "open=true", "before=9007199254740991"):
        assert names(reader.get(f"{LIST}?{query}"))


def test_who_may_not_read_a_noun_reads_no_page_of_it(reader: httpx.Client) -> None:
    assert reader.get("/api/v1/refusal?limit=1").status_code == 403
