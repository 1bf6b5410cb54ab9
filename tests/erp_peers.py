"""Peers for the conformance suite: one shape for every ERP."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

from core.clock import iso, now
from core.ledger.entry import Entry
from erp.adapters.webhook import WebhookErp
from erp.bridges.tryton_server import TrytonServer
from erp.contract import Message
from erp.judging import posting_of
from erp.messages import Known, Site, translate
from erp.port import Accepted, ErpAdapter, Outcome, Posted, Posting, Tickets
from erp.profile import SANDBOX, TRYTON
from erp.rows import Row, State
from erp.signing import Keys, new_secret
from tests.erp_plant import SITE, Sandbox
from tests.plant_data import ERP_SEED
from tests.tryton_hands import TrytonHands

ORDERS = [str(n) for n in range(9001, 9061)]
FEW = 32  # orders of the suite that the real ERP has: each takes its time to make
PEER_SEED: dict[str, Any] = {
    "items": [
        {"code": "LAC", "name": "Lactose", "unit": "KGM", "gtin": None, "standard_cost": "4.20"},
        {"code": "PVP", "name": "Povidone", "unit": "KGM", "gtin": None, "standard_cost": "18.05"},
        {"code": "TAB", "name": "Tablets", "unit": "C62", "gtin": None, "standard_cost": "0.03"},
    ],
    "boms": [
        {
            "product": "TAB",
            "quantity": "1000",
            "unit": "C62",
            "lines": [
                {"item": "LAC", "quantity": "0.12", "unit": "KGM"},
                {"item": "PVP", "quantity": "0.015", "unit": "KGM"},
            ],
        }
    ],
    "orders": [
        {"id": n, "product": "TAB", "quantity": "1000", "unit": "C62", "due_at": None,
         "priority": None, "customer": None}
        for n in ORDERS
    ],
    "customers": [{"code": "C1", "name": "Clinic supply"}],
    "lots": [
        {"item": "LAC", "lot": "L-1", "quantity": "5000", "unit": "KGM"},
        {"item": "PVP", "lot": "P-1", "quantity": "500", "unit": "KGM"},
    ],
}  # fmt: skip


def _both(name: str) -> list[dict[str, Any]]:
    codes = {one["code"] for one in PEER_SEED[name] if "code" in one}
    added = (one for one in ERP_SEED.get(name, ()) if one.get("code") not in codes)
    return [*PEER_SEED[name][:FEW], *added]


# One database of the real ERP serves every test of it: making it takes longest.
TRYTON_SEED: dict[str, Any] = {name: _both(name) for name in PEER_SEED}
TRYTON_SEED["zone"] = SITE.zone.key
TRYTON_SEED["orders"] += [{**ERP_SEED["orders"][0], "id": f"100{n}"} for n in range(5, 9)]


class Port(ErpAdapter, Protocol):
    """An adapter with its connections to give back."""

    def close(self) -> None: ...


class Peer(Protocol):
    """What the suite asks of an ERP beside its port: its own people's switches."""

    name: str
    address: str

    def port(self, address: str | None = None, *, secret: str | None = None) -> Port: ...
    def close_period(self, month: date) -> None: ...
    def open_period(self, month: date) -> None: ...
    def cancel_order(self, order: str) -> None: ...
    def crash(self) -> None: ...
    def restart(self) -> None: ...


@dataclass
class SandboxPeer:
    sandbox: Sandbox
    name: str = "sandbox"

    @property
    def address(self) -> str:
        return self.sandbox.address

    def port(self, address: str | None = None, *, secret: str | None = None) -> WebhookErp:
        return WebhookErp(
            address or self.address,
            send=Keys.of([secret or self.sandbox.events]),
            receive=Keys.of([self.sandbox.receipts]),
            profile=SANDBOX,
            timeout_s=30,
        )

    def close_period(self, month: date) -> None:
        self.sandbox.admin("periods", period=month.isoformat()[:7], state="closed")

    def open_period(self, month: date) -> None:
        self.sandbox.admin("periods", period=month.isoformat()[:7], state="open")

    def cancel_order(self, order: str) -> None:
        self.sandbox.admin("orders", id=order, state="cancelled")

    def crash(self) -> None:
        assert self.sandbox.process is not None
        self.sandbox.process.kill()
        self.sandbox.process.wait()

    def restart(self) -> None:
        self.sandbox.start()


@dataclass
class TrytonPeer:
    server: TrytonServer
    name: str = "tryton"
    numbers: Iterator[str] = field(default_factory=lambda: iter(ORDERS[:FEW]))

    def story(self) -> Story:
        """Return the story of an order that no other test has."""
        return Story(next(self.numbers))

    @property
    def address(self) -> str:
        return self.server.address

    def port(self, address: str | None = None, *, secret: str | None = None) -> WebhookErp:
        return WebhookErp(
            address or self.address,
            send=Keys.of([secret or self.server.events]),
            receive=Keys.of([self.server.receipts]),
            profile=TRYTON,
            token=self.server.token,
            timeout_s=60,
        )

    @property
    def hands(self) -> TrytonHands:
        """Tryton's own people."""
        return TrytonHands(self.server)

    def close_period(self, month: date) -> None:
        self.hands.period(month, "close")

    def open_period(self, month: date) -> None:
        self.hands.period(month, "reopen")

    def cancel_order(self, order: str) -> None:
        number = self.hands.one("production", [["number", "=", order]])
        self.hands.act("production", number, "cancel")

    def crash(self) -> None:
        self.server.kill()

    def restart(self) -> None:
        self.server.start()


