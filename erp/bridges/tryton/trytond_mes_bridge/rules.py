# SPDX-License-Identifier: GPL-3.0-or-later
"""What every booking asks first: is the order open, the period open, the stock there."""

from trytond.pool import Pool
from trytond.transaction import Transaction

from .wire import Refusal, plain

TAKES_NOTHING = ("done", "cancelled")


def check_period(company, on):
    """Refuse a date that the general ledger would silently move, or not book at all."""
    pool = Pool()
    Period, Closed = pool.get("account.period"), pool.get("stock.period")
    today = pool.get("ir.date").today()
    if on > today:
        raise Refusal("date_in_future", f"{on} is after today, {today}.")
    found = Period.search(
        [
            ("start_date", "<=", on),
            ("end_date", ">=", on),
            ("company", "=", company.id),
            ("type", "=", "standard"),
        ],
        limit=1,
    )
    if not found:
        raise Refusal("period_missing", f"{on} is in no period.")
    if not takes(found[0]):
        raise Refusal("period_closed", f"Period {found[0].name} is closed.")
    shut = [("company", "=", company.id), ("state", "=", "closed"), ("date", ">=", on)]
    if Closed.search(shut, limit=1):
        raise Refusal("period_closed", f"The stock's period of {on} is closed.")


def takes(period):
    """Return whether a period takes entries of stock; its journal may be closed in it by itself."""
    pool = Pool()
    company = period.fiscalyear.company
    settings = pool.get("account.configuration")(1)
    journal = settings.get_multivalue("stock_journal", company=company.id)
    shut = [("period", "=", period.id), ("journal", "=", journal.id), ("state", "!=", "open")]
    return period.state == "open" and not pool.get("account.journal.period").search(shut, limit=1)


def is_open(company, on):
    """Return whether a date takes postings."""
    try:
        check_period(company, on)
    except Refusal:
        return False
    return True


def assigned(moves):
    """Assign moves where the lot is, or refuse: stock below zero is nobody's stock."""
    Move = Pool().get("stock.move")
    Move.save(moves)
    wanted = {move.id: move.quantity for move in moves}
    if not Move.assign_try(moves, grouping=("product", "lot")):
        found = Move.browse(list(wanted))
        # what is there may be assigned already: the move then has less than was wanted
        short = [one for one in found if one.state != "assigned" or one.quantity < wanted[one.id]]
        [first, *_] = short or found
        raise short_of(first, wanted[first.id])


def check_on_hand(move):
    """Refuse to take back what has left the place that a move put it in."""
    pool = Pool()
    Product, today = pool.get("product.product"), pool.get("ir.date").today()
    place = move.to_location
    if place.type != "storage":
        return
    with Transaction().set_context(forecast=False, stock_date_end=today):
        sums = Product.products_by_location(
            [place.id],
            grouping=("product", "lot"),
            grouping_filter=([move.product.id], [move.lot.id if move.lot else None]),
        )
    if sum(sums.values()) < move.internal_quantity:
        raise short_of(move, move.quantity)


def short_of(move, quantity):
    """Return the refusal of a quantity of a move's lot that is not there."""
    lot = f"Lot {move.lot.number} of {move.product.code}" if move.lot else move.product.code
    text = plain(quantity, move.unit.digits)
    return Refusal("stock_short", f"{lot} has less than {text} {move.unit.symbol}.")
