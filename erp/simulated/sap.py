"""A strict S/4HANA: session and token, field lengths, movement rules, units, periods, stock.

It books what SAP books and refuses what SAP refuses. It keeps no key of ours: two requests with the
same reference are two documents, unless the repeatability headers are sent and switched on.
Refusals that we know only by their rule carry the code `SIM/000`.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from starlette.responses import JSONResponse, Response

from core.clock import now
from erp.adapters.sap import fields
from erp.adapters.sap.mapping import instant, sap_date
from erp.simulated.records import Work
from erp.simulated.serving import Asked, Refusal, Users, has_period, moved

ODATA = "/sap/opu/odata/sap/"
CODES = {"261": "03", "551": "03", "101": "02", "262": "06"}
BACK = {"261": "262", "101": "102", "551": "552", "262": "261"}
OUT = ("261", "551", "102")
# entity set -> (kind of record, names that may be expanded)
SETS = {
    "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader": ("header", {"to_MaterialDocumentItem"}),
    "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentItem": ("item", {"to_MaterialDocumentHeader"}),
    "API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2": ("order", set()),
    "API_PRODUCT_SRV/A_Product": ("product", {"to_Description"}),
    "API_BATCH_SRV/Batch": ("batch", set()),
    "API_BILL_OF_MATERIAL_SRV;v=0002/MaterialBOM": ("bom", {"to_BillOfMaterialItem"}),
    "API_BUSINESS_PARTNER/A_Customer": ("customer", set()),
}
TERM = re.compile(r"(\w+) (eq|ne|ge) '((?:[^']|'')*)'")
GRAMS = {"KG": Decimal(1000), "G": Decimal(1)}
MARKS = {"cancelled": "OrderIsMarkedForDeletion", "closed": "OrderIsClosed",
         "teco": "OrderIsTechnicallyCompleted", "locked": "OrderIsLocked"}  # fmt: skip


def error(status: int, code: str, words: str) -> Response:
    """Return a refusal in SAP's form."""
    message = {"lang": "en", "value": words}
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


def refuse(code: str, words: str) -> Refusal:
    """Return a business refusal to raise."""
    return Refusal(error(400, code, words))


