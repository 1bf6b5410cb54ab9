"""Take one message into the books: all it causes in one transaction, or nothing."""

import hashlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from core.clock import iso, now
from erp.contract import BookedDocument, Line, Message, from_bytes
from erp.events import KINDS
from erp.sandbox.books import (
    STATUS_MOVES,
    STOCK_MOVES,
    Document,
    Move,
    book_move,
    new_number,
    write_line,
)
from erp.sandbox.store import Database

YEARS = 5
CLOSED_STATES = {"planned", "locked", "closed", "cancelled"}


class BusinessRefusal(Exception):
    """The ERP's own rules say no; `code` is what the caller's program reads."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """The receipt's content."""

    body: dict[str, Any]


def post(
    database: Database, message: Message, body: bytes, *, forgets_keys: bool = False
) -> Answer:
    """Book a message once; the same key with the same bytes gets the first documents again.

    An ERP that forgets keys books each copy: what a drill's control must find.

    Raises:
        BusinessRefusal: unknown order, item, lot or unit, closed period or order, or a key that was
            used for other bytes. Refusals are not kept: the same bytes may be sent again later.
    """
    digest = hashlib.sha256(body).hexdigest()
    with database.write() as connection:
        first = connection.execute(
            "SELECT digest, response FROM posting WHERE key = ?", (message.id,)
        ).fetchone()
        if first is not None and forgets_keys:
            return Answer(_book(connection, message))
        if first is not None:
            if first["digest"] != digest:
                raise BusinessRefusal("key_reused", f"{message.id} was used for other bytes.")
            return Answer({**json.loads(first["response"]), "status": "duplicate"})
        answer = _book(connection, message)
        if message.data.checkpoint is not None:
            mark = message.data.checkpoint
            answer["checkpoint"] = {"size": mark.size, "root": mark.root}
        connection.execute(
            "INSERT INTO posting (key, erp_ref, digest, body, response, posted_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (message.id, message.data.erp_ref, digest, body, json.dumps(answer), iso(now())),
        )
    return Answer(answer)


def _book(connection: sqlite3.Connection, message: Message) -> dict[str, Any]:
    data = message.data
    if KINDS[message.type].is_notice:
        return _acknowledge(connection, message)
    order = _open_order(connection, data.order.erp)
    check_period(connection, data.posting_date)
    if message.type == "mes.posting_reversed.v1":
        _check_original(connection, message)
    undoes = KINDS[message.type].undoes
    if undoes:
        _check_document(connection, message)
    if undoes:  # the lines are the books' own, whatever they say
        moves = [_undo(line) for line in data.lines]
    else:
        moves = [_move(connection, line, product=order["product"]) for line in data.lines]
    if message.type in ("mes.work_order_started.v1", "mes.work_order_completed.v1"):
        kind = "confirmation"
    else:
        kind = "material_document"
    document = Document(
        type=kind,
        number=new_number(connection, kind),
        posting_date=data.posting_date,
        posted_at=iso(now()),
        reference=message.id,
        erp_ref=data.erp_ref,
        order=order["id"],
    )
    for n, move in enumerate(moves, 1):
        book_move(connection, document, n=n, move=move)
    if kind == "confirmation":
        _confirm(connection, document, started=message.type == "mes.work_order_started.v1")
    documents = [document.ref(n) for n in range(1, max(1, len(moves)) + 1)]
    return {"status": "posted", "documents": documents, "posting_period": document.period}


def _acknowledge(connection: sqlite3.Connection, message: Message) -> dict[str, Any]:
    """Take note of what books nothing; an order that is closed meanwhile may still hear of it."""
    known = connection.execute(
        "SELECT 1 FROM production_order WHERE id = ?", (message.data.order.erp,)
    ).fetchone()
    if known is None:
        raise BusinessRefusal("order_unknown", f"Order {message.data.order.erp} is not known.")
    document = Document(
        type="notice",
        number=new_number(connection, "notice"),
        posting_date=message.data.posting_date,
        posted_at=iso(now()),
        reference=message.id,
        erp_ref=message.data.erp_ref,
        order=message.data.order.erp,
    )
    return {
        "status": "posted",
        "documents": [document.ref(1)],
        "posting_period": document.period,
    }


def _open_order(connection: sqlite3.Connection, order: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM production_order WHERE id = ?", (order,)
    ).fetchone()
    if row is None:
        raise BusinessRefusal("order_unknown", f"Order {order} is not known.")
    if row["state"] in CLOSED_STATES:
        raise BusinessRefusal(
            "order_closed", f"Order {order} is {row['state']}; it takes no posting."
        )
    return row


def check_period(connection: sqlite3.Connection, posting_date: str) -> None:
    """Refuse a date whose month is closed, not opened yet, or still to come.

    Raises:
        BusinessRefusal: `date_in_future`, `period_missing`, `period_closed`.
    """
    period = posting_date[:7]
    # The plant's day may have begun where UTC's has not.
    if posting_date > iso(now() + timedelta(hours=14))[:10]:
        raise BusinessRefusal("date_in_future", f"{posting_date} is after today.")
    if not has_period(period):
        raise BusinessRefusal("period_missing", f"{posting_date} is in no period.")
    if connection.execute("SELECT 1 FROM closed_period WHERE period = ?", (period,)).fetchone():
        raise BusinessRefusal("period_closed", f"Period {period} is closed.")


