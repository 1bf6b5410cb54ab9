"""A strict Oracle Fusion Cloud Manufacturing: token, transactions, what they completed, masters.

A transaction that is refused is answered with 201 and errors at its line, as Oracle does. The
resources that post cannot be read. Names of messages are ours: Oracle's are not published.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response

from core.clock import iso, now
from erp.adapters.oracle import fields
from erp.adapters.oracle.mapping import TYPES
from erp.adapters.oracle.service import PARTIES, SUPPLY
from erp.simulated.records import Work
from erp.simulated.serving import Asked, Refusal, has_period, moved
from erp.simulated.tokens import Tokens

ORGANIZATION, SOURCE, OPERATION = "M1", "MES", 10
FROM, TO = "RM", "FG"
SCOPE = "urn:opc:resource:fusion:simulated:scm/"
TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - a path
MEDIA = ("application/vnd.oracle.adf.resourceitem+json", "application/json")
SENT_AS, KEPT_AS = "SourceHeaderReference", "Reference"
UNITS = {"KGM": "Gram", "C62": "Each"}
PER_OURS = {"KGM": 1000, "C62": 1}
STATES = {"cancelled": "ORA_CANCELED", "closed": "ORA_CLOSED", "reported": "ORA_COMPLETED"}
OPTIONS = {"q", "limit", "offset", "onlyData", "expand"}
TERM = re.compile(r"(\w+)='((?:[^']|'')*)'")
LEAST, MOST = 25, 500
NUMBERS = ("TransactionId", "TransactionQuantity", "PlannedStartQuantity", "Quantity")
COLLECTIONS = {
    **{
        f"/{SUPPLY}/{name}": name
        for name in ("itemsV2", "itemStructures", "workOrders", "inventoryCompletedTransactions")
    },
    f"/{PARTIES}/hubOrganizations": "hubOrganizations",
}
CHILDREN = {"itemStructures": "Component", "inventoryCompletedTransactions": "lots"}
ANSWERED = ("InvTransactionId", "ErrorMessages", "ErrorMessageNames")
POSTS = {f"/{SUPPLY}/{name}": name for name in fields.DETAIL}
ENCODER = msgspec.json.Encoder(decimal_format="number")


class Failed(Exception):
    """A line is refused; name and words stand in the answer."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(words)
        self.name = name


def shown(content: Mapping[str, Any], status: int = 200) -> Response:
    """Return an answer with exact numbers."""
    return Response(ENCODER.encode(content), status_code=status, media_type=MEDIA[0])


def refuse(status: int, words: str) -> Refusal:
    """Return a refusal to raise."""
    return Refusal(Response(words, status_code=status, media_type="text/plain"))


def _short(words: str, left: Decimal) -> Failed:
    return Failed("SIM_STOCK", f"{-left:f} {words}")


