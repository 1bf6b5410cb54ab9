"""The three-way match at size: whole, after a thousand changes, and one page; beside plain Python.

Both sides judge the same facts, messages and postings of an ERP's books, with differences planted
among them, and must count the same classes. Rows are made here; reading them from a ledger, an
outbox and an ERP is another matter and is not in these figures.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analytics.reconciliation.intake import Read
from analytics.reconciliation.kept import KeptMatch, version
from analytics.reconciliation.reading import Where
from analytics.reconciliation.store import MatchStore, News
from dashboards.bench.measure import Measure, measured
from erp.reconcile import FactRow, MessageRow, PostingRow

TARGET_S = 5.0
PART = 50_000
CHANGES = 1_000
ROUNDS = 5
AN_ORDER = 50  # facts of one order
ODD = 500  # one row in so many differs
AT = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
DAY = date(2026, 3, 31)
KIND = "mes.material_consumed.v1"

type Triple = tuple[FactRow, MessageRow, PostingRow | None]


def triple(n: int) -> Triple:
    """Return the n-th fact with its message and its posting; one in `ODD` differs in its turn."""
    key, order = f"evt_{n:026d}", n // AN_ORDER
    moved: dict[str, Any] = {
        "item": f"ITEM-{n % 40}", "lot": f"LOT-{n % 997}", "movement": "issue",
        "quantity": Decimal(n % 100_000 + 1) / 4000, "unit": "KGM", "posting_date": DAY,
    }  # fmt: skip
    at = AT - timedelta(hours=2)
    fact = FactRow(
        event_id=key, entry_seq=n + 1, type=KIND, order=f"W{order}", erp_order=f"PO-{order}",
        batch=f"B{order}", at=at, **moved,
    )  # fmt: skip
    message = MessageRow(
        event_id=key, erp_ref=f"{n:016d}", entry_seq=n + 1, lane=f"W{order}",
        lane_seq=n % AN_ORDER + 1, type=KIND, sha256="ab" * 32, state="done", attempts=1,
        last_code=None, last_error=None, order=f"W{order}", erp_order=f"PO-{order}", made_at=at,
        due_at=at, receipt_at=at, receipt_status="posted", documents=f"49{n:08d}",
        receipt_period="2026-03", **moved,
    )  # fmt: skip
    line = PostingRow(
        seq=n + 1, kind="stock", event_id=key, erp_ref=f"{n:016d}", document=f"49{n:08d}/2026/1",
        erp_order=f"PO-{order}", period="2026-03", gl_document=f"10{n:08d}", gl_period="2026-03",
        posted_at=at, **moved,
    )  # fmt: skip
    if n % ODD:
        return fact, message, line
    return fact, message, _odd(line, n // ODD)


def _odd(line: PostingRow, turn: int) -> PostingRow | None:
    assert line.quantity is not None
    return (
        replace(line, quantity=line.quantity + 1),
        replace(line, lot="LOT-none"),
        replace(line, erp_order="PO-none"),
        replace(line, gl_document=None, gl_period=None),
        replace(line, gl_period="2026-04"),
        None,
    )[turn % 6]


def plainly(triples: Sequence[Triple]) -> Counter[str]:
    """Return how many rows each class has, by dictionaries and one look at each row."""
    messages = {message.event_id: message for _, message, _ in triples}
    lines: dict[str, list[PostingRow]] = {}
    for _, _, line in triples:
        if line is not None and line.event_id is not None:
            lines.setdefault(line.event_id, []).append(line)
    found: Counter[str] = Counter()
    for fact, _, _ in triples:
        booked = lines.get(fact.event_id, [])
        found[_plain_class(fact, messages[fact.event_id], booked)] += 1
    return found


def _plain_class(fact: FactRow, message: MessageRow, booked: Sequence[PostingRow]) -> str:
    if len(booked) != 1:
        return "duplicate" if booked else "missing_in_erp"
    [line] = booked
    known = (message.documents or "").split()
    if line.document.partition("/")[0] not in known or message.receipt_period != line.period:
        return "changed_after_post"
    if not fact.erp_order == message.erp_order == line.erp_order:
        return "wrong_order"
    if not fact.item == message.item == line.item:
        return "item_mismatch"
    if not fact.lot == message.lot == line.lot:
        return "lot_mismatch"
    if not fact.unit == message.unit == line.unit:
        return "uom_mismatch"
    if not fact.quantity == message.quantity == line.quantity or fact.movement != line.movement:
        return "qty_mismatch"
    if line.kind == "stock" and line.gl_document is None:
        return "gl_missing"
    if not fact.posting_date == message.posting_date == line.posting_date:
        return "wrong_period"
    if line.gl_period != line.period:
        return "wrong_period"
    return "late" if line.posted_at - fact.at > timedelta(hours=24) else "matched"


def measures(rows: int) -> Iterator[Measure]:
    """Measure the match of so many postings; yield each figure as soon as it is known."""
    store = MatchStore()
    triples = [triple(n) for n in range(rows)]
    try:
        loaded_s = _timed(lambda: _load(store, triples))
        whole_s = _timed(lambda: store.take(News(at=AT, upto_seq=rows)))
        plain_s = _timed(lambda: _agree(store, triples))
        yield measured(
            f"match of {rows:,} postings, whole", [whole_s], unit="s",
            against=f"plain Python in the same run: {plain_s:.2f} s", at_most=TARGET_S,
            note="rows are in DuckDB; every class is counted alike by both",
        )  # fmt: skip
        yield measured(
            "the same, times plain Python",
            [plain_s / whole_s],
            unit="x",
            against="dictionaries and one look at each row, everything in memory already",
        )
        yield measured(
            f"taking {rows:,} rows of each side into DuckDB",
            [loaded_s],
            unit="s",
            against="done once, at the first look after a start",
        )
        turns = [_timed(partial(_changed, store, rows, n)) for n in range(ROUNDS)]
        yield measured(
            f"match after {CHANGES:,} changes", turns, unit="s",
            against=f"the whole: {whole_s:.2f} s", at_most=1.0,
        )  # fmt: skip
        yield from _restarted(store, rows)
        yield measured(
            "counts, ages and one page of the match",
            [_timed(lambda: _page(store)) for _ in range(ROUNDS)],
            unit="s",
            against=f"{rows:,} postings",
        )
    finally:
        store.close()


def _restarted(store: MatchStore, rows: int) -> Iterator[Measure]:
    """Measure the match of so many postings kept in a file, and a start from that file."""
    again = MatchStore()
    with TemporaryDirectory() as folder:
        kept, of = KeptMatch(Path(folder)), version(store.rules)
        kept_s = _timed(lambda: store.written(kept, of)({}))
        try:
            started_s = _timed(lambda: _start(again, kept, of))
            assert again.position == store.position
        finally:
            again.close()
    yield measured(
        f"match of {rows:,} postings, kept in a file", [kept_s], unit="s",
        against="beside the readings, every ten minutes and at the end",
    )  # fmt: skip
    yield measured(
        f"match of {rows:,} postings, start from that file", [started_s], unit="s",
        against="the file's SHA-256 is checked, then it is read", at_most=TARGET_S,
    )  # fmt: skip


def _start(store: MatchStore, kept: KeptMatch, of: str) -> None:
    found = kept.find(version=of)
    assert found is not None
    store.restore(*found)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _load(store: MatchStore, triples: Sequence[Triple]) -> None:
    for start in range(0, len(triples), PART):
        part = triples[start : start + PART]
        lines = [line for _, _, line in part if line is not None]
        store.load(
            News(
                at=AT, upto_seq=start + len(part), facts=[fact for fact, _, _ in part],
                messages=[message for _, message, _ in part],
                books=(Read(lines=lines, after=start, upto=start + len(part)),),
            )
        )  # fmt: skip


def _agree(store: MatchStore, triples: Sequence[Triple]) -> None:
    counted = plainly(triples)
    with store.reading() as found:
        ours = Counter({name: n for name, n in found.counts().items() if n})
    assert ours == counted, (ours, counted)


def _changed(store: MatchStore, rows: int, n: int) -> None:
    """Bring new facts, messages told anew and changed postings, a third of the changes each."""
    some = CHANGES // 3
    first = rows + n * CHANGES
    new = [triple(first + one) for one in range(some + CHANGES % 3)]
    again = [triple(n * CHANGES + one * 7) for one in range(some)]
    changed = [
        replace(line, quantity=line.quantity + n + 2)
        for _, _, line in (triple(n * CHANGES + one * 7 + 3) for one in range(some))
        if line is not None and line.quantity is not None
    ]
    added = [line for _, _, line in new if line is not None]
    low, high = changed[0].seq, changed[-1].seq
    kept = {line.seq: line for line in changed}
    span = [
        kept.get(seq) or line
        for seq in range(low, high + 1)
        if (line := triple(seq - 1)[2]) is not None
    ]
    books = (Read(lines=added, after=first), Read(lines=span, after=low - 1, upto=high))
    store.take(
        News(
            at=AT + timedelta(seconds=n + 1), upto_seq=first + CHANGES,
            facts=[fact for fact, _, _ in new],
            messages=[message for _, message, _ in (*new, *again)],
            books=books,
        )
    )  # fmt: skip


def _page(store: MatchStore) -> None:
    with store.reading() as found:
        found.counts()
        found.ageing()
        found.page(Where(match_class="qty_mismatch"))
        found.page()
