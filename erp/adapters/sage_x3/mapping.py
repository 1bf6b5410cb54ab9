"""Between our messages and the parameters and lines of the two subprograms, both ways; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from erp.adapters.movements import MATERIAL
from erp.adapters.sage_x3 import fields
from erp.adapters.units import Unit, Units
from erp.contract import erp_ref, quantity_text
from erp.messages import OUR_UNITS
from erp.port import (
    DocumentRef,
    ErpBom,
    ErpBomLine,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    LedgerLine,
    PeriodState,
    Posting,
)

# MFGSTA: 1 firm, 2 planned, 3 suggested, 4 closed (unverified: a menu of the customer's folder)
STATES = {
    "1": ErpOrderState.RELEASED,
    "2": ErpOrderState.PLANNED,
    "3": ErpOrderState.PLANNED,
    "4": ErpOrderState.CLOSED,
}
# what leaves stock is negative in the stock journal
SIGNS = {"issue": -1, "return": 1, "scrap": -1, "receipt": 1}
# 1 not open yet, 2 open, 3 closed
PERIODS = {"1": PeriodState.CLOSED, "2": PeriodState.OPEN, "3": PeriodState.CLOSED}
NO_DATE = "00000000"

UNITS = {"KGM": Unit("KG"), "LTR": Unit("L"), "C62": Unit("UN")}


@dataclass(frozen=True, slots=True, kw_only=True)
class X3Plant:
    """A site of a folder of X3; `pool` is the SOAP pool that its partner gave us.

    `units` are the stock units of the plant's items. `gl_at_once` says that the stock's accounting
    document is made with each movement; elsewhere a task makes it later.
    """

    site: str
    pool: str
    components_from: str
    goods_to: str
    zone: ZoneInfo
    units: Mapping[str, Unit] = field(default_factory=lambda: dict(UNITS))
    language: str = "ENG"
    post: str = fields.POST
    read: str = fields.READ
    gl_at_once: bool = False

    def measures(self) -> Units:
        """Return the units with the digits of a quantity."""
        return Units(self.units, digits=fields.DIGITS)

    def profile(self) -> ErpProfile:
        """Return what fits."""
        supports = {"reversal", "partial_fg", "lot_on_issue", "native_key", "read_back"}
        return ErpProfile(
            name="Sage X3",
            supports=frozenset(supports | {"future_dates"}),
            scales=self.measures().scales(),
            lengths={"ref": 20, "item": 20, "lot": 15, "order": 20},
            asks_period_first=True,
            takes=MATERIAL,
            signs_receipts=False,
            reads_gl=self.gl_at_once,
        )


def posting_parameters(posting: Posting, plant: X3Plant) -> dict[str, str]:
    """Return the parameters of one movement; a reversal has a negative quantity."""
    [line] = posting.lines
    receipt = line.movement == "receipt"
    return {
        "I_REF": posting.ref,
        "I_MSG": posting.key,
        "I_DIG": posting.digest,
        "I_MVT": line.movement,
        "I_FCY": plant.site,
        "I_MFG": posting.order.erp,
        "I_ITM": line.item,
        "I_LOT": line.lot or "",
        "I_LOC": plant.goods_to if receipt else plant.components_from,
        "I_DAT": f"{posting.posting_date:%Y%m%d}",
        "I_QTY": quantity_text(plant.measures().theirs(line.quantity, line.unit)),
        "I_STU": plant.units[line.unit].code,
        "I_COR": erp_ref(posting.corrects) if posting.corrects else "",
    }


def day(text: str) -> date:
    """Return a date of X3.

    >>> day("20261126")
    datetime.date(2026, 11, 26)
    """
    return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}")


def document_of(line: Mapping[str, Any]) -> DocumentRef:
    """Return how we name a line of a tracking."""
    return DocumentRef("tracking", line["VCRNUM"], line["IPTDAT"][:4], str(line["VCRLIN"]))


def ledger_line(line: Mapping[str, Any], plant: X3Plant) -> LedgerLine:
    """Return one line of the stock journal, in the stock unit.

    A line of somebody else has no movement of ours: one with an order is told by its sign and its
    `TRSTYP`, 5 a receipt of production and 6 an issue to it (unverified: a menu of X3).

    Raises:
        KeyError, ValueError: the record lacks what a line needs.
    """
    raw = Decimal(line["QTYSTU"])
    movement = (
        line["MVT"] or {"5": "receipt", "6": "issue" if raw < 0 else "return"}[str(line["TRSTYP"])]
    )
    value, unit = plant.measures().ours(raw * SIGNS[movement], line["STU"])
    on, booked = day(line["IPTDAT"]), line["ACCDAT"]
    return LedgerLine(
        seq=int(line["MVTSEQ"]),
        kind="stock",
        reference=line["MSG"] or None,
        ref=line["REF"] or None,
        document=document_of(line),
        order=line["VCRNUMORI"] or None,
        item=line["ITMREF"],
        lot=line["LOT"] or None,
        movement=movement,
        quantity=value,
        unit=unit,
        posting_date=on,
        period=f"{on:%Y-%m}",
        gl_document=line["NUMVCR"] or None,
        gl_period=f"{day(booked):%Y-%m}" if line["NUMVCR"] and booked != NO_DATE else None,
        posted_at=parse_iso(line["CREDATTIM"]),
    )


def order(raw: Mapping[str, Any], plant: X3Plant) -> ErpOrder:
    """Return a work order in our words."""
    value, unit = plant.measures().ours(raw["EXTQTY"], raw["STU"])
    due = raw["ENDDAT"]
    at = None if due == NO_DATE else datetime.combine(day(due), time(), plant.zone)
    return ErpOrder(
        id=raw["MFGNUM"],
        product=raw["ITMREF"],
        quantity=value,
        unit=OUR_UNITS[unit],
        state=STATES[str(raw["MFGSTA"])],
        due_at=at.astimezone(UTC) if at else None,
    )


def item(raw: Mapping[str, Any], plant: X3Plant) -> ErpItem:
    """Return an item in our words."""
    _, unit = plant.measures().ours("1", raw["STU"])
    return ErpItem(raw["ITMREF"], raw["ITMDES1"], OUR_UNITS[unit], raw.get("EANCOD") or None)


def bom(lines: list[Mapping[str, Any]], plant: X3Plant) -> ErpBom:
    """Return a BOM from its lines: for its base quantity, in stock units."""
    measures, made = plant.measures(), []
    for line in lines:
        value, unit = measures.ours(line["BOMQTY"], line["CPNSTU"])
        made.append(ErpBomLine(line["CPNITMREF"], value, OUR_UNITS[unit]))
    value, unit = measures.ours(lines[0]["BASQTY"], lines[0]["STU"])
    return ErpBom(lines[0]["ITMREF"], value, OUR_UNITS[unit], tuple(made))


def customer(raw: Mapping[str, Any], _plant: X3Plant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["BPCNUM"], raw["BPCNAM"])
