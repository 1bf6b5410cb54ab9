# SPDX-License-Identifier: GPL-3.0-or-later
"""What the MES reads beside the books: master data, documents of a reference, periods."""

import calendar
import json
from datetime import date

from trytond.pool import Pool
from trytond.transaction import Transaction

from .ledger import code_of, instant
from .rules import takes
from .wire import plain

ORDER_STATES = {
    "request": "planned",
    "draft": "planned",
    "waiting": "released",
    "assigned": "released",
    "running": "released",
    "done": "closed",
    "cancelled": "cancelled",
}


def ours():
    """Return the part of a search that keeps it to the caller's company."""
    return ("company", "=", Transaction().context["company"])


def changed(*records):
    """Return the newest change among records and their parts."""
    return instant(max(one.write_date or one.create_date for one in records))


def items():
    """Return every product that has a code."""
    Product = Pool().get("product.product")
    return [
        {
            "code": one.code,
            "name": one.template.name,
            "unit": code_of(one.default_uom),
            "gtin": next((i.code for i in one.identifiers if i.type in (None, "ean")), None),
            "changed_at": changed(one, one.template),
        }
        for one in Product.search([("code", "!=", None)], order=[("code", "ASC"), ("id", "ASC")])
    ]


def boms():
    """Return the bill of material of every product that is made."""
    Product = Pool().get("product.product")
    found = []
    for product in Product.search([("boms", "!=", None)], order=[("code", "ASC")]):
        bom = product.boms[0].bom
        output = next(one for one in bom.outputs if one.product == product)
        found.append(
            {
                "product": product.code,
                "quantity": plain(output.quantity, output.unit.digits),
                "unit": code_of(output.unit),
                "lines": [
                    {
                        "item": one.product.code,
                        "quantity": plain(one.quantity, one.unit.digits),
                        "unit": code_of(one.unit),
                    }
                    for one in bom.inputs
                ],
                "changed_at": changed(bom, *bom.inputs, *bom.outputs),
            }
        )
    return found


def order(one):
    """Return one production order."""
    due = one.planned_date
    return {
        "id": one.number,
        "product": one.product.code,
        "quantity": plain(one.quantity, one.unit.digits),
        "unit": code_of(one.unit),
        "state": ORDER_STATES[one.state],
        "due_at": f"{due.isoformat()}T00:00:00.000000Z" if due else None,
        "priority": None,
        "customer": None,
        "changed_at": changed(one),
    }


def orders():
    """Return every numbered production order."""
    Production = Pool().get("production")
    found = Production.search([("number", "!=", None), ours()], order=[("number", "ASC")])
    return [order(one) for one in found if one.product is not None]


def customers():
    """Return the parties that a product may be for."""
    Party = Pool().get("party.party")
    return [
        {"code": one.code, "name": one.name, "changed_at": changed(one)}
        for one in Party.search([("code", "!=", None)], order=[("code", "ASC")])
    ]


def documents(erp_ref):
    """Return the documents that carry a reference, or None."""
    found = Pool().get("mes.posting").search([("erp_ref", "=", erp_ref)])
    return json.loads(found[0].result)["documents"] if found else None


def period(month):
    """Return whether a month takes postings; one of several periods in it is enough.

    A period of the stock that was closed through the month's end closes the month as well.
    """
    pool = Pool()
    Period, Closed = pool.get("account.period"), pool.get("stock.period")
    first = date.fromisoformat(f"{month}-01")
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    found = Period.search(
        [("start_date", "<=", last), ("end_date", ">=", first), ("type", "=", "standard"), ours()]
    )
    if not found:
        return "missing"
    shut = Closed.search([("state", "=", "closed"), ("date", ">=", last), ours()], limit=1)
    return "open" if not shut and any(takes(one) for one in found) else "closed"
