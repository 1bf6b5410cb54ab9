"""A line to PostgreSQL that dies without a word: noticed within a stated time, nothing lost."""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from core.ledger import postgres, reach
from core.ledger.audit import audit
from core.ledger.driver import driving
from core.ledger.postgres import PostgresStore
from core.ledger.store import Ledger
from core.ledger.tables import Statement, StoreFailed
from core.ledger.writer import Job, View, Writer
from tests.ledgers import KEY, Recorder, draft, job, reading, writing
from tests.patience import PATIENCE_S

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
SOON_S = 12  # with the short times below, two of them in a row, on a busy machine
pytestmark = pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux lets a test drop what arrives"
)


class Line:
    """A TCP line to the test's server, which can die: nothing that arrives is confirmed any more.

    The kernel drops the segments before it confirms them, as if the cable were cut. Lines that
    are begun afterwards are sound.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self._door = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._silent = threading.Event()
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._ends += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while block := one.recv(1 << 16):
                if not self._silent.is_set():
                    other.sendall(block)
            other.shutdown(socket.SHUT_WR)

    def die(self) -> None:
        """Drop from now on all that arrives on the lines that are there."""
        drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # return 0 bytes
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(drop))
        for end in self._ends:
            if end.family == socket.AF_INET:
                end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def fall_silent(self) -> None:
        """Confirm what arrives, and hand nothing on, as a proxy that hangs."""
        self._silent.set()

    def speak(self) -> None:
        self._silent.clear()

    def close(self) -> None:
        for one in (self._door, *self._ends):
            with suppress(OSError):  # it hears again, or nobody would learn of the end
                one.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def line(postgres_url: str) -> Iterator[Line]:
    folder = make_url(postgres_url).query["host"]
    made = Line(Path(str(folder)) / ".s.PGSQL.5432")
    yield made
    made.close()


@pytest.fixture
def url(postgres_url: str, line: Line) -> str:
    """The test's database by way of the line."""
    where = make_url(postgres_url)
    query = {name: value for name, value in where.query.items() if name != "host"}
    over = URL.create(
        where.drivername, where.username, where.password, "127.0.0.1", line.port, where.database,
        query,
    )  # fmt: skip
    return over.render_as_string(hide_password=False)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules with times that a test can wait for."""
    times = {"CONNECT_S": 2, "IDLE_S": 1, "PROBE_S": 1, "PROBES": 2, "SENT_S": 2, "ANSWER_S": 3}
    for name, value in times.items():
        monkeypatch.setattr(reach, name, value)
    monkeypatch.setitem(postgres.TIMEOUTS, "idle_in_transaction_session_timeout", "6s")


def took(act: Callable[[], object]) -> float:
    start = time.monotonic()
    act()
    return time.monotonic() - start


@pytest.mark.requirement("H5", "P2")
def test_line_that_died_before_a_command_is_replaced_and_the_command_is_done(
    url: str, line: Line, short: None
) -> None:
    with writing(url) as writer:
        writer.submit(job("k:1", draft())).result(PATIENCE_S)
        line.die()
        assert took(lambda: writer.submit(job("k:2", draft())).result(PATIENCE_S)) < SOON_S
        assert writer.submit(job("k:3", draft())).result(PATIENCE_S).first_seq == 3
    with reading(url) as ledger:
        assert audit(ledger, KEY.verifier) is not None
        assert [entry.idem for entry in ledger.entries()] == ["k:1", "k:2", "k:3"]


class Dying(Recorder):
    """The line dies, or falls silent, between what a group read and its commit."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act, self.is_due = act, False

    def flush(self, view: View) -> Sequence[Statement]:
        if self.is_due:
            self.is_due = False
            self.act()
        return super().flush(view)


