"""The three-way match: what the floor did, what was sent, what the ERP booked.

Every fact, every message and every posting that concerns the plant is in exactly one class, and
the classes sum to the total. A blank is never agreement: what could not be compared is a class
of its own. Quantities are exact; the tolerance is zero unless a person says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import duckdb
import pyarrow as pa

from analytics.store import sql
from core.clock import micros


class MatchClass(StrEnum):
    """What the match says of one row, in the order in which screens show it."""

    MATCHED = "matched"
    IN_FLIGHT = "in_flight"
    NOT_COMPARED = "not_compared"
    MISSING_IN_ERP = "missing_in_erp"
    MISSING_IN_MES = "missing_in_mes"
    DUPLICATE = "duplicate"
    QTY_MISMATCH = "qty_mismatch"
    UOM_MISMATCH = "uom_mismatch"
    LOT_MISMATCH = "lot_mismatch"
    ITEM_MISMATCH = "item_mismatch"
    WRONG_ORDER = "wrong_order"
    WRONG_PERIOD = "wrong_period"
    GL_MISSING = "gl_missing"
    GL_ORPHAN = "gl_orphan"
    LATE = "late"
    CHANGED_AFTER_POST = "changed_after_post"


AGREES = (MatchClass.MATCHED,)
WAITS = (MatchClass.IN_FLIGHT, MatchClass.NOT_COMPARED)
BUCKETS = (
    ("0-1 h", timedelta(hours=1)),
    ("1-8 h", timedelta(hours=8)),
    ("8-24 h", timedelta(hours=24)),
    ("1-3 d", timedelta(days=3)),
)
OLDEST = "> 3 d"

# unit -> (dimension, factor to the dimension's base); codes are UN/ECE Recommendation 20
UNITS: dict[str, tuple[str, Decimal]] = {
    "MGM": ("mass", Decimal("0.000001")),
    "GRM": ("mass", Decimal("0.001")),
    "KGM": ("mass", Decimal(1)),
    "TNE": ("mass", Decimal(1000)),
    "MLT": ("volume", Decimal("0.001")),
    "LTR": ("volume", Decimal(1)),
    "C62": ("count", Decimal(1)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MesFact:
    """One movement or order event of the ledger, in the ERP's words and base units.

    `order` is the ERP's order number, None where the ERP does not know the order; `fault` says
    why the fact cannot be read as a movement.
    """

    message_id: str
    entry_seq: int
    type: str
    order: str | None
    item: str | None
    lot: str | None
    movement: str
    quantity: Decimal | None
    unit: str | None
    occurred_at: datetime
    posting_date: date
    mes_order: str | None = None
    batch: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """One message as it was made, and the newest answer to it. `sent_at` is when it was made."""

    message_id: str
    state: str
    attempts: int
    sha256: str
    sent_at: datetime
    receipt_status: str | None
    documents: str | None
    erp_ref: str | None = None
    entry_seq: int = 0
    receipt_at: datetime | None = None
    order: str | None = None
    item: str | None = None
    lot: str | None = None
    movement: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    posting_date: date | None = None
    last_code: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpLine:
    """One line read back from the ERP's books.

    Args of the constructor:
        message_id: the reference it was posted under; None for a posting by hand.
        kind: stock, status, order, or gl for a GL entry without stock.
        gl: whether the line has its GL entry; None where its kind has none.
        changed: whether the books differ from the receipt that was signed for it.
    """

    message_id: str | None
    document: str
    order: str | None
    item: str | None
    lot: str | None
    movement: str
    quantity: Decimal | None
    unit: str | None
    posted_at: datetime
    posting_date: date
    period: str
    erp_ref: str | None = None
    kind: str = "stock"
    gl: bool | None = None
    gl_period: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """Every tolerance of the match; printed with its result."""

    quantity: Decimal = Decimal(0)
    sla: timedelta = timedelta(hours=1)
    late: timedelta = timedelta(hours=24)
    settle: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRow:
    """All three sides of one row, its class, and the fields that differ."""

    key: str
    match_class: MatchClass
    fact: MesFact | None
    message: SentMessage | None
    lines: tuple[ErpLine, ...]
    differs: tuple[str, ...]
    age: timedelta

    @property
    def bucket(self) -> str:
        """The age of the fact, or of the posting where there is no fact."""
        return next((name for name, upto in BUCKETS if self.age < upto), OLDEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The whole match as of one reading. `outside` lines of the ERP are no business of ours."""

    rows: tuple[MatchRow, ...]
    read_at: datetime
    upto_seq: int
    rules: MatchRules
    erp_was_read: bool
    outside: int

    @property
    def total(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @property
    def counts(self) -> Mapping[MatchClass, int]:
        """Return how many rows each class has, zeros included; they sum to the total."""
        found = dict.fromkeys(MatchClass, 0)
        for row in self.rows:
            found[row.match_class] += 1
        assert sum(found.values()) == self.total
        return found

    @property
    def ageing(self) -> Mapping[MatchClass, Mapping[str, int]]:
        """Return counts by class and age, of classes that are neither matched nor empty."""
        names = [*(name for name, _ in BUCKETS), OLDEST]
        found: dict[MatchClass, dict[str, int]] = {}
        for row in self.rows:
            if row.match_class not in AGREES:
                ages = found.setdefault(row.match_class, dict.fromkeys(names, 0))
                ages[row.bucket] += 1
        return found


TEXT, COUNT, AMOUNT, DAY, FLAG = (
    pa.string(),
    pa.int64(),
    pa.decimal128(28, 9),
    pa.date32(),
    pa.bool_(),
)
LINE_FIELDS = {
    "order_id": TEXT, "item": TEXT, "lot": TEXT, "movement": TEXT, "quantity": AMOUNT,
    "unit": TEXT, "posting_date": DAY,
}  # fmt: skip
FACT = {"message_id": TEXT, "entry_seq": COUNT, **LINE_FIELDS, "occurred_us": COUNT, "fault": TEXT}
MESSAGE = {
    "message_id": TEXT, "erp_ref": TEXT, "state": TEXT, "entry_seq": COUNT, "receipt_us": COUNT,
}  # fmt: skip
LINE = {
    "message_id": TEXT, "erp_ref": TEXT, **LINE_FIELDS, "posted_us": COUNT, "period": TEXT,
    "kind": TEXT, "gl": FLAG, "gl_period": TEXT, "changed": FLAG,
}  # fmt: skip
INSTANTS = {"occurred_us": "occurred_at", "receipt_us": "receipt_at", "posted_us": "posted_at"}


def reconcile(
    facts: Sequence[MesFact],
    messages: Sequence[SentMessage],
    lines: Sequence[ErpLine] | None,
    *,
    read_at: datetime,
    upto_seq: int,
    rules: MatchRules | None = None,
) -> Reconciliation:
    """Return every fact, message and posting in its class.

    Args:
        facts: the movements of the ledger up to `upto_seq`.
        messages: read after the facts and the lines, so that every line's message is known.
        lines: the ERP's books; None where they could not be read.
        read_at: when the reading was complete; ages are up to here.
        upto_seq: the last entry that the facts were read from.
        rules: tolerances; zero for quantities unless given.
    """
    used = rules or MatchRules()
    found = _classed(facts, messages, lines, read_at=read_at, upto_seq=upto_seq, rules=used)
    rows = []
    for key, fact_n, message_n, line_ns, differs, match_class in found:
        if match_class == "outside":
            continue
        fact = None if fact_n is None else facts[fact_n]
        message = None if message_n is None else messages[message_n]
        booked = tuple((lines or ())[n] for n in line_ns)
        rows.append(
            MatchRow(
                key=key,
                match_class=MatchClass(match_class),
                fact=fact,
                message=message,
                lines=booked,
                differs=tuple(differs),
                age=max(timedelta(0), read_at - _since(fact, message, booked)),
            )
        )
    return Reconciliation(
        rows=tuple(rows),
        read_at=read_at,
        upto_seq=upto_seq,
        rules=used,
        erp_was_read=lines is not None,
        outside=len(found) - len(rows),
    )


def _classed(
    facts: Sequence[MesFact],
    messages: Sequence[SentMessage],
    lines: Sequence[ErpLine] | None,
    *,
    read_at: datetime,
    upto_seq: int,
    rules: MatchRules,
) -> list[tuple[Any, ...]]:
    """Return (key, position of the fact, of the message, of the lines, fields, class) rows."""
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.register("fact", _table(FACT, facts))
        connection.register("message", _table(MESSAGE, messages))
        connection.register("line", _table(LINE, lines or ()))
        factors = [(unit, *found) for unit, found in UNITS.items()]
        connection.execute(
            "create table unit_factor(unit text, dimension text, factor decimal(18,9))"
        )
        connection.executemany("insert into unit_factor values (?, ?, ?)", factors)
        values = {
            "read": lines is not None,
            "now_us": micros(read_at),
            "sla_us": _us(rules.sla),
            "settle_us": _us(rules.settle),
            "late_us": _us(rules.late),
            "tolerance": rules.quantity,
            "upto_seq": upto_seq,
        }
        return connection.execute(sql("reconciliation"), values).fetchall()


def _since(
    fact: MesFact | None, message: SentMessage | None, lines: tuple[ErpLine, ...]
) -> datetime:
    if fact is not None:
        return fact.occurred_at
    return message.sent_at if message is not None else lines[0].posted_at


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _table(columns: Mapping[str, pa.DataType], rows: Sequence[Any]) -> pa.Table:
    """Return records as a table with their position `n`."""
    arrays = {"n": pa.array(range(len(rows)), pa.int64())}
    for name, kind in columns.items():
        if name in INSTANTS:
            given = [getattr(row, INSTANTS[name]) for row in rows]
            values = [None if at is None else micros(at) for at in given]
        else:
            values = [getattr(row, "order" if name == "order_id" else name) for row in rows]
        arrays[name] = pa.array(values, kind)
    return pa.table(arrays)
