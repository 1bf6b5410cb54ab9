"""One commit for several threads: who comes while a commit is under way shares the next one.

A commit waits for the disk, and SQLite lets one transaction write at a time. So the thread whose
turn it is carries out everything that waits, commits once, and every caller has its answer after
that commit. A piece of work that fails is taken out: what waited beside it is then carried out
alone, work by work.

A caller may say how many it expects: the one who writes then waits a moment for them, so that a
disk which somebody else needs as well is asked less often.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Any

from sqlalchemy import Connection, Engine

GATHER_S = 0.01


class _Waiting:
    """Work of one caller, and what came of it."""

    __slots__ = ("fault", "found", "is_done", "woken", "work")

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.woken = Lock()  # held until its work is done, or it is its turn to lead
        self.woken.acquire()
        self.is_done = False
        self.found: Any = None
        self.fault: BaseException | None = None

    def end(self, found: Any = None, fault: BaseException | None = None) -> None:
        self.found, self.fault, self.is_done = found, fault, True


class SharedCommits:
    """The writing transactions of one database in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None  # kept: to take and give one costs a query
        self._turn = Lock()  # who holds it writes
        self._guard = Condition(Lock())
        self._waiting: list[_Waiting] = []
        self.count = 0  # how often the disk was waited for
        self._is_led = False  # one of those who wait is on the way to write

    def do[T](self, work: Callable[[Connection], T], *, beside: int = 0) -> T:
        """Return what the work returned, once that is on the disk; or raise what it raised.

        The work may be carried out again after a rollback, so it has no other effect. `beside` is
        how many others are expected to come within `GATHER_S`.
        """
        mine = _Waiting(work)
        with self._guard:
            self._waiting.append(mine)
            leads, self._is_led = not self._is_led, True
            self._guard.notify()
        if not leads:
            mine.woken.acquire()
        if not mine.is_done:
            self._lead(beside)
        if mine.fault is not None:
            raise mine.fault
        found: T = mine.found
        return found

    def _lead(self, beside: int) -> None:
        """Carry out what waits; the first of those who came meanwhile leads next.

        Whose work is done goes on at once, and does not wait for the commit that comes next.
        """
        if beside > 0:
            with self._guard:
                self._guard.wait_for(lambda: len(self._waiting) > beside, GATHER_S)
        with self._turn:
            with self._guard:
                group, self._waiting = self._waiting, []
            self._carry_out(group)
        with self._guard:
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
        if following is not None:
            following.woken.release()
        for one in group:
            one.woken.release()

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
            self.count += 1
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
                    one.end(fault=fault)
                return
            for one in group:
                self._carry_out([one])
        else:
            for one, answer in zip(group, found, strict=True):
                one.end(answer)
