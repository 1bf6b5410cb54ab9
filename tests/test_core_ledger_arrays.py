"""Columns as binary arrays: PostgreSQL reads back exactly what was sent."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import make_url

from core.ledger.arrays import Bigints, Blobs, Texts, register

LIMIT = 2**63
PLAIN = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> Iterator[psycopg.Connection]:
    plain = make_url(postgres_server).set(drivername="postgresql")
    url = plain.render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as found:
        register(found.adapters)
        yield found


def sent(connection: psycopg.Connection, *arrays: object) -> list[tuple[object, ...]]:
    places = ", ".join("%s" for _ in arrays)
    return connection.execute(f"select * from unnest({places})".encode(), arrays).fetchall()


@settings(max_examples=60)
@given(
    rows=some.lists(
        some.tuples(
            some.none() | some.integers(-LIMIT, LIMIT - 1),
            some.none() | PLAIN,
            some.binary(max_size=40),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_what_is_sent_is_what_is_read(
    connection: psycopg.Connection, rows: list[tuple[int | None, str | None, bytes]]
) -> None:
    numbers, texts, blobs = zip(*rows, strict=True)
    assert sent(connection, Bigints(numbers), Texts(texts), Blobs(blobs)) == rows


@pytest.mark.parametrize("number", [-LIMIT, LIMIT - 1])
def test_the_largest_and_the_smallest_number_fit(
    connection: psycopg.Connection, number: int
) -> None:
    assert sent(connection, Bigints([number])) == [(number,)]


@pytest.mark.parametrize("text", ["", "null", "NULL", '"', "\\", "{a,b}", "é Ω 🜂", " "])
def test_a_text_that_looks_like_a_part_of_an_array_is_a_text(
    connection: psycopg.Connection, text: str
) -> None:
    assert sent(connection, Texts([text, None])) == [(text,), (None,)]
