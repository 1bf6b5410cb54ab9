# SPDX-License-Identifier: GPL-3.0-or-later
"""A stock move remembers which message made it, and an entry that undoes one has its day."""

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction


class Move(metaclass=PoolMeta):
    __name__ = "stock.move"

    mes_posting = fields.Many2One("mes.posting", "MES Posting", readonly=True, ondelete="RESTRICT")
    mes_line = fields.Integer("MES Line", readonly=True)
    mes_undoes = fields.Many2One("stock.move", "Undoes Move", readonly=True, ondelete="RESTRICT")

    @classmethod
    def copy(cls, moves, default=None):
        default = {} if default is None else default.copy()
        default.setdefault("mes_posting")
        default.setdefault("mes_line")
        default.setdefault("mes_undoes")
        return super().copy(moves, default=default)


class Entry(metaclass=PoolMeta):
    __name__ = "account.move"

    def _cancel_default(self, reversal=False):
        """Date what a message undoes on the day of the message, not of what it undoes."""
        default = super()._cancel_default(reversal=reversal)
        on = Transaction().context.get("mes_reversal_date")
        if on is not None:
            Period = Pool().get("account.period")
            default.update(date=on, period=Period.find(self.company, date=on).id)
        return default