@dataclass
class Story:
    """Messages of one order, as the relay makes them, dated today."""

    order: str
    at: str = field(default_factory=lambda: iso(now()))
    seqs: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    site: Site = SITE
    made: dict[int, Message] = field(default_factory=dict)

    def _message(self, kind: str, **data: Any) -> Message:
        seq = next(self.seqs)
        entry = Entry(
            seq=seq,
            stream=f"batch/B{self.order}",
            ver=seq,
            prev=f"{seq:064x}" if seq > 1 else None,
            type=kind,
            v=1,
            at=self.at,
            actor="ama",
            station="B1",
            idem=f"{self.order}-{seq}-{new_secret()[-8:]}",
            reason=None,
            data={"order": f"W{self.order}", "batch": f"B{self.order}", **data},
        )
        known = Known(erp_order=lambda _: self.order, original=self.made.get)
        made = translate(entry, self.site, known, sequence=seq, checkpoint=None)
        assert made is not None
        self.made[seq] = made
        return made

    def started(self) -> Message:
        return self._message("work-order.started", work_center="B1")

    def consumed(self, net_g: str = "120", **changes: Any) -> Message:
        return self._message(
            "material.consumed", **{"material": "LAC", "lot": "L-1", "net_g": net_g} | changes
        )

    def returned(self, net_g: str = "3") -> Message:
        return self._message("material.returned", material="LAC", lot="L-1", net_g=net_g)

    def scrapped(self, net_g: str = "2") -> Message:
        return self._message("material.scrapped", material="LAC", lot="L-1", net_g=net_g)

    def produced(self, quantity: str = "1000") -> Message:
        goods = {"product": "TAB", "lot": f"B{self.order}", "quantity": quantity, "unit": "EA"}
        return self._message("material.produced", **goods)

    def released(self) -> Message:
        goods = {"product": "TAB", "lot": f"B{self.order}", "quantity": "1000", "unit": "EA"}
        return self._message("batch.released", **goods)

    def completed(self) -> Message:
        return self._message("work-order.completed", quantity="1000", unit="EA")

    def reversed(self, original: Message) -> Message:
        return self._message("material.reversed", corrects=int(original.sequence))

    def undone(self, number: str, year: str, *, kg: str, movement: str = "issue") -> Message:
        """Undo a document of the ERP that no message stands behind."""
        line = {"material": "LAC", "lot": "L-1", "movement": movement, "quantity": kg, "unit": "kg"}
        document = {"id": number, "year": year, "lines": [line]}
        return self._message(
            "posting.reversal-ordered", erp_order=self.order, document=document,
            why="Posted by hand as well.",
        )  # fmt: skip

    def of(self, ref: str | None) -> str | None:
        """Return the id of the message with a reference."""
        return next((it.id for it in self.made.values() if it.data.erp_ref == ref), None)

    def on(self, day: date) -> Story:
        """Date what follows on another day, at noon."""
        self.at = f"{day.isoformat()}T11:00:00.000000Z"
        return self


def posting(made: Message) -> Posting:
    """Return a message as the relay hands it to an adapter."""
    from erp.contract import to_bytes

    return posting_of(
        Row(
            event_id=made.id, erp_ref=made.data.erp_ref, lane=made.partitionkey,
            lane_seq=int(made.sequence), entry_seq=made.data.entry, type=made.type,
            body=to_bytes(made), sha256="", made_at="", state=State.PENDING, attempts=0, due_at="",
            ticket=None, last_code=None, last_error=None, settled_by=None,
        )
    )  # fmt: skip


@contextmanager
def sandbox_peer(folder: Path) -> Iterator[SandboxPeer]:
    sandbox = Sandbox(folder, seed=PEER_SEED)
    sandbox.start()
    try:
        yield SandboxPeer(sandbox)
    finally:
        sandbox.stop()


@contextmanager
def tryton_peer(folder: Path) -> Iterator[TrytonPeer]:
    server = TrytonServer(folder, TRYTON_SEED)
    server.start()
    try:
        yield TrytonPeer(server)
    finally:
        server.stop()


def last_month(today: date) -> date:
    """Return a day of the month before, in the same year where there is one."""
    return today.replace(day=1) - timedelta(days=1)


def put(port: ErpAdapter, made: Message) -> Outcome:
    """Hand a message to an adapter and return its end, also where the ERP only takes it first."""
    given = posting(made)
    outcome = port.post(given)
    until = time.monotonic() + 30
    while isinstance(outcome, Accepted) and time.monotonic() < until:
        told = port.accepted(outcome.ticket) if isinstance(port, Tickets) else None
        if told is not None:
            return told
        found = port.find_posting(given.ref)
        if found:
            return Posted(tuple(found), None, exchange=outcome.exchange)
        time.sleep(0.05)
    return outcome
