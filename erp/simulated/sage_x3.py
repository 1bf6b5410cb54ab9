"""A strict Sage X3 pool: login, envelope, parameters, keys, periods, orders, stock and journal.

It answers runs of the two subprograms as our contract asks the customer's partner to make them, in
X3's envelope. Records carry X3's dictionary names.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import Response

from core.clock import iso, now
from erp.adapters.sage_x3 import fields, soap
from erp.simulated.records import Work
from erp.simulated.serving import YEARS, Asked, Refusal, Users, has_period, moved, today

SITE, POOL = "FR011", "MES"
UNITS = {"KGM": "KG", "C62": "UN"}
STATES = {"cancelled": "4", "closed": "4", "planned": "2"}
TYPES = {"issue": "6", "return": "6", "scrap": "6", "receipt": "5"}
OUT = ("issue", "scrap")
PAGE = 25  # fewer than a table takes, so that every list of the tests has a next page
CONTEXT = {"codeLang", "poolAlias", "poolId", "requestConfig"}


def told(status: int, result: Mapping[str, Any] | None = None, words: str = "") -> Response:
    """Return the answer to a run."""
    message = f"<messages><type>{soap.ERROR}</type><message>{escape(words)}</message></messages>"
    text = escape(json.dumps(result)) if result is not None else ""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:wss="http://www.adonix.com/WSS"><soapenv:Body><wss:runResponse><runReturn>'
        f"{message if words else ''}<resultXml>{text}</resultXml><status>{status}</status>"
        "</runReturn></wss:runResponse></soapenv:Body></soapenv:Envelope>"
    )
    return Response(body, media_type="text/xml")


def fault(words: str) -> Refusal:
    """Return a SOAP fault to raise: the call itself is wrong."""
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        f"<soapenv:Fault><faultstring>{escape(words)}</faultstring></soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Refusal(Response(body, status_code=500, media_type="text/xml"))


def refuse(code: str, words: str) -> Refusal:
    """Return a refusal of the subprogram that posts: it ran, and posted nothing."""
    return Refusal(told(1, {"GRP2": {"O_STAT": "0", "O_CODE": code, "O_MSG": words}}))


class SageX3:
    """One folder with one site, whose stock is accounted at once."""

    def __init__(self, user: str, secret: str) -> None:
        self.gate = Users(user, secret)

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        """Fill an empty one from items, BOMs, orders, customers and lots."""
        if work.all("item"):
            return
        stock_unit = {it["code"]: UNITS[it["unit"]] for it in data["items"]}
        for it in data["items"]:
            work.put("item", it["code"], {
                "ITMREF": it["code"], "ITMDES1": it["name"], "STU": UNITS[it["unit"]],
                "EANCOD": it["gtin"] or "",
            })  # fmt: skip
        for it in data["boms"]:
            for line in it["lines"]:
                work.put("bom", f"{it['product']}/{line['item']}", {
                    "ITMREF": it["product"], "BASQTY": it["quantity"], "STU": UNITS[it["unit"]],
                    "CPNITMREF": line["item"], "BOMQTY": line["quantity"],
                    "CPNSTU": stock_unit[line["item"]],
                })  # fmt: skip
        for it in data["orders"]:
            work.put("order", it["id"], {
                "MFGNUM": it["id"], "ITMREF": it["product"], "EXTQTY": it["quantity"],
                "STU": UNITS[it["unit"]], "MFGSTA": "1", "ENDDAT": "00000000",
            })  # fmt: skip
        for it in data["customers"]:
            work.put("customer", it["code"], {"BPCNUM": it["code"], "BPCNAM": it["name"]})
        for it in data["lots"]:
            self._add_lot(work, it["item"], it["lot"])
            self._move(work, it["item"], lot=it["lot"], change=Decimal(it["quantity"]))

    def change_order(self, work: Work, order: str, state: str) -> None:
        """Set an order's status as its keeper would; what is given up there is closed."""
        found = work.get("order", order) or {}
        work.put("order", order, {**found, "MFGSTA": STATES[state]})

    # the envelope

    def door(self, status: int) -> Response:
        """Return the no of the door itself."""
        return Response("Unauthorized" if status == 401 else "Busy", status_code=status)

    def answer(self, work: Work, asked: Asked) -> Response:
        """Return the answer to one call: envelope, pool, then the subprogram."""
        if asked.method != "POST" or asked.path != f"/{soap.PATH}":
            return Response("not found", status_code=404)
        if "soapaction" not in asked.headers:
            raise fault("no SOAPAction header")
        name, given = self._call_of(asked.body)
        if name == fields.POST:
            return self._post(work, given)
        if name == fields.READ:
            return self._read(work, given)
        return told(0, words=f"Web service {name} is not published")

    def _call_of(self, body: bytes) -> tuple[str, dict[str, Any]]:
        try:
            root = soap.parsed(body)
        except ValueError as broken:
            raise fault(str(broken)) from None
        run = next((one for one in root.iter() if soap.local(one.tag) == "run"), None)
        if run is None:
            raise fault("no operation")
        parts = {soap.local(child.tag): child for child in run}
        if set(parts) != {"callContext", "publicName", "inputXml"}:
            raise fault(f"run takes callContext, publicName and inputXml, not {sorted(parts)}")
        context = {soap.local(it.tag): it.text or "" for it in parts["callContext"]}
        if set(context) != CONTEXT:
            raise fault(f"callContext has {sorted(context)}")
        if context["poolAlias"] != POOL:
            raise fault(f"Pool {context['poolAlias']} is not started")
        if "adxwss.optreturn=JSON" not in context["requestConfig"].split("&"):
            raise fault("the answer is asked for as JSON")
        try:
            groups = json.loads(parts["inputXml"].text or "")
        except ValueError:
            raise fault("inputXml is no JSON") from None
        if not isinstance(groups, dict) or set(groups) != {"GRP1"}:
            raise fault("inputXml holds GRP1")
        return parts["publicName"].text or "", groups["GRP1"]

    # reading

    def _read(self, work: Work, given: Mapping[str, Any]) -> Response:
        if set(given) != fields.READING or given["I_KIND"] not in fields.KINDS:
            return told(0, words=f"parameters of {fields.READ}: {sorted(given)}")
        if given["I_FCY"] != SITE:
            return told(0, words=f"Site {given['I_FCY']} does not exist")
        found = self._found(work, given["I_KIND"], given)
        start = int(given["I_AFTER"] or 0)
        page = found[start : start + PAGE]
        following = str(start + PAGE) if start + PAGE < len(found) else ""
        return told(1, {"GRP2": {"O_NEXT": following}, "GRP3": page})

    def _found(self, work: Work, kind: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        key, lot = given["I_KEY"], given["I_LOT"]
        match kind:
            case "entry":
                rows = [it for it in work.all("entry") if it["VCRNUMORI"]]
                return [it for it in rows if key in ("", it["VCRNUMORI"])]
            case "posting":
                return [it for it in work.all("entry") if it["REF"] == key]
            case "reversal":
                return [it for it in work.all("entry") if it["COR"] == key]
            case "undoing":
                return [it for it in work.all("entry") if it["UND"] == key]
            case "lot":
                return [it for it in work.all("lot") if (it["ITMREF"], it["LOT"]) == (key, lot)]
            case "period":
                return self._period(work, key)
            case _:
                names = {"item": "ITMREF", "bom": "ITMREF", "order": "MFGNUM", "customer": "BPCNUM"}
                return [it for it in work.all(kind) if key in ("", it[names[kind]])]

    def _period(self, work: Work, key: str) -> list[dict[str, Any]]:
        on = today().replace(year=int(key[:4]), month=int(key[4:6]), day=1)
        is_open = has_period(work, on)
        if is_open is None and on.year < today().year - YEARS:
            return []
        return [{"PERSTR": f"{on:%Y%m%d}", "PERSTA": "2" if is_open else "3"}]

    # posting

    def _post(self, work: Work, given: Mapping[str, Any]) -> Response:
        wrong = fields.faults(given)
        if wrong:
            raise refuse("PARAM", "; ".join(wrong))
        standing = [it for it in work.all("entry") if it["REF"] == given["I_REF"]]
        if standing:
            return told(1, {"GRP2": self._shown(standing[0], "2")})
        self._check(work, given)
        movement, quantity = given["I_MVT"], Decimal(given["I_QTY"])
        change = -quantity if movement in OUT else quantity
        if movement == "receipt":
            self._add_lot(work, given["I_ITM"], given["I_LOT"])
        self._move(work, given["I_ITM"], lot=given["I_LOT"], change=change)
        number, tracking = work.number("entry"), work.number("tracking")
        entry = {
            "MVTSEQ": number, "VCRNUM": f"MTK{SITE}{tracking:08d}", "VCRLIN": "1000",
            "VCRNUMORI": given["I_MFG"], "ITMREF": given["I_ITM"], "LOT": given["I_LOT"],
            "QTYSTU": f"{change:f}", "STU": given["I_STU"], "TRSTYP": TYPES[movement],
            "IPTDAT": given["I_DAT"], "ACCDAT": given["I_DAT"], "NUMVCR": f"STK{number:08d}",
            "CREDATTIM": iso(now()), "REF": given["I_REF"], "MSG": given["I_MSG"],
            "DIG": given["I_DIG"], "MVT": movement, "COR": given["I_COR"],
            "UND": given["I_UND"],
        }  # fmt: skip
        work.put("entry", str(number), entry)
        return told(1, {"GRP2": self._shown(entry, "1")})

    def _shown(self, entry: Mapping[str, Any], state: str) -> dict[str, Any]:
        kept = {name: entry[name] for name in ("VCRNUM", "VCRLIN", "IPTDAT")}
        return {"O_STAT": state, "O_REF": entry["REF"], "O_DIG": entry["DIG"], **kept}

    def _check(self, work: Work, given: Mapping[str, Any]) -> None:
        if given["I_FCY"] != SITE:
            raise refuse("FCY", f"Site {given['I_FCY']} does not exist")
        period = self._period(work, given["I_DAT"])
        if not period or period[0]["PERSTA"] != "2":
            raise refuse("PER", f"Period of {given['I_DAT']} is not open")
        order = work.get("order", given["I_MFG"])
        if order is None:
            raise refuse("MFG", f"Work order {given['I_MFG']} does not exist")
        if order["MFGSTA"] != "1":
            raise refuse("MFGSTA", f"Work order {given['I_MFG']} is not firm")
        item = work.get("item", given["I_ITM"])
        if item is None:
            raise refuse("ITM", f"Product {given['I_ITM']} does not exist")
        if item["STU"] != given["I_STU"]:
            raise refuse("STU", f"Product {given['I_ITM']} is kept in {item['STU']}")
        lot = f"{given['I_ITM']}/{given['I_LOT']}"
        if given["I_MVT"] != "receipt" and work.get("lot", lot) is None:
            raise refuse("LOT", f"Lot {lot} does not exist")
        if given["I_UND"]:
            if all(it["VCRNUM"] != given["I_UND"] for it in work.all("entry")):
                raise refuse("UND", f"Tracking {given['I_UND']} does not exist")
            if any(it["UND"] == given["I_UND"] for it in work.all("entry")):
                raise refuse("UNDDONE", f"Tracking {given['I_UND']} is undone already")
        if given["I_COR"]:
            corrected = [it for it in work.all("entry") if it["REF"] == given["I_COR"]]
            if not corrected:
                raise refuse("COR", f"{given['I_COR']} was never posted")
            if any(it["COR"] == given["I_COR"] for it in work.all("entry")):
                raise refuse("CORDONE", f"{given['I_COR']} is corrected already")

    def _add_lot(self, work: Work, item: str, lot: str) -> None:
        work.put("lot", f"{item}/{lot}", {"ITMREF": item, "LOT": lot})

    def _move(self, work: Work, item: str, *, lot: str, change: Decimal) -> None:
        key = f"{item}/{lot}"
        words = f"Stock of {key} would be"
        moved(work, key, change, short=lambda left: refuse("STK", f"{words} {left:f}"))
