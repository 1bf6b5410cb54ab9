"""A real Tryton beside the plant: its environment, a database of a plant, and the server process.

Tryton is GPL-3: it runs in an environment and a process of its own, and nothing here imports it.
What takes minutes is made once and kept under a key of everything that it was made from.
"""

import hashlib
import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from core.clock import now
from erp.adapters.webhook import WebhookErp
from erp.profile import TRYTON
from erp.signing import Keys, new_secret
from erp.trust import trusted

BRIDGE = Path(__file__).parent / "tryton"
DATABASE = "erp"
MODULES = ("account_stock_continental", "production", "stock_lot", "product_cost_fifo")
STEP_S = 900
CONF = """\
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
[mes_bridge]
event_secrets = {events}
receipt_secret = {receipts}
"""


NO_BRIDGE = (
    "It is GPL-3 and not part of the installed package. Run this from Batchwright's source, or"
    " install erp/bridges/tryton from there into your own Tryton."
)


class TrytonNotStarted(Exception):
    """A step did not succeed; the end of its output says why."""

    def __init__(self, step: str, output: str) -> None:
        super().__init__(f"Tryton: {step} did not succeed. It said:\n{output[-2000:].strip()}")


def cache_folder() -> Path:
    """Return where environments and databases are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "batchwright" / "tryton"


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one process at a time make what is missing; the others then find it made."""
    cache.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(cache / "lock.db", timeout=STEP_S, isolation_level=None)
    try:
        database.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        database.close()


def _run(step: str, command: list[str | Path], **more: Any) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own programs, in an environment of our own
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
            **more,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise TrytonNotStarted(step, str(fault)) from fault
    if done.returncode != 0:
        raise TrytonNotStarted(step, done.stdout + done.stderr)


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def _sources(*patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted(BRIDGE.glob(pattern))]


@dataclass(frozen=True, slots=True)
class Installed:
    """A Python with Tryton, and the folder of the bridge, which it finds beside its own modules."""

    python: Path
    bridge: Path

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment in which Tryton sees the bridge."""
        return {**os.environ, "PYTHONPATH": str(self.bridge)}


def environment(cache: Path, say: Callable[[str], None]) -> Installed:
    """Return an environment with Tryton and the bridge, made where it is missing.

    The bridge has a folder of its own, so that Tryton is not installed anew when it changes.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}".encode()
    folder = cache / f"env-{_digest(version, *_sources('requirements.txt'))}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    if uv is not None:
        install = [uv, "pip", "install", "--quiet", "--python", python]
    if not (folder / "ready").exists():
        say("Tryton: making its environment")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if uv is not None:
            _run("environment", [uv, "venv", "--quiet", "--python", sys.executable, folder])
        else:
            _run("environment", [sys.executable, "-m", "venv", folder])
        _run("installation", [*install, "-r", BRIDGE / "requirements.txt"])
        (folder / "ready").touch()
    sources = _sources("pyproject.toml", "trytond_mes_bridge/*.*", "trytond_mes_bridge/view/*")
    bridge = cache / f"bridge-{_digest(python.as_posix().encode(), *sources)}"
    if not (bridge / "ready").exists():
        say("Tryton: installing the bridge")
        shutil.rmtree(bridge, ignore_errors=True)
        _run("installation of the bridge", [*install, "--no-deps", "--target", bridge, BRIDGE])
        (bridge / "ready").touch()
    return Installed(python, bridge)


@dataclass(frozen=True, slots=True)
class Template:
    """A finished database of one plant, to be copied: its file, and the keys made with it."""

    database: Path
    keys: Path


def template(
    cache: Path, installed: Installed, seed: Mapping[str, Any], *, say: Callable[[str], None]
) -> Template:
    """Return a database with a plant's items, BOMs, lots and orders, made where it is missing.

    The fiscal year is part of what it is made from: on New Year's Day it is made anew.
    """
    data = json.dumps(seed, sort_keys=True, default=str).encode()
    year = now().strftime("%Y").encode()
    bridge = installed.bridge.name.encode()
    folder = cache / f"db-{_digest(bridge, *_sources('setup_plant.py'), data, year)}"
    made = Template(folder / f"{DATABASE}.sqlite", folder / "keys.json")
    if (folder / "ready").exists():
        return made
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    base = _activated(cache, installed.python, say)
    say("Tryton: making the plant's database")
    shutil.copy(base, made.database)
    seed_file, conf = folder / "seed.json", folder / "trytond.conf"
    seed_file.write_bytes(data)
    _write_conf(conf, folder, port=0, events=new_secret(), receipts=new_secret())
    _run(
        "set-up",
        [installed.python, BRIDGE / "setup_plant.py", conf, DATABASE, seed_file, made.keys],
        env=installed.environ,
    )
    (folder / "ready").touch()
    return made


