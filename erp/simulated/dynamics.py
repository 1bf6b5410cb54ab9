"""A strict Dynamics 365 SCM: token, company, a queue that posts later, journals, stock, periods.

What is sent is only taken. Messages of one production order are worked off in their order, each is
tried three times, and what fails stays failed. An order must have started; a batch number on a
picking list is known only where the customer has extended its lines, elsewhere the first batch in
stock is taken. The entities of the partner are `MesMessages` and `MesPeriods`.
"""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from core.clock import iso, now
from erp.adapters.dynamics import fields
from erp.adapters.dynamics.mapping import PICKINGS, RECEIPTS
from erp.simulated.odata4 import error, page, refuse, shown
from erp.simulated.records import Work
from erp.simulated.serving import Asked, has_period, json_of, months, moved, today
from erp.simulated.tokens import Tokens

COMPANY, TENANT = "USMF", "3f1e9f6a-7f0e-4a3e-8b5e-9d1f2c3b4a5d"
SCOPE = "https://simulated.operations.dynamics.example/.default"
TOKEN_PATH = f"/{TENANT}/oauth2/v2.0/token"
SEND = "/api/services/SysMessageServices/SysMessageService/SendMessage"
BATCH_FIELD = "ItemBatchNumber"
PAGE, TRIES = 25, 3
UNITS, PER_OURS = {"KGM": "g", "C62": "ea"}, {"KGM": 1000, "C62": 1}
STATES = {"cancelled": "Completed", "closed": "Completed", "reported": "ReportedFinished"}
SETS = (
    "ReleasedProductsV2", "BillOfMaterialsVersionsV3", "BillOfMaterialsLinesV3", "CustomersV3",
    "ProductionOrderHeaders", "ItemBatches", PICKINGS, RECEIPTS, "MesMessages", "MesPeriods",
)  # fmt: skip
NUMBERS = ("JournalLineNumber", "ConsumptionInventoryQuantity", "ReportedGoodInventoryQuantity",
           "ScheduledQuantity", "Quantity", "QuantityDenominator", "LineNumber")  # fmt: skip


class Failed(Exception):
    """A message cannot be posted; the text is what the log of the message says."""


