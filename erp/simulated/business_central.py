"""A strict Business Central: token, company, types, keys, posting range, periods, stock, ledger.

Standard pages answer as Microsoft publishes them. The page that posts behaves as our contract asks
the customer's partner to make it. Codes of refusals are Microsoft's published ones; which refusal
carries which code is our reading, so the adapter relies on the code of a taken key alone.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from core.clock import iso, now
from erp.adapters.business_central import fields
from erp.simulated.odata4 import error, page, refuse, shown
from erp.simulated.records import Work
from erp.simulated.serving import YEARS, Asked, json_of, months, moved, today
from erp.simulated.tokens import Tokens

COMPANY = "5c9b0d5e-0f3e-4d0a-9a57-3d2f4a1b6c7d"
TENANT = "3f1e9f6a-7f0e-4a3e-8b5e-9d1f2c3b4a5d"
TOKEN_PATH = f"/{TENANT}/oauth2/v2.0/token"
SCOPE = "https://api.businesscentral.dynamics.com/.default"
ROOT = f"/v2.0/{TENANT}/production"
STANDARD = f"{ROOT}/api/v2.0/companies({COMPANY})"
ANALYTICS = f"{ROOT}/api/microsoft/analytics/v1.0/companies({COMPANY})"
CUSTOM = f"{ROOT}/api/batchwright/execution/v1.0/companies({COMPANY})"
PAGE = 25  # small, so that every list of the tests has a next page
UNITS = {"KGM": "KG", "C62": "PCS"}
SETS = {
    f"{STANDARD}/items": "item",
    f"{STANDARD}/customers": "customer",
    f"{STANDARD}/generalLedgerEntries": "gl",
    f"{STANDARD}/generalLedgerSetups": "setup",
    f"{STANDARD}/accountingPeriods": "accounting_period",
    f"{ANALYTICS}/manufacturingProductionOrders": "order",
    f"{ANALYTICS}/itemLedgerEntries": "analytics_entry",
    f"{CUSTOM}/postings": "posting",
    f"{CUSTOM}/entries": "entry",
    f"{CUSTOM}/productionBomLines": "bom_line",
}
STATES = {"cancelled": "Finished", "closed": "Finished", "finished": "Finished"}


def dialog(words: str) -> Exception:
    """Return a refusal of AL's Error()."""
    return refuse("Application_DialogException", words)


