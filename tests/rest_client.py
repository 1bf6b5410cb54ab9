"""One person at the REST interface of a living plant."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.plant import PIN, LivingPlant


@dataclass(frozen=True)
class Client:
    """One person at the REST interface."""

    http: httpx.Client

    def send(self, command: str, *, by: str | None = None, **fields: Any) -> httpx.Response:
        """Send a command; with `by` that person signs it."""
        if by is not None:
            fields["signature"] = {"user": by, "secret": PIN}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return self.http.post(f"/api/v1/commands/{command}", json=fields, headers=key)

    def one(self, noun: str, name: str) -> dict[str, Any]:
        """Return one noun as the interface shows it."""
        answer = self.http.get(f"/api/v1/{noun}/{name}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def rest_as(plant: LivingPlant, person: str) -> Iterator[Client]:
    """Give the interface with a person signed in."""
    with httpx.Client(base_url=plant.url, timeout=30) as http:
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', http.get("/login").text))
        answer = http.post("/login", data=form | {"user": person, "password": PIN})
        assert answer.status_code in (200, 303), answer.text
        yield Client(http)
