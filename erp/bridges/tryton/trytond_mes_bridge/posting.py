# SPDX-License-Identifier: GPL-3.0-or-later
"""One message, one transaction, one row under a unique key.

The row is written first: its unique index makes twins wait for each other. Whatever fails takes
moves, general ledger and row away together, so that the key is free again.
"""

import hashlib
import json
from datetime import date

from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from .book import BOOKS, NOTICES, STATUS
from .wire import Refusal, own


class Posting(ModelSQL, ModelView):
    "MES Posting"

    __name__ = "mes.posting"
    _rec_name = "key"

    key = fields.Char("Key", required=True)
    erp_ref = fields.Char("Reference", required=True)
    digest = fields.Char("Digest", required=True)
    type = fields.Char("Type", required=True)
    production = fields.Many2One("production", "Production", ondelete="RESTRICT")
    posting_date = fields.Date("Posting Date", required=True)
    body = fields.Binary("Body", required=True)
    result = fields.Text("Result")
    reverses = fields.Many2One("mes.posting", "Reverses", ondelete="RESTRICT")
    undoes = fields.Many2One("stock.move", "Undoes Move", ondelete="RESTRICT")
    moves = fields.One2Many("stock.move", "mes_posting", "Moves", readonly=True)
    lines = fields.One2Many("mes.posting.line", "posting", "Lines", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ("id", "DESC"))
        t = cls.__table__()
        cls._sql_constraints += [
            ("key_unique", Unique(t, t.key), "mes_bridge.msg_key"),
            ("ref_unique", Unique(t, t.erp_ref), "mes_bridge.msg_ref"),
            ("reverses_unique", Unique(t, t.reverses), "mes_bridge.msg_reverses"),
            ("undoes_unique", Unique(t, t.undoes), "mes_bridge.msg_reverses"),
        ]

    @classmethod
    def take(cls, message, body):
        """Book a message once and return the receipt's content."""
        digest = hashlib.sha256(body).hexdigest()
        known = cls.search([("key", "=", message["id"])])
        if known:
            return cls._again(known[0], digest)
        data = message["data"]
        production = cls._production(data["order"].get("erp"))
        on = cls._date(data)
        posting = cls(
            key=message["id"],
            erp_ref=data["erp_ref"],
            digest=digest,
            type=message["type"],
            production=production,
            posting_date=on,
            body=body,
        )
        posting.save()
        documents = posting.book(data)
        answer = {
            "status": "posted",
            "documents": documents,
            "posting_period": posting.period_booked(),
        }
        if data.get("checkpoint"):
            answer["checkpoint"] = data["checkpoint"]
        posting.result = json.dumps(answer, sort_keys=True)
        posting.save()
        return answer

    @classmethod
    def _again(cls, posting, digest):
        if posting.digest != digest:
            raise Refusal("key_reused", f"{posting.key} was used for other bytes.")
        return {**json.loads(posting.result), "status": "duplicate"}

    @classmethod
    def _production(cls, number):
        Production = Pool().get("production")
        company = Transaction().context["company"]
        found = Production.search([("number", "=", number), ("company", "=", company)])
        if not found:
            raise Refusal("order_unknown", f"Order {number} is not known.")
        return found[0]

    @classmethod
    def _date(cls, data):
        try:
            return date.fromisoformat(data["posting_date"])
        except (KeyError, TypeError, ValueError) as fault:
            raise Refusal("contract_broken", "posting_date is no date.", 400) from fault

    def book(self, data):
        """Do what the message says and return its documents."""
        if self.type in NOTICES:
            return [self._document("notice", own(self), 1)]
        book = BOOKS.get(self.type)
        if book is None:
            raise Refusal("type_unknown", f"{self.type} is not known.")
        moves = book(self, data)
        if moves:
            return [self._moved(move) for move in moves]
        Line = Pool().get("mes.posting.line")
        lines = Line.create(STATUS[self.type](self, data))
        return [self._document("mes_posting", own(self), line.n) for line in lines]

    def _document(self, kind, number, n):
        year = str(self.posting_date.year)
        return {"type": kind, "id": str(number), "year": year, "line": str(n)}

    def _moved(self, move):
        """Return a move as the books name it; a cancellation is the line behind the move's own."""
        n = (move.mes_line or 1) + (move.state == "cancelled")
        document = self._document("stock_move", move.id, n)
        return {**document, "year": str(move.effective_date.year)}

    def period_booked(self):
        """Return the month of the general ledger where there is one, else that of the posting.

        What is read back afterwards decides: this is where a posting that landed elsewhere shows.
        """
        for move in self.moves:
            for account_move in move.account_moves:
                return account_move.period.start_date.isoformat()[:7]
        return self.posting_date.isoformat()[:7]


class PostingLine(ModelSQL):
    "MES Posting Line"

    __name__ = "mes.posting.line"

    posting = fields.Many2One("mes.posting", "Posting", required=True, ondelete="RESTRICT")
    n = fields.Integer("Number", required=True)
    kind = fields.Char("Kind", required=True)
    movement = fields.Char("Movement", required=True)
    item = fields.Char("Item")
    lot = fields.Char("Lot")
    quantity = fields.Char("Quantity")
    unit = fields.Char("Unit")
