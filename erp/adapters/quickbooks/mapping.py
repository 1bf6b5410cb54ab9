"""Between our messages and qbXML records, both ways; pure.

QuickBooks has no work in process: a batch is one build, made at its release. The build carries the
first 11 characters of the message's reference as its number, and the whole reference, the
message's id, its SHA-256 and its order in its memo. Components leave stock by QuickBooks' own
assembly, not by what was weighed.

Lengths and the order of elements are from public copies of Intuit's reference; the place of
`LotNumber` and the five digits of a quantity are unverified.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from qbwc_kit.qbxml import add

from core.clock import parse_iso
from erp.adapters import records
from erp.adapters.units import Unit, Units
from erp.contract import quantity_text
from erp.port import (
    DocumentRef,
    ErpBom,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    LedgerLine,
    Posting,
)

RELEASED = "mes.batch_released.v1"
NUMBER_LENGTH, DIGITS = 11, 5
VERSION = "13.0"
MEMO = re.compile(r"(evt_[0-9A-Z]{26}) ([0-9A-HJKMNP-TV-Z]{16}) ([0-9a-f]{64}) (\S+)")
# statusCode -> our code; the others are told in QuickBooks' words
CODES = {3140: "item_unknown", 3171: "period_closed"}
IN_USE = frozenset({3175, 3176})  # somebody works on it: the next poll tries again

UNITS = Units({"KGM": Unit("Kilogram"), "LTR": Unit("Liter"), "C62": Unit("Each")}, digits=DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class QbPlant:
    """A company file and how the customer keeps it.

    `units` are the names of the unit of measure sets of the plant's items. `orders` says that the
    plant's orders are sales orders there: each must have one line of an assembly.
    """

    zone: ZoneInfo
    units: Units = UNITS
    orders: bool = True
    poll_s: int = 900
    builds_since_days: int = 400

    def profile(self) -> ErpProfile:
        """Return what fits: builds, and nothing else."""
        return ErpProfile(
            name="QuickBooks Desktop",
            supports=frozenset({"async_accept", "read_back", "polls_us"}),
            scales=self.units.scales(),
            lengths={"ref": 16, "item": 159, "lot": 40, "order": NUMBER_LENGTH},
            takes=frozenset({RELEASED}),
            signs_receipts=False,
            reads_gl=False,
        )


def number_of(ref: str) -> str:
    """Return the number of a reference's build: 55 of its 80 bits; the memo has all of it."""
    return ref[:NUMBER_LENGTH]


def set_id(ref: str, tries: int) -> str:
    """Return the id of a message set, 23 characters at most.

    >>> set_id("ABCDEFGHJKMNPQRS", 1), set_id("ABCDEFGHJKMNPQRS", 2)
    ('ABCDEFGHJKMNPQRS', 'ABCDEFGHJKMNPQRS-2')
    """
    return ref if tries == 1 else f"{ref}-{tries}"


