"""A real plant for tests: the tablets pack on a ledger, people who sign, a clock that is moved."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.accounts import Accounts, accounts_of
from config.seed import seed
from core.credentials import Secrets
from core.execution import Actor, Credentials, Execution
from core.fact import Command
from core.ledger.checkpoint import LogKey
from core.ledger.writer import Receipt
from core.signature import Seen
from tests.hands import AT, PACK, Hands

KEY = LogKey("batchwright.example/tablets", bytes(range(32)))


class MovedClock:
    """The server's clock as a test moves it; a microsecond goes by with each look."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self._ticks = itertools.count(1)

    def __call__(self) -> datetime:
        return self.at + timedelta(microseconds=next(self._ticks))

    def pass_time(self, **by: int) -> None:
        self.at += timedelta(**by)


@dataclass
class Floor(Hands):
    """A running plant and short ways to act in it."""

    execution: Execution
    accounts: Accounts
    clock: MovedClock
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def instant(self) -> datetime:
        return self.clock.at

    def act(
        self,
        command: Command,
        by: str,
        *,
        station: str | None = "kiosk-B1",
        reason: str | None = None,
        idem: str | None = None,
    ) -> Receipt:
        idem = idem or f"test:{next(self.numbers)}"
        actor = Actor(by, station)
        return self.execution.submit(command, actor=actor, idem=idem, reason=reason)

    def sign(
        self,
        command: Command,
        by: str,
        *,
        station: str | None = "kiosk-B1",
        idem: str | None = None,
        credentials: Credentials | None = None,
    ) -> Receipt:
        account = self.accounts[by]
        return self.execution.submit(
            command,
            actor=Actor(by, station),
            idem=idem or f"test:{next(self.numbers)}",
            credentials=credentials or Credentials(secret=account.secret, badge=account.badge),
        )

    def get(self, noun: Any, name: str) -> Any:
        return self.execution.nouns.get(noun, name)

    def seen(self, stream: str) -> Seen:
        return self.execution.seen(stream)

    def size(self) -> int:
        return self.execution.ledger.size()


@contextmanager
def open_floor(
    folder: Path, where: str | Path | None = None, *, at: datetime = AT
) -> Iterator[Floor]:
    """Run a plant on the ledger at `where`, or in `folder`; nothing is seeded."""
    clock = MovedClock(at)
    execution = Execution(
        where or folder / "ledger.db",
        KEY,
        plant=PACK.id,
        secrets=Secrets(f"sqlite:///{folder / 'credentials.db'}"),
        now=clock,
    )
    execution.start()
    try:
        yield Floor(execution, accounts_of(PACK, folder / "accounts.json"), clock)
    finally:
        execution.close()


@pytest.fixture(scope="session")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the seeded pack, made once."""
    folder = tmp_path_factory.mktemp("seeded")
    with open_floor(folder) as floor:
        seed(floor.execution, PACK, floor.accounts, at=AT)
    return folder


@pytest.fixture
def floor(seeded_folder: Path, tmp_path: Path) -> Iterator[Floor]:
    """A seeded plant of this test alone, on SQLite."""
    folder = tmp_path / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as found:
        yield found
