"""A strict QuickBooks company file: qbXML in, qbXML out, as its request processor does it.

Elements in the wrong order or unknown stop the whole set with a parse error, as Intuit describes;
lengths, a closing date, components that are short and stored message sets are kept. It takes the
same number twice: QuickBooks keeps no key of ours, except for a message set that is repeated.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

from qbwc_kit.qbxml import element
from starlette.responses import JSONResponse, Response

from core.clock import now
from erp.simulated.records import Work
from erp.simulated.serving import Anybody, Asked, today

PARSE_ERROR = "0x80040400"
ADD = (
    "ItemInventoryAssemblyRef", "InventorySiteRef", "InventorySiteLocationRef", "SerialNumber",
    "LotNumber", "ExpirationDateForSerialLotNumber", "TxnDate", "RefNumber", "Memo",
    "QuantityToBuild", "MarkPendingIfRequired", "ExternalGUID",
)  # fmt: skip
QUERY = (
    "RefNumber", "FullName", "MaxReturned", "TxnDateRangeFilter", "IncludeLineItems",
    "IncludeRetElement",
)  # fmt: skip
BY_NAME = {"SalesOrder": "RefNumber", "BuildAssembly": "RefNumber"}  # the others: FullName
LENGTHS = {"RefNumber": 11, "Memo": 4095, "LotNumber": 40}
KINDS = ("ItemInventory", "ItemInventoryAssembly", "Customer", "SalesOrder", "BuildAssembly")
SETS = {"KGM": "Gram", "C62": "Each"}
LONGEST_SET_ID = 24
MARKS = {"cancelled": "IsManuallyClosed", "closed": "IsFullyInvoiced"}
PAGE = 20  # QuickBooks may return fewer than it is asked for; here it always does


class Unreadable(Exception):
    """The request processor cannot read the text; nothing of it is done."""


class QuickBooks:
    """One company file, in grams and pieces, and where its Web Connector calls."""

    def __init__(self, user: str, secret: str) -> None:
        self.login = (user, secret)
        self.gate = Anybody()

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("ItemInventory"):
            return
        boms = {it["product"]: it for it in data["boms"]}
        for n, it in enumerate(data["items"], 1):
            kind = "ItemInventoryAssembly" if it["code"] in boms else "ItemInventory"
            made: dict[str, Any] = {
                "ListID": f"8000{n:04d}-1", "EditSequence": "1", "Name": it["code"],
                "FullName": it["code"], "IsActive": "true", "SalesDesc": it["name"],
                "UnitOfMeasureSetRef": {"FullName": SETS[it["unit"]]},
            }  # fmt: skip
            if it["code"] in boms:
                made["ItemInventoryAssemblyLine"] = _lines(boms[it["code"]])
            work.put(kind, it["code"], made)
        for n, it in enumerate(data["customers"], 1):
            made = {"ListID": f"9000{n:04d}-1", "FullName": it["code"], "CompanyName": it["name"]}
            work.put("Customer", it["code"], made)
        for n, it in enumerate(data["orders"], 1):
            line = {"TxnLineID": f"L{n}", "ItemRef": {"FullName": it["product"]},
                    "Quantity": _base(it["quantity"], it["unit"])}  # fmt: skip
            work.put("SalesOrder", it["id"], {
                "TxnID": f"S{n}", "RefNumber": it["id"], "CustomerRef": {"FullName": "C1"},
                "IsManuallyClosed": "false", "IsFullyInvoiced": "false", "SalesOrderLineRet": line,
            })  # fmt: skip
        for it in data["lots"]:
            self._move(work, it["item"], Decimal(_base(it["quantity"], it["unit"])))

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Close a sales order as its keeper would."""
        work.put(
            "SalesOrder", order, {**(work.get("SalesOrder", order) or {}), MARKS[state]: "true"}
        )

    def door(self, status: int) -> Response:
        """Return the no of a door that is not there."""
        return JSONResponse({"detail": "QuickBooks has no interface here"}, status_code=status)

    def answer(self, work: Work, asked: Asked) -> Response:
        """Take the address that the Web Connector calls; QuickBooks itself has no door."""
        if asked.method != "POST" or asked.path != "/webconnector":
            return JSONResponse({"detail": "QuickBooks has no interface here"}, status_code=404)
        work.put("connector", "target", asked.json())
        return JSONResponse({"done": "webconnector"})

    # qbXML

    def process(self, work: Work, text: str) -> str:
        """Return the answer to a message set.

        Raises:
            Unreadable: the text breaks the schema; nothing was done.
        """
        messages = _read(text)
        new, old = messages.get("newMessageSetID"), messages.get("oldMessageSetID")
        if old:
            work.remove("message_set", old)
        if new is None:
            return _envelope(self._each(work, messages))
        if len(new) > LONGEST_SET_ID:
            return _envelope("", newMessageSetID=new, messageSetStatusCode="9004")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        kept = work.get("message_set", new)
        if kept is not None and kept["checksum"] != checksum:
            return _envelope("", newMessageSetID=new, messageSetStatusCode="9001")
        if kept is None:
            body = self._each(work, messages)
            kept = {"checksum": checksum, "body": body}
            work.put("message_set", new, kept)
        return _envelope(kept["body"], newMessageSetID=new, messageSetStatusCode="0")

    def _each(self, work: Work, messages: ET.Element) -> str:
        made = []
        for asked in messages:
            name = asked.tag
            extra = ""
            if name == "BuildAssemblyAddRq":
                code, words, records = self._build(work, asked[0])
            else:
                code, words, records, extra = self._query(work, asked)
            severity = "Info" if code < 500 else "Warn" if code < 1000 else "Error"
            kind = name.removesuffix("Rq").removesuffix("Query").removesuffix("Add")
            names = {it.text for it in asked.findall("IncludeRetElement")}
            rows = "".join(element(f"{kind}Ret", _part(row, names)) for row in records)
            status = f'statusCode="{code}" statusSeverity="{severity}" statusMessage="{words}"'
            wanted = f'requestID="{asked.get("requestID", "")}"'
            made.append(f"<{name[:-2]}Rs {wanted}{extra} {status}>{rows}</{name[:-2]}Rs>")
            if code >= 1000 and messages.get("onError") == "stopOnError":
                break
        return "".join(made)

    def _query(
        self, work: Work, asked: ET.Element
    ) -> tuple[int, str, Sequence[Mapping[str, Any]], str]:
        kind = asked.tag.removesuffix("QueryRq")
        records = work.all(kind)
        by = BY_NAME.get(kind, "FullName")
        wanted = asked.findtext(by)
        if wanted is not None:
            found = [it for it in records if it.get(by) == wanted]
            if found:
                return 0, "Status OK", found, ""
            return (1, "No match", [], "") if by == "RefNumber" else (500, "Not found", [], "")
        since = asked.findtext("TxnDateRangeFilter/FromTxnDate", "")
        records = [it for it in records if it.get("TxnDate", "9999") >= since]
        start = int(asked.get("iteratorID", "0").strip("{}") or 0)
        size = min(int(asked.findtext("MaxReturned", str(PAGE))), PAGE)
        page = records[start : start + size]
        left = max(len(records) - start - len(page), 0)
        extra = ""
        if asked.get("iterator"):
            extra = f' iteratorRemainingCount="{left}" iteratorID="{{{start + len(page)}}}"'
        return (0, "Status OK", page, extra) if page else (1, "No match", [], extra)

    def _build(self, work: Work, asked: ET.Element) -> tuple[int, str, Sequence[Mapping[str, Any]]]:
        given = {child.tag: child.text or "" for child in asked}
        for name, longest in LENGTHS.items():
            if len(given.get(name, "")) > longest:
                return 3070, f"{name} is too long", []
        name = asked.findtext("ItemInventoryAssemblyRef/FullName", "")
        item = work.get("ItemInventoryAssembly", name)
        if item is None:
            return 3140, f"There is an invalid reference to Assembly {name}.", []
        on = date.fromisoformat(given.get("TxnDate") or today().isoformat())
        if on <= _closing_date(work):
            return 3171, "The date is on or before the closing date of the company.", []
        quantity = Decimal(given["QuantityToBuild"])
        needed = {
            line["ItemInventoryRef"]["FullName"]: Decimal(line["Quantity"]) * quantity
            for line in item["ItemInventoryAssemblyLine"]
        }
        if any(self._stock(work, one) < amount for one, amount in needed.items()):
            return 3370, "There are not enough components for the build.", []
        for one, amount in needed.items():
            self._move(work, one, -amount)
        number, at = work.number("transaction"), now().isoformat(timespec="seconds")
        record: dict[str, Any] = {
            "TxnID": f"{number:X}-{int(now().timestamp())}", "TimeCreated": at, "TimeModified": at,
            "EditSequence": str(int(now().timestamp())), "TxnNumber": str(number),
            "ItemInventoryAssemblyRef": {"ListID": item["ListID"], "FullName": name},
            **{it: given[it] for it in ("LotNumber",) if it in given},
            "TxnDate": on.isoformat(), "RefNumber": given.get("RefNumber", ""),
            "Memo": given.get("Memo", ""), "IsPending": "false",
            "QuantityToBuild": given["QuantityToBuild"],
        }  # fmt: skip
        work.put("BuildAssembly", record["TxnID"], record)
        return 0, "Status OK", [record]

    def _stock(self, work: Work, item: str) -> Decimal:
        return Decimal((work.get("stock", item) or {}).get("quantity", "0"))

    def _move(self, work: Work, item: str, change: Decimal) -> None:
        work.put("stock", item, {"quantity": f"{self._stock(work, item) + change:f}"})


