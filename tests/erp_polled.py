"""QuickBooks as a peer: a company and its Web Connector in one process, our door in this one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from core.clock import now
from erp.adapters.quickbooks import tasks
from erp.adapters.quickbooks.adapter import QuickBooksErp
from erp.adapters.quickbooks.mapping import QbPlant
from erp.adapters.quickbooks.queue import Queue
from erp.adapters.quickbooks.service import PATH, Conversation
from erp.adapters.units import Unit, Units
from erp.contract import Message
from erp.drill.network import Network
from erp.port import Accepted, Outcome
from erp.trust import trusted
from tests.erp_peers import posting
from tests.erp_plant import SITE, free_port
from tests.erp_simulated import SECRET, USER, SimulatedPeer
from tests.patience import eventually

LEASE_S = 0.3
QB_PLANT = QbPlant(
    zone=SITE.zone,
    units=Units({"KGM": Unit("Gram", Decimal(1000)), "C62": Unit("Each")}, digits=5),
    poll_s=1,
)


@dataclass
class Door:
    """Our SOAP service, served for real, and the port over the same queue."""

    folder: Path
    plant: QbPlant = QB_PLANT
    secret: str = SECRET
    number: int = field(default_factory=free_port)
    ahead: timedelta = timedelta()  # how much later than now it is for the door

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.queue = Queue(f"sqlite:///{self.folder / 'queue.db'}")
        talk = Conversation(
            self.queue, self.plant, user=USER, secret=self.secret, lease_s=LEASE_S, clock=self.clock
        )
        address = f"http://127.0.0.1:{self.number}"
        self.port = QuickBooksErp(
            self.queue, self.plant, address=address, talk=talk, clock=self.clock
        )
        app = FastAPI()
        app.include_router(self.port.door())
        config = uvicorn.Config(app, host="127.0.0.1", port=self.number, log_level="error")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        eventually(lambda: self.server.started)

    def clock(self) -> datetime:
        return now() + self.ahead

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.number}{PATH}"

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.queue.close()


@dataclass
class PolledPeer(SimulatedPeer):
    """The company's process; `connect` tells its Web Connector where to call."""

    def connect(self, url: str | None, secret: str = SECRET) -> None:
        httpx.post(
            f"{self.address}/webconnector",
            json={"url": url, "secret": secret},
            verify=trusted(),
            trust_env=False,
        ).raise_for_status()

    @contextmanager
    def door(self, folder: Path, **changes: Any) -> Iterator[Door]:
        """Open our door and let the Web Connector come to it."""
        plant = replace(QB_PLANT, **changes)
        made = Door(folder, plant=plant)
        self.connect(made.url)
        try:
            eventually(lambda: made.queue.seen_at(tasks.BUILDS) is not None)
            yield made
        finally:
            self.connect(None)
            made.close()

    @contextmanager
    def network(self, door: Door, *faults: str) -> Iterator[Network]:
        """Let the Web Connector come through a network that strikes at the answers of builds."""
        between = Network(
            f"http://127.0.0.1:{door.number}",
            faults=faults,
            strikes=lambda body: b"BuildAssemblyAddRs" in body,
        )
        self.connect(f"{between.address}{PATH}")
        try:
            eventually(lambda: between.heard)  # the visit that was under way is over
            yield between
        finally:
            self.connect(door.url)
            between.stop()

    def sets(self) -> list[str]:
        """Return the message sets that QuickBooks was handed."""
        return [it["body"] for it in self.requests() if it["method"] == "qbXML"]

    def builds(self, made: Message) -> int:
        """Return how many times a build was asked for."""
        return sum("BuildAssemblyAddRq" in text and made.id in text for text in self.sets())


@contextmanager
def quickbooks(folder: Path) -> Iterator[PolledPeer]:
    """Run a company for as long as it is needed."""
    peer = PolledPeer("quickbooks", folder)
    peer.restart()
    try:
        yield peer
    finally:
        peer.crash()


def settled(door: Door, made: Message) -> Outcome:
    """Hand a message to the port and return its end, after the polls that it takes."""
    given = posting(made)
    outcome = door.port.post(given)
    if not isinstance(outcome, Accepted):
        return outcome
    end: Outcome = eventually(lambda: door.port.accepted(outcome.ticket))
    fresh = door.queue.seen_at(tasks.BUILDS)
    eventually(lambda: door.queue.seen_at(tasks.BUILDS) != fresh)  # the mirror shows it, too
    return end
