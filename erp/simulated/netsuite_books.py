"""What a simulated NetSuite keeps, and how it books: periods, work orders, lots, general ledger."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from starlette.responses import JSONResponse, Response

from core.clock import now
from erp.adapters.netsuite import fields
from erp.simulated.records import Work
from erp.simulated.serving import Refusal, months, moved, today

ACCOUNT, SUBSIDIARY, LOCATION = "611", "1", "7"
TYPES = {"workOrderIssue": "WOIssue", "workOrderCompletion": "WOCompl",
         "inventoryAdjustment": "InvAdjst"}  # fmt: skip
UNITS = {"1": "kg", "2": "ea"}
UNIT_OF = {"KGM": "1", "C62": "2"}
STATES = {"cancelled": "C", "closed": "H", "built": "G"}


def error(status: int, code: str, words: str) -> Response:
    """Return a refusal in NetSuite's form."""
    detail = {"detail": words, "o:errorCode": code}
    content = {"title": "Bad Request", "status": status, "o:errorDetails": [detail]}
    return JSONResponse(content, status_code=status)


def refuse(words: str, code: str = "USER_ERROR") -> Refusal:
    """Return a business refusal to raise."""
    return Refusal(error(400, code, f"Error while accessing a resource. {words}"))


def _short(lot: int, change: Decimal, left: Decimal) -> Refusal:
    return refuse(f"Only {left - change:f} of lot {lot} is available.")


