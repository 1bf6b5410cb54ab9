"""A plant as data: what the files of a plant pack hold, typed.

Days that a file counts (`expires_in_days`, `due_in_days`) are counted from the day on which the
pack is put to work, so that a pack does not grow old. Masses keep the unit the file gives them.
"""

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import replace

from config.adapters.setting import ErpSetting
from config.faults import Count, Positive, Record
from config.matching import MasterDataItem, MatchItem
from config.severity import SeverityItem
from core.equipment import EquipmentKind
from core.material import LotStatus
from core.quantity import Name
from core.recipe import StepKind
from core.signing_gates import Components, Gate

type Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EVERY_DAY: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PlantHead(Record, frozen=True, kw_only=True):
    """Which plant this is, where it stands, and which boundary profile it adopts."""

    id: Name
    name: str
    enterprise: str
    site: str
    area: str
    zone: str
    profile: str


class CalibrationItem(Record, frozen=True, kw_only=True):
    """A certificate, with its days counted from the day of the seed."""

    certificate: Name
    calibrated_days_ago: Annotated[int, Meta(ge=0)]
    due_in_days: int


class EquipmentItem(Record, frozen=True, kw_only=True):
    """A room, scale, unit, line or printer."""

    id: Name
    kind: EquipmentKind
    name: str
    area: str
    serial: str | None = None
    capacity_g: Positive | None = None
    readability_g: Positive | None = None
    check_weight_g: Positive | None = None
    check_tolerance_percent: Positive | None = None
    check_valid_h: Count = 8
    scale: Name | None = None
    calibration: CalibrationItem | None = None


class StationItem(Record, frozen=True, kw_only=True):
    """A kiosk, its room, its scale and its printer."""

    id: Name
    room: Name
    scale: Name | None = None
    printer: Name | None = None


class PlantFile(Record, frozen=True, kw_only=True):
    """`plant.toml`: the plant and what stands in it."""

    plant: PlantHead
    severity: SeverityItem
    match: MatchItem | None = None
    master_data: MasterDataItem | None = None
    equipment: tuple[EquipmentItem, ...]
    stations: tuple[StationItem, ...]


class BreakItem(Record, frozen=True, kw_only=True):
    """A planned break: it starts at a local time and lasts its minutes."""

    start: time
    minutes: Count


class ShiftItem(Record, frozen=True, kw_only=True):
    """A shift by local time; an end that is not after the start is on the next day."""

    shift: Name
    start: time
    end: time
    days: tuple[Day, ...] = EVERY_DAY
    lines: tuple[Name, ...] = ()
    breaks: tuple[BreakItem, ...] = ()


class ShiftsFile(Record, frozen=True, kw_only=True):
    """`shifts.toml`: the shifts of a week; one without `lines` holds for every line."""

    shifts: tuple[ShiftItem, ...]


class PersonItem(Record, frozen=True, kw_only=True):
    """A person of the plant."""

    id: Name
    name: str
    badge: Name
    roles: tuple[str, ...]


class PeopleFile(Record, frozen=True, kw_only=True):
    """`people.toml`."""

    people: tuple[PersonItem, ...]


class AuthorityFile(Record, frozen=True, kw_only=True):
    """`authority.toml`: action -> the roles that may do it."""

    matrix: dict[str, tuple[str, ...]]


class SignaturesFile(Record, frozen=True, kw_only=True):
    """`signatures.toml`: for each act that is signed, who may sign, stating what, and how."""

    gates: dict[str, Gate]
    idle_minutes: int = 10
    kiosk_components: Components = Components.ALWAYS


class MaterialItem(Record, frozen=True, kw_only=True):
    """A material; `unit` is the one its lots are kept in."""

    id: Name
    name: str
    unit: str
    gtin: str
    hazards: tuple[str, ...] = ()


class MaterialsFile(Record, frozen=True, kw_only=True):
    """`materials.toml`."""

    materials: tuple[MaterialItem, ...]


class LotItem(Record, frozen=True, kw_only=True):
    """A supplier's lot: so many containers, `C01` and on, with the same quantity in each."""

    lot: Name
    material: Name
    supplier: str
    containers: Count
    each: Positive
    unit: str
    expires_in_days: int
    assay_percent: Positive | None = None
    assay_basis: Literal["as_is", "dried", "anhydrous"] | None = None
    status: LotStatus = LotStatus.RELEASED

    @property
    def quantity(self) -> Decimal:
        """What all containers hold together, in `unit`."""
        return self.containers * self.each

    @property
    def container_names(self) -> tuple[str, ...]:
        """The containers' names, in order."""
        return tuple(f"C{number:02d}" for number in range(1, self.containers + 1))


class LotsFile(Record, frozen=True, kw_only=True):
    """`lots.toml`."""

    lots: tuple[LotItem, ...]


class LineItem(Record, frozen=True, kw_only=True):
    """One component of a BOM, in the unit the file gives."""

    material: Name
    quantity: Positive
    unit: str


class StepItem(Record, frozen=True, kw_only=True):
    """A step; `tolerance_percent` of the target, or `low` and `high`, closed at both ends."""

    step: Name
    phase: str
    title: str
    instruction: str
    kind: StepKind
    verify: bool = False
    material: Name | None = None
    target: Positive | None = None
    tolerance_percent: Positive | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    unit: str | None = None
    work_center: Name | None = None


