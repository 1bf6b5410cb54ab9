"""Fill the sandbox with a plant's items, BOMs, orders, customers and lots."""

import json
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.clock import iso, now
from erp.sandbox.books import Document, Move, book_move, new_number
from erp.sandbox.posting import BusinessRefusal
from erp.sandbox.store import Database

ORDER_FIELDS = ("product", "quantity", "unit", "due_at", "priority", "customer", "state")


def text(value: object) -> str:
    """Return a number from JSON as exact text."""
    return f"{Decimal(str(value)):f}"


def seed(database: Database, data: Mapping[str, Any]) -> None:
    """Add what is not there yet; what is there keeps its present state.

    The data has `items`, `boms`, `orders`, `customers` and `lots`, each a list of records.
    """
    at = iso(now())
    with database.write() as connection:
        for item in data.get("items", ()):
            connection.execute(
                "INSERT OR IGNORE INTO item VALUES (?, ?, ?, ?, ?, ?)",
                (item["code"], item["name"], item["unit"], item.get("gtin"),
                 text(item["standard_cost"]), at),
            )  # fmt: skip
        for bom in data.get("boms", ()):
            put_bom(connection, bom, at)
        for customer in data.get("customers", ()):
            code = customer.get("code") or customer["id"]
            connection.execute(
                "INSERT OR IGNORE INTO customer VALUES (?, ?, ?)", (code, customer["name"], at)
            )
        for order in data.get("orders", ()):
            known = connection.execute(
                "SELECT 1 FROM production_order WHERE id = ?", (order["id"],)
            ).fetchone()
            if not known:
                put_order(connection, order)
        for lot in data.get("lots", ()):
            receive_lot(connection, lot)


def put_bom(connection: sqlite3.Connection, bom: Mapping[str, Any], at: str) -> None:
    """Add a BOM that is not there yet."""
    lines = [
        {"item": line["item"], "quantity": text(line["quantity"]), "unit": line["unit"]}
        for line in bom["lines"]
    ]
    connection.execute(
        "INSERT OR IGNORE INTO bom VALUES (?, ?, ?, ?, ?)",
        (bom["product"], text(bom["quantity"]), bom["unit"], json.dumps(lines), at),
    )


def put_order(connection: sqlite3.Connection, order: Mapping[str, Any]) -> None:
    """Create an order, or change the named fields of one that exists.

    Raises:
        BusinessRefusal: the product is not known, or a new order lacks a field.
    """
    row = connection.execute(
        "SELECT * FROM production_order WHERE id = ?", (order["id"],)
    ).fetchone()
    fields = {"due_at": None, "priority": None, "customer": None, "state": "released"}
    if row is not None:
        fields |= {name: row[name] for name in ORDER_FIELDS}
    fields |= {name: order[name] for name in ORDER_FIELDS if name in order}
    missing = [name for name in ORDER_FIELDS if name not in fields]
    if missing:
        raise BusinessRefusal("field_missing", f"Order {order['id']} lacks {', '.join(missing)}.")
    if not connection.execute("SELECT 1 FROM item WHERE code = ?", (fields["product"],)).fetchone():
        raise BusinessRefusal("item_unknown", f"Item {fields['product']} is not known.")
    fields["quantity"] = text(fields["quantity"])
    connection.execute(
        "INSERT OR REPLACE INTO production_order VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (order["id"], *(fields[name] for name in ORDER_FIELDS), iso(now())),
    )


def receive_lot(connection: sqlite3.Connection, lot: Mapping[str, Any]) -> None:
    """Book a purchased lot into stock, once.

    Raises:
        BusinessRefusal: the item is not known, or is kept in another unit.
    """
    item = connection.execute("SELECT unit FROM item WHERE code = ?", (lot["item"],)).fetchone()
    if item is None:
        raise BusinessRefusal("item_unknown", f"Item {lot['item']} is not known.")
    if item["unit"] != lot["unit"]:
        raise BusinessRefusal("unit_wrong", f"Item {lot['item']} is kept in {item['unit']}.")
    at = iso(now())
    added = connection.execute(
        "INSERT OR IGNORE INTO lot VALUES (?, ?, ?)", (lot["item"], lot["lot"], at)
    ).rowcount
    if not added:
        return
    number = new_number(connection, "material_document")
    document = Document(type="material_document", number=number, posting_date=at[:10], posted_at=at)
    move = Move(
        movement="purchase",
        item=lot["item"],
        lot=lot["lot"],
        quantity=Decimal(str(lot["quantity"])),
        unit=lot["unit"],
    )
    book_move(connection, document, n=1, move=move)
