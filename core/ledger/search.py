"""Search of the audit trail: the newest first, in pages, without reading more than it must.

Stream and type are columns; actor, time and text are looked for in the stored bytes. A search
looks at a bounded number of entries and says how far back it came, so that nobody waits for a
ledger of years.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import msgspec

from core.clock import iso, parse_iso
from core.ledger.entry import Entry, decode
from core.ledger.store import Ledger

WINDOW = 5_000
LOOKED_AT = 200_000
SLACK = 1_000  # a clock that is corrected leaves `at` out of order by a little
DISORDER = timedelta(seconds=4)  # by two corrections, each too small to be recorded as a step
FOUND = "select seq, body from entry where seq > ? and seq <= ?{} order by seq desc"

# streams of `core.clock_step`, whose entries say where `at` is not in order
STEPS = "select seq from entry where stream >= 'clock/' and stream < 'clock0' order by seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look for; an empty field looks for anything.

    `stream` is a whole name, or a prefix where it ends with `/`; `type` may be the first part of
    a type. `start` is closed and `end` open, both texts of `core.clock.iso`.
    """

    actor: str = ""
    stream: str = ""
    type: str = ""
    text: str = ""
    start: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of a search. Where `more`, the next one begins before `older`."""

    entries: tuple[Entry, ...]
    looked_back_to: int
    more: bool
    older: int


def search(
    ledger: Ledger,
    wanted: Wanted,
    *,
    before: int = 0,
    limit: int = 100,
    looked_at: int = LOOKED_AT,
) -> Found:
    """Return the newest entries that fit, below `before` (0: from the end of the ledger)."""
    size = ledger.size()
    newest = min(before - 1, size) if before > 0 else size
    found: list[Entry] = []
    back, left = newest, looked_at
    for after, upto in reversed(_spans(ledger, wanted, size)):
        top = min(upto, newest)
        if top <= after:
            continue
        back = stop = max(after, top - left)
        for seq, body in _candidates(ledger, wanted, top=top, stop=stop):
            entry = _fitting(body, wanted)
            if entry is None:
                continue
            if len(found) == limit:
                return Found(
                    entries=tuple(found), looked_back_to=seq + 1, more=True, older=found[-1].seq
                )
            found.append(entry)
        left -= top - stop
        if stop > after:
            return Found(entries=tuple(found), looked_back_to=back + 1, more=True, older=back + 1)
    return Found(entries=tuple(found), looked_back_to=back + 1, more=False, older=back + 1)


def _spans(ledger: Ledger, wanted: Wanted, size: int) -> list[tuple[int, int]]:
    """Return where the wanted time may lie, as (after, up to) in order, none touching another.

    Between two recorded steps of the clock `at` is in order, but for a little: what is looked for
    may lie behind what is later by that much.
    """
    if not wanted.start and not wanted.end:
        return [(0, size)]
    start = _moved(wanted.start, -DISORDER)
    end = _moved(wanted.end, DISORDER)
    with ledger.store.reading() as connection:
        steps = [seq for (seq,) in connection.exec_driver_sql(STEPS).fetchall()]
    bounds = [0, *(seq - 1 for seq in steps), size]
    spans: list[tuple[int, int]] = []
    for first, last in pairwise(bounds):
        after, upto = first, last
        if start:
            after = _first_at(ledger, start, first, last=last) - 1
        if end:
            upto = _first_at(ledger, end, first, last=last) - 1
        if after >= upto:
            continue
        after, upto = max(after - SLACK, 0), min(upto + SLACK, size)
        if spans and after <= spans[-1][1]:
            after = spans.pop()[0]
        spans.append((after, upto))
    return spans


def _moved(at: str, by: timedelta) -> str:
    try:
        return at and iso(parse_iso(at) + by)
    except OverflowError:  # before the first year, or after the last one
        return at


def _candidates(
    ledger: Ledger, wanted: Wanted, *, top: int, stop: int
) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of what fits by its columns, the newest first."""
    conditions, values = [], []
    for column, text, is_whole in (
        ("stream", wanted.stream, not wanted.stream.endswith("/")),
        ("type", wanted.type, False),
    ):
        if text:
            conditions.append(f" and {column} {'=' if is_whole else 'like'} ?")
            values.append(text if is_whole else text + "%")
    statement = ledger.store.sql(FOUND.format("".join(conditions)))
    while top > stop:
        low = max(top - WINDOW, stop)
        with ledger.store.reading() as connection:
            rows = connection.exec_driver_sql(statement, (low, top, *values)).fetchall()
        for seq, body in rows:
            yield seq, bytes(body)
        top = low


def _fitting(body: bytes, wanted: Wanted) -> Entry | None:
    """Return the entry in the bytes if it fits, decoding it only where it may."""
    if wanted.actor and msgspec.json.encode(wanted.actor) not in body:
        return None
    entry = decode(body)
    if wanted.actor and entry.actor != wanted.actor:
        return None
    if not entry.type.startswith(wanted.type):  # a wildcard of the database's matched more
        return None
    if wanted.stream.endswith("/") and not entry.stream.startswith(wanted.stream):
        return None
    if (wanted.start and entry.at < wanted.start) or (wanted.end and entry.at >= wanted.end):
        return None
    if wanted.text and wanted.text.casefold() not in body.decode("utf-8").casefold():
        return None
    return entry


def _first_at(ledger: Ledger, at: str, after: int, *, last: int) -> int:
    """Return about the first number above `after` whose entry was recorded at `at` or later."""
    low, high = after + 1, last + 1
    while low < high:
        middle = (low + high) // 2
        entry = ledger.entry(middle)
        if entry is not None and entry.at < at:
            low = middle + 1
        else:
            high = middle
    return low
