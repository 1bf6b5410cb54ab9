"""The simulator beside the guide's adapter: Acme's shapes in the frame that all simulators have."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.responses import JSONResponse, Response

from core.clock import iso, now
from erp.simulated.records import Work
from erp.simulated.serving import Asked, Refusal, Users, has_period, json_of, months, moved
from tests.acme_words import faults

UNITS = {"KGM": ("g", 1000), "C62": ("pc", 1)}
OUT = ("issue", "scrap")


def refuse(words: str, status: int = 422) -> Refusal:
    return Refusal(Response(words, status_code=status))


class Acme:
    def __init__(self, user: str, secret: str) -> None:
        self.gate = Users(user, secret)

    def _put(self, work: Work, name: str, row: Mapping[str, Any]) -> None:
        work.put(name, str(work.number(name)), row)

    def _amount(self, it: Mapping[str, Any]) -> dict[str, Any]:
        unit, per_ours = UNITS[it["unit"]]
        return {"quantity": f"{Decimal(str(it['quantity'])) * per_ours:f}", "unit": unit}

    def seed(self, work: Work, data: dict[str, Any]) -> None:
        for it in data["items"]:
            row = {"item": it["code"], "name": it["name"], "unit": UNITS[it["unit"]][0]}
            self._put(work, "items", row)
        for it in data["customers"]:
            self._put(work, "customers", {"customer": it["code"], "name": it["name"]})
        for it in data["orders"]:
            row = {"order": it["id"], "product": it["product"], "state": "open"}
            work.put("orders", it["id"], row | self._amount(it))
        for it in data["boms"]:
            lines = [{"item": line["item"], **self._amount(line)} for line in it["lines"]]
            self._put(work, "boms", {"product": it["product"], "lines": lines} | self._amount(it))
        for it in data["lots"]:
            self._put(work, "lots", {"item": it["item"], "lot": it["lot"]})
            stock = {"quantity": self._amount(it)["quantity"]}
            work.put("stock", f"{it['item']}/{it['lot']}", stock)

    def change_order(self, work: Work, order: str, state: str) -> None:
        work.put("orders", order, {**(work.get("orders", order) or {}), "state": "done"})

    def door(self, status: int) -> Response:
        return Response("no", status_code=status)

    def answer(self, work: Work, asked: Asked) -> Response:
        name = asked.path.strip("/")
        if asked.method == "POST" and name == "movements":
            return self._book(work, json_of(asked, lambda status, words: refuse(words, status)))
        return JSONResponse([row for row in self._rows(work, name) if _fits(row, asked.query)])

    def _rows(self, work: Work, name: str) -> list[dict[str, Any]]:
        if name != "periods":
            return work.all(name)
        return [
            {"month": f"{first:%Y-%m}", "state": "open" if has_period(work, first) else "closed"}
            for first, _ in months(now().date())
        ]

    def _book(self, work: Work, given: dict[str, Any]) -> Response:
        wrong = faults(given)
        if wrong:
            raise refuse("; ".join(wrong))
        before = [row for row in work.all("movements") if row["ref"] == given["ref"]]
        if before:
            return JSONResponse(before[0], status_code=409)
        self._check(work, given)
        change = -given["quantity"] if given["kind"] in OUT else given["quantity"]
        words = refuse("stock would be below zero")
        moved(work, f"{given['item']}/{given['lot']}", change, short=lambda _: words)
        number = work.number("movements")
        row = {**given, "quantity": f"{change:f}", "number": number, "at": iso(now())}
        work.put("movements", str(number), row)
        return JSONResponse(row, status_code=201)

    def _check(self, work: Work, given: Mapping[str, Any]) -> None:
        order, undoes = work.get("orders", given["order"]), given["undoes"]
        months_open = [it["month"] for it in self._rows(work, "periods") if it["state"] == "open"]
        items = [it for it in work.all("items") if _fits(it, {"item": given["item"]})]
        lots = [it for it in work.all("lots") if _fits(it, {"item": given["item"]})]
        known = {
            "period": given["day"][:7] in months_open,
            "order": order is not None and order["state"] == "open",
            "item": bool(items) and items[0]["unit"] == given["unit"],
            "lot": given["kind"] == "receipt" or any(it["lot"] == given["lot"] for it in lots),
            "undone": not undoes or all(it["undoes"] != undoes for it in work.all("movements")),
        }
        for name, holds in known.items():
            if not holds:
                raise refuse(f"{name}: not taken")


def _fits(row: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    return all(str(row.get(name)) == value for name, value in query.items())
