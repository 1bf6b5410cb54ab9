# SPDX-License-Identifier: GPL-3.0-or-later
"""What each message does in Tryton: stock moves with their general ledger, or a line of its own.

Every function is called inside the message's transaction, after its row was written. Floats exist
only in Tryton's own quantities; what a message says is compared digit by digit before.
"""

from trytond.pool import Pool

from .reversing import document_reversed, reversed_
from .rules import TAKES_NOTHING, assigned, check_period
from .wire import CODES, Refusal, exact

NOTICES = {
    "mes.work_order_held.v1",
    "mes.work_order_resumed.v1",
    "mes.deviation_opened.v1",
    "mes.deviation_closed.v1",
    "mes.equipment_state.v1",
}


def _line(line):
    """Return product, unit, exact quantity and its float, of one line."""
    pool = Pool()
    Product = pool.get("product.product")
    found = Product.search([("code", "=", line.get("item"))])
    if not found:
        raise Refusal("item_unknown", f"Item {line.get('item')} is not known.")
    product = found[0]
    symbol = CODES.get(line.get("unit"))
    if symbol is None or product.default_uom.symbol != symbol:
        kept = product.default_uom.symbol
        raise Refusal("unit_wrong", f"Item {product.code} is kept in {kept}.")
    quantity, digits = exact(line), product.default_uom.digits
    if quantity != round(quantity, digits):
        raise Refusal("scale_exceeded", f"{quantity} {symbol} has more than {digits} digits.")
    return product, product.default_uom, quantity


def _lot(product, number, *, born=False):
    Lot = Pool().get("stock.lot")
    if not number:
        raise Refusal("lot_missing", f"Item {product.code} is kept by lot; the line has none.")
    found = Lot.search([("product", "=", product.id), ("number", "=", number)])
    if found:
        return found[0]
    if not born:
        raise Refusal("lot_unknown", f"Lot {number} of {product.code} is not known.")
    lot = Lot(product=product, number=number)
    lot.save()
    return lot


def _running(posting):
    production = posting.production
    if production.state in TAKES_NOTHING:
        raise Refusal("order_closed", f"Order {production.number} is {production.state}.")
    if production.state != "running":
        raise Refusal("order_locked", f"Order {production.number} was not started.")
    return production


def _move(posting, n, line, *, kind, born=False):
    """Make one stock move of a line, not done yet."""
    production = posting.production
    product, unit, quantity = _line(line)
    if quantity <= 0:
        raise Refusal("quantity_wrong", f"Item {product.code}: {quantity} is not above zero.")
    move = production._move(kind, product, unit, float(quantity))
    move.lot = _lot(product, line.get("lot"), born=born)
    move.effective_date = posting.posting_date
    move.planned_date = posting.posting_date
    move.mes_posting = posting
    move.mes_line = n
    return move


def started(posting, data):
    """Run the order. What it planned to use is dropped: the MES says what was used."""
    Production, Move = Pool().get("production"), Pool().get("stock.move")
    production = posting.production
    if production.state in TAKES_NOTHING:
        raise Refusal("order_closed", f"Order {production.number} is {production.state}.")
    if production.state == "running":
        return []
    if production.state not in ("waiting", "assigned"):
        raise Refusal("order_locked", f"Order {production.number} is {production.state}.")
    check_period(production.company, posting.posting_date)
    planned = [*production.inputs, *production.outputs]
    Move.draft([move for move in planned if move.state not in ("draft", "staging")])
    Move.delete(planned)
    production = Production(production.id)
    production.effective_start_date = posting.posting_date
    production.save()
    Production.write([production], {"state": "assigned"})
    Production.run([production])
    return []


def consumed(posting, data):
    """Issue each line's lot to the order; the general ledger moves with it."""
    production = _running(posting)
    check_period(production.company, posting.posting_date)
    Move = Pool().get("stock.move")
    moves = [_move(posting, n, line, kind="input") for n, line in enumerate(data["lines"], 1)]
    assigned(moves)
    Move.do(moves)
    return moves


def returned(posting, data):
    """Give back to stock what was issued, at the price it was issued at."""
    production = _running(posting)
    check_period(production.company, posting.posting_date)
    Move = Pool().get("stock.move")
    moves = []
    for n, line in enumerate(data["lines"], 1):
        move = _move(posting, n, line, kind="output")
        issued = [
            one
            for one in production.inputs
            if one.state == "done" and one.product == move.product and one.lot == move.lot
        ]
        if sum(one.quantity for one in issued) < move.quantity:
            raise Refusal("stock_short", f"Less of lot {move.lot.number} was issued.")
        move.unit_price = issued[0].cost_price
        move.currency = production.company.currency
        moves.append(move)
    Move.save(moves)
    Move.do(moves)
    return moves


def scrapped(posting, data):
    """Write off each line's lot from stock for the order."""
    production = _running(posting)
    check_period(production.company, posting.posting_date)
    Move, Location = Pool().get("stock.move"), Pool().get("stock.location")
    [lost] = Location.search([("type", "=", "lost_found")], limit=1)
    moves = []
    for n, line in enumerate(data["lines"], 1):
        move = _move(posting, n, line, kind="input")
        move.production_input = None
        move.to_location = lost
        moves.append(move)
    assigned(moves)
    Move.do(moves)
    return moves


def produced(posting, data):
    """Receive finished goods, in one part or in several; what was used so far is their cost."""
    production = _running(posting)
    check_period(production.company, posting.posting_date)
    Production, Move = Pool().get("production"), Pool().get("stock.move")
    moves = [
        _move(posting, n, line, kind="output", born=True) for n, line in enumerate(data["lines"], 1)
    ]
    if any(move.product != production.product for move in moves):
        raise Refusal("item_wrong", f"Order {production.number} makes {production.product.code}.")
    Move.save(moves)
    Production.set_cost([Production(production.id)])
    moves = Move.browse(moves)
    Move.do(moves)
    return moves


def completed(posting, data):
    """Close the order; it takes no posting from then on."""
    production = _running(posting)
    Production = Pool().get("production")
    production.effective_date = posting.posting_date
    production.save()
    Production.do([Production(production.id)])
    return []


def decided(posting, data):
    """Note QA's decision about the batch; its lot is known from here on."""
    for line in data["lines"]:
        product, _, _ = _line(line)
        _lot(product, line.get("lot"), born=product == posting.production.product)
    return []


BOOKS = {
    "mes.work_order_started.v1": started,
    "mes.material_consumed.v1": consumed,
    "mes.material_returned.v1": returned,
    "mes.scrap_recorded.v1": scrapped,
    "mes.finished_goods_produced.v1": produced,
    "mes.batch_released.v1": decided,
    "mes.batch_rejected.v1": decided,
    "mes.work_order_completed.v1": completed,
    "mes.posting_reversed.v1": reversed_,
    "mes.document_reversed.v1": document_reversed,
}


def _order_line(movement):
    def lines(posting, data):
        return [{"posting": posting.id, "n": 1, "kind": "order", "movement": movement}]

    return lines


def _status_lines(posting, data):
    return [
        {
            "posting": posting.id,
            "n": n,
            "kind": "status",
            "movement": line["movement"],
            "item": line["item"],
            "lot": line["lot"],
            "quantity": line["quantity"],
            "unit": line["unit"],
        }
        for n, line in enumerate(data["lines"], 1)
    ]


# what has no stock move has a line of its own in the books
STATUS = {
    "mes.work_order_started.v1": _order_line("start"),
    "mes.work_order_completed.v1": _order_line("complete"),
    "mes.batch_released.v1": _status_lines,
    "mes.batch_rejected.v1": _status_lines,
}
