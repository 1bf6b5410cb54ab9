"""A plant of the test's own: real server, real ledger, a scale on TCP, and a clock that is moved.

It is made anew in a folder that nobody else uses, from the pack that travels with the program, and
never touches a plant's data. Its people act over HTTP, as every client does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from capture.simulated.control import send
from capture.simulated.scale import ScaleModel, SimulatedScale
from config.accounts import Accounts, accounts_of
from config.consistency import ERP_UNITS
from config.load import load_plant
from config.plant import PlantPack
from config.seed import Seeder
from core.bom import ReceiveBom
from core.clock import iso, now
from core.command_id import new_command_id
from core.equipment import Equipment
from core.execution import Actor, Credentials, Execution
from core.material import ChangeLotStatus, LotStatus
from core.order import Provenance, ReceiveOrder
from core.quantity import grams
from core.recipe import BomLine
from dashboards.compose import Clocks, Plant, Wiring, open_execution
from dashboards.demo.client import Account, Person
from dashboards.demo.crew import label
from dashboards.demo.living import LOOPBACK, free_port
from dashboards.record.closing import closed_json
from dashboards.web import Web

PACK = "tablets"
STATION, ROOM, SCALE = "kiosk-B1", "B1", "B1-S1"
LOT = "QUALIFICATION-1"
TARE_G = Decimal(412)
SETTLE_S = 0.25
PATIENCE_S = 30
ERP = Actor("service:erp")
VALUES = {
    "check": {"9": {"value": "1.4"}, "11": {"value": "601"}},
    "yield": {"12": {"quantity": "59.2"}},
    "labels": {"14": {"issued": "5000", "used": "4920", "returned": "70", "destroyed": "10"}},
}


class MovedClock:
    """The server's clock, and one that nobody sets, as a test moves them."""

    def __init__(self) -> None:
        self._passed, self._set = timedelta(0), timedelta(0)

    def wall(self) -> datetime:
        """Return what the scratch plant's clock shows."""
        return now() + self._passed + self._set

    def elapsed_s(self) -> float:
        """Return the seconds that went by, by a clock that nobody sets."""
        return time.monotonic() + self._passed.total_seconds()

    def pass_time(self, **by: float) -> None:
        """Let time go by: both clocks move."""
        self._passed += timedelta(**by)

    def set_by(self, **by: float) -> None:
        """Set the clock, as somebody on the host would: only one of the two moves."""
        self._set += timedelta(**by)


