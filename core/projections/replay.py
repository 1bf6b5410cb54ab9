"""The fold of a whole ledger: every stream's state anew, from the stored bytes in one pass."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from core.catalogue import EVENTS, NOUNS, from_data
from core.fact import Event, Recorded
from core.ledger.entry import Entry, decode
from core.ledger.merkle import leaf_hash
from core.ledger.store import Ledger
from core.projections import verifications

STEP = 5_000


class _Stored(msgspec.Struct):
    """What a fold needs of an entry; the body waits for the decoder of its type."""

    stream: str
    ver: int
    type: str
    v: int
    at: datetime
    actor: str
    station: str | None
    data: msgspec.Raw


@dataclass(slots=True)
class Folded:
    """One stream's state, how far it is folded, and the rule that folds on."""

    apply: Callable[[Any, Recorded], Any]
    state: Any = None
    ver: int = 0
    seq: int = 0


@dataclass(slots=True)
class Replayed:
    """A whole ledger folded: its streams by name, its verifications, and its last `seq`."""

    streams: dict[str, Folded] = field(default_factory=dict)
    verified: list[Entry] = field(default_factory=list)
    size: int = 0


_envelope = msgspec.json.Decoder(_Stored)
_bodies: dict[tuple[str, int], msgspec.json.Decoder[Event]] = {
    (name, kind.SCHEMA): msgspec.json.Decoder(kind) for name, kind in EVENTS.items()
}


def _event(stored: _Stored) -> Event:
    """Return the event; a body of an older version takes the way over `from_data`."""
    decoder = _bodies.get((stored.type, stored.v))
    if decoder is None:
        return from_data(stored.type, stored.v, msgspec.json.decode(stored.data))
    return decoder.decode(stored.data)


def replayed(ledger: Ledger) -> Replayed:
    """Return every stream folded anew from the entries that are stored now."""
    found = Replayed()
    streams = found.streams
    for seq, body in _bodies_of(ledger):
        stored = _envelope.decode(body)
        name = stored.stream
        one = streams.get(name)
        if one is None:
            one = streams[name] = Folded(NOUNS[name.split("/", 1)[0]].apply)
        if stored.type == verifications.VERIFIED:
            found.verified.append(decode(body))
        one.state = one.apply(
            one.state,
            Recorded(
                _event(stored), name, seq, stored.ver, leaf_hash(body).hex(),
                stored.at, stored.actor, stored.station,
            ),
        )  # fmt: skip
        one.ver, one.seq = stored.ver, seq
        found.size = seq
    return found


def _bodies_of(ledger: Ledger) -> Iterator[tuple[int, bytes]]:
    after = 0
    while raw := ledger.raw(after, STEP):
        yield from raw
        after = raw[-1][0]
