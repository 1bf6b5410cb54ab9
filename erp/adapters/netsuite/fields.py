"""What fits into NetSuite's records: names and types as its REST API Browser publishes them.

Only the properties that are sent stand here (Record REST v1, 2026.1: `workOrderIssue`,
`workOrderCompletion`, `inventoryAdjustment`). Unverified on a real account: how long a memo may be,
and that a quantity keeps five digits after the point.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

DIGITS = 5
MEMO = 300
DATE = re.compile(r"\d{4}-\d\d-\d\d")
ID = re.compile(r"\d{1,18}")

type Table = Mapping[str, "str | Table"]

LOT_OUT: Table = {"issueInventoryNumber": "reference", "quantity": "number"}
LOT_IN: Table = {"receiptInventoryNumber": "text", "quantity": "number"}
ASSIGNMENT: Table = {**LOT_OUT, **LOT_IN}
DETAIL: Table = {"quantity": "number", "inventoryAssignment": ASSIGNMENT}
HEAD: Table = {
    "externalId": "text",
    "tranDate": "date",
    "postingPeriod": "reference",
    "memo": "text",
}
RECORDS: Mapping[str, Table] = {
    "workOrderIssue": {
        **HEAD,
        "createdFrom": "reference",
        "component": {"item": "id", "quantity": "number", "componentInventoryDetail": DETAIL},
    },
    "workOrderCompletion": {
        **HEAD,
        "createdFrom": "reference",
        "completedQuantity": "number",
        "isBackflush": "flag",
        "inventoryDetail": DETAIL,
    },
    "inventoryAdjustment": {
        **HEAD,
        "account": "reference",
        "subsidiary": "reference",
        "adjLocation": "reference",
        "inventory": {
            "item": "reference",
            "location": "reference",
            "adjustQtyBy": "number",
            "inventoryDetail": DETAIL,
        },
    },
}
LISTS = frozenset({"component", "inventory", "inventoryAssignment"})


def faults(record: Mapping[str, Any], table: Table, where: str = "") -> list[str]:
    """Return what of a record NetSuite would not take: unknown properties, types, digits."""
    found = []
    for name, value in record.items():
        place, kind = f"{where}{name}", table.get(name)
        if kind is None:
            found.append(f"{place}: no such property")
        elif not isinstance(kind, str):
            found += _nested(value, kind, place, is_list=name in LISTS)
        else:
            found += [f"{place}: {why}" for why in _wrong(value, kind)]
    return found


def _nested(value: Any, table: Table, place: str, *, is_list: bool) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no record"]
    if not is_list:
        return faults(value, table, f"{place}.")
    rows = value.get("items")
    if set(value) != {"items"} or not isinstance(rows, list) or not rows:
        return [f"{place}: has no items"]
    found = []
    for n, row in enumerate(rows):
        ok = isinstance(row, dict)
        found += faults(row, table, f"{place}[{n}].") if ok else [f"{place}[{n}]: is no record"]
    return found


def _wrong(value: Any, kind: str) -> list[str]:
    """Return why a value is not of its kind; nothing where it is."""
    match kind:
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                return [f"{value!r} is no exact number"]
            if Decimal(value) != round(Decimal(value), DIGITS):
                return [f"{value} has more than {DIGITS} digits after the point"]
        case "reference":
            if not isinstance(value, dict) or set(value) != {"id"}:
                return [f"{value!r} is no reference by id"]
            return _wrong(value["id"], "id")
        case "flag":
            return [] if isinstance(value, bool) else [f"{value!r} is neither true nor false"]
        case _:
            if not isinstance(value, str) or not value:
                return [f"{value!r} is no text"]
            if kind == "id" and not ID.fullmatch(value):
                return [f"{value} is no internal id"]
            if kind == "date" and not DATE.fullmatch(value):
                return [f"{value} is no date"]
            if kind == "text" and len(value) > MEMO:
                return [f"is longer than {MEMO} characters"]
    return []
