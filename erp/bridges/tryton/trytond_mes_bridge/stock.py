# SPDX-License-Identifier: GPL-3.0-or-later
"""A stock move remembers which message made it."""

from trytond.model import fields
from trytond.pool import PoolMeta


class Move(metaclass=PoolMeta):
    __name__ = "stock.move"

    mes_posting = fields.Many2One("mes.posting", "MES Posting", readonly=True, ondelete="RESTRICT")
    mes_line = fields.Integer("MES Line", readonly=True)

    @classmethod
    def copy(cls, moves, default=None):
        default = {} if default is None else default.copy()
        default.setdefault("mes_posting")
        default.setdefault("mes_line")
        return super().copy(moves, default=default)
