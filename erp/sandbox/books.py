"""Documents, ledger lines and general ledger of the sandbox: money lives and stays here."""

import sqlite3
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from erp.sandbox.store import move_stock, next_number

INVENTORY = "1400 Inventory"
WORK_IN_PROCESS = "1500 Work in process"
GOODS_RECEIVED = "2100 Goods received"
SCRAP = "5100 Scrap"

CENT = Decimal("0.01")

# movement -> (stock status, sign of the stock change, account debited, account credited)
STOCK_MOVES = {
    "issue": ("available", -1, WORK_IN_PROCESS, INVENTORY),
    "return": ("available", 1, INVENTORY, WORK_IN_PROCESS),
    "scrap": ("available", -1, SCRAP, INVENTORY),
    "receipt": ("quality", 1, INVENTORY, WORK_IN_PROCESS),
    "purchase": ("available", 1, INVENTORY, GOODS_RECEIVED),
}
# movement -> status the quantity goes to, from quality
STATUS_MOVES = {"release": "available", "reject": "blocked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The head of one document: what its lines have in common."""

    type: str
    number: str
    posting_date: str
    posted_at: str
    reference: str | None = None
    erp_ref: str | None = None
    order: str | None = None

    @property
    def year(self) -> str:
        return self.posting_date[:4]

    @property
    def period(self) -> str:
        return self.posting_date[:7]

    def ref(self, line: int) -> dict[str, str]:
        """Return how a receipt names one line of it."""
        return {"type": self.type, "id": self.number, "year": self.year, "line": str(line)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One line of a document."""

    movement: str
    item: str
    lot: str
    quantity: Decimal
    unit: str


def new_number(connection: sqlite3.Connection, kind: str) -> str:
    """Return the next document number of a kind."""
    start = {"material_document": 4_900_000_001, "confirmation": 6_000_000_001}.get(kind, 1)
    return str(next_number(connection, kind, start))


def book_move(connection: sqlite3.Connection, document: Document, *, n: int, move: Move) -> None:
    """Write one stock or status move with its GL document."""
    gl_document = None
    if move.movement in STATUS_MOVES:
        kind = "status"
        to = STATUS_MOVES[move.movement]
        for status, change in (("quality", -move.quantity), (to, move.quantity)):
            move_stock(connection, move.item, move.lot, status=status, change=change)
    else:
        kind = "stock"
        status, sign, debit, credit = STOCK_MOVES[move.movement]
        move_stock(connection, move.item, move.lot, status=status, change=sign * move.quantity)
        gl_document = _book_gl(connection, document.period, move=move, accounts=(debit, credit))
    write_line(connection, document, kind=kind, n=n, move=move, gl_document=gl_document)


def book_journal(
    connection: sqlite3.Connection,
    document: Document,
    amount: Decimal,
    *,
    accounts: tuple[str, str],
) -> None:
    """Write a general ledger entry that no stock move stands behind."""
    number = _book_amount(connection, document.period, amount, accounts=accounts)
    write_line(connection, document, kind="gl", n=1, movement="journal", gl_document=number)


def _book_gl(
    connection: sqlite3.Connection, period: str, *, move: Move, accounts: tuple[str, str]
) -> str:
    (cost,) = connection.execute(
        "SELECT standard_cost FROM item WHERE code = ?", (move.item,)
    ).fetchone()
    amount = (Decimal(cost) * move.quantity).quantize(CENT, ROUND_HALF_UP)
    return _book_amount(connection, period, amount, accounts=accounts)


def _book_amount(
    connection: sqlite3.Connection, period: str, amount: Decimal, *, accounts: tuple[str, str]
) -> str:
    # A reversal swaps the sides: a debit below zero would hide in sums of one side.
    debit, credit = accounts if amount >= 0 else (accounts[1], accounts[0])
    number = str(next_number(connection, "gl_document", 100_000_001))
    text = f"{abs(amount):f}"
    connection.executemany(
        "INSERT INTO gl_line VALUES (?, ?, ?, ?, ?, ?)",
        [(number, 1, debit, text, "0", period), (number, 2, credit, "0", text, period)],
    )
    return number


def write_line(
    connection: sqlite3.Connection,
    document: Document,
    *,
    kind: str,
    n: int,
    move: Move | None = None,
    movement: str = "",
    gl_document: str | None = None,
) -> None:
    """Write one line of the readable ledger."""
    connection.execute(
        "INSERT INTO ledger_line (kind, reference, erp_ref, document_type, document, year, line,"
        " order_id, item, lot, movement, quantity, unit, posting_date, period, gl_document,"
        " gl_period, posted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind,
            document.reference,
            document.erp_ref,
            document.type,
            document.number,
            document.year,
            str(n),
            document.order,
            move.item if move else None,
            move.lot if move else None,
            move.movement if move else movement,
            f"{move.quantity:f}" if move else None,
            move.unit if move else None,
            document.posting_date,
            document.period,
            gl_document,
            document.period if gl_document else None,
            document.posted_at,
        ),
    )
