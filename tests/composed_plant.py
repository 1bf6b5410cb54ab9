"""The tablets plant put together as `demo` does it, without the crew: ledger, scales, ERP, server.

The ERP is a process of its own, whose orders come in through the boundary; each scale is a
simulator that is read over TCP and loaded over its control port; the pages are served by uvicorn.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from capture.simulated.control import send
from capture.simulated.scale import ScaleModel, SimulatedScale
from config.accounts import Accounts, accounts_of
from config.load import erp_seed, load_plant
from config.plant import PlantPack
from config.seed import Seeder
from core.clock import now
from core.equipment import Equipment
from core.execution import Execution
from core.ledger.entry import Entry
from core.order import Order
from dashboards.boundary import ErpLink
from dashboards.compose import Plant, Wiring, open_execution
from dashboards.demo.client import Account, Person, Said
from dashboards.web import Web
from tests.browser import Screen
from tests.erp_plant import Sandbox, free_port
from tests.patience import eventually

STATION, SCALE = "kiosk-B1", "B1-S1"
TARE_G = Decimal(412)


@dataclass(eq=False)
class ComposedPlant:
    """A running plant, the accounts of its people, and hands for its scales."""

    plant: Plant
    web: Web
    erp: Sandbox
    accounts: Accounts
    scales: dict[str, SimulatedScale]

    @property
    def execution(self) -> Execution:
        return self.plant.execution

    @property
    def pack(self) -> PlantPack:
        return self.plant.pack

    def secret(self, person: str) -> str:
        return self.accounts[person].secret

    def pan(self, line: str, scale: str = SCALE) -> None:
        """Tell a simulated scale over its control port what lies on its pan."""
        answer = send("127.0.0.1", self.scales[scale].control_port, line)
        assert answer.startswith("OK"), answer

    def label(self, lot: str) -> str:
        """Return what stands in plain letters under the code on a lot's first container."""
        material = next(one.material for one in self.pack.lots.lots if one.lot == lot)
        gtin = next(one.gtin for one in self.pack.materials.materials if one.id == material)
        return f"(01){gtin}(10){lot}(21)C01"

    def entries(self, *, of: str = "") -> list[Entry]:
        """Return all entries, or those of one type."""
        found = self.execution.ledger.entries(0, 100_000)
        return [one for one in found if not of or one.type == of]

    def screen(
        self, open_screen: Callable[..., Screen], person: str, *, station: str | None = None
    ) -> Screen:
        """Return a fresh browser page on which the person is signed in."""
        screen = open_screen(self.web.base)
        page = screen.page
        page.goto(self.web.base + "/login")
        page.get_by_label("User").first.fill(person)
        page.get_by_label("Password").first.fill(self.secret(person))
        if station:
            page.get_by_label("Station").select_option(station)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/login" not in url)
        return screen

    @contextmanager
    def signed_in(self, person: str, station: str | None = None) -> Iterator[Person]:
        """Sign a person in at the REST interface."""
        client = Person(self.web.base, self.account(person), station=station)
        try:
            yield client
        finally:
            client.close()

    def account(self, person: str) -> Account:
        it = self.accounts[person]
        return Account(user=it.person, name=it.name, badge=it.badge, secret=it.secret)


def finish(plant: ComposedPlant, batch: str, *, values: dict[str, dict[str, str]]) -> None:
    """Do a batch's remaining steps as Olga and Viktor, over REST and with the real scale."""
    viktor = plant.account("viktor")
    with plant.signed_in("olga", STATION) as olga:
        state = olga.one("batch", batch)
        done = {run["step"] for run in state["steps"] if run["state"] == "complete"}
        for step in state["content"]["steps"]:
            name = step["step"]
            if name in done:
                continue
            where = {"batch": batch, "step": name}
            if step["kind"] == "weigh":
                _weigh(plant, olga, where, step)
            else:
                olga.send("step.complete", where | {"values": values.get(name, {})})
            if step["verify"]:
                seen = olga.one("batch", batch)["seen"]
                olga.send("step.verify", where | {"seen": seen}, signed_by=viktor)


def _weigh(plant: ComposedPlant, olga: Person, where: dict[str, str], step: dict[str, Any]) -> None:
    lot = next(
        one.lot
        for one in plant.pack.lots.lots
        if one.material == step["material"] and one.status == "released"
    )
    olga.send("weighing.scan-container", where | {"raw": plant.label(lot)})
    plant.pan(f"PLACE {TARE_G}")
    olga.send("weighing.record-tare", where)
    plant.pan(f"POUR {step['target']} 0.3")
    _within(lambda: olga.send("weighing.record-weight", where))
    plant.pan("REMOVE")


def _within(call: Callable[[], Any]) -> None:
    """Press again while what was poured has not reached its limits yet."""
    end = time.monotonic() + 20
    while True:
        try:
            call()
        except Said:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)
        else:
            return


def _scales(pack: PlantPack, execution: Execution, stack: ExitStack) -> dict[str, SimulatedScale]:
    found = {}
    for device in pack.devices.scales:
        registered = execution.nouns.get(Equipment, device.scale)
        assert registered is not None
        assert registered.serial is not None
        assert registered.capacity_g is not None
        assert registered.readability_g is not None
        model = ScaleModel(
            serial=registered.serial, capacity_g=registered.capacity_g,
            d_g=registered.readability_g, unit=device.unit, settle_s=0.4,
        )  # fmt: skip
        found[device.scale] = SimulatedScale(model)
        stack.callback(found[device.scale].stop)
    return found


@contextmanager
def composed_plant(data: Path) -> Iterator[ComposedPlant]:
    """Put the plant together in a folder, serve it, and take it down again."""
    pack = load_plant("tablets")
    (data / "erp").mkdir(parents=True)
    with ExitStack() as stack:
        today = now().astimezone(ZoneInfo(pack.plant.plant.zone)).date()
        erp = Sandbox(data / "erp", seed=erp_seed(pack, today))
        stack.callback(erp.stop)
        erp.start()
        execution = open_execution(data, pack.id)
        execution.start()
        stack.callback(execution.close)
        accounts = accounts_of(pack, data / "accounts.json")
        Seeder(execution, pack, accounts).run()
        scales = _scales(pack, execution, stack)
        wiring = Wiring(
            scales=tuple(
                device.reached_at(scales[device.scale].url) for device in pack.devices.scales
            ),
            erp=ErpLink(port=erp.port_to(timeout_s=20), pull_every_s=2),
        )
        plant = Plant(execution, pack, wiring, data=data)
        plant.start()
        stack.callback(plant.stop)
        web = Web(plant, port=free_port())
        web.start()
        stack.callback(web.stop)
        wanted = len(pack.erp.orders)
        eventually(lambda: len(execution.nouns.all(Order)) == wanted)
        yield ComposedPlant(plant, web, erp, accounts, scales)


def acts(entries: list[Entry], *types: str) -> Counter[tuple[str, str]]:
    """Count (type, actor) of the entries of some types."""
    return Counter((one.type, one.actor) for one in entries if one.type in types)
