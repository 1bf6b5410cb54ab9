"""A whole adapter, of an ERP that does not exist: what the manual's guide begins with.

Acme keeps our reference as the unique key of a movement, speaks plain JSON, and knows a technical
user. Everything that is not Acme's is asked of the shared modules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from core.clock import parse_iso
from erp.adapters import checks, records
from erp.adapters.answers import JSON_BODY, Standing, made, misfit, sent
from erp.adapters.calling import Caller, Login
from erp.adapters.keyed import SUPPORTS
from erp.adapters.movements import MATERIAL, SIGNS
from erp.adapters.units import Unit, Units
from erp.adapters.words import Entry, Request, Source, alone
from erp.contract import erp_ref
from erp.port import (
    Cursor,
    DocumentRef,
    ErpCustomer,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    Exchange,
    Kind,
    LedgerLine,
    Outcome,
    PeriodState,
    Posting,
    Rejected,
)

UNITS = Units({"KGM": Unit("g", Decimal(1000)), "C62": Unit("pc")}, digits=3)
STATES = {"open": ErpOrderState.RELEASED, "done": ErpOrderState.CLOSED}
LENGTHS = {"ref": 16, "item": 12, "lot": 12, "order": 12}
ENCODER = msgspec.json.Encoder(decimal_format="number")


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return what of a movement Acme would not take; its simulator asks the same."""
    wanted = ("ref", "digest", "kind", "order", "item", "lot", "day", "quantity", "unit", "undoes")
    found = [f"{name}: is missing" for name in wanted if name not in record]
    found += [f"{name}: no such field" for name in sorted(set(record) - set(wanted))]
    long = [name for name in LENGTHS if len(str(record.get(name, ""))) > LENGTHS[name]]
    return found + [f"{name}: is longer than {LENGTHS[name]} characters" for name in long]


def document_of(row: Mapping[str, Any]) -> DocumentRef:
    return DocumentRef("movement", str(row["number"]), row["day"][:4], "1")


def line_of(row: Mapping[str, Any]) -> LedgerLine:
    return records.stock_line(
        UNITS, document_of(row), seq=row["number"], named=(None, records.our_ref(row["ref"])),
        order=row["order"], item=row["item"], lot=row["lot"], movement=row["kind"],
        quantity=Decimal(row["quantity"]) * SIGNS[row["kind"]], unit=row["unit"],
        on=date.fromisoformat(row["day"]), posted_at=parse_iso(row["at"]),
    )  # fmt: skip


def standing(row: Mapping[str, Any], digest: str, read: Exchange | None = None) -> Standing:
    same, documents = row["digest"] == digest, (document_of(row),)
    return Standing(documents=documents, period=row["day"][:7], is_same=same, exchange=read)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmePlant:
    zone: ZoneInfo
    units: Units = UNITS

    def profile(self) -> ErpProfile:
        return ErpProfile(
            name="Acme", supports=SUPPORTS, scales=self.units.scales(), lengths=LENGTHS,
            asks_period_first=True, takes=MATERIAL, signs_receipts=False, reads_gl=False,
        )  # fmt: skip


