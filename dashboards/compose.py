"""Put a plant together from its data folder and its pack, and take it apart in order.

This is the one place that knows every floor: core, capture, erp, analytics and the pages.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from capture.scales.driver import Scale, ScaleSettings
from capture.segments import Run
from capture.transport import SerialPort
from config.calendar import ShiftCalendar
from config.plant import LineDevice, PlantPack, ScaleDevice
from core.clock import Watch, now, parse_iso
from core.credentials import Secrets
from core.equipment import Equipment, Station
from core.errors import LedgerBroken
from core.execution import Execution
from core.key_files import finish, hand_over, recover
from core.ledger.checkpoint import LogKey, Verifier, load_key, load_or_create_key
from core.ledger.entry import Entry
from core.ledger.recovery import SUFFIX
from core.ledger.rotation import write_keys
from dashboards.accounts import PlantAccounts
from dashboards.boundary import Boundary, ErpLink
from dashboards.collect import Machines
from dashboards.finance.limits import longest_of
from dashboards.floor import Floor, Weighs, published_scale
from dashboards.live import Hub, Tailer
from dashboards.oidc.provider import ProviderLink
from dashboards.plant import PlantServices
from dashboards.record.closing import Archive
from dashboards.security import Gate
from dashboards.session import Sessions
from erp.file_stamps import FileStamps
from erp.timestamp import Authority, Stamping

WITHDRAWS = (
    "person.retired",
    "person.locked",
    "person.roles-changed",
    "person.badge-revoked",
    "person.enrolment-issued",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a running plant is connected to; None where there is no such thing."""

    scales: tuple[ScaleDevice, ...] = ()
    lines: tuple[LineDevice, ...] = ()
    erp: ErpLink | None = None
    authority: Authority | None = None
    provider: ProviderLink | None = None
    origin: str | None = None
    hosts: frozenset[str] = frozenset()
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clock that entries carry, and beside it one that no one can set, in seconds."""

    wall: Callable[[], datetime]
    elapsed_s: Callable[[], float]


SERVER = Clocks(now, time.monotonic)


class LogKeyMissing(LedgerBroken):
    """The plant has signed checkpoints before, and the key that signed them is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: is missing, and log.vkey beside it says that this plant has a key. Put it"
            " back from where the keys are kept; a new key could not continue this ledger. Where it"
            " is lost, and the ledger names a recovery key: batchwright keys recover."
        )


def log_name(plant: str) -> str:
    """Return the name of a plant's log, which is its key's as well."""
    return f"batchwright.example/{plant}"


def recovery_name(plant: str) -> str:
    """Return the name of the key that may hand a plant's log over where its own is lost."""
    return log_name(plant) + SUFFIX


def log_key(data: Path, plant: str) -> LogKey:
    """Return the key that signs this plant's checkpoints, made on first use.

    `log.vkey` beside it says that there is one; it is written when the ledger is opened.

    Raises:
        LogKeyMissing: the plant has had one.
    """
    path = data / "keys" / "log.key"
    if (data / "keys" / "log.vkey").exists() and not path.exists():
        raise LogKeyMissing(path)
    return load_or_create_key(path, log_name(plant))


def ledger_at(data: Path, database: str | None) -> str:
    """Return the URL of a plant's ledger: the database that is named, else `DATA/ledger.db`."""
    return database or f"sqlite:///{data / 'ledger.db'}"


