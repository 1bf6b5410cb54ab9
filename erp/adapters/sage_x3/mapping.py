"""Between our messages and the parameters and lines of the two subprograms, both ways; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from erp.adapters import keyed, records
from erp.adapters.answers import Standing
from erp.adapters.movements import SIGNS
from erp.adapters.sage_x3 import fields
from erp.adapters.units import Unit, Units
from erp.contract import erp_ref, quantity_text
from erp.port import (
    DocumentRef,
    ErpBom,
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
# 1 not open yet, 2 open, 3 closed
PERIODS = {"1": PeriodState.CLOSED, "2": PeriodState.OPEN, "3": PeriodState.CLOSED}
NO_DATE = "00000000"

UNITS = Units({"KGM": Unit("KG"), "LTR": Unit("L"), "C62": Unit("UN")}, digits=fields.DIGITS)


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
    units: Units = UNITS
    language: str = "ENG"
    post: str = fields.POST
    read: str = fields.READ
    gl_at_once: bool = False

    def profile(self) -> ErpProfile:
        """Return what fits."""
        lengths = {"ref": 20, "item": 20, "lot": 15, "order": 20}
        return keyed.profile("Sage X3", self.units, lengths, gl_at_once=self.gl_at_once)


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
        "I_QTY": quantity_text(plant.units.theirs(line.quantity, line.unit)),
        "I_STU": plant.units[line.unit].code,
        "I_COR": erp_ref(posting.corrects) if posting.corrects else "",
        "I_UND": posting.document.id if posting.document else "",
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


def standing(told: Mapping[str, Any], digest: str) -> Standing:
    """Return what an answer says that is booked; another digest is another message."""
    period = records.month(day(told["IPTDAT"]))
    documents = (document_of(told),)
    return Standing(documents=documents, period=period, is_same=told.get("O_DIG") == digest)


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
    booked = line["ACCDAT"]
    has_period = line["NUMVCR"] and booked != NO_DATE
    return records.stock_line(
        plant.units,
        document_of(line),
        seq=int(line["MVTSEQ"]),
        named=(line["MSG"], line["REF"]),
        order=line["VCRNUMORI"],
        item=line["ITMREF"],
        lot=line["LOT"],
        movement=movement,
        quantity=raw * SIGNS[movement],
        unit=line["STU"],
        on=day(line["IPTDAT"]),
        posted_at=parse_iso(line["CREDATTIM"]),
        gl=(line["NUMVCR"] or None, records.month(day(booked)) if has_period else None),
    )


def order(raw: Mapping[str, Any], plant: X3Plant) -> ErpOrder:
    """Return a work order in our words."""
    due = raw["ENDDAT"]
    return records.order(
        plant.units,
        raw["MFGNUM"],
        raw["ITMREF"],
        quantity=raw["EXTQTY"],
        unit=raw["STU"],
        state=STATES[str(raw["MFGSTA"])],
        due_at=None if due == NO_DATE else records.moment(day(due), plant.zone),
    )


def item(raw: Mapping[str, Any], plant: X3Plant) -> ErpItem:
    """Return an item in our words."""
    gtin = raw.get("EANCOD")
    return records.item(plant.units, raw["ITMREF"], raw["ITMDES1"], unit=raw["STU"], gtin=gtin)


def bom(lines: list[Mapping[str, Any]], plant: X3Plant) -> ErpBom:
    """Return a BOM from its lines: for its base quantity, in stock units."""
    head = lines[0]
    return records.bom(
        plant.units,
        head["ITMREF"],
        [(it["CPNITMREF"], it["BOMQTY"], it["CPNSTU"]) for it in lines],
        quantity=head["BASQTY"],
        unit=head["STU"],
    )


def customer(raw: Mapping[str, Any], _plant: X3Plant) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["BPCNUM"], raw["BPCNAM"])