class Dynamics:
    """One legal entity; `extended` is whether a picking list's line takes a batch number."""

    def __init__(self, client_id: str, secret: str, *, extended: bool = False) -> None:
        self.gate = Tokens(TOKEN_PATH, client_id, secret, scope=SCOPE)
        self._extended = extended

    # what stands in it

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("ReleasedProductsV2"):
            return
        for it in data["items"]:
            self._row(work, "ReleasedProductsV2", {
                "ItemNumber": it["code"], "SearchName": it["name"],
                "InventoryUnitSymbol": UNITS[it["unit"]],
            })  # fmt: skip
        for it in data["customers"]:
            made = {"CustomerAccount": it["code"], "OrganizationName": it["name"]}
            self._row(work, "CustomersV3", made)
        for it in data["boms"]:
            name = f"BOM-{it['product']}"
            made = {"BOMId": name, "ManufacturedItemNumber": it["product"], "IsActive": "Yes"}
            self._row(work, "BillOfMaterialsVersionsV3", made)
            for n, line in enumerate(it["lines"], 1):
                self._row(work, "BillOfMaterialsLinesV3", {
                    "BOMId": name, "LineNumber": str(n), "ItemNumber": line["item"],
                    "Quantity": self._theirs(line["quantity"], line["unit"]),
                    "QuantityDenominator": str(it["quantity"]),
                    "ProductUnitSymbol": UNITS[line["unit"]],
                })  # fmt: skip
        for it in data["orders"]:
            self._row(work, "ProductionOrderHeaders", {
                "ProductionOrderNumber": it["id"], "ItemNumber": it["product"],
                "ProductionOrderStatus": "Released", "DeliveryDate": "1900-01-01T12:00:00Z",
                "ScheduledQuantity": str(it["quantity"]),
            })  # fmt: skip
        for it in data["lots"]:
            self._row(work, "ItemBatches", {"ItemNumber": it["item"], "BatchNumber": it["lot"]})
            quantity = self._theirs(it["quantity"], it["unit"])
            work.put("stock", f"{it['item']}/{it['lot']}", {"quantity": quantity})

    def _theirs(self, quantity: object, unit: str) -> str:
        return f"{Decimal(str(quantity)) * PER_OURS[unit]:f}"

    def _row(self, work: Work, entity: str, made: Mapping[str, Any]) -> None:
        number = work.number(entity)
        work.put(entity, str(number), {"dataAreaId": COMPANY, "key": str(number), **made})

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set a production order's status as its keeper would."""
        self._set_status(work, order, STATES[state])

    def _set_status(self, work: Work, order: str, status: str) -> None:
        row = self._order(work, order)
        if row is not None:
            changed = {**row, "ProductionOrderStatus": status}
            work.put("ProductionOrderHeaders", row["key"], changed)

    def _order(self, work: Work, order: str) -> dict[str, Any] | None:
        rows = work.all("ProductionOrderHeaders")
        return next((row for row in rows if row["ProductionOrderNumber"] == order), None)

    # requests

    def door(self, status: int) -> Response:
        """Return the no of the door itself."""
        if status == 429:
            return error(429, "TooManyRequests", "The service is busy.")
        return error(401, "Unauthorized", "The access token is not valid.")

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one request: the queue or an entity."""
        self._work_off(work)
        if asked.method == "GET" and asked.path == "/data":
            return shown({"value": [{"name": name, "kind": "EntitySet"} for name in SETS]})
        name = asked.path.removeprefix("/data/")
        if asked.method == "GET" and name in SETS:
            if asked.query.pop("cross-company", "") != "true":
                return shown({"value": []})  # the user's own company is another one
            return page(self._rows(work, name), asked, size=PAGE)
        if asked.method == "POST" and asked.path == SEND:
            return self._take(work, asked)
        return error(404, "NotFound", f"No HTTP resource was found at {asked.path}.")

    def _rows(self, work: Work, name: str) -> list[dict[str, Any]]:
        if name == "MesPeriods":
            return self._periods(work)
        found = []
        for row in work.all(name):
            kept = {one: value for one, value in row.items() if one not in ("key", "age", "order")}
            found.append({
                one: Decimal(value) if one in NUMBERS else value for one, value in kept.items()
            })  # fmt: skip
        return found

    def _periods(self, work: Work) -> list[dict[str, Any]]:
        found, present = [], today()
        for start, end in months(present):
            state = "Open" if has_period(work, start) else "PermanentlyClosed"
            last = min(end, present)
            found.append({"dataAreaId": COMPANY, "StartDate": start.isoformat(),
                          "EndDate": last.isoformat(), "PeriodStatus": state})  # fmt: skip
        return found

    # the queue

    def _take(self, work: Work, asked: Asked) -> Response:
        """Take a message unread; only its envelope is looked at."""
        given = json_of(asked, lambda status, words: refuse("BadRequest", words, status))
        names = {"_companyId", "_messageQueue", "_messageType", "_messageContent"}
        if not isinstance(given, dict) or set(given) != names:
            return error(400, "BadRequest", f"The parameters are not {sorted(names)}.")
        if given["_companyId"] != COMPANY or given["_messageQueue"] != fields.QUEUE:
            return error(400, "BadRequest", "Company or message queue is not known.")
        if given["_messageType"] not in fields.CONTENT or not isinstance(
            given["_messageContent"], str
        ):
            return error(400, "BadRequest", "Message type is not known, or content is no text.")
        self._row(work, "MesMessages", {
            "MessageQueue": given["_messageQueue"], "MessageType": given["_messageType"],
            "MessageContent": given["_messageContent"], "MessageState": "Queued",
            "MessageInfolog": "", "age": 0,
        })  # fmt: skip
        return shown({})

    def _work_off(self, work: Work) -> None:
        """Run the batch job: it finds what the request before it has left."""
        for message in work.all("MesMessages"):
            if message["MessageState"] != "Queued":
                continue
            if not message["age"]:
                work.put("MesMessages", message["key"], {**message, "age": 1})
                continue
            told = {**message, "MessageState": "Processed"}
            for _ in range(TRIES):
                try:
                    with work.part():
                        self._process(work, message)
                except Failed as fault:
                    told |= {"MessageState": "Failed", "MessageInfolog": str(fault)}
                else:
                    break
            work.put("MesMessages", message["key"], told)

    def _process(self, work: Work, message: Mapping[str, Any]) -> None:
        kind = message["MessageType"]
        try:
            content = json.loads(message["MessageContent"], parse_float=Decimal)
        except ValueError as fault:
            raise Failed("The content is no JSON.") from fault
        wrong = fields.faults(kind, content, batch_field=BATCH_FIELD if self._extended else None)
        if wrong:
            raise Failed("; ".join(wrong))
        number = content["ProductionOrderNumber"]
        order = self._order(work, number)
        if order is None:
            raise Failed(f"Production order {number} does not exist.")
        status = order["ProductionOrderStatus"]
        if kind == fields.START:
            if status != "Released":
                raise Failed(f"Production order {number} cannot start from status {status}.")
            self._set_status(work, number, "StartedUp")
            return
        if status not in ("StartedUp", "ReportedFinished"):
            raise Failed(f"Status {status} of production order {number} does not allow posting.")
        if kind == fields.PICKING:
            for line in content["PickingListLines"]:
                self._pick(work, number, line)
        else:
            for line in content["ReportFinishedLines"]:
                self._finish(work, order, line)

    def _pick(self, work: Work, order: str, line: Mapping[str, Any]) -> None:
        item, quantity = line["ItemNumber"], Decimal(line["ConsumptionInventoryQuantity"])
        batches = self._batches(work, item)
        batch = str(line.get(BATCH_FIELD) or next(iter(batches), ""))
        if batch not in batches:
            raise Failed(f"Batch {batch} of item {item} does not exist.")
        self._move(work, item, batch, change=-quantity)
        self._journal(work, PICKINGS, on=line["ConsumptionDate"], made={
            "ProductionOrderNumber": order, "ItemNumber": item, "ItemBatchNumber": batch,
            "JournalLineNumber": str(line["LineNumber"]),
            "ConsumptionDate": line["ConsumptionDate"],
            "PositionNumber": line.get("PositionNumber", ""),
            "ConsumptionInventoryQuantity": f"{quantity:f}",
        })  # fmt: skip

    def _finish(self, work: Work, order: Mapping[str, Any], line: Mapping[str, Any]) -> None:
        if line["ItemNumber"] != order["ItemNumber"]:
            raise Failed(f"Item {line['ItemNumber']} is not made by this order.")
        if line.get("AutomaticBOMConsumptionRule") != "Never":
            raise Failed("Components would be consumed once more.")
        item, quantity = line["ItemNumber"], Decimal(line["ReportedGoodQuantity"])
        batch = line.get("ItemBatchNumber", "")
        if batch not in self._batches(work, item):
            self._row(work, "ItemBatches", {"ItemNumber": item, "BatchNumber": batch})
        self._move(work, item, batch, change=quantity)
        self._journal(work, RECEIPTS, on=line["ReportAsFinishedDate"], made={
            "ProductionOrderNumber": order["ProductionOrderNumber"], "ItemNumber": item,
            "ItemBatchNumber": batch, "JournalLineNumber": str(line["LineNumber"]),
            "ReportAsFinishedDate": line["ReportAsFinishedDate"],
            "ReportedGoodInventoryQuantity": f"{quantity:f}",
        })  # fmt: skip

    def _batches(self, work: Work, item: str) -> list[str]:
        rows = work.all("ItemBatches")
        return [row["BatchNumber"] for row in rows if row["ItemNumber"] == item]

    def _move(self, work: Work, item: str, batch: str, *, change: Decimal) -> None:
        key = f"{item}/{batch}"
        words = f"of item {item} batch {batch} cannot be picked."
        moved(work, key, change, short=lambda left: Failed(f"{-left:f} {words}"))

    def _journal(self, work: Work, entity: str, *, on: str, made: Mapping[str, Any]) -> None:
        if not has_period(work, date.fromisoformat(on)):
            raise Failed(f"The period of {on} is not open.")
        number = f"{work.number('journal', 100):06d}"
        posted = {"IsPosted": "Yes", "PostedDateTime": iso(now()), "JournalNumber": number}
        dates = {name: f"{made[name]}T12:00:00Z" for name in made if name.endswith("Date")}
        self._row(work, entity, {**made, **dates, **posted})
