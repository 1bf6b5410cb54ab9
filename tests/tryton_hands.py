"""What people do in Tryton itself, beside any message: by its own interface, and by SQL.

The first is what its clients do, with all its checks; the second is what nobody should do.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from core.clock import now
from erp.bridges.tryton_server import DATABASE, TrytonServer

# what no address of the server does: a wizard, in Tryton's own client
CANCEL = """
import sys
from proteus import Model, Wizard, config
config.set_trytond(sys.argv[2], config_file=sys.argv[1])
[move] = Model.get("account.move").find([("number", "=", sys.argv[3])])
Wizard("account.move.cancel", [move]).execute("cancel")
"""


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def decimal(text: str) -> dict[str, str]:
    """Return a decimal as Tryton's interface takes it."""
    return {"__class__": "Decimal", "decimal": text}


def day(on: date) -> dict[str, Any]:
    """Return a day as Tryton's interface takes it."""
    return {"__class__": "date", "year": on.year, "month": on.month, "day": on.day}


@dataclass
class TrytonHands:
    """Tryton's own people."""

    server: TrytonServer

    def ask(self, method: str, path: str, *, data: Any = None, **query: Any) -> Any:
        """Call Tryton's interface as its administrator, and return what it says."""
        answer = httpx.request(
            method,
            f"{self.server.rest}/{path}",
            headers={
                "authorization": f"Bearer {self.server.admin_token}",
                "x-tryton-context": _encoded({"company": 1}),
            },
            json=data,
            params=query,
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code in (200, 204), f"{path}: {answer.status_code} {answer.text[:800]}"
        return answer.json() if answer.content else None

    def find(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        """Return the records of a model that a domain names, oldest first."""
        order = _encoded([["id", "ASC"]])
        found: list[dict[str, Any]] = self.ask(
            "GET", model, d=_encoded(domain), o=order, f=list(fields)
        )
        return found

    def one(self, model: str, domain: list[Any]) -> int:
        """Return the number of the one record that a domain names."""
        [found] = self.find(model, domain, "id")
        return int(found["id"])

    def act(self, model: str, number: int, action: str) -> None:
        """Press a button on a record."""
        self.ask("POST", f"{model}/{number}/{action}")

    def view(self, module: str, name: str) -> int:
        """Return the number of a form or list of Tryton's client."""
        return self.one("ir.ui.view", [["module", "=", module], ["name", "=", name]])

    def place(self, kind: str) -> int:
        """Return the place of a type; of storage, the one that goods lie in."""
        domain: list[Any] = [["type", "=", kind]]
        if kind == "storage":
            domain.append(["code", "=", "STO"])
        return self.one("stock.location", domain)

    def _move(self, item: str, lot: str, quantity: float, **more: Any) -> int:
        product = self.find("product.product", [["code", "=", item]], "default_uom")[0]
        data = {
            "product": product["id"],
            "unit": product["default_uom"],
            "quantity": quantity,
            "lot": self.one("stock.lot", [["number", "=", lot], ["product.code", "=", item]]),
            "from_location": self.place("storage"),
            "company": 1,
            **more,
        }
        return int(self.ask("POST", "stock.move", data=data)["id"])

    def issued(self, order: str, item: str, lot: str, *, quantity: float, **more: Any) -> int:
        """Use more for a running order, as a clerk does: back to waiting, assign, run."""
        production = self.one("production", [["number", "=", order]])
        self.act("production", production, "wait")
        made = self._move(
            item, lot, quantity,
            to_location=self.place("production"), production_input=production, **more,
        )  # fmt: skip
        for action in ("assign_try", "run"):
            self.act("production", production, action)
        [move] = self.find("stock.move", [["id", "=", made]], "state")
        assert move["state"] == "done", move
        return made

    def produced(self, order: str, lots: dict[str, str], *, batch: str) -> None:
        """Make a whole order by hand with what it planned, from lots by item."""
        production = self.one("production", [["number", "=", order]])
        planned = [["production_input", "=", production], ["state", "=", "draft"]]
        for move in self.find("stock.move", planned, "product.code"):
            item = move["product"]["code"]
            lot = self.one("stock.lot", [["number", "=", lots[item]]])
            self.ask("PUT", f"stock.move/{move['id']}", data={"lot": lot})
        for action in ("assign_try", "run"):
            self.act("production", production, action)
        [made] = self.find("stock.move", [["production_output", "=", production]], "product")
        lot = self.ask("POST", "stock.lot", data={"number": batch, "product": made["product"]})
        self.ask("PUT", f"stock.move/{made['id']}", data={"lot": lot["id"]})
        self.act("production", production, "do")

    def counted(self, item: str, lot: str, quantity: float) -> None:
        """Count what lies in store: Tryton books the difference."""
        line = {
            "product": self.one("product.product", [["code", "=", item]]),
            "lot": self.one("stock.lot", [["number", "=", lot], ["product.code", "=", item]]),
            "quantity": quantity,
        }
        place = self.place("storage")
        data = {"location": place, "company": 1, "lines": [["create", [line]]]}
        made = self.ask("POST", "stock.inventory", data=data)
        self.act("stock.inventory", int(made["id"]), "confirm")

    def period(self, month: date, action: str) -> None:
        """Close a month, or open it again."""
        self.act("account.period", self.period_of(month), action)
        if action == "reopen":
            self.open_journals(month)

    def period_of(self, month: date) -> int:
        """Return the number of a month's period."""
        return self.one("account.period", [["start_date", "=", day(month.replace(day=1))]])

    def open_journals(self, month: date) -> None:
        """Open the journals of a month, which closing it has closed too."""
        in_it = [["period", "=", self.period_of(month)]]
        for one in self.find("account.journal.period", in_it, "state"):
            if one["state"] == "closed":
                self.act("account.journal.period", one["id"], "reopen")

    def entries(self, move: int) -> list[dict[str, Any]]:
        """Return the entries of the general ledger that a stock move has."""
        lines = [f"lines.{name}" for name in ("account", "debit", "credit")]
        return self.find("account.move", [["origin", "=", f"stock.move,{move}"]], "number", *lines)

    def booked_value(self, move: int) -> tuple[int, Decimal]:
        """Return how many entries a move has, and what they sum to on the stock account."""
        found = self.find("product.category.account", [], "account_stock")
        lines = [line for entry in self.entries(move) for line in entry["lines"]]
        return len(self.entries(move)), sum(
            (
                Decimal(line["debit"]["decimal"]) - Decimal(line["credit"]["decimal"])
                for line in lines
                if line["account"] == found[0]["account_stock"]
            ),
            Decimal(0),
        )

    def journal(self, amount: str) -> str:
        """Enter an amount on the stock account by hand, with no goods; return its number."""
        accounts = self.find("product.category.account", [], "account_stock", "account_stock_out")
        stock, out = (accounts[0][name] for name in ("account_stock", "account_stock_out"))
        today = day(now().date())
        period = self.one(
            "account.period", [["start_date", "<=", today], ["end_date", ">=", today]]
        )
        lines = [
            {"account": stock, "debit": decimal(amount), "credit": decimal("0")},
            {"account": out, "debit": decimal("0"), "credit": decimal(amount)},
        ]
        data = {
            "company": 1,
            "journal": self.find("account.journal", [], "id")[0]["id"],
            "period": period,
            "date": today,
            "lines": [["create", lines]],
        }
        number = int(self.ask("POST", "account.move", data=data)["id"])
        self.act("account.move", number, "post")
        return str(self.find("account.move", [["id", "=", number]], "number")[0]["number"])

    def cancel_entry(self, number: str) -> None:
        """Have Tryton take an entry back: it makes one that turns the signs."""
        installed, folder = self.server.installed, self.server.folder
        run = [installed.python, "-c", CANCEL, folder / "trytond.conf", DATABASE, number]
        subprocess.run(run, env=installed.environ, check=True, capture_output=True)

    def sql(self, statement: str, *values: object) -> int:
        """Change Tryton's database behind its back; return how many rows."""
        database = self.server.folder / f"{DATABASE}.sqlite"
        with closing(sqlite3.connect(database, timeout=30)) as books:
            changed = books.execute(statement, values).rowcount
            books.commit()
        return changed

    def drop_entries(self, move: int) -> None:
        """Delete the entries of a move from the general ledger."""
        of_move = "SELECT id FROM account_move WHERE origin = ?"
        name = f"stock.move,{move}"
        self.sql(f"DELETE FROM account_move_line WHERE move IN ({of_move})", name)
        assert self.sql("DELETE FROM account_move WHERE origin = ?", name)

    def move_entries(self, move: int, on: date) -> None:
        """Put the entries of a move into another month."""
        period = self.period_of(on)
        changed = "UPDATE account_move SET period = ?, date = ? WHERE origin = ?"
        assert self.sql(changed, period, on.isoformat(), f"stock.move,{move}")

    def copied(self, move: int, times: int, *, state: str = "done") -> list[int]:
        """Copy a move many times; return the numbers of the copies."""
        database = self.server.folder / f"{DATABASE}.sqlite"
        with closing(sqlite3.connect(database, timeout=30)) as books:
            rows = books.execute("SELECT name FROM pragma_table_info('stock_move')").fetchall()
            kept = [name for (name,) in rows if name not in ("id", "state", "mes_posting")]
            [(last,)] = books.execute("SELECT max(id) FROM stock_move").fetchall()
            names = ", ".join(kept)
            books.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                f" INSERT INTO stock_move (id, state, {names})"
                f" SELECT ? + i, ?, {names} FROM n, stock_move WHERE id = ?",
                (times, last, state, move),
            )
            books.commit()
        return list(range(last + 1, last + times + 1))
