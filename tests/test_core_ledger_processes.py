"""Several processes write one ledger on PostgreSQL: one order, one tree, nothing half done."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from core.ledger.audit import audit
from tests.ledgers import KEY, draft, job, reading, writing

pytestmark = pytest.mark.postgres


class Child:
    """One writing process, told what to append line by line."""

    def __init__(self, url: str, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger_child", url, *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1,
        )  # fmt: skip
        assert self.answer() == ["ready"]

    def tell(self, idem: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{idem}\n")
        self.process.stdin.flush()

    def answer(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@contextmanager
def children(url: str, count: int, *more: str) -> Iterator[list[Child]]:
    found = [Child(url, *more) for _ in range(count)]
    try:
        yield found
    finally:
        for child in found:
            child.close()


def is_whole(url: str) -> int:
    """Audit the ledger; return its size. The one stream has one version for each entry."""
    with reading(url) as ledger:
        newest = audit(ledger, KEY.verifier)
        assert newest is not None
        assert [entry.seq for entry in ledger.entries(0, 10_000)] == list(range(1, newest.size + 1))
        assert [entry.ver for entry in ledger.stream("batch/B1")] == list(range(1, newest.size + 1))
    return newest.size


@pytest.mark.requirement("K2")
def test_a_process_killed_in_the_middle_leaves_nothing_half_done(postgres_url: str) -> None:
    with children(postgres_url, 3) as (victim, *others):
        for number in range(60):
            for name, child in enumerate((victim, *others)):
                child.tell(f"{name}:{number}")
        confirmed = [victim.answer() for _ in range(7)]
        victim.process.send_signal(signal.SIGKILL)
        assert victim.process.stdout is not None
        confirmed += [line.split() for line in victim.process.stdout]
        for child in others:
            confirmed += [child.answer() for _ in range(60)]
        victim.process.wait(60)
    size = is_whole(postgres_url)
    numbers = {int(answer[1]) for answer in confirmed if len(answer) == 3}
    assert len(numbers) == len([answer for answer in confirmed if len(answer) == 3])
    with reading(postgres_url) as ledger:
        for idem, seq, _ in (answer for answer in confirmed if len(answer) == 3):
            entry = ledger.entry(int(seq))
            assert entry is not None
            assert entry.idem == idem
    assert 127 <= len(numbers) <= size <= len(numbers) + 1  # one may be on disk and not answered


@pytest.mark.requirement("K2")
@pytest.mark.parametrize(("mode", "loads"), [((), 1), (("--blind",), 2)], ids=["real", "control"])
def test_a_process_that_slept_catches_up_before_it_writes(
    postgres_url: str, mode: tuple[str, ...], loads: int
) -> None:
    """A process that does not look meets the others' numbers, and must read everything again."""
    with children(postgres_url, 1, *mode) as [sleeper], writing(postgres_url) as writer:
        sleeper.tell("s:1")
        assert sleeper.answer() == ["s:1", "1", "first"]
        sleeper.process.send_signal(signal.SIGSTOP)
        sleeper.tell("s:2")
        for number in range(30):
            assert writer.carry_out(job(f"w:{number}", draft("batch/B1")), 30).count == 1
        sleeper.process.send_signal(signal.SIGCONT)
        assert sleeper.answer() == ["s:2", "32", "first"]
        assert writer.carry_out(job("w:last", draft("batch/B1")), 30).first_seq == 33
        sleeper.tell("loads?")
        assert sleeper.answer() == ["loads", str(loads)]
    assert is_whole(postgres_url) == 33


@pytest.mark.requirement("K2")
def test_one_command_to_two_processes_at_once_is_written_once(postgres_url: str) -> None:
    with children(postgres_url, 2) as both:
        for number in range(25):
            for child in both:
                child.tell(f"same:{number}")
            one, other = (child.answer() for child in both)
            assert one[:2] == other[:2]
            assert {one[2], other[2]} == {"first", "again"}
    assert is_whole(postgres_url) == 25


class Cutting:
    """A socket before the server's, which cuts the line at a COMMIT that the server has done."""

    def __init__(self, folder: Path, url: str) -> None:
        parsed = make_url(url)
        host, port = str(parsed.query.get("host") or parsed.host), parsed.port or 5432
        if host.startswith("/"):
            self._server: tuple[int, Any] = (socket.AF_UNIX, f"{host}/.s.PGSQL.{port}")
        else:
            self._server = (socket.AF_INET, (host, port))
        self.cut_next = False
        self.cuts = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self.url = parsed.set(host=None, port=None).update_query_dict({"host": str(folder)})
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(self._server[0])
                server.connect(self._server[1])
                cut = threading.Event()
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(*pair, cut), daemon=True).start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, is_up: bool, cut: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if is_up and self.cut_next and b"COMMIT" in data:
                    self.cut_next = False
                    cut.set()
                elif not is_up and cut.is_set():
                    self.cuts += 1  # the server has answered: it is done, and nobody hears it
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()


@pytest.mark.requirement("K2")
def test_a_line_cut_at_commit_finds_its_outcome_by_the_command_id(
    postgres_url: str, tmp_path: Path
) -> None:
    cutting = Cutting(tmp_path, postgres_url)
    url = cutting.url.render_as_string(hide_password=False)
    with writing(url) as writer:
        for number in range(1, 6):
            cutting.cut_next = True
            receipt = writer.carry_out(job(f"k:{number}", draft("batch/B1")), 60)
            assert (receipt.first_seq, receipt.replayed) == (number, False)
            assert cutting.cuts == number
        again = writer.carry_out(job("k:3", draft("batch/B1")), 60)
        assert (again.first_seq, again.replayed) == (3, True)
    cutting.close()
    assert is_whole(postgres_url) == 5