class RecipeFile(Record, frozen=True, kw_only=True):
    """`recipe.toml`: one version of a master recipe with its execution BOM."""

    recipe: Name
    version: Count
    product: Name
    product_name: str
    quantity: Positive
    unit: str
    pieces: Count
    source: str
    bom: tuple[LineItem, ...]
    steps: tuple[StepItem, ...]


class ErpItem(Record, frozen=True, kw_only=True):
    """An item of the sandbox ERP; its cost never leaves the ERP."""

    code: Name
    name: str
    unit: str
    gtin: str | None = None
    standard_cost: Positive


class ErpBomLine(Record, frozen=True, kw_only=True):
    """A line of an ERP BOM."""

    item: Name
    quantity: Positive
    unit: str


class ErpBom(Record, frozen=True, kw_only=True):
    """An ERP BOM: what so much of a product takes."""

    product: Name
    quantity: Positive
    unit: str
    lines: tuple[ErpBomLine, ...]


class ErpOrder(Record, frozen=True, kw_only=True):
    """A planned order; due so many days after the seed, at a local time."""

    id: Name
    product: Name
    quantity: Positive
    unit: str
    due_in_days: int
    due_time: str = "16:00"
    priority: int | None = None
    customer: Name | None = None


class ErpCustomer(Record, frozen=True, kw_only=True):
    """A customer of the sandbox ERP."""

    code: Name
    name: str


class ErpLot(Record, frozen=True, kw_only=True):
    """A lot in the sandbox ERP's stock."""

    item: Name
    lot: Name
    quantity: Positive
    unit: str


class ErpFile(Record, frozen=True, kw_only=True):
    """`erp.json`: what the sandbox ERP starts with; units are UN/ECE codes."""

    items: tuple[ErpItem, ...]
    boms: tuple[ErpBom, ...]
    orders: tuple[ErpOrder, ...]
    customers: tuple[ErpCustomer, ...]
    lots: tuple[ErpLot, ...]


class LineRates(Record, frozen=True, kw_only=True):
    """How a line's stops are judged: shorter than `micro_stop_s` is lost speed, not a stop."""

    line: Name
    micro_stop_s: Count


class IdealRate(Record, frozen=True, kw_only=True):
    """The fastest a line makes a product, from a day on, in pieces a minute."""

    sku: Name
    line: Name
    ideal_per_min: Positive
    pieces: str
    valid_from: date


class RatesFile(Record, frozen=True, kw_only=True):
    """`rates.toml`."""

    lines: tuple[LineRates, ...]
    rates: tuple[IdealRate, ...]


class ScaleDevice(Record, frozen=True, kw_only=True):
    """Where a scale is reached, and what its lines look like."""

    scale: Name
    address: str
    unit: str
    decimals: Annotated[int, Meta(ge=0, le=6)]
    protocol: Literal["mtsics"] = "mtsics"

    def reached_at(self, address: str) -> "ScaleDevice":
        """Return the same scale at another address, as a simulator in its place."""
        return replace(self, address=address)


class TagItem(Record, frozen=True, kw_only=True):
    """A Modbus holding register, or two."""

    address: Annotated[int, Meta(ge=0, le=65535)]
    kind: Literal["uint16", "int16", "uint32", "int32", "float32"] = "uint16"
    word_order: Literal["big", "little"] = "big"


class LineDevice(Record, frozen=True, kw_only=True):
    """Where a line's PLC is reached, and which register holds what."""

    line: Name
    host: str
    port: Annotated[int, Meta(ge=1, le=65535)]
    device_id: Annotated[int, Meta(ge=0, le=247)] = 1
    period_ms: Count = 1000
    counter_bits: Literal[16, 32] = 32
    max_per_min: Count
    tags: dict[str, TagItem]
    reasons: dict[str, str] = field(default_factory=dict)

    def reached_at(self, host: str, port: int) -> "LineDevice":
        """Return the same line at another address, as a simulator in its place."""
        return replace(self, host=host, port=port)


class PrinterDevice(Record, frozen=True, kw_only=True):
    """Where a label printer is reached."""

    printer: Name
    address: str


class DevicesFile(Record, frozen=True, kw_only=True):
    """`devices.toml`: addresses of the real devices; a demo puts its simulators in their place."""

    scales: tuple[ScaleDevice, ...]
    lines: tuple[LineDevice, ...]
    printers: tuple[PrinterDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantPack:
    """A whole plant pack, read and checked."""

    folder: Path
    plant: PlantFile
    shifts: ShiftsFile
    people: PeopleFile
    authority: AuthorityFile
    signatures: SignaturesFile
    materials: MaterialsFile
    lots: LotsFile
    recipe: RecipeFile
    erp: ErpFile
    rates: RatesFile
    devices: DevicesFile
    link: ErpSetting | None = None

    @property
    def id(self) -> str:
        """The plant's name in the ledger."""
        return self.plant.plant.id

    def equipment(self, kind: EquipmentKind) -> tuple[EquipmentItem, ...]:
        """Return the equipment of a kind, in the file's order."""
        return tuple(one for one in self.plant.equipment if one.kind is kind)
