"""A living plant for tests of screens: ledger, people, two booths with simulated scales, a server.

    def test_x(living_plant, open_screen):
        batch = living_plant.dispatched("B1")
        screen = living_plant.screen(open_screen, "olga", station="K-B1")
        page = screen.go(f"/kiosk?batch={batch}")

Everything is real: a SQLite ledger, MT-SICS over TCP, uvicorn in a thread. Nothing is shared
between two plants.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvicorn

from capture.scales.driver import ScaleSettings
from capture.simulated.scale import ScaleModel, SimulatedScale
from capture.transport import SerialPort
from core.authority import AdoptAuthority
from core.batch.state import Batch, StepState
from core.batch.steps import CompleteStep, VerifyStep
from core.clock import now
from core.credentials import Secrets
from core.dispatch import DispatchOrder
from core.equipment import (
    BindStation,
    Equipment,
    EquipmentKind,
    RecordCalibration,
    RecordDailyCheck,
    RegisterEquipment,
)
from core.execution import Actor, Credentials, Execution
from core.fact import Command
from core.ledger.checkpoint import LogKey
from core.ledger.rotation import chained, rotation_note, rotations_of
from core.ledger.store import open_ledger
from core.ledger.writer import Receipt
from core.log_key import RotateKey
from core.material import (
    ChangeLotStatus,
    ContainerQuantity,
    LotStatus,
    ReceiveLot,
    RegisterMaterial,
)
from core.order import OpenOrder, Order
from core.people import INSTALLER, RegisterPerson
from core.reading import ReadingStatus, ScaleReading
from core.recipe import (
    ApproveRecipe,
    BomLine,
    DraftRecipe,
    MakeRecipeEffective,
    RecipeContent,
    Step,
    StepKind,
    SubmitRecipe,
)
from core.release import RejectBatch
from core.weighing import RecordTare, RecordWeight, ScanContainer
from dashboards.accounts import PlantAccounts
from dashboards.floor import Floor, published_scale
from dashboards.live import Hub, Tailer
from dashboards.plant import PlantServices
from dashboards.server import create_app, serve
from tests.browser import Screen
from tests.patience import eventually
from tests.plant_data import LOTS, MATERIALS, MATRIX, PEOPLE, PIN, SCALES, STEPS, ZONE

LOG_KEY = LogKey("batchwright.test/plant", bytes(range(32)))


@dataclass(eq=False)
class LivingPlant:
    """A running plant and hands to work in it."""

    url: str
    execution: Execution
    hub: Hub
    floor: Floor
    scales: dict[str, SimulatedScale]
    services: PlantServices
    batches: list[str] = field(default_factory=list)

    def do(
        self,
        command: Command,
        person: str,
        *,
        station: str | None = None,
        signs: bool = False,
        reason: str | None = None,
    ) -> Receipt:
        """Submit one command as a person, signed with badge and PIN if asked."""
        badge = PEOPLE[person][1]
        return self.execution.submit(
            command,
            actor=Actor(person, station),
            idem=f"test-{uuid.uuid4().hex}",
            credentials=Credentials(PIN, badge=badge) if signs else None,
            reason=reason,
        )

    def opened(self, order: str = "") -> str:
        """Open one more waiting order and return its number."""
        name = order or f"M{1000 + len(self.execution.nouns.all(Order)) + 1}"
        due = now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
        opening = OpenOrder(
            order=name, product="PARA500", quantity=Decimal(60), unit="kg", due_at=due,
            why="Test of the screens.",
        )  # fmt: skip
        self.do(opening, "sana")
        return name

    def dispatched(self, room: str = "B1") -> str:
        """Open and dispatch an order and return the number of its batch, with its room free."""
        self.freed(room)
        order = self.opened()
        self.do(DispatchOrder(order=order, room=room), "sana")
        found = self.execution.nouns.get(Order, order)
        assert found is not None
        assert found.batch is not None
        self.batches.append(found.batch)
        return found.batch

    def freed(self, room: str) -> None:
        """Let QA reject what is being weighed in a room, where something is."""
        found = self.execution.nouns.get(Equipment, room)
        if found is not None and found.batch is not None:
            seen = self.execution.seen(f"batch/{found.batch}")
            why = "The room is needed for the next test."
            self.do(RejectBatch(batch=found.batch, why=why, seen=seen), "quinn", signs=True)

    def batch(self, name: str) -> Batch:
        """Return a batch as it is now."""
        found = self.execution.nouns.get(Batch, name)
        assert found is not None
        return found

    def weight(self, grams: str, scale: str = "SC-B1") -> ScaleReading:
        """Return a reading that never was on the pan, to bring a batch forward quickly."""
        return ScaleReading(
            scale=scale, serial=SCALES[scale], status=ReadingStatus.STABLE, value=Decimal(grams),
            unit="g", raw=f"S S {grams:>10} g", read_at=now(),
        )  # fmt: skip

    def brought_to(self, name: str, step: str) -> None:
        """Do and verify a batch's steps up to one, without screens."""
        while (run := self.batch(name).current) is not None and run.step != step:
            if run.state is not StepState.DONE:
                self._done_by_olga(name, self.batch(name).recipe_step(run.step))
            done = self.batch(name).run(run.step)
            if done is not None and done.state is StepState.DONE:
                seen = self.execution.seen(f"batch/{name}")
                verify = VerifyStep(batch=name, step=run.step, seen=seen)
                self.do(verify, "viktor", station="K-B1", signs=True)

    def _done_by_olga(self, name: str, step: Step) -> None:
        scale = f"SC-{self.batch(name).room}"
        if step.kind is StepKind.DAILY_CHECK:
            check = RecordDailyCheck(equipment=scale, reading=self.weight("5000", scale))
            self.do(check, "olga", station="K-B1")
        if step.kind is StepKind.WEIGH:
            lot = next(lot for lot, material in LOTS.items() if material == step.material)
            scan = ScanContainer(batch=name, step=step.step, raw=lot, lot=lot, container="1")
            self.do(scan, "olga")
            tare = self.weight("412", scale)
            self.do(RecordTare(batch=name, step=step.step, reading=tare), "olga")
            gross = self.weight(f"{412 + (step.target or 0):f}", scale)
            self.do(RecordWeight(batch=name, step=step.step, reading=gross), "olga")
            return
        values = {
            StepKind.CHECK: {"value": "2.1"},
            StepKind.YIELD: {"quantity": "59.4"},
            StepKind.LABELS: {"issued": "1000", "used": "990", "returned": "6", "destroyed": "4"},
        }.get(step.kind, {})
        entered = {key: Decimal(value) for key, value in values.items()}
        self.do(CompleteStep(batch=name, step=step.step, values=entered), "olga")

    def screen(
        self,
        open_screen: Callable[..., Screen],
        person: str,
        *,
        station: str | None = None,
        **more: Any,
    ) -> Screen:
        """Return a fresh browser page on which the person is signed in."""
        screen = open_screen(self.url, **more)
        screen.signed_in(person, PIN, station)
        return screen

    def types(self) -> list[str]:
        """Return the types of all entries, in order."""
        return [entry.type for entry in self.execution.ledger.entries(0, 100_000)]


