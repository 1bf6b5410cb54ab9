# SPDX-License-Identifier: GPL-3.0-or-later
"""The books as they stand now, manual postings included: stock moves, what moves no stock, and the
entries of the general ledger on a stock account that no stock move stands behind.

Lines have numbers that never change: a stock move's is ten times its own, so that what undoes it
stands right behind it; rows of the bridge come after all moves, entries without a move after those.
"""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice

from trytond.pool import Pool
from trytond.transaction import Transaction

from .wire import SYMBOLS, entry_name, own, plain

PAGE = 1000
OWN = 1_000_000_000_000
ENTRIES = 2 * OWN
BOOKED = ("done", "cancelled")
# An entry that closes a year, or that values products anew, has no stock move and needs none.
NEEDS_NO_MOVE = ("account.fiscalyear", "product.product", "product.template")


def instant(at):
    """Return Tryton's naive UTC instant as the contract writes it."""
    at = at or datetime(1970, 1, 1)
    return at.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def code_of(unit):
    """Return a unit's code of the contract; one that has none stays as Tryton writes it."""
    return SYMBOLS.get(unit.symbol, unit.symbol)


def ledger(after, number):
    """Return up to a page of the books after a line, and whether there is more."""
    lines = chain(_stock_lines(after, number), _own_lines(after, number), _orphans(after, number))
    found = list(islice(lines, PAGE + 1))
    return found[:PAGE], len(found) > PAGE


def stock(on=None):
    """Return what is on hand of each lot in each place of storage, by Tryton's own sums.

    `on` is the day at whose end it is asked; today where None. What is only planned is not there.
    """
    pool = Pool()
    on = on or pool.get("ir.date").today()
    Product, Location, Lot = (
        pool.get(name) for name in ("product.product", "stock.location", "stock.lot")
    )
    places = {one.id: one for one in Location.search([("type", "=", "storage")])}
    with Transaction().set_context(forecast=False, stock_date_end=on):
        sums = Product.products_by_location(list(places), grouping=("product", "lot"))
    products = {one.id: one for one in Product.browse(list({key[1] for key in sums}))}
    lots = {one.id: one for one in Lot.browse(list({key[2] for key in sums if key[2]}))}
    found = []
    for (place, product, lot), quantity in sums.items():
        unit, code = products[product].default_uom, products[product].code
        text = plain(quantity, unit.digits)
        if code and Decimal(text):
            found.append(
                {
                    "item": code,
                    "lot": lots[lot].number if lot else None,
                    "status": places[place].code or places[place].name,
                    "quantity": text,
                    "unit": code_of(unit),
                }
            )
    return sorted(found, key=lambda one: (one["item"], one["lot"] or "", one["status"]))


def _records(name, domain, after):
    """Yield records of a model in the order of their numbers, some at a time."""
    Model = Pool().get(name)
    while True:
        some = Model.search([("id", ">=", after), *domain], order=[("id", "ASC")], limit=PAGE)
        yield from some
        if len(some) < PAGE:
            return
        after = some[-1].id + 1