class BusinessCentral:
    """One company; `gl_at_once` is its Automatic Cost Posting."""

    def __init__(self, client_id: str, secret: str, *, gl_at_once: bool = True) -> None:
        self.gate = Tokens(TOKEN_PATH, client_id, secret, scope=SCOPE)
        self._gl_at_once = gl_at_once

    # what stands in it

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("item"):
            return
        for it in data["items"]:
            work.put("item", it["code"], {
                "number": it["code"], "displayName": it["name"], "type": "Inventory",
                "blocked": False, "gtin": it["gtin"] or "",
                "baseUnitOfMeasureCode": UNITS[it["unit"]],
            })  # fmt: skip
        for it in data["customers"]:
            made = {"number": it["code"], "displayName": it["name"]}
            work.put("customer", it["code"], made)
        for it in data["orders"]:
            work.put("order", it["id"], {
                "status": "Released", "no": it["id"], "sourceType": "Item",
                "sourceNo": it["product"], "dueDate": fields.NO_DATE, "description": it["product"],
                "quantity": it["quantity"],
            })  # fmt: skip
        for it in data["boms"]:
            for line in it["lines"]:
                work.put("bom_line", f"{it['product']}/{line['item']}", {
                    "parentItemNumber": it["product"], "parentQuantityBase": it["quantity"],
                    "parentBaseUnit": UNITS[it["unit"]], "itemNumber": line["item"],
                    "quantityBase": line["quantity"],
                    "baseUnitOfMeasureCode": UNITS[line["unit"]],
                })  # fmt: skip
        year = today().year
        for first, _ in months(date(year, 12, 31)):
            start = first.isoformat()
            work.put("accounting_period", start, {"startingDate": start, "closed": False})
        for it in data["lots"]:
            made = {"itemNumber": it["item"], "lotNumber": it["lot"], "orderNumber": "",
                    "documentNumber": "START", "postingDate": f"{year - YEARS}-01-01",
                    "entryType": "Positive_x0020_Adjmt_x002E_"}  # fmt: skip
            self._entry(work, made, quantity=Decimal(it["quantity"]), posting={})

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Change an order's status as its keeper would; none is cancelled there, only finished."""
        work.put("order", order, {**(work.get("order", order) or {}), "status": STATES[state]})

    # requests

    def door(self, status: int) -> Response:
        """Return the no of the door itself, as Microsoft publishes its codes."""
        if status == 429:
            return error(429, "Application_TooManyRequests", "Too many requests reached.")
        words = "The server has rejected the client credentials."
        return error(401, "Authentication_InvalidCredentials", words)

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one request: company, then the page."""
        if asked.method == "GET" and asked.path == STANDARD:
            return shown({"id": COMPANY, "name": "CRONUS"})
        if asked.path not in SETS:
            words = f"Resource not found for the segment '{asked.path.rpartition('/')[2]}'."
            return error(404, "BadRequest_ResourceNotFound", words)
        if asked.method == "GET":
            return page(self._rows(work, SETS[asked.path]), asked, size=PAGE)
        if asked.method == "POST" and asked.path == f"{CUSTOM}/postings":
            return self._post(work, asked)
        words = f"'{asked.method}' requests are not allowed here."
        return error(405, "BadRequest_MethodNotAllowed", words)

    def _rows(self, work: Work, kind: str) -> list[dict[str, Any]]:
        if kind == "setup":
            return [self._range(work)]
        if kind == "analytics_entry":
            return [
                {"entryNo": it["entryNumber"], "itemNo": it["itemNumber"], "lotNo": it["lotNumber"],
                 "documentNo": it["documentNumber"], "quantity": it["quantity"]}
                for it in self._rows(work, "entry")
            ]  # fmt: skip
        found = work.all(kind)
        for row in found:  # the file keeps texts, the wire has numbers
            for name in ("quantity", "quantityBase", "parentQuantityBase"):
                if name in row:
                    row[name] = Decimal(str(row[name]))
        return found

    def _range(self, work: Work) -> dict[str, Any]:
        """Return the range of posting dates: it begins after the last month that was closed."""
        closed = [it["period"] for it in work.all("closed_period")]
        first = fields.NO_DATE
        if closed:
            after = date.fromisoformat(f"{max(closed)}-01") + timedelta(days=32)
            first = after.replace(day=1).isoformat()
        return {"allowPostingFrom": first, "allowPostingTo": fields.NO_DATE}

    # posting

    def _post(self, work: Work, asked: Asked) -> Response:
        record = json_of(asked, lambda status, words: refuse("BadRequest", words, status))
        wrong = fields.faults(record)
        if wrong:
            raise refuse("BadRequest", "; ".join(wrong))
        if work.get("posting", record["reference"]) is not None:
            words = f"The Posting already exists: reference='{record['reference']}'"
            raise refuse("Internal_EntityWithSameKeyExists", words)
        self._check(work, record)
        consumed = record["entryType"] != "Output"
        change = -record["quantity"] if consumed else record["quantity"]
        made = {
            **{name: record[name] for name in ("itemNumber", "lotNumber", "orderNumber")},
            "documentNumber": record["reference"],
            "postingDate": record["postingDate"],
            "entryType": record["entryType"],
        }
        number = self._entry(work, made, quantity=change, posting=record)
        kept = {
            **record,
            "quantity": f"{record['quantity']}",
            "corrects": record.get("corrects", ""),
            "undoes": record.get("undoes", ""),
            "entryNumber": number,
        }
        work.put("posting", record["reference"], kept)
        shown_now = {**kept, "quantity": record["quantity"], "@odata.etag": f'W/"{number}"'}
        return shown(shown_now, 201)

    def _check(self, work: Work, record: Mapping[str, Any]) -> None:
        day = record["postingDate"]
        if day < self._range(work)["allowPostingFrom"]:
            raise dialog("Posting Date is not within your range of allowed posting dates.")
        if not any(it["startingDate"] <= day for it in work.all("accounting_period")):
            words = "There is no Accounting Period within the filter."
            raise refuse("Internal_DataNotFoundFilter", words)
        order = work.get("order", record["orderNumber"])
        if order is None:
            words = f"The Production Order does not exist. No.='{record['orderNumber']}'"
            raise refuse("Internal_RecordNotFound", words)
        if order["status"] != "Released":
            raise dialog(f"Status must be equal to 'Released' in order {order['no']}.")
        item = work.get("item", record["itemNumber"])
        if item is None:
            words = f"The field Item No. contains a value ({record['itemNumber']})"
            raise refuse("Internal_InvalidTableRelation", words)
        if item["baseUnitOfMeasureCode"] != record["unitOfMeasureCode"]:
            words = f"The Item Unit of Measure does not exist: {record['unitOfMeasureCode']}"
            raise refuse("Internal_RecordNotFound", words)
        if record.get("undoes"):
            self._check_entry(work, record["undoes"])
        if record.get("corrects"):
            self._check_original(work, record["corrects"])

    def _check_entry(self, work: Work, number: str) -> None:
        if work.get("entry", number) is None:
            raise refuse("Internal_RecordNotFound", f"The Entry does not exist: {number}")
        if any(it["undoes"] == number for it in work.all("posting")):
            raise dialog(f"Entry {number} has been undone already.")

    def _check_original(self, work: Work, original: str) -> None:
        if work.get("posting", original) is None:
            raise refuse("Internal_RecordNotFound", f"The Posting does not exist: {original}")
        if any(it["corrects"] == original for it in work.all("posting")):
            raise dialog(f"Posting {original} has been corrected already.")

    def _entry(
        self, work: Work, made: dict[str, Any], *, quantity: Decimal, posting: Mapping[str, Any]
    ) -> int:
        """Write an item ledger entry, and its cost where that is done at once."""
        key = f"{made['itemNumber']}/{made['lotNumber']}"
        words = f"You have insufficient quantity of Item {key} on inventory."
        moved(work, key, quantity, short=lambda _: dialog(words))
        number = work.number("entry")
        item = work.get("item", made["itemNumber"]) or {}
        work.put("entry", str(number), {
            **made, "entryNumber": number, "quantity": f"{quantity}",
            "baseUnitOfMeasureCode": item["baseUnitOfMeasureCode"],
            "systemCreatedAt": iso(now()), "messageId": posting.get("messageId", ""),
            "movement": posting.get("movement", ""), "corrects": posting.get("corrects", ""),
        })  # fmt: skip
        for account in ("2140", "2130") if self._gl_at_once else ():
            gl = work.number("gl")
            work.put("gl", str(gl), {
                "entryNumber": gl, "postingDate": made["postingDate"], "accountNumber": account,
                "documentNumber": made["documentNumber"],
            })  # fmt: skip
        return number
