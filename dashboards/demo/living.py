"""The demo from start to end: data, simulators, ERP, seed, server, crew, report."""

import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from capture.segments import Run
from capture.simulated.line import LineModel
from capture.telemetry import Telemetry
from config.accounts import accounts_of
from config.calendar import ShiftCalendar
from config.load import erp_seed, load_plant
from config.plant import LineDevice
from config.seed import Seeder
from config.settings import Settings
from config.targets import passkey_site
from core.clock import micros, now
from core.equipment import EquipmentKind
from core.execution import Execution
from core.vault import ERP_RECEIVE, ERP_SEND, Vault
from dashboards.boundary import ErpLink
from dashboards.collect import source
from dashboards.compose import Plant, Wiring, open_execution
from dashboards.demo import history
from dashboards.demo.bench import Bench, bench_page
from dashboards.demo.processes import Child
from dashboards.demo.report import report
from dashboards.web import Web
from erp.adapters.webhook import WebhookErp
from erp.bridges.tryton_server import TrytonServer
from erp.profile import TRYTON
from erp.signing import Keys, new_secret

LOOPBACK = "127.0.0.1"
NOTICE = (
    "Demo: people, devices and the ERP are simulated. "
    "Users and passwords stand in the window that started it, and in its data folder's "
    "accounts.json. Hands for the scale: /bench."
)
VISITOR_STATION, CREW_STATION = "kiosk-B1", "kiosk-B2"
DRAIN_S = 30
PACE = 4  # disturbances of a demo line come and go four times faster than in a plant


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `batchwright demo` was asked for."""

    plant: str = "tablets"
    data: Path = Path(".batchwright/demo")
    port: int = 8000
    reset: bool = False
    seconds: float | None = None
    report: Path | None = None
    erp: Literal["sandbox", "tryton"] = "sandbox"


class NotOurs(Exception):
    """A folder that is to be emptied does not look like plant data."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: holds no plant data, so --reset leaves it. Name another.")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wanted_port(port: int) -> int:
    """Return the port asked for, or a free one where it is 0 or taken."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return free_port()
    return port


def prepare(options: Options) -> Path:
    """Return the data folder, emptied where that was asked for.

    Raises:
        NotOurs: it is to be emptied and holds something else.
    """
    data = options.data.resolve()
    if options.reset and data.exists():
        if any(data.iterdir()) and not (data / "keys").is_dir():
            raise NotOurs(data)
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return data


class Demo:
    """A running demo; `close` ends everything that it started."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options, self._say = options, say
        self.started_at = now()
        self.data = prepare(options)
        self.pack = load_plant(options.plant)
        self._stack = ExitStack()
        self._crew: Child | None = None

    def start(self) -> None:
        """Bring everything up; the first screen can be opened when this returns."""
        began = time.monotonic()
        link = self._start_erp()
        reached = self._start_devices()
        execution = open_execution(self.data, self.pack.id)
        execution.start()
        self._stack.callback(execution.close)
        self.accounts = self._seed(execution)
        lines = tuple(
            device.reached_at(LOOPBACK, reached["lines"][device.line][0])
            for device in self.pack.devices.lines
        )
        past = self._history(lines, reached["lines"])
        wiring = Wiring(
            scales=tuple(
                device.reached_at(f"socket://{LOOPBACK}:{reached['scales'][device.scale][0]}")
                for device in self.pack.devices.scales
            ),
            lines=lines,
            erp=link,
            hosts=Settings().names,
            notice=NOTICE,
        )
        self.plant = Plant(execution, self.pack, wiring, data=self.data, history=past)
        self.plant.start()
        self._stack.callback(self.plant.stop)
        port = wanted_port(self.options.port)
        self.web = Web(self.plant, port=port, more={"/bench": bench_page})
        controls = {name: ports[1] for name, ports in reached["scales"].items()}
        self.web.readers["bench"] = Bench(controls)
        self.web.start()
        execution.signing.site = passkey_site(self.web.base)
        self._stack.callback(self.web.stop)
        self._links(time.monotonic() - began)
        self._start_crew(reached, link)

    def _start_erp(self) -> ErpLink:
        folder = self.data / "erp"
        folder.mkdir(exist_ok=True)
        seeded = folder / "seed.json"
        if not seeded.exists():
            today = now().astimezone(ZoneInfo(self.pack.plant.plant.zone)).date()
            seeded.write_text(json.dumps(erp_seed(self.pack, today)), "utf-8")
        if self.options.erp == "tryton":
            return self._start_tryton(folder, json.loads(seeded.read_text("utf-8")))
        self._say("starting the sandbox ERP and the simulated devices")
        secrets = self._erp_secrets()
        port = free_port()
        erp = Child(
            "erp-sandbox",
            "erp.sandbox",
            ["--db", str(folder / "erp.db"), "--port", str(port), "--seed", str(seeded)],
            logs=self.data / "logs",
            environment={
                "BATCHWRIGHT_SANDBOX_SECRET": ",".join(secrets["send"].split()),
                "BATCHWRIGHT_SANDBOX_RECEIPT_SECRET": ",".join(secrets["receive"].split()),
            },
        )
        self._stack.callback(erp.stop)
        self._erp = erp
        address = f"http://{LOOPBACK}:{port}"
        send, receive = (Keys.of(secrets[way].split()) for way in ("send", "receive"))
        return ErpLink(port=WebhookErp(address, send=send, receive=receive), pull_every_s=5)

    def _start_tryton(self, folder: Path, seed: dict[str, Any]) -> ErpLink:
        """Run a real ERP beside the plant; the first start makes its environment and database."""
        self._say("starting Tryton and the simulated devices")
        placed = {**seed, "zone": self.pack.plant.plant.zone}
        server = TrytonServer(folder / "tryton", placed, say=self._say)
        server.start()
        self._stack.callback(server.stop)
        port = WebhookErp(
            server.address,
            send=Keys.of([server.events]),
            receive=Keys.of([server.receipts]),
            profile=TRYTON,
            token=server.token,
        )
        return ErpLink(port=port, pull_every_s=5)

    def _erp_secrets(self) -> dict[str, str]:
        vault = Vault(self.data / "keys")
        found = {"send": vault.get(ERP_SEND), "receive": vault.get(ERP_RECEIVE)}
        for way, name in (("send", ERP_SEND), ("receive", ERP_RECEIVE)):
            if found[way] is None:
                found[way] = new_secret()
                vault.put(name, str(found[way]))
        return {way: str(secret) for way, secret in found.items()}

    def _start_devices(self) -> dict[str, dict[str, list[int]]]:
        scales = {one.id: one for one in self.pack.equipment(EquipmentKind.SCALE)}
        ideal = {one.line: one.ideal_per_min for one in self.pack.rates.rates}
        wanted = {
            "scales": [
                {
                    "name": device.scale,
                    "serial": scales[device.scale].serial,
                    "capacity_g": str(scales[device.scale].capacity_g),
                    "d_g": str(scales[device.scale].readability_g),
                    "unit": device.unit,
                }
                for device in self.pack.devices.scales
            ],
            "lines": [
                {
                    "name": device.line,
                    "rate_per_min": int(ideal[device.line]),
                    "pace": PACE,
                    "word_order": device.tags["good"].word_order,
                }
                for device in self.pack.devices.lines
            ],
        }
        devices = Child("devices", "dashboards.demo.devices", logs=self.data / "logs")
        self._stack.callback(devices.stop)
        devices.tell(wanted)
        found: dict[str, dict[str, list[int]]] = devices.hear()
        return found

    def _seed(self, execution: Execution) -> dict[str, dict[str, Any]]:
        """Put the pack to work; the people's secrets are made once and kept."""
        accounts = accounts_of(self.pack, self.data / "accounts.json")
        Seeder(execution, self.pack, accounts, simulated=True).run()
        return {
            name: {"user": name, "name": one.name, "badge": one.badge, "secret": one.secret}
            for name, one in accounts.items()
        }

    def _history(
        self, lines: tuple[LineDevice, ...], reached: dict[str, list[int]]
    ) -> dict[str, list[Run]]:
        """Give each line a past, and let its counters go on from there."""
        self._say("simulating the lines' last three days")
        calendar = ShiftCalendar(self.pack.shifts.shifts, ZoneInfo(self.pack.plant.plant.zone))
        kept = self.data / "history.json"
        if not kept.exists():
            kept.write_text(json.dumps({"upto_us": micros(now())}), "utf-8")
        upto_us: int = json.loads(kept.read_text("utf-8"))["upto_us"]
        sku = self.pack.recipe.product
        past = {
            one.line: history.runs(calendar, one.line, sku=sku, upto_us=upto_us) for one in lines
        }
        ideal = {one.line: int(one.ideal_per_min) for one in self.pack.rates.rates}
        models = {
            one.line: LineModel(rate_per_min=ideal[one.line] * 97 // 100, seed=number)
            for number, one in enumerate(lines, 11)
        }
        store = Telemetry(self.data)
        sources = [source(one) for one in lines]
        counters = history.make(store, sources, calendar, past=past, models=models)
        store.close()
        for line, (good, scrap) in counters.items():
            history.continue_at(reached[line][1], good, scrap)
        return past

    def _links(self, seconds: float) -> None:
        base = self.web.base
        self._say(f"Batchwright is up after {seconds:.1f} s: {base}")
        for user, path, what in (
            ("olga", "/kiosk", "operator: weigh and sign, station kiosk-B1"),
            ("quinn", "/review", "QA: exceptions first, disposition, release"),
            ("dora", "/oee", "director: OEE, losses, deviations"),
            ("finn", "/reconcile", "finance: what the ERP says against what was done"),
            ("sana", "/", "supervisor: orders and gates"),
        ):
            one = self.accounts[user]
            self._say(f"  {base}{path:<11} {user:<6} {one['secret']}  {what}")
        self._say(f"  {base}/bench      olga   put weights on the kiosk's simulated scale")
        self._say(f"  all accounts: {self.data / 'accounts.json'}; ledger: {self.data}")

    def _start_crew(self, reached: dict[str, dict[str, list[int]]], link: ErpLink) -> None:
        """Let the crew work in booth B2; booth B1 is for whoever sits down there."""
        rooms = {one.id: one for one in self.pack.plant.stations}
        crew, visitor = rooms[CREW_STATION], rooms[VISITOR_STATION]
        plan = {
            "base": self.web.base,
            "erp": link.port.address if self.options.erp == "sandbox" else None,
            "station": crew.id,
            "room": crew.room,
            "spare_room": visitor.room,
            "scale_control": reached["scales"][crew.scale or ""][1],
            "presses": {line: ports[1] for line, ports in reached["lines"].items()},
            "accounts": self.accounts,
        }
        self._crew = Child("crew", "dashboards.demo.crew", logs=self.data / "logs")
        self._stack.callback(self._crew.stop)
        self._crew.tell(plan, close=True)

    def run(self) -> dict[str, Any] | None:
        """Wait for the time asked for, or for Ctrl-C; return the report where one was asked."""
        ending = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ending.set())
        ending.wait(self.options.seconds)
        if self.options.report is None:
            return None
        self._say("stopping the crew, letting the ERP's last receipts come in")
        if self._crew is not None:
            self._crew.stop(within_s=20)
        found = report(self.plant, self.web.readers, since=self.started_at, patience_s=DRAIN_S)
        self.options.report.write_text(json.dumps(found, indent=1), "utf-8")
        return found

    def close(self) -> None:
        """End the crew, the server, the plant and every child, in that order."""
        self._stack.close()