def _stock_lines(after, number):
    if after >= OWN:
        return
    of_order = [("production_input", "!=", None), ("production_output", "!=", None)]
    of_order.append(("mes_posting", "!=", None))
    if number is not None:
        names = ("production_input", "production_output", "mes_posting.production")
        of_order = [(f"{name}.number", "=", number) for name in names]
    domain = [
        ("company", "=", Transaction().context["company"]),
        ("state", "in", BOOKED),
        ["OR", *of_order],
    ]
    for move in _records("stock.move", domain, after // 10):
        yield from (line for line in _lines_of(move) if line["seq"] > after)


def _movement(move):
    if move.mes_undoes:
        return _movement(move.mes_undoes)
    kinds = (move.from_location.type, move.to_location.type)
    return {
        ("storage", "production"): "issue",
        ("storage", "lost_found"): "scrap",
        ("production", "storage"): "receipt"
        if move.production_output and move.product == move.production_output.product
        else "return",
    }.get(kinds, "other")


def _has_value(move):
    """Return whether the general ledger must have an entry: Tryton makes none of an amount of 0."""
    price = move.unit_price if move.from_location.type == "production" else move.cost_price
    return bool(move.company.currency.round(Decimal(str(move.quantity)) * (price or 0)))


def _lines_of(move):
    """Return a move as one line, and as a second one with the sign turned where it was cancelled.

    A move that never was done stands in no books.
    """
    posting = move.mes_posting
    booked = sorted(move.account_moves, key=lambda one: one.id)
    if move.state == "cancelled" and not booked and not posting:
        return []
    production = move.production_input or move.production_output or posting.production
    on = move.effective_date or move.create_date.date()
    quantity = plain(move.quantity, move.unit.digits)

    def line(n, text, *, key, entry, at):
        day = on if n == 1 else key.posting_date if key else entry.date if entry else on
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
            "unit": code_of(move.unit),
            "posting_date": day.isoformat(),
            "period": day.isoformat()[:7],
            "gl_document": (entry.number or str(entry.id)) if entry else None,
            "gl_period": entry.period.start_date.isoformat()[:7] if entry else None,
            "gl_due": entry is not None or _has_value(move),
            "posted_at": instant(at),
        }

    sign = "-" if move.mes_undoes else ""
    entry = booked[0] if booked else None
    first = line(1, f"{sign}{quantity}", key=posting, entry=entry, at=move.create_date)
    if move.state == "done":
        return [first]
    entry = booked[-1] if len(booked) > 1 else None
    turned = quantity if sign else f"-{quantity}"
    return [first, line(2, turned, key=_undoing(move), entry=entry, at=move.write_date)]


def _undoing(move):
    """Return the posting by which a move was cancelled, None where a hand did it."""
    Posting = Pool().get("mes.posting")
    asked = [("undoes", "=", move.id)]
    if move.mes_posting:
        asked = ["OR", *asked, ("reverses", "=", move.mes_posting.id)]
    found = Posting.search(asked, limit=1)
    return found[0] if found else None


def _own_lines(after, number):
    if after >= ENTRIES:
        return
    for one in _records("mes.posting.line", [], max(after - OWN, 0) + 1):
        posting = one.posting
        if number not in (None, posting.production.number):
            continue
        yield {
            "seq": OWN + one.id,
            "kind": one.kind,
            "reference": posting.key,
            "erp_ref": posting.erp_ref,
            "document_type": "mes_posting",
            "document": own(posting),
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


def _orphans(after, number):
    """Yield entries on a stock account that no stock move stands behind.

    Only what was entered since the first message came: what the books had before is not ours to
    judge. An entry that was cancelled moves nothing any more, and neither does what cancels it.
    """
    pool = Pool()
    Posting, Category = pool.get("mes.posting"), pool.get("product.category.account")
    first = Posting.search([], order=[("id", "ASC")], limit=1)
    if number is not None or not first:
        return
    accounts = {one.account_stock.id for one in Category.search([("account_stock", "!=", None)])}
    domain = [
        ("company", "=", Transaction().context["company"]),
        ("state", "=", "posted"),
        ("create_date", ">=", first[0].create_date),
        ("lines.account", "in", list(accounts)),
    ]
    for one in _records("account.move", domain, max(after - ENTRIES, 0) + 1):
        if _stands_alone(one):
            yield {
                "seq": ENTRIES + one.id,
                "kind": "gl",
                "reference": None,
                "erp_ref": None,
                "document_type": "account_move",
                "document": entry_name(one),
                "year": str(one.date.year),
                "line": "1",
                "order": None,
                "item": None,
                "lot": None,
                "movement": "journal",
                "quantity": None,
                "unit": None,
                "posting_date": one.date.isoformat(),
                "period": one.date.isoformat()[:7],
                "gl_document": one.number or str(one.id),
                "gl_period": one.period.start_date.isoformat()[:7],
                "posted_at": instant(one.create_date),
            }


def _stands_alone(entry):
    if _kind(entry) == "account.move":  # it takes another one back, which then moves nothing
        return _has_reason(entry.origin)
    if _has_reason(entry):
        return False
    Entry = Pool().get("account.move")
    return not Entry.search([("origin", "=", str(entry)), ("state", "=", "posted")], limit=1)


def _has_reason(entry):
    if _kind(entry) != "stock.move":
        return _kind(entry) in NEEDS_NO_MOVE
    domain = [("id", "=", entry.origin.id), ("state", "in", BOOKED)]
    return bool(Pool().get("stock.move").search(domain, limit=1))


def _kind(entry):
    return entry.origin.__name__ if entry.origin else None