class NetSuiteBooks:
    """The rows of an account, as SuiteQL shows them."""

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("suiteql item"):
            return
        ids = {}
        made_here = {it["product"] for it in data["boms"]}
        for it in data["items"]:
            ids[it["code"]] = self._row(work, "item", {
                "itemid": it["code"], "displayname": it["name"], "upccode": it["gtin"],
                "stockunit": UNIT_OF[it["unit"]], "isinactive": "F",
                "itemtype": "Assembly" if it["code"] in made_here else "InvtPart",
            })  # fmt: skip
        for it in data["customers"]:
            made = {"entityid": it["code"], "companyname": it["name"], "isinactive": "F"}
            self._row(work, "customer", made)
        for it in data["boms"]:
            revision = work.number("id")
            self._row(work, "assemblyitembom", {
                "assembly": ids[it["product"]], "billofmaterials": work.number("id"),
                "currentrevision": revision, "masterdefault": "T",
            })  # fmt: skip
            for n, line in enumerate(it["lines"], 1):
                each = Decimal(str(line["quantity"])) / Decimal(str(it["quantity"]))
                self._row(work, "bomrevisioncomponentmember", {
                    "bomrevision": revision, "item": ids[line["item"]], "lineid": n,
                    "bomquantity": f"{each:f}", "units": UNIT_OF[line["unit"]],
                })  # fmt: skip
        for it in data["orders"]:
            order = self._row(work, "transaction", {
                "type": "WorkOrd", "tranid": it["id"], "status": "B", "trandate": _today(),
                "createddate": _moment(), "lastmodifieddate": _moment(),
            })  # fmt: skip
            self._row(work, "transactionline", {
                "transaction": order, "id": 0, "item": ids[it["product"]], "mainline": "T",
                "quantity": str(it["quantity"]),
            })  # fmt: skip
        for start, end in months(date(today().year, 12, 31)):
            self._row(work, "accountingperiod", {
                "periodname": f"{start:%b %Y}", "startdate": start.isoformat(), "closed": "F",
                "enddate": end.isoformat(), "alllocked": "F", "isposting": "T", "isyear": "F",
                "isquarter": "F", "isadjust": "F", "isinactive": "F",
            })  # fmt: skip
        for it in data["lots"]:
            made = {"item": ids[it["item"]], "inventorynumber": it["lot"]}
            lot = self._row(work, "inventorynumber", made)
            work.put("stock", str(lot), {"quantity": str(it["quantity"])})

    def _row(self, work: Work, table: str, made: Mapping[str, Any]) -> int:
        """Keep a row under a number of its own, which is its id where it has none."""
        number = work.number("id")
        work.put(f"suiteql {table}", str(number), {"id": number, **made})
        return number

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set a work order's status as its keeper would."""
        for row in work.all("suiteql transaction"):
            if row["type"] == "WorkOrd" and row["tranid"] == order:
                changed = {**row, "status": STATES[state], "lastmodifieddate": _moment()}
                work.put("suiteql transaction", str(row["id"]), changed)

    def note_closed(self, work: Work) -> None:
        """Mark the periods that their keeper has closed or opened."""
        closed = {it["period"] for it in work.all("closed_period")}
        for row in work.all("suiteql accountingperiod"):
            mark = "T" if row["startdate"][:7] in closed else "F"
            if mark != row["closed"]:
                changed = {**row, "closed": mark}
                work.put("suiteql accountingperiod", str(row["id"]), changed)

    def book(self, work: Work, kind: str, record: dict[str, Any]) -> int:
        """Return the id of a new transaction."""
        wrong = fields.faults(record, fields.RECORDS[kind])
        if wrong:
            raise refuse("; ".join(wrong), "INVALID_CONTENT")
        period = self._period(work, record)
        head = {
            "type": TYPES[kind], "externalid": record.get("externalId"),
            "memo": record.get("memo"), "trandate": record.get("tranDate", _today()),
            "createddate": _moment(), "lastmodifieddate": _moment(), "postingperiod": period,
        }  # fmt: skip
        if kind == "inventoryAdjustment":
            return self._adjust(work, record, head)
        order, product = self._order(work, record)
        made = self._row(work, "transaction", head)
        line = {"transaction": made, "createdfrom": order["id"]}
        main = {**line, "id": 0, "item": product, "mainline": "T"}
        if kind == "workOrderCompletion":
            if record.get("isBackflush") is not False:
                raise refuse("isBackflush is to be false: components are issued by themselves.")
            self._complete(work, record, main)
        else:
            self._row(work, "transactionline", main)
            self._issue(work, record, line=line, product=product)
        work.put("suiteql transaction", str(order["id"]), {**order, "status": "D"})
        self._ledger(work, made)
        return made

    def _period(self, work: Work, record: Mapping[str, Any]) -> int:
        self.note_closed(work)
        periods = work.all("suiteql accountingperiod")
        given = record.get("postingPeriod", {}).get("id")
        if given is None:
            return int(next(row["id"] for row in periods if row["closed"] == "F"))
        found = [row for row in periods if str(row["id"]) == given]
        if not found:
            raise refuse(f"Invalid reference {given} for postingPeriod.")
        if found[0]["closed"] == "T":
            raise refuse(f"Posting period {found[0]['periodname']} is closed.")
        return int(found[0]["id"])

    def _order(self, work: Work, record: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        given = record.get("createdFrom", {}).get("id", "")
        order = work.get("suiteql transaction", given)
        if order is None or order["type"] != "WorkOrd":
            raise refuse(f"Invalid reference {given} for createdFrom.")
        if order["status"] not in ("B", "D", "G"):
            raise refuse(f"Work order {order['tranid']} has status {order['status']}.")
        lines = work.all("suiteql transactionline")
        return order, next(it["item"] for it in lines if it["transaction"] == order["id"])

    def _issue(
        self, work: Work, record: Mapping[str, Any], *, line: Mapping[str, Any], product: int
    ) -> None:
        boms = {it["assembly"]: it["currentrevision"] for it in work.all("suiteql assemblyitembom")}
        known = {
            str(it["item"])
            for it in work.all("suiteql bomrevisioncomponentmember")
            if it["bomrevision"] == boms.get(product)
        }
        for n, row in enumerate(record["component"]["items"], 1):
            if row["item"] not in known:
                raise refuse(f"Item {row['item']} is no component of the work order.")
            quantity = Decimal(row["quantity"])
            self._row(work, "transactionline", {**line, "id": n, "item": int(row["item"]),
                      "mainline": "F", "quantity": f"{-quantity}"})  # fmt: skip
            detail = row.get("componentInventoryDetail")
            self._lots(work, detail, wanted=quantity, sign=-1, line={**line, "id": n,
                       "item": int(row["item"])})  # fmt: skip

    def _complete(self, work: Work, record: Mapping[str, Any], line: Mapping[str, Any]) -> None:
        quantity = Decimal(record["completedQuantity"])
        self._row(work, "transactionline", {**line, "quantity": f"{quantity}"})
        self._lots(work, record.get("inventoryDetail"), wanted=quantity, sign=1, line=line)

    def _adjust(self, work: Work, record: Mapping[str, Any], head: Mapping[str, Any]) -> int:
        wanted = {"account": ACCOUNT, "subsidiary": SUBSIDIARY, "adjLocation": LOCATION}
        for name, known in wanted.items():
            if record.get(name, {}).get("id") != known:
                raise refuse(f"Invalid reference for {name}.")
        made = self._row(work, "transaction", head)
        self._row(work, "transactionline", {"transaction": made, "id": 0, "mainline": "T"})
        for n, row in enumerate(record["inventory"]["items"], 1):
            quantity = Decimal(row["adjustQtyBy"])
            line = {"transaction": made, "id": n, "item": int(row["item"]["id"])}
            kept = {**line, "mainline": "F", "quantity": f"{quantity}"}
            self._row(work, "transactionline", kept)
            self._lots(work, row.get("inventoryDetail"), wanted=quantity, sign=1, line=line)
        self._ledger(work, made)
        return made

    def _lots(
        self,
        work: Work,
        detail: Mapping[str, Any] | None,
        *,
        wanted: Decimal,
        sign: int,
        line: Mapping[str, Any],
    ) -> None:
        """Move the lots of a line; every item here is kept in lots."""
        if detail is None:
            raise refuse("Please configure the inventory detail for this line.")
        rows = detail["inventoryAssignment"]["items"]
        if not wanted == Decimal(detail["quantity"]) == sum(Decimal(it["quantity"]) for it in rows):
            raise refuse("The total inventory detail quantity must equal the line's quantity.")
        for row in rows:
            change = sign * Decimal(row["quantity"])
            lot = self._lot(work, row, int(line["item"]))
            moved(work, str(lot), change, short=partial(_short, lot, change))
            self._row(work, "inventoryassignment", {
                "transaction": line["transaction"], "transactionline": line["id"],
                "inventorynumber": lot, "quantity": f"{change:f}",
            })  # fmt: skip

    def _lot(self, work: Work, row: Mapping[str, Any], item: int) -> int:
        numbers = [it for it in work.all("suiteql inventorynumber") if it["item"] == item]
        if "receiptInventoryNumber" in row:
            text = row["receiptInventoryNumber"]
            found = [it["id"] for it in numbers if it["inventorynumber"] == text]
            made = {"item": item, "inventorynumber": text}
            return int(found[0] if found else self._row(work, "inventorynumber", made))
        given = row.get("issueInventoryNumber", {}).get("id")
        if given not in [str(it["id"]) for it in numbers]:
            raise refuse(f"Invalid reference {given} for issueInventoryNumber.")
        return int(given)

    def _ledger(self, work: Work, transaction: int) -> None:
        for account in ("120", "125"):
            self._row(work, "transactionaccountingline", {
                "transaction": transaction, "transactionline": 0, "account": account,
                "posting": "T",
            })  # fmt: skip


def _today() -> str:
    return today().isoformat()


def _moment() -> str:
    return f"{now():%Y-%m-%d %H:%M:%S}"
