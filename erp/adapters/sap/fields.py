"""What fits into SAP's fields: our own table, compared in the tests with a published contract.

Texts have a length, quantities are decimal texts of 13 digits with 3 after the point (13.3).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

DATE = re.compile(r"/Date\((-?\d+)\)/")
DECIMAL = re.compile(r"-?\d{1,10}(\.\d{1,3})?")
SCALE = 3

HEADER: Mapping[str, int | str] = {
    "GoodsMovementCode": 2,
    "PostingDate": "date",
    "DocumentDate": "date",
    "ReferenceDocument": 16,
    "MaterialDocumentHeaderText": 25,
    "to_MaterialDocumentItem": "items",
}
ITEM: Mapping[str, int | str] = {
    "Material": 40,
    "Plant": 4,
    "StorageLocation": 4,
    "Batch": 10,
    "GoodsMovementType": 3,
    "GoodsMovementRefDocType": 1,
    "GoodsMovementReasonCode": 4,
    "ManufacturingOrder": 12,
    "ManufacturingOrderItem": 4,
    "CostCenter": 10,
    "GLAccount": 10,
    "EntryUnit": 3,
    "QuantityInEntryUnit": "quantity",
    "MaterialDocumentItemText": 50,
    "MaterialDocumentPostingType": 1,
}


def faults(record: Mapping[str, Any], table: Mapping[str, int | str], where: str = "") -> list[str]:
    """Return what of a record SAP would not take: unknown fields, lengths, forms."""
    found = []
    for name, value in record.items():
        place, kind = f"{where}{name}", table.get(name)
        if kind is None:
            found.append(f"{place}: no such field")
        elif kind == "items":
            rows = value.get("results") if isinstance(value, dict) else None
            if not isinstance(rows, list) or not rows:
                found.append(f"{place}: has no results")
            for n, row in enumerate(rows or [], 1):
                found += faults(row, ITEM, f"item {n} ")
        elif not isinstance(value, str):
            found.append(f"{place}: {value!r} is no text")
        elif kind == "date" and not DATE.fullmatch(value):
            found.append(f"{place}: {value} is no /Date(ms)/")
        elif kind == "quantity" and not DECIMAL.fullmatch(value):
            found.append(f"{place}: {value} does not fit 13.3")
        elif kind == "quantity" and Decimal(value) <= 0:
            found.append(f"{place}: {value} is not above zero")
        elif isinstance(kind, int) and len(value) > kind:
            found.append(f"{place}: {value} is longer than {kind} characters")
    return found
