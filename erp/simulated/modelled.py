"""A strict ERP behind a modelled OData V4 service: IFS Cloud's way in, and Infor LN's.

Login, path and headers are as the makers publish them; the sets behave as our contract asks the
customer's people to model them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from core.clock import iso, now
from erp.adapters.odata import fields
from erp.adapters.odata.reached import ifs_service, ln_service
from erp.simulated.odata4 import error, page, refuse, shown
from erp.simulated.records import Work
from erp.simulated.serving import Asked, has_period, json_of, months, moved, today
from erp.simulated.tokens import Tokens

PAGE = 25  # small, so that every list of the tests has a next page
UNITS = {"KGM": "KGM", "C62": "C62"}
OUT = ("issue", "scrap")
STATES = {"cancelled": "cancelled", "closed": "closed", "planned": "planned"}
TENANT, COMPANY, IDENTITY, CLIENT = "ACME_TST", "0100", "lnapi_mes", "ACME_TST~abc"


@dataclass(frozen=True, slots=True)
class Way:
    """How a maker's service is reached."""

    token_path: str
    service: str
    form: Mapping[str, str]
    headers: Mapping[str, str]


def ifs(user: str, secret: str) -> "Modelled":
    """Return an IFS Cloud with a projection of the customer's."""
    path = "/auth/realms/ifscloud/protocol/openid-connect/token"
    service = f"/{ifs_service('BatchwrightPosting')}"
    form = {"grant_type": "client_credentials", "client_id": user, "client_secret": secret}
    return Modelled(Way(path, service, form | {"scope": "openid"}, {}))


def ln(user: str, secret: str) -> "Modelled":
    """Return an Infor LN behind its API Gateway."""
    form = {"grant_type": "password", "username": user, "password": secret,
            "client_id": CLIENT, "client_secret": "of the client"}  # fmt: skip
    headers = {"x-infor-lncompany": COMPANY, "x-infor-lnidentity": IDENTITY}
    service = f"/{TENANT}/{ln_service('mes.posting')}"
    return Modelled(Way(f"/{TENANT}/as/token.oauth2", service, form, headers))


