"""The boundary between MES and ERP: seven decisions as one typed policy per plant.

Screens show `says`, the contract for the ERP's team is made from it, and the ledger keeps which
policy was in force when. A profile is a starting point for one trade.
"""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec

from config.faults import Fault, Findings, Record, read_record
from core.policy import Decisions

PROFILES = Path(__file__).parent / "profiles"


class ProfileFile(Record, frozen=True, kw_only=True):
    """A profile's file: its name, what it is for, and its decisions."""

    profile: str
    says: str
    decisions: Decisions


TITLES = {
    "order_origin": "Where orders are born",
    "bom_ownership": "Who owns the bill of materials",
    "lot_birth": "Where a lot is born",
    "inventory_cadence": "When stock movements are sent",
    "batch_record": "Where the batch record lives",
    "deviations": "Where deviations live",
    "finished_goods_cost": "Who values finished goods",
}
SENTENCES = {
    ("order_origin", "erp"): "The ERP plans every order; the floor dispatches.",
    ("order_origin", "erp_and_mes"): (
        "The ERP plans orders. The floor may open one with a reason; it stays without an ERP"
        " order in reconciliation until it is linked."
    ),
    ("order_origin", "mes"): "Orders are opened on the floor.",
    ("bom_ownership", "erp_costs_mes_executes"): (
        "The ERP keeps the BOM for costs, the MES the recipe that is executed. Both must sum to"
        " the same, exactly; drift blocks new batches."
    ),
    ("bom_ownership", "mes"): "The recipe is the only BOM.",
    ("lot_birth", "receipt"): "A lot is born when goods are received in the ERP.",
    ("lot_birth", "first_weighing"): "A lot is born when it is first weighed here.",
    ("lot_birth", "both"): (
        "A lot is born at receipt in the ERP or at its first weighing here; every lot says which,"
        " and two lots never become one."
    ),
    ("inventory_cadence", "each_movement"): "Every movement is sent at once.",
    ("inventory_cadence", "per_shift"): "Movements are gathered and sent at the end of a shift.",
    ("batch_record", "mes"): "The batch record lives in the MES. This cannot be switched.",
    ("deviations", "execution_in_mes_capa_in_qms"): (
        "Deviations of execution live in the MES; corrective actions and what comes after release"
        " live in the quality system; each side keeps the other's number."
    ),
    ("deviations", "mes"): "Deviations and corrective actions live in the MES.",
    ("finished_goods_cost", "erp"): (
        "The ERP values finished goods. Messages carry quantities and times, never money."
    ),
}
# a choice in a few words, where a menu or a table has no room for its sentence
CHOICES = {
    ("order_origin", "erp"): "in the ERP",
    ("order_origin", "erp_and_mes"): "in the ERP, and on the floor with a reason",
    ("order_origin", "mes"): "on the floor",
    ("bom_ownership", "erp_costs_mes_executes"): "ERP for costs, recipe for execution",
    ("bom_ownership", "mes"): "the recipe alone",
    ("lot_birth", "receipt"): "at receipt in the ERP",
    ("lot_birth", "first_weighing"): "at first weighing here",
    ("lot_birth", "both"): "at receipt or at first weighing",
    ("inventory_cadence", "each_movement"): "each at once",
    ("inventory_cadence", "per_shift"): "gathered, at the end of a shift",
    ("batch_record", "mes"): "in the MES",
    ("deviations", "execution_in_mes_capa_in_qms"): "execution here, CAPA in the quality system",
    ("deviations", "mes"): "all of them here",
    ("finished_goods_cost", "erp"): "the ERP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision as a screen shows it: `choice` in a few words, `says` as a sentence."""

    name: str
    title: str
    value: str
    choice: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryPolicy:
    """A plant's seven decisions, and the profile they came from."""

    profile: str
    says: str
    decisions: Decisions

    def rows(self) -> tuple[Decision, ...]:
        """Return the decisions in words, in their order."""
        return in_words(self.decisions)


def in_words(decisions: Decisions) -> tuple[Decision, ...]:
    """Return decisions in words, in their order."""
    values = msgspec.structs.asdict(decisions)
    return tuple(
        Decision(
            name=name,
            title=title,
            value=values[name],
            choice=CHOICES[name, values[name]],
            says=SENTENCES[name, values[name]],
        )
        for name, title in TITLES.items()
    )


def choices(name: str) -> tuple[str, ...]:
    """Return the choices of one decision; with one alone it cannot be switched."""
    return tuple(value for decision, value in SENTENCES if decision == name)


def profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with the product."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.toml")))


def read_profile(
    name: str, folder: Path = PROFILES
) -> tuple[BoundaryPolicy | None, tuple[Fault, ...]]:
    """Return a profile's policy, or None and every fault in its file."""
    findings, file = Findings(), f"profiles/{name}.toml"
    path = folder / f"{name}.toml"
    if not path.is_file():
        findings.add(file, "file", "missing", expected=f"one of {', '.join(profiles())}")
        return None, tuple(findings.faults)
    try:
        parsed = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        findings.add(file, "file", str(fault), expected="TOML")
        return None, tuple(findings.faults)
    read = read_record(findings, file, parsed, kind=ProfileFile)
    if read is None:
        return None, tuple(findings.faults)
    return BoundaryPolicy(profile=read.profile, says=read.says, decisions=read.decisions), ()