def build_request(posting: Posting, plant: QbPlant, tries: int) -> str:
    """Return the qbXML that asks for a build, the same text on every attempt of one try.

    The message set's id makes QuickBooks answer a repeated set with its stored response. A refusal
    is stored, too: once a person has mended its reason, the next try has an id of its own and gives
    the old one back.
    """
    [line] = posting.lines
    quantity = plant.units.theirs(line.quantity, line.unit)
    request = add(
        "BuildAssembly",
        {
            "ItemInventoryAssemblyRef": {"FullName": line.item},
            "LotNumber": line.lot,
            "TxnDate": posting.posting_date.isoformat(),
            "RefNumber": number_of(posting.ref),
            "Memo": f"{posting.key} {posting.ref} {posting.digest} {posting.order.erp}",
            "QuantityToBuild": quantity_text(quantity),
            "MarkPendingIfRequired": False,
        },
        request_id=posting.ref,
    )
    ids = f'newMessageSetID="{set_id(posting.ref, tries)}"'
    if tries > 1:
        ids += f' oldMessageSetID="{set_id(posting.ref, tries - 1)}"'
    return (
        f'<?xml version="1.0" encoding="utf-8"?><?qbxml version="{VERSION}"?>'
        f'<QBXML><QBXMLMsgsRq {ids} onError="stopOnError">'
        f"{request.render()}</QBXMLMsgsRq></QBXML>"
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """What a build's memo says of our message."""

    key: str
    ref: str
    digest: str
    order: str


def mark_of(build: Mapping[str, Any]) -> Mark | None:
    """Return our mark on a build, None on one of somebody else.

    >>> mark_of({"Memo": "Rush order"}) is None
    True
    """
    found = MEMO.fullmatch(build.get("Memo") or "")
    return Mark(*found.groups()) if found else None


def document_of(build: Mapping[str, Any]) -> DocumentRef:
    """Return how we name a build."""
    return DocumentRef("build_assembly", build["TxnID"], build["TxnDate"][:4], "1")


def many(value: Any) -> list[Any]:
    """Return a repeated element as a list; qbXML has one alone without one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def unit_of(item: Mapping[str, Any]) -> str:
    """Return the name of an item's unit of measure set, empty where it has none."""
    return str((item.get("UnitOfMeasureSetRef") or {}).get("FullName", ""))


def ledger_line(
    build: Mapping[str, Any], plant: QbPlant, item_units: Mapping[str, str]
) -> LedgerLine:
    """Return a build as the release of a batch.

    Raises:
        KeyError, ValueError: the record lacks what a line needs.
    """
    mark = mark_of(build)
    item = build["ItemInventoryAssemblyRef"]["FullName"]
    value, unit = plant.units.ours(build["QuantityToBuild"], item_units[item])
    on = date.fromisoformat(build["TxnDate"])
    return LedgerLine(
        seq=int(build["TxnNumber"]),
        kind="status",
        reference=mark.key if mark else None,
        ref=mark.ref if mark else None,
        document=document_of(build),
        order=mark.order if mark else None,
        item=item,
        lot=build.get("LotNumber") or None,
        movement="release",
        quantity=value,
        unit=unit,
        posting_date=on,
        period=f"{on:%Y-%m}",
        gl_document=None,
        gl_period=None,
        posted_at=parse_iso(build["TimeCreated"]),
    )


def item(raw: Mapping[str, Any], plant: QbPlant) -> ErpItem:
    """Return an item in our words."""
    name = raw.get("SalesDesc") or ""
    return records.item(plant.units, raw["FullName"], name, unit=unit_of(raw))


def bom(raw: Mapping[str, Any], plant: QbPlant, item_units: Mapping[str, str]) -> ErpBom:
    """Return an assembly in our words: for one of it."""
    lines = []
    for line in many(raw["ItemInventoryAssemblyLine"]):
        component = line["ItemInventoryRef"]["FullName"]
        lines.append((component, line["Quantity"], item_units[component]))
    return records.bom(plant.units, raw["FullName"], lines, unit=unit_of(raw))


def order_state(raw: Mapping[str, Any]) -> ErpOrderState:
    """Return where a sales order stands."""
    if raw.get("IsManuallyClosed") == "true":
        return ErpOrderState.CANCELLED
    if raw.get("IsFullyInvoiced") == "true":
        return ErpOrderState.CLOSED
    return ErpOrderState.RELEASED


def order(raw: Mapping[str, Any], plant: QbPlant, item_units: Mapping[str, str]) -> ErpOrder:
    """Return a sales order in our words.

    Raises:
        ValueError: it has not exactly one line of an item that is kept in one of our units.
    """
    lines = [
        line
        for line in many(raw.get("SalesOrderLineRet"))
        if (line.get("ItemRef") or {}).get("FullName") in item_units
    ]
    if len(lines) != 1:
        raise ValueError(f"has {len(lines)} lines of stock items; one is an order of ours")
    name, due = lines[0]["ItemRef"]["FullName"], raw.get("DueDate")
    return records.order(
        plant.units,
        raw["RefNumber"],
        name,
        quantity=lines[0]["Quantity"],
        unit=item_units[name],
        state=order_state(raw),
        due_at=records.moment(date.fromisoformat(due), plant.zone) if due else None,
        customer=(raw.get("CustomerRef") or {}).get("FullName"),
    )


def customer(raw: Mapping[str, Any]) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["FullName"], raw.get("CompanyName") or raw["FullName"])
