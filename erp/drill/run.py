"""Run the outage drill: send everything through a storm and two kills, then count in the books.

Lost is a fact that the ERP's books do not hold, double one that they hold twice, out of order one
that was booked before an earlier fact of its order. Each count has a control that must find
something, or the drill is blind: for double the same storm against an ERP that ignores keys, for
lost the books without the last line of each order, for order the books read backwards.
"""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from core.clock import iso, now
from core.ledger.store import open_ledger
from erp import evidence
from erp.adapters.webhook import WebhookErp
from erp.drill.network import STORM, Network
from erp.drill.plan import erp_seed, write_ledger
from erp.drill.relay import HURRY, LONGEST_PAUSE_S
from erp.events import BY_FACT
from erp.messages import identifier
from erp.outbox import Outbox
from erp.port import Scope
from erp.rows import State
from erp.signing import Keys, new_secret
from erp.trust import trusted

KILLS = 2
CONTROL_MESSAGES = 100
LONGEST_S = 1800


class DrillFailed(Exception):
    """The drill could not be carried out; nothing is said about the relay."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Where an ERP is and what signs its traffic."""

    address: str
    send: str
    receive: str

    def port(self) -> WebhookErp:
        """Return an adapter straight to the ERP, past the storm."""
        return WebhookErp(
            self.address, send=Keys.of([self.send]), receive=Keys.of([self.receive]), timeout_s=30
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sandbox(folder: Path, seed: dict[str, Any], *, forgets: bool = False) -> Iterator[Peers]:
    """Run a sandbox ERP in a process of its own; one that forgets books every copy.

    Raises:
        DrillFailed: it did not start.
    """
    peers = Peers(f"http://127.0.0.1:{_free_port()}", new_secret(), new_secret())
    (folder / "seed.json").write_text(json.dumps(seed), "utf-8")
    command = [
        sys.executable, "-P", "-m", "erp.sandbox", "--db", str(folder / "erp.db"),
        "--port", peers.address.rsplit(":", 1)[1], "--seed", str(folder / "seed.json"),
    ]  # fmt: skip
    secrets = {
        "BATCHWRIGHT_SANDBOX_SECRET": peers.send,
        "BATCHWRIGHT_SANDBOX_RECEIPT_SECRET": peers.receive,
        "BATCHWRIGHT_SANDBOX_FORGETS_KEYS": "1" if forgets else "",
    }
    with (folder / "erp.log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **secrets}, stdout=log, stderr=log)
    try:
        _wait_for(peers, process)
        yield peers
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(peers: Peers, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"{peers.address}/health", verify=trusted(), trust_env=False, timeout=5)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise DrillFailed("The sandbox ERP did not start. Its log lies in the drill's folder.")


class _RelayProcess:
    """One relay that can be killed and started again over the same outbox."""

    def __init__(self, folder: Path, peers: Peers, address: str) -> None:
        self._folder, self._peers, self._address = folder, peers, address
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable, "-P", "-m", "erp.drill.relay", str(self._folder / "ledger.db"),
            str(self._folder / "outbox.db"), self._address,
        ]  # fmt: skip
        with (self._folder / "relay.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        secrets = {"send": self._peers.send, "receive": self._peers.receive}
        self._process.stdin.write(json.dumps(secrets).encode() + b"\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != b"ready":
            raise DrillFailed("The relay did not start. Its log lies in the drill's folder.")

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None


def drill(
    messages: int, say: Callable[[str], None], *, seed: int, folder: Path | None = None
) -> dict[str, Any]:
    """Run drill and control; return the report with one harness each for lost, double and order.

    Raises:
        DrillFailed: a process did not start, or the queue did not drain within half an hour.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drill-")))
        began = now()
        found = _one(folder / "storm", messages, say, seed=seed, forgets=False)
        say(f"control: {CONTROL_MESSAGES} messages to an ERP that ignores keys")
        control = _one(folder / "control", CONTROL_MESSAGES, say, seed=seed + 1, forgets=True)
    books: Books = found.pop("books")
    controls = {
        "lost": books.without_last(),
        "double": control["books"],
        "out_of_order": books.backwards(),
    }
    harnesses = [
        {
            "name": name,
            "trials": books.facts,
            "violations": books.counts()[name],
            "control_trials": spoiled.facts,
            "control_violations": spoiled.counts()[name],
        }
        for name, spoiled in controls.items()
    ]
    holds = all(one["violations"] == 0 < one["control_violations"] for one in harnesses)
    return {
        "seed": seed,
        "began_at": iso(began),
        "ended_at": iso(now()),
        "messages": messages,
        "relay_kills": KILLS,
        "retry_delays_divided_by": HURRY,
        "longest_retry_delay_s": LONGEST_PAUSE_S,
        "network": found["network"],
        "attempts": found["attempts"],
        "seconds": found["seconds"],
        "dead": found["dead"],
        "harnesses": harnesses,
        "holds": holds,
    }


def _one(
    folder: Path, messages: int, say: Callable[[str], None], *, seed: int, forgets: bool
) -> dict[str, Any]:
    folder.mkdir(parents=True)
    say(f"writing {messages} facts")
    orders = write_ledger(folder, messages)
    with ExitStack() as stack:
        peers = stack.enter_context(sandbox(folder, erp_seed(orders), forgets=forgets))
        network = Network(peers.address, weather=STORM, seed=seed)
        stack.callback(network.stop)
        relay = _RelayProcess(folder, peers, network.address)
        stack.callback(relay.kill)
        outbox = Outbox(f"sqlite:///{folder / 'outbox.db'}")
        stack.callback(outbox.close)
        start = time.monotonic()
        relay.start()
        _drain(outbox, relay, messages, say=say, dice=random.Random(seed))  # noqa: S311
        seconds = time.monotonic() - start
        network.clear()
        time.sleep(1)  # late copies are still on their way
        books = _read(folder, peers)
        states = evidence.counts(outbox)
        return {
            "books": books,
            "network": dict(network.struck),
            "attempts": network.delivered,
            "seconds": round(seconds, 1),
            "dead": states.get(State.DEAD, 0),
        }


def _drain(
    outbox: Outbox,
    relay: _RelayProcess,
    messages: int,
    *,
    say: Callable[[str], None],
    dice: random.Random,
) -> None:
    """Wait until everything has its receipt, and kill the relay twice on the way."""
    kills = sorted(dice.randrange(messages // 5, messages * 4 // 5 + 1) for _ in range(KILLS))
    end, told = time.monotonic() + LONGEST_S, 0
    while time.monotonic() < end:
        done = evidence.counts(outbox).get(State.DONE, 0)
        if kills and done >= kills[0]:
            kills.pop(0)
            relay.kill()
            say(f"relay killed after {done} receipts, started again")
            relay.start()
        if done * 10 // messages > told:
            told = done * 10 // messages
            say(f"{done} of {messages} have their receipt")
        if done >= messages:
            return
        time.sleep(0.2)
    raise DrillFailed(f"The queue did not drain within {LONGEST_S} s.")


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger tells and what the ERP booked: the keys of each order, in their order."""

    told: dict[str, list[str]]
    booked: dict[str, list[str]]

    @property
    def facts(self) -> int:
        """The number of facts that were told."""
        return sum(len(keys) for keys in self.told.values())

    def counts(self) -> dict[str, int]:
        """Return how many facts are lost, how many bookings too many, how many out of order."""
        times = Counter(key for keys in self.booked.values() for key in keys)
        facts = [key for keys in self.told.values() for key in keys]
        out_of_order = 0
        for order, keys in self.told.items():
            place = {key: n for n, key in enumerate(keys)}
            seen = [place[one] for one in dict.fromkeys(self.booked.get(order, [])) if one in place]
            out_of_order += sum(later < earlier for earlier, later in pairwise(seen))
        return {
            "lost": sum(times[key] == 0 for key in facts),
            "double": sum(times[key] - 1 for key in facts if times[key] > 1),
            "out_of_order": out_of_order,
        }

    def without_last(self) -> "Books":
        """Return the same books, the last line of each order torn out."""
        return Books(self.told, {order: keys[:-1] for order, keys in self.booked.items()})

    def backwards(self) -> "Books":
        """Return the same books, each order read backwards."""
        return Books(self.told, {order: keys[::-1] for order, keys in self.booked.items()})


def _read(folder: Path, peers: Peers) -> Books:
    ledger = open_ledger(folder / "ledger.db")
    told: dict[str, list[str]] = {}
    after = 0
    while page := ledger.entries(after):
        for entry in page:
            if entry.type in BY_FACT:
                told.setdefault(entry.data["order"], []).append(identifier(entry))
        after = page[-1].seq
    ledger.close()
    port = peers.port()
    booked: dict[str, list[str]] = {}
    for line in port.ledger(Scope()):
        if line.order is not None:
            booked.setdefault(f"W{line.order}", []).append(line.reference or "")
    port.close()
    return Books(told, booked)
