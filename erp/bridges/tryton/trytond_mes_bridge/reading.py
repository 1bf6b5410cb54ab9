# SPDX-License-Identifier: GPL-3.0-or-later
"""What the MES reads: master data, and the books as they stand now, manual postings included."""

import json
from datetime import UTC, datetime

from trytond.pool import Pool

from .wire import SYMBOLS, plain

ORDER_STATES = {
    "request": "planned",
    "draft": "planned",
    "waiting": "released",
    "assigned": "released",
    "running": "released",
    "done": "closed",
    "cancelled": "cancelled",
}
PAGE = 1000
OWN = 1_000_000_000_000  # rows of the bridge itself come after all stock moves


def instant(at):
    """Return Tryton's naive UTC instant as the contract writes it."""
    at = at or datetime(1970, 1, 1)
    return at.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
            "unit": SYMBOLS.get(one.default_uom.symbol, one.default_uom.symbol),
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
                "unit": SYMBOLS[output.unit.symbol],
                "lines": [
                    {
                        "item": one.product.code,
                        "quantity": plain(one.quantity, one.unit.digits),
                        "unit": SYMBOLS[one.unit.symbol],
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
        "unit": SYMBOLS[one.unit.symbol],
        "state": ORDER_STATES[one.state],
        "due_at": f"{due.isoformat()}T00:00:00.000000Z" if due else None,
        "priority": None,
        "customer": None,
        "changed_at": changed(one),
    }


def orders():
    """Return every numbered production order."""
    Production = Pool().get("production")
    found = Production.search([("number", "!=", None)], order=[("number", "ASC")])
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
    """Return whether a month takes postings."""
    found = (
        Pool()
        .get("account.period")
        .search([("start_date", "=", f"{month}-01"), ("type", "=", "standard")], limit=1)
    )
    if not found:
        return "missing"
    return "open" if found[0].state == "open" else "closed"


def ledger(after, number):
    """Return up to a page of the books after a line, and whether there is more."""
    lines = []
    if after < OWN:
        lines = _stock_lines(after, number)
    if len(lines) < PAGE:
        lines += _own_lines(max(after, OWN), number)
    page = lines[:PAGE]
    return page, len(lines) > PAGE


def _stock_lines(after, number):
    Move = Pool().get("stock.move")
    domain = [
        ("state", "in", ["done", "cancelled"]),
        ("id", ">=", (after // 10) + (1 if after % 10 else 0)),
        [
            "OR",
            ("production_input", "!=", None),
            ("production_output", "!=", None),
            ("mes_posting", "!=", None),
        ],
    ]
    found = []
    for move in Move.search(domain, order=[("id", "ASC")], limit=PAGE + 1):
        found += _lines_of(move)
    return [line for line in found if line["seq"] > after and number in (None, line["order"])]


def _movement(move):
    kinds = (move.from_location.type, move.to_location.type)
    return {
        ("storage", "production"): "issue",
        ("storage", "lost_found"): "scrap",
        ("production", "storage"): "receipt"
        if move.production_output and move.product == move.production_output.product
        else "return",
    }.get(kinds, "other")


def _lines_of(move):
    """Return a move as one line, and as a second one with the sign turned where it was cancelled.

    A move that never was done stands in no books.
    """
    posting = move.mes_posting
    booked = sorted(move.account_moves, key=lambda one: one.id)
    if move.state == "cancelled" and not booked:
        return []
    production = move.production_input or move.production_output or posting.production
    on = move.effective_date
    sign = "" if move.state == "done" else "-"
    quantity = plain(move.quantity, move.unit.digits)

    def line(n, text, *, key, account_move, at):
        gl = account_move
        return {
            "seq": move.id * 10 + n,
            "kind": "stock",
            "reference": key.key if key else None,
            "erp_ref": key.erp_ref if key else None,
            "document_type": "stock_move",
            "document": str(move.id),
            "year": str(on.year),
            "line": str((move.mes_line or 1) + n - 1),
            "order": production.number,
            "item": move.product.code,
            "lot": move.lot.number if move.lot else None,
            "movement": _movement(move),
            "quantity": text,
            "unit": SYMBOLS[move.unit.symbol],
            "posting_date": (key.posting_date if key and n == 2 else on).isoformat(),
            "period": (key.posting_date if key and n == 2 else on).isoformat()[:7],
            "gl_document": (gl.number or str(gl.id)) if gl else None,
            "gl_period": gl.period.start_date.isoformat()[:7] if gl else None,
            "posted_at": instant(at),
        }

    first = line(
        1, quantity, key=posting, account_move=booked[0] if booked else None, at=move.create_date
    )
    if not sign:
        return [first]
    undoing = Pool().get("mes.posting").search([("reverses", "=", posting.id)]) if posting else []
    second = line(
        2,
        f"-{quantity}",
        key=undoing[0] if undoing else None,
        account_move=booked[-1] if len(booked) > 1 else None,
        at=move.write_date,
    )
    return [first, second]


def _own_lines(after, number):
    Line = Pool().get("mes.posting.line")
    found = []
    domain = [("id", ">", after - OWN)]
    for one in Line.search(domain, order=[("id", "ASC")], limit=PAGE + 1):
        posting = one.posting
        if number not in (None, posting.production.number):
            continue
        found.append(
            {
                "seq": OWN + one.id,
                "kind": one.kind,
                "reference": posting.key,
                "erp_ref": posting.erp_ref,
                "document_type": "mes_posting",
                "document": str(posting.id),
                "year": str(posting.posting_date.year),
                "line": str(one.n),
                "order": posting.production.number,
                "item": one.item,
                "lot": one.lot,
                "movement": one.movement,
                "quantity": one.quantity,
                "unit": one.unit,
                "posting_date": posting.posting_date.isoformat(),
                "period": posting.posting_date.isoformat()[:7],
                "gl_document": None,
                "gl_period": None,
                "posted_at": instant(posting.create_date),
            }
        )
    return found
