"""What the ERP tests share: a sandbox in a process of its own, and a ledger that is a list."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from core.clock import iso, parse_iso
from core.ledger.entry import Entry
from erp.adapters.webhook import WebhookErp
from erp.contract import Message, SentCheckpoint
from erp.messages import Known, Site, translate
from erp.signing import Keys, new_secret
from erp.trust import trusted
from tests.patience import eventually as eventually  # who has an ERP beside, waits for it

ROOT = Path(__file__).resolve().parent.parent
AT = parse_iso("2026-11-23T05:44:40.123456Z")
SITE = Site(plant="P1", zone=ZoneInfo("Europe/Berlin"))
CHECKPOINT = SentCheckpoint(size=7, root="ab" * 32)
NOTHING = Known(erp_order=lambda _: None, original=lambda _: None)

SEED: dict[str, Any] = {
    "items": [
        {"code": "LAC", "name": "Lactose", "unit": "KGM", "gtin": None, "standard_cost": "4.20"},
        {"code": "PVP", "name": "Povidone", "unit": "KGM", "gtin": None, "standard_cost": "18.05"},
        {
            "code": "TAB",
            "name": "Tablets 500 mg",
            "unit": "C62",
            "gtin": "04012345678901",
            "standard_cost": "0.031",
        },
    ],
    "boms": [
        {
            "product": "TAB",
            "quantity": "1000",
            "unit": "C62",
            "lines": [
                {"item": "LAC", "quantity": "0.12", "unit": "KGM"},
                {"item": "PVP", "quantity": 0.015, "unit": "KGM"},
            ],
        }
    ],
    "orders": [
        {
            "id": f"PO-{n}",
            "product": "TAB",
            "quantity": "100000",
            "unit": "C62",
            "due_at": "2026-11-25T06:00:00Z",
            "priority": None,
            "customer": None,
        }
        for n in range(1, 6)
    ],
    "customers": [{"code": "C1", "name": "Clinic supply"}],
    "lots": [
        {"item": "LAC", "lot": "L-1", "quantity": "500", "unit": "KGM"},
        {"item": "PVP", "lot": "P-1", "quantity": "50", "unit": "KGM"},
    ],
}


@dataclass
class Written:
    """A ledger that is a list: entries are numbered and linked as the real one does."""

    kept: list[Entry] = field(default_factory=list)

    def entries(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        return [entry for entry in self.kept if entry.seq > after][:limit]

    def write(self, kind: str, stream: str, **data: object) -> Entry:
        seq = len(self.kept) + 1
        before = sum(1 for entry in self.kept if entry.stream == stream)
        entry = Entry(
            seq=seq,
            stream=stream,
            ver=before + 1,
            prev=f"{seq:064x}" if before else None,
            type=kind,
            v=1,
            at=iso(AT + timedelta(seconds=seq)),
            actor="ama",
            station="B1",
            idem=f"cmd-{seq}",
            reason=None,
            data=data,
        )
        self.kept.append(entry)
        return entry

    def consumed(self, n: int = 1, *, net_g: str = "12000", lot: str = "L-1") -> Entry:
        return self.write(
            "material.consumed",
            f"batch/B{n}",
            order=f"W{n}",
            erp_order=f"PO-{n}",
            batch=f"B{n}",
            step="lactose",
            material="LAC",
            lot=lot,
            container=f"{lot}/1",
            net_g=net_g,
        )

    def resent(self, event_id: str) -> Entry:
        """Write that somebody had a message sent again."""
        stream = f"difference/{event_id}"
        return self.write("message.resend-ordered", stream, message=event_id, why="Mended.")

    def undone(self, n: int, document: str, *, net_kg: str, lot: str = "L-1") -> Entry:
        """Write that two people had a document of the ERP reversed."""
        line = {
            "material": "LAC",
            "lot": lot,
            "movement": "issue",
            "quantity": net_kg,
            "unit": "kg",
        }
        order = {"order": f"W{n}", "erp_order": f"PO-{n}"}
        number, year = document.split("/")
        found = {"id": number, "year": year, **order, "lines": [line]}
        return self.write(
            "posting.reversal-ordered", f"difference/{document}", document=found,
            why="Posted by hand beside the message.", **order,
        )  # fmt: skip

    def replaced(self, fact: Entry, key: str, *, again: int = 1, replaces: str | None) -> Entry:
        """Write that two people had a fact told anew."""
        told = {"entry": fact.seq, "message": key}
        return self.write(
            "posting.replacement-ordered", f"difference/{key}", order=fact.data["order"],
            fact=told, again=again, replaces=replaces, why="The ERP booked another quantity.",
        )  # fmt: skip

    def batch(self, n: int = 1) -> list[Entry]:
        """Write a whole small batch of order n and return its entries."""
        order: dict[str, object] = {"order": f"W{n}", "batch": f"B{n}"}
        goods: dict[str, object] = {
            "erp_order": f"PO-{n}",
            "product": "TAB",
            "quantity": "98500",
            "unit": "EA",
        }
        stream, numbers = f"batch/B{n}", {"erp_ref": f"PO-{n}"}
        return [
            self.write("work-order.started", f"order/W{n}", work_center="B1", **numbers, **order),
            self.consumed(n),
            self.consumed(n, net_g="0.5"),
            self.write("material.produced", stream, lot=f"B{n}", **goods, **order),
            self.write("batch.released", stream, **goods, **order),
            self.write(
                "work-order.completed",
                f"order/W{n}",
                quantity="98500",
                unit="EA",
                **numbers,
                **order,
            ),
        ]


def message_of(entry: Entry, sequence: int = 1, known: Known = NOTHING) -> Message:
    """Return an entry's message."""
    made = translate(entry, SITE, known, sequence=sequence, checkpoint=CHECKPOINT)
    assert made is not None
    return made


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Sandbox:
    """A sandbox ERP in a process of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    events: str = field(default_factory=new_secret)
    receipts: str = field(default_factory=new_secret)
    process: subprocess.Popen[bytes] | None = None
    seed: dict[str, Any] = field(default_factory=lambda: SEED)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps(self.seed), "utf-8")
        command = [sys.executable, "-m", "erp.sandbox", "--db", str(self.folder / "erp.db")]
        command += ["--port", str(self.port), "--seed", str(seed)]
        secrets = {
            "BATCHWRIGHT_SANDBOX_SECRET": self.events,
            "BATCHWRIGHT_SANDBOX_RECEIPT_SECRET": self.receipts,
        }
        self.process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **secrets})
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert self.process.poll() is None, "the sandbox ended at once"
            try:
                if (
                    httpx.get(
                        f"{self.address}/health", verify=trusted(), trust_env=False
                    ).status_code
                    == 200
                ):
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("the sandbox did not answer within 30 s")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def port_to(self, *, timeout_s: float = 5) -> WebhookErp:
        return WebhookErp(
            self.address,
            send=Keys.of([self.events]),
            receive=Keys.of([self.receipts]),
            timeout_s=timeout_s,
        )

    def admin(self, path: str, **call: object) -> None:
        answer = httpx.post(
            f"{self.address}/admin/{path}", json=call, verify=trusted(), trust_env=False
        )
        answer.raise_for_status()

    def tampered(self, sql: str, *values: object) -> int:
        """Change the ERP's own database, as a clerk with too many rights would."""
        with closing(sqlite3.connect(self.folder / "erp.db", timeout=10)) as books:
            for name in ("ledger_line_no_update", "ledger_line_no_delete"):
                books.execute(f"DROP TRIGGER IF EXISTS {name}")
            changed = books.execute(sql, values).rowcount
            books.commit()
        return changed

    def get(self, path: str, **query: str) -> Any:
        return httpx.get(
            f"{self.address}/{path}", params=query, verify=trusted(), trust_env=False
        ).json()

    def lines(self, order: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("ledger", order=order)["lines"]
        return found


@contextmanager
def sandbox_running(folder: Path) -> Iterator[Sandbox]:
    """Run a sandbox for as long as it is needed."""
    sandbox = Sandbox(folder)
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()


@dataclass
class Clock:
    """A clock that tests move."""

    at: datetime = AT

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
