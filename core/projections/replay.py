"""The fold of a whole ledger: every stream's state anew, from the stored bytes in one pass.

Entries are read stream by stream, so that one state at a time is held. Streams do not touch each
other: a long ledger is folded in ranges of streams, by as many processes as there are processors.
"""

import gc
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from core.catalogue import EVENTS, NOUNS, from_data
from core.fact import Event, Recorded
from core.ledger.entry import INTEGER_LIMIT
from core.ledger.store import Ledger
from core.projections import verifications
from core.projections.hands import Gone, folded_elsewhere

STEP = 1_000
RANGE = 5_000  # streams in one go: what waits to be written stays small
WORTH_PROCESSES = 200_000  # entries; below, to start a process costs more than it saves


type Stored = tuple[str, str, int, int, int | None, bytes]  # a row of `noun`, column by column


class _Entry(msgspec.Struct):
    """What a fold needs of an entry; the body waits for the decoder of its type."""

    stream: str
    ver: int
    type: str
    v: int
    at: datetime
    actor: str
    station: str | None
    data: msgspec.Raw


class Folded(NamedTuple):
    """One stream's state, and how far it is folded."""

    stream: str
    ver: int
    seq: int
    state: Any


class Range(NamedTuple):
    """The streams after `low` up to `high`, in the order of the database."""

    low: str
    high: str


class Written(NamedTuple):
    """A range folded: its rows as they are stored, and its verifications."""

    within: Range
    rows: list[Stored]
    verified: list[verifications.Row]


_envelope = msgspec.json.Decoder(_Entry)
_encoder = msgspec.json.Encoder(order="sorted")
_bodies: dict[tuple[str, int], msgspec.json.Decoder[Event]] = {
    (name, kind.SCHEMA): msgspec.json.Decoder(kind) for name, kind in EVENTS.items()
}


def canonical(state: Any) -> bytes:
    """Return a state's canonical bytes."""
    return _encoder.encode(state)


def stored(stream: str, ver: int, seq: int, *, state: Any) -> Stored:
    """Return the row that is stored of a stream's state."""
    noun = NOUNS[stream.split("/", 1)[0]]
    is_over = int(noun.is_over(state)) if noun.ends else None
    return stream, noun.kind, ver, seq, is_over, canonical(state)


def _event(entry: _Entry) -> Event:
    """Return the event; a body of an older version takes the way over `from_data`."""
    decoder = _bodies.get((entry.type, entry.v))
    if decoder is None:
        return from_data(entry.type, entry.v, msgspec.json.decode(entry.data))
    return decoder.decode(entry.data)


def ranges(ledger: Ledger, count: int = RANGE) -> Iterator[Range]:
    """Yield ranges of so many streams that hold every stream there is once."""
    last = ledger.last_stream()
    low = ""
    while last is not None and low != last:
        high = ledger.stream_after(low, count) or last
        yield Range(low, high)
        low = high


def folded(
    ledger: Ledger, within: Range, verified: list[verifications.Row] | None = None
) -> Iterator[Folded]:
    """Yield every stream of a range, folded anew from the entries that are stored now.

    Verifications on the way are added to `verified`.
    """
    stream, ver, seq, state, apply = "", 0, 0, None, NOUNS[next(iter(NOUNS))].apply
    for seq_now, body in _bodies_of(ledger, within):
        entry = _envelope.decode(body)
        if entry.stream != stream:
            if stream:
                yield Folded(stream, ver, seq, state)
            stream, state = entry.stream, None
            apply = NOUNS[stream.split("/", 1)[0]].apply
        if verified is not None and entry.type == verifications.VERIFIED:
            verified.append(verifications.row(seq_now, msgspec.json.decode(entry.data)))
        ver, seq = entry.ver, seq_now
        fact = Recorded(_event(entry), stream, seq, ver, entry.at, entry.actor, entry.station)
        state = apply(state, fact)
    if stream:
        yield Folded(stream, ver, seq, state)


def _bodies_of(ledger: Ledger, within: Range) -> Iterator[tuple[int, bytes]]:
    stream, ver = within.low, INTEGER_LIMIT  # after its last version
    while found := ledger.by_stream((stream, ver), within.high, STEP):
        for stream, ver, seq, body in found:  # noqa: B007 - the last one is where the next begins
            yield seq, body


def written_range(ledger: Ledger, within: Range) -> Written:
    """Return a range folded, ready to be stored."""
    found = Written(within, [], [])
    with _without_collector():
        for one in folded(ledger, within, found.verified):
            found.rows.append(stored(one.stream, one.ver, one.seq, state=one.state))
    return found


def processes(size: int) -> int:
    """Return how many processes a ledger of this size is worth."""
    return 1 if size < WORTH_PROCESSES else os.cpu_count() or 1


def written(ledger: Ledger, *, jobs: int, count: int = RANGE) -> Iterator[Written]:
    """Yield the whole ledger folded, so many streams at a time, ready to be stored."""
    todo, asked = ranges(ledger, count), deque[Range]()
    if jobs > 1:
        with suppress(Gone):  # no process can be started here: then alone
            yield from folded_elsewhere(ledger.store, todo, asked, jobs=jobs)
    for within in chain(asked, todo):
        yield written_range(ledger, within)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A fold makes millions of objects and no cycle: looking for cycles takes a third of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
