"""Transactions of several threads that share a commit."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine, event

from erp.sharing import SharedCommits
from erp.tables import open_engine

pytestmark = pytest.mark.requirement("K1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path / 'outbox.db'}")
    with made.begin() as connection:
        connection.exec_driver_sql("create table noted(n integer primary key)")
    yield made
    made.dispose()


@pytest.fixture
def commits(engine: Engine) -> Iterator[SharedCommits]:
    made = SharedCommits(engine)
    yield made
    made.close()


def note(connection: Connection, n: int) -> int:
    connection.exec_driver_sql("insert into noted values (?)", (n,))
    return n


def noted(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql("select n from noted order by n").scalars())


def counted(engine: Engine) -> list[None]:
    found: list[None] = []
    event.listen(engine, "commit", lambda _: found.append(None))
    return found


def test_who_comes_during_a_commit_shares_the_next_one(
    engine: Engine, commits: SharedCommits
) -> None:
    made, under_way, goes_on = counted(engine), Event(), Event()

    def first(connection: Connection) -> int:
        under_way.set()
        assert goes_on.wait(10)
        return note(connection, 0)

    with ThreadPoolExecutor(9) as pool:
        slow = pool.submit(commits.do, first)
        assert under_way.wait(10)
        others = [
            pool.submit(commits.do, lambda connection, n=n: note(connection, n))
            for n in range(1, 9)
        ]
        while len(commits._waiting) < 8:  # all of them are in the queue
            pass
        goes_on.set()
        assert [one.result(10) for one in (slow, *others)] == list(range(9))
    assert noted(engine) == list(range(9))
    assert len(made) == 2


def test_a_work_that_fails_fails_alone(engine: Engine, commits: SharedCommits) -> None:
    gate = Barrier(8)

    def one(n: int) -> int:
        gate.wait(10)
        return commits.do(lambda connection: note(connection, n // 2))

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(one, n) for n in range(8)]
        faults = [one.exception(10) for one in waiting]
    assert noted(engine) == [0, 1, 2, 3], "one of each pair is kept"
    assert sum(fault is None for fault in faults) == 4
    assert all(isinstance(one, sqlalchemy.exc.IntegrityError) for one in faults if one is not None)
    assert commits.do(lambda connection: note(connection, 9)) == 9, "the next one is not harmed"


def test_a_commit_that_fails_is_told_and_not_tried_again(
    engine: Engine, commits: SharedCommits
) -> None:
    tried: list[int] = []

    def refuse(_: Connection) -> None:
        raise OSError("the disk is gone")

    def work(connection: Connection) -> int:
        tried.append(1)
        return note(connection, 1)

    event.listen(engine, "commit", refuse)
    with pytest.raises(OSError, match="the disk is gone"):
        commits.do(work)
    event.remove(engine, "commit", refuse)
    assert (tried, noted(engine)) == ([1], [])


def test_what_is_done_alone_keeps_the_others_waiting(
    engine: Engine, commits: SharedCommits
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with commits.alone() as connection:
            other = pool.submit(commits.do, lambda found: note(found, 2))
            assert note(connection, 1) == 1
            assert not other.done()
        assert other.result(10) == 2
    assert noted(engine) == [1, 2]


def test_whose_work_is_on_the_disk_goes_on_while_the_next_commit_waits(
    engine: Engine, commits: SharedCommits
) -> None:
    """Four callers: one writes, two share the next commit, the last one's commit is held up."""
    begun, goes_on, last_queued, last_begun, ends = (Event() for _ in range(5))

    def first(connection: Connection) -> int:
        begun.set()
        assert goes_on.wait(10)
        return note(connection, 0)

    def leads(connection: Connection) -> int:
        assert last_queued.wait(10)
        return note(connection, 1)

    def last(connection: Connection) -> int:
        last_begun.set()
        assert ends.wait(10)
        return note(connection, 3)

    def queue(work: Callable[[Connection], int], place: int) -> Future[int]:
        found = pool.submit(commits.do, work)
        while len(commits._waiting) < place:
            pass
        return found

    with ThreadPoolExecutor(4) as pool:
        writes = pool.submit(commits.do, first)
        assert begun.wait(10)
        shares = [queue(leads, 1), queue(lambda found: note(found, 2), 2)]
        goes_on.set()
        assert writes.result(10) == 0
        while commits._waiting:  # the two are being written
            pass
        held = queue(last, 1)
        last_queued.set()
        assert last_begun.wait(10)
        assert [one.result(10) for one in shares] == [1, 2]
        assert not held.done()
        ends.set()
        assert held.result(10) == 3
    assert (noted(engine), commits.count) == ([0, 1, 2, 3], 3)