@pytest.mark.requirement("H5", "P2")
@pytest.mark.parametrize("how", ["dies", "falls silent"])
def test_line_that_dies_before_the_commit_says_so_and_the_same_command_is_done_once(
    url: str, line: Line, short: None, how: str
) -> None:
    hooks = Dying(line.die if how == "dies" else line.fall_silent)
    with writing(url, hooks) as writer:
        writer.submit(job("k:1", draft())).result(PATIENCE_S)
        hooks.is_due = True
        with pytest.raises(StoreFailed, match=r"Send the command again, same id\."):
            writer.submit(job("k:2", draft())).result(PATIENCE_S)
        line.speak()
        for idem in ("k:2", "k:3"):
            _until_done(writer, job(idem, draft()))
    with reading(url) as ledger:
        assert audit(ledger, KEY.verifier) is not None
        assert [entry.idem for entry in ledger.entries()] == ["k:1", "k:2", "k:3"]


def _until_done(writer: Writer, wanted: Job) -> None:
    """Send a command again under its id, as the sentence says, until it is answered."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with suppress(StoreFailed):
            writer.submit(wanted).result(PATIENCE_S)
            return
        assert time.monotonic() < end


def test_reader_of_a_dead_line_reads_on_another_one(url: str, line: Line, short: None) -> None:
    with writing(url) as writer:
        writer.submit(job("k:1", draft())).result(PATIENCE_S)
    with reading(url) as ledger:
        assert ledger.size() == 1
        line.die()
        assert took(lambda: ledger.entries()) < SOON_S


def test_server_that_takes_a_line_and_never_speaks_is_given_up(
    url: str, line: Line, short: None
) -> None:
    line.fall_silent()

    def start() -> None:
        with pytest.raises(StoreFailed, match="Start the database, then start again"), writing(url):
            pass

    assert took(start) < SOON_S


def test_control_without_these_settings_a_dead_line_holds_a_command(
    url: str, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "arguments", lambda _url, **more: more)
    with writing(url) as writer:
        writer.submit(job("k:1", draft())).result(PATIENCE_S)
        line.die()
        waits = writer.submit(job("k:2", draft()))
        with pytest.raises(TimeoutError):
            waits.result(SOON_S)
        line.close()  # an end that says so
        with pytest.raises(StoreFailed):
            waits.result(PATIENCE_S)


@contextmanager
def connected(url: str) -> Iterator[tuple[socket.socket, PostgresStore]]:
    store = PostgresStore(url)
    connection = store.connect()
    try:
        with driving(connection) as raw, socket.socket(fileno=raw.fileno()) as client:
            try:
                for name, value in reach.SERVERS.items():
                    found = connection.exec_driver_sql(f"show {name}").scalar_one()
                    assert found in (value, "0"), name  # 0 where the server sits on a socket
                yield client, store
            finally:
                client.detach()
    finally:
        connection.close()
        store.release()
        store.close()


@pytest.mark.requirement("P2")
def test_each_line_asks_for_signs_of_life_within_the_stated_time(url: str) -> None:
    assert reach.DEAD_S == 25
    assert reach.ANSWER_S > 30  # what a writer waits for another one's lock
    with connected(url) as (client, _):
        options = {
            socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3,
            socket.TCP_USER_TIMEOUT: 20_000,
        }  # fmt: skip
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        found = {name: client.getsockopt(socket.IPPROTO_TCP, name) for name in options}
        assert found == options


def test_what_the_url_says_of_a_line_goes_before(url: str) -> None:
    said = f"{url}&tcp_user_timeout=7000" if "?" in url else f"{url}?tcp_user_timeout=7000"
    with connected(said) as (client, _):
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10


def test_server_without_checksums_is_named_once_at_the_start(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "batchwright.ledger"):
        store = PostgresStore(postgres_url)
        for _ in range(2):
            store.connect().close()
        with Ledger(store).store.reading() as connection:
            has = postgres.has_checksums(connection)
        store.close()
    told = [one.message for one in caplog.records if "checksums" in one.message]
    assert len(told) == (0 if has else 1)
    assert all("run: pg_checksums --enable" in one for one in told)