def _activated(cache: Path, python: Path, say: Callable[[str], None]) -> Path:
    """Return an empty database with Tryton's own modules: half a minute's work, kept too."""
    folder = cache / f"base-{_digest(python.as_posix().encode(), ' '.join(MODULES).encode())}"
    database = folder / f"{DATABASE}.sqlite"
    if (folder / "ready").exists():
        return database
    say("Tryton: activating its modules, which takes a minute or more")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    database.touch()
    conf, password = folder / "trytond.conf", folder / "password"
    _write_conf(conf, folder, port=0, events=new_secret(), receipts=new_secret())
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24), "utf-8")
    _run(
        "activation",
        [
            python.parent / "trytond-admin", "-c", conf, "-d", DATABASE, "-p",
            "--email", "admin@plant.example", "--activate-dependencies", "-u", *MODULES,
        ],
        env={**os.environ, "TRYTONPASSFILE": str(password)},
    )  # fmt: skip
    password.unlink()
    (folder / "ready").touch()
    return database


def _write_conf(path: Path, folder: Path, *, port: int, events: str, receipts: str) -> None:
    path.touch(mode=0o600)
    path.write_text(
        CONF.format(folder=folder, port=port, events=events, receipts=receipts), "utf-8"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TrytonServer:
    """One Tryton process over a database of its own in `folder`."""

    def __init__(
        self,
        folder: Path,
        seed: Mapping[str, Any],
        *,
        cache: Path | None = None,
        port: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder, self.port = folder, port or _free_port()
        self.events, self.receipts = new_secret(), new_secret()
        self._seed, self._cache, self._say = seed, cache or cache_folder(), say
        self._installed: Installed | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._keys: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Where the contract is answered."""
        return f"http://127.0.0.1:{self.port}/{DATABASE}/mes"

    @property
    def rest(self) -> str:
        """Where Tryton's own interface is, for its own people."""
        return f"http://127.0.0.1:{self.port}/{DATABASE}/rest/model"

    @property
    def installed(self) -> Installed:
        """The environment that it runs in; there is one once it was started."""
        assert self._installed is not None, "not started yet"
        return self._installed

    @property
    def token(self) -> str:
        """The key of the MES's user."""
        return self._keys["key"]

    @property
    def admin_token(self) -> str:
        """A key of Tryton's administrator."""
        return self._keys["admin_key"]

    def prepare(self) -> Template:
        """Make what is missing, which takes a minute or more, and return the database to copy.

        Raises:
            TrytonNotStarted: a step did not succeed; it says which.
        """
        if not (BRIDGE / "requirements.txt").exists():
            raise TrytonNotStarted("the bridge", NO_BRIDGE)
        with _alone(self._cache):
            self._installed = environment(self._cache, self._say)
            return template(self._cache, self._installed, self._seed, say=self._say)

    def start(self) -> None:
        """Prepare what is missing, start the process and wait until it answers.

        A database that is in the folder already is taken up as it is.

        Raises:
            TrytonNotStarted: a step did not succeed; it says which.
        """
        made = self.prepare()
        assert self._installed is not None
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = self.folder / f"{DATABASE}.sqlite"
        if not database.exists():
            shutil.copy(made.database, database)
            shutil.copy(made.keys, self.folder / "keys.json")
        self._keys = json.loads((self.folder / "keys.json").read_text("utf-8"))
        conf = self.folder / "trytond.conf"
        _write_conf(conf, self.folder, port=self.port, events=self.events, receipts=self.receipts)
        with (self.folder / "trytond.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the environment made above
                [str(self._installed.python.parent / "trytond"), "-c", str(conf)],
                env=self._installed.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self, within_s: float = 120) -> None:
        """Wait for the first answer: it loads every model, and takes seconds."""
        end = time.monotonic() + within_s
        headers = {"authorization": f"Bearer {self.token}"}
        while time.monotonic() < end and self._process is not None:
            if self._process.poll() is not None:
                break
            with suppress(httpx.HTTPError):
                answer = httpx.get(
                    f"{self.address}/health",
                    headers=headers,
                    timeout=60,
                    verify=trusted(),
                    trust_env=False,
                )
                if answer.status_code == 200:
                    return
            time.sleep(0.2)
        log = (self.folder / "trytond.log").read_text("utf-8", "replace")
        self.stop()
        raise TrytonNotStarted("start", log)

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def port_to(self, *, timeout_s: float = 60) -> WebhookErp:
        """Return an adapter to it."""
        return WebhookErp(
            self.address,
            send=Keys.of([self.events]),
            receive=Keys.of([self.receipts]),
            profile=TRYTON,
            token=self.token,
            timeout_s=timeout_s,
        )
