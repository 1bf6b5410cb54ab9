"""Statements to PostgreSQL that travel together, by way of libpq itself.

The driver's own pipeline looks at the socket after each statement, so that the server wakes for
each; a group of the ledger is two or three small statements, and the looking cost more than they
did. Here all are sent at once and their results awaited once.

Source:
    PostgreSQL, libpq, pipeline mode.
"""

import time
from collections.abc import Generator, Sequence
from functools import lru_cache
from itertools import count
from typing import NamedTuple

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from core.ledger import reach
from core.ledger.arrays import Array
from core.ledger.tables import Value as Plain

TEXT, BINARY = 0, 1
_NUMBERS = count(1)  # of prepared statements; a name is never used again
OPEN = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})

type Value = Plain | Array


class Command(NamedTuple):
    """A statement with `?` for each of its values; where types are not plain, it says them."""

    statement: str
    values: Sequence[Value] = ()


class Wire:
    """One connection, and the statements that it has prepared."""

    def __init__(self, raw: psycopg.Connection) -> None:
        self._raw = raw
        self._names: dict[str, bytes] = {}

    @property
    def is_open(self) -> bool:
        """Whether the server is there, within a transaction that has not ended."""
        return self._raw.pgconn.transaction_status in OPEN

    def send(self, *commands: Command) -> list[PGresult]:
        """Carry out commands in one round trip; return the result of each.

        After one that fails the server skips the rest.

        Raises:
            psycopg.Error: what the first of them met.
        """
        pgconn, fresh = self._raw.pgconn, dict[str, bytes]()
        sent = [(one.statement, *_spelled(one.values)) for one in commands]
        pgconn.enter_pipeline_mode()
        try:
            is_answer = list[bool]()
            for statement, values, formats in sent:
                if not values:  # a word to the server, with nothing to plan
                    pgconn.send_query_params(statement.encode("ascii"), None)
                    is_answer.append(True)
                    continue
                name = self._names.get(statement) or fresh.get(statement)
                if name is None:
                    name = fresh[statement] = b"batchwright_%d" % next(_NUMBERS)
                    pgconn.send_prepare(name, _numbered(statement))
                    is_answer.append(False)
                pgconn.send_query_prepared(name, values, formats)
                is_answer.append(True)
            pgconn.pipeline_sync()
            found = self._raw.wait(_results(pgconn, time.monotonic() + reach.ANSWER_S))
        finally:
            if pgconn.status == ConnStatus.OK:
                pgconn.exit_pipeline_mode()
        for one in found:
            if one.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(one)
        self._names.update(fresh)
        return [one for one, wanted in zip(found, is_answer, strict=True) if wanted]


def texts_of(result: PGresult) -> list[list[str | None]]:
    """Return the rows of a result, each value as its text."""
    columns = range(result.nfields)
    return [
        [None if (one := result.get_value(row, column)) is None else one.decode("utf-8")
         for column in columns]
        for row in range(result.ntuples)
    ]  # fmt: skip


def _results(pgconn: PGconn, end: float) -> Generator[Wait, Ready | int, list[PGresult]]:
    """Send what is to be sent and take the results; from `end` on, give the connection up."""
    found: list[PGresult] = []
    while pgconn.flush():
        if _in_time(pgconn, (yield Wait.RW), end) & Ready.R:
            pgconn.consume_input()
    while True:
        while pgconn.is_busy():
            _in_time(pgconn, (yield Wait.R), end)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            if pgconn.status != ConnStatus.OK:
                raise psycopg.OperationalError(pgconn.get_error_message())
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return found
        else:
            found.append(result)


def _in_time(pgconn: PGconn, ready: Ready | int, end: float) -> Ready | int:
    if not ready and time.monotonic() > end:
        pgconn.finish()
        raise psycopg.OperationalError(f"the server did not answer within {reach.ANSWER_S} s")
    return ready


def _spelled(values: Sequence[Value]) -> tuple[list[bytes | None], list[int]]:
    raw: list[bytes | None] = []
    formats: list[int] = []
    for value in values:
        if isinstance(value, str):
            raw.append(value.encode("utf-8"))
            formats.append(TEXT)
        elif isinstance(value, int):
            raw.append(b"%d" % value)
            formats.append(TEXT)
        else:
            raw.append(value.data if isinstance(value, Array) else value)
            formats.append(BINARY)
    return raw, formats


@lru_cache(256)
def _numbered(statement: str) -> bytes:
    """Return a statement with the server's own place holders."""
    first, *others = statement.split("?")
    text = first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
    return text.encode("utf-8")