def open_execution(
    data: Path, plant: str, *, database: str | None = None, clocks: Clocks = SERVER
) -> Execution:
    """Return a plant's execution core over its data folder, not started yet.

    Args:
        data: the plant's folder, made where it is missing.
        plant: the plant's id.
        database: a PostgreSQL URL; where left out, the ledger is `DATA/ledger.db`.
        clocks: the time it goes by; only a plant that is tried out has others than the server's.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    finish(data / "keys", ledger_at(data, database))
    key = log_key(data, plant)
    execution = _execution(data, plant, database, key=key, clocks=clocks)
    write_keys(data / "keys", execution.ledger, key.verifier)
    return execution


def _execution(
    data: Path,
    plant: str,
    database: str | None,
    *,
    key: LogKey,
    verifier: Verifier | None = None,
    clocks: Clocks = SERVER,
) -> Execution:
    return Execution(
        ledger_at(data, database),
        key,
        plant=plant,
        secrets=Secrets(database or f"sqlite:///{data / 'credentials.db'}"),
        anchor_dir=data / "anchors",
        now=clocks.wall,
        watch=Watch(clocks.wall, clocks.elapsed_s),
        verifier=verifier,
    )


def rotate_log_key(data: Path, plant: str, *, database: str | None, why: str) -> Verifier:
    """Hand a plant's log over to a new key, and return its public half.

    Raises:
        LogKeyMissing: the old key is not there.
        OSError, ValueError, MesError: as `core.key_files.hand_over` says.
    """
    keys = data / "keys"
    finish(keys, ledger_at(data, database))
    if not (keys / "log.key").exists():
        raise LogKeyMissing(keys / "log.key")
    return hand_over(
        ledger_at(data, database), keys, log_name(plant), why=why,
        opened=lambda key, verifier: _execution(
            data, plant, database, key=key, verifier=verifier
        ),
    )  # fmt: skip


def recover_log_key(
    data: Path, plant: str, recovery: Path, *, database: str | None, why: str
) -> Verifier:
    """Hand a plant's log over to a new key in place of a lost one, and return its public half.

    Raises:
        OSError, ValueError, MesError: as `core.key_files.recover` says, or the file is no recovery
            key of this log.
    """
    keys = data / "keys"
    finish(keys, ledger_at(data, database))
    return recover(
        ledger_at(data, database), keys, load_key(recovery, recovery_name(plant)),
        anchors=data / "anchors", why=why,
        opened=lambda key, verifier: _execution(
            data, plant, database, key=key, verifier=verifier
        ),
    )  # fmt: skip


def page_key(data: Path) -> str:
    """Return the secret that signs page tokens, kept over restarts."""
    path = data / "keys" / "pages.key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), "utf-8")
    return path.read_text("utf-8")


class Plant:
    """A running plant: start it, serve `services`, stop it."""

    def __init__(
        self,
        execution: Execution,
        pack: PlantPack,
        wiring: Wiring,
        *,
        data: Path,
        history: dict[str, list[Run]] | None = None,
    ) -> None:
        self.execution, self.pack, self.data = execution, pack, data
        self.zone = ZoneInfo(pack.plant.plant.zone)
        self.calendar = ShiftCalendar(pack.shifts.shifts, self.zone)
        self.hub = Hub()
        self._stack = ExitStack()
        self._tailer = Tailer(execution.ledger, self.hub, heard=self._heard)
        self.accounts = PlantAccounts(execution)
        self.accounts.has_provider = wiring.provider is not None
        self.gate = Gate(Sessions(ended=self.accounts.signed_out))
        self.archive = Archive(execution)
        self._scales = {one.scale: self._scale(one) for one in wiring.scales}
        self.machines = (
            Machines(execution, wiring.lines, self.calendar, data=data, before=history)
            if wiring.lines
            else None
        )
        self.boundary = (
            Boundary(
                execution,
                wiring.erp,
                data=data,
                plant=pack.id,
                calendar=self.calendar,
                longest=longest_of(pack.plant.master_data),
            )
            if wiring.erp
            else None
        )
        self._stamps = FileStamps(wiring.authority) if wiring.authority else None
        self._wiring = wiring

    def _scale(self, device: ScaleDevice) -> Scale:
        registered = self.execution.nouns.get(Equipment, device.scale)
        settings = ScaleSettings(
            name=device.scale,
            serial=None if registered is None else registered.serial,
            unit=device.unit,
            decimals=device.decimals,
        )
        return published_scale(settings, lambda: SerialPort(device.address), self.hub)

    def _heard(self, entry: Entry) -> None:
        """End all sessions of a person whose rights changed, whose open pages keep the old roles;
        close the record of a batch that was decided.
        """
        self.archive.heard(entry)
        if entry.type in WITHDRAWS:
            self.gate.sessions.end_person(entry.data["person"], entry.type)
            self.execution.end_signing_periods_of(entry.data["person"])
        elif entry.type == "person.unlocked":
            self.execution.authentication.unlocked(entry.data["person"])

    def start(self) -> None:
        """Start everything that runs beside the server."""
        self.execution.writer.listeners.append(self._tailer.wake)
        self.archive.start()
        self._stack.callback(self.archive.stop)
        self._tailer.start()
        self._stack.callback(self._tailer.stop)
        self._stack.callback(self.hub.close)
        self._stack.callback(self.accounts.close)
        for scale in self._scales.values():
            scale.start()
            self._stack.callback(scale.stop)
        if self.machines is not None:
            self.machines.start()
            self._stack.callback(self.machines.stop)
        if self.boundary is not None:
            self.boundary.start()
            self._stack.callback(self.boundary.stop)
        if self._wiring.authority is not None:
            stamping = Stamping(
                self.execution.ledger, self.execution.writer, self._wiring.authority
            )
            stamping.start()
            self._stack.callback(stamping.stop)
        if self._stamps is not None:
            self._stack.callback(self._stamps.close)

    def stop(self) -> None:
        """Stop what was started, the newest first."""
        self._stack.close()

    def services(self, readers: dict[str, Any]) -> PlantServices:
        """Return what the pages are given."""
        scales: dict[str, Weighs] = dict(self._scales)
        stations = {one.station: one.room for one in self.execution.nouns.all(Station)}
        return PlantServices(
            name=self.pack.plant.plant.name,
            zone=self.zone,
            accounts=self.accounts,
            hub=self.hub,
            secret_key=page_key(self.data),
            stations=stations,
            execution=self.execution,
            ledger=self.execution.ledger,
            keys=self.data / "keys",
            kept=self.data / "reconciliations",
            floor=Floor(self.execution, scales),
            stampers=() if self._wiring.authority is None else self._wiring.authority.trusted,
            stamps=self._stamps,
            readers=readers,
            api_keys=self.accounts.by_key,
            shown_once=self.accounts.shown_once,
            provider=self._wiring.provider,
            origin=self._wiring.origin,
            hosts=self._wiring.hosts,
            health=self._health,
            notice=self._wiring.notice or "Sign in to see what waits for you.",
        )

    def _health(self) -> dict[str, object]:
        checkpoint = self.execution.ledger.checkpoint()
        newest = self.execution.ledger.entry(self.execution.ledger.size())
        age_s = None if newest is None else int((now() - parse_iso(newest.at)).total_seconds())
        return {
            "entries": self.execution.ledger.size(),
            "checkpoint": None if checkpoint is None else checkpoint.size,
            "newest_entry_age_s": age_s,
        }
