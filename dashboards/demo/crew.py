"""The crew: simulated people who run batches through the same commands as everybody.

They make mistakes on purpose: a wrong lot, too much of one material, a verification by the
person who weighed. Booth B2 is theirs; what stands in booth B1 is left for visitors.
"""

import argparse
import json
import logging
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from capture.simulated.control import send
from core.severity import TWO_PEOPLE
from dashboards.demo.client import Account, Person, Said

TARE_G = Decimal(412)
COUNTED_S = 1.6  # longer than the collector takes to see and count a line's last pieces
HEAVIEST_G = Decimal(25_000)  # what one person pours at a time
BRISK = 2  # batches at full pace
PLANNED = 3  # so many orders wait at least
CALM = 8.0  # how much slower the crew works once the first batches have shown everything
OVER_WEIGHED = "croscarmellose"
log = logging.getLogger("batchwright.crew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the crew works and what it can reach."""

    base: str
    erp: str | None
    station: str
    room: str
    scale_control: int
    spare_room: str
    presses: dict[str, int]
    accounts: dict[str, Account]
    pace: float = 1.0


class Crew:
    """Runs batches until told to stop."""

    def __init__(self, plan: Plan, *, seed: int = 1) -> None:
        self._plan = plan
        self._random = random.Random(seed)  # noqa: S311 - mistakes, not secrets
        self.stopping = threading.Event()
        self._pace = plan.pace
        self._on_line: dict[str, str] = {}
        self._dispatched: dict[str, str] = {}
        people = plan.accounts
        self.olga = Person(plan.base, people["olga"], station=plan.station)
        self.sana = Person(plan.base, people["sana"])
        self.quinn = Person(plan.base, people["quinn"])
        self.ines = Person(plan.base, people["ines"])
        self.viktor = people["viktor"]

    def work(self, batches: int | None = None) -> None:
        """Run one batch after another; the first has every mistake in it."""
        done = 0
        while not self.stopping.is_set() and (batches is None or done < batches):
            batch = self._dispatch(self._plan.room)
            if batch is None:
                self.stopping.wait(2)
                continue
            if done == 0:
                self._dispatch(self._plan.spare_room)
            try:
                self._run(batch, clumsy=done % 3 == 0)
            except Said as no:  # a visitor may have taken the batch over, or QA said no
                log.error("batch %s stays where it is: %s", batch, no)  # noqa: TRY400
            done += 1
            if done == BRISK:
                self._pace *= CALM
        for line in self._plan.presses:
            self._clear_line(line)

    def _pause(self, seconds: float) -> None:
        self.stopping.wait(seconds * self._pace)

    def _dispatch(self, room: str) -> str | None:
        """Let the supervisor send the most urgent waiting order; return its batch.

        An own batch that still waits for the room is taken again, so that no heap of them grows.
        """
        waits = self._dispatched.get(room)
        if waits is not None and self.olga.one("batch", waits)["state"] == "idle":
            self.stopping.wait(2)
            return waits
        waiting = [one for one in self.sana.all("order") if one["state"] == "waiting"]
        if len(waiting) < PLANNED:
            self._plan_more()
        waiting.sort(key=lambda one: (one["due_at"] or "9", one["order"]))
        for order in waiting:
            try:
                self.sana.send("order.dispatch", {"order": order["order"], "room": room})
            except Said as no:
                log.info("dispatch of %s: %s", order["order"], no)
                continue
            batch: str = self.sana.one("order", order["order"])["batch"]
            self._dispatched[room] = batch
            return batch
        return None

    def _plan_more(self) -> None:
        """Plan one more order in the ERP, as its planners do; the pull will bring it here.

        An ERP that is not ours has its own planners.
        """
        if self._plan.erp is None:
            return
        newest = max(self.sana.all("order"), key=lambda one: str(one["order"]))
        due = datetime.now(UTC) + timedelta(days=2)
        order = {
            "id": str(int(newest["order"]) + 1),
            "product": newest["product"],
            "quantity": newest["quantity"],
            "unit": "KGM",
            "due_at": due.isoformat(),
        }
        httpx.post(f"{self._plan.erp}/admin/orders", json=order, timeout=5, trust_env=False)

    def _run(self, batch: str, *, clumsy: bool) -> None:
        steps = self.olga.one("batch", batch)["content"]["steps"]
        for step in steps:
            if self.stopping.is_set():
                return
            self._step(batch, step, clumsy=clumsy)
            self._pause(0.3)
        self._review(batch)

    def _step(self, batch: str, step: dict[str, Any], *, clumsy: bool) -> None:
        if step["kind"] == "daily_check":
            self._daily_check()
        if step["kind"] == "weigh":
            self._weigh(batch, step, clumsy=clumsy)
        else:
            on_line = step["work_center"] if step["work_center"] in self._plan.presses else None
            if on_line:
                self._start_line(on_line, batch)
            body = {"batch": batch, "step": step["step"], "values": self._values(step)}
            self.olga.send("step.complete", body)
        if step["verify"]:
            self._verify(batch, step["step"], clumsy=clumsy)

    def _daily_check(self) -> None:
        """Put the check weight on and let the rule judge."""
        scale = self.olga.one("station", self._plan.station)["scale"]
        nominal = self.olga.one("equipment", scale)["check_weight_g"]
        self._pan(f"PLACE {nominal}")
        self.olga.send("daily-check.record", {"equipment": scale})
        self._pan("REMOVE")

    def _weigh(self, batch: str, step: dict[str, Any], *, clumsy: bool) -> None:
        """Weigh one component, container after container until it is whole."""
        where = {"batch": batch, "step": step["step"]}
        if clumsy:
            self._scan_wrong(where, step)
        target, high = Decimal(step["target"]), Decimal(step["high"])
        too_much = clumsy and step["material"] == OVER_WEIGHED
        wanted = high + (high - target) if too_much else self._aim(step)
        while wanted > 0 and not self.stopping.is_set():
            raw, left = self._container(step["material"])
            shares = math.ceil(wanted / min(left, HEAVIEST_G))
            part = min(wanted, (wanted / shares).quantize(Decimal(1)))
            wanted -= part
            self.olga.send("weighing.scan-container", where | {"raw": raw})
            self._pan(f"PLACE {TARE_G}")
            self.olga.send("weighing.record-tare", where)
            self._pan(f"POUR {part} {0.6 * self._pace:.1f}")
            self._pause(0.6)
            if too_much:
                self._over_weigh(where)
            else:
                self.olga.send("weighing.record-weight", where | {"more": wanted > 0})
            self._pan("REMOVE")

    def _aim(self, step: dict[str, Any]) -> Decimal:
        """Return a weight near the target, as a practised hand pours."""
        half = (Decimal(step["high"]) - Decimal(step["low"])) / 2
        part = Decimal(round(self._random.gauss(0.1, 0.25) * 1000)) / 1000
        part = max(Decimal("-0.8"), min(Decimal("0.8"), part))
        return (Decimal(step["target"]) + half * part).quantize(Decimal(1))

    def _scan_wrong(self, where: dict[str, str], step: dict[str, Any]) -> None:
        """Take a container of another material first; the kiosk must refuse it."""
        for material in self.olga.all("material"):
            if material["material"] != step["material"] and material["lots"]:
                raw, _ = self._container(material["material"])
                self._expect_no("weighing.scan-container", where | {"raw": raw})
                return

    def _over_weigh(self, where: dict[str, str]) -> None:
        """Try to accept too much, then record the deviation and wait for QA."""
        self._expect_no("weighing.record-weight", where)
        why = "Already mixed with the scoop's rest; it cannot be taken out."
        self.olga.send("weighing.record-deviating-weight", where | {"why": why})
        self._pan("REMOVE")
        self._pause(1.0)
        self._disposition(where["batch"])

    def _disposition(self, batch: str) -> None:
        name = self.quinn.one("batch", batch)["held_by"]
        deviation = self.quinn.one("deviation", name)
        body = {
            "deviation": name,
            "disposition": "use_as_is",
            "assessment": "Excess of disintegrant within the studied range; no effect expected.",
            "seen": deviation["seen"],
        }
        self.quinn.send("deviation.disposition", body, signed_by=self.quinn.account)
        if deviation["severity"] in TWO_PEOPLE:
            self._pause(1.0)
            again = {"seen": self.ines.one("deviation", name)["seen"]}
            self.ines.send("deviation.disposition", body | again, signed_by=self.ines.account)
        self.quinn.send("deviation.close", {"deviation": name})

    def _verify(self, batch: str, step: str, *, clumsy: bool) -> None:
        where = {"batch": batch, "step": step}
        if clumsy:
            seen = self.olga.one("batch", batch)["seen"]
            body = where | {"seen": seen}
            self._expect_no("step.verify", body, signed_by=self.olga.account)
            self._pause(0.5)
        seen = self.olga.one("batch", batch)["seen"]
        self.olga.send("step.verify", where | {"seen": seen}, signed_by=self.viktor)

    def _review(self, batch: str) -> None:
        state = self.quinn.one("batch", batch)
        for exception in state["exceptions"]:
            body = {
                "batch": batch,
                "exception": exception["exception"],
                "assessment": "Dispositioned; no effect on the batch.",
            }
            self.quinn.send("batch.review-exception", body)
        for command in ("batch.review-audit-trail", "batch.release"):
            seen = self.quinn.one("batch", batch)["seen"]
            body = {"batch": batch, "seen": seen}
            self.quinn.send(command, body, signed_by=self.quinn.account)
        log.info("released %s", batch)

    def _values(self, step: dict[str, Any]) -> dict[str, str]:
        match step["kind"]:
            case "check":
                return {"value": str(self._between(step))}
            case "yield":
                return {"quantity": str(self._between(step))}
            case "labels":
                return {"issued": "1250", "used": "1237", "returned": "10", "destroyed": "3"}
            case _:
                return {}

    def _between(self, step: dict[str, Any]) -> Decimal:
        low = Decimal(step["low"]) if step["low"] is not None else Decimal(0)
        high = Decimal(step["high"]) if step["high"] is not None else low * 2
        part = Decimal(self._random.randint(300, 700)) / 1000
        return (low + (high - low) * part).quantize(Decimal("0.01"))

    def _start_line(self, line: str, batch: str) -> None:
        """Let the batch run on a line; what ran there before makes room first."""
        if self._on_line.get(line) == batch:
            return
        self._clear_line(line)
        self._on_line[line] = batch
        self.sana.send("line.start-run", {"line": line, "batch": batch})
        send("127.0.0.1", self._plan.presses[line], f"START {batch}")
        self._pause(4)

    def _clear_line(self, line: str) -> None:
        """Stop the machine, and end the run once its last pieces are counted."""
        send("127.0.0.1", self._plan.presses[line], "STOP")
        time.sleep(COUNTED_S)
        try:
            self.sana.send("line.end-run", {"line": line})
        except Said as no:
            log.info("line %s: %s", line, no)

    def _container(self, material: str) -> tuple[str, Decimal]:
        """Return what a scanner reads on the fullest usable container, and what is in it."""
        found = self.olga.one("material", material)
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        usable = [
            (Decimal(left), lot, container)
            for lot in (self.olga.one("lot", name) for name in found["lots"])
            if lot["status"] == "released" and (lot["expires_on"] or today) >= today
            for container, left in lot["containers"].items()
        ]
        left, lot, container = max(usable, key=lambda one: one[0])
        return label(found["gtin"], lot, container), left

    def _pan(self, line: str) -> None:
        answer = send("127.0.0.1", self._plan.scale_control, line)
        if not answer.startswith("OK"):
            log.warning("scale: %s: %s", line, answer)

    def _expect_no(
        self, command: str, body: dict[str, Any], *, signed_by: Account | None = None
    ) -> None:
        try:
            self.olga.send(command, body, signed_by=signed_by)
        except Said as no:
            log.info("refused as it should be: %s", no)
        else:
            log.error("%s was accepted and should not be", command)


def label(gtin: str, lot: dict[str, Any], container: str) -> str:
    """Return the element string on a supplier's container: GTIN, expiry, lot, container."""
    expiry = f"17{lot['expires_on'][2:].replace('-', '')}" if lot["expires_on"] else ""
    return f"]d201{gtin}{expiry}10{lot['lot']}\x1d21{container}"


def main(given: Sequence[str] | None = None) -> int:
    """Run the crew until it is told to stop. Its plan comes as JSON on standard input."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--batches", type=int, default=None)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s crew %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    told = json.load(sys.stdin)
    accounts = {name: Account(**one) for name, one in told.pop("accounts").items()}
    crew = Crew(Plan(accounts=accounts, **told), seed=chosen.seed)
    signal.signal(signal.SIGTERM, lambda *_: crew.stopping.set())
    signal.signal(signal.SIGINT, lambda *_: crew.stopping.set())
    crew.work(chosen.batches)
    return 0


if __name__ == "__main__":
    sys.exit(main())