class Oracle:
    """One organisation of discrete manufacturing; `keeps` is whether a reference comes back."""

    def __init__(self, client_id: str, secret: str, *, keeps: bool = True) -> None:
        self.gate = Tokens(TOKEN_PATH, client_id, secret, scope=SCOPE, in_header=True)
        self._keeps = keeps

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("itemsV2"):
            return
        mine = {"OrganizationCode": ORGANIZATION}
        for it in data["items"]:
            made = {"ItemNumber": it["code"], "ItemDescription": it["name"]}
            work.put("itemsV2", it["code"], mine | made | {"PrimaryUOMValue": UNITS[it["unit"]]})
        for it in data["customers"]:
            made = {"PartyNumber": it["code"], "OrganizationName": it["name"]}
            work.put("hubOrganizations", it["code"], made)
        for it in data["boms"]:
            parts = [
                {
                    "ComponentItemNumber": line["item"],
                    "Quantity": self._theirs(line["quantity"], line["unit"], per=it["quantity"]),
                    "EndDateTime": None,
                }
                for line in it["lines"]
            ]
            made = {"ItemNumber": it["product"], "StructureName": "Primary", "Component": parts}
            work.put("itemStructures", it["product"], mine | made)
        for it in data["orders"]:
            made = {
                "WorkOrderNumber": it["id"],
                "ItemNumber": it["product"],
                "WorkOrderStatusCode": "ORA_RELEASED",
                "PlannedStartQuantity": str(it["quantity"]),
                "PlannedCompletionDate": it["due_at"],
            }
            work.put("workOrders", it["id"], mine | made)
        for it in data["lots"]:
            quantity = self._theirs(it["quantity"], it["unit"])
            work.put("stock", f"{FROM}/{it['item']}/{it['lot']}", {"quantity": quantity})

    def _theirs(self, quantity: object, unit: str, *, per: object = 1) -> str:
        return f"{Decimal(str(quantity)) * PER_OURS[unit] / Decimal(str(per)):f}"

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set a work order's status as its keeper would."""
        row = work.get("workOrders", order)
        if row is not None:
            work.put("workOrders", order, {**row, "WorkOrderStatusCode": STATES[state]})

    # requests

    def door(self, status: int) -> Response:
        """Return the no of the door itself: a status and nothing else."""
        return Response(status_code=status)

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one request: a collection or a posting."""
        if asked.path in POSTS:
            if asked.method != "POST":
                raise refuse(405, "Get action not supported")
            return self._post(work, asked, POSTS[asked.path])
        name = COLLECTIONS.get(asked.path)
        if name is None:
            raise refuse(404, f"{asked.path} is no resource")
        if asked.method != "GET":
            raise refuse(405, f"{asked.method} is not supported")
        return self._page(work, asked, name)

    def _page(self, work: Work, asked: Asked, name: str) -> Response:
        unknown = set(asked.query) - OPTIONS
        if unknown:
            raise refuse(400, f"The query parameters {sorted(unknown)} are not valid.")
        child = CHILDREN.get(name)
        expand = asked.query.get("expand")
        if expand not in (None, child):
            raise refuse(400, f"{expand} is no child of {name}.")
        kept = [self._row(row) for row in self._seen(work, name)]
        found = [row for row in kept if self._fits(row, asked.query.get("q", ""))]
        start = int(asked.query.get("offset", 0))
        limit = min(int(asked.query.get("limit", LEAST)), MOST)
        rows = found[start : start + limit]
        if expand is None:
            rows = [{key: value for key, value in row.items() if key != child} for row in rows]
        return shown({
            "items": rows, "count": len(rows), "hasMore": start + limit < len(found),
            "limit": limit, "offset": start, "links": [],
        })  # fmt: skip

    def _seen(self, work: Work, name: str) -> list[dict[str, Any]]:
        """Return the rows that are seen; what comes late is seen by the next question."""
        rows = work.all(name)
        for row in rows:
            if row.get("late"):
                work.put(name, str(row["TransactionId"]), {**row, "late": False})
        return [row for row in rows if not row.get("late")]

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row as it goes out: its numbers as numbers, also in its children."""
        out: dict[str, Any] = {}
        for key, value in row.items():
            if isinstance(value, list):
                out[key] = [self._row(one) for one in value]
            elif key != "late":
                out[key] = Decimal(value) if key in NUMBERS else value
        return out

    def _fits(self, row: Mapping[str, Any], query: str) -> bool:
        for part in filter(None, re.split(r";(?=\w+=')", query)):
            found = TERM.fullmatch(part)
            if found is None:
                raise refuse(400, f"{part} is no term.")
            name, value = found[1], found[2].replace("''", "'")
            if name not in row:
                raise refuse(400, f"Attribute {name} cannot be queried.")
            if str(row[name]) != value:
                return False
        return True

    # postings

    def _post(self, work: Work, asked: Asked, resource: str) -> Response:
        if asked.headers.get("content-type", "") not in MEDIA:
            raise refuse(415, f"The content is not {MEDIA[0]}.")
        try:
            content = json.loads(asked.body, parse_float=Decimal)
            wrong = fields.faults(resource, content, reference_to=SENT_AS)
        except (ValueError, AttributeError, TypeError) as fault:
            raise refuse(400, "The request body is not valid.") from fault
        if wrong:
            raise refuse(400, "; ".join(wrong))
        if content["SourceSystemCode"] != SOURCE:
            raise refuse(400, f"Source system {content['SourceSystemCode']} is not registered.")
        move: Callable[[Work, Mapping[str, Any]], int] = (
            self._material if resource == fields.MATERIAL else self._operation
        )
        lines, failed = [], False
        for line in content[fields.DETAIL[resource]]:
            told: dict[str, Any] = dict.fromkeys(ANSWERED)
            try:
                with work.part():
                    told["InvTransactionId"] = move(work, line)
            except Failed as fault:
                failed = True
                told |= {"ErrorMessages": str(fault), "ErrorMessageNames": fault.name}
            lines.append({**line, **told})
        flag = "true" if failed else "false"
        answer = {**content, "ErrorsExistFlag": flag, fields.DETAIL[resource]: lines}
        return shown(answer, 201)

    def _order(self, work: Work, line: Mapping[str, Any]) -> dict[str, Any]:
        if line["OrganizationCode"] != ORGANIZATION:
            raise Failed("SIM_ORGANIZATION", f"Organization {line['OrganizationCode']}: unknown.")
        order = work.get("workOrders", line["WorkOrderNumber"])
        if order is None:
            raise Failed("SIM_WORK_ORDER", f"Work order {line['WorkOrderNumber']} is not there.")
        if order["WorkOrderStatusCode"] not in ("ORA_RELEASED", "ORA_COMPLETED"):
            raise Failed("SIM_STATUS", f"Status {order['WorkOrderStatusCode']} takes nothing.")
        if line["WoOperationSequenceNumber"] != OPERATION:
            raise Failed("SIM_OPERATION", "The operation sequence is not there.")
        return order

    def _material(self, work: Work, line: Mapping[str, Any]) -> int:
        self._order(work, line)
        issues = line["TransactionTypeCode"] == fields.ISSUE
        sign, kind = (-1, "issue") if issues else (1, "return")
        item, place = line["InventoryItemNumber"], line["SubinventoryCode"]
        if place != FROM:
            raise Failed("SIM_SUBINVENTORY", f"Subinventory {place} is not there.")
        for lot in self._lots(line):
            if work.get("stock", f"{place}/{item}/{lot['LotNumber']}") is None:
                raise Failed("SIM_LOT", f"Lot {lot['LotNumber']} of item {item} is not there.")
        return self._move(work, line, kind=kind, item=item, place=place, sign=sign)

    def _operation(self, work: Work, line: Mapping[str, Any]) -> int:
        order = self._order(work, line)
        way = (line["FromDispatchState"], line["ToDispatchState"])
        if way not in ((fields.READY, fields.COMPLETE), (fields.COMPLETE, fields.READY)):
            raise Failed("SIM_STATE", f"{way[0]} cannot become {way[1]}.")
        place = line["ComplSubinventoryCode"]
        if place != TO:
            raise Failed("SIM_SUBINVENTORY", f"Subinventory {place} is not there.")
        sign, kind = (1, "receipt") if way[1] == fields.COMPLETE else (-1, "unreceipt")
        item = order["ItemNumber"]
        return self._move(work, line, kind=kind, item=item, place=place, sign=sign)

    def _lots(self, line: Mapping[str, Any]) -> list[dict[str, Any]]:
        lots: list[dict[str, Any]] = line.get("TransactionLot") or []
        if not lots:
            raise Failed("SIM_LOT_MISSING", "The item is under lot control.")
        if sum(lot["TransactionQuantity"] for lot in lots) != line["TransactionQuantity"]:
            raise Failed("SIM_LOT_QUANTITY", "The lots do not sum to the transaction.")
        return lots

    def _move(
        self, work: Work, line: Mapping[str, Any], *, kind: str, item: str, place: str, sign: int
    ) -> int:
        known = work.get("itemsV2", item)
        if known is None:
            raise Failed("SIM_ITEM", f"Item {item} is not there.")
        unit = line["TransactionUnitOfMeasure"]
        if known["PrimaryUOMValue"] != unit:
            raise Failed("SIM_UOM", f"{unit} is no unit of item {item}.")
        at = datetime.fromisoformat(line["TransactionDate"])
        if at > now():
            raise Failed("SIM_FUTURE", "The transaction date is in the future.")
        if not has_period(work, at.date()):
            raise Failed("SIM_PERIOD", f"The period of {at.date()} is not open.")
        for lot in self._lots(line):
            key = f"{place}/{item}/{lot['LotNumber']}"
            change, words = sign * lot["TransactionQuantity"], f"{unit} of item {item} are missing."
            moved(work, key, change, short=partial(_short, words))
        number = work.number("transaction", 300_000_001)
        lots = [
            {"LotNumber": lot["LotNumber"],
             "TransactionQuantity": f"{sign * lot['TransactionQuantity']:f}"}
            for lot in self._lots(line)
        ]  # fmt: skip
        work.put("inventoryCompletedTransactions", str(number), {
            "TransactionId": str(number), "OrganizationCode": ORGANIZATION, "ItemNumber": item,
            "TransactionType": TYPES[kind], "TransactionUOM": unit, "SubinventoryCode": place,
            "TransactionQuantity": f"{sign * line['TransactionQuantity']:f}",
            "TransactionDate": line["TransactionDate"], "CreationDate": iso(now()),
            "TransactionSourceName": line["WorkOrderNumber"], "lots": lots,
            KEPT_AS: line[SENT_AS] if self._keeps else None,
            # A product comes to stock when the operation's transaction has been worked off.
            "late": kind in ("receipt", "unreceipt"),
        })  # fmt: skip
        return number
