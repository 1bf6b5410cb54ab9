"""One commit for several threads: who comes while a commit is under way shares the next one.

A commit waits for the disk, and SQLite lets one transaction write at a time. So the thread whose
turn it is carries out everything that waits, commits once, and every caller has its answer after
that commit. A piece of work that fails is taken out: what waited beside it is then carried out
alone, work by work.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Callable[[Connection], Any]
    answer: Future[Any] = field(default_factory=Future)


class SharedCommits:
    """The writing transactions of one database in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None  # kept: to take and give one costs a query
        self._turn = Lock()  # who holds it writes
        self._guard = Lock()
        self._waiting: list[_Waiting] = []

    def do[T](self, work: Callable[[Connection], T]) -> T:
        """Return what the work returned, once that is on the disk; or raise what it raised.

        The work may be carried out again after a rollback, so it has no other effect.
        """
        mine = _Waiting(work)
        with self._guard:
            self._waiting.append(mine)
        with self._turn:
            if not mine.answer.done():
                with self._guard:
                    group, self._waiting = self._waiting, []
                self._carry_out(group)
        found: T = mine.answer.result()
        return found

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give a transaction that is shared with nobody: for long work."""
        with self._turn, self._begun() as connection:
            yield connection

    def close(self) -> None:
        """Give the connection back."""
        with self._turn:
            self._drop()

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                yield self._connection
        except BaseException:  # whatever state it is in, the next one is fresh
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _carry_out(self, group: Sequence[_Waiting]) -> None:
        is_decided = False
        try:
            with self._begun() as connection:
                found = [one.work(connection) for one in group]
                is_decided = True
        except BaseException as fault:  # whoever waits must hear of it, whatever it is
            if len(group) == 1 or is_decided:  # a commit that failed may have happened
                for one in group:
                    one.answer.set_exception(fault)
                return
            for one in group:
                self._carry_out([one])
        else:
            for one, answer in zip(group, found, strict=True):
                one.answer.set_result(answer)
