"""What the ERP's own people do, as calls: orders, lots, periods, postings by hand, faults."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from core.clock import iso, now
from erp.sandbox.books import (
    STOCK_MOVES,
    Document,
    Move,
    book_journal,
    book_move,
    new_number,
)
from erp.sandbox.faults import FaultKind, Faults
from erp.sandbox.posting import BusinessRefusal
from erp.sandbox.seed import put_order, receive_lot
from erp.sandbox.store import Database
from erp.signing import Keys

type Text = Annotated[str, Field(min_length=1, max_length=80)]


class Strict(BaseModel):
    """A call with a misspelt member is refused instead of half obeyed."""

    model_config = ConfigDict(extra="forbid")


class OrderCall(Strict):
    """Create an order, or change the fields given."""

    id: Text
    product: Text | None = None
    quantity: Annotated[Decimal, Field(gt=0)] | None = None
    unit: Text | None = None
    due_at: str | None = None
    priority: int | None = None
    customer: str | None = None
    state: Literal["planned", "released", "locked", "teco", "closed", "cancelled"] | None = None


class LotCall(Strict):
    """Receive a purchased lot."""

    item: Text
    lot: Text
    quantity: Annotated[Decimal, Field(gt=0)]
    unit: Text


class PeriodCall(Strict):
    """Open or close a month."""

    period: Annotated[str, Field(pattern=r"^\d{4}-\d\d$")]
    state: Literal["open", "closed"]


class ManualCall(Strict):
    """Post on an order by hand, without any message."""

    order: Text
    item: Text
    lot: Text
    quantity: Decimal
    movement: Text


class JournalCall(Strict):
    """Write a general ledger entry by hand, with no stock behind it."""

    order: Text
    amount: Annotated[Decimal, Field(gt=0)]
    debit: Text = "5100 Scrap"
    credit: Text = "1400 Inventory"


class FaultCall(Strict):
    """Arm a fault."""

    kind: FaultKind | Literal["none"]
    next: Annotated[int, Field(ge=1, le=100_000)] = 1
    seconds: Annotated[float, Field(ge=0, le=86_400)] = 0


class KeysCall(Strict):
    """Say which secrets are live, newest first; a direction that is not given stays."""

    events: list[str] | None = None
    receipts: list[str] | None = None


@dataclass
class Secrets:
    """One direction each: what signs events to us, what signs our receipts."""

    events: Keys
    receipts: Keys


def router(database: Database, faults: Faults, secrets: Secrets) -> APIRouter:
    """Return the routes below `/admin`."""
    routes = APIRouter(prefix="/admin")

    @routes.post("/keys")
    def keys(call: KeysCall) -> dict[str, tuple[str, ...]]:
        return _change_keys(secrets, call)

    @routes.post("/orders")
    def order(call: OrderCall) -> dict[str, str]:
        try:
            with database.write() as connection:
                put_order(connection, call.model_dump(exclude_unset=True))
        except BusinessRefusal as fault:
            raise HTTPException(422, fault.detail) from fault
        return {"id": call.id}

    @routes.delete("/orders/{order}")
    def delete_order(order: str) -> dict[str, str]:
        with database.write() as connection:
            connection.execute("DELETE FROM production_order WHERE id = ?", (order,))
        return {"id": order}

    @routes.post("/lots")
    def lot(call: LotCall) -> dict[str, str]:
        try:
            with database.write() as connection:
                receive_lot(connection, call.model_dump())
        except BusinessRefusal as fault:
            raise HTTPException(422, fault.detail) from fault
        return {"lot": call.lot}

    @routes.post("/periods")
    def period(call: PeriodCall) -> dict[str, str]:
        with database.write() as connection:
            if call.state == "closed":
                connection.execute("INSERT OR IGNORE INTO closed_period VALUES (?)", (call.period,))
            else:
                connection.execute("DELETE FROM closed_period WHERE period = ?", (call.period,))
        return {"period": call.period, "state": call.state}

    @routes.post("/postings")
    def manual(call: ManualCall) -> dict[str, str]:
        return _manual(database, call)

    @routes.post("/journals")
    def journal(call: JournalCall) -> dict[str, str]:
        return _journal(database, call)

    @routes.post("/faults")
    def fault(call: FaultCall) -> dict[str, str]:
        if call.kind == "none":
            faults.clear()
        else:
            faults.arm(call.kind, calls=call.next, seconds=call.seconds)
        return {"kind": call.kind}

    return routes


def _change_keys(secrets: Secrets, call: KeysCall) -> dict[str, tuple[str, ...]]:
    try:
        events, receipts = (
            None if given is None else Keys.of(given) for given in (call.events, call.receipts)
        )
    except ValueError as fault:
        raise HTTPException(422, "A secret is no whsec_ text of 24 to 64 bytes.") from fault
    secrets.events, secrets.receipts = events or secrets.events, receipts or secrets.receipts
    return {"events": secrets.events.ids, "receipts": secrets.receipts.ids}


def _manual(database: Database, call: ManualCall) -> dict[str, str]:
    at = iso(now())
    with database.write() as connection:
        item = connection.execute("SELECT unit FROM item WHERE code = ?", (call.item,)).fetchone()
        if item is None or call.movement not in STOCK_MOVES:
            raise HTTPException(422, "Item or movement is not known.")
        document = Document(
            type="material_document",
            number=new_number(connection, "material_document"),
            posting_date=at[:10],
            posted_at=at,
            order=call.order,
        )
        move = Move(
            movement=call.movement,
            item=call.item,
            lot=call.lot,
            quantity=call.quantity,
            unit=item["unit"],
        )
        book_move(connection, document, n=1, move=move)
    return document.ref(1)


def _journal(database: Database, call: JournalCall) -> dict[str, str]:
    at = iso(now())
    with database.write() as connection:
        document = Document(
            type="journal",
            number=new_number(connection, "journal"),
            posting_date=at[:10],
            posted_at=at,
            order=call.order,
        )
        book_journal(connection, document, call.amount, accounts=(call.debit, call.credit))
    return document.ref(1)
