"""What fits into the messages of Dynamics' MES integration, as Microsoft documents them (2024-04).

Only the fields that are sent stand here. Their lengths are not documented there: unverified on a
real system are 20 characters of an item, an order and a batch, and 16 of a position.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

QUEUE = "JmgMES3P"
START, FINISHED = "ProdProductionOrderStart", "ProdProductionOrderReportFinished"
PICKING = "ProdProductionOrderPickingList"
DATE = re.compile(r"\d{4}-\d\d-\d\d")
NEVER = ("FlushingPrincip", "Always", "Never")
YES_NO = ("Yes", "No")

type Kind = int | str | tuple[str, ...]
type Table = Mapping[str, Kind]

ORDER: Table = {"ProductionOrderNumber": 20}
CONTENT: Mapping[str, Table] = {
    START: {**ORDER, "StartedDate": "date", "AutomaticBOMConsumptionRule": NEVER},
    PICKING: {**ORDER, "PickingListLines": "lines"},
    FINISHED: {**ORDER, "ReportFinishedLines": "lines"},
}
LINES: Mapping[str, Table] = {
    PICKING: {
        "ItemNumber": 20,
        "ConsumptionInventoryQuantity": "real",
        "ConsumptionDate": "date",
        "LineNumber": "real",
        "PositionNumber": 16,
    },
    FINISHED: {
        "LineNumber": "real",
        "ItemNumber": 20,
        "ReportedGoodQuantity": "real",
        "ReportAsFinishedDate": "date",
        "ItemBatchNumber": 20,
        "AutomaticBOMConsumptionRule": NEVER,
        "AutomaticRouteConsumptionRule": ("RouteDependent", "Always", "Never"),
        "PostNow": YES_NO,
    },
}


def faults(kind: str, content: Mapping[str, Any], *, batch_field: str | None = None) -> list[str]:
    """Return what of a message's content Dynamics does not document."""
    lines = dict(LINES.get(kind, {}))
    if batch_field is not None and kind == PICKING:
        lines[batch_field] = 20
    return _faults(content, CONTENT[kind], lines)


def _faults(record: Mapping[str, Any], table: Table, lines: Table, *, where: str = "") -> list[str]:
    found = []
    for name, value in record.items():
        place, kind = f"{where}{name}", table.get(name)
        if kind is None:
            found.append(f"{place}: no such field")
        elif kind == "lines":
            if not isinstance(value, list) or not value:
                found.append(f"{place}: has no line")
                continue
            for n, line in enumerate(value, 1):
                found += _faults(line, lines, {}, where=f"line {n} ")
        else:
            found += [f"{place}: {why}" for why in _wrong(value, kind)]
    if "ProductionOrderNumber" in table and "ProductionOrderNumber" not in record:
        found.append("ProductionOrderNumber: is missing")
    return found


def _wrong(value: Any, kind: Kind) -> list[str]:
    """Return why a value is not of its kind; nothing where it is."""
    if kind == "real":
        exact = not isinstance(value, bool) and isinstance(value, int | Decimal)
        return [] if exact else [f"{value!r} is no exact number"]
    if not isinstance(value, str) or not value:
        return [f"{value!r} is no text"]
    if isinstance(kind, tuple):
        return [] if value in kind else [f"{value} is not one of {', '.join(kind)}"]
    if kind == "date":
        return [] if DATE.fullmatch(value) else [f"{value} is no date"]
    if isinstance(kind, int) and len(value) > kind:
        return [f"{value} is longer than {kind} characters"]
    return []