class AcmeWords:
    orders_over = checks.ALL_BUT_RELEASED

    def __init__(self, address: str, *, login: Login, plant: AcmePlant, timeout_s: float) -> None:
        self.address, self.plant, self.profile = address.rstrip("/"), plant, plant.profile()
        self.call = Caller(address, login, timeout_s=timeout_s)

    def close(self) -> None:
        self.call.close()

    def beat(self, timeout_s: float | None = None) -> Mapping[str, str]:
        return self.call.ask("periods", timeout_s=timeout_s).headers

    def _rows(self, name: str, **query: str) -> list[dict[str, Any]]:
        answer = self.call.ask(name, query, fine=(200,))
        found: list[dict[str, Any]] = json.loads(answer.content, parse_float=Decimal)
        return found

    # masters, and what a message needs of them

    def _build(self, kind: Kind, row: dict[str, Any]) -> Any:
        if kind is Kind.ITEM:
            return records.item(UNITS, row["item"], row["name"], unit=row["unit"])
        if kind is Kind.CUSTOMER:
            return ErpCustomer(row["customer"], row["name"])
        if kind is Kind.BOM:
            lines = [(it["item"], it["quantity"], it["unit"]) for it in row["lines"]]
            quantity, unit = row["quantity"], row["unit"]
            return records.bom(UNITS, row["product"], lines, quantity=quantity, unit=unit)
        return records.order(
            UNITS, row["order"], row["product"], quantity=row["quantity"], unit=row["unit"],
            state=STATES[row["state"]],
        )  # fmt: skip

    def source(self, kind: Kind, cursor: Cursor | None) -> Source | None:
        if kind not in (Kind.ITEM, Kind.BOM, Kind.ORDER, Kind.CUSTOMER):
            return None
        return Source(f"{kind}s", self._rows(f"{kind}s"), partial(self._build, kind))

    def order(self, number: str) -> ErpOrder | None:
        found = self._rows("orders", order=number)
        return self._build(Kind.ORDER, found[0]) if found else None

    def order_state(self, number: str) -> tuple[ErpOrderState | None, str] | None:
        found = self._rows("orders", order=number)
        return (STATES.get(found[0]["state"]), found[0]["state"]) if found else None

    def period(self, on: date) -> PeriodState:
        found = self._rows("periods", month=f"{on:%Y-%m}")
        return PeriodState(found[0]["state"]) if found else PeriodState.MISSING

    def unit_of(self, item: str) -> str | None:
        found = self._rows("items", item=item)
        return found[0]["unit"] if found else None

    def has_lot(self, item: str, lot: str) -> bool:
        return bool(self._rows("lots", item=item, lot=lot))

    def undone_by(self, doc: DocumentRef) -> str | None:
        found = self._rows("movements", undoes=doc.id)
        return f"movement {found[0]['number']}" if found else None

    def undoing(self, original: str, posting: Posting) -> Rejected | None:
        found = self.find(original)
        return checks.undoing(original, found, lambda: self.undone_by(found[0]))

    # postings

    def find(self, ref: str) -> list[DocumentRef]:
        return [document_of(row) for row in self._rows("movements", ref=ref)]

    def ahead(self, posting: Posting) -> Outcome | None:
        return checks.other_document(self, posting)  # the reference is Acme's own key

    def request(self, posting: Posting) -> Request | Outcome:
        [line] = posting.lines
        undone = self.find(erp_ref(posting.corrects)) if posting.corrects else []
        undoes = posting.document.id if posting.document else undone[0].id if undone else ""
        if posting.corrects and not undone:
            return checks.original_unknown(posting.corrects)
        record = {
            "ref": posting.ref, "digest": posting.digest, "kind": line.movement,
            "order": posting.order.erp, "item": line.item, "lot": line.lot or "",
            "day": posting.posting_date.isoformat(), "undoes": undoes,
            "quantity": UNITS.theirs(line.quantity, line.unit), "unit": UNITS[line.unit].code,
        }  # fmt: skip
        body = ENCODER.encode(record)
        return misfit(faults(record)) or Request(path="movements", body=body, headers=JSON_BODY)

    def send(self, posting: Posting, request: Request) -> Outcome:
        return sent(self.call, request, partial(self._read, posting))

    def _read(self, posting: Posting, exchange: Exchange) -> Outcome:
        told = json.loads(exchange.body) if exchange.status in (200, 201, 409) else {}
        if exchange.status == 201:
            return made(posting.ref, exchange, lambda: (told["ref"], standing(told, "")))
        if exchange.status == 409:
            return standing(told, posting.digest, exchange).told(posting.ref)
        words = exchange.body.decode("utf-8", "replace")
        return checks.explained(self, posting, code="acme", words=words, exchange=exchange)

    # books

    def books(self, order: str | None, after: int) -> Iterator[Entry]:
        for row in self._rows("movements", **({"order": order} if order else {})):
            yield f"movement {row.get('number')}", alone(line_of, row)
