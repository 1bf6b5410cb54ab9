"""What fits into the two resources that post, by what Oracle has published of them.

Only the fields that are sent stand here. Published are the names, and the lengths of the source
system (30) and the subinventory (18); those of an item, a lot and a work order are unverified.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MATERIAL, OPERATION = "materialTransactions", "operationTransactions"
DETAIL = {MATERIAL: "MaterialTransactionDetail", OPERATION: "OperationTransactionDetail"}
ISSUE, RETURN = "MATERIAL_ISSUE", "MATERIAL_RETURN"
READY, COMPLETE = "READY", "COMPLETE"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")

type Kind = int | str | tuple[str, ...]
type Table = Mapping[str, Kind]

HEADER: Table = {"SourceSystemCode": 30, "SourceSystemType": ("EXTERNAL",)}
SAME: Table = {
    "SourceSystemCode": 30,
    "OrganizationCode": 18,
    "WorkOrderNumber": 120,
    "WoOperationSequenceNumber": "whole",
    "TransactionDate": "moment",
    "TransactionQuantity": "above zero",
    "TransactionUnitOfMeasure": 25,
    "TransactionLot": "lots",
}
DETAILS: Mapping[str, Table] = {
    MATERIAL: {
        **{name: kind for name, kind in SAME.items() if name != "SourceSystemCode"},
        "InventoryItemNumber": 300,
        "SubinventoryCode": 18,
        "TransactionTypeCode": (ISSUE, RETURN),
    },
    OPERATION: {
        **SAME,
        "FromDispatchState": (READY, COMPLETE),
        "ToDispatchState": (READY, COMPLETE),
        "ComplSubinventoryCode": 18,
    },
}
LOT: Table = {"LotNumber": 80, "TransactionQuantity": "above zero"}


def faults(resource: str, content: Mapping[str, Any], *, reference_to: str) -> list[str]:
    """Return what of a request Oracle has not published; `reference_to` is our reference's field.

    >>> faults(MATERIAL, {"SourceSystemCode": "MES"}, reference_to="Note")
    ['SourceSystemType: is missing', 'MaterialTransactionDetail: has no line']
    """
    detail = DETAIL[resource]
    head = {name: value for name, value in content.items() if name != detail}
    found = _faults(head, HEADER)
    lines = content.get(detail)
    if not isinstance(lines, list) or not lines:
        return [*found, f"{detail}: has no line"]
    table = {**DETAILS[resource], reference_to: 240}
    for n, line in enumerate(lines, 1):
        found += _faults(line, table, where=f"line {n} ", optional=("TransactionLot",))
    return found


def _faults(
    record: Mapping[str, Any], table: Table, *, where: str = "", optional: tuple[str, ...] = ()
) -> list[str]:
    found = []
    for name, value in record.items():
        kind = table.get(name)
        if kind is None:
            found.append(f"{where}{name}: no such field")
        elif kind == "lots":
            if not isinstance(value, list) or not value:
                found.append(f"{where}{name}: has no line")
                continue
            for lot in value:
                found += _faults(lot, LOT, where=f"{where}lot ")
        else:
            found += [f"{where}{name}: {why}" for why in _wrong(value, kind)]
    missing = [name for name in table if name not in record and name not in optional]
    return found + [f"{where}{name}: is missing" for name in missing]


def _wrong(value: Any, kind: Kind) -> list[str]:
    """Return why a value is not of its kind; nothing where it is."""
    if kind in ("whole", "above zero"):
        exact = not isinstance(value, bool) and isinstance(value, int | Decimal)
        if not exact:
            return [f"{value!r} is no exact number"]
        whole = kind == "above zero" or value == int(value)
        return [] if value > 0 and whole else [f"{value} is not {kind}"]
    if not isinstance(value, str) or not value:
        return [f"{value!r} is no text"]
    if isinstance(kind, tuple):
        return [] if value in kind else [f"{value} is not one of {', '.join(kind)}"]
    if kind == "moment":
        return [] if MOMENT.fullmatch(value) else [f"{value} is no time with its zone"]
    if isinstance(kind, int) and len(value) > kind:
        return [f"{value} is longer than {kind} characters"]
    return []
