"""The tablets plant with its people, served without devices and ERP: for tests of accounts."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from config.accounts import Accounts, accounts_of
from config.seed import seed
from core.execution import Actor, Execution
from core.fact import Command
from core.ledger.entry import Entry
from dashboards.compose import Plant, Wiring, open_execution
from dashboards.server import create_app
from tests.hands import PACK
from tests.ui_plant import running


@dataclass(eq=False)
class AccountsPlant:
    """A served plant, and clients that sign in as its people."""

    plant: Plant
    url: str
    accounts: Accounts
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def execution(self) -> Execution:
        return self.plant.execution

    def act(self, command: Command, by: str) -> None:
        self.execution.submit(command, actor=Actor(by), idem=f"test:act:{next(self.numbers)}")

    def entries(self, *, of: str) -> list[Entry]:
        return [one for one in self.execution.ledger.entries(0, 100_000) if one.type == of]

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            yield client

    def sign_in(
        self, client: httpx.Client, user: str, secret: str | None = None, **more: str
    ) -> httpx.Response:
        given = secret or self.accounts[user].secret
        return client.post("/login", data={"user": user, "password": given, **more})

    @contextmanager
    def signed_in(self, user: str, **more: str) -> Iterator[httpx.Client]:
        with self.client() as client:
            answer = self.sign_in(client, user, **more)
            assert answer.status_code == 303, answer.text
            yield client

    def send(self, client: httpx.Client, name: str, body: dict[str, Any], **headers: str) -> Any:
        key = headers.pop("idem", f"test:send:{next(self.numbers)}")
        return client.post(
            f"/api/v1/commands/{name}", json=body, headers={"idempotency-key": key, **headers}
        )


def ticket_of(answer: httpx.Response) -> str:
    """Return the ticket in a form that asks for a new secret."""
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    assert found, answer.text
    return found.group(1)


def seed_folder(data: Path) -> Path:
    """Put the tablets pack to work in an empty data folder, once for many tests."""
    execution = open_execution(data, PACK.id)
    execution.start()
    seed(execution, PACK, accounts_of(PACK, data / "accounts.json"))
    execution.close()
    return data


@contextmanager
def accounts_plant(seeded: Path, data: Path, **wiring: Any) -> Iterator[AccountsPlant]:
    """Serve a copy of a seeded data folder."""
    shutil.copytree(seeded, data)
    execution = open_execution(data, PACK.id)
    execution.start()
    plant = Plant(execution, PACK, Wiring(**wiring), data=data)
    plant.start()
    services = plant.services({})
    try:
        with running(create_app(services, pages={}, gate=plant.gate)) as url:
            yield AccountsPlant(plant, url, accounts_of(PACK, data / "accounts.json"))
    finally:
        plant.stop()
        execution.close()