def _part(record: Mapping[str, Any], names: set[str | None]) -> Mapping[str, Any]:
    """Return what is asked for of a record; all of it where nothing is named."""
    return {it: record[it] for it in record if it in names} if names else record


def _base(quantity: object, ours: str) -> str:
    value = Decimal(str(quantity)) * (1000 if ours == "KGM" else 1)
    return f"{value.normalize():f}"


def _lines(bom: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an assembly's lines: for one of it, at most five digits."""
    made = []
    for line in bom["lines"]:
        one = Decimal(_base(line["quantity"], line["unit"])) / Decimal(bom["quantity"])
        made.append({
            "ItemInventoryRef": {"FullName": line["item"]},
            "Quantity": f"{one.quantize(Decimal('0.00001')).normalize():f}",
        })  # fmt: skip
    return made


def _closing_date(work: Work) -> date:
    closed = [it["period"] for it in work.all("closed_period")]
    if not closed:
        return date.min
    after = date.fromisoformat(f"{max(closed)}-01") + timedelta(days=32)
    return after.replace(day=1) - timedelta(days=1)


def _read(text: str) -> ET.Element:
    """Return the message set of a text that keeps to the schema."""
    if "<?qbxml version=" not in text:
        raise Unreadable("no qbxml version")
    try:
        root = ET.fromstring(text)  # noqa: S314 - a test's own request; expat refuses blow-ups
    except ET.ParseError as fault:
        raise Unreadable(str(fault)) from fault
    messages = root.find("QBXMLMsgsRq")
    if root.tag != "QBXML" or messages is None or not len(messages):
        raise Unreadable("no QBXMLMsgsRq")
    if messages.get("onError") not in ("stopOnError", "continueOnError"):
        raise Unreadable(f"onError {messages.get('onError')}")
    for asked in messages:
        _check(asked)
    return messages


def _check(asked: ET.Element) -> None:
    if asked.tag == "BuildAssemblyAddRq":
        if [child.tag for child in asked] != ["BuildAssemblyAdd"]:
            raise Unreadable("BuildAssemblyAddRq holds one BuildAssemblyAdd")
        names = [child.tag for child in asked[0]]
        in_order(names, ADD)
        for name in ("ItemInventoryAssemblyRef", "QuantityToBuild"):
            if name not in names:
                raise Unreadable(f"{name} is missing")
        return
    if asked.tag.removesuffix("QueryRq") not in KINDS or not asked.tag.endswith("QueryRq"):
        raise Unreadable(f"{asked.tag}: no such request")
    names = [child.tag for child in asked]
    in_order(names, QUERY)
    by_name = {"RefNumber", "FullName"} & set(names)
    if by_name and ("MaxReturned" in names or asked.get("iterator")):
        raise Unreadable(f"{asked.tag}: {by_name} excludes filters and iterators")


def in_order(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names that are unknown or not in the schema's sequence."""
    places = [known.index(name) if name in known else -1 for name in names]
    if -1 in places or places != sorted(places):
        raise Unreadable(f"{', '.join(names)}: not in the schema's sequence")


def _envelope(body: str, **attributes: str) -> str:
    marks = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<?xml version="1.0"?><QBXML><QBXMLMsgsRs{marks}>{body}</QBXMLMsgsRs></QBXML>'