class Scratch:
    """A running scratch plant, and hands for its people."""

    def __init__(
        self, execution: Execution, plant: Plant, web: Web, *, clock: MovedClock, accounts: Accounts
    ) -> None:
        self.execution, self.plant, self.web, self.clock = execution, plant, web, clock
        self.accounts = accounts
        self.pack: PlantPack = plant.pack
        self.data = plant.data
        self.out = plant.data.with_name("out")  # what tests export; beside the plant, not in it
        self.database: str | None = None
        self.scale: SimulatedScale | None = None
        self._open = dict[tuple[str, str | None], Person]()

    def account(self, person: str) -> Account:
        """Return one person's way in."""
        it = self.accounts[person]
        return Account(user=it.person, name=it.name, badge=it.badge, secret=it.secret)

    def person(self, name: str, station: str | None = None) -> Person:
        """Return a person who is signed in over HTTP, at a station or at none."""
        if (name, station) not in self._open:
            self._open[name, station] = self.signed_in(name, station)
        return self._open[name, station]

    def signed_in(self, name: str, station: str | None = None) -> Person:
        """Sign a person in anew, in a session of its own."""
        return Person(self.web.base, self.account(name), station=station)

    def close(self) -> None:
        """Let all connections go."""
        for one in self._open.values():
            one.close()

    def entries(self, type: str = "") -> list[Any]:
        """Return all entries, or those of one type, in order."""
        found = self.execution.ledger.entries(0, 1_000_000)
        return [one for one in found if type in ("", one.type)]

    def ordered(self) -> str:
        """Let the ERP's next order come in, and return its number."""
        number = str(2_000_001 + len(self.entries("work-order.received")))
        source = Provenance(url="qualification", etag='"1"', sha256="0" * 64, fetched_at=now())
        bom = self.pack.erp.boms[0]
        lines = tuple(
            BomLine(material=one.item, quantity=grams(one.quantity, ERP_UNITS[one.unit]), unit="g")
            for one in bom.lines
        )
        unit = ERP_UNITS[bom.unit]
        for command in (
            ReceiveBom(
                product=bom.product, quantity=bom.quantity, unit=unit, lines=lines,
                provenance=source,
            ),
            ReceiveOrder(
                order=number, erp_ref=number, product=self.pack.recipe.product,
                quantity=self.pack.recipe.quantity, unit=self.pack.recipe.unit, due_at=None,
                priority=None, provenance=source,
            ),
        ):  # fmt: skip
            name = f"qualification:{command.__struct_config__.tag}:{number}"
            self.execution.submit(command, actor=ERP, idem=name)
        return number

    def dispatched(self, room: str) -> str:
        """Let the supervisor send a new order to a room, and return its batch."""
        order, sana = self.ordered(), self.person("sana")
        sana.send("order.dispatch", {"order": order, "room": room})
        batch: str = sana.one("order", order)["batch"]
        return batch

    def pan(self, line: str) -> None:
        """Move something on the scale's pan."""
        assert self.scale is not None
        answer = send(LOOPBACK, self.scale.control_port, line)
        assert answer.startswith("OK"), answer

    def step(self, batch: str, name: str) -> dict[str, Any]:
        """Return a step of a batch's recipe."""
        steps: list[dict[str, Any]] = self.person("olga", STATION).one("batch", batch)["content"][
            "steps"
        ]
        return next(one for one in steps if one["step"] == name)

    def done(self, batch: str, *, upto: str | None = None) -> None:
        """Do a batch's open steps up to one, or all of them, each with its verification."""
        olga = self.person("olga", STATION)
        while (run := current(olga.one("batch", batch))) is not None and run["step"] != upto:
            step = self.step(batch, run["step"])
            if run["state"] != "done":
                self._do(batch, step)
            if step["verify"]:
                self.verify(batch, step["step"])

    def _do(self, batch: str, step: dict[str, Any]) -> None:
        olga, where = self.person("olga", STATION), {"batch": batch, "step": step["step"]}
        if step["kind"] == "weigh":
            self.scanned(where, step["material"])
            self.weighed(where, step["target"])
            self.pan("REMOVE")
            return
        if step["kind"] == "daily_check":
            self.checked()
        values = VALUES.get(step["kind"], {}).get(step["step"], {})
        olga.send("step.complete", where | {"values": values})

    def checked(self) -> None:
        """Weigh the check weight of the scale."""
        olga = self.person("olga", STATION)
        self.pan(f"PLACE {olga.one('equipment', SCALE)['check_weight_g']}")
        olga.send("daily-check.record", {"equipment": SCALE})
        self.pan("REMOVE")

    def scanned(self, where: dict[str, str], material: str) -> dict[str, Any]:
        """Scan a container of a material at a weigh step."""
        raw = {"raw": self.label_of(material)}
        return self.person("olga", STATION).send("weighing.scan-container", where | raw)

    def label_of(self, material: str) -> str:
        """Return what a scanner reads on the first container of a released lot."""
        olga = self.person("olga", STATION)
        found = olga.one("material", material)
        lots = (olga.one("lot", name) for name in found["lots"])
        lot = next(one for one in lots if one["status"] == "released")
        return label(found["gtin"], lot, next(iter(lot["containers"])))

    def weighed(self, where: dict[str, str], net_g: str | Decimal) -> dict[str, Any]:
        """Tare a bag, pour a net weight into it, and record it; the pan stays as it is."""
        self.pan(f"PLACE {TARE_G}")
        self.person("olga", STATION).send("weighing.record-tare", where)
        return self.poured(where, net_g)

    def poured(self, where: dict[str, str], net_g: str | Decimal) -> dict[str, Any]:
        """Record a net weight in the bag that was tared."""
        self.pan(f"PLACE {TARE_G + Decimal(net_g)}")
        return self.person("olga", STATION).send("weighing.record-weight", where)

    def verify(self, batch: str, step: str, *, by: str = "viktor") -> dict[str, Any]:
        """Let a person verify a step at the kiosk with badge and secret."""
        olga = self.person("olga", STATION)
        body = {"batch": batch, "step": step, "seen": olga.one("batch", batch)["seen"]}
        return olga.send("step.verify", body, signed_by=self.account(by))

    def reviewed(self, batch: str) -> None:
        """Let QA look at each exception of a batch."""
        quinn = self.person("quinn")
        for one in quinn.one("batch", batch)["exceptions"]:
            said = {"exception": one["exception"], "assessment": "No effect on the product."}
            quinn.send("batch.review-exception", {"batch": batch} | said)

    def decide(
        self, command: str, batch: str, *, by: str = "quinn", more: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Let a person sign a command over a batch as it is now."""
        who = self.person(by)
        body = {"batch": batch, "seen": who.one("batch", batch)["seen"]} | (more or {})
        return who.send(command, body, signed_by=who.account)

    def ago(self, **by: int) -> str:
        """Return the instant so long ago by the plant's clock, as REST takes it."""
        return iso(self.clock.wall() - timedelta(**by))

    def closed_record(self, batch: str, revision: int) -> str:
        """Return the SHA-256 of a closed record, made anew from the entries."""
        return sha256(closed_json(self.execution.ledger, batch, revision)).hexdigest()

    def anchored(self) -> None:
        """Let one place outside confirm the newest checkpoint, so that there is an anchor."""
        checkpoint = self.execution.ledger.checkpoint()
        assert checkpoint is not None
        root = checkpoint.root.hex()
        self.execution.writer.record_anchor(
            checkpoint.size, "qualification", root, at=self.clock.wall()
        ).result(PATIENCE_S)

    @cached_property
    def lot(self) -> str:
        """A lot whose status QA changes here and there; no batch uses it."""
        body = {
            "lot": LOT,
            "material": self.pack.materials.materials[0].id,
            "supplier": "Qualification",
            "unit": "kg",
            "containers": [{"container": "C01", "quantity": "25"}],
            "expires_on": f"{self.clock.wall() + timedelta(days=365):%Y-%m-%d}",
        }
        self.person("sana").send("lot.receive", body)
        return LOT

    def change_lot(
        self,
        by: str,
        given: dict[str, str] | None = None,
        *,
        client: Person | None = None,
        seen: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Let a person change the lot's status, signed with badge and secret or what is given."""
        who = client or self.person(by)
        lot = self.person("quinn").one("lot", self.lot)  # whoever may not read it is refused too
        body = {
            "lot": self.lot,
            "status": "restricted" if lot["status"] == "on_hold" else "on_hold",
            "why": "Qualification of signatures.",
            "seen": seen or lot["seen"],
        }
        signature = given or {"badge": who.account.badge, "secret": who.account.secret}
        return who.send("lot.change-status", body | {"signature": signature})

    def sign_on_page(self, session: str, credentials: Credentials) -> dict[str, Any]:
        """Let Quinn sign a change of the lot in a page of a browser's session, as pages submit."""
        lot = self.person("quinn").one("lot", self.lot)
        command = ChangeLotStatus(
            lot=self.lot,
            status=LotStatus.RESTRICTED if lot["status"] == "on_hold" else LotStatus.ON_HOLD,
            why="Qualification of signatures.",
            seen=self.execution.seen(f"lot/{self.lot}"),
        )
        receipt = self.execution.submit(
            command,
            actor=Actor("quinn", None, session),
            idem=f"qualification:{new_command_id()}",
            credentials=credentials,
        )
        return {"last_seq": receipt.last_seq}

    @cached_property
    def batch(self) -> str:
        """The batch that most tests look at: dispatched to the booth with the scale."""
        return self.dispatched(ROOM)

    def freed(self) -> None:
        """Let QA reject what stands undecided in a booth, so that another batch has room."""
        quinn = self.person("quinn")
        for one in quinn.all("batch"):
            if one["state"] not in ("released", "rejected"):
                self.decide("batch.reject", one["batch"], more={"why": "The booth is needed."})

    @cached_property
    def released(self) -> str:
        """The same batch, made, reviewed and released; its record is closed."""
        if self.person("quinn").one("batch", self.batch)["state"] != "released":
            self.done(self.batch)
            self.reviewed(self.batch)
            self.decide("batch.review-audit-trail", self.batch)
            self.decide("batch.release", self.batch)
        eventually(lambda: bool(self.entries("record.closed")), "the record is closed")
        return self.batch


def current(batch: dict[str, Any]) -> dict[str, Any] | None:
    """Return the step at hand of a batch as REST tells it, None where all are complete."""
    return next(
        (one for one in batch["steps"] if one["state"] not in ("complete", "skipped")), None
    )


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait for what another thread does.

    Raises:
        TimeoutError: it does not come true in time.
    """
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {PATIENCE_S} s")
        time.sleep(0.02)


def _scale(execution: Execution, pack: PlantPack) -> SimulatedScale:
    registered = execution.nouns.get(Equipment, SCALE)
    assert registered is not None and registered.serial is not None  # noqa: PT018
    assert registered.capacity_g is not None and registered.readability_g is not None  # noqa: PT018
    [device] = (one for one in pack.devices.scales if one.scale == SCALE)
    return SimulatedScale(
        ScaleModel(
            serial=registered.serial, capacity_g=registered.capacity_g,
            d_g=registered.readability_g, unit=device.unit, settle_s=SETTLE_S,
        )
    )  # fmt: skip


@contextmanager
def scratch_plant(data: Path, *, database: str | None = None) -> Iterator[Scratch]:
    """Run a scratch plant in an empty folder, its ledger in `database` where that is given."""
    pack, clock = load_plant(PACK), MovedClock()
    with ExitStack() as stack:
        clocks = Clocks(clock.wall, clock.elapsed_s)
        execution = open_execution(data, pack.id, database=database, clocks=clocks)
        execution.start()
        stack.callback(execution.close)
        accounts = accounts_of(pack, data / "accounts.json")
        Seeder(execution, pack, accounts, simulated=True).run()
        scale = _scale(execution, pack)
        stack.callback(scale.stop)
        [device] = (one for one in pack.devices.scales if one.scale == SCALE)
        plant = Plant(execution, pack, Wiring(scales=(device.reached_at(scale.url),)), data=data)
        plant.start()
        stack.callback(plant.stop)
        web = Web(plant, port=free_port())
        web.start()
        stack.callback(web.stop)
        scratch = Scratch(execution, plant, web, clock=clock, accounts=accounts)
        scratch.scale, scratch.database = scale, database
        stack.callback(scratch.close)
        yield scratch