def seed(execution: Execution) -> None:
    """Fill an empty ledger: people, equipment, materials, lots, one effective recipe."""

    def do(command: Command, person: str, *, signs: bool = False) -> None:
        credentials = Credentials(PIN, badge=PEOPLE[person][1]) if signs else None
        actor = Actor(person if person in PEOPLE else INSTALLER, None)
        execution.submit(
            command, actor=actor, idem=f"seed-{uuid.uuid4().hex}", credentials=credentials
        )

    for person, (name, badge, roles) in PEOPLE.items():
        register = RegisterPerson(person=person, name=name, badge=badge, roles=roles)
        actor = Actor(INSTALLER, None)
        execution.register(register, secret=PIN, actor=actor, idem=f"seed-person-{person}")
    do(AdoptAuthority(plant="test", zone=str(ZONE), matrix=MATRIX), "install")
    today = datetime.now(UTC).date()
    for booth in ("B1", "B2"):
        scale = f"SC-{booth}"
        do(RegisterEquipment(
            equipment=scale, kind=EquipmentKind.SCALE, name=f"Floor scale {booth}",
            area="Dispensing", serial=SCALES[scale], capacity_g=Decimal(60000),
            readability_g=Decimal(1), check_weight_g=Decimal(5000),
            check_tolerance_percent=Decimal("0.1"),
        ), "erik")  # fmt: skip
        do(RecordCalibration(
            equipment=scale, certificate=f"CAL-{booth}-26", calibrated_on=today,
            due_on=today + timedelta(days=180),
        ), "erik")  # fmt: skip
        do(RegisterEquipment(
            equipment=booth, kind=EquipmentKind.ROOM, name=f"Dispensing booth {booth}",
            area="Dispensing", scale=scale,
        ), "erik")  # fmt: skip
        do(BindStation(station=f"K-{booth}", room=booth, scale=scale), "erik")
    for line, name in (("L1", "Tablet press"), ("L2", "Packing line")):
        do(RegisterEquipment(
            equipment=line, kind=EquipmentKind.LINE, name=name, area="Production"
        ), "erik")  # fmt: skip
    for material, (name, gtin, hazards) in MATERIALS.items():
        do(RegisterMaterial(
            material=material, name=name, unit="g", gtin=gtin, hazards=hazards
        ), "erik")  # fmt: skip
    for lot, material in LOTS.items():
        containers = tuple(
            ContainerQuantity(container=str(n), quantity=Decimal(25)) for n in (1, 2, 3)
        )
        do(ReceiveLot(
            lot=lot, material=material, supplier="Supplier", unit="kg", containers=containers,
            expires_on=date(today.year + 1, 12, 31),
        ), "sana")  # fmt: skip
        do(ChangeLotStatus(
            lot=lot, status=LotStatus.RELEASED, why="Tested.", seen=execution.seen(f"lot/{lot}")
        ), "quinn", signs=True)  # fmt: skip
    _recipe(execution, do)