class Sap:
    """One client with one plant, `P001`; materials that are weighed are kept in `weight_unit`."""

    def __init__(
        self, user: str, secret: str, *, weight_unit: str = "G", repeats: bool = False
    ) -> None:
        self.gate = Users(user, secret)
        self._weight_unit = weight_unit
        self._repeats = repeats
        self._sessions: dict[str, str] = {}

    # what stands in it

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("product"):
            return
        for it in data["items"]:
            unit = self._weight_unit if it["unit"] == "KGM" else "PC"
            text = {"Product": it["code"], "Language": "EN", "ProductDescription": it["name"]}
            work.put("product", it["code"], {
                "Product": it["code"], "BaseUnit": unit, "ProductStandardID": it["gtin"] or "",
                "to_Description": {"results": [text]},
            })  # fmt: skip
        for it in data["boms"]:
            lines = [
                {
                    "BillOfMaterialComponent": line["item"],
                    "BillOfMaterialItemQuantity": self._base(line["quantity"], line["unit"]),
                    "BillOfMaterialItemUnit": self._unit(line["unit"]),
                }
                for line in it["lines"]
            ]
            work.put("bom", it["product"], {
                "Material": it["product"], "Plant": "P001",
                "BOMHeaderQuantityInBaseUnit": self._base(it["quantity"], it["unit"]),
                "BOMHeaderBaseUnit": self._unit(it["unit"]),
                "to_BillOfMaterialItem": {"results": lines},
            })  # fmt: skip
        for it in data["orders"]:
            work.put("order", it["id"], {
                "ManufacturingOrder": it["id"], "Material": it["product"],
                "ProductionPlant": "P001", "TotalQuantity": self._base(it["quantity"], it["unit"]),
                "ProductionUnit": self._unit(it["unit"]), "OrderIsReleased": "X",
                "OrderIsTechnicallyCompleted": "", "OrderIsClosed": "", "OrderIsLocked": "",
                "OrderIsMarkedForDeletion": "", "LastChangeDateTime": f"{now():%Y%m%d%H%M%S}",
            })  # fmt: skip
        for it in data["customers"]:
            work.put("customer", it["code"], {"Customer": it["code"], "CustomerName": it["name"]})
        for it in data["lots"]:
            self._add_batch(work, it["item"], it["lot"])
            amount = Decimal(self._base(it["quantity"], it["unit"]))
            self._move(work, it["item"], lot=it["lot"], change=amount)

    def _unit(self, ours: str) -> str:
        return self._weight_unit if ours == "KGM" else "PC"

    def _base(self, quantity: object, ours: str) -> str:
        value = Decimal(str(quantity))
        if ours == "KGM":
            value = value * 1000 / GRAMS[self._weight_unit]
        return f"{value.quantize(Decimal('0.001')):f}"

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Mark an order as its keeper would."""
        found = work.get("order", order) or {}
        changed = {MARKS[state]: "X", "LastChangeDateTime": f"{now():%Y%m%d%H%M%S}"}
        work.put("order", order, {**found, **changed})

    def _add_batch(self, work: Work, item: str, lot: str) -> None:
        work.put("batch", f"{item}/{lot}", {"Material": item, "Batch": lot})

    def _move(self, work: Work, item: str, *, lot: str, change: Decimal) -> None:
        key = f"{item}/{lot}"
        words = f"Deficit of {item} batch {lot}:"
        moved(work, key, change, short=lambda left: refuse("M7/021", f"{words} {-left:f}"))

    # requests

    def door(self, status: int) -> Response:
        """Return the no of the door itself."""
        words = "Logon with user and secret is required." if status == 401 else "Too many requests."
        return error(status, f"SIM/{status}", words)

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one request: token, then the service."""
        if not asked.path.startswith(ODATA):
            return error(404, "SIM/404", f"{asked.path}: no service")
        path = asked.path.removeprefix(ODATA)
        if asked.method == "GET":
            return self._read(work, asked, path)
        session, token = asked.cookies.get("SAP_SESSIONID", ""), asked.headers.get("x-csrf-token")
        if token is None or self._sessions.get(session) != token:
            headers = {"x-csrf-token": "Required"}
            return Response("CSRF token validation failed", status_code=403, headers=headers)
        if asked.method == "POST" and path == "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader":
            return self._create(work, asked)
        if asked.method == "POST" and path == "API_MATERIAL_DOCUMENT_SRV/Cancel":
            return self._cancel(work, asked)
        return error(405, "SIM/405", f"{asked.method} {path}: not allowed")

    def _read(self, work: Work, asked: Asked, path: str) -> Response:
        if path.endswith("/"):
            answer: Response = JSONResponse({"d": {"EntitySets": []}})
            if asked.headers.get("x-csrf-token") == "Fetch":
                session, token = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
                self._sessions[session] = token
                answer.headers["x-csrf-token"] = token
                answer.set_cookie("SAP_SESSIONID", session, httponly=True)
            return answer
        name, _, key = path.partition("(")
        if name not in SETS:
            return error(404, "SIM/404", f"{name}: no such entity set")
        kind, expandable = SETS[name]
        if key:
            found = work.get(kind, key.rstrip(")").strip("'").replace("''", "'"))
            if found is None:
                return error(404, "SIM/404", f"Resource not found for {path}")
            return JSONResponse({"d": found})
        if set(asked.query) - {"$filter", "$expand", "$top", "$skip", "sap-client"}:
            raise refuse("SIM/400", f"query options {sorted(asked.query)}")
        expand = set(filter(None, asked.query.get("$expand", "").split(",")))
        if expand - expandable:
            raise refuse("SIM/400", f"{sorted(expand)} cannot be expanded from {name}")
        rows = [row for row in work.all(kind) if _fits(row, asked.query.get("$filter", ""))]
        start, size = int(asked.query.get("$skip", 0)), int(asked.query.get("$top", 5000))
        shown = [self._expanded(work, row, expand) for row in rows[start : start + size]]
        return JSONResponse({"d": {"results": shown}})

    def _expanded(self, work: Work, row: dict[str, Any], expand: set[str]) -> dict[str, Any]:
        number = row.get("MaterialDocument", "")
        if "to_MaterialDocumentItem" in expand:
            items = [it for it in work.all("item") if it["MaterialDocument"] == number]
            return {**row, "to_MaterialDocumentItem": {"results": items}}
        if "to_MaterialDocumentHeader" in expand:
            return {**row, "to_MaterialDocumentHeader": work.get("header", number)}
        return row

    # goods movements

    def _create(self, work: Work, asked: Asked) -> Response:
        key = asked.headers.get("requestid")
        if self._repeats and key:
            if "repeatabilitycreation" not in asked.headers:
                raise refuse("SIM/400", "RequestID without RepeatabilityCreation")
            before = work.get("repeated", key)
            if before is not None:
                headers = {"repeatabilityresult": "accepted"}
                return JSONResponse(before, status_code=201, headers=headers)
        try:
            record = asked.json()
        except ValueError:
            raise refuse("SIM/400", "The body is no JSON.") from None
        wrong = fields.faults(record, fields.HEADER)
        if wrong:
            raise refuse("SIM/400", "; ".join(wrong))
        header = self._header(work, record)
        items = [
            self._item(work, header, item=it, n=n, code=record["GoodsMovementCode"])
            for n, it in enumerate(record["to_MaterialDocumentItem"]["results"], 1)
        ]
        body = {"d": {**header, "to_MaterialDocumentItem": {"results": items}}}
        if self._repeats and key:
            work.put("repeated", key, body)
        return JSONResponse(body, status_code=201)

    def _header(self, work: Work, record: Mapping[str, Any]) -> dict[str, Any]:
        on = instant(record["PostingDate"]).date()
        if not has_period(work, on):
            raise refuse("M7/053", f"Posting only possible in open periods, not on {on}.")
        present = now()
        header = {
            "MaterialDocumentYear": str(on.year),
            "MaterialDocument": str(work.number("document", 4_900_000_001)),
            "PostingDate": record["PostingDate"],
            "DocumentDate": record.get("DocumentDate") or record["PostingDate"],
            "CreationDate": sap_date(present.date()),
            "CreationTime": f"PT{present:%H}H{present:%M}M{present:%S}S",
            "ReferenceDocument": record.get("ReferenceDocument", ""),
            "MaterialDocumentHeaderText": record.get("MaterialDocumentHeaderText", ""),
            "GoodsMovementCode": record.get("GoodsMovementCode", ""),
        }
        work.put("header", header["MaterialDocument"], header)
        return header

    def _item(
        self, work: Work, header: Mapping[str, Any], *, item: dict[str, Any], n: int, code: str
    ) -> dict[str, Any]:
        kind = item.get("GoodsMovementType", "")
        self._check(work, item, kind=kind, code=code)
        product = work.get("product", item["Material"])
        if product is None:
            raise refuse("M3/305", f"Material {item['Material']} does not exist.")
        base = self._in_base(item, product["BaseUnit"])
        if kind == "101":
            self._add_batch(work, item["Material"], item["Batch"])
        elif work.get("batch", f"{item['Material']}/{item['Batch']}") is None:
            raise refuse("SIM/000", f"Batch {item['Batch']} of {item['Material']} does not exist.")
        kept = {
            **item,
            "QuantityInBaseUnit": f"{base:f}",
            "MaterialBaseUnit": product["BaseUnit"],
            "ReversedMaterialDocument": item.get("ReversedMaterialDocument", ""),
            "ReversedMaterialDocumentYear": item.get("ReversedMaterialDocumentYear", ""),
        }
        return self._write(work, header, item=kept, n=n)

    def _write(
        self, work: Work, header: Mapping[str, Any], *, item: dict[str, Any], n: int
    ) -> dict[str, Any]:
        base = Decimal(item["QuantityInBaseUnit"])
        change = -base if item["GoodsMovementType"] in OUT else base
        self._move(work, item["Material"], lot=item["Batch"], change=change)
        on = instant(header["PostingDate"])
        kept = {
            **item,
            "MaterialDocumentYear": header["MaterialDocumentYear"],
            "MaterialDocument": header["MaterialDocument"],
            "MaterialDocumentItem": str(n),
            "FiscalYearPeriod": f"{on.year}{on.month:03d}",
        }
        work.put("item", f"{header['MaterialDocument']}/{n}", kept)
        return kept

    def _check(self, work: Work, item: Mapping[str, Any], *, kind: str, code: str) -> None:
        if CODES.get(kind) != code:
            raise refuse("SIM/000", f"Movement type {kind} cannot be posted with code {code}.")
        if (kind == "262") != (item.get("MaterialDocumentPostingType") == "1"):
            raise refuse("SIM/000", "MaterialDocumentPostingType 1 goes with 262, and only there.")
        if kind == "101" and item.get("GoodsMovementRefDocType") != "F":
            raise refuse("SIM/000", "A receipt for an order needs GoodsMovementRefDocType F.")
        if item.get("Plant") != "P001" or not item.get("StorageLocation"):
            raise refuse("SIM/000", "Plant or storage location is missing.")
        if not item.get("Batch"):
            raise refuse("M7/018", "Enter Batch")
        order = work.get("order", item.get("ManufacturingOrder", ""))
        if order is None:
            raise refuse("SIM/000", f"Order {item.get('ManufacturingOrder')} does not exist.")
        shut = [name for state, name in MARKS.items() if state != "teco" and order[name] == "X"]
        if shut:
            raise refuse("SIM/000", f"Order {order['ManufacturingOrder']}: {shut[0]}")

    def _in_base(self, item: Mapping[str, Any], base: str) -> Decimal:
        """Return the quantity in the base unit, rounded to three digits without a word."""
        unit, value = item["EntryUnit"], Decimal(item["QuantityInEntryUnit"])
        if unit != base:
            if unit not in GRAMS or base not in GRAMS:
                raise refuse("SIM/000", f"Unit {unit} is not defined for {item['Material']}.")
            value = value * GRAMS[unit] / GRAMS[base]
        return value.quantize(Decimal("0.001"), ROUND_HALF_UP)

    def _cancel(self, work: Work, asked: Asked) -> Response:
        """Cancel a whole document; the new one has no reference of the caller's."""
        year = asked.query.get("MaterialDocumentYear", "").strip("'")
        number = asked.query.get("MaterialDocument", "").strip("'")
        original = work.get("header", number)
        if original is None or original["MaterialDocumentYear"] != year:
            raise refuse("M7/061", f"Document {number} {year} does not exist.")
        items = [it for it in work.all("item") if it["MaterialDocument"] == number]
        if any(it["ReversedMaterialDocument"] == number for it in work.all("item")):
            raise refuse("M7/062", f"Document {number} has been cancelled already.")
        text = asked.query.get("PostingDate", "")
        found = re.fullmatch(r"datetime'(\d{4}-\d\d-\d\d)T00:00'", text)
        if found is None:
            raise refuse("SIM/400", f"PostingDate {text}")
        on = datetime.fromisoformat(found[1]).replace(tzinfo=UTC).date()
        header = self._header(work, {"PostingDate": sap_date(on)})
        for n, it in enumerate(items, 1):
            back = {
                **it,
                "GoodsMovementType": BACK[it["GoodsMovementType"]],
                "ReversedMaterialDocument": number,
                "ReversedMaterialDocumentYear": year,
            }
            self._write(work, header, item=back, n=n)
        return JSONResponse({"d": header})


def _fits(row: Mapping[str, Any], query: str) -> bool:
    """Return whether a record fits a filter: terms with `and`, nothing else."""
    for term in query.split(" and ") if query else []:
        found = TERM.fullmatch(term)
        if found is None or (found[1] not in row and found[2] != "ne"):
            raise refuse("SIM/400", f"$filter: {term}")
        mine, theirs = str(row.get(found[1], "")), found[3].replace("''", "'")
        holds = {"eq": mine == theirs, "ne": mine != theirs, "ge": mine >= theirs}[found[2]]
        if not holds:
            return False
    return True