def has_period(period: str) -> bool:
    """Return whether the books have a month: the last five years and the present one."""
    return 0 <= now().year - int(period[:4]) <= YEARS


def _check_original(connection: sqlite3.Connection, message: Message) -> None:
    original = message.data.corrects
    row = connection.execute(
        "SELECT body, reversed_by FROM posting WHERE key = ?", (original,)
    ).fetchone()
    if row is None:
        raise BusinessRefusal("original_unknown", f"{original} was never posted here.")
    if row["reversed_by"] is not None:
        raise BusinessRefusal(
            "already_reversed", f"{original} was reversed by {row['reversed_by']}."
        )
    before = {_essence(line, -1) for line in from_bytes(row["body"]).data.lines}
    if before != {_essence(line, 1) for line in message.data.lines}:
        raise BusinessRefusal("reversal_differs", f"The lines do not undo those of {original}.")
    connection.execute("UPDATE posting SET reversed_by = ? WHERE key = ?", (message.id, original))


def _check_document(connection: sqlite3.Connection, message: Message) -> None:
    """Refuse to undo a document that is not there, is undone, or is not as the message says."""
    named = message.data.document
    assert isinstance(named, BookedDocument), message
    key = (named.id, named.year)
    lines = connection.execute(
        "SELECT item, lot, movement, unit, quantity, order_id FROM ledger_line"
        " WHERE document = ? AND year = ? AND kind = 'stock'",
        key,
    ).fetchall()
    if not lines:
        raise BusinessRefusal("document_unknown", f"Document {named.id} of {named.year}: none.")
    done = connection.execute(
        "SELECT undone_by FROM undone_document WHERE document = ? AND year = ?", key
    ).fetchone()
    if done is not None:
        raise BusinessRefusal(
            "already_reversed", f"Document {named.id} was reversed by {done['undone_by']}."
        )
    before = Counter((*line[:4], -Decimal(line["quantity"])) for line in lines)
    if before != Counter(_essence(line, 1) for line in message.data.lines) or {
        line["order_id"] for line in lines
    } != {message.data.order.erp}:
        raise BusinessRefusal("reversal_differs", f"The lines do not undo document {named.id}.")
    connection.execute("INSERT INTO undone_document VALUES (?, ?, ?)", (*key, message.id))
    connection.execute(
        "UPDATE posting SET reversed_by = ? WHERE key IN (SELECT reference FROM ledger_line"
        " WHERE document = ? AND year = ?)",
        (message.id, *key),
    )


def _essence(line: Line, sign: int) -> tuple[str, str | None, str, str, Decimal]:
    return (line.item, line.lot, line.movement, line.unit, sign * Decimal(line.quantity))


def _undo(line: Line) -> Move:
    return Move(
        movement=line.movement,
        item=line.item,
        lot=line.lot or "",
        quantity=Decimal(line.quantity),
        unit=line.unit,
    )


def _move(connection: sqlite3.Connection, line: Line, *, product: str) -> Move:
    item = connection.execute("SELECT unit FROM item WHERE code = ?", (line.item,)).fetchone()
    if item is None:
        raise BusinessRefusal("item_unknown", f"Item {line.item} is not known.")
    if item["unit"] != line.unit:
        raise BusinessRefusal(
            "unit_wrong", f"Item {line.item} is kept in {item['unit']}, not in {line.unit}."
        )
    if line.movement not in STOCK_MOVES and line.movement not in STATUS_MOVES:
        raise BusinessRefusal("movement_unknown", f"Movement {line.movement} is not known.")
    if line.lot is None:
        raise BusinessRefusal("lot_missing", f"Item {line.item} is kept by lot; the line has none.")
    # QA's decision may come before the goods receipt; either one makes the order's lot known.
    if line.movement == "receipt" or (line.movement in STATUS_MOVES and line.item == product):
        connection.execute(
            "INSERT OR IGNORE INTO lot VALUES (?, ?, ?)", (line.item, line.lot, iso(now()))
        )
    elif not connection.execute(
        "SELECT 1 FROM lot WHERE item = ? AND lot = ?", (line.item, line.lot)
    ).fetchone():
        raise BusinessRefusal("lot_unknown", f"Lot {line.lot} of {line.item} is not known.")
    return Move(
        movement=line.movement,
        item=line.item,
        lot=line.lot,
        quantity=Decimal(line.quantity),
        unit=line.unit,
    )


def _confirm(connection: sqlite3.Connection, document: Document, *, started: bool) -> None:
    movement = "start" if started else "complete"
    write_line(connection, document, kind="order", n=1, movement=movement)
    if not started:
        connection.execute(
            "UPDATE production_order SET state = 'teco', changed_at = ? WHERE id = ?",
            (document.posted_at, document.order),
        )