def _recipe(execution: Execution, do: Callable[..., None]) -> None:
    bom = tuple(
        BomLine(material=step.material or "", quantity=step.target or Decimal(0), unit="g")
        for step in STEPS
        if step.kind is StepKind.WEIGH
    )
    content = RecipeContent(
        recipe="PARA500", version=1, product="PARA500",
        product_name="Paracetamol 500 mg tablets", quantity=Decimal(60), unit="kg",
        pieces=100000, bom=bom, steps=STEPS, source="Test figures.",
    )  # fmt: skip
    do(DraftRecipe(content=content), "erik")
    do(SubmitRecipe(recipe="PARA500@1"), "erik")
    for person, party in (("sana", "production"), ("quinn", "quality")):
        seen = execution.seen("recipe/PARA500@1")
        do(ApproveRecipe(recipe="PARA500@1", party=party, seen=seen), person, signs=True)
    do(MakeRecipeEffective(recipe="PARA500@1"), "quinn")


def _opened(data: Path, key: LogKey = LOG_KEY, **more: Any) -> Execution:
    secrets = Secrets(f"sqlite:///{data / 'accounts.db'}")
    return Execution(data / "ledger.db", key, plant="test", secrets=secrets, **more)


def handed_over(data: Path, old: LogKey, new: LogKey) -> None:
    """Hand the log of a plant that stands still over to another key."""
    ledger = open_ledger(data / "ledger.db")
    note = rotation_note(old, new, entry=ledger.size() + 1)
    chain = chained([*rotations_of(ledger), note], new.verifier)
    ledger.close()
    execution = _opened(data, new, verifier=chain)
    execution.start()
    try:
        why = "The stick with the key was taken from the safe."
        by = Actor("service:keys")
        execution.submit(RotateKey(note=note), actor=by, idem=new.vkey, reason=why)
    finally:
        execution.close()


@functools.cache
def _seeded() -> Path:
    """Return a folder with a seeded plant: made once a process, since its secrets are slow."""
    folder = Path(tempfile.mkdtemp(prefix="seeded-plant-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    execution = _opened(folder)
    execution.start()
    try:
        seed(execution)
    finally:
        execution.close()
    return folder


@contextlib.contextmanager
def running_plant(
    data: Path, *, keys: Sequence[LogKey] = (LOG_KEY,), **more: Any
) -> Iterator[LivingPlant]:
    """Build a plant in a folder, serve it with more services, and take it down again.

    `keys` signed its log one after another.
    """
    shutil.copytree(_seeded(), data, dirs_exist_ok=True)
    for old, new in pairwise(keys):
        handed_over(data, old, new)
    execution = _opened(data, keys[-1])
    with contextlib.ExitStack() as stack:
        stack.callback(execution.close)
        execution.start()
        hub = Hub()
        stack.callback(hub.close)
        simulated = {name: SimulatedScale(ScaleModel(serial=s)) for name, s in SCALES.items()}
        drivers = {}
        for name, scale in simulated.items():
            stack.callback(scale.stop)
            settings = ScaleSettings(name=name, serial=scale.model.serial)
            drivers[name] = published_scale(settings, lambda url=scale.url: SerialPort(url), hub)
            drivers[name].start()
            stack.callback(drivers[name].stop)
        floor = Floor(execution, drivers)
        accounts = PlantAccounts(execution)
        stack.callback(accounts.close)
        tailer = Tailer(execution.ledger, hub)
        tailer.start()
        stack.callback(tailer.stop)
        services = PlantServices(
            name="Test plant", zone=ZONE, accounts=accounts, hub=hub,
            secret_key="a secret of this test alone, long enough", execution=execution,
            ledger=execution.ledger, floor=floor, keys=data / "keys",
            kept=data / "reconciliations",
            stations={"K-B1": "Kiosk, booth B1", "K-B2": "Kiosk, booth B2"},
            **more,
        )  # fmt: skip
        server = serve(create_app(services))
        stack.callback(_started(server))
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        yield LivingPlant(url, execution, hub, floor, simulated, services)


def _started(server: uvicorn.Server) -> Callable[[], None]:
    """Run a server in a thread; return what stops it."""
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    assert server.started, "the server ended before it was ready"

    def stop() -> None:
        server.should_exit = True
        thread.join(10)

    return stop
