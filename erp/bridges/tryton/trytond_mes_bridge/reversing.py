# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing what is booked: of a message's posting, or of a document that a hand made.

Where Tryton lets a done move be cancelled, it is: stock and cost are as if it had never been, and a
second entry of the general ledger turns the first one's sign, on the day of the reversal. Where it
does not, because a period was closed over the move or others were valued by it, a move in the other
direction is made beside it, at its cost, and names it.
"""

import re
from decimal import Decimal

from trytond.pool import Pool
from trytond.transaction import Transaction

from .rules import TAKES_NOTHING, assigned, check_on_hand, check_period, is_open
from .wire import CODES, Refusal, exact

NUMBER = re.compile("[0-9]{1,9}")


def reversed_(posting, data):
    """Undo an earlier posting of the same order, all its moves."""
    Posting = Pool().get("mes.posting")
    found = Posting.search([("key", "=", data.get("corrects"))])
    if not found:
        raise Refusal("original_unknown", f"{data.get('corrects')} was never posted here.")
    original = found[0]
    if original.production != posting.production:
        raise Refusal("order_wrong", f"{original.key} belongs to another order.")
    if Posting.search([("reverses", "=", original.id)]):
        raise Refusal("already_reversed", f"{original.key} was reversed before.")
    _check_takes(posting.production)
    moves = sorted(original.moves, key=lambda move: move.mes_line)
    for move in moves:
        _check_untouched(move)
    check_period(posting.production.company, posting.posting_date)
    if not moves or _asked(data) != [_said(move) for move in moves]:
        raise Refusal("reversal_differs", f"The lines do not undo those of {original.key}.")
    posting.reverses = original
    posting.save()
    return _undone(posting, moves)


def document_reversed(posting, data):
    """Undo a move that says other than the floor, or that no message stands behind.

    The latter may be of an order that is done: nothing needs to be posted in its place.
    """
    Move = Pool().get("stock.move")
    named = data.get("document") or {}
    number = str(named.get("id"))
    found = Move.search([("id", "=", int(number))]) if NUMBER.fullmatch(number) else []
    booked = [one for one in found if one.state in ("done", "cancelled") and one.effective_date]
    if not booked or str(booked[0].effective_date.year) != str(named.get("year")):
        raise Refusal("document_unknown", f"Move {number} of {named.get('year')}: none.")
    [move] = booked
    _check_untouched(move)
    if _order_of(move) != posting.production or _asked(data) != [_said(move)]:
        raise Refusal("reversal_differs", f"The lines do not undo move {number}.")
    if move.mes_posting:
        _check_takes(posting.production)
    check_period(posting.production.company, posting.posting_date)
    posting.undoes = move
    posting.save()
    return _undone(posting, [move])


def _check_takes(production):
    """Refuse to undo what is then posted anew, where the order takes nothing any more."""
    if production.state in TAKES_NOTHING:
        raise Refusal("order_closed", f"Order {production.number} is {production.state}.")


def _order_of(move):
    posting = move.mes_posting
    return move.production_input or move.production_output or (posting and posting.production)


def _check_untouched(move):
    """Refuse to undo what is undone: by a message, or by a hand."""
    Move = Pool().get("stock.move")
    again = Move.search([("mes_undoes", "=", move.id)], limit=1)
    if move.state == "cancelled" or again:
        by = f"move {again[0].id}" if again else "a cancellation"
        raise Refusal("already_reversed", f"Move {move.id} was reversed by {by}.")


def _asked(data):
    return [
        (line.get("item"), line.get("lot"), CODES.get(line.get("unit")), -exact(line))
        for line in data["lines"]
    ]


def _said(move):
    quantity = round(Decimal(str(move.quantity)), move.unit.digits)
    sign = -1 if move.mes_undoes else 1
    lot = move.lot.number if move.lot else None
    return (move.product.code, lot, move.unit.symbol, sign * quantity)


def _undone(posting, moves):
    """Undo moves, each in the way that Tryton allows; return what names the undoing."""
    Move = Pool().get("stock.move")
    undoing = []
    for n, move in enumerate(moves, 1):
        if is_open(move.company, move.effective_date) and not move.fifo_quantity:
            check_on_hand(move)
            with Transaction().set_context(mes_reversal_date=posting.posting_date):
                Move.cancel([move])
            undoing.append(move)
        else:
            undoing.append(_beside(posting, n, move))
    return undoing


def _beside(posting, n, move):
    """Make a move in the other direction, at the cost of the first."""
    Move = Pool().get("stock.move")
    cost = move.unit_price if move.from_location.type == "production" else move.cost_price
    back = Move(
        product=move.product,
        unit=move.unit,
        quantity=move.quantity,
        lot=move.lot,
        from_location=move.to_location,
        to_location=move.from_location,
        company=move.company,
        cost_price=cost,
        effective_date=posting.posting_date,
        planned_date=posting.posting_date,
        mes_posting=posting,
        mes_line=n,
        mes_undoes=move,
    )
    if move.to_location.type == "production":
        back.production_output = move.production_input
    elif move.from_location.type == "production":
        back.production_input = move.production_output
    back.unit_price_required = back.on_change_with_unit_price_required()
    if back.unit_price_required:
        back.unit_price, back.currency = cost, move.company.currency
    if move.to_location.type == "storage":
        assigned([back])
    else:
        Move.save([back])
    Move.do([back])
    return back