class Modelled:
    """One site, whose general ledger is written at once."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.gate = Tokens.of_form(way.token_path, way.form)

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("items"):
            return
        for it in data["items"]:
            made = {"itemNumber": it["code"], "name": it["name"], "gtin": it["gtin"] or ""}
            work.put("items", it["code"], made | {"unitCode": UNITS[it["unit"]]})
        for it in data["boms"]:
            for line in it["lines"]:
                work.put("bomLines", f"{it['product']}/{line['item']}", {
                    "parentItemNumber": it["product"], "parentQuantity": it["quantity"],
                    "parentUnitCode": UNITS[it["unit"]], "itemNumber": line["item"],
                    "quantity": line["quantity"], "unitCode": UNITS[line["unit"]],
                })  # fmt: skip
        for it in data["orders"]:
            work.put("orders", it["id"], {
                "orderNumber": it["id"], "itemNumber": it["product"], "quantity": it["quantity"],
                "unitCode": UNITS[it["unit"]], "state": "released", "dueDate": None,
            })  # fmt: skip
        for it in data["customers"]:
            work.put("customers", it["code"], {"customerNumber": it["code"], "name": it["name"]})
        for it in data["lots"]:
            self._add_lot(work, it["item"], it["lot"])
            self._move(work, it["item"], lot=it["lot"], change=Decimal(it["quantity"]))

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set an order's state as its keeper would."""
        work.put("orders", order, {**(work.get("orders", order) or {}), "state": STATES[state]})

    def door(self, status: int) -> Response:
        """Return the no of the door itself."""
        if status == 429:
            return error(429, "THROTTLED", "Too many calls.")
        return error(401, "UNAUTHORIZED", "No token, or one that has ended.")

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one request: headers, then the set."""
        for name, value in self._way.headers.items():
            if asked.headers.get(name) != value:
                return error(400, "HEADER", f"{name}: {asked.headers.get(name)}")
        service, _, name = asked.path.rpartition("/")
        if service != self._way.service or name not in fields.SETS:
            return error(404, "NOT_FOUND", f"{asked.path}: no such set")
        if asked.method == "GET":
            return page(self._rows(work, name), asked, size=PAGE)
        if asked.method == "POST" and name == "postings":
            return self._post(work, asked)
        return error(405, "NOT_ALLOWED", f"{asked.method} {name}")

    def _rows(self, work: Work, name: str) -> list[dict[str, Any]]:
        if name == "periods":
            return self._periods(work)
        found = work.all(name)
        for row in found:  # the file keeps texts, the wire has numbers
            for one in ("quantity", "parentQuantity"):
                if one in row:
                    row[one] = Decimal(str(row[one]))
        return found

    def _periods(self, work: Work) -> list[dict[str, Any]]:
        made = []
        for first, last in months(today()):
            state = "open" if has_period(work, first) else "closed"
            made.append({"startDate": f"{first}", "endDate": f"{last}", "state": state})
        return made

    # posting

    def _post(self, work: Work, asked: Asked) -> Response:
        record = json_of(asked, lambda status, words: refuse("BAD_REQUEST", words, status))
        wrong = fields.faults(record)
        if wrong:
            raise refuse("BAD_REQUEST", "; ".join(wrong))
        self._check(work, record)
        change = -record["quantity"] if record["movement"] in OUT else record["quantity"]
        if record["movement"] == "receipt":
            self._add_lot(work, record["itemNumber"], record["lotNumber"])
        self._move(work, record["itemNumber"], lot=record["lotNumber"], change=change)
        number = work.number("entry")
        names = ("reference", "messageId", "movement", "orderNumber", "itemNumber", "lotNumber",
                 "postingDate", "unitCode", "corrects")  # fmt: skip
        work.put("entries", str(number), {
            **{name: record[name] for name in names}, "entryNumber": number,
            "quantity": f"{change}", "glDocument": f"GL{number}",
            "glPostingDate": record["postingDate"], "createdAt": iso(now()),
        })  # fmt: skip
        kept = {**record, "quantity": f"{record['quantity']}", "entryNumber": number}
        work.put("postings", record["reference"], kept)
        return shown({**record, "entryNumber": number, "@odata.etag": f'W/"{number}"'}, 201)

    def _check(self, work: Work, record: Mapping[str, Any]) -> None:
        if work.get("postings", record["reference"]) is not None:
            raise refuse("DUPLICATE", f"{record['reference']} exists.")
        day = record["postingDate"]
        held = [it for it in self._periods(work) if it["startDate"] <= day <= it["endDate"]]
        if not held or held[0]["state"] != "open":
            raise refuse("PERIOD", f"No open period for {day}.")
        order = work.get("orders", record["orderNumber"])
        if order is None or order["state"] != "released":
            raise refuse("ORDER", f"Order {record['orderNumber']} takes no posting.")
        item = work.get("items", record["itemNumber"])
        if item is None or item["unitCode"] != record["unitCode"]:
            raise refuse("ITEM", f"{record['itemNumber']} in {record['unitCode']} is not known.")
        lot = f"{record['itemNumber']}/{record['lotNumber']}"
        if record["movement"] != "receipt" and work.get("lots", lot) is None:
            raise refuse("LOT", f"Lot {lot} is not known.")
        original = record["corrects"]
        if original and work.get("postings", original) is None:
            raise refuse("ORIGINAL", f"{original} was never posted.")
        undoes = record["undoes"]
        if undoes and work.get("entries", undoes) is None:
            raise refuse("ENTRY", f"Entry {undoes} is not there.")
        if undoes and any(it["undoes"] == undoes for it in work.all("postings")):
            raise refuse("UNDONE", f"Entry {undoes} is undone already.")
        if original and any(it["corrects"] == original for it in work.all("postings")):
            raise refuse("CORRECTED", f"{original} is corrected already.")

    def _add_lot(self, work: Work, item: str, lot: str) -> None:
        work.put("lots", f"{item}/{lot}", {"itemNumber": item, "lotNumber": lot})

    def _move(self, work: Work, item: str, *, lot: str, change: Decimal) -> None:
        key = f"{item}/{lot}"
        words = f"Stock of {key} would be"
        moved(work, key, change, short=lambda left: refuse("STOCK", f"{words} {left:f}."))
