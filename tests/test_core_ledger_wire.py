"""Statements that travel together: what PostgreSQL reads of them, and skips after a fault."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import make_url

from core.ledger.arrays import bigints, blobs, texts
from core.ledger.wire import Command, Wire, texts_of

LIMIT = 2**63
PLAIN = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
INSERT = "insert into kept values (?)"
KEPT = Command("select count(*), max(number) from kept")
TERMINATE = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where pid = ?"


@pytest.fixture(scope="module")
def url(postgres_server: str) -> str:
    plain = make_url(postgres_server).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def raw(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as found:
        found.execute("create temporary table kept(number bigint primary key)")
        yield found


@pytest.fixture
def wire(raw: psycopg.Connection) -> Iterator[Wire]:
    yield Wire(raw)
    raw.rollback()
    raw.execute("truncate kept")


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
def test_what_is_sent_in_arrays_is_what_is_read(
    raw: psycopg.Connection, rows: list[tuple[int | None, str | None, bytes]]
) -> None:
    numbers, words, bodies = zip(*rows, strict=True)
    query = (
        "select number, word, encode(body, 'hex')"
        " from unnest(?::bigint[], ?::text[], ?::bytea[]) as one(number, word, body)"
    )
    [result] = Wire(raw).send(Command(query, (bigints(numbers), texts(words), blobs(bodies))))
    assert texts_of(result) == [
        [None if number is None else str(number), word, body.hex()] for number, word, body in rows
    ]


@pytest.mark.parametrize("number", [-LIMIT, LIMIT - 1])
def test_the_largest_and_the_smallest_number_fit(wire: Wire, number: int) -> None:
    query = "select one, ?::bigint from unnest(?::bigint[]) as one"
    [result] = wire.send(Command(query, (number, bigints([number]))))
    assert texts_of(result) == [[str(number), str(number)]]


@pytest.mark.parametrize("text", ["", "null", "NULL", '"', "\\", "{a,b}", "é Ω 🜂", " "])
def test_a_text_that_looks_like_a_part_of_an_array_is_a_text(wire: Wire, text: str) -> None:
    query = "select one, ?::text from unnest(?::text[]) as one"
    [result] = wire.send(Command(query, (text, texts([text, None]))))
    assert texts_of(result) == [[text, text], [None, text]]


def test_bytes_and_null_are_sent_as_they_are(wire: Wire) -> None:
    query = "select encode(?::bytea, 'hex'), ?::bigint is null"
    [result] = wire.send(Command(query, (b"\x00'\\", None)))
    assert texts_of(result) == [["00275c", "t"]]


def test_each_command_has_its_own_result_in_order(wire: Wire) -> None:
    results = wire.send(Command(INSERT, (1,)), KEPT, Command(INSERT, (2,)), KEPT)
    assert [texts_of(one) for one in results] == [[], [["1", "1"]], [], [["2", "2"]]]


def test_what_follows_a_fault_is_skipped_and_the_connection_goes_on(wire: Wire) -> None:
    begin, commit = Command("begin"), Command("commit")
    with pytest.raises(psycopg.errors.UniqueViolation):
        wire.send(begin, Command(INSERT, (1,)), Command(INSERT, (1,)), commit)
    assert wire.is_open  # nothing was committed, and nothing rolled back yet
    wire.send(Command("rollback"))
    assert not wire.is_open
    assert texts_of(wire.send(KEPT)[0]) == [["0", None]]
    done = wire.send(begin, Command(INSERT, (1,)), commit)
    assert [one.command_status for one in done] == [b"BEGIN", b"INSERT 0 1", b"COMMIT"]


def test_a_statement_that_failed_before_it_was_prepared_is_prepared_later(wire: Wire) -> None:
    fresh = Command("select ?::text", ("fresh",))
    with pytest.raises(psycopg.errors.SyntaxError):
        wire.send(Command("selekt ?", (1,)), fresh)
    assert [texts_of(one) for one in wire.send(fresh, fresh)] == [[["fresh"]], [["fresh"]]]
    assert texts_of(wire.send(fresh)[0]) == [["fresh"]]


def test_a_group_larger_than_the_sockets_buffers_is_sent_whole(wire: Wire) -> None:
    bodies = [bytes([number % 256]) * 40_000 for number in range(256)]
    query = "select sum(length(one)), min(length(one)) from unnest(?::bytea[]) as one"
    results = wire.send(*[Command(query, (blobs(bodies),)) for _ in range(3)])
    assert [texts_of(one) for one in results] == [[["10240000", "40000"]]] * 3


def test_a_lost_connection_is_the_drivers_fault_and_leaves_nothing_open(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as raw, psycopg.connect(url, autocommit=True) as by:
        wire = Wire(raw)
        wire.send(Command("begin"))
        Wire(by).send(Command(TERMINATE, (raw.info.backend_pid,)))
        with pytest.raises(psycopg.OperationalError):
            wire.send(Command("select 1"))
        assert not wire.is_open
